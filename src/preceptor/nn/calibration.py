"""Probabilities that are as sure as they are right."""

from dataclasses import replace
from typing import Any

import numpy as np

from preceptor.hyper import hyper, settings
from preceptor.nn.loss import BinaryCrossEntropy, Brier, Loss, SoftmaxCrossEntropy
from preceptor.nn.member import MemberLoss, inner

__all__ = ["Tempered"]


@settings
class Tempered(Loss):
    """A loss whose logits are divided by a temperature before they are read.

    Shapes: as of the loss.
    Formula: J = loss(z / T, y*); probabilities are those of z / T.
    Reading: below 1 the probabilities are surer than those that were trained, above 1 less sure.
    Source: Guo, Pleiss, Sun and Weinberger 2017, section 4.2.
    """

    loss: Loss = hyper(default=SoftmaxCrossEntropy(), doc="What reads the logits.")
    temperature: float = hyper(default=1.0, low=1e-3, high=1e3, scale="log", doc="Divides the logits.")

    def __call__(self, outputs: Any, target: Any) -> Any:
        return self.loss(outputs / self.temperature, target)

    def judge(self, outputs: Any, target: Any) -> Any:
        """As the loss judges the logits divided by the temperature."""
        return self.loss.judge(outputs / self.temperature, target)

    def prepared(self, target: Any, units: int, dtype: Any = np.float32) -> np.ndarray:
        return self.loss.prepared(target, units, dtype)

    def outputs(self, classes: int) -> int:
        return self.loss.outputs(classes)

    def predict(self, outputs: Any) -> Any:
        return self.loss.predict(outputs / self.temperature)


def reads_logits(loss: Loss) -> bool:
    """Whether a loss, or that of each member, makes probabilities of logits by a softmax or a sigmoid."""
    return isinstance(inner(loss), (SoftmaxCrossEntropy, BinaryCrossEntropy, Brier))


def tempered(loss: Loss, temperature: float) -> Loss:
    """The loss with its logits, or those of each member, divided by a temperature."""
    made = Tempered(inner(loss), temperature)
    return replace(loss, loss=made) if isinstance(loss, MemberLoss) else made


def temperature_of(loss: Loss) -> float:
    """What a loss, or that of each member, divides the logits by: 1 where it does not."""
    found = inner(loss)
    return found.temperature if isinstance(found, Tempered) else 1.0


def untempered(loss: Loss) -> Loss:
    """The loss that reads the logits."""
    return loss.loss if isinstance(loss, Tempered) else loss
