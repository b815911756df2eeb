"""The least value of a small function."""

from collections.abc import Callable
from typing import Any

import numpy as np

from preceptor.autodiff import value_and_grad
from preceptor.engines import Reference
from preceptor.graph import trace

__all__ = ["descend"]

STEPS, RATE = 100, 0.3  # of Adam, the rate falling to 0


def descend(cost: Callable[[Any], Any], start: np.ndarray, steps: int = STEPS) -> tuple[np.ndarray, float]:
    """Where a cost comes to by so many steps of Adam, and the lowest that was met on the way."""
    z = np.asarray(start, np.float64)
    run = Reference("f64").compile(trace(value_and_grad(cost))(z).graph)
    moment, square, lowest = np.zeros_like(z), np.zeros_like(z), np.inf
    for step in range(1, steps + 1):
        with np.errstate(all="ignore"):  # a loss may take logarithms of what is no probability
            value, slope = (np.asarray(each) for each in run([z]))
        lowest = min(lowest, float(value))
        moment, square = 0.9 * moment + 0.1 * slope, 0.99 * square + 0.01 * slope * slope
        rate = RATE * (1 - step / steps)
        z = z - rate * (moment / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.99**step)) + 1e-8)
    return z, lowest
