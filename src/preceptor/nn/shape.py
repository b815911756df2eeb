"""Layers that only change the shape."""

import math
from typing import Any

from preceptor import ops
from preceptor.hyper import settings
from preceptor.nn.layer import Function

__all__ = ["Flatten"]


@settings
class Flatten(Function):
    """Lays the features of each example out in one row.

    Shapes: x (batch, ...) -> (batch, feature), in row-major order: the last axis runs fastest.
    Source: definition.
    Differs: PyTorch's images are (batch, channel, height, width), so that its rows are in another order.
    """

    def __call__(self, x: Any) -> Any:
        return ops.reshape(x, (x.shape[0], math.prod(x.shape[1:])))
