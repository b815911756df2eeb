"""Training and test error against the complexity of the model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from preceptor import nn
from preceptor.data.affine import polynomial_features, standardise
from preceptor.engines import Native
from preceptor.errors import ConfigError
from preceptor.lab.drawing import lines
from preceptor.lab.experiment import Claim, Experiment, Figures, Material, Player, Table
from preceptor.lab.learned import learn
from preceptor.lab.own_data import DIGITS, Rows, labelled
from preceptor.page.chart import figure, frame, keys
from preceptor.page.markup import Markup
from preceptor.train import Adam, Arrays, Config
from preceptor.words import amount

UNITS = (1, 2, 4, 8, 16, 32, 64, 128)
GRID = np.linspace(-1, 1, 121)


def truth(x: np.ndarray) -> np.ndarray:
    """The curve behind the points."""
    return np.sin(np.pi * x)


@dataclass(frozen=True, eq=False)
class Complexity(Figures):
    """Polynomials of rising degree through few points of a curve, and networks of rising width on digits.

    Args:
        curves: what the polynomial of each degree, from 0 on, gives on GRID.
        train_squares, test_squares: root of the mean square of its errors, on the points and on many others.
        floor: the deviation of the noise, below which no test error lies in the mean.
        train_errors, test_errors: shares of wrong rows, by width and seed; labels of some training rows are wrong.

    Shapes: x, y (row,); curves (degree + 1, place); squares (degree + 1,); errors (width, seed).
    """

    x: np.ndarray
    y: np.ndarray
    curves: np.ndarray
    train_squares: np.ndarray
    test_squares: np.ndarray
    floor: float
    train_errors: np.ndarray
    test_errors: np.ndarray
    material: Material = DIGITS

    @property
    def best_degree(self) -> int:
        """With the lowest test error."""
        return int(self.test_squares.argmin())

    def tables(self) -> Sequence[Table]:
        degrees = [
            [str(degree), amount(train), amount(test)]
            for degree, (train, test) in enumerate(zip(self.train_squares, self.test_squares, strict=True))
        ]
        widths = [
            [str(units), *(f"{_mean(each[place])}" for each in (self.train_errors, self.test_errors))]
            for place, units in enumerate(UNITS)
        ]
        return [
            Table(
                f"Polynomials through {len(self.x)} points, noise of deviation {amount(self.floor)}",
                ("degree", "training error (root of mean square)", "test error"),
                degrees,
            ),
            Table(
                f"Networks on {self.material.name}, mean ± standard error",
                ("hidden units", "training error", "test error"),
                widths,
            ),
        ]

    def claims(self) -> Sequence[Claim]:
        best, last = self.best_degree, len(self.test_squares) - 1
        width = int(self.test_errors.mean(1).argmin())
        falls = bool((np.diff(self.train_squares) <= 1e-9).all())
        train, test = self.train_errors.mean(1), self.test_errors.mean(1)
        rise = self.test_errors[-1] - self.test_errors[width]
        return [
            Claim(
                "Training error falls with complexity.",
                "D:2299",
                f"From degree 0 to {last} from {amount(self.train_squares[0], 3)} to "
                f"{amount(self.train_squares[-1], 3)}, "
                f"{'never rising' if falls else 'with rises'}.",
                falls,
            ),
            Claim(
                "Test error falls, then rises again.",
                "D:2299",
                f"It is lowest at degree {best}, {amount(self.test_squares[best], 3)}, and "
                f"{amount(self.test_squares[-1], 3)} "
                f"at degree {last}.",
                bool(0 < best < last and self.test_squares[-1] > 1.1 * self.test_squares[best]),
            ),
            Claim(
                "So it is with hidden units: training error falls.",
                "D:2299",
                f"From {train[0]:.1%} with {UNITS[0]} to {train[-1]:.1%} with {UNITS[-1]}.",
                bool(train[-1] < train[0]),
            ),
            Claim(
                "And test error rises again in the end.",
                "D:2299",
                f"Lowest with {UNITS[width]} units, {test[width]:.1%}; with {UNITS[-1]} it is "
                f"{test[-1]:.1%}, {_mean(rise)} higher.",
                bool(width < len(UNITS) - 1 and rise.mean() > 2 * _error(rise)),
            ),
        ]

    def answer(self) -> str:
        return (
            f"Degree {self.best_degree}: its test error is {amount(self.test_squares[self.best_degree], 3)}. The "
            "training "
            f"error is lowest at degree {int(self.train_squares.argmin())}, where the test error is "
            f"{amount(self.test_squares[self.train_squares.argmin()], 3)}."
        )

    def pictures(self) -> Sequence[Markup]:
        return [
            lines(
                "Polynomials",
                f"test error lowest at degree {self.best_degree}",
                range(len(self.test_squares)),
                {"training error": self.train_squares.tolist(), "test error": self.test_squares.tolist()},
                x_label="degree",
                y_label="root of mean square",
                y=(0.0, float(self.test_squares[0]) * 1.6),
            ),
            lines(
                f"Networks on {self.material.name} with some wrong labels",
                f"test error {self.test_errors.mean(1)[-1]:.1%} with {UNITS[-1]} units",
                [float(np.log2(each)) for each in UNITS],
                {
                    "training error": self.train_errors.mean(1).tolist(),
                    "test error": self.test_errors.mean(1).tolist(),
                },
                x_label="hidden units, power of two",
                y_label="share wrong",
            ),
        ]

    def players(self) -> Sequence[Player]:
        pictures = []
        for degree, curve in enumerate(self.curves):
            box = frame((-1.0, 1.0, False), (-2.0, 2.0, False))
            inside = [each if abs(each) <= 2 else None for each in curve.tolist()]
            marks = [
                box.line(GRID.tolist(), truth(GRID).tolist(), 0),
                box.line(GRID.tolist(), inside, 2),
                box.dots(self.x.tolist(), self.y.tolist(), 1, 6),
            ]
            train, test = amount(self.train_squares[degree], 3), amount(self.test_squares[degree], 3)
            title, says = f"Degree {degree}", f"training error {train}, test error {test}"
            drawn = box.draw(title, says, *marks, x_label="x", y_label="y")
            pictures.append(figure(title, drawn, keys(("curve", 0), ("polynomial", 2), ("points", 1)), f"{says}."))
        return [Player("degree", "Degree by degree", [f"degree {each}" for each in range(len(pictures))], pictures)]


def _error(values: np.ndarray) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def _mean(values: np.ndarray) -> str:
    return f"{values.mean():.1%} ± {_error(values):.1%}"


def features(x: np.ndarray, degree: int) -> np.ndarray:
    """A column of ones and the powers, scaled as over GRID. Shapes: (row,) -> (row, degree + 1)."""
    ones = np.ones((len(x), 1))
    if not degree:
        return ones
    scale = standardise(polynomial_features(GRID[:, None], degree))
    return np.hstack([ones, scale(polynomial_features(x[:, None], degree))])


def complexity(
    *,
    seed: int = 0,
    rows: int = 14,
    noise: float = 0.25,
    degrees: int = 11,
    wrong: float = 0.2,
    seeds: int = 4,
    data: Any = None,
    target: Any = None,
) -> Complexity:
    """Fits polynomials by least squares, and trains networks on digits some of which have a wrong label.

    Formula: y = sin(pi x) + noise; the polynomial with the least sum of squares.
    Args:
        rows: points; more than degrees.
        noise: its standard deviation.
        degrees: the highest.
        wrong: share of the training rows of digits whose label is drawn anew.
        data, target: rows in place of the digits, and the column of their classes: a path, a data frame, an array.
    Raises: ConfigError where the points do not fix the polynomials.
    """
    if not 2 <= degrees < rows or seeds < 2:
        raise ConfigError(
            f"lab complexity: received degrees {degrees}, rows {rows} and seeds {seeds}; 2 to less than rows, and 2 "
            "seeds are required."
        )
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(-1, 1, rows))
    y = truth(x) + noise * rng.normal(size=rows)
    test_x = rng.uniform(-1, 1, 4000)
    test_y = truth(test_x) + noise * rng.normal(size=4000)
    curves = []
    train_squares: list[float] = []
    test_squares: list[float] = []
    for degree in range(degrees + 1):
        weights = np.linalg.lstsq(features(x, degree), y)[0]
        curves.append(features(GRID, degree) @ weights)
        for found, at, wanted in ((train_squares, x, y), (test_squares, test_x, test_y)):
            found.append(float(np.sqrt(np.square(features(at, degree) @ weights - wanted).mean())))
    rows_of = labelled(data, target, "complexity")
    errors = np.array([[_errors(rows_of, units, seed + each, wrong) for each in range(seeds)] for units in UNITS])
    return Complexity(
        x,
        y,
        np.array(curves),
        np.array(train_squares),
        np.array(test_squares),
        noise,
        errors[..., 0],
        errors[..., 1],
        rows_of.material,
    )


def _errors(rows_of: Rows, units: int, seed: int, wrong: float) -> tuple[float, float]:
    """Training and test error of one network."""
    (x, labels), taught = rows_of.drawn(seed), rows_of.taught(300)
    rng = np.random.default_rng(seed)
    given = np.where(rng.random(taught) < wrong, rng.integers(0, len(rows_of.classes), taught), labels[:taught])
    config = Config(
        nn.mlp((units,), len(rows_of.classes), activation=nn.Tanh()), nn.SoftmaxCrossEntropy(), Adam(),
        learning_rate=0.01, epochs=60, seed=seed, engine=Native("f32"),
    )  # fmt: skip
    learned = learn(config, Arrays(x[:taught], given, x[taught:], labels[taught:]), judged=0)
    return learned.train_error, learned.dev_error


EXPERIMENT = Experiment(
    run=complexity,
    title="Training and test error against complexity",
    chapter="Choosing and judging",
    source="D:2299",
    says=(
        "The settings define the complexity of the model and control how it generalises: with complexity the training "
        "error falls, the test error falls and rises again."
    ),
    does=(
        "Polynomials of degree 0 and more go through a few points of a curve, by least squares. Networks of 1 to many "
        "hidden units learn digits, some of which have a wrong label."
    ),
    look="Step through the degrees: first the curve is too stiff, then right, then it runs after each point.",
    question="The points lie around one wave of a sine. Which degree is best on points that were not seen?",
    changes=(
        "rows=60: with many points even high degrees stay close to the curve.",
        "noise=0: then no degree runs after noise.",
        "wrong=0: with right labels wide networks lose little or nothing.",
    ),
)
