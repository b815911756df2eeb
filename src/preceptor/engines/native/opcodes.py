"""Which opcode of the tile kernels an elementwise primitive becomes, by the types of its operands."""

import numpy as np

from preceptor.engines.native.rewriting import BF16
from preceptor.graph import Node

FLOAT, INTEGER, TRUTH = "float", "integer", "truth"

LANES = {
    np.dtype(np.float32): (FLOAT, "f32"),
    np.dtype(np.int32): (INTEGER, "i32"),
    np.dtype(np.uint32): (INTEGER, "u32"),
    np.dtype(bool): (TRUTH, "boolean"),
    np.dtype(np.uint8): (INTEGER, "u8"),
    np.dtype(np.int8): (INTEGER, "i8"),
    np.dtype(np.int16): (INTEGER, "i16"),
    np.dtype(np.uint16): (INTEGER, "u16"),
    BF16: (FLOAT, "bf16"),
}
TYPES = ("f32", "i32", "u32", "boolean", "bf16", "u8", "i8", "i16", "u16")  # as instruction.h counts them

_SAME = ("add", "subtract", "multiply", "divide", "maximum", "negative", "exp", "log", "log1p", "expm1", "sqrt", "sin",
         "cos", "tanh", "sigmoid", "softplus", "erf", "abs", "sign", "threshold", "power", "integer_power", "equal",
         "less", "less_equal", "not", "and", "or", "where", "relu", "round_bf16")  # fmt: skip
_INTEGER = ("add", "subtract", "multiply", "negative", "maximum", "abs", "sign", "equal", "less", "less_equal", "where")

TRANSCENDENTAL = frozenset(
    {"exp", "log", "log1p", "expm1", "sin", "cos", "tanh", "sigmoid", "softplus", "erf", "power"}
)


def lane(dtype: np.dtype) -> str | None:
    """What numbers of a type are in a lane of 32 bits; None for types that do not fit."""
    found = LANES.get(dtype)
    return found[0] if found else None


def type_code(dtype: np.dtype) -> int:
    """The number of a type of memory."""
    return TYPES.index(LANES[dtype][1])


def opcode(node: Node) -> str | None:
    """The name of the opcode for an elementwise node; None where there is none."""
    name = node.primitive.name
    kinds = [lane(x.spec.dtype) for x in node.inputs]
    out = lane(node.spec.dtype)
    if out is None or None in kinds:
        return None
    if node.spec.dtype.itemsize < 4 and out == INTEGER:
        return None  # arithmetic of 8 and 16 bits wraps round: NumPy does it
    if name == "cast":
        return _conversion(node.inputs[0].spec.dtype, node.spec.dtype)
    if name == "to_bf16":
        return "copy"
    if any(x.spec.dtype.itemsize < 4 and lane(x.spec.dtype) == INTEGER for x in node.inputs) and name != "cast":
        return f"{name}_i" if name in ("equal", "less", "less_equal") else None
    kind = kinds[-1]
    if kind == INTEGER:
        if name == "less" and node.inputs[0].spec.dtype == np.uint32:
            return "less_u"
        if node.inputs[-1].spec.dtype == np.uint32 and name not in ("add", "subtract", "multiply", "equal", "where"):
            return None
        return f"{name}_i" if name in _INTEGER else None
    return name if name in _SAME else None


def _conversion(source: np.dtype, target: np.dtype) -> str | None:
    before, after = lane(source), lane(target)
    if before == after:
        return "copy" if before != INTEGER or target.itemsize == 4 else None
    if after == FLOAT:
        return "copy" if before == TRUTH else "uint_to_float" if source == np.uint32 else "int_to_float"
    if after == INTEGER:
        return "float_to_int" if target == np.int32 or before == TRUTH else None
    return "float_to_bool" if before == FLOAT else "int_to_bool"
