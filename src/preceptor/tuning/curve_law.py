"""The law by which errors fall with more rows, or more units: fitted, drawn around, and read off at other sizes.

error(n) = a + b n^-c, a and b at least 0: what is left however many there are, and what a growing number takes away.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

SLOWEST, FASTEST, EXPONENTS = 0.05, 2.0, 61  # c; Hestness et al. 2017 find 0.07 to 0.35, theory 0.5 to 1
DRAWS = 1_000  # for each exponent
MOST_FREEDOM = 3.0  # degrees of freedom that repeats lend to the noise: more would deny that the law only nears a curve
NOISE_FALL = 0.25  # noise is told as n^-0.25 of the size
DRIFT = 0.03  # share of the error by which a curve may leave its law within a doubling: see docs/recipe.md
STEP = 0.25  # doublings that a drift goes on at once
FEWEST_SIZES = 3  # as many as the law has numbers

Floats = np.ndarray


@dataclass(frozen=True)
class Law:
    """error(n) = a + b n^-c."""

    a: float
    b: float
    c: float

    def __call__(self, sizes: Floats | float) -> Floats:
        """The errors at some sizes."""
        return self.a + self.b * np.asarray(sizes, np.float64) ** -self.c


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float


def fit_law(sizes: Floats, errors: Floats, weight: Floats | None = None) -> Law:
    """The law nearest to some errors by weighted squares.

    For each exponent a and b are found in closed form (variable projection), the exponent by a grid and golden section,
    so that the same errors give the same law, wherever a search would begin.

    Shapes: sizes, errors, weight (size,).
    Source: the law: Cortes et al. 1994, section 3; for deep networks Hestness et al. 2017; among others, Viering and
        Loog 2023, section 4. Variable projection: Golub and Pereyra 1973.
    Differs: a and b are at least 0: an error neither falls below 0 nor rises with more to learn from.
    """
    n, y = np.asarray(sizes, np.float64), np.asarray(errors, np.float64)
    w = np.ones(len(n)) if weight is None else np.asarray(weight, np.float64)
    largest = float(n.max())

    def of(c: float) -> tuple[float, float, float]:
        return _line((n / largest) ** -c, y, w)

    grid = np.geomspace(SLOWEST, FASTEST, EXPONENTS)
    best = int(np.argmin([of(c)[2] for c in grid]))
    c = _golden(lambda c: of(c)[2], grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)])
    a, b, _ = of(c)
    return Law(a, b * largest**c, c)


def _line(t: Floats, y: Floats, w: Floats) -> tuple[float, float, float]:
    """The a, b of at least 0 with the least sum of w (a + b t - y)², and that sum."""
    mean_t, mean_y = float(np.average(t, weights=w)), float(np.average(y, weights=w))
    spread = float((w * (t - mean_t) ** 2).sum())
    b = float((w * (t - mean_t) * (y - mean_y)).sum()) / spread if spread > 0 else 0.0
    a = mean_y - b * mean_t
    if b < 0:
        a, b = max(mean_y, 0.0), 0.0
    elif a < 0:
        a, b = 0.0, max(float((w * t * y).sum() / (w * t * t).sum()), 0.0)
    return a, b, float((w * (a + b * t - y) ** 2).sum())


def _golden(of: Callable[[float], float], low: float, high: float) -> float:
    """Where a function of one number is least between two, to 1e-10 of them."""
    ratio = (math.sqrt(5) - 1) / 2
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = of(left), of(right)
    while high - low > 1e-10 * high:
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = of(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = of(right)
    return (low + high) / 2


@dataclass(frozen=True, eq=False)
class Laws:
    """Laws that errors allow, each with its weight: what a mean of the errors can be at other sizes.

    Formula: the errors are law(n) + noise, noise normal with a deviation of s n^-0.25. Of s² the repeats tell something
        (at most 3 degrees of freedom), the distance of the law from the means the rest. The prior is flat in the law's
        values at the least and the largest size and in log c from 0.05 to 2. Given c, these two values are drawn from
        their t distribution; laws with a or b below 0 are refused. Beyond the largest size a curve leaves its law: the
        logarithm of the error walks at random, by 0.03 in a doubling.
    Shapes: sizes (size,); errors (repeat, size), those of a repeat judged by the same rows.
    Args:
        grain: what the least difference of two means is, such as one row of all that judged; of shares.
    Source: Bayesian linear regression given c, Gelman et al. 2013, 14.2; averaging over curves, Domhan et al. 2015.
    Differs: from Domhan et al.: one family of curves, drawn without a chain, so that the same errors tell the same.
    """

    sizes: Floats
    errors: Floats
    grain: float = 0.0

    @cached_property
    def law(self) -> Law:
        """The nearest one."""
        return fit_law(self.sizes, self.errors.mean(axis=0), self._weight)

    @property
    def _weight(self) -> Floats:
        """What each size counts, by its noise."""
        n = np.asarray(self.sizes, np.float64)
        weight: Floats = (n / n.max()) ** (2 * NOISE_FALL)
        return weight

    @cached_property
    def noise(self) -> float:
        """The standard deviation of a mean over the repeats at the largest size, as the repeats tell it."""
        repeats, count = self.errors.shape
        if repeats < 2:
            return self.grain
        own = self.errors - self.errors.mean(axis=0) - self.errors.mean(axis=1, keepdims=True) + self.errors.mean()
        found = math.sqrt(float((self._weight * own**2).sum()) / ((repeats - 1) * (count - 1)) / repeats)
        return max(found, self.grain)

    @cached_property
    def _drawn(self) -> tuple[Floats, Floats, Floats, Floats]:
        """(a, b, c, weight) of the laws, with sizes in units of the largest."""
        y, w, count = self.errors.mean(axis=0), self._weight, len(self.sizes)
        n = np.asarray(self.sizes, np.float64) / max(self.sizes)
        known = MOST_FREEDOM if self.errors.shape[0] > 1 else 0.0
        freedom = known + count - 2
        generator = np.random.Generator(np.random.Philox(key=2026))
        normal, chi = generator.standard_normal((2, DRAWS)), generator.chisquare(freedom, DRAWS)
        found = []
        for c in np.geomspace(SLOWEST, FASTEST, EXPONENTS):
            t = n**-c
            share = (t - 1) / (t.max() - 1)  # 1 at the least size, 0 at the largest
            x = np.stack((share, 1 - share), 1)
            square = x.T @ (w[:, None] * x)
            middle = np.linalg.solve(square, x.T @ (w * y))
            rest = known * self.noise**2 + float((w * (y - x @ middle) ** 2).sum())
            rest = max(rest, 1e-24 * float((w * y * y).sum()) + 1e-300)
            sigma = np.sqrt(rest / chi)
            first, last = middle[:, None] + np.linalg.solve(np.linalg.cholesky(square).T, normal) * sigma
            b = (first - last) / (t.max() - 1)
            a = last - b
            is_law = (a >= 0) & (b >= 0)
            log = -0.5 * np.linalg.slogdet(square)[1] - 0.5 * freedom * math.log(rest)
            found.append((a, b, np.full(DRAWS, c), np.where(is_law, log, -math.inf)))
        a, b, c, log = (np.concatenate(each) for each in zip(*found, strict=True))
        kept = np.isfinite(log)
        if not kept.any():
            none = np.zeros(0)
            return none, none, none, none
        weight = np.exp(log[kept] - log[kept].max())
        return a[kept], b[kept], c[kept], weight / weight.sum()

    @property
    def is_known(self) -> bool:
        """Whether any law fits: not where errors rise, on the whole."""
        return self.law.b > 0 and len(self._drawn[0]) > 0

    def at(self, size: float) -> Estimate:
        """The error at a size."""
        return self._estimate(self._values(size), self._drifted(size))

    def gain(self, size: float, larger: float) -> Estimate:
        """By how much the error falls from a size to a larger one; below 0 it rises."""
        plain = self._values(size) - self._values(larger)
        return self._estimate(plain, self._drifted(size) - self._drifted(larger))

    @property
    def floor(self) -> Estimate:
        """What the error falls towards, however large a size: a."""
        a = self._drawn[0]
        return self._estimate(a, a)

    def _values(self, size: float) -> Floats:
        """What each law says of a size."""
        a, b, c, _ = self._drawn
        values: Floats = a + b * (size / max(self.sizes)) ** -c
        return values

    def _drifted(self, size: float) -> Floats:
        """The same, with what the curve has drifted from its law beyond the largest size."""
        doublings = math.log2(size / max(self.sizes))
        return self._values(size) * np.exp(DRIFT * self._walked(doublings)) if doublings > 0 else self._values(size)

    def _walked(self, doublings: float) -> Floats:
        """How far each of the laws has drifted after so many doublings: a random walk, the same for every size."""
        generator, left = np.random.Generator(np.random.Philox(key=2027)), doublings
        total = np.zeros(len(self._drawn[0]))
        while left > 0:
            total += math.sqrt(min(left, STEP)) * generator.standard_normal(len(total))
            left -= STEP
        return total

    def _estimate(self, plain: Floats, drifted: Floats) -> Estimate:
        """The weighted median of what laws say, and the 95 % between of what curves do."""
        weight = self._drawn[3]
        low, high = _quantiles(drifted, weight, (0.025, 0.975))
        return Estimate(_quantiles(plain, weight, (0.5,))[0], low, high)


def _quantiles(values: Floats, weight: Floats, shares: tuple[float, ...]) -> list[float]:
    """Below which so large shares of the weight lie."""
    order = np.argsort(values, kind="stable")
    places = np.minimum(np.searchsorted(np.cumsum(weight[order]), shares), len(order) - 1)
    found: list[float] = values[order][places].tolist()
    return found


__all__ = ["FEWEST_SIZES", "Estimate", "Law", "Laws", "fit_law"]
