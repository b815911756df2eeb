"""Arrays with names, as a file of another library holds them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from preceptor.errors import DataError
from preceptor.words import cut, one_line

LAYOUTS = {  # word -> how its arrays lie
    "channels-first": "convolutions (filter, channel, *window), dense layers (unit, feature): PyTorch, ONNX",
    "channels-last": "convolutions (*window, channel, filter), dense layers (feature, unit): Keras, and our own",
}
KINDS = {  # of numbers that are read -> how they lie in a file, lowest byte first
    "bool": "u1",
    "uint8": "u1",
    "int8": "i1",
    "uint16": "<u2",
    "int16": "<i2",
    "uint32": "<u4",
    "int32": "<i4",
    "uint64": "<u8",
    "int64": "<i8",
    "float16": "<f2",
    "bfloat16": "<u2",
    "float32": "<f4",
    "float64": "<f8",
    "complex64": "<c8",
    "complex128": "<c16",
}


@dataclass(frozen=True, eq=False)
class Weights:
    """What a file holds, in its order.

    Args:
        name: of the file, as messages call it.
        layout: one of LAYOUTS.
        values: by name; of any dtype that NumPy has (bfloat16 comes as float32). They may share the file's memory, and
            are not to be written to.
        notes: what else it says of itself: the metadata of a safetensors file, what was left out of a checkpoint.
    """

    name: str
    layout: str
    values: dict[str, np.ndarray]
    notes: dict[str, str]


def settled(raw: np.ndarray, kind: str) -> np.ndarray:
    """Numbers as they lie in a file, as an array that all can work with: C order, aligned, of the machine's byte order.

    Args:
        raw: of the type that KINDS says, from any place of a file, in any strides.
        kind: one of KINDS.
    """
    if kind == "bool":
        return np.asarray(raw != 0)  # a byte of 2 would be neither true nor false
    if kind == "bfloat16":  # the upper half of a float32
        wide = np.empty(raw.shape, np.uint32)
        wide[...] = raw
        wide <<= 16
        return wide.view(np.float32)
    return np.require(raw, raw.dtype.newbyteorder("="), ["C", "A"])


def numbers(name: str, data: "bytes | bytearray | memoryview", kind: str, shape: tuple[int, ...]) -> np.ndarray:
    """The array whose bytes these are, in C order.

    Raises: DataError where there are more or fewer of them than the shape takes.
    """
    dtype = np.dtype(KINDS[kind])
    needed = dtype.itemsize
    for size in shape:
        needed *= size
    if needed != len(data) or min(shape, default=0) < 0:
        raise DataError(
            f"{name} has shape {shown(shape)} of {kind}, which takes {needed:,} bytes; {len(data):,} are there. "
            "The file is damaged."
        )
    try:
        return settled(np.frombuffer(data, dtype).reshape(shape), kind)
    except (ValueError, OverflowError):  # more dimensions than NumPy has, or sizes beside a 0 that no array can have
        raise DataError(f"{name} has shape {shown(shape)}, which no array can have. The file is damaged.") from None


def layout(names: Iterable[str], notes: Mapping[str, str]) -> str:
    """How arrays lie in a file that may come from anywhere: as it says itself, else as its words are used.

    Keras and Flax call "kernel" what PyTorch calls "weight".
    """
    if notes.get("layout") in LAYOUTS:
        return notes["layout"]
    words = {name.rpartition(".")[2].rpartition("/")[2] for name in names}
    return "channels-last" if "kernel" in words and "weight" not in words else "channels-first"


def shown(what: object) -> str:
    """Text from a file, or a shape, as a message shows it: one line, not too long."""
    return cut(one_line(str(what)[:200]), 100)
