"""A folder in which a run lies, or may come to lie: its trainings, and how each of them stands."""

import os
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from preceptor.job.folder import ATTEMPT, CONFIG, PLAN, Saved, attempt_of
from preceptor.job.log import EVENTS, LOG, log_of
from preceptor.job.mending import MOST_TRAININGS
from preceptor.job.progress import Outcome
from preceptor.live.files import figures, fill, planned, saved
from preceptor.live.holders import LIST_SECONDS, Holders
from preceptor.live.search import Searching
from preceptor.live.training import Fresh, Training
from preceptor.tuning.ledger import FOUND, TRIALS
from preceptor.tuning.ledger import PLAN as SEARCH_PLAN

__all__ = ["Place", "is_folder"]

SETTLED_SECONDS = 2.0  # a folder that changed less long ago may change again within the same tick of its clock
PATIENCE_SECONDS = 90.0  # that a log of a training elsewhere may stand still: thrice the time between checkpoints
OUTCOMES = {each.name: each for each in Outcome}


class Place:
    """A folder that is followed.

    Args:
        name: as the page shows it.
        numbers: gives trainings their numbers.
    """

    def __init__(self, path: Path, name: str, numbers: Iterator[int]) -> None:
        self.path, self.name, self._numbers = path, name, numbers
        self.trainings: dict[str, Training] = {}
        self.is_run = False  # a search is none: runs may lie in it
        self.search: Searching | None = None
        self._changed = -1
        self._has_plan = self._has_config = False
        self._config: tuple[int, ...] = ()
        self._saved: Saved | None = None
        self._fault = ""
        self._was_listed: bool | None = None
        self._until = -1.0

    def look(self, holders: Holders, fully: bool = False) -> list[tuple[Training, Fresh]]:
        """What came since the look before. What lies there raises nothing.

        Args:
            fully: whether to look for new files even where the folder's time says that there are none.
        Raises: OSError where the folder is gone.
        """
        found = os.lstat(self.path)
        if not stat.S_ISDIR(found.st_mode):
            raise NotADirectoryError(self.path)
        is_settled = time.time() - found.st_mtime > SETTLED_SECONDS
        has_changed = fully or not is_settled or found.st_mtime_ns != self._changed
        if has_changed:
            self._changed = found.st_mtime_ns
            self._list()
        if self.search is not None:
            return self._look_at_search(self.search, holders, has_changed)
        if not self.trainings or not (has_changed or self._has_plan or not self._has_config):
            return []  # it is finished: nothing comes any more
        fresh = {name: each.read() for name, each in self.trainings.items()}
        is_held = self._is_held(holders, any(each.steps or each.entries for each in fresh.values()))
        latest = max((name for name in self.trainings if name.isdigit()), default="")
        for name, each in self.trainings.items():
            before = each.state, each.is_kept, each.figures, each.ended
            self._judge(name, each, is_held and name == latest, name == latest)
            if (each.state, each.is_kept, each.figures, each.ended) != before:
                fresh[name].is_new = True
        return [(self.trainings[name], each) for name, each in fresh.items() if each]

    def _look_at_search(self, search: Searching, holders: Holders, has_changed: bool) -> list[tuple[Training, Fresh]]:
        if not (has_changed or self._has_plan):
            return []
        fresh = search.read()
        search.judge(self._is_held(holders, bool(fresh.entries)), fresh)
        return [(search.training, fresh)] if fresh else []

    def _list(self) -> None:
        """Finds the files that tell of trainings; links are none."""
        has_found = is_file(self.path / FOUND)
        if has_found or is_file(self.path / SEARCH_PLAN):
            self._has_plan = not has_found
            if self.search is None:
                training = Training(next(self._numbers), self.name, None, began=self._changed / 1e9)
                self.search, self.trainings = Searching(self.path, training), {SEARCH_PLAN: training}
            return
        if self.search is not None:
            self.search, self.trainings = None, {}
        self._has_plan, self._has_config = is_file(self.path / PLAN), is_file(self.path / CONFIG)
        found: dict[str, Path | None] = {}
        if is_folder(self.path / LOG):
            logs = {str(number): log_of(self.path, number) for number in range(1, MOST_TRAININGS + 1)}
            found |= {name: log for name, log in logs.items() if is_folder(log) and is_file(log / EVENTS)}
        if self._has_plan or self._has_config:
            attempts = [n for n in range(1, MOST_TRAININGS + 1) if is_file(attempt_of(self.path, n) / CONFIG)]
            found |= {f"{ATTEMPT}-{n}": None for n in attempts if str(n) not in found}
            if not any(name.isdigit() for name in found):
                found["1"] = None
        self.is_run = bool(found)
        for name in set(self.trainings) - set(found):
            del self.trainings[name]
        for name, log in found.items():
            if name not in self.trainings or self.trainings[name].log != log:
                number = name.removeprefix(f"{ATTEMPT}-")
                shown = self.name if number == "1" else f"{self.name} · training {number}"
                began = self._changed / 1e9  # of a folder that is done, when that was; a log knows better
                self.trainings[name] = Training(next(self._numbers), shown, log, began=began)
        try:
            there = os.lstat(self.path / CONFIG) if self._has_config else None
        except OSError:
            there = None
        key = () if there is None else (there.st_mtime_ns, there.st_size, there.st_ino)
        if key != self._config:
            self._config = key
            self._saved, self._fault = saved(self.path) if key else (None, "")

    def _is_held(self, holders: Holders, has_grown: bool) -> bool:
        """Whether somebody trains here: the lock is in the system's list; or steps came though it was not, which is
        somebody elsewhere. On a mounted folder a log that grew lately tells so from the start."""
        if not self._has_plan:
            return False
        now, before = time.monotonic(), self._was_listed
        if has_grown and before:
            return True  # as before: only who holds it writes
        if not (has_grown and now < self._until):
            self._was_listed = holders.holds(self.path, 0.0 if before is None or has_grown else LIST_SECONDS)
        if self._was_listed:
            return True
        if before is None and holders.may_be_elsewhere(self.path):
            self._until = now + PATIENCE_SECONDS - self._quiet_seconds()
        elif before is False and has_grown:
            self._until = now + PATIENCE_SECONDS
        return now < self._until

    def _quiet_seconds(self) -> float:
        """For how long nothing was written, by the clock of the files."""
        latest = 0.0
        logs = [one.log / EVENTS for one in self.trainings.values() if one.log is not None]
        for each in (self.path / PLAN, self.path / TRIALS, *logs):
            with suppress(OSError):
                latest = max(latest, os.lstat(each).st_mtime)
        return max(0.0, time.time() - latest)

    def _judge(self, name: str, training: Training, is_held: bool, is_latest: bool) -> None:
        """Works out how a training stands."""
        if name.startswith(ATTEMPT):
            if training.filled is None:
                training.filled, fault = saved(self.path / name)
                training.state, training.ended = "unreadable", ("", fault)
                if isinstance(training.filled, Saved):
                    fill(training, training.filled)
                    training.state = "finished"
                training.filled = training.filled or fault
            return
        found = self._saved
        if training.log is None and training.filled != (now := (self._config, self._has_plan)):
            training.filled = now
            if found is not None:
                fill(training, found)
            else:
                training.begun = planned(self.path)
        outcome = OUTCOMES.get(training.ended[0])
        training.state = self._state(outcome, is_held, is_latest)
        if is_held and training.log is None:
            training.state = "starting"
        if training.state in ("finished", "diverged"):
            kept = found.config.facts.get("mended") if found is not None else None
            is_its = not isinstance(kept, dict) or name == str(kept.get("kept"))
            training.is_kept = is_its and len(self.trainings) > 1
            training.figures = figures(found) if found is not None and is_its else {}
            if found is None and self._fault and not self._has_plan:
                training.state, training.ended = "unreadable", (training.ended[0], self._fault)

    def _state(self, outcome: Outcome | None, is_held: bool, is_latest: bool) -> str:
        is_over = outcome is not None and outcome is not Outcome.INTERRUPTED
        if is_held:
            return "judging" if is_over else "running"
        if is_over and not (self._has_plan and is_latest):
            return "diverged" if outcome is Outcome.DIVERGED else "finished"
        if self._has_plan:
            is_saved = self._has_config or outcome is Outcome.INTERRUPTED
            return "interrupted" if is_saved and not is_over else "broken off"
        return "finished" if self._has_config else "broken off"


def is_folder(path: Path) -> bool:
    """Whether it is a folder, and no link to one."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except (OSError, ValueError):
        return False


def is_file(path: Path) -> bool:
    """Whether it is a regular file, and no link to one."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except (OSError, ValueError):
        return False
