"""Inputs that are the target in other clothes."""

from collections.abc import Iterator

import numpy as np

from preceptor.diagnose.case import right_classes
from preceptor.diagnose.finding import Finding
from preceptor.diagnose.history import History
from preceptor.diagnose.rule import Rule
from preceptor.hyper import hyper, settings
from preceptor.train.training import Streamed


@settings
class TellingInput(Rule):
    """Detects: one input that gives the target away.
    Why it matters: the network learns nothing else, and knows nothing where that input is not known.
    Evidence and threshold: of some input, more than `share` of the variance over the training rows is explained by the
        class (or by a straight line through the number that is predicted), over `rows` or more; and no more than `few`
        of the inputs do, or 2 of them, else the task is easy.
    Remedy: leave the input out, if it would not be known when a prediction is asked for.
    Can be wrong when: the task is that easy; with one input or two it is not asked.
    Source: Kaufman et al. 2012 (leakage in data mining).
    """

    looks_at = History
    subject = "inputs"
    looks_for = "an input that gives the target away"
    names = ("data_leak",)

    share: float = hyper(default=0.98, low=0, high=1, unit="of the variance")
    few: float = hyper(default=0.1, low=0, high=1, unit="of the inputs")
    rows: int = hyper(default=50, low=3, unit="rows")

    def check(self, history: History) -> Iterator[Finding]:
        case = history.case
        if isinstance(case.data, Streamed) or case.classes is None:
            return
        x, y, _ = case.taught
        if x.ndim != 2 or x.shape[1] < 3 or len(x) < self.rows:
            return
        target = np.eye(case.classes)[right_classes(y)] if case.classes else np.asarray(y, np.float64)
        target = target.reshape(len(x), -1)
        target = target - target.mean(0)
        columns = np.asarray(x, np.float64)
        columns = columns - columns.mean(0)
        basis = np.linalg.svd(target, full_matrices=False)[0][:, : np.linalg.matrix_rank(target)]
        whole = (columns**2).sum(0)
        with np.errstate(all="ignore"):
            told = np.nan_to_num(((basis.T @ columns) ** 2).sum(0) / whole)
        most = int(np.argmax(told))
        if told[most] <= self.share or np.count_nonzero(told > self.share) > max(2, self.few * len(told)):
            return  # where many tell it is the task that is easy
        text = (
            f"Column {most + 1} gives the target away: the target explains {told[most]:.1%} of its variance. Leave it "
            "out, if it is not known when a prediction is asked for."
        )
        figures = {"explained": float(told[most])}
        yield Finding("data_leak", "warn", text, step=history.step, evidence=figures)
