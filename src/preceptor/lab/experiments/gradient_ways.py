"""Gradients three ways: what they cost as the number of weights grows, and how wrong differences are."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from preceptor import ops
from preceptor.autodiff import grad
from preceptor.lab.drawing import lines
from preceptor.lab.experiment import Claim, Experiment, Figures, Player, Table
from preceptor.page.markup import Markup
from preceptor.words import amount

ROWS = 20
SIZES = (10, 30, 100, 300)
WAYS = ("analytic", "differences", "automatic")
EPSILONS = tuple(10.0**-each for each in np.arange(1, 15.1, 0.5))
USUAL = 1e-5


@dataclass(frozen=True, eq=False)
class GradientWays(Figures):
    """Costs and errors.

    Args:
        calls: how often the function, or its derivative, was computed {way: (size,)}.
        seconds: of one gradient {way: (size,)}.
        errors: largest distance from the analytic gradient, as a share of its largest element {way: (size,)}.
        one_sided, central: error of differences of J = cos(sin(x²) + 3x²) as a share of dJ/dx, for each ε.
        slope, third: dJ/dx and the third derivative there.
    """

    x: float
    calls: dict[str, np.ndarray]
    seconds: dict[str, np.ndarray]
    errors: dict[str, np.ndarray]
    one_sided: np.ndarray
    central: np.ndarray
    slope: float
    third: float

    def best(self, errors: np.ndarray) -> float:
        """The ε of the least error."""
        return EPSILONS[int(np.argmin(errors))]

    def tables(self) -> Sequence[Table]:
        rows = [
            [
                way,
                *(str(each) for each in self.calls[way]),
                amount(1e6 * self.seconds[way][-1], 3),
                amount(self.errors[way][-1], 1),
            ]
            for way in WAYS
        ]
        heads = (
            "way", *(f"calls for {size} weights" for size in SIZES), f"microseconds for {SIZES[-1]}", "error",
        )  # fmt: skip
        shown = range(0, len(EPSILONS), 2)
        errors = [
            [amount(EPSILONS[each], 1), amount(self.one_sided[each], 2), amount(self.central[each], 2)]
            for each in shown
        ]
        return [
            Table("One gradient of a logistic unit", heads, rows),
            Table("Error of differences, as a share of dJ/dx", ("ε", "one-sided", "central"), errors),
        ]

    def claims(self) -> Sequence[Claim]:
        ratio = float(self.seconds["differences"][-1] / self.seconds["automatic"][-1])
        large, small = EPSILONS.index(1e-2), EPSILONS.index(1e-3)
        fall = float(self.central[large] / self.central[small])
        theory = abs(self.third) * 1e-3**2 / 6 / abs(self.slope)
        return [
            Claim(
                "Numerically: 2N function calls if N parameters for every gradient descent step.",
                "A:269",
                ", ".join(f"{calls} for {size}" for size, calls in zip(SIZES, self.calls["differences"], strict=True))
                + ".",
                bool((self.calls["differences"] == 2 * np.array(SIZES)).all()),
            ),
            Claim(
                "Slow and approximate.",
                "A:266",
                f"For {SIZES[-1]} weights differences take {amount(ratio, 3)} times as long as reverse mode, and are "
                f"off by {amount(self.errors['differences'][-1], 1)}; reverse mode by "
                f"{amount(self.errors['automatic'][-1], 1)}.",
                bool(ratio > 1 and self.errors["differences"][-1] > self.errors["automatic"][-1]),
            ),
            Claim(
                "Analytically: fast, accurate, exact.",
                "A:244",
                f"It takes {amount(1e6 * self.seconds['analytic'][-1], 3)} microseconds, reverse mode "
                f"{amount(1e6 * self.seconds['automatic'][-1], 3)}.",
                bool(self.seconds["analytic"][-1] < self.seconds["automatic"][-1]),
            ),
            Claim(
                "The error of central differences is ε² / 6 times the third derivative, until rounding takes over.",
                "closed form",
                f"At ε = 0.001 it is {amount(self.central[small], 3)}, by the formula {amount(theory, 3)}; from 0.01 "
                "to 0.001 it "
                f"falls {amount(fall, 3)} times. It is least at {amount(self.best(self.central), 1)}.",
                bool(abs(self.central[small] / theory - 1) < 0.05),
            ),
        ]

    def answer(self) -> str:
        return (
            f"At about {amount(self.best(self.central), 1)} for central differences, where the error is "
            f"{amount(self.central.min(), 1)}, and {amount(self.best(self.one_sided), 1)} for one-sided ones, "
            f"{amount(self.one_sided.min(), 1)}. At 1e-15 it is {amount(self.central[-1], 1)}: two numbers are "
            "subtracted that "
            "differ in their last digits alone."
        )

    def pictures(self) -> Sequence[Markup]:
        logs = [float(np.log10(each)) for each in EPSILONS]
        return [
            lines(
                "Error of differences by ε",
                f"least at {amount(self.best(self.central), 1)} and {amount(self.best(self.one_sided), 1)}",
                logs,
                {"central": _logs(self.central), "one-sided": _logs(self.one_sided)},
                x_label="log10 of ε",
                y_label="log10 of the error",
            ),
            lines(
                "Function calls by the number of weights",
                "; ".join(f"{way}: {self.calls[way][-1]} for {SIZES[-1]}" for way in WAYS),
                SIZES,
                {way: self.calls[way].tolist() for way in WAYS},
                x_label="weights",
                y_label="calls",
            ),
            lines(
                "Time of one gradient by the number of weights",
                "; ".join(f"{way}: {amount(1e6 * self.seconds[way][-1], 3)} microseconds" for way in WAYS),
                SIZES,
                {way: _logs(1e6 * self.seconds[way]) for way in WAYS},
                x_label="weights",
                y_label="log10 of microseconds",
            ),
        ]

    def players(self) -> Sequence[Player]:
        pictures, labels = [], []
        x = np.linspace(self.x - 0.4, self.x + 0.4, 81)
        value = float(_function(self.x))
        for epsilon in (0.3, 0.2, 0.1, 0.05, 0.01, 0.001):
            high, low = float(_function(self.x + epsilon)), float(_function(self.x - epsilon))
            central, one = (high - low) / (2 * epsilon), (high - value) / epsilon
            series = {
                "J": _function(x).tolist(),
                "by central differences": (value + central * (x - self.x)).tolist(),
                "by one-sided differences": (value + one * (x - self.x)).tolist(),
            }
            words = f"slopes {amount(central)} and {amount(one)}; dJ/dx is {amount(self.slope)}"
            pictures.append(
                lines(
                    f"ε = {amount(epsilon)}: {words}",
                    words,
                    x.tolist(),
                    series,
                    x_label="x",
                    y_label="J",
                    y=(-1.5, 1.5),
                )
            )
            labels.append(f"ε = {amount(epsilon)}")
        return [Player("epsilon", "The slope that differences see", labels, pictures)]


def _logs(values: np.ndarray) -> list[float]:
    return [float(np.log10(each)) if each > 0 else float("nan") for each in values]


def _function(x: Any) -> Any:
    """The lecture's J, in NumPy."""
    return np.cos(np.sin(x**2) + 3 * x**2)


def central_differences(
    function: Callable[[np.ndarray], float], at: np.ndarray, epsilon: float
) -> tuple[np.ndarray, int]:
    """The text's formula for every element, and how often the function was computed."""
    found, calls = np.zeros_like(at), 0
    for place in range(len(at)):
        moved = at.copy()
        moved[place] = at[place] + epsilon
        high = function(moved)
        moved[place] = at[place] - epsilon
        found[place] = (high - function(moved)) / (2 * epsilon)
        calls += 2
    return found, calls


def gradient_ways(*, seed: int = 0, x: float = 0.7) -> GradientWays:
    """Computes the gradient of a logistic unit by formula, by central differences and in reverse mode, in float64.

    Formula: J = mean of softplus(z) - y z, z = X w, dJ/dw = X.T (sigmoid(z) - y) / rows; differences with ε = 1e-5.
        The error by ε is that of J = cos(sin(x²) + 3x²), whose dJ/dx is -sin(u) (cos(x²) + 3) 2x.
    Args:
        x: where the last is differentiated.
    """
    rng = np.random.default_rng(seed)
    calls, seconds, errors = ({way: np.zeros(len(SIZES)) for way in WAYS} for _ in range(3))
    for place, size in enumerate(SIZES):
        rows, y, w = rng.normal(size=(ROWS, size)), rng.integers(0, 2, ROWS).astype(float), rng.normal(size=size)

        def by_hand(w: np.ndarray, rows: np.ndarray = rows, y: np.ndarray = y) -> np.ndarray:
            return np.asarray(rows.T @ (1 / (1 + np.exp(-rows @ w)) - y) / ROWS)

        def loss(w: np.ndarray, rows: np.ndarray = rows, y: np.ndarray = y) -> float:
            z = rows @ w
            return float(np.mean(np.logaddexp(0, z) - y * z))

        def graph(w: Any, rows: np.ndarray = rows, y: np.ndarray = y) -> Any:
            z = ops.matmul(rows, w)
            return ops.mean(ops.softplus(z) - y * z)

        exact, seconds["analytic"][place] = _timed(by_hand, w)
        (near, count), seconds["differences"][place] = _timed(partial(central_differences, loss, epsilon=USUAL), w)
        back, seconds["automatic"][place] = _timed(grad(graph), w)
        for way, found, times in (
            ("analytic", exact, 1), ("differences", near, count), ("automatic", np.asarray(back), 1)
        ):  # fmt: skip
            calls[way][place] = times
            errors[way][place] = np.abs(found - exact).max() / np.abs(exact).max()
    slope, third = _derivatives(x)
    steps = np.array(EPSILONS)
    central = (_function(x + steps) - _function(x - steps)) / (2 * steps)
    one_sided = (_function(x + steps) - _function(x)) / steps
    return GradientWays(
        x, {way: each.astype(int) for way, each in calls.items()}, seconds, errors,
        np.abs(one_sided / slope - 1), np.abs(central / slope - 1), slope, third,
    )  # fmt: skip


def _derivatives(x: float) -> tuple[float, float]:
    """The first and the third derivative of J, in reverse mode, again and again."""

    def j(x: Any) -> Any:
        return ops.cos(ops.sin(x * x) + 3 * (x * x))

    return float(grad(j)(x)), float(grad(grad(grad(j)))(x))


def _timed(way: Callable[[np.ndarray], Any], at: np.ndarray) -> tuple[Any, float]:
    best, found = float("inf"), None
    for _ in range(3):
        start = time.perf_counter()
        found = way(at)
        best = min(best, time.perf_counter() - start)
    return found, best


EXPERIMENT = Experiment(
    run=gradient_ways,
    title="Gradients three ways",
    chapter="Gradients",
    source="A:236",
    says=(
        "Analytically: fast, accurate, exact, but tedious and error prone. Numerically: trivially easy, but slow and "
        "approximate, with 2N calls for N parameters. Automatically: the chain rule, exploited."
    ),
    does=(
        "The gradient of a logistic unit is computed all three ways for more and more weights, and counted and timed. "
        "Then the error of differences is drawn against their ε, for the lecture's J = cos(sin(x²) + 3x²)."
    ),
    look=(
        "The V of the errors: to the right a large ε cuts across the curve, to the left rounding takes over. Calls of "
        "differences rise with the weights, those of reverse mode do not."
    ),
    question="Which ε is the best for central differences, and is a smaller one always better?",
    changes=(
        "x=2: the function turns quickly there; a large ε is far worse.",
        "x=0.1: nearly flat; central differences do well there, one-sided ones badly.",
    ),
)
