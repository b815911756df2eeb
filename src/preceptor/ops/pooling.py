"""Sums and largest entries of windows: what pooling and local normalisation stand on."""

import functools
import operator
from typing import Any

import numpy as np

from preceptor.errors import DtypeError, ShapeError
from preceptor.ops import movement
from preceptor.ops.primitive import Primitive, Spec, as_array, user_line
from preceptor.ops.window import Numbers, Padding, Windows, lay_windows

__all__ = ["max_pool", "mean_pool", "sum_pool", "window_sum"]


def _reduced(x: Spec, *, windows: Windows) -> Spec:
    return Spec(windows.counts(x.shape), x.dtype)


def _total(parts: Any) -> Any:
    return functools.reduce(operator.add, parts)


# What follows is written once for NumPy (`jax` is None) and for XLA, which fuses the parts into one pass. Padding is
# the lowest number where the largest is looked for, and NaN where entries are compared with it, for it equals nothing.


def _sum(jax: Any, x: Any, *, windows: Windows) -> Any:
    return _total(windows.parts(jax, x, 0))


def _spread(jax: Any, g: Any, *, windows: Windows, shape: tuple[int, ...]) -> Any:
    return windows.join(jax, [g] * windows.area, shape, 0)


def _max(jax: Any, x: Any, *, windows: Windows) -> Any:
    lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    return functools.reduce((jax.numpy if jax else np).maximum, windows.parts(jax, x, 0, lowest))


def _winners(jax: Any, x: Any, largest: Any, windows: Windows) -> tuple[list, Any]:
    """For each position within a window whether the largest entry stands there, and how many such there are."""
    winners = [part == largest for part in windows.parts(jax, x, 0, np.nan)]
    return winners, _total(each.astype(x.dtype) for each in winners)


def _max_spread_run(xp: Any, g: Any, x: Any, largest: Any, *, windows: Windows) -> Any:
    winners, count = _winners(None, x, largest, windows)
    share = g / count
    return windows.join(None, (np.where(each, share, 0) for each in winners), x.shape, 0)


def _max_spread_lower(jax: Any, g: Any, x: Any, largest: Any, *, windows: Windows) -> Any:
    """Seen from the entries, each of which asks the windows that it lies in. Without the barrier XLA would count the
    winners anew for each entry: five times the work."""
    share = jax.lax.optimization_barrier(g / _winners(jax, x, largest, windows)[1])
    shares = windows.put(jax, [share] * windows.area, x.shape, 0)
    tops = windows.put(jax, [largest] * windows.area, x.shape, 0, np.nan)
    return _total(jax.numpy.where(x == top, each, 0) for top, each in zip(tops, shares, strict=True))


def _max_mean(jax: Any, h: Any, x: Any, largest: Any, *, windows: Windows) -> Any:
    winners, count = _winners(jax, x, largest, windows)
    where, parts = (jax.numpy if jax else np).where, windows.parts(jax, h, 0)
    return _total(where(each, part, 0) for each, part in zip(winners, parts, strict=True)) / count


_window_sum: Primitive = Primitive(
    "window_sum",
    spec=_reduced,
    run=lambda xp, x, **static: _sum(None, x, **static),
    lower=_sum,
    vjp=lambda g, out, x, *, windows: (_window_spread(g, windows=windows, shape=tuple(x.shape)),),
    doc="Sum over each window, what lies outside the array counting as 0.",
)

_window_spread: Primitive = Primitive(
    "window_spread",
    spec=lambda g, *, windows, shape: Spec(shape, g.dtype),
    run=lambda xp, g, **static: _spread(None, g, **static),
    lower=_spread,
    vjp=lambda h, out, g, *, windows, shape: (_window_sum(h, windows=windows),),
    doc="The adjoint of window_sum: each entry of the result is the sum over all windows that it lies in.",
)

_window_max: Primitive = Primitive(
    "window_max",
    spec=_reduced,
    run=lambda xp, x, **static: _max(None, x, **static),
    lower=_max,
    vjp=lambda g, out, x, *, windows: (_window_max_spread(g, x, out, windows=windows),),
    doc="Largest entry of each window; padding is never the largest. Ties share the derivative in equal parts "
    "(PyTorch gives all of it to the first).",
)

_window_max_spread: Primitive = Primitive(
    "window_max_spread",
    spec=lambda g, x, largest, *, windows: x,
    run=_max_spread_run,
    lower=_max_spread_lower,
    vjp=lambda h, out, g, x, largest, *, windows: (_window_max_mean(h, x, largest, windows=windows), None, None),
    doc="The adjoint of window_max: the number of each window in equal parts to the entries that are its largest. "
    "No derivative flows to which these are.",
)

_window_max_mean: Primitive = Primitive(
    "window_max_mean",
    spec=lambda h, x, largest, *, windows: largest,
    run=lambda xp, h, x, largest, **static: _max_mean(None, h, x, largest, **static),
    lower=_max_mean,
    vjp=lambda g, out, h, x, largest, *, windows: (_window_max_spread(g, x, largest, windows=windows), None, None),
    doc="For each window the mean of one array where another is largest: the adjoint of window_max_spread. No "
    "derivative flows to where that is.",
)


def window_sum(x: Any, window: Numbers, stride: Numbers = 1, padding: Padding = "valid") -> Any:
    """Sums over windows on all axes; an axis with window 1 is left as it is.

    Shapes: x (any) -> on an axis of length n: ceil(n / stride) under padding "same", else
        (n + before + after - window) // stride + 1.
    Args:
        window, stride: from 1 on; one number, or one for each axis, the batch and the channels included.
        padding: as for `convolution`; what lies outside counts as 0.
    Raises: ShapeError where a window does not fit; DtypeError for booleans.
    """
    x = _numbers("window_sum", x)
    windows = lay_windows("window_sum", x.shape, window, stride, padding)
    windows.check_fit("window_sum", x.shape)
    return _window_sum(x, windows=windows)


def max_pool(x: Any, window: Numbers, stride: Numbers | None = None, padding: Padding = "valid") -> Any:
    """Takes the largest entry of each window, channel by channel.

    Shapes: x (batch, *space, channel) -> (batch, *space, channel), where an axis of length n becomes ceil(n / stride)
        under padding "same" and (n + before + after - window) // stride + 1 else.
    Args:
        window, stride: from 1 on; one number, or one for each axis of space. Without a stride that of the window, so
            that windows lie side by side; with a smaller one they overlap.
        padding: as for `convolution`, smaller than the window; it is never the largest.
    Raises: ShapeError where a window does not fit or holds padding only; DtypeError for booleans.
    Differs: entries that are equally large share the derivative; PyTorch and XLA give all of it to the first, which is
        also a subgradient. The difference is seen on flat patches, such as zeros after relu, and on integers.
    """
    x, windows = _pooled("max_pool", x, window, stride, padding)
    return _window_max(x, windows=windows)


def sum_pool(x: Any, window: Numbers, stride: Numbers | None = None, padding: Padding = "valid") -> Any:
    """Sums each window, channel by channel; padding counts as 0.

    Shapes, Args, Raises: as `max_pool`.
    """
    x, windows = _pooled("sum_pool", x, window, stride, padding)
    return _window_sum(x, windows=windows)


def mean_pool(x: Any, window: Numbers, stride: Numbers | None = None, padding: Padding = "valid") -> Any:
    """Averages each window, channel by channel: its sum divided by how many entries it has, padding not counted.

    Shapes, Args, Raises: as `max_pool`.
    Differs: Keras and TensorFlow do the same; PyTorch counts padding unless it is told count_include_pad=False. For
        that other mean, divide `sum_pool` by the size of the window.
    """
    x, windows = _pooled("mean_pool", x, window, stride, padding)
    if x.dtype.kind in "iu":  # a sum of small integers would overflow
        x = movement.cast(x, np.float64)
    ones = np.ones((1, *x.shape[1:-1], 1), x.dtype)
    return _window_sum(x, windows=windows) / _sum(None, ones, windows=windows)


def _numbers(name: str, x: Any) -> Any:
    x = as_array(x)
    if x.dtype.kind == "b":
        raise DtypeError(f"{name} at {user_line()}: received booleans; numbers are required. Use pr.cast first.")
    return x


def _pooled(name: str, x: Any, window: Numbers, stride: Numbers | None, padding: Padding) -> tuple[Any, Windows]:
    """Windows on the axes of space, none of which holds padding only."""
    x = _numbers(name, x)
    if x.ndim < 3:
        raise ShapeError(
            f"{name} at {user_line()}: input has shape {tuple(x.shape)}; (batch, *space, channel) is required. "
            "Reshape it."
        )
    lengths = tuple(x.shape[1:-1])
    windows = lay_windows(name, lengths, window, window if stride is None else stride, padding)
    windows.check_fit(name, lengths)
    idle = any(n == 0 < count for n, count in zip(lengths, windows.counts(lengths), strict=True))
    if idle or any(max(pads) >= size for size, pads in zip(windows.size, windows.padding, strict=True)):
        raise ShapeError(
            f"{name} at {user_line()}: input has lengths {lengths}, padding {windows.padding}; a window of "
            f"{windows.size} could hold padding only, and each needs an entry. Take less padding."
        )
    return x, windows.between_others()
