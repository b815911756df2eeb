"""Convolution and its two adjoints: three primitives that are closed under differentiation."""

import functools
import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from preceptor.errors import DtypeError, ShapeError
from preceptor.ops import movement
from preceptor.ops.linear import _round_to_bfloat16
from preceptor.ops.primitive import Primitive, Spec, as_array, promote, user_line
from preceptor.ops.window import Numbers, Padding, Windows, each_axis, lay_windows

__all__ = ["convolution", "transposed_convolution"]

# The reference engine lays out the windows of so many bytes of examples at a time, and multiplies them as one matrix.
PATCH_BYTES = 32 * 2**20

# XLA's CPU back end takes up to five times as long for the kernel's gradient of a whole batch as for those of its
# quarters. More parts win a little more (1.5 times with 16), but each is a convolution to compile.
KERNEL_PARTS = 4

FEW_GROUPS = 8  # as many convolutions in place of one are still quick to compile


# Reference engine. Windows as a matrix: (group, batch * window, position * channel).


def _chunks(x: Any, y: Any, area: int) -> list[slice]:
    """Parts of the batch whose windows, `area` times the entries that are read, take no more than PATCH_BYTES."""
    one = max(area * max(x[:1].size, y[:1].size) * x.itemsize, 1)
    step = max(PATCH_BYTES // one, 1)
    return [slice(start, start + step) for start in range(0, len(x), step)]


def _rows(x: Any, groups: int) -> Any:
    """(batch, *space, channel) -> (group, batch * space, channel of the group)."""
    return np.swapaxes(x.reshape(math.prod(x.shape[:-1]), groups, x.shape[-1] // groups), 0, 1)


def _patches(x: Any, windows: Windows, groups: int) -> Any:
    stacked = np.stack([_rows(part, groups) for part in windows.parts(None, x, 1)], axis=2)
    return stacked.reshape(*stacked.shape[:2], stacked.shape[2] * stacked.shape[3])


def _matrices(kernel: Any, groups: int) -> Any:
    """(*space, channel in, channel out) -> (group, position * channel in, channel out of the group)."""
    rows = math.prod(kernel.shape[:-1])
    return np.swapaxes(kernel.reshape(rows, groups, kernel.shape[-1] // groups), 0, 1)


def _run(xp: Any, x: Any, kernel: Any, *, windows: Windows, groups: int, precision: str) -> Any:
    x, kernel = _rounded(precision, x, kernel)
    out = np.empty((len(x), *windows.counts(x.shape[1:-1]), kernel.shape[-1]), x.dtype)
    matrices = _matrices(kernel, groups)
    for chunk in _chunks(x, out, windows.area):
        product = _patches(x[chunk], windows, groups) @ matrices
        out[chunk] = np.swapaxes(product, 0, 1).reshape(out[chunk].shape)
    return out


def _input_run(
    xp: Any, g: Any, kernel: Any, *, lengths: tuple[int, ...], windows: Windows, groups: int, precision: str
) -> Any:
    g, kernel = _rounded(precision, g, kernel)
    out = np.empty((len(g), *lengths, kernel.shape[-2] * groups), g.dtype)
    matrices = np.swapaxes(_matrices(kernel, groups), 1, 2)
    for chunk in _chunks(g, out, windows.area):
        patches = np.swapaxes(_rows(g[chunk], groups) @ matrices, 0, 1)
        shape = (*g[chunk].shape[:-1], groups, windows.area, kernel.shape[-2])
        parts = np.moveaxis(patches.reshape(shape), -2, 0).reshape(windows.area, *g[chunk].shape[:-1], out.shape[-1])
        out[chunk] = windows.join(None, parts, lengths, 1)
    return out


def _kernel_run(xp: Any, x: Any, g: Any, *, windows: Windows, groups: int, precision: str) -> Any:
    x, g = _rounded(precision, x, g)
    shape = (*windows.size, x.shape[-1] // groups, g.shape[-1])
    total = np.zeros((groups, math.prod(shape[:-1]), g.shape[-1] // groups), x.dtype)
    for chunk in _chunks(x, g, windows.area):
        total += np.swapaxes(_patches(x[chunk], windows, groups), 1, 2) @ _rows(g[chunk], groups)
    return np.swapaxes(total, 0, 1).reshape(shape)


def _rounded(precision: str, *factors: Any) -> tuple:
    return tuple(map(_round_to_bfloat16, factors)) if precision == "bf16" else factors


# XLA. Axes are named by letters: N batch, C channel, I and O channels of a kernel.


def _convolve(jax: Any, x: Any, y: Any, axes: tuple[str, str, str], precision: str, **more: Any) -> Any:
    exact = {"precision": "highest"}  # accelerators would otherwise round float32 on their own
    if precision == "bf16":
        x, y = x.astype(jax.numpy.bfloat16), y.astype(jax.numpy.bfloat16)
        exact = {"preferred_element_type": jax.numpy.float32}
    return jax.lax.conv_general_dilated(x, y, dimension_numbers=axes, **exact, **more)


def _by_group(lowered: Callable[..., Any], by_position: Callable[..., Any]) -> Callable[..., Any]:
    """What is done about groups on a CPU, where XLA takes 8 to 60 times as long for all at once: few groups become
    one convolution each, many (depthwise among them) are multiplied position by position of the kernel."""

    def chosen(jax: Any, x: Any, y: Any, *, groups: int, precision: str, **static: Any) -> Any:
        if groups == 1 or jax.default_backend() != "cpu":
            return lowered(jax, x, y, groups=groups, precision=precision, **static)
        if groups > FEW_GROUPS:
            return by_position(jax, *_halved(jax, precision, x, y), groups=groups, **static)
        pairs = zip(jax.numpy.split(x, groups, -1), jax.numpy.split(y, groups, -1), strict=True)
        return jax.numpy.concatenate(
            [lowered(jax, *pair, groups=1, precision=precision, **static) for pair in pairs], -1
        )

    return chosen


def _halved(jax: Any, precision: str, *factors: Any) -> tuple:
    """Factors rounded to bfloat16, where asked for, and held as they were: their products are exact in float32."""
    if precision != "bf16":
        return factors
    return tuple(each.astype(jax.numpy.bfloat16).astype(each.dtype) for each in factors)


def _cut(x: Any, groups: int) -> Any:
    return x.reshape(*x.shape[:-1], groups, x.shape[-1] // groups)


def _cut_kernel(jax: Any, kernel: Any, groups: int) -> list:
    """For each position within the kernel (group, channel in, channel out of the group)."""
    return list(jax.numpy.swapaxes(_cut(kernel.reshape(-1, *kernel.shape[-2:]), groups), 1, 2))


def _by_position(jax: Any, x: Any, kernel: Any, *, windows: Windows, groups: int) -> Any:
    pairs = zip(windows.parts(jax, x, 1), _cut_kernel(jax, kernel, groups), strict=True)
    total = _total((_cut(part, groups)[..., None] * each).sum(-2) for part, each in pairs)
    return total.reshape(*total.shape[:-2], kernel.shape[-1])


def _input_by_position(
    jax: Any, g: Any, kernel: Any, *, lengths: tuple[int, ...], windows: Windows, groups: int
) -> Any:
    g, shape = _cut(g, groups)[..., None, :], (*g.shape[:-1], kernel.shape[-2] * groups)
    parts = ((g * each).sum(-1).reshape(shape) for each in _cut_kernel(jax, kernel, groups))
    return windows.join(jax, parts, lengths, 1)


def _kernel_by_position(jax: Any, x: Any, g: Any, *, windows: Windows, groups: int) -> Any:
    inward, axes = x.shape[-1] // groups, tuple(range(g.ndim - 1))
    shape, g = (*windows.size, inward, g.shape[-1]), _cut(g, groups)[..., None, :]
    products = [(_cut(part, groups)[..., None] * g).sum(axes) for part in windows.parts(jax, x, 1)]
    return jax.numpy.swapaxes(jax.numpy.stack(products), 1, 2).reshape(shape)


def _total(parts: Any) -> Any:
    return functools.reduce(operator.add, parts)


def _at_once(jax: Any, x: Any, kernel: Any, *, windows: Windows, groups: int, precision: str) -> Any:
    space = "XYZ"[: len(windows.size)]
    return _convolve(
        jax,
        x,
        kernel,
        (f"N{space}C", f"{space}IO", f"N{space}C"),
        precision,
        window_strides=windows.stride,
        padding=windows.padding,
        rhs_dilation=windows.dilation,
        feature_group_count=groups,
    )


def _input_at_once(
    jax: Any, g: Any, kernel: Any, *, lengths: tuple[int, ...], windows: Windows, groups: int, precision: str
) -> Any:
    """A convolution of `g`, with zeros between its entries where the stride skipped, with the kernel reversed."""
    space = "XYZ"[: len(windows.size)]
    reach, kernel_space = windows.reach(lengths), kernel.shape[:-2]
    inward, outward = kernel.shape[-2], kernel.shape[-1] // groups
    kernel = jax.numpy.flip(kernel, tuple(range(len(space)))).reshape(*kernel_space, inward, groups, outward)
    kernel = jax.numpy.swapaxes(kernel, -1, -3).reshape(*kernel_space, outward, groups * inward)
    sides = zip(lengths, reach, windows.span, windows.padding, strict=True)
    return _convolve(
        jax,
        g,
        kernel,
        (f"N{space}C", f"{space}IO", f"N{space}C"),
        precision,
        window_strides=(1,) * len(space),
        padding=[(span - 1 - before, n + before - r) for n, r, span, (before, _) in sides],
        lhs_dilation=windows.stride,
        rhs_dilation=windows.dilation,
        feature_group_count=groups,
    )


def _kernel_at_once(jax: Any, x: Any, g: Any, *, windows: Windows, groups: int, precision: str) -> Any:
    """A convolution with `g` as the kernel. The sum runs over the batch, so that batch and channel change roles."""
    space = "XYZ"[: len(windows.size)]
    sides = zip(x.shape[1:-1], windows.reach(x.shape[1:-1]), windows.span, windows.padding, strict=True)
    return _convolve(
        jax,
        x,
        g,
        (f"C{space}N", f"I{space}O", f"{space}NC"),
        precision,
        window_strides=windows.dilation,
        padding=[(before, r + span - 1 - n - before) for n, r, span, (before, _) in sides],
        rhs_dilation=windows.stride,
        batch_group_count=groups,
    )


def _kernel_lower(jax: Any, x: Any, g: Any, *, windows: Windows, groups: int, precision: str) -> Any:
    if not (x.size and g.size):  # XLA refuses an empty kernel
        return jax.numpy.zeros((*windows.size, x.shape[-1] // groups, g.shape[-1]), x.dtype)
    small = groups <= FEW_GROUPS and jax.default_backend() == "cpu"
    count = math.gcd(len(x), max(KERNEL_PARTS // groups, 1)) if small else 1
    one = _by_group(_kernel_at_once, _kernel_by_position)
    pairs = zip(_dealt(x, count), _dealt(g, count), strict=True)
    return _total(one(jax, *pair, windows=windows, groups=groups, precision=precision) for pair in pairs)


def _dealt(x: Any, count: int) -> list:
    """The batch dealt out like cards, so that each part has its share of what lies on each device."""
    hands = x.reshape(len(x) // count, count, *x.shape[1:])
    return [hands[:, i] for i in range(count)]


_convolution: Primitive = Primitive(
    "convolution",
    spec=lambda x, kernel, *, windows, **_: Spec(
        (x.shape[0], *windows.counts(x.shape[1:-1]), kernel.shape[-1]), x.dtype
    ),
    run=_run,
    lower=_by_group(_at_once, _by_position),
    vjp=lambda g, out, x, kernel, **static: (
        _convolution_input(g, kernel, lengths=tuple(x.shape[1:-1]), **static),
        _convolution_kernel(x, g, **static),
    ),
    doc="Each window of the input times the kernel, summed: cross-correlation, channels last. With precision 'bf16' "
    "the factors are rounded to bfloat16 and the sums kept in float32.",
)

_convolution_input: Primitive = Primitive(
    "convolution_input",
    spec=lambda g, kernel, *, lengths, groups, **_: Spec((g.shape[0], *lengths, kernel.shape[-2] * groups), g.dtype),
    run=_input_run,
    lower=_by_group(_input_at_once, _input_by_position),
    vjp=lambda h, out, g, kernel, *, lengths, **static: (
        _convolution(h, kernel, **static),
        _convolution_kernel(h, g, **static),
    ),
    doc="The adjoint of convolution in its input: each entry times the kernel, added into the window that it belongs "
    "to. Precision as there.",
)

_convolution_kernel: Primitive = Primitive(
    "convolution_kernel",
    spec=lambda x, g, *, windows, groups, **_: Spec((*windows.size, x.shape[-1] // groups, g.shape[-1]), x.dtype),
    run=_kernel_run,
    lower=_kernel_lower,
    vjp=lambda h, out, x, g, **static: (
        _convolution_input(g, h, lengths=tuple(x.shape[1:-1]), **static),
        _convolution(x, h, **static),
    ),
    doc="The adjoint of convolution in its kernel: the windows of the input times the entries that belong to them, "
    "summed over batch and windows. Precision as there.",
)


def convolution(
    x: Any,
    kernel: Any,
    stride: Numbers = 1,
    padding: Padding = "same",
    dilation: Numbers = 1,
    groups: int = 1,
) -> Any:
    """Slides a kernel over one to three axes of space and sums the products, channels last.

    Shapes: x (batch, *space, channel_in), kernel (*space, channel_in // groups, channel_out)
        -> (batch, *space, channel_out), where an axis of length n becomes ceil(n / stride) under padding "same" and
        (n + before + after - (size - 1) * dilation - 1) // stride + 1 else.
    Formula: out[b, p, o] = sum over q, i of x[b, stride * p + dilation * q - before, i] * kernel[q, i, o], x being 0
        outside. The kernel is not reversed: cross-correlation, which every library calls convolution.
    Args:
        stride, dilation: from 1 on; one number, or one for each axis of space.
        padding: "same" (total = max((ceil(n / stride) - 1) * stride + span - n, 0) zeros, span being
            (size - 1) * dilation + 1; total // 2 of them before), "valid" (none), a number of zeros on each side, or
            one (before, after) pair for each axis.
        groups: channels are cut into so many parts; the first part of the output sees the first part of the input
            only, and so on. As many groups as input channels: depthwise.
    Raises: ShapeError where shapes, channels and groups do not fit; DtypeError where neither array holds floats.
    Source: Dumoulin and Visin 2016, "A guide to convolution arithmetic for deep learning"; "same" as in TensorFlow.
    Differs: PyTorch has channels first, kernel (channel_out, channel_in // groups, *space), and puts the odd zero of
        'same' after as we do, but refuses it with strides.
    """
    x, kernel, space = _aligned("convolution", x, kernel)
    per_group, outward = kernel.shape[-2:]
    if x.shape[-1] != per_group * _groups("convolution", groups, outward):
        raise ShapeError(
            f"convolution at {user_line()}: input has {x.shape[-1]} channels; the kernel of shape "
            f"{tuple(kernel.shape)} in {groups} groups needs {per_group * groups}. Check the kernel's last axis but "
            "one, or groups."
        )
    windows = lay_windows("convolution", x.shape[1:-1], space, stride, padding, dilation)
    windows.check_fit("convolution", x.shape[1:-1])
    return _convolution(x, kernel, windows=windows, groups=groups, precision="f32")


def transposed_convolution(
    x: Any,
    kernel: Any,
    stride: Numbers = 1,
    padding: Padding = "same",
    dilation: Numbers = 1,
    groups: int = 1,
) -> Any:
    """Spreads each entry, times a kernel, over a window: the adjoint of `convolution`, which enlarges.

    Shapes: x (batch, *space, channel_in), kernel (*space, channel_out // groups, channel_in)
        -> (batch, *space, channel_out), where an axis of length n becomes n * stride under padding "same" and
        (n - 1) * stride + (size - 1) * dilation + 1 - before - after else.
    Formula: the gradient by its input of the convolution with the same settings, which has x as output.
    Args: as those of `convolution`; padding is what that convolution would add, and so is cut off here.
    Raises: ShapeError where shapes, channels and groups do not fit; DtypeError where neither array holds floats.
    Source: Dumoulin and Visin 2016, chapter 4. The kernel's layout is Keras'.
    Differs: PyTorch's kernel is (channel_in, channel_out // groups, *space).
    """
    name = "transposed_convolution"
    x, kernel, space = _aligned(name, x, kernel)
    if x.shape[-1] != kernel.shape[-1] or x.shape[-1] % _groups(name, groups, x.shape[-1]):
        raise ShapeError(
            f"{name} at {user_line()}: input has {x.shape[-1]} channels; the kernel of shape {tuple(kernel.shape)} "
            f"needs {kernel.shape[-1]}. Check the kernel's last axis."
        )
    strides = each_axis(name, "stride", stride, len(space))
    lengths = tuple(n * s for n, s in zip(x.shape[1:-1], strides, strict=True))
    windows = lay_windows(name, lengths, space, stride, padding, dilation)
    if padding != "same":
        axes = zip(lengths, strides, windows.span, windows.padding, strict=True)
        lengths = tuple(n - s + span - sum(pads) if n else 0 for n, s, span, pads in axes)
    if any(after < 1 <= before for before, after in zip(x.shape[1:-1], lengths, strict=True)):
        raise ShapeError(
            f"{name} at {user_line()}: padding {windows.padding} cuts off all of the result; less is required. "
            "Take less padding, or padding='same'."
        )
    return _convolution_input(x, kernel, lengths=lengths, windows=windows, groups=groups, precision="f32")


def _aligned(name: str, x: Any, kernel: Any) -> tuple[Any, Any, tuple[int, ...]]:
    """Both arrays in one float type, and the kernel's axes of space."""
    x, kernel = as_array(x), as_array(kernel)
    dtype = promote(x.dtype, kernel.dtype)
    if dtype.kind != "f":
        raise DtypeError(
            f"{name} at {user_line()}: received {x.dtype} and {kernel.dtype}; floats are required. Use pr.cast."
        )
    if x.ndim != kernel.ndim or not 3 <= x.ndim <= 5:
        raise ShapeError(
            f"{name} at {user_line()}: input has shape {tuple(x.shape)} and kernel {tuple(kernel.shape)}; "
            "(batch, *space, channel) and (*space, channel, channel) are required, with the same one to three axes of "
            "space. Reshape one of them."
        )
    return movement.cast(x, dtype), movement.cast(kernel, dtype), tuple(kernel.shape[:-2])


def _groups(name: str, groups: int, channels: int) -> int:
    if not isinstance(groups, (int, np.integer)) or groups < 1 or channels % groups:
        raise ShapeError(
            f"{name} at {user_line()}: groups is {groups}; a whole number that divides the kernel's last axis "
            f"({channels}) is required."
        )
    return int(groups)
