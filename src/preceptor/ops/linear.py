"""The matrix product."""

from typing import Any

import numpy as np

from preceptor.errors import DtypeError, ShapeError
from preceptor.ops import movement
from preceptor.ops.primitive import EXACT, Primitive, Spec, as_array, promote, user_line

__all__ = [
    "matmul",
]


def _matmul_spec(x: Spec, y: Spec, *, precision: str) -> Spec:
    if x.shape[-1] != y.shape[-2] or x.shape[:-2] != y.shape[:-2]:
        raise ShapeError(
            f"inputs have shapes {x.shape} and {y.shape}; the last axis of the first ({x.shape[-1]}) must equal the "
            f"one but last of the second ({y.shape[-2]})."
        )
    return Spec((*x.shape[:-1], y.shape[-1]), x.dtype)


def _round_to_bfloat16(x: np.ndarray) -> np.ndarray:
    """Rounds float32 to the nearest bfloat16 (ties to even), kept in float32."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) & np.uint32(0xFFFF0000)
    return np.where(np.isnan(x), np.float32(np.nan), rounded.view(np.float32))


def _matmul_run(xp: Any, x: Any, y: Any, *, precision: str) -> Any:
    if precision == "bf16":
        x, y = _round_to_bfloat16(x), _round_to_bfloat16(y)
    return xp.matmul(x, y)


def _matmul_lower(jax: Any, x: Any, y: Any, *, precision: str) -> Any:
    if precision == "bf16":
        half = jax.numpy.bfloat16
        return jax.numpy.matmul(x.astype(half), y.astype(half), preferred_element_type=jax.numpy.float32)
    return jax.numpy.matmul(x, y, precision="highest")  # accelerators would otherwise round float32 on their own


def _matmul_vjp(g: Any, out: Any, x: Any, y: Any, *, precision: str) -> tuple:
    return (
        _matmul(g, movement.swap_last_axes(y), precision=precision),
        _matmul(movement.swap_last_axes(x), g, precision=precision),
    )


_matmul = Primitive(
    "matmul",
    spec=_matmul_spec,
    run=_matmul_run,
    lower=_matmul_lower,
    vjp=_matmul_vjp,
    doc="Matrix product over the last two axes, one for each entry of the leading axes. With precision 'bf16' the "
    "factors are rounded to bfloat16 and the sums kept in float32.",
)


def matmul(x: Any, y: Any, *, exact: bool = False) -> Any:
    """Matrix product `x @ y` over the last two axes, as NumPy's: vectors are promoted, leading axes broadcast.

    Shapes: x (..., n, k), y (..., k, m) -> (..., n, m).
    Args:
        exact: whether the factors keep their digits under an engine of precision "bf16" too.
    Raises: ShapeError where the inner lengths differ or an input has no axis.
    """
    x, y = as_array(x), as_array(y)
    if x.ndim == 0 or y.ndim == 0:
        raise ShapeError(
            f"matmul at {user_line()}: received shapes {tuple(x.shape)} and {tuple(y.shape)}; each needs an axis. "
            "Use * for scalars."
        )
    dtype = promote(x.dtype, y.dtype)
    if dtype.kind == "b":
        raise DtypeError(f"matmul at {user_line()}: received booleans; numbers are required. Use pr.cast first.")
    if x.shape[-1] != y.shape[-2 if y.ndim > 1 else 0]:
        raise ShapeError(
            f"matmul at {user_line()}: inputs have shapes {tuple(x.shape)} and {tuple(y.shape)}; the last axis of the "
            "first must be as long as the one but last of the second (or its only one). Check the order, or transpose."
        )
    x, y = movement.cast(x, dtype), movement.cast(y, dtype)
    if x.ndim == 1:
        product = matmul(movement.reshape(x, (1, -1)), y, exact=exact)
        return movement.reshape(product, product.shape[1:] if y.ndim == 1 else (*y.shape[:-2], y.shape[-1]))
    if y.ndim == 1:
        return movement.reshape(matmul(x, movement.reshape(y, (-1, 1)), exact=exact), x.shape[:-1])
    precision = EXACT if exact else "f32"
    if x.ndim > 2 and y.ndim == 2:  # one large product instead of many small ones
        flat = movement.reshape(x, (int(np.prod(x.shape[:-1])), x.shape[-1]))
        return movement.reshape(_matmul(flat, y, precision=precision), (*x.shape[:-1], y.shape[-1]))
    try:
        lead = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    except ValueError:
        raise ShapeError(
            f"matmul at {user_line()}: inputs have shapes {x.shape} and {y.shape}; leading axes must be equal or 1."
        ) from None
    return _matmul(
        movement.broadcast_to(x, (*lead, *x.shape[-2:])),
        movement.broadcast_to(y, (*lead, *y.shape[-2:])),
        precision=precision,
    )
