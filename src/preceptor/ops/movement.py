"""Primitives that move elements without changing them, and the one place where shapes are broadcast. With repeating
comes adding up, for each is the derivative of the other."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from preceptor.errors import DtypeError, ShapeError
from preceptor.ops.primitive import Primitive, Spec, as_array, newest_graph, promote, spec_of, user_line

__all__ = [
    "broadcast_to",
    "cast",
    "concatenate",
    "flip",
    "pad",
    "reshape",
    "stack",
    "stop_gradient",
    "swap_last_axes",
    "transpose",
]


def _reshape_spec(x: Spec, *, shape: tuple[int, ...]) -> Spec:
    if math.prod(x.shape) != math.prod(shape):
        raise ShapeError(
            f"input has shape {x.shape}, {math.prod(x.shape)} elements; shape {shape} holds {math.prod(shape)}."
        )
    return Spec(shape, x.dtype)


_reshape: Primitive = Primitive(
    "reshape",
    spec=_reshape_spec,
    run=lambda xp, x, *, shape: xp.reshape(x, shape),
    vjp=lambda g, out, x, *, shape: (_reshape(g, shape=x.shape),),
    doc="The same elements in row-major order under another shape.",
)


def reshape(x: Any, shape: int | Sequence[int]) -> Any:
    """Gives the same elements, in row-major order, another shape; one length may be -1 and is worked out."""
    x = as_array(x)
    wanted = (shape,) if isinstance(shape, int) else tuple(int(length) for length in shape)
    if wanted.count(-1) == 1:
        known = math.prod(length for length in wanted if length != -1)
        if known and math.prod(x.shape) % known == 0:
            wanted = tuple(math.prod(x.shape) // known if length == -1 else length for length in wanted)
    if wanted == tuple(x.shape):
        return x
    return _reshape(x, shape=wanted)


def _transpose_spec(x: Spec, *, axes: tuple[int, ...]) -> Spec:
    if sorted(axes) != list(range(x.ndim)):
        raise ShapeError(f"input has shape {x.shape}; axes {axes} must name each of its {x.ndim} axes once.")
    return Spec(tuple(x.shape[a] for a in axes), x.dtype)


_transpose: Primitive = Primitive(
    "transpose",
    spec=_transpose_spec,
    run=lambda xp, x, *, axes: xp.transpose(x, axes),
    vjp=lambda g, out, x, *, axes: (_transpose(g, axes=tuple(int(a) for a in np.argsort(axes))),),
    doc="Axes in another order: axis i of the output is axis axes[i] of the input.",
)


def transpose(x: Any, axes: Sequence[int] | None = None) -> Any:
    """Puts the axes in the given order; without `axes`, in reverse order."""
    x = as_array(x)
    if axes is None:
        axes = range(x.ndim)[::-1]
    return _transpose(x, axes=tuple(a % x.ndim if -x.ndim <= a < x.ndim else a for a in axes))


def swap_last_axes(x: Any) -> Any:
    """Matrix transpose: exchanges the last two axes."""
    return transpose(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def _broadcast_spec(x: Spec, *, shape: tuple[int, ...]) -> Spec:
    padded = (1,) * (len(shape) - x.ndim) + x.shape
    if len(padded) != len(shape) or any(a not in (1, b) for a, b in zip(padded, shape, strict=True)):
        raise ShapeError(f"input has shape {x.shape}; each axis, counted from the last, must be 1 or as in {shape}.")
    return Spec(shape, x.dtype)


def _broadcast_vjp(g: Any, out: Any, x: Any, *, shape: tuple[int, ...]) -> tuple:
    added = len(shape) - x.ndim
    repeated = tuple(a for a in range(len(shape)) if a < added or (x.shape[a - added] == 1 and shape[a] != 1))
    return (reshape(_sum(g, axes=repeated) if repeated else g, x.shape),)


_broadcast_to: Primitive = Primitive(
    "broadcast",
    spec=_broadcast_spec,
    run=lambda xp, x, *, shape: xp.broadcast_to(x, shape),
    vjp=_broadcast_vjp,
    doc="The input repeated along axes of length 1 and along new leading axes.",
)


def broadcast_to(x: Any, shape: Sequence[int]) -> Any:
    """Repeats `x` along axes of length 1 and along new leading axes until it has `shape`."""
    x = as_array(x)
    return x if tuple(x.shape) == tuple(shape) else _broadcast_to(x, shape=tuple(int(n) for n in shape))


def reduced_spec(x: Spec, *, axes: tuple[int, ...]) -> Spec:
    """Of an array without some axes."""
    return Spec(tuple(n for a, n in enumerate(x.shape) if a not in axes), x.dtype)


def repeat_along(reduced: Any, x: Any, axes: tuple[int, ...]) -> Any:
    """Puts the axes of `x` back that a reduction took, repeated to its shape."""
    kept = tuple(1 if a in axes else n for a, n in enumerate(x.shape))
    return broadcast_to(reshape(reduced, kept), x.shape)


_sum: Primitive = Primitive(
    "sum",
    spec=reduced_spec,
    run=lambda xp, x, *, axes: xp.sum(x, axis=axes, dtype=x.dtype),
    vjp=lambda g, out, x, *, axes: (repeat_along(g, x, axes),),
    doc="Sum over axes, in the dtype of the input. The sum of no elements is 0.",
)

_cast = Primitive(
    "cast",
    spec=lambda x, *, dtype: Spec(x.shape, dtype),
    run=lambda xp, x, *, dtype: x.astype(dtype),
    vjp=lambda g, out, x, *, dtype: (cast(g, x.dtype) if x.dtype.kind == "f" else None,),
    doc="The same numbers in another element type. No derivative flows to or from integers and booleans.",
)


def cast(x: Any, dtype: Any) -> Any:
    """Converts elements to `dtype`."""
    x, dtype = as_array(x), np.dtype(dtype)
    return x if x.dtype == dtype else _cast(x, dtype=dtype)


stop_gradient = Primitive(
    "stop_gradient",
    spec=lambda x: x,
    run=lambda xp, x: x,
    vjp=lambda g, out, x: (None,),
    doc="The input itself, taken as a constant by differentiation.",
)


def _slice_spec(x: Spec, *, slices: tuple) -> Spec:
    lengths = tuple(len(range(n)[slice(*each)]) for n, each in zip(x.shape, slices, strict=True))
    return Spec(lengths, x.dtype)


def _unslice_run(xp: Any, x: Any, *, shape: tuple[int, ...], slices: tuple) -> Any:
    index = tuple(slice(*each) for each in slices)
    zeros = xp.zeros(shape, x.dtype)
    if xp is not np:
        return zeros.at[index].set(x)
    zeros[index] = x
    return zeros


_slice: Primitive = Primitive(
    "slice",
    spec=_slice_spec,
    run=lambda xp, x, *, slices: x[tuple(slice(*each) for each in slices)],
    vjp=lambda g, out, x, *, slices: (_unslice(g, shape=tuple(x.shape), slices=slices),),
    doc="A part of the input: one (start, stop, step) for each axis, as Python's slices.",
)

_unslice: Primitive = Primitive(
    "unslice",
    spec=lambda x, *, shape, slices: Spec(shape, x.dtype),
    run=_unslice_run,
    vjp=lambda g, out, x, *, shape, slices: (_slice(g, slices=slices),),
    doc="Zeros of the given shape with the input written into a slice of them: the adjoint of slice, and padding.",
)


def _part(x: Any, axis: int, part: tuple[int, int | None, int]) -> Any:
    """A slice of one axis; the array itself where it is the whole."""
    whole = [(0, n, 1) for n in x.shape]
    if part == whole[axis]:
        return x
    return _slice(x, slices=(*whole[:axis], part, *whole[axis + 1 :]))


def flip(x: Any, axis: int) -> Any:
    """Reverses the order of the elements along one axis."""
    x = as_array(x)
    axis = one_axis("flip", x, axis)
    return _part(x, axis, (x.shape[axis] - 1, None, -1) if x.shape[axis] else (0, 0, 1))


def pad(x: Any, widths: Sequence[tuple[int, int]]) -> Any:
    """Adds zeros: `widths` holds (before, after) for each axis."""
    x = as_array(x)
    if len(widths) != x.ndim or any(n < 0 for each in widths for n in each):
        raise ShapeError(
            f"pad at {user_line()}: input has shape {x.shape}, widths are {tuple(widths)}; "
            "one (before, after) for each axis is required, none negative."
        )
    shape = tuple(n + before + after for n, (before, after) in zip(x.shape, widths, strict=True))
    slices = tuple((before, before + n, 1) for n, (before, _) in zip(x.shape, widths, strict=True))
    return _unslice(x, shape=shape, slices=slices)


def _concatenate_spec(*xs: Spec, axis: int) -> Spec:
    first = xs[0]
    for x in xs[1:]:
        if x.shape[:axis] != first.shape[:axis] or x.shape[axis + 1 :] != first.shape[axis + 1 :]:
            raise ShapeError(f"inputs have shapes {first.shape} and {x.shape}; all axes but {axis} must be equal.")
    return Spec((*first.shape[:axis], sum(x.shape[axis] for x in xs), *first.shape[axis + 1 :]), first.dtype)


def _concatenate_vjp(g: Any, out: Any, *xs: Any, axis: int) -> tuple:
    parts, start = [], 0
    for x in xs:
        parts.append(_part(g, axis, (start, start + x.shape[axis], 1) if x.shape[axis] else (0, 0, 1)))
        start += x.shape[axis]
    return tuple(parts)


_concatenate = Primitive(
    "concatenate",
    spec=_concatenate_spec,
    run=lambda xp, *xs, axis: xp.concatenate(xs, axis),
    vjp=_concatenate_vjp,
    doc="Inputs laid one after the other along one axis.",
)


def concatenate(xs: Sequence[Any], axis: int = 0) -> Any:
    """Lays arrays one after the other along an axis that all of them have."""
    arrays = [as_array(x) for x in xs]
    if not arrays or any(not -x.ndim <= axis < x.ndim for x in arrays):
        shapes = [tuple(x.shape) for x in arrays]
        raise ShapeError(f"concatenate at {user_line()}: received shapes {shapes}; each needs axis {axis}.")
    dtype = promote(*(x.dtype for x in arrays))
    return _concatenate(*(cast(x, dtype) for x in arrays), axis=axis % arrays[0].ndim)


def stack(xs: Sequence[Any], axis: int = 0) -> Any:
    """Lays arrays of one shape side by side along a new axis."""
    arrays = [as_array(x) for x in xs]
    shapes = [tuple(x.shape) for x in arrays]
    if len(set(shapes)) != 1 or not -len(shapes[0]) - 1 <= axis <= len(shapes[0]):
        raise ShapeError(f"stack at {user_line()}: received shapes {shapes}, axis {axis}; one shape is required.")
    axis = axis % (arrays[0].ndim + 1)
    return concatenate([reshape(x, (*x.shape[:axis], 1, *x.shape[axis:])) for x in arrays], axis)


def broadcast_together(*args: Any) -> tuple:
    """The one place where dtypes are promoted and shapes broadcast: each step becomes a node of its own.

    Python numbers take the dtype of the arrays they meet; arrays and NumPy scalars keep theirs (see `promote`).
    """
    strong = [spec_of(a).dtype for a in args if not _is_weak(a)]
    weak = [spec_of(a).dtype for a in args if _is_weak(a)]
    dtype = promote(*(strong or weak))
    if strong and dtype.kind != "f" and any(w.kind == "f" for w in weak):
        dtype = np.dtype(np.float32) if dtype.itemsize <= 4 else np.dtype(np.float64)
    elif strong and dtype.kind == "b" and any(w.kind == "i" for w in weak):
        raise DtypeError(f"broadcast at {user_line()}: booleans meet an integer; one kind is required. Use pr.cast.")
    try:
        arrays = [np.asarray(a, dtype) if _is_weak(a) else cast(a, dtype) for a in args]
    except OverflowError:
        raise DtypeError(
            f"broadcast at {user_line()}: a Python number does not fit into {dtype}, the type of the array that it "
            "meets. Use pr.cast on the array."
        ) from None
    return spread(arrays, common_shape(*arrays))


def common_shape(*arrays: Any) -> tuple[int, ...]:
    """The shape to which all the arrays broadcast."""
    shapes = [tuple(a.shape) for a in arrays]
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        raise ShapeError(
            f"broadcast at {user_line()}: received shapes {' and '.join(map(str, shapes))}; "
            "counted from the last, each axis must be equal or 1. Reshape one of them."
        ) from None


def one_axis(name: str, x: Any, axis: int) -> int:
    """An axis that may be counted from the last, as a position from the first."""
    if not -x.ndim <= axis < x.ndim:
        raise ShapeError(f"{name} at {user_line()}: input has shape {tuple(x.shape)}; it has no axis {axis}.")
    return axis % x.ndim


def spread(arrays: Sequence[Any], shape: tuple[int, ...]) -> tuple:
    """Broadcasts each array to `shape`. In a graph numbers become constants first: a program holds the number once and
    a node that repeats it, never the repeated number."""
    graph = newest_graph(tuple(arrays))
    if graph is not None:
        arrays = [graph.node_of(a) for a in arrays]
    return tuple(broadcast_to(a, shape) for a in arrays)


def _is_weak(value: Any) -> bool:
    return isinstance(value, (bool, int, float)) and not isinstance(value, np.generic)
