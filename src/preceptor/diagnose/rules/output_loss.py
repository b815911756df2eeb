"""An output that is not what the loss takes."""

from collections.abc import Iterator

import numpy as np

from preceptor.diagnose.finding import Finding
from preceptor.diagnose.history import History
from preceptor.diagnose.remedy import Ending
from preceptor.diagnose.rule import Rule
from preceptor.hyper import hyper, settings
from preceptor.nn import BinaryCrossEntropy, Loss, SoftmaxCrossEntropy
from preceptor.words import amount, counted


@settings
class OutputLoss(Rule):
    """Detects: outputs that a loss cannot make use of: of one softmax unit, outside of 0 to 1 where probabilities are
        needed, softmax or sigmoid before a loss that has one within it, a softmax over the rows.
    Why it matters: the gradient is 0, no number, or small throughout, and the loss stays above a floor.
    Evidence and threshold: tried at other weights: outputs that are the same on all rows; outputs outside of 0 to 1
        with more than `blind` of the rows without a slope: facts. Outputs with an end where the loss takes logits: a
        fork without the last activation must win.
    Remedy: no activation at the output, with a loss on logits.
    Can be wrong when: targets are shares that a distilled network gave; the fork then does not win.
    Source: course material E, "Output units"; Goodfellow et al. 2016, section 6.2.2.
    """

    looks_at = History
    subject = "wiring"
    looks_for = "outputs that do not suit the loss"
    names = ("output_loss_mismatch", "double_softmax")

    blind: float = hyper(default=0.02, low=0, high=1, unit="of the rows")

    def check(self, history: History) -> Iterator[Finding]:
        wiring, case = history.wiring, history.case
        if not wiring.is_plain:
            return
        last, kind = list(history.layers.items())[-1]
        what, units = type(kind).__name__, wiring.outputs.shape[1]
        fitting: Loss | None = (BinaryCrossEntropy() if units == 1 else SoftmaxCrossEntropy()) if case.classes else None
        by = type(case.config.loss).__name__
        low, high = wiring.reach

        def told(name: str, text: str, loss: Loss | None, is_fact: bool, **evidence: float) -> Finding:
            remedies = (Ending(None, loss),)
            found = {"layer": last, "step": history.step, "evidence": evidence, "remedies": remedies}
            return Finding(name, "warn", text, is_fact=is_fact, **found)  # type: ignore[arg-type]

        if wiring.is_constant:
            text = f"The output is {amount(low, 3)} on every row, whatever the weights: {what} of "
            text += f"{counted(units, 'unit')}."
            yield told("output_loss_mismatch", text, fitting, True, output=low)
        elif wiring.reads_across:
            text = (
                f"What {by} reads from the outputs of a row hangs on the other rows of the batch: a softmax along the "
            )
            yield told("output_loss_mismatch", f"{text}wrong axis, perhaps.", fitting, True)
        elif wiring.reading == "probabilities" and not (low >= 0 and high <= 1) and wiring.blind > self.blind:
            text = (
                f"{by} takes probabilities, and gets numbers outside of 0 to 1 from {last}: {wiring.blind:.0%} of the "
            )
            text += "rows then have no slope, or a loss that is no number."
            yield told("output_loss_mismatch", text, fitting, True, blind=wiring.blind)
        elif wiring.reading in ("logits", "margins") and wiring.are_shares:
            floor = np.log(units - 1 + np.e) - 1
            text = f"The output of {last} is probabilities, and {by} takes them for logits: softmax comes twice"
            text += f", and a cross-entropy never falls below {floor:.3f}."
            yield told("double_softmax", text, None, False, floor=float(floor))
        elif wiring.reading in ("logits", "margins") and np.isfinite([low, high]).any():
            ends = " to ".join("no end" if np.isinf(each) else amount(each, 3) for each in (low, high))
            name = (
                "double_softmax" if units == 1 and (round(low, 2), round(high, 2)) == (0, 1) else "output_loss_mismatch"
            )
            text = f"{by} takes {wiring.reading} of any size, and {last} ({what}) gives but {ends}."
            yield told(name, text, None, False)
