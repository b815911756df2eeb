"""The recipe's table of training and test errors, read; and trainings that end in each of its columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from preceptor import nn
from preceptor.diagnose.curve import HIGH, bias_and_variance
from preceptor.engines import Native
from preceptor.lab.experiment import Claim, Experiment, Figures, Material, Table
from preceptor.lab.learned import learn
from preceptor.lab.own_data import DIGITS, labelled
from preceptor.page.chart import Bar, figure, rows
from preceptor.page.markup import Markup
from preceptor.train import Adam, Arrays, Config

# Training error, test error, and what the text calls it: high bias, high variance.
COLUMNS = (
    (0.01, 0.11, (False, True)),
    (0.15, 0.10, (True, False)),
    (0.15, 0.30, (True, True)),
    (0.005, 0.01, (False, False)),
)
# What is trained, hidden units, rows that teach, epochs; and what is to be expected of it.
TRAINED = {
    "many units, few rows": (64, 60, 100, (False, True)),
    "few units, many rows": (2, 1200, 60, (True, False)),
    "few units, few rows": (2, 60, 60, (True, True)),
    "many units, many rows": (64, 1200, 30, (False, False)),
}


def words_of(reading: tuple[bool, bool]) -> str:
    """What the text calls it."""
    return {
        (False, True): "high variance",
        (True, False): "high bias",
        (True, True): "high bias and variance",
        (False, False): "low bias and variance",
    }[reading]


@dataclass(frozen=True, eq=False)
class BiasVariance(Figures):
    """Readings of the text's four columns, and errors of trainings.

    Args:
        readings: whether bias and variance of each column are high.
        train_errors, test_errors: {what was trained: of each seed}; rows: {the same: how many taught}.

    Shapes: errors (seed,).
    """

    readings: tuple[tuple[bool, bool], ...]
    train_errors: dict[str, np.ndarray]
    test_errors: dict[str, np.ndarray]
    rows: dict[str, int]
    material: Material = DIGITS

    def read(self, name: str) -> tuple[bool, bool]:
        """The reading of a training's mean errors."""
        return bias_and_variance(float(self.train_errors[name].mean()), float(self.test_errors[name].mean()))

    def tables(self) -> Sequence[Table]:
        text = [
            [f"column {1 + place}", f"{train:.1%}", f"{test:.1%}", words_of(named), words_of(self.readings[place])]
            for place, (train, test, named) in enumerate(COLUMNS)
        ]
        trained = [
            [
                name,
                f"{self.train_errors[name].mean():.1%}",
                f"{self.test_errors[name].mean():.1%}",
                words_of(self.read(name)),
            ]
            for name in TRAINED
        ]
        return [
            Table("The text's table", ("", "training error", "test error", "the text says", "read as"), text),
            Table(
                f"Networks on {self.material.name}, means over {len(next(iter(self.test_errors.values())))} seeds",
                ("network", "training error", "test error", "read as"),
                trained,
            ),
        ]

    def claims(self) -> Sequence[Claim]:
        found = [
            Claim(
                f"Training error {train:.1%} and test error {test:.1%}: {words_of(named)}.",
                "D:2341",
                f"Read as {words_of(self.readings[place])}: the training error is "
                f"{'above' if train > HIGH else 'within'} {HIGH:.0%}, and that on test rows lies {test - train:+.1%} "
                "from it.",
                self.readings[place] == named,
            )
            for place, (train, test, named) in enumerate(COLUMNS)
        ]
        meant = () if self.notes else TRAINED.items()  # what is to be expected of digits is not of other data
        for name, (*_, expected) in meant:
            train, test = float(self.train_errors[name].mean()), float(self.test_errors[name].mean())
            found.append(
                Claim(
                    f"{name.capitalize()}: {words_of(expected)}.",
                    "theory",
                    f"Training error {train:.1%}, test error {test:.1%}: {words_of(self.read(name))}.",
                    self.read(name) == expected,
                )
            )
        return found

    def answer(self) -> str:
        return (
            "; ".join(
                f"{train:.1%} and {test:.1%}: {words_of(self.readings[place])}"
                for place, (train, test, _) in enumerate(COLUMNS)
            )
            + "."
        )

    def pictures(self) -> Sequence[Markup]:
        text = []
        for place, (train, test, _) in enumerate(COLUMNS, 1):
            text.append(Bar(f"column {place}, training", train, words=f"{train:.1%}"))
            text.append(Bar("test", test, words=f"{test:.1%}"))
        bars = []
        for name, (units, *_) in TRAINED.items():
            for label, errors in (
                (f"{units} units, {self.rows[name]} rows", self.train_errors),
                ("test rows", self.test_errors),
            ):
                mean = float(errors[name].mean())
                low, high = float(errors[name].min()), float(errors[name].max())
                bars.append(Bar(label, mean, low, high, f"{mean:.1%}"))
        highest = max(float(each.max()) for each in self.test_errors.values())
        says = "; ".join(f"{name}: {words_of(self.read(name))}" for name in TRAINED)
        titles = ("The text's four columns", "Errors of the trainings, with the lowest and highest seed")
        return [
            figure(titles[0], rows(titles[0], self.answer(), text, (0.0, 0.32))),
            figure(titles[1], rows(titles[1], says, bars, (0.0, highest * 1.05))),
        ]


def bias_variance(*, seed: int = 0, seeds: int = 3, data: Any = None, target: Any = None) -> BiasVariance:
    """Reads the table of the recipe, and trains networks that belong into its columns.

    Formula: bias is high where the training error is above 5 %, variance where the test error lies more than 5 % above
        it: the rule by which `preceptor fit` reads its own curves.
    Args:
        data, target: rows in place of the digits, and the column of their classes: a path, a data frame, an array.
    """
    rows_of = labelled(data, target, "bias-variance")
    most = rows_of.taught(1200)
    counts = {name: min(count, most) for name, (_, count, *_) in TRAINED.items()}
    readings = tuple(bias_and_variance(train, test) for train, test, _ in COLUMNS)
    train_errors, test_errors = {}, {}
    for name, (units, _, epochs, _) in TRAINED.items():
        found, count = [], counts[name]
        for number in range(seeds):
            x, labels = rows_of.drawn(seed + number)
            config = Config(
                nn.mlp((units,), len(rows_of.classes), activation=nn.Tanh()), nn.SoftmaxCrossEntropy(), Adam(),
                learning_rate=0.005, epochs=epochs, seed=seed + number, engine=Native("f32"),
            )  # fmt: skip
            learned = learn(config, Arrays(x[:count], labels[:count], x[most:], labels[most:]))
            found.append((learned.train_error, learned.dev_error))
        train_errors[name], test_errors[name] = np.array(found).T
    return BiasVariance(readings, train_errors, test_errors, counts, rows_of.material)


EXPERIMENT = Experiment(
    run=bias_variance,
    title="High bias, high variance: reading two errors",
    chapter="Choosing and judging",
    source="D:2327",
    says=(
        "Four pairs of training and test error: 1 and 11 % is high variance, 15 and 10 % high bias, 15 and 30 % both, "
        "0.5 and 1 % neither."
    ),
    does=(
        "The pairs are read by the rule that the library uses for every training. Then networks with few and many "
        "units "
        "learn digits from few and many rows, and are read the same way."
    ),
    look="The bars: a long first one is bias, a second one much longer than the first is variance.",
    question="How would you call 1 % and 11 %, 15 % and 10 %, 15 % and 30 %, 0.5 % and 1 %?",
    changes=("seed=3: other rows; the readings of the means should stay.",),
)
