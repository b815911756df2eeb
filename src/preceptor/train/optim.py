# Over 500 lines: the optimisers, one class each, are read side by side.
"""Optimisers: each says in which direction a parameter moves; the step applies the learning rate and the minus sign."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, ClassVar

import numpy as np

from preceptor import ops
from preceptor.hyper import Span, hyper, settings

__all__ = [
    "SGD",
    "AcceleratedGradient",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "HeavyBall",
    "Lamb",
    "Lars",
    "Lion",
    "Momentum",
    "Muon",
    "Nadam",
    "Nesterov",
    "Optimiser",
    "RMSProp",
]

Arrays = dict[str, Any]
TINY = 1e-30  # a learning rate below it is 0; float32 can hold it

# Where a search looks.
MOMENTUMS = Span(0.5, 0.99, source="Goodfellow et al. 2016, section 8.3.2")
FIRST_SHARES = Span(choices=(0.8, 0.9, 0.95))
SECOND_SHARES = Span(choices=(0.95, 0.99, 0.999, 0.9999), source="Kingma and Ba 2015, section 6.4, and 0.95")
SHARES = Span(choices=(0.9, 0.95, 0.99, 0.999))
EPSILONS = Span(1e-10, 1e-4)
DECAYS = Span(1e-4, 1, source="Gorishniy et al. 2025 up to 0.1, which the recipe has too; so up to 1")

# Of Muon: coefficients of the quintic and how often it is applied, from Jordan's text and PyTorch; the smallest norm
# divided by, PyTorch's.
QUINTIC, ROUNDS, NORM = (3.4445, -4.7750, 2.0315), 5, 1e-7
LONG, LEAST_ROWS = 1.5, 32  # columns for each row, and rows, from which a Gram matrix saves multiplications that count


@dataclass(frozen=True)
class Optimiser(ABC):
    """How gradients become moves. Numeric fields are inputs of the compiled step: changing one compiles nothing.

    `usual_rate` is the learning rate to begin with where none is given: conventional, for standardised inputs.
    """

    usual_rate: ClassVar[float] = 1e-3

    def mover_of(self, path: str, p: Any) -> "Optimiser":
        """The optimiser that moves one parameter: itself, where it does not leave some to another."""
        return self

    @abstractmethod
    def init(self, p: Any) -> Arrays:
        """The first state that belongs to one parameter."""

    @abstractmethod
    def direction(self, g: Any, p: Any, state: Arrays, h: Any) -> tuple[Any, Arrays]:
        """(direction, next state) from the gradient; the parameter becomes p - learning_rate * direction.

        `h` has the numeric fields of the class as they stand in this step, `h.learning_rate`, `h.step`, which counts
        from 1, and `h.length(x)`, the root of the sum of squares, of each member of an ensemble by itself.
        """

    def gain(self, state: Arrays, h: Any) -> Any:
        """What a gradient that stays the same is multiplied by to give the direction, under the state after a step."""
        return 1.0


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


@dataclass(frozen=True)
class _Velocity(Optimiser):
    """What the methods of momentum have in common: a velocity of which a share is kept."""

    momentum: float = hyper(
        default=0.9, low=0, high=1, unit="share kept per step", search=MOMENTUMS, doc="Share of the velocity kept."
    )

    def init(self, p: Any) -> Arrays:
        return {"velocity": _zeros(p)}

    def gain(self, state: Arrays, h: Any) -> Any:
        return 1 / ops.maximum(1 - h.momentum, TINY)


@settings
class Momentum(_Velocity):
    """Follows a decaying sum of past gradients.

    Formula: v = momentum * v + g;  direction = v.
    Source: Polyak 1964.
    Differs: the learning rate is outside v (as PyTorch), not inside (as the original).
    """

    usual_rate: ClassVar[float] = 0.02

    def direction(self, g: Any, p: Any, state: Arrays, h: Any) -> tuple[Any, Arrays]:
        velocity = h.momentum * state["velocity"] + g
        return velocity, {"velocity": velocity}


@settings
class Nesterov(_Velocity):
    """Follows the sum of past gradients as it will be after one more such gradient.

    Formula: v = momentum * v + g;  direction = g + momentum * v.
    Source: Nesterov 1983, in the form of Sutskever et al. 2013 rewritten for the gradient at p.
    Differs: the learning rate is outside v (as PyTorch), not inside (as the paper).
    """

    usual_rate: ClassVar[float] = 0.02

    def direction(self, g: Any, p: Any, state: Arrays, h: Any) -> tuple[Any, Arrays]:
        velocity = h.momentum * state["velocity"] + g
        return g + h.momentum * velocity, {"velocity": velocity}


def _unrated(move: Any, h: Any) -> Any:
    """A move that has its learning rate within, as a direction. At a rate of 0 no direction gives it: nothing moves."""
    return move / ops.maximum(h.learning_rate, TINY)


@settings
class HeavyBall(_Velocity):
    """Moves by a share of the last move and down the gradient: momentum as the course writes it.

    Formula: v = momentum * v + learning_rate * g;  p = p - v.
    Source: Polyak 1964; course, "Momentum update", where v has the other sign.
    Differs: from Momentum only where the rate changes: a move made at a high rate goes on at its own size.
    """

    usual_rate: ClassVar[float] = 0.02

    def direction(self, g: Any, p: Any, state: Arrays, h: Any) -> tuple[Any, Arrays]:
        velocity = h.momentum * state["velocity"] + h.learning_rate * g
        return _unrated(velocity, h), {"velocity": velocity}


@settings
class AcceleratedGradient(_Velocity):
    """Moves by a share of the last move and down the gradient found there: NAG as the course writes it.

    Formula: v = momentum * v + learning_rate * g(w - momentum * v);  w = w - v. The parameter is the point looked
        ahead to, p = w - momentum * v, where the gradient is taken: p = p - (learning_rate * g + momentum * v).
    Source: Nesterov 1983; Sutskever et al. 2013, equations 3 and 4; course, "Nesterov update", where v has the other
        sign and the formula (not the sentence above it) lacks a factor momentum.
    Differs: from Nesterov only where the rate changes. Losses and predictions are those of p, not of w.
    """

    usual_rate: ClassVar[float] = 0.02

    def direction(self, g: Any, p: Any, state: Arrays, h: Any) -> tuple[Any, Arrays]:
        velocity = h.momentum * state["velocity"] + h.learning_rate * g
        return g + _unrated(h.momentum * velocity, h), {"velocity": velocity}


@settings
class Adagrad(Optimiser):
    """Divides the gradient by the root of the sum of all its squares so far.

    Formula: s = s + g²;  direction = g / (sqrt(s) + epsilon).
    Source: Duchi et al. 2011, the diagonal form of section 1.1.
    Differs: the sum begins at 0, as in PyTorch, whose epsilon is 1e-10; Keras begins it at 0.1.
    """

    usual_rate: ClassVar[float] = 0.02

    epsilon: float = hyper(default=1e-8, low=0, scale="log", search=EPSILONS, doc="Added to the root.")

    def init(self, p: Any) -> Arrays:
        return {"square": _zeros(p)}

    def direction(self, g: Any, p: Any, state: Arrays, h: Any) -> tuple[Any, Arrays]:
        square = state["square"] + g * g
        return g / (ops.sqrt(square) + h.epsilon), {"square": square}

    def gain(self, state: Arrays, h: Any) -> Any:
        return 1 / (ops.sqrt(state["square"]) + h.epsilon)


@settings
class Adadelta(Optimiser):
    """Divides the gradient by the root of its mean square and multiplies by that of its own past moves.

    Formula: s = decay * s + (1 - decay) g²;  direction = g sqrt(m + epsilon) / sqrt(s + epsilon);
        m = decay * m + (1 - decay) direction².
    Source: Zeiler 2012, algorithm 1, which has no learning rate: 1 is that of the paper.
    Differs: the rate multiplies the direction and not what m remembers, as in PyTorch. Epsilon stands inside the
        roots, as in the paper, and sets how small the first moves are.
    """

    usual_rate: ClassVar[float] = 1.0

    decay: float = hyper(
        default=0.9, low=0, high=1, unit="share kept per step", search=SHARES, doc="Share of the mean square kept."
    )
    epsilon: float = hyper(default=1e-6, low=0, scale="log", search=EPSILONS, doc="Added to the root.")

    def init(self, p: Any) -> Arrays:
        return {"square": _zeros(p), "move": _zeros(p)}

    def direction(self, g: Any, p: Any, state: Arrays, h: Any) -> tuple[Any, Arrays]:
        square = h.decay * state["square"] + (1 - h.decay) * (g * g)
        direction = g * (ops.sqrt(state["move"] + h.epsilon) / ops.sqrt(square + h.epsilon))
        move = h.decay * state["move"] + (1 - h.decay) * (direction * direction)
        return direction, {"square": square, "move": move}

    def gain(self, state: Arrays, h: Any) -> Any:
        return ops.sqrt(state["move"] + h.epsilon) / ops.sqrt(state["square"] + h.epsilon)


@settings
class RMSProp(Optimiser):
    """Divides the gradient by the root of the running mean of its square.

    Formula: s = decay * s + (1 - decay) g²;  direction = g / (sqrt(s) + epsilon).
    Source: Tieleman and Hinton 2012, lecture 6.5.
    Differs: epsilon stands outside the root, as in PyTorch and the course; TensorFlow has it inside. Decay 0.9 as in
        the lecture, where PyTorch takes 0.99.
    """

    decay: float = hyper(
        default=0.9, low=0, high=1, unit="share kept per step", search=SHARES, doc="Share of the mean square kept."
    )
    epsilon: float = hyper(default=1e-8, low=0, scale="log", search=EPSILONS, doc="Added to the root.")

    def init(self, p: Any) -> Arrays:
        return {"square": _zeros(p)}

    def direction(self, g: Any, p: Any, state: Arrays, h: Any) -> tuple[Any, Arrays]:
        square = h.decay * state["square"] + (1 - h.decay) * (g * g)
        return g / (ops.sqrt(square) + h.epsilon), {"square": square}

    def gain(self, state: Arrays, h: Any) -> Any:
        return 1 / (ops.sqrt(state["square"]) + h.epsilon)


@dataclass(frozen=True)
class _TwoMeans(Optimiser):
    """What Adam and those built on it have in common: running means of the gradient and of its square."""

    beta1: float = hyper(
        default=0.9, low=0, high=0.9999, unit="share kept per step", search=FIRST_SHARES, doc="Share of the mean kept."
    )
    beta2: float = hyper(
        default=0.999,
        low=0,
        high=0.999999,
        unit="share kept per step",
        search=SECOND_SHARES,
        doc="Same for the square.",
    )
    epsilon: float = hyper(default=1e-8, low=0, scale="log", search=EPSILONS, doc="Added to the root.")

    def init(self, p: Any) -> Arrays:
        return {"mean": _zeros(p), "square": _zeros(p)}

    def direction(self, g: Any, p: Any, state: Arrays, h: Any) -> tuple[Any, Arrays]:
        return self._moved(g, state, h, 1.0)

    def _moved(self, g: Any, state: Arrays, h: Any, correction: Any) -> tuple[Any, Arrays]:
        mean = h.beta1 * state["mean"] + (1 - h.beta1) * g
        square = h.beta2 * state["square"] + (1 - h.beta2) * (g * g)
        mean_scale = 1 / (1 - correction * ops.power(h.beta1, h.step))
        root_scale = 1 / ops.sqrt(1 - correction * ops.power(h.beta2, h.step))
        direction = (mean * mean_scale) / (ops.sqrt(square) * root_scale + h.epsilon)
        return direction, {"mean": mean, "square": square}

    def gain(self, state: Arrays, h: Any) -> Any:
        root_scale = 1 / ops.sqrt(1 - ops.power(h.beta2, h.step))
        return 1 / (ops.sqrt(state["square"]) * root_scale + h.epsilon)


@settings
class Adam(_TwoMeans):
    """Divides a running mean of the gradient by the root of a running mean of its square, both freed of their start.

    Formula: m = beta1 m + (1 - beta1) g;  s = beta2 s + (1 - beta2) g²;
        direction = m / (1 - beta1^t) / (sqrt(s / (1 - beta2^t)) + epsilon). With a bias correction of 0 the divisions
        by 1 - beta^t are left out.
    Source: Kingma and Ba 2015, algorithm 1; without correction: course, "Adam: adaptive learning + momentum".
    Differs: from nothing; epsilon stands outside the root, as in the paper and PyTorch.
    """

    usual_rate: ClassVar[float] = 2e-3

    bias_correction: float = hyper(
        default=1.0, low=0, high=1, doc="1 frees both means of their start at 0; 0 leaves it in them."
    )

    def direction(self, g: Any, p: Any, state: Arrays, h: Any) -> tuple[Any, Arrays]:
        return self._moved(g, state, h, h.bias_correction)


@settings
class AdamW(_TwoMeans):
    """Adam, with every parameter also shrunk by a share of itself.

    Formula: direction = Adam's + weight_decay * p.
    Source: Loshchilov and Hutter 2019, algorithm 2.
    Differs: the decay is multiplied by the learning rate, as in PyTorch, not by the schedule alone, as in the paper.
    """

    usual_rate: ClassVar[float] = 2e-3

    weight_decay: float = hyper(
        default=0.01,
        low=0,
        scale="log",
        unit="share of the learning rate",
        search=DECAYS,
        doc="How fast parameters shrink.",
    )

    def direction(self, g: Any, p: Any, state: Arrays, h: Any) -> tuple[Any, Arrays]:
        direction, state = super().direction(g, p, state, h)
        return direction + h.weight_decay * p, state


@settings
class Adamax(_TwoMeans):
    """Adam with the largest gradient so far, which fades, in the place of the root of the mean square.

    Formula: m = beta1 m + (1 - beta1) g;  u = max(beta2 u, |g|);  direction = m / (1 - beta1^t) / (u + epsilon).
    Source: Kingma and Ba 2015, algorithm 2.
    Differs: epsilon is added to u, as in Keras; PyTorch adds it to |g| before the maximum.
    """

    usual_rate: ClassVar[float] = 2e-3

    def direction(self, g: Any, p: Any, state: Arrays, h: Any) -> tuple[Any, Arrays]:
        mean = h.beta1 * state["mean"] + (1 - h.beta1) * g
        largest = ops.maximum(h.beta2 * state["square"], ops.abs(g))
        direction = mean / (1 - ops.power(h.beta1, h.step)) / (largest + h.epsilon)
        return direction, {"mean": mean, "square": largest}

    def gain(self, state: Arrays, h: Any) -> Any:
        return 1 / (state["square"] + h.epsilon)


@settings
class Nadam(_TwoMeans):
    """Adam that looks ahead as Nesterov does: the mean as it will be after one more such gradient.

    Formula: m and s as Adam's;  direction = (beta1 m / (1 - beta1^(t+1)) + (1 - beta1) g / (1 - beta1^t)) /
        (sqrt(s / (1 - beta2^t)) + epsilon).
    Source: Dozat 2016, algorithm 8, with one beta1 for all steps.
    Differs: PyTorch and Keras let beta1 grow with the steps, by 0.96^(t / 250).
    """

    def direction(self, g: Any, p: Any, state: Arrays, h: Any) -> tuple[Any, Arrays]:
        mean = h.beta1 * state["mean"] + (1 - h.beta1) * g
        square = h.beta2 * state["square"] + (1 - h.beta2) * (g * g)
        here, ahead = 1 - ops.power(h.beta1, h.step), 1 - ops.power(h.beta1, h.step + 1)
        root = ops.sqrt(square / (1 - ops.power(h.beta2, h.step)))
        direction = (h.beta1 / ahead * mean + (1 - h.beta1) / here * g) / (root + h.epsilon)
        return direction, {"mean": mean, "square": square}


@settings
class Lion(Optimiser):
    """Moves every number by the same length, in the direction of the sign of a running mean of its gradient.

    Formula: direction = sign(beta1 m + (1 - beta1) g) + weight_decay * p;  m = beta2 m + (1 - beta2) g.
    Source: Chen et al. 2023, algorithm 2.
    Differs: from nothing. The sign of 0 is 0. The usual rate is a tenth of Adam's, for every number moves by all of it.
    """

    usual_rate: ClassVar[float] = 2e-4

    beta1: float = hyper(
        default=0.9, low=0, high=0.9999, unit="share kept per step", search=FIRST_SHARES, doc="Share of the mean kept."
    )
    beta2: float = hyper(
        default=0.99, low=0, high=0.999999, unit="share kept per step", search=SECOND_SHARES, doc="Share remembered."
    )
    weight_decay: float = hyper(
        default=0.01,
        low=0,
        scale="log",
        unit="share of the learning rate",
        search=DECAYS,
        doc="How fast parameters shrink.",
    )

    def init(self, p: Any) -> Arrays:
        return {"mean": _zeros(p)}

    def direction(self, g: Any, p: Any, state: Arrays, h: Any) -> tuple[Any, Arrays]:
        sign = ops.sign(h.beta1 * state["mean"] + (1 - h.beta1) * g)
        return sign + h.weight_decay * p, {"mean": h.beta2 * state["mean"] + (1 - h.beta2) * g}


@settings
class Lars(_Velocity):
    """Moves each weight by a share of its own size, whatever the size of its gradient; Momentum moves all others.

    Formula: u = g + weight_decay * p;  v = momentum * v + trust |p| / (|g| + weight_decay |p|) u;  direction = v. Where
        |p| or |g| is 0, the factor before u is 1. |.| is the root of the sum of squares, of each member by itself.
    Source: You, Gitman and Ginsburg 2017, "Large batch training of convolutional networks", algorithm 1; trust from
        there. The course asks for rates "by the size of particular weights".
    Differs: only parameters called "weight" are moved so, as in most libraries; the learning rate is outside v.
    """

    usual_rate: ClassVar[float] = 0.3

    trust: float = hyper(
        default=0.001,
        low=0,
        scale="log",
        unit="share of the weight's size",
        search=Span(1e-4, 1e-2),
        doc="Length of each parameter's move.",
    )
    weight_decay: float = hyper(
        default=1e-4, low=0, scale="log", unit="per unit of weight", search=Span(1e-6, 1e-2), doc="Pull towards 0."
    )

    def mover_of(self, path: str, p: Any) -> Optimiser:
        return self if path.rpartition("/")[2] == "weight" else Momentum(self.momentum)

    def direction(self, g: Any, p: Any, state: Arrays, h: Any) -> tuple[Any, Arrays]:
        size, slope = h.length(p), h.length(g)
        ratio = _ratio(h.trust * size, slope + h.weight_decay * size, size * slope)
        velocity = h.momentum * state["velocity"] + ratio * (g + h.weight_decay * p)
        return velocity, {"velocity": velocity}

    def gain(self, state: Arrays, h: Any) -> Any:
        return 1.0


@settings
class Lamb(_TwoMeans):
    """AdamW's move of each weight, brought to a length in proportion to the weight's own; AdamW moves all others.

    Formula: u = Adam's direction + weight_decay * p;  direction = |p| / |u| u; u itself where |p| or |u| is 0. |.| is
        the root of the sum of squares, of each member by itself.
    Source: You et al. 2020, "Large batch optimization for deep learning", algorithm 2, with phi(z) = z.
    Differs: only parameters called "weight" are moved so, as in most libraries.
    """

    usual_rate: ClassVar[float] = 5e-3

    weight_decay: float = hyper(
        default=0.01,
        low=0,
        scale="log",
        unit="share of the learning rate",
        search=DECAYS,
        doc="How fast parameters shrink.",
    )

    def mover_of(self, path: str, p: Any) -> Optimiser:
        is_weight = path.rpartition("/")[2] == "weight"
        return self if is_weight else AdamW(self.beta1, self.beta2, self.epsilon, self.weight_decay)

    def direction(self, g: Any, p: Any, state: Arrays, h: Any) -> tuple[Any, Arrays]:
        direction, state = super().direction(g, p, state, h)
        u = direction + h.weight_decay * p
        size, length = h.length(p), h.length(u)
        return _ratio(size, length, size * length) * u, state

    def gain(self, state: Arrays, h: Any) -> Any:
        return 1.0


def _ratio(above: Any, below: Any, both: Any) -> Any:
    """above / below; 1 where `both` is 0."""
    is_known = ops.greater(both, 0)
    return ops.where(is_known, above / ops.where(is_known, below, 1), 1)


@settings
class Muon(_TwoMeans):
    """Moves hidden weight matrices by an orthogonal matrix near their velocity; AdamW moves all other parameters.

    Formula: v = momentum * v + g;  u = g + momentum * v;  direction = 0.2 sqrt(max(n, m)) O + weight_decay * p for a
        matrix (n, m). With u = U S V^T, O = U S' V^T, where S' lies between about 0.7 and 1.2: five times
        x = a x + b (x x^T) x + c (x x^T)² x from u over its Frobenius norm.
    Shapes: matrices are parameters called "weight" with two axes, stacks of them with three (member, n, m), and
        kernels with four, taken as (height * width * channel, out). Not those of a layer whose path fits `others`.
    Source: Jordan et al. 2024 (Muon); factor 0.2 sqrt(max(n, m)), which lets one learning rate and weight decay serve
        both kinds of parameters: Liu et al. 2025, section 2.2.
    Differs: PyTorch's Muon takes matrices only, runs the iteration in bfloat16, and has the factor under
        adjust_lr_fn="match_rms_adamw"; its velocity has an extra factor 1 - momentum, of which O knows nothing.
    """

    usual_rate: ClassVar[float] = 2e-3

    momentum: float = hyper(
        default=0.95, low=0, high=1, unit="share kept per step", search=MOMENTUMS, doc="Share of the velocity kept."
    )
    weight_decay: float = hyper(
        default=0.01,
        low=0,
        scale="log",
        unit="share of the learning rate",
        search=DECAYS,
        doc="How fast parameters shrink.",
    )
    others: tuple[str, ...] = ("output/*", "*/output/*", "*embedding*")

    def mover_of(self, path: str, p: Any) -> Optimiser:
        is_matrix = path.rpartition("/")[2] == "weight" and 2 <= p.ndim <= 4
        if is_matrix and not any(fnmatchcase(path, pattern) for pattern in self.others):
            return self
        return AdamW(self.beta1, self.beta2, self.epsilon, self.weight_decay)

    def init(self, p: Any) -> Arrays:
        return {"velocity": _zeros(p)}

    def gain(self, state: Arrays, h: Any) -> Any:
        return 1.0

    def direction(self, g: Any, p: Any, state: Arrays, h: Any) -> tuple[Any, Arrays]:
        velocity = h.momentum * state["velocity"] + g
        ahead = g + h.momentum * velocity
        matrix = ops.reshape(ahead, (-1, p.shape[-1])) if p.ndim == 4 else ahead
        factor = 0.2 * max(matrix.shape[-2:]) ** 0.5
        orthogonal = ops.reshape(_orthogonal(matrix), p.shape)
        return factor * orthogonal + h.weight_decay * p, {"velocity": velocity}


def _orthogonal(x: Any) -> Any:
    """An orthogonal matrix near x (..., n, m): its singular values brought near 1 by a polynomial, its axes kept."""
    is_tall = x.shape[-2] > x.shape[-1]
    x = ops.swap_last_axes(x) if is_tall else x
    norm = ops.sqrt(ops.sum(x * x, (-2, -1), keepdims=True))
    x = x / ops.maximum(norm, NORM)
    rows, columns = x.shape[-2:]
    x = _by_gram(x) if columns > LONG * rows and rows >= LEAST_ROWS else _by_rounds(x)
    return ops.swap_last_axes(x) if is_tall else x


def _by_rounds(x: Any) -> Any:
    """ROUNDS of the quintic. Shapes: x (..., n, m), n <= m, of Frobenius norm 1 -> the same."""
    a, b, c = QUINTIC
    for _ in range(ROUNDS):
        square = x @ ops.swap_last_axes(x)
        x = a * x + (b * square + c * (square @ square)) @ x
    return x


def _by_gram(x: Any) -> Any:
    """The same of long rows with two products of x in place of two in each round: a round multiplies it by a polynomial
    of x x^T, and their product is put together from x x^T alone.

    In float32 it differs by about 1e-3 of its length, where singular values are near 0. Rounded to bfloat16, x x^T
    would have eigenvalues below 0, which the rounds let grow without end; so these products are exact.
    """
    square = ops.matmul(x, ops.swap_last_axes(x), exact=True)
    itself = np.eye(square.shape[-1], dtype=square.dtype)
    a, b, c = QUINTIC
    whole = None
    for left in reversed(range(ROUNDS)):
        factor = a * itself + b * square + c * ops.matmul(square, square, exact=True)
        whole = factor if whole is None else ops.matmul(factor, whole, exact=True)
        if left:
            square = ops.matmul(ops.matmul(factor, square, exact=True), factor, exact=True)
    return ops.matmul(whole, x, exact=True)
