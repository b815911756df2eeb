"""What errors call a table, its rows and its columns."""

from dataclasses import dataclass

import numpy as np

from preceptor.errors import DataError


@dataclass(frozen=True, eq=False)
class Place:
    """What errors call a table and its rows.

    Args:
        table: its name.
        numbers: the rows' numbers in the file, from 0, where the table is a part of it; None: it is all of it.
    """

    table: str
    numbers: np.ndarray | None = None

    def __str__(self) -> str:
        return self.table

    def row(self, row: int) -> str:
        """A row as the user counts it: from 1, in the file."""
        return f"data row {(row if self.numbers is None else int(self.numbers[row])) + 1:,}"


def wrong_width(where: Place, name: str, column: np.ndarray, width: int | None) -> DataError:
    found = "one value per row" if column.ndim == 1 else f"a block of {column.shape[1]:,} numbers per row"
    needed = "one value per row" if width is None else f"a block of {width:,} numbers per row"
    return DataError(f"{where}: column {name!r} is {found}; {needed} is needed. Check how the table was made.")


def not_finite(where: Place, name: str, row: int) -> DataError:
    return DataError(
        f"{where}: column {name!r} is infinite or far too large in {where.row(row)}; finite numbers are needed. "
        "Mend the value, or leave it empty where it is not known."
    )
