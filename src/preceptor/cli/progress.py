"""How far a preparation or a training has come: a moving line on a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from preceptor.cli.terminal import moving_line
from preceptor.job import Fitting
from preceptor.job.stages import Result, Stages
from preceptor.train import Arrays, Record
from preceptor.train.training import Streamed
from preceptor.words import amount, duration, one_line

LOG_SECONDS = 15.0  # between two lines of a preparation where the output is no terminal
MOST_FIGURES = 3  # targets; of more none has its figure in a line of progress
LOG_LINES = 10  # progress lines of a whole training where the output is no terminal


def watched(stages: Stages[Result]) -> Result:
    """What a preparation leads to, shown while it goes on."""
    moving = moving_line()
    began = said = time.monotonic()
    while True:
        try:
            stage = next(stages)
        except StopIteration as end:
            if moving:
                moving.clear()
            return end.value
        now = time.monotonic()
        if not stage.done:
            began = now
        parts, share = [stage.text], None
        if stage.done and stage.total:
            share = stage.done / stage.total
            left = (now - began) / share * (1 - share)
            parts += [f"{stage.done:,} of {stage.total:,} {stage.unit}", f"{duration(left)} left"]
        if moving:
            moving.show(parts, share)
        elif now - said >= LOG_SECONDS:
            said = now
            log(parts)


def log(parts: list[str]) -> None:
    """A line of progress where the output is no terminal."""
    print(f"{'':9} {one_line('  '.join(parts))}", file=sys.stderr)


@contextmanager
def progress_shown(fitting: Fitting) -> Iterator[Any]:
    """A function that shows a record, and one that makes room for other words."""
    moving = moving_line()
    clock = Clock(fitting.data)
    logged = 0

    def show(record: Record) -> None:
        nonlocal logged
        if moving and clock.first is None:
            moving.clear()  # compiling is over: the first record is shown at once
        parts = progress_parts(fitting, record, clock.left(record))
        due = int(LOG_LINES * record.step / record.steps)
        if moving:
            moving.show(parts, record.step / record.steps)
        elif record.is_epoch_end and due > logged:
            logged = due
            log(parts)

    if moving:
        moving.show(["compiling"])
    try:
        yield show, moving.clear if moving else lambda: None
    finally:
        if moving:
            moving.clear()


class Clock:
    """Estimates the time left from the pace since the first record, which compiling held up.

    Steps are reckoned by the numbers of the rows that they see, for pictures that grow have few at first.
    """

    def __init__(self, data: Arrays | Streamed) -> None:
        self.first: Record | None = None
        self.ends, self.work = np.array([0.0, 1.0]), np.array([0.0, 1.0])  # of the stages, in shares of all steps
        if isinstance(data, Streamed) and data.first_streams:
            self.ends = np.append(np.cumsum([0.0, *(share for share, _ in data.first_streams)]), 1.0)
            sizes = [np.size(each.fetch(0, 1)["x"]) for each in data.streams]
            self.work = np.append(0.0, np.cumsum(np.diff(self.ends) * sizes))

    def left(self, record: Record) -> float | None:
        """Seconds left; None as long as there is no pace to tell them from."""
        first = self.first = self.first or record
        if record.step == first.step:
            return None
        before, now = np.interp([first.step / record.steps, record.step / record.steps], self.ends, self.work)
        return float((record.seconds - first.seconds) / (now - before) * (self.work[-1] - now))


def progress_parts(fitting: Fitting, record: Record, left: float | None) -> list[str]:
    """Epoch, rate, losses and time left of a record."""
    last = fitting.history[-1] if fitting.history else {}
    parts = [f"epoch {int(record.epoch):,}/{record.epochs:,}", f"rate {amount(record.learning_rate, 2)}"]
    parts += [] if last else [f"objective {amount(record.objective)}"]
    shown = [name for name in last if name == "train_loss" or name.startswith("dev_")]
    if len(fitting.preprocessor.targets) > MOST_FIGURES:
        shown = [name for name in shown if name in ("train_loss", "dev_loss")]
    parts += [f"{name.replace('_', ' ')} {amount(last[name])}" for name in shown]
    return [*parts, f"about {duration(left)} left"] if left else parts
