"""The functions that the lectures work through, written as the lectures write them."""

# ruff: noqa: RET504  the lectures name the result

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from preceptor import ops as pr


@dataclass(frozen=True, eq=False)
class Example:
    """A function with arguments to try it on, and where it comes from."""

    function: Callable[..., Any]
    arguments: tuple
    title: str


def chain(x: Any) -> Any:
    t = x**2
    u2 = 3 * t
    u1 = pr.sin(t)
    u = u1 + u2
    J = pr.cos(u)
    return J


def quadratic(x: Any, a: Any, b: Any, c: Any) -> Any:
    f = a * x**2 + b * x + c
    return f


def logistic(theta: Any, x: Any, ystar: Any) -> Any:
    a = pr.sum(theta * x)
    y = 1 / (1 + pr.exp(-a))
    J = ystar * pr.log(y) + (1 - ystar) * pr.log(1 - y)
    return J


def network(alpha: Any, beta: Any, x: Any, ystar: Any) -> Any:
    a = alpha @ x
    z = 1 / (1 + pr.exp(-a))
    b = pr.sum(beta * z)
    y = 1 / (1 + pr.exp(-b))
    J = ystar * pr.log(y) + (1 - ystar) * pr.log(1 - y)
    return J


examples = {
    "chain": Example(chain, (2.0,), "J = cos(sin(x²) + 3x²)"),
    "quadratic": Example(quadratic, (2.0, 1.0, -3.0, 5.0), "f(x) = ax² + bx + c"),
    "logistic": Example(
        logistic,
        (np.array([0.5, -1.0, 2.0]), np.array([1.0, 0.5, 0.25]), 1.0),
        "Logistic regression on one example: J = y* log y + (1 - y*) log(1 - y)",
    ),
    "network": Example(
        network,
        (np.array([[0.5, -1.0, 2.0], [-0.5, 1.0, 1.0]]), np.array([1.5, -0.5]), np.array([1.0, 0.5, 0.25]), 1.0),
        "A network with one hidden layer of two sigmoid units, on one example",
    ),
}
