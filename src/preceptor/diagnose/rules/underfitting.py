"""Networks that do worse than cheap models: high bias."""

from collections.abc import Iterator

from preceptor.diagnose.finding import Finding
from preceptor.diagnose.history import History
from preceptor.diagnose.paired import in_errors
from preceptor.diagnose.remedy import Longer, Optimise, Widen
from preceptor.diagnose.rule import Rule
from preceptor.hyper import hyper, settings
from preceptor.train.optim import Adam


@settings
class Underfitting(Rule):
    """Detects: high bias: a training error above the dev error of a model that costs nothing.
    Why it matters: the network could do better on the very rows that it learned from; more rows will not help.
    Evidence and threshold: nearest neighbours or a linear model of 1,000 training rows make fewer errors on the same
        rows, by `gain` of the network's and by `sure` standard errors, paired; and the network's error on its own
        training rows is no smaller than theirs on rows that they have not seen.
    Remedy: more epochs, another optimiser, more units; less regularisation.
    Can be wrong when: the task needs what cannot be compared (a loss that weighs errors otherwise).
    Source: course material D, "bias / variance"; Goodfellow et al. 2016, section 11.2.
    """

    looks_at = History
    subject = "end"
    looks_for = "a network that does worse than nearest neighbours or a linear model"
    names = ("high_bias",)

    gain: float = hyper(default=0.25, low=0, high=1, unit="of the error")
    sure: float = hyper(default=3.0, low=0, unit="standard errors")

    def check(self, history: History) -> Iterator[Finding]:
        taught, judged = history.taught, history.judged
        if taught is None or judged is None or taught.error < 0.02:
            return
        reference = history.reference
        if reference is None or taught.error < reference.error:
            return
        own = judged.errors[: len(reference.errors)]
        if reference.error > (1 - self.gain) * float(own.mean()) or in_errors(reference.errors, own) < self.sure:
            return
        config = history.case.config
        text = (
            f"High bias: the error on training rows is {taught.error:.1%}, on rows that judge {float(own.mean()):.1%}; "
            f"{reference.name} of {reference.rows:,} rows: {reference.error:.1%}."
        )
        other = () if isinstance(config.optimiser, Adam) else (Optimise(Adam(), 1e-3),)
        remedies = (Longer(4 * config.epochs), *other, Widen(4))
        figures = {"train_error": taught.error, "dev_error": float(own.mean()), "reference_error": reference.error}
        yield Finding(
            "high_bias",
            "warn",
            text,
            step=history.step,
            evidence=figures,
            remedies=remedies,
            certainty="effect",
            trial="outdo",
        )
