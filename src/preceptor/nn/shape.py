"""Layers that only change the shape."""

import math
from typing import Any

from preceptor import ops
from preceptor.errors import ConfigError, ShapeError
from preceptor.hyper import hyper, settings
from preceptor.nn.layer import Function
from preceptor.ops.primitive import user_line

__all__ = ["Flatten", "Permute", "Reshape", "ZeroPad"]


@settings
class Flatten(Function):
    """Lays the features of each example out in one row.

    Shapes: x (batch, ...) -> (batch, feature), in row-major order: the last axis runs fastest.
    Source: definition.
    Differs: PyTorch's images are (batch, channel, height, width), so that its rows are in another order.
    """

    def __call__(self, x: Any) -> Any:
        return ops.reshape(x, (x.shape[0], math.prod(x.shape[1:])))


@settings
class Reshape(Function):
    """Gives the features of each example another shape, in row-major order.

    Shapes: x (batch, ...) -> (batch, *shape).
    Raises: ShapeError where the shape holds another number of features.
    Source: definition.
    """

    shape: tuple[int, ...] = hyper(low=0, unit="features", doc="Of one example.")

    def __call__(self, x: Any) -> Any:
        if math.prod(x.shape[1:]) != math.prod(self.shape):
            raise ShapeError(
                f"at {user_line()}: input has shape {tuple(x.shape)}; {self.shape} holds {math.prod(self.shape)} "
                "features of each example, which must be as many."
            )
        return ops.reshape(x, (x.shape[0], *self.shape))


@settings
class Permute(Function):
    """Puts the axes of each example into another order.

    Shapes: x (batch, ...) -> (batch, ...); axes (2, 1) makes (batch, feature, time) of (batch, time, feature).
    Raises: ConfigError where an axis is missing or double; ShapeError for an input with more or fewer.
    Source: definition.
    """

    axes: tuple[int, ...] = hyper(low=1, unit="position", doc="Where each axis stood, counted from 1 behind the batch.")

    def __post_init__(self) -> None:
        if sorted(self.axes) != list(range(1, len(self.axes) + 1)):
            raise ConfigError(f"Permute: axes is {self.axes}; each of 1 to {len(self.axes)} must stand there once.")

    def __call__(self, x: Any) -> Any:
        if x.ndim != len(self.axes) + 1:
            raise ShapeError(
                f"at {user_line()}: input has shape {tuple(x.shape)}; a batch and {len(self.axes)} axes are required."
            )
        return ops.transpose(x, (0, *self.axes))


@settings
class ZeroPad(Function):
    """Puts zeros around the features of each example.

    Shapes: x (batch, ...) -> (batch, ...), each axis longer by what stands before and after it.
    Raises: ShapeError for an input with more or fewer axes.
    Source: definition.
    """

    widths: tuple[tuple[int, int], ...] = hyper(low=0, unit="places", doc="(before, after) of each axis but the batch.")

    def __call__(self, x: Any) -> Any:
        return ops.pad(x, ((0, 0), *self.widths))
