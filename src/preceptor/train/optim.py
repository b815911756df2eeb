"""Optimisers: each says in which direction a parameter moves; the step applies the learning rate and the minus sign."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from preceptor import ops
from preceptor.hyper import hyper, settings

__all__ = ["SGD", "Adam", "AdamW", "Momentum", "Nesterov", "Optimiser", "RMSProp"]

Arrays = dict[str, Any]


@dataclass(frozen=True)
class Optimiser(ABC):
    """How gradients become moves. Numeric fields are inputs of the compiled step: changing one compiles nothing.

    `usual_rate` is the learning rate to begin with where none is given: conventional, for standardised inputs.
    """

    usual_rate: ClassVar[float] = 1e-3

    @abstractmethod
    def init(self, p: Any) -> Arrays:
        """The first state that belongs to one parameter."""

    @abstractmethod
    def direction(self, g: Any, p: Any, state: Arrays, h: Any) -> tuple[Any, Arrays]:
        """(direction, next state) from the gradient; the parameter becomes p - learning_rate * direction.

        `h` has the numeric fields of the class as they stand in this step, and `h.step`, which counts from 1.
        """


def _zeros(p: Any) -> Any:
    return np.zeros(p.shape, p.dtype)


@settings
class SGD(Optimiser):
    """Follows the gradient of the batch.

    Formula: direction = g.
    Source: Robbins and Monro 1951.
    Differs: from nothing; with the batch as large as the data it is gradient descent, with 1 the stochastic form.
    """

    usual_rate: ClassVar[float] = 0.1

    def init(self, p: Any) -> Arrays:
        return {}

    def direction(self, g: Any, p: Any, state: Arrays, h: Any) -> tuple[Any, Arrays]:
        return g, {}


@settings
class Momentum(Optimiser):
    """Follows a decaying sum of past gradients.

    Formula: v = momentum * v + g;  direction = v.
    Source: Polyak 1964.
    Differs: the learning rate is outside v (as PyTorch), not inside (as the original).
    """

    usual_rate: ClassVar[float] = 0.02

    momentum: float = hyper(default=0.9, low=0, high=1, unit="share kept per step", doc="Share of the velocity kept.")

    def init(self, p: Any) -> Arrays:
        return {"velocity": _zeros(p)}

    def direction(self, g: Any, p: Any, state: Arrays, h: Any) -> tuple[Any, Arrays]:
        velocity = h.momentum * state["velocity"] + g
        return velocity, {"velocity": velocity}


@settings
class Nesterov(Optimiser):
    """Follows the sum of past gradients as it will be after one more such gradient.

    Formula: v = momentum * v + g;  direction = g + momentum * v.
    Source: Nesterov 1983, in the form of Sutskever et al. 2013 rewritten for the gradient at p.
    Differs: the learning rate is outside v (as PyTorch), not inside (as the paper).
    """

    usual_rate: ClassVar[float] = 0.02

    momentum: float = hyper(default=0.9, low=0, high=1, unit="share kept per step", doc="Share of the velocity kept.")

    def init(self, p: Any) -> Arrays:
        return {"velocity": _zeros(p)}

    def direction(self, g: Any, p: Any, state: Arrays, h: Any) -> tuple[Any, Arrays]:
        velocity = h.momentum * state["velocity"] + g
        return g + h.momentum * velocity, {"velocity": velocity}


@settings
class RMSProp(Optimiser):
    """Divides the gradient by the root of the running mean of its square.

    Formula: s = decay * s + (1 - decay) g²;  direction = g / (sqrt(s) + epsilon).
    Source: Tieleman and Hinton 2012, lecture 6.5.
    Differs: epsilon stands outside the root, as in PyTorch and the course; TensorFlow has it inside. Decay 0.9 as in
        the lecture, where PyTorch takes 0.99.
    """

    decay: float = hyper(default=0.9, low=0, high=1, unit="share kept per step", doc="Share of the mean square kept.")
    epsilon: float = hyper(default=1e-8, low=0, scale="log", doc="Added to the root.")

    def init(self, p: Any) -> Arrays:
        return {"square": _zeros(p)}

    def direction(self, g: Any, p: Any, state: Arrays, h: Any) -> tuple[Any, Arrays]:
        square = h.decay * state["square"] + (1 - h.decay) * (g * g)
        return g / (ops.sqrt(square) + h.epsilon), {"square": square}


def _adam(g: Any, state: Arrays, h: Any) -> tuple[Any, Arrays]:
    mean = h.beta1 * state["mean"] + (1 - h.beta1) * g
    square = h.beta2 * state["square"] + (1 - h.beta2) * (g * g)
    mean_scale = 1 / (1 - ops.power(h.beta1, h.step))
    root_scale = 1 / ops.sqrt(1 - ops.power(h.beta2, h.step))
    direction = (mean * mean_scale) / (ops.sqrt(square) * root_scale + h.epsilon)
    return direction, {"mean": mean, "square": square}


@settings
class Adam(Optimiser):
    """Divides a running mean of the gradient by the root of a running mean of its square, both freed of their start.

    Formula: m = beta1 m + (1 - beta1) g;  s = beta2 s + (1 - beta2) g²;
        direction = m / (1 - beta1^t) / (sqrt(s / (1 - beta2^t)) + epsilon).
    Source: Kingma and Ba 2015, algorithm 1.
    Differs: from nothing; epsilon stands outside the root, as in the paper and PyTorch.
    """

    usual_rate: ClassVar[float] = 2e-3

    beta1: float = hyper(default=0.9, low=0, high=0.9999, unit="share kept per step", doc="Share of the mean kept.")
    beta2: float = hyper(default=0.999, low=0, high=0.999999, unit="share kept per step", doc="Same for the square.")
    epsilon: float = hyper(default=1e-8, low=0, scale="log", doc="Added to the root.")

    def init(self, p: Any) -> Arrays:
        return {"mean": _zeros(p), "square": _zeros(p)}

    def direction(self, g: Any, p: Any, state: Arrays, h: Any) -> tuple[Any, Arrays]:
        return _adam(g, state, h)


@settings
class AdamW(Optimiser):
    """Adam, with every parameter also shrunk by a share of itself.

    Formula: direction = Adam's + weight_decay * p.
    Source: Loshchilov and Hutter 2019, algorithm 2.
    Differs: the decay is multiplied by the learning rate, as in PyTorch, not by the schedule alone, as in the paper.
    """

    usual_rate: ClassVar[float] = 2e-3

    beta1: float = hyper(default=0.9, low=0, high=0.9999, unit="share kept per step", doc="Share of the mean kept.")
    beta2: float = hyper(default=0.999, low=0, high=0.999999, unit="share kept per step", doc="Same for the square.")
    epsilon: float = hyper(default=1e-8, low=0, scale="log", doc="Added to the root.")
    weight_decay: float = hyper(
        default=0.01, low=0, scale="log", unit="share of the learning rate", doc="How fast parameters shrink."
    )

    def init(self, p: Any) -> Arrays:
        return {"mean": _zeros(p), "square": _zeros(p)}

    def direction(self, g: Any, p: Any, state: Arrays, h: Any) -> tuple[Any, Arrays]:
        direction, state = _adam(g, state, h)
        return direction + h.weight_decay * p, state
