"""Tables in NumPy files, whose headers are looked at before anything is held."""

import math
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import IO, Any

import numpy as np

from preceptor.data.tables.given import BLOCK, apart, is_one_block, names_place, table_of
from preceptor.data.tables.scratch import check_memory
from preceptor.data.tables.table import Table
from preceptor.data.tables.unpack import check_size
from preceptor.errors import DataError
from preceptor.words import listing


def read_arrays(name: str, path: Path, texts: Collection[str] = (), labels: Collection[str] = ()) -> Table:
    """Reads a .npy or .npz file; of a .npy file labels may be places: "0" is its first column.

    Raises: DataError where it is damaged, or declares more than it holds.
    """
    try:
        arrays = _of_archive(name, path) if path.suffix.lower() == ".npz" else {"x": _of_file(name, path)}
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        if isinstance(error, DataError):
            raise
        why = "it holds Python objects" if "Object arrays" in str(error) else "it is damaged or no NumPy file"
        raise DataError(
            f"{name}: the file cannot be read: {why}; arrays of numbers or text are needed. "
            "Save them again with numpy.save or numpy.savez."
        ) from None
    if path.suffix.lower() == ".npy" and arrays["x"].ndim != 2 and arrays["x"].dtype.names is None:
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
    table = table_of(name, ((each, array, None) for each, array in arrays.items()), {*texts, *labels})
    places = [int(label) for label in sorted(labels) if names_place(label)]
    return apart(table, arrays[BLOCK], places) if places and is_one_block(table) else table


def _of_file(name: str, path: Path) -> np.ndarray:
    with path.open("rb") as file:
        declared = _declared(file)
        _check(name, "the array", declared, path.stat().st_size)
        file.seek(0)
        return _loaded(file)


def _of_archive(name: str, path: Path) -> dict[str, np.ndarray]:
    found, total = {}, 0
    with zipfile.ZipFile(path) as archive:
        members = [each for each in archive.infolist() if each.filename.endswith(".npy")]
        for member in members:
            with archive.open(member) as file:
                declared = _declared(file)
            _check(name, member.filename, declared, member.file_size)
            total += declared
        check_size(path, total)
        check_memory(2 * total, f"{name}: its arrays")
        for member in members:
            with archive.open(member) as file:
                found[member.filename.removesuffix(".npy")] = _loaded(file)
    return found


def _declared(file: IO[bytes]) -> int:
    """The bytes that the header of a .npy file says will follow. Raises: ValueError where there is none."""
    version = np.lib.format.read_magic(file)
    read: Any = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    if dtype.hasobject:
        raise ValueError("Object arrays")
    return math.prod(shape) * int(dtype.itemsize)


def _check(name: str, what: str, declared: int, size: int) -> None:
    if declared > size:
        raise DataError(
            f"{name}: {what} declares {declared:,} bytes and {size:,} are there; a whole file is needed. Save it again."
        )


def _loaded(file: IO[bytes]) -> np.ndarray:
    return np.asarray(np.lib.format.read_array(file, allow_pickle=False))
