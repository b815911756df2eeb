"""The affine layer."""

from typing import Any

import numpy as np

from preceptor.errors import ShapeError
from preceptor.hyper import hyper, settings
from preceptor.nn.initialiser import Constant, He, Initialiser
from preceptor.nn.layer import Arrays, Layer, check_width
from preceptor.ops import Spec
from preceptor.ops.primitive import user_line

__all__ = ["Dense"]


@settings
class Dense(Layer):
    """Maps the last axis through an affine function.

    Shapes: x (..., feature) -> (..., unit); weight (feature, unit); bias (unit,), at first 0 unless drawn.
    Formula: y = x @ weight + bias.
    Source: Rosenblatt 1958; initial scale He et al. 2015, section 2.2.
    Differs: PyTorch keeps the weight as (unit, feature) and draws both from a uniform distribution.
    """

    units: int = hyper(low=1, unit="features", doc="Width of the output.")
    bias: bool = hyper(default=True, doc="Whether each unit adds a learned number.")
    initialiser: Initialiser = hyper(default=He(), doc="Draws the first weights.")
    bias_initialiser: Initialiser = hyper(default=Constant(0.0), doc="Draws the first biases.")

    def init(self, rng: np.random.Generator, spec: Spec) -> tuple[Arrays, Arrays]:
        if spec.ndim < 2:
            raise ShapeError(f"at {user_line()}: input has shape {spec.shape}; (batch, ..., feature) is required.")
        params = {"weight": self.initialiser.draw(rng, (spec.shape[-1], self.units))}
        if self.bias:
            params["bias"] = self.bias_initialiser.draw(rng, (self.units,))
        return params, {}

    def apply(self, params: Arrays, state: Arrays, x: Any, *, train: bool, key: Any) -> tuple[Any, Arrays]:
        weight = params["weight"]
        check_width(x, -1, weight.shape[0], f"weight {tuple(weight.shape)}")
        y = x @ weight
        return (y + params["bias"] if self.bias else y), state
