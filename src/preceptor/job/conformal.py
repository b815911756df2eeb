"""Prediction intervals by conformal prediction: how far off predictions were for rows that were not learned from."""

import math

import numpy as np

from preceptor.errors import ConfigError
from preceptor.train.interval import effective

MOST_SCORES = 10_000  # kept of a run: a coverage is then known to 0.01 %


def kept_scores(low: np.ndarray, high: np.ndarray, truth: np.ndarray, weight: np.ndarray | None = None) -> np.ndarray:
    """How far targets lie outside of what was predicted, in ascending order.

    Shapes: low, high, truth (row,), in the target's unit; weight (row,), what each row counts -> (score,), float64.
    Formula: max(low - y, y - high); with low = high, a single prediction, |y - prediction|. Of more than MOST_SCORES
        rows, those of the ranks rounded up from j / MOST_SCORES of all: the coverage is 0.01 % higher at most. With
        weights likewise the smallest up to which j / n of all weight lies, n the rows that tell as much: (sum of w)² /
        sum of w².
    Source: Lei et al. 2018, algorithm 2; of two quantiles, where a score below 0 lies inside: Romano, Patterson and
        Candès 2019, equation 6. Weights: Tibshirani et al. 2019, whose own weight of a new row is here that of all.
    """
    scores = np.maximum(low - truth, truth - high).astype(np.float64)
    order = np.argsort(scores, kind="stable")
    found, rows = scores[order], len(scores)
    if weight is not None:
        counts = weight[order].astype(np.float64)
        reached = np.cumsum(counts) / counts.sum()
        kept = min(max(int(effective(counts) + 1e-9), 1), MOST_SCORES)
        shares = np.arange(1, kept + 1) / kept
        return found[np.minimum(np.searchsorted(reached, shares - 1e-12), np.flatnonzero(counts)[-1])]
    if rows <= MOST_SCORES:
        return found
    ranks: np.ndarray = -(-np.arange(1, MOST_SCORES + 1) * rows // MOST_SCORES)
    return found[ranks - 1]


def drawn_in(scores: np.ndarray, alone: list[np.ndarray], together: np.ndarray, factor: float) -> np.ndarray:
    """Scores of predictions by few members, brought in as far as those of all members lie nearer.

    Shapes: scores (score,), ascending, as `kept_scores` gives them; alone, together (other,) likewise, of rows that
        members learned from: of each member alone, and of their mean -> (score,).
    Formula: at each rank, the score less factor * (mean of alone - together) at the same share of the ranks; where
        that would fall, it stays. Errors that are no larger than 0 by it are 0.
    Args:
        factor: from what the mean gains on learned rows to what it gains on others.
    """
    gain = np.mean(alone, axis=0) - together
    shares, known = ((np.arange(len(each)) + 0.5) / len(each) for each in (scores, gain))
    least = -np.inf if scores[0] < 0 else 0.0  # outside of quantiles, scores may lie below 0
    return np.maximum(np.maximum.accumulate(scores - factor * np.interp(shares, known, gain)), least)


def ends(predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is widened to an interval: the outer quantiles, or a single prediction twice. Shapes: predicted (row,) or
    (row, quantile) -> (row,), (row,)."""
    return (predicted[:, 0], predicted[:, -1]) if predicted.ndim == 2 else (predicted, predicted)


def widened(predicted: np.ndarray, by: float) -> np.ndarray:
    """The ends moved out on both sides, or in where `by` is below 0, to their middle at most. Shapes: -> (row, 2)."""
    low, high = ends(predicted)
    middle = (low + high) / 2
    return np.stack([np.minimum(low - by, middle), np.maximum(high + by, middle)], 1)


def margin(scores: np.ndarray | None, coverage: float) -> float:
    """By how much what is predicted must be widened on both sides so that it holds this share of new targets.

    Formula: of n scores the one of rank ceil((n + 1) coverage).
    Reading: where new rows are drawn as those were that the scores are of, and rows of one part tell nothing of others
        beside it, the interval holds at least this share of the targets, and at most 1 / (n + 1) more, on average over
        draws of both.
    Raises: ConfigError where there are no scores, where the coverage is no share, or where so few rows cannot tell.
    Source: Lei et al. 2018, theorem 2.2.
    """
    if not 0 < coverage < 1:
        raise ConfigError(
            f"interval: received a coverage of {coverage:g}; a share between 0 and 1 is required. For 90 % give 0.9."
        )
    if scores is None:
        raise ConfigError(
            "interval: this run kept no residuals; those of rows that it did not learn from are needed. Train it with "
            "folds (as usual for a table), or with a dev part."
        )
    rows = len(scores)
    rank = math.ceil(round((rows + 1) * coverage, 9))  # 0.7 * 10 is not above 7
    if rank > rows:
        least = math.ceil(round(coverage / (1 - coverage), 9))
        raise ConfigError(
            f"interval: a coverage of {coverage:g} needs the residuals of {least:,} rows; {rows:,} were judged in "
            f"training, so the interval would have no end. Ask for {math.floor(1000 * rows / (rows + 1)) / 1000:g} at "
            "most, or train on more rows."
        )
    return float(scores[rank - 1])
