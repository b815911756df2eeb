"""Backpropagation as the lecture writes it: one example at a time, deltas and accumulators."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from preceptor.errors import ShapeError


@dataclass(frozen=True, eq=False)
class Backpropagation:
    """What `delta_recursion` returns.

    Args:
        cost: J, in nats per example, penalty included.
        gradients: one D for each weight matrix, of its shape.
    """

    cost: float
    gradients: tuple[np.ndarray, ...]

    def __str__(self) -> str:
        lines = [f"cost {self.cost:.12g} nats per example", "layer  shape       largest |D|"]
        for number, gradient in enumerate(self.gradients, 1):
            lines.append(f"{number:<5}  {gradient.shape!s:<10}  {np.abs(gradient).max():.12g}")
        return "\n".join(lines)


def delta_recursion(weights: Sequence[Any], x: Any, y: Any, penalty: float = 0.0) -> Backpropagation:
    """Computes the cost of a network of sigmoid units and its gradient by the lecture's recursion.

    Shapes: x (batch, feature), y (batch, class) of 0 and 1 (or probabilities); weights[l] (unit, 1 + feature), one row
        for each unit, its bias weight first.
    Formula: J = -1/m sum over examples and classes of (y log h + (1 - y) log(1 - h))
        + penalty / 2m * sum of the squares of all weights but the bias weights;
        delta = a - y at the last layer, below it (weight.T delta) a (1 - a) without the bias row;
        Delta += delta (outer) a, over the examples; D = Delta / m, plus penalty / m * weight but for the bias weights.
    Args:
        penalty: the lecture's lambda; its share of the cost falls with the number of examples.
    Raises: ShapeError where a weight does not fit what comes from the layer below, or y the last layer.
    Source: course material C.
    Differs: the text prints D = Delta / m + lambda * weight, which is not the derivative of the cost that it prints a
        few pages before; that has lambda / m, as here. Its sums over i and j are read as leaving out the bias weights,
        as its D does.
    """
    matrices = [np.asarray(weight, np.float64) for weight in weights]
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    _check_shapes(matrices, x, y)
    m = len(x)
    cost = 0.0
    accumulators = [np.zeros_like(weight) for weight in matrices]
    for example, target in zip(x, y, strict=True):
        activations, z = [np.append(1.0, example)], np.empty(0)
        for weight in matrices:
            z = weight @ activations[-1]
            activations.append(np.append(1.0, _sigmoid(z)))
        cost += float(np.sum(np.logaddexp(0.0, z) - target * z)) / m  # the formula's logarithms, without overflow

        delta = activations[-1][1:] - target
        for layer in reversed(range(len(matrices))):
            below = activations[layer]
            accumulators[layer] += np.outer(delta, below)
            delta = (matrices[layer].T @ delta * below * (1 - below))[1:]

    decayed = [np.hstack((np.zeros((len(weight), 1)), weight[:, 1:])) for weight in matrices]
    cost += penalty / (2 * m) * sum(float(np.sum(each * each)) for each in decayed)
    gradients = [total / m + penalty / m * each for total, each in zip(accumulators, decayed, strict=True)]
    return Backpropagation(cost, tuple(gradients))


def _sigmoid(z: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(0.0, -z))


def _check_shapes(weights: Sequence[np.ndarray], x: np.ndarray, y: np.ndarray) -> None:
    width = x.shape[-1]
    for number, weight in enumerate(weights, 1):
        if weight.shape[1] != width + 1:
            raise ShapeError(
                f"delta_recursion: weights[{number - 1}] has shape {weight.shape}; {width} values come from below, so "
                f"{width + 1} columns are required. The first column holds the bias weights."
            )
        width = len(weight)
    if y.shape != (len(x), width):
        raise ShapeError(
            f"delta_recursion: y has shape {y.shape}; {(len(x), width)} is required, a column for each output unit."
        )
