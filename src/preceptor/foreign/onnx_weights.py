"""Initialisers of ONNX files: the weights, without the graph."""

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
EXTERNAL = 1  # TensorProto.DataLocation


def model_of(data: bytes, where: str) -> Any:
    """What an ONNX file holds, as the package onnx has it.

    Raises: ConfigError where the package is missing; DataError where the file is damaged.
    """
    try:
        from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
        from onnx import ModelProto
    except ImportError as error:
        raise ConfigError(
            f"{where}: {error}; ONNX files are read by the package onnx. "
            "Install it: python -m pip install 'preceptor[onnx]'"
        ) from None

    model = ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError:
        raise DataError(f"{where}: it is no whole ONNX file, which is needed. Copy or download it again.") from None
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

    Raises: ConfigError where the package onnx is missing; DataError where the file is damaged, or keeps weights in
        other files, whose names are not followed.
    """
    model = model_of(data, where)
    graph = model.graph
    if len(graph.sparse_initializer):
        raise DataError(f"{where}: its weights are sparse; dense ones are read. Export it again without pruning.")
    if not len(graph.initializer):
        raise DataError(f"{where}: it is no ONNX file with weights (initialisers), which are needed. Export it again.")

    values: dict[str, np.ndarray] = {}
    for tensor in graph.initializer:
        if tensor.name in values:
            raise DataError(f"{where}: it has two weights named {shown(tensor.name)}. Export it again.")
        values[tensor.name] = array_of(tensor, f"{where}: {shown(tensor.name)}")
    producer = shown(f"{model.producer_name} {model.producer_version}").strip()
    notes = {"producer": producer} if producer else {}
    return Weights(where, "channels-first", values, notes | {each.key: each.value for each in model.metadata_props})
