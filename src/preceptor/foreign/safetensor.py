"""Files of safetensors."""

from typing import Any

import msgspec
import numpy as np

from preceptor.errors import DataError
from preceptor.foreign.weights import Weights, layout, numbers, shown

KINDS = {  # as the format calls them
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "U16": "uint16",
    "I16": "int16",
    "U32": "uint32",
    "I32": "int32",
    "U64": "uint64",
    "I64": "int64",
    "F16": "float16",
    "BF16": "bfloat16",
    "F32": "float32",
    "F64": "float64",
    "C64": "complex64",
}


def read_safetensors(data: bytes, where: str) -> Weights:
    """The tensors of a file in the order in which they lie there; its metadata are the notes.

    Raises: DataError where the library finds the file damaged, or a tensor is of a type that NumPy has not.
    """
    from safetensors import SafetensorError, deserialize

    try:
        found = dict(deserialize(data))  # type: ignore[no-untyped-call]
    except (SafetensorError, MemoryError) as error:
        raise DataError(
            f"{where}: {shown(error)}; a whole safetensors file is needed. Copy or download it again."
        ) from None
    header = _header(data, where)
    metadata = header.pop("__metadata__", None) or {}
    values: dict[str, np.ndarray] = {}
    for name in sorted(found, key=lambda name: header[name]["data_offsets"]):
        tensor = found.pop(name)
        called = f"{where}: {shown(name)}"
        if tensor["dtype"] not in KINDS:
            raise DataError(
                f"{called} is of type {shown(tensor['dtype'])}; {', '.join(KINDS)} are read. Save it as float32."
            )
        values[name] = numbers(called, tensor["data"], KINDS[tensor["dtype"]], tuple(tensor["shape"]))
    return Weights(where, layout(values, metadata), values, metadata)


def _header(data: bytes, where: str) -> dict[str, Any]:
    length = int.from_bytes(data[:8], "little")
    try:
        return msgspec.json.decode(memoryview(data)[8 : 8 + length], type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        raise DataError(f"{where}: its header is no JSON; a whole safetensors file is needed. Copy it again.") from None
