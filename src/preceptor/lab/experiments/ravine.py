"""Ways down a narrow ravine and off a saddle."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from preceptor.errors import ConfigError
from preceptor.lab.descent import descend, in_steps
from preceptor.lab.drawing import heat, lines
from preceptor.lab.experiment import Claim, Experiment, Figures, Player, Table
from preceptor.page.chart import figure, frame, keys
from preceptor.page.markup import Markup
from preceptor.train import SGD, Adagrad, Adam, HeavyBall, Nesterov, RMSProp
from preceptor.train.optim import Optimiser
from preceptor.words import amount

CURVATURES = (1.0, 100.0)  # along the ravine and across
START = (-9.0, 1.2)
WAYS: dict[str, tuple[Optimiser, float]] = {
    "gradient descent": (SGD(), 0.018),
    "momentum": (HeavyBall(0.9), 0.02),
    "Nesterov": (Nesterov(0.9), 0.01),
    "Adagrad": (Adagrad(), 2.0),
    "RMSProp": (RMSProp(0.9), 0.2),
    "Adam": (Adam(), 0.4),
}
SURFACES: dict[str, Callable[[Any], Any]] = {
    "ravine": lambda p: 0.5 * (CURVATURES[0] * p[:, 0] ** 2 + CURVATURES[1] * p[:, 1] ** 2),
    "saddle": lambda p: 0.5 * (p[:, 0] ** 2 - p[:, 1] ** 2) + 0.05 * p[:, 1] ** 4,
}
STARTS = {"ravine": START, "saddle": (-3.0, 1e-3)}
BOXES = {"ravine": ((-10.0, 4.0), (-2.0, 2.0)), "saddle": ((-4.0, 4.0), (-4.5, 4.5))}
LEAST = {"ravine": 0.0, "saddle": -1.25}  # of the saddle: at p2 = ±√5


@dataclass(frozen=True, eq=False)
class Ravine(Figures):
    """The points and values of each way. Shapes: points {way: (step + 1, 2)}; values {way: (step + 1,)}."""

    surface: str
    points: dict[str, np.ndarray]
    values: dict[str, np.ndarray]
    reached: dict[str, int | None]

    def tables(self) -> Sequence[Table]:
        rows = [
            [
                way,
                amount(WAYS[way][1]),
                "never" if self.reached[way] is None else str(self.reached[way]),
                amount(self.values[way][-1]),
                str(self.turns(way)),
            ]
            for way in self.points
        ]
        heads = ("way", "rate", "steps to within 0.01 of the lowest", "value at the end", "turns across")
        return [Table(f"Ways down the {self.surface}", heads, rows)]

    def turns(self, way: str) -> int:
        """How often the way changes side across the ravine."""
        across = np.sign(self.points[way][:, 1])
        return int((across[1:] * across[:-1] < 0).sum())

    def claims(self) -> Sequence[Claim]:
        if self.surface == "saddle":
            late = self.reached["gradient descent"]
            first = min((each for each in self.reached.values() if each is not None), default=None)
            return [
                Claim(
                    "Zero gradient in local minima and saddle points.",
                    "D:617",
                    f"Gradient descent needs {in_steps(late)}, the quickest way {in_steps(first)}.",
                    late is None or (first is not None and first < late),
                )
            ]
        rate, (_, steep) = WAYS["gradient descent"][1], CURVATURES
        points = self.points["gradient descent"]
        theory = np.array(START) * (1 - rate * np.array(CURVATURES)) ** np.arange(len(points))[:, None]
        off = float(np.abs(points - theory).max())
        slow, quick = self.reached["gradient descent"], self.reached["momentum"]
        return [
            Claim(
                "On a quadratic each coordinate is multiplied by 1 - rate * curvature in each step.",
                "closed form",
                f"The points differ from that by at most {amount(off, 2)}.",
                off < 1e-9,
            ),
            Claim(
                "Very slow progress along the shallow direction, jitter along the steep one.",
                "D:603",
                f"It changes side {self.turns('gradient descent')} times; across, each step is multiplied by "
                f"{amount(1 - rate * steep)}.",
                self.turns("gradient descent") > 5,
            ),
            Claim(
                "Momentum is the way out of narrow ravines: it arrives earlier.",
                "D:1460",
                f"Momentum is within 0.01 of the lowest value after {in_steps(quick)}, gradient descent after "
                f"{in_steps(slow)}.",
                quick is not None and (slow is None or quick < slow),
            ),
        ]

    def answer(self) -> str:
        known = {way: each for way, each in self.reached.items() if each is not None}
        if not known:
            return "None of them arrives in so many steps."
        best = min(known, key=lambda way: known[way])
        return f"{best}: {in_steps(known[best])}; gradient descent takes {in_steps(self.reached['gradient descent'])}."

    def _map(self, ways: Sequence[str], steps: int, title: str) -> Markup:
        x, y = BOXES[self.surface]
        box = frame((*x, False), (*y, False))
        across, up = np.meshgrid(np.linspace(*x, 90), np.linspace(*y, 60))
        height = SURFACES[self.surface](np.stack([across.ravel(), up.ravel()], 1)).reshape(across.shape)
        marks = [heat(box, np.sqrt(np.maximum(height - height.min(), 0)), x, y)]
        for style, way in enumerate(ways, 1):
            points = self.points[way][: steps + 1]
            points = points[(np.abs(points) < 1e3).all(1)]
            marks.append(box.line(points[:, 0].tolist(), points[:, 1].tolist(), style) or Markup())
            marks.append(box.dots(points[-1:, 0].tolist(), points[-1:, 1].tolist(), style, 7))
        says = "; ".join(f"{way} at {amount(self.values[way][: steps + 1][-1])}" for way in ways)
        return figure(title, box.draw(title, says, *marks, x_label="p1", y_label="p2"), keys(*_named(ways)))

    def pictures(self) -> Sequence[Markup]:
        length = max(map(len, self.values.values()))
        padded = {
            way: [max(float(each) - LEAST[self.surface], 1e-12) for each in values] + [None] * (length - len(values))
            for way, values in self.values.items()
            if way != "Nesterov"
        }
        first, last = list(self.points)[:3], list(self.points)[3:]
        return [
            self._map(first, length, f"The {self.surface}: gradient descent, momentum, Nesterov"),
            self._map(last, length, f"The {self.surface}: Adagrad, RMSProp, Adam"),
            lines(
                "Height above the lowest value",
                "; ".join(f"{way}: {in_steps(each)}" for way, each in self.reached.items()),
                range(length),
                padded,
                x_label="step",
                y_label="value - lowest",
                is_log=True,
            ),
        ]

    def players(self) -> Sequence[Player]:
        length = max(map(len, self.points.values()))
        shown = sorted({0, 1, 2, 3, 4, 6, 8, 11, 15, 20, 30, 45, 70, length - 1})
        shown = [each for each in shown if each < length]
        ways = ["gradient descent", "momentum", "Adagrad", "RMSProp", "Adam"]
        pictures = [self._map(ways, step, f"After {step} steps") for step in shown]
        return [Player("steps", "Step by step", [f"step {each}" for each in shown], pictures)]


def _named(ways: Sequence[str]) -> list[tuple[str, int | str]]:
    return [(way, style) for style, way in enumerate(ways, 1)]


def ravine(*, surface: str = "ravine", steps: int = 150) -> Ravine:
    """Walks down a surface of two numbers by six optimisers, from one place.

    Formula: ravine 1/2 (p1² + 100 p2²); saddle 1/2 (p1² - p2²) + p2⁴ / 20, lowest at p2 = ±√5.
    Args:
        surface: ravine or saddle.
        steps: of each.
    Raises: ConfigError for another surface.
    """
    if surface not in SURFACES:
        raise ConfigError(f"lab ravine: received surface {surface!r}; ravine or saddle is required.")
    points, values, reached = {}, {}, {}
    for way, (optimiser, rate) in WAYS.items():
        points[way] = descend(SURFACES[surface], STARTS[surface], optimiser, rate, steps)
        values[way] = np.asarray(SURFACES[surface](points[way]))
        near = np.flatnonzero(values[way] - LEAST[surface] > 0.01)
        reached[way] = int(near[-1]) + 1 if len(near) and near[-1] + 1 < len(values[way]) else None
    return Ravine(surface, points, values, reached)


EXPERIMENT = Experiment(
    run=ravine,
    title="A narrow ravine, and six ways down",
    chapter="Descent",
    source="D:1436",
    says=(
        "Where the loss changes quickly in one direction and slowly in another, gradient descent makes very slow "
        "progress along the shallow dimension and jitters along the steep one."
    ),
    does="Six optimisers go down one surface from one place, each at a rate that suits it.",
    look="Step forward and see who turns from wall to wall, who runs along the floor, and who runs too far.",
    question="The ravine is 100 times steeper across than along. Which way arrives first?",
    changes=(
        "surface=saddle: beside a saddle the gradient is nearly nothing; what adapts its rates leaves at once.",
        "steps=30: too few for most.",
    ),
)
