"""The rows of a second table under those of the first: test rows that come as a file of their own."""

from dataclasses import replace

import numpy as np

from preceptor.data.tables.columns import as_text, missing_rows, objects
from preceptor.data.tables.fields import EXACT, TRUTH_WORDS, read_written
from preceptor.data.tables.table import TEXT, TRUTH, ZONED, Table
from preceptor.errors import DataError
from preceptor.words import closest, listing


def known_written(table: Table) -> dict[str, str]:
    """How the columns of a table were written, where that is known, for its test rows to be read so."""
    kinds = {n: TEXT if v.dtype == object else table.senses.get(n, "") for n, v in table.columns.items()}
    found = {name: table.written.get(name) or (kind if kind in (TEXT, TRUTH) else "") for name, kind in kinds.items()}
    return {name: written for name, written in found.items() if written}


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
    other = _read_as(table, other)
    both = {name: _alike(table, other, name) for name in table.columns}
    columns = {name: np.concatenate(parts) for name, parts in both.items()}
    senses = {
        name: sense
        for name, values in columns.items()
        for sense in (_kind(table, name), _kind(other, name))
        if (sense, values.dtype.kind) in ((TRUTH, "f"), (ZONED, "M"))
    }
    texts = {name: np.concatenate([own, other.texts[name]]) for name, own in table.texts.items() if name in other.texts}
    more = [name for name in other.columns if name not in table.columns]
    notes = (f"{other.name} has columns that {table.name} lacks, which are left out: {listing(more)}.",) if more else ()
    return Table(table.name, columns, (*table.notes, *other.notes, *notes), senses, texts, table.written)


def _read_as(table: Table, other: Table) -> Table:
    """The second table, its text read as that of the first. Raises: DataError where it is written otherwise."""
    columns, senses = dict(other.columns), dict(other.senses)
    for name, written in known_written(table).items():
        if written == TEXT or columns[name].dtype != object:
            continue
        text = columns[name]
        columns[name], bad = read_written(written, text)
        if bad is not None:
            raise DataError(
                f"{other.name}: column {name!r} holds {text[bad]!r} in data row {bad + 1:,}; it must be written as "
                f"{written}, as in {table.name}. Mend the value, or leave it empty where it is not known."
            )
        if written == TRUTH and not np.isnan(columns[name]).any():
            columns[name] = columns[name].astype(bool)
        elif name in table.senses:
            senses[name] = table.senses[name]
    return replace(other, columns=columns, senses=senses)


def _alike(table: Table, other: Table, name: str) -> tuple[np.ndarray, ...]:
    """Both columns in a form that they can have together."""
    mine, theirs = table.columns[name], other.columns[name]
    here, there = _kind(table, name), _kind(other, name)
    if mine.shape[1:] == theirs.shape[1:]:
        if here == there == "numbers" and mine.ndim == 1:
            return _exact(mine, theirs)
        if here == there:
            return mine, theirs
        if here == "text":
            return mine, as_text(theirs)
        if mine.ndim == 1 and missing_rows(theirs).all():
            return _with_gaps(mine, len(theirs))
        if mine.ndim == 1 and missing_rows(mine).all():
            return _with_gaps(theirs, len(mine))[::-1]
        if (
            here == TRUTH
            and there == "text"
            and {str(each).lower() for each in theirs.tolist()} <= {*TRUTH_WORDS, "none"}
        ):
            words = ("" if each is None else each.lower() for each in theirs.tolist())
            return mine.astype(np.float64), np.array([TRUTH_WORDS.get(word, np.nan) for word in words])
        if mine.dtype == np.int64 and there == "text" and all(map(_is_whole, theirs.tolist())):
            return as_text(mine), theirs  # whole numbers beside gaps, beyond what a number of any type holds
    raise DataError(
        f"{other.name}: column {name!r} holds {there}, and in {table.name} it holds {here}; both must "
        "be the same. Mend the column."
    )


def _exact(mine: np.ndarray, theirs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two columns of numbers; as text where whole ones would become others beside gaps. Shapes: (row,)."""
    if mine.dtype != theirs.dtype:
        whole = mine if mine.dtype == np.int64 else theirs
        if len(whole) and max(-int(whole.min()), int(whole.max())) > EXACT:
            return as_text(mine), as_text(theirs)
    return mine, theirs


def _is_whole(text: str | None) -> bool:
    return text is None or text.lstrip("+-").isdecimal()


def _with_gaps(values: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """A column and so many missing values of its kind."""
    if values.dtype.kind == "M":
        return values, np.full(count, np.datetime64("NaT"), values.dtype)
    if values.dtype == object:
        return values, objects([None] * count, count)
    return _exact(values.astype(np.float64) if values.dtype == bool else values, np.full(count, np.nan))


def _kind(table: Table, name: str) -> str:
    values, sense = table.columns[name], table.senses.get(name)
    if values.ndim == 2:
        return f"blocks of {values.shape[1]:,} numbers"
    return sense or {"O": "text", "M": "dates", "b": TRUTH}.get(values.dtype.kind, "numbers")
