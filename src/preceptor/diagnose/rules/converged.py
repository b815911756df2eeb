"""Trainings that end too early."""

from collections.abc import Iterator

import numpy as np

from preceptor.diagnose.figures import Figures, known_dev
from preceptor.diagnose.finding import Finding
from preceptor.diagnose.remedy import Longer
from preceptor.diagnose.rule import Rule
from preceptor.hyper import hyper, settings
from preceptor.words import amount


@settings
class Converged(Rule):
    """Detects: a training that ends while its loss still falls steeply.
    Why it matters: more of the same steps would make it better.
    Evidence and threshold: the mean loss of the last fifth of the steps lies below that of the fifth before by `fall`,
        by `least` and by 3 standard errors, or by `hint` and half of `least`; and a few steps more (a fork) take away
        `worth` of the error on the rows that judge. The error on training rows is above `floor`, in the second case
        above `high`, the dev loss is at its lowest in the last epoch, and the rate has not been taken to 0.
    Remedy: more epochs, a larger rate.
    Can be wrong when: only the training rows are learned further (then dev does not fall).
    Source: course material D, "learning curves": not converged.
    """

    looks_at = Figures
    needs = ("losses", "errors")
    subject = "end"
    looks_for = "a training that ends too early"
    names = ("not_converged_yet",)

    fall: float = hyper(default=0.15, low=0, unit="of the loss")
    worth: float = hyper(default=0.15, low=0, high=1, unit="of the error")
    high: float = hyper(default=0.1, low=0, unit="error")
    hint: float = hyper(default=0.1, low=0, unit="of the loss")
    least: float = hyper(default=0.04, low=0, unit="of the best constant output's loss")
    floor: float = hyper(default=0.02, low=0, unit="error")

    def check(self, history: Figures) -> Iterator[Finding]:
        if history.train_error is None or len(history.losses) < 10:
            return
        losses, fifth = np.asarray(history.losses), len(history.losses) // 5
        before, last = losses[-2 * fifth : -fifth], losses[-fifth:]
        error = float(np.sqrt(np.var(before) / fifth + np.var(last) / fifth))
        fell = float(np.mean(before) - np.mean(last))
        dev, constant = known_dev(history.epochs), abs(history.constant_loss or 0.0)
        least = max(self.fall * abs(float(np.mean(before))), self.least * constant, 3 * error)
        hint = max(self.hint * abs(float(np.mean(before))), self.least * constant / 2, 2 * error)
        if fell < hint or history.train_error < self.floor or (dev and min(dev) < dev[-1]):
            return
        if history.rates[-1] < 0.1 * max(history.rates):
            return
        then, now = float(np.mean(before)), float(np.mean(last))
        text = (
            f"Not converged: over the last fifth of the steps the loss fell from {amount(then, 3)} to {amount(now, 3)}."
        )
        remedies = (Longer(3 * history.planned_epochs),)
        figures = {"before": then, "last": now}
        certainty = "symptom" if fell >= least else "guess"
        if certainty == "guess" and (not history.has_forks or history.train_error < self.high):
            return
        yield Finding(
            "not_converged_yet",
            "warn",
            text,
            step=history.step,
            evidence=figures,
            remedies=remedies,
            certainty=certainty,
            trial="further",
            worth=self.worth,
        )
