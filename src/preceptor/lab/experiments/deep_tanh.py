"""Activations and gradients through six wide layers, by the deviation of their first weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

import preceptor as pr
from preceptor import nn
from preceptor.lab.drawing import lines
from preceptor.lab.experiment import Claim, Experiment, Figures, Player, Replay, Table
from preceptor.lab.live import Kind, Problem, live
from preceptor.page.chart import figure, frame
from preceptor.page.markup import Markup
from preceptor.train import Momentum
from preceptor.words import amount

LAYERS = 6
BATCH = 16
FAR = 0.95  # beyond it a tanh unit counts as saturated: its slope is below a tenth
NEAR = 0.02  # how far theory and measurement may lie apart, as a share
BINS = 48
IN_PAGE, IN_PAGE_UNITS, RADIUS = 100, 8, 0.7  # points that the page learns, units of each layer there, their disc
TANH_SMALL, TANH_LARGE, TANH_RIGHT = "tanh, 0.01", "tanh, 0.05", "tanh, 1/√D"
RELU_SMALL, RELU_RIGHT = "ReLU, 1/√D", "ReLU, √(2/D)"


@dataclass(frozen=True, eq=False)
class DeepTanh(Figures):
    """What each layer puts out, first layer first, for each kind of first weights.

    Args:
        spread: deviation of the outputs; spread_theory: for endlessly wide layers.
        gradient: root mean square of dL/dW; gradient_theory: for endlessly wide layers.
        saturated: share of outputs beyond 0.95, of tanh.
        slope: mean of the local gradient, the activation's slope.
        edges, counts: histograms of the outputs.

    Shapes: (layer,) for each kind; edges (bin + 1,), counts (layer, bin).
    """

    width: int
    seed: int
    spread: dict[str, np.ndarray]
    spread_theory: dict[str, np.ndarray]
    gradient: dict[str, np.ndarray]
    gradient_theory: dict[str, np.ndarray]
    saturated: dict[str, np.ndarray]
    slope: dict[str, np.ndarray]
    edges: dict[str, np.ndarray]
    counts: dict[str, np.ndarray]

    def tables(self) -> Sequence[Table]:
        heads = ("activation, deviation of the weights", *(f"layer {each}" for each in range(1, LAYERS + 1)))
        both = [
            row
            for kind in self.spread
            for row in (
                [kind, *map(amount, self.spread[kind])],
                [f"{kind}: by theory", *map(amount, self.spread_theory[kind])],
            )
        ]
        return [
            Table("Deviation of the outputs", heads, both),
            Table(
                "Root mean square of dL/dW, for a gradient of deviation 1 at the top",
                heads,
                [[kind, *map(amount, each)] for kind, each in self.gradient.items()],
            ),
            Table(
                "Share of outputs beyond 0.95, in %",
                heads,
                [
                    [kind, *(amount(100 * each, 3) for each in self.saturated[kind])]
                    for kind in list(self.saturated)[:3]
                ],
            ),
            Table("Mean slope", heads, [[kind, *map(amount, each)] for kind, each in self.slope.items()]),
        ]

    def off(self, kind: str) -> float:
        """The largest distance of the outputs' deviation from theory, as a share."""
        return float(np.abs(self.spread[kind] / self.spread_theory[kind] - 1).max())

    def claims(self) -> Sequence[Claim]:
        off = {kind: self.off(kind) for kind in self.spread}
        off_gradient = max(
            float(np.abs(self.gradient[kind] / self.gradient_theory[kind] - 1).max()) for kind in self.gradient
        )
        worst = max(off, key=lambda kind: off[kind])
        small, large, right = (self.spread[kind] for kind in (TANH_SMALL, TANH_LARGE, TANH_RIGHT))
        far = float(self.saturated[TANH_LARGE][-1])
        slope = float(self.slope[TANH_LARGE].min())
        return [
            Claim(
                "The deviation of each layer's outputs follows from that of the layer before: the wider the layers, "
                "the closer.",
                "closed form",
                f"At most {amount(100 * off[worst], 2)} % apart ({worst}), at a width of {self.width:,}; of dL/dW "
                f"{amount(100 * off_gradient, 2)} %.",
                off[worst] <= NEAR,
            ),
            Claim(
                "When the initialization is too small, all activations become zero.",
                "D:1015",
                f"With 0.01 their deviation falls from {amount(small[0])} in layer 1 to {amount(small[-1])} in layer "
                f"{LAYERS}, by {amount(small[-1] / small[-2], 3)} from layer to layer at the end: on the way to zero.",
                bool(small[-1] < 0.1 and (np.diff(small) < 0).all()),
            ),
            Claim(
                "With 0.05 almost all neurons are completely saturated, either -1 or 1.",
                "D:1050",
                f"In layer {LAYERS} {amount(100 * far, 3)} % of the outputs lie beyond ±{FAR}; their deviation is "
                f"{amount(large[-1])}.",
                far > 0.9,
            ),
            Claim(
                "No learning: with 0.05 local gradients are all zero.",
                "D:1051",
                f"The mean slope is {amount(slope)} in the layer where it is least, and dL/dW is "
                f"{amount(self.gradient[TANH_LARGE][0] / self.gradient[TANH_LARGE][-1], 3)} times as large in layer 1 "
                f"as in layer {LAYERS}: it grows on its way down.",
                slope < 0.01,
            ),
            Claim(
                "With 1/√D it is just right: activations are nicely scaled for all layers.",
                "D:1090",
                f"Their deviation is {amount(right[0])} in layer 1 and {amount(right[-1])} in layer {LAYERS}: it still "
                "falls, but more and more slowly.",
                bool(right[-1] > 0.25 and (self.saturated[TANH_RIGHT] < 0.1).all()),
            ),
            Claim(
                "With ReLU and 1/√D activations collapse to zero again.",
                "D:1188",
                f"From {amount(self.spread[RELU_SMALL][0])} to {amount(self.spread[RELU_SMALL][-1])}: each layer "
                f"keeps {amount(self.spread[RELU_SMALL][-1] / self.spread[RELU_SMALL][-2], 3)} of the deviation.",
                bool(self.spread[RELU_SMALL][-1] < 0.25 * self.spread[RELU_SMALL][0]),
            ),
            Claim(
                "With ReLU and √(2/D) activations are nicely scaled for all layers.",
                "D:1198",
                f"{amount(self.spread[RELU_RIGHT][0])} in layer 1, {amount(self.spread[RELU_RIGHT][-1])} in layer "
                f"{LAYERS}.",
                bool(np.abs(self.spread[RELU_RIGHT] / self.spread[RELU_RIGHT][0] - 1).max() < 0.05),
            ),
        ]

    def answer(self) -> str:
        gradients = self.gradient[TANH_SMALL]
        low, high = float(gradients.min()), float(gradients.max())
        which = "Neither, nearly" if high < 1.1 * low else f"Layer {int(gradients.argmin()) + 1}"
        return (
            f"{which}: dL/dW is {amount(low, 3)} to {amount(high, 3)}, where with 1/√D it is "
            f"{amount(self.gradient[TANH_RIGHT].min(), 3)} or more. What comes from below shrinks on its way up, what "
            "comes from above on its way down, and dL/dW is their product: a further layer makes all of them smaller."
        )

    def pictures(self) -> Sequence[Markup]:
        layers = range(1, LAYERS + 1)
        return [
            lines(
                title,
                "; ".join(f"{kind}: {amount(each[0])} in layer 1, {amount(each[-1])} in the last" for kind, each in of),
                layers,
                {kind: each.tolist() for kind, each in of},
                x_label="layer",
                y_label=label,
                is_log=True,
            )
            for title, of, label in (
                ("Deviation of the outputs", list(self.spread.items()), "deviation"),
                ("Size of dL/dW", list(self.gradient.items()), "root mean square"),
            )
        ]

    def replays(self) -> Sequence[Replay]:
        kinds = [_small(function, sigma) for function, sigma in _kinds(IN_PAGE_UNITS).values() if sigma != 0.05]
        x = np.random.default_rng(self.seed).uniform(-1, 1, (IN_PAGE, 2))
        data = {"disc": (x, (np.hypot(x[:, 0], x[:, 1]) < RADIUS).astype(int))}
        problem = Problem(data, ("x1", "x2"), ("outside", "within"), nn.BinaryCrossEntropy(), Momentum(), 0.05)
        title = f"Small: {LAYERS} layers of {IN_PAGE_UNITS} units, from first weights of your choice"
        return [live("deep", title, [kinds[1], kinds[0], *kinds[2:]], problem, self.seed)]

    def players(self) -> Sequence[Player]:
        return [
            Player(
                f"h{number}",
                f"Outputs, layer by layer: {kind}",
                [f"layer {layer}" for layer in range(1, LAYERS + 1)],
                [self._histogram(kind, layer) for layer in range(LAYERS)],
            )
            for number, kind in enumerate(self.counts, 1)
        ]

    def _histogram(self, kind: str, layer: int) -> Markup:
        edges = self.edges[kind]
        shares = 100 * self.counts[kind][layer] / self.counts[kind][layer].sum()
        box = frame((edges[0], edges[-1], False), (0.0, min(100.0, 1.05 * float(shares.max())), False))
        drawn = box.draw(
            f"Outputs of layer {layer + 1}",
            f"deviation {amount(self.spread[kind][layer])}",
            box.bars(edges.tolist(), shares.tolist(), 1),
            x_label="output",
            y_label="% of the outputs",
        )
        return figure(f"Layer {layer + 1}: deviation {amount(self.spread[kind][layer])}", drawn)


def deep_tanh(*, seed: int = 0, width: int = 4096) -> DeepTanh:
    """Sends normal numbers through six layers, and a gradient of normal numbers back, for five kinds of first weights.

    Formula: h = g(W h), W ~ N(0, σ²), batch 16, float32; L = Σ v h of the last layer, v ~ N(0, 1). All kinds have the
        same drawn numbers, each times its σ. Theory: mean field, with z ~ N(0, s²), s² = σ² D E[h²] of the layer below;
        back Var(δ) = σ² D E[g'(z)²] Var(δ) of the layer above; E[(dL/dW)²] = batch E[h²] Var(δ).
    Args:
        width: units of each layer and inputs, D.
    """
    rng = np.random.default_rng(seed)
    x, v = (rng.standard_normal((BATCH, width), dtype=np.float32) for _ in range(2))
    drawn = [rng.standard_normal((width, width), dtype=np.float32) for _ in range(LAYERS)]
    found: dict[str, dict[str, Any]] = {
        field: {} for field in DeepTanh.__dataclass_fields__ if field not in ("width", "seed")
    }
    for kind, (function, sigma) in _kinds(width).items():
        outputs, deltas = _both_ways(function, sigma, x, v, drawn)
        ends = 1.0 if isinstance(function, nn.Tanh) else max(float(each.max()) for each in outputs)
        edges = np.linspace(-ends if isinstance(function, nn.Tanh) else 0.0, ends, BINS + 1)
        sizes = [
            sqrt(max(float(np.sum((low @ low.T) * (delta @ delta.T))), 0.0)) / width
            for low, delta in zip([x, *outputs], deltas, strict=False)
        ]
        found["spread"][kind] = np.array([each.std(dtype=np.float64) for each in outputs])
        found["gradient"][kind] = np.array(sizes)
        found["spread_theory"][kind], found["gradient_theory"][kind] = _theory(function, sigma, width)
        found["saturated"][kind] = np.array([(np.abs(each) > FAR).mean() for each in outputs])
        found["slope"][kind] = np.array([_slope(function, each).mean(dtype=np.float64) for each in outputs])
        found["edges"][kind] = edges
        found["counts"][kind] = np.array([np.histogram(each, edges)[0] for each in outputs])
    return DeepTanh(width, seed, **found)


def _kinds(width: int) -> dict[str, tuple[nn.Tanh | nn.Relu, float]]:
    right = 1 / sqrt(width)
    return {
        TANH_SMALL: (nn.Tanh(), 0.01),
        TANH_LARGE: (nn.Tanh(), 0.05),
        TANH_RIGHT: (nn.Tanh(), right),
        RELU_SMALL: (nn.Relu(), right),
        RELU_RIGHT: (nn.Relu(), sqrt(2) * right),
    }


def _small(function: nn.Tanh | nn.Relu, sigma: float) -> Kind:
    """A network of as many layers, but narrow ones, for the page."""
    hidden, initialiser = (IN_PAGE_UNITS,) * LAYERS, nn.Gaussian(round(sigma, 4))
    return Kind(
        f"{LAYERS} layers of {type(function).__name__.lower()}, σ = {sigma:.2g}".replace("relu", "ReLU"),
        nn.mlp(hidden, 1, activation=function, initialiser=initialiser),
        f"nn.mlp({hidden}, 1, activation=nn.{function}, initialiser=nn.{initialiser})",
    )


def _slope(function: nn.Tanh | nn.Relu, output: np.ndarray) -> np.ndarray:
    """g'(z) by the output g(z)."""
    return 1 - output**2 if isinstance(function, nn.Tanh) else np.sign(output)


def _both_ways(
    function: nn.Tanh | nn.Relu, sigma: float, x: np.ndarray, v: np.ndarray, drawn: list[np.ndarray]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Outputs of the layers, and the gradients of L by what goes into their activations."""

    def scalar(moved: Any, x: Any, v: Any, *weights: Any) -> tuple[Any, Any]:
        outputs = []
        for each, weight in zip(moved, weights, strict=True):
            x = function(np.float32(sigma) * (x @ weight) + each)
            outputs.append(x)
        return pr.sum(x * v), outputs

    nothing = [np.zeros_like(x) for _ in drawn]
    (_, outputs), deltas = pr.value_and_grad(scalar, has_aux=True)(nothing, x, v, *drawn)
    return outputs, deltas


def _theory(function: nn.Tanh | nn.Relu, sigma: float, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Deviations of the outputs and sizes of dL/dW, of endlessly wide layers."""
    at = np.linspace(-10, 10, 20_000)  # an even number: no point lies at the corner of ReLU
    density = np.exp(-(at**2) / 2)
    density /= density.sum()
    squares, spreads, slopes = [1.0], [], []
    for _ in range(LAYERS):
        output = np.asarray(function(sigma * sqrt(width * squares[-1]) * at))
        squares.append(float(density @ output**2))
        spreads.append(sqrt(squares[-1] - float(density @ output) ** 2))
        slopes.append(float(density @ _slope(function, output) ** 2))
    variance, sizes = 1.0, []
    for layer in reversed(range(LAYERS)):
        variance *= slopes[layer]
        sizes.append(sqrt(BATCH * squares[layer] * variance))
        variance *= sigma**2 * width
    return np.array(spreads), np.array(sizes[::-1])


EXPERIMENT = Experiment(
    run=deep_tanh,
    title="Six layers of 4,096 units, and the size of their first weights",
    chapter="First values",
    source="D:994",
    says=(
        "Six layers of 4,096 tanh units: weights of deviation 0.01 make all activations zero, 0.05 saturates almost "
        "all neurons, 1/√D is just right. With ReLU 1/√D collapses again, and √(2/D) is right."
    ),
    does=(
        "A batch of 16 rows of normal numbers goes up through such a network, and a gradient of normal numbers comes "
        "down, once for each kind of first weights. Beside the measured sizes stand those that theory has for "
        "endlessly wide layers."
    ),
    look=(
        "The histograms, layer by layer: do they close in on zero, pile up at both ends, or keep their shape? Then the "
        "size of dL/dW."
    ),
    question=(
        "With 0.01 the outputs shrink from layer to layer. Which layer has the smallest gradient dL/dW, the first or "
        "the last?"
    ),
    changes=(
        "width=1024: theory fits less well; and 0.05 is now less, 0.01 much less, for what counts is σ√D.",
        "seed=1: other numbers, the same sizes.",
    ),
    errs=(
        "D:1050 says that at 0.05 almost all neurons are completely saturated; the claims below have the share. D:1166 "
        "prints Glorot's deviation as 2/√(D_in + D_out); √(2/(D_in + D_out)) is meant."
    ),
)
