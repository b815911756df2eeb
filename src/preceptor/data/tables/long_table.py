"""A table that need not fit in memory: it stays in a Parquet file and is read piece by piece."""

import re
import shutil
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from preceptor.data.tables.columns import objects
from preceptor.data.tables.table import Table, check_column
from preceptor.errors import DataError

MOST_CELLS = 1 << 25  # a table of more is read piece by piece: as numbers and features it would be about 1 GiB
PIECE_CELLS = 1 << 22  # of a piece: 32 MiB of float64
GROUP_ROWS = 1 << 17  # in a row group of a file written here
WIDE_GROUP_CELLS = 1 << 23  # a row group of more is cut up first: every piece out of it would be decoded from its start
MEMORY_LIMIT = "512MiB"  # of duckdb, for one query over such a file
SPREAD = 2_654_435_761  # 2^32 / golden ratio: multiples of it, modulo 2^32, lie evenly (Knuth 1998, section 6.4)

Finish = Callable[[str, np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class LongTable:
    """Named columns in a Parquet file.

    Args:
        name: what messages call the table, for instance its file name.
        path: the file.
        selects: name of a column -> the SQL expression that gives it.
        rows: how many.
        finish: what is made of each column as it is read.
        notes: what reading it changed or had to guess, each a plain sentence.
    """

    name: str
    path: Path
    selects: dict[str, str]
    rows: int
    finish: Finish
    notes: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(self.selects)

    def pieces(self, names: Sequence[str] | None = None) -> Iterator[tuple[int, Table]]:
        """The rows in order, a piece at a time: the number of its first row, and its columns.

        Raises: DataError where there is no such column, or the file cannot be read to its end.
        """
        chosen = self.columns if names is None else tuple(names)
        step = max(1024, PIECE_CELLS // max(len(chosen), 1))
        for start in range(0, self.rows, step):
            stop = min(start + step, self.rows)
            table, numbers = self._query(chosen, f"file_row_number >= {start} AND file_row_number < {stop}")
            if not np.array_equal(numbers, np.arange(start, stop)):
                raise DataError(
                    f"{self.name}: rows {start + 1:,} to {stop:,} cannot be read; the file was changed meanwhile. "
                    "Leave it as it is until the command has ended."
                )
            yield start, table

    def column(self, name: str) -> np.ndarray:
        """One column whole, equal texts being one object. Memory: 8 bytes a row. Raises: DataError as pieces."""
        known: dict[Any, Any] = {}
        found = []
        for _, piece in self.pieces([name]):
            values = piece.columns[name]
            if values.dtype == object:
                values = objects((known.setdefault(each, each) for each in values.tolist()), len(values))
            found.append(values)
        return np.concatenate(found)

    def sample(
        self, count: int, also: Iterable[int] = (), names: Sequence[str] | None = None
    ) -> tuple[Table, np.ndarray]:
        """About `count` rows spread evenly over the table, always the same ones, and the rows numbered in `also`.

        Returns: (their table, their numbers in this one).
        """
        threshold = min(2**32, -(-count * 2**32 // max(self.rows, 1)))
        listed = ", ".join(str(int(number)) for number in also)
        forced = f" OR file_row_number IN ({listed})" if listed else ""
        chosen = self.columns if names is None else names
        return self._query(chosen, f"(file_row_number * {SPREAD}) % {2**32} < {threshold}{forced}")

    def _query(self, names: Sequence[str], where: str) -> tuple[Table, np.ndarray]:
        import duckdb

        for name in names:
            check_column(self.name, name, self.columns)
        chosen = [f"{self.selects[name]} AS c{number}" for number, name in enumerate(names)]
        query = (
            f"SELECT {', '.join([*chosen, 'file_row_number AS number'])} "
            f"FROM read_parquet($1, file_row_number=true, hive_partitioning=false) WHERE {where} ORDER BY number"
        )
        connection = connect(self.path, memory=MEMORY_LIMIT)
        try:
            found = connection.execute(query, [without_pattern(self.path)]).fetchnumpy()
        except duckdb.Error as error:
            raise DataError(
                f"{self.name}: the file cannot be read ({first_line(error)}); a whole table is needed. Write it again."
            ) from None
        finally:
            connection.close()
        columns = {name: self.finish(name, found[f"c{number}"]) for number, name in enumerate(names)}
        return Table(self.name, columns, self.notes), np.asarray(found["number"], np.int64)


def pieces_of(table: Table | LongTable) -> Iterator[Table]:
    """A table piece by piece; one in memory is a single piece."""
    if isinstance(table, Table):
        yield table
        return
    for _, piece in table.pieces():
        yield piece


def keep_folder(table: LongTable, folder: Path) -> None:
    """Has a folder of copies removed when the table is no longer used, or the process ends."""
    weakref.finalize(table, shutil.rmtree, folder, ignore_errors=True)


def connect(*paths: Path, memory: str | None = None) -> Any:
    """A duckdb connection that may use these files and so much memory and nothing else, and loads nothing."""
    import duckdb

    options = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    connection = duckdb.connect(":memory:", config=options)
    known = {form for path in paths for form in (str(path), without_pattern(path))}
    allowed = ", ".join(map(quoted, sorted(known)))
    connection.execute(f"SET allowed_paths = [{allowed}]")
    connection.execute("SET enable_external_access = false")
    if memory is not None:
        connection.execute(f"SET memory_limit = '{memory}'")
    return connection


def quoted(text: str | Path) -> str:
    """A text as SQL quotes it."""
    return "'" + str(text).replace("'", "''") + "'"


def without_pattern(path: Path) -> str:
    """The path such that duckdb reads no pattern into it: each of *, ? and [ in brackets of its own."""
    return re.sub(r"([*?\[])", r"[\1]", str(path))


def first_line(error: Exception) -> str:
    """What an error says, in one line."""
    return str(error).strip().splitlines()[0].removeprefix("Invalid Input Error: ").rstrip(".;: ")
