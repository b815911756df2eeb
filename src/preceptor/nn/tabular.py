"""Layers for tables: features made of single numbers and of levels."""

import math
from typing import Any, ClassVar

import numpy as np

from preceptor import ops
from preceptor.errors import ShapeError
from preceptor.hyper import hyper, settings
from preceptor.nn.initialiser import drawn
from preceptor.nn.layer import Arrays, Layer
from preceptor.ops import Spec
from preceptor.ops.primitive import user_line

__all__ = ["Levels", "PiecewiseLinear", "Waves"]


@settings
class Waves(Layer):
    """Adds to some features learned mixtures of waves of themselves, so that small differences of a number can count.

    Shapes: x (batch, feature) -> (batch, feature + width * number); frequency, phase (number, wave);
        mix (number, wave, width); shift (number, width). Or x (batch, member, feature), and all others with an axis of
        members before: each has waves of its own.
    Formula: cos(2 pi (frequency * x + phase)) @ mix + shift for each number, behind the features themselves.
    Args:
        numbers: positions of the features that get waves.
    Source: Gorishniy et al. 2022, section 3.3; this form (cosine with a phase, the number itself kept) is that of
        Holzmüller et al. 2024, appendix A.1, with their widths.
    Differs: their mixture passes no activation here either, and is scaled by the root of the waves.
    """

    takes_members: ClassVar[bool] = True

    numbers: tuple[int, ...] = hyper(default=(0,), low=0, unit="position", doc="Which features get waves.")
    waves: int = hyper(default=16, low=1, unit="waves", doc="Waves of each number.")
    width: int = hyper(default=3, low=1, unit="features", doc="Mixtures of each number.")
    sigma: float = hyper(default=0.5, low=0, scale="log", doc="Spread of the first frequencies, per unit of x.")

    def init(self, rng: np.random.Generator, spec: Spec) -> tuple[Arrays, Arrays]:
        count = len(self.numbers)
        if spec.ndim != 2 or max(self.numbers, default=0) >= spec.shape[-1]:
            raise ShapeError(
                f"at {user_line()}: input has shape {spec.shape}; (batch, feature) with more than "
                f"{max(self.numbers, default=0)} features is required. Check the positions."
            )
        wide, root = (count, self.waves), np.sqrt(self.waves)
        return {
            "frequency": drawn(rng, wide, lambda shape: self.sigma * rng.standard_normal(shape)),
            "phase": drawn(rng, wide, lambda shape: rng.uniform(-0.5, 0.5, shape)),
            "mix": drawn(rng, (*wide, self.width), lambda shape: rng.uniform(-1, 1, shape) / root),
            "shift": drawn(rng, (count, self.width), lambda shape: rng.uniform(-1, 1, shape) / root),
        }, {}

    def apply(self, params: Arrays, state: Arrays, x: Any, *, train: bool, key: Any) -> tuple[Any, Arrays]:
        batch, *members, features = x.shape
        several = math.prod(members)
        places = np.arange(several, dtype=np.int32)[:, None] * features + np.array(self.numbers, np.int32)
        count = places.size  # of all members together: one product of many small matrices
        picked = ops.take(ops.transpose(ops.reshape(x, (batch, several * features))), places.ravel())
        angles = ops.reshape(picked, (count, 1, batch)) * ops.reshape(params["frequency"], (count, self.waves, 1))
        waves = ops.cos(2 * np.pi * (angles + ops.reshape(params["phase"], (count, self.waves, 1))))
        # The batch comes last: few waves and fewer mixtures would leave most of a vector empty.
        mixed = ops.transpose(ops.reshape(params["mix"], (count, self.waves, self.width)), (0, 2, 1)) @ waves
        shifted = mixed + ops.reshape(params["shift"], (count, self.width, 1))
        behind = ops.transpose(ops.reshape(shifted, (several * len(self.numbers) * self.width, batch)))
        wide = (batch, *members, len(self.numbers) * self.width)
        return ops.concatenate([x, ops.reshape(behind, wide)], x.ndim - 1), state


@settings
class PiecewiseLinear(Layer):
    """Adds to some features how far they reach into each of their bins: a number may count otherwise from bin to bin.

    Shapes: x (batch, feature) -> (batch, feature + bin), the bins of all the numbers behind the features.
    Formula: min(max((x - low) / (high - low), 0), 1) for each bin from low to high.
    Args:
        numbers: positions of the features that are binned.
        edges: of each of them the edges of its bins, rising; at least two.
    Raises: ShapeError where numbers and edges do not fit together or to the input.
    Source: Gorishniy et al. 2022, section 3.2, with quantiles of the training rows for edges.
    Differs: theirs goes on beyond the first and the last edge; here what lies outside counts as the edge.
    """

    numbers: tuple[int, ...] = hyper(default=(0,), low=0, unit="position", doc="Which features are binned.")
    edges: tuple[tuple[float, ...], ...] = hyper(default=((0.0, 1.0),), doc="Of the bins of each.")

    def init(self, rng: np.random.Generator, spec: Spec) -> tuple[Arrays, Arrays]:
        if spec.ndim != 2 or len(self.numbers) != len(self.edges) or max(self.numbers, default=0) >= spec.shape[-1]:
            raise ShapeError(
                f"at {user_line()}: input has shape {spec.shape}; (batch, feature) with more than "
                f"{max(self.numbers, default=0)} features, and edges for each of the numbers, are required. Check the "
                "positions."
            )
        return {}, {}

    @property
    def bins(self) -> int:
        """How many there are of all numbers."""
        return sum(len(each) - 1 for each in self.edges)

    def apply(self, params: Arrays, state: Arrays, x: Any, *, train: bool, key: Any) -> tuple[Any, Arrays]:
        return ops.concatenate([x, ops.transpose(self.reached(x))], 1), state

    def reached(self, x: Any) -> Any:
        """How far the numbers reach into their bins. Shapes: x (batch, feature) -> (bin, batch)."""
        which = np.repeat(np.array(self.numbers, np.int32), [len(each) - 1 for each in self.edges])
        low = np.concatenate([each[:-1] for each in self.edges]).astype(x.dtype)[:, None]
        high = np.concatenate([each[1:] for each in self.edges]).astype(x.dtype)[:, None]
        return ops.clip((ops.take(ops.transpose(x), which) - low) * (1 / (high - low)).astype(x.dtype), 0, 1)


@settings
class Levels(Layer):
    """Puts a learned vector in the place of each feature that is the number of a level: a category of many levels.

    Shapes: x (batch, feature) -> (batch, feature - place + width * place), what is no level first;
        vector (level, width), those of all the places under one another. Or x (batch, member, feature), and vector with
        an axis of members before: each has vectors of its own.
    Formula: y = [the other features, vector[x[place]] for each place].
    Args:
        places: positions of the features that are numbers of levels: whole, from 0.
        entries: how many levels each of them has; numbers beyond count as the nearest level.
    Raises: ShapeError where places and entries do not fit together or to the input.
    Source: Guo and Berkhahn 2016, section 2; the width is that of Holzmüller et al. 2024, appendix A.1.
    Differs: `Embedding` takes integers, this layer a table of float features.
    """

    takes_members: ClassVar[bool] = True

    places: tuple[int, ...] = hyper(default=(0,), low=0, unit="position", doc="Which features are numbers of levels.")
    entries: tuple[int, ...] = hyper(default=(2,), low=1, unit="levels", doc="Of each of these features.")
    width: int = hyper(default=8, low=1, unit="features", doc="Length of each vector.")
    spread: float = hyper(default=0.1, low=0, scale="log", doc="Standard deviation of the first vectors.")

    def init(self, rng: np.random.Generator, spec: Spec) -> tuple[Arrays, Arrays]:
        if spec.ndim != 2 or len(self.places) != len(self.entries) or max(self.places) >= spec.shape[-1]:
            raise ShapeError(
                f"at {user_line()}: input has shape {spec.shape}; (batch, feature) with more than {max(self.places)} "
                f"features, and as many entries as places, are required. Check the positions."
            )
        shape = (sum(self.entries), self.width)
        return {"vector": drawn(rng, shape, lambda shape: self.spread * rng.standard_normal(shape))}, {}

    def apply(self, params: Arrays, state: Arrays, x: Any, *, train: bool, key: Any) -> tuple[Any, Arrays]:
        batch, *members, features = x.shape
        several, count = math.prod(members), len(self.places)
        others = np.setdiff1d(np.arange(features), self.places)
        columns = ops.transpose(ops.reshape(x, (batch, several * features)))
        first = np.arange(several)[:, None]  # member by member: of its features, and below of its levels

        def picked(places: Any) -> Any:
            return ops.take(columns, (first * features + places).ravel().astype(np.int32))

        starts = first * sum(self.entries) + np.cumsum([0, *self.entries[:-1]])
        last = np.tile(np.array(self.entries, np.int32) - 1, several)[:, None]
        numbers = ops.cast(picked(np.array(self.places)), np.int32)
        rows = ops.maximum(ops.minimum(numbers, last), 0) + starts.reshape(-1, 1).astype(np.int32)
        vectors = ops.take(ops.reshape(params["vector"], (several * sum(self.entries), self.width)), rows)
        flat = ops.reshape(ops.transpose(vectors, (1, 0, 2)), (batch, *members, count * self.width))
        kept = ops.reshape(ops.transpose(picked(others)), (batch, *members, len(others)))
        return ops.concatenate([kept, flat], x.ndim - 1), state
