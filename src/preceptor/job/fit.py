# Over 500 lines: a training from its first row to its folder, in the order in which it happens.
"""The main job: from a table to a trained, judged network."""

import math
import time
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from preceptor.data import BUNDLED, PicturePreprocessor, Preprocessor, looks_like_pictures, read
from preceptor.data.pictures.pictures import refuse_neither
from preceptor.data.tables.given import are_names, with_target
from preceptor.diagnose import Case, Doctor, Finding, checks_made, looks, raise_refusals
from preceptor.diagnose.fork import Moment
from preceptor.diagnose.history import History
from preceptor.disk import new_folder, taken
from preceptor.engines import agreed, is_first_process, trains_with_others
from preceptor.errors import ConfigError
from preceptor.evidence import Evidence
from preceptor.evidence.record import as_read
from preceptor.job.class_weights import class_weights, named_weights
from preceptor.job.computed import computed_by
from preceptor.job.duration import check_minutes, epochs_within
from preceptor.job.folder import (
    FORMAT,
    PLAN,
    Plan,
    check_out,
    checkpoints_of,
    clear,
    exists_already,
    free_names,
    not_written,
    write_plan,
)
from preceptor.job.gathering import gather
from preceptor.job.judging import Judged, headlines
from preceptor.job.judging import judge as judged_on
from preceptor.job.lock import Lock
from preceptor.job.log import Log, log_of
from preceptor.job.measure import check_metric, check_targets, metric_of
from preceptor.job.mending import MOST_TRAININGS, Mending, check_mending
from preceptor.job.origin import OF_NETWORK
from preceptor.job.picture_survey import PictureSurvey, survey_pictures
from preceptor.job.pretext_judging import gather_task, headline_of_task, judge_task
from preceptor.job.pretext_survey import TaskSurvey
from preceptor.job.pretext_words import task_text
from preceptor.job.progress import Outcome, Progress, restored
from preceptor.job.recipe import make_config
from preceptor.job.rows import Rows
from preceptor.job.run import Run
from preceptor.job.settings import Settings
from preceptor.job.source_files import where
from preceptor.job.stages import Encoded, Stage, Stages, completed
from preceptor.job.suitability import check_dropout, check_parts
from preceptor.job.survey import Survey, survey
from preceptor.job.transfer import Transfer, transferred
from preceptor.nn import Layer, initial_specs
from preceptor.ops import Spec
from preceptor.pretext import TaskPreprocessor
from preceptor.train.checkpoint import Checkpoint, Checkpoints
from preceptor.train.fine_tuning import check_fine_tuning
from preceptor.train.interval import effective
from preceptor.train.loop import JUDGED, Record, train
from preceptor.train.memory import check_parameters, in_words
from preceptor.train.penalty import check_patterns, zeros
from preceptor.train.programs import Programs
from preceptor.train.stepper import planned_steps
from preceptor.train.training import Arrays, Config, Streamed, beginning, initial_values, parameter_bytes
from preceptor.words import counted, listing, shell_word

FIXED = {*OF_NETWORK, "initialiser", "preprocess"}  # settings that stand beside no origin
CHECKPOINT_SECONDS = 30.0  # what a killed machine costs at most
LAST_SECONDS = 5.0  # of training since the latest checkpoint that are worth one before the weights are judged


@dataclass(eq=False)
class Fitting:
    """A training that is prepared: `for record in fitting.records(): ...`, then `run = fitting.finish()`.

    Breaking out of the loop ends the training; `finish` then says that it was interrupted. With `keep` between the two
    nothing is lost should judging be broken off.

    Args:
        out: the run's folder, made by `open_folder`; without it nothing is written.
        made: whether the folder was not there before.
        doctor: who watches the training; None before it begins, and where nobody does, `unwatched` says why.
        news: what the doctor found at the latest record.
        lock: held on the folder until `finish` has ended.
        saved: when the latest checkpoint was committed, else when training began.
        kept: the step after which `keep` was called.
        asked: the settings before the data and the recipe completed them.
        transfer: what the network begins from, where it is not random. Where its beginning is frozen, `config` and
            `encoded` are of what stands behind it, and `whole` is what the whole network takes.
        mending: of which this is one training, if it is; `best` is the best run of those that ended.
        gathers: whether the run keeps evidence for its report.
        costs_alone: whether the history tells no more than costs: neither the train loss nor figures that decide
            nothing. They change no bit of what is told.
        programs: those of other trainings, which serve this one too.
        opened: `log`, once it was opened.
    """

    source: str
    seen: Survey | PictureSurvey | TaskSurvey
    settings: Settings
    config: Config
    encoded: Encoded
    header: bool = True
    outcome: Outcome = Outcome.INTERRUPTED
    progress: Progress = field(default_factory=Progress)
    start: tuple[int, Any] | None = None
    record: Record | None = None
    out: Path | None = None
    made: bool = False
    lock: Lock | None = None
    saved: float = field(default_factory=time.monotonic)
    kept: int = -1
    began: float = field(default_factory=time.perf_counter)
    doctor: Doctor | None = None
    unwatched: str = field(default_factory=lambda: "several processes train it" if trains_with_others() else "")
    news: list[Finding] = field(default_factory=list)
    asked: Settings = field(kw_only=True)
    transfer: Transfer | None = None
    whole: Encoded | None = None
    mending: Mending | None = None
    best: Run | None = None
    gathers: bool = True
    costs_alone: bool = False
    programs: Programs | None = None
    opened: Log | None = None

    @property
    def data(self) -> Arrays | Streamed:
        """What training sees."""
        return self.encoded.data

    @property
    def preprocessor(self) -> Preprocessor | PicturePreprocessor | TaskPreprocessor:
        """How what was read becomes what a network takes."""
        return self.seen.preprocessor

    @property
    def found(self) -> list[Finding]:
        """What the gate saw in the table."""
        return heeded(self.seen.found + self.encoded.found, self.settings)

    @property
    def history(self) -> list[dict[str, Any]]:
        """One entry for each epoch."""
        return self.progress.history

    def fingerprint(self) -> str:
        """A checksum of all that training and judging see, and of what the network begins from."""
        return (self.whole or self.encoded).fingerprint(self.preprocessor)

    def records(self) -> Generator[Record, None, None]:
        """Trains; keeps the weights with the lowest dev loss, or best metric; stops early where it no longer improves.

        With a folder, a checkpoint is committed every CHECKPOINT_SECONDS.
        """
        if self.progress.ended:
            self.outcome = Outcome[self.progress.ended]
            return
        patience = self.settings.patience or max(3, self.config.epochs // 3)
        now, self.saved = self.progress, time.monotonic()
        known = [each["dev_loss"] for each in now.history if "dev_loss" in each]
        dev_losses = [math.inf if loss is None else loss for loss in known]  # JSON knows no infinity
        if self.start is not None and not now.course.steps:  # another version kept none
            now.course.add(np.array(self._losses_before(self.start[0])))
        for record in self._within_memory(self._train(dev_losses)):
            self.record = record
            now.losses += record.losses.tolist()
            now.course.add(record.losses)
            self.log.steps(record.losses)
            self._watch(record)
            if not record.is_finite:
                self.outcome = Outcome.DIVERGED
                if now.calmest is not None:
                    now.best, now.best_epoch = now.calmest, now.calmest_epoch
                yield record
                return
            if record.is_epoch_end:
                self._close_epoch(record)
            if record.step == record.steps:
                self.outcome = Outcome.FINISHED
            elif self._has_converged(record):
                self.outcome = Outcome.CONVERGED
            elif now.waited >= patience:
                self.outcome = Outcome.STOPPED_EARLY
            elif self.out is not None and self.goes_on and time.monotonic() - self.saved >= CHECKPOINT_SECONDS:
                self.save_checkpoint()
            if self.outcome in (Outcome.CONVERGED, Outcome.STOPPED_EARLY):
                self._watch(record, is_last=True)
            yield record
            if self.outcome is not Outcome.INTERRUPTED:
                return

    def _train(self, dev_losses: list[float]) -> Iterator[Record]:
        """The records of the training, among them one wherever the doctor looks."""
        stops = [] if self.unwatched else looks(self.config, self.data.rows)
        # Out of fold the sample is what guides; the tolerance is one of the train loss.
        is_judged = not self.costs_alone or self.data.folds is not None or self.settings.tolerance is not None
        judged = JUDGED if is_judged else 0
        return train(self.config, self.data, self.start, dev_losses, judged, stops, self.programs)

    def _watch(self, record: Record, is_last: bool = False) -> None:
        """Has the doctor look at a record, or at the one at which the training ends before all its steps, after it has
        looked at it. A fault of the doctor ends the watching, not the training."""
        before, self.news = self.news if is_last else [], []
        if self.unwatched:
            return
        try:
            self.doctor = self.doctor or self._doctor_at(record)
            self.news = self.doctor.conclude(record) if is_last else self.doctor.look(record)
        except Exception as error:
            self.doctor, self.unwatched = None, f"the doctor failed ({type(error).__name__}: {error})"
            warnings.warn(f"fit: {self.unwatched}; the training goes on without.", stacklevel=2)
        self.progress.findings += self.told
        self.log.add("finding", *self.told)
        self.news = [*before, *self.news]

    def _told(self, found: Finding) -> dict[str, Any]:
        """A finding of the doctor, JSON types, its remedies by settings where these would change something."""
        told = found.to_dict()
        for remedy in told.get("remedies", ()):
            own = remedy["settings"]
            is_fixed = self.transfer is not None and not FIXED.isdisjoint(own)  # by what the network begins from
            if is_fixed or own.get("preprocess") == self.seen.scaling:
                remedy["settings"] = {}
        return told

    def _doctor_at(self, record: Record) -> Doctor:
        """Who watches from a record on; of a training that goes on, with what is known of the steps before."""
        told = [each["rule"] for each in self.progress.findings]
        targets = self.preprocessor.targets
        classes = len(targets[0].classes or ()) if len(targets) == 1 else None
        names = tuple(targets[0].written) if classes else ()
        rows = self.seen.parts.train if isinstance(self.seen, Survey) else None
        start = None if self.start is None else Moment(*self.start)
        return Doctor(
            Case(self.config, self.data, classes, names, rows),
            ignored=(*(self.settings.ignore or ()), *told),
            start=start,
            losses=self._losses_before(record.step - len(record.losses)),
        )

    def _losses_before(self, step: int) -> list[float]:
        """The loss of each step up to one: of the epochs that are over their means, which is what is kept of them."""
        found: list[float] = []
        for each in self.history:
            mean = each["objective"]
            found += [math.inf if mean is None else mean] * (each["step"] - len(found))
        return (found + self.progress.losses)[:step]

    @property
    def watched(self) -> str:
        """What was watched during training, so that silence informs: a sentence."""
        if self.doctor is None:
            return f"Not watched: {self.unwatched}." if self.unwatched else ""
        rules, count = len(checks_made(History)), len(self.progress.findings)
        parts = [f"{counted(rules, 'rule')} looked on", counted(count, "finding") if count else "nothing found"]
        if self.doctor.spent:
            parts.append(f"{counted(self.doctor.spent, 'step')} in forks")
        if self.settings.ignore:
            parts.append(f"not looked at: {listing(self.settings.ignore)}")
        return f"{'; '.join(parts)}. What each looks for: preceptor explain-rule."

    @property
    def curve(self) -> str:
        """What the curves say: which case of a learning curve it is, whether bias and variance are high."""
        if self.doctor is None or self.record is None:
            return ""
        with suppress(Exception):  # a fault of the doctor costs the reading, not the run
            found = self.doctor.read(self.record)
            return "" if found is None else found.text
        return ""

    def _within_memory(self, records: Iterator[Record]) -> Iterator[Record]:
        """The records. Raises: ConfigError where the memory does not suffice; if for not even a step, no folder is
        left."""
        size = self.config.batch_size
        try:
            with in_words(f"steps of {size:,} rows; fewer at once (batch_size), or in pieces (accumulate), take less"):
                yield from records
        except ConfigError:
            if self.out is not None and self.record is None and self.start is None:
                clear(self.out)
                self.release()
                if self.made:
                    with suppress(OSError):
                        self.out.rmdir()
            raise

    def _close_epoch(self, record: Record) -> None:
        now, metric = self.progress, metric_of(self.settings)
        objective = float(np.mean(now.losses))
        entry = self.entry(record, objective)
        cost = None if metric is None or record.dev_loss is None else metric.cost(entry[f"dev_{metric.figure}"])
        now.close(record, entry, None if cost is None else agreed(cost))
        self.log.add("epoch", entry)

    def _has_converged(self, record: Record) -> bool:
        """Whether the last two epochs differ in train loss by no more than the tolerance, if there is one."""
        if self.settings.tolerance is None or not record.is_epoch_end or len(self.history) < 2:
            return False
        before, after = (each["train_loss"] for each in self.history[-2:])
        return abs(before - after) <= self.settings.tolerance

    @property
    def ending(self) -> str:
        """How the training ended and what is kept of it, in a sentence."""
        has_dev, outcome, metric = self.data.guides, self.outcome, metric_of(self.settings)
        best, measure = ("lowest", "loss") if metric is None else (metric.best, metric.spoken)
        if self.progress.best is None:
            is_good = self.record is not None and self.record.is_finite
            kept = "the latest weights" if is_good else "the first weights"
        elif has_dev:
            kept = f"the weights with the {best} dev {measure}" + " so far" * (outcome is Outcome.INTERRUPTED)
        elif outcome is Outcome.DIVERGED:
            kept = "the weights of the epoch with the lowest loss"
        else:
            kept = "the weights of the last whole epoch" if outcome is Outcome.INTERRUPTED else "the last weights"
        return outcome.value.format(kept=kept, stalled=f"{measure} no longer {'fell' if best == 'lowest' else 'rose'}")

    @property
    def weighting(self) -> dict[str, Any]:
        """By what training rows count, where they do not count alike, and how many of equal weight tell as much; what
        rows of each class count."""
        found: dict[str, Any] = {}
        weight = self.seen.weights(self.seen.parts.train)
        if weight is not None and isinstance(self.seen, Survey):
            found |= {"weighed_by": self.seen.settings.weight, "effective_rows": effective(weight)}
        if self.config.class_weights:
            found["class_weights"] = dict(
                zip(self.preprocessor.targets[0].written, self.config.class_weights, strict=True)
            )
        return found

    def open_folder(self, out: Path | None = None) -> None:
        """Makes the run's folder, with all that `resume` needs to begin again from the first step, and holds it.

        Of processes that train together, the first alone writes; the others keep no folder.

        Args:
            out: without it the first of runs/NAME-1, runs/NAME-2, ... that nobody has.
        Raises: ConfigError where it cannot be written, or another process was faster.
        """
        if not is_first_process():
            return
        plan = self.plan()
        for path in free_names(self.seen.table.name) if out is None else [out]:
            if out is not None:
                check_out(path)
            try:
                self.made = not path.is_dir()
                with new_folder(path) as folder:
                    self.lock = Lock(folder)
                    try:
                        if out is not None:
                            check_out(path)  # again, for it may have been filled meanwhile
                        write_plan(folder, plan)
                    except BaseException:
                        self.release()  # before the folder is removed
                        raise
            except OSError as error:
                self.release()
                if not taken(error):
                    raise not_written(path, error) from None
                if out is not None:
                    raise exists_already(path) from None
            else:
                self.out = path
                return

    def plan(self) -> Plan:
        """What it takes to begin this training again."""
        fingerprint, computed = self.fingerprint(), computed_by(self.config.engine)
        task = task_text(self.seen.task) if isinstance(self.seen, TaskSurvey) else None
        return Plan(
            FORMAT, self.source, self.header, self.settings.to_dict(), fingerprint, computed, self.mending, task
        )

    @property
    def log(self) -> Log:
        """What others can follow of this training; without a folder a log that is nowhere."""
        if self.opened is None:
            number, start = self.mending.number if self.mending else 1, self.start[0] if self.start else 0
            folder = None if self.out is None else log_of(self.out, number)
            self.opened = Log(folder, start, {} if folder is None else self._begun(number))
        return self.opened

    def _begun(self, number: int) -> dict[str, Any]:
        """What its log says of the training first. Args: number: of the trainings of a mending."""
        return {
            "data": self.seen.table.name,
            "targets": [target.name for target in self.preprocessor.targets],
            "rows": self.data.rows,
            "steps": planned_steps(self.config, self.data.rows),
            "epochs": self.config.epochs,
            "engine": self.config.engine.name,
            "settings": self.settings.to_dict(),
            "training": number,
            "changes": self.mending.changes if self.mending else {},
            "why": [each["rule"] for each in self.mending.why] if self.mending else [],
        }

    @property
    def checkpoints(self) -> Checkpoints:
        """Those of this training."""
        assert self.out is not None
        return checkpoints_of(self.out, self.mending.number if self.mending else 1)

    @property
    def goes_on(self) -> bool:
        """Whether a training that is broken off goes on from a checkpoint. What a mending changes hangs on all that the
        doctor has seen of a training, so one that may be mended begins again; one that has ended is only judged."""
        return self.mending is None or self.mending.number == MOST_TRAININGS or bool(self.progress.ended)

    def save_checkpoint(self) -> None:
        """Commits the training as it stands."""
        assert self.record is not None
        self.log.commit()  # before: what a checkpoint goes on from is then in it
        self.checkpoints.save(self.progress.checkpoint(self.record))
        self.saved = time.monotonic()

    def restore(self, checkpoint: Checkpoint) -> None:
        """Goes back to a checkpoint: `records` continues from there."""
        like = beginning(self.config, self.data)
        weights = {"params": like["params"], "state": like["state"]}
        self.progress, self.start = restored(checkpoint, weights, like)

    def entry(self, record: Record, objective: float) -> dict[str, Any]:
        """What the history keeps of an epoch, from its last record and the mean of its batches' losses: JSON types.

        `objective` is what is trained, with dropout and smoothed labels; `train_loss` and `dev_loss` are one measure.
        """
        kept: dict[str, Any] = {"step": record.step, "epoch": round(record.epoch, 4), "objective": objective}
        kept |= {"train_loss": record.train_loss}
        if record.train_outputs is not None and record.train_target is not None:
            judged = record.train_outputs, record.train_target, record.train_weight
            kept |= self._headlines("train", *judged)
        if record.dev_loss is not None and record.dev_outputs is not None and record.dev_target is not None:
            judged = record.dev_outputs, record.dev_target, record.dev_weight
            kept |= {"dev_loss": record.dev_loss} | self._headlines("dev", *judged)
        return kept | {"learning_rate": record.learning_rate, "seconds": round(record.seconds, 4)}

    def _headlines(self, part: str, outputs: np.ndarray, y: np.ndarray, weight: np.ndarray | None) -> dict[str, float]:
        """The one figure of each target that is shown while training, behind the name of the part."""
        metric = metric_of(self.settings)
        if isinstance(self.seen, TaskSurvey):
            found = headline_of_task(self.seen, self.config.loss, outputs, y)
        elif (self.costs_alone and (metric is None or part == "train")) or (weight is not None and not weight.any()):
            return {}
        else:
            found = headlines(self.preprocessor.targets, self.config.loss, outputs, y, weight, metric)
        return {f"{part}_{name}": value for name, value in found.items()}

    def keep(self) -> None:
        """Brings what was trained to the disk before it is judged, which may take longer than anybody waits.

        Of an interrupted training the weights can then predict, and `resume` goes on from where it stood.
        """
        if self.out is None or self.record is None or not self.record.is_finite or self.kept == self.record.step:
            return
        self.kept = self.record.step
        if self.outcome is Outcome.INTERRUPTED:
            if self.goes_on:
                self.save_checkpoint()
            self.keep_best()
        elif time.monotonic() - self.saved >= min(LAST_SECONDS, CHECKPOINT_SECONDS):
            self.progress.ended = self.outcome.name
            self.save_checkpoint()

    def keep_best(self) -> None:
        """Puts the best so far into the folder of a training that was interrupted: of a mending the best of the
        trainings that ended, where one has."""
        assert self.out is not None
        (self.so_far() or self._run(Judged(self.config.loss))).complete(self.out)

    def so_far(self) -> Run | None:
        """The best run of the trainings of a mending that ended, as one that is interrupted; None where none has."""
        if self.mending is None or self.best is None:
            return None
        now, best = self.mending.number, self.mending.best
        ended = f"Interrupted; training {now} of at most {MOST_TRAININGS} was under way, and training {best} is kept."
        facts = self.best.facts | {"outcome": ended, "mended": self.mending.tells(ended)}
        return replace(self.best, facts=facts)

    def left(self) -> str:
        """What is on the disk should the process end now: the rest of a sentence."""
        if self.out is None:
            return "nothing was written."
        if not (self.out / PLAN).exists():
            return f"{self.out} holds the finished run."
        step = self.checkpoints.step
        what = "what it takes to begin again" if step is None else f"the training as it stood after step {step:,}"
        if self.best is not None:
            what = f"the best training so far and {what}"
        return f"{self.out} holds {what}. Go on: preceptor fit --resume {shell_word(self.out)}."

    def finish(self, judge: bool = True) -> Run:
        """Judges the best weights on the dev and test parts, and writes the run to its folder if it has one.

        An interrupted run keeps its latest checkpoint, from which `resume` goes on. A training of a mending that was
        not interrupted is written by what follows (`job/attempts.py`).

        Args:
            judge: False where nobody waits for the figures of an interrupted training.
        """
        best, judged, evidence = self._best(), Judged(self.config.loss), None
        self.log.end(self.outcome.name, self.ending)
        self.keep()
        if judge and (self.best is None or self.outcome is not Outcome.INTERRUPTED):
            judged = self._judged(best)
            evidence = self._gathered(judged) if self.gathers else None
        run = replace(self._run(judged), evidence=evidence)
        if self.outcome is Outcome.INTERRUPTED:
            run = self.so_far() or run
        elif self.mending is not None:
            return run
        if self.out is None:
            return run
        run.complete(self.out)
        if self.outcome is not Outcome.INTERRUPTED:
            clear(self.out)
        self.release()
        return run

    def _judged(self, best: dict[str, Any]) -> Judged:
        """What rows that it did not learn from say of it."""
        if isinstance(self.seen, TaskSurvey):
            return judge_task(self.seen, self.config, best, self.data)
        test = self.encoded.test_x, self.encoded.test_y, self.encoded.test_weight
        return judged_on(self.preprocessor.targets, self.config, best, self.data, *test, metric_of(self.settings))

    def _gathered(self, judged: Judged) -> Evidence | None:
        """What the run's page shows. A fault here costs the page, not the run."""
        try:
            config, best = self._whole()
            if isinstance(self.seen, TaskSurvey):
                return as_read(gather_task(self.seen, config, self.encoded, best, self.progress))
            seen = self.seen, self.settings, config, self.whole or self.encoded
            judges = judged.judges
            if self.whole is not None and judges is not None and config is not self.config:
                x = self.whole.test_x if judges.part == "test" else self.whole.data.dev_x
                judged = replace(judged, judges=judges.by(config.network, best, x))
            return as_read(gather(*seen, best, judged, self.progress, self.doctor))
        except Exception as error:
            what = f"{type(error).__name__}: {error}"
            warnings.warn(f"fit: the report is without evidence, which could not be gathered ({what}).", stacklevel=2)
            return None

    def release(self) -> None:
        """Lets others go on with the run's folder."""
        if self.lock is not None:
            self.lock.release()

    @property
    def whole_network(self) -> Layer:
        """The network from its input on, where `config` is of what stands behind a frozen beginning too."""
        trunk = None if self.transfer is None else self.transfer.trunk
        return self.config.network if trunk is None else trunk.whole.network

    def _whole(self) -> tuple[Config, dict[str, Any]]:
        """The training of the whole network, and the best weights of it."""
        trunk = None if self.transfer is None else self.transfer.trunk
        if trunk is None:
            return self.config, self._best()
        return trunk.whole, trunk.joined(self._best())

    def _run(self, judged: Judged) -> Run:
        now, (config, best) = self.progress, self._whole()
        sizes = {name: len(getattr(self.seen.parts, name)) for name in ("train", "dev", "test")}
        epoch = self.record.epoch if self.record else max((each["epoch"] for each in now.history), default=0)
        facts = {
            "data": self.seen.table.name,
            "source": self.source,
            "rows": sum(sizes.values()),
            "split": sizes,
            "folds": self.seen.folds,
            "features": self.preprocessor.features,
            "identifiers": self.seen.identifiers,
            "engine": self.config.engine.name,
            "epochs": int(epoch),
            "best_epoch": int(now.best_epoch),
            "outcome": self.ending,
            "seconds": round(now.seconds + time.perf_counter() - self.began, 3),
            "learning_rate": self.config.learning_rate,
            "batch_size": self.config.batch_size,
            "settings": self.settings.to_dict(),
            "how": self.seen.how,
            "asked": self.asked.given(),
            **({} if self.header else {"header": False}),
            **({"task": task_text(self.seen.task)} if isinstance(self.seen, TaskSurvey) else {}),
            **self.weighting,
            "findings": [each.to_dict() for each in self.found] + self.progress.findings + self._notes(),
            "watched": self.watched,
            "curve": self.curve,
            **({} if judged.threshold is None else {"threshold": judged.threshold}),
            **zeros(self.config.penalties, best["params"]),
            **({} if self.transfer is None else {"transfer": self.transfer.to_dict()}),
        }
        return Run(
            network=config.network,
            loss=judged.loss,
            params=best["params"],
            state=best["state"],
            preprocessor=self.preprocessor,
            dev=judged.dev,
            test=judged.test,
            history=Rows(self.history),
            facts=facts,
            scores=judged.scores,
        )

    def _notes(self) -> list[dict[str, Any]]:
        """What the doctor could not prove, JSON types."""
        return [self._told(each) for each in self.doctor.findings if each.level == "note"] if self.doctor else []

    @property
    def told(self) -> list[dict[str, Any]]:
        """What the doctor found at the latest record and is sure of, JSON types."""
        return [self._told(each) for each in self.news if each.level != "note"]

    def _best(self) -> dict[str, Any]:
        """The weights with the lowest dev loss; where no epoch was completed the latest if they are good, else the
        first."""
        if self.progress.best is not None:
            return self.progress.best
        if self.record is not None and self.record.is_finite:
            return self.record.weights()
        params, state = initial_values(self.config, self.data)
        return {"params": params, "state": state}


def prepare(
    source: Any, settings: Settings, header: bool = True, mend: bool = False, minutes: float | None = None
) -> Fitting:
    """Reads a table, checks it, splits it and builds the network. Writes nothing that stays.

    Args:
        minutes: how long to train, about, in place of the epochs of the settings.
    Raises: DataError, ConfigError, with what was received, what is required and the likely cure.
    """
    return completed(preparing(source, settings, header, mend, minutes))


def preparing(
    source: Any, settings: Settings, header: bool = True, mend: bool = False, minutes: float | None = None
) -> Stages[Fitting]:
    """`prepare`, saying how far it has come."""
    check_minutes(minutes, settings.epochs)
    if settings.test is not None:
        settings = replace(settings, test=str(Path(settings.test).resolve()))
    seen = yield from look(source, settings, header)
    raise_refusals(seen.found, seen.table.name)
    if mend:
        check_mending(_has_dev(seen), trains_with_others())
    lies = where(source) if isinstance(source, (str, Path)) else ""
    fitting = yield from building(lies, seen, settings, header)
    if minutes is not None:
        yield Stage("measuring how long a step takes")
        settings = replace(settings, epochs=epochs_within(minutes, fitting.config, fitting.data))
        fitting = yield from building(lies, seen, settings, header)
    fitting.mending = Mending(settings.to_dict()) if mend else None
    return fitting


def _has_dev(seen: Survey | PictureSurvey | TaskSurvey) -> bool:
    return len(seen.parts.dev) > 0 or seen.folds > 0


def building(
    source: str,
    seen: Survey | PictureSurvey | TaskSurvey,
    settings: Settings,
    header: bool = True,
    encode: Callable[[Settings], Stages[Encoded]] | None = None,
) -> Stages[Fitting]:
    """A training on what was read and divided, prepared.

    Args:
        source: where the data lie; "" where they were given in Python.
        encode: in place of that of `seen`, where what the network takes of them may be known.
    """
    asked, has_dev = settings, _has_dev(seen)
    check_parts(settings, has_dev)
    targets = seen.preprocessor.targets
    check_metric(settings, targets[0], has_dev)  # which is refused where there are several
    settings = seen.complete(settings)
    if seen.folds and settings.networks % seen.folds:
        raise ConfigError(
            f"fit: received {counted(settings.networks, 'network')} where rows are dealt to {seen.folds} folds; a "
            "multiple of the folds is required. Give folds 0, for a dev part."
        )
    if not has_dev:
        settings = replace(settings, patience=None)  # it looks at the dev loss
    check_dropout(settings)
    classes = [len(target.classes or ()) for target in targets]
    loss = seen.make_loss(settings) if isinstance(seen, TaskSurvey) else settings.make_loss(*classes)
    network = settings.make_ensemble(seen.make_network(settings, loss.outputs(classes[0])))
    spec, begun = Spec((1, *seen.preprocessor.input_shape), np.dtype(np.float32)), None
    origin = None if isinstance(seen, TaskSurvey) else seen.origin
    if origin is not None:
        begun = origin.begin(network, spec, targets, settings.map or ())
        network = begun.network
    config = make_config(settings, network, loss, len(seen.parts.train))
    params, _ = initial_specs(network, spec)
    check_parameters(sum(math.prod(spec.shape) for spec in params.values()), parameter_bytes(config, params))
    check_patterns(config.penalties, params)
    check_fine_tuning(config.fine_tuning, params)
    if settings.class_weight is not None:
        named_weights(settings.class_weight, targets[0])  # a wrong name is told before all rows are read
    encoded = yield from (encode or seen.encode)(settings)
    check_targets(settings, targets[0], encoded, seen.parts)
    own = class_weights(settings.class_weight, targets[0], encoded.train_y, seen.weights(seen.parts.train))
    config = replace(config, class_weights=own)
    if origin is None or begun is None:
        return Fitting(source, seen, settings, config, encoded, header, asked=asked)
    encoded, config = replace(encoded, begins=origin.fingerprint()), replace(config, first=begun.first)
    ready = yield from transferred(asked, settings, config, origin, begun, encoded, tuple(params), source)
    parts = source, seen, ready.settings, ready.config, ready.encoded
    return Fitting(*parts, header, asked=asked, transfer=ready, whole=encoded)


def look(source: Any, settings: Settings, header: bool = True) -> Stages[Survey | PictureSurvey]:
    """A table or pictures, read, divided and looked at.

    Raises: DataError, ConfigError, with what was received, what is required and the likely cure.
    """
    if isinstance(source, (str, Path)) and str(source) not in BUNDLED:
        if looks_like_pictures(Path(source)):
            return (yield from survey_pictures(source, settings, header))
        refuse_neither(source)
    return (yield from survey(source, settings, header))


def heeded(found: list[Finding], settings: Settings) -> list[Finding]:
    """The findings that are not to be ignored. What would make nonsense of a training is never ignored."""
    return [each for each in found if each.level == "refuse" or each.rule not in (settings.ignore or ())]


def put_together(source: Any, target: Any) -> tuple[Any, str | tuple[str, ...] | None]:
    """The data, and the name of the target in them, or the names of several, as a user of Python gives both.

    Args:
        source: as of `fit`.
        target: the name of a column or names of several, or the values of the target: then both become one table.

    Raises: DataError where the target is neither.
    """
    if target is None or isinstance(target, str):
        return source, target
    if isinstance(source, (str, Path)):
        if are_names(target):
            return source, tuple(target)
        source = read(source, labels=[str(target)] if isinstance(target, (int, np.integer)) else [])
    return with_target(source, target)
