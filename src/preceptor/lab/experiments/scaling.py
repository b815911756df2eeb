"""The error surface before and after inputs are centred and scaled."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from preceptor import ops
from preceptor.autodiff import grad, jacobian
from preceptor.errors import ConfigError
from preceptor.lab.descent import descend
from preceptor.lab.drawing import heat, lines
from preceptor.lab.experiment import Claim, Experiment, Figures, Player, Table
from preceptor.page.chart import figure, frame
from preceptor.page.markup import Markup, joined
from preceptor.train import SGD
from preceptor.words import amount, counted

TARGET = 2.0  # of both rows
AWAY = np.array((-0.8, 0.6))  # from the lowest point to the start, by its distance from zero
SIDE = (380.0, 360.0)  # of a map, so that a circle is about a circle
CASES = ("not centred", "not scaled", "centred and scaled")


@dataclass(frozen=True, eq=False)
class Scaling(Figures):
    """Two rows of two inputs, the curvatures of the loss of a linear unit, and a descent on it.

    Shapes: inputs {case: (row, feature)}; lowest {case: (2,)}, the weights of no loss; curvatures {case: (2,)}, the
        eigenvalues of the Hessian, smaller first; points {case: (step + 1, 2)}; losses {case: (step + 1,)}.
    """

    inputs: dict[str, np.ndarray]
    lowest: dict[str, np.ndarray]
    curvatures: dict[str, np.ndarray]
    points: dict[str, np.ndarray]
    losses: dict[str, np.ndarray]

    def condition(self, case: str) -> float:
        """The largest curvature over the smallest."""
        low, high = self.curvatures[case]
        return float(high / low)

    def left(self, case: str) -> float:
        """The share of the first loss that is left at the end."""
        return float(self.losses[case][-1] / self.losses[case][0])

    def needed(self, case: str) -> float:
        """Steps until the distance along the flattest direction is a hundredth, by theory.

        Formula: ln 100 / -ln(1 - 1 / condition number), at the rate 1 / largest curvature.
        """
        condition = self.condition(case)
        return 1.0 if condition <= 1 + 1e-9 else float(np.log(100) / -np.log1p(-1 / condition))

    def _rows(self, case: str) -> str:
        return "; ".join(", ".join(amount(each) for each in row) for row in self.inputs[case])

    def tables(self) -> Sequence[Table]:
        rows = [
            [
                case,
                self._rows(case),
                amount(self.curvatures[case][0]),
                amount(self.curvatures[case][1]),
                amount(self.condition(case)),
                amount(self.needed(case), 3),
                amount(self.left(case)),
            ]
            for case in self.inputs
        ]
        steps = len(self.losses[CASES[0]]) - 1
        heads = (
            "inputs", "rows", "smallest curvature", "largest", "condition number", "steps needed by theory",
            f"share of the loss left after {counted(steps, 'step')}",
        )  # fmt: skip
        return [Table("The loss of a linear unit with two weights", heads, rows)]

    def claims(self) -> Sequence[Claim]:
        good = "centred and scaled"
        off = 0.0
        for case, points in self.points.items():
            x = self.inputs[case]
            values, vectors = np.linalg.eigh(x.T @ x / len(x))
            shares = (1 - values / values[-1]) ** np.arange(len(points))[:, None]
            theory = self.lowest[case] + shares * ((points[0] - self.lowest[case]) @ vectors) @ vectors.T
            off = max(off, float(np.abs(points - theory).max() / np.abs(points[0]).max()))
        shifted = self.inputs["not centred"]
        less = shifted - shifted.mean(axis=0)
        return [
            Claim(
                "Shifting the input values makes a big difference.",
                "D:860",
                f"The condition number is {amount(self.condition('not centred'))} before and "
                f"{amount(self.condition(good))} after.",
                self.condition("not centred") > 10 * self.condition(good),
            ),
            Claim(
                "Scaling the input values makes a big difference.",
                "D:904",
                f"The condition number is {amount(self.condition('not scaled'))} before and "
                f"{amount(self.condition(good))} after.",
                self.condition("not scaled") > 10 * self.condition(good),
            ),
            Claim(
                "Each step multiplies the distance along a direction of curvature c by 1 - rate * c.",
                "closed form",
                f"The points lie at most {amount(off, 1)} of the first from that.",
                off < 1e-9,
            ),
            Claim(
                "The second table is the first with zero mean.",
                "D:861",
                f"The first less its mean is ({amount(less[0, 0])}, {amount(less[0, 1])}) and "
                f"({amount(less[1, 0])}, {amount(less[1, 1])}).",
                bool(np.allclose(less, self.inputs[good])),
            ),
        ]

    def answer(self) -> str:
        return (
            f"About {amount(self.needed('not centred'), 2)} times as many: the condition number is "
            f"{amount(self.condition('not centred'))}, and at the largest rate that is safe in the steep direction "
            f"each step goes one part in {amount(self.condition('not centred'), 2)} of the way along the flat one. "
            f"With inputs centred it takes {counted(round(self.needed('centred and scaled')), 'step')}."
        )

    def _map(self, case: str, steps: int, title: str) -> Markup:
        low, points = self.lowest[case], self.points[case]
        reach = 1.5 * float(np.linalg.norm(points[0] - low))
        x, y = (low[0] - reach, low[0] + reach), (low[1] - reach, low[1] + reach)
        box = frame((*x, False), (*y, False), width=SIDE[0], height=SIDE[1])
        at = np.stack(np.meshgrid(np.linspace(*x, 70), np.linspace(*y, 70)), -1)
        values = (((at @ self.inputs[case].T - TARGET) ** 2).mean(-1) / 2) ** 0.5
        seen = points[: steps + 1]
        return figure(
            title,
            box.draw(
                title,
                f"condition number {amount(self.condition(case))}; after {steps} steps "
                f"{amount(self.losses[case][: steps + 1][-1] / self.losses[case][0])} of the loss is left",
                heat(box, _banded(values), x, y),
                box.line(seen[:, 0].tolist(), seen[:, 1].tolist(), 2),
                box.dots(seen[:1, 0].tolist(), seen[:1, 1].tolist(), 0, 8),
                box.dots(seen[-1:, 0].tolist(), seen[-1:, 1].tolist(), 2, 9),
                box.dots([low[0]], [low[1]], 5, 5),
                x_label="weight 1",
                y_label="weight 2",
            ),
        )

    def pictures(self) -> Sequence[Markup]:
        last = len(self.points[CASES[0]]) - 1
        return [
            *(self._map(case, last, f"{case.capitalize()}: inputs {self._rows(case)}") for case in CASES),
            lines(
                "Share of the first loss that is left",
                "; ".join(f"{case}: {amount(self.left(case))} at the end" for case in CASES),
                range(last + 1),
                {case: [max(float(each / all_[0]), 1e-12) for each in all_] for case, all_ in self.losses.items()},
                x_label="step",
                y_label="loss / first loss",
                is_log=True,
            ),
        ]

    def players(self) -> Sequence[Player]:
        last = len(self.points[CASES[0]]) - 1
        steps = [each for each in (0, 1, 2, 3, 5, 10, 30, 100, 300) if each < last] + [last]
        pictures = [joined(*(self._map(case, step, case.capitalize()) for case in CASES[:2])) for step in steps]
        return [Player("steps", "The descent, step by step", [f"step {each}" for each in steps], pictures)]


def _banded(values: np.ndarray) -> np.ndarray:
    """Heights as bands, so that one sees lines of equal height."""
    share = values / values.max()
    return np.floor(share * 12) / 12


def scaling(*, offset: float = 100.0, ratio: float = 10.0, steps: int = 100) -> Scaling:
    """Descends on the loss of a linear unit for inputs far from zero, of unequal size, and centred and scaled.

    Formula: y = w1 x1 + w2 x2; J = 1/2 mean over two rows of (y - 2)²; rate 1 / largest curvature, float64. The rows
        are (offset + 1, offset ± 1), (1 / ratio, ± ratio) and (1, ± 1).
    Args:
        offset: what lies between inputs and zero.
        ratio: how much larger the second input is than one, and the first smaller.
        steps: of each descent.
    Raises: ConfigError where the largest curvature is not above the smallest, as an offset of -1 or a ratio of 0.
    """
    if offset == -1 or ratio == 0:
        raise ConfigError(f"lab scaling: received offset={offset}, ratio={ratio}; no input may be 0 in all rows.")
    inputs = {
        "not centred": np.array([(offset + 1, offset + 1), (offset + 1, offset - 1)]),
        "not scaled": np.array([(1 / ratio, ratio), (1 / ratio, -ratio)]),
        "centred and scaled": np.array([(1.0, 1.0), (1.0, -1.0)]),
    }
    lowest, curvatures, points, losses = {}, {}, {}, {}
    for case, x in inputs.items():

        def loss(p: Any, x: np.ndarray = x) -> Any:
            away = ops.matmul(p, x.T) - TARGET
            return 0.5 * ops.mean(away * away, 1)

        lowest[case] = np.linalg.solve(x, np.full(2, TARGET))
        hessian = jacobian(grad(lambda w, loss=loss: ops.sum(loss(ops.reshape(w, (1, 2))))))(lowest[case])
        curvatures[case] = np.linalg.eigvalsh(hessian)
        start = lowest[case] + np.linalg.norm(lowest[case]) * AWAY
        rate = 1 / float(curvatures[case][-1])
        points[case] = descend(loss, (float(start[0]), float(start[1])), SGD(), rate, steps)
        losses[case] = np.asarray(loss(points[case]))
    return Scaling(inputs, lowest, curvatures, points, losses)


EXPERIMENT = Experiment(
    run=scaling,
    title="The error surface before and after centring and scaling",
    chapter="The data",
    source="D:855",
    says=(
        "When using steepest descent, shifting and scaling the input values makes a big difference: it usually helps "
        "to give each component of the input zero mean and unit variance over the training set."
    ),
    does=(
        "A linear unit with two weights and no bias learns two rows, with the lecture's own inputs: far from zero, of "
        "unequal size, and as its text leaves them. Each descent has the largest rate that does not overshoot."
    ),
    look=(
        "Bands of equal height: a long ditch where inputs are not centred (slanting) or not scaled (upright), circles "
        "where they are. The big dot is where the descent has come, the small one the lowest point."
    ),
    question="With inputs of about 100 in place of 1: how many times more steps does gradient descent need?",
    changes=(
        "offset=10: still a ditch, not as long; offset=0: none.",
        "ratio=2: a mild ellipse.",
        "steps=300: what is not centred still stands where it was after the first step.",
    ),
    errs=(
        "The table shown as the centred one is the first less 100, not less its mean of (101, 100): that would leave "
        "(0, 1) and (0, -1), and nothing of an input that is the same in all rows. So with the scaled one: the "
        "standard deviation of its first input is 0. What they show is true of any shift and scale."
    ),
)
