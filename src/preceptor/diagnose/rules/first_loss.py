"""A first loss far above what knowing nothing costs."""

from collections.abc import Iterator

import numpy as np

from preceptor.diagnose.figures import Figures
from preceptor.diagnose.finding import Finding
from preceptor.diagnose.remedy import Head
from preceptor.diagnose.rule import Rule
from preceptor.hyper import hyper, settings
from preceptor.words import amount


@settings
class FirstLoss(Rule):
    """Detects: a first loss of a classifier far above that of one constant prediction.
    Why it matters: the network begins sure of itself and wrong; the first steps only make its outputs smaller.
    Evidence and threshold: the loss of rows at the first weights is more than `times` that of outputs of 0 (ln K of K
        classes), and after `late` of the steps it is still above that; a fork with a smaller last layer must win. Not
        where inputs larger than `large` are why.
    Remedy: first weights of the last layer ten or a hundred times smaller.
    Can be wrong when: weights were learned before. The fork then does not win.
    Source: Karpathy 2019, "A recipe for training neural networks"; course material D, "Weight initialization".
    """

    looks_at = Figures
    needs = ("losses", "classes")
    subject = "first weights"
    looks_for = "a first loss far above that of knowing nothing"
    names = ("slow_start_init_loss",)

    times: float = hyper(default=2.0, low=1, unit="times that of outputs of 0")
    late: float = hyper(default=0.05, low=0, high=1, unit="of the steps")
    large: float = hyper(default=10.0, low=0, unit="root mean square")

    def check(self, history: Figures) -> Iterator[Finding]:
        if not history.is_plain or not history.takes_logits or not history.weighted or history.first_losses is None:
            return
        if history.inputs is not None and history.inputs.size > self.large:
            return
        first, known = history.first_losses
        first = min(first, history.losses[0])  # which a norm may make smaller in training
        is_slow = history.step >= self.late * history.steps and history.mean_loss(0.8, 1.0) > known
        if is_slow and np.isfinite([first, known]).all() and first > self.times * known > 0:
            last = history.weighted[-1]
            text = f"The first loss is {amount(first, 3)}, where knowing nothing costs {amount(known, 3)}: {last} "
            text += "begins too large."
            yield Finding(
                "slow_start_init_loss",
                "warn",
                text,
                layer=last,
                step=history.step,
                evidence={"first": first, "constant": known},
                remedies=(Head(last, 0.1), Head(last, 0.01)),
                certainty="symptom",
            )
