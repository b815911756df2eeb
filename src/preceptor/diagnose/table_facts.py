"""A divided table with what several rules need to know of it, worked out once."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from preceptor.data.division.split import Split
from preceptor.data.tables.table import Table
from preceptor.diagnose.column import Column, draw

LEAK_SAMPLE = 20_000  # rows for the search for leaks: an error of 1 % is then known to 0.15 %
LEAST_SAMPLE = 5_000  # for each of many targets: to 0.3 %
NARROW = 100  # numbers per row: wider blocks are looked at as a whole
SHOWN = 5  # rows named in an finding


@dataclass(frozen=True, eq=False)
class TableFacts:
    """A table with its target and split, and what several checks need to know of them.

    Args:
        others: the other targets, where there are several; the table is without them.
    """

    table: Table
    target: Column
    parts: Split
    kind: str
    numbers: np.ndarray | None
    others: tuple[Column, ...] = ()

    @cached_property
    def features(self) -> list[Column]:
        """The plain columns beside the target, and those of narrow blocks, which are such columns in an array."""
        found = []
        for name, values in self.table.columns.items():
            if values.ndim == 1 and name != self.target.name:
                found.append(Column(name, values))
            elif _is_narrow(values):
                found += [Column(f"{name}[{place}]", values[:, place]) for place in range(values.shape[1])]
        return found

    @cached_property
    def telling(self) -> list[Column]:
        """The plain columns that vary and do not number the rows."""
        return [column for column in self.features if column.varies and not column.is_identifier]

    @cached_property
    def blocks(self) -> dict[str, np.ndarray]:
        """The blocks of numbers that are pictures and the like: bytes, or wide."""
        return {name: each for name, each in self.table.columns.items() if each.ndim == 2 and not _is_narrow(each)}

    @cached_property
    def held_out(self) -> np.ndarray:
        """The rows of dev and test."""
        return np.concatenate([self.parts.dev, self.parts.test])

    @cached_property
    def target_numbers(self) -> np.ndarray | None:
        """The target as numbers where that is what it is. Shapes: (row,)."""
        if self.kind == "classes":
            return None
        try:
            return self.target.values.astype(np.float64)
        except (TypeError, ValueError):
            return None

    @cached_property
    def target_codes(self) -> np.ndarray:
        """The number of each row's class. Shapes: (row,)."""
        return self.target.codes(np.arange(self.table.rows))

    @cached_property
    def sample(self) -> np.ndarray:
        """Rows of train and dev in random order, at most LEAK_SAMPLE, or of many targets LEAST_SAMPLE: the test part is
        not looked at for leaks."""
        rows = np.concatenate([self.parts.train, self.parts.dev])
        return rows[draw(len(rows), max(LEAST_SAMPLE, LEAK_SAMPLE // (1 + len(self.others))))]

    def mixed(self, rows: np.ndarray | slice = slice(None)) -> Iterator[np.ndarray]:
        """A well mixed number for each value of each column that may tell rows apart, the target's first."""
        yield self._target_hashes(rows)
        for number, column in enumerate(self.features, 1):
            if column in self.telling:
                yield mix(column.hashes(rows), number)
        for number, block in enumerate(self.blocks.values(), len(self.features) + 1):
            yield mix(_block_hashes(block[rows]), number)

    @cached_property
    def row_hashes(self) -> np.ndarray:
        """A number for each row, target and all, numbering columns left out. Shapes: (row,), uint64."""
        return total(self.mixed())

    @cached_property
    def feature_hashes(self) -> np.ndarray:
        """The same without the target. Shapes: (row,), uint64."""
        return self.row_hashes - self._target_hashes()

    def _target_hashes(self, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        """A well mixed number for the target of each row, or for all targets together."""
        others = (mix(other.hashes(rows), -number) for number, other in enumerate(self.others, 1))
        return total([mix(self.target.hashes(rows), 0), *others])

    def rows(self, indices: np.ndarray) -> tuple[int, ...]:
        """The first few of these rows as the user counts them: from 1, in the table as it was read."""
        first = np.sort(indices)[:SHOWN]
        return tuple(((first if self.numbers is None else self.numbers[first]) + 1).tolist())


def _is_narrow(values: np.ndarray) -> bool:
    return values.ndim == 2 and values.dtype != np.uint8 and values.shape[1] <= NARROW


def _block_hashes(block: np.ndarray) -> np.ndarray:
    """A number for each row of a block, the same for the same row. Shapes: (row, feature) -> (row,), uint64."""
    found = np.empty(len(block), np.int64)
    for start in range(0, len(block), 1024):
        rows = np.ascontiguousarray(block[start : start + 1024])
        if rows.dtype.kind == "f":
            rows = rows + rows.dtype.type(0)  # -0.0 becomes 0.0
        found[start : start + 1024] = [hash(row.tobytes()) for row in rows]
    return found.view(np.uint64)


def mix(values: np.ndarray, number: int) -> np.ndarray:
    """Spreads 64 bits over 64 bits, differently for each number (splitmix64, Steele et al. 2014)."""
    x = values + np.uint64((number * 0x9E3779B97F4A7C15 + 0xD1B54A32D192ED03) % 2**64)
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return x


def total(parts: Iterable[np.ndarray]) -> np.ndarray:
    """The sum of 64-bit numbers, without what overflows."""
    found = iter(parts)
    total = next(found).copy()
    for each in found:
        total += each
    return total
