"""A table in memory: named columns of equal length."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from preceptor.data.tables.names import find_column
from preceptor.errors import DataError

# What the values of a column stand for, where their type does not say it.
TRUTH = "true or false"  # numbers: 1, 0, and NaN for missing
ZONED = "times with a zone"  # datetime64, in UTC

# How they were written, beside the names of the forms of numbers and dates.
TEXT = "text"
NONE_KNOWN: Mapping[str, str] = MappingProxyType({})  # of no column is known how it is written


class Column(NamedTuple):
    """One column in the form for a Table, what its values stand for where their type does not say it, and how they
    were written, where they were text: TEXT, or the name of a form of numbers or dates."""

    values: np.ndarray
    sense: str = ""
    written: str = ""


@dataclass(frozen=True, eq=False)
class Table:
    """Named columns of equal length, in order.

    Args:
        name: what messages call the table, for instance its file name.
        columns: name -> values. float64 (NaN: missing), int64, bool, an object array of `str | None` (None: missing),
            datetime64[s] (NaT: missing), or a block of float32, float64 or uint8.
        notes: what reading it changed or had to guess, each a plain sentence.
        senses: name -> TRUTH or ZONED, of the columns that are such.
        texts: name -> the fields as they stood where the table came from, of the columns for which they were asked.
        written: name -> how its fields were written, as of Column, where that is known.

    Shapes: a column (row,); a block (row, feature): many features under one name, such as the pixels of an image.

    Raises: DataError where columns differ in length.
    """

    name: str
    columns: dict[str, np.ndarray]
    notes: tuple[str, ...] = ()
    senses: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, np.ndarray] = field(default_factory=dict)
    written: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lengths = {name: len(values) for name, values in self.columns.items()}
        if len(set(lengths.values())) > 1:
            first, other = next((a, b) for a in lengths for b in lengths if lengths[a] != lengths[b])
            raise DataError(
                f"{self.name}: column {first!r} has {lengths[first]:,} rows and column {other!r} has "
                f"{lengths[other]:,}; all columns need the same length. Check how they were put together."
            )

    @classmethod
    def of(
        cls,
        name: str,
        columns: Mapping[str, Column],
        notes: Sequence[str] = (),
        texts: Mapping[str, np.ndarray] | None = None,
    ) -> "Table":
        """A table of columns with their senses. Raises: DataError as Table."""
        values = {each: column.values for each, column in columns.items()}
        senses = {each: column.sense for each, column in columns.items() if column.sense}
        written = {each: column.written for each, column in columns.items() if column.written}
        return cls(name, values, tuple(notes), senses, texts or {}, written)

    @property
    def rows(self) -> int:
        """The number of rows, 0 for a table without columns."""
        return len(next(iter(self.columns.values()), ()))

    def select(self, indices: np.ndarray) -> "Table":
        """The rows at `indices`, in that order, as a new table."""
        columns = {name: values[indices] for name, values in self.columns.items()}
        return replace(self, columns=columns, texts={name: texts[indices] for name, texts in self.texts.items()})

    def without(self, *names: str) -> "Table":
        """The table less the named columns. Raises: DataError where a name is unknown."""
        left_out = {find_column(self.name, name, self.columns) for name in names}
        kept = {name: values for name, values in self.columns.items() if name not in left_out}
        return replace(self, columns=kept)

    def column(self, name: str) -> np.ndarray:
        """The values of one column. Raises: DataError, naming the columns that exist, where the name is unknown."""
        return self.columns[find_column(self.name, name, self.columns)]
