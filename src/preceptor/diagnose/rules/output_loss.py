"""An output that is not what the loss takes."""

from collections.abc import Iterator

import numpy as np

from preceptor.diagnose.finding import Finding
from preceptor.diagnose.history import History
from preceptor.diagnose.remedy import Ending
from preceptor.diagnose.rule import Rule
from preceptor.hyper import hyper, settings
from preceptor.nn import BinaryCrossEntropy, Loss, Quadratic, SoftmaxCrossEntropy
from preceptor.words import amount, counted


@settings
class OutputLoss(Rule):
    """Detects: outputs that a loss cannot make use of: of one softmax unit, numbers for a loss that is not least at the
        right one, outside of 0 to 1 where probabilities are needed, softmax or sigmoid before a loss that has one
        within it, a softmax over the rows.
    Why it matters: the gradient is 0, no number, or small throughout, and the loss stays above a floor.
    Evidence and threshold: tried at other weights: outputs that are the same on all rows; outputs outside of 0 to 1
        with more than `blind` of the rows without a slope: facts. Outputs with an end where the loss takes logits: a
        note; where after `late` of the steps more than `slow` of the way from the loss of outputs of 0 to the least
        possible one is left, a fork without the last activation.
    Remedy: no activation at the output, with a loss on logits.
    Can be wrong when: targets are shares that a distilled network gave; the fork then does not win.
    Source: course material E, "Output units"; Goodfellow et al. 2016, section 6.2.2.
    """

    looks_at = History
    subject = "wiring"
    looks_for = "outputs that do not suit the loss"
    names = ("output_loss_mismatch", "double_softmax")

    blind: float = hyper(default=0.02, low=0, high=1, unit="of the rows")
    late: float = hyper(default=0.35, low=0, high=1, unit="of the steps")
    slow: float = hyper(default=0.5, low=0, high=1, unit="of the way to the floor")

    def check(self, history: History) -> Iterator[Finding]:
        wiring, case = history.wiring, history.case
        if not wiring.is_plain:
            return
        last, kind = list(history.layers.items())[-1]
        what, units = type(kind).__name__, wiring.outputs.shape[1]
        fitting: Loss | None = (BinaryCrossEntropy() if units == 1 else SoftmaxCrossEntropy()) if case.classes else None
        by = type(case.config.loss).__name__
        low, high = wiring.reach

        def told(name: str, text: str, loss: Loss | None, **evidence: float) -> Finding:
            remedies = (Ending(None, loss),)
            found = {"layer": last, "step": history.step, "evidence": evidence, "remedies": remedies}
            return Finding(name, "warn", text, **found)  # type: ignore[arg-type]

        if wiring.is_constant:
            text = f"The output is {amount(low, 3)} on every row, whatever the weights: {what} of "
            text += f"{counted(units, 'unit')}."
            yield told("output_loss_mismatch", text, fitting, output=low)
        elif wiring.is_drawn_elsewhere:
            text = f"{by} is not least where a number is predicted rightly: it does not teach to predict this number."
            yield Finding(
                "output_loss_mismatch", "warn", text, step=history.step, remedies=(Ending(None, Quadratic()),)
            )
        elif wiring.reads_across:
            text = (
                f"What {by} reads from the outputs of a row hangs on the other rows of the batch: a softmax along the "
            )
            yield told("output_loss_mismatch", f"{text}wrong axis, perhaps.", fitting)
        elif wiring.reading == "probabilities" and not (low >= 0 and high <= 1) and wiring.blind > self.blind:
            text = (
                f"{by} takes probabilities, and gets numbers outside of 0 to 1 from {last}: {wiring.blind:.0%} of the "
            )
            text += "rows then have no slope, or a loss that is no number."
            yield told("output_loss_mismatch", text, fitting, blind=wiring.blind)
        elif wiring.reading in ("logits", "margins") and np.isfinite([low, high]).any():
            yield self._bounded(history, last, what, low, high)

    def _bounded(self, history: History, last: str, what: str, low: float, high: float) -> Finding:
        """Logits that have an end: a note, and a suspicion where the loss does not come near its floor in time."""
        wiring, by = history.wiring, type(history.case.config.loss).__name__
        units = wiring.outputs.shape[1]
        floor = float(np.log1p(max(units - 1, 1) * np.exp(low - high))) if wiring.reading == "logits" else 0.0
        name = "output_loss_mismatch"
        if wiring.are_shares or (units == 1 and (round(low, 2), round(high, 2)) == (0, 1)):
            name = "double_softmax"
            again = "softmax" if units > 1 else "sigmoid"
            text = f"The output of {last} is probabilities, and {by} takes them for logits: {again} comes twice"
            text += f", and a cross-entropy never falls below {floor:.3f}."
        else:
            ends = " to ".join("no end" if np.isinf(each) else amount(each, 3) for each in (low, high))
            text = f"{by} takes {wiring.reading} of any size, and {last} ({what}) gives but {ends}."
        late = history.step >= self.late * history.steps
        known, now = wiring.first_losses[1], history.mean_loss(0.8, 1.0)
        is_slow = late and now - floor > self.slow * (known - floor)
        return Finding(
            name,
            "warn" if is_slow else "note",
            text,
            layer=last,
            step=history.step,
            evidence={"floor": floor, "loss": now},
            remedies=(Ending(),),
            certainty="symptom" if is_slow else "fact",
        )
