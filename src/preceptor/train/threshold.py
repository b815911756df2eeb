"""From which probability on the second of two classes is decided for."""

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["best_threshold", "decided", "thresholds_apart"]

Floats = NDArray[np.float64]


def decided(probabilities: np.ndarray, threshold: float | Floats | None) -> np.ndarray:
    """The class of each row: the second of two where its probability is at least the threshold; without one the most
    probable, the first of equals. Shapes: probabilities (row, class); threshold one or (row,) -> (row,), int64."""
    if threshold is None:
        most: np.ndarray = probabilities.argmax(axis=1)
        return most
    return (probabilities[:, 1].astype(np.float64) >= threshold).astype(np.int64)


def best_threshold(
    name: str, probabilities: np.ndarray, labels: np.ndarray, weight: np.ndarray | None = None
) -> tuple[float, float]:
    """The threshold at which a figure of two classes is highest on some rows, and the figure there.

    Shapes: probabilities (row, 2); labels (row,), 0 and 1; weight (row,), what each row counts, 1 if left out.
    Formula: all ways to part the rows by their probability are tried; the threshold lies midway between the two
        probabilities that it parts, of equally good ones nearest to 1/2.
    Args:
        name: "f1" or "balanced_accuracy".
    Returns: 0.5 and NaN where all rows are of one class.
    Source: by its definition, as scikit-learn's TunedThresholdClassifierCV.
    Differs: from that in trying every threshold instead of 100.
    """
    score = probabilities[:, 1].astype(np.float64)
    w = np.ones(len(score)) if weight is None else np.asarray(weight, np.float64)
    order = np.argsort(-score, kind="stable")
    ranked = score[order]
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))  # of each run of equal probabilities
    hits, false = (np.cumsum(np.where(labels == each, w, 0)[order])[ends] for each in (1, 0))
    ours, others = hits[-1], false[-1]
    if not ours or not others:
        return 0.5, math.nan
    values = 2 * hits / (hits + false + ours) if name == "f1" else (hits / ours + 1 - false / others) / 2
    above, below = ranked[ends], np.append(ranked[ends][1:], 0.0)
    middle = np.where((above + below) / 2 > below, (above + below) / 2, above)
    good = np.flatnonzero(values >= values.max() - 1e-12)
    best = good[np.argmin(np.abs(middle[good] - 0.5))]
    return float(middle[best]), float(values[best])


def thresholds_apart(
    name: str, probabilities: np.ndarray, labels: np.ndarray, weight: np.ndarray | None, part: np.ndarray
) -> Floats:
    """A threshold for each row: the best one for the rows of all parts but its own, so that no row has a say in how it
    is decided. Shapes: as of best_threshold; part (row,) -> (row,)."""
    found = np.full(len(labels), 0.5)
    for each in np.unique(part):
        others = part != each
        own = None if weight is None else weight[others]
        if others.any():
            found[~others] = best_threshold(name, probabilities[others], labels[others], own)[0]
    return found
