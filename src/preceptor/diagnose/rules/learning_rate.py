"""Steps too large or too small."""

from collections.abc import Iterator

import numpy as np

from preceptor.diagnose.figures import Figures
from preceptor.diagnose.finding import Finding
from preceptor.diagnose.remedy import Rate
from preceptor.diagnose.rule import Rule
from preceptor.hyper import hyper, settings
from preceptor.words import amount


@settings
class LearningRate(Rule):
    """Detects: a learning rate far too large, or far too small.
    Why it matters: too large steps leap over every valley, too small ones never come to one in the time there is.
    Evidence and threshold: a step changes the weights by more than `leap` or less than `creep` of their size, in the
        median over the layers, as it would at the base rate of the schedule; not asked while the schedule is below
        `early` of that. Small steps are no fault where the first steps' loss is below `learned` of the best constant
        output's: fine-tuning. A fork with another rate must win.
    Remedy: a rate divided by 10, or multiplied by 10 or 100.
    Can be wrong when: the weights are scaled by a norm behind them; the first steps of Adam are larger; then the fork
        does not win.
    Source: Karpathy 2015, CS231n (updates of 1e-3 of the weights); Smith 2017.
    """

    looks_at = Figures
    needs = ("losses", "rates", "parameters")
    subject = "rate"
    looks_for = "steps too large or too small"
    names = ("lr_too_large", "lr_too_small")

    leap: float = hyper(default=0.02, low=0, unit="of the weights' size")
    creep: float = hyper(default=2e-4, low=0, unit="of the weights' size")
    learned: float = hyper(default=0.8, low=0, unit="of the best constant output's loss")
    early: float = hyper(default=0.2, low=0, unit="of the base rate")

    def check(self, history: Figures) -> Iterator[Finding]:
        rate = history.learning_rate
        now = history.rates[-1] / rate if rate else 0.0
        if now < self.early:
            return
        ratios = [each.update / each.size / now for each in history.weights.values() if each.size > 0]
        ratio = float(np.median(ratios)) if ratios else 0.0
        if not 0 < ratio < np.inf:
            return
        share = f"At a learning rate of {amount(rate, 2)} a step changes the weights by {amount(100 * ratio, 2)} %"
        if ratio > self.leap:
            text = f"{share}: too much to settle."
            yield Finding(
                "lr_too_large",
                "warn",
                text,
                step=history.step,
                evidence={"update_ratio": ratio},
                remedies=(Rate(rate / 10), Rate(rate / 100)),
                is_fact=False,
            )
        elif ratio < self.creep and not self._began_learned(history):
            text = f"{share}: too little to get anywhere in {history.steps:,} steps."
            yield Finding(
                "lr_too_small",
                "warn",
                text,
                step=history.step,
                evidence={"update_ratio": ratio},
                remedies=(Rate(rate * 100), Rate(rate * 10)),
                is_fact=False,
            )

    def _began_learned(self, history: Figures) -> bool:
        known = history.constant_loss
        return known is not None and float(np.mean(history.losses[:5])) < self.learned * known
