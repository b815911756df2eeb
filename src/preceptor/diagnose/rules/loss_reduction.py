"""A loss that mixes rows, or counts them many times."""

from collections.abc import Iterator

import numpy as np

from preceptor.diagnose.finding import Finding
from preceptor.diagnose.history import History
from preceptor.diagnose.remedy import Rate, Remedy, TrainBy
from preceptor.diagnose.rule import Rule
from preceptor.hyper import hyper, settings
from preceptor.nn import BinaryCrossEntropy, Loss, Quadratic, SoftmaxCrossEntropy
from preceptor.words import amount


@settings
class LossReduction(Rule):
    """Detects: a loss of a row that hangs on the other rows, as where shapes (row, 1) and (row,) are broadcast; a loss
        that is a sum over the batch where a mean is meant.
    Why it matters: each prediction is drawn to the targets of all rows; steps are larger by the batch.
    Evidence and threshold: the losses of rows within a batch and of each alone differ by more than `apart`: a fact.
        They are the same multiple of a negative log-likelihood or of a squared distance on all rows, `factor` times or
        more: a fork with a rate so much smaller must win.
    Remedy: the library's loss; a learning rate divided by the factor.
    Can be wrong when: rows are meant to meet, as in contrastive losses; a sum with a rate to match: no fork wins there.
    Source: definition of the mean loss, course material E.
    """

    looks_at = History
    subject = "wiring"
    looks_for = "losses in which rows meet, or count many times"
    names = ("loss_reduction_or_shape",)

    apart: float = hyper(default=1e-3, low=0, unit="of the loss")
    factor: float = hyper(default=4.0, low=1, unit="times")

    def check(self, history: History) -> Iterator[Finding]:
        wiring, case = history.wiring, history.case
        if not wiring.is_plain or wiring.reads_across:
            return
        within, alone = wiring.row_losses
        fitting: Loss = Quadratic()
        if case.classes:
            fitting = BinaryCrossEntropy() if wiring.outputs.shape[1] == 1 else SoftmaxCrossEntropy()
        by = type(case.config.loss).__name__
        known = np.isfinite(alone)
        gap = np.abs(within - alone)[known]
        if known.any() and not (gap <= self.apart * max(float(np.abs(alone[known]).max()), 1e-12)).all():
            row = int(np.argmax(np.nan_to_num(np.abs(within - alone), nan=np.inf)))
            text = f"By {by} the loss of a row is {amount(within[row], 3)} within a batch and {amount(alone[row], 3)} "
            text += "alone: it hangs on the other rows, as where shapes are broadcast."
            yield Finding(
                "loss_reduction_or_shape",
                "warn",
                text,
                step=history.step,
                evidence={"within": float(within[row]), "alone": float(alone[row])},
                remedies=(TrainBy(fitting),),
            )
            return
        factor = wiring.loss_factor
        if factor >= self.factor:
            rate = case.config.learning_rate
            text = f"{by} is {amount(factor, 3)} times what it is the mean of: a sum over the batch, perhaps, by which "
            text += "steps are so much larger."
            remedies: tuple[Remedy, ...] = (Rate(rate / factor), TrainBy(fitting))
            yield Finding(
                "loss_reduction_or_shape",
                "warn",
                text,
                step=history.step,
                evidence={"factor": factor},
                remedies=remedies,
                certainty="symptom",
            )
