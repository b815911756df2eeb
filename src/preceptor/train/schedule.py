"""Learning-rate schedules: the factor by which the base rate is multiplied, step by step. Worked out on the host."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from preceptor.hyper import Span, hyper, settings

__all__ = [
    "Constant",
    "Cosine",
    "Exponential",
    "InverseTime",
    "Linear",
    "Milestones",
    "OneCycle",
    "Plateau",
    "Schedule",
    "StepDecay",
    "warm_up",
]


@dataclass(frozen=True)
class Schedule(ABC):
    """How the learning rate changes while training."""

    @abstractmethod
    def factor(self, epoch: np.ndarray, progress: np.ndarray) -> np.ndarray:
        """The factor on the base rate.

        Args:
            epoch: passes over the data behind each step, fractions included.
            progress: share of all steps behind each step, 0 at the first, below 1 at the last.
        """

    def factor_after(self, dev_losses: Sequence[float]) -> float:
        """A further factor, from the dev losses of all epochs so far: 1 where a schedule does not look at them.

        It is worked out from the whole list each time, so that a training broken off goes on at the same rate.
        """
        return 1.0


def warm_up(progress: np.ndarray, share: float, steps: int) -> np.ndarray:
    """Linear rise to 1 over the first share of all steps; the first step already has a rate above 0.

    Formula: min(1, (step + 1) / (share * steps)).
    """
    return np.minimum(1.0, (progress * steps + 1) / max(share * steps, 1.0))


@settings
class Constant(Schedule):
    """The same rate throughout.

    Formula: 1.
    """

    def factor(self, epoch: np.ndarray, progress: np.ndarray) -> np.ndarray:
        return np.ones_like(progress)


@settings
class StepDecay(Schedule):
    """The rate drops at fixed intervals.

    Formula: drop_factor ^ floor(epoch / drop_every).
    """

    drop_factor: float = hyper(
        default=0.5, low=0, high=1, search=Span(0.1, 0.9), doc="What the rate is multiplied by at each drop."
    )
    drop_every: float = hyper(default=10.0, low=1e-3, unit="epochs", search=Span(2, 50), doc="Epochs between drops.")

    def factor(self, epoch: np.ndarray, progress: np.ndarray) -> np.ndarray:
        return self.drop_factor ** np.floor(epoch / self.drop_every)


@settings
class Milestones(Schedule):
    """The rate drops after epochs of one's own choice.

    Formula: drop_factor ^ (how many of the epochs `drop_at` are over).
    Source: course material D, "Learning Rate Decay: Step": times 0.1 after epochs 30, 60 and 90.
    """

    drop_factor: float = hyper(
        default=0.1, low=0, high=1, search=Span(0.1, 0.9), doc="What the rate is multiplied by at each drop."
    )
    drop_at: tuple[float, ...] = hyper(
        default=(30.0, 60.0, 90.0), low=0, unit="epochs", doc="Epochs after which the rate drops."
    )

    def factor(self, epoch: np.ndarray, progress: np.ndarray) -> np.ndarray:
        factor = np.ones_like(progress)
        for each in self.drop_at:
            factor = np.where(epoch >= each, self.drop_factor * factor, factor)
        return factor


@settings
class Exponential(Schedule):
    """The rate falls by the same share in every epoch.

    Formula: e^(-decay_rate * epoch).
    """

    decay_rate: float = hyper(
        default=0.05, low=0, scale="log", unit="per epoch", search=Span(1e-3, 1), doc="How fast the rate falls."
    )

    def factor(self, epoch: np.ndarray, progress: np.ndarray) -> np.ndarray:
        return np.exp(-self.decay_rate * epoch)


@settings
class InverseTime(Schedule):
    """The rate falls as one over time.

    Formula: 1 / (1 + decay_rate * epoch).
    """

    decay_rate: float = hyper(
        default=0.05, low=0, scale="log", unit="per epoch", search=Span(1e-3, 1), doc="How fast the rate falls."
    )

    def factor(self, epoch: np.ndarray, progress: np.ndarray) -> np.ndarray:
        return 1 / (1 + self.decay_rate * epoch)


@settings
class Linear(Schedule):
    """A straight line from 1 down to `final_share`.

    Formula: 1 - (1 - final_share) * progress.
    Source: conventional; of those that reach 0, the best in theory for the last weights: Defazio et al. 2023.
    """

    final_share: float = hyper(
        default=0.0, low=0, high=1, search=Span(0, 0.1), doc="Share of the base rate left at the end."
    )

    def factor(self, epoch: np.ndarray, progress: np.ndarray) -> np.ndarray:
        return 1 - (1 - self.final_share) * progress


@settings
class Cosine(Schedule):
    """Half a cosine from 1 down to `final_share`.

    Formula: final_share + (1 - final_share) (1 + cos(pi * progress)) / 2.
    Source: Loshchilov and Hutter 2017, equation 5, without restarts.
    """

    final_share: float = hyper(
        default=0.0, low=0, high=1, search=Span(0, 0.1), doc="Share of the base rate left at the end."
    )

    def factor(self, epoch: np.ndarray, progress: np.ndarray) -> np.ndarray:
        return self.final_share + (1 - self.final_share) * (1 + np.cos(np.pi * progress)) / 2


@settings
class OneCycle(Schedule):
    """A rise from a small rate to the base rate, then a fall to almost none, both along half a cosine.

    Formula: from start_share to 1 over the first rise_share of all steps, from there to final_share.
    Source: Smith and Topin 2018; shares as in PyTorch's OneCycleLR (start 1/25, rise 0.3).
    """

    rise_share: float = hyper(
        default=0.3, low=0.01, high=0.99, search=Span(0.05, 0.5), doc="Share of all steps in which the rate rises."
    )
    start_share: float = hyper(
        default=0.04, low=0, high=1, search=Span(0, 0.5), doc="Share of the base rate at the first step."
    )
    final_share: float = hyper(
        default=0.0, low=0, high=1, search=Span(0, 0.1), doc="Share of the base rate left at the end."
    )

    def factor(self, epoch: np.ndarray, progress: np.ndarray) -> np.ndarray:
        rise = np.minimum(progress / self.rise_share, 1)
        fall = np.maximum((progress - self.rise_share) / (1 - self.rise_share), 0)
        up = self.start_share + (1 - self.start_share) * (1 - np.cos(np.pi * rise)) / 2
        down = self.final_share + (1 - self.final_share) * (1 + np.cos(np.pi * fall)) / 2
        return np.where(progress < self.rise_share, up, down)


@settings
class Plateau(Schedule):
    """The rate drops whenever the dev loss has not fallen for some epochs.

    Formula: drop_factor ^ drops; a drop comes after each drop_after epochs in a row whose dev loss is not below the
        lowest before them.
    Source: conventional; described by Bengio 2012, section 3.1.1.
    Differs: PyTorch's ReduceLROnPlateau drops one epoch later (after more than `patience`), and its threshold asks for
        a fall of 0.01 %; Keras counts as here and asks for a fall of 0.0001.
    """

    drop_factor: float = hyper(
        default=0.5, low=0, high=1, search=Span(0.1, 0.9), doc="What the rate is multiplied by at each drop."
    )
    drop_after: int = hyper(
        default=5, low=1, unit="epochs", search=Span(2, 20), doc="Epochs without a better dev loss before a drop."
    )

    def factor(self, epoch: np.ndarray, progress: np.ndarray) -> np.ndarray:
        return np.ones_like(progress)

    def factor_after(self, dev_losses: Sequence[float]) -> float:
        lowest, waited, drops = math.inf, 0, 0
        for loss in dev_losses:
            waited = 0 if loss < lowest else waited + 1
            lowest = min(lowest, loss)
            if waited == self.drop_after:
                waited, drops = 0, drops + 1
        return self.drop_factor**drops
