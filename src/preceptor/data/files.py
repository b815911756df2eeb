"""Tables in CSV, TSV and Parquet files, read by duckdb and checked against our own count."""

import re
from pathlib import Path
from typing import Any

import numpy as np

from preceptor.data.columns import as_column
from preceptor.data.delimited import DELIMITER_NAMES, count_records, find_layout
from preceptor.data.table import Table, listing
from preceptor.errors import DataError

MISSING_WORDS = ("", "?", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null", "None")
NUMBER = re.compile(r"\s*[+-]?(?!0\d)(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|inf|infinity)\s*", re.IGNORECASE)

READ_CSV = """
    SELECT * FROM read_csv($path, delim=$delimiter, header=$header, names=$names, skip=$skip, sample_size=$sample,
    nullstr=$missing, auto_type_candidates=['BIGINT', 'DOUBLE', 'VARCHAR'], quote='"', escape='"', comment='',
    compression='none', strict_mode=true, null_padding=false, ignore_errors=false, hive_partitioning=false)
"""
SNIFFED_ROWS = 20_480  # duckdb's own default: rows from which it tells a column's type; more only where that fails


def read_delimited(path: Path, *, header: bool) -> Table:
    """Reads a CSV or TSV file.

    Fields that hold one of MISSING_WORDS are missing. A column is a number where all its other fields are; numbers
    written with leading zeros (007) are text. True and False in any case are truth values.

    Raises: DataError where the file is not such a table, or duckdb's rows and columns are not those counted before.
    """
    import duckdb

    layout = find_layout(path)
    names = _header_names(path, layout.first, layout.skip + 1) if header else _numbered(len(layout.first))
    rows = count_records(path, layout.delimiter, len(names)) - header
    if rows == 0:
        raise DataError(
            f"{path.name}: the file has a header and no rows; at least one row is needed. "
            "If the first line is data, say that there is no header (header=False, --no-header)."
        )
    arguments = {
        "path": _without_pattern(path),
        "delimiter": layout.delimiter,
        "header": header,
        "names": [f"c{number}" for number in range(len(names))],
        "skip": layout.skip,
        "sample": SNIFFED_ROWS,
        "missing": list(MISSING_WORDS),
    }
    connection = _connect(path)
    try:
        try:
            found = connection.execute(READ_CSV, arguments).fetchnumpy()
        except duckdb.ConversionException:
            found = connection.execute(READ_CSV, arguments | {"sample": -1}).fetchnumpy()
    except duckdb.Error as error:
        raise DataError(
            f"{path.name}: the reader stopped ({_first_line(error)}); {len(names)} fields a line, separated by a "
            f'{DELIMITER_NAMES[layout.delimiter]} and quoted by ", are needed. Check for text after a closing quote '
            "and for line ends of two kinds."
        ) from None
    finally:
        connection.close()
    columns = [_settle(values) for values in found.values()]
    if len(columns) != len(names) or any(len(values) != rows for values in columns):
        raise DataError(
            f"{path.name}: the reader found {len(columns[0]) if columns else 0:,} rows of {len(columns)} columns, and "
            f"the file has {rows:,} rows of {len(names)}; both must be the same. Check for quotes that are not closed."
        )
    return Table(path.name, dict(zip(names, columns, strict=True)))


def read_parquet(path: Path) -> Table:
    """Reads a Parquet file; dates become text, numbers too large for 64 bits float64.

    Raises: DataError where the file is damaged or has columns of lists or structures.
    """
    import duckdb

    connection = _connect(path)
    try:
        source = connection.execute("SELECT * FROM read_parquet($1, hive_partitioning=false)", [_without_pattern(path)])
        names = [column[0] for column in source.description]
        types = {column[0]: str(column[1]) for column in source.description}
        casts = ", ".join(_cast(path, name, types[name]) for name in names)
        query = f"SELECT {casts} FROM read_parquet($1, hive_partitioning=false)"
        found = connection.execute(query, [_without_pattern(path)]).fetchnumpy()
        counted = connection.execute(
            "SELECT num_rows FROM parquet_file_metadata($1)", [_without_pattern(path)]
        ).fetchall()
    except duckdb.Error as error:
        raise DataError(
            f"{path.name}: the file cannot be read as Parquet ({_first_line(error)}); a whole Parquet file is needed. "
            "Write it again."
        ) from None
    finally:
        connection.close()
    table = Table(path.name, {name: as_column(path.name, name, values) for name, values in found.items()})
    if table.rows != counted[0][0]:
        raise DataError(
            f"{path.name}: the reader found {table.rows:,} rows and the file says {counted[0][0]:,}; both must be the "
            "same. Write the file again."
        )
    if table.rows == 0:
        raise DataError(f"{path.name}: the file has no rows; at least one row is needed. Write it again.")
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


def _numbered(count: int) -> list[str]:
    return [f"column{number}" for number in range(1, count + 1)]


def _header_names(path: Path, fields: list[str], line: int) -> list[str]:
    """The names in the header; an empty one becomes column and its number."""
    cure = "If the first line is data, say that there is no header (header=False, --no-header)."
    if all(NUMBER.fullmatch(field) for field in fields) and any("." in field for field in fields):
        raise DataError(f"{path.name}: line {line} holds only numbers; it should hold the names of the columns. {cure}")
    names = [field.strip() or number for field, number in zip(fields, _numbered(len(fields)), strict=True)]
    repeated = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if repeated:
        raise DataError(
            f"{path.name}: line {line} names {listing(map(repr, repeated))} more than once; every column needs a name "
            f"of its own. Rename them. {cure}"
        )
    return names


def _settle(values: Any) -> np.ndarray:
    """A column as duckdb gives it in the form for Table; text that is numbers or truth values throughout becomes those.

    duckdb tells types from the first rows: a column that is empty there comes as text, whatever follows.
    """
    if values.dtype != object:
        return as_column("", "", values)
    column = np.array(np.ma.getdata(values))
    column[np.ma.getmaskarray(values)] = None
    first = next((value for value in column if value is not None), None)
    if first is None:
        return np.full(len(column), np.nan)
    if first.strip().lower() in ("true", "false"):
        levels = set(column.tolist())
        known = {level: level.strip().capitalize() for level in levels - {None}}
        if set(known.values()) <= {"True", "False"}:
            named = np.array([known.get(value) for value in column.tolist()], dtype=object)
            return named if None in levels else named == "True"
    elif NUMBER.fullmatch(first):
        levels = set(column.tolist()) - {None}
        if all(NUMBER.fullmatch(level) for level in levels):
            numbers = {level: float(level) for level in levels} | {None: np.nan}
            found = np.fromiter(map(numbers.__getitem__, column.tolist()), np.float64, len(column))
            whole = all(level.strip().lstrip("+-").isdecimal() for level in levels)
            return found.astype(np.int64) if whole and np.abs(found).max() < 2**53 else found
    return column


def _cast(path: Path, name: str, kind: str) -> str:
    """The select expression that brings a Parquet column into a form fetchnumpy gives back whole."""
    quoted = '"' + name.replace('"', '""') + '"'
    if kind in ("BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "VARCHAR"):
        return quoted
    if kind in ("FLOAT", "DOUBLE", "UBIGINT", "HUGEINT", "UHUGEINT") or kind.startswith("DECIMAL"):
        return f"CAST({quoted} AS DOUBLE) AS {quoted}"
    if kind.startswith(("DATE", "TIME", "UUID", "ENUM", "INTERVAL")):
        return f"CAST({quoted} AS VARCHAR) AS {quoted}"
    raise DataError(
        f"{path.name}: column {name!r} holds {kind}; numbers, truth values, text or dates are needed. "
        "Leave the column out, or write each of its parts as a column."
    )
