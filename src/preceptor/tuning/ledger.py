"""The folder of a search: what it was begun with, what each trial came to, and trials that may go on.

`search-plan.json` is all that it takes to begin again. `trials.jsonl` and `repeats.jsonl` only grow, a line for each
result with a checksum before it; whatever a kill cuts off counts as never written, and is made again to the same bits.
`states/` holds trials as they stood, for those that may go on or be kept: a store and no more, for what is missing or
damaged there is trained again. At the end come `search.json` with all that there is to tell, `search.html`, which is
made of it, and `best/`, the run that is kept.
"""

import hashlib
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

from preceptor.disk import Damaged, open_regular, read_file, remove, replace_file, sweep, tensors
from preceptor.errors import DataError
from preceptor.job.folder import SEARCH, opened, sealed, unsealed
from preceptor.job.lock import Lock
from preceptor.train.checkpoint import Checkpoint
from preceptor.tuning.record import Found, Trial
from preceptor.words import shell_word

FORMAT = 1
PLAN, TRIALS, REPEATS, STATES = SEARCH, "trials.jsonl", "repeats.jsonl", "states"
FOUND, PAGE, BEST, PACK = "search.json", "search.html", "best", "pack"
MOST_BYTES = 1 << 30  # of a file that is read: 10,000 trials take some 20 MB
SYNC_SECONDS = 1.0  # of results that a machine that loses power may cost

Line = TypeVar("Line")


class Plan(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What it takes to begin a search again.

    Args:
        source: where the data lie; "" where they were given in Python.
        settings: those that all trials have in common.
        space: the ranges that were asked for, as one writes them.
        trials: how many at most, the default among them.
        minutes: after which no training is begun; None for no end.
        fingerprint: of all that training and judging see.
        computed: what the bits hang on beside that, by name.
        words: of the command.
    """

    format: int = FORMAT
    source: str
    header: bool
    settings: dict[str, Any]
    space: list[str]
    sampler: str
    pruner: str
    trials: int
    minutes: float | None = None
    pack: bool = False
    nested: int = 0
    fingerprint: str
    computed: dict[str, str]
    words: str = ""


class Ledger:
    """Keeps what trials came to, in a folder that it holds.

    Raises: ConfigError where another process searches there; OSError where nothing can be written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.lock = folder, Lock(folder)
        (folder / STATES).mkdir(exist_ok=True)
        sweep(folder)
        sweep(folder / STATES)
        self._logs = {name: _Log(folder / name) for name in (TRIALS, REPEATS)}
        told: dict[int, dict[int, Trial]] = {}
        for trial in lines(folder / TRIALS, Trial):
            told.setdefault(trial.number, {})[trial.stage] = trial
        self.stages = {number: own for number in sorted(told) if (own := _from_the_first(told[number]))}
        self.repeats: dict[str, Any] = {}
        for each in lines(folder / REPEATS, dict[str, Any]):
            self.repeats |= each

    def add(self, trial: Trial) -> None:
        """Keeps what a trial came to at a rung or at its end."""
        self.stages.setdefault(trial.number, []).append(trial)
        self._logs[TRIALS].add(msgspec.json.encode(trial))

    def repeat(self, key: str, value: Any) -> None:
        """Keeps what a training that repeats another came to, JSON types."""
        self.repeats[key] = value
        self._logs[REPEATS].add(msgspec.json.encode({key: value}))

    @property
    def table(self) -> list[Trial]:
        """The trials as they stand, by number."""
        return [self.stages[number][-1] for number in sorted(self.stages)]

    def freeze(self, number: int, checkpoint: Checkpoint) -> None:
        """Keeps a trial as it stands. Where there is no room it is not kept, and trained again when it is asked for."""
        content = [msgspec.json.encode(checkpoint.facts), *tensors(checkpoint.arrays)]
        digest = hashlib.sha256()
        for piece in content:
            digest.update(piece)
        first = b"%s %d %d\n" % (digest.hexdigest().encode(), checkpoint.step, len(content[0]))
        path = self._state(number)
        part = path.with_name(f".{path.name}.part")
        try:
            with open(part, "wb") as file:
                file.writelines([first, *content])
            os.replace(part, path)
        except OSError:
            remove(part)

    def frozen(self, number: int) -> Checkpoint | None:
        """A trial as it was frozen last; None where that is not there, or not as it was written."""
        from safetensors import SafetensorError
        from safetensors.numpy import load

        with suppress(OSError, ValueError, SafetensorError):
            first, _, content = read_file(self._state(number), MOST_BYTES).partition(b"\n")
            digest, step, length = first.split(b" ")
            if hashlib.sha256(content).hexdigest().encode() == digest:
                facts = msgspec.json.decode(content[: int(length)], type=dict[str, Any])
                arrays: dict[str, np.ndarray] = load(content[int(length) :])
                return Checkpoint(int(step), arrays, facts)
        return None

    def drop(self, number: int) -> None:
        """Forgets how a trial stood."""
        remove(self._state(number))

    def _state(self, number: int) -> Path:
        return self.folder / STATES / str(number)

    @contextmanager
    def closing(self) -> Iterator[None]:
        """A block after which others may go on in the folder."""
        try:
            yield
        finally:
            self.close()

    def close(self, *, is_over: bool = False) -> None:
        """Lets others go on in the folder. Args: is_over: nothing will go on, and no states are needed."""
        for log in self._logs.values():
            log.close()
        self._logs = {}
        if is_over:
            remove(self.folder / STATES)
        self.lock.release()


def _from_the_first(told: Mapping[int, Trial]) -> list[Trial]:
    """What a trial came to at its rungs, as far as none is missing before."""
    found = list[Trial]()
    while len(found) in told:
        found.append(told[len(found)])
    return found


class _Log:
    """A file of lines that grows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o666)
        size = os.fstat(self._handle).st_size
        if size and os.pread(self._handle, 1, size - 1) != b"\n":
            os.write(self._handle, b"\n")  # what a kill cut off stays a line of its own
        self._synced = time.monotonic()

    def add(self, text: bytes) -> None:
        """Adds a line. Raises: OSError."""
        rest = hashlib.sha256(text).hexdigest().encode() + b" " + text + b"\n"
        try:
            while rest:  # a disk that is nearly full takes a part
                rest = rest[os.write(self._handle, rest) :]
        except OSError as error:
            error.filename = str(self._path)
            raise
        if time.monotonic() - self._synced >= SYNC_SECONDS:
            os.fsync(self._handle)
            self._synced = time.monotonic()

    def close(self) -> None:
        """Brings all lines to the disk."""
        os.fsync(self._handle)
        os.close(self._handle)


def lines(path: Path, kind: type[Line]) -> Iterator[Line]:
    """The whole lines of a log; those that are not as they were written are passed over.

    Raises: OSError; Damaged where it is no regular file.
    """
    if not path.exists():
        return
    with open_regular(path) as file:
        for line in file:
            digest, _, text = line.rstrip(b"\n").partition(b" ")
            if line.endswith(b"\n") and hashlib.sha256(text).hexdigest().encode() == digest:
                with suppress(msgspec.MsgspecError, RecursionError):
                    yield msgspec.json.decode(text, type=kind)


def write_plan(folder: Path, plan: Plan) -> None:
    """Writes search-plan.json. Raises: OSError."""
    replace_file(folder / PLAN, sealed(msgspec.to_builtins(plan)))


def write_found(folder: Path, found: Found) -> None:
    """Writes search.json. Raises: OSError."""
    replace_file(folder / FOUND, sealed(msgspec.to_builtins(found)))


def read_plan(path: Path) -> Plan:
    """What a search was begun with. Raises: DataError where it cannot be read."""
    plan: Plan = _read(path, PLAN, Plan)
    if plan.format != FORMAT:
        raise DataError(f"{path}: its format is {plan.format}; this version knows {FORMAT} alone. Search again.")
    return plan


def read_found(path: Path) -> Found:
    """All that a search that ended has to tell. Raises: DataError where it cannot be read, or has not ended."""
    if is_search(path) and not (path / FOUND).exists():
        cure = f"Go on: preceptor search --resume {shell_word(path)}."
        raise DataError(f"{path}: this search was broken off or is under way; it has no answer yet. {cure}")
    found: Found = _read(path, FOUND, Found)
    if odd := _odd(found):
        raise DataError(f"{path}: {FOUND} cannot be read ({odd}). Search again.")
    return found


def _odd(found: Found) -> str:
    """What does not fit together in what a search tells, a clause; "" where all does."""
    numbers = {each.number for each in found.trials}
    if len(numbers) < len(found.trials):
        return "two trials have one number"
    for each in found.trials:
        if len(each.point) not in (0, len(found.space)) or not all(0 <= place <= 1 for place in each.point):
            return f"trial {each.number} lies outside the space"
    for known in found.space:
        low, high = known.low, known.high
        if not known.choices and (low is None or high is None or not low < high or (known.is_log and low <= 0)):
            return f"{known.name} has no range"
    choice = found.choice
    told = [] if choice is None else [choice.kept, choice.best, *(each.number for each in choice.candidates)]
    if not numbers.issuperset([*told, *(choice.packed if choice else ())]):
        return "a trial that was chosen is missing"
    return ""


def _read(path: Path, name: str, kind: Any) -> Any:
    try:
        return msgspec.convert(unsealed(opened(read_file(path / name, MOST_BYTES), name), name), kind, str_keys=True)
    except (OSError, ValueError, RecursionError, Damaged) as error:
        why = str(getattr(error, "strerror", None) or error)
        raise DataError(f"{path}: {name} cannot be read ({why}). Search again.") from None


def is_search(path: Path) -> bool:
    """Whether a folder is that of a search, whatever became of it."""
    return (path / PLAN).is_file() or (path / FOUND).is_file()


__all__ = [
    "BEST",
    "FOUND",
    "PACK",
    "PAGE",
    "PLAN",
    "STATES",
    "TRIALS",
    "Ledger",
    "Plan",
    "is_search",
    "lines",
    "read_found",
    "read_plan",
    "write_found",
    "write_plan",
]
