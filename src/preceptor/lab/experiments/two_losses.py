"""Cross-entropy against quadratic loss over two weights, one of each layer."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from preceptor import nn, ops
from preceptor.autodiff import value_and_grad
from preceptor.lab.descent import descend, in_steps
from preceptor.lab.drawing import heat, lines
from preceptor.lab.experiment import Claim, Experiment, Figures, Player, Replay, Table
from preceptor.lab.live import Kind, Problem, live
from preceptor.page.chart import figure, frame
from preceptor.page.markup import Markup, joined
from preceptor.train import SGD
from preceptor.words import amount

REACH = 6.0  # of the weights, as far as the maps go
KINDS = ("cross-entropy", "quadratic")
LAYERS = ("hidden1", "tanh1", "output")
CLOSE = 0.1  # mean distance of the outputs from the targets that counts as arrived


@dataclass(frozen=True, eq=False)
class TwoLosses(Figures):
    """Both losses and the lengths of their gradients over two weights, and a descent on each.

    Shapes: weights (place,), of each axis; losses, slopes {kind: (place, place)}, rows by the second weight, columns
        by the first; points {kind: (step + 1, 2)}; distances {kind: (step + 1,)}, mean |y - y*| along the descent;
        outputs (place,), from 0 to 1; by_output {kind: (place,)}, the size of dJ/db, b being what enters the last
        sigmoid, for a target of 1; x, target (row,).
    """

    rate: float
    weights: np.ndarray
    losses: dict[str, np.ndarray]
    slopes: dict[str, np.ndarray]
    points: dict[str, np.ndarray]
    distances: dict[str, np.ndarray]
    outputs: np.ndarray
    by_output: dict[str, np.ndarray]
    x: np.ndarray
    target: np.ndarray
    seed: int

    def arrived(self, kind: str) -> int | None:
        """The first step after which the outputs are close to the targets."""
        near = np.flatnonzero(self.distances[kind] < CLOSE)
        return int(near[0]) if len(near) else None

    def far(self, kind: str) -> float:
        """The length of the gradient at the start, where nearly every output is wrong."""
        at = [int(np.abs(self.weights - each).argmin()) for each in self.points[kind][0]]
        return float(self.slopes[kind][at[1], at[0]])

    def flat(self, kind: str) -> float:
        """The share of the map that is flat: a slope below a hundredth of its largest."""
        return float(np.mean(self.slopes[kind] < 0.01 * self.slopes[kind].max()))

    def tables(self) -> Sequence[Table]:
        rows = [
            [
                kind,
                amount(self.losses[kind].max()),
                amount(self.losses[kind].min()),
                amount(self.far(kind)),
                f"{self.flat(kind):.0%}",
                "never" if self.arrived(kind) is None else str(self.arrived(kind)),
                amount(self.distances[kind][-1]),
            ]
            for kind in KINDS
        ]
        heads = (
            "loss", "highest on the map", "lowest", "slope at the start", "share of the map that is flat",
            f"steps until outputs are within {CLOSE}", "distance at the end",
        )  # fmt: skip
        return [Table("A network of one unit on another", heads, rows)]

    def claims(self) -> Sequence[Claim]:
        above = float(np.mean(self.losses["cross-entropy"] > self.losses["quadratic"]))
        small = self.outputs < 0.05
        ratio = float((self.by_output["cross-entropy"][small] / self.by_output["quadratic"][small]).min())
        slow, quick = self.arrived("quadratic"), self.arrived("cross-entropy")
        return [
            Claim(
                "Cross entropy is the surface on top, the quadratic cost the bottom one.",
                "E:759",
                f"Cross-entropy is the larger on {above:.1%} of the map.",
                above == 1,
            ),
            Claim(
                "dJ/dy is y - y* for the quadratic cost, and y*/y + (1 - y*)/(y - 1), with a minus, for cross entropy.",
                "E:738",
                f"Behind the sigmoid that makes (y - y*) y (1 - y) and y - y*: where the output is below 0.05 and "
                f"should be 1, cross-entropy's slope is at least {amount(ratio, 3)} times as large.",
                ratio > 1 / (0.05 * 0.95),
            ),
            Claim(
                "Far from the solution cross-entropy is steep where the quadratic cost is flat.",
                "E:755",
                f"At the start the slopes are {amount(self.far('cross-entropy'))} and "
                f"{amount(self.far('quadratic'))}; a descent is close after {in_steps(quick)} and {in_steps(slow)}.",
                quick is not None and (slow is None or quick < slow),
            ),
        ]

    def answer(self) -> str:
        return (
            f"Cross-entropy: {in_steps(self.arrived('cross-entropy'))}, against "
            f"{in_steps(self.arrived('quadratic'))}. Where an output is nearly 1 and should be 0, the sigmoid is flat; "
            "the quadratic loss is multiplied by that flatness, cross-entropy divides it out."
        )

    def _map(self, kind: str, values: np.ndarray, title: str, step: int | None = None) -> Markup:
        box = frame((-REACH, REACH, False), (-REACH, REACH, False), height=300)
        points = self.points[kind] if step is None else self.points[kind][: step + 1]
        away = self.distances[kind][: len(points)][-1]
        seen = points[(np.abs(points) <= REACH).all(axis=1)]
        return figure(
            title,
            box.draw(
                title,
                f"from {amount(values.min())} to {amount(values.max())}; after {len(points) - 1} steps outputs are "
                f"{amount(away)} from the targets",
                heat(box, values, (-REACH, REACH), (-REACH, REACH)),
                box.line(seen[:, 0].tolist(), seen[:, 1].tolist(), 5),
                box.dots(seen[-1:, 0].tolist(), seen[-1:, 1].tolist(), 5, 8),
                x_label="W1, of the first layer",
                y_label="W2, of the second",
            ),
        )

    def pictures(self) -> Sequence[Markup]:
        last = len(self.points[KINDS[0]]) - 1
        at = int(np.abs(self.weights - self.points[KINDS[0]][0, 0]).argmin())
        return [
            *(self._map(kind, self.losses[kind], f"{kind.capitalize()} over two weights") for kind in KINDS),
            lines(
                "Both surfaces along W2, at the W1 of the start",
                "; ".join(f"{kind}: at most {amount(self.losses[kind][:, at].max())}" for kind in KINDS),
                self.weights.tolist(),
                {kind: self.losses[kind][:, at].tolist() for kind in KINDS},
                x_label="W2",
                y_label="loss",
            ),
            lines(
                "Slope before the sigmoid, where the target is 1",
                "; ".join(f"{kind}: {amount(self.by_output[kind][0], 3)} at an output near 0" for kind in KINDS),
                self.outputs.tolist(),
                {kind: self.by_output[kind].tolist() for kind in KINDS},
                x_label="output y",
                y_label="|dJ/db|",
            ),
            lines(
                "How far the outputs are from the targets",
                "; ".join(f"{kind}: {in_steps(self.arrived(kind))}" for kind in KINDS),
                range(last + 1),
                {kind: self.distances[kind].tolist() for kind in KINDS},
                x_label="step",
                y_label="mean |y - y*|",
            ),
        ]

    def replays(self) -> Sequence[Replay]:
        found = []
        for kind, loss in (("cross-entropy", nn.BinaryCrossEntropy()), ("quadratic", nn.Quadratic())):
            first = {
                f"{name}/weight": np.full((1, 1), each)
                for name, each in zip(("hidden1", "output"), self.points[kind][0], strict=True)
            }
            is_entropy = kind == "cross-entropy"
            made = Kind("tanh, then sigmoid", _network(is_entropy), _source(is_entropy), first)
            data = {"signs": (self.x[:, None], self.target)}
            constant = "entropy" if is_entropy else "variance"
            classes = ("negative", "positive") if is_entropy else ()
            problem = Problem(data, ("x",), classes, loss, SGD(), self.rate, constant=constant)
            found.append(live(kind, f"Down the {kind} before your eyes", [made], problem, self.seed))
        return found

    def players(self) -> Sequence[Player]:
        last = len(self.points[KINDS[0]]) - 1
        steps = sorted({0, *(round(each) for each in np.geomspace(1, last, 11))})
        pictures = [
            joined(*(self._map(kind, self.losses[kind], kind.capitalize(), each) for kind in KINDS)) for each in steps
        ]
        return [Player("steps", "Both descents, step by step", [f"step {each}" for each in steps], pictures)]


def _network(is_entropy: bool) -> nn.Layer:
    """The sigmoid of the last unit is in the loss, where that is cross-entropy."""
    layers = (nn.Dense(1, bias=False), nn.Tanh(), nn.Dense(1, bias=False))
    return (
        nn.Sequential(layers, LAYERS) if is_entropy else nn.Sequential((*layers, nn.Sigmoid()), (*LAYERS, "sigmoid1"))
    )


def _source(is_entropy: bool) -> str:
    last, names = ("", LAYERS) if is_entropy else (", nn.Sigmoid()", (*LAYERS, "sigmoid1"))
    return f"nn.Sequential((nn.Dense(1, bias=False), nn.Tanh(), nn.Dense(1, bias=False){last}), {names})"


def two_losses(*, seed: int = 0, rows: int = 40, rate: float = 2.0, steps: int = 300, start: float = -4.0) -> TwoLosses:
    """Computes two losses of a network with two weights, and descends on both from one place.

    Formula: y = sigmoid(W2 tanh(W1 x)); cross-entropy -(y* log y + (1 - y*) log(1 - y)), quadratic 1/2 (y - y*)²; means
        over rows of x drawn from -2 to 2, y* = 1 where x > 0; float64.
    Args:
        rate: of both descents.
        start: of W2; W1 begins at 3, so that a negative start has nearly all outputs wrong.
    """
    rng = np.random.default_rng(seed)
    x = rng.uniform(-2, 2, rows)
    target = (x > 0).astype(np.int64)
    kinds = {"cross-entropy": nn.BinaryCrossEntropy(), "quadratic": nn.Quadratic()}

    def loss(p: Any, kind: str) -> Any:
        """Shapes: p (point, 2) -> (point,)."""
        z = p[:, 1:] * ops.tanh(p[:, :1] * x)  # (point, row)
        outputs = ops.reshape(z if kind == "cross-entropy" else ops.sigmoid(z), (-1, 1))
        each = kinds[kind](outputs, np.tile(target, p.shape[0]))
        return ops.mean(ops.reshape(each, (p.shape[0], rows)), 1)

    weights = np.linspace(-REACH, REACH, 61)
    grid = np.stack(np.meshgrid(weights, weights), -1).reshape(-1, 2)
    shape = (len(weights), len(weights))
    losses, slopes, points, distances = {}, {}, {}, {}
    for kind in KINDS:
        own = partial(loss, kind=kind)
        losses[kind] = np.asarray(own(grid)).reshape(shape)
        slope = value_and_grad(lambda p, own=own: ops.sum(own(p)))(grid)[1]
        slopes[kind] = np.linalg.norm(slope, axis=1).reshape(shape)
        points[kind] = descend(own, (3.0, start), SGD(), rate, steps)
        y = 1 / (1 + np.exp(-points[kind][:, 1:] * np.tanh(points[kind][:, :1] * x)))
        distances[kind] = np.abs(y - target).mean(axis=1)
    outputs = np.linspace(0.005, 0.995, 100)
    b = np.log(outputs / (1 - outputs))[:, None]
    ones = np.ones(len(b), np.int64)
    by_output = {
        "cross-entropy": value_and_grad(lambda b: ops.sum(kinds["cross-entropy"](b, ones)))(b)[1],
        "quadratic": value_and_grad(lambda b: ops.sum(kinds["quadratic"](ops.sigmoid(b), ones)))(b)[1],
    }
    return TwoLosses(
        rate, weights, losses, slopes, points, distances, outputs,
        {kind: np.abs(each[:, 0]) for kind, each in by_output.items()},
        x, target, seed,
    )  # fmt: skip


EXPERIMENT = Experiment(
    run=two_losses,
    title="Cross-entropy against quadratic loss over two weights",
    chapter="The loss and its surface",
    source="E:754",
    says=(
        "The lecture's figure 5 shows cross entropy, the surface on top, and the quadratic cost, the bottom one, over "
        "two weights, one of each layer of a network with two layers."
    ),
    does=(
        "A network with one tanh unit below one sigmoid unit, two weights in all, tells positive from negative "
        "numbers. Both losses are computed all over the plane of its weights, and descended from a place where nearly "
        "every output is wrong."
    ),
    look=(
        "The red plain of the quadratic loss, where it is high and flat: a descent that begins there stands still for "
        "long. Cross-entropy has a slope there, and it is the steeper the more an output is wrong."
    ),
    question="From a place where nearly every output is wrong: which loss brings the network to the right ones first?",
    changes=(
        "start=-2: the plain is not as flat, the quadratic loss is not as far behind.",
        "start=2: more of the outputs are right; cross-entropy is still the first to arrive.",
        "rate=20: a large rate crosses the plain, which cross-entropy would not need.",
    ),
    errs="The cross entropy of the text's table lacks its minus: as printed it is a likelihood, to be made large.",
)
