"""A training that is written down elsewhere while it goes on, and a run that is when it is done."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Protocol

from preceptor.job.fit import Fitting
from preceptor.job.progress import Outcome
from preceptor.job.run import Run
from preceptor.job.stages import Stage, Stages
from preceptor.train.loop import Record
from preceptor.writers.event_files import EventFiles
from preceptor.writers.lines import Lines
from preceptor.writers.message import Beginning, Message, Points
from preceptor.writers.telling import beginning_of, ending_of, files_of, noted
from preceptor.writers.tracking import Tracking

__all__ = ["WRITERS", "Writer", "Writing"]


class Writer(Protocol):
    """Who writes down what a training tells."""

    def write(self, message: Message) -> None:
        """Takes what comes next. Never waits for another machine."""

    def finish(self) -> None:
        """Ends what was written; may wait, for a time that is bounded."""

    def drop(self) -> None:
        """Lets everything be at once."""

    def news(self) -> list[str]:
        """What has happened since it was asked last: sentences."""


WRITERS: dict[str, type[Writer]] = {"tensorboard": EventFiles, "mlflow": Tracking}


class Writing:
    """Writes trainings down with some writers; none of them changes what is trained, or ends it.

    Raises: ConfigError where the library of a writer is missing.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.writers = {name: WRITERS[name]() for name in dict.fromkeys(names)}
        self.lines: Lines | None = None
        self.untold: list[str] = []

    def __enter__(self) -> "Writing":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for each in self.writers.values():
            each.drop()

    def records(self, fitting: Fitting) -> Iterator[Record]:
        """The records of a training, each written down before it is given."""
        if not self.writers or fitting.out is None:  # of processes that train together the first alone has a folder
            yield from fitting.records()
            return
        self.lines = Lines(fitting)
        beginning: Beginning | None = beginning_of(fitting)
        for record in fitting.records():
            if beginning is not None:
                self._write(beginning)  # now that the first step was made: before, the folder may have to go again
                beginning = None
            now = time.time()
            self._write(Points(time=now, points=self.lines.after(record, fitting.history)))
            for found in fitting.told:
                self._write(noted(found, now, record.step))
            yield record
        if beginning is not None:
            self._write(beginning)

    def end(self, fitting: Fitting, run: Run) -> None:
        """Ends what was written of a training."""
        if self.lines is None:
            return
        now, step = time.time(), fitting.history[-1]["step"] if fitting.history else 0
        self._write(Points(time=now, points=self.lines.last(fitting.history)))
        self._write(ending_of(run, fitting.outcome, max(step, fitting.record.step if fitting.record else 0)))

    def finishing(self, run: Run, outcome: Outcome) -> Stages[None]:
        """Hands over the files of a run that is complete, and waits until all is written, for a time that is bounded;
        says on what."""
        if outcome is not Outcome.INTERRUPTED and run.path is not None:  # else there is more to come
            self._write(files_of(run))
        for name, each in [*self.writers.items()]:
            yield Stage(f"writing for {name}")
            with self._guarded(name, each):
                each.finish()

    def told(self) -> list[str]:
        """What is to be known of the writing since it was asked last: sentences."""
        found = [f"{name}: {each}" for name, writer in self.writers.items() for each in writer.news()]
        found, self.untold = self.untold + found, []
        return found

    def _write(self, message: Message) -> None:
        if isinstance(message, Points) and not message.points:
            return
        for name, each in [*self.writers.items()]:
            with self._guarded(name, each):
                each.write(message)

    @contextmanager
    def _guarded(self, name: str, writer: Writer) -> Iterator[None]:
        """A fault of a writer ends the writing, not the training."""
        try:
            yield
        except Exception as error:
            self.untold += [f"{name}: {each}" for each in writer.news()]
            what = getattr(error, "strerror", None) or str(error) or type(error).__name__
            self.untold.append(f"{name}: nothing more is written ({what}); the training goes on.")
            del self.writers[name]
            with suppress(Exception):
                writer.drop()
