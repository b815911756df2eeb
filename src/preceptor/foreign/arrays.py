"""Files of NumPy: .npy with one array, .npz with several."""

import io
import tokenize
import warnings

import msgspec
import numpy as np
from numpy.lib import format as npy

from preceptor.errors import DataError
from preceptor.foreign.archive import Archive
from preceptor.foreign.weights import KINDS, Weights, layout, settled, shown

METADATA = "metadata"  # an array of one text in JSON, as our own exports have it
LONGEST_HEADER = 1000  # bytes; one of 32 sizes of 19 digits has 700, and Python parses long ones deeply


def read_npz(archive: Archive, where: str) -> Weights:
    """All arrays of a .npz file.

    Raises: DataError where the file is damaged or holds anything but arrays of numbers.
    """
    values: dict[str, np.ndarray] = {}
    notes: dict[str, str] = {}
    for entry in archive.entries:
        name, data = entry.removesuffix(".npy"), archive.read(entry)
        if name == entry:
            raise DataError(f"{where}: it holds {shown(entry)}; arrays alone are read. It is no file of numpy.savez.")
        array = _array(data, f"{where}: {shown(name)}")
        if array.dtype.kind != "U":
            values[name] = array
        elif name == METADATA:
            notes = _notes(array, where)
        else:
            raise DataError(f"{where}: {shown(name)} is text; numbers are read. Save arrays of numbers alone.")
    return Weights(where, layout(values, notes), values, notes)


def read_npy(data: memoryview, where: str) -> Weights:
    """The array of a .npy file, which has no name of its own.

    Raises: as `read_npz`.
    """
    array = _array(data, where)
    if array.dtype.kind == "U":
        raise DataError(f"{where}: it is text; numbers are read. Save an array of numbers.")
    return Weights(where, "channels-first", {"array": array}, {})


def _notes(text: np.ndarray, where: str) -> dict[str, str]:
    try:
        return msgspec.json.decode(str(text.reshape(-1)[0]) if text.size else "", type=dict[str, str])
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise DataError(f"{where}: its metadata is no JSON of text; leave it out or mend it.") from None


def _array(data: memoryview, where: str) -> np.ndarray:
    start = io.BytesIO(data[: 12 + LONGEST_HEADER])
    damaged = DataError(f"{where}: it is no whole .npy file, which is needed. Save it again with numpy.save.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about headers of Python 2
            version = npy.read_magic(start)
            read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
            if read is None:
                raise damaged
            shape, is_fortran, dtype = read(start, max_header_size=LONGEST_HEADER)
    except DataError:
        raise
    except (ValueError, TypeError, LookupError, SyntaxError, RecursionError, MemoryError, tokenize.TokenError):
        raise damaged from None
    if dtype.hasobject:
        raise DataError(f"{where}: it holds Python objects, in a pickle; numbers are read. Save an array of numbers.")
    if dtype.name not in KINDS and dtype.kind != "U":
        raise DataError(f"{where}: its type is {shown(dtype)}; numbers are read. Save it as float32.")
    needed = dtype.itemsize
    for size in shape:
        needed *= size
    body = data[start.tell() :]
    if min(shape, default=0) < 0 or needed != len(body):
        raise DataError(
            f"{where}: shape {shown(shape)} of {shown(dtype)} takes {needed:,} bytes; {len(body):,} are there. "
            "The file is damaged."
        )
    try:
        raw = np.frombuffer(body, dtype).reshape(shape, order="F" if is_fortran else "C")
    except (ValueError, OverflowError):  # sizes beside a 0 that no array can have, or text of no width
        raise damaged from None
    if dtype.kind == "U":
        return raw
    return settled(raw.view(np.uint8) if dtype.kind == "b" else raw, dtype.name)
