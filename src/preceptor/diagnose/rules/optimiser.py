"""Another optimiser, another batch: what a few steps of it do against the whole training."""

from collections.abc import Iterator

from preceptor.diagnose.finding import Finding
from preceptor.diagnose.history import History
from preceptor.diagnose.remedy import Batch, Optimise
from preceptor.diagnose.rule import Rule
from preceptor.hyper import hyper, settings
from preceptor.train.optim import Adam, AdamW
from preceptor.words import amount


@settings
class OptimiserChoice(Rule):
    """Detects: an optimiser that another one beats in a few steps; batches so large that too few steps are made.
    Why it matters: the training came to less than it could have in a small part of its time.
    Evidence and threshold: the error on training rows is above `floor`; Adam, or batches of 32 rows where one takes
        more than `share` of the rows, comes in a twentieth of the work to fewer errors than the whole training did.
    Remedy: Adam with its usual rate; smaller batches.
    Can be wrong when: the training was meant to be short of steps.
    Source: Kingma and Ba 2015; Keskar et al. 2017 (large batches).
    """

    looks_at = History
    subject = "course"
    looks_for = "an optimiser or a batch that others beat in a few steps"
    names = ("optimizer_choice", "batch_size_too_large")

    floor: float = hyper(default=0.02, low=0, unit="error")
    share: float = hyper(default=0.1, low=0, high=1, unit="of the training rows")

    def check(self, history: History) -> Iterator[Finding]:
        taught, judged, config = history.taught, history.judged, history.case.config
        if taught is None or judged is None or taught.error < self.floor:
            return
        said = f"the error is {judged.error:.1%} after {history.steps:,} steps"
        own = {"train_error": taught.error, "dev_error": judged.error}
        if config.batch_size > max(32, self.share * history.case.data.rows):
            text = f"Batches of {config.batch_size:,} rows leave few steps: {said}."
            yield Finding(
                "batch_size_too_large",
                "warn",
                text,
                step=history.step,
                evidence=own,
                remedies=(Batch(32),),
                certainty="symptom",
                trial="outdo",
            )
        if not isinstance(config.optimiser, (Adam, AdamW)):
            name = type(config.optimiser).__name__
            text = f"{name} with a learning rate of {amount(config.learning_rate, 2)} gets on slowly: {said}."
            yield Finding(
                "optimizer_choice",
                "warn",
                text,
                step=history.step,
                evidence=own,
                remedies=(Optimise(Adam(), 1e-3), Optimise(Adam(), 1e-2)),
                certainty="guess",
                trial="outdo",
            )
