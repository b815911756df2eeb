"""A loss that grows."""

from collections.abc import Iterator

import numpy as np

from preceptor.diagnose.figures import Figures
from preceptor.diagnose.finding import Finding
from preceptor.diagnose.remedy import Rate
from preceptor.diagnose.rule import Rule
from preceptor.hyper import hyper, settings
from preceptor.words import amount


@settings
class Diverging(Rule):
    """Detects: a loss that grows, above that of one constant output.
    Why it matters: the weights move away from every solution; what was learned is lost.
    Evidence and threshold: in each of the last `windows` windows of 2 % of the steps, at least 20, the mean loss lies
        above the best constant output's (the first, where that is not known) by a fifth, and above `times` its own
        lowest, or first, value. From `late` of the steps on a fact; before, a fork with a smaller rate must win, for
        some trainings recover.
    Remedy: a rate divided by 10.
    Can be wrong when: the rate has just been raised and training recovers (warm restarts).
    Source: course material D, "learning curves": error increasing; Goodfellow et al. 2016, section 8.3.1.
    """

    looks_at = Figures
    needs = ("losses",)
    subject = "rate"
    looks_for = "a loss that grows"
    names = ("diverging",)

    windows: int = hyper(default=3, low=1, unit="windows")
    times: float = hyper(default=3.0, low=1, unit="times the lowest loss")
    late: float = hyper(default=0.6, low=0, high=1, unit="of the steps")

    def check(self, history: Figures) -> Iterator[Finding]:
        losses = np.asarray(history.losses)
        width = max(20, round(0.02 * history.steps * len(losses) / history.step))
        count = len(losses) // width
        if count <= self.windows or not np.isfinite(losses).all():
            return
        means = losses[len(losses) - count * width :].reshape(count, width).mean(1)
        lowest = min(float(means.min()), float(losses[0]))
        recent = means[-self.windows :]
        if not (recent - lowest > (self.times - 1) * abs(lowest)).all():
            return
        known = history.constant_loss
        level = float(losses[0]) if known is None else known
        if not (recent > level + 0.2 * abs(level)).all():
            return
        rate = history.learning_rate
        since = history.step_of(int(np.argmin(means)) * width)
        text = (
            f"The error is increasing: the loss is {amount(float(recent[-1]), 3)}, after {amount(lowest, 3)} about "
            f"step {since:,}; {'it began at' if known is None else 'one constant output comes to'} {amount(level, 3)}."
        )
        evidence = {"loss": float(recent[-1]), "lowest": lowest, "learning_rate": rate}
        evidence |= {} if known is None else {"constant_output": known}
        yield Finding(
            "diverging",
            "warn",
            text,
            step=history.step,
            evidence=evidence,
            remedies=(Rate(rate / 10), Rate(rate / 100)),
            certainty="fact" if history.step >= self.late * history.steps else "symptom",
        )
