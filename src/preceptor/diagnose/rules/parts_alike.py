"""Rows that teach and rows that judge, prepared in different ways."""

from collections.abc import Iterator

import numpy as np

from preceptor.diagnose.finding import Finding
from preceptor.diagnose.history import History
from preceptor.diagnose.rule import Rule
from preceptor.hyper import hyper, settings
from preceptor.train.training import Streamed
from preceptor.words import amount


@settings
class PartsAlike(Rule):
    """Detects: dev rows that were scaled or shifted otherwise than the training rows.
    Why it matters: the network is judged on what it has not learned from; the dev error says nothing.
    Evidence and threshold: in the median over the columns that vary, the standard deviation of the dev rows is that of
        the training rows times or divided by `factor`, or their means are `shift` standard deviations apart; each part
        has `rows`. Parts that are drawn by chance differ by a fraction of that.
    Remedy: one preprocessor for both, fitted to the training rows.
    Can be wrong when: the dev part is of another time or place, and meant to be.
    Source: course material D, "mismatched train and test distributions"; Breck et al. 2019.
    """

    looks_at = History
    subject = "inputs"
    looks_for = "training and dev rows prepared in different ways"
    names = ("preprocessing_mismatch",)

    rows: int = hyper(default=50, low=2, unit="rows")
    factor: float = hyper(default=1.5, low=1, unit="times")
    shift: float = hyper(default=0.5, low=0, unit="standard deviations")

    def check(self, history: History) -> Iterator[Finding]:
        data = history.case.data
        if not data.guides or data.folds is not None or isinstance(data, Streamed):
            return
        parts = [history.case.taught[0], history.case.judged[0]]
        if min(map(len, parts)) < self.rows:
            return
        (mean, sd), (dev_mean, dev_sd) = map(_moments, parts)
        varies = sd > 0
        if not varies.any():
            return
        ratio = float(np.median(dev_sd[varies] / sd[varies]))
        apart = float(np.median(np.abs(dev_mean - mean)[varies] / sd[varies]))
        if 1 / self.factor <= ratio <= self.factor and apart <= self.shift:
            return
        text = (
            f"Training and dev rows are prepared in different ways: in the median over the columns the dev rows' "
            f"standard deviation is {amount(ratio, 2)} times that of the training rows, and their means lie "
            f"{amount(apart, 2)} standard deviations apart. Prepare both by what the training rows give."
        )
        figures = {"ratio": ratio, "apart": apart}
        yield Finding("preprocessing_mismatch", "warn", text, step=history.step, evidence=figures)


def _moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each column, or channel of pictures, without the outermost hundredth at each end:
    a wild row is another finding."""
    x = np.asarray(x, np.float64)
    flat = x.reshape(-1, x.shape[-1]) if x.ndim > 2 else x.reshape(len(x), -1)
    with np.errstate(all="ignore"):
        flat = np.clip(flat, *np.nanpercentile(flat, (1, 99), axis=0))
        return np.nanmean(flat, 0), np.nan_to_num(np.nanstd(flat, 0))
