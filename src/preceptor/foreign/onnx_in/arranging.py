"""Operations that only change where numbers lie, and those that summarise places."""

import math
from collections.abc import Sequence

from preceptor.foreign.onnx_in.folding import BATCH, axes_of, reshaped, squeezed, unsqueezed, whole_numbers
from preceptor.foreign.onnx_in.values import Value
from preceptor.foreign.onnx_in.walk import Operation, Step
from preceptor.foreign.onnx_in.weighted import one_or_all, padding_of, windows
from preceptor.nn import GlobalMaxPool, GlobalMeanPool, Layer, MaxPool, MeanPool, Rescale, SumPool, ZeroPad

MOST_PLACES = 2**14  # of a window that is summarised; networks have up to 64 x 64
BETWEEN = "Each example is read by itself: export the network for a batch of any size."


def _flatten(step: Step) -> Value:
    x, axis = step.value(), step.whole("axis", 1)
    at = axis + len(x.axes) + 1 if axis < 0 else axis
    if not 1 <= at <= len(x.axes) + 1 or math.prod(x.shape[: at - 1]) != 1:
        step.refuse(f"its axis is {axis}, which lays examples together", BETWEEN)
    return step.reshaped(x, (math.prod(x.shape),))


def _reshape(step: Step) -> Value:
    x, target = step.value(), whole_numbers(step.constant(1))
    if not target:
        step.refuse("it makes one number of all examples", BETWEEN)
    declared = step.walk.declared_batch
    keeps_zero = bool(step.whole("allowzero", 0))
    whole = (BATCH, *x.shape)
    shape = None
    for first in (target[0], BATCH):  # a file for batches of one size gives that size for any
        if first == BATCH and target[0] not in (BATCH, declared):
            break
        try:
            found = reshaped(whole, (first, *target[1:]), keeps_zero)
        except ValueError:
            continue
        if found[0] == BATCH:
            shape = found[1:]
            break
    if shape is None:
        step.refuse(f"it makes the shape {target} of (batch, {', '.join(map(str, x.shape))})", BETWEEN)
    return step.reshaped(x, shape)


def _squeeze(step: Step) -> Value:
    x = step.value()
    axes = axes_of(step.node, [None, step.constant(1) if step.has(1) else None])
    step.read("axes")
    if axes is None:
        step.refuse("it does not say which axes go", BETWEEN)
    if any(axis % (len(x.axes) + 1) == 0 for axis in axes):
        step.refuse("it takes the axis of the examples away", BETWEEN)
    return step.reshaped(x, squeezed((BATCH, *x.shape), axes)[1:])


def _unsqueeze(step: Step) -> Value:
    x = step.value()
    axes = axes_of(step.node, [None, step.constant(1) if step.has(1) else None]) or ()
    step.read("axes")
    shape = unsqueezed((BATCH, *x.shape), axes)
    if shape[0] != BATCH:
        step.refuse("it puts an axis before that of the examples", BETWEEN)
    return x.relabelled(shape[1:])


def _transpose(step: Step) -> Value:
    x = step.value(anywhere=True)
    rank = len(x.axes) + 1
    order = step.wholes("perm", tuple(reversed(range(rank))))
    if sorted(order) != list(range(rank)):
        step.refuse(f"its perm is {order}, of {rank} axes")
    before = [*range(x.batch), -1, *range(x.batch, rank - 1)]  # -1: the batch
    after = [before[at] for at in order]
    axes = tuple(x.axes[at] for at in after if at >= 0)
    return Value(x.part, x.stored, axes, x.rows, after.index(-1))


def _pad(step: Step) -> Value:
    x = step.value()
    mode = step.text("mode", "constant")
    pads = whole_numbers(step.constant(1)) if step.has(1) else step.wholes("pads")
    step.read("pads")
    rank = len(x.axes) + 1
    if step.has(3):
        axes = whole_numbers(step.constant(3))
        if len(pads) != 2 * len(axes) or not all(-rank <= axis < rank for axis in axes):
            step.refuse("its pads are not of its axes")
        given = dict(
            zip([axis % rank for axis in axes], zip(pads[: len(axes)], pads[len(axes) :], strict=True), strict=True)
        )
        pairs = [given.get(axis, (0, 0)) for axis in range(rank)]
    else:
        if len(pads) != 2 * rank:
            step.refuse(f"its pads are not of {rank} axes")
        pairs = list(zip(pads[:rank], pads[rank:], strict=True))
    if not any(map(any, pairs)):
        return x
    if mode != "constant" or step.number(2, step.real("value", 0.0)) != 0:
        step.refuse("it puts other numbers than zeros around")
    if any(map(any, pairs[:1])) or min(map(min, pairs)) < 0:
        step.refuse("it adds examples, or cuts off")
    if x.rows or None in x.axes:
        x = step.channels_last(x) if len(x.axes) > 1 else step.natural(x)
    widths = [(0, 0)] * len(x.stored)
    for axis, pair in zip(x.axes, pairs[1:], strict=True):
        assert axis is not None
        widths[axis] = pair
    part, stored = step.emit(ZeroPad(tuple(widths)), [x])
    return Value(part, stored, x.axes)


def mean_over_space(step: Step, x: Value, layer: Layer, kept: Sequence[int], keeps: bool) -> Value:
    """A value summarised over all axes but the given one or none."""
    long = [at for at in kept if x.shape[at] != 1] or list(kept[:1])
    if len(long) != 1:
        step.refuse("it keeps several axes, or none; a number for each feature is read")
    shape = tuple(x.shape[at] if at in kept else 1 for at in range(len(x.axes)) if keeps or at in kept)
    x = step.with_last(x, long[0])
    if len(x.stored) == 1:
        return x.relabelled(shape)
    part, stored = step.emit(layer, [x])
    at = [at for at in range(len(x.axes)) if keeps or at in kept].index(long[0])
    return Value(part, stored, tuple(0 if place == at else None for place in range(len(shape))), x.rows)


def over_all_places(layer: Layer) -> Operation:
    """Of each channel, over all of space."""

    def read(step: Step) -> Value:
        x = step.value()
        if len(x.axes) < 2:
            step.refuse("its input has no axes of space")
        return mean_over_space(step, x, layer, (0,), True)

    return read


def reduced(layer: Layer) -> Operation:
    """Over axes that are named."""

    def read(step: Step) -> Value:
        x = step.value()
        given = axes_of(step.node, [None, step.constant(1) if step.has(1) else None])
        step.read("axes")
        if not given:
            step.refuse("it goes over all examples at once", BETWEEN)
        if step.whole("noop_with_empty_axes", 0) not in (0, 1):
            step.refuse("its noop_with_empty_axes is neither 0 nor 1")
        axes = {step.axis(axis, x) for axis in given}
        kept = [at for at in range(len(x.axes)) if at not in axes]
        return mean_over_space(step, x, layer, kept, bool(step.whole("keepdims", 1)))

    return read


def _pool(step: Step) -> Value:
    x = step.value()
    axes, is_max = len(x.axes) - 1, step.node.op == "MaxPool"
    size = step.wholes("kernel_shape")
    if not size or not 1 <= axes <= 3:
        step.refuse("it has no kernel_shape, or not 1 to 3 axes of space")
    lengths = x.shape[1:]
    stride, pads, dilation = windows(step, axes, size, lengths)
    if set(dilation) != {1} or step.whole("storage_order", 0):
        step.refuse("its windows have gaps; those without are read")
    auto = step.text("auto_pad", "NOTSET").startswith("SAME")
    fitted = pads if auto else fitting(size, stride, pads, lengths, bool(step.whole("ceil_mode", 0)))
    step.read("ceil_mode")
    counts_zeros = bool(step.whole("count_include_pad", 0)) and any(map(any, pads))
    if not is_max and tuple(size) == lengths and not any(map(any, pads)):
        return mean_over_space(step, x, GlobalMeanPool(), (0,), True)
    if counts_zeros and fitted != pads:
        step.refuse("it counts zeros around in windows that reach beyond them")
    area = math.prod(size)
    if area > MOST_PLACES:
        step.refuse(f"its windows have {area:,} places; at most {MOST_PLACES:,} are read")
    places = max(math.prod(lengths), area * math.prod(-(-n // s) for n, s in zip(lengths, stride, strict=True)))
    step.walk.budget.take((places,))  # a mean counts what is no padding while it is traced
    x = step.channels_last(x)
    kind = MaxPool if is_max else SumPool if counts_zeros else MeanPool
    own_stride = None if tuple(stride) == tuple(size) else one_or_all(stride)
    layer = kind(one_or_all(size), own_stride, padding_of(fitted, size, stride, dilation))
    part, stored = step.emit(layer, [x])
    y = Value(part, stored, x.axes)
    return step.same(Rescale(1 / area), y) if counts_zeros else y


def fitting(
    size: Sequence[int], stride: Sequence[int], pads: Sequence[tuple[int, int]], lengths: Sequence[int], ceil: bool
) -> tuple[tuple[int, int], ...]:
    """Padding for which as many windows fit as ONNX has: with `ceil` one more that reaches beyond, where it begins
    before the padding behind; else that behind shorter by what no window sees, where it is as long as a window."""
    fitted = []
    for k, s, (before, after), n in zip(size, stride, pads, lengths, strict=True):
        left = n + before + after - k
        count = left // s + 1
        if ceil and left >= 0 and left % s and count * s < n + before:
            count += 1
        needed = (count - 1) * s + k - n - before
        fitted.append((before, max(needed, 0) if needed > after or after >= k else after))
    return tuple(fitted)


OPERATIONS: dict[str, Operation] = {
    "AveragePool": _pool,
    "Flatten": _flatten,
    "GlobalAveragePool": over_all_places(GlobalMeanPool()),
    "GlobalMaxPool": over_all_places(GlobalMaxPool()),
    "MaxPool": _pool,
    "Pad": _pad,
    "ReduceMax": reduced(GlobalMaxPool()),
    "ReduceMean": reduced(GlobalMeanPool()),
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
