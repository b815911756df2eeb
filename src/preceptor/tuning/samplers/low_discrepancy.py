"""Trials that are spread more evenly than chance would."""

import math
from collections.abc import Iterator, Sequence
from itertools import count as whole_numbers
from itertools import islice

import numpy as np

from preceptor.hyper import settings
from preceptor.tuning.record import Trial
from preceptor.tuning.samplers.base import Point, Sampler
from preceptor.tuning.space import Space


@settings
class LowDiscrepancy(Sampler):
    """Draws the points of a randomised Halton sequence: any first so many of them fill the space evenly.

    Source: Halton 1960; Owen 2017, "A randomized Halton algorithm in R".
    Differs: from Owen's program in the numbers that are drawn, not in what they mean.
    """

    def rounds(self, trials: int) -> list[int]:
        return [trials] if trials else []

    def points(self, space: Space, seed: int, first: int, count: int, earlier: Sequence[Trial]) -> list[Point]:
        return [tuple(row) for row in halton(seed, first - 1, count, len(space)).tolist()]


def halton(seed: int, first: int, count: int, dimensions: int) -> np.ndarray:
    """The points numbered `first`, from 0, and onwards: each a function of seed, number and dimension.

    Formula: of the number's digits in a base, the dimension's prime, each is mapped by a random permutation of its own;
        they stand behind the point in reversed order, the last of them first.
    Shapes: (count, dimensions), from 0 to below 1.
    """
    bases = list(islice(_primes(), dimensions))
    return np.stack([_scrambled(seed, first, count, base, at) for at, base in enumerate(bases)], axis=1)


def _scrambled(seed: int, first: int, count: int, base: int, dimension: int) -> np.ndarray:
    rng = np.random.default_rng([seed, dimension])
    left, share, found = np.arange(first, first + count), 1.0, np.zeros(count)
    for _ in range(math.ceil(53 / math.log2(base))):  # digits of a double; zeros in front are mapped as well
        left, digit = np.divmod(left, base)
        share /= base
        found += rng.permutation(base)[digit] * share
    return np.minimum(found, np.nextafter(1.0, 0.0))


def _primes() -> Iterator[int]:
    found: list[int] = []
    for each in whole_numbers(2):
        if all(each % prime for prime in found):
            found.append(each)
            yield each
