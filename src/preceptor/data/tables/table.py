"""A table in memory: named columns of equal length."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from preceptor.errors import DataError
from preceptor.words import closest, listing


def check_column(where: str, name: str, columns: Collection[str]) -> None:
    """Raises: DataError, naming the columns that exist, where a table has none of that name."""
    if name not in columns:
        raise DataError(
            f"{where}: there is no column {name!r}; the columns are {listing(columns)}.{closest(name, columns)}"
        )


@dataclass(frozen=True)
class Table:
    """Named columns of equal length, in order.

    Args:
        name: what messages call the table, for instance its file name.
        columns: name -> values. float64 (NaN: missing), int64, bool, an object array of `str | None` (None: missing),
            datetime64[s] (NaT: missing), or a block of float32, float64 or uint8.
        notes: what reading it changed or had to guess, each a plain sentence.

    Shapes: a column (row,); a block (row, feature): many features under one name, such as the pixels of an image.

    Raises: DataError where columns differ in length.
    """

    name: str
    columns: dict[str, np.ndarray]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        lengths = {name: len(values) for name, values in self.columns.items()}
        if len(set(lengths.values())) > 1:
            first, other = next((a, b) for a in lengths for b in lengths if lengths[a] != lengths[b])
            raise DataError(
                f"{self.name}: column {first!r} has {lengths[first]:,} rows and column {other!r} has "
                f"{lengths[other]:,}; all columns need the same length. Check how they were put together."
            )

    @property
    def rows(self) -> int:
        """The number of rows, 0 for a table without columns."""
        return len(next(iter(self.columns.values()), ()))

    def select(self, indices: np.ndarray) -> "Table":
        """The rows at `indices`, in that order, as a new table."""
        return Table(self.name, {name: values[indices] for name, values in self.columns.items()}, self.notes)

    def without(self, *names: str) -> "Table":
        """The table less the named columns. Raises: DataError where a name is unknown."""
        for name in names:
            self.column(name)
        kept = {name: values for name, values in self.columns.items() if name not in names}
        return Table(self.name, kept, self.notes)

    def column(self, name: str) -> np.ndarray:
        """The values of one column. Raises: DataError, naming the columns that exist, where the name is unknown."""
        check_column(self.name, name, self.columns)
        return self.columns[name]
