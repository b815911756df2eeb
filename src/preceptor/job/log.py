"""The log of a training under way, which another process can follow: what happened, line by line, and the objective of
every step (`levels.py`).

It vouches for nothing: a run is what its other files say. What is half written at an end does not count. A training
that goes on cuts its log back to the checkpoint, so that it ends as one that was never broken off, but for the times.
"""

import os
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from preceptor.disk import Damaged, open_regular, replace_file, sync_folder
from preceptor.job.levels import Levels, append

__all__ = ["EVENTS", "LOG", "Event", "Log", "events_behind", "log_of"]

LOG, EVENTS = "log", "events.jsonl"
FLUSH_SECONDS = 0.5  # between two writes: a page asks no oftener, and a fast training makes thousands of records
MOST_LINE_BYTES = 1 << 20  # of an event
MOST_EVENT_BYTES = 1 << 27  # of all events that a training that goes on keeps


class Event(msgspec.Struct, frozen=True):
    """What happened after a step.

    Args:
        kind: "begun", "epoch" (facts are an entry of the history), "finding" (as it was told) or "ended".
        time: seconds since 1970.
    """

    kind: str
    step: int
    time: float
    facts: dict[str, Any]


def log_of(out: Path, number: int = 1) -> Path:
    """Where the log of a training lies; of a mending that of this number, counted from 1."""
    return out / LOG / str(number)


class Log:
    """Writes the log of a training, a few times a second. Where it cannot be written the training goes on without."""

    def __init__(self, folder: Path | None, step: int, begun: Mapping[str, Any]) -> None:
        """A log as it stood after a step.

        Args:
            folder: which is made where it is missing; without it nothing is written.
            begun: what there is to know of the training; it is the first event.
        """
        self._folder, self._step = folder, step
        self._losses: list[np.ndarray] = []
        self._lines: list[bytes] = []
        self._flushed = 0.0
        with self._losable() as folder:
            if folder is not None:
                self._open(folder, begun)

    def steps(self, losses: np.ndarray) -> None:
        """Takes the objective of the next steps, (step,)."""
        self._step += len(losses)
        if self._folder is not None:
            self._losses.append(losses)
            self._write_now_and_then()

    def add(self, kind: str, *facts: Mapping[str, Any]) -> None:
        """Takes what happened after the latest step, an event each."""
        if self._folder is not None:
            self._lines += [_line(kind, self._step, each) for each in facts]
            self._write_now_and_then()

    def commit(self) -> None:
        """Brings the log to the disk, before a checkpoint that goes on from here."""
        with self._losable() as folder:
            if folder is not None:
                self._write()
                self._levels.sync()
                handle = os.open(folder / EVENTS, os.O_RDWR | os.O_NOFOLLOW)
                try:
                    os.fsync(handle)
                finally:
                    os.close(handle)
                sync_folder(folder)

    def end(self, outcome: str, sentence: str) -> None:
        """Says how the training ended. Args: outcome: its name; `sentence` says it to people."""
        self.add("ended", {"outcome": outcome, "text": sentence})
        with self._losable():
            self._write()

    def _open(self, folder: Path, begun: Mapping[str, Any]) -> None:
        for each in (folder.parent, folder):
            each.mkdir(exist_ok=True)
            if each.is_symlink():
                raise Damaged(f"{each.name} is a link")
        first, path = _line("begun", 0, begun), folder / EVENTS
        if os.path.lexists(path):
            kept = _kept(path, self._step) or [first]
            self._levels = Levels(folder, self._step)
            replace_file(path, b"".join(kept))  # another file, by which who follows it sees that it was cut
        else:
            self._levels = Levels(folder, self._step)
            self._lines.append(first)

    def _write_now_and_then(self) -> None:
        if time.monotonic() - self._flushed >= FLUSH_SECONDS:
            with self._losable():
                self._write()

    def _write(self) -> None:
        """Losses go before the events that tell of them."""
        if self._folder is None:
            return
        losses, lines = self._losses, self._lines
        self._losses, self._lines, self._flushed = [], [], time.monotonic()
        if losses:
            self._levels.add(np.concatenate(losses))
        if lines:
            append(self._folder / EVENTS, b"".join(lines))

    @contextmanager
    def _losable(self) -> Iterator[Path | None]:
        """A write that may fail; after one that did there are none."""
        folder = self._folder
        try:
            yield folder
        except (OSError, ValueError) as error:
            self._folder, self._losses, self._lines = None, [], []
            why = str(getattr(error, "strerror", None) or error)
            warnings.warn(f"fit: {folder}: the log cannot be written ({why}); training goes on without.", stacklevel=3)


def events_behind(path: Path, offset: int, most: int = MOST_LINE_BYTES) -> tuple[list[Event], int]:
    """The whole lines of a log's events behind an offset, in at most `most` bytes of it, and the offset behind them.
    Lines that are no events are passed over.

    Raises: OSError; Damaged where it is no regular file.
    """
    with open_regular(path) as file:
        content = os.pread(file.fileno(), most, offset)
    whole = content.rfind(b"\n") + 1
    if not whole and len(content) == most:
        whole = most  # a line longer than any of ours
    return [each for line in content[:whole].splitlines() if (each := _event(line)) is not None], offset + whole


def _kept(path: Path, step: int) -> list[bytes]:
    """The lines of events up to a step, as far as they are whole and begin at the beginning."""
    with open_regular(path) as file:
        lines = file.read(MOST_EVENT_BYTES).splitlines(keepends=True) if step else []
    known = [(line, _event(line)) for line in lines if line.endswith(b"\n")]
    found = [(line, each) for line, each in known if each is not None and each.step <= step and each.kind != "ended"]
    return [line for line, _ in found] if found and found[0][1].kind == "begun" else []


def _event(line: bytes) -> Event | None:
    try:
        return msgspec.json.decode(line, type=Event)
    except (ValueError, RecursionError):
        return None


def _line(kind: str, step: int, facts: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode(Event(kind, step, round(time.time(), 3), dict(facts))) + b"\n"
