"""Rules of simplification: identities of arithmetic and of movement, node by node."""

import math

import numpy as np

from preceptor.engines.native.rewriting import FOLDED, Rewriting, Rule, constant_of, is_a
from preceptor.graph import CONSTANT, Node
from preceptor.ops import elementwise, movement


def _reshape(p: Rewriting, inputs: tuple, params: dict) -> Node | None:
    (x,), shape = inputs, params["shape"]
    if x.shape == shape:
        return x
    if is_a(x, "reshape") or is_a(x, "stop_gradient"):
        return p.reshape(x.inputs[0], shape)
    if is_a(x, "broadcast") and x.inputs[0].size == 1:
        return p.broadcast(p.reshape(x.inputs[0], ()), shape)
    if x.primitive is CONSTANT and x.size <= FOLDED:
        return p.constant(x.params["value"].reshape(shape))
    return None


def _stop_gradient(p: Rewriting, inputs: tuple, params: dict) -> Node:
    return inputs[0]


def _broadcast(p: Rewriting, inputs: tuple, params: dict) -> Node | None:
    (x,), shape = inputs, params["shape"]
    if x.shape == shape:
        return x
    if x.size == math.prod(shape):
        return p.reshape(x, shape)
    if x.size == 1 and x.shape:
        return p.broadcast(p.reshape(x, ()), shape)
    if is_a(x, "broadcast"):
        return p.broadcast(x.inputs[0], shape)
    if is_a(x, "reshape") and x.inputs[0].shape == x.shape[x.ndim - x.inputs[0].ndim :]:
        return p.broadcast(x.inputs[0], shape)
    if is_a(x, "reshape") and is_a(x.inputs[0], "broadcast") and x.inputs[0].inputs[0].size == 1:
        return p.broadcast(x.inputs[0].inputs[0], shape)
    return None


def _transpose(p: Rewriting, inputs: tuple, params: dict) -> Node | None:
    (x,), axes = inputs, params["axes"]
    if is_a(x, "transpose"):
        inner = x.params["axes"]
        return p.make(movement._transpose, [x.inputs[0]], {"axes": tuple(inner[a] for a in axes)})
    moving = [a for a in axes if x.shape[a] != 1]
    if moving == sorted(moving):
        return p.reshape(x, [x.shape[a] for a in axes])
    if x.primitive is CONSTANT and x.size <= FOLDED:
        return p.constant(np.ascontiguousarray(np.transpose(x.params["value"], axes)))
    if is_a(x, "broadcast") and x.inputs[0].size == 1:
        return p.broadcast(x.inputs[0], [x.shape[a] for a in axes])
    return None


def _cast(p: Rewriting, inputs: tuple, params: dict) -> Node | None:
    (x,) = inputs
    return x if x.spec.dtype == params["dtype"] else None


def _slice(p: Rewriting, inputs: tuple, params: dict) -> Node | None:
    (x,) = inputs
    whole = all(range(n)[slice(*each)] == range(n) for n, each in zip(x.shape, params["slices"], strict=True))
    return x if whole else None


def _add(p: Rewriting, inputs: tuple, params: dict) -> Node | None:
    x, y = inputs
    if constant_of(x) == 0 and not _negative_zero(x):
        return y
    if constant_of(y) == 0:
        return x
    if x is y and x.spec.dtype.kind == "f":
        return p.apply(elementwise.multiply, x, p.number(2, x.spec.dtype))
    if is_a(y, "negative"):
        return p.make(elementwise.subtract, [x, y.inputs[0]])
    if is_a(x, "negative"):
        return p.make(elementwise.subtract, [y, x.inputs[0]])
    return None


def _negative_zero(x: Node) -> bool:
    return math.copysign(1, constant_of(x) or 0) < 0


def _subtract(p: Rewriting, inputs: tuple, params: dict) -> Node | None:
    x, y = inputs
    if constant_of(y) == 0:
        return x
    if is_a(y, "negative"):
        return p.make(elementwise.add, [x, y.inputs[0]])
    return None


def _multiply(p: Rewriting, inputs: tuple, params: dict) -> Node | None:
    x, y = inputs
    for one, other in ((x, y), (y, x)):
        value = constant_of(one)
        if value == 1:
            return other
        if value == -1 and other.spec.dtype.kind in "fi":
            return p.make(elementwise.negative, [other])
        if value is not None and is_a(other, "multiply") and other.spec.dtype == np.float32:
            for inner, rest in (other.inputs, other.inputs[::-1]):  # c * (repeated v * x) = repeated (c v) * x
                if is_a(inner, "broadcast") and inner.inputs[0].size < x.size:
                    scaled = p.apply(elementwise.multiply, inner.inputs[0], p.number(value, x.spec.dtype))
                    return p.make(elementwise.multiply, [p.broadcast(scaled, x.shape), rest])
        if value is not None and is_a(other, "multiply") and value != 0:
            for inner, rest in (other.inputs, other.inputs[::-1]):  # c * (d * x) = (c d) * x for powers of two
                again = constant_of(inner)
                if again is not None and _is_power_of_two(value):
                    return p.make(elementwise.multiply, [p.make(elementwise.multiply, [one, inner]), rest])
    return None


def _is_power_of_two(value: float) -> bool:
    return math.isfinite(value) and value != 0 and abs(math.frexp(value)[0]) == 0.5 and abs(math.log2(abs(value))) < 60


def _divide(p: Rewriting, inputs: tuple, params: dict) -> Node | None:
    x, y = inputs
    value = constant_of(y)
    if value == 1:
        return x
    if value is not None and _is_power_of_two(value):
        return p.apply(elementwise.multiply, x, p.number(1 / value, x.spec.dtype))
    return None


def _power(p: Rewriting, inputs: tuple, params: dict) -> Node | None:
    """x to a number that is a multiple of a quarter: roots and products, ten times as fast."""
    x, y = inputs
    exponent = constant_of(y)
    if exponent is None or x.spec.dtype != np.float32 or not 0 < abs(exponent) <= 4 or (4 * exponent) % 1:
        return None
    whole, quarters = divmod(int(4 * abs(exponent)), 4)
    root = p.make(elementwise.sqrt, [x])
    parts = [p.make(elementwise.integer_power, [x], {"exponent": whole})] if whole > 1 else [x] * whole
    parts += [root] if quarters in (2, 3) else []
    parts += [p.make(elementwise.sqrt, [root])] if quarters in (1, 3) else []
    result = parts[0]
    for each in parts[1:]:
        result = p.make(elementwise.multiply, [result, each])
    if exponent < 0:
        return p.apply(elementwise.divide, p.number(1, x.spec.dtype), result)
    return result


def _negative(p: Rewriting, inputs: tuple, params: dict) -> Node | None:
    (x,) = inputs
    return x.inputs[0] if is_a(x, "negative") else None


IDENTITIES: dict[str, Rule] = {
    "add": _add,
    "broadcast": _broadcast,
    "cast": _cast,
    "divide": _divide,
    "multiply": _multiply,
    "negative": _negative,
    "power": _power,
    "reshape": _reshape,
    "slice": _slice,
    "stop_gradient": _stop_gradient,
    "subtract": _subtract,
    "transpose": _transpose,
}
