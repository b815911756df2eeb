"""Figures of what a network is given: of each column of the training rows, or channel of pictures."""

from dataclasses import dataclass

import numpy as np

from preceptor.diagnose.case import Case
from preceptor.train.training import Streamed

ROWS = 5000  # that are looked at, at most


@dataclass(frozen=True, eq=False)
class Inputs:
    """Means and standard deviations. Shapes: mean, sd, (column,).

    Args:
        rows: that were looked at.
        size: root mean square of all numbers.
        is_whole: whether all numbers are whole, and none below 0: counts, or numbers of levels.
    """

    mean: np.ndarray
    sd: np.ndarray
    rows: int
    size: float
    is_whole: bool

    @classmethod
    def of(cls, case: Case) -> "Inputs":
        """Those of a case: of the first rows, which are in no order where they come from a stream."""
        data = case.data
        if isinstance(data, Streamed):
            x = np.asarray(case.judged[0])
        else:
            x = np.asarray(data.x[:: max(1, -(-len(data.x) // ROWS))])
        x = x.astype(np.float64)
        axes = tuple(range(x.ndim - 1)) if x.ndim > 2 else (0,)
        with np.errstate(all="ignore"):
            whole = bool((x >= 0).all() and (x == np.round(x)).all())
            return cls(
                np.atleast_1d(x.mean(axes)), np.atleast_1d(x.std(axes)), len(x), float(np.sqrt(np.mean(x * x))), whole
            )


__all__ = ["Inputs"]
