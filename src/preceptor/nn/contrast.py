"""The loss that tells two views of one example from those of all others."""

from typing import Any, ClassVar

import numpy as np

from preceptor import ops
from preceptor.errors import ShapeError
from preceptor.hyper import hyper, settings
from preceptor.nn.loss import Loss
from preceptor.nn.target import numbers
from preceptor.ops.primitive import user_line

__all__ = ["NormalisedCrossEntropy"]

FAR = 1e9  # what a view's similarity to itself is lowered by: its share is then exactly 0 in float32
LEAST_LENGTH = 1e-12  # of an output, squared, so that one of zeros has a direction


@settings
class NormalisedCrossEntropy(Loss):
    """How hard it is to find the partner of each of two views of an example among all views of the batch (NT-Xent).

    Rows of a batch meet: the loss of an example hangs on which others are beside it.

    Shapes: outputs (batch, 2, unit); the target, (batch,), is not looked at -> (batch,).
    Formula: s(i, j) = z[i] . z[j] / (|z[i]| |z[j]|) over all 2 batch views; J = mean over both views i of an example, j
        the other one, of -log(exp(s(i, j) / t) / sum over k other than i of exp(s(i, k) / t)).
    Reading: cross-entropy of the class "which of the other views is mine".
    Source: Chen et al. 2020 (SimCLR), equation 1 and algorithm 1.
    Differs: lightly's NTXentLoss takes the two views as two arrays; the mean over the batch is the same.
    """

    is_of_classes: ClassVar[bool] = False

    units: int = hyper(low=1, unit="features", doc="Numbers in which views are compared.")
    temperature: float = hyper(
        default=0.5, low=1e-3, high=100, scale="log", doc="Below 1 those that look most alike count most."
    )

    def __call__(self, outputs: Any, target: Any) -> Any:
        if outputs.ndim != 3 or outputs.shape[1] != 2:
            raise ShapeError(
                f"NormalisedCrossEntropy at {user_line()}: outputs have shape {tuple(outputs.shape)}; (batch, 2, unit) "
                "is required: two views of each example."
            )
        batch, _, units = outputs.shape
        z = ops.reshape(outputs, (2 * batch, units))
        z = z / ops.sqrt(ops.sum(z * z, 1, keepdims=True) + LEAST_LENGTH)
        alike = z @ ops.transpose(z, (1, 0)) * (1 / self.temperature)
        itself = np.eye(2 * batch, dtype=outputs.dtype)
        partner = itself.reshape(batch, 2, 2 * batch)[:, ::-1].reshape(2 * batch, 2 * batch)
        each = -ops.sum(ops.log_softmax(alike - FAR * itself) * partner, 1)
        return ops.mean(ops.reshape(each, (batch, 2)), 1)

    def prepared(self, target: Any, units: int, dtype: Any = np.float32) -> np.ndarray:
        return numbers(target, dtype)

    def outputs(self, classes: int) -> int:
        return self.units

    def predict(self, outputs: Any) -> Any:
        """The views as they are compared: each of length 1. Shapes: (batch, 2, unit) -> the same."""
        return outputs / ops.sqrt(ops.sum(outputs * outputs, -1, keepdims=True) + LEAST_LENGTH)
