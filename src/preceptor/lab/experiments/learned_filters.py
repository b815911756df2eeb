"""What a trained convolution sees: its filters, its maps, and the pictures that excite its units."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from preceptor import nn
from preceptor.engines import Native
from preceptor.errors import ConfigError
from preceptor.evidence.filters import filter_pixels, longest_first
from preceptor.lab.drawing import lines, tiles
from preceptor.lab.experiment import Claim, Experiment, Figures, Player, Table
from preceptor.lab.handwriting import CLASSES, digits
from preceptor.lab.learned import learn
from preceptor.lab.small_convnet import convnet
from preceptor.page.markup import Markup
from preceptor.report.excites import Strengths
from preceptor.report.look import unit_layers
from preceptor.train import Adam, Arrays, Config
from preceptor.train.fine_tuning import FineTuning
from preceptor.train.training import initial_values
from preceptor.words import amount

TAUGHT = 1200
MOST = 12  # pictures that excite a unit most
SHOWN = 8  # units of a layer, and of their pictures, on a sheet
CONVOLUTIONS = ("first", "second")


@dataclass(frozen=True, eq=False)
class LearnedFilters(Figures):
    """What each layer looks for, of several trainings; pictures are of the first.

    Args:
        layers: whose units are looked at, the output last.
        edges, edges_at_first: share of the first filters' squared length that is a slope from one side to the other.
        purity, purity_at_first: share that the commonest digit has among the pictures that excite a unit most, a mean
            over the units that any picture excites.
        error, error_at_first: of test digits, where all layers learned, and where both convolutions kept their first
            values.
        exciting: {layer: rows of `pictures`}, the strongest first.
        maps: {layer: of one picture of each digit, which lie in rows `examples`}.
        off: largest distance of a map from the sums of products of filter and picture.

    Shapes: filters, filters_at_first (3, 3, 1, unit); bias (unit,); edges (seed,); purity (seed, layer);
        error (seed,); exciting (unit, MOST); strengths as exciting; pictures (row, 8, 8);
        maps (digit, row, column, unit).
    """

    layers: tuple[str, ...]
    filters: np.ndarray
    bias: np.ndarray
    filters_at_first: np.ndarray
    edges: np.ndarray
    edges_at_first: np.ndarray
    purity: np.ndarray
    purity_at_first: np.ndarray
    error: np.ndarray
    error_at_first: np.ndarray
    exciting: dict[str, np.ndarray]
    strengths: dict[str, np.ndarray]
    maps: dict[str, np.ndarray]
    examples: np.ndarray
    pictures_seen: np.ndarray
    off: float

    def tables(self) -> Sequence[Table]:
        rows = [
            [layer, f"{learned:.0%}", f"{first:.0%}"]
            for layer, learned, first in zip(
                self.layers, self.purity.mean(0), self.purity_at_first.mean(0), strict=True
            )
        ]
        others = [
            ["filters: share that is a slope", f"{self.edges.mean():.0%}", f"{self.edges_at_first.mean():.0%}"],
            ["test digits taken for others", f"{self.error.mean():.1%}", f"{self.error_at_first.mean():.1%}"],
        ]
        title = f"Share of one digit among the {MOST} pictures that excite a unit most"
        return [
            Table(title, ("layer", "learned", "at first values"), rows),
            Table(f"Means of {len(self.edges)} trainings", ("", "learned", "convolutions as at first"), others),
        ]

    def claims(self) -> Sequence[Claim]:
        gain, noise = _gain(self.edges, self.edges_at_first)
        purity = self.purity.mean(0)
        less, spread = _gain(self.error_at_first, self.error)
        said = ", ".join(f"{layer} {share:.0%}" for layer, share in zip(self.layers, purity, strict=True))
        return [
            Claim(
                "The 1st layer finds edges.",
                "E:553",
                f"Of the learned filters {self.edges.mean():.0%} is a slope from one side to the other, of the same at "
                f"first {self.edges_at_first.mean():.0%} (by chance 2 of 9 parts): {gain:+.0%} ± {noise:.0%} over "
                f"{len(self.edges)} trainings. Filters that are edges would have more than half.",
                bool(self.edges.mean() > 0.5),
            ),
            Claim(
                "Higher layers see objects: levels of abstraction increase.",
                "E:541",
                f"Share of one digit among the pictures that excite a unit most: {said}.",
                bool((np.diff(purity) > 0).all()),
            ),
            Claim(
                "Features are learned from the data in place of being engineered.",
                "C:132",
                f"Test error {self.error.mean():.1%}; where both convolutions keep their first values and only the "
                f"layers above learn, {self.error_at_first.mean():.1%}: {less:+.1%} ± {spread:.1%}.",
                less > 2 * spread,
            ),
            Claim(
                "A map is the sum of products of filter and picture at each place, and the bias.",
                "closed form",
                f"The maps lie at most {amount(self.off, 1)} from it.",
                self.off < 1e-5,
            ),
        ]

    def answer(self) -> str:
        return (
            f"In the mean {self.purity.mean(0)[0]:.0%} of them are of the commonest digit; of a unit of the output, "
            f"{self.purity.mean(0)[-1]:.0%}."
        )

    def pictures(self) -> Sequence[Markup]:
        order, strength = longest_first(self.filters)
        excited = [self._sheet(layer) for layer in self.layers]
        return [
            tiles(
                "Filters of the first layer",
                [filter_pixels(self.filters)[unit, :, :, 0] for unit in order],
                [f"{unit + 1}: {strength[unit]:.2f}" for unit in order],
                "Black inhibits, white excites. Below each its number and its length; the longest come first.",
                limits=(0, 255),
            ),
            tiles(
                "The same before training",
                [filter_pixels(self.filters_at_first)[unit, :, :, 0] for unit in order],
                [f"{unit + 1}" for unit in order],
                limits=(0, 255),
            ),
            tiles(
                "Pictures that excite the units of each layer most",
                excited,
                [f"{layer}: a row for each unit" for layer in self.layers],
                f"The first {SHOWN} units of each layer, and {SHOWN} pictures of each, the strongest first.",
                side=190,
            ),
            lines(
                "Share of one digit among a unit's pictures, from layer to layer",
                "; ".join(f"{n}: {p:.0%}" for n, p in zip(self.layers, self.purity.mean(0), strict=True)),
                range(1, len(self.layers) + 1),
                {
                    "learned": self.purity.mean(0).tolist(),
                    "at first values": self.purity_at_first.mean(0).tolist(),
                },
                x_label="layer",
                y_label="share",
                y=(0.0, 1.0),
            ),
        ]

    def players(self) -> Sequence[Player]:
        found = []
        for digit in range(CLASSES):
            shown, names = [self.pictures_seen[self.examples[digit]]], ["the picture"]
            for layer in CONVOLUTIONS:
                maps = self.maps[layer][digit]
                shown += [maps[:, :, unit] for unit in range(maps.shape[2])]
                names += [f"{layer} {unit + 1}" for unit in range(maps.shape[2])]
            found.append(tiles(f"Maps of a {digit}", shown, names, side=56))
        return [Player("maps", "Feature maps of one picture", [f"a {digit}" for digit in range(CLASSES)], found)]

    def _sheet(self, layer: str) -> np.ndarray:
        """A row of pictures for each of some units, with lines of grey between. Shapes: -> (side, side)."""
        some = self.pictures_seen[self.exciting[layer][:SHOWN, :SHOWN]]
        units, count = some.shape[:2]
        framed = np.pad(some, ((0, SHOWN - units), (0, 0), (0, 1), (0, 1)), constant_values=0.5)
        side = framed.shape[2]
        return framed.transpose(0, 2, 1, 3).reshape(SHOWN * side, count * side)


def _gain(after: np.ndarray, before: np.ndarray) -> tuple[float, float]:
    """Mean of the differences, and its standard error."""
    apart = after - before
    return float(apart.mean()), float(apart.std(ddof=1) / np.sqrt(len(apart)))


def slope_share(filters: np.ndarray) -> np.ndarray:
    """Share of each filter's squared length that is a slope, from left to right, up to down, or between.

    Formula: (w · a)² + (w · b)² over w · w, with a = (-1, 0, 1) in each row and b in each column, of length 1.

    Shapes: (3, 3, 1, unit) -> (unit,).
    """
    flat = filters.reshape(9, -1)
    across = np.tile((-1, 0, 1), (3, 1)) / np.sqrt(6)
    parts = np.stack([across.ravel(), across.T.ravel()]) @ flat
    return np.asarray(np.square(parts).sum(0) / np.square(flat).sum(0))


def purity_of(rows: np.ndarray, strengths: np.ndarray, labels: np.ndarray) -> float:
    """The mean share of the commonest class among the rows of each unit; units that nothing excites are left out.

    Shapes: rows, strengths (unit, MOST); labels (row,).
    """
    alive = strengths[:, 0] > 0
    shares = [np.bincount(labels[own]).max() / len(own) for own in rows[alive]]
    return float(np.mean(shares))


Excited = dict[str, tuple[np.ndarray, np.ndarray]]


def _excited(network: nn.Sequential, params: dict[str, np.ndarray], x: np.ndarray) -> Excited:
    """Of each layer the rows that excite its units most, and how strongly. Shapes: (unit, MOST) twice."""
    layers = unit_layers(network)
    probe = Strengths(network, tuple(last for _, last in layers))
    values = np.asarray(probe.apply(params, {}, x, train=False, key=None)[0]).T
    order = np.argsort(-values, 1, kind="stable")[:, :MOST]
    strongest, start, found = np.take_along_axis(values, order, 1), 0, {}
    for name, _ in layers:
        units = params[f"{name}/weight"].shape[-1]
        found[name] = order[start : start + units], strongest[start : start + units]
        start += units
    return found


def learned_filters(*, seed: int = 0, filters: int = 8, epochs: int = 8, seeds: int = 3) -> LearnedFilters:
    """Trains a small convolutional network on digits several times, and looks at what it has learned to see.

    Formula: Adam at 0.005, batches of 32; a map's strength is its highest value.
    Args:
        filters: of the first convolution, 3 × 3; the second has twice as many.
        seeds: trainings, for the means.
    Raises: ConfigError for numbers that cannot be.
    """
    if not (2 <= filters <= 32 and epochs >= 1 and seeds >= 2):
        raise ConfigError(
            f"lab learned-filters: received filters {filters}, epochs {epochs} and seeds {seeds}; 2 to 32, and at "
            "least 1 and 2 are required."
        )
    network = convnet(filters=filters)
    edges, purity, errors, kept = [], [], [], []
    for number in range(seeds):
        own, labels = digits(seed + number)
        x = own[..., None]
        data = Arrays(x[:TAUGHT], labels[:TAUGHT], x[TAUGHT:], labels[TAUGHT:])
        config = Config(
            network, nn.SoftmaxCrossEntropy(), Adam(), learning_rate=0.005, epochs=epochs, seed=seed + number,
            engine=Native("f32"),
        )  # fmt: skip
        held = Config(
            network, nn.SoftmaxCrossEntropy(), Adam(), fine_tuning=FineTuning(CONVOLUTIONS), learning_rate=0.005,
            epochs=epochs, seed=seed + number, engine=Native("f32"),
        )  # fmt: skip
        first, learned = initial_values(config, data)[0], learn(config, data, judged=0)
        errors.append((learned.dev_error, learn(held, data, judged=0).dev_error))
        edges.append([slope_share(each["first/weight"]).mean() for each in (learned.params, first)])
        excited = [_excited(network, each, data.x) for each in (learned.params, first)]
        purity.append([[purity_of(*each, data.y) for each in some.values()] for some in excited])
        kept.append((learned.params, first, excited[0], data))
    params, first, shown, data = kept[0]
    examples = np.array([int(np.flatnonzero(data.y == digit)[0]) for digit in range(CLASSES)])
    outputs = {name: np.asarray(y) for name, _, y in nn.layer_outputs(network, params, {}, data.x[examples])}
    places = np.lib.stride_tricks.sliding_window_view(
        np.pad(data.x[examples, :, :, 0].astype(np.float64), ((0, 0), (1, 1), (1, 1))), (3, 3), (1, 2)
    )
    sums = np.einsum("nijab,abu->niju", places, params["first/weight"][:, :, 0]) + params["first/bias"]
    by_edge, by_purity = np.array(edges), np.array(purity)
    error, error_held = np.array(errors).T
    return LearnedFilters(
        tuple(shown),
        params["first/weight"],
        params["first/bias"],
        first["first/weight"],
        by_edge[:, 0],
        by_edge[:, 1],
        by_purity[:, 0],
        by_purity[:, 1],
        error,
        error_held,
        {name: rows for name, (rows, _) in shown.items()},
        {name: values for name, (_, values) in shown.items()},
        {name: outputs[f"{name}_active"] for name in CONVOLUTIONS},
        examples,
        data.x[..., 0],
        float(np.abs(outputs["first"] - sums).max()),
    )


EXPERIMENT = Experiment(
    run=learned_filters,
    title="What a trained convolution sees",
    chapter="Pictures",
    source="E:541",
    says=(
        "A deep network can build up increasingly higher levels of abstraction: from pixels to edges, to parts, to "
        "objects. Features are learned from the data in place of being engineered."
    ),
    does=(
        "A network of two convolutions and a hidden layer learns handwritten digits. Shown are its first filters, the "
        "maps that it makes of a picture, and the pictures that excite each unit most; all of it beside the same "
        "network before training."
    ),
    look=(
        "Filters that are dark on one side and bright on the other answer to edges. Go over the digits: which maps "
        "show strokes, which whole parts? On the sheets, a row of one digit is a unit that knows it."
    ),
    question="Take the pictures that excite a unit of the first layer most. Are they of one digit?",
    changes=(
        "epochs=1: filters near their first values.",
        "filters=32: more filters; some of them nearly alike.",
    ),
)
