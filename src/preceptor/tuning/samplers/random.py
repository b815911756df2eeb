"""Trials drawn at random."""

from collections.abc import Sequence

import numpy as np

from preceptor.hyper import settings
from preceptor.tuning.record import Trial
from preceptor.tuning.samplers.base import Point, Sampler
from preceptor.tuning.space import Space


@settings
class Random(Sampler):
    """Draws each trial by itself, uniformly on the scales of the space.

    Source: Bergstra and Bengio 2012: where few settings matter, each trial tries another value of each of them.
    """

    def rounds(self, trials: int) -> list[int]:
        return [trials] if trials else []

    def points(self, space: Space, seed: int, first: int, count: int, earlier: Sequence[Trial]) -> list[Point]:
        return [drawn(seed, number, len(space)) for number in range(first, first + count)]


def drawn(seed: int, number: int, dimensions: int) -> Point:
    """A point by seed and number alone."""
    return tuple(np.random.default_rng([seed, number]).random(dimensions).tolist())
