"""What is computed of constants alone, and of shapes: by NumPy, while the file is read."""

import math
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np

from preceptor.errors import DataError
from preceptor.foreign.onnx_in.file import Node
from preceptor.foreign.onnx_weights import KINDS

BATCH = 2**31 - 1  # stands for the number of examples in shapes that are computed with; a prime, and no axis is as long
FREE_BYTES = 16 * 2**20
TIMES = 8  # the file's size: constants cast to float32, permuted, held


class Budget:
    """The memory that constants may take beside those of the file, so that a small file cannot ask for much."""

    def __init__(self, file: str, size: int) -> None:
        self.file, self.left = file, FREE_BYTES + TIMES * size

    def take(self, shape: Sequence[int], itemsize: int = 4) -> None:
        """Raises: DataError where that much is not left."""
        self.left -= math.prod(shape) * itemsize
        if self.left < 0:
            raise DataError(
                f"{self.file}: its constants would take more than {TIMES} times its size; no network's are so."
            )


def elementwise(function: Callable[..., Any]) -> Callable[..., Any]:
    """Of arrays that broadcast."""

    def fold(node: Node, given: list[np.ndarray], budget: Budget) -> np.ndarray:
        budget.take(np.broadcast_shapes(*(each.shape for each in given)), 8)
        with np.errstate(all="ignore"):
            return np.asarray(function(*given), given[0].dtype)

    return fold


def truth(function: Callable[..., Any]) -> Callable[..., Any]:
    """Of arrays that broadcast; what comes is true or false."""

    def fold(node: Node, given: list[np.ndarray], budget: Budget) -> np.ndarray:
        budget.take(np.broadcast_shapes(*(each.shape for each in given)), 1)
        return np.asarray(function(*given), bool)

    return fold


def _divide(x: np.ndarray, y: np.ndarray) -> Any:
    return x / y if x.dtype.kind == "f" else np.trunc(x / y)


def _constant(node: Node, given: list[np.ndarray], budget: Budget) -> np.ndarray:
    for name, dtype in (("value_float", np.float32), ("value_floats", np.float32)):
        if name in node.attributes:
            return np.asarray(node.attributes[name], dtype)
    for name in ("value_int", "value_ints"):
        if name in node.attributes:
            return np.asarray(node.attributes[name], np.int64)
    value = node.attributes["value"]
    if not isinstance(value, np.ndarray):
        raise TypeError
    return value


def _cast(node: Node, given: list[np.ndarray], budget: Budget) -> np.ndarray:
    kind = KINDS[node.attributes["to"]]
    dtype = np.dtype("float32" if kind == "bfloat16" else kind)
    budget.take(given[0].shape, dtype.itemsize)
    with np.errstate(all="ignore"):
        return given[0].astype(dtype)


def shape_of(node: Node, shape: Sequence[int]) -> np.ndarray:
    """The shape of a value, or the stretch of it that a Shape asks for."""
    start, end = node.attributes.get("start", 0), node.attributes.get("end")
    return np.array(list(shape)[start:end], np.int64)


def whole_numbers(array: np.ndarray) -> tuple[int, ...]:
    """A small array of whole numbers as a tuple. Raises: ValueError where it is none."""
    if array.dtype.kind not in "iu" or array.size > 64:
        raise ValueError
    return tuple(map(int, array.ravel()))


def axes_of(node: Node, given: Sequence[Any], at: int = 1) -> tuple[int, ...] | None:
    """Axes as an attribute (older opsets) or an input; None where there are none."""
    if "axes" in node.attributes:
        return tuple(node.attributes["axes"])
    return whole_numbers(given[at]) if len(given) > at and given[at] is not None else None


def unsqueezed(shape: Sequence[int], axes: Sequence[int]) -> tuple[int, ...]:
    """A shape with axes of length 1 more. Raises: ValueError for axes that are none."""
    rank = len(shape) + len(axes)
    wanted = {_axis(each, rank) for each in axes}
    if len(wanted) != len(axes):
        raise ValueError
    rest = iter(shape)
    return tuple(1 if at in wanted else next(rest) for at in range(rank))


def squeezed(shape: Sequence[int], axes: Sequence[int]) -> tuple[int, ...]:
    """A shape without axes of length 1. Raises: ValueError for axes that are none, or longer."""
    gone = {_axis(each, len(shape)) for each in axes}
    if any(shape[each] != 1 for each in gone):
        raise ValueError
    return tuple(length for at, length in enumerate(shape) if at not in gone)


def _axis(axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise ValueError
    return axis % rank


def reshaped(shape: Sequence[int], target: Sequence[int], keeps_zero: bool = False) -> tuple[int, ...]:
    """The shape that Reshape's target means: 0 is the length that stood there, -1 what is left.

    Raises: ValueError where it holds another number of entries.
    """
    lengths = [shape[at] if each == 0 and not keeps_zero else each for at, each in enumerate(target)]
    if lengths.count(-1) > 1 or any(each < -1 for each in lengths):
        raise ValueError
    whole, known = math.prod(shape), math.prod(each for each in lengths if each != -1)
    if -1 in lengths:
        if known == 0 or whole % known:
            raise ValueError
        lengths[lengths.index(-1)] = whole // known
    if math.prod(lengths) != whole:
        raise ValueError
    return tuple(lengths)


def _reshape(node: Node, given: list[np.ndarray], budget: Budget) -> np.ndarray:
    budget.take(given[0].shape, given[0].itemsize)
    target = whole_numbers(given[1])
    return given[0].reshape(reshaped(given[0].shape, target, bool(node.attributes.get("allowzero", 0))))


def _gather(node: Node, given: list[np.ndarray], budget: Budget) -> np.ndarray:
    axis = _axis(node.attributes.get("axis", 0), given[0].ndim)
    rest = given[0].shape[:axis] + given[0].shape[axis + 1 :]
    budget.take((*rest, *given[1].shape), given[0].itemsize)
    return np.take(given[0], given[1], axis)


def _slice(node: Node, given: list[np.ndarray], budget: Budget) -> np.ndarray:
    x = given[0]
    if "starts" in node.attributes:
        starts, ends = node.attributes["starts"], node.attributes["ends"]
        axes, steps = node.attributes.get("axes"), None
    else:
        starts, ends = whole_numbers(given[1]), whole_numbers(given[2])
        axes, steps = (whole_numbers(given[at]) if len(given) > at and given[at] is not None else None for at in (3, 4))
    axes, steps = axes or tuple(range(len(starts))), steps or (1,) * len(starts)
    slices = [slice(None)] * x.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        backwards_to_first = step < 0 and end < -x.shape[axis]
        slices[_axis(axis, x.ndim)] = slice(start, None if backwards_to_first else end, step)
    return x[tuple(slices)]


def _concat(node: Node, given: list[np.ndarray], budget: Budget) -> np.ndarray:
    budget.take((sum(each.nbytes for each in given),), 1)
    return np.concatenate(given, node.attributes["axis"])


def _filled(node: Node, given: list[np.ndarray], budget: Budget) -> np.ndarray:
    shape, value = whole_numbers(given[0]), node.attributes.get("value", np.zeros(1, np.float32))
    budget.take(shape, value.itemsize)
    return np.full(shape, value.reshape(()))


def _expand(node: Node, given: list[np.ndarray], budget: Budget) -> np.ndarray:
    shape = np.broadcast_shapes(given[0].shape, whole_numbers(given[1]))
    budget.take(shape, given[0].itemsize)
    return np.broadcast_to(given[0], shape).copy()


def _where(node: Node, given: list[np.ndarray], budget: Budget) -> np.ndarray:
    budget.take(np.broadcast_shapes(*(each.shape for each in given)), given[1].itemsize)
    return np.where(*given)


FOLDS: dict[str, Callable[[Node, list[Any], Budget], np.ndarray]] = {
    "Abs": elementwise(np.abs),
    "Add": elementwise(np.add),
    "Cast": _cast,
    "Ceil": elementwise(np.ceil),
    "Concat": _concat,
    "Constant": _constant,
    "ConstantOfShape": _filled,
    "Div": elementwise(_divide),
    "Equal": truth(np.equal),
    "Exp": elementwise(np.exp),
    "Expand": _expand,
    "Floor": elementwise(np.floor),
    "Gather": _gather,
    "Identity": lambda node, given, budget: given[0],
    "Max": elementwise(lambda *each: reduce(np.maximum, each)),
    "Min": elementwise(lambda *each: reduce(np.minimum, each)),
    "Mul": elementwise(np.multiply),
    "Neg": elementwise(np.negative),
    "Pow": elementwise(lambda x, y: np.power(x, y.astype(x.dtype))),
    "Reciprocal": elementwise(lambda x: 1 / x),
    "Reshape": _reshape,
    "Shape": lambda node, given, budget: shape_of(node, given[0].shape),
    "Size": lambda node, given, budget: np.array(given[0].size, np.int64),
    "Slice": _slice,
    "Sqrt": elementwise(np.sqrt),
    "Squeeze": lambda node, given, budget: given[0].reshape(
        squeezed(given[0].shape, axes_of(node, given) or [at for at, n in enumerate(given[0].shape) if n == 1])
    ),
    "Sub": elementwise(np.subtract),
    "Transpose": lambda node, given, budget: given[0].transpose(node.attributes.get("perm")),
    "Unsqueeze": lambda node, given, budget: given[0].reshape(unsqueezed(given[0].shape, axes_of(node, given) or ())),
    "Where": _where,
}


def fold(node: Node, given: Sequence[np.ndarray | None], budget: Budget) -> np.ndarray:
    """What an operation makes of constants. Raises: ValueError, TypeError, LookupError, OverflowError where it cannot;
    DataError where it would take too much memory."""
    return FOLDS[node.op](node, list(given), budget)
