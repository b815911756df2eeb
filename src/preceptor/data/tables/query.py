"""The columns of delimited text, read by duckdb and checked against our own count."""

import re
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from preceptor.data.tables import long_table
from preceptor.data.tables.columns import as_column
from preceptor.data.tables.connection import MEMORY_LIMIT, connect, first_line, quoted, without_pattern
from preceptor.data.tables.dates import DATE_FORMS
from preceptor.data.tables.delimited import CHUNK_BYTES, DELIMITER_NAMES, Source
from preceptor.data.tables.fields import (
    DECIMALS,
    EXACT,
    PLAIN_NUMBERS,
    Evidence,
    NumberForm,
    Said,
    as_words,
    known_comma,
    settle,
    words_of,
)
from preceptor.data.tables.long_table import LongTable, rows_of_a_piece
from preceptor.data.tables.parquet import AT_ONCE, describe, exact_selects
from preceptor.data.tables.scratch import check_memory, check_room
from preceptor.data.tables.table import NONE_KNOWN, TRUTH, Column, Table
from preceptor.data.tables.tokens import MISSING_WORDS
from preceptor.errors import DataError

READ_CSV = """
    SELECT {columns} FROM read_csv($path, delim=$delimiter, header=$header, names=$names, skip=$skip,
    sample_size=$sample, nullstr=$missing, auto_type_candidates=$candidates,{types} quote='"', escape='"',
    comment='', compression='none', strict_mode=true, null_padding=false, ignore_errors=false,
    hive_partitioning=false, max_line_size=$longest)
"""
SNIFFED_ROWS = 20_480  # duckdb's own default: rows from which it tells a column's type; more only where that fails
# Which fields duckdb alone takes for numbers of a kind: beyond SNIFFED_ROWS 1.5 becomes 2, 007 7 and 1_000 1000 in a
# column of whole numbers, 1_000 and 007 become numbers in one of fractions, and everywhere 0x10 becomes 16.
LOOSE = {
    "i": r"NOT regexp_full_match({0}, '\s*([+-][0-9]+|0|[1-9][0-9]*)\s*')",
    "f": "contains({0}, '_') OR ({0} >= '00' AND {0} < '0:')",
}
OTHER_BASE = re.compile(rb"0[xXbB]")
USUAL_LINE = 2_097_152  # duckdb's own default


def read_records(
    name: str,
    sources: Iterable[Source],
    folder: Path,
    *,
    may_be_long: bool = False,
    texts: Collection[str] = (),
    labels: Collection[str] = (),
    known: Mapping[str, str] = NONE_KNOWN,
) -> Table | LongTable:
    """The table in a file of records; one of more than MOST_CELLS, where it may be long, is written as Parquet.

    What text stands for is told by `fields`.

    Args:
        name: what messages call the file, and the name of the table.
        sources: the file as it stands and then in plainer form, for when duckdb does not take it.
        folder: for the Parquet file.
        texts: columns whose fields are kept as they stand.
        labels: columns of whose values is to be known how they are written. Of a long table: about.
        known: how columns were written elsewhere, as of `read`.

    Raises: DataError where duckdb does not take it, or its rows and columns are not those counted before.
    """
    import duckdb

    stopped: duckdb.Error | None = None
    for source in sources:
        try:
            if may_be_long and source.rows * len(source.names) > long_table.MOST_CELLS:
                return _read_long(name, source, folder / "table.parquet", texts, labels, known)
            return _read_whole(name, source, {*texts, *labels} & {*source.names}, known)
        except duckdb.Error as error:
            stopped = error
    assert stopped is not None
    raise DataError(
        f"{name}: the reader stopped ({first_line(stopped)}); {len(source.names)} fields a line, separated by a "
        f'{DELIMITER_NAMES[source.written]} and quoted by ", are needed. Check for text after a closing quote.'
    )


def _read_whole(name: str, source: Source, texts: set[str], known: Mapping[str, str]) -> Table:
    """The table in memory. Raises: duckdb.Error; DataError."""
    names = source.names
    check_memory(16 * source.rows * len(names), f"{name}: {source.rows:,} rows of {len(names):,} columns")
    is_comma = known_comma(known)
    as_text = names if is_comma else _as_words_only(source, known)
    with connect(source.path) as connection:
        query = partial(_query, connection, source)
        found = dict(zip(names, query(names, as_text), strict=False))
        if len(found) != len(names) or any(len(values) != source.rows for values in found.values()):
            raise _other_count(name, source, len(next(iter(found.values()), ())), len(found))
        said = Said()
        decimal_comma = source.written == ";" if is_comma is None else is_comma
        columns = _settled(connection, source, found, said, known, decimal_comma=decimal_comma)
        if DECIMALS in said.changes and any(values.dtype.kind == "f" for values in found.values()):
            # Beside decimal commas 1.234 is a thousand and more: read again what was taken for decimal points.
            said = Said()
            found = dict(zip(names, query(names, as_text=names), strict=True))
            columns = _settled(connection, source, found, said, known, decimal_comma=True)
        kept = [each for each in names if each in texts]
        fields = query(kept, as_text=kept, missing=()) if kept else []
    as_stood = {
        each: np.where(_mask(values), "", np.ma.getdata(values)) for each, values in zip(kept, fields, strict=True)
    }
    return Table.of(name, columns, (*source.notes, *said.sentences()), as_stood)


def _as_words_only(source: Source, known: Mapping[str, str]) -> list[str]:
    """The columns that duckdb must not take for numbers: 007 of a text, 1.234 where that is a thousand and more."""
    usual = (PLAIN_NUMBERS, TRUTH, *DATE_FORMS)
    return [name for name in source.names if known.get(name, PLAIN_NUMBERS) not in usual]


def _settled(
    connection: Any,
    source: Source,
    found: dict[str, Any],
    said: Said,
    known: Mapping[str, str],
    *,
    decimal_comma: bool,
) -> dict[str, Column]:
    """The columns as duckdb gives them in the form for a Table.

    duckdb tells types from the first rows: a column that is empty there comes as text, whatever follows. Whole numbers
    that it takes for fractions, because they are beyond its integers, are read again as text, and so are columns with
    fields that it alone takes for such numbers.
    """
    kinds = {name: values.dtype.kind for name, values in found.items()}
    loose = _loose(connection, source, kinds)
    inexact = [name for name, values in found.items() if name in loose or _may_be_inexact(values)]
    if inexact:
        found = found | dict(zip(inexact, _query(connection, source, inexact, as_text=inexact), strict=True))
    return {name: _settle(name, values, said, known, decimal_comma) for name, values in found.items()}


def _loose(connection: Any, source: Source, kinds: Mapping[str, str]) -> set[str]:
    """The columns of numbers with a field that is none in the usual form, or none of its column's kind.

    Of the rows from which duckdb tells the types only other bases get past it: these are looked for in the bytes.

    Args:
        kinds: column -> "i" for whole numbers, "f" for others, anything else for no numbers.

    Raises: duckdb.Error.
    """
    numbers = [name for name, kind in kinds.items() if kind in LOOSE]
    if source.rows <= SNIFFED_ROWS and not (numbers and _has_other_base(source.path)):
        return set()
    found = set()
    for start in range(0, len(numbers), AT_ONCE):
        some = numbers[start : start + AT_ONCE]
        asked = ", ".join(f"bool_or({LOOSE[kinds[name]].format(_place(source, name))})" for name in some)
        arguments = _arguments(source, source.names, MISSING_WORDS) | {"sample": SNIFFED_ROWS}
        facts = connection.execute(_select(source, asked, source.names), arguments).fetchall()[0]
        found |= {name for name, is_loose in zip(some, facts, strict=True) if is_loose}
    return found


def _has_other_base(path: Path) -> bool:
    """Whether 0x or 0b stands somewhere in a file."""
    last = b""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            if OTHER_BASE.search(last + chunk):
                return True
            last = chunk[-1:]
    return False


def _may_be_inexact(values: Any) -> bool:
    data = np.ma.getdata(values)
    if data.dtype.kind != "f" or not len(data):
        return False
    with np.errstate(invalid="ignore"):
        return bool((np.isfinite(data) & (np.abs(data) >= EXACT) & ~_mask(values)).any())


def _mask(values: Any) -> np.ndarray:
    return np.ma.getmaskarray(values)


def _as_text(values: Any) -> np.ndarray:
    """A column of text as duckdb gives it, None where it is missing."""
    column, missing = np.ma.getdata(values), _mask(values)
    if missing.any():
        column = column.copy()
        column[missing] = None
    return column


def _settle(name: str, values: Any, said: Said, known: Mapping[str, str], decimal_comma: bool) -> Column:
    if values.dtype != object:
        return _of_numbers("", name, values)
    if name in known:
        return as_words(name, _as_text(values), said)
    return settle(name, _as_text(values), said, decimal_comma=decimal_comma)


def _of_numbers(where: str, name: str, values: Any) -> Column:
    """A column that duckdb took for numbers: with a fraction they have a decimal point."""
    column = as_column(where, name, values)
    return column._replace(written=PLAIN_NUMBERS) if values.dtype.kind == "f" else column


def _query(
    connection: Any,
    source: Source,
    names: list[str],
    as_text: Collection[str] = (),
    missing: Collection[str] = MISSING_WORDS,
) -> list[Any]:
    """Some columns as duckdb reads them. Raises: duckdb.Error."""
    chosen = ", ".join(_place(source, name) for name in names)
    arguments = _arguments(source, as_text, missing)
    query = _select(source, chosen, as_text)
    return _sniffed(lambda sample: list(connection.execute(query, arguments | sample).fetchnumpy().values()))


def _place(source: Source, name: str) -> str:
    return source.places[name]


def _select(source: Source, columns: str, as_text: Collection[str]) -> str:
    """The query for some columns, of which those of `as_text` are not to be read as numbers."""
    forced = [] if _is_all_text(source, as_text) else [f"'{_place(source, name)}': 'VARCHAR'" for name in as_text]
    return READ_CSV.format(columns=columns, types=f" types={{{', '.join(forced)}}}," if forced else "")


def _is_all_text(source: Source, as_text: Collection[str]) -> bool:
    return len(as_text) == len(source.names)


def _arguments(source: Source, as_text: Collection[str], missing: Collection[str]) -> dict[str, Any]:
    return {
        "path": without_pattern(source.path),
        "delimiter": source.delimiter,
        "header": source.has_header,
        "names": list(source.places.values()),
        "skip": source.skip,
        "missing": list(missing) or [""],
        "candidates": ["VARCHAR"] if _is_all_text(source, as_text) else ["BIGINT", "DOUBLE", "VARCHAR"],
        "longest": max(USUAL_LINE, 2 * source.longest),
    }


def _sniffed(read: Any) -> Any:
    """Reads with the types that the first rows show, where they do not fit with those that all show, else as text."""
    import duckdb

    for trial in ({"sample": SNIFFED_ROWS}, {"sample": -1}):
        with suppress(duckdb.ConversionException):
            return read(trial)
    return read({"sample": -1, "candidates": ["VARCHAR"]})


def _other_count(name: str, source: Source, rows: int, columns: int) -> DataError:
    return DataError(
        f"{name}: the reader found {rows:,} rows of {columns:,} columns, and the file has {source.rows:,} rows of "
        f"{len(source.names):,}; both must be the same. Check for quotes that are not closed."
    )


def _read_long(
    name: str, source: Source, target: Path, texts: Collection[str], labels: Collection[str], known: Mapping[str, str]
) -> LongTable:
    """The table on the disk. What columns of text stand for is told from all rows. Raises: duckdb.Error; DataError."""
    check_room(source.path.stat().st_size, name)
    is_comma = known_comma(known)
    words_only = source.names if is_comma else _as_words_only(source, known)
    as_text = [each for each in source.names if each in texts or each in words_only]
    selects = {each: _place(source, each) for each in source.names}
    with connect(source.path, target, memory=MEMORY_LIMIT) as connection:
        types = _copied(connection, name, source, target, as_text)
        kinds = {each: {"BIGINT": "i", "DOUBLE": "f"}.get(kind, "") for each, kind in types.items()}
        loose = _loose(connection, source, kinds)
        fractions = [each for each in kinds if kinds[each] == "f" and each not in loose]
        inexact = [*loose, *_inexact(connection, target, source, fractions)]
        if inexact:
            types = _copied(connection, name, source, target, [*as_text, *inexact])
        whole = {each: selects[each] for each, kind in types.items() if kind == "BIGINT"}
        exact = exact_selects(connection, target, whole)
    worded = [each for each, kind in types.items() if kind == "VARCHAR"]
    raw = LongTable(name, target, selects, source.rows, lambda _, values: Column(_as_text(values)))
    found, turned = _evidence(raw, [each for each in worded if each not in known])
    # As of a table in memory: beside decimal commas 1.234 is a thousand and more.
    said = Said()
    is_comma = source.written == ";" if is_comma is None else is_comma
    finishes = {each: found[each].settled(each, said, decimal_comma=is_comma) for each in found}
    finishes |= {each: partial(as_words, each, said=said) for each in worded if each in known}
    kept = {each: f"CAST({selects[each]} AS VARCHAR)" for each in selects if each in texts or each in labels}
    notes = (*source.notes, *said.sentences(), *turned)

    def finish(column: str, values: Any) -> Column:
        return finishes[column](_as_text(values)) if column in finishes else _of_numbers(name, column, values)

    return LongTable(name, target, selects | exact, source.rows, finish, notes, kept)


def _copied(connection: Any, name: str, source: Source, target: Path, as_text: list[str]) -> dict[str, str]:
    """Writes the table into a Parquet file; tells the type of each column. Raises: duckdb.Error; DataError."""
    target.unlink(missing_ok=True)
    form = f"(FORMAT parquet, ROW_GROUP_SIZE {long_table.GROUP_ROWS})"
    copy = f"COPY ({_select(source, '*', as_text)}) TO {quoted(target)} {form}"
    arguments = _arguments(source, as_text, MISSING_WORDS)
    _sniffed(lambda sample: connection.execute(copy, arguments | sample))
    found = describe(connection, target)
    if len(found.types) != len(source.names) or found.rows != source.rows:
        raise _other_count(name, source, found.rows, len(found.types))
    return dict(zip(source.names, found.types.values(), strict=True))


def _inexact(connection: Any, path: Path, source: Source, names: list[str]) -> list[str]:
    """The columns of fractions with a number so large that it may be a whole one that was not held exactly."""
    found = []
    for name in names:
        place = _place(source, name)
        query = f"SELECT max(abs({place})) FILTER (isfinite({place})) FROM read_parquet($1, hive_partitioning=false)"
        largest = connection.execute(query, [without_pattern(path)]).fetchall()[0][0]
        if largest is not None and largest >= EXACT:
            found.append(name)
    return found


def _evidence(table: LongTable, names: list[str]) -> tuple[dict[str, Evidence], list[str]]:
    """What all rows tell of columns of text; one that is seen to be nothing but text is read no further.

    Returns: (what is known of each column, sentences about those that were numbers for a while).
    """
    found = {name: Evidence() for name in names}
    left, turned = names, list[str]()
    step = rows_of_a_piece(len(names))
    for start in range(0, table.rows, step):
        if not left:
            break
        piece = table.piece(start, min(start + step, table.rows), left)
        for name in left:
            column, forms = piece.columns[name], found[name].numbers
            found[name].add(*words_of(column))
            if not forms or not found[name].is_text:
                continue
            # Each field alone may go with one form or the other, and all together with none: then none is to blame.
            row = next((row for row, each in enumerate(column.tolist()) if not _fits(each, forms)), None)
            if row is not None:
                turned.append(
                    f"Column {name!r} holds numbers up to data row {start + row + 1:,}, which holds {column[row]!r}, "
                    "and so is taken as text; mend it, or leave it empty."
                )
        left = [name for name in left if not found[name].is_text]
    return found, turned


def _fits(text: str | None, forms: list[NumberForm]) -> bool:
    """Whether a field goes with numbers that are written in one of these forms."""
    alone = Evidence(numbers=list(forms))
    alone.add(*words_of(np.array([text], object)))
    return bool(alone.numbers)
