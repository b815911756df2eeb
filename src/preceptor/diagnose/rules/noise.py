"""Losses that go to and fro."""

from collections.abc import Iterator

import numpy as np

from preceptor.diagnose.figures import Figures
from preceptor.diagnose.finding import Finding
from preceptor.diagnose.remedy import Batch, Rate
from preceptor.diagnose.rule import Rule
from preceptor.hyper import hyper, settings


@settings
class Noise(Rule):
    """Detects: steps that go to and fro without getting on.
    Why it matters: the noise of small batches, or of large steps, hides what there is still to learn.
    Evidence and threshold: over the last `part` of the steps the loss does not fall (by 2 standard errors), from batch
        to batch it varies by more than `varies` of its mean, and the error on training rows is above `floor`; a fork
        with four times the batch or a third of the rate must win.
    Remedy: larger batches, a smaller rate, its decay.
    Can be wrong when: the labels are noisy: then no fork wins.
    Source: course material D, "mini-batches"; McCandlish et al. 2018 (gradient noise).
    """

    looks_at = Figures
    needs = ("losses", "errors")
    subject = "course"
    looks_for = "losses that go to and fro"
    names = ("noisy_or_oscillating",)

    part: float = hyper(default=0.4, low=0, high=1, unit="of the steps")
    varies: float = hyper(default=0.3, low=0, unit="of the mean loss")
    floor: float = hyper(default=0.05, low=0, unit="error")

    def check(self, history: Figures) -> Iterator[Finding]:
        taught, rate, size = history.train_error, history.learning_rate, history.batch_size
        last = np.asarray(history.losses[-max(20, int(self.part * len(history.losses))) :])
        if taught is None or taught < self.floor or len(last) < 20:
            return
        half = len(last) // 2
        early, late = last[:half], last[half:]
        error = float(np.sqrt(np.var(early) / half + np.var(late) / half))
        mean, deviation = float(np.mean(last)), float(np.std(last))
        if np.mean(early) - np.mean(late) > 2 * error or deviation <= self.varies * abs(mean) or not mean:
            return
        text = (
            f"Noisy: over the last {self.part:.0%} of the steps the loss does not fall and varies by "
            f"{deviation / abs(mean):.0%} from batch to batch{'' if size is None else f' of {size:,} rows'}."
        )
        yield Finding(
            "noisy_or_oscillating",
            "warn",
            text,
            step=history.step,
            evidence={"loss": mean, "deviation": deviation, "train_error": taught},
            remedies=(Rate(rate / 10), Rate(rate / 3), *(() if size is None else (Batch(4 * size),))),
            certainty="symptom",
            trial="onward",
        )
