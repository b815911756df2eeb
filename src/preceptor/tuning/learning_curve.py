"""Learning curves: the error over the number of rows or the width of the network, and what follows from it.

A part of the rows that would teach is set aside to judge, for each repeat another one, the same at all sizes: it
neither teaches nor guides, and the test rows stay untouched. Sizes are nested: each has the rows of the smaller ones.
At each size the recipe completes what is left open, as `fit` would with so many rows.
"""

import json
import math
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import astuple, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from preceptor.diagnose import raise_refusals
from preceptor.engines import trains_with_others
from preceptor.errors import ConfigError, DataError
from preceptor.job.fit import look, put_together
from preceptor.job.rows import Rows
from preceptor.job.settings import Settings, make_settings
from preceptor.job.source_files import where
from preceptor.job.stages import Stage, Stages, completed
from preceptor.machine import cores
from preceptor.page import Page
from preceptor.train.choice import METRICS
from preceptor.tuning.curve_advice import Advice, Measure, by_promise, in_short, more, of_changes, reading
from preceptor.tuning.curve_law import FEWEST_SIZES, Estimate, Laws
from preceptor.tuning.curve_page import CurveStory, Line, render
from preceptor.tuning.curve_plan import REPEATS, TWICE, Over, Plan, check_numbers, plan_of
from preceptor.tuning.curve_training import Going, Reached, reach
from preceptor.words import counted

GLANCE_SECONDS = 0.5  # between two looks at what is under way
DRAWN = 40  # places at which the law is drawn


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """What a learning curve shows.

    Args:
        data, target: what was learned.
        over: "rows" or "width".
        measure: the figure whose error is drawn.
        sizes: rising, rows or times the usual width; those at which all trainings came to an end.
        train, dev: errors, of rows that were learned from and of judges. Shapes: (repeat, size).
        table: a row for each size: size, parameters, train and dev cost (log loss, or the share of the variance that is
            not explained), train and dev error, the spread of the latter between repeats (standard deviation).
        rows: that `fit` learns from; judges: rows that judged, of each repeat.
        advice: the most promising first.
        reading: bias and variance, in words.
        notes: what is to be known, sentences.
        full_trainings: what it cost, in trainings on all rows.
    """

    data: str
    target: str
    over: Over
    measure: Measure
    sizes: tuple[float, ...]
    train: np.ndarray
    dev: np.ndarray
    table: Rows
    rows: int
    judges: int
    advice: list[Advice]
    reading: str
    notes: list[str] = field(default_factory=list)
    full_trainings: float = 0.0
    seed: int = 0

    @cached_property
    def laws(self) -> Laws | None:
        """The laws by which the error falls, where there are sizes enough and it falls."""
        if len(self.sizes) < FEWEST_SIZES:
            return None
        found = Laws(np.array(self.sizes), self.dev, self.measure.grain(self.dev.shape[0] * self.judges))
        return found if found.is_known else None

    def predict(self, size: float) -> tuple[float, float, float] | None:
        """The error at another size and its 95 % interval, low and high; None where nothing can be told."""
        if self.laws is None or not size > 0:
            return None
        found = self.laws.at(size)
        return found.value, found.low, found.high

    def __repr__(self) -> str:
        """The table, and the advice below it."""
        return "\n".join(
            [repr(self.table), "", self.reading, self.short, *(each.text for each in self.advice), *self.notes]
        )

    def _repr_html_(self) -> str:
        """The page, as a notebook shows it."""
        return self.page()._repr_html_()

    def page(self) -> Page:
        """The page: one HTML file that needs nothing else."""
        return Page(render(self.story))

    @property
    def short(self) -> str:
        """What the advice comes to, in a sentence."""
        return in_short(self.advice)

    @property
    def axis(self) -> str:
        """What the sizes are, in words."""
        return "training rows" if self.over == "rows" else "width of the network (1: the usual)"

    @property
    def far(self) -> float:
        """How far the law is drawn."""
        return 2 * self.rows if self.over == "rows" else 2 * self.sizes[-1]

    @property
    def story(self) -> CurveStory:
        """What the page tells."""
        scale = 100.0 if self.measure.is_share else 1.0

        def line(name: str, x: Sequence[float], *values: np.ndarray) -> Line:
            return Line(name, x, *((scale * each).tolist() for each in values))

        lines = [
            line(name, self.sizes, own.mean(axis=0), own.min(axis=0), own.max(axis=0))
            for name, own in (("train", self.train), ("dev", self.dev))
        ]
        if self.laws is not None:
            at = np.geomspace(self.sizes[0], self.far, DRAWN).tolist()
            drawn = np.array([astuple(self.laws.at(each)) for each in at]).T
            lines.append(line("what the dev error follows", at, *drawn))
        heads, *cells = self.cells()
        return CurveStory(
            title=f"Learning curve of {self.target}",
            data=self.data,
            judged=f"{counted(len(self.dev), 'repeat')}, each judged by {self.judges:,} rows that neither taught nor "
            "guided",
            reading=self.reading,
            short=self.short,
            advice=[each.text for each in self.advice],
            words=next((each.words for each in self.advice if each.is_sure and each.words), ""),
            lines=lines,
            axis=self.axis,
            error=self.measure.word + (", %" if self.measure.is_share else ""),
            heads=heads,
            cells=cells,
            notes=[*self.notes, *([self.law_in_words] if self.law_in_words else [])],
        )

    @property
    def law_in_words(self) -> str:
        """The nearest law, in a sentence."""
        if self.laws is None:
            return ""
        law, unit = self.laws.law, "n" if self.over == "rows" else "w"
        return (
            f"The one law nearest to the dev error: {law.a:.3g} + {law.b:.3g} {unit}^-{law.c:.2g} "
            f"({unit}: {self.axis.partition(' (')[0]})."
        )

    def cells(self) -> list[list[str]]:
        """The table as a terminal prints it, its first row the heads."""
        word = self.measure.word
        heads = ["rows" if self.over == "rows" else "width", "parameters", f"train {word}", f"dev {word}", "spread"]
        error = self.measure.figure if not self.measure.is_high_better else "error"
        costs = [name for name in self.table.columns if name.endswith(("_log_loss", "_unexplained"))]
        costs = costs if error not in ("log_loss", "unexplained") else []
        heads += [name.replace("_", " ") for name in costs]
        errors = [[row[f"{part}_{error}"] for row in self.table] for part in ("train", "dev")]
        written = [self.measure.written_alike(each) for each in errors]
        spread = self.measure.written_alike([row["spread"] for row in self.table])
        found = [heads]
        for row, own, apart in zip(self.table, zip(*written, strict=True), spread, strict=True):
            size = f"{row['rows']:,}" if self.over == "rows" else f"{row['width']:g}"
            found.append([size, f"{row['parameters']:,}", *own, apart, *(f"{row[name]:.4f}" for name in costs)])
        return found

    def to_dict(self) -> dict[str, Any]:
        """All of it, JSON types."""
        law = None if self.laws is None else self.laws.law

        def estimate(found: Any) -> Any:
            return None if found is None else {"value": found.value, "low": found.low, "high": found.high}

        return {
            "over": self.over,
            "figure": self.measure.figure,
            "error": self.measure.word,
            "table": [dict(each) for each in self.table],
            "rows": self.rows,
            "judges": self.judges,
            "repeats": len(self.dev),
            "seed": self.seed,
            "law": None if law is None else {"a": law.a, "b": law.b, "c": law.c},
            "reading": self.reading,
            "advice": [
                {
                    "what": each.what,
                    "text": each.text,
                    "settings": each.words,
                    "before": None if math.isnan(each.before) else each.before,
                    "after": estimate(each.after),
                    "gain": estimate(each.gain),
                    "is_sure": each.is_sure,
                }
                for each in self.advice
            ],
            "notes": self.notes,
            "full_trainings": self.full_trainings,
        }


def planning(
    source: Any,
    settings: Settings,
    over: str = "rows",
    points: int | None = None,
    repeats: int = REPEATS,
    header: bool = True,
) -> Stages[tuple[Plan, list[Any]]]:
    """Reads and divides the data, and says what will be trained; returns the plan and what the gate found.

    Raises: DataError, ConfigError, with what was received, what is required and the likely cure.
    """
    points, repeats = check_numbers(over, points, repeats)
    if trains_with_others():
        raise ConfigError(
            "learning-curve: several processes train together here (JAX_NUM_PROCESSES); one is required. Leave it out."
        )
    seen = yield from look(source, settings, header)
    raise_refusals(seen.found, seen.table.name)
    yield Stage("dividing")
    lies = where(source) if isinstance(source, str) else ""
    kind: Over = "rows" if over == "rows" else "width"
    return plan_of(lies, header, seen, settings, kind, points, repeats), seen.found


def measuring(plan: Plan) -> Stages[LearningCurve]:
    """Trains what was planned, some trainings side by side, and reads the curve.

    Raises: DataError where too few sizes come to an end.
    """
    reached = yield from _trained(plan)
    return _curve(plan, reached)


def learning_curve(
    source: Any,
    target: Any = None,
    *,
    over: str = "rows",
    points: int | None = None,
    repeats: int = REPEATS,
    **settings: Any,
) -> LearningCurve:
    """Trains with ever more rows, or ever wider networks, and tells what more of them would bring; nothing is written.

    Args:
        source, target, settings: as of `fit`.
        over: "rows", or "width" of the network.
        points: sizes, 3 to 12; 6 of rows, each twice the one before, 5 of widths up to twice the usual.
        repeats: of each, 2 to 20, with judges and seeds of their own.

    Returns: the LearningCurve: `curve.table`, `curve.advice`, `curve.reading`, `curve.predict(rows)`, `curve.page()`.
    Raises: DataError, ConfigError, with what was received, what is required and the likely cure.
    """
    source, named = put_together(source, target)
    plan, _ = completed(planning(source, make_settings(settings | {"target": named}), over, points, repeats))
    return completed(measuring(plan))


def _trained(plan: Plan) -> Stages[dict[tuple[int, int], Reached]]:
    """What each training came to, by repeat and place. As many go on at once as the machine has cores, each on one."""
    found, count = dict[tuple[int, int], Reached](), len(plan.jobs)
    goings, total = [Going() for _ in plan.jobs], round(sum(each.work for each in plan.jobs))
    workers = 1 if plan.asked.engine in ("xla", "reference") or plan.asked.threads else cores()
    threads = 1 if workers > 1 else None

    def make(number: int) -> Reached:
        seen, settings = plan.at(plan.jobs[number])
        return reach(plan.source, seen, settings, plan.header, threads, goings[number])

    yield Stage(f"{count} trainings", 0, total)
    with ThreadPoolExecutor(workers, "curve") as pool:
        try:
            under_way = {pool.submit(make, number): number for number in range(count)}
            while under_way:
                for each in wait(under_way, GLANCE_SECONDS, FIRST_COMPLETED).done:
                    number = under_way.pop(each)
                    found[plan.jobs[number].repeat, plan.jobs[number].place] = each.result()
                    goings[number].share = 1.0
                done = sum(each.work * going.share for each, going in zip(plan.jobs, goings, strict=True))
                yield Stage(f"{len(found)} of {count} trainings", round(done), total)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for going in goings:
                going.is_stopped = True
    return found


def _curve(plan: Plan, reached: dict[tuple[int, int], Reached]) -> LearningCurve:
    """What the trainings tell."""
    usual, notes = plan.place_of_usual, []
    places = len(plan.sizes) + len(plan.changes)
    by_place = [[reached[repeat, place] for repeat in range(plan.repeats)] for place in range(places)]
    failed = [next((each.error for each in by_place[place] if not each.dev), "") for place in range(places)]
    if failed[usual]:
        raise DataError(f"learning-curve: the usual training failed: {failed[usual]}")
    measure = _measure(plan.asked, by_place[usual][0].dev)
    sizes = [place for place in range(len(plan.sizes)) if not failed[place]]
    for place in range(places):
        if failed[place]:
            what = f"{plan.sizes[place]:g}" if place < len(plan.sizes) else plan.changes[place - len(plan.sizes)].what
            notes.append(f"Left out: {what}. {failed[place]}")

    def errors(part: str, chosen: list[int]) -> np.ndarray:
        figures = [[measure.error(getattr(each, part)[measure.figure]) for each in by_place[place]] for place in chosen]
        return np.array(figures).T

    train, dev = errors("train", sizes), errors("dev", sizes)
    table = Rows(_row(plan, measure, place, by_place[place]) for place in sizes)
    first = plan.divided[0][0]
    tried = [place for place in range(len(plan.sizes), places) if not failed[place]]
    grain = measure.grain(plan.repeats * plan.judges)
    laws = Laws(np.array([plan.sizes[place] for place in sizes]), dev, grain) if len(sizes) >= FEWEST_SIZES else None
    advice = []
    if plan.over == "rows":
        rows = 2 * plan.total
        head = f"Twice the rows ({rows:,} in place of {plan.total:,})"
        advice.append(more(measure, laws, "twice the rows", head, plan.total, rows))
        changes = [plan.changes[place - len(plan.sizes)] for place in tried]
        whats, words = [each.what for each in changes], [each.words for each in changes]
    else:
        tried = [place for place in sizes if plan.sizes[place] in (TWICE, 1 / TWICE)]
        whats = ["twice as wide" if plan.sizes[place] == TWICE else "half as wide" for place in tried]
        words = ["" for _ in tried]
        far = 2 * TWICE
        what = f"a network {far:g} times as wide"
        advice.append(more(measure, laws, what, f"{what.capitalize()}, as the curve goes on,", 1.0, far))
    if tried:
        advice += of_changes(measure, whats, words, errors("dev", [usual, *tried]), grain)
    floor = laws.floor if laws is not None and laws.is_known and plan.over == "rows" else None
    return LearningCurve(
        data=first.table.name,
        target=next(iter(first.targets)),
        over=plan.over,
        measure=measure,
        sizes=tuple(plan.sizes[place] for place in sizes),
        train=train,
        dev=dev,
        table=table,
        rows=plan.total,
        judges=plan.judges,
        advice=by_promise(advice),
        reading=_reading(by_place[usual], measure, floor),
        notes=notes,
        full_trainings=plan.full_trainings,
        seed=plan.asked.seed,
    )


def _measure(settings: Settings, figures: dict[str, float]) -> Measure:
    """The figure whose error is drawn: the metric, else the first that judges a run."""
    if settings.metric is not None:
        metric = METRICS[settings.metric]
        return Measure(metric.figure, metric.is_high_better)
    name = next(iter(figures))
    return Measure(name, name == "accuracy")


def _row(plan: Plan, measure: Measure, place: int, reached: list[Reached]) -> dict[str, Any]:
    size = plan.sizes[place]
    row: dict[str, Any] = {"rows": int(size) if plan.over == "rows" else plan.rows}
    row |= {"width": size} if plan.over == "width" else {}
    row |= {"repeats": len(reached), "parameters": max(each.parameters for each in reached)}
    error = "error" if measure.is_high_better else measure.figure
    own = {part: [measure.error(getattr(each, part)[measure.figure]) for each in reached] for part in ("train", "dev")}
    row |= {f"{part}_{error}": float(np.mean(values)) for part, values in own.items()}
    row["spread"] = float(np.std(own["dev"], ddof=1))
    for part in ("train", "dev"):
        costs = [_cost(getattr(each, part)) for each in reached]
        if known := [each for each in costs if each is not None]:
            row[f"{part}_{known[0][0]}"] = float(np.mean([value for _, value in known]))
    return row


def _cost(figures: dict[str, float]) -> tuple[str, float] | None:
    """The cost of either kind of target, in a unit that no training part changes; of quantiles their loss is the error
    that is drawn."""
    if "log_loss" in figures:
        return "log_loss", figures["log_loss"]
    return ("unexplained", 1 - figures["r2"]) if "r2" in figures else None


def _reading(reached: list[Reached], measure: Measure, floor: Estimate | None) -> str:
    """Bias and variance of the usual training on all rows."""
    of_classes = "accuracy" in reached[0].dev
    name = "accuracy" if of_classes else "r2"
    if any(name not in each.train or name not in each.dev for each in reached):
        return ""
    train, dev = (1 - float(np.mean([getattr(each, part)[name] for each in reached])) for part in ("train", "dev"))
    return reading(train, dev, floor if measure.figure == name else None, of_classes)


def as_json(curve: LearningCurve) -> str:
    """One line of JSON."""
    return json.dumps(curve.to_dict())


__all__ = ["LearningCurve", "as_json", "learning_curve", "measuring", "planning"]
