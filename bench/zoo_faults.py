"""Mistakes in losses, optimisers and layers that the library does not let one make: written down to be diagnosed."""

from typing import Any

import numpy as np

from preceptor import nn, ops
from preceptor.hyper import hyper, settings
from preceptor.nn import Loss
from preceptor.nn.initialiser import Initialiser
from preceptor.nn.loss import class_shares
from preceptor.train import SGD, Adam

SMALLEST = 1e-37  # what float32 still holds where a program clips at less


@settings
class Times(Loss):
    """A loss with a factor: a sum over the batch where a mean is meant is the mean times the batch."""

    loss: Loss
    factor: float

    def __call__(self, outputs: Any, target: Any) -> Any:
        return self.factor * self.loss(outputs, target)

    def judge(self, outputs: Any, target: Any) -> Any:
        return self.factor * self.loss.judge(outputs, target)

    def prepared(self, target: Any, units: int, dtype: Any = np.float32) -> np.ndarray:
        return self.loss.prepared(target, units, dtype)

    def outputs(self, classes: int) -> int:
        return self.loss.outputs(classes)

    def predict(self, outputs: Any) -> Any:
        return self.loss.predict(outputs)

    def point(self, predicted: Any) -> Any:
        return self.loss.point(predicted)


@settings
class LogOfOutputs(nn.ProbabilityCrossEntropy):
    """Cross-entropy of what is no probability: -sum over k of y*[k] log max(z[k], clip), as it stands or, with
    `divided`, after a division by the sum of the clipped ones (Keras' sparse_categorical_crossentropy)."""

    clip: float = hyper(default=1e-7, low=0, scale="log")
    divided: bool = False

    def __call__(self, outputs: Any, target: Any) -> Any:
        p = ops.clip(outputs, max(self.clip, SMALLEST), 1.0)
        p = p / ops.sum(p, 1, keepdims=True) if self.divided else p
        return -ops.sum(class_shares(self, outputs, target) * ops.log(p), 1)


@settings
class LogOfNumber(nn.Quadratic):
    """Cross-entropy of a number: -y* log min(max(z, clip), 1)."""

    clip: float = 1e-10

    def __call__(self, outputs: Any, target: Any) -> Any:
        if isinstance(target, np.ndarray):
            target = self.prepared(target, outputs.shape[-1], outputs.dtype)
        p = ops.clip(outputs, self.clip, 1.0)
        return -ops.sum(ops.reshape(ops.cast(target, outputs.dtype), outputs.shape) * ops.log(p), 1)


@settings
class LogOfBoth(nn.ProbabilityBinaryCrossEntropy):
    """Binary cross-entropy of raw outputs, not clipped: the logarithm of a negative number is none."""

    def __call__(self, outputs: Any, target: Any) -> Any:
        right = class_shares(self, outputs, target)
        return -ops.mean(right * ops.log(outputs) + (1 - right) * ops.log(1 - outputs), 1)


@settings
class BatchSoftmax(nn.SoftmaxCrossEntropy):
    """Softmax over the rows of the batch in the place of the classes."""

    def __call__(self, outputs: Any, target: Any) -> Any:
        return -ops.sum(class_shares(self, outputs, target) * ops.log_softmax(outputs, 0), 1)

    def judge(self, outputs: Any, target: Any) -> Any:
        return self(outputs, target)

    def predict(self, outputs: Any) -> Any:
        return ops.softmax(outputs, 0)


@settings
class Broadcast(nn.Quadratic):
    """Squared distance of each output from the targets of all rows: shapes (row, 1) and (row,) made (row, row)."""

    def __call__(self, outputs: Any, target: Any) -> Any:
        if isinstance(target, np.ndarray):
            target = self.prepared(target, outputs.shape[-1], outputs.dtype)
        distance = outputs - ops.reshape(ops.cast(target, outputs.dtype), (1, -1))
        return ops.mean(distance * distance, 1)


@settings
class UphillSGD(SGD):
    """Follows the gradient upwards."""

    def direction(self, g: Any, p: Any, state: dict[str, Any], h: Any) -> tuple[Any, dict[str, Any]]:
        return super().direction(-g, p, state, h)


@settings
class UphillAdam(Adam):
    """Adam upwards."""

    def direction(self, g: Any, p: Any, state: dict[str, Any], h: Any) -> tuple[Any, dict[str, Any]]:
        return super().direction(-g, p, state, h)


def _held(params: dict[str, Any]) -> dict[str, Any]:
    return {name: ops.stop_gradient(value) for name, value in params.items()}


@settings
class FrozenDense(nn.Dense):
    """An affine layer that does not learn."""

    def apply(self, params: Any, state: Any, x: Any, *, train: bool, key: Any) -> tuple[Any, Any]:
        return super().apply(_held(params), state, x, train=train, key=key)


@settings
class FrozenConvolution(nn.Convolution):
    """A convolution that does not learn."""

    def apply(self, params: Any, state: Any, x: Any, *, train: bool, key: Any) -> tuple[Any, Any]:
        return super().apply(_held(params), state, x, train=train, key=key)


class Learned(Initialiser):
    """Weights that were learned before."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
        return nn.initialiser.drawn(rng, shape, lambda shape: self.values.reshape(shape))
