"""The rows of a second table under those of the first: test rows that come as a file of their own."""

import numpy as np

from preceptor.data.tables.columns import as_text, missing_rows, objects
from preceptor.data.tables.table import Table
from preceptor.errors import DataError
from preceptor.words import closest, listing


def append_rows(table: Table, other: Table) -> Table:
    """The rows of `table` and then those of `other`, in the columns of `table`; columns it lacks are left out and said.

    A column that is of one kind here and of another there is brought to the kind it has in `table`: whole numbers to
    numbers, numbers to text, one without any value to anything.

    Raises: DataError where `other` lacks a column, or has text, dates or a block where `table` has something else.
    """
    absent = [name for name in table.columns if name not in other.columns]
    if absent:
        raise DataError(
            f"{other.name}: {listing(map(repr, absent))} {'is' if len(absent) == 1 else 'are'} missing; every column "
            f"of {table.name} is needed. Add what is missing.{closest(absent[0], other.columns)}"
        )
    columns = {
        name: np.concatenate(_alike(table, other, name, values, other.columns[name]))
        for name, values in table.columns.items()
    }
    more = [name for name in other.columns if name not in table.columns]
    notes = (f"{other.name} has columns that {table.name} lacks, which are left out: {listing(more)}.",) if more else ()
    return Table(table.name, columns, (*table.notes, *other.notes, *notes))


def _alike(table: Table, other: Table, name: str, mine: np.ndarray, theirs: np.ndarray) -> tuple[np.ndarray, ...]:
    """Both columns in a form that they can have together."""
    if mine.shape[1:] == theirs.shape[1:]:
        here, there = _kind(mine), _kind(theirs)
        if here == there:
            return mine, theirs
        if here == "text":
            return mine, as_text(theirs)
        if mine.ndim == 1 and missing_rows(theirs).all():
            return _with_gaps(mine, len(theirs))
        if mine.ndim == 1 and missing_rows(mine).all():
            return _with_gaps(theirs, len(mine))[::-1]
        if here == "true or false" and there == "text" and set(theirs.tolist()) <= {"True", "False", None}:
            return as_text(mine), theirs
    raise DataError(
        f"{other.name}: column {name!r} holds {_kind(theirs)}, and in {table.name} it holds {_kind(mine)}; both must "
        "be the same. Mend the column."
    )


def _with_gaps(values: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """A column and so many missing values of its kind."""
    if values.dtype.kind == "M":
        return values, np.full(count, np.datetime64("NaT"), values.dtype)
    if values.dtype.kind in "iuf":
        return values, np.full(count, np.nan)
    return as_text(values), objects([None] * count, count)


def _kind(values: np.ndarray) -> str:
    if values.ndim == 2:
        return f"blocks of {values.shape[1]:,} numbers"
    return {"O": "text", "M": "dates", "b": "true or false"}.get(values.dtype.kind, "numbers")
