"""Layers of plain arithmetic: what networks made elsewhere have between the layers that have names of their own."""

from typing import Any

import numpy as np

from preceptor import ops
from preceptor.errors import ConfigError, ShapeError
from preceptor.hyper import hyper, settings
from preceptor.nn.initialiser import filled
from preceptor.nn.layer import Arrays, Function, Layer
from preceptor.ops import Spec
from preceptor.ops.primitive import user_line

__all__ = ["Clip", "LogSoftmax", "Rescale", "ScaleShift"]


@settings
class Clip(Function):
    """Keeps every value within limits.

    Shapes: any -> the same.
    Formula: y = min(max(x, low), high); on a limit half of the slope flows. None: no limit on that side.
    Raises: ConfigError where the limits are the wrong way round.
    Source: definition.
    """

    low: float | None = hyper(default=None, doc="Smallest value of the output.")
    high: float | None = hyper(default=None, doc="Largest value of the output.")

    def __post_init__(self) -> None:
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ConfigError(f"Clip: low is {self.low:g}, high is {self.high:g}; low must not be above high.")

    def __call__(self, x: Any) -> Any:
        above = x if self.low is None else ops.maximum(x, self.low)
        return above if self.high is None else ops.minimum(above, self.high)


@settings
class Rescale(Function):
    """Maps every value by one fixed line: pixels of 0 to 255 to 0 to 1, say.

    Shapes: any -> the same.
    Formula: y = scale x + shift.
    Source: definition.
    """

    scale: float = hyper(default=1.0, doc="Factor of every value.")
    shift: float = hyper(default=0.0, doc="What is then added.")

    def __call__(self, x: Any) -> Any:
        y = x if self.scale == 1 else x * self.scale
        return y if self.shift == 0 else y + self.shift


@settings
class ScaleShift(Layer):
    """Maps each feature by a line of its own, which is learned.

    Shapes: x (..., feature) -> the same; scale and shift have the shape of the last axes of x: (feature,), or
        (*space, feature) where every place has its own.
    Formula: y = scale x + shift; at first scale is 1 and shift 0.
    Raises: ShapeError where x has not these axes, or other lengths.
    Source: definition; batch normalisation that is held at its averages is one.
    """

    axes: int = hyper(default=1, low=1, unit="axes", doc="Last axes whose entries have numbers of their own.")
    scale: bool = hyper(default=True, doc="Whether each has a factor.")
    shift: bool = hyper(default=True, doc="Whether to each a number is added.")

    def init(self, rng: np.random.Generator, spec: Spec) -> tuple[Arrays, Arrays]:
        if spec.ndim <= self.axes:
            raise ShapeError(
                f"at {user_line()}: input has shape {spec.shape}; a batch and {self.axes} axes of features are "
                "required."
            )
        shape = spec.shape[-self.axes :]
        wanted = (("scale", self.scale, 1.0), ("shift", self.shift, 0.0))
        return {name: filled(rng, shape, value) for name, has, value in wanted if has}, {}

    def apply(self, params: Arrays, state: Arrays, x: Any, *, train: bool, key: Any) -> tuple[Any, Arrays]:
        for name, value in params.items():
            if tuple(x.shape[-self.axes :]) != tuple(value.shape):
                raise ShapeError(
                    f"at {user_line()}: input has shape {tuple(x.shape)}; {name} has {tuple(value.shape)}, and the "
                    "last axes must agree. Check the layer before it."
                )
        y = x * params["scale"] if self.scale else x
        return (y + params["shift"] if self.shift else y), state


@settings
class LogSoftmax(Function):
    """Makes the last axis the logarithms of probabilities.

    Shapes: x (..., class) -> the same.
    Formula: g(z)[k] = z[k] - log(sum over j of e^z[j]).
    Source: Bridle 1990. Losses on logits have it within them.
    """

    def __call__(self, x: Any) -> Any:
        return ops.log_softmax(x)
