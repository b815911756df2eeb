"""The lines of a training, thinned: as many points for ten million steps as for a thousand."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from preceptor.job.fit import Fitting
from preceptor.train.loop import Record
from preceptor.writers.message import Point

__all__ = ["Lines", "of_epoch", "of_epochs"]

MOST_POINTS = 1_000  # of a line; twice as many where steps do not share out evenly, and one more


class Lines:
    """What is told of a training record by record. It hangs on steps and epochs alone, never on how many steps the
    machine makes between two records, so that a training that goes on tells what it would have told.

    The objective is told as the mean of blocks of steps, which end where an epoch does; all else of epochs. Of very
    many epochs only every so-manieth is told, and the last.
    """

    def __init__(self, fitting: Fitting) -> None:
        """Before the first record of a training that begins or goes on."""
        config, done = fitting.config, fitting.progress
        steps = math.ceil(fitting.data.rows / config.batch_size)
        self.stride = math.ceil(config.epochs / MOST_POINTS)
        self.block = math.ceil(steps / max(1, MOST_POINTS // config.epochs))
        self.epochs, self.told = len(done.history), len(done.history)
        self.made = len(done.losses)  # steps since the last epoch ended
        self.open = done.losses[self.made - self.made % self.block :]

    def after(self, record: Record, history: Sequence[Mapping[str, Any]]) -> list[Point]:
        """The points of a record. Args: history: with the entry of the epoch that it ends, if it does."""
        found, first = [], record.step - len(record.losses)
        is_told = (self.epochs + 1) % self.stride == 0
        rates = None
        for number, loss in enumerate(record.losses.tolist(), 1):
            self.open.append(loss)
            is_last = number == len(record.losses) and (record.is_epoch_end or not record.is_finite)
            if (self.made + number) % self.block and not is_last:
                continue
            if is_told:
                rates = _rates(record, first) if rates is None else rates
                found.append(Point("loss/objective", first + number, float(np.mean(self.open))))
                found.append(Point("learning_rate", first + number, float(rates[number - 1])))
            self.open = []
        self.made += len(record.losses)
        if len(history) > self.epochs:
            self.epochs, self.made, self.open = len(history), 0, []
            if is_told:
                found += self._entry(history)
        return found

    def last(self, history: Sequence[Mapping[str, Any]]) -> list[Point]:
        """The points of the last epoch where it was left out."""
        return self._entry(history) if self.told < len(history) else []

    def _entry(self, history: Sequence[Mapping[str, Any]]) -> list[Point]:
        self.told = len(history)
        return of_epoch(history[-1])


def _rates(record: Record, first: int) -> np.ndarray:
    """The learning rate of each step of a record; a plateau's drops are the same within one."""
    rates = record.stepper.rates(first, len(record.losses))
    return rates * (record.learning_rate / rates[-1]) if rates[-1] else rates


def of_epoch(entry: Mapping[str, Any]) -> list[Point]:
    """What the history tells of an epoch beside its step, time, objective and learning rate."""
    left_out = ("step", "epoch", "seconds", "objective", "learning_rate")
    return [
        Point(_called(name), entry["step"], float(value))
        for name, value in entry.items()
        if name not in left_out and value is not None
    ]


def of_epochs(history: Sequence[Mapping[str, Any]]) -> list[Point]:
    """What a history tells of past epochs, thinned."""
    stride, found = math.ceil(len(history) / MOST_POINTS), []
    for number, entry in enumerate(history, 1):
        if number % stride == 0 or number == len(history):
            known = {"loss/objective": entry["objective"], "learning_rate": entry["learning_rate"]}
            found += [Point(name, entry["step"], float(each)) for name, each in known.items() if each is not None]
            found += of_epoch(entry)
    return found


def _called(name: str) -> str:
    """A name of the history as one of a group: loss/dev, dev/accuracy."""
    part, _, figure = name.partition("_")
    return f"loss/{part}" if figure == "loss" else f"{part}/{figure}"
