"""Losses on probabilities, for networks that end in a softmax or a sigmoid of their own, as many brought from Keras do.

The losses on logits (nn.loss) are exact where these are not: a probability near 0 or 1 has lost its digits.
"""

from typing import Any

import numpy as np

from preceptor import ops
from preceptor.errors import ShapeError
from preceptor.hyper import hyper, settings
from preceptor.nn.loss import Loss, class_shares, columns
from preceptor.nn.target import labels_or_shares, numbers, yes_or_no

__all__ = ["ProbabilityBinaryCrossEntropy", "ProbabilityCrossEntropy", "ProbabilityDistance"]

CLIP = 1e-7  # Keras' epsilon


@settings
class ProbabilityCrossEntropy(Loss):
    """Negative log-likelihood of the right one of K classes, of probabilities.

    Shapes: outputs (batch, class); target integers (batch,), or shares (batch, class) -> (batch,).
    Formula: J = -sum over k of y*[k] log min(max(p[k], clip), 1 - clip), p = outputs / sum of the outputs. Where p is
        cut off it has no slope.
    Reading: maximum likelihood of a categorical target.
    Source: definition; Keras' categorical_crossentropy, whose clip is 1e-7.
    """

    clip: float = hyper(default=CLIP, low=0, high=0.1, scale="log", doc="Smallest probability that counts.")

    def __call__(self, outputs: Any, target: Any) -> Any:
        p = outputs / ops.sum(outputs, 1, keepdims=True)
        return -ops.sum(class_shares(self, outputs, target) * ops.log(ops.clip(p, self.clip, 1 - self.clip)), 1)

    def prepared(self, target: Any, units: int, dtype: Any = np.float32) -> np.ndarray:
        return labels_or_shares(self, target, units, dtype)

    def outputs(self, classes: int) -> int:
        if classes < 2:
            raise ShapeError("ProbabilityCrossEntropy: received a number as target; classes are required.")
        return classes

    def predict(self, outputs: Any) -> Any:
        return outputs


@settings
class ProbabilityBinaryCrossEntropy(Loss):
    """Negative log-likelihood of a yes or no by each unit, of probabilities.

    Shapes: outputs (batch, 1), target 0 or 1, a probability, or -1 or 1 (batch,) -> (batch,); of several units target
        integers (batch,), or 0 and 1 (batch, unit).
    Formula: J = -mean over units of (y* log p + (1 - y*) log(1 - p)), p = min(max(output, clip), 1 - clip). Where it is
        cut off it has no slope.
    Reading: maximum likelihood under Bernoulli targets.
    Source: definition; Keras' binary_crossentropy, whose clip is 1e-7.
    """

    clip: float = hyper(default=CLIP, low=0, high=0.1, scale="log", doc="Smallest probability that counts.")

    def __call__(self, outputs: Any, target: Any) -> Any:
        right, p = _of_each_unit(self, outputs, target), ops.clip(outputs, self.clip, 1 - self.clip)
        return -ops.mean(right * ops.log(p) + (1 - right) * ops.log(1 - p), 1)

    def prepared(self, target: Any, units: int, dtype: Any = np.float32) -> np.ndarray:
        if units == 1:
            return yes_or_no(self, target, dtype)
        return labels_or_shares(self, target, units, dtype, is_whole=False)

    def outputs(self, classes: int) -> int:
        return 1 if classes == 2 else max(classes, 1)

    def predict(self, outputs: Any) -> Any:
        return _both(outputs)


@settings
class ProbabilityDistance(Loss):
    """The distance of probabilities from the right class: squared, or as it is.

    Shapes: outputs (batch, 1), target 0 or 1 (batch,) -> (batch,); of several units target integers (batch,), or
        numbers (batch, unit).
    Formula: J = mean over units of |p - y*|^power.
    Reading: Brier's score, of units that need not be probabilities.
    Source: definition; Keras' mean_squared_error and mean_absolute_error on one-hot targets.
    """

    power: int = hyper(default=2, low=1, high=2, doc="2 squares the distance, 1 takes it as it is.")

    def __call__(self, outputs: Any, target: Any) -> Any:
        distance = outputs - _of_each_unit(self, outputs, target)
        return ops.mean(distance * distance if self.power == 2 else ops.abs(distance), 1)

    def prepared(self, target: Any, units: int, dtype: Any = np.float32) -> np.ndarray:
        target = np.asarray(target)
        if units == 1:
            return yes_or_no(self, target, dtype)
        return labels_or_shares(self, target, units, dtype) if target.ndim == 1 else numbers(target, dtype)

    def outputs(self, classes: int) -> int:
        return 1 if classes == 2 else max(classes, 1)

    def predict(self, outputs: Any) -> Any:
        return _both(outputs)


def _of_each_unit(loss: Loss, outputs: Any, target: Any) -> Any:
    """What each unit should give. Shapes: -> (batch, unit)."""
    if outputs.shape[-1] > 1:
        return class_shares(loss, outputs, target)
    if isinstance(target, np.ndarray):
        target = loss.prepared(target, 1, outputs.dtype)
    return ops.maximum(columns(outputs, target[:, 1:] if target.ndim == 2 and target.shape[1] == 2 else target), 0)


def _both(outputs: Any) -> Any:
    """Of one unit the probabilities of both classes; several are what they are."""
    return ops.concatenate([1 - outputs, outputs], 1) if outputs.shape[-1] == 1 else outputs
