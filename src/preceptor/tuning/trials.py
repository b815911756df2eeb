"""One training of a search: begun, brought as far as it is asked for, frozen and thawed again.

What a trial is at an epoch is a function of the data, of what was asked for and of its settings alone: not of who makes
it, of what else is under way, nor of how often it was frozen.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cache
from threading import Event, Lock
from typing import Any, TypeVar

import numpy as np

from preceptor.engines.native.engine import Native
from preceptor.errors import ConfigError, DataError, MemoryNeeded, NotSupported, ShapeError
from preceptor.hyper import hyper_fields
from preceptor.job import Fitting, Outcome, Settings
from preceptor.job.fit import building
from preceptor.job.fitted import fitted_loss, row_losses
from preceptor.job.judging import apart
from preceptor.job.measure import metric_of
from preceptor.job.parts import takers
from preceptor.job.picture_survey import PictureSurvey
from preceptor.job.stages import Encoded, Stages, completed
from preceptor.job.survey import Survey
from preceptor.nn.calibration import reads_logits
from preceptor.nn.joint import heads
from preceptor.train.checkpoint import Checkpoint
from preceptor.train.counts import counts
from preceptor.train.loop import Record
from preceptor.train.programs import Programs, Same
from preceptor.train.training import Config, Streamed
from preceptor.tuning.record import MOST_POINTS, State

# Settings of the training and of the network alone: the rows are seen and prepared alike whatever they are.
OF_TRAINING = frozenset(
    (
        *("learning_rate", "schedule", "warmup", "batch_size", "epochs", "patience", "tolerance", "optimiser"),
        *("average", "l2", "l1", "clip_value", "clip_norm", "accumulate", "class_weight", "hidden", "activation"),
        *(
            "initialiser",
            "waves",
            "bins",
            "batch_norm",
            "drop_rate",
            "dropout",
            "members",
            "ensemble",
            "augment",
            "ignore",
        ),
        *("engine", "threads", "devices", "precision"),
    )
)
ALL = tuple(each.name for each, _ in hyper_fields(Settings))
OF_ROWS = tuple(name for name in ALL if name not in OF_TRAINING and name != "folds")  # all trials have the same folds
# Settings whose values, where they are numbers, are nothing but numbers of a training: it is built alike whatever they
# are, as long as they are not 0. So are those of the optimiser.
NUMBERS = ("learning_rate", "l2", "l1", "clip_value", "clip_norm")
MOST_BUILT = 64  # structures of settings that are remembered: what was completed for them is a few KB
MOST_PREPARED = 4  # ways in which rows are held prepared at a time: each may be a copy of the data
OFFSET = "offset"  # beside what a checkpoint tells of a training
TOLD = (ConfigError, DataError, MemoryNeeded, NotSupported, ShapeError)  # whose words are for people
PLAIN = frozenset(each.name for each, _ in hyper_fields(Settings))
OF_FOLDS = ("model", "hidden", "members", "ensemble", "dropout")  # by which the rows are dealt to folds, or not


@dataclass(frozen=True, eq=False)
class Task:
    """A trial, and how far it is to come.

    Args:
        settings: beside what was asked for.
        until: the epoch after which it is frozen; None for its end.
        frozen: as it stood when it was frozen last; None where it has not begun, or that was not kept: it is then
            begun again, and comes to the same bits.
    """

    number: int
    settings: Mapping[str, Any]
    until: int | None = None
    frozen: Checkpoint | None = None


@dataclass(frozen=True, eq=False)
class Result:
    """What came of a task; see `Trial`. `frozen` is None of one that failed."""

    number: int
    state: State
    epochs: int = 0
    curve: tuple[tuple[int, float | None], ...] = ()
    best: float | None = None
    best_epoch: int = 0
    score: float | None = None
    offset: float = 0.0
    error: str = ""
    parameters: int = 0
    seconds: float = 0.0
    frozen: Checkpoint | None = None


@dataclass(eq=False)
class Trials:
    """What was read, divided and looked at once, of which all trials are made.

    Args:
        asked: the settings that all of them have in common.
        threads: of the native engine, for each training; None as asked for. They change no bit.
        programs: that wait for the next trial of their structure.
        stopped: set where nobody waits for the trainings under way any more; what they come to is then None.
    """

    source: str
    seen: Survey | PictureSurvey
    asked: Settings
    header: bool = True
    threads: int | None = None
    stopped: Event = field(default_factory=Event)
    programs: Programs = field(default_factory=Programs)
    _seen: OrderedDict[Any, Survey | PictureSurvey] = field(default_factory=OrderedDict)
    _encoded: OrderedDict[Any, Encoded] = field(default_factory=OrderedDict)
    _built: OrderedDict[Any, tuple[Settings, Config, Any]] = field(default_factory=OrderedDict)
    _preparing: Lock = field(default_factory=Lock)  # what one thread prepares the others wait for

    def settings(self, changes: Mapping[str, Any]) -> Settings:
        """What was asked for, with some changed. Raises: ConfigError for what is impossible.

        Trials are compared on the same rows. So what alone would have them divided otherwise is told of the folds.
        """
        if isinstance(self.seen, Survey) and self.asked.folds is None and any(name in changes for name in OF_FOLDS):
            changes = {**changes, "folds": self.seen.folds}
        altered = self.asked.altered({name: value for name, value in changes.items() if name in PLAIN})
        own = {name: value for name, value in changes.items() if name not in PLAIN}
        return replace(altered, own=altered.own | own) if own else altered

    def fitting(self, changes: Mapping[str, Any]) -> Fitting:
        """A training with some settings changed, prepared. Raises: ConfigError, DataError for what is impossible."""
        settings = self.settings(changes)
        fitting = self._rebuilt(settings) or self._anew(settings)
        if isinstance(data := fitting.encoded.data, Streamed):
            fitting.encoded = replace(fitting.encoded, data=data.another())
        engine = fitting.config.engine
        if self.threads is not None and isinstance(engine, Native):
            fitting.config = replace(fitting.config, engine=replace(engine, threads=self.threads))
        fitting.gathers, fitting.unwatched, fitting.programs = False, "a trial of a search", self.programs
        return fitting

    def _anew(self, settings: Settings) -> Fitting:
        """A training, prepared from the rows on. What was prepared for others is taken."""
        key, own = self._rows(settings), list[Any]()
        with self._preparing:
            seen = _known(self._seen, key, lambda: _learned(self.seen.under(settings)), MOST_PREPARED)

        def encode(complete: Settings) -> Stages[Encoded]:
            """What a network with these settings takes of the rows: how many networks share out the folds, and how
            pictures are changed, is all that it hangs on beside `seen`."""
            yield from ()
            own.append((key, complete.networks, complete.augment))
            with self._preparing:
                return _known(self._encoded, own[0], lambda: completed(seen.encode(complete)), MOST_PREPARED)

        fitting = completed(building(self.source, seen, settings, self.header, encode))
        with self._preparing:
            if fitting.transfer is not None:  # what it trains may be the end of a network, on what the rest makes
                return fitting
            built = fitting.settings, fitting.config, own[0]
            _known(self._built, (key, _unnumbered(settings)), lambda: built, MOST_BUILT)
        return fitting

    def _rebuilt(self, settings: Settings) -> Fitting | None:
        """The same, where a training that differs in numbers alone was built before and its rows are still held."""
        key = self._rows(settings)
        with self._preparing:
            before, config, own = self._built.get((key, _unnumbered(settings)), (None, None, None))
            if before is None or config is None or key not in self._seen or own not in self._encoded:
                return None
            seen, encoded = self._seen[key], self._encoded[own]
            for kept, name in ((self._seen, key), (self._encoded, own)):
                kept.move_to_end(name)
        numbers = {name: value for name in NUMBERS if (value := getattr(settings, name)) is not None}
        complete = replace(before, **numbers, own=before.own | settings.own)
        assert complete.learning_rate is not None
        config = replace(
            config,
            optimiser=complete.make_optimiser(),
            fine_tuning=complete.make_fine_tuning(complete.learning_rate),
            penalties=complete.make_penalties(),
            update=complete.make_update(),
            learning_rate=complete.learning_rate,
        )
        return Fitting(self.source, seen, complete, config, encoded, self.header, asked=settings)

    def _rows(self, settings: Settings) -> Any:
        """What hangs together with how rows are seen."""
        return (Same(self.seen), settings.asked_kind, *(getattr(settings, name) for name in OF_ROWS))

    def advance(self, task: Task) -> Result | None:
        """Brings a trial as far as it is asked for; None where it was stopped. What fails is told, not raised."""
        began = time.perf_counter()
        try:
            (fitting, offset), record, told = self._thawed(task), None, None
            with closing(fitting.records()) as records:  # so that its programs are free for the next
                is_there = task.until is not None and not fitting.progress.ended and _epochs(fitting) >= task.until
                for record in () if is_there else records:
                    if self.stopped.is_set():
                        return None
                    if record.is_epoch_end and record.epoch == fitting.progress.best_epoch:
                        told = record
                    if record.is_epoch_end and task.until is not None and record.epoch >= task.until:
                        break
            offset = offset if told is None else offset_of(fitting, told)
        except Exception as error:  # of one trial; the search goes on
            text = str(error) if isinstance(error, TOLD) else f"{type(error).__name__}: {error}"
            return Result(task.number, "failed", error=text or type(error).__name__, seconds=_since(began))
        progress, outcome = fitting.progress, fitting.outcome
        frozen = None
        if outcome is not Outcome.DIVERGED:
            if outcome is not Outcome.INTERRUPTED:
                progress.ended = outcome.name
            frozen = task.frozen if record is None else _frozen(progress.checkpoint(record), offset)
        return Result(
            task.number,
            _STATES.get(outcome, "done"),
            epochs=_epochs(fitting),
            frozen=frozen,
            error=outcome.value.partition(";")[0] + "." if outcome is Outcome.DIVERGED else "",
            parameters=sum(each.size for each in progress.best["params"].values()) if progress.best else 0,
            seconds=_since(began),
            **(curve_of(fitting, offset) if outcome is not Outcome.DIVERGED else {}),
        )

    def _thawed(self, task: Task) -> tuple[Fitting, float]:
        """The training of a trial as it was frozen, or from its beginning, and the offset of its costs.

        It was frozen beyond what is asked for where a kill came between its state and the line that tells of it, or
        took the line: it is then made again.
        """
        for frozen in (task.frozen, None):
            fitting = self.fitting(task.settings)
            fitting.costs_alone = True
            offset = 0.0 if frozen is None else thaw(fitting, frozen)
            if task.until is None or _epochs(fitting) <= task.until:
                break
        return fitting, offset


def _frozen(checkpoint: Checkpoint, offset: float) -> Checkpoint:
    """A trial as it stands, with what its costs lie off."""
    return replace(checkpoint, facts=checkpoint.facts | {OFFSET: offset})


def thaw(fitting: Fitting, frozen: Checkpoint) -> float:
    """Has a training go on from where a trial was frozen. -> The offset of its costs; see `Trial`."""
    facts = dict(frozen.facts)
    offset = float(facts.pop(OFFSET, 0.0))
    fitting.restore(replace(frozen, facts=facts))
    return offset


def _epochs(fitting: Fitting) -> int:
    """That it made."""
    return int(fitting.history[-1]["epoch"]) if fitting.history else 0


_STATES: dict[Outcome, State] = {Outcome.INTERRUPTED: "paused", Outcome.DIVERGED: "failed"}


def offset_of(fitting: Fitting, told: Record) -> float:
    """How much lower the loss of what is predicted at an epoch is than the dev loss, which knows of no temperature and
    no shares: they are chosen once, at the end. 0 where neither is, or the cost is another metric.

    The dev loss alone would judge how sure a network is, which the temperature mends, in place of what it knows.
    """
    metric, config, targets = metric_of(fitting.settings), fitting.config, fitting.preprocessor.targets
    outputs, y, weight = told.dev_outputs, told.dev_target, told.dev_weight
    if (metric is not None and metric.figure != "log_loss") or outputs is None or y is None or told.dev_loss is None:
        return 0.0
    pairs = heads(config.loss)
    if not any(reads_logits(loss) for loss, _ in pairs):
        return 0.0
    counted = counts(y, weight, config.class_weights)
    total = 0.0
    for own, (loss, units) in zip(apart(targets, y), pairs, strict=True):
        reads = fitted_loss(config, loss, fitting.data.folds, outputs[..., units], own, weight)[1]
        total += float(np.average(row_losses(reads, outputs[..., units], own), weights=counted))
    raw = told.dev_loss if metric is None else fitting.history[-1][f"dev_{metric.figure}"]
    found = total / len(pairs) - (raw if raw is not None else math.nan)
    return found if math.isfinite(found) else 0.0


def curve_of(fitting: Fitting, offset: float = 0.0) -> dict[str, Any]:
    """Of the epochs so far: the cost after each, thinned, and the best; see `Trial`."""
    metric, found = metric_of(fitting.settings), list[tuple[int, float | None, float | None]]()
    for each in fitting.history:
        score = each.get("dev_loss" if metric is None else f"dev_{metric.figure}")
        score = score if score is None else score + offset
        cost = score if metric is None or score is None else metric.cost(score)
        is_number = cost is not None and abs(cost) < float("inf")
        found.append((int(each["epoch"]), cost if is_number else None, score if is_number else None))
    losses = {int(each["epoch"]): each.get("dev_loss") for each in fitting.history}
    known = [each for each in found if each[1] is not None]
    best = min(known, key=lambda each: (each[1], _or_inf(losses[each[0]]), each[0]), default=None)  # as `Progress`
    every = -(-len(found) // (MOST_POINTS - 2))
    kept = {*found[::every], *found[-1:], *([best] if best else [])}
    curve = tuple(sorted((epoch, cost) for epoch, cost, _ in kept)) if found else ()
    if best is None:
        return {"curve": curve}
    return {"offset": offset, "curve": curve, "best_epoch": best[0], "best": best[1], "score": best[2]}


def _or_inf(value: float | None) -> float:
    return float("inf") if value is None else value


T = TypeVar("T")


def _unnumbered(settings: Settings) -> Any:
    """Settings but for their numbers: equal keys, trainings that are built alike."""
    found: list[Any] = []
    for name in ALL:
        value = getattr(settings, name)
        found.append(value != 0 if name in NUMBERS and type(value) is float else value)
    own = ((name, None if _is_of_optimiser(name) else value) for name, value in sorted(settings.own.items()))
    return (*found, *own)


@cache
def _is_of_optimiser(name: str) -> bool:
    return list(takers(name)) == ["optimiser"]


def _known(kept: OrderedDict[Any, T], key: Any, make: Callable[[], T], most: int) -> T:
    """What belongs to a key, made where it is not kept; the least recently used go."""
    found = kept[key] if key in kept else make()
    kept[key] = found
    kept.move_to_end(key)
    if len(kept) > most:
        kept.popitem(last=False)
    return found


def _learned(seen: Survey | PictureSurvey) -> Survey | PictureSurvey:
    """With its preprocessor, which it learns when it is first asked for it."""
    _ = seen.preprocessor
    return seen


def _since(began: float) -> float:
    return round(time.perf_counter() - began, 4)


__all__ = ["Result", "Task", "Trials", "curve_of", "offset_of", "thaw"]
