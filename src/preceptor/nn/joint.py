"""One network for several targets: each has outputs of its own, and a loss that reads them."""

from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Any

import numpy as np

from preceptor import ops
from preceptor.errors import ConfigError, ShapeError
from preceptor.hyper import hyper, settings
from preceptor.nn.loss import Loss
from preceptor.nn.member import inner
from preceptor.nn.target import whole_numbers

__all__ = ["Joint"]


@settings
class Joint(Loss):
    """The mean of several losses, each of a target and of outputs of its own.

    Shapes: outputs (batch, unit), or (batch, member, unit) where each part is a MemberLoss; target (batch, part): of
        each part a number, or a label as a whole number from 0; weight as of the parts -> (batch,).
    Formula: J = mean over parts i of loss_i(z[..., own units of i], y*[:, i]).
    Reading: of log-likelihoods, that of all targets together, divided by their number: given the input they are taken
        as independent. Numbers that are standardised and classes weigh about alike: a prediction that knows nothing
        costs 1/2 of a number, log K of K classes.
    Source: Caruana 1997 (multitask learning), with all weights alike.
    Differs: from Kendall, Gal and Cipolla 2018, who learn what each part weighs; from the sum by a factor, so that a
        rate means the same for one target and for many.
    """

    parts: tuple[Loss, ...] = hyper(doc="The loss of each target.")
    units: tuple[int, ...] = hyper(low=1, unit="outputs", doc="How many outputs each of them reads, one after another.")

    def __post_init__(self) -> None:
        if len(self.parts) != len(self.units) or not self.parts:
            raise ConfigError(
                f"Joint: received {len(self.parts)} losses for {len(self.units)} shares of the outputs; as many, at "
                "least one, are required."
            )

    def __call__(self, outputs: Any, target: Any, *weight: Any) -> Any:
        return self._mean(lambda part: part, outputs, target, *weight)

    def judge(self, outputs: Any, target: Any) -> Any:
        """The mean of what the parts judge."""
        return self._mean(lambda part: part.judge, outputs, target)

    def _mean(self, function: Callable[[Loss], Callable[..., Any]], outputs: Any, target: Any, *weight: Any) -> Any:
        if isinstance(target, np.ndarray):
            target = self.prepared(target, outputs.shape[-1], outputs.dtype)
        total: Any = 0
        for place, (part, units) in enumerate(self.heads()):
            total = total + function(part)(outputs[..., units], _column(part, target, place), *weight)
        return total / len(self.parts)

    def heads(self) -> Iterator[tuple[Loss, slice]]:
        """Each loss with the outputs that it reads."""
        for part, count, end in zip(self.parts, self.units, accumulate(self.units), strict=True):
            yield part, slice(end - count, end)

    def prepared(self, target: Any, units: int, dtype: Any = np.float32) -> np.ndarray:
        """All as numbers, labels too. Raises: ShapeError where there is not one for each part; DataError as they do."""
        target = np.asarray(target)
        if target.shape[1:] != (len(self.parts),) or units != sum(self.units):
            raise ShapeError(
                f"Joint: received targets of shape {target.shape} and {units} outputs; (batch, {len(self.parts)}) and "
                f"{sum(self.units)} are required: one target for each loss."
            )
        columns = []
        for place, (part, units) in enumerate(zip(self.parts, self.units, strict=True)):
            if inner(part).is_of_classes:
                whole_numbers(inner(part), target[:, place])
            columns.append(part.prepared(_column(part, target, place), units, dtype))
        return np.stack(columns, 1).astype(dtype)

    def outputs(self, classes: int) -> int:
        """All that the parts read, whatever the classes."""
        return sum(self.units)

    def predict(self, outputs: Any) -> Any:
        """What the parts predict, side by side. Shapes: -> (batch, column): 1 of a number, the classes of classes."""
        found = [part.predict(outputs[..., units]) for part, units in self.heads()]
        return ops.concatenate([each if each.ndim == 2 else ops.reshape(each, (-1, 1)) for each in found], 1)


def _column(part: Loss, target: Any, place: int) -> Any:
    """The target of one part: whole numbers where it is of classes. Shapes: (batch, part) -> (batch,)."""
    column = ops.reshape(target[:, place : place + 1], (target.shape[0],))
    return ops.cast(column, np.int32) if inner(part).is_of_classes else column


def heads(loss: Loss) -> list[tuple[Loss, slice]]:
    """What reads the outputs for each target, and which of them it reads: all, where there is one target."""
    return list(loss.heads()) if isinstance(loss, Joint) else [(loss, slice(None))]


def joint_loss(parts: list[Loss], units: list[int]) -> Loss:
    """The loss of so many targets: that of the one target as it is."""
    return parts[0] if len(parts) == 1 else Joint(tuple(parts), tuple(units))
