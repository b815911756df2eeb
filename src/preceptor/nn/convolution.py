"""The layer that looks at every place through the same window."""

from typing import Any

import numpy as np

from preceptor import ops
from preceptor.errors import ShapeError
from preceptor.hyper import hyper, settings
from preceptor.nn.initialiser import Constant, He, Initialiser
from preceptor.nn.layer import Arrays, Layer, check_width
from preceptor.ops import Spec
from preceptor.ops.primitive import user_line
from preceptor.ops.window import each_axis

__all__ = ["Convolution"]


@settings
class Convolution(Layer):
    """Maps each window of places through one affine function, the same at every place.

    Shapes: x (batch, *space, channel) -> (batch, *space, filter), with one to three axes of space (signals, pictures,
        volumes): n places become ceil(n / stride) under padding "same", else (n + before + after -
        (window - 1) * dilation - 1) // stride + 1. weight (*window, channel // groups, filter); bias (filter,), at
        first 0 unless drawn.
    Formula: y[p, o] = sum over q, i of x[stride * p + dilation * q - before, i] * weight[q, i, o] + bias[o].
    Args:
        window, stride, dilation: one number, or a tuple with one for each axis of space.
        padding: zeros around the picture: "same", "valid" (none), one number for every side, or a tuple of
            (before, after) for each axis of space.
        groups: so many equal parts of the channels, each seen by its own part of the filters only.
    Raises: ShapeError where the shapes do not fit, or the groups do not divide channels and filters.
    Source: LeCun et al. 1998, section II; groups Krizhevsky et al. 2012; initial scale He et al. 2015, section 2.2.
    Differs: PyTorch has channels second and keeps the weight as (filter, channel // groups, *window); with stride 1
        its "same" is ours. Keras' default padding is "valid".
    """

    filters: int = hyper(low=1, unit="features", doc="Features of the output.")
    window: int | tuple[int, ...] = hyper(default=3, low=1, unit="places", doc="Places seen along each axis.")
    stride: int | tuple[int, ...] = hyper(default=1, low=1, unit="places", doc="From one window to the next.")
    padding: str | int | tuple[tuple[int, int], ...] = hyper(default="same", low=0, doc="Zeros around the picture.")
    dilation: int | tuple[int, ...] = hyper(default=1, low=1, unit="places", doc="From one place seen to the next.")
    groups: int = hyper(default=1, low=1, unit="groups", doc="Parts that do not see each other's channels.")
    bias: bool = hyper(default=True, doc="Whether each filter adds a learned number.")
    initialiser: Initialiser = hyper(default=He(), doc="Draws the first weights.")
    bias_initialiser: Initialiser = hyper(default=Constant(0.0), doc="Draws the first biases.")

    def init(self, rng: np.random.Generator, spec: Spec) -> tuple[Arrays, Arrays]:
        if not 3 <= spec.ndim <= 5:
            raise ShapeError(
                f"at {user_line()}: input has shape {spec.shape}; (batch, *space, channel) with one to three axes of "
                "space is required. Reshape it."
            )
        channels = spec.shape[-1]
        if channels % self.groups or self.filters % self.groups:
            raise ShapeError(
                f"at {user_line()}: input has {channels} channels, there are {self.filters} filters; {self.groups} "
                "groups must divide both."
            )
        window = each_axis("convolution", "window", self.window, spec.ndim - 2)
        params = {"weight": self.initialiser.draw(rng, (*window, channels // self.groups, self.filters))}
        if self.bias:
            params["bias"] = self.bias_initialiser.draw(rng, (self.filters,))
        return params, {}

    def apply(self, params: Arrays, state: Arrays, x: Any, *, train: bool, key: Any) -> tuple[Any, Arrays]:
        weight = params["weight"]
        check_width(x, -1, weight.shape[-2] * self.groups, f"weight {tuple(weight.shape)}")
        y = ops.convolution(x, weight, self.stride, self.padding, self.dilation, self.groups)
        return (y + params["bias"] if self.bias else y), state
