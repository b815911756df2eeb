"""A long curve on disk, of which any window is read at the same cost: its values, and blocks of them with lowest and
highest.

`objective.f32` holds a value for each step, float32, lowest byte first. `objective-16.f32` holds for each 16 values
their lowest and their highest, `objective-256.f32` for each 16 of these blocks, and so on. Files only grow. A block is
written when it is complete; what lies beyond the last is read from the file below. Of blocks lowest and highest are
those of the numbers in them; NaN where there are none.
"""

import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from preceptor.disk import Damaged, open_regular

__all__ = ["Blocks", "Levels", "append", "extremes", "length", "window"]

NAME = "objective"
FOLD = 16  # blocks in a block of the level above
DEEPEST = 9  # levels: 16⁹ steps are more than anybody makes
VALUE = np.dtype("<f4")
MOST_STEPS = 1 << 40  # that are believed of a file; 4 TiB
MOST_MISSING = 1 << 18  # values read in place of blocks that ought to be there: as many as a call of the engine may add
RAW = 1 << 14  # values that are looked at one by one rather than by blocks


@dataclass(frozen=True, eq=False)
class Blocks:
    """A window of a curve.

    Args:
        first: the step before the first block; each block is of `size` steps, the last perhaps of fewer, up to `end`.
        low, high: of each block, float32; NaN where it has no number.
    """

    first: int
    size: int
    end: int
    low: np.ndarray
    high: np.ndarray


@lru_cache(10_000)  # a page looks at thousands of files every second
def path_of(folder: Path, level: int) -> Path:
    """Where the blocks of a level lie; level 0 are the values."""
    return folder / (f"{NAME}-{FOLD**level}.f32" if level else f"{NAME}.f32")


class Levels:
    """Writes a curve, only ever at the ends of its files.

    What is added is on the disk after `sync`. A kill between leaves files of unequal lengths, or half a number at the
    end of one: readers do without, and `cut` mends it.
    """

    def __init__(self, folder: Path, steps: int = 0) -> None:
        """A curve cut to so many steps; values that are missing of them are NaN. Raises: OSError; Damaged."""
        self.folder = folder
        self.rests: list[np.ndarray] = []  # of each level what is no whole block of the next
        self._cut(steps)

    def add(self, values: np.ndarray) -> None:
        """Puts the values of the next steps at the end. Raises: OSError."""
        values = values.astype(VALUE)
        append(path_of(self.folder, 0), values.tobytes())
        self._fold(0, np.stack((values, values), 1))

    def sync(self) -> None:
        """Brings all that was added to the disk. Raises: OSError."""
        for level in range(len(self.rests)):
            if (path := path_of(self.folder, level)).exists():
                handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
                try:
                    os.fsync(handle)
                finally:
                    os.close(handle)

    def _fold(self, level: int, pairs: np.ndarray) -> None:
        """Takes new blocks of a level, (block, 2), into those above."""
        while True:
            pairs = np.concatenate((self.rests[level], pairs))
            whole = len(pairs) // FOLD * FOLD
            self.rests[level] = pairs[whole:].copy()
            if not whole or level == DEEPEST:
                return
            level, pairs = level + 1, folded(pairs[:whole], FOLD)
            append(path_of(self.folder, level), pairs.tobytes())

    def _cut(self, steps: int) -> None:
        known = min(length(self.folder), steps)
        _truncate(path_of(self.folder, 0), known * VALUE.itemsize)
        count, level = known, 0
        while level < DEEPEST:  # what lies above is complete as far as what is below
            whole, above = count // FOLD, path_of(self.folder, level + 1)
            there = min(_entries(self.folder, level + 1), whole)
            _truncate(above, there * 2 * VALUE.itemsize)
            while there < whole:
                upto = min(whole, there + MOST_MISSING)
                below = _stored(self.folder, level, there * FOLD, upto * FOLD)
                append(above, folded(below, FOLD).tobytes())
                there = upto
            self.rests.append(_stored(self.folder, level, whole * FOLD, count))
            level, count = level + 1, whole
        self.rests.append(np.empty((0, 2), VALUE))  # above the highest there is nothing
        while known < steps:
            piece = min(steps - known, MOST_MISSING)
            self.add(np.full(piece, np.nan))
            known += piece


def length(folder: Path) -> int:
    """How many steps a curve has; 0 where there is none."""
    return _entries(folder, 0)


def window(folder: Path, start: int, stop: int, most: int) -> Blocks:
    """The steps of a curve behind `start` up to `stop`, and what else lies in their blocks, about `most` of them:
    of equal sizes, with borders that do not hang on the window. What is read does not grow with the curve.

    Raises: OSError; Damaged where a file of the curve is none.
    """
    known = length(folder)
    stop = max(0, min(stop, known))
    start = max(0, min(start, stop))
    level, size = 0, 1
    while size * most < stop - start:
        if size * FOLD * most <= stop - start and level < DEEPEST:
            level, size = level + 1, size * FOLD
        else:
            size = -(-(stop - start) // (most * FOLD**level)) * FOLD**level
    first = start // size * size
    unit = FOLD**level
    end = -(-stop // unit)
    pairs = folded(_blocks(folder, level, first // unit, end, known), size // unit)
    return Blocks(first, size, min(end * unit, known), pairs[:, 0], pairs[:, 1])


def extremes(folder: Path, start: int, stop: int) -> tuple[float, float]:
    """Lowest and highest of the values behind `start` up to `stop`; of many as whole blocks have them, which may begin
    a little before. Raises: as `window`."""
    if stop - start <= RAW:
        low = high = _numbers(path_of(folder, 0), start, stop)
    else:
        found = window(folder, start, stop, 64)
        low, high = found.low, found.high
    if not len(low):
        return np.nan, np.nan
    with np.errstate(all="ignore"):
        return float(np.fmin.reduce(low)), float(np.fmax.reduce(high))


def folded(pairs: np.ndarray, count: int) -> np.ndarray:
    """Lowest and highest of each `count` blocks, (block, 2) -> (block / count, 2); the last may be of fewer."""
    if count == 1 or not len(pairs):
        return pairs
    starts = np.arange(0, len(pairs), count)
    with np.errstate(all="ignore"):
        return np.stack((np.fmin.reduceat(pairs[:, 0], starts), np.fmax.reduceat(pairs[:, 1], starts)), 1)


def _blocks(folder: Path, level: int, start: int, stop: int, known: int) -> np.ndarray:
    """Blocks of a level, the last perhaps not complete; what is not stored is taken from the level below."""
    stored = min(_entries(folder, level), known // FOLD**level)
    if stored >= stop or not level:
        return _stored(folder, level, start, min(stop, stored))
    begin = max(start, stored)
    end = min(stop, begin + MOST_MISSING // FOLD)
    below = _blocks(folder, level - 1, begin * FOLD, min(end * FOLD, -(-known // FOLD ** (level - 1))), known)
    found = [_stored(folder, level, start, stored), folded(below, FOLD)] if start < stored else [folded(below, FOLD)]
    pairs = np.concatenate(found)
    lacking = np.full((min(stop - start - len(pairs), MOST_MISSING), 2), np.nan, VALUE)
    return np.concatenate((pairs, lacking)) if len(lacking) else pairs


def _stored(folder: Path, level: int, start: int, stop: int) -> np.ndarray:
    """What stands in a level's file, as (block, 2); of values both are the same."""
    if not level:
        return np.repeat(_numbers(path_of(folder, 0), start, stop)[:, None], 2, 1)
    found = _numbers(path_of(folder, level), 2 * start, 2 * stop)
    return found[: len(found) // 2 * 2].reshape(-1, 2)


def _numbers(path: Path, start: int, stop: int) -> np.ndarray:
    """The numbers of a file between two places, as far as it has them; of a file that is missing, none."""
    content = b""
    if start < stop:
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return np.empty(0, VALUE)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise Damaged(f"{path.name} is no regular file")
            content = os.pread(handle, (stop - start) * VALUE.itemsize, start * VALUE.itemsize)
        finally:
            os.close(handle)
    return np.frombuffer(content, VALUE, len(content) // VALUE.itemsize)


def _entries(folder: Path, level: int) -> int:
    """How many whole blocks, or values, a level's file holds."""
    try:
        size = os.lstat(path_of(folder, level)).st_size
    except OSError:
        return 0
    return min(size // (VALUE.itemsize * (2 if level else 1)), MOST_STEPS)


def append(path: Path, content: bytes) -> None:
    """Puts bytes at the end of a file, which is made where it is missing. Raises: OSError."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(handle, view) :]
    finally:
        os.close(handle)


def _truncate(path: Path, size: int) -> None:
    with suppress(FileNotFoundError):
        with open_regular(path) as file:
            if os.fstat(file.fileno()).st_size != size:
                os.truncate(path, size)
        if not size:
            path.unlink()
