"""Operations on single numbers, and of several values together."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from preceptor import ops
from preceptor.foreign.onnx_in.file import FLOATS
from preceptor.foreign.onnx_in.values import Value
from preceptor.foreign.onnx_in.walk import Operation, Step, shortest
from preceptor.nn import (
    Clip,
    Dropout,
    Elu,
    Exponential,
    Gelu,
    HardSigmoid,
    Layer,
    LeakyRelu,
    LogSoftmax,
    Members,
    ParametricRelu,
    Relu,
    Relu6,
    Rescale,
    ScaleShift,
    Selu,
    Sigmoid,
    Softmax,
    Softplus,
    Softsign,
    Swish,
    Tanh,
)
from preceptor.nn.layer import Function

ALPHA, GAMMA = 1.6732632423543772, 1.0507009873554805  # of SELU


@dataclass(frozen=True)
class Erf(Function):
    """The error function, which stands in the activation GELU as older exporters write it; no layer of a network."""

    def __call__(self, x: object) -> object:
        return ops.erf(x)


def function(layer: Layer) -> Operation:
    """An operation without settings."""
    return lambda step: step.same(layer, step.value())


def _leaky(step: Step) -> Value:
    return step.same(LeakyRelu(step.real("alpha", 0.01)), step.value())


def _elu(step: Step) -> Value:
    return step.same(Elu(step.real("alpha", 1.0)), step.value())


def _selu(step: Step) -> Value:
    alpha, gamma = step.real("alpha", ALPHA), step.real("gamma", GAMMA)
    if abs(alpha - ALPHA) > 1e-5 or abs(gamma - GAMMA) > 1e-5:
        step.refuse(f"its alpha is {alpha:g}, its gamma {gamma:g}; those of the paper are read")
    return step.same(Selu(), step.value())


def _gelu(step: Step) -> Value:
    if step.text("approximate", "none") != "none":
        step.refuse("it approximates by tanh; the exact form is read")
    return step.same(Gelu(), step.value())


def _swish(step: Step) -> Value:
    if step.real("alpha", 1.0) != 1:
        step.refuse("its alpha is not 1")
    return step.same(Swish(), step.value())


def _hard_sigmoid(step: Step) -> Value:
    """min(max(alpha x + beta, 0), 1): ours of 6 alpha x + 6 beta - 3."""
    alpha, beta = step.real("alpha", 0.2), step.real("beta", 0.5)
    x = step.value()
    if abs(6 * alpha - 1) > 1e-6 or beta != 0.5:
        x = step.same(Rescale(6 * alpha, 6 * beta - 3), x)
    return step.same(HardSigmoid(), x)


def gated(*gate: Layer) -> Operation:
    """The input times what layers make of it."""

    def read(step: Step) -> Value:
        x = y = step.value()
        for layer in gate:
            y = step.same(layer, y)
        return step.joined([x, y], "product", x.axes, x.rows)

    return read


def _parametric(step: Step) -> Value:
    x = step.value()
    slope, axes = laid(step, x, step.constant(1))
    if axes > 1 or not x.stored:
        step.refuse("it has slopes for each place; one for each feature is read")
    slopes = step.held(np.broadcast_to(slope, x.stored[-1:]))
    return step.same(ParametricRelu(), x, params={"slope": slopes}, source=step.name_of(1))


def _clip(step: Step) -> Value:
    given = (step.number(1, step.real("min", -math.inf)), step.number(2, step.real("max", math.inf)))
    limits = tuple(each if abs(each) < 3.4e38 else None for each in given)  # the largest float32 is no limit
    if limits in ((0, None), (0, 6)):
        return step.same(Relu() if limits[1] is None else Relu6(), step.value())
    return step.same(Clip(*limits), step.value())


def softmax(layer: Layer) -> Operation:
    """An operation along one axis; before opset 13 along all from one on."""

    def read(step: Step) -> Value:
        x = step.value()
        axis = step.axis(step.whole("axis", -1 if step.opset >= 13 else 1), x)
        if step.opset < 13:
            long = [at for at in range(axis, len(x.axes)) if x.shape[at] != 1]
            if len(long) > 1:
                step.refuse("it goes over several axes at once; one is read")
            axis = long[0] if long else axis
        return step.same(layer, step.with_last(x, axis))

    return read


def _dropout(step: Step) -> Value:
    rate = step.number(1, step.real("ratio", 0.5))
    if step.has(2) and bool(step.constant(2).ravel()[:1].any()):
        step.refuse("it is written for training", "Export the network for inference.")
    step.read("seed", "is_test")
    return step.same(Dropout(rate), step.value()) if rate else step.value()


def _same(step: Step) -> Value:
    return step.value()


def _cast(step: Step) -> Value:
    if step.whole("to", 1) not in FLOATS:
        step.refuse("it makes other numbers than floating ones")
    step.read("saturate", "round_mode")
    return step.value()


def _negative(step: Step) -> Value:
    return step.same(Rescale(-1.0), step.value())


def laid(step: Step, x: Value, constant: np.ndarray) -> tuple[np.ndarray, int]:
    """A constant that meets a value: as it lies in our array, and how many of the last axes it tells apart.

    Returns: an array of the shape of these axes; of a single number it alone, and 0 axes.
    """
    shape = (1,) * (len(x.axes) + 1 - constant.ndim) + constant.shape
    if (
        len(shape) != len(x.axes) + 1
        or shape[0] != 1
        or any(n not in (1, m) for n, m in zip(shape[1:], x.shape, strict=True))
    ):
        step.refuse(f"its constant has the shape {constant.shape}, what it meets {x.shape} for each example")
    if constant.size == 1:
        return constant.ravel(), 0
    long = [at for at in range(len(x.axes)) if shape[at + 1] != 1]
    order = [at for at in x.order if at in long]
    held = constant.reshape([shape[at + 1] for at in long]).transpose([long.index(at) for at in order])
    if x.rows:
        held = held[..., x.rows.positions()]
    places = [axis for axis in (x.axes[at] for at in order) if axis is not None]
    spread = held.reshape([x.stored[axis] if axis in places else 1 for axis in range(len(x.stored))])
    axes = len(x.stored) - min(places)
    wanted = x.stored[len(x.stored) - axes :]
    step.walk.budget.take(wanted)
    return np.broadcast_to(spread.reshape(spread.shape[len(x.stored) - axes :]), wanted), axes


def _with_constant(
    step: Step, x: Value, at: int, name: str, by: Callable[[np.ndarray], np.ndarray] | None = None
) -> Value:
    """A value that a constant is added to (shift) or that is multiplied by one (scale)."""
    constant = step.constant(at)
    if constant.dtype.kind not in "fiu":
        step.refuse("its constant is no number")
    if name == "scale" and by is None and _is_of_members(x, constant):
        return _members(step, x, constant)
    array, axes = laid(step, x, constant)
    with np.errstate(all="ignore"):
        array = by(array) if by else array
    if axes == 0:
        value = float(array[0])
        if not math.isfinite(value):
            step.refuse(f"its constant is {value}")
        return step.same(Rescale(**{name: shortest(value)}), x)
    layer = ScaleShift(axes, scale=name == "scale", shift=name == "shift")
    return step.same(layer, x, params={name: step.held(array)}, source=step.name_of(at))


def _is_of_members(x: Value, constant: np.ndarray) -> bool:
    return constant.ndim == 2 and len(x.axes) == 2 and x.shape == (1, constant.shape[1]) and constant.shape[0] > 1


def _members(step: Step, x: Value, constant: np.ndarray) -> Value:
    """Features times numbers of each member of an ensemble: (batch, 1, feature) -> (batch, member, feature)."""
    x = step.reshaped(x, x.shape[1:])
    if len(x.stored) != 1:
        x = step.natural(x)
    scale = constant[:, x.rows.positions()] if x.rows else constant
    part, stored = step.emit(Members(len(scale)), [x], {"scale": step.held(scale)})
    return Value(part, stored, (0, 1), x.rows)


def _inverse(array: np.ndarray) -> np.ndarray:
    return 1 / array.astype(np.float64)


def _sum(step: Step) -> Value:
    return _together(step, "sum", "shift")


def _product(step: Step) -> Value:
    return _together(step, "product", "scale")


def _together(step: Step, join: str, name: str) -> Value:
    """Values and constants added, or multiplied."""
    values = [step.value(at) for at in range(len(step.node.inputs)) if not step.is_constant(at)]
    if not values:
        step.refuse("it takes constants alone")
    x = values[0] if len(values) == 1 else met(step, values, join)
    for at in range(len(step.node.inputs)):
        if step.is_constant(at):
            x = _with_constant(step, x, at, name)
    return x


def _difference(step: Step) -> Value:
    if step.is_constant(1):
        return _with_constant(step, step.value(), 1, "shift", np.negative)
    less = step.same(Rescale(-1.0), step.value(1))
    if step.is_constant(0):
        return _with_constant(step, less, 0, "shift")
    return met(step, [step.value(), less], "sum")


def _quotient(step: Step) -> Value:
    return _with_constant(step, step.value(), 1, "scale", _inverse)


def met(step: Step, values: Sequence[Value], join: str) -> Value:
    """Values added or multiplied that lie alike, or are made to."""
    rank = len(values[0].axes)
    if any(len(each.axes) != rank for each in values):
        step.refuse(
            f"it joins values of {sorted({len(each.axes) + 1 for each in values})} axes, and the examples would mix"
        )
    shape = np.broadcast_shapes(*(each.shape for each in values))
    first = values[0]
    if all((each.axes, each.rows, each.stored) == (first.axes, first.rows, first.stored) for each in values):
        return step.joined(values, join, first.axes, first.rows)
    if rank <= 1:
        return step.joined([step.natural(each) for each in values], join, tuple(range(rank)))
    # (batch, feature) counts at every place of (batch, *space, feature)
    made = [each if _is_of_features(each, shape) else step.channels_last(each) for each in values]
    whole = next((each for each in made if len(each.stored) == rank), None)
    if whole is None:
        return step.joined(made, join, made[0].axes)
    return step.joined(made, join, whole.axes)


def _is_of_features(value: Value, shape: tuple[int, ...]) -> bool:
    alone = value.axes == (0,) + (None,) * (len(value.axes) - 1)
    return alone and not value.rows and value.shape[0] == shape[0]


def _concatenation(step: Step) -> Value:
    values = [step.value(at) for at in range(len(step.node.inputs))]
    if not values:
        step.refuse("it takes nothing")
    first = values[0]
    if len(values) == 1:
        return first
    if any(len(each.axes) != len(first.axes) for each in values):
        step.refuse("it joins values of different axes")
    axis = step.axis(step.whole("axis", 1), first)
    if any(each.axes != first.axes or each.rows or not each.is_last(axis) for each in values):
        order = (*(at for at in range(len(first.axes)) if at != axis), axis)
        values = [step.arranged(each, order) for each in values]
    return step.joined(values, "concatenate", values[0].axes)


OPERATIONS: dict[str, Operation] = {
    "Add": _sum,
    "Cast": _cast,
    "Clip": _clip,
    "Concat": _concatenation,
    "Div": _quotient,
    "Dropout": _dropout,
    "Elu": _elu,
    "Erf": function(Erf()),
    "Exp": function(Exponential()),
    "Gelu": _gelu,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": gated(HardSigmoid()),
    "Identity": _same,
    "LeakyRelu": _leaky,
    "LogSoftmax": softmax(LogSoftmax()),
    "Mish": gated(Softplus(), Tanh()),
    "Mul": _product,
    "Neg": _negative,
    "PRelu": _parametric,
    "Relu": function(Relu()),
    "Selu": _selu,
    "Sigmoid": function(Sigmoid()),
    "Softmax": softmax(Softmax()),
    "Softplus": function(Softplus()),
    "Softsign": function(Softsign()),
    "Sub": _difference,
    "Sum": _sum,
    "Swish": _swish,
    "Tanh": function(Tanh()),
}
