"""95 % intervals: how far other rows of the same kind may move a mean, a share or an area.

Rows may count differently. Where a closed form is of rows that count alike, they are as many as would tell as much
(Kish): `effective`.

Shapes: values (row,), weight (row,), of at least 0 and not all 0.
"""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Interval = tuple[float, float]

Z = 1.959963984540054  # the normal distribution's 97.5 % point: 95 % lies between -Z and Z


def effective(weight: Floats) -> float:
    """How many rows of equal weight tell a mean as well. Formula: (sum of w)² / sum of w². Source: Kish 1965, 11.7."""
    return float(weight.sum()) ** 2 / float((weight * weight).sum())


def student(freedom: float) -> float:
    """The 97.5 % point of Student's t: Abramowitz and Stegun 26.7.5, from 3 degrees of freedom on within 0.3 %; that of
    the next whole number below 3."""
    if freedom < 3:
        return (math.inf, 12.706204736, 4.302652730)[int(freedom + 1e-9)]
    z, n = Z, float(freedom)
    return (
        z
        + (z**3 + z) / (4 * n)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * n**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * n**3)
        + (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * n**4)
    )


def mean(values: Floats, weight: Floats) -> float:
    """The weighted mean."""
    return float((values * weight).sum()) / float(weight.sum())


def reach(values: Floats, weight: Floats) -> float:
    """Half the width of the interval of their mean: Student's t times its standard error.

    Formula: error² = sum of w² (v - mean)² / (sum of w)² * n / (n - 1), n the effective rows.
    Source: linearisation of a ratio of two sums, Cochran 1977, 2.11; n and degrees of freedom are approximations.
    """
    rows = effective(weight)
    if rows - 1 < 1e-9:
        return math.inf
    off = weight * (values - mean(values, weight))
    return student(rows - 1) * math.sqrt(float((off * off).sum()) * rows / (rows - 1)) / float(weight.sum())


def mean_interval(values: Floats, weight: Floats) -> Interval:
    """Of the weighted mean of any numbers."""
    middle, half = mean(values, weight), reach(values, weight)
    return middle - half, middle + half


def root_mean_interval(squares: Floats, weight: Floats) -> Interval:
    """Of the root of the weighted mean of squares, on the logarithm."""
    middle = mean(squares, weight)
    half = reach(squares / (middle or 1), weight)
    if math.isinf(half):
        return 0.0, math.inf
    factor = math.exp(half)
    return math.sqrt(middle / factor), math.sqrt(middle * factor)


def share_interval(share: float, half: float) -> Interval:
    """On the logit: `half` the width is in units of the share, which lies between 0 and 1."""
    slope = share * (1 - share)
    centre = math.log(share / (1 - share))
    return _logistic(centre - half / slope), _logistic(centre + half / slope)


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > 0 else (e := math.exp(max(x, -700.0))) / (1 + e)


def wilson(share: float, rows: float) -> Interval:
    """Of a share of so many rows, as many as they tell."""
    spread = Z * Z / rows
    centre = (share + spread / 2) / (1 + spread)
    half = math.sqrt(spread * share * (1 - share) + spread * spread / 4) / (1 + spread)
    low = 0.0 if share == 0 else max(0.0, centre - half)  # exact at both ends, where rounding leaves 1e-17
    return low, 1.0 if share == 1 else min(1.0, centre + half)


def hanley_mcneil(area: float, ours: float, others: float) -> Interval:
    """Where |area - a| = Z * error(a), found by halving: Newcombe 2006, method 5."""
    if area < 0.5:
        low, high = hanley_mcneil(1 - area, ours, others)
        return 1 - high, 1 - low
    extra = (ours + others) / 2 - 1

    def inside(a: float) -> bool:
        variance = a * (1 - a) * (1 + extra * (1 - a) / (2 - a) + extra * a / (1 + a)) / (ours * others)
        return abs(area - a) <= Z * math.sqrt(variance)

    bounds = []
    for far in (0.0, 1.0):
        near = area
        for _ in range(60):
            middle = (near + far) / 2
            near, far = (middle, far) if inside(middle) else (near, middle)
        bounds.append(far)
    return bounds[0], bounds[1]
