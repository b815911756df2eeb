"""Whether figures of the same rows differ."""

import numpy as np


def in_errors(before: np.ndarray, after: np.ndarray) -> float:
    """How far the mean has risen, in standard errors of the mean difference of a row: 0 where rows do not differ.

    Formula: mean(after - before) / (sd(after - before) / sqrt(rows)).
    """
    with np.errstate(all="ignore"):
        difference = np.asarray(after, np.float64) - np.asarray(before, np.float64)
        difference = difference[np.isfinite(difference)]
        if len(difference) < 2:
            return 0.0
        mean, sd = float(np.mean(difference)), float(np.std(difference, ddof=1))
    if not sd > 0:
        return float(np.sign(mean)) * np.inf if mean else 0.0
    return mean / (sd / float(np.sqrt(len(difference))))
