"""What the primitives that look through windows become in ONNX: channels go first for its operators, and back."""

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

import numpy as np

from preceptor.export.onnx.lowering import Lowering, whole_number
from preceptor.export.onnx.symbolic import Dim, Length, Shape, Step
from preceptor.ops.window import Windows

MOST_AXES = 3  # of space, for which ONNX's operators are made


def pads_of(windows: Windows) -> list[int]:
    """Padding as ONNX has it: all before, then all behind."""
    return [before for before, _ in windows.padding] + [after for _, after in windows.padding]


def first(rank: int) -> list[int]:
    """The order that brings channels behind the batch."""
    return [0, rank - 1, *range(1, rank - 1)]


def last(rank: int) -> list[int]:
    """The order that brings them back."""
    return [0, *range(2, rank), 1]


def kernel_order(rank: int) -> list[int]:
    """The order that makes (filter, channel, *window) of (*window, channel, filter)."""
    return [rank - 1, rank - 2, *range(rank - 2)]


def static(windows: Windows) -> dict[str, Any]:
    """Windows as attributes."""
    return {
        "kernel_shape": list(windows.size),
        "strides": list(windows.stride),
        "dilations": list(windows.dilation),
        "pads": pads_of(windows),
    }


def _kernel(low: Lowering, step: Step) -> str:
    """A kernel as ONNX has it; turned beforehand where it is known."""
    term = low.terms[step]
    order = kernel_order(len(step.shape))
    if term.array is not None and term.array.shape == step.shape:
        return low.builder.constant(term.array.transpose(order), term.hint)
    return low.turned(low.whole(step), order)


def convolution(low: Lowering, step: Step) -> str:
    x, kernel = step.inputs
    inward = low.turned(low.whole(x), first(len(x.shape)))
    windows, groups = step.params["windows"], step.params["groups"]
    made = low.node("Conv", inward, _kernel(low, kernel), group=groups, **static(windows))
    return low.turned(made, last(len(x.shape)))


def convolution_input(low: Lowering, step: Step) -> str:
    """The adjoint in the input, which ONNX calls ConvTranspose: its kernel is the convolution's, for what goes in here
    is what came out there."""
    g, kernel = step.inputs
    windows, groups = step.params["windows"], step.params["groups"]
    inward = low.turned(low.whole(g), first(len(g.shape)))
    behind = _unseen(windows, step.params["lengths"])
    made = low.node(
        "ConvTranspose", inward, _kernel(low, kernel), group=groups, output_padding=behind, **static(windows)
    )
    return low.turned(made, last(len(g.shape)))


def _unseen(windows: Windows, lengths: Sequence[int]) -> list[int]:
    """How many entries of each axis lie behind the last window."""
    axes = zip(lengths, windows.padding, windows.span, windows.reach(lengths), strict=True)
    return [n + sum(pads) - (reach - 1 + span) for n, pads, span, reach in axes]


def convolution_kernel(low: Lowering, step: Step) -> str:
    """The adjoint in the kernel: for each position of it, what stands there in all windows times what these gave."""
    x, g = step.inputs
    groups = step.params["groups"]
    inward, outward = whole_number(x.shape[-1]) // groups, whole_number(g.shape[-1]) // groups
    rows = _product(g.shape[:-1])
    right = low.turned(low.reshaped(low.whole(g), (rows, groups, outward)), [1, 0, 2])
    products = []
    for part in _parts(low, x, step.params["windows"].between_others(), 0):
        left = low.turned(low.reshaped(part, (rows, groups, inward)), [1, 2, 0])
        product = low.turned(low.node("MatMul", left, right), [1, 0, 2])
        products.append(low.reshaped(product, (1, inward, groups * outward)))
    return low.reshaped(low.node("Concat", *products, axis=0), step.shape)


def window_max(low: Lowering, step: Step) -> str:
    (x,) = step.inputs
    if x.dtype.kind == "f":
        return _pooled(low, step, "MaxPool", x.shape)
    return low.node("Max", *_parts(low, x, step.params["windows"], np.iinfo(x.dtype).min))


def window_sum(low: Lowering, step: Step) -> str:
    (x,) = step.inputs
    if x.dtype == np.float32:
        return _pooled(low, step, "Conv", x.shape)
    return _sum(low, _parts(low, x, step.params["windows"], 0))


def window_spread(low: Lowering, step: Step) -> str:
    if step.dtype == np.float32:
        return _pooled(low, step, "ConvTranspose", step.shape)
    (g,) = step.inputs
    return _put(low, step, [low.whole(g)] * step.params["windows"].area, g.shape)


def _pooled(low: Lowering, step: Step, op: str, looked_at: Shape) -> str:
    """An operator on the axes that have windows, which come last, behind one channel; all others come before.

    Args:
        looked_at: the shape in which the windows lie.
    """
    (x,) = step.inputs
    windows: Windows = step.params["windows"]
    rank = len(windows.size)
    chosen = [a for a in range(rank) if windows.size[a] > 1 or windows.stride[a] > 1 or any(windows.padding[a])]
    if any(isinstance(looked_at[a], Length) for a in chosen) or len(chosen) > MOST_AXES:
        raise low.refused(step, f"its windows lie on the axes {chosen}; up to {MOST_AXES} are required, not the rows")
    chosen = chosen or [rank - 1]
    others = [a for a in range(rank) if a not in chosen]
    own = Windows(
        tuple(windows.size[a] for a in chosen),
        tuple(windows.stride[a] for a in chosen),
        tuple(windows.padding[a] for a in chosen),
        tuple(windows.dilation[a] for a in chosen),
    )
    order = [*others, *chosen]
    flat = (_product([x.shape[a] for a in others]), 1, *(x.shape[a] for a in chosen))
    name = low.reshaped(low.turned(low.whole(x), order), flat)
    more: dict[str, Any] = {}
    if op == "ConvTranspose":
        more["output_padding"] = _unseen(own, [whole_number(looked_at[a]) for a in chosen])
    ones = [] if op == "MaxPool" else [low.builder.constant(np.ones((1, 1, *own.size), np.float32))]
    made = low.reshaped(low.node(op, name, *ones, **static(own), **more), tuple(step.shape[a] for a in order))
    return low.turned(made, [order.index(a) for a in range(rank)])


def window_max_mean(low: Lowering, step: Step) -> str:
    h, x, largest = step.inputs
    windows = step.params["windows"]
    winners, count = _winners(low, x, largest, windows)
    zero = low.number(0, step.dtype)
    parts = [
        low.node("Where", is_largest, part, zero)
        for is_largest, part in zip(winners, _parts(low, h, windows, 0), strict=True)
    ]
    return low.node("Div", _sum(low, parts), count)


def window_max_spread(low: Lowering, step: Step) -> str:
    g, x, largest = step.inputs
    winners, count = _winners(low, x, largest, step.params["windows"])
    share, zero = low.node("Div", low.whole(g), count), low.number(0, step.dtype)
    return _put(low, step, [low.node("Where", each, share, zero) for each in winners], g.shape)


def _winners(low: Lowering, x: Step, largest: Step, windows: Windows) -> tuple[list[str], str]:
    """For each position within a window whether the largest entry stands there, and how many such there are."""
    top = low.whole(largest)
    winners = [low.node("Equal", part, top) for part in _parts(low, x, windows, np.nan)]
    return winners, _sum(low, [low.cast(each, x.dtype) for each in winners])


def _sum(low: Lowering, names: Iterator[str] | Sequence[str]) -> str:
    total, *others = names
    for each in others:
        total = low.node("Add", total, each)
    return total


def _places(windows: Windows, shape: Shape) -> Iterator[list[tuple[Dim, Dim, int]]]:
    """For each position within a window the slices of the padded axes, all of which have windows, as
    `Windows.parts`; the rows are taken whole."""
    for place in windows._places([1 if isinstance(n, Length) else n for n in shape]):
        yield [(0, n, 1) if isinstance(n, Length) else each for n, each in zip(shape, place, strict=True)]


def _parts(low: Lowering, x: Step, windows: Windows, fill: Any) -> Iterator[str]:
    """For each position within a window the entries that stand there."""
    padded = low.padded(low.whole(x), windows.padding, fill, x.dtype)
    wide = tuple(n if isinstance(n, Length) else n + sum(p) for n, p in zip(x.shape, windows.padding, strict=True))
    for slices in _places(windows, x.shape):
        yield low.sliced(padded, wide, slices)


def _put(low: Lowering, step: Step, parts: Sequence[str], shape: Shape) -> str:
    """The sum of parts, of a shape each, put to where they were taken from in what has the step's shape."""
    windows: Windows = step.params["windows"]
    placed = []
    for part, slices in zip(parts, _places(windows, step.shape), strict=True):
        now, around = list(shape), []
        for axis, ((start, stop, by), length) in enumerate(zip(slices, step.shape, strict=True)):
            if isinstance(length, Length):
                around.append((0, 0))
                continue
            part = low.dilated(part, now, axis, by, step.dtype)
            now[axis] = whole_number(stop) - whole_number(start)
            before, _ = windows.padding[axis]
            around.append((whole_number(start) - before, length + before - whole_number(stop)))
        placed.append(low.padded(part, around, 0, step.dtype))
    return _sum(low, placed)


def _product(lengths: Sequence[Dim]) -> Dim:
    """Of lengths, of which one may depend on the rows."""
    fixed = prod(each for each in lengths if isinstance(each, int))
    varying = [each for each in lengths if isinstance(each, Length)]
    assert len(varying) <= 1, "only the first axis may count rows here"
    return Length(varying[0].times * fixed, varying[0].plus * fixed) if varying else fixed
