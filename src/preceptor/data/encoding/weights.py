"""What each row counts: a column of the table that is no feature."""

from typing import Any

import numpy as np

from preceptor.data.encoding.place import Place, wrong_width
from preceptor.errors import DataError
from preceptor.words import counted

__all__ = ["no_weight", "row_weights"]


def row_weights(table: str, name: str, column: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """The weights in a column, as they stand there.

    Shapes: column, numbers (row,) -> (row,), float64.

    Args:
        table: its name, for errors.
        numbers: the rows' numbers in the file, from 0, for errors.
    Raises: DataError, naming the first row, where one is missing, below 0, infinite or no number.
    """
    where = Place(table, numbers)
    if column.ndim != 1:
        raise wrong_width(where, name, column, None)
    if column.dtype == object:
        weight = np.array([_number(text) for text in column.tolist()], np.float64)
    else:
        weight = np.full(len(column), np.nan) if column.dtype.kind == "M" else column.astype(np.float64)
    bad = ~(np.isfinite(weight) & (weight >= 0))
    if bad.any():
        row, more = int(np.argmax(bad)), int(np.count_nonzero(bad)) - 1
        value: Any = column.tolist()[row]
        what = "missing" if value is None or value != value else repr(value) if column.dtype.kind != "M" else "a date"
        also = f", and none in {counted(more, 'more row')}" if more else ""
        raise DataError(
            f"{where}: the weight {name!r} is {what} in {where.row(row)}{also}; a finite number of at least 0 is "
            "needed in every row that has a target, 0 for one that counts for nothing. Mend the value."
        )
    return weight


def no_weight(table: str, name: str) -> DataError:
    """The error that all rows count for nothing."""
    return DataError(f"{table}: the weight {name!r} is 0 in every row that has a target; some must be above 0.")


def _number(text: Any) -> float:
    try:
        return float(text)
    except (TypeError, ValueError):
        return np.nan
