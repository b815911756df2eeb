"""Slopes of activations far from zero."""

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

FUNCTIONS: dict[str, Function] = {
    "sigmoid": nn.Sigmoid(),
    "tanh": nn.Tanh(),
    "ReLU": nn.Relu(),
    "leaky ReLU": nn.LeakyRelu(0.1),
}
STEEPEST = 0.25  # of sigmoid, at 0


@dataclass(frozen=True, eq=False)
class Saturation(Figures):
    """Values and slopes at three places, and the curves.

    Shapes: at (place,); values, slopes {function: (place,)}; z (point,); curves, curve_slopes {function: (point,)}.
    """

    at: np.ndarray
    values: dict[str, np.ndarray]
    slopes: dict[str, np.ndarray]
    z: np.ndarray
    curves: dict[str, np.ndarray]
    curve_slopes: dict[str, np.ndarray]

    def tables(self) -> Sequence[Table]:
        heads = ("activation", *(f"{what} at {amount(z)}" for z in self.at for what in ("value", "slope")))
        rows = [
            [name, *(_digits(each[place]) for place in range(len(self.at)) for each in (values, self.slopes[name]))]
            for name, values in self.values.items()
        ]
        return [Table("Values and slopes", heads, rows)]

    def claims(self) -> Sequence[Claim]:
        low, middle, high = self.slopes["sigmoid"]
        values = self.values["sigmoid"]
        off = float(np.abs(self.slopes["sigmoid"] - values * (1 - values)).max())
        relu = self.slopes["ReLU"]
        return [
            Claim(
                "The slope of the sigmoid is g(z) (1 - g(z)).",
                "C:281",
                f"The derivative of the graph differs from it by at most {amount(off, 1)}.",
                off < 1e-12,
            ),
            Claim(
                "Saturated neurons kill the gradients.",
                "D:694",
                f"At {amount(self.at[0])} and {amount(self.at[2])} the slope is {_digits(low)} and {_digits(high)}, "
                f"{amount(middle / max(low, high), 3)} times less than the {amount(middle)} at {amount(self.at[1])}.",
                bool(max(low, high) < 0.001 * middle),
            ),
            Claim(
                "tanh still kills gradients when saturated.",
                "D:754",
                f"Its slope at {amount(self.at[2])} is {_digits(self.slopes['tanh'][2])}, below that of the sigmoid: "
                "it "
                "is steeper around 0 and flat sooner.",
                bool(self.slopes["tanh"][2] < high),
            ),
            Claim(
                "ReLU does not saturate where z > 0; it has a dead region.",
                "D:769",
                f"Its slope is {amount(relu[2])} at {amount(self.at[2])} and {amount(relu[0])} at "
                f"{amount(self.at[0])}; "
                f"at 0, where it has a corner, {amount(relu[1])} is taken.",
                bool(relu[2] == 1 and relu[0] == 0),
            ),
            Claim(
                "Leaky ReLU does not saturate and will not die.",
                "D:802",
                f"Its slope is {amount(self.slopes['leaky ReLU'][0])} at {amount(self.at[0])}.",
                bool(self.slopes["leaky ReLU"].min() > 0),
            ),
        ]

    def answer(self) -> str:
        return (
            f"{_digits(self.slopes['sigmoid'][2])} at {amount(self.at[2])}, where it is "
            f"{_digits(self.slopes['sigmoid'][1])} at {amount(self.at[1])}. Four saturated layers one above the other "
            f"leave at most {amount(self.slopes['sigmoid'][2] ** 4, 1)} of a gradient; even at their steepest they "
            "leave "
            f"{amount(STEEPEST**4, 2)}."
        )

    def pictures(self) -> Sequence[Markup]:
        return [
            lines(
                title,
                "; ".join(f"{name}: {amount(each[0])} to {amount(each[-1])}" for name, each in curves.items()),
                self.z.tolist(),
                {name: each.tolist() for name, each in curves.items()},
                x_label="z",
                y_label=label,
                y=limits,
            )
            for title, label, curves, limits in (
                ("The functions", "g(z)", self.curves, (-1.2, 2.5)),
                ("Their slopes", "g'(z)", self.curve_slopes, (-0.05, 1.1)),
            )
        ]


def _digits(value: float) -> str:
    return f"{value:.10g}"


def saturation(*, z: float = 10.0) -> Saturation:
    """Computes values and slopes of activations at -z, 0 and z by automatic differentiation, in float64.

    Args:
        z: how far from zero, above 0.
    """
    at, along = np.array([-z, 0.0, z]), np.linspace(-abs(z), abs(z), 161)
    slope = {name: pr.grad(lambda x, g=function: pr.sum(g(x))) for name, function in FUNCTIONS.items()}
    return Saturation(
        at,
        {name: np.asarray(function(at)) for name, function in FUNCTIONS.items()},
        {name: slope[name](at) for name in FUNCTIONS},
        along,
        {name: np.asarray(function(along)) for name, function in FUNCTIONS.items()},
        {name: slope[name](along) for name in FUNCTIONS},
    )


EXPERIMENT = Experiment(
    run=saturation,
    title="A saturated unit kills the gradient",
    chapter="Activation functions",
    source="D:694",
    says=(
        "Saturated neurons kill the gradients. What happens to the sigmoid when z = -10, when z = 0, when z = 10? tanh "
        "saturates too; ReLU does not where z > 0."
    ),
    does="Values and slopes of four activations are computed at these places, by the graph's own derivative.",
    look="Where the slope is nothing, so is every gradient that passes there.",
    question="What is the slope of the sigmoid at z = 10?",
    changes=(
        "z=3: slopes of a few hundredths; the signal still passes.",
        "z=40: in float64 the sigmoid is 1 to the last digit, and its slope, as 1 - 1, is 0.",
    ),
    errs=(
        "C:809 loses a sign at the end of its derivation of the sigmoid's slope: it is above 0 everywhere, as C:281 "
        "has it. C:422, which writes a network out as one formula, lacks the minus in the outer exponent."
    ),
)
