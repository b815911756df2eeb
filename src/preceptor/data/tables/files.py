"""Tables in CSV, TSV and Parquet files, read by duckdb and checked against our own count."""

from pathlib import Path
from typing import Any

import numpy as np

from preceptor.data.tables.columns import as_column
from preceptor.data.tables.delimited import (
    DELIMITER_NAMES,
    Layout,
    NotUtf8,
    count_records,
    find_layout,
    write_plain,
)
from preceptor.data.tables.fields import DECIMALS, MISSING_WORDS, Said, settle
from preceptor.data.tables.header import NO_HEADER, Header, find_header
from preceptor.data.tables.long_table import (
    GROUP_ROWS,
    MEMORY_LIMIT,
    MOST_CELLS,
    WIDE_GROUP_CELLS,
    LongTable,
    connect,
    first_line,
    quoted,
    without_pattern,
)
from preceptor.data.tables.scratch import check_room
from preceptor.data.tables.table import Table
from preceptor.data.tables.text import HEAD_BYTES, said, single_byte_encoding, to_utf8, wide_encoding
from preceptor.errors import DataError

USUAL_DELIMITERS = {".tsv": "\t", ".tab": "\t", ".psv": "|"}

READ_CSV = """
    SELECT * FROM read_csv($path, delim=$delimiter, header=$header, names=$names, skip=$skip, sample_size=$sample,
    nullstr=$missing, auto_type_candidates=$types, quote='"', escape='"', comment='',
    compression='none', strict_mode=true, null_padding=false, ignore_errors=false, hive_partitioning=false)
"""
TYPES = ["BIGINT", "DOUBLE", "VARCHAR"]
SNIFFED_ROWS = 20_480  # duckdb's own default: rows from which it tells a column's type; more only where that fails


def read_delimited(name: str, path: Path, folder: Path, *, header: bool, may_be_long: bool) -> Table | LongTable:
    """Reads a file of delimited text; one of more than MOST_CELLS, where it may be long, is written as Parquet first.

    Files that are well-formed UTF-8 go to duckdb as they are. Others are written again first: in UTF-8, and where
    quotes, line ends or header rows ask for it, in one plain form. What text stands for is told by `fields.settle`.

    Args:
        name: what messages call the file, and the name of the table.
        path: where it is.
        folder: for the copies.
        header: whether the first record holds names.

    Raises: DataError where the file is not such a table, or duckdb's rows and columns are not those counted before.
    """
    notes: list[str] = []
    with path.open("rb") as file:
        encoding = wide_encoding(name, file.read(HEAD_BYTES))
    if encoding:
        path = to_utf8(name, path, encoding, folder)
        notes.append(said(encoding))
    try:
        return _read_utf8(name, path, folder, header, notes, may_be_long)
    except NotUtf8:
        if encoding:
            raise AssertionError("a file written as UTF-8 is UTF-8") from None
    encoding = single_byte_encoding(name, path)
    notes.append(said(encoding))
    return _read_utf8(name, to_utf8(name, path, encoding, folder), folder, header, notes, may_be_long)


def _read_utf8(
    name: str, path: Path, folder: Path, has_header: bool, notes: list[str], may_be_long: bool
) -> Table | LongTable:
    import duckdb

    layout = find_layout(name, path)
    columns = len(layout.sample[0][1])
    count = count_records(name, path, layout.delimiter, columns)
    plain = folder / "plain.csv"

    def rewrite(header: Header) -> tuple[Path, Layout, int, int]:
        written = write_plain(name, path, layout.delimiter, columns, header.records, plain)
        return plain, Layout(",", [], 0), written.records, written.blank_lines

    header = find_header(name, layout.sample, has_header)
    if len(layout.sample) == header.records:
        raise DataError(f"{name}: the file has a header and no rows; at least one row is needed. {NO_HEADER}")
    is_long = may_be_long and count.records * columns > MOST_CELLS
    if is_long:
        check_room(path.stat().st_size, name)
    read: Any = _Copy(folder / "table.parquet") if is_long else _query
    source, form, rows, blank_lines = path, layout, count.records - header.records, count.blank_lines
    if not count.is_plain or layout.delimiter == " " or header.records == 2 or (layout.skip and columns == 1):
        source, form, rows, blank_lines = rewrite(header)
    try:
        found = read(source, form, header, columns, TYPES)
    except duckdb.Error:
        source, form, rows, blank_lines = rewrite(header)
        try:
            found = read(source, form, header, columns, TYPES)
        except duckdb.Error as error:
            raise DataError(
                f"{name}: the reader stopped ({first_line(error)}); {columns} fields a line, separated by a "
                f'{DELIMITER_NAMES[layout.delimiter]} and quoted by ", are needed. Check for text after a closing '
                "quote."
            ) from None
    if len(found) != columns or any(len(values) != rows for values in found):
        raise DataError(
            f"{name}: the reader found {len(found[0]) if found else 0:,} rows of {len(found)} columns, and the file "
            f"has {rows:,} rows of {columns}; both must be the same. Check for quotes that are not closed."
        )
    if layout.delimiter != USUAL_DELIMITERS.get(path.suffix.lower(), ","):
        notes.append(f"Fields are separated by {DELIMITER_NAMES[layout.delimiter]}s.")
    if not count.is_plain and layout.delimiter != " ":
        notes.append("Quotes or line ends were not as usual and were put in order.")
    if blank_lines:
        notes.append(f"{blank_lines:,} blank line{'s were' if blank_lines > 1 else ' was'} left out.")
    semicolons = layout.delimiter == ";"
    if isinstance(read, _Copy):
        return read.table(name, header, rows, (*notes, *header.notes), semicolons)
    say = Said()
    settled = [_settle(each, values, say, semicolons) for each, values in zip(header.names, found, strict=True)]
    if DECIMALS in say.changes and any(values.dtype.kind == "f" for values in found):
        # Beside decimal commas 1.234 is a thousand and more: read again what was taken for decimal points.
        say = Said()
        found = _query(source, form, header, columns, ["VARCHAR"])
        settled = [_settle(each, values, say, True) for each, values in zip(header.names, found, strict=True)]
    return Table(name, dict(zip(header.names, settled, strict=True)), (*notes, *header.notes, *say.sentences()))


def _query(path: Path, layout: Layout, header: Header, columns: int, types: list[str]) -> list[Any]:
    """The columns as duckdb reads them. Raises: duckdb.Error."""
    connection = connect(path)
    try:
        arguments = _arguments(path, layout, header, columns, types)
        return _sniffed(lambda sample: list(connection.execute(READ_CSV, arguments | sample).fetchnumpy().values()))
    finally:
        connection.close()


class _Copy:
    """Reads as `_query` does, but into a Parquet file; gives for each column what has its length."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __call__(self, path: Path, layout: Layout, header: Header, columns: int, types: list[str]) -> list[range]:
        connection = connect(path, self.target, memory=MEMORY_LIMIT)
        try:
            arguments = _arguments(path, layout, header, columns, types)
            copy = f"COPY ({READ_CSV}) TO {quoted(self.target)} (FORMAT parquet, ROW_GROUP_SIZE {GROUP_ROWS})"
            _sniffed(lambda sample: connection.execute(copy, arguments | sample))
        finally:
            connection.close()
        found = _described(self.target)
        return [range(found[1])] * len(found[0])

    def table(self, name: str, header: Header, rows: int, notes: tuple[str, ...], semicolons: bool) -> LongTable:
        """The table that was read. What text stands for is told in every piece from the piece alone."""

        def finish(column: str, values: Any) -> np.ndarray:
            return _settle(column, values, Said(), semicolons)

        selects = {column: f"c{number}" for number, column in enumerate(header.names)}  # as _arguments names them
        return LongTable(name, self.target, selects, rows, finish, notes)


def _arguments(path: Path, layout: Layout, header: Header, columns: int, types: list[str]) -> dict[str, Any]:
    return {
        "path": without_pattern(path),
        "delimiter": layout.delimiter,
        "header": bool(layout.sample) and header.records > 0,  # a file written again has lost its header
        "names": [f"c{number}" for number in range(columns)],
        "skip": layout.skip,
        "missing": list(MISSING_WORDS),
        "types": types,
    }


def _sniffed(read: Any) -> Any:
    """Reads with the types that the first rows show, and where they do not fit, with those that all rows show."""
    import duckdb

    try:
        return read({"sample": SNIFFED_ROWS})
    except duckdb.ConversionException:
        return read({"sample": -1})


def _described(path: Path) -> tuple[dict[str, str], int, int]:
    """Columns with their types, rows, and the rows of the largest row group of a Parquet file. Raises: duckdb.Error."""
    connection = connect(path)
    try:
        where = [without_pattern(path)]
        source = connection.execute("SELECT * FROM read_parquet($1, hive_partitioning=false) LIMIT 0", where)
        types = {column[0]: str(column[1]) for column in source.description}
        rows = connection.execute("SELECT num_rows FROM parquet_file_metadata($1)", where).fetchall()[0][0]
        groups = connection.execute("SELECT max(row_group_num_rows) FROM parquet_metadata($1)", where).fetchall()[0][0]
        return types, int(rows), int(groups or 0)
    finally:
        connection.close()


def read_parquet(name: str, path: Path, folder: Path, *, may_be_long: bool) -> Table | LongTable:
    """Reads a Parquet file; dates become datetime64[s], numbers too large for 64 bits float64.

    Raises: DataError where the file is damaged or has columns of lists or structures.
    """
    import duckdb

    try:
        types, rows, group = _described(path)
        selects = {each: _cast(name, each, kind) for each, kind in types.items()}
        if may_be_long and rows * len(types) > MOST_CELLS:
            if group * len(types) > WIDE_GROUP_CELLS:
                path = _regrouped(name, path, folder / "table.parquet")
            return LongTable(name, path, selects, rows, as_plain)
        connection = connect(path)
        try:
            columns = ", ".join(f"{select} AS {_identifier(each)}" for each, select in selects.items())
            query = f"SELECT {columns} FROM read_parquet($1, hive_partitioning=false)"
            found = connection.execute(query, [without_pattern(path)]).fetchnumpy()
        finally:
            connection.close()
    except duckdb.Error as error:
        raise DataError(
            f"{name}: the file cannot be read as Parquet ({first_line(error)}); a whole Parquet file is needed. "
            "Write it again."
        ) from None
    table = Table(name, {each: as_column(name, each, values) for each, values in found.items()})
    if table.rows != rows:
        raise DataError(
            f"{name}: the reader found {table.rows:,} rows and the file says {rows:,}; both must be the "
            "same. Write the file again."
        )
    if table.rows == 0:
        raise DataError(f"{name}: the file has no rows; at least one row is needed. Write it again.")
    return table


def as_plain(name: str, values: Any) -> np.ndarray:
    """A column of a Parquet file in the form for Table."""
    return as_column("", name, values)


def _regrouped(name: str, path: Path, target: Path) -> Path:
    """The same table in row groups of GROUP_ROWS. Raises: duckdb.Error."""
    check_room(path.stat().st_size, name)
    connection = connect(path, target, memory=MEMORY_LIMIT)
    try:
        copy = f"TO {quoted(target)} (FORMAT parquet, ROW_GROUP_SIZE {GROUP_ROWS})"
        source = "SELECT * FROM read_parquet($1, hive_partitioning=false)"
        connection.execute(f"COPY ({source}) {copy}", [without_pattern(path)])
    finally:
        connection.close()
    return target


def _settle(name: str, values: Any, say: Said, decimal_comma: bool) -> np.ndarray:
    """A column as duckdb gives it in the form for Table.

    duckdb tells types from the first rows: a column that is empty there comes as text, whatever follows.
    """
    if values.dtype != object:
        return as_column("", name, values)
    column = np.ma.getdata(values)
    missing = np.ma.getmaskarray(values)
    if missing.any():
        column = column.copy()
        column[missing] = None
    return settle(name, column, say, decimal_comma=decimal_comma)


def _cast(where: str, name: str, kind: str) -> str:
    """The expression that brings a Parquet column into a form fetchnumpy gives back whole."""
    quoted = _identifier(name)
    if kind in ("BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "VARCHAR"):
        return quoted
    if kind in ("FLOAT", "DOUBLE", "UBIGINT", "HUGEINT", "UHUGEINT") or kind.startswith("DECIMAL"):
        return f"CAST({quoted} AS DOUBLE)"
    if kind == "DATE" or kind.startswith("TIMESTAMP"):
        utc = f"timezone('UTC', {quoted})" if kind == "TIMESTAMP WITH TIME ZONE" else quoted
        return f"CAST({utc} AS TIMESTAMP_S)"
    if kind.startswith(("DATE", "TIME", "UUID", "ENUM", "INTERVAL")):
        return f"CAST({quoted} AS VARCHAR)"
    raise DataError(
        f"{where}: column {name!r} holds {kind}; numbers, truth values, text or dates are needed. "
        "Leave the column out, or write each of its parts as a column."
    )


def _identifier(name: str) -> str:
    """A column's name as SQL quotes it."""
    return '"' + name.replace('"', '""') + '"'
