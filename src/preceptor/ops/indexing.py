"""Primitives that read and write at positions given by an array of integers; and `x[...]`."""

from typing import Any

import numpy as np

from preceptor.errors import DtypeError, ShapeError
from preceptor.ops import elementwise, movement, reduction
from preceptor.ops.primitive import Primitive, Spec, Symbol, as_array, user_line

__all__ = ["gather_sum", "index", "one_hot", "scatter_add", "take", "take_along_last_axis"]


def _take_spec(x: Spec, indices: Spec, *, axis: int) -> Spec:
    return Spec((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]), x.dtype)


def _scatter_spec(x: Spec, indices: Spec, *, axis: int, length: int) -> Spec:
    if x.shape[axis : axis + indices.ndim] != indices.shape:
        raise ShapeError(f"input has shape {x.shape} and indices {indices.shape}; they must agree from axis {axis} on.")
    return Spec((*x.shape[:axis], length, *x.shape[axis + indices.ndim :]), x.dtype)


def _check_range(name: str, indices: np.ndarray, length: int) -> None:
    bad = indices[(indices < -length) | (indices >= length)]
    if bad.size:
        raise ShapeError(f"{name}: received index {bad.flat[0]}; indices from {-length} to {length - 1} are required.")


def _take_run(xp: Any, x: Any, indices: Any, *, axis: int) -> Any:
    if xp is not np:
        return xp.take(x, indices, axis=axis, mode="wrap")
    _check_range("take", indices, x.shape[axis])
    return np.take(x, indices, axis=axis)


def _scatter_run(xp: Any, x: Any, indices: Any, *, axis: int, length: int) -> Any:
    if xp is np:
        _check_range("scatter_add", indices, length)
    where = (slice(None),) * axis + (indices,)
    zeros = xp.zeros((*x.shape[:axis], length, *x.shape[axis + indices.ndim :]), x.dtype)
    if xp is not np:
        return zeros.at[where].add(x)
    np.add.at(zeros, where, x)
    return zeros


_take: Primitive = Primitive(
    "take",
    spec=_take_spec,
    run=_take_run,
    vjp=lambda g, out, x, indices, *, axis: (_scatter_add(g, indices, axis=axis, length=x.shape[axis]), None),
    doc="Entries of an axis at integer positions; -1 is the last. Valid from -length to length - 1: on the reference "
    "engine others are an error, on accelerators they wrap round, for checking would stop the device.",
)

_scatter_add: Primitive = Primitive(
    "scatter_add",
    spec=_scatter_spec,
    run=_scatter_run,
    vjp=lambda g, out, x, indices, *, axis, length: (_take(g, indices, axis=axis), None),
    doc="Zeros with entries added at integer positions of an axis; entries at one position are summed.",
)


def _gather_sum_spec(x: Spec, indices: Spec, weights: Spec) -> Spec:
    if x.ndim != 2 or indices.ndim != 2 or indices.shape != weights.shape:
        raise ShapeError(
            f"input has shape {x.shape}, indices {indices.shape} and weights {weights.shape}; (length, unit) and twice "
            "(row, pick) are required."
        )
    if x.dtype != weights.dtype:
        raise DtypeError(f"input is {x.dtype} and weights are {weights.dtype}; one type is required. Use pr.cast.")
    return Spec((indices.shape[0], x.shape[1]), x.dtype)


def _gather_sum_run(xp: Any, x: Any, indices: Any, weights: Any) -> Any:
    if xp is not np:
        return (xp.take(x, indices, axis=0, mode="wrap") * weights[:, :, None]).sum(1)
    _check_range("gather_sum", indices, len(x))
    out = np.zeros((len(indices), x.shape[1]), x.dtype)
    for pick in range(indices.shape[1]):  # one after the other: all at once would take their memory
        out += weights[:, pick, None] * x[indices[:, pick]]
    return out


def _gather_sum_vjp(g: Any, out: Any, x: Any, indices: Any, weights: Any) -> tuple:
    rows, picks = indices.shape
    each = movement.reshape(g, (rows, 1, g.shape[1]))
    spread = each * movement.reshape(weights, (rows, picks, 1))
    along = reduction.sum(each * _take(x, indices, axis=0), 2)
    return _scatter_add(spread, indices, axis=0, length=x.shape[0]), None, along


_gather_sum: Primitive = Primitive(
    "gather_sum",
    spec=_gather_sum_spec,
    run=_gather_sum_run,
    vjp=_gather_sum_vjp,
    doc="Weighted sums of rows picked by position; positions as of take.",
)


def gather_sum(x: Any, indices: Any, weights: Any) -> Any:
    """Sums of some rows each, weighted: the product of a matrix that is nearly all zeros with x.

    Shapes: x (length, unit), indices and weights (row, pick) -> (row, unit).
    Formula: y[r] = sum over p of weights[r, p] * x[indices[r, p]].
    Raises: ShapeError where shapes do not fit together; DtypeError for indices that are no integers, and for weights of
        another type than x.
    """
    return _gather_sum(as_array(x), _positions(indices), as_array(weights))


def _positions(indices: Any) -> Any:
    indices = as_array(indices)
    if indices.dtype.kind not in "iu":
        raise DtypeError(f"take at {user_line()}: indices are {indices.dtype}; integers are required. Use pr.cast.")
    return indices


def take(x: Any, indices: Any, axis: int = 0) -> Any:
    """Picks entries of one axis by integer position.

    Shapes: x (..., length, ...), indices (any) -> the axis replaced by the shape of the indices.
    Raises: DtypeError for indices that are no integers.
    """
    x = as_array(x)
    return _take(x, _positions(indices), axis=movement.one_axis("take", x, axis))


def index(x: Any, key: Any) -> Any:
    """`x[key]` for integers, slices, None, `...`, and one array of integers (entries picked along that axis).

    Differs: an integer apart from the array (`x[0, :, picks]`) is refused; NumPy moves axes there.
    Raises: ShapeError where there are more indices than axes or one is out of range; DtypeError for other keys.
    """
    x = as_array(x)
    keys = list(key) if isinstance(key, tuple) else [key]
    dots = [i for i, k in enumerate(keys) if k is Ellipsis]
    used = sum(k is not None and k is not Ellipsis for k in keys)
    if used > x.ndim or len(dots) > 1:
        raise ShapeError(f"index at {user_line()}: input has shape {x.shape}; {used} indices are too many for it.")
    where = dots[0] if dots else len(keys)
    keys[where : where + len(dots)] = [slice(None)] * (x.ndim - used)
    slices, shape, picks = [], [], []
    axis = 0
    for k in keys:
        if k is None:
            shape.append(1)
            continue
        length = x.shape[axis]
        if isinstance(k, slice):
            start, stop, step = k.indices(length)
            count = len(range(start, stop, step))
            slices.append((start, None if stop < 0 else stop, step) if count else (0, 0, 1))
            shape.append(count)
        elif isinstance(k, (int, np.integer)) and not isinstance(k, bool):
            if not -length <= k < length:
                raise ShapeError(f"index at {user_line()}: {k} is out of range for axis {axis} of shape {x.shape}.")
            slices.append((int(k) % length, int(k) % length + 1, 1))
        elif isinstance(k, (Symbol, np.ndarray, list)):
            slices.append((0, length, 1))
            picks.append((len(shape), k))
            shape.append(length)
        else:
            raise DtypeError(
                f"index at {user_line()}: {type(k).__name__} is no index; use integers, slices, None, ...."
            )
        axis += 1
    if len(picks) > 1:
        raise ShapeError(f"index at {user_line()}: one array of integers at a time is supported, not {len(picks)}.")
    chosen = [i for i, k in enumerate(keys) if k is not None and not isinstance(k, slice)]
    if picks and chosen[-1] - chosen[0] >= len(chosen):
        raise ShapeError(
            f"index at {user_line()}: an integer and an array of integers stand apart; NumPy would move axes. "
            "Index twice: x[0][:, picks]."
        )
    if any(each != (0, n, 1) for each, n in zip(slices, x.shape, strict=True)):
        x = movement._slice(x, slices=tuple(slices))
    x = movement.reshape(x, shape)
    for position, rows in picks:
        x = take(x, rows, axis=position)
    return x


def scatter_add(x: Any, indices: Any, length: int, axis: int = 0) -> Any:
    """Adds entries into zeros at integer positions of one axis of the given length: the adjoint of `take`.

    Shapes: x (..., *indices.shape, ...) -> (..., length, ...), the axes of the indices standing from `axis` on.
    """
    x, indices = as_array(x), _positions(indices)
    rank = x.ndim - indices.ndim + 1
    if not -rank <= axis < rank:
        raise ShapeError(
            f"scatter_add at {user_line()}: input has shape {tuple(x.shape)} and indices {tuple(indices.shape)}; "
            f"the result has no axis {axis}."
        )
    return _scatter_add(x, indices, axis=axis % rank, length=length)


def take_along_last_axis(x: Any, indices: Any) -> Any:
    """Picks one entry of the last axis for each of the leading positions; -1 is the last.

    Shapes: x (..., length), indices (...) -> (...).
    Raises: ShapeError where the leading axes differ.
    """
    x, indices = as_array(x), _positions(indices)
    if tuple(x.shape[:-1]) != tuple(indices.shape) or not x.ndim:
        raise ShapeError(
            f"take_along_last_axis at {user_line()}: input has shape {tuple(x.shape)} and indices "
            f"{tuple(indices.shape)}; indices need the shape of the input without its last axis."
        )
    length = x.shape[-1]
    # Positions in the flat input may not fit into the type of the indices: labels are often of 8 bits.
    indices = movement.cast(indices, np.int64 if x.size > np.iinfo(np.int32).max else np.int32)
    starts = (np.arange(indices.size, dtype=indices.dtype) * length).reshape(indices.shape)
    inside = elementwise.where(elementwise.less(indices, 0), elementwise.add(indices, length), indices)
    return take(movement.reshape(x, (x.size,)), elementwise.add(inside, starts))


def one_hot(labels: Any, classes: int, dtype: Any = np.float32) -> Any:
    """Turns integer labels (...) into rows (..., class) with a single 1."""
    labels = _positions(labels)
    marks = elementwise.equal(movement.reshape(labels, (*labels.shape, 1)), np.arange(classes, dtype=np.int32))
    return movement.cast(marks, dtype)
