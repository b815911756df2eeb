"""Batch normalisation that is another function outside training than in it."""

from collections.abc import Iterator

import numpy as np

from preceptor.diagnose.figures import Figures
from preceptor.diagnose.finding import Finding
from preceptor.diagnose.remedy import Batch, Follow, Remedy
from preceptor.diagnose.rule import Rule
from preceptor.hyper import hyper, settings
from preceptor.nn import BatchNorm
from preceptor.words import amount, listing


@settings
class Modes(Rule):
    """Detects: batch normalisation whose running averages do not fit what the batches have.
    Why it matters: the network predicts by the running averages; in training it never sees what they make of it.
    Evidence and threshold: the loss of training rows outside training lies above that of the same rows in training,
        the mean of the last pass, by `part`, by `least` and by 3 standard errors, in each of the last `epochs`. Dropout
        and smoothed labels raise the latter, and it is of earlier, worse weights: what remains is the averages' doing.
        Before the end only where they had time: `times` their memory, 1 / (1 - decay).
    Remedy: averages that follow faster, larger batches.
    Can be wrong when: weights are averaged (then it does not look), or rows are changed as they are streamed.
    Source: Ioffe and Szegedy 2015, section 3.1; course material D, "batch normalisation at test time".
    """

    looks_at = Figures
    needs = ("losses", "train losses", "layers")
    subject = "course"
    looks_for = "batch normalisation that does not fit outside training"
    names = ("train_eval_mode_mismatch",)

    part: float = hyper(default=1.0, low=0, unit="of the loss in training")
    least: float = hyper(default=0.1, low=0, unit="of the best constant output's loss")
    epochs: int = hyper(default=3, low=1, unit="epochs")
    times: float = hyper(default=5.0, low=0, unit="times the memory of the averages")

    def check(self, history: Figures) -> Iterator[Finding]:
        norms = {path: each for path, each in history.layers.items() if isinstance(each, BatchNorm)}
        epochs, size, rows = history.epochs, history.batch_size, history.rows
        if not norms or not epochs or epochs[-1].train_loss is None or history.averages_weights:
            return
        slowest = max(each.decay for each in norms.values())
        if not history.is_over and history.step * (1 - slowest) < self.times:
            return
        if len(epochs) < self.epochs and not history.is_over:
            return
        inside = outside = 0.0
        for number in range(max(0, len(epochs) - self.epochs), len(epochs)):
            end, loss = epochs[number].step, epochs[number].train_loss
            last = np.asarray(history.losses_between(epochs[number - 1].step if number else end // 2, end))
            if not len(last):
                return
            inside, outside = float(np.mean(last)), np.inf if loss is None else loss
            least = max(self.least * abs(history.constant_loss or 0.0), 3 * float(np.std(last)) / np.sqrt(len(last)))
            if not outside - inside > max(self.part * abs(inside), least):
                return
        text = (
            f"Batch normalisation: the loss of training rows is {amount(inside, 3)} in training and "
            f"{amount(outside, 3)} outside it; the running averages of {listing(norms, 3)} do not fit."
        )
        batches = () if size is None else (Batch(min(4 * size, rows or 4 * size)),)
        remedies: tuple[Remedy, ...] = (Follow(0.9), *batches) if slowest > 0.9 else (*batches, Follow(0.5))
        yield Finding(
            "train_eval_mode_mismatch",
            "warn",
            text,
            layer=next(iter(norms)),
            step=epochs[-1].step,
            evidence={"in_training": inside, "outside": outside, "decay": slowest},
            remedies=remedies,
        )
