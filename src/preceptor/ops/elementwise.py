"""Primitives that work on each element by itself: arithmetic, functions, comparison, choice."""

import math
from typing import Any

import numpy as np

from preceptor.errors import DtypeError
from preceptor.ops import movement
from preceptor.ops.primitive import Primitive, Spec, as_array, same, user_line

__all__ = [
    "abs",
    "add",
    "cos",
    "divide",
    "equal",
    "erf",
    "exp",
    "expm1",
    "greater",
    "greater_equal",
    "less",
    "less_equal",
    "log",
    "log1p",
    "logical_and",
    "logical_not",
    "logical_or",
    "maximum",
    "minimum",
    "multiply",
    "negative",
    "not_equal",
    "power",
    "relu",
    "sigmoid",
    "sign",
    "sin",
    "softplus",
    "sqrt",
    "subtract",
    "tanh",
    "threshold",
    "where",
]


def _as_float(x: Any) -> tuple:
    if isinstance(x, (int, float)) and not isinstance(x, np.generic):
        return (np.asarray(x, np.float64),)
    x = as_array(x)
    if x.dtype.kind != "f":
        raise DtypeError(
            f"elementwise function at {user_line()}: received {x.dtype}; floats are required. Use pr.cast."
        )
    return (x,)


def _float_pair(x: Any, y: Any) -> tuple:
    pair = movement.broadcast_together(x, y)
    if pair[0].dtype.kind != "f":
        return tuple(movement.cast(each, np.float64) for each in pair)
    return pair


def _no_booleans(*args: Any) -> tuple:
    aligned = movement.broadcast_together(*args)
    if aligned[0].dtype.kind == "b":
        raise DtypeError(f"arithmetic at {user_line()}: received booleans; numbers are required. Use pr.cast first.")
    return aligned


def _number(x: Any) -> tuple:
    return _no_booleans(x)


def _signed(x: Any) -> tuple:
    (x,) = _no_booleans(x)
    if x.dtype.kind == "u":
        raise DtypeError(
            f"arithmetic at {user_line()}: received {x.dtype}, which has no negative numbers; a signed type is "
            "required. Use pr.cast first."
        )
    return (x,)


def _truth(x: Spec, *_: Spec) -> Spec:
    return Spec(x.shape, np.dtype(bool))


def _booleans(*args: Any) -> tuple:
    aligned = movement.broadcast_together(*args)
    if aligned[0].dtype.kind != "b":
        raise DtypeError(f"logic at {user_line()}: received {aligned[0].dtype}; booleans are required. Compare first.")
    return aligned


def _choice(condition: Any, x: Any, y: Any) -> tuple:
    condition = as_array(condition)
    if condition.dtype.kind != "b":
        raise DtypeError(f"where at {user_line()}: the condition is {condition.dtype}; booleans are required.")
    x, y = movement.broadcast_together(x, y)
    return movement.spread((condition, x, y), movement.common_shape(condition, x))


# Arithmetic

add = Primitive(
    "add", spec=same, run=lambda xp, x, y: x + y, align=_no_booleans, vjp=lambda g, out, x, y: (g, g), doc="x + y."
)

subtract = Primitive(
    "subtract",
    spec=same,
    run=lambda xp, x, y: x - y,
    align=_no_booleans,
    vjp=lambda g, out, x, y: (g, -g),
    doc="x - y.",
)

multiply = Primitive(
    "multiply",
    spec=same,
    run=lambda xp, x, y: x * y,
    align=_no_booleans,
    vjp=lambda g, out, x, y: (g * y, g * x),
    doc="x * y.",
)

divide = Primitive(
    "divide",
    spec=same,
    run=lambda xp, x, y: x / y,
    align=_float_pair,
    vjp=lambda g, out, x, y: (g / y, -g * out / y),
    doc="x / y, for y other than 0. Integers are divided as float64, as in NumPy.",
)

negative = Primitive("negative", spec=same, run=lambda xp, x: -x, align=_signed, vjp=lambda g, out, x: (-g,), doc="-x.")


def _power_vjp(g: Any, out: Any, x: Any, y: Any) -> tuple:
    zero = equal(y, 0)
    slope = where(zero, 0, y * power(x, where(zero, 1, y - 1)))
    return g * slope, g * where(equal(x, 0), 0, out * log(where(equal(x, 0), 1, x)))


power = Primitive(
    "power",
    spec=same,
    run=lambda xp, x, y: xp.power(x, y),
    align=_float_pair,
    vjp=_power_vjp,
    doc="x to the y, for x > 0, or x = 0 and y >= 0. At x = 0 the derivative by y is taken as 0, as PyTorch does.",
)


def _integer_power_run(xp: Any, x: Any, *, exponent: int) -> Any:
    out = None
    factor, n = x, abs(exponent)
    while n:  # repeated squaring: log2(n) products, the same ones in every engine
        if n & 1:
            out = factor if out is None else out * factor
        n >>= 1
        factor = factor * factor if n else factor
    out = xp.ones_like(x) if out is None else out
    return 1 / out if exponent < 0 else out


integer_power = Primitive(
    "integer_power",
    spec=same,
    run=_integer_power_run,
    align=_as_float,
    vjp=lambda g, out, x, *, exponent: (g * (exponent * raise_to(x, exponent - 1)) if exponent else None,),
    doc="x to a whole number, by repeated squaring; x other than 0 where the number is negative. 0 to the 0 is 1.",
)


def raise_to(x: Any, y: Any) -> Any:
    """`x ** y`: by repeated squaring where y is a Python integer, through `power` otherwise."""
    if isinstance(y, int) and not isinstance(y, bool):
        return x if y == 1 else integer_power(x, exponent=y)
    return power(x, y)


maximum = Primitive(
    "maximum",
    spec=same,
    run=lambda xp, x, y: xp.maximum(x, y),
    align=_no_booleans,
    vjp=lambda g, out, x, y: (g * _share(x, y), g * _share(y, x)),
    doc="The larger of x and y; NaN where either is. At x = y each gets half of the derivative, as in PyTorch.",
)


def _share(x: Any, y: Any) -> Any:
    return where(less(x, y), 0, where(equal(x, y), np.asarray(0.5, x.dtype), np.asarray(1, x.dtype)))


def minimum(x: Any, y: Any) -> Any:
    """The smaller of x and y; NaN where either is. At x = y each gets half of the derivative."""
    x, y = _no_booleans(x, y)  # here, for `negative` would make a strong float64 of a Python number
    return negative(maximum(negative(x), negative(y)))


# Functions of one variable

exp = Primitive(
    "exp",
    spec=same,
    run=lambda xp, x: xp.exp(x),
    align=_as_float,
    vjp=lambda g, out, x: (g * out,),
    doc="e to the x. Overflows to infinity above 88.7 (float32), 709.8 (float64).",
)

log = Primitive(
    "log",
    spec=same,
    run=lambda xp, x: xp.log(x),
    align=_as_float,
    vjp=lambda g, out, x: (g / x,),
    doc="Natural logarithm, x > 0.",
)

log1p = Primitive(
    "log1p",
    spec=same,
    run=lambda xp, x: xp.log1p(x),
    align=_as_float,
    vjp=lambda g, out, x: (g / (1 + x),),
    doc="log(1 + x), exact for small x; x > -1.",
)

expm1 = Primitive(
    "expm1",
    spec=same,
    run=lambda xp, x: xp.expm1(x),
    align=_as_float,
    vjp=lambda g, out, x: (g * exp(x),),
    doc="e to the x, less 1, exact for small x.",
)

sqrt = Primitive(
    "sqrt",
    spec=same,
    run=lambda xp, x: xp.sqrt(x),
    align=_as_float,
    vjp=lambda g, out, x: (g * 0.5 / out,),
    doc="Square root, x >= 0. The derivative at 0 is infinite.",
)

sin = Primitive(
    "sin",
    spec=same,
    run=lambda xp, x: xp.sin(x),
    align=_as_float,
    vjp=lambda g, out, x: (g * cos(x),),
    doc="Sine of an angle in radians.",
)

cos: Primitive = Primitive(
    "cos",
    spec=same,
    run=lambda xp, x: xp.cos(x),
    align=_as_float,
    vjp=lambda g, out, x: (g * -sin(x),),
    doc="Cosine of an angle in radians.",
)

tanh = Primitive(
    "tanh",
    spec=same,
    run=lambda xp, x: xp.tanh(x),
    align=_as_float,
    vjp=lambda g, out, x: (g * (1 - out * out),),
    doc="Hyperbolic tangent. Saturates: slope below 1e-7 beyond |x| = 8.8.",
)


def _sigmoid_run(xp: Any, x: Any) -> Any:
    small = xp.exp(-xp.abs(x))  # never overflows
    return xp.where(x >= 0, 1 / (1 + small), small / (1 + small))


sigmoid = Primitive(
    "sigmoid",
    spec=same,
    run=_sigmoid_run,
    align=_as_float,
    vjp=lambda g, out, x: (g * (out * (1 - out)),),
    doc="Logistic function 1 / (1 + e^-x), exact to the last digits in both tails.",
)

softplus = Primitive(
    "softplus",
    spec=same,
    run=lambda xp, x: xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.abs(x))),
    align=_as_float,
    vjp=lambda g, out, x: (g * sigmoid(x),),
    doc="log(1 + e^x) without overflow: the smooth form of max(x, 0).",
)

relu: Primitive = Primitive(
    "relu",
    spec=same,
    # Not maximum(x, 0): with it XLA on a CPU lost part of the gradient through pooling (tests/bench/test_peers.py).
    run=lambda xp, x: xp.where(x <= 0, xp.zeros((), x.dtype), x),
    align=_number,
    vjp=lambda g, out, x: (where(less_equal(x, 0), 0, g),),
    doc="max(x, 0); NaN stays NaN. The derivative at 0 is taken as 0, as in the lectures and in PyTorch.",
)

erf = Primitive(
    "erf",
    spec=same,
    run=lambda xp, x: np.asarray(np.frompyfunc(math.erf, 1, 1)(x), x.dtype),
    lower=lambda jax, x: jax.lax.erf(x),
    align=_as_float,
    vjp=lambda g, out, x: (g * (2 / math.sqrt(math.pi) * exp(-(x * x))),),
    doc="Error function 2/sqrt(pi) * integral of e^(-t^2) from 0 to x.",
)

abs = Primitive(
    "abs",
    spec=same,
    run=lambda xp, x: xp.abs(x),
    align=_number,
    vjp=lambda g, out, x: (where(less(0, x), g, where(less(x, 0), -g, 0)),),
    doc="Absolute value. The derivative at 0 is taken as 0, as PyTorch does.",
)

sign = Primitive(
    "sign",
    spec=same,
    run=lambda xp, x: xp.sign(x),
    align=_number,
    vjp=None,
    reason="it is flat everywhere and jumps at 0; a smooth unit (tanh, sigmoid) has one",
    doc="-1, 0 or 1. Not differentiable: nothing could be learned through it.",
)

threshold = Primitive(
    "threshold",
    spec=same,
    run=lambda xp, x: xp.where(x == x, (x >= 0).astype(x.dtype), x),
    align=_as_float,
    vjp=None,
    reason="it is flat everywhere and jumps at 0; a smooth unit (tanh, sigmoid) has one",
    doc="1 where x >= 0, else 0: the perceptron's unit; NaN stays NaN. Not differentiable: nothing could be learned.",
)

# Comparison, logic, choice: the outputs are booleans, so no derivative flows through them.

equal = Primitive(
    "equal",
    spec=_truth,
    run=lambda xp, x, y: x == y,
    align=movement.broadcast_together,
    vjp=None,
    reason="its output is true or false",
    doc="x = y.",
)

less: Primitive = Primitive(
    "less",
    spec=_truth,
    run=lambda xp, x, y: x < y,
    align=movement.broadcast_together,
    vjp=None,
    reason="its output is true or false",
    doc="x < y.",
)

less_equal: Primitive = Primitive(
    "less_equal",
    spec=_truth,
    run=lambda xp, x, y: x <= y,
    align=movement.broadcast_together,
    vjp=None,
    reason="its output is true or false",
    doc="x <= y.",
)

logical_not = Primitive(
    "not",
    spec=_truth,
    run=lambda xp, x: ~x,
    align=_booleans,
    vjp=None,
    reason="its output is true or false",
    doc="True where x is false.",
)

logical_and = Primitive(
    "and",
    spec=_truth,
    run=lambda xp, x, y: x & y,
    align=_booleans,
    vjp=None,
    reason="its output is true or false",
    doc="True where both are.",
)

logical_or = Primitive(
    "or",
    spec=_truth,
    run=lambda xp, x, y: x | y,
    align=_booleans,
    vjp=None,
    reason="its output is true or false",
    doc="True where at least one is.",
)

where: Primitive = Primitive(
    "where",
    spec=lambda condition, x, y: x,
    run=lambda xp, condition, x, y: xp.where(condition, x, y),
    align=_choice,
    vjp=lambda g, out, condition, x, y: (None, where(condition, g, 0), where(condition, 0, g)),
    doc="x where the condition holds, y elsewhere. The branch not taken gets the derivative 0, not 0 times its own.",
)


def greater(x: Any, y: Any) -> Any:
    """x > y."""
    return less(y, x)


def greater_equal(x: Any, y: Any) -> Any:
    """x >= y."""
    return less_equal(y, x)


def not_equal(x: Any, y: Any) -> Any:
    """True where x and y differ."""
    return logical_not(equal(x, y))
