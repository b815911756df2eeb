"""A number as target that is cut off, or that a few huge values rule."""

from collections.abc import Iterator

import numpy as np

from preceptor.diagnose.column import OVERFLOWS
from preceptor.diagnose.finding import Finding
from preceptor.diagnose.rule import Rule
from preceptor.diagnose.table_facts import TableFacts
from preceptor.diagnose.wording import rows_text
from preceptor.hyper import hyper, settings
from preceptor.words import amount


@settings
class TargetShape(Rule):
    """Detects: many rows at exactly the largest or the smallest target; rare huge targets.
    Why it matters: beyond a cap nothing can be predicted; a few huge targets rule the squared error.
    Evidence and threshold: the rows at the extreme: `capped_rows`, `capped_share`, and `capped_peak` times those of the
        most frequent value within the nearest twentieth of the rows; of more than `values` different ones. Excess
        kurtosis (normal 0, Laplace 3, exponential 6, log-normal of deviation 1: 111): `heavy_tail`.
    Remedy: rows without the cap, or knowing it; the logarithm of the target.
    Can be wrong when: the scale really ends there (a mark of 100 %, a share of 1), or the huge values are what matters.
    Source: california-housing (4.7 % at 500001), boston-housing (3.2 % at 50); the numbers are our choice on these.
    """

    looks_at = TableFacts
    subject = "target"
    looks_for = "a capped or heavy-tailed target"
    names = ("target_capped", "target_heavy_tail")
    is_of_target = True

    capped_share: float = hyper(default=0.01, low=0, high=1, unit="share of rows")
    capped_rows: int = hyper(default=10, low=1, unit="rows")
    capped_peak: float = hyper(default=3.0, low=1, unit="times the most frequent value near it")
    values: int = hyper(default=20, low=2, unit="different values")
    heavy_tail: float = hyper(default=10.0, low=0, unit="excess kurtosis")

    def check(self, facts: TableFacts) -> Iterator[Finding]:
        values = facts.target_numbers
        if values is None or not np.isfinite(values).all() or np.abs(values).max(initial=0) > OVERFLOWS:
            return
        name = facts.target.name
        distinct, counts = np.unique(values, return_counts=True)
        if len(distinct) <= self.values:
            return
        for word, at, near in (("largest", -1, counts[:-1][::-1]), ("smallest", 0, counts[1:])):
            share = counts[at] / len(values)
            reach = int(np.searchsorted(np.cumsum(near), 0.05 * len(values))) + 1
            is_peak = counts[at] >= self.capped_peak * near[:reach].max()
            if counts[at] >= self.capped_rows and share >= self.capped_share and is_peak:
                text = (
                    f"The target {name!r} is exactly {amount(distinct[at], 6)}, its {word} value, in "
                    f"{rows_text(counts[at])} ({share:.1%}): it seems cut off there, and beyond it nothing can be "
                    "predicted."
                )
                yield Finding("target_capped", "note", text, (name,))
        deviation = values - values.mean()
        spread = np.sqrt(np.mean(deviation**2))
        kurtosis = np.mean((deviation / spread) ** 4) - 3 if spread > 0 else 0.0
        if kurtosis > self.heavy_tail:
            cure = "predicting its logarithm" if values.min() > 0 else "predicting it on a scale that grows more slowly"
            text = (
                f"The target {name!r} has rare huge values (excess kurtosis {kurtosis:,.0f}; median "
                f"{amount(np.median(values))}, largest in size {amount(np.abs(values).max())}), which rule the squared "
                f"error; consider {cure}."
            )
            yield Finding("target_heavy_tail", "note", text, (name,))
