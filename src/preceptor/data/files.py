"""Tables in CSV, TSV and Parquet files, read by duckdb and checked against our own count."""

import re
from pathlib import Path
from typing import Any

import numpy as np

from preceptor.data.columns import as_column
from preceptor.data.delimited import (
    DELIMITER_NAMES,
    Layout,
    NotUtf8,
    count_records,
    find_layout,
    write_plain,
)
from preceptor.data.encoding import HEAD_BYTES, said, single_byte_encoding, to_utf8, wide_encoding
from preceptor.data.fields import DECIMALS, MISSING_WORDS, Said, settle
from preceptor.data.header import NO_HEADER, Header, find_header
from preceptor.data.table import Table
from preceptor.errors import DataError

USUAL_DELIMITERS = {".tsv": "\t", ".tab": "\t", ".psv": "|"}

READ_CSV = """
    SELECT * FROM read_csv($path, delim=$delimiter, header=$header, names=$names, skip=$skip, sample_size=$sample,
    nullstr=$missing, auto_type_candidates=$types, quote='"', escape='"', comment='',
    compression='none', strict_mode=true, null_padding=false, ignore_errors=false, hive_partitioning=false)
"""
TYPES = ["BIGINT", "DOUBLE", "VARCHAR"]
SNIFFED_ROWS = 20_480  # duckdb's own default: rows from which it tells a column's type; more only where that fails


def read_delimited(name: str, path: Path, folder: Path, *, header: bool) -> Table:
    """Reads a file of delimited text.

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
        return _read_utf8(name, path, folder, header, notes)
    except NotUtf8:
        if encoding:
            raise AssertionError("a file written as UTF-8 is UTF-8") from None
    encoding = single_byte_encoding(name, path)
    notes.append(said(encoding))
    return _read_utf8(name, to_utf8(name, path, encoding, folder), folder, header, notes)


def _read_utf8(name: str, path: Path, folder: Path, has_header: bool, notes: list[str]) -> Table:
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
    source, form, rows, blank_lines = path, layout, count.records - header.records, count.blank_lines
    if not count.is_plain or layout.delimiter == " " or header.records == 2 or (layout.skip and columns == 1):
        source, form, rows, blank_lines = rewrite(header)
    try:
        found = _query(source, form, header, columns, TYPES)
    except duckdb.Error:
        source, form, rows, blank_lines = rewrite(header)
        try:
            found = _query(source, form, header, columns, TYPES)
        except duckdb.Error as error:
            raise DataError(
                f"{name}: the reader stopped ({_first_line(error)}); {columns} fields a line, separated by a "
                f'{DELIMITER_NAMES[layout.delimiter]} and quoted by ", are needed. Check for text after a closing '
                "quote."
            ) from None
    if len(found) != columns or any(len(values) != rows for values in found):
        raise DataError(
            f"{name}: the reader found {len(found[0]) if found else 0:,} rows of {len(found)} columns, and the file "
            f"has {rows:,} rows of {columns}; both must be the same. Check for quotes that are not closed."
        )
    say = Said()
    semicolons = layout.delimiter == ";"
    settled = [_settle(each, values, say, semicolons) for each, values in zip(header.names, found, strict=True)]
    if DECIMALS in say.changes and any(values.dtype.kind == "f" for values in found):
        # Beside decimal commas 1.234 is a thousand and more: read again what was taken for decimal points.
        say = Said()
        found = _query(source, form, header, columns, ["VARCHAR"])
        settled = [_settle(each, values, say, True) for each, values in zip(header.names, found, strict=True)]
    if layout.delimiter != USUAL_DELIMITERS.get(path.suffix.lower(), ","):
        notes.append(f"Fields are separated by {DELIMITER_NAMES[layout.delimiter]}s.")
    if not count.is_plain and layout.delimiter != " ":
        notes.append("Quotes or line ends were not as usual and were put in order.")
    if blank_lines:
        notes.append(f"{blank_lines:,} blank line{'s were' if blank_lines > 1 else ' was'} left out.")
    return Table(name, dict(zip(header.names, settled, strict=True)), (*notes, *header.notes, *say.sentences()))


def _query(path: Path, layout: Layout, header: Header, columns: int, types: list[str]) -> list[Any]:
    """The columns as duckdb reads them. Raises: duckdb.Error."""
    import duckdb

    # A file written again has lost its header.
    arguments = {
        "path": _without_pattern(path),
        "delimiter": layout.delimiter,
        "header": bool(layout.sample) and header.records > 0,
        "names": [f"c{number}" for number in range(columns)],
        "skip": layout.skip,
        "sample": SNIFFED_ROWS,
        "missing": list(MISSING_WORDS),
        "types": types,
    }
    connection = _connect(path)
    try:
        try:
            return list(connection.execute(READ_CSV, arguments).fetchnumpy().values())
        except duckdb.ConversionException:
            return list(connection.execute(READ_CSV, arguments | {"sample": -1}).fetchnumpy().values())
    finally:
        connection.close()


def read_parquet(name: str, path: Path) -> Table:
    """Reads a Parquet file; dates become datetime64[s], numbers too large for 64 bits float64.

    Raises: DataError where the file is damaged or has columns of lists or structures.
    """
    import duckdb

    connection = _connect(path)
    try:
        source = connection.execute("SELECT * FROM read_parquet($1, hive_partitioning=false)", [_without_pattern(path)])
        names = [column[0] for column in source.description]
        types = {column[0]: str(column[1]) for column in source.description}
        casts = ", ".join(_cast(name, each, types[each]) for each in names)
        query = f"SELECT {casts} FROM read_parquet($1, hive_partitioning=false)"
        found = connection.execute(query, [_without_pattern(path)]).fetchnumpy()
        counted = connection.execute(
            "SELECT num_rows FROM parquet_file_metadata($1)", [_without_pattern(path)]
        ).fetchall()
    except duckdb.Error as error:
        raise DataError(
            f"{name}: the file cannot be read as Parquet ({_first_line(error)}); a whole Parquet file is needed. "
            "Write it again."
        ) from None
    finally:
        connection.close()
    table = Table(name, {each: as_column(name, each, values) for each, values in found.items()})
    if table.rows != counted[0][0]:
        raise DataError(
            f"{name}: the reader found {table.rows:,} rows and the file says {counted[0][0]:,}; both must be the "
            "same. Write the file again."
        )
    if table.rows == 0:
        raise DataError(f"{name}: the file has no rows; at least one row is needed. Write it again.")
    return table


def _connect(path: Path) -> Any:
    """A connection that may read this one file and nothing else, and loads nothing."""
    import duckdb

    options = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    connection = duckdb.connect(":memory:", config=options)
    allowed = ", ".join("'" + each.replace("'", "''") + "'" for each in (str(path), _without_pattern(path)))
    connection.execute(f"SET allowed_paths = [{allowed}]")
    connection.execute("SET enable_external_access = false")
    return connection


def _without_pattern(path: Path) -> str:
    """The path such that duckdb reads no pattern into it: each of *, ? and [ in brackets of its own."""
    return re.sub(r"([*?\[])", r"[\1]", str(path))


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].removeprefix("Invalid Input Error: ").rstrip(".;: ")


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
    """The select expression that brings a Parquet column into a form fetchnumpy gives back whole."""
    quoted = '"' + name.replace('"', '""') + '"'
    if kind in ("BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "VARCHAR"):
        return quoted
    if kind in ("FLOAT", "DOUBLE", "UBIGINT", "HUGEINT", "UHUGEINT") or kind.startswith("DECIMAL"):
        return f"CAST({quoted} AS DOUBLE) AS {quoted}"
    if kind == "DATE" or kind.startswith("TIMESTAMP"):
        utc = f"timezone('UTC', {quoted})" if kind == "TIMESTAMP WITH TIME ZONE" else quoted
        return f"CAST({utc} AS TIMESTAMP_S) AS {quoted}"
    if kind.startswith(("DATE", "TIME", "UUID", "ENUM", "INTERVAL")):
        return f"CAST({quoted} AS VARCHAR) AS {quoted}"
    raise DataError(
        f"{where}: column {name!r} holds {kind}; numbers, truth values, text or dates are needed. "
        "Leave the column out, or write each of its parts as a column."
    )
