"""What a hundred equal layers do to a signal: vanish, explode, and what tanh changes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

import preceptor as pr
from preceptor import nn
from preceptor.lab.drawing import lines
from preceptor.lab.experiment import Claim, Experiment, Figures, Table
from preceptor.nn.layer import Function
from preceptor.page.markup import Markup
from preceptor.words import amount

FACTORS = (0.9, 1.0, 1.5)
START = (1.0, 0.5)


@dataclass(frozen=True, eq=False)
class Powers(Figures):
    """Signals through equal layers, whose weights are a factor times the identity.

    Args:
        eigenvalues: of the matrix of one layer.
        linear, tanh: length of the signal before the first layer and after each.
        linear_gradient, tanh_gradient: length of the gradient of the last layer's sum by each of these signals.

    Shapes: eigenvalues (2,), the others (layer + 1,), for each factor.
    """

    depth: int
    eigenvalues: dict[str, np.ndarray]
    linear: dict[str, np.ndarray]
    tanh: dict[str, np.ndarray]
    linear_gradient: dict[str, np.ndarray]
    tanh_gradient: dict[str, np.ndarray]

    def tables(self) -> Sequence[Table]:
        heads = (
            "weights",
            "eigenvalues",
            "signal at the end",
            "gradient at the input",
            "signal, tanh",
            "gradient, tanh",
        )
        rows = [
            [
                f"{factor} · identity",
                " and ".join(map(amount, self.eigenvalues[factor])),
                amount(self.linear[factor][-1]),
                amount(self.linear_gradient[factor][0]),
                amount(self.tanh[factor][-1]),
                amount(self.tanh_gradient[factor][0]),
            ]
            for factor in self.linear
        ]
        return [Table(f"A signal of length {amount(self.linear['0.9'][0])} through {self.depth} layers", heads, rows)]

    def claims(self) -> Sequence[Claim]:
        powers = np.arange(self.depth + 1)
        off = max(
            float(np.abs(each / (self.linear[factor][0] * float(factor) ** powers) - 1).max())
            for factor, each in self.linear.items()
        )
        shrunk = {factor: self.linear[factor][-1] / self.linear[factor][0] for factor in self.linear}
        back = {factor: self.linear_gradient[factor][0] / self.linear_gradient[factor][-1] for factor in self.linear}
        held, faded = self.tanh["1.5"], self.tanh_gradient["1.5"]
        return [
            Claim(
                "After ℓ layers a signal is the factor to the power of ℓ times as long.",
                "closed form",
                f"The lengths differ from that by at most {amount(off, 1)} of their size.",
                off < 1e-12,
            ),
            Claim(
                "Slightly smaller than the identity (0.9): activations decrease exponentially, gradients vanish.",
                "D:1031",
                f"After {self.depth} layers the signal is {amount(shrunk['0.9'])} and the gradient "
                f"{amount(back['0.9'])} of what it was.",
                bool((np.diff(self.linear["0.9"]) < 0).all() and back["0.9"] < 1),
            ),
            Claim(
                "Slightly larger (1.5): activations increase exponentially, gradients explode.",
                "D:1067",
                f"After {self.depth} layers the signal is {amount(shrunk['1.5'])} times and the gradient "
                f"{amount(back['1.5'])} times what it was.",
                bool((np.diff(self.linear["1.5"]) > 0).all() and back["1.5"] > 1),
            ),
            Claim(
                "With tanh nothing explodes: each number stays below 1, and with 1.5 comes to rest where z = tanh(1.5 "
                "z); "
                "the gradient vanishes.",
                "closed form",
                f"The signal ends at a length of {amount(held[-1])}, at rest to "
                f"{amount(abs(held[-1] - held[-2]), 1)}; the "
                f"gradient at the input is {amount(faded[0])} of a gradient of {amount(faded[-1])} at the end.",
                bool(held.max() < np.sqrt(2) and faded[0] < faded[-1]),
            ),
        ]

    def answer(self) -> str:
        return (
            f"The signal no longer explodes: its length goes to {amount(self.tanh['1.5'][-1])}. But the gradient now "
            f"vanishes: {amount(self.tanh_gradient['1.5'][0])} of it arrives at the input, where without tanh it would "
            f"be {amount(self.linear_gradient['1.5'][0])}. The units rest where the slope times 1.5 is below 1."
        )

    def pictures(self) -> Sequence[Markup]:
        layers = range(self.depth + 1)

        def drawn(title: str, y_label: str, linear: dict[str, np.ndarray], tanh: dict[str, np.ndarray]) -> Markup:
            series = {f"{factor}": each.tolist() for factor, each in linear.items()}
            series |= {f"{factor}, tanh": tanh[factor].tolist() for factor in ("0.9", "1.5")}
            says = "; ".join(f"{name}: {amount(each[0])} to {amount(each[-1])}" for name, each in series.items())
            return lines(title, says, layers, series, x_label="layer", y_label=y_label, is_log=True)

        return [
            drawn("The signal on its way up", "length", self.linear, self.tanh),
            drawn("The gradient on its way down", "length", self.linear_gradient, self.tanh_gradient),
        ]


def powers(*, depth: int = 50) -> Powers:
    """Sends one signal through equal layers, with and without tanh, and the gradient of its sum back.

    Formula: a = W a or a = tanh(W a), W = factor · identity (2, 2), the first a being (1, 0.5); float64.
    Args:
        depth: layers, L.
    """
    layers: dict[str, Function] = {"linear": nn.Linear(), "tanh": nn.Tanh()}
    signals: dict[str, dict[str, np.ndarray]] = {name: {} for name in layers}
    gradients: dict[str, dict[str, np.ndarray]] = {name: {} for name in layers}
    eigenvalues = {}
    for factor in FACTORS:
        weight = factor * np.eye(2)
        eigenvalues[str(factor)] = np.linalg.eigvalsh(weight)
        for name, function in layers.items():
            signals[name][str(factor)], gradients[name][str(factor)] = _lengths(function, weight, depth)
    return Powers(depth, eigenvalues, signals["linear"], signals["tanh"], gradients["linear"], gradients["tanh"])


def _lengths(function: Function, weight: np.ndarray, depth: int) -> tuple[np.ndarray, np.ndarray]:
    """Lengths of the signals, and of the gradients of the last one's sum by each."""

    def total(moves: list[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
        signals = [np.array(START) + moves[0]]
        for move in moves[1:]:
            signals.append(function(signals[-1] @ weight) + move)
        return pr.sum(signals[-1]), signals

    (_, signals), gradients = pr.value_and_grad(total, has_aux=True)([np.zeros(2)] * (depth + 1))
    return np.linalg.norm(signals, axis=1), np.linalg.norm(gradients, axis=1)


EXPERIMENT = Experiment(
    run=powers,
    title="0.9 and 1.5 to the power of the depth",
    chapter="First values",
    source="D:1021",
    says=(
        "With linear activations and all weights 0.9 times the identity the activations decrease exponentially with "
        "the layer, with 1.5 they increase exponentially; and so do the gradients. What are the eigenvalues? What will "
        "happen with tanh?"
    ),
    does="One signal goes up through many equal layers, without and with tanh; the gradient of its sum comes down.",
    look="Both axes are logarithmic upward: a power is a straight line. See which lines bend.",
    question="With 1.5 and tanh, does the signal still explode, and does the gradient?",
    changes=(
        "depth=10: 0.9 is still 0.35, and 1.5 already 58 times as much.",
        "depth=200: the gradient with 0.9 is below a millionth of a thousandth.",
    ),
)
