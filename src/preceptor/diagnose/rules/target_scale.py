"""Targets that the output cannot reach, or hardly in the time there is."""

from collections.abc import Iterator

import numpy as np

from preceptor.diagnose.finding import Finding
from preceptor.diagnose.history import History
from preceptor.diagnose.remedy import Ending, Remedy, ScaleTargets, Together
from preceptor.diagnose.rule import Rule
from preceptor.hyper import hyper, settings
from preceptor.words import amount


@settings
class TargetScale(Rule):
    """Detects: numbers to predict that lie outside of what the output can give, or on a scale far from that of its
        first outputs.
    Why it matters: a sigmoid never gives 2; and far targets take many steps to come to, with large gradients.
    Evidence and threshold: the outputs at weights a million times as large have an end that more than `share` of the
        targets lie beyond, at a cost of more than `cost` of their variance: a fact. A root mean square of the targets,
        or their mean by their standard deviation, above `far`: a fork with a standardised target must win.
    Remedy: no activation at the output; standardise the target.
    Can be wrong when: the loss is free of scale. The fork then does not win.
    Source: course material E, "Output units"; Bishop 2006, section 5.2.
    """

    looks_at = History
    subject = "wiring"
    looks_for = "targets out of the output's reach"
    names = ("unscaled_targets", "unreachable_targets")

    share: float = hyper(default=0.01, low=0, high=1, unit="of the targets")
    cost: float = hyper(default=0.01, low=0, unit="of the targets' variance")
    far: float = hyper(default=10.0, low=1, unit="times")

    def check(self, history: History) -> Iterator[Finding]:
        wiring = history.wiring
        if history.case.classes or not wiring.is_plain or wiring.reading != "numbers":
            return
        y = np.asarray(history.case.judged[1], np.float64)
        mean, sd, size = float(y.mean()), float(y.std()), float(np.sqrt(np.mean(y * y)))
        is_far = size > self.far or abs(mean) > self.far * sd
        low, high = wiring.reach
        beyond = np.maximum(low - y, 0) + np.maximum(y - high, 0)
        share = float(np.mean(beyond > 0.01 * sd))
        cost = float(np.mean(beyond**2)) / max(sd * sd, 1e-30)
        if share > self.share and cost > self.cost and not wiring.is_constant:
            ends = " to ".join("no end" if np.isinf(each) else amount(each, 3) for each in (low, high))
            text = (
                f"{share:.0%} of the targets, which go from {amount(y.min(), 3)} to {amount(y.max(), 3)}, are beyond "
            )
            text += f"what the output can give: {ends}."
            remedies: tuple[Remedy, ...] = (Ending(), ScaleTargets())
            if is_far:
                remedies = (Together((Ending(), ScaleTargets())), Ending())
            yield Finding(
                "unreachable_targets",
                "warn",
                text,
                layer=list(history.layers)[-1],
                step=history.step,
                evidence={"share": share, "least_error": cost},
                remedies=remedies,
            )
        elif is_far:
            text = (
                f"The targets are on a scale of their own: their mean is {amount(mean, 3)}, their standard deviation "
            )
            text += f"{amount(sd, 3)}; the outputs begin near 0 (unscaled targets)."
            yield Finding(
                "unscaled_targets",
                "warn",
                text,
                step=history.step,
                evidence={"mean": mean, "sd": sd},
                remedies=(ScaleTargets(),),
                certainty="symptom",
            )
