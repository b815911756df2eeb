"""The decision boundary against the number of hidden units and against λ; the margin against λ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from preceptor import nn
from preceptor.engines import Native
from preceptor.lab.drawing import heat, lines
from preceptor.lab.experiment import Claim, Experiment, Figures, Material, Player, Table
from preceptor.lab.learned import learn
from preceptor.lab.own_data import plane as own_plane
from preceptor.page.chart import Frame, figure, frame, keys
from preceptor.page.markup import Markup
from preceptor.train import L2, SGD, Adam, Arrays, Config, Cosine
from preceptor.words import amount

UNITS = (1, 2, 3, 6, 20, 60)
STRENGTHS = (0.0, 0.001, 0.01, 0.1, 0.3)
MARGINS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
X, Y = (-1.9, 2.9), (-1.5, 2.0)  # of the map
FARTHEST = 4.0  # of own data, in standard deviations
MOONS = Material("half moons")
Span = tuple[float, float]
PLACES = (72, 54)


def moons(rng: np.random.Generator, rows: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Two half circles that reach into each other. Shapes: -> (row, 2); (row,)."""
    y = np.arange(rows) % 2
    angle = np.pi * rng.random(rows)
    x = np.stack([np.cos(angle), np.sin(angle)], 1)
    x[y == 1] = np.array((1.0, 0.5)) - x[y == 1]
    return x + noise * rng.normal(size=x.shape), y


def plane(x: Span = X, y: Span = Y) -> tuple[np.ndarray, float, float]:
    """Points of the map, and how far they lie apart. Shapes: -> (point, 2), ordered (row, column)."""
    across, up = np.linspace(*x, PLACES[0]), np.linspace(*y, PLACES[1])
    both = np.meshgrid(across, up)
    return np.stack([each.ravel() for each in both], 1), across[1] - across[0], up[1] - up[0]


def boundary_length(positive: np.ndarray, dx: float, dy: float) -> float:
    """Length of the line between two regions of a grid.

    Shapes: (row, column), of booleans.
    Formula: pi / 4 (dy * changes along rows + dx * changes along columns).
    Source: Cauchy and Crofton, with the lines of the grid as the lines that cross the curve.
    """
    along = (positive[:, 1:] != positive[:, :-1]).sum()
    upward = (positive[1:] != positive[:-1]).sum()
    return float(np.pi / 4 * (dy * along + dx * upward))


@dataclass(frozen=True, eq=False)
class Fit:
    """A network's answer over the plane.

    Args:
        chance: of class 1, over the map.
        length: of its boundary within the map.
        train_error, test_error: shares of wrong rows.

    Shapes: chance (row, column), two decimals.
    """

    chance: np.ndarray
    length: float
    train_error: float
    test_error: float


@dataclass(frozen=True, eq=False)
class Boundary(Figures):
    """Fits by number of units and by strength of L2; a linear unit's weights by strength, under the hinge loss.

    Args:
        clouds, sides: rows of the linear unit and their classes.
        names: of the two numbers; across, up: what the map shows of them.
        margins: {λ: (w1, w2, bias)}.

    Shapes: x (row, 2), y (row,); clouds (row, 2), sides (row,); margins (3,).
    """

    x: np.ndarray
    y: np.ndarray
    by_units: Mapping[int, Fit]
    by_strength: Mapping[float, Fit]
    clouds: np.ndarray
    sides: np.ndarray
    margins: Mapping[float, np.ndarray]
    names: tuple[str, str] = ("x1", "x2")
    across: Span = X
    up: Span = Y
    material: Material = MOONS

    def margin(self, strength: float) -> float:
        """Distance from the line to where the hinge loss ends."""
        return float(1 / np.linalg.norm(self.margins[strength][:2]))

    def violations(self, strength: float) -> int:
        """Rows on the wrong side of their margin."""
        w = self.margins[strength]
        return int(((2 * self.sides - 1) * (self.clouds @ w[:2] + w[2]) < 1 - 1e-2).sum())

    def tables(self) -> Sequence[Table]:
        heads = ("training error", "test error", "length of the boundary")
        return [
            Table("By hidden units", ("units", *heads), [[str(at), *_row(fit)] for at, fit in self.by_units.items()]),
            Table(
                f"By λ, {UNITS[-2]} hidden units",
                ("λ", *heads),
                [[amount(at), *_row(fit)] for at, fit in self.by_strength.items()],
            ),
            Table(
                "Soft margin of a linear unit",
                ("λ", "margin", "rows within it or beyond"),
                [[amount(each), amount(self.margin(each)), str(self.violations(each))] for each in self.margins],
            ),
        ]

    def claims(self) -> Sequence[Claim]:
        units, strengths = list(self.by_units.values()), list(self.by_strength.values())
        errors = [each.train_error for each in units]
        lengths = [each.length for each in strengths]
        widths = [self.margin(each) for each in self.margins]
        return [
            Claim(
                "More hidden units: a boundary that fits the training rows more closely.",
                "D:2220",
                f"Training error from {errors[0]:.1%} with {UNITS[0]} to {errors[-1]:.1%} with {UNITS[-1]}; the "
                "boundary "
                f"grows from {amount(units[0].length, 3)} to {amount(units[-1].length, 3)} long.",
                errors[-1] < errors[0] and units[-1].length > units[0].length,
            ),
            Claim(
                "A larger λ: a simpler boundary.",
                "D:2234",
                f"Its length is {', '.join(amount(each, 3) for each in lengths)} for λ from {amount(STRENGTHS[0])} to "
                f"{amount(STRENGTHS[-1])}.",
                lengths[-1] < lengths[0],
            ),
            Claim(
                "The penalty maximises the margin.",
                "D:1725",
                f"The margin is {', '.join(amount(each, 3) for each in widths)} for λ from {amount(MARGINS[0])} to "
                f"{amount(MARGINS[-1])}.",
                all(a < b for a, b in pairwise(widths)),
            ),
            Claim(
                "We may prefer a larger margin with a few constraints violated.",
                "D:1697",
                f"Rows that violate it: {', '.join(str(self.violations(each)) for each in self.margins)}.",
                self.violations(MARGINS[-1]) > self.violations(MARGINS[0]),
            ),
        ]

    def answer(self) -> str:
        first, last = self.by_strength[STRENGTHS[0]], self.by_strength[STRENGTHS[-1]]
        return (
            f"From λ = {amount(STRENGTHS[0])} to {amount(STRENGTHS[-1])} it becomes {amount(last.length, 3)} long in "
            f"place of {amount(first.length, 3)}; the training error goes from {first.train_error:.1%} to "
            f"{last.train_error:.1%}, the test error from {first.test_error:.1%} to {last.test_error:.1%}."
        )

    def _map(self, fit: Fit, title: str) -> Markup:
        box = frame((*self.across, False), (*self.up, False))
        says = f"training error {fit.train_error:.1%}, test error {fit.test_error:.1%}"
        marks = [heat(box, fit.chance, self.across, self.up, (0.0, 1.0)), *_dots(box, self.x, self.y)]
        drawn = box.draw(title, says, *marks, x_label=self.names[0], y_label=self.names[1])
        return figure(title, drawn, f"{says.capitalize()}.")

    def _line(self, strength: float) -> Markup:
        w = self.margins[strength]
        low, high = float(self.clouds[:, 0].min()) - 0.5, float(self.clouds[:, 0].max()) + 0.5
        floor, top = float(self.clouds[:, 1].min()) - 0.5, float(self.clouds[:, 1].max()) + 0.5
        box = frame((low, high, False), (floor, top, False))
        marks: list[Markup | None] = _dots(box, self.clouds, self.sides)
        for level, style in ((0.0, 5), (1.0, 0), (-1.0, 0)):
            marks.append(box.line(*_across(w, level, (low, high), (floor, top)), style))
        title = f"λ = {amount(strength)}: margin {amount(self.margin(strength), 3)}"
        says = f"{self.violations(strength)} rows violate it"
        drawn = box.draw(title, says, *marks, x_label="x1", y_label="x2")
        return figure(title, drawn, keys(("boundary", 5), ("margins", 0)), f"{says}.")

    def pictures(self) -> Sequence[Markup]:
        return [
            self._map(self.by_units[UNITS[-2]], f"{UNITS[-2]} hidden units"),
            lines(
                "Error by hidden units",
                f"test error {self.by_units[UNITS[-1]].test_error:.1%} with {UNITS[-1]}",
                range(len(UNITS)),
                {
                    "training": [each.train_error for each in self.by_units.values()],
                    "test": [each.test_error for each in self.by_units.values()],
                },
                x_label=f"units: {', '.join(map(str, UNITS))}",
                y_label="share wrong",
            ),
        ]

    def players(self) -> Sequence[Player]:
        units = [self._map(fit, f"{at} hidden units") for at, fit in self.by_units.items()]
        strengths = [self._map(fit, f"λ = {amount(at)}") for at, fit in self.by_strength.items()]
        return [
            Player("units", "Hidden units", [f"{each} units" for each in UNITS], units),
            Player("strength", "Strength of L2", [f"λ = {amount(each)}" for each in STRENGTHS], strengths),
            Player(
                "margin",
                "The margin of a linear unit",
                [f"λ = {amount(each)}" for each in MARGINS],
                [self._line(each) for each in MARGINS],
            ),
        ]


def _row(fit: Fit) -> list[str]:
    return [f"{fit.train_error:.1%}", f"{fit.test_error:.1%}", amount(fit.length, 3)]


def _dots(box: Frame, x: np.ndarray, y: np.ndarray) -> list[Markup | None]:
    return [
        box.dots(x[y == each, 0].tolist(), x[y == each, 1].tolist(), style, 4.5) for each, style in ((0, 1), (1, 2))
    ]


def _across(
    w: np.ndarray, level: float, x: tuple[float, float], y: tuple[float, float]
) -> tuple[list[float], list[float]]:
    """The part of the line w1 a + w2 b + w3 = level that lies within a box."""
    along = np.linspace(*x, 200)
    if abs(w[1]) > 1e-12:
        up = (level - w[2] - w[0] * along) / w[1]
        kept = (up >= y[0]) & (up <= y[1])
        return along[kept].tolist(), up[kept].tolist()
    return [float((level - w[2]) / w[0])] * 2, list(y)


def boundary(
    *,
    seed: int = 0,
    rows: int = 120,
    noise: float = 0.3,
    epochs: int = 150,
    rate: float = 0.02,
    apart: float = 2.2,
    data: Any = None,
    target: Any = None,
) -> Boundary:
    """Trains networks on two half moons by number of hidden units and by λ, and a linear unit with soft margin.

    Formula: λ / 2 sum of w², of all weights but the biases, beside the mean loss.
    Args:
        rows: of the half moons that teach; 1,000 others judge.
        noise: standard deviation of what moves them.
        rate: of Adam.
        data, target: rows in place of the half moons, of which the first two columns of numbers are taken and the
            commonest class is told from the others, and the column of the classes: a path, a data frame, an array.
        apart: how far the middles of the linear unit's two clouds lie apart, in their standard deviations.
    """
    rng = np.random.default_rng(seed)
    x, y = moons(rng, rows, noise)
    test_x, test_y = moons(rng, 1000, noise)
    names, across, up, material = ("x1", "x2"), X, Y, MOONS
    if data is not None or target is not None:
        own = own_plane(data, target, "boundary", seed)
        taught = min(rows, len(own.y) * 3 // 4)
        x, y, test_x, test_y = own.x[:taught], own.y[:taught], own.x[taught:], own.y[taught:]
        across, up = (_span(own.x[:, axis]) for axis in range(2))
        names, material = own.names, own.material
    parts, places = Arrays(x, y, test_x, test_y), plane(across, up)
    by_units = {units: _fit(parts, places, units, 0.0, seed, epochs, rate) for units in UNITS}
    by_strength = {each: _fit(parts, places, UNITS[-2], each, seed, epochs, rate) for each in STRENGTHS}
    sides = np.arange(40) % 2
    clouds = rng.normal(size=(40, 2)) + apart * np.outer(2 * sides - 1, (0.7, 0.7))
    margins = {each: _margin(clouds, sides, each, seed) for each in MARGINS}
    return Boundary(x, y, by_units, by_strength, clouds, sides, margins, names, across, up, material)


def _span(values: np.ndarray) -> Span:
    """What a map shows of these numbers, with some room."""
    low, high = np.clip((values.min(), values.max()), -FARTHEST, FARTHEST)
    room = 0.1 * (high - low)
    return float(low - room), float(high + room)


def _fit(
    data: Arrays,
    places: tuple[np.ndarray, float, float],
    units: int,
    strength: float,
    seed: int,
    epochs: int,
    rate: float,
) -> Fit:
    config = Config(
        nn.mlp((units,), 1, activation=nn.Tanh(), initialiser=nn.Gaussian(1.0)), nn.BinaryCrossEntropy(), Adam(),
        penalties=(L2(strength),), learning_rate=rate, epochs=epochs, batch_size=40, seed=seed, engine=Native("f32"),
    )  # fmt: skip
    learned = learn(config, data)
    points, dx, dy = places
    logits = learned.outputs(points.astype(np.float32))[:, 0].astype(np.float64).reshape(PLACES[::-1])
    chance = np.round(1 / (1 + np.exp(-np.clip(logits, -30, 30))), 2)
    return Fit(chance, boundary_length(logits > 0, dx, dy), learned.train_error, learned.dev_error)


def _margin(x: np.ndarray, y: np.ndarray, strength: float, seed: int) -> np.ndarray:
    """Weights and bias under the hinge loss. Shapes: -> (3,)."""
    config = Config(
        nn.linear_model(1), nn.Hinge(), SGD(), Cosine(0.0), (L2(strength),), learning_rate=0.3, batch_size=len(x),
        epochs=1200, seed=seed, engine=Native("f32"),
    )  # fmt: skip
    found = learn(config, Arrays(x, y), judged=0)
    parts = {path.rpartition("/")[2]: np.asarray(each, np.float64).ravel() for path, each in found.params.items()}
    return np.concatenate([parts["weight"], parts["bias"]])


EXPERIMENT = Experiment(
    run=boundary,
    title="What hidden units and λ do to the boundary",
    chapter="Regularisation",
    source="D:1690",
    says=(
        "With more hidden units the boundary bends as it must to separate the training rows; with a larger λ it "
        "becomes "
        "simple again. One may prefer a larger margin with a few constraints violated."
    ),
    does=(
        "Networks learn two half moons that overlap, by number of hidden units without a penalty and by strength of "
        "L2; "
        "a linear unit learns two clouds under the hinge loss."
    ),
    look="Go over the units, then over λ, and watch the islands around single points come and go.",
    question="What becomes of the boundary's length, and of the two errors, when λ grows?",
    changes=(
        "noise=0.1: half moons that hardly overlap; nothing is gained by a penalty.",
        "rows=30: fewer rows, wilder boundaries.",
        "apart=1: two clouds that cannot be separated: the margin is violated at any λ.",
    ),
)
