"""Training and test error against the number of rows that teach."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from preceptor import nn
from preceptor.engines import Native
from preceptor.lab.drawing import lines
from preceptor.lab.experiment import Claim, Experiment, Figures, Material, Player, Table
from preceptor.lab.learned import learn
from preceptor.lab.own_data import DIGITS, Rows, labelled
from preceptor.page.chart import figure, frame, keys
from preceptor.page.markup import Markup
from preceptor.train import Adam, Arrays, Config
from preceptor.words import amount

ROWS = (20, 40, 80, 160, 320, 640, 1200)
NETWORKS: dict[str, Callable[[int], nn.Layer]] = {
    "2 hidden units": lambda classes: nn.mlp((2,), classes, activation=nn.Tanh()),
    "linear": nn.linear_model,
    "64 hidden units": lambda classes: nn.mlp((64,), classes, activation=nn.Tanh()),
}
STEPS = 800  # of each training, so that few rows are gone through more often
THEORY = (14, 20, 30, 50, 100, 200)  # rows of the linear unit
WEIGHTS = 10  # that it learns
DRAWS = 400


def expected(rows: int, weights: int) -> tuple[float, float]:
    """Mean squared error of least squares on the rows that taught and on others, noise of variance 1.

    Formula: 1 - p / n, and 1 + p / (n - p - 1), for inputs that are normal; n rows, p weights.
    """
    return 1 - weights / rows, 1 + weights / (rows - weights - 1)


@dataclass(frozen=True, eq=False)
class RowCurve(Figures):
    """Errors by number of rows.

    Args:
        rows: how many taught.
        train_errors, test_errors: {network: share of wrong rows}.
        train_squares, test_squares: mean squared errors of the linear unit, by THEORY, over many draws; deviations: the
            standard errors of test_squares.

    Shapes: errors (rows, seed); squares, deviations (rows,).
    """

    rows: tuple[int, ...]
    train_errors: dict[str, np.ndarray]
    test_errors: dict[str, np.ndarray]
    train_squares: np.ndarray
    test_squares: np.ndarray
    deviations: np.ndarray
    material: Material = DIGITS

    def tables(self) -> Sequence[Table]:
        rows = [
            [f"{name}, {count} rows", f"{train.mean():.1%}", f"{test.mean():.1%}", f"{test.mean() - train.mean():.1%}"]
            for name in NETWORKS
            for count, train, test in zip(self.rows, self.train_errors[name], self.test_errors[name], strict=True)
        ]
        theory = [
            [
                str(count),
                amount(train),
                amount(expected(count, WEIGHTS)[0]),
                amount(test),
                amount(expected(count, WEIGHTS)[1]),
            ]
            for count, train, test in zip(THEORY, self.train_squares, self.test_squares, strict=True)
        ]
        heads = ("rows", "training error", "formula", "test error", "formula")
        return [
            Table(self.material.title, ("network", "training error", "test error", "between them"), rows),
            Table(f"A linear unit of {WEIGHTS} weights, noise of variance 1", heads, theory),
        ]

    def claims(self) -> Sequence[Claim]:
        far = max(
            abs(float(test) - expected(count, WEIGHTS)[1]) / float(error)
            for count, test, error in zip(THEORY, self.test_squares, self.deviations, strict=True)
        )
        train = {name: each.mean(1) for name, each in self.train_errors.items()}
        test = {name: each.mean(1) for name, each in self.test_errors.items()}
        narrow, _, wide = NETWORKS
        return [
            Claim(
                "With more rows the test error falls.",
                "D:2306",
                "; ".join(f"{name}: from {each[0]:.1%} to {each[-1]:.1%}" for name, each in test.items()) + ".",
                all(bool(each[-1] < each[0]) for each in test.values()),
            ),
            Claim(
                "And the training error rises: more rows are harder to fit.",
                "D:2306",
                "; ".join(f"{name}: from {each[0]:.1%} to {each[-1]:.1%}" for name, each in train.items()) + ".",
                all(bool(each[-1] > each[0]) for each in train.values()),
            ),
            Claim(
                "With high bias both meet, at a high error.",
                "D:2313",
                f"{narrow}: between the last two numbers of rows the test error goes from {test[narrow][-2]:.1%} to "
                f"{test[narrow][-1]:.1%}, where the training error is {train[narrow][-1]:.1%}.",
                bool(test[narrow][-1] - train[narrow][-1] < 0.05 and train[narrow][-1] > 0.05),
            ),
            Claim(
                "With high variance a gap lies between them, which more rows close.",
                "D:2320",
                f"{wide}: the gap is {test[wide][0] - train[wide][0]:.1%} with {self.rows[0]} rows, "
                f"{test[wide][-1] - train[wide][-1]:.1%} with {self.rows[-1]}.",
                bool(test[wide][-1] - train[wide][-1] < test[wide][0] - train[wide][0]),
            ),
            Claim(
                "Least squares has the errors 1 - p / n and 1 + p / (n - p - 1).",
                "closed form",
                f"The means of {DRAWS} draws lie at most {amount(far, 2)} standard errors from the second.",
                far < 4,
            ),
        ]

    def answer(self) -> str:
        narrow, _, wide = NETWORKS
        gains = {name: float(each.mean(1)[-3] - each.mean(1)[-1]) for name, each in self.test_errors.items()}
        return (
            f"From {self.rows[-3]} to {self.rows[-1]} rows the test error of the network with {wide} falls by "
            f"{gains[wide]:.1%}, that "
            f"with {narrow} by {gains[narrow]:.1%}."
        )

    def pictures(self) -> Sequence[Markup]:
        found = [self._both(name, len(self.rows)) for name in NETWORKS]
        found.append(
            lines(
                f"A linear unit of {WEIGHTS} weights, and the formulas",
                f"test error {amount(self.test_squares[0], 3)} with {THEORY[0]} rows, "
                f"{amount(self.test_squares[-1], 3)} "
                f"with {THEORY[-1]}",
                THEORY,
                {
                    "training": self.train_squares.tolist(),
                    "test": self.test_squares.tolist(),
                    "1 - p / n": [expected(count, WEIGHTS)[0] for count in THEORY],
                    "1 + p / (n - p - 1)": [expected(count, WEIGHTS)[1] for count in THEORY],
                },
                x_label="rows",
                y_label="mean squared error",
            )
        )
        return found

    def _both(self, name: str, count: int) -> Markup:
        box = frame((self.rows[0], self.rows[-1], True), (0.0, 0.9, False))
        marks: list[Markup | None] = []
        for errors, style in ((self.train_errors[name], 1), (self.test_errors[name], 2)):
            shown = errors[:count]
            marks += [
                box.band(self.rows[:count], shown.min(1).tolist(), shown.max(1).tolist(), style),
                box.line(self.rows[:count], shown.mean(1).tolist(), style),
            ]
        says = f"training error {self.train_errors[name][count - 1].mean():.1%}, test error "
        says += f"{self.test_errors[name][count - 1].mean():.1%} with {self.rows[count - 1]} rows"
        drawn = box.draw(name, says, *marks, x_label="rows that teach", y_label="share wrong")
        return figure(name.capitalize(), drawn, keys(("training", 1), ("test", 2)), f"{says.capitalize()}.")

    def players(self) -> Sequence[Player]:
        wide = list(NETWORKS)[-1]
        shown = range(2, len(self.rows) + 1)
        labels = [f"{self.rows[each - 1]} rows" for each in shown]
        return [Player("rows", f"More and more rows: {wide}", labels, [self._both(wide, each) for each in shown])]


def row_curve(*, seed: int = 0, seeds: int = 3, data: Any = None, target: Any = None) -> RowCurve:
    """Trains three networks on more and more digits, and a linear unit by least squares on more and more rows.

    Formula: the same number of steps whatever the rows; test rows are those that no training sees.
    Args:
        data, target: rows in place of the digits, and the column of their classes: a path, a data frame, an array.
    """
    rows_of = labelled(data, target, "row-curve")
    most = rows_of.taught(ROWS[-1])
    counts = (*(each for each in ROWS if each < most), most)
    train_errors: dict[str, np.ndarray] = {}
    test_errors: dict[str, np.ndarray] = {}
    for name, network in NETWORKS.items():
        found = [[_errors(rows_of, network, counts, count, seed + each) for each in range(seeds)] for count in counts]
        train_errors[name], test_errors[name] = np.moveaxis(np.array(found), 2, 0)
    rng = np.random.default_rng(seed)
    train_squares, test_squares, deviations = np.array([_squares(rng, count) for count in THEORY]).T
    return RowCurve(counts, train_errors, test_errors, train_squares, test_squares, deviations, rows_of.material)


def _errors(
    rows_of: Rows, network: Callable[[int], nn.Layer], counts: tuple[int, ...], count: int, seed: int
) -> tuple[float, float]:
    x, labels = rows_of.drawn(seed)
    batch, times = min(count, 40), counts[-1] // count  # the rows more than once, so that epochs are few
    config = Config(
        network(len(rows_of.classes)), nn.SoftmaxCrossEntropy(), Adam(), learning_rate=0.01, batch_size=batch,
        epochs=max(1, STEPS * batch // (count * times)), seed=seed, engine=Native("f32"),
    )  # fmt: skip
    learned = learn(config, Arrays(np.tile(x[:count], (times, 1)), np.tile(labels[:count], times)), judged=0)
    return learned.train_error, learned.error(x[counts[-1] :], labels[counts[-1] :])


def _squares(rng: np.random.Generator, count: int) -> tuple[float, float, float]:
    """Mean training and test error of least squares over many draws, and the standard error of the second."""
    x = rng.normal(size=(DRAWS, count, WEIGHTS))
    noise = rng.normal(size=(DRAWS, count, 1))
    off = np.linalg.pinv(x) @ noise  # of the weights from the true ones
    train = np.square(noise - x @ off).mean((1, 2))
    test = 1 + np.square(off).sum((1, 2))  # of inputs that are normal, exactly
    return float(train.mean()), float(test.mean()), float(test.std(ddof=1) / np.sqrt(DRAWS))


EXPERIMENT = Experiment(
    run=row_curve,
    title="What more rows do to the two errors",
    chapter="Choosing and judging",
    source="D:2306",
    says=(
        "With more training rows the test error falls and the training error rises towards it. Where bias is high they "
        "meet early and high; where variance is high the gap closes slowly."
    ),
    does=(
        "Networks of little, some and much freedom learn digits from 20 rows to more than a thousand. A linear unit "
        "learns noise by least squares, where calculus gives both errors."
    ),
    look="The gap between the lines, and the height at which they meet.",
    question="Which gains more from a doubling of 320 rows and another: a network of 2 hidden units, or one of 64?",
    changes=("seeds=8: narrower doubts; seed=5: other rows, the same shapes.",),
)
