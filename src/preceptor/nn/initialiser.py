"""First values of weights: drawn on the host, so that every engine starts from the same ones."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from preceptor.hyper import Span, hyper, settings
from preceptor.ops import Spec

__all__ = [
    "Constant",
    "Dirac",
    "Gaussian",
    "Glorot",
    "GlorotUniform",
    "He",
    "HeUniform",
    "Initialiser",
    "InverseWidth",
    "Orthogonal",
    "TruncatedGaussian",
    "Uniform",
    "Xavier",
    "XavierUniform",
]

FLOAT = np.dtype(np.float32)
PIECE = 2**20  # numbers drawn at a time: float64 values of a whole large weight would take twice its memory


class Undrawn(np.random.Generator):
    """In the place of a generator where only shapes are asked for: layers give Specs, which take no memory."""


@dataclass(frozen=True)
class Initialiser(ABC):
    """Draws the first values of a weight."""

    @abstractmethod
    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
        """Draws float32 values for a weight (..., in, out): a matrix, or a kernel with its window in the first axes.

        D_in, the inputs that one output sees, is window * in; D_out, the outputs that one input reaches, is
        window * out, and 1 / groups of it where a convolution has groups, which the shape does not tell (PyTorch and
        Keras leave that out too).
        """


def drawn(rng: np.random.Generator, shape: tuple[int, ...], draw: Callable[[tuple[int, ...]], np.ndarray]) -> Any:
    """What `draw` makes for a shape, as float32; for Undrawn its Spec."""
    return Spec(shape, FLOAT) if isinstance(rng, Undrawn) else draw(shape).astype(FLOAT, copy=False)


def filled(rng: np.random.Generator, shape: tuple[int, ...], value: float) -> Any:
    """The same float32 value everywhere; for Undrawn its Spec."""
    return drawn(rng, shape, lambda shape: np.full(shape, value, FLOAT))


def stacked(values: Sequence[Any]) -> Any:
    """Arrays, or Specs, of one shape along a new first axis."""
    if isinstance(values[0], Spec):
        return Spec((len(values), *values[0].shape), values[0].dtype)
    return np.stack(values)


def _uniform(rng: np.random.Generator, shape: tuple[int, ...], reach: float) -> Any:
    return drawn(rng, shape, lambda shape: reach * (2 * rng.random(shape) - 1))


def _gaussian(rng: np.random.Generator, shape: tuple[int, ...], sigma: float) -> Any:
    def draw(shape: tuple[int, ...]) -> np.ndarray:
        values = np.empty(shape, FLOAT)
        flat = values.reshape(-1)
        for start in range(0, flat.size, PIECE):
            part = flat[start : start + PIECE]
            part[:] = sigma * rng.standard_normal(part.size)
        return values

    return drawn(rng, shape, draw)


def _fan_in(shape: tuple[int, ...]) -> int:
    return max(math.prod(shape[:-1]), 1)


def _fan_out(shape: tuple[int, ...]) -> int:
    return max(math.prod(shape[:-2]), 1) * shape[-1]


@settings
class Constant(Initialiser):
    """The same value everywhere, 0 too: where every layer begins so, all units of a hidden layer stay equal for ever.

    For then they see the same and are seen the same, and so do their gradients. Only what treats units differently
    parts them: random masks.
    Formula: w = value.
    Source: course material D, "Weight initialization".
    """

    value: float = hyper(default=0.0, doc="The value of every weight.")

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
        return filled(rng, shape, self.value)


@settings
class Gaussian(Initialiser):
    """Normal numbers around 0.

    Formula: w ~ N(0, sigma²).
    """

    sigma: float = hyper(default=0.01, low=0, scale="log", search=Span(1e-3, 1), doc="Standard deviation.")

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
        return _gaussian(rng, shape, self.sigma)


@settings
class Xavier(Initialiser):
    """Keeps the variance from input to output of a linear unit.

    Formula: w ~ N(0, 1 / D_in).
    Source: LeCun et al. 1998, "Efficient BackProp", section 4.6; called Xavier in the course.
    Differs: PyTorch's xavier_* is what is called Glorot here.
    """

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
        return _gaussian(rng, shape, (1 / _fan_in(shape)) ** 0.5)


@settings
class Glorot(Initialiser):
    """Keeps the variance of values forward and of gradients backward, on average.

    Formula: w ~ N(0, 2 / (D_in + D_out)).
    Source: Glorot and Bengio 2010, equation 12.
    Differs: course material D prints the deviation as 2 / sqrt(D_in + D_out), larger by the root of 2; that of the
        paper is meant. Normal, as here, and uniform are both in use; Keras' Dense takes the uniform form.
    """

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
        return _gaussian(rng, shape, (2 / (_fan_in(shape) + _fan_out(shape))) ** 0.5)


@settings
class He(Initialiser):
    """Keeps the variance through units that pass half of their inputs (ReLU).

    Formula: w ~ N(0, 2 / D_in).
    Source: He et al. 2015, "Delving deep into rectifiers", equation 10.
    """

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
        return _gaussian(rng, shape, (2 / _fan_in(shape)) ** 0.5)


@settings
class InverseWidth(Initialiser):
    """Smaller than Xavier's: the course's older rule, which makes signals shrink from layer to layer.

    Formula: w ~ N(0, 1 / d²), d = D_in.
    Source: course material B.
    """

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
        return _gaussian(rng, shape, 1 / _fan_in(shape))


@settings
class TruncatedGaussian(Initialiser):
    """Normal numbers around 0, those beyond two deviations drawn again.

    Formula: w ~ N(0, sigma²), |w| <= 2 sigma; the deviation of what is left is 0.88 sigma.
    Source: definition; Keras' TruncatedNormal.
    """

    sigma: float = hyper(
        default=0.01, low=0, scale="log", search=Span(1e-3, 1), doc="Standard deviation before the cut."
    )

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
        def draw(shape: tuple[int, ...]) -> np.ndarray:
            values = rng.standard_normal(shape)
            while (far := np.abs(values) > 2).any():
                values[far] = rng.standard_normal(np.count_nonzero(far))
            return self.sigma * values

        return drawn(rng, shape, draw)


@settings
class Uniform(Initialiser):
    """Numbers around 0, all equally probable.

    Formula: w ~ U(-reach, reach).
    """

    reach: float = hyper(default=0.05, low=0, scale="log", search=Span(1e-3, 1), doc="The largest weight.")

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
        return _uniform(rng, shape, self.reach)


@settings
class XavierUniform(Initialiser):
    """The variance of Xavier, drawn uniformly.

    Formula: w ~ U(-a, a), a = sqrt(3 / D_in).
    Source: LeCun et al. 1998, "Efficient BackProp", section 4.6; Keras' lecun_uniform.
    Differs: PyTorch's xavier_uniform_ is GlorotUniform.
    """

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
        return _uniform(rng, shape, (3 / _fan_in(shape)) ** 0.5)


@settings
class GlorotUniform(Initialiser):
    """The variance of Glorot, drawn uniformly, as in the paper.

    Formula: w ~ U(-a, a), a = sqrt(6 / (D_in + D_out)).
    Source: Glorot and Bengio 2010, equation 16.
    """

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
        return _uniform(rng, shape, (6 / (_fan_in(shape) + _fan_out(shape))) ** 0.5)


@settings
class HeUniform(Initialiser):
    """The variance of He, drawn uniformly.

    Formula: w ~ U(-a, a), a = sqrt(6 / D_in).
    Source: He et al. 2015, equation 10; Keras' he_uniform.
    """

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
        return _uniform(rng, shape, (6 / _fan_in(shape)) ** 0.5)


@settings
class Dirac(Initialiser):
    """Passes on what comes in: the first outputs are the inputs, one each, of the middle of a window; further outputs
    are drawn.

    Formula: w[middle, i, i] = 1 and w[..., i] = 0 elsewhere for i below the inputs of the shape; the others
        w ~ U(-1 / sqrt(D_in), 1 / sqrt(D_in)).
    Source: Zagoruyko and Komodakis 2017 (DiracNets); with others drawn Jordan 2024, section 3.2.
    Differs: PyTorch's dirac_ leaves further outputs at 0, and is for convolutions alone.
    """

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
        def draw(shape: tuple[int, ...]) -> np.ndarray:
            reach, passed = _fan_in(shape) ** -0.5, min(shape[-2:])
            values = reach * (2 * rng.random(shape) - 1)
            values[..., :passed] = 0
            each = np.arange(passed)
            values[(*(size // 2 for size in shape[:-2]), each, each)] = 1
            return values

        return drawn(rng, shape, draw)


@settings
class Orthogonal(Initialiser):
    """A matrix that turns and mirrors, so that no signal grows or fades in it.

    Formula: w = Q sign(diag R) of the QR decomposition of a normal matrix, (window * in, out), or of its transpose
        where it is wider than high: the columns, or else the rows, have length 1 and stand at right angles.
    Source: Saxe et al. 2014; the sign as Mezzadri 2007, so that all turns are equally probable.
    """

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
        def draw(shape: tuple[int, ...]) -> np.ndarray:
            high, wide = _fan_in(shape), shape[-1]
            q, r = np.linalg.qr(rng.standard_normal((max(high, wide), min(high, wide))))
            q = q * np.where(np.diag(r) < 0, -1, 1)
            return (q if high >= wide else q.T).reshape(shape)

        return drawn(rng, shape, draw)
