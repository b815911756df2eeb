"""Layers that summarise windows of places, channel by channel. Across channels there is nn.Maxout."""

from typing import Any

from preceptor import ops
from preceptor.hyper import hyper, settings
from preceptor.nn.layer import Function

__all__ = ["GlobalMaxPool", "GlobalMeanPool", "MaxPool", "MeanPool", "SumPool"]

Numbers = int | tuple[int, ...]


@settings
class Pool(Function):
    """What the kinds of pooling share."""

    window: Numbers = hyper(default=2, low=1, unit="places", doc="Places along each axis of space.")
    stride: Numbers | None = hyper(default=None, low=1, unit="places", doc="To the next window; None: the window.")
    padding: str | int | tuple[tuple[int, int], ...] = hyper(default="valid", low=0, doc="Places added around.")


@settings
class MaxPool(Pool):
    """Takes the largest value of each window.

    Shapes: x (batch, *space, channel) -> (batch, *space, channel), with one to three axes of space: n places become
        ceil(n / stride) under padding "same", else (n + before + after - window) // stride + 1.
    Args:
        window: one number, or a tuple with one for each axis of space.
        stride: the same; a stride below the window makes windows overlap.
        padding: as of Convolution, smaller than the window. It is never the largest.
    Raises: ShapeError where no window fits.
    Source: Ranzato et al. 2007; overlapping Krizhevsky et al. 2012, section 3.4.
    Differs: equal largest values share the derivative; PyTorch gives it to the first.
    """

    def __call__(self, x: Any) -> Any:
        return ops.max_pool(x, self.window, self.stride, self.padding)


@settings
class MeanPool(Pool):
    """Averages each window.

    Shapes: as MaxPool.
    Args:
        window: one number, or a tuple with one for each axis of space.
        stride: the same; a stride below the window makes windows overlap.
        padding: as of MaxPool; it is not counted.
    Raises: ShapeError where no window fits.
    Source: LeCun et al. 1998, section II.B, without their coefficient and bias.
    Differs: PyTorch counts padding unless told count_include_pad=False.
    """

    def __call__(self, x: Any) -> Any:
        return ops.mean_pool(x, self.window, self.stride, self.padding)


@settings
class SumPool(Pool):
    """Sums each window.

    Shapes: as MaxPool.
    Args:
        window: one number, or a tuple with one for each axis of space.
        stride: the same; a stride below the window makes windows overlap.
        padding: as of MaxPool; it counts as 0.
    Raises: ShapeError where no window fits.
    Source: course material B.
    """

    def __call__(self, x: Any) -> Any:
        return ops.sum_pool(x, self.window, self.stride, self.padding)


@settings
class GlobalMeanPool(Function):
    """Averages each channel over all places.

    Shapes: x (batch, *space, channel) -> (batch, channel).
    Source: Lin et al. 2014, section 3.2.
    """

    def __call__(self, x: Any) -> Any:
        return ops.mean(x, range(1, x.ndim - 1))


@settings
class GlobalMaxPool(Function):
    """Takes the largest value of each channel over all places; equal ones share the derivative.

    Shapes: x (batch, *space, channel) -> (batch, channel).
    Source: Oquab et al. 2015, section 3.
    """

    def __call__(self, x: Any) -> Any:
        return ops.max(x, range(1, x.ndim - 1))
