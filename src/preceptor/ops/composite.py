"""Functions that need no primitive of their own: composing loses neither digits nor speed."""

from typing import Any

import numpy as np

from preceptor.ops import elementwise, movement, reduction
from preceptor.ops.primitive import as_array

__all__ = [
    "clip",
    "dot",
    "log_sigmoid",
    "log_softmax",
    "logsumexp",
    "outer",
    "softmax",
    "square",
]


def square(x: Any) -> Any:
    """x * x."""
    return elementwise.multiply(x, x)


def clip(x: Any, low: Any, high: Any) -> Any:
    """Limits x to [low, high]; on a limit half of the derivative flows, as for `maximum`."""
    return elementwise.minimum(elementwise.maximum(x, low), high)


def log_sigmoid(x: Any) -> Any:
    """log(sigmoid(x)) without overflow or loss of digits."""
    return -elementwise.softplus(-as_array(x))


def logsumexp(x: Any, axis: Any = -1, keepdims: bool = False) -> Any:
    """log of the sum of e^x over an axis, with the largest taken out first so that nothing overflows.

    Where every element is -inf the result is -inf.
    """
    largest = movement.stop_gradient(reduction.max(x, axis, keepdims=True))
    largest = elementwise.where(elementwise.less(elementwise.abs(largest), np.inf), largest, 0)
    total = elementwise.log(reduction.sum(elementwise.exp(x - largest), axis, keepdims=True)) + largest
    return total if keepdims else reduction.sum(total, axis)


def log_softmax(x: Any, axis: int = -1) -> Any:
    """x less its logsumexp: the logarithm of `softmax`."""
    shifted = x - movement.stop_gradient(reduction.max(x, axis, keepdims=True))
    return shifted - elementwise.log(reduction.sum(elementwise.exp(shifted), axis, keepdims=True))


def softmax(x: Any, axis: int = -1) -> Any:
    """e^x divided by its sum over an axis: positive numbers that add up to 1."""
    powers = elementwise.exp(x - movement.stop_gradient(reduction.max(x, axis, keepdims=True)))
    return powers / reduction.sum(powers, axis, keepdims=True)


def dot(x: Any, y: Any) -> Any:
    """Sum of the products of all elements of two arrays of one shape."""
    return reduction.sum(elementwise.multiply(x, y))


def outer(x: Any, y: Any) -> Any:
    """Product of each element of one vector with each of another: (n,), (m,) -> (n, m)."""
    return movement.reshape(x, (-1, 1)) * movement.reshape(y, (1, -1))
