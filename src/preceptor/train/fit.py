"""The main job: from a table to a trained, judged network."""

import enum
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from preceptor.data import (
    Preprocessor,
    Split,
    Table,
    default_target,
    fit_preprocessor,
    read,
    split,
    target_kind,
    usable_rows,
)
from preceptor.errors import DataError
from preceptor.train.loop import Arrays, Config, Evaluator, Record, initial_values, train
from preceptor.train.recipe import complete, make_config
from preceptor.train.run import Run, check_out, figures
from preceptor.train.settings import Settings, make_settings


class Outcome(enum.Enum):
    """How a training ended; the value is the sentence shown to the user."""

    FINISHED = "All epochs done; the weights with the lowest dev loss are kept."
    STOPPED_EARLY = "Stopped early, for the dev loss no longer fell; the weights with the lowest are kept."
    INTERRUPTED = "Interrupted; the weights with the lowest dev loss so far are kept."
    DIVERGED = "The loss became infinite or not a number; the last good weights are kept. Try a smaller learning rate."


@dataclass
class Fitting:
    """A training that is prepared: `for record in fitting.records(): ...`, then `run = fitting.finish()`.

    Breaking out of the loop ends the training; `finish` then says that it was interrupted.
    """

    table: Table
    settings: Settings
    preprocessor: Preprocessor
    parts: Split
    config: Config
    arrays: Arrays
    outcome: Outcome = Outcome.INTERRUPTED
    history: list[dict[str, Any]] = field(default_factory=list)
    best: dict[str, Any] | None = None
    best_loss: float = float("inf")
    best_epoch: float = 0.0
    record: Record | None = None
    began: float = field(default_factory=time.perf_counter)

    def records(self) -> Iterator[Record]:
        """Trains; keeps the weights with the lowest dev loss; stops early where it no longer falls."""
        patience = self.settings.patience or max(3, self.config.epochs // 3)
        waited, losses = 0, []
        lowest, calmest = float("inf"), None  # without a dev part: of the epoch with the lowest training loss
        for record in train(self.config, self.arrays):
            self.record = record
            losses.append(record.losses)
            if not record.is_finite:
                self.outcome = Outcome.DIVERGED
                if calmest is not None:
                    self.best, self.best_epoch = calmest
                yield record
                return
            if record.is_epoch_end:
                train_loss = float(np.mean(np.concatenate(losses)))
                self.history.append(self.entry(record, train_loss))
                waited, losses = waited + 1, []
                # Without a dev part the latest weights are the best known.
                if record.dev_loss is None or record.dev_loss < self.best_loss:
                    self.best = record.snapshot()
                    self.best_loss = record.dev_loss if record.dev_loss is not None else self.best_loss
                    self.best_epoch, waited = record.epoch, 0
                if record.dev_loss is None and train_loss < lowest:
                    lowest, calmest = train_loss, (self.best, record.epoch)
            if record.step == record.steps:
                self.outcome = Outcome.FINISHED
            elif waited >= patience:
                self.outcome = Outcome.STOPPED_EARLY
            yield record
            if self.outcome is not Outcome.INTERRUPTED:
                return

    def entry(self, record: Record, train_loss: float) -> dict[str, Any]:
        """What the history keeps of an epoch, from its last record and mean loss: JSON types."""
        kept = {"step": record.step, "epoch": round(record.epoch, 4), "train_loss": train_loss}
        if record.dev_loss is not None and record.dev_outputs is not None and self.arrays.dev_y is not None:
            name, value = self._headline(record.dev_outputs, self.arrays.dev_y)
            kept |= {"dev_loss": record.dev_loss, f"dev_{name}": value}
        return kept | {"learning_rate": record.learning_rate, "seconds": round(record.seconds, 4)}

    @np.errstate(all="ignore")
    def _headline(self, outputs: np.ndarray, target: np.ndarray) -> tuple[str, float]:
        """The one figure that is shown while training: accuracy, or RMSE in the target's unit."""
        predicted = np.asarray(self.config.loss.predict(outputs))
        if self.preprocessor.classes is not None:
            return "accuracy", float(np.mean(predicted.argmax(1) == target))
        return "rmse", float(np.sqrt(np.mean((predicted - target) ** 2)) * self.preprocessor.target_sd)

    def finish(self, out: str | Path | None = None) -> Run:
        """Judges the best weights on the dev and test parts, and writes the run's folder if `out` names one."""
        if self.best is None:
            self.best = self._fallback()
        settings, engine = self.settings, self.config.engine
        judged = {}
        for name, rows in (("dev", self.parts.dev), ("test", self.parts.test)):
            if len(rows):
                x, y = self._features(rows)
                dtype = next(iter(self.best["params"].values())).dtype
                evaluate = Evaluator(self.config.network, self.config.loss, engine, self.best, x, y, dtype)
                judged[name] = figures(self.preprocessor, self.config.loss, evaluate(self.best)[1], y)
        facts = {
            "data": self.table.name,
            "rows": len(self.parts.train) + len(self.parts.dev) + len(self.parts.test),
            "split": {"train": len(self.parts.train), "dev": len(self.parts.dev), "test": len(self.parts.test)},
            "features": self.preprocessor.features,
            "engine": engine.name,
            "epochs": int(self.record.epoch) if self.record else 0,
            "best_epoch": int(self.best_epoch),
            "outcome": self.outcome.value,
            "seconds": round(time.perf_counter() - self.began, 3),
            "learning_rate": self.config.learning_rate,
            "batch_size": self.config.batch_size,
            "settings": settings.to_dict(),
        }
        run = Run(
            network=self.config.network,
            loss=self.config.loss,
            params=self.best["params"],
            state=self.best["state"],
            preprocessor=self.preprocessor,
            dev=judged.get("dev", {}),
            test=judged.get("test", {}),
            history=self.history,
            facts=facts,
        )
        return run.save(out) if out is not None else run

    def _features(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        part = self.table.select(rows)
        return self.preprocessor.transform(part), self.preprocessor.encode_target(part)

    def _fallback(self) -> dict[str, Any]:
        """The weights where no epoch was completed: the latest if they are good, else the first ones."""
        if self.record is not None and self.record.is_finite:
            return self.record.snapshot()
        params, state = initial_values(self.config, self.arrays)
        return {"params": params, "state": state}


def prepare(source: Any, settings: Settings, header: bool = True) -> Fitting:
    """Reads a table, checks it, splits it and builds the network. Writes nothing.

    Raises: DataError, ConfigError, with what was received, what is required and the likely cure.
    """
    table = read(source, header=header)
    target = settings.target or default_target(table.name)
    if target is None:
        raise DataError(
            f"{table.name}: no target was named; one of its columns is needed: {', '.join(list(table.columns)[:20])}. "
            "Name it with --target (in Python: target=...)."
        )
    usable = usable_rows(table, target)
    whole = len(usable) == table.rows
    kept = table if whole else table.select(usable)
    kind = target_kind(table, target, usable, settings.kind)
    labels = kept.column(target) if kind == "classes" else None
    if labels is not None and labels.dtype == object:
        labels = labels.astype(str)
    parts = split(kept.rows, dev=settings.dev_share, test=settings.test_share, seed=settings.seed, labels=labels)
    preprocessor = fit_preprocessor(table, target, usable[parts.train], kind=settings.kind)
    settings = complete(settings, preprocessor, len(parts.train))
    loss = settings.make_loss(len(preprocessor.classes or ()))
    network = settings.make_network(loss.outputs(len(preprocessor.classes or ())))
    config = make_config(settings, network, loss, len(parts.train))
    train_part, dev_part = kept.select(parts.train), kept.select(parts.dev)
    arrays = Arrays(
        preprocessor.transform(train_part),
        preprocessor.encode_target(train_part),
        preprocessor.transform(dev_part) if len(parts.dev) else None,
        preprocessor.encode_target(dev_part) if len(parts.dev) else None,
    )
    return Fitting(kept, settings, preprocessor, parts, config, arrays)


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
    for _ in fitting.records():
        pass
    return fitting.finish(out)
