"""Convolution against a dense layer: weights, translation, what a unit sees; and pooling's invariance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

import preceptor as pr
from preceptor import nn
from preceptor.lab.drawing import lines, tiles
from preceptor.lab.experiment import Claim, Experiment, Figures, Player, Table
from preceptor.lab.handwriting import SIDE, digits
from preceptor.ops import Spec
from preceptor.page.markup import Markup
from preceptor.words import amount

SPACE = 24  # pixels of a side: a digit in the middle of empty paper
SHIFTS = range(9)
POOLS = (1, 2, 4, 8)
# Windows and strides, from the input on, of the stacks whose sight is measured.
STACKS: dict[str, tuple[tuple[str, int, int], ...]] = {
    "1 of 3 × 3": (("convolution", 3, 1),),
    "2 of 3 × 3": (("convolution", 3, 1),) * 2,
    "3 of 3 × 3": (("convolution", 3, 1),) * 3,
    "3 × 3, pool 2, 3 × 3": (("convolution", 3, 1), ("pool", 2, 2), ("convolution", 3, 1)),
    "3 × 3, pool 2, 3 × 3, pool 2": (("convolution", 3, 1), ("pool", 2, 2)) * 2,
}


def sight(stack: tuple[tuple[str, int, int], ...]) -> int:
    """Length of what a unit sees.

    Formula: r = 1 + sum over layers of (window - 1) * product of the strides before it.
    """
    found, step = 1, 1
    for _, window, stride in stack:
        found += (window - 1) * step
        step *= stride
    return found


@dataclass(frozen=True, eq=False)
class SharedWeights(Figures):
    """Counts, shifts and sights.

    Args:
        parameters: {layer: how many}, of layers that make as many numbers of one digit.
        apart: {layer: how far the output of a shifted picture lies from the shifted output, relative to its length}.
        seen: {stack: length of what a unit in the middle sees, by its gradient}; masks: {stack: where that is not 0}.
        alike: {pool: likeness of what a picture and the same shifted by 0, 1, ... pixels give after it, a cosine}.

    Shapes: masks (row, column); alike (shift,).
    """

    filters: int
    parameters: dict[str, int]
    apart: dict[str, float]
    seen: dict[str, int]
    masks: dict[str, np.ndarray]
    alike: dict[int, np.ndarray]

    def tables(self) -> Sequence[Table]:
        counts = [[name, f"{count:,}", amount(self.apart[name], 2)] for name, count in self.parameters.items()]
        sights = [[name, str(found), str(sight(STACKS[name]))] for name, found in self.seen.items()]
        pools = [[str(pool), *(amount(each, 3) for each in self.alike[pool][:5])] for pool in POOLS]
        return [
            Table("One digit in, as many numbers out", ("layer", "parameters", "error of a shift"), counts),
            Table("What a unit sees", ("stack", "places", "formula"), sights),
            Table("Likeness after a shift", ("max pool", *(f"{shift} pixels" for shift in list(SHIFTS)[:5])), pools),
        ]

    def claims(self) -> Sequence[Claim]:
        dense, tied = self.parameters["dense"], self.parameters["convolution"]
        off = [name for name, found in self.seen.items() if found != sight(STACKS[name])]
        plain, pooled = self.alike[1], self.alike[POOLS[2]]
        with_pool, without = self.seen["3 × 3, pool 2, 3 × 3"], self.seen["2 of 3 × 3"]
        return [
            Claim(
                "Tied filter weights: few parameters.",
                "B:385",
                f"{tied:,} in place of {dense:,} for as many outputs.",
                tied == 9 * self.filters + self.filters and tied < dense,
            ),
            Claim(
                "Translation: a shifted picture gives shifted maps.",
                "B:384",
                f"After a shift the maps are {amount(self.apart['convolution'], 1)} of their length off, the outputs "
                "of the "
                "dense "
                f"layer {self.apart['dense']:.0%}.",
                self.apart["convolution"] < 1e-9 < self.apart["dense"],
            ),
            Claim(
                "Pooling: invariance to small transformations.",
                "B:420",
                f"After a shift by 1 pixel the maps are alike by {amount(plain[1], 3)}, after a max pool of "
                f"{POOLS[2]} by "
                f"{amount(pooled[1], 3)}; by {list(SHIFTS)[-1]} pixels by {amount(plain[-1], 3)} and "
                f"{amount(pooled[-1], 3)}.",
                bool(pooled[1] > plain[1]),
            ),
            Claim(
                "Pooling: larger receptive field.",
                "B:421",
                f"With a pool between two windows of 3 × 3 a unit sees {with_pool} places across, without {without}.",
                with_pool > without,
            ),
            Claim(
                "A unit sees 1 + sum of (window - 1) times the strides before.",
                "closed form",
                f"Of {len(self.seen)} stacks {len(self.seen) - len(off)} do.",
                not off,
            ),
        ]

    def answer(self) -> str:
        dense, tied = self.parameters["dense"], self.parameters["convolution"]
        return f"{dense:,} against {tied:,}: {dense / tied:.0f} times as many."

    def pictures(self) -> Sequence[Markup]:
        return [
            lines(
                "Likeness of a picture and the same, shifted",
                f"by 1 pixel: {amount(self.alike[1][1], 3)} without a pool",
                list(SHIFTS),
                {"no pool" if pool == 1 else f"max pool {pool}": self.alike[pool].tolist() for pool in POOLS},
                x_label="shift (pixels)",
                y_label="cosine",
                y=(0.0, 1.0),
            ),
            tiles(
                "What a unit in the middle sees",
                [each.astype(float) for each in self.masks.values()],
                [f"{name}: {self.seen[name]}" for name in self.masks],
                "White: places on which its output depends.",
                side=112,
            ),
        ]

    def players(self) -> Sequence[Player]:
        shown = [tiles(f"{name}: {self.seen[name]} places across", [each.astype(float)], [""], side=224)
                 for name, each in self.masks.items()]  # fmt: skip
        return [Player("sight", "Layer upon layer", list(self.masks), shown)]


def placed(picture: np.ndarray, shift: int = 0) -> np.ndarray:
    """A digit on empty paper, moved to the right. Shapes: (8, 8) -> (24, 24)."""
    out = np.zeros((SPACE, SPACE))
    start = (SPACE - SIDE) // 2
    out[start : start + SIDE, start + shift - 4 : start + shift - 4 + SIDE] = picture
    return out


def _applied(layer: nn.Layer, params: dict, x: np.ndarray) -> np.ndarray:
    return np.asarray(layer.apply(params, {}, x, train=False, key=None)[0])


def _drawn(layer: nn.Layer, shape: tuple[int, ...], seed: int) -> dict:
    params, _ = layer.init(np.random.default_rng(seed), Spec(shape, np.dtype(np.float64)))
    return {path: np.asarray(each, np.float64) for path, each in params.items()}


def shared_weights(*, seed: int = 0, filters: int = 4) -> SharedWeights:
    """Counts weights, shifts digits, and asks by the gradient what a unit depends on.

    Formula: cosine of the two outputs, laid out in a row; relu after the convolution, then the pool.
    Args:
        filters: of the convolutions.
    """
    some = digits(seed)[0][:20].astype(np.float64)
    x = np.array([placed(each) for each in some])[..., None]
    convolution = nn.Convolution(filters)
    dense = nn.Dense(SPACE * SPACE * filters)
    tied, free = _drawn(convolution, x.shape, seed), _drawn(dense, (1, SPACE * SPACE), seed)
    parameters = {"convolution": nn.count_parameters(tied), "dense": nn.count_parameters(free)}
    moved = np.array([placed(each, 3) for each in some])[..., None]
    maps, shifted = (_applied(convolution, tied, each) for each in (x, moved))
    rows, others = (_applied(dense, free, each.reshape(len(each), -1)).reshape(maps.shape) for each in (x, moved))
    apart = {
        name: float(np.linalg.norm(np.roll(a, 3, 2) - b) / np.linalg.norm(b))
        for name, a, b in (("convolution", maps, shifted), ("dense", rows, others))
    }
    masks = {name: _sees(stack) for name, stack in STACKS.items()}
    seen = {name: int(mask.any(0).sum()) for name, mask in masks.items()}
    alike = {}
    for pool in POOLS:
        first, *rest = [
            _pooled(np.maximum(_applied(convolution, tied, np.array([placed(d, s) for d in some])[..., None]), 0), pool)
            for s in SHIFTS
        ]
        alike[pool] = np.array([_cosine(first, each) for each in [first, *rest]])
    return SharedWeights(filters, parameters, apart, seen, masks, alike)


def _pooled(x: np.ndarray, pool: int) -> np.ndarray:
    return x if pool == 1 else _applied(nn.MaxPool(pool), {}, x)


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    one, two = a.reshape(len(a), -1), b.reshape(len(b), -1)
    return float(((one * two).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(two, axis=1)).mean())


def _sees(stack: tuple[tuple[str, int, int], ...]) -> np.ndarray:
    """Where the gradient of the middle unit is not 0. Shapes: -> (24, 24)."""

    def middle(x):  # type: ignore[no-untyped-def]
        for kind, window, stride in stack:
            if kind == "pool":
                x = nn.MeanPool(window, stride).apply({}, {}, x, train=False, key=None)[0]
            else:
                weight = np.ones((window, window, 1, 1))
                layer = nn.Convolution(1, window, bias=False)
                x = layer.apply({"weight": weight}, {}, x, train=False, key=None)[0]
        at = x.shape[1] // 2
        return pr.sum(x[:, at, at, :])

    return np.asarray(pr.grad(middle)(np.zeros((1, SPACE, SPACE, 1))))[0, :, :, 0] != 0


EXPERIMENT = Experiment(
    run=shared_weights,
    title="One window for all places: convolution against a dense layer",
    chapter="Pictures",
    source="B:384",
    says=(
        "Convolution: dependencies are local, translation changes nothing, filter weights are tied and so few. "
        "Pooling: "
        "invariance to small transformations, and a larger receptive field."
    ),
    does=(
        "A convolution and a dense layer that make as many numbers are counted and given shifted digits; pools follow; "
        "and the gradient of a unit in the middle shows what it depends on."
    ),
    look="The more is pooled, the longer a shifted digit looks the same. Then go from stack to stack.",
    question="A picture of 24 × 24 becomes 4 maps of its size. How many weights has a dense layer that does it?",
    changes=("filters=16: four times the weights of both.",),
)
