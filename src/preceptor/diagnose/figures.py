"""The table of figures that rules of training look at, whoever makes it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from preceptor.diagnose.case import Verdict
from preceptor.diagnose.inputs import Inputs
from preceptor.diagnose.origin import Origin
from preceptor.diagnose.probe import Parameter, Probe, Signal
from preceptor.diagnose.reference import Reference
from preceptor.nn.layer import Layer
from preceptor.train.optim import Optimiser

POINTS = 50  # of a curve, at most


@dataclass(frozen=True)
class Epoch:
    """The end of a pass over the training rows: mean losses outside training, None where they are not known.

    Args:
        dev: how well the first rows of the dev part were predicted.
    """

    step: int
    train_loss: float | None
    dev_loss: float | None
    dev: Verdict | None = None


class Figures(ABC):
    """A training so far, as figures tell it: no rows, no network, nothing that could be computed again.

    Args:
        steps: that are planned.
        losses: mean loss of the batch of the steps that are known, in their order.
        rates: the learning rate of each of these.
        epochs: the ends of the passes so far.
        probes: figures of the layers, at some of the steps.
        origin: of the first number that is none, where there was one and it could be found.
        first: figures of the layers at the first weights.
    """

    steps: int
    losses: list[float]
    rates: list[float]
    epochs: list[Epoch]
    probes: list[Probe]
    origin: Origin | None
    first: Probe | None

    has_forks: ClassVar[bool] = False  # whether what is suspected can be tried

    @property
    @abstractmethod
    def step(self) -> int:
        """Steps made so far."""

    @abstractmethod
    def step_of(self, place: int) -> int:
        """The step, counted from 1, that the loss at a place (from 0) is of."""

    @abstractmethod
    def losses_between(self, start: int, end: int) -> list[float]:
        """The losses known of the steps after `start`, to `end`."""

    @property
    @abstractmethod
    def layers(self) -> Mapping[str, Layer]:
        """The layers that hold no others, by their paths, in order."""

    @property
    @abstractmethod
    def weighted(self) -> list[str]:
        """Paths of the layers that have a matrix or a kernel, in order."""

    @property
    @abstractmethod
    def inputs(self) -> Inputs | None:
        """Figures of what the network is given."""

    @property
    @abstractmethod
    def constant_loss(self) -> float | None:
        """The lowest mean loss of one output for all rows."""

    @property
    @abstractmethod
    def first_losses(self) -> tuple[float, float] | None:
        """The mean loss at the first weights, and that of outputs of 0."""

    @property
    @abstractmethod
    def takes_logits(self) -> bool:
        """Whether the target is classes, and the loss makes their probabilities of outputs of any size."""

    @property
    @abstractmethod
    def learning_rate(self) -> float:
        """That on which the schedule is based."""

    @property
    @abstractmethod
    def optimiser(self) -> Optimiser | None:
        """By what steps are made."""

    @property
    @abstractmethod
    def batch_size(self) -> int | None:
        """Rows of a step."""

    @property
    @abstractmethod
    def rows(self) -> int | None:
        """Rows of the training part."""

    @property
    @abstractmethod
    def planned_epochs(self) -> int:
        """Passes over the training rows that are planned."""

    @property
    @abstractmethod
    def averages_weights(self) -> bool:
        """Whether averages of the weights are judged in the place of the weights."""

    @property
    @abstractmethod
    def train_error(self) -> float | None:
        """The error on training rows at the end, outside training; None before. A share of wrong classes, or of the
        variance of a number."""

    @property
    @abstractmethod
    def dev_error(self) -> float | None:
        """The same on dev rows; None where there are none."""

    @property
    @abstractmethod
    def has_errors(self) -> bool:
        """Whether these are such shares, not losses."""

    @property
    @abstractmethod
    def reference(self) -> Reference | None:
        """What cheap models make of the same rows; None where there are too few, or none."""

    @property
    @abstractmethod
    def is_plain(self) -> bool:
        """Whether the network is one, with one target and outputs (row, unit): of others little is said."""

    @abstractmethod
    def is_idle(self, path: str) -> bool:
        """Whether no output hangs on a parameter."""

    def lacks(self, needs: Sequence[str]) -> tuple[str, ...]:
        """What is not known of some of NEEDS, in words."""
        return ()

    @property
    def is_over(self) -> bool:
        """Whether all planned steps are made."""
        return self.step >= self.steps

    @property
    def signals(self) -> dict[str, Signal]:
        """Those of the latest probe."""
        return self.probes[-1].signals if self.probes else {}

    @property
    def parameters(self) -> dict[str, Parameter]:
        """Those of the latest probe."""
        return self.probes[-1].parameters if self.probes else {}

    @property
    def weights(self) -> dict[str, Parameter]:
        """Those of the latest probe that are matrices or kernels."""
        return {
            path: each for path, each in self.parameters.items() if path.endswith("weight") and each.apart is not None
        }

    @property
    def curve(self) -> list[float]:
        """The training losses, evenly from the first step to the last, as means of five steps or more."""
        count = min(POINTS, max(1, len(self.losses) // 5))
        parts = np.array_split(np.asarray(self.losses, np.float64), count)
        return [float(np.mean(part)) for part in parts]

    def mean_loss(self, start: float, end: float) -> float:
        """Mean loss of the steps between two shares of those made so far."""
        count = len(self.losses)
        first, last = int(start * count), max(int(end * count), int(start * count) + 1)
        return float(np.mean(self.losses[first:last]))


def known_dev(epochs: Sequence[Epoch]) -> list[float]:
    """The dev losses that are known, in their order."""
    return [each.dev_loss for each in epochs if each.dev_loss is not None]
