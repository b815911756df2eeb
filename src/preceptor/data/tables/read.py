"""One function that makes a Table of whatever holds one: a file, a folder, an array, a data frame."""

import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from preceptor.data.tables.columns import as_column, objects
from preceptor.data.tables.files import read_delimited, read_parquet
from preceptor.data.tables.long_table import LongTable, keep_folder
from preceptor.data.tables.records import read_json
from preceptor.data.tables.scratch import roomy_folder
from preceptor.data.tables.table import Table
from preceptor.data.tables.unpack import ARCHIVES, DESCRIPTIONS, JSON_SUFFIXES, PACKED, TABLE_SUFFIXES, unpack
from preceptor.errors import DataError
from preceptor.words import listing

SUFFIXES = (*TABLE_SUFFIXES, *PACKED)
FOLDER_SUFFIXES = tuple(suffix for suffix in SUFFIXES if suffix not in DESCRIPTIONS)
BUNDLED = {"digits": ("digits.npz", "digit"), "iris": ("iris.csv", "species")}  # name -> file, target


def read(source: Any, *, header: bool = True) -> Table:
    """Reads a table.

    Args:
        source: "digits" or "iris" (bundled); the path of delimited text (.csv, .tsv, .txt, .data, ...), JSON (.json,
            .jsonl, .ndjson), .parquet, .npy or .npz, of a .gz or .zip file of one of them, or of a folder that holds
            one of them; a NumPy array of shape (row, feature), which becomes the block "x"; a mapping of names to
            arrays; a pandas or polars data frame; an Arrow table; a Table, which comes back as it is.
        header: whether the first line of delimited text holds names; else the columns are column1, column2, ...

    Raises: DataError where there is no such table, or it does not read as one.
    """
    if isinstance(source, Table):
        return source
    if isinstance(source, str) and source in BUNDLED:
        table = read(Path(__file__).parents[1] / "bundled" / BUNDLED[source][0])
        return Table(source, table.columns, table.notes)
    if isinstance(source, (str, Path)):
        whole = _read_path(Path(source), header=header)
        assert isinstance(whole, Table)
        return whole
    if isinstance(source, np.ndarray):
        if source.ndim != 2:
            raise DataError(
                f"array: it has shape {source.shape}; (rows, features) is needed. "
                "Flatten each row: x.reshape(len(x), -1)."
            )
        return _with_rows("array", [("x", source, None)])
    if isinstance(source, Mapping):
        return _with_rows("dictionary", ((name, values, None) for name, values in source.items()))
    if hasattr(source, "iloc") and hasattr(source, "columns"):
        return _with_rows("data frame", _pandas_columns(source))
    if hasattr(source, "get_columns") and hasattr(source, "height"):
        return _with_rows("data frame", _polars_columns(source))
    if hasattr(source, "column_names") and hasattr(source, "num_rows"):
        return _with_rows("Arrow table", _arrow_columns(source))
    raise DataError(
        f"read: a {type(source).__module__}.{type(source).__name__} was given; a path, an array, a mapping of arrays, "
        "a data frame or an Arrow table is needed. Convert it to one of them."
    )


def open_table(source: Any, *, header: bool = True) -> Table | LongTable:
    """Reads a table as `read` does; but one in Parquet or delimited text that is too large to hold stays on the disk.

    Memory: a table of more than long_table.MOST_CELLS cells is not held.
    """
    if isinstance(source, (str, Path)) and str(source) not in BUNDLED:
        return _read_path(Path(source), header=header, may_be_long=True)
    return read(source, header=header)


def default_target(table_name: str) -> str | None:
    """The column that a bundled table is made to predict, None for any other table."""
    return BUNDLED[table_name][1] if table_name in BUNDLED else None


def _read_path(path: Path, *, header: bool, may_be_long: bool = False) -> Table | LongTable:
    if path.is_dir():
        path = _only_table(path)
    if not path.exists():
        raise DataError(
            f"{path}: there is no such file or folder; a table is needed. Check the path; "
            f"bundled are {listing(BUNDLED)}."
        )
    if not path.is_file():
        raise DataError(f"{path}: this is neither a file nor a folder; a table in a file is needed. Save it as one.")
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        cure = "Unpack it first." if suffix in ARCHIVES else "Save the table as one of them."
        raise DataError(
            f"{path.name}: files that end in {suffix or 'nothing'!r} are not read; {', '.join(SUFFIXES)} are. {cure}"
        )
    path = path.resolve()
    folder = Path(tempfile.mkdtemp(prefix="preceptor-", dir=roomy_folder())).resolve()
    table = None
    try:
        table = _read_file(path, folder, header=header, may_be_long=may_be_long)
    except OSError as error:
        raise DataError(
            f"{path.name}: the file cannot be opened ({error.strerror or error}); read permission is needed. "
            "Check the file and its rights."
        ) from None
    finally:
        if isinstance(table, LongTable):
            keep_folder(table, folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return table


def _read_file(path: Path, folder: Path, *, header: bool, may_be_long: bool) -> Table | LongTable:
    name, notes = path.name, list[str]()
    if path.suffix.lower() in PACKED:
        path, note = unpack(path, folder)
        notes.append(note)
    suffix = path.suffix.lower()
    table: Table | LongTable
    if suffix == ".parquet":
        table = read_parquet(name, path, folder, may_be_long=may_be_long)
    elif suffix in (".npy", ".npz"):
        table = _read_numpy(name, path)
    elif suffix in JSON_SUFFIXES:
        table = read_json(name, path, folder)
    else:
        table = read_delimited(name, path, folder, header=header, may_be_long=may_be_long)
    return replace(table, notes=(*notes, *table.notes))


def _only_table(folder: Path) -> Path:
    files = [each for each in sorted(folder.iterdir()) if each.is_file() and each.name[:1] != "."]
    found = [each for each in files if each.suffix.lower() in FOLDER_SUFFIXES]
    if len(found) == 1:
        return found[0]
    if found:
        raise DataError(
            f"{folder}: the folder holds {len(found)} tables: {listing(each.name for each in found)}; one is needed. "
            "Give the path of the one that is meant."
        )
    raise DataError(
        f"{folder}: the folder holds no table; one file that ends in {', '.join(FOLDER_SUFFIXES)} is needed. "
        "Check the path."
    )


def _read_numpy(name: str, path: Path) -> Table:
    try:
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            arrays = {"x": loaded} if isinstance(loaded, np.ndarray) else {each: loaded[each] for each in loaded.files}
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        why = "it holds Python objects" if "Object arrays" in str(error) else "it is damaged or no NumPy file"
        raise DataError(
            f"{name}: the file cannot be read: {why}; arrays of numbers or text are needed. "
            "Save them again with numpy.save or numpy.savez."
        ) from None
    if path.suffix.lower() == ".npy" and arrays["x"].ndim != 2:
        raise DataError(
            f"{name}: the array has shape {arrays['x'].shape}; (rows, features) is needed. "
            "Flatten each row: x.reshape(len(x), -1)."
        )
    if len({array.shape[:1] for array in arrays.values()}) > 1:
        shapes = listing(f"{each} {array.shape}" for each, array in arrays.items())
        raise DataError(
            f"{name}: the arrays differ in length: {shapes}; one row each for every example is needed. "
            "Save each part in a file of its own."
        )
    return _with_rows(name, ((each, array, None) for each, array in arrays.items()))


def _with_rows(where: str, columns: Iterable[tuple[Any, Any, np.ndarray | None]]) -> Table:
    """A table of (name, values, which are missing); refuses names that come twice and a table without rows."""
    made: dict[str, np.ndarray] = {}
    for name, values, missing in columns:
        if str(name) in made:
            raise DataError(
                f"{where}: two columns have the name {str(name)!r}; every column needs a name of its own. "
                "Rename one of them."
            )
        made[str(name)] = as_column(where, str(name), values, missing)
    table = Table(where, made)
    if table.rows == 0:
        what = "no rows" if made else "no columns"
        raise DataError(f"{where}: it has {what}; at least one row is needed. Check how it was made.")
    return table


def _pandas_columns(frame: Any) -> Iterable[tuple[Any, Any, np.ndarray]]:
    for number, name in enumerate(frame.columns):
        series = frame.iloc[:, number]
        missing = series.isna().to_numpy(dtype=bool)
        kind = getattr(series.dtype, "kind", "O")
        if hasattr(series.dtype, "categories"):
            values = objects((str(each) for each in series.astype(object)), len(series))
        elif kind in "iuf" and missing.any():
            values = series.to_numpy(dtype=np.float64, na_value=np.nan)
        elif kind in "biuf" and not missing.any():
            values = series.to_numpy(dtype={"b": bool, "i": np.int64, "u": np.uint64, "f": np.float64}[kind])
        elif isinstance(series.dtype, np.dtype) and kind != "O":
            values = series.to_numpy()
        else:
            values = series.astype(object).to_numpy(dtype=object)
        yield name, values, missing


def _polars_columns(frame: Any) -> Iterable[tuple[Any, Any, None]]:
    for series in frame.get_columns():
        is_number = series.dtype.is_integer() or series.dtype.is_float()
        yield series.name, series.to_numpy() if is_number else objects(series.to_list(), len(series)), None


def _arrow_columns(table: Any) -> Iterable[tuple[Any, Any, None]]:
    for number, name in enumerate(table.column_names):
        column = table.column(number)
        # to_numpy forgets which values of a dictionary column are missing; to_pylist does not.
        is_number = str(column.type).startswith(("int", "uint", "float", "double", "halffloat"))
        yield name, np.asarray(column) if is_number else objects(column.to_pylist(), len(column)), None
