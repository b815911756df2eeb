"""Grid against random search where one setting matters."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from preceptor import nn
from preceptor.engines import Native
from preceptor.errors import ConfigError
from preceptor.lab.drawing import lines
from preceptor.lab.experiment import Claim, Experiment, Figures, Material, Player, Table
from preceptor.lab.learned import learn
from preceptor.lab.own_data import DIGITS, labelled
from preceptor.page.chart import Frame, figure, frame, keys
from preceptor.page.markup import Markup
from preceptor.train import L2, Adam, Arrays, Config
from preceptor.train.programs import Programs
from preceptor.tuning.record import Dimension
from preceptor.tuning.samplers import Grid, Random
from preceptor.tuning.samplers.base import Sampler
from preceptor.tuning.space import Axis, Space
from preceptor.words import amount, with_error

SAMPLERS: dict[str, Sampler] = {"grid": Grid(), "random": Random()}
COUNTS = (4, 9, 16, 25, 36, 64)
REPEATS = 150  # searches of which a mean distance is taken
TARGETS = 4000
RATE, PENALTY = (1e-4, 3.0), (1e-9, 1e-6)  # what is searched on digits: one that matters, one that does not


def points_of(sampler: str, trials: int, dimensions: int, seed: int) -> np.ndarray:
    """Where the trials of a search lie. Shapes: -> (trial, dimension), 0 to 1."""
    axes = tuple(Axis(Dimension(name=f"setting{each}", low=0.0, high=1.0)) for each in range(dimensions))
    return np.array(SAMPLERS[sampler].points(Space(axes), seed, 1, trials, ()))


def nearest(points: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """How far the nearest trial lies from each target. Shapes: (trial, dimension), (target, dimension) -> (target,)."""
    return np.sqrt(np.square(points[:, None] - targets).sum(2)).min(0)


def by_formula(sampler: str, trials: int, dimensions: int) -> float:
    """Mean distance, along one setting, from a place that may be anywhere to the nearest trial.

    Formula: of k values in the middles of k equal parts 1 / (4 k); of n drawn ones (n + 3) / (2 (n + 1) (n + 2)).
    """
    if sampler == "grid":
        return 1 / (4 * round(trials ** (1 / dimensions)))
    return (trials + 3) / (2 * (trials + 1) * (trials + 2))


@dataclass(frozen=True, eq=False)
class Searching(Figures):
    """Distances from the best place, and trainings.

    Args:
        along: {sampler: mean distance from the best value of the one setting that matters, by number of trials}.
        overall: the same where all settings matter alike.
        distinct: {sampler: how many values of one setting were tried, of `trials`}.
        rates, losses: of the trials on digits: learning rates and dev losses, {sampler: of each search and trial}.

    Shapes: points {sampler: (trial, dimension)}; along, overall (count,); rates, losses (search, trial).
    """

    trials: int
    dimensions: int
    points: dict[str, np.ndarray]
    along: dict[str, np.ndarray]
    overall: dict[str, np.ndarray]
    distinct: dict[str, int]
    rates: dict[str, np.ndarray]
    losses: dict[str, np.ndarray]
    material: Material = DIGITS

    def best(self, sampler: str) -> np.ndarray:
        """The best loss of each search. Shapes: -> (search,)."""
        return self.losses[sampler].min(1)

    def counts(self) -> list[int]:
        """The numbers of trials, each a whole power."""
        return [side**self.dimensions for side in self._sides()]

    def _sides(self) -> list[int]:
        return sides_of(self.dimensions)

    def tables(self) -> Sequence[Table]:
        rows = [
            [
                str(count),
                *(
                    cell
                    for sampler in SAMPLERS
                    for cell in (
                        amount(self.along[sampler][place]),
                        amount(by_formula(sampler, count, self.dimensions)),
                        amount(self.overall[sampler][place]),
                    )
                ),
            ]
            for place, count in enumerate(self.counts())
        ]
        heads = [f"{sampler}, {what}" for sampler in SAMPLERS for what in ("one matters", "formula", "all matter")]
        found = [
            [
                sampler,
                str(self.distinct[sampler]),
                amount(self.best(sampler).mean()),
                amount(self.best(sampler).min()),
                amount(self.best(sampler).max()),
            ]
            for sampler in SAMPLERS
        ]
        return [
            Table("Mean distance of the nearest trial from the best place", ("trials", *heads), rows),
            Table(
                f"{self.trials} trials on {self.material.name}, dev loss (nats)",
                ("search", "distinct rates", "best, mean of the searches", "lowest", "highest"),
                found,
            ),
        ]

    def claims(self) -> Sequence[Claim]:
        off = max(
            abs(float(self.along[sampler][place]) / by_formula(sampler, count, self.dimensions) - 1)
            for sampler in SAMPLERS
            for place, count in enumerate(self.counts())
        )
        last = len(self.counts()) - 1
        grid, drawn = (self.along[sampler][last] for sampler in SAMPLERS)
        grid_all, drawn_all = (self.overall[sampler][last] for sampler in SAMPLERS)
        best = {sampler: self.best(sampler) for sampler in SAMPLERS}
        better = int((best["random"] < best["grid"].mean()).sum())
        return [
            Claim(
                "Random search explores more samples at each axis.",
                "D:2267",
                f"Of {self.trials} trials a grid has {self.distinct['grid']} values of one setting, random search "
                f"{self.distinct['random']}.",
                self.distinct["random"] > self.distinct["grid"],
            ),
            Claim(
                "It is especially useful if one axis is more important than the others.",
                "D:2267",
                f"With {self.counts()[-1]} trials the best value of that axis lies {amount(float(drawn), 2)} from the "
                f"nearest in the mean, on a grid {amount(float(grid), 2)}.",
                bool(drawn < grid),
            ),
            Claim(
                "On a grid the mean distance is 1 / (4 k) of k values, of n drawn ones (n + 3) / (2 (n + 1) (n + 2)).",
                "closed form",
                f"The distances found differ from that by at most {off:.1%}.",
                off < 0.05,
            ),
            Claim(
                "Where all settings matter alike, a full grid lies closer to any place.",
                "theory",
                f"The nearest drawn trial lies {amount(float(drawn_all), 2)} away, on a grid "
                f"{amount(float(grid_all), 2)}.",
                bool(drawn_all > grid_all),
            ),
            Claim(
                f"So it is on {self.material.name}, where the learning rate matters and a tiny L2 does not.",
                "D:2267",
                f"Random search finds a mean loss of {with_error(best['random'].mean(), _error(best['random']))}, the "
                "grid "
                f"{amount(best['grid'].mean())}; {better} of {len(best['random'])} random searches beat the grid.",
                bool(best["random"].mean() + 2 * _error(best["random"]) < best["grid"].mean()),
            ),
        ]

    def answer(self) -> str:
        return (
            f"The grid tries {self.distinct['grid']} rates, random search {self.distinct['random']}. From the best "
            "value "
            f"they lie {amount(by_formula('grid', self.trials, self.dimensions), 2)} and "
            f"{amount(by_formula('random', self.trials, self.dimensions), 2)} of the axis away in the mean."
        )

    def _scatter(self, trials: int) -> Markup:
        box = frame((0.0, 1.0, False), (0.0, 1.0, False))
        marks: list[Markup | None] = []
        for style, sampler in ((2, "grid"), (1, "random")):
            found = points_of(sampler, trials, self.dimensions, 0)
            marks += [_feet(box, found[:, 0], style), box.dots(found[:, 0].tolist(), found[:, -1].tolist(), style, 7)]
        title = f"{trials} trials"
        says = f"grid {round(trials ** (1 / self.dimensions))} values of the setting that matters, random {trials}"
        drawn = box.draw(title, says, *marks, x_label="the setting that matters", y_label="one that does not")
        return figure(
            title, drawn, keys(("random", 1), ("grid", 2)), f"{says.capitalize()}; see the marks at the foot."
        )

    def pictures(self) -> Sequence[Markup]:
        counts = self.counts()
        order = {sampler: np.argsort(self.rates[sampler].ravel()) for sampler in SAMPLERS}
        all_rates, all_losses = self.rates["random"].ravel(), self.losses["random"].ravel()
        box = frame((*RATE, True), (0.0, float(np.nanmax(all_losses)) * 1.05, False))
        grid_rates, grid_losses = (each["grid"].ravel()[order["grid"]] for each in (self.rates, self.losses))
        drawn = box.draw(
            "Dev loss by learning rate",
            f"lowest {amount(float(np.nanmin(all_losses)))}",
            box.dots(all_rates.tolist(), all_losses.tolist(), 1, 4),
            box.dots(grid_rates.tolist(), grid_losses.tolist(), 2, 8),
            x_label="learning rate",
            y_label="loss (nats)",
        )
        return [
            self._scatter(self.trials),
            figure(
                f"Trials on {self.material.name}: dev loss by learning rate",
                drawn,
                keys(("random, all searches", 1), ("grid", 2)),
            ),
            lines(
                "Distance from the best place",
                f"random {amount(float(self.along['random'][-1]), 2)}, grid {amount(float(self.along['grid'][-1]), 2)} "
                "at the most trials where one matters",
                counts,
                {
                    "grid, one matters": self.along["grid"].tolist(),
                    "random, one matters": self.along["random"].tolist(),
                    "grid, all matter": self.overall["grid"].tolist(),
                    "random, all matter": self.overall["random"].tolist(),
                },
                x_label="trials",
                y_label="share of an axis",
            ),
        ]

    def players(self) -> Sequence[Player]:
        counts = self.counts()
        return [
            Player("trials", "More trials", [f"{each} trials" for each in counts], list(map(self._scatter, counts)))
        ]


def _feet(box: Frame, x: np.ndarray, style: int) -> Markup | None:
    """Short marks at the foot, one at each place; broken between."""
    at, up = [], []
    low, high = (0.0, 0.03) if style == 1 else (0.035, 0.065)
    for each in x.tolist():
        at += [each, each, each]
        up += [low, high, None]
    return box.line(at, up, f"{style} feet") if at else None


def _error(values: np.ndarray) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def sides_of(dimensions: int) -> list[int]:
    """Values of each setting on the grids that are tried."""
    return [side for side in (2, 3, 4, 5, 6, 8) if side**dimensions <= COUNTS[-1]]


def searching(
    *,
    seed: int = 0,
    trials: int = 9,
    dimensions: int = 2,
    searches: int = 6,
    rows: int = 300,
    epochs: int = 12,
    data: Any = None,
    target: Any = None,
) -> Searching:
    """Compares where grid and random search look, and searches a learning rate beside a setting without effect.

    Args:
        trials: of a search on digits; a whole number to the power of dimensions.
        dimensions: settings, 2 or 3, of which one matters.
        searches: random ones on digits; the grid is always the same.
        rows, epochs: of the trainings on digits.
        data, target: rows in place of the digits, and the column of their classes: a path, a data frame, an array.
    Raises: ConfigError where the trials do not fill a grid.
    """
    side = round(trials ** (1 / dimensions)) if dimensions in (2, 3) and trials > 1 else 0
    if side < 2 or side**dimensions != trials or searches < 2:
        raise ConfigError(
            f"lab searching: received trials {trials}, dimensions {dimensions} and searches {searches}; 2 or 3 "
            "dimensions, a power of a whole number as trials, and 2 searches are required."
        )
    targets = np.random.default_rng(seed).random((TARGETS, dimensions))
    along: dict[str, list[float]] = {sampler: [] for sampler in SAMPLERS}
    overall: dict[str, list[float]] = {sampler: [] for sampler in SAMPLERS}
    for each in sides_of(dimensions):
        for sampler in SAMPLERS:
            many = 1 if sampler == "grid" else REPEATS
            share = targets if sampler == "grid" else targets[: TARGETS // 10]
            one, every = [], []
            for number in range(many):
                found = points_of(sampler, each**dimensions, dimensions, seed + number)
                one.append(nearest(found[:, :1], share[:, :1]).mean())
                every.append(nearest(found, share).mean())
            along[sampler].append(float(np.mean(one)))
            overall[sampler].append(float(np.mean(every)))
    points = {sampler: points_of(sampler, trials, dimensions, seed) for sampler in SAMPLERS}
    distinct = {sampler: len(np.unique(np.round(found[:, 0], 9))) for sampler, found in points.items()}
    rates: dict[str, list[np.ndarray]] = {sampler: [] for sampler in SAMPLERS}
    losses: dict[str, list[list[float]]] = {sampler: [] for sampler in SAMPLERS}
    rows_of = labelled(data, target, "searching")
    (x, labels), taught = rows_of.drawn(seed), rows_of.taught(rows)
    parts = Arrays(x[:taught], labels[:taught], x[taught:][-600:], labels[taught:][-600:])
    classes, programs = len(rows_of.classes), Programs()
    for sampler in SAMPLERS:
        for number in range(1 if sampler == "grid" else searches):
            found = points_of(sampler, trials, dimensions, seed + number)
            rate = RATE[0] * (RATE[1] / RATE[0]) ** found[:, 0]
            rates[sampler].append(rate)
            losses[sampler].append(
                [
                    _loss(
                        float(a),
                        PENALTY[0] * (PENALTY[1] / PENALTY[0]) ** float(b),
                        parts,
                        classes,
                        programs,
                        epochs,
                        seed,
                    )
                    for a, b in zip(rate, found[:, -1], strict=True)
                ]
            )
    return Searching(
        trials,
        dimensions,
        points,
        {sampler: np.array(each) for sampler, each in along.items()},
        {sampler: np.array(each) for sampler, each in overall.items()},
        distinct,
        {sampler: np.array(each) for sampler, each in rates.items()},
        {sampler: np.array(each) for sampler, each in losses.items()},
        rows_of.material,
    )


def _loss(rate: float, penalty: float, data: Arrays, classes: int, programs: Programs, epochs: int, seed: int) -> float:
    """Dev loss of a small network at these settings, at most 5."""
    config = Config(
        nn.mlp((24,), classes), nn.SoftmaxCrossEntropy(), Adam(), penalties=(L2(penalty),), learning_rate=rate,
        epochs=epochs, seed=seed, engine=Native("f32"),
    )  # fmt: skip
    found = learn(config, data, 0, programs).dev_losses[-1]
    return float(min(found, 5.0)) if np.isfinite(found) else 5.0


EXPERIMENT = Experiment(
    run=searching,
    title="Grid against random search where one setting matters",
    chapter="Choosing and judging",
    source="D:2262",
    says=(
        "Grid search tries all combinations and suffers from the curse of dimensionality. Random search explores more "
        "samples at each axis, especially useful if one axis is more important than the others."
    ),
    does=(
        "The library's own samplers place the same number of trials. Measured is how far the nearest lies from the "
        "best "
        "place, where one setting matters and where all do; then both search a learning rate on digits beside a "
        "setting without effect."
    ),
    look="The marks at the foot are the values tried of the setting that matters: a grid's trials fall on a few.",
    question="Nine trials, two settings, one of which has no effect. How many learning rates does each search try?",
    changes=(
        "trials=25: both come closer; the grid has 5 rates.",
        "dimensions=3 trials=27: a grid of three settings has 3 values of each, random search 27.",
    ),
)
