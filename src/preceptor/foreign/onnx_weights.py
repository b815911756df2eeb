"""Initialisers of ONNX files: the weights, without the graph."""

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np

from preceptor.errors import ConfigError, DataError
from preceptor.foreign.weights import Weights, shown

KINDS = {  # as the format numbers them
    1: "float32",
    2: "uint8",
    3: "int8",
    4: "uint16",
    5: "int16",
    6: "int32",
    7: "int64",
    9: "bool",
    10: "float16",
    11: "float64",
    12: "uint32",
    13: "uint64",
    14: "complex64",
    15: "complex128",
    16: "bfloat16",
}
TEXT = 8
GRAPH, INITIALISER, SPARSE = 7, 5, 15  # numbers of fields: of a model, of its graph
PRODUCER, VERSION, METADATA = 2, 3, 14  # of a model
TYPE, ELSEWHERE, LOCATION = 2, 13, 14  # of a tensor
EXTERNAL = 1  # a location: another file
VARINT, EIGHT, COUNTED, FOUR = 0, 1, 2, 5  # how a field is written
FEWEST_BYTES = 40  # that a file has for each tensor in it, on average: name, type and shape, and the nodes that use it
SPARE = 10_000  # tensors, of which that is not asked


def model_of(data: bytes, where: str) -> Any:
    """What an ONNX file holds, as the package onnx has it.

    Raises: ConfigError where the package is missing; DataError where the file is damaged.
    """
    try:
        from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
        from onnx import ModelProto
    except ImportError as error:
        raise _missing(error, where) from None

    model = ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError:
        raise _cut_off(where) from None
    return model


def array_of(tensor: Any, called: str) -> np.ndarray:
    """The numbers of a tensor in an ONNX file; bfloat16 comes as float32.

    Args:
        called: what messages begin with.
    Raises: DataError where they lie in another file, whose name is not followed, are of an unknown kind, or do not fill
        their shape.
    """
    from onnx import numpy_helper

    if tensor.data_location == EXTERNAL or len(tensor.external_data):
        raise DataError(
            f"{called} lies in another file; names of files in a file are not followed. "
            "Save it in one: onnx.save(onnx.load(FILE), NEW)."
        )
    kind = KINDS.get(tensor.data_type)
    if kind is None:
        raise DataError(
            f"{called} is of ONNX's type {tensor.data_type}; {', '.join(KINDS.values())} are read. "
            "Export it as float32."
        )
    shape = tuple(tensor.dims)
    try:
        if min(shape, default=0) < 0:
            raise ValueError  # which reshape would take for a question
        found = numpy_helper.to_array(tensor)
    except (ValueError, TypeError, OverflowError):
        raise DataError(
            f"{called} has shape {shown(shape)} of {kind}, which its bytes do not fill; {prod(shape):,} numbers "
            "are needed. The file is damaged."
        ) from None
    return found.astype(np.float32) if kind == "bfloat16" else found


def read_onnx(data: bytes, where: str) -> Weights:
    """The initialisers of an ONNX file, in its order.

    Only they are parsed, one at a time: a few bytes may stand for any number of empty nodes, each of which takes a
    hundred in memory.

    Raises: ConfigError where the package onnx is missing; DataError where the file is damaged, or keeps weights in
        other files, whose names are not followed.
    """
    try:
        from google.protobuf.message import DecodeError
        from onnx import StringStringEntryProto, TensorProto
    except ImportError as error:
        raise _missing(error, where) from None

    values: dict[str, np.ndarray] = {}
    try:
        producer, notes = [], {}
        for number, field in _fields(memoryview(data)):
            if number in (PRODUCER, VERSION) and isinstance(field, memoryview):
                producer.append(bytes(field).decode())
            elif number == METADATA and isinstance(field, memoryview):
                entry = StringStringEntryProto.FromString(bytes(field))
                notes[_text(entry.key)] = _text(entry.value)
        for field in _initialisers(data, where):
            if _is_text(field, where):
                continue
            tensor = TensorProto.FromString(bytes(field))
            if tensor.name in values:
                raise DataError(f"{where}: it has two weights named {shown(tensor.name)}. Export it again.")
            values[_text(tensor.name)] = array_of(tensor, f"{where}: {shown(tensor.name)}")
    except (DecodeError, IndexError, UnicodeDecodeError):
        raise _cut_off(where) from None
    if not values:
        raise DataError(f"{where}: it is no ONNX file with weights (initialisers), which are needed. Export it again.")
    made_by = shown(" ".join(producer)).strip()
    return Weights(where, "channels-first", values, ({"producer": made_by} if made_by else {}) | notes)


def _missing(error: ImportError, where: str) -> ConfigError:
    return ConfigError(
        f"{where}: {error}; ONNX files are read by the package onnx. "
        "Install it: python -m pip install 'preceptor[onnx]'"
    )


def _cut_off(where: str) -> DataError:
    return DataError(f"{where}: it is no whole ONNX file, which is needed. Copy or download it again.")


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode()  # bytes where it is no UTF-8, which then is told


def _initialisers(data: bytes, where: str) -> Iterator[memoryview]:
    left = SPARE + len(data) // FEWEST_BYTES
    for number, graph in _fields(memoryview(data)):
        if number != GRAPH or not isinstance(graph, memoryview):
            continue
        for inner, field in _fields(graph):
            if inner == SPARSE:
                raise DataError(
                    f"{where}: its weights are sparse; dense ones are read. Export it again without pruning."
                )
            if inner == INITIALISER and isinstance(field, memoryview):
                left -= 1
                if left < 0:
                    raise DataError(
                        f"{where}: it names more weights than a file of {len(data):,} bytes can hold. "
                        "If it is no forgery, save them as .npz by numpy.savez."
                    )
                yield field


def _is_text(tensor: memoryview, where: str) -> bool:
    """Whether a tensor holds text, such as names of classes, which are no weights. Refuses one that lies elsewhere or
    holds what is not read, before it is parsed."""
    kind: int | memoryview = 0
    for number, field in _fields(tensor):
        if number == ELSEWHERE or (number == LOCATION and field == EXTERNAL):
            raise DataError(
                f"{where}: some of its weights lie in another file; names of files in a file are not followed. "
                "Save them in one: onnx.save(onnx.load(FILE), NEW)."
            )
        if number == TYPE:
            kind = field
    if kind != TEXT and kind not in KINDS:
        raise DataError(
            f"{where}: one of its weights is of ONNX's type {shown(kind)}; {', '.join(KINDS.values())} are read. "
            "Export it as float32."
        )
    return kind == TEXT


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """(number, content) of each field of a message of Protocol Buffers.

    Source: protobuf.dev/programming-guides/encoding.
    Raises: IndexError where it is cut off or none.
    """
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, form = tag >> 3, tag & 7
        if form == VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if form == COUNTED:
            size, at = _varint(message, at)
        elif form in (EIGHT, FOUR):
            size = 8 if form == EIGHT else 4
        else:
            raise IndexError
        if at + size > len(message) or not number:
            raise IndexError
        yield number, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 64:
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    raise IndexError
