"""The main job: from a table to a trained, judged network."""

import enum
import hashlib
import math
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from preceptor.data import BUNDLED, PicturePreprocessor, Preprocessor, looks_like_pictures
from preceptor.diagnose import Observation, raise_refusals
from preceptor.engines import is_first_process
from preceptor.errors import DataError
from preceptor.job.picture_survey import PictureSurvey, survey_pictures
from preceptor.job.recipe import make_config
from preceptor.job.run import FORMAT, PLAN, Run, check_out, figures, not_written
from preceptor.job.settings import Settings, make_settings
from preceptor.job.stages import Encoded, Stages, completed
from preceptor.job.suitability import check_dropout, check_parts
from preceptor.job.survey import Survey, survey
from preceptor.nn import initial_specs
from preceptor.ops import Spec
from preceptor.train.checkpoint import Checkpoint, Checkpoints
from preceptor.train.disk import write_folder
from preceptor.train.loop import Arrays, Config, Evaluator, Record, Streamed, initial_values, train
from preceptor.train.penalty import check_patterns
from preceptor.train.step import first_state

CHECKPOINT_SECONDS = 30.0  # what a killed machine costs at most
CHECKPOINTS = "checkpoints"  # in the folder of a run that is not finished


class Outcome(enum.Enum):
    """How a training ended; the value is the sentence shown to the user."""

    FINISHED = "All epochs done; the weights with the lowest dev loss are kept."
    STOPPED_EARLY = "Stopped early, for the dev loss no longer fell; the weights with the lowest are kept."
    INTERRUPTED = "Interrupted; the weights with the lowest dev loss so far are kept."
    DIVERGED = "The loss became infinite or not a number; the last good weights are kept. Try a smaller learning rate."


@dataclass
class Progress:
    """What the main job knows beside what training carries; a checkpoint holds both.

    Args:
        history: one entry for each epoch, JSON types.
        losses: of the steps since the last epoch ended.
        best, best_loss, best_epoch: weights with the lowest dev loss; without a dev part the latest.
        waited: epochs since the dev loss was last the lowest.
        calmest, lowest, calmest_epoch: without a dev part, weights of the epoch with the lowest training loss.
        seconds: trained before this process.
    """

    history: list[dict[str, Any]] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    best: dict[str, Any] | None = None
    best_loss: float = math.inf
    best_epoch: float = 0.0
    waited: int = 0
    calmest: dict[str, Any] | None = None
    lowest: float = math.inf
    calmest_epoch: float = 0.0
    seconds: float = 0.0


@dataclass
class Fitting:
    """A training that is prepared: `for record in fitting.records(): ...`, then `run = fitting.finish()`.

    Breaking out of the loop ends the training; `finish` then says that it was interrupted.

    Args:
        out: the run's folder, made by `open_folder`; without it nothing is written.
    """

    source: str
    seen: Survey | PictureSurvey
    settings: Settings
    config: Config
    encoded: Encoded
    header: bool = True
    outcome: Outcome = Outcome.INTERRUPTED
    progress: Progress = field(default_factory=Progress)
    start: tuple[int, Any] | None = None
    record: Record | None = None
    out: Path | None = None
    began: float = field(default_factory=time.perf_counter)

    @property
    def data(self) -> Arrays | Streamed:
        """What training sees."""
        return self.encoded.data

    @property
    def preprocessor(self) -> Preprocessor | PicturePreprocessor:
        """How what was read becomes what a network takes."""
        return self.seen.preprocessor

    @property
    def found(self) -> list[Observation]:
        """What the gate saw in the table."""
        return self.seen.found + self.encoded.found

    @property
    def history(self) -> list[dict[str, Any]]:
        """One entry for each epoch."""
        return self.progress.history

    def records(self) -> Iterator[Record]:
        """Trains; keeps the weights with the lowest dev loss; stops early where it no longer falls.

        With a folder, a checkpoint is committed every CHECKPOINT_SECONDS.
        """
        patience = self.settings.patience or max(3, self.config.epochs // 3)
        now, saved = self.progress, time.monotonic()
        known = [each["dev_loss"] for each in now.history if "dev_loss" in each]
        dev_losses = [math.inf if loss is None else loss for loss in known]  # JSON knows no infinity
        for record in train(self.config, self.data, self.start, dev_losses):
            self.record = record
            now.losses += record.losses.tolist()
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
            elif now.waited >= patience:
                self.outcome = Outcome.STOPPED_EARLY
            elif self.out is not None and time.monotonic() - saved >= CHECKPOINT_SECONDS:
                self.save_checkpoint()
                saved = time.monotonic()
            yield record
            if self.outcome is not Outcome.INTERRUPTED:
                return

    def _close_epoch(self, record: Record) -> None:
        now = self.progress
        train_loss = float(np.mean(now.losses))
        now.history.append(self.entry(record, train_loss))
        now.waited, now.losses = now.waited + 1, []
        # Without a dev part the latest weights are the best known.
        if record.dev_loss is None or record.dev_loss < now.best_loss:
            now.best = record.weights()
            now.best_loss = record.dev_loss if record.dev_loss is not None else now.best_loss
            now.best_epoch, now.waited = record.epoch, 0
        if record.dev_loss is None and train_loss < now.lowest:
            now.lowest, now.calmest, now.calmest_epoch = train_loss, now.best, record.epoch

    def open_folder(self, out: Path) -> None:
        """Makes the run's folder, with all that `resume` needs to begin again from the first step.

        Of processes that train together, the first alone writes; the others keep no folder.
        """
        if not is_first_process():
            return
        check_out(out)
        plan = {
            "format": FORMAT,
            "source": self.source,
            "header": self.header,
            "settings": self.settings.to_dict(),
            "fingerprint": self.fingerprint(),
        }
        try:
            write_folder(out, {PLAN: msgspec.json.format(msgspec.json.encode(plan), indent=1)})
        except OSError as error:
            raise not_written(out, error) from None
        self.out = out

    def fingerprint(self) -> str:
        """A checksum of everything that training sees: the same data, split and preparation give the same."""
        digest = hashlib.sha256()
        train = [self.data.stream] if isinstance(self.data, Streamed) else [self.data.x, self.data.y]
        for part in (*train, self.data.dev_x, self.data.dev_y):
            if isinstance(part, np.ndarray):
                digest.update(f"{part.dtype}{part.shape}".encode())
                digest.update(np.ascontiguousarray(part).data)
            elif part is not None:
                digest.update(part.fingerprint())
        return digest.hexdigest()

    def save_checkpoint(self) -> None:
        """Commits the training as it stands."""
        assert self.out is not None
        assert self.record is not None
        now = self.progress
        trees = {"all": self.record.snapshot(), "best": now.best, "calmest": now.calmest}
        arrays = {name: array for tree in trees for name, array in _named(tree, trees[tree])}
        facts = {each.name: getattr(now, each.name) for each in fields(now) if each.name not in ("best", "calmest")}
        facts["seconds"] = now.seconds + self.record.seconds
        Checkpoints(self.out / CHECKPOINTS).save(Checkpoint(self.record.step, arrays, facts))

    def restore(self, checkpoint: Checkpoint) -> None:
        """Goes back to a checkpoint: `records` continues from there."""
        params, state = initial_values(self.config, self.data)
        like = first_state(params, state, self.config.optimiser, self.config.seed, self.config.update)
        weights = {"params": params, "state": state}
        facts: dict[str, Any] = {name: math.inf if v is None else v for name, v in checkpoint.facts.items()}
        kept = {name.partition(":")[0] for name in checkpoint.arrays}
        for name in ("best", "calmest"):
            facts[name] = _unnamed(name, weights, checkpoint.arrays) if name in kept else None
        self.progress = Progress(**facts)
        self.start = (checkpoint.step, _unnamed("all", like, checkpoint.arrays))

    def entry(self, record: Record, train_loss: float) -> dict[str, Any]:
        """What the history keeps of an epoch, from its last record and mean loss: JSON types."""
        kept = {"step": record.step, "epoch": round(record.epoch, 4), "train_loss": train_loss}
        if record.dev_loss is not None and record.dev_outputs is not None and self.data.dev_y is not None:
            name, value = self._headline(record.dev_outputs, self.data.dev_y)
            kept |= {"dev_loss": record.dev_loss, f"dev_{name}": value}
        return kept | {"learning_rate": record.learning_rate, "seconds": round(record.seconds, 4)}

    @np.errstate(all="ignore")
    def _headline(self, outputs: np.ndarray, target: np.ndarray) -> tuple[str, float]:
        """The one figure that is shown while training: accuracy, or RMSE in the target's unit."""
        predicted = np.asarray(self.config.loss.predict(outputs))
        if self.preprocessor.classes is not None:
            return "accuracy", float(np.mean(predicted.argmax(1) == target))
        return "rmse", float(np.sqrt(np.mean((predicted - target) ** 2)) * self.preprocessor.target_sd)

    def finish(self) -> Run:
        """Judges the best weights on the dev and test parts, and writes the run to its folder if it has one.

        An interrupted run keeps its latest checkpoint, from which `resume` goes on.
        """
        now, settings, engine = self.progress, self.settings, self.config.engine
        best = now.best or self._fallback()
        judged = {}
        for name, (x, y) in (
            ("dev", (self.data.dev_x, self.data.dev_y)),
            ("test", (self.encoded.test_x, self.encoded.test_y)),
        ):
            if x is not None and y is not None:
                outputs = Evaluator(self.config.network, None, engine, best, x)(best, x)[1]
                judged[name] = figures(self.preprocessor, self.config.loss, outputs, y)
        sizes = {name: len(getattr(self.seen.parts, name)) for name in ("train", "dev", "test")}
        facts = {
            "data": self.seen.table.name,
            "source": self.source,
            "rows": sum(sizes.values()),
            "split": sizes,
            "features": self.preprocessor.features,
            "identifiers": self.seen.identifiers,
            "engine": engine.name,
            "epochs": int(self.record.epoch) if self.record else 0,
            "best_epoch": int(now.best_epoch),
            "outcome": self.outcome.value,
            "seconds": round(now.seconds + time.perf_counter() - self.began, 3),
            "learning_rate": self.config.learning_rate,
            "batch_size": self.config.batch_size,
            "settings": settings.to_dict(),
        }
        run = Run(
            network=self.config.network,
            loss=self.config.loss,
            params=best["params"],
            state=best["state"],
            preprocessor=self.preprocessor,
            dev=judged.get("dev", {}),
            test=judged.get("test", {}),
            history=self.history,
            facts=facts,
        )
        if self.out is None:
            return run
        if self.outcome is Outcome.INTERRUPTED and self.record is not None:
            self.save_checkpoint()
        run.complete(self.out)
        if self.outcome is not Outcome.INTERRUPTED:
            (self.out / PLAN).unlink(missing_ok=True)
            shutil.rmtree(self.out / CHECKPOINTS, ignore_errors=True)
        return run

    def _fallback(self) -> dict[str, Any]:
        """The weights where no epoch was completed: the latest if they are good, else the first ones."""
        if self.record is not None and self.record.is_finite:
            return self.record.weights()
        params, state = initial_values(self.config, self.data)
        return {"params": params, "state": state}


def prepare(source: Any, settings: Settings, header: bool = True) -> Fitting:
    """Reads a table, checks it, splits it and builds the network. Writes nothing that stays.

    Raises: DataError, ConfigError, with what was received, what is required and the likely cure.
    """
    return completed(preparing(source, settings, header))


def preparing(source: Any, settings: Settings, header: bool = True) -> Stages[Fitting]:
    """`prepare`, saying how far it has come."""
    if settings.test is not None:
        settings = replace(settings, test=str(Path(settings.test).resolve()))
    seen = yield from look(source, settings, header)
    raise_refusals(seen.found, seen.table.name)
    check_parts(settings, len(seen.parts.dev))
    settings = seen.complete(settings)
    if not len(seen.parts.dev):
        settings = replace(settings, patience=None)  # it looks at the dev loss
    check_dropout(settings)
    classes = len(seen.preprocessor.classes or ())
    loss = settings.make_loss(classes)
    network = settings.make_ensemble(seen.make_network(settings, loss.outputs(classes)))
    config = make_config(settings, network, loss, len(seen.parts.train))
    encoded = yield from seen.encode(settings)
    one_row = Spec((1, *encoded.data.first()[0].shape[1:]), np.dtype(np.float32))
    check_patterns(config.penalties, initial_specs(network, one_row)[0])
    name = str(Path(source).resolve()) if isinstance(source, (str, Path)) and Path(source).exists() else str(source)
    named = name if isinstance(source, (str, Path)) else ""
    return Fitting(named, seen, settings, config, encoded, header)


def look(source: Any, settings: Settings, header: bool = True) -> Stages[Survey | PictureSurvey]:
    """A table or pictures, read, divided and looked at.

    Raises: DataError, ConfigError, with what was received, what is required and the likely cure.
    """
    if isinstance(source, (str, Path)) and str(source) not in BUNDLED and looks_like_pictures(Path(source)):
        return (yield from survey_pictures(source, settings))
    return (yield from survey(source, settings, header))


def resume(out: Path, source: Any = None) -> tuple[Fitting, list[str]]:
    """Prepares an unfinished run to go on from its newest whole checkpoint, or from the first step where there is none.

    Args:
        out: the run's folder.
        source: the data, where it is not where it was.
    Returns: the training, and sentences about what was found.
    Raises: DataError where there is nothing to go on with, or the data are not those of the run.
    """
    return completed(resuming(out, source))


def resuming(out: Path, source: Any = None) -> Stages[tuple[Fitting, list[str]]]:
    """`resume`, saying how far it has come."""
    if not (out / PLAN).is_file():
        done = (out / "config.json").is_file()
        what = "this run is finished; there is nothing to go on with" if done else "this is no run folder"
        raise DataError(f"{out}: {what}. `preceptor fit DATA --out RUN` makes one.")
    try:
        plan = msgspec.json.decode((out / PLAN).read_bytes())
        settings = Settings.from_dict(plan["settings"], f"{out}: {PLAN}")
        where, header, fingerprint = plan["source"], plan["header"], plan["fingerprint"]
    except (OSError, msgspec.DecodeError, KeyError, TypeError) as error:
        raise DataError(f"{out}: {PLAN} cannot be read ({error}). Train again.") from None
    if source is None and not where:
        raise DataError(f"{out}: its data were given in Python, not as a file; they are needed again. Pass them.")
    fitting = yield from preparing(where if source is None else source, settings, header)
    if fitting.fingerprint() != fingerprint:
        raise DataError(
            f"{out}: the data are not those that the run was begun with; the same rows are needed. "
            "Give the right file, or train anew."
        )
    checkpoint, notes = Checkpoints(out / CHECKPOINTS).latest()
    if checkpoint is None:
        notes.append("No checkpoint was committed yet: training begins again.")
    else:
        fitting.restore(checkpoint)
        notes.append(f"Going on after step {checkpoint.step:,}.")
    fitting.out = out if is_first_process() else None
    return fitting, notes


def _named(name: str, tree: Any) -> Iterator[tuple[str, np.ndarray]]:
    """The leaves of a nested dictionary with their paths; nothing for None."""
    if isinstance(tree, dict):
        for key in sorted(tree):
            yield from _named(f"{name}:{key}", tree[key])
    elif tree is not None:
        yield name, tree


def _unnamed(name: str, like: Any, arrays: dict[str, np.ndarray]) -> Any:
    """The inverse of `_named` for a tree nested as `like`."""
    if isinstance(like, dict):
        return {key: _unnamed(f"{name}:{key}", like[key], arrays) for key in like}
    array = arrays.get(name)
    if array is None or array.shape != like.shape or array.dtype != like.dtype:
        raise DataError(f"checkpoint: {name} is missing or of another shape. It belongs to another network.")
    return array


def fit(source: Any, target: str | None = None, *, out: str | Path | None = None, **settings: Any) -> Run:
    """Reads a table, trains a network on it, judges it on rows it never saw.

    Args:
        source: path, name of a bundled table, NumPy array, mapping of arrays, data frame or Arrow table.
        target: column to predict; not needed for a bundled table.
        out: folder to write the run to; without it nothing is written (see Run.save).
        settings: as of the command `preceptor fit`, with underscores: learning_rate=0.01, epochs=50, hidden=(64, 64).

    Returns: the Run: `run.test`, `run.predict(table)`, `run.save(path)`.
    Raises: DataError, ConfigError, with what was received, what is required and the likely cure.
    """
    chosen = make_settings(settings | {"target": target})
    if out is not None:
        check_out(Path(out))
    fitting = prepare(source, chosen)
    if out is not None:
        fitting.open_folder(Path(out))
    for _ in fitting.records():
        pass
    return fitting.finish()
