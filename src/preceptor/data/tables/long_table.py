"""A table that need not fit in memory: it stays in a Parquet file and is read piece by piece."""

import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from preceptor.data.tables.columns import objects
from preceptor.data.tables.connection import MEMORY_LIMIT, connect, first_line, without_pattern
from preceptor.data.tables.names import find_column
from preceptor.data.tables.scratch import Scratch
from preceptor.data.tables.table import Column, Table
from preceptor.errors import DataError

MOST_CELLS = 1 << 25  # a table of more is read piece by piece: as numbers and features it would be about 1 GiB
PIECE_CELLS = 1 << 22  # of a piece: 32 MiB of float64
GROUP_ROWS = 1 << 17  # in a row group of a file written here
WIDE_GROUP_CELLS = 1 << 23  # a row group of more is cut up first: every piece out of it would be decoded from its start
SPREAD = 2_654_435_761  # 2^32 / golden ratio: multiples of it, modulo 2^32, lie evenly (Knuth 1998, section 6.4)

Finish = Callable[[str, Any], Column]


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
        texts: name -> the SQL expression that gives the fields as they stood, of the columns for which they were asked.
    """

    name: str
    path: Path
    selects: dict[str, str]
    rows: int
    finish: Finish
    notes: tuple[str, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(self.selects)

    def pieces(self, names: Sequence[str] | None = None) -> Iterator[tuple[int, Table]]:
        """The rows in order, a piece at a time: the number of its first row, and its columns; of all with their texts.

        Raises: DataError where there is no such column, or the file cannot be read to its end.
        """
        chosen = self.columns if names is None else tuple(names)
        step = rows_of_a_piece(len(chosen))
        with self._opened() as connection:
            for start in range(0, self.rows, step):
                yield start, self._piece(connection, start, min(start + step, self.rows), names)

    def piece(self, start: int, stop: int, names: Sequence[str] | None = None) -> Table:
        """The rows from `start` up to `stop`. Raises: DataError as pieces."""
        with self._opened() as connection:
            return self._piece(connection, start, stop, names)

    def _piece(self, connection: Any, start: int, stop: int, names: Sequence[str] | None) -> Table:
        table, numbers = self._query(connection, names, f"file_row_number >= {start} AND file_row_number < {stop}")
        if not np.array_equal(numbers, np.arange(start, stop)):
            raise DataError(
                f"{self.name}: rows {start + 1:,} to {stop:,} cannot be read; the file was changed meanwhile. "
                "Leave it as it is until the command has ended."
            )
        return table

    def column(self, name: str) -> np.ndarray:
        """One column whole, equal texts being one object. Memory: 8 bytes a row. Raises: DataError as pieces."""
        name = find_column(self.name, name, self.columns)
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
        with self._opened() as connection:
            return self._query(connection, names, f"(file_row_number * {SPREAD}) % {2**32} < {threshold}{forced}")

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        """A connection that may read the file. Raises: DataError where a query of it fails."""
        import duckdb

        try:
            with connect(self.path, memory=MEMORY_LIMIT) as connection:
                yield connection
        except duckdb.Error as error:
            raise DataError(
                f"{self.name}: the file cannot be read ({first_line(error)}); a whole table is needed. Write it again."
            ) from None

    def _query(self, connection: Any, names: Sequence[str] | None, where: str) -> tuple[Table, np.ndarray]:
        chosen = [find_column(self.name, name, self.columns) for name in (self.columns if names is None else names)]
        kept = list(self.texts) if names is None else []
        asked = [f"{self.selects[name]} AS c{number}" for number, name in enumerate(chosen)]
        asked += [f"coalesce({self.texts[name]}, '') AS t{number}" for number, name in enumerate(kept)]
        query = (
            f"SELECT {', '.join([*asked, 'file_row_number AS number'])} "
            f"FROM read_parquet($1, file_row_number=true, hive_partitioning=false) WHERE {where} ORDER BY number"
        )
        found = connection.execute(query, [without_pattern(self.path)]).fetchnumpy()
        columns = {name: self.finish(name, found[f"c{number}"]) for number, name in enumerate(chosen)}
        texts = {name: np.ma.getdata(found[f"t{number}"]) for number, name in enumerate(kept)}
        return Table.of(self.name, columns, self.notes, texts), np.asarray(found["number"], np.int64)


def rows_of_a_piece(columns: int) -> int:
    """How many rows of so many columns are a piece."""
    return max(1024, PIECE_CELLS // max(columns, 1))


def pieces_of(table: Table | LongTable) -> Iterator[Table]:
    """A table piece by piece; one in memory is a single piece."""
    if isinstance(table, Table):
        yield table
        return
    for _, piece in table.pieces():
        yield piece


def keep_folder(table: LongTable, folder: Scratch) -> None:
    """Has a folder of copies removed when the table is no longer used, or the process ends."""
    weakref.finalize(table, folder.remove)
