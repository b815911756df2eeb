"""Losses of what was hidden from a network, or made false, and is to be told."""

from typing import Any, ClassVar

import numpy as np

from preceptor import ops
from preceptor.errors import DataError, ShapeError
from preceptor.hyper import hyper, settings
from preceptor.nn.loss import Loss
from preceptor.nn.target import numbers
from preceptor.ops.primitive import user_line

__all__ = ["Corrupted", "EachPlace", "Hidden"]


@settings
class Hidden(Loss):
    """Half the mean squared distance over those numbers that were hidden.

    Shapes: outputs (batch, unit), target (batch, 2 unit): the numbers, then 1 where one was hidden, else 0 -> (batch,).
    Formula: J = 1/2 sum over units of m (y - y*)² / sum of m.
    Source: Pathak et al. 2016 (context encoders), equation 1, with the mean over what is hidden.
    Differs: their loss has a second, adversarial part.
    """

    is_of_classes: ClassVar[bool] = False

    units: int = hyper(low=1, unit="numbers", doc="How many are told of each example.")

    def __call__(self, outputs: Any, target: Any) -> Any:
        truth, mask = halves(self, outputs.shape[-1], target)
        distance = outputs - truth
        return 0.5 * ops.sum(mask * distance * distance, 1) / ops.maximum(ops.sum(mask, 1), 1)

    def prepared(self, target: Any, units: int, dtype: Any = np.float32) -> np.ndarray:
        return numbers(target, dtype)

    def outputs(self, classes: int) -> int:
        return self.units

    def predict(self, outputs: Any) -> Any:
        """The numbers. Shapes: (batch, unit) -> the same."""
        return outputs


@settings
class Corrupted(Loss):
    """Which numbers of a row were put in from other rows, and what stood there before.

    Shapes: outputs (batch, 2 unit): the numbers that are told, then a logit for each of having been changed; target
        (batch, 2 unit): the numbers as they were, then 1 where one was changed, else 0 -> (batch,).
    Formula: J = mean over units of softplus(z) - m z, plus share times mean over units of (y - y*)².
    Source: Yoon et al. 2020 (VIME), equations 4 to 6, with its weight of 2.
    """

    is_of_classes: ClassVar[bool] = False

    units: int = hyper(low=1, unit="numbers", doc="How many are told of each example.")
    share: float = hyper(default=2.0, low=0, doc="Weight of the numbers beside that of which were changed.")

    def __call__(self, outputs: Any, target: Any) -> Any:
        truth, mask = halves(self, outputs.shape[-1] // 2, target)
        told, logits = outputs[:, : self.units], outputs[:, self.units :]
        distance = told - truth
        return ops.mean(ops.softplus(logits) - mask * logits, 1) + self.share * ops.mean(distance * distance, 1)

    def prepared(self, target: Any, units: int, dtype: Any = np.float32) -> np.ndarray:
        return numbers(target, dtype)

    def outputs(self, classes: int) -> int:
        return 2 * self.units

    def predict(self, outputs: Any) -> Any:
        """The numbers, then the probabilities of having been changed. Shapes: (batch, 2 unit) -> the same."""
        return ops.concatenate([outputs[:, : self.units], ops.sigmoid(outputs[:, self.units :])], 1)


@settings
class EachPlace(Loss):
    """Negative log-likelihood of the right one of K classes at each of several places, their mean.

    Shapes: outputs (batch, place class): the logits of the first place, then those of the next; target integers
        (batch, place) -> (batch,).
    Formula: J = mean over places p of -log softmax(z[p])[y*[p]].
    Source: Zhang et al. 2016 (colourisation), equation 2, without its weights of rare colours.
    """

    is_of_classes: ClassVar[bool] = False  # a target is one for each place

    places: int = hyper(low=1, unit="places", doc="How many are told of each example.")
    classes: int = hyper(low=2, unit="classes", doc="How many there are at each place.")

    def __call__(self, outputs: Any, target: Any) -> Any:
        if isinstance(target, np.ndarray):
            target = self.prepared(target, outputs.shape[-1], outputs.dtype)
        found = ops.log_softmax(self._apart(outputs))
        return -ops.sum(found * ops.one_hot(target, self.classes, outputs.dtype), (1, 2)) * (1 / self.places)

    def prepared(self, target: Any, units: int, dtype: Any = np.float32) -> np.ndarray:
        target = np.asarray(target)
        if target.shape[1:] != (self.places,) or target.dtype.kind not in "iu" or units != self.outputs(0):
            raise ShapeError(
                f"EachPlace: received targets of shape {target.shape} and dtype {target.dtype} and {units} outputs; "
                f"whole numbers (batch, {self.places}) and {self.outputs(0)} outputs are required."
            )
        if target.size and (target.min() < 0 or target.max() >= self.classes):
            raise DataError(
                f"targets: EachPlace received {target.min()} to {target.max()}; classes from 0 to {self.classes - 1} "
                "are required. Count them from 0."
            )
        return np.ascontiguousarray(target, np.int32)

    def outputs(self, classes: int) -> int:
        return self.places * self.classes

    def predict(self, outputs: Any) -> Any:
        """Probabilities of the classes at each place. Shapes: (batch, place class) -> (batch, place, class)."""
        return ops.softmax(self._apart(outputs))

    def _apart(self, outputs: Any) -> Any:
        return ops.reshape(outputs, (outputs.shape[0], self.places, self.classes))


def halves(loss: Loss, units: int, target: Any) -> tuple[Any, Any]:
    """Numbers and mask of a target that holds both. Shapes: (batch, 2 unit) -> (batch, unit) each."""
    if target.ndim != 2 or target.shape[1] != 2 * units:
        raise ShapeError(
            f"{type(loss).__name__} at {user_line()}: the target has shape {tuple(target.shape)}; (batch, {2 * units}) "
            "is required: the numbers, then which of them count."
        )
    return target[:, :units], target[:, units:]
