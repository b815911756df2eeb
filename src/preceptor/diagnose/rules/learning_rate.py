"""Steps too large or too small."""

from collections.abc import Iterator

import numpy as np

from preceptor.diagnose.figures import Figures
from preceptor.diagnose.finding import Finding
from preceptor.diagnose.remedy import Rate
from preceptor.diagnose.rule import Rule
from preceptor.hyper import hyper, settings
from preceptor.nn.activation import Relu
from preceptor.words import amount


@settings
class LearningRate(Rule):
    """Detects: a learning rate far too large, or far too small.
    Why it matters: too large steps leap over every valley, too small ones never come to one in the time there is.
    Evidence and threshold: a step changes the weights by more than `leap` of their size, in the median over the
        layers, or by less than `creep`, in three of four, as it would at the base rate of the schedule; not asked while
        the schedule is below `early` of that. Or more than `dead` of the units of a ReLU are 0 on every row. Small
        steps are no fault of the rate where gradients are below `faded` in the first of three hidden layers or more, or
        units are dead; nor where the first steps' loss is below `learned` of the best constant output's: fine-tuning. A
        fork with another rate must win.
    Remedy: a rate divided by 10, or multiplied by the power of 10 that brings a step nearest to `usual`.
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
    usual: float = hyper(default=1e-3, low=0, unit="of the weights' size")
    dead: float = hyper(default=0.7, low=0, high=1, unit="of a layer's units")
    faded: float = hyper(default=0.01, low=0, high=1, unit="of the last hidden layer's gradient")
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
        yield from self._deadly(history, rate)
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
                certainty="symptom",
            )
        elif float(np.quantile(ratios, 0.75)) < self.creep and not self._fades(history) | self._began_learned(history):
            text = f"{share}: too little to get anywhere in {history.steps:,} steps."
            yield Finding(
                "lr_too_small",
                "warn",
                text,
                step=history.step,
                evidence={"update_ratio": ratio},
                remedies=tuple(Rate(rate * factor) for factor in self._faster(ratio)),
                certainty="symptom",
            )

    def _deadly(self, history: Figures, rate: float) -> Iterator[Finding]:
        """A rate that may be what silences units."""
        dead = {path: each.dead for path, each in history.signals.items()}
        path = max(dead, key=lambda each: dead[each], default="")
        if path and isinstance(history.layers[path], Relu) and dead[path] > self.dead:
            text = (
                f"A learning rate of {amount(rate, 2)} kills units: {dead[path]:.0%} of those of {path} are 0 on every "
            )
            text += "row, and would live at a smaller rate."
            figures, remedies = {"dead": dead[path]}, (Rate(rate / 10),)
            yield Finding(
                "lr_too_large",
                "warn",
                text,
                layer=path,
                step=history.step,
                evidence=figures,
                remedies=remedies,
                certainty="guess",
            )

    def _faster(self, ratio: float) -> tuple[int, int]:
        """By what the rate is multiplied: first what brings a step nearest to a thousandth of the weights."""
        first = 10 ** int(np.clip(round(np.log10(self.usual / ratio)), 1, 3))
        return first, 100 if first == 10 else 10

    def _fades(self, history: Figures) -> bool:
        """Whether gradients fade on their way back, or units are dead: small steps then come of that."""
        own = [history.signals[path].gradient for path in history.weighted[:-1] if path in history.signals]
        dead = any(each.dead > self.dead for each in history.signals.values())
        return dead or (len(own) > 2 and own[0] < self.faded * own[-1])

    def _began_learned(self, history: Figures) -> bool:
        known = history.constant_loss
        return known is not None and float(np.mean(history.losses[:5])) < self.learned * known
