"""Learning rates that decay too early."""

from collections.abc import Iterator

import numpy as np

from preceptor.diagnose.figures import Figures
from preceptor.diagnose.finding import Finding
from preceptor.diagnose.remedy import Hold
from preceptor.diagnose.rule import Rule
from preceptor.hyper import hyper, settings


@settings
class Decay(Rule):
    """Detects: a schedule that takes the learning rate down before the network has learned.
    Why it matters: the last part of the training makes steps too small to get anywhere.
    Evidence and threshold: over the last `late` of the steps the rate is below `low` of its largest, and the error on
        training rows is above `floor`; a fork that goes on at the base rate must win beside one at the last rate.
    Remedy: a constant rate, or a decay that begins later.
    Can be wrong when: the training was stopped short of what the schedule was made for.
    Source: course material D, "learning rate decay": decay too early; Smith 2017.
    """

    looks_at = Figures
    needs = ("losses", "rates", "errors")
    subject = "course"
    looks_for = "a learning rate that decays too early"
    names = ("decay_too_early",)

    late: float = hyper(default=0.5, low=0, high=1, unit="of the steps")
    low: float = hyper(default=0.1, low=0, high=1, unit="of the largest rate")
    floor: float = hyper(default=0.02, low=0, unit="error")

    def check(self, history: Figures) -> Iterator[Finding]:
        error, rates = history.train_error, np.asarray(history.rates)
        if error is None or error < self.floor:
            return
        small = rates < self.low * rates.max()
        at = int(np.argmax(rates))
        if not small[int((1 - self.late) * len(rates)) :].all():
            return
        since = history.step_of(at + int(np.argmax(small[at:])))
        text = (
            f"Decay too early: from step {since:,} of {history.steps:,} on the learning rate is below a tenth of its "
            f"largest, and the error on training rows is still {error:.1%}."
        )
        for trial in ("onward", "outdo"):
            yield Finding(
                "decay_too_early",
                "warn",
                text,
                step=since,
                evidence={"train_error": error, "since": since},
                remedies=(Hold(),),
                certainty="symptom",
                trial=trial,
            )
