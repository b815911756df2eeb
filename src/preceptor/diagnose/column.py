"""A column with what several rules need to know of it, worked out once."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

SAMPLE = 50_000  # rows: a share of 1 % is then known to 0.1 % (two standard errors)
COPY_ROWS = 20  # fewer rows than that may agree by chance
OVERFLOWS = 1e150  # its square is beyond float64, and so is the standard deviation


@dataclass(frozen=True, eq=False)
class Column:
    """One plain column of a table with what several checks need to know of it."""

    name: str
    values: np.ndarray

    @property
    def is_text(self) -> bool:
        """Whether it holds text."""
        return self.values.dtype == object

    @property
    def is_number(self) -> bool:
        """Whether it holds numbers, not truth values or text."""
        return self.values.dtype.kind in "iuf"

    @cached_property
    def missing(self) -> np.ndarray:
        """Which rows are missing. Shapes: (row,)."""
        if self.is_text:
            return np.fromiter((value is None for value in self.values.tolist()), bool, len(self.values))
        if self.values.dtype.kind in "Mm":
            return np.isnat(self.values)
        return np.isnan(self.values) if self.values.dtype.kind == "f" else np.zeros(len(self.values), bool)

    @cached_property
    def present(self) -> np.ndarray:
        """The values that are there. Of numbers float64 without infinite ones."""
        if not self.is_number:
            return self.values[~self.missing]
        values = self.values.astype(np.float64, copy=False)
        finite = np.isfinite(values)
        return values if finite.all() else values[finite]

    @cached_property
    def levels(self) -> dict[Any, int]:
        """How often each value of text or truth occurs, missing left out."""
        counts: dict[Any, int] = {}
        for value in self.values.tolist():
            counts[value] = counts.get(value, 0) + 1
        counts.pop(None, None)
        return counts

    @cached_property
    def is_constant(self) -> bool:
        """Whether all values that are there are the same, and there is one."""
        if not self.is_number:
            return len(self.levels) == 1
        return bool(len(self.present) and self.present.min() == self.present.max())

    @property
    def varies(self) -> bool:
        """Whether its rows differ: in their values, or in whether there is one."""
        return bool(len(self.present)) and (not self.is_constant or bool(self.missing.any()))

    @cached_property
    def is_identifier(self) -> bool:
        """Whether it numbers the rows: whole, each once, in increasing order or without a gap."""
        values = self.values if self.values.dtype.kind in "iu" else self.present  # float64 would make long ones equal
        if not self.is_number or len(values) < COPY_ROWS or len(values) < len(self.values):
            return False
        low, high = values.min().item(), values.max().item()
        if high - low < len(values) - 1 or values[0] != math.floor(values[0]):
            return False
        rising = bool((np.diff(values) > 0).all())
        if rising:
            return bool((values == np.floor(values)).all())
        return bool(high - low == len(values) - 1 and len(np.unique(values)) == len(values))

    @cached_property
    def middle(self) -> np.ndarray:
        """Up to SAMPLE of the values that are there, sorted: for quantiles."""
        values = self.present
        return np.sort(values if len(values) <= SAMPLE else values[draw(len(values), SAMPLE)])

    def hashes(self, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        """A number for each value, the same for the same value. Shapes: (row,), uint64."""
        values = self.values[rows]
        if self.is_text:
            return np.fromiter(map(hash, values.tolist()), np.int64, len(values)).view(np.uint64)
        if values.dtype.kind in "Mm":
            return values.astype(np.int64).view(np.uint64)
        if values.dtype.kind in "iu" and len(values) and max(abs(int(values.min())), abs(int(values.max()))) > 2**53:
            return values.astype(np.int64).view(np.uint64)
        as_float = values.astype(np.float64) + 0.0  # -0.0 becomes 0.0
        as_float[np.isnan(as_float)] = np.nan
        return as_float.view(np.uint64)

    def codes(self, rows: np.ndarray) -> np.ndarray:
        """The same small number for the same value, missing being one of them. Shapes: (row,), int64."""
        if not self.is_text:
            return np.unique(self.values[rows], return_inverse=True)[1].astype(np.int64)
        known: dict[Any, int] = {}
        return np.fromiter(
            (known.setdefault(value, len(known)) for value in self.values[rows].tolist()), np.int64, len(rows)
        )


def draw(rows: int, most: int) -> np.ndarray:
    """At most `most` row numbers in random order, always the same ones. Shapes: -> (row,)."""
    rng = np.random.Generator(np.random.Philox(key=20_21))
    if rows <= 4 * most:
        return rng.permutation(rows)[:most]
    return rng.permutation(np.unique(rng.integers(0, rows, most)))
