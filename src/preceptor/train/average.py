"""Averages of the weights over the steps of a training: other parameters to predict with, often better ones."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from preceptor import ops
from preceptor.hyper import Span, hyper, settings

__all__ = ["EMA", "SWA", "Average"]


@dataclass(frozen=True)
class Average(ABC):
    """A mean of the parameters that training carries beside them: `average = average + share * (params - average)`.

    The share is a function of the number of the step, so that a training broken off goes on as if it had not been.

    The running statistics of batch normalisation are not averaged: prediction takes those of the last step, which are
    themselves running means. Izmailov et al. 2018 compute them anew in a pass over the data; PyTorch's `update_bn`.
    """

    @abstractmethod
    def numbers(self, steps: int) -> dict[str, float]:
        """The inputs of the step that `share` reads, for a training of so many steps."""

    @abstractmethod
    def share(self, h: Any) -> Any:
        """The weight of the newest parameters in the mean; `h` has `numbers` and `h.step`, which counts from 1."""


@settings
class EMA(Average):
    """Forgets old parameters exponentially.

    Formula: average = d average + (1 - d) params, d = min(average_decay, t / (t + 9)) after step t: at first it is
        about the mean of the last tenth of all steps.
    Source: Polyak and Juditsky 1992; the form of most networks since, with its start, is TensorFlow's
        ExponentialMovingAverage (num_updates = t - 1).
    Differs: PyTorch's AveragedModel begins with the parameters of the first update and has no start of its own.
    """

    average_decay: float = hyper(
        default=0.999,
        low=0,
        high=0.999999,
        scale="log",
        unit="share kept per step",
        search=Span(choices=(0.9, 0.99, 0.999, 0.9999)),
        doc="Share of the average kept.",
    )

    def numbers(self, steps: int) -> dict[str, float]:
        return {"average_decay": self.average_decay}

    def share(self, h: Any) -> Any:
        return 1 - ops.minimum(h.average_decay, h.step / (h.step + 9))


@settings
class SWA(Average):
    """Takes the plain mean of the parameters after each step of the last part of a training.

    Formula: mean of params after the steps t > floor(average_from * steps); before, the average is the parameters.
    Source: Izmailov et al. 2018, algorithm 1.
    Differs: the paper and PyTorch take one set of parameters each epoch, and a rate that stays high or goes in cycles.
        Here each step counts, under the schedule of your choice; constant is the closest to the paper.
    """

    average_from: float = hyper(
        default=0.75,
        low=0,
        high=0.99,
        unit="share of all steps",
        search=Span(0.5, 0.95),
        doc="Where the mean of the weights begins.",
    )

    def numbers(self, steps: int) -> dict[str, float]:
        return {"average_start": float(math.floor(self.average_from * steps))}

    def share(self, h: Any) -> Any:
        return 1 / ops.maximum(h.step - h.average_start, 1)
