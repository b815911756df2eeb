"""Layers that normalise."""

from typing import Any

import numpy as np

from preceptor import ops
from preceptor.hyper import hyper, settings
from preceptor.nn.layer import Arrays, Layer, check_width
from preceptor.ops import Spec

__all__ = ["BatchNorm"]


@settings
class BatchNorm(Layer):
    """Normalises each feature over the batch, then scales and shifts it by learned numbers.

    Shapes: x (batch, ..., feature) -> the same; scale, shift and the running mean and variance (feature,).
    Formula: y = scale (x - mean) / sqrt(variance + epsilon) + shift. Training takes the mean and variance of the batch
        (divided by the count) and moves the running ones, `running = decay * running + (1 - decay) * batch`, the
        variance there divided by the count less 1. Otherwise the running ones are used.
    Source: Ioffe and Szegedy 2015, algorithms 1 and 2.
    Differs: PyTorch's momentum is 1 - decay, Keras' is decay; Keras keeps the variance divided by the count.
    """

    decay: float = hyper(
        default=0.9, low=0, high=1, unit="share kept per step", doc="Share of the running averages kept."
    )
    epsilon: float = hyper(default=1e-5, low=0, scale="log", doc="Added to the variance.")

    def init(self, rng: np.random.Generator, spec: Spec) -> tuple[Arrays, Arrays]:
        ones, zeros = np.ones(spec.shape[-1], np.float32), np.zeros(spec.shape[-1], np.float32)
        return {"scale": ones, "shift": zeros}, {"mean": zeros, "variance": ones}

    def apply(self, params: Arrays, state: Arrays, x: Any, *, train: bool, key: Any) -> tuple[Any, Arrays]:
        check_width(x, -1, params["scale"].shape[0], "scale")
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
        slope = params["scale"] / ops.sqrt(variance + self.epsilon)
        return (x - mean) * slope + params["shift"], state
