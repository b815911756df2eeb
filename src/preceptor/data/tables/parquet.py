"""Tables in Parquet files, read by duckdb."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from preceptor.data.tables import long_table
from preceptor.data.tables.columns import as_column
from preceptor.data.tables.connection import MEMORY_LIMIT, connect, first_line, identifier, quoted, without_pattern
from preceptor.data.tables.fields import EXACT, LONGEST, Said
from preceptor.data.tables.long_table import LongTable
from preceptor.data.tables.names import told_apart
from preceptor.data.tables.scratch import check_memory, check_room
from preceptor.data.tables.table import ZONED, Column, Table
from preceptor.errors import DataError

PLAIN = ("BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT", "UINTEGER", "VARCHAR")
LONG = ("BIGINT", "UBIGINT", "HUGEINT", "UHUGEINT")
WITH_ZONE = "TIMESTAMP WITH TIME ZONE"
AT_ONCE = 500  # columns whose ends are asked for in one query


@dataclass(frozen=True)
class Described:
    """What a Parquet file says of itself.

    Args:
        names: of the columns, as they stand in the file.
        types: what duckdb calls a column -> its type.
        rows: how many; `largest_group`: how many at most lie in one row group.
    """

    names: list[str]
    types: dict[str, str]
    rows: int
    largest_group: int


def describe(connection: Any, path: Path) -> Described:
    """What a Parquet file says of itself. Raises: duckdb.Error."""
    where = [without_pattern(path)]
    source = connection.execute("SELECT * FROM read_parquet($1, hive_partitioning=false) LIMIT 0", where)
    types = {column[0]: str(column[1]) for column in source.description}
    schema = connection.execute("SELECT name FROM parquet_schema($1)", where).fetchall()[1:]
    # duckdb calls the second "a" "a_1"; columns with parts are refused later, by the names that it has for them.
    names = [str(each[0]) for each in schema] if len(schema) == len(types) else list(types)
    rows = connection.execute("SELECT num_rows FROM parquet_file_metadata($1)", where).fetchall()[0][0]
    groups = connection.execute("SELECT max(row_group_num_rows) FROM parquet_metadata($1)", where).fetchall()[0][0]
    return Described(names, types, int(rows), int(groups or 0))


def read_parquet(
    name: str,
    path: Path,
    folder: Path,
    *,
    may_be_long: bool = False,
    texts: Collection[str] = (),
    labels: Collection[str] = (),
) -> Table | LongTable:
    """Reads a Parquet file; dates become datetime64[s], whole numbers that no type here holds exactly text.

    Args:
        name: what messages call the file, and the name of the table.
        path: where it is.
        folder: for a copy.
        texts, labels: columns whose fields are kept as text.

    Raises: DataError where the file is damaged or has columns of lists or structures.
    """
    import duckdb

    try:
        with connect(path) as connection:
            described = describe(connection, path)
            names, notes = told_apart(described.names)
            rows, kinds = described.rows, dict(zip(names, described.types.values(), strict=True))
            sources = dict(zip(names, map(identifier, described.types), strict=True))
            if rows == 0:
                raise DataError(f"{name}: the file has no rows; at least one row is needed. Write it again.")
            is_long = may_be_long and rows * len(names) > long_table.MOST_CELLS
            cells = rows if is_long else 2 * rows * len(names)
            check_memory(8 * cells, f"{name}: {rows:,} rows of {len(names):,} columns")
            selects = {each: _cast(name, each, sources[each], kind) for each, kind in kinds.items()}
            whole = {each: sources[each] for each in names if _is_long_whole(kinds[each])}
            selects |= exact_selects(connection, path, whole)
            kept = {each: f"CAST({sources[each]} AS VARCHAR)" for each in names if each in texts or each in labels}
            finish = _finish(name, {each for each, kind in kinds.items() if kind == WITH_ZONE}, said := Said())
            if is_long:
                if described.largest_group * len(names) > long_table.WIDE_GROUP_CELLS:
                    path = _regrouped(name, path, folder / "table.parquet")
                return LongTable(name, path, selects, rows, finish, notes, kept)
            asked = [*selects.values(), *(f"coalesce({each}, '')" for each in kept.values())]
            found = _fetched(connection, path, asked)
    except duckdb.Error as error:
        raise DataError(
            f"{name}: the file cannot be read as Parquet ({first_line(error)}); a whole Parquet file is needed. "
            "Write it again."
        ) from None
    columns = {each: finish(each, values) for each, values in zip(names, found, strict=False)}
    as_stood = {each: np.ma.getdata(values) for each, values in zip(kept, found[len(names) :], strict=True)}
    table = Table.of(name, columns, (), as_stood)
    if table.rows != rows:
        raise DataError(
            f"{name}: the reader found {table.rows:,} rows and the file says {rows:,}; both must be the "
            "same. Write the file again."
        )
    return Table.of(name, columns, (*notes, *said.sentences()), as_stood)


def _fetched(connection: Any, path: Path, selects: Collection[str]) -> list[Any]:
    """The values of some expressions in each row. Raises: duckdb.Error."""
    columns = ", ".join(f"{select} AS c{number}" for number, select in enumerate(selects))
    query = f"SELECT {columns} FROM read_parquet($1, hive_partitioning=false)"
    return list(connection.execute(query, [without_pattern(path)]).fetchnumpy().values())


def exact_selects(connection: Any, path: Path, columns: Mapping[str, str]) -> dict[str, str]:
    """How columns of long whole numbers are read so that each stays what it is: as int64, or as text.

    Args:
        connection: of duckdb, that may read the file.
        path: a Parquet file.
        columns: name -> how SQL calls it.

    Raises: duckdb.Error.
    """
    found = {}
    for start in range(0, len(columns), AT_ONCE):
        some = dict(list(columns.items())[start : start + AT_ONCE])
        asked = [f"min({each}), max({each}), count(*) - count({each})" for each in some.values()]
        query = f"SELECT {', '.join(asked)} FROM read_parquet($1, hive_partitioning=false)"
        facts = connection.execute(query, [without_pattern(path)]).fetchall()[0]
        for number, (name, source) in enumerate(some.items()):
            low, high, gaps = facts[3 * number : 3 * number + 3]
            bound = EXACT if gaps else LONGEST
            fits = low is None or (-bound <= low and high <= bound)
            found[name] = f"CAST({source} AS {'BIGINT' if fits else 'VARCHAR'})"
    return found


def _finish(where: str, zoned: set[str], said: Said) -> long_table.Finish:
    def finish(name: str, values: Any) -> Column:
        column = as_column(where, name, values, said=said)
        return Column(column.values, ZONED) if name in zoned else column

    return finish


def _regrouped(name: str, path: Path, target: Path) -> Path:
    """The same table in row groups of GROUP_ROWS. Raises: duckdb.Error."""
    check_room(path.stat().st_size, name)
    with connect(path, target, memory=MEMORY_LIMIT) as connection:
        copy = f"TO {quoted(target)} (FORMAT parquet, ROW_GROUP_SIZE {long_table.GROUP_ROWS})"
        source = "SELECT * FROM read_parquet($1, hive_partitioning=false)"
        connection.execute(f"COPY ({source}) {copy}", [without_pattern(path)])
    return target


def _is_long_whole(kind: str) -> bool:
    return kind in LONG or (kind.startswith("DECIMAL") and kind.endswith(",0)"))


def _cast(where: str, name: str, source: str, kind: str) -> str:
    """The expression that brings a Parquet column into a form fetchnumpy gives back whole."""
    if kind in PLAIN or _is_long_whole(kind):
        return source
    if kind in ("FLOAT", "DOUBLE") or kind.startswith("DECIMAL"):
        return f"CAST({source} AS DOUBLE)"
    if kind == "DATE" or kind.startswith("TIMESTAMP"):
        utc = f"timezone('UTC', {source})" if kind == WITH_ZONE else source
        return f"CAST({utc} AS TIMESTAMP_S)"
    if kind.startswith(("DATE", "TIME", "UUID", "ENUM", "INTERVAL")):
        return f"CAST({source} AS VARCHAR)"
    raise DataError(
        f"{where}: column {name!r} holds {kind}; numbers, truth values, text or dates are needed. "
        "Leave the column out, or write each of its parts as a column."
    )
