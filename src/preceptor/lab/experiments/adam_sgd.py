"""SGD with momentum and decay against Adam, at many rates, over seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from preceptor import nn
from preceptor.engines import Native
from preceptor.lab.digit_training import course
from preceptor.lab.drawing import lines
from preceptor.lab.experiment import Claim, Experiment, Figures, Material, Player, Table
from preceptor.lab.own_data import DIGITS, labelled
from preceptor.page.markup import Markup
from preceptor.train import SGD, Adam, Config, Constant, Cosine, HeavyBall
from preceptor.train.optim import Optimiser
from preceptor.train.programs import Programs
from preceptor.train.schedule import Schedule
from preceptor.words import amount, counted

WAYS: dict[str, tuple[Optimiser, Schedule]] = {
    "momentum and decay": (HeavyBall(0.9), Cosine()),
    "momentum": (HeavyBall(0.9), Constant()),
    "SGD": (SGD(), Constant()),
    "Adam": (Adam(), Constant()),
}
RATES = tuple(float(f"{each:.2g}") for each in np.geomspace(3e-4, 3, 9))
GOOD = 1.25  # times the lowest mean dev loss: a rate within it counts as one that works; chosen by eye


@dataclass(frozen=True, eq=False)
class AdamSgd(Figures):
    """Dev losses and errors at the end of each training, infinite and 1 where it diverged.

    Shapes: losses, errors {way: (rate, seed)}; curves {way: (epoch,)}, dev loss of the first seed at the best rate.
    """

    seeds: int
    losses: dict[str, np.ndarray]
    errors: dict[str, np.ndarray]
    curves: dict[str, np.ndarray]
    material: Material = DIGITS

    def mean(self, way: str) -> np.ndarray:
        """Dev loss at the end by rate. Shapes: -> (rate,)."""
        return np.asarray(self.losses[way].mean(axis=1))

    def best(self, way: str) -> int:
        """The place of the rate whose mean dev loss is the lowest."""
        return int(np.argmin(self.mean(way)))

    def width(self, way: str) -> float:
        """The largest rate over the smallest around the best that work, between those tried by a straight line.

        Formula: along log(rate), from the best one both ways to where the mean dev loss is GOOD times the lowest.
        """
        logs, losses = np.log(RATES), np.minimum(self.mean(way), 10.0)
        bound, best = GOOD * float(losses.min()), self.best(way)
        ends = []
        for places in (range(best, -1, -1), range(best, len(RATES))):
            end = float(logs[places[-1]])
            for near, far in pairwise(places):
                if losses[far] > bound:
                    share = (bound - losses[near]) / (losses[far] - losses[near])
                    end = float(logs[near] + share * (logs[far] - logs[near]))
                    break
            ends.append(end)
        return float(np.exp(ends[1] - ends[0]))

    def tables(self) -> Sequence[Table]:
        rows = [
            [
                way,
                amount(RATES[self.best(way)]),
                amount(self.mean(way).min()),
                amount(self.losses[way][self.best(way)].std()),
                f"{self.errors[way][self.best(way)].mean():.1%}",
                amount(self.width(way), 3),
            ]
            for way in WAYS
        ]
        heads = (
            "way", "best rate", "mean dev loss there", "its spread over seeds", "dev error",
            f"largest / smallest rate within {GOOD} times of it",
        )  # fmt: skip
        grid = [[way, *(_loss(each) for each in self.mean(way))] for way in WAYS]
        return [
            Table(f"{self.material.title}, over {counted(self.seeds, 'seed')}", heads, rows),
            Table("Mean dev loss by rate", ("way", *(amount(rate, 2) for rate in RATES)), grid),
        ]

    def claims(self) -> Sequence[Claim]:
        ours, adam = self.losses["momentum and decay"], self.losses["Adam"]
        apart = ours[self.best("momentum and decay")] - adam[self.best("Adam")]
        wins = int((apart < 0).sum())
        wide = {way: self.width(way) for way in ("momentum and decay", "momentum", "Adam")}
        usual = int(np.abs(np.log(np.array(RATES) / Adam.usual_rate)).argmin())
        return [
            Claim(
                "SGD + momentum with learning rate decay often outperforms Adam by a bit.",
                "D:1629",
                f"Each at its best rate, its dev loss is lower in {wins} of {counted(self.seeds, 'seed')}, "
                f"by {amount(-float(apart.mean()), 2)} in the mean.",
                wins > self.seeds / 2 and float(apart.mean()) < 0,
            ),
            Claim(
                "The learning rate is more critical with SGD + momentum, less with Adam.",
                "D:1630",
                f"Within {GOOD} times its best dev loss the rates of momentum and decay span a factor of "
                f"{amount(wide['momentum and decay'], 3)}, those of momentum alone {amount(wide['momentum'], 3)}, "
                f"those of Adam {amount(wide['Adam'], 3)}.",
                wide["Adam"] > max(wide["momentum and decay"], wide["momentum"]),
            ),
            Claim(
                "Adam is a good default choice in many cases.",
                "D:1628",
                f"At {amount(RATES[usual], 2)}, about its usual rate, its dev loss is "
                f"{amount(self.mean('Adam')[usual])}, at its best rate {amount(self.mean('Adam').min())}.",
                bool(self.mean("Adam")[usual] <= 2 * self.mean("Adam").min()),
            ),
        ]

    def answer(self) -> str:
        order = sorted(WAYS, key=lambda way: float(self.mean(way).min()))
        return (
            "In the mean over seeds, each at its best rate: "
            + ", ".join(f"{way} {amount(self.mean(way).min())}" for way in order)
            + "."
        )

    def pictures(self) -> Sequence[Markup]:
        return [
            lines(
                "Dev loss at the end by rate, mean over seeds",
                "; ".join(f"{way}: {amount(self.mean(way).min())} at {amount(RATES[self.best(way)])}" for way in WAYS),
                [float(np.log10(rate)) for rate in RATES],
                {way: np.minimum(self.mean(way), 3.0).tolist() for way in WAYS},
                x_label="log10 of the rate",
                y_label="dev loss (nats)",
                y=(0.0, 2.5),
            ),
            lines(
                "Dev loss over the epochs, each at its best rate",
                "; ".join(f"{way}: {amount(each[-1])} at the end" for way, each in self.curves.items()),
                range(1, 1 + max(map(len, self.curves.values()))),
                {way: each.tolist() for way, each in self.curves.items()},
                x_label="epoch",
                y_label="dev loss (nats)",
                y=(0.0, 1.0),
            ),
        ]

    def players(self) -> Sequence[Player]:
        pictures = []
        for seed in range(self.seeds):
            lowest = {way: float(self.losses[way][:, seed].min()) for way in WAYS}
            pictures.append(
                lines(
                    f"Seed {seed + 1} of {self.seeds}",
                    "; ".join(f"{way}: {amount(each)}" for way, each in lowest.items()),
                    [float(np.log10(rate)) for rate in RATES],
                    {way: np.minimum(self.losses[way][:, seed], 3.0).tolist() for way in WAYS},
                    x_label="log10 of the rate",
                    y_label="dev loss (nats)",
                    y=(0.0, 1.0),
                )
            )
        if self.seeds < 2:
            return []
        return [Player("seeds", "Seed by seed", [f"seed {each + 1}" for each in range(self.seeds)], pictures)]


def _loss(value: float) -> str:
    return amount(value) if np.isfinite(value) else "diverged"


def config_of(way: str, rate: float, epochs: int, seed: int, classes: int = 10) -> Config:
    """What is trained."""
    optimiser, schedule = WAYS[way]
    return Config(
        nn.mlp((16,), classes), nn.SoftmaxCrossEntropy(), optimiser, schedule=schedule, learning_rate=rate,
        batch_size=20, epochs=epochs, seed=seed, engine=Native("f32"),
    )  # fmt: skip


def adam_sgd(*, seed: int = 0, seeds: int = 4, epochs: int = 12, data: Any = None, target: Any = None) -> AdamSgd:
    """Trains one network on the bundled digits by four ways at nine rates, with several seeds.

    Formula: 16 hidden units, softmax cross-entropy, batches of 20 of 600 rows; a seed draws rows and first weights.
    Args:
        seed: the first of them.
        seeds: how many.
        epochs: of each training.
        data, target: rows in place of the digits, and the column of their classes: a path, a data frame, an array.
    """
    count = max(1, seeds)
    losses = {way: np.full((len(RATES), count), np.inf) for way in WAYS}
    errors = {way: np.ones((len(RATES), count)) for way in WAYS}
    kept = {}
    programs, rows_of = Programs(), labelled(data, target, "adam-sgd")
    classes = len(rows_of.classes)
    for each in range(count):
        parts = rows_of.parts(600, 400, seed + each)
        for way in WAYS:
            for place, rate in enumerate(RATES):
                found = course(config_of(way, rate, epochs, seed + each, classes), parts, programs)
                if len(found.dev_losses) == epochs:
                    losses[way][place, each] = found.dev_losses[-1]
                    errors[way][place, each] = found.dev_errors[-1]
                if each == 0:
                    kept[way, place] = found.dev_losses
    curves = {way: kept[way, int(np.argmin(losses[way].mean(axis=1)))] for way in WAYS}
    return AdamSgd(count, losses, errors, curves, rows_of.material)


EXPERIMENT = Experiment(
    run=adam_sgd,
    title="SGD with momentum and decay against Adam",
    chapter="Descent",
    source="D:1623",
    says=(
        "Adam is a good default choice in many cases; SGD with momentum and learning rate decay often outperforms it "
        "by a bit, but requires more tuning; the learning rate is less critical with Adam."
    ),
    does=(
        "One small network learns the bundled digits by both, and by two plainer ways, at nine rates from 0.0003 to 3, "
        "with several seeds. The loss is that of rows which teach nothing."
    ),
    look="How low each curve comes, and how wide its floor is: that is how much tuning it needs.",
    question="Each at its best rate: does SGD, momentum, momentum with decay or Adam end with the lowest dev loss?",
    changes=(
        "epochs=40: all come lower, and more rates work.",
        "seeds=8: whether the order stays.",
        "epochs=3: too few for small rates; what adapts is ahead.",
    ),
)
