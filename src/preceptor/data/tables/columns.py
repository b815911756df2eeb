"""Values from anywhere into one of the column forms of a Table."""

import datetime
import decimal
import numbers
import uuid
from collections.abc import Iterable
from typing import Any

import numpy as np

from preceptor.errors import DataError

WRITTEN_AS_TEXT = (str, bool, np.bool_, numbers.Real, decimal.Decimal, datetime.date, datetime.time, uuid.UUID)


def as_column(where: str, name: str, values: Any, missing: np.ndarray | None = None) -> np.ndarray:
    """One column in the form that Table asks for: numbers, bools, text, or a block of numbers.

    Whole numbers with missing values become float64, truth values with missing ones the text True and False;
    dates become datetime64[s], those with a zone in UTC.

    Shapes: values (row,) or (row, feature); missing (row,).

    Args:
        where: what messages call the table.
        name: name of the column.
        values: anything that np.asarray takes; the mask of a masked array counts as missing.
        missing: True where a value is missing, beside NaN and None.

    Raises: DataError where the values are neither numbers, truth values, text nor dates.
    """
    if isinstance(values, np.ma.MaskedArray):
        values, missing = values.data, np.ma.getmaskarray(values)
    if isinstance(values, (list, tuple)) and not any(isinstance(each, (list, tuple, np.ndarray)) for each in values):
        values = objects(values, len(values))  # np.asarray would turn numbers beside text into text
    try:
        values = np.asarray(values)
    except ValueError:  # rows of different length
        values = objects(values, len(values))
    if values.ndim not in (1, 2):
        raise DataError(
            f"{where}: {name!r} has shape {values.shape}; a column needs (rows,) or (rows, features). "
            "Flatten each row: x.reshape(len(x), -1)."
        )
    if values.ndim == 2:
        return _as_block(where, name, values)
    kind = values.dtype.kind
    has_gaps = missing is not None and bool(missing.any())
    if kind == "f" or (kind in "iu" and has_gaps):
        values = values.astype(np.float64)
        if has_gaps:
            values[missing] = np.nan
        return values
    if kind == "b" and not has_gaps:
        return values
    if kind == "i" or (kind == "u" and (values.dtype.itemsize < 8 or not (values > np.iinfo(np.int64).max).any())):
        return values.astype(np.int64)
    if kind == "u":
        return values.astype(np.float64)
    if kind == "M":
        return np.where(np.isnat(values) if missing is None else missing, np.datetime64("NaT"), values).astype("M8[s]")
    if kind in "bOUT":
        return _from_objects(where, name, values.astype(object), missing)
    raise DataError(
        f"{where}: column {name!r} has the element type {values.dtype}; numbers, truth values, text or dates are "
        "needed. Convert it or leave it out."
    )


def objects(values: Iterable[Any], count: int) -> np.ndarray:
    """An object array of exactly these values (np.asarray would unpack lists among them)."""
    return np.fromiter(values, dtype=object, count=count)


def _as_block(where: str, name: str, values: np.ndarray) -> np.ndarray:
    if values.dtype in (np.float32, np.float64, np.uint8):
        return values
    if values.dtype.kind in "biuf":
        return values.astype(np.float32 if values.dtype == np.float16 else np.float64)
    raise DataError(
        f"{where}: {name!r} is a block of shape {values.shape} with the element type {values.dtype}; a block holds "
        "numbers only. Pass columns of other kinds one by one: {'name': values, ...}."
    )


def _in_utc(date: datetime.date) -> np.datetime64:
    """A date, or a time in UTC; one without a zone stays as it is."""
    if isinstance(date, datetime.datetime):
        zoned = date.astimezone(datetime.UTC).replace(tzinfo=None) if date.tzinfo else date
        return np.datetime64(zoned.isoformat(), "s")
    return np.datetime64(date.isoformat(), "s")


def _from_objects(where: str, name: str, values: np.ndarray, missing: np.ndarray | None) -> np.ndarray:
    if missing is not None:
        values = values.copy()
        values[missing] = None
    listed = values.tolist()
    if str in (types := set(map(type, listed))) and types <= {str, type(None)}:
        return values
    gaps = objects((v is None or (isinstance(v, float) and v != v) for v in listed), len(listed)).astype(bool)
    present = values[~gaps]
    types = set(map(type, present.tolist()))
    if not types:
        return np.full(len(values), np.nan)
    if types <= {bool, np.bool_} and len(present) == len(values):
        return values.astype(bool)
    if bool not in types and all(issubclass(t, (numbers.Real, decimal.Decimal)) for t in types):
        if all(issubclass(t, numbers.Integral) for t in types) and len(present) == len(values):
            try:
                return values.astype(np.int64)
            except OverflowError:
                pass
        numeric = np.full(len(values), np.nan)
        numeric[~gaps] = present.astype(np.float64)
        return numeric
    if all(issubclass(t, datetime.date) for t in types):
        found = np.full(len(values), np.datetime64("NaT"), "M8[s]")
        found[~gaps] = [_in_utc(each) for each in present.tolist()]
        return found
    bad = next((row for row, v in enumerate(listed) if not gaps[row] and not isinstance(v, WRITTEN_AS_TEXT)), None)
    if bad is not None:
        raise DataError(
            f"{where}: column {name!r} holds a {type(listed[bad]).__name__} in data row {bad + 1:,}; numbers, truth "
            "values, text or dates are needed. Convert the column or leave it out."
        )
    text = np.full(len(values), None, dtype=object)
    text[~gaps] = [str(value) for value in present.tolist()]
    return text


def missing_rows(column: np.ndarray) -> np.ndarray:
    """Which rows are missing (of a block: which rows have a number missing). Shapes: -> (row,)."""
    if column.dtype == object:
        return np.fromiter((value is None for value in column.tolist()), bool, len(column))
    gaps = np.isnat(column) if column.dtype.kind == "M" else np.isnan(column)
    return gaps if gaps.ndim == 1 else gaps.any(axis=1)


def as_text(column: np.ndarray) -> np.ndarray:
    """A column as text, for a table in which a column of categories happens to hold only numbers or truth values."""
    if column.dtype == object:
        return column
    levels, inverse = np.unique(column, return_inverse=True)
    texts = [
        None if level != level else str(int(level)) if isinstance(level, float) and level.is_integer() else str(level)
        for level in levels.tolist()
    ]
    return objects(texts, len(texts))[inverse]
