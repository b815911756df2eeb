"""The search itself: rounds of trials, from rung to rung, and at the end the run that is kept."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from preceptor.job import Fitting
from preceptor.job.measure import metric_of
from preceptor.tuning.ledger import Ledger, Plan
from preceptor.tuning.pruners.base import Pruner
from preceptor.tuning.record import Trial, by_cost
from preceptor.tuning.samplers.base import Sampler
from preceptor.tuning.space import Space
from preceptor.tuning.trials import Result, Task, Trials
from preceptor.tuning.workers import Workers

BRACKET = 32  # trials that are compared at rungs together: no fewer than any machine of ours has workers for
KEPT = 32  # trials that ended whose state is kept, the best


@dataclass(frozen=True)
class Drawn:
    """A trial that is to be made."""

    number: int
    round: int
    point: tuple[float, ...]
    settings: Mapping[str, Any]


DEFAULT = Drawn(0, 0, (), {})


@dataclass(eq=False)
class Search:
    """A search that is prepared: `for trial in search.results(workers): ...`.

    Which trials there are, what each comes to and which go on is a function of the plan and of the data: the same for
    any number of workers, and when what was broken off goes on.

    Args:
        began: when this process began with it, by time.monotonic.
        workers: how many make trainings side by side.
        stopped: nothing is begun any more, as a signal asks or the minutes are over.
        whole: whether all trials that were planned were made.
    """

    plan: Plan
    trials: Trials
    space: Space
    sampler: Sampler
    pruner: Pruner
    ledger: Ledger
    began: float = field(default_factory=time.monotonic)
    workers: int = 1
    stopped: bool = False
    whole: bool = False

    def __post_init__(self) -> None:
        own = next((each for each in self.space.dimensions() if each.name == "epochs"), None)
        most = [] if own is None else [each for each in (own.high, *own.choices) if each is not None]
        self.epochs = int(max([self.trials.fitting({}).config.epochs, *most]))
        self.before = sum(each.seconds for each in self.ledger.table)
        self._best = self.done[:KEPT]

    @property
    def seed(self) -> int:
        """Of the division, of the first values and of what is drawn."""
        return self.trials.asked.seed

    @property
    def over(self) -> bool:
        """Whether nothing is begun any more."""
        minutes = self.plan.minutes
        if minutes is not None and self.before / self.workers + time.monotonic() - self.began > 60 * minutes:
            self.stopped = True
        return self.stopped

    def results(self, workers: Workers) -> Iterator[Trial | None]:
        """What trials come to, as they come to it, at each rung and at their ends; those that were known before a
        search was broken off are not told again. None now and then, where none came to anything."""
        self.workers, first = workers.count, 1
        rounds = self.sampler.rounds(self.plan.trials - 1) or [0]
        for number, size in enumerate(rounds, 1):
            known = [each for each in self.ledger.table if each.round < number and number > 1]
            points = self.sampler.points(self.space, self.seed, first, size, known) if size else []
            drawn = [
                Drawn(first + place, number, tuple(point), self.space.at(point)) for place, point in enumerate(points)
            ]
            first += len(drawn)
            if number == 1:
                drawn.insert(0, DEFAULT)
            for start in range(0, len(drawn), BRACKET):
                yield from self._bracket(drawn[start : start + BRACKET], workers)
                if self.stopped:
                    if not self.trials.stopped.is_set():
                        yield from self._last(workers)
                    return
            if len(points) < size:  # a grid has no more
                break
        self.whole = True

    def _bracket(self, members: Sequence[Drawn], workers: Workers) -> Iterator[Trial | None]:
        """Trials that are compared with each other, from rung to rung; the default always goes on."""
        alive = {each.number: each for each in members}
        rungs = self.pruner.rungs(self.epochs)
        for stage, rung in enumerate(rungs):
            until = rung if stage < len(rungs) - 1 else None
            missing = [each for each in alive.values() if len(self.ledger.stages.get(each.number, [])) <= stage]
            tasks = (self._task(each, until) for each in missing if not self.over)
            for result in workers.results(tasks):
                yield None if result is None else self._keep(alive[result.number], result)
            if any(len(self.ledger.stages.get(number, [])) <= stage for number in alive):
                return  # it was stopped
            here = [self.ledger.stages[number][stage] for number in sorted(alive)]
            paused = [each for each in here if each.state == "paused"]
            if until is None or not paused:
                break
            compared = [each for each in paused if each.number]
            others = [each for each in self._table_at(stage, members) if each not in compared]
            going = {0, *self.pruner.going_on(rung, self.epochs, compared, others)} if compared else {0}
            alive = {each.number: alive[each.number] for each in paused if each.number in going}
        for drawn in members:
            if self.ledger.stages[drawn.number][-1].state != "done":
                self.ledger.drop(drawn.number)

    def _last(self, workers: Workers) -> Iterator[Trial | None]:
        """Where the time is over: brings the default to its end, and of the trials that wait at a rung the best one."""
        waiting = [each for each in self.ledger.table if each.state == "paused"]
        farthest = max((each.epochs for each in waiting), default=0)
        best = min((each for each in waiting if each.number and each.epochs == farthest), key=by_cost, default=None)
        default = self.ledger.stages.get(0, [None])[-1]
        last = [] if default is not None and default.state != "paused" else [DEFAULT]
        if best is not None:
            last.append(Drawn(best.number, best.round, best.point, best.settings))
        for result in workers.results(self._task(each, None) for each in last):
            yield None if result is None else self._keep(next(d for d in last if d.number == result.number), result)

    def _table_at(self, stage: int, members: Sequence[Drawn]) -> list[Trial]:
        """The trials as they stood when all of a bracket had come to a rung: what comes after it is not looked at, so
        that a search that goes on decides as it did."""
        own = {each.number for each in members}
        found = []
        for number in sorted(self.ledger.stages):
            stages = self.ledger.stages[number]
            if number in own:
                found.append(stages[min(stage, len(stages) - 1)])
            elif number < max(own):
                found.append(stages[-1])
        return found

    def _task(self, drawn: Drawn, until: int | None) -> Task:
        goes_on = drawn.number in self.ledger.stages
        return Task(drawn.number, drawn.settings, until, self.ledger.frozen(drawn.number) if goes_on else None)

    def _keep(self, drawn: Drawn, result: Result) -> Trial:
        """Keeps what a trial came to, and its state where it may be needed: of those that ended only of the best."""
        before = self.ledger.stages.get(drawn.number, [])
        trial = Trial(
            number=drawn.number,
            round=drawn.round,
            point=drawn.point,
            settings=dict(drawn.settings),
            state=result.state,
            stage=len(before),
            epochs=result.epochs,
            curve=list(result.curve),
            best=result.best,
            best_epoch=result.best_epoch,
            score=result.score,
            offset=result.offset,
            error=result.error,
            parameters=result.parameters,
            seconds=round(result.seconds + sum(each.seconds for each in before[-1:]), 4),
        )
        if result.frozen is not None and trial.state == "paused":
            self.ledger.freeze(trial.number, result.frozen)
        elif trial.state == "done":
            self._keep_best(trial, result)
        else:
            self.ledger.drop(trial.number)
        self.ledger.add(trial)
        return trial

    def _keep_best(self, trial: Trial, result: Result) -> None:
        ranked = sorted([*self._best, trial], key=by_cost)
        gone = [each for each in ranked[KEPT:] if each.number]
        self._best = [each for each in ranked if each not in gone]
        for each in gone:
            self.ledger.drop(each.number)
        if trial not in gone and result.frozen is not None:
            self.ledger.freeze(trial.number, result.frozen)

    @property
    def done(self) -> list[Trial]:
        """The trials that ended, the best first."""
        return sorted((each for each in self.ledger.table if each.state == "done"), key=by_cost)

    @property
    def figure(self) -> tuple[str, bool]:
        """What the score is, in words, and whether more of it is better."""
        metric = metric_of(self.trials.asked)
        return ("dev loss", False) if metric is None else (metric.spoken, metric.is_high_better)

    @property
    def notes(self) -> list[str]:
        """What is to be known of where the best lie, and of what was asked for: sentences."""
        return self.sampler.notes(self.space, self.ledger.table)

    def training(self, settings: Mapping[str, Any]) -> Fitting:
        """The training of a trial from its first step, watched, with all threads: what `fit` makes of its settings."""
        fitting = replace(self.trials, threads=None).fitting(settings)
        fitting.gathers, fitting.unwatched = True, ""
        return fitting


__all__ = ["BRACKET", "KEPT", "Drawn", "Search"]
