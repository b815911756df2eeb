"""Trials on a grid."""

import math
from collections.abc import Sequence

import numpy as np

from preceptor.hyper import settings
from preceptor.tuning.record import Trial
from preceptor.tuning.samplers.base import Point, Sampler
from preceptor.tuning.samplers.low_discrepancy import halton
from preceptor.tuning.space import Space

VISITS = 8  # points a cell, by which the order is found


@settings
class Grid(Sampler):
    """Tries every combination of a few values of each setting, as many as there are trials for.

    All settings have as many values as each other, as far as they have so many and the number of trials allows; those
    that come first in the space have one more where it does not allow it for all. The values lie in the middle of equal
    parts of the scale. The order is that in which a Halton sequence comes by, so that any first so many are spread over
    the grid. There are no more trials than cells.

    Source: conventional.
    """

    def rounds(self, trials: int) -> list[int]:
        return [trials] if trials else []

    def points(self, space: Space, seed: int, first: int, count: int, earlier: Sequence[Trial]) -> list[Point]:
        trials = first - 1 + count  # in one round: all there are
        levels = levels_of(space.levels, trials)
        order = spread(levels)
        return [
            tuple((int(index) + 0.5) / size for index, size in zip(np.unravel_index(cell, levels), levels, strict=True))
            for cell in order[first - 1 : trials].tolist()
        ]


def levels_of(most: Sequence[int | None], trials: int) -> tuple[int, ...]:
    """How many values of each setting are tried, so that their product is at most `trials`.

    Args:
        most: how many values each has; None for as many as one likes.
    """
    levels = [1] * len(most)
    while True:
        product = math.prod(levels)
        for at in sorted(range(len(levels)), key=lambda at: (levels[at], at)):
            limit = most[at]
            if (limit is None or levels[at] < limit) and product // levels[at] * (levels[at] + 1) <= trials:
                levels[at] += 1
                break
        else:
            return tuple(levels)


def spread(levels: tuple[int, ...]) -> np.ndarray:
    """The cells of a grid, as numbers in row-major order, in an order whose every beginning is spread over it."""
    cells = math.prod(levels)
    visited = (halton(0, 0, VISITS * cells, len(levels)) * levels).astype(np.int64)
    numbers = np.ravel_multi_index(tuple(visited.T), levels)
    known, when = np.unique(numbers, return_index=True)
    return np.concatenate([known[np.argsort(when)], np.setdiff1d(np.arange(cells), known)])
