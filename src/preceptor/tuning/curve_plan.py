"""What a learning curve trains: at which sizes, with which changes, how often, and what all of it costs."""

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np

from preceptor.data import LongTable
from preceptor.errors import ConfigError, DataError
from preceptor.hyper import number_text, shown, typed
from preceptor.job.picture_recipe import MODEL, QUICK
from preceptor.job.picture_survey import PictureSurvey
from preceptor.job.settings import Settings
from preceptor.job.suitability import usable
from preceptor.job.survey import Survey
from preceptor.tuning.curve_division import divide, seeds_of, taught_by
from preceptor.words import listing

Over = Literal["rows", "width"]
OVERS = ("rows", "width")
POINTS, REPEATS = {"rows": 6, "width": 5}, 3
FEWEST_POINTS, MOST_POINTS, FEWEST_REPEATS, MOST_REPEATS = 3, 12, 2, 20
LEAST_ROWS = 32  # that a network is trained on; fewer hardly fill the folds
LEAST_RATIO = 1.4  # of a size to the one before: nearer ones tell the same again
HALF, TWICE = 0.5, 2.0  # what a point takes of the next; how much wider than usual the widest network is
MORE_DROP, MOST_DROP, SOME_DROP = 2.0, 0.6, 0.2  # dropout is doubled, to so much at most; or so much where none was
KEPT = ("waves", "bins", "drop_rate", "learning_rate", "epochs", "patience")  # of the usual network by a wider one
MORE_DECAY, SOME_L2 = 10.0, 1e-3  # weight decay or L2 times ten; or so much where none was: conventional


@dataclass(frozen=True)
class Change:
    """Something that is changed of what is trained.

    Args:
        what: in a few words, "twice as wide".
        settings: that are changed, as the command has them.
        width: times the width of the network.
    """

    what: str
    settings: Mapping[str, Any]
    width: float = 1.0

    @property
    def words(self) -> str:
        """As the command takes it; "" for a change that no setting says."""
        return " ".join(f"--{name.replace('_', '-')} {_written(value)}" for name, value in self.settings.items())


@dataclass(frozen=True)
class Job:
    """One training.

    Args:
        size: the place of its size, in `Plan.sizes`; or of its change in `Plan.changes` after them.
        work: what it costs, in rows seen, those of a wider network counting more.
    """

    repeat: int
    place: int
    work: float


@dataclass(frozen=True, eq=False)
class Plan:
    """All trainings of a learning curve.

    Args:
        sizes: rising: numbers of rows, or what the width of the network is multiplied with.
        changes: that are tried with all rows, beside the usual.
        divided: for each repeat what was read, the judges in place of the test rows, and the rows that teach in the
            order in which sizes take them.
        completed: the settings at each place: of the sizes, then of the changes.
        total: rows that `fit` has to teach with.
        judges: how many rows judge.
    """

    source: str
    header: bool
    over: Over
    asked: Settings
    sizes: tuple[float, ...]
    changes: tuple[Change, ...]
    seeds: tuple[int, ...]
    divided: tuple[tuple[Any, np.ndarray], ...]
    jobs: tuple[Job, ...]
    total: int
    judges: int

    @property
    def repeats(self) -> int:
        """How often each is trained."""
        return len(self.seeds)

    @property
    def rows(self) -> int:
        """The rows that teach, at most."""
        return len(self.divided[0][1])

    @property
    def full_trainings(self) -> float:
        """What all trainings cost, in trainings of the usual network on all rows."""
        usual = self.place_of_usual
        full = next(each.work for each in self.jobs if each.place == usual)
        return sum(each.work for each in self.jobs) / full

    @property
    def place_of_usual(self) -> int:
        """Where the usual network on all rows stands."""
        return len(self.sizes) - 1 if self.over == "rows" else self.sizes.index(1.0)

    def at(self, job: Job) -> tuple[Survey | PictureSurvey, Settings]:
        """What a training sees, and its settings."""
        seen, ranked = self.divided[job.repeat]
        settings = replace(self.asked, seed=self.seeds[job.repeat])
        if job.place >= len(self.sizes):
            change = self.changes[job.place - len(self.sizes)]
            return changed(seen, settings, change)
        size = self.sizes[job.place]
        if self.over == "rows":
            return taught_by(seen, ranked[: int(size)]), settings
        return (seen, settings) if size == 1 else changed(seen, settings, wider(seen, settings, size))


def check_numbers(over: str, points: int | None, repeats: int) -> tuple[int, int]:
    """How many points and repeats. Raises: ConfigError for numbers that give no curve."""
    if over not in OVERS:
        raise ConfigError(
            f"learning-curve: received over {shown(over)}; {listing(OVERS)} are possible. Choose one of them."
        )
    points = POINTS[over] if points is None else typed("learning-curve", "points", points, int)
    repeats = typed("learning-curve", "repeats", repeats, int)
    for name, value, low, high in (
        ("points", points, FEWEST_POINTS, MOST_POINTS),
        ("repeats", repeats, FEWEST_REPEATS, MOST_REPEATS),
    ):
        if not low <= value <= high:
            why = "a law has three numbers" if name == "points" else "one alone tells nothing of the noise"
            raise ConfigError(
                f"learning-curve: received {number_text(value)} {name}; {low} to {high} are possible, for {why}. "
                "Leave it out for the usual."
            )
    return points, repeats


def check_seen(seen: Survey | PictureSurvey, settings: Settings) -> None:
    """Raises: ConfigError for data of which no learning curve is drawn."""
    name = seen.table.name
    if isinstance(seen, Survey) and isinstance(seen.table, LongTable):
        raise ConfigError(
            f"learning-curve: {name} stays on the disk; a table that fits into memory is required. Take a part of its "
            "rows: the curve says what more of them bring."
        )
    if len(seen.targets) > 1:
        raise ConfigError(
            f"learning-curve: received {len(seen.targets)} targets, {listing(seen.targets)}; one is required, whose "
            "error the curve shows. Name one."
        )
    if settings.time is not None:
        raise ConfigError(
            f"learning-curve: received time {settings.time}; rows drawn at random are required, for what later rows "
            "bring is not what more rows bring. Leave time out."
        )


def plan_of(
    source: str,
    header: bool,
    seen: Survey | PictureSurvey,
    settings: Settings,
    over: Over,
    points: int,
    repeats: int,
) -> Plan:
    """All trainings of a learning curve of what was read.

    Raises: ConfigError, DataError where there can be none.
    """
    check_seen(seen, settings)
    seeds = seeds_of(settings, repeats)
    divided = tuple(divide(seen, seed) for seed in seeds)
    rows = min(len(order) for _, order in divided)  # whole groups make parts that differ by a few
    divided = tuple((taught_by(each, order[:rows]), order[:rows]) for each, order in divided)
    first, asked = divided[0][0], replace(settings, seed=seeds[0])
    sizes: tuple[float, ...]
    if over == "rows":
        sizes, changes = sizes_of_rows(seen.table.name, rows, points, _classes(first)), changes_of(first, asked)
    else:
        wider(first, settings, TWICE)  # refused where it has no width
        sizes, changes = tuple(TWICE * HALF**each for each in reversed(range(points))), ()
    plan = Plan(
        source,
        header,
        over,
        settings,
        sizes,
        changes,
        tuple(seeds),
        divided,
        (),
        len(seen.parts.train),
        len(first.parts.test),
    )
    works = []
    for place in range(len(sizes) + len(changes)):
        here, asked = plan.at(Job(0, place, 0.0))
        completed = here.complete(asked)
        widths = sizes if over == "width" else (*(1.0 for _ in sizes), *(each.width for each in changes))
        works.append(float(completed.epochs or 1) * len(here.parts.train) * widths[place])
    largest_first = sorted(range(len(works)), key=lambda place: -works[place])
    jobs = tuple(Job(repeat, place, works[place]) for repeat in range(repeats) for place in largest_first)
    return replace(plan, jobs=jobs)


def sizes_of_rows(name: str, rows: int, points: int, classes: int) -> tuple[float, ...]:
    """Numbers of rows that teach, each twice the one before, as far as that leaves enough; else nearer together.

    Raises: DataError where there are too few rows for a curve.
    """
    least = max(LEAST_ROWS, 2 * classes)
    most = 1 + int(math.log(rows / least) / math.log(LEAST_RATIO)) if rows > least else 1
    if most < FEWEST_POINTS:
        needed = math.ceil(least * LEAST_RATIO ** (FEWEST_POINTS - 1))
        raise DataError(
            f"{name}: {rows:,} rows to learn from beside those that judge; at least {needed:,} are required for a "
            "learning curve. Give more rows."
        )
    count = min(points, most)
    first = max(least, rows * HALF ** (count - 1))
    found = np.unique(np.round(np.geomspace(first, rows, count)).astype(int))
    return tuple(float(each) for each in found)


def changes_of(seen: Survey | PictureSurvey, asked: Settings) -> tuple[Change, ...]:
    """What is tried with all rows: a network twice as wide, more dropout, more weight decay, where there are such."""
    usual, found = seen.complete(asked), []
    with suppress(ConfigError):
        found.append(wider(seen, asked, TWICE))
    if "drop_rate" in usable(str(usual.model)) and usual.hidden != ():
        rate = usual.drop_rate or 0.0
        more = min(round(rate * MORE_DROP, 4), MOST_DROP) if rate else SOME_DROP
        if more > rate:
            found.append(Change("more dropout", {"drop_rate": more}))
    optimiser = usual.make_optimiser()
    decay = getattr(optimiser, "weight_decay", None)
    if decay is not None:
        found.append(Change("more weight decay", {"weight_decay": float(f"{decay * MORE_DECAY or SOME_L2:.4g}")}))
    elif isinstance(usual.l2, float):
        found.append(Change("more weight decay", {"l2": float(f"{usual.l2 * MORE_DECAY or SOME_L2:.4g}")}))
    return tuple(found)


def wider(seen: Survey | PictureSurvey, settings: Settings, times: float) -> Change:
    """A network of so many times the width. Raises: ConfigError where it has no width that can be chosen."""
    words = "twice as wide" if times == TWICE else f"{times:g} times as wide"
    usual = seen.complete(settings)
    if isinstance(seen, PictureSurvey) and usual.model in (MODEL, QUICK):
        return Change(words, {}, times)
    if not usual.hidden:
        raise ConfigError(
            f"learning-curve: received over width with model {usual.model}"
            f"{' without hidden layers' if usual.model == 'mlp' else ''}; a network whose width can be chosen is "
            "required. Take model mlp, or the curve over rows."
        )
    hidden = tuple(max(1, round(each * times)) for each in usual.hidden)
    asked: dict[str, Any] = {"hidden": hidden} | ({} if usual.members in (None, 1) else {"members": usual.members})
    made = seen.complete(replace(settings, **asked))  # what else the recipe would choose once widths are given
    asked |= {name: getattr(usual, name) for name in KEPT if getattr(made, name) != getattr(usual, name)}
    return Change(words, asked, times)


def changed(
    seen: Survey | PictureSurvey, settings: Settings, change: Change
) -> tuple[Survey | PictureSurvey, Settings]:
    """What a training with a change sees, and its settings: those that the recipe chooses for the usual network, and
    the change."""
    usual = seen.complete(settings)
    if isinstance(seen, PictureSurvey) and change.width != 1 and "hidden" not in change.settings:
        known = {each.name: getattr(seen, each.name) for each in fields(PictureSurvey)}
        return _Wider(**known, times=change.width), settings
    if not (len(seen.parts.dev) or seen.folds):
        usual = replace(usual, patience=None)  # it looks at the dev loss
    own = {name: value for name, value in change.settings.items() if name not in Settings.__dataclass_fields__}
    plain = {name: value for name, value in change.settings.items() if name not in own}
    return seen, replace(usual, **plain, own=usual.own | own)


@dataclass(frozen=True, eq=False)
class _Wider(PictureSurvey):
    """Pictures whose usual network has so many times the filters."""

    times: float = 1.0

    def stages_of(self, settings: Settings) -> dict[str, Any]:
        found = super().stages_of(settings)
        return found | {"widths": tuple(max(1, round(each * self.times)) for each in found["widths"])}


def _classes(seen: Survey | PictureSurvey) -> int:
    return len(seen.preprocessor.targets[0].classes or ())


def _written(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else f"{value:g}"


__all__ = ["FEWEST_POINTS", "FEWEST_REPEATS", "MOST_POINTS", "MOST_REPEATS", "OVERS", "POINTS", "REPEATS", "TWICE"]
__all__ += ["Change", "Job", "Over", "Plan", "check_numbers", "plan_of", "sizes_of_rows", "wider"]
