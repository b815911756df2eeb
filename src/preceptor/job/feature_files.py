"""Features written down, some rows at a time: Parquet, CSV, .npy, .npz."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from shutil import copyfileobj
from typing import Any
from zipfile import ZipFile, ZipInfo

import numpy as np

from preceptor.data import PicturePreprocessor, Preprocessor, Table
from preceptor.data.tables.columns import missing_rows
from preceptor.data.tables.connection import MEMORY_LIMIT, connect, identifier, quoted
from preceptor.data.tables.names import find_column
from preceptor.data.tables.scratch import Scratch, check_room
from preceptor.errors import ConfigError
from preceptor.job.embedding import opened, plain
from preceptor.job.head import lines, write_lines
from preceptor.job.run import Run
from preceptor.job.source_files import files_of
from preceptor.output import Output
from preceptor.words import listing

__all__ = ["SUFFIXES", "columns_beside", "write_features"]

GROUP_CELLS = 1 << 22  # in a row group of a Parquet file: 16 MiB
LEAST_GROUP = 2048  # rows: what duckdb works on at once
MOST_COLUMNS = 5_000  # of a table; duckdb takes a millisecond a piece for each

Pieces = Iterable[tuple[Table, np.ndarray]]


def write_features(
    run: Run,
    source: Any,
    path: Path,
    layer: str | None = None,
    header: bool = True,
    keep: Sequence[str] | None = None,
    notes: list[str] | None = None,
) -> tuple[int, int]:
    """Writes a row for each row of a table or picture: the columns to keep, the targets that there are, then the
    features as f0, f1, ...

    .parquet and .csv are tables; .npy is the features alone, (row, feature); .npz has them as `features` and the other
    columns under their names. Features are float32; what is read, computed and written is held some rows at a time, but
    the other columns of an .npz.

    Args:
        source: anything that `Run.predict` takes.
        path: the file, whole under its name or not there.
        layer: as of `Run.embedded`.
        keep: as of `columns_beside`.
        notes: takes the sentences of `Run.notes`.
    Returns: how many rows and how many features.
    Raises: ConfigError where the suffix is none of these, there is no such layer, or a column has the name of another;
        DataError where it cannot be written, and as `Run.predict`.
    """
    write = SUFFIXES.get(path.suffix.lower())
    if write is None:
        raise ConfigError(
            f"{path}: received the suffix {path.suffix!r}; one of {listing(SUFFIXES)} is required, which says the form."
        )
    goal = Output(path, chain(files_of(source), files_of(run.path)))
    table: Any = opened(run.preprocessor, source, header)
    beside = columns_beside(run, table, keep)
    if write is _csv and isinstance(plain(run.preprocessor), Preprocessor):  # whose fields are as they stood
        table = opened(run.preprocessor, source, header, beside)
    unseen = plain(run.preprocessor).unseen()
    pieces = run.embedded(table, layer, unseen)
    first = next(pieces)  # what is wrong with it is said before anything is written
    blocks = [name for name in beside if first[0].columns[name].ndim > 1]
    if blocks:
        raise ConfigError(f"keep: {blocks[0]!r} holds many numbers in each row; columns of single values are required.")
    width = first[1].shape[1]
    names = [f"f{number}" for number in range(width)]
    if clash := set(beside) & {*names, "features"}:
        raise ConfigError(f"keep: the column {min(clash)!r} has a name that the features need. Leave it out.")
    if write in (_csv, _parquet) and width > MOST_COLUMNS:
        raise ConfigError(
            f"{path}: the layer gives {width:,} features a row; a table has at most {MOST_COLUMNS:,} columns here. "
            "Write .npy or .npz, or choose a layer behind a pool."
        )
    write(goal, (table.rows, width), beside, names, chain([first], pieces))
    if notes is not None:
        notes.extend(unseen.notes())
    return table.rows, width


def columns_beside(run: Run, table: Any, keep: Sequence[str] | None) -> list[str]:
    """The columns that stand beside features: those to keep, or those that number the rows, and the targets that there
    are. Raises: DataError where there is no such column."""
    learned = plain(run.preprocessor)
    if keep is None:
        usual = ["picture"] if isinstance(learned, PicturePreprocessor) else run.facts.get("identifiers", ())
        keep = [name for name in usual if name in table.columns]
    kept = [find_column(table.name, name, table.columns) for name in keep]
    targets = [target.name for target in learned.targets if target.name in table.columns]
    return list(dict.fromkeys([*kept, *targets]))


def _parquet(goal: Output, shape: tuple[int, int], beside: list[str], names: list[str], pieces: Pieces) -> None:
    """Each piece becomes a file of the moment; they are joined into one with row groups of one size."""
    rows, width = shape
    check_room(8 * rows * width, str(goal.path))
    group = max(LEAST_GROUP, GROUP_CELLS // width)
    form = f"(FORMAT parquet, ROW_GROUP_SIZE {group})"
    with Scratch() as folder:
        parts = []
        for number, (piece, found) in enumerate(pieces):
            parts.append(folder / f"{number}.parquet")
            columns = {name: piece.columns[name] for name in beside}
            columns |= dict(zip(names, np.ascontiguousarray(found.T), strict=True))
            with connect(parts[-1], memory=MEMORY_LIMIT) as connection:
                connection.register("piece", {f"c{place}": each for place, each in enumerate(columns.values())})
                chosen = ", ".join(f"c{place} AS {identifier(name)}" for place, name in enumerate(columns))
                connection.execute(f"COPY (SELECT {chosen} FROM piece) TO {quoted(parts[-1])} {form}")
        whole = parts[0]
        if len(parts) > 1:
            whole = folder / "whole.parquet"
            with connect(*parts, whole, memory=MEMORY_LIMIT) as connection:
                listed = ", ".join(map(quoted, parts))
                connection.execute(f"COPY (SELECT * FROM read_parquet([{listed}])) TO {quoted(whole)} {form}")
        with goal.binary() as file, open(whole, "rb") as made:
            copyfileobj(made, file)


def _csv(goal: Output, shape: tuple[int, int], beside: list[str], names: list[str], pieces: Pieces) -> None:
    """Numbers in the fewest digits that read as the same float32 again."""
    with goal.text() as file:
        write_lines(file, [[*beside, *names]])
        for piece, found in pieces:
            write_lines(file, lines(piece, [column.astype(str) for column in found.T], beside))


def _npy(goal: Output, shape: tuple[int, int], beside: list[str], names: list[str], pieces: Pieces) -> None:
    with goal.binary() as file:
        _write_array(file, shape, pieces)


def _npz(goal: Output, shape: tuple[int, int], beside: list[str], names: list[str], pieces: Pieces) -> None:
    kept: dict[str, list[np.ndarray]] = {name: [] for name in beside}

    def noted() -> Iterator[tuple[Table, np.ndarray]]:
        for piece, found in pieces:
            for name in beside:
                kept[name].append(piece.columns[name])
            yield piece, found

    with goal.binary() as file, ZipFile(file, "w") as packed:
        with packed.open(ZipInfo("features.npy"), "w", force_zip64=True) as entry:
            _write_array(entry, shape, noted())
        for name, parts in kept.items():
            values = np.concatenate(parts)
            if values.dtype == object:
                values = np.where(missing_rows(values), "", values).astype(str)
            with packed.open(ZipInfo(f"{name}.npy"), "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, values, allow_pickle=False)


def _write_array(file: Any, shape: tuple[int, int], pieces: Pieces) -> None:
    """An array in NumPy's form, a piece after another. Source: NEP 1."""
    np.lib.format.write_array_header_2_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
    for _, found in pieces:
        file.write(np.ascontiguousarray(found, "<f4").data)


SUFFIXES: dict[str, Callable[[Output, tuple[int, int], list[str], list[str], Pieces], None]] = {
    ".parquet": _parquet,
    ".csv": _csv,
    ".npy": _npy,
    ".npz": _npz,
}
