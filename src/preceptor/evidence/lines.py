"""Lines of what a class's probability is worth: receiver operating characteristic, precision and recall."""

import numpy as np
from numpy.typing import NDArray

from preceptor.evidence.record import Curve, plain

__all__ = ["precision_recall_line", "roc_line", "thinned"]

Floats = NDArray[np.float64]

POINTS = 200  # of a line
MOST_OFF = 1e-3  # by which the area below a thinned line may differ


def roc_line(score: np.ndarray, positive: NDArray[np.bool_], weight: Floats, name: str = "") -> Curve:
    """Share of the others that are taken for the class (x) against the share of its own that are told (y), for every
    threshold; straight where rows have the same score.

    Shapes: (row,) each, with rows of both kinds.
    Args: name: of the curve. `area` is exact, of all points.
    Source: Fawcett 2006, algorithm 1.
    """
    hits, false = _counted(score, positive, weight)
    x, y = np.append(0, false) / false[-1], np.append(0, hits) / hits[-1]
    area = float(np.trapezoid(y, x))
    return _line(*_without_straight(x, y), name, area)


def precision_recall_line(score: np.ndarray, positive: NDArray[np.bool_], weight: Floats, name: str = "") -> Curve:
    """Recall (x) against precision (y), for every threshold, as stairs: the area below is the average precision.

    Shapes: as of `roc_line`.
    Formula: area = sum over thresholds of (recall - recall before) * precision.
    Source: average precision, Manning, Raghavan and Schütze 2008, section 8.4; as scikit-learn defines it.
    Differs: stairs and not straight lines from point to point, which promise more than any threshold gives (Davis and
        Goadrich 2006).
    """
    hits, false = _counted(score, positive, weight)
    told = np.append(True, hits[1:] > hits[:-1]) & (hits > 0)  # where nothing is gained there is no stair
    recall, precision = hits[told] / hits[-1], (hits / (hits + false))[told]
    area = float(np.sum(np.diff(recall, prepend=0) * precision))
    x, y = np.append(0, np.repeat(recall, 2)[:-1]), np.repeat(precision, 2)
    return _line(*_without_straight(x, y), name, area)


def _counted(score: np.ndarray, positive: NDArray[np.bool_], weight: Floats) -> tuple[Floats, Floats]:
    """Weights of rows of the class, and of others, with at least each score that there is, the highest first."""
    order = np.argsort(-score, kind="stable")
    ranked = score[order]
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))  # of each run of equal scores
    hits, false = (np.cumsum(np.where(positive == side, weight, 0)[order])[ends] for side in (True, False))
    return hits, false


def _line(x: Floats, y: Floats, name: str, area: float) -> Curve:
    x, y = thinned(x, y)
    return Curve(x=plain(x), y=[*plain(y)], name=name, area=area)


def _without_straight(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """The corners of a line, and its ends."""
    if len(x) < 3:
        return x, y
    bent = np.abs(_triangles(x, y)) > 1e-14
    kept = np.append(np.append(True, bent), True)
    return x[kept], y[kept]


def _triangles(x: Floats, y: Floats) -> Floats:
    """What the area below changes by where a point is left out, for each but the ends.

    Shapes: (point,) -> (point - 2,).
    """
    found: Floats = ((x[1:-1] - x[:-2]) * (y[2:] - y[:-2]) - (x[2:] - x[:-2]) * (y[1:-1] - y[:-2])) / 2
    return found


def thinned(x: Floats, y: Floats, points: int = POINTS) -> tuple[Floats, Floats]:
    """A line of no more points, with the corners that tell the most and nearly the same area below.

    Shapes: (point,), x rising -> the same, of at most `points`.
    Formula: those points go first that change the area least, never two neighbours at once. Where what is left out has
        all changed it to one side, the line is drawn to it: every inner point of y is moved alike, within 0 and 1.
    Source: Visvalingam and Whyatt 1993.
    Differs: many points go at a time.
    """
    whole = float(np.trapezoid(y, x))
    while len(x) > points:
        size, excess = np.abs(_triangles(x, y)), len(x) - points
        least = np.argpartition(size, min(excess, len(size) - 1))[:excess]
        candidate = np.zeros(len(x), bool)
        candidate[least + 1] = True
        # Within each run of neighbours every second goes, the first included.
        place = np.arange(len(x))
        starts = np.maximum.accumulate(np.where(candidate & ~np.append(False, candidate[:-1]), place, 0))
        gone = candidate & ((place - starts) % 2 == 0)
        x, y = x[~gone], y[~gone]
    off = float(np.trapezoid(y, x)) - whole
    if abs(off) > MOST_OFF / 2:
        y = np.concatenate([y[:1], np.clip(y[1:-1] - off, 0, 1), y[-1:]])
    return x, y
