"""How well a task is solved that tells no classes apart, each figure with its 95 % interval."""

import numpy as np

from preceptor.train import Figure
from preceptor.train.interval import mean_interval, wilson

__all__ = ["explained", "share_found", "share_right"]


def explained(told: np.ndarray, truth: np.ndarray, mask: np.ndarray) -> dict[str, Figure]:
    """The share of the variance of what was hidden that is told; 0 for who tells the mean always, below for worse.

    Formula: 1 - sum of m (told - truth)² / sum of m (truth - mean)², the mean over what was hidden.
    Shapes: (row, number).
    Source: the coefficient of determination; interval by linearisation, Cochran 1977, 2.11.
    """
    count = max(float(mask.sum()), 1.0)
    middle = float((mask * truth).sum(dtype=np.float64)) / count
    wrong = (mask * (told - truth) ** 2).sum(1, dtype=np.float64)
    spread = (mask * (truth - middle) ** 2).sum(1, dtype=np.float64)
    if not spread.sum():
        return {}
    ratio = float(wrong.sum() / spread.sum())
    low, high = mean_interval((wrong - ratio * spread) / spread.mean(), np.ones(len(wrong)))
    value, half = 1 - ratio, float(high - low) / 2
    return {"explained": Figure("explained", value, value - half, value + half, len(truth))}


def share_right(right: np.ndarray, y: np.ndarray) -> dict[str, Figure]:
    """The share of places that are told rightly, and that of the class that most places have: who tells it always.

    Shapes: (row, place).
    """
    most = np.bincount(y.ravel()).argmax()
    shares = {"accuracy": right.mean(1, dtype=np.float64), "most_frequent": (y == most).mean(1, dtype=np.float64)}
    return {name: _mean_of(name, values) for name, values in shares.items()}


def _mean_of(name: str, values: np.ndarray) -> Figure:
    low, high = mean_interval(values, np.ones(len(values)))
    return Figure(name, float(values.mean()), float(low), float(high), len(values))


def share_found(views: np.ndarray, alone: int) -> dict[str, Figure]:
    """The share of views whose nearest among the others is their partner, of `alone` pictures at a time.

    Shapes: views (row, 2, unit), each of length 1.
    """
    found = []
    for start in range(0, len(views), alone):
        some = views[start : start + alone].reshape(-1, views.shape[2])
        alike = some @ some.T
        np.fill_diagonal(alike, -np.inf)
        found.append(alike.argmax(1) == (np.arange(len(some)) ^ 1))
    share = float(np.concatenate(found).mean())
    return {"found": Figure("found", share, *wilson(share, len(views)), len(views))}
