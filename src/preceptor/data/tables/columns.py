"""Values from anywhere into one of the column forms of a Table."""

import datetime
import decimal
import numbers
import uuid
from collections.abc import Iterable
from itertools import repeat
from operator import is_
from typing import Any

import numpy as np

from preceptor.data.tables.durations import DURATION
from preceptor.data.tables.fields import EXACT, LONGEST, SPELLINGS, Said, truth_column
from preceptor.data.tables.names import composed
from preceptor.data.tables.table import ZONED, Column
from preceptor.errors import DataError

WRITTEN_AS_TEXT = (str, bool, np.bool_, numbers.Real, decimal.Decimal, datetime.date, datetime.time, uuid.UUID)


def as_column(
    where: str, name: str, values: Any, missing: np.ndarray | None = None, said: Said | None = None
) -> Column:
    """One column in the form that Table asks for: numbers, truth values, text, dates, or a block of numbers.

    Whole numbers with missing values become float64 where it holds them all exactly, else text, and so do whole
    numbers beyond 64 bits; truth values with missing ones become 1, 0 and NaN; dates become datetime64[s], those with
    a zone in UTC; durations become seconds. Text is composed (NFC).

    Shapes: values (row,) or (row, feature); missing as values.

    Args:
        where: what messages call the table.
        name: name of the column.
        values: anything that np.asarray takes; the mask of a masked array counts as missing.
        missing: True where a value is missing, beside NaN and None.
        said: gets what was done.

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
        return Column(_as_block(where, name, values, missing))
    if missing is not None and not missing.any():
        missing = None
    kind = values.dtype.kind
    if kind in "iu":
        return Column(_as_whole(values, missing))
    if kind == "f" or (kind == "b" and missing is not None):
        values = values.astype(np.float64)
        values[missing if missing is not None else slice(0)] = np.nan
        return truth_column(values) if kind == "b" else Column(values)
    if kind == "b":
        return Column(values)
    if kind == "M":
        gaps = np.isnat(values) if missing is None else missing
        return Column(np.where(gaps, np.datetime64("NaT"), values).astype("M8[s]"))
    if kind == "m":
        gaps = np.isnat(values) if missing is None else missing
        return Column(np.where(gaps, np.nan, values / np.timedelta64(1, "s")), "", DURATION)
    if kind in "OUT":
        return _from_objects(where, name, values.astype(object), missing, said or Said())
    raise DataError(
        f"{where}: column {name!r} has the element type {values.dtype}; numbers, truth values, text or dates are "
        "needed. Convert it or leave it out."
    )


def _as_whole(values: np.ndarray, missing: np.ndarray | None) -> np.ndarray:
    """Whole numbers as int64, or as float64 where some are missing; as text where that would make others of them."""
    present = values if missing is None else values[~missing]
    ends = (int(present.min()), int(present.max())) if len(present) else (0, 0)
    if missing is None and ends[0] >= -LONGEST and ends[1] <= LONGEST:
        return values.astype(np.int64)
    if missing is not None and ends[0] >= -EXACT and ends[1] <= EXACT:
        found = values.astype(np.float64)
        found[missing] = np.nan
        return found
    text = objects(map(str, values.tolist()), len(values))
    if missing is not None:
        text[missing] = None
    return text


def objects(values: Iterable[Any], count: int) -> np.ndarray:
    """An object array of exactly these values (np.asarray would unpack lists among them)."""
    return np.fromiter(values, dtype=object, count=count)


def _as_block(where: str, name: str, values: np.ndarray, missing: np.ndarray | None) -> np.ndarray:
    if missing is not None and missing.any() and values.dtype.kind in "biuf":
        values = values.astype(np.float32 if values.dtype in (np.float16, np.float32) else np.float64)
        values[missing] = np.nan
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


def _from_objects(where: str, name: str, values: np.ndarray, missing: np.ndarray | None, said: Said) -> Column:
    if missing is not None:
        values = values.copy()
        values[missing] = None
    listed = values.tolist()
    if str in (types := set(map(type, listed))) and types <= {str, type(None)}:
        return Column(_composed(name, values, said))
    gaps = objects((v is None or (isinstance(v, float) and v != v) for v in listed), len(listed)).astype(bool)
    present = values[~gaps]
    types = set(map(type, present.tolist()))
    if not types:
        return Column(np.full(len(values), np.nan))
    if types <= {bool, np.bool_}:
        truth = np.full(len(values), np.nan)
        truth[~gaps] = present.astype(np.float64)
        return truth_column(truth)
    if bool not in types and all(issubclass(t, (numbers.Real, decimal.Decimal)) for t in types):
        exact = all(issubclass(t, (numbers.Integral, decimal.Decimal)) for t in types)
        if exact and (decimal.Decimal not in types or all(map(_is_whole, present.tolist()))):
            whole = objects((0 if gap else int(v) for gap, v in zip(gaps, listed, strict=True)), len(listed))
            return Column(_as_whole(whole, gaps if gaps.any() else None))
        numeric = np.full(len(values), np.nan)
        numeric[~gaps] = present.astype(np.float64)
        return Column(numeric)
    zoned = {isinstance(each, datetime.datetime) and each.tzinfo is not None for each in present.tolist()}
    if all(issubclass(t, datetime.date) for t in types) and len(zoned) == 1:
        found = np.full(len(values), np.datetime64("NaT"), "M8[s]")
        found[~gaps] = [_in_utc(each) for each in present.tolist()]
        return Column(found, ZONED if zoned.pop() else "")
    if all(issubclass(t, datetime.timedelta) for t in types):
        seconds = (v.total_seconds() if not gap else np.nan for gap, v in zip(gaps, listed, strict=True))
        return Column(np.fromiter(seconds, np.float64, len(listed)), "", DURATION)
    bad = next((row for row, v in enumerate(listed) if not gaps[row] and not isinstance(v, WRITTEN_AS_TEXT)), None)
    if bad is not None:
        raise DataError(
            f"{where}: column {name!r} holds a {type(listed[bad]).__name__} in data row {bad + 1:,}; numbers, truth "
            "values, text or dates are needed. Convert the column or leave it out."
        )
    text = np.full(len(values), None, dtype=object)
    text[~gaps] = [composed(str(value)) for value in present.tolist()]
    return Column(text)


def _is_whole(value: Any) -> bool:
    """Whether a number was written without a fraction: an int, or a Decimal of a database's whole column."""
    return not isinstance(value, decimal.Decimal) or (value.is_finite() and value.as_tuple().exponent == 0)


def _composed(name: str, values: np.ndarray, said: Said) -> np.ndarray:
    """Text with its letters composed. Shapes: (row,), objects: str or None."""
    changed = {each: composed(each) for each in set(values.tolist()) if each is not None and not each.isascii()}
    if all(new == old for old, new in changed.items()):
        return values
    if len(set(changed.values())) < len(changed):
        said.add(SPELLINGS, name)
    return objects((changed.get(each, each) for each in values.tolist()), len(values))


def missing_rows(column: np.ndarray) -> np.ndarray:
    """Which rows are missing (of a block: which rows have a number missing). Shapes: -> (row,)."""
    if column.dtype == object:
        return np.fromiter(map(is_, column.tolist(), repeat(None)), bool, len(column))
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
