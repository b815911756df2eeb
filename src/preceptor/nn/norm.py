"""Layers that normalise."""

from typing import Any, ClassVar

import numpy as np

from preceptor import ops
from preceptor.errors import ShapeError
from preceptor.hyper import hyper, settings
from preceptor.nn.initialiser import filled
from preceptor.nn.layer import Arrays, Function, Layer, check_width
from preceptor.ops import Spec
from preceptor.ops.primitive import user_line

__all__ = ["BatchNorm", "LayerNorm", "LocalContrastNorm", "LocalResponseNorm"]


@settings
class BatchNorm(Layer):
    """Normalises each feature over the batch, then scales and shifts it by learned numbers.

    Shapes: x (batch, ..., feature) -> the same; scale, shift and the running mean and variance (feature,). Of images,
        (batch, height, width, channel), every place counts as an example: one mean for each channel.
    Formula: y = scale (x - mean) / sqrt(variance + epsilon) + shift. Training takes the mean and variance of the batch
        (divided by the count) and moves the running ones, `running = decay * running + (1 - decay) * batch`, the
        variance there divided by the count less 1. Otherwise the running ones are used.
    Source: Ioffe and Szegedy 2015, algorithms 1 and 2.
    Differs: PyTorch's momentum is 1 - decay, Keras' is decay; Keras keeps the variance divided by the count. Course
        material D keeps running means of x and x² and takes E(x²) - E(x)²: that counts how far the means of the
        batches lie apart as well, and loses digits where the mean is large; here, as in both libraries, the variances
        of the batches are averaged. The paper's algorithm 2 averages evenly, over batches drawn after training.
    """

    is_featurewise: ClassVar[bool] = True

    decay: float = hyper(
        default=0.9, low=0, high=1, unit="share kept per step", doc="Share of the running averages kept."
    )
    epsilon: float = hyper(default=1e-5, low=0, scale="log", doc="Added to the variance.")
    scale: bool = hyper(default=True, doc="Whether each feature is scaled by a learned number; else by 1.")

    def init(self, rng: np.random.Generator, spec: Spec) -> tuple[Arrays, Arrays]:
        ones, zeros = filled(rng, spec.shape[-1:], 1), filled(rng, spec.shape[-1:], 0)
        params = {"scale": ones, "shift": zeros} if self.scale else {"shift": zeros}
        return params, {"mean": zeros, "variance": ones}

    def apply(self, params: Arrays, state: Arrays, x: Any, *, train: bool, key: Any) -> tuple[Any, Arrays]:
        check_width(x, -1, params["shift"].shape[0], "shift")
        mean, variance = state["mean"], state["variance"]
        if train:
            axes = tuple(range(x.ndim - 1))
            mean, variance = ops.mean(x, axes), ops.variance(x, axes)
            count = x.size // x.shape[-1]
            unbiased = variance * (count / max(count - 1, 1))
            state = {
                "mean": ops.stop_gradient(self.decay * state["mean"] + (1 - self.decay) * mean),
                "variance": ops.stop_gradient(self.decay * state["variance"] + (1 - self.decay) * unbiased),
            }
        slope = (params["scale"] if self.scale else 1) / ops.sqrt(variance + self.epsilon)
        return (x - mean) * slope + params["shift"], state


@settings
class LayerNorm(Layer):
    """Normalises each example over its features, then scales and shifts them by learned numbers.

    Shapes: x (..., feature) -> the same; scale and shift (feature,).
    Formula: y = scale (x - mean) / sqrt(variance + epsilon) + shift, mean and variance (divided by the count) over the
        last axis.
    Source: Ba et al. 2016, section 3.
    """

    epsilon: float = hyper(default=1e-5, low=0, scale="log", doc="Added to the variance.")

    def init(self, rng: np.random.Generator, spec: Spec) -> tuple[Arrays, Arrays]:
        return {"scale": filled(rng, spec.shape[-1:], 1), "shift": filled(rng, spec.shape[-1:], 0)}, {}

    def apply(self, params: Arrays, state: Arrays, x: Any, *, train: bool, key: Any) -> tuple[Any, Arrays]:
        check_width(x, -1, params["scale"].shape[0], "scale")
        distance = x - ops.mean(x, -1, keepdims=True)
        deviation = ops.sqrt(ops.mean(distance * distance, -1, keepdims=True) + self.epsilon)
        return distance / deviation * params["scale"] + params["shift"], state


@settings
class LocalResponseNorm(Function):
    """Damps each value by the strength of its neighbours in the feature axis, at the same place.

    Shapes: x (..., feature) -> the same.
    Formula: y[i] = x[i] / (k + alpha * sum of x[j]²)^beta, the sum over the `window` features around i, itself among
        them, cut at both ends. Of an even window the larger half lies before i.
    Source: Krizhevsky et al. 2012, section 3.3, with its constants.
    Differs: PyTorch (and Caffe) divide alpha by the window: their alpha is ours times the window.
    """

    window: int = hyper(default=5, low=1, unit="features", doc="Features that are summed over.")
    alpha: float = hyper(default=1e-4, low=0, scale="log", doc="Weight of the sum.")
    beta: float = hyper(default=0.75, low=0, doc="Power of the divisor.")
    k: float = hyper(default=2.0, low=1e-6, doc="The divisor, before its power, where all neighbours are 0.")

    def __call__(self, x: Any) -> Any:
        before = self.window // 2
        widths = [(0, 0)] * (x.ndim - 1) + [(before, self.window - 1 - before)]
        total = ops.window_sum(x * x, [1] * (x.ndim - 1) + [self.window], padding=widths)
        return x * (self.k + self.alpha * total) ** -self.beta


@settings
class LocalContrastNorm(Function):
    """Takes off each place's local mean, then divides by its local deviation where that is above the picture's own.

    Shapes: x (batch, *space, feature) -> the same, for one, two or three axes of space.
    Formula: v = x - sum of w x, y = v / max(c, s, epsilon), s² = sum of w v². The sums run over a window around the
        place and over all features; w falls off as a normal distribution of deviation window / 4 and adds up to 1, at
        the edges too, where the window is cut. c is the mean of s over the picture.
    Raises: ShapeError for an input without axes of space.
    Source: Jarrett et al. 2009, section 2.1 (local contrast normalisation layer): window 9; deviation of the weights,
        edges and epsilon as in Torch7.
    """

    window: int = hyper(default=9, low=1, unit="places", doc="Length of the window along each axis of space.")
    epsilon: float = hyper(default=1e-4, low=1e-30, scale="log", doc="Smallest divisor.")

    def __call__(self, x: Any) -> Any:
        if not 3 <= x.ndim <= 5:
            raise ShapeError(f"at {user_line()}: input has shape {x.shape}; (batch, *space, feature) is required.")
        v = x - self._local_mean(x)
        variance = self._local_mean(v * v)
        deviation = ops.sqrt(ops.maximum(variance, self.epsilon**2))  # no root of 0, whose slope is infinite
        picture = ops.mean(deviation, range(1, x.ndim - 1), keepdims=True)
        return v / ops.maximum(deviation, picture)

    def _local_mean(self, x: Any) -> Any:
        """Weighted means over window and features, one axis of space after the other: (batch, *space, 1)."""
        places = np.arange(self.window) - (self.window - 1) / 2
        weights = np.exp(-0.5 * (places / (self.window / 4)) ** 2)
        y = ops.mean(x, -1, keepdims=True)
        for axis in range(1, x.ndim - 1):
            kernel = weights.reshape([self.window if a == axis else 1 for a in range(1, x.ndim + 1)])
            inside = np.convolve(np.ones(x.shape[axis]), weights)[self.window // 2 :][: x.shape[axis]]
            share = inside.reshape([-1 if a == axis else 1 for a in range(x.ndim)])
            y = ops.convolution(y, kernel.astype(x.dtype), padding="same") / share.astype(x.dtype)
        return y
