"""A search as the live page tells it: one entry, whose steps are the results of its trials, read from its log piece by
piece. All that stands there is taken with suspicion."""

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from preceptor.disk import Damaged, open_regular, read_file
from preceptor.errors import DataError
from preceptor.live.files import MOST_BYTES, figures_of
from preceptor.live.training import MOST_ENTRIES, READ_BYTES, Begun, Fresh, Training, number, plain, told
from preceptor.train.choice import METRICS
from preceptor.tuning.ledger import FOUND, PLAN, TRIALS, read_plan

__all__ = ["Searching"]

MOST_LINE_BYTES = 1 << 20
MOST_FOUND_BYTES = 1 << 26  # of search.json: 10,000 trials take some 20 MB
MOST_NOTES, MOST_SETTINGS = 40, 100
STATES = ("done", "paused", "failed")
ONE = "trial_score"  # of the trial that ended last


class Line(msgspec.Struct):
    """What the page needs of a trial."""

    number: int
    state: str
    best: float | None = None
    score: float | None = None
    settings: dict[str, Any] = {}


class Chosen(msgspec.Struct):
    """What the page needs of a choice."""

    kept: int


class Ended(msgspec.Struct):
    """What the page needs of what was found."""

    outcome: str = ""
    notes: list[str] = []
    choice: Chosen | None = None
    trials: list[Line] = []
    dev: dict[str, Any] = {}
    test: dict[str, Any] = {}


class Searching:
    """A search that is followed.

    Args:
        training: the entry of the page. An entry of its history is a result: the best score so far, that of the trial,
            and how many trials are done, paused and failed.
    """

    def __init__(self, folder: Path, training: Training) -> None:
        self.folder, self.training = folder, training
        self.states: dict[int, str] = {}
        self._counts = dict.fromkeys(STATES, 0)
        self._best: tuple[float, int] | None = None
        self._scores: dict[str, float | None] = {}
        self._planned, self._minutes = 0, 0.0
        self._figure = "dev_loss"
        self._asked: dict[str, Any] = {}
        self._offset = self._inode = 0
        self._plan: tuple[int, ...] = ()
        self._found: tuple[int, ...] = ()

    def read(self) -> Fresh:
        """What came since the reading before. Never raises."""
        fresh = Fresh()
        self._read_plan(fresh)
        with suppress(OSError, Damaged):
            self._read_trials(fresh)
        if fresh.is_new or fresh.entries:
            self._count()
        return fresh

    def judge(self, is_held: bool, fresh: Fresh) -> None:
        """Works out how it stands."""
        training = self.training
        before = training.state, training.ended
        key = _key(self.folder / FOUND)
        if key != self._found:
            self._found = key
            if key:
                self._read_found()
        if not self._found:
            training.state, training.ended = "running" if is_held else "interrupted", ("", "")
            if is_held and not self.states:
                training.state = "starting"
        if (training.state, training.ended) != before:
            fresh.is_new = True

    def _read_plan(self, fresh: Fresh) -> None:
        key = _key(self.folder / PLAN)
        if key == self._plan:
            return
        self._plan, fresh.is_new = key, True
        with suppress(DataError, OSError, ValueError, RecursionError, TypeError):
            if os.lstat(self.folder / PLAN).st_size > MOST_BYTES:
                return
            plan = read_plan(self.folder)
            metric = METRICS.get(str(plan.settings.get("metric")))
            self._figure = f"dev_{metric.figure}" if metric else "dev_loss"
            self._planned, self._minutes, self._asked = plan.trials, plan.minutes or 0.0, plan.settings
            self.training.began = key[0] / 1e9
            self.training.begun = Begun(data=Path(plan.source).name, settings=plan.settings)

    def _read_trials(self, fresh: Fresh) -> None:
        path = self.folder / TRIALS
        found = os.lstat(path)
        if found.st_ino != self._inode or found.st_size < self._offset:
            self._forget()
            self._inode, fresh.is_new = found.st_ino, True
        while self._offset < found.st_size:
            with open_regular(path) as file:
                file.seek(self._offset)
                content = file.read(READ_BYTES)
            whole = content.rfind(b"\n") + 1
            if not whole:
                if len(content) <= MOST_LINE_BYTES:
                    return  # a line that is being written
                whole = len(content)
            for line in content[:whole].splitlines():
                self._take(line, fresh)
            self._offset += whole

    def _forget(self) -> None:
        self.states, self._best, self._offset = {}, None, 0
        self._counts, self._scores = dict.fromkeys(STATES, 0), {}
        self.training.columns, self.training.table, self.training.step = [], {}, 0

    def _take(self, line: bytes, fresh: Fresh) -> None:
        digest, _, text = line.partition(b" ")
        if len(text) > MOST_LINE_BYTES or hashlib.sha256(text).hexdigest().encode() != digest:
            return
        try:
            trial = msgspec.json.decode(text, type=Line)
        except (msgspec.MsgspecError, RecursionError):
            return
        if not 0 <= trial.number < 1 << 40 or trial.state not in STATES or self.training.step >= MOST_ENTRIES:
            return
        if (before := self.states.get(trial.number)) is not None:
            self._counts[before] -= 1
        self.states[trial.number] = trial.state
        self._counts[trial.state] += 1
        is_number = trial.best is not None and trial.score is not None and abs(trial.best) < 1e300
        if is_number and trial.state != "failed" and (self._best is None or (trial.best, trial.number) < self._best):
            assert trial.best is not None
            self._best, fresh.is_new = (trial.best, trial.number), True
            self._scores["best"] = number(trial.score)
            own = trial.settings if len(trial.settings) <= MOST_SETTINGS else {}
            self.training.begun.settings = self._asked | own | {"best_trial": trial.number}
        self.training.step += 1
        entry = {"step": self.training.step, "epoch": None, self._figure: self._scores.get("best")}
        self.training.add_entry(entry | {ONE: number(trial.score) if is_number else None} | self._counts, fresh)

    def _count(self) -> None:
        """What is told of the trials beside the entries."""
        pace = None
        with suppress(OSError):
            took = os.lstat(self.folder / TRIALS).st_mtime - self.training.began
            pace = number(took / len(self.states)) if self.states and took > 0 else None
        self.training.trials = {
            "planned": self._planned,
            "begun": len(self.states),
            "pace": pace,
            "minutes": number(self._minutes) or None,
        }

    def _read_found(self) -> None:
        training = self.training
        training.state, training.ended = "unreadable", ("", f"{FOUND} cannot be read.")
        try:
            found = msgspec.json.decode(read_file(self.folder / FOUND, MOST_FOUND_BYTES), type=Ended)
        except (OSError, ValueError, RecursionError, MemoryError):
            return
        training.state, training.ended = "finished", ("", plain(found.outcome))
        training.figures = figures_of(*(("test", found.test) if found.test else ("dev", found.dev)))
        training.findings = [told({"rule": "search", "text": each}, None, 0) for each in found.notes[:MOST_NOTES]]
        if found.choice is not None:
            kept = next((each for each in found.trials if each.number == found.choice.kept), None)
            own = {} if kept is None or len(kept.settings) > MOST_SETTINGS else kept.settings
            best = {name: value for name, value in training.begun.settings.items() if name == "best_trial"}
            training.begun.settings = self._asked | own | best | {"kept_trial": found.choice.kept}


def _key(path: Path) -> tuple[int, ...]:
    """What tells a file from another in its place; () where there is none."""
    try:
        found = os.lstat(path)
    except (OSError, ValueError):
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino
