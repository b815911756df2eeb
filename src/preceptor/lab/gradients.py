"""The gradient of one function three ways: by formula, by differences, by reverse mode."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from preceptor.autodiff import grad, numeric_gradient
from preceptor.graph import flatten, map_leaves


@dataclass(frozen=True)
class Way:
    """One way to a gradient.

    Args:
        name: "analytic", "numeric" or "automatic".
        gradients: one for each argument, nested as it is.
        error: largest relative distance of an element from the analytic gradient.
        seconds: best of the repeats.
        calls: how many times the function, or its derivative, was computed.
    """

    name: str
    gradients: tuple
    error: float
    seconds: float
    calls: int


@dataclass(frozen=True)
class ThreeWays:
    """What `three_ways` returns: one gradient, three costs."""

    analytic: Way
    numeric: Way
    automatic: Way
    elements: int

    def __str__(self) -> str:
        lines = [f"gradient of {self.elements} elements", "way        relative error  seconds   calls"]
        for way in (self.analytic, self.numeric, self.automatic):
            lines.append(f"{way.name:<9}  {way.error:<14.1e}  {way.seconds:<8.2g}  {way.calls}")
        return "\n".join(lines)


def three_ways(function: Callable[..., Any], analytic: Callable[..., Any], *args: Any, repeats: int = 3) -> ThreeWays:
    """Computes the gradient of a scalar function analytically, by central differences, and automatically, in float64.

    Formula: error = |g - a| / max(|g|, |a|, 1e-3 * largest |a|), a being the analytic element: the floor keeps elements
        that vanish beside the others from counting rounding as error. Where the analytic gradient is zero, |g - a|.
    Args:
        function: takes float arrays in any nesting and returns one scalar.
        analytic: the gradient by hand, of the same arguments: a tuple with one entry for each of them, or the entry
            itself where there is one argument.
        repeats: each way is timed so often; the best counts. 3: conventional.
    Returns: a ThreeWays. Calls: 1 for the formula, 4 for each element by differences (see numeric_gradient), and 1, run
        forward and back, for reverse mode, whose seconds include recording the function.
    Source: course material A.
    """
    args = tuple(map_leaves(lambda leaf: np.array(leaf, np.float64), arg) for arg in args)
    elements = sum(leaf.size for leaf in flatten(args)[0])
    by_hand, by_hand_seconds = _timed(analytic, args, repeats)
    by_hand = by_hand if len(args) > 1 else (by_hand,)
    differences, differences_seconds = _timed(lambda *a: numeric_gradient(function, *a), args, repeats)
    reverse, reverse_seconds = _timed(grad(function, range(len(args))), args, repeats)
    return ThreeWays(
        Way("analytic", by_hand, 0.0, by_hand_seconds, 1),
        Way("numeric", differences, _error(differences, by_hand), differences_seconds, 4 * elements),
        Way("automatic", reverse, _error(reverse, by_hand), reverse_seconds, 1),
        elements,
    )


def _timed(way: Callable[..., Any], args: tuple, repeats: int) -> tuple[Any, float]:
    best, result = float("inf"), None
    for _ in range(repeats):
        start = time.perf_counter()
        result = way(*args)
        best = min(best, time.perf_counter() - start)
    return result, best


def _error(gradients: Any, analytic: Any) -> float:
    ours, theirs = (np.concatenate([np.ravel(leaf) for leaf in flatten(each)[0]]) for each in (gradients, analytic))
    floor = 1e-3 * np.max(np.abs(theirs), initial=0.0) or 1.0
    scale = np.maximum(np.maximum(np.abs(ours), np.abs(theirs)), floor)
    return float(np.max(np.abs(ours - theirs) / scale, initial=0.0))
