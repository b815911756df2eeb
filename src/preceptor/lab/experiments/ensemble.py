"""Several networks averaged: error against their number, and what it cannot fall below."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from preceptor import nn
from preceptor.engines import Native
from preceptor.lab.drawing import lines
from preceptor.lab.experiment import Claim, Experiment, Figures, Material, Player, Table
from preceptor.lab.learned import learn, wrong
from preceptor.lab.own_data import DIGITS, labelled
from preceptor.page.markup import Markup
from preceptor.train import Adam, Arrays, Config
from preceptor.train.programs import Programs
from preceptor.words import amount

MOST = 8  # networks
ALIKE = ((32,),) * MOST
DIFFERENT = ((8,), (16,), (32,), (64,), (128,), (16, 16), (32, 32), (64, 64))
GROUPS = {"one structure": ALIKE, "different structures": DIFFERENT}
SHARES = (0.0, 0.3, 0.7, 1.0)  # correlations of made-up errors
DRAWS = 20_000


def limit(correlation: float, count: int) -> float:
    """Variance of a mean of numbers of variance 1 that are correlated.

    Formula: rho + (1 - rho) / M.
    """
    return correlation + (1 - correlation) / count


@dataclass(frozen=True, eq=False)
class Ensemble(Figures):
    """Variances of means of made-up errors, and networks averaged.

    Args:
        variances: {correlation: of the mean of 1 to MOST}.
        squares: {group: mean squared error of the probabilities, of averages of 1 to MOST}, over all choices.
        alone, together: {group: mean square of one network's errors, and mean product of two networks'}.
        errors: {group: share of wrong rows, likewise over all choices}.
        best: {group: lowest error of one network}.

    Shapes: variances, squares, errors (number,).
    """

    variances: dict[float, np.ndarray]
    squares: dict[str, np.ndarray]
    alone: dict[str, float]
    together: dict[str, float]
    errors: dict[str, np.ndarray]
    best: dict[str, float]
    material: Material = DIGITS

    def formula(self, group: str) -> np.ndarray:
        """C + (V - C) / M: V alone, C together. Shapes: -> (number,)."""
        return self.together[group] + (self.alone[group] - self.together[group]) / np.arange(1, MOST + 1)

    def correlation(self, group: str) -> float:
        """Of the errors of two networks of the group."""
        return self.together[group] / self.alone[group]

    def tables(self) -> Sequence[Table]:
        made = [
            [str(count), *(amount(self.variances[share][count - 1]) for share in SHARES)]
            for count in range(1, MOST + 1)
        ]
        found = [
            [
                str(count),
                *(
                    cell
                    for group in GROUPS
                    for cell in (amount(self.squares[group][count - 1]), f"{self.errors[group][count - 1]:.2%}")
                ),
            ]
            for count in range(1, MOST + 1)
        ]
        heads = [f"{group}, {what}" for group in GROUPS for what in ("squared error", "share wrong")]
        return [
            Table(
                "Variance of the mean of made-up errors",
                ("averaged", *(f"correlation {amount(share)}" for share in SHARES)),
                made,
            ),
            Table(f"Networks on {self.material.name}, means over all choices of so many", ("averaged", *heads), found),
        ]

    def claims(self) -> Sequence[Claim]:
        off = max(
            abs(float(self.variances[share][count - 1]) / limit(share, count) - 1)
            for share in SHARES
            for count in range(1, MOST + 1)
        )
        apart = max(float(np.abs(self.squares[group] - self.formula(group)).max()) for group in GROUPS)
        alike, different = GROUPS
        return [
            Claim(
                "Averaging reduces generalization error.",
                "D:1838",
                f"One network errs on {self.errors[alike][0]:.2%} of the test rows in the mean, the best of them on "
                f"{self.best[alike]:.2%}, {MOST} together on {self.errors[alike][-1]:.2%}.",
                bool(self.errors[alike][-1] < self.errors[alike][0]),
            ),
            Claim(
                "Train a bunch of networks with different structures.",
                "D:1832",
                f"Their errors are correlated by {amount(self.correlation(different), 2)}, those of one structure by "
                f"{amount(self.correlation(alike), 2)}; {MOST} together err on {self.errors[different][-1]:.2%}.",
                self.correlation(different) < self.correlation(alike),
            ),
            Claim(
                "The variance of a mean of M is rho + (1 - rho) / M: 1 / M of independent errors.",
                "closed form",
                f"Of {DRAWS:,} draws it differs from that by at most {off:.1%}.",
                off < 0.06,
            ),
            Claim(
                "The squared error of an average of M networks is C + (V - C) / M in the mean, C the mean product of "
                "two networks' errors, V the mean square of one's.",
                "closed form",
                f"The errors found differ from that by at most {amount(apart, 1)}.",
                apart < 1e-6,
            ),
        ]

    def answer(self) -> str:
        group = next(iter(GROUPS))
        return (
            f"No: the errors of two networks are correlated by {amount(self.correlation(group), 2)}, so that "
            f"{MOST} networks have {self.squares[group][-1] / self.squares[group][0]:.0%} of the squared error of one, "
            f"and any number would keep {self.correlation(group):.0%}."
        )

    def _up_to(self, group: str, count: int) -> Markup:
        numbers = list(range(1, MOST + 1))
        gap: list[float | None] = [None] * (MOST - count)
        return lines(
            f"Squared error by number of networks: {group}",
            f"{amount(self.squares[group][count - 1])} of {count}",
            numbers,
            {
                "found": [*self.squares[group][:count].tolist(), *gap],
                "C + (V - C) / M": self.formula(group).tolist(),
                "limit C": [self.together[group]] * MOST,
                "if independent": (self.alone[group] / np.array(numbers)).tolist(),
            },
            x_label="networks averaged",
            y_label="mean squared error",
        )

    def pictures(self) -> Sequence[Markup]:
        numbers = list(range(1, MOST + 1))
        return [
            *(self._up_to(group, MOST) for group in GROUPS),
            lines(
                "Share of wrong test rows",
                "; ".join(f"{group}: {each[-1]:.2%} of {MOST}" for group, each in self.errors.items()),
                numbers,
                {group: each.tolist() for group, each in self.errors.items()},
                x_label="networks averaged",
                y_label="share wrong",
            ),
            lines(
                "Variance of the mean of made-up errors",
                f"independent ones: {amount(self.variances[0.0][-1], 3)} of {MOST}",
                numbers,
                {f"correlation {amount(share)}": each.tolist() for share, each in self.variances.items()},
                x_label="averaged",
                y_label="variance",
            ),
        ]

    def players(self) -> Sequence[Player]:
        group = next(iter(GROUPS))
        labels = [f"{count} networks" for count in range(2, MOST + 1)]
        return [Player("networks", "One network more", labels, [self._up_to(group, at) for at in range(2, MOST + 1)])]


def ensemble(*, seed: int = 0, rows: int = 250, epochs: int = 25, data: Any = None, target: Any = None) -> Ensemble:
    """Averages made-up errors, and the probabilities of networks that learned the same digits from other first weights.

    Args:
        rows: digits that teach; the others judge.
        epochs: of each of the trainings.
        data, target: rows in place of the digits, and the column of their classes: a path, a data frame, an array.
    """
    rng = np.random.default_rng(seed)
    variances = {}
    for share in SHARES:
        common, own = rng.normal(size=(DRAWS, 1)), rng.normal(size=(DRAWS, MOST))
        made = np.sqrt(share) * common + np.sqrt(1 - share) * own
        means = np.cumsum(made, 1) / np.arange(1, MOST + 1)
        variances[share] = np.square(means).mean(0)
    rows_of = labelled(data, target, "ensemble")
    (x, labels), rows, classes = rows_of.drawn(seed), rows_of.taught(rows), len(rows_of.classes)
    truth = np.eye(classes)[labels[rows:]]
    taught, programs = Arrays(x[:rows], labels[:rows]), Programs()
    squares, alone, together, errors, best = {}, {}, {}, {}, {}
    for group, structures in GROUPS.items():
        found = []
        for number, hidden in enumerate(structures):
            config = Config(
                nn.mlp(hidden, classes), nn.SoftmaxCrossEntropy(), Adam(), learning_rate=0.01, epochs=epochs,
                seed=seed + number, engine=Native("f32"),
            )  # fmt: skip
            logits = learn(config, taught, 0, programs).outputs(x[rows:]).astype(np.float64)
            found.append(np.asarray(config.loss.predict(logits)))
        members = np.array(found)
        products = np.einsum("mrc,nrc->mn", members - truth, members - truth) / len(truth)
        alone[group] = float(np.trace(products) / MOST)
        together[group] = float((products.sum() - np.trace(products)) / (MOST * (MOST - 1)))
        each = [_averages(members, truth, labels[rows:], count) for count in range(1, MOST + 1)]
        squares[group], errors[group] = np.array(each).T
        best[group] = min(wrong(member, labels[rows:]) for member in members)
    return Ensemble(variances, squares, alone, together, errors, best, rows_of.material)


def _averages(members: np.ndarray, truth: np.ndarray, y: np.ndarray, count: int) -> tuple[float, float]:
    """Mean squared error and share wrong of averages of so many members, over all choices of them."""
    found = []
    for chosen in combinations(range(len(members)), count):
        mean = members[list(chosen)].mean(0)
        found.append((np.square(mean - truth).sum(1).mean(), wrong(mean, y)))
    squares, errors = np.mean(found, 0)
    return float(squares), float(errors)


EXPERIMENT = Experiment(
    run=ensemble,
    title="More networks, and what averaging cannot take away",
    chapter="Regularisation",
    source="D:1827",
    says="Train a bunch of networks with different structures: averaged, their generalization error is lower.",
    does=(
        "Networks of one structure and of different ones learn the same digits; the mean of their probabilities is "
        "judged for every choice of 1, 2, ... of them. Beside it, errors made up with a given correlation."
    ),
    look="The line falls fast at first, then lies on its limit: what all networks get wrong alike.",
    question="If one network has a squared error of V, has the average of very many none?",
    changes=(
        "rows=60: fewer rows teach; the networks differ more and gain more.",
        "epochs=3: networks that have learned little differ little in what they get wrong.",
    ),
)
