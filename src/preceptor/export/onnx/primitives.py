"""What each primitive becomes in ONNX: one small function each, in a table by the primitive itself."""

from collections.abc import Callable

import numpy as np

from preceptor.errors import NotSupported
from preceptor.export.onnx.lowering import Lowering
from preceptor.export.onnx.symbolic import Dim, Length, Step, minimum
from preceptor.export.onnx.windowed import (
    convolution,
    convolution_input,
    convolution_kernel,
    window_max,
    window_max_mean,
    window_max_spread,
    window_spread,
    window_sum,
)
from preceptor.ops import Primitive, elementwise, indexing, linear, movement, random, reduction
from preceptor.ops import convolving as convolutions
from preceptor.ops import pooling as pools

Form = Callable[[Lowering, Step], str]
Each = Callable[..., str]  # of (low, step, *names), which works element by element, its inputs spread by themselves


def op(name: str) -> Each:
    """One operator."""
    return lambda low, step, *names: low.node(name, *names)


def integer_power(low: Lowering, step: Step, x: str) -> str:
    """The products of `ops.integer_power`."""
    exponent = step.params["exponent"]
    out, factor, n = "", x, abs(exponent)
    while n:
        if n & 1:
            out = low.node("Mul", out, factor) if out else factor
        n >>= 1
        factor = low.node("Mul", factor, factor) if n else factor
    if not out:
        return low.node("Pow", x, low.number(0, step.dtype))
    return low.node("Reciprocal", out) if exponent < 0 else out


def log1p(low: Lowering, step: Step, x: str) -> str:
    """log(1 + x), whose rounding the ratio of x to (1 + x) - 1 takes back (Goldberg 1991, theorem 4)."""
    one = low.number(1, step.dtype)
    above = low.node("Add", x, one)
    rough = low.node("Log", above)
    exact = low.node("Mul", rough, low.node("Div", x, low.node("Sub", above, one)))
    is_far = low.node("Less", low.number(2.0**30, step.dtype), x)  # there infinity would have no ratio
    return low.node("Where", low.node("Equal", above, one), x, low.node("Where", is_far, rough, exact))


def expm1(low: Lowering, step: Step, x: str) -> str:
    """e^x - 1; near 0, where that loses its digits, 2 t / (1 - t) with t = tanh(x / 2)."""
    half, one, two = (low.number(value, step.dtype) for value in (0.5, 1, 2))
    is_near = low.node("Less", low.node("Abs", x), half)
    t = low.node("Tanh", low.node("Mul", low.node("Where", is_near, x, half), half))
    near = low.node("Div", low.node("Mul", two, t), low.node("Sub", one, t))
    return low.node("Where", is_near, near, low.node("Sub", low.node("Exp", x), one))


def threshold(low: Lowering, step: Step, x: str) -> str:
    above = low.node("GreaterOrEqual", x, low.number(0, step.dtype))
    return low.node("Where", low.node("IsNaN", x), x, low.cast(above, step.dtype))


def cast(low: Lowering, step: Step, x: str) -> str:
    return low.cast(x, step.dtype)


def reshape(low: Lowering, step: Step) -> str:
    return low.reshaped(low.whole(step.inputs[0]), step.shape)


def transpose(low: Lowering, step: Step) -> str:
    return low.turned(low.whole(step.inputs[0]), step.params["axes"])


def reduced(name: str) -> Form:
    """A reduction over axes."""
    return lambda low, step: low.node(
        name, low.whole(step.inputs[0]), low.builder.integers(*step.params["axes"]), keepdims=0
    )


def argmax(low: Lowering, step: Step) -> str:
    (x,) = step.inputs
    return low.cast(low.node("ArgMax", low.whole(x), axis=step.params["axis"], keepdims=0), step.dtype)


def slice_(low: Lowering, step: Step) -> str:
    (x,) = step.inputs
    return low.sliced(low.whole(x), x.shape, step.params["slices"])


def unslice(low: Lowering, step: Step) -> str:
    """Zeros around, and between where the slice took steps."""
    (x,) = step.inputs
    name, shape, pads = low.whole(x), list(x.shape), []
    for axis, (length, (start, stop, by)) in enumerate(zip(step.shape, step.params["slices"], strict=True)):
        count = shape[axis]
        if isinstance(length, Length) or isinstance(count, Length):
            pads.append(_around(low, step, length, count, (start, stop, by)))
            continue
        places = range(length)[slice(start, stop, by)]
        if by < 0:
            backwards: list[tuple[Dim, Dim | None, int]] = [(0, n, 1) for n in shape]
            backwards[axis] = (count - 1, None, -1)
            name, places = low.sliced(name, shape, backwards), places[::-1]
        name = low.dilated(name, shape, axis, abs(by), step.dtype)
        shape[axis] = max((count - 1) * abs(by) + 1, 0) if count else 0
        pads.append((places[0], length - 1 - places[-1]) if count else (0, length))
    return low.padded(name, pads, 0, step.dtype)


def _around(low: Lowering, step: Step, length: Dim, count: Dim, part: tuple) -> tuple[int, int]:
    """How many zeros stand before and behind the rows, or so many rows less or more."""
    start, _, by = part
    is_plain = by == 1 and isinstance(start, int)
    if is_plain and isinstance(length, Length) and isinstance(count, Length) and length.times == count.times:
        return start, length.plus - count.plus - start
    raise low.refused(step, "how many zeros stand around depends on the number of rows")


def concatenate(low: Lowering, step: Step) -> str:
    axis = step.params["axis"]
    parts = [low.whole(part) for part in step.inputs if part.shape[axis] != 0] or [low.whole(step.inputs[0])]
    return parts[0] if len(parts) == 1 else low.node("Concat", *parts, axis=axis)


def matmul(low: Lowering, step: Step) -> str:
    x, y = step.inputs
    return low.node("MatMul", *low.joined_last(x, y, step.shape))


def take(low: Lowering, step: Step) -> str:
    x, indices = step.inputs
    return low.node("Gather", low.whole(x), _positions(low, indices), axis=step.params["axis"])


def _positions(low: Lowering, indices: Step) -> str:
    """Positions as ONNX takes them: of 32 or 64 bits."""
    name = low.whole(indices)
    return name if indices.dtype in (np.int32, np.int64) else low.cast(name, np.int64)


def scatter_add(low: Lowering, step: Step) -> str:
    """Zeros with the axis in front, into which entries are added; the axis goes back to its place."""
    x, indices = step.inputs
    axis, rank = step.params["axis"], len(indices.shape)
    front = list(range(axis, axis + rank))
    order = [*front, *(a for a in range(len(x.shape)) if a not in front)]
    wide = (step.shape[axis], *(n for a, n in enumerate(step.shape) if a != axis))
    zeros = low.expanded(low.number(0, step.dtype), wide)
    at = low.node("Unsqueeze", low.cast(low.whole(indices), np.int64), low.builder.integers(-1))
    added = low.node("ScatterND", zeros, at, low.turned(low.whole(x), order), reduction="add")
    return low.turned(added, [*range(1, axis + 1), 0, *range(axis + 1, len(wide))])


def gather_sum(low: Lowering, step: Step) -> str:
    """Weights (row, 1, pick) times what is picked (row, pick, unit)."""
    x, indices, weights = step.inputs
    picked = low.node("Gather", low.whole(x), _positions(low, indices), axis=0)
    one = low.builder.integers(1)
    product = low.node("MatMul", low.node("Unsqueeze", low.whole(weights), one), picked)
    return low.node("Squeeze", product, one)


def drawn(low: Lowering, step: Step) -> str:
    raise NotSupported(
        f"{step.primitive} at {step.line}: it draws at random by a key that is not fixed; an exported network draws "
        "nothing. Leave randomness to training."
    )


EACH: dict[Primitive, Each] = {
    elementwise.add: op("Add"),
    elementwise.subtract: op("Sub"),
    elementwise.multiply: op("Mul"),
    elementwise.divide: op("Div"),
    elementwise.negative: op("Neg"),
    elementwise.power: op("Pow"),
    elementwise.integer_power: integer_power,
    elementwise.maximum: op("Max"),
    minimum: op("Min"),
    elementwise.exp: op("Exp"),
    elementwise.log: op("Log"),
    elementwise.log1p: log1p,
    elementwise.expm1: expm1,
    elementwise.sqrt: op("Sqrt"),
    elementwise.sin: op("Sin"),
    elementwise.cos: op("Cos"),
    elementwise.tanh: op("Tanh"),
    elementwise.sigmoid: op("Sigmoid"),
    elementwise.softplus: op("Softplus"),
    elementwise.relu: op("Relu"),
    elementwise.erf: op("Erf"),
    elementwise.abs: op("Abs"),
    elementwise.sign: op("Sign"),
    elementwise.threshold: threshold,
    elementwise.equal: op("Equal"),
    elementwise.less: op("Less"),
    elementwise.less_equal: op("LessOrEqual"),
    elementwise.logical_not: op("Not"),
    elementwise.logical_and: op("And"),
    elementwise.logical_or: op("Or"),
    elementwise.where: op("Where"),
    movement._cast: cast,
}

FORMS: dict[Primitive, Form] = {
    movement._reshape: reshape,
    movement._transpose: transpose,
    movement._sum: reduced("ReduceSum"),
    movement._slice: slice_,
    movement._unslice: unslice,
    movement._concatenate: concatenate,
    reduction._max: reduced("ReduceMax"),
    reduction._argmax: argmax,
    indexing._take: take,
    indexing._scatter_add: scatter_add,
    indexing._gather_sum: gather_sum,
    linear._matmul: matmul,
    convolutions._convolution: convolution,
    convolutions._convolution_input: convolution_input,
    convolutions._convolution_kernel: convolution_kernel,
    pools._window_sum: window_sum,
    pools._window_spread: window_spread,
    pools._window_max: window_max,
    pools._window_max_spread: window_max_spread,
    pools._window_max_mean: window_max_mean,
    random._random_bits: drawn,
    random.fold_in: drawn,
}

HELD = (movement.stop_gradient, movement._broadcast_to)  # what comes in goes on; it is repeated where it is used
