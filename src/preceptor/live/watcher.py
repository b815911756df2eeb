"""Follows the runs of a folder: what there is, and at every tick only what is new. One reader serves all clients."""

import itertools
import os
import secrets
import stat
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from preceptor.live.holders import Holders
from preceptor.live.place import SETTLED_SECONDS, Place
from preceptor.live.training import Fresh, Training, plain

__all__ = ["Message", "Watcher"]

MOST_PLACES = 2000  # folders that are looked at
FULLY_TICKS = 30  # between two looks at all folders, whatever their times say: clocks of other machines differ
KEPT_MESSAGES = 100  # for clients that were away for a moment; who was away longer gets all anew
KEPT_BYTES = 1 << 20


class Message(msgspec.Struct, frozen=True):
    """What was new at a tick. Args: number: counted from 1. content: JSON."""

    number: int
    content: bytes


class Watcher:
    """The runs of a folder, or the one run that it is. Nothing is written, no lock is taken, no link is followed.

    Its methods may be called from several threads.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(os.path.realpath(folder))
        self.name = secrets.token_hex(4)  # numbers of messages mean nothing to another server
        self.messages: tuple[Message, ...] = ()  # replaced as a whole, so that reading needs no lock
        self._numbers = itertools.count(1)
        self._number = itertools.count(1)
        self._places: dict[str, Place] = {}
        self._changed: dict[str, int] = {}
        self._holders = Holders()
        self._ticks = 0
        self._links = self._has_more = False
        self._lock = threading.Lock()

    @property
    def latest(self) -> int:
        """The number of the latest message; 0 where there was none."""
        known = self.messages
        return known[-1].number if known else 0

    def tick(self) -> Message | None:
        """Looks at all runs, and gives what is new, if anything is."""
        with self._lock:
            return self._tick()

    def everything(self) -> tuple[int, bytes]:
        """All runs as they are now, JSON, and the number of the message behind which more comes."""
        with self._lock:
            self._tick()
            places = self._places.values()
            runs = [each.head() for place in places for each in place.trainings.values()]
            notes = [f"Only {MOST_PLACES:,} folders are looked at; there are more."] if self._has_more else []
            notes += ["Links are not followed."] if self._links else []
            found = {"folder": plain(self.folder), "notes": notes, "runs": runs}
            return self.latest, msgspec.json.encode(found)

    def behind(self, number: int) -> list[Message] | None:
        """The messages behind one; None where they are no longer known, and all is to be told anew."""
        known = self.messages
        oldest, latest = (known[0].number, known[-1].number) if known else (1, 0)
        if not oldest - 1 <= number <= latest:
            return None
        return [each for each in known if each.number > number]

    def curve(self, run: int, name: str, start: int, stop: int) -> bytes | None:
        """A figure of a training between two steps, JSON; None where there is no such training."""
        with self._lock:
            for place in self._places.values():
                for each in place.trainings.values():
                    if each.id == run:
                        return msgspec.json.encode(each.curve(name, start, stop))
        return None

    def _tick(self) -> Message | None:
        self._ticks += 1
        fully = self._ticks % FULLY_TICKS == 0
        before = {each.id for place in self._places.values() for each in place.trainings.values()}
        self._find(fully)
        news: list[tuple[Training, Fresh]] = []
        for name, place in list(self._places.items()):
            try:
                news += place.look(self._holders, fully)
            except OSError:
                del self._places[name]
        after = {each.id for place in self._places.values() for each in place.trainings.values()}
        found = told(news, before - after)
        if not found:
            return None
        message = Message(next(self._number), msgspec.json.encode(found))
        known = [*self.messages, message][-KEPT_MESSAGES:]
        size = sum(len(each.content) for each in known)
        while size > KEPT_BYTES and len(known) > 1:
            size -= len(known.pop(0).content)
        self.messages = tuple(known)
        return message

    def _find(self, fully: bool) -> None:
        """The folders where runs may lie: the folder itself, what lies in it, and what lies in those that are none."""
        if "" not in self._places:
            self._places[""] = Place(self.folder, plain(self.folder.name) or "/", self._numbers)
        if not self._places[""].is_run:
            self._list("", self.folder, fully)
            for name in [each for each in self._places if each and "/" not in each]:
                if not self._places[name].is_run:
                    self._list(name, self.folder / name, fully)

    def _list(self, inside: str, folder: Path, fully: bool) -> None:
        try:
            changed = os.lstat(folder).st_mtime_ns
            if not fully and self._changed.get(inside) == changed:
                return
            with os.scandir(folder) as entries:
                found = sorted(_dated(entries), reverse=True)
        except OSError:
            return
        is_settled = time.time() - changed / 1e9 > SETTLED_SECONDS
        self._changed[inside] = changed if is_settled else -1
        for _, name, is_link in found:
            path = f"{inside}/{name}" if inside else name
            if is_link:
                self._links = True
            elif path not in self._places and len(self._places) > MOST_PLACES:
                self._has_more = True
            elif path not in self._places:
                self._places[path] = Place(folder / name, plain(path), self._numbers)


def _dated(entries: Any) -> list[tuple[int, str, bool]]:
    """Folders, and links to such, that are not hidden: time of the last change, name, whether it is a link."""
    found = []
    for each in entries:
        with suppress(OSError):
            if not each.name.startswith(".") and each.is_dir():
                told = each.stat(follow_symlinks=False)
                found.append((told.st_mtime_ns, each.name, stat.S_ISLNK(told.st_mode)))
    return found


def told(news: list[tuple[Training, Fresh]], gone: set[int]) -> dict[str, Any]:
    """What is new, as short as it can be said: heads of what must be told anew; of others [run, step, lowest, highest]
    of the objective, [run, how many epochs there are, ...the latest] and [run, finding]."""
    heads, steps, entries, findings = [], [], [], []
    for each, fresh in news:
        if fresh.is_new or fresh.has_ended:
            heads.append(each.head())
            continue
        if fresh.steps is not None:
            steps.append([each.id, *fresh.steps])
        if fresh.entries:
            entries.append([each.id, each.entries, *each.entry(each.entries - 1)])
        findings += [[each.id, one] for one in fresh.findings]
    found = {"heads": heads, "steps": steps, "epochs": entries, "findings": findings, "gone": sorted(gone)}
    return {name: value for name, value in found.items() if value}
