"""The numeric checker: gradients by central differences beside those of reverse mode, for any function."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from preceptor import ops
from preceptor.autodiff.transform import _check_scalar, grad
from preceptor.errors import ConfigError, ShapeError
from preceptor.graph import call, flatten, map_leaves, trace
from preceptor.hyper import typed
from preceptor.ops.primitive import as_array


@dataclass(frozen=True)
class GradientCheck:
    """Result of `check_gradients`.

    Args:
        worst_error: largest relative error over all elements of all arguments.
        where: argument, leaf and index of it.
        automatic, numeric: the two derivatives there.
        elements: how many elements were compared.
        automatic_seconds, numeric_seconds: what the two ways cost.
    """

    worst_error: float
    where: str
    automatic: float
    numeric: float
    elements: int
    automatic_seconds: float
    numeric_seconds: float

    def __str__(self) -> str:
        return (
            f"worst relative error {self.worst_error:.1e} at {self.where} "
            f"(automatic {self.automatic:.12g}, central differences {self.numeric:.12g}) over {self.elements} "
            f"elements; automatic {self.automatic_seconds:.2g} s, central differences {self.numeric_seconds:.2g} s"
        )


def numeric_gradient(function: Callable[..., Any], *args: Any, epsilon: float | None = None) -> tuple:
    """Approximates the gradient of a scalar function by each of its float arguments.

    Formula: D(h) = (f(x + h) - f(x - h)) / 2h for each element; (4 D(h/2) - D(h)) / 3 cancels the error of order h².
        h = 5e-4 * max(1, |x|) balances what is left, of order h⁴, against rounding, of order 1e-16 / h.
        With an epsilon: plain central differences, D(epsilon); the error grows as epsilon² and, by rounding, as
        1 / epsilon.
    Args:
        epsilon: the step, the same for every element, above 0.
    Returns: nested as the arguments. Four evaluations of the function for each element; with an epsilon the function
        itself is called, with NumPy arrays, twice for each of N elements: 2N times.
    Raises: ConfigError for an epsilon that is not above 0, or does not change an element; ShapeError for a function
        that is not scalar.
    Source: course material A (plain); Richardson 1911 for the default.
    """
    args = tuple(map_leaves(_as_float64, arg) for arg in args)
    leaves, arguments = flatten(args)
    if epsilon is None:
        program = trace(function)(*args)
        _check_scalar(program, has_aux=False)
        step: float | None = None
        evaluate: Callable[[Any], Any] = partial(call, program)
    else:
        step, evaluate = _step(epsilon), lambda nested: _scalar(function(*nested))

    def at(position: int, index: tuple, value: float) -> float:
        moved = leaves[position].copy()
        moved[index] = value
        return float(evaluate(arguments.build(iter([*leaves[:position], moved, *leaves[position + 1 :]]))))

    def difference(position: int, index: tuple, h: float) -> float:
        x = float(leaves[position][index])
        if x + h == x - h:
            raise ConfigError(f"numeric_gradient: epsilon is {h:g} beside the value {x:g}; it must change the value.")
        return (at(position, index, x + h) - at(position, index, x - h)) / (2 * h)

    gradients = []
    for position, leaf in enumerate(leaves):
        gradient = np.zeros_like(leaf)
        for index in np.ndindex(leaf.shape) if leaf.dtype.kind == "f" else ():
            if step is not None:
                gradient[index] = difference(position, index, step)
                continue
            h = 5e-4 * max(1.0, abs(float(leaf[index])))
            gradient[index] = (4 * difference(position, index, h / 2) - difference(position, index, h)) / 3
        gradients.append(gradient)
    return arguments.build(iter(gradients))


def _step(epsilon: Any) -> float:
    """Raises: ConfigError for what is no step."""
    step = float(typed("numeric_gradient", "epsilon", epsilon, float))
    if not 0 < step < math.inf:
        raise ConfigError(f"numeric_gradient: epsilon is {step:g}; it must be above 0. 1e-5 suits most functions.")
    return step


def _scalar(value: Any) -> float:
    array = np.asarray(value)
    if array.shape != () or array.dtype.kind != "f":
        raise ShapeError(
            f"numeric_gradient: the function gave shape {array.shape}, {array.dtype}; a float of shape () is required. "
            "Take the sum."
        )
    return float(array)


def check_gradients(function: Callable[..., Any], *args: Any, epsilon: float | None = None) -> GradientCheck:
    """Compares reverse mode with central differences, in float64, for every float argument of a function.

    Formula: |a - n| / max(|a|, |n|, 1e-3 * largest |n|, 1e-6): the floor keeps derivatives that vanish beside the
        others from counting rounding as error.
    Args:
        function: any function of arrays; a result that is not a scalar is summed with the weights cos(0), cos(1), ...,
            which are all unequal, so that errors cannot cancel. A scalar is compared as it is, for cos(0) is 1.
        epsilon: the step of plain central differences; None for the more exact ones of `numeric_gradient`.
    Returns: a GradientCheck; printing it says the worst error and where it is.
    """
    args = tuple(map_leaves(_as_float64, arg) for arg in args)
    scalar = _weighted_sum(function)
    wrt = tuple(i for i, arg in enumerate(args) if all(leaf.dtype.kind == "f" for leaf in flatten(arg)[0]))
    start = time.perf_counter()
    automatic = grad(scalar, wrt)(*args)
    middle = time.perf_counter()
    numeric = numeric_gradient(scalar, *args, epsilon=epsilon)
    end = time.perf_counter()

    largest = max((float(np.max(np.abs(n), initial=0)) for n in flatten(numeric)[0]), default=0.0)
    worst, elements = (-1.0, "nowhere", 0.0, 0.0), 0
    for position, gradient in zip(wrt, automatic, strict=True):
        for number, (a, n) in enumerate(zip(flatten(gradient)[0], flatten(numeric[position])[0], strict=True)):
            elements += a.size
            floor = max(1e-3 * largest, 1e-6)
            error = np.abs(a - n) / np.maximum(np.maximum(np.abs(a), np.abs(n)), floor)
            error = np.where(np.isnan(error), np.inf, error)
            if error.size and error.max() > worst[0]:
                index = tuple(int(i) for i in np.unravel_index(int(error.argmax()), error.shape))
                leaf = f", leaf {number}" if flatten(args[position])[1].kind else ""
                place = f"argument {position}{leaf}, index {index}"
                worst = (float(error[index]), place, float(a[index]), float(n[index]))
    return GradientCheck(max(worst[0], 0.0), *worst[1:], elements, middle - start, end - middle)


def _as_float64(leaf: Any) -> np.ndarray:
    array = np.asarray(leaf)
    return np.array(array, np.float64) if array.dtype.kind == "f" or isinstance(leaf, (int, float)) else array


def _weighted_sum(function: Callable[..., Any]) -> Callable[..., Any]:
    def scalar(*args: Any) -> Any:
        total: Any = 0.0
        before = 0  # elements of the leaves before
        for leaf in map(as_array, flatten(function(*args))[0]):
            if leaf.dtype.kind != "f":
                continue
            weights = np.cos(np.arange(before, before + leaf.size, dtype=np.float64)).reshape(leaf.shape)
            total, before = ops.sum(leaf * weights) + total, before + leaf.size
        return total

    return scalar
