"""A training as the live page tells it, read from its log piece by piece. All that stands there is taken with
suspicion: names are text, lists and texts have an end, what is no number is none."""

import math
import os
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from preceptor.disk import Damaged
from preceptor.job.levels import extremes, folded, length, window
from preceptor.job.log import EVENTS, Event, events_behind
from preceptor.words import one_line

__all__ = ["OBJECTIVE", "Begun", "Fresh", "Training", "number", "plain"]

OBJECTIVE = "objective"  # of every step; all other figures are of epochs
POINTS = 1000  # of a curve, at most: as many as a wide screen has
SPARKS = 40  # points of a small curve
MOST_FINDINGS = 100
MOST_COLUMNS = 40
MOST_SETTINGS = 150
MOST_ENTRIES = 1_000_000
MOST_CHARACTERS = 600  # of a text
READ_BYTES = 1 << 22  # of events that are read at once
MOST_EVENT_BYTES = 1 << 27  # of all events of a training
UNSHOWN = ("step", "epoch", "seconds")


class Begun(msgspec.Struct):
    """What a log says of its training."""

    data: str = ""
    targets: list[str] = []
    rows: int = 0
    steps: int = 0
    epochs: int = 0
    engine: str = ""
    settings: dict[str, Any] = {}
    training: int = 1
    changes: dict[str, Any] = {}
    why: list[str] = []


@dataclass
class Fresh:
    """What came since the reading before. Args: is_new: all must be told anew. steps: new ones, lowest, highest."""

    is_new: bool = False
    steps: tuple[int, float | None, float | None] | None = None
    entries: int = 0
    findings: list[dict[str, Any]] = field(default_factory=list)
    has_ended: bool = False

    def __bool__(self) -> bool:
        return self.is_new or self.steps is not None or bool(self.entries or self.findings or self.has_ended)


@dataclass(eq=False)
class Training:
    """A training that is followed.

    Args:
        id: by which the page names it.
        log: its folder; None where there is none.
        began: when, seconds since 1970.
        columns: names of the figures of epochs; `table` has for each its values, NaN where there is none, "step" and
            "epoch" among them.
        ended: (name of the outcome, sentence); each "" where it is not known.
        figures: of the run, where it is that which is kept.
        trials: of a search: how many were planned and have begun, seconds of one, and the minutes that it may take.
        events: the file of them.
        filled: what of the run's own files it was told by, where there is no log.
        offset, size, inode: of the events, up to where they were read, and of their file.
    """

    id: int
    name: str
    log: Path | None
    begun: Begun = field(default_factory=Begun)
    state: str = ""
    began: float = 0.0
    step: int = 0
    columns: list[str] = field(default_factory=list)
    table: dict[str, "array[float]"] = field(default_factory=dict)
    findings: list[dict[str, Any]] = field(default_factory=list)
    ended: tuple[str, str] = ("", "")
    figures: dict[str, Any] = field(default_factory=dict)
    is_kept: bool = False
    trials: dict[str, Any] = field(default_factory=dict)
    filled: object = None
    events: Path | None = None
    offset: int = 0
    size: int = 0
    inode: int = 0

    def read(self) -> Fresh:
        """What the log has that was not there at the reading before. Never raises."""
        fresh = Fresh()
        if self.log is None:
            return fresh
        with suppress(OSError, Damaged):
            self._read_events(self.log, fresh)
        with suppress(OSError, Damaged):
            self._read_steps(self.log, fresh)
        return fresh

    def head(self) -> dict[str, Any]:
        """All that the page needs of it but the curves, JSON types."""
        begun, known = self.begun, self.entries
        return {
            "id": self.id,
            "name": self.name,
            "state": self.state,
            "began": self.began,
            "data": plain(begun.data),
            "targets": [plain(each) for each in begun.targets[:5]],
            "rows": begun.rows,
            "steps": begun.steps,
            "epochs": begun.epochs,
            "engine": plain(begun.engine),
            "settings": shown_settings(begun.settings),
            "changes": shown_settings(begun.changes),
            "why": [plain(each) for each in begun.why[:10]],
            "step": self.step,
            "columns": self.columns,
            "count": known,
            "last": self.entry(known - 1) if known else None,
            "spark": self.spark(),
            "pace": self.pace(),
            "findings": self.findings,
            "outcome": self.ended[0],
            "ending": self.ended[1],
            "figures": self.figures,
            "kept": self.is_kept,
            **({"trials": self.trials} if self.trials else {}),
        }

    @property
    def entries(self) -> int:
        """Epochs that are known."""
        return len(self.table["step"]) if "step" in self.table else 0

    def entry(self, index: int) -> list[float | None]:
        """Step, epoch, and the figures of an epoch in the order of `columns`."""
        return [number(self.table[name][index]) for name in ("step", "epoch", *self.columns)]

    @property
    def main(self) -> str:
        """The figure that a small curve shows."""
        shown = ("dev_loss", "train_loss", OBJECTIVE)
        return next((name for name in shown if name in self.table and not math.isnan(self.table[name][-1])), "")

    def spark(self) -> list[float | None]:
        """The main figure, of so many epochs as a small curve has room for, the last among them."""
        values = self.table.get(self.main, array("d"))
        chosen = np.unique(np.linspace(0, len(values) - 1, min(SPARKS, len(values))).round().astype(int))
        return [number(values[index]) for index in chosen.tolist()]

    def pace(self) -> float | None:
        """Seconds of a step, by the latest epochs; None where nothing tells."""
        steps, seconds = self.table.get("step"), self.table.get("seconds")
        if not steps or not seconds:
            return None
        first = max(0, len(steps) - 6)
        while first < len(steps) - 1 and not seconds[first] < seconds[-1]:  # a training that went on counts anew
            first += 1
        made, took = steps[-1] - steps[first], seconds[-1] - seconds[first]
        if made <= 0:
            made, took = steps[-1], seconds[-1]
        return number(took / made) if made > 0 and took > 0 else None

    def curve(self, name: str, start: int, stop: int) -> dict[str, list[Any]]:
        """A figure between two steps as blocks: where each ends, its lowest and its highest; of a figure that there is
        not, none."""
        ends, low, high = np.empty(0), np.empty(0), np.empty(0)
        if name == OBJECTIVE and self.log is not None and length(self.log):
            with suppress(OSError, Damaged):
                found = window(self.log, start, stop, POINTS)
                ends = (found.first + found.size * np.arange(1, len(found.low) + 1)).clip(max=found.end)
                low, high = found.low, found.high
        elif name in self.table and name not in UNSHOWN:
            steps = self.table["step"]
            first, last = bisect_left(steps, start), bisect_right(steps, stop)
            size = max(1, math.ceil((last - first) / POINTS))
            both = [np.array(self.table[each][first:last]) for each in ("step", name)]
            ends, (low, high) = (folded(np.stack((each, each), 1), size).T for each in both)
            ends = ends[1]
        return {"x": [int(each) for each in ends.tolist()], "low": numbers(low), "high": numbers(high)}

    def _read_events(self, log: Path, fresh: Fresh) -> None:
        path = self.events or log / EVENTS
        self.events, found = path, os.lstat(path)
        if found.st_ino != self.inode or found.st_size < min(self.offset, self.size):  # it was cut, or is new
            self._forget()
            self.inode, fresh.is_new = found.st_ino, True
        self.size = found.st_size
        while self.offset < min(found.st_size, MOST_EVENT_BYTES):
            events, offset = events_behind(path, self.offset, READ_BYTES)
            for each in events:
                with suppress(msgspec.ValidationError):
                    self._take(each, fresh)
            if offset == self.offset:
                return
            is_garbage = not events and offset - self.offset == READ_BYTES
            self.offset = MOST_EVENT_BYTES if is_garbage else offset

    def _forget(self) -> None:
        self.begun, self.ended = Begun(), ("", "")
        self.columns, self.table, self.findings = [], {}, []
        self.offset = self.step = 0

    def _read_steps(self, log: Path, fresh: Fresh) -> None:
        known = length(log)
        if known < self.step:
            self.step, fresh.is_new = 0, True
        if known > self.step:
            low, high = extremes(log, self.step, known)
            self.step = known
            fresh.steps = known, number(low), number(high)

    def _take(self, event: Event, fresh: Fresh) -> None:
        if event.kind == "begun":
            self.begun, fresh.is_new = msgspec.convert(event.facts, Begun), True
            self.began = event.time
        elif event.kind == "epoch":
            self.add_entry(event.facts, fresh)
        elif event.kind == "finding" and len(self.findings) < MOST_FINDINGS:
            self.findings.append(told(event.facts, event.step, event.time))
            fresh.findings.append(self.findings[-1])
        elif event.kind == "ended":
            self.ended = plain(event.facts.get("outcome", "")), plain(event.facts.get("text", ""))
            fresh.has_ended = True

    def add_entry(self, facts: Mapping[str, Any], fresh: Fresh) -> None:
        """Takes an entry of the history, in which steps do not fall."""
        step, known = facts.get("step"), self.entries
        if not isinstance(step, int) or not 0 <= step < 1 << 50 or known >= MOST_ENTRIES:
            return
        if known and step < self.table["step"][-1]:
            return
        facts = {plain(name): value for name, value in facts.items()}  # targets have names from the data
        names = [name for name, value in facts.items() if value is None or isinstance(value, (int, float))]
        for name in ("step", "epoch", *names):
            if name not in self.table and len(self.table) < MOST_COLUMNS:
                self.table[name] = array("d", [math.nan]) * known
                if name not in UNSHOWN:
                    self.columns.append(name)
                    fresh.is_new = True
        for name, values in self.table.items():
            value = facts.get(name)
            is_number = isinstance(value, (int, float)) and abs(value) < 1e300
            values.append(float(value) if is_number and value is not None else math.nan)
        fresh.entries += 1


def told(found: Mapping[str, Any], step: int | None, when: float) -> dict[str, Any]:
    """What the page shows of a finding. Args: when: seconds since 1970, 0 where nobody knows."""
    proof, remedies = found.get("proof"), found.get("remedies")
    first = remedies[0] if isinstance(remedies, list) and remedies else None
    level = found.get("level")
    place = found.get("step")
    return {
        "rule": plain(found.get("rule", "")),
        "level": level if level in ("refuse", "warn", "note") else "note",
        "text": plain(found.get("text", "")),
        "proof": plain(proof.get("text", "")) if isinstance(proof, dict) else "",
        "remedy": plain(first.get("text", "")) if isinstance(first, dict) else "",
        "step": place if isinstance(place, int) and abs(place) < 1 << 50 else step,
        "time": when if 0 < when < 1e12 else None,
    }


def shown_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as numbers and texts; those that were left open are left out."""
    own = settings.get("own")
    every = {**settings, **(own if isinstance(own, dict) else {})}
    found: dict[str, Any] = {}
    for name, value in list(every.items())[:MOST_SETTINGS]:
        if name == "own" or value is None:
            continue
        if isinstance(value, bool):
            value = "yes" if value else "no"
        elif isinstance(value, (int, float)):
            value = number(value)
        elif isinstance(value, list):
            value = plain(",".join(map(str, value[:20])))
        else:
            value = plain(value)
        found[plain(name)] = value
    return found


def plain(value: object) -> str:
    """A text as one line of printable characters, of bounded length."""
    text = one_line(str(value)[:MOST_CHARACTERS])
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"


def number(value: float | None) -> float | None:
    """A number in five digits, whole ones as they are; None where it is none, which JSON has no word for."""
    if value is None or not abs(value) < 1e300:
        return None
    return int(value) if value == int(value) and abs(value) < 1 << 53 else float(f"{value:.5g}")


def numbers(values: np.ndarray) -> list[float | None]:
    """Each as `number` gives it."""
    return [number(each) for each in values.tolist()]
