"""Primitives that reduce axes, and the functions built on them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from preceptor.errors import DtypeError, ShapeError
from preceptor.ops import elementwise, movement
from preceptor.ops.primitive import Primitive, Spec, as_array, user_line

__all__ = [
    "argmax",
    "max",
    "mean",
    "min",
    "sum",
    "variance",
]

Axis = int | Sequence[int] | None


def _max_spec(x: Spec, *, axes: tuple[int, ...]) -> Spec:
    if any(x.shape[a] == 0 for a in axes):
        raise ShapeError(f"input has shape {x.shape}; the largest of no elements does not exist.")
    return movement.reduced_spec(x, axes=axes)


def _max_vjp(g: Any, out: Any, x: Any, *, axes: tuple[int, ...]) -> tuple:
    winners = movement.cast(elementwise.equal(x, movement.repeat_along(out, x, axes)), x.dtype)
    return (winners * movement.repeat_along(g / movement._sum(winners, axes=axes), x, axes),)


_max = Primitive(
    "max",
    spec=_max_spec,
    run=lambda xp, x, *, axes: xp.max(x, axis=axes),
    vjp=_max_vjp,
    doc="Largest element over axes. Ties share the derivative in equal parts (PyTorch's amax does, its max does not).",
)

_argmax = Primitive(
    "argmax",
    spec=lambda x, *, axis: Spec(_max_spec(x, axes=(axis,)).shape, np.dtype(np.int32)),
    run=lambda xp, x, *, axis: xp.argmax(x, axis).astype(np.int32),
    vjp=None,
    reason="its output is a position, which moves in jumps",
    doc="Position of the largest element along an axis; the first of equal ones.",
)


def _axes(x: Any, axis: Axis) -> tuple[int, ...]:
    wanted = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
    axes = tuple(sorted(a + x.ndim if a < 0 else a for a in wanted))
    if any(not 0 <= a < x.ndim for a in axes) or len(set(axes)) != len(axes):
        raise ShapeError(f"reduction at {user_line()}: input has shape {tuple(x.shape)}; it has no axes {axis}.")
    return axes


def _reduce(primitive: Primitive, x: Any, axis: Axis, keepdims: bool) -> Any:
    x = as_array(x)
    axes = _axes(x, axis)
    if x.dtype.kind == "b":
        raise DtypeError(f"{primitive} at {user_line()}: received booleans; numbers are required. Use pr.cast first.")
    out = primitive(x, axes=axes) if axes else x
    return movement.reshape(out, tuple(1 if a in axes else n for a, n in enumerate(x.shape))) if keepdims else out


def sum(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """Sums over the given axes; over all where none is given."""
    return _reduce(movement._sum, x, axis, keepdims)


def max(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """Takes the largest element over the given axes; ties share the derivative."""
    return _reduce(_max, x, axis, keepdims)


def min(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """Takes the smallest element over the given axes; ties share the derivative."""
    return -max(-as_array(x), axis, keepdims)


def mean(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """Averages over the given axes; over all where none is given. Of no elements: NaN, as NumPy."""
    x = as_array(x)
    if x.dtype.kind in "iu":  # a sum of small integers would overflow
        x = movement.cast(x, np.float64)
    count = int(np.prod([x.shape[a] for a in _axes(x, axis)], dtype=np.int64))
    return sum(x, axis, keepdims) / count if count else sum(x, axis, keepdims) * np.asarray(np.nan, x.dtype)


def variance(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """Mean squared distance from the mean: the population variance, divided by the count (NumPy's ddof=0)."""
    distance = x - mean(x, axis, keepdims=True)
    return mean(distance * distance, axis, keepdims)


def argmax(x: Any, axis: int = -1) -> Any:
    """Finds the position (int32) of the largest element along an axis; the first of equal ones."""
    x = as_array(x)
    return _argmax(x, axis=_axes(x, axis)[0])
