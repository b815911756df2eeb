"""What losses say alone, where no row can be looked at: of records."""

from collections.abc import Iterator

import numpy as np

from preceptor.diagnose.finding import Finding
from preceptor.diagnose.records import Records
from preceptor.diagnose.remedy import Ending, Optimise, Penalise, Rate, Stop
from preceptor.diagnose.rule import Rule
from preceptor.hyper import hyper, settings
from preceptor.nn.activation import Softmax
from preceptor.train.optim import Adam
from preceptor.words import amount


@settings
class IdleLosses(Rule):
    """Detects: records of a training whose loss never falls below that of one constant output.
    Why it matters: nothing is learned that a single number would not tell.
    Evidence and threshold: over the last tenth of the losses, `fewest` at least, the mean is not below the best
        constant output's (the first `early` losses, where that is not known) by `part` of it and by 3 standard errors.
        At the end only. A note: whether the inputs tell anything, no record says.
    Remedy: what stands above it; else another rate or optimiser.
    Can be wrong when: the inputs tell nothing; weights had learned before; the task has a long plateau.
    Source: course material D, "learning curves": not training.
    """

    looks_at = Records
    needs = ("losses",)
    subject = "end"
    looks_for = "losses that do not fall below a constant's"
    names = ("not_training",)

    fewest: int = hyper(default=20, low=2, unit="losses")
    early: int = hyper(default=5, low=1, unit="losses")
    part: float = hyper(default=0.02, low=0, unit="of the loss")

    def check(self, history: Records) -> Iterator[Finding]:
        losses = np.asarray(history.losses)
        if not history.is_over or not np.isfinite(losses).all():
            return
        last, first = losses[-max(self.fewest, len(losses) // 10) :], losses[: self.early]
        known = history.constant_loss
        level = float(np.mean(first)) if known is None else known
        error = float(np.sqrt(np.var(last) / len(last) + (np.var(first) / len(first) if known is None else 0.0)))
        now = float(np.mean(last))
        if now <= level - max(self.part * abs(level), 3 * error):
            return
        what = "it began at" if known is None else "that of one constant output is"
        text = f"It is not training: the loss is {amount(now, 3)}, {what} {amount(level, 3)}."
        rate = history.learning_rate
        smaller, larger, other = Rate(rate / 10), Rate(rate * 10), Optimise(Adam(), 1e-3)
        is_still = abs(now - float(np.mean(first))) <= self.part * abs(level)
        remedies = (larger, other, smaller) if is_still else (smaller, other, larger)
        figures = {"loss": now, "level": level}
        yield Finding(
            "not_training", "warn", text, step=history.step, evidence=figures, remedies=remedies, certainty="symptom"
        )


@settings
class RisingDevLosses(Rule):
    """Detects: records in which the dev loss rises again while the training loss falls: high variance.
    Why it matters: from there on training makes the network worse where it counts.
    Evidence and threshold: the last `last` dev losses lie above the lowest by `rise` of it, and the training loss is
        lower than it was there. Where errors are known and have not become more by `more`, nor is the loss above the
        best constant output's now, it is only too confident. A note: how sure that is, rows would have to tell.
    Remedy: stop at the best epoch, weight decay, dropout, more rows.
    Can be wrong when: there are few dev rows, or the loss is not what counts.
    Source: course material D, "learning curves": overfitting; Goodfellow et al. 2016, section 7.8.
    """

    looks_at = Records
    needs = ("dev losses",)
    subject = "end"
    looks_for = "dev losses that rise again"
    names = ("overfitting", "over_confident")

    last: int = hyper(default=2, low=1, unit="epochs")
    rise: float = hyper(default=0.1, low=0, unit="of the lowest dev loss")
    more: float = hyper(default=1.2, low=1, unit="times the errors")

    def check(self, history: Records) -> Iterator[Finding]:
        known = [each for each in history.entries if each.dev_loss is not None]
        losses = np.array([each.dev_loss for each in known], np.float64)
        if not np.isfinite(losses).all():
            return
        number = int(np.argmin(losses))
        best, last = known[number], known[-1]
        lowest, now = float(losses[number]), float(losses[-1])
        after = losses[number + 1 :][-self.last :]
        if len(after) < self.last or not (after - lowest > self.rise * abs(lowest)).all():
            return
        if best.train_loss is not None and last.train_loss is not None:
            before, then = best.train_loss, last.train_loss
        else:
            ends = (0 if number == 0 else known[number - 1].step, best.step, known[-2].step, last.step)
            parts = history.losses_between(*ends[:2]), history.losses_between(*ends[2:])
            if not all(parts):
                return
            before, then = (float(np.mean(part)) for part in parts)
        if not then < before:
            return
        said = f"the dev loss rises from {amount(lowest, 3)} after step {best.step:,} to {amount(now, 3)}"
        figures = {"best_step": best.step, "best_loss": lowest, "dev_loss": now}
        level = history.constant_loss
        if best.dev_error is not None and last.dev_error is not None:
            figures |= {"best_error": best.dev_error, "dev_error": last.dev_error}
            if last.dev_error <= self.more * best.dev_error and not (level is not None and now > level > lowest):
                text = f"Too confident: {said}, while the errors go from {best.dev_error:.1%} to {last.dev_error:.1%}."
                yield Finding("over_confident", "note", text, step=last.step, evidence=figures)
                return
        text = f"Overfitting, high variance: {said}, while the training loss goes on falling."
        remedies = (Stop(number + 1), Penalise(1e-3))
        yield Finding(
            "overfitting", "warn", text, step=best.step, evidence=figures, remedies=remedies, certainty="symptom"
        )


@settings
class SoftmaxTwice(Rule):
    """Detects: records of a classifier that ends in a softmax, and whose losses end where a second one ends
        them.
    Why it matters: a cross-entropy that takes logits has a softmax of its own; of probabilities it can make the right
        class e times as likely as another at most, so that the loss never falls far, and its slopes are small.
    Evidence and threshold: with K classes such a loss is ln(K - 1 + e) - 1 or more, 1.461 of 10. No mean of `window`
        losses is lower than that; and the error on training rows is below `error`, which a loss so large would not
        have.
    Remedy: no activation at the output; or a loss that takes probabilities.
    Can be wrong when: labels are smoothed or rows weighed, which raises a loss as well.
    Source: course material E, "Output units"; arithmetic.
    """

    looks_at = Records
    needs = ("losses", "layers", "classes", "errors")
    subject = "wiring"
    looks_for = "losses that end where a softmax comes twice"
    names = ("double_softmax",)

    window: int = hyper(default=10, low=1, unit="losses")
    error: float = hyper(default=0.5, low=0, high=1, unit="error")

    def check(self, history: Records) -> Iterator[Finding]:
        last, layer = list(history.layers.items())[-1]
        counts, error = history.facts.class_counts, history.train_error
        if not isinstance(layer, Softmax) or counts is None or error is None or error > self.error:
            return
        floor = float(np.log(len(counts) - 1 + np.e) - 1)
        least = float(np.convolve(history.losses, np.ones(self.window) / self.window, "valid").min())
        if not least >= floor:
            return
        text = f"The output of {last} is probabilities, and the loss never falls below {floor:.3f}, though only "
        text += f"{error:.1%} of the training rows are wrong: a cross-entropy that takes logits applies softmax again."
        yield Finding(
            "double_softmax",
            "warn",
            text,
            layer=last,
            step=history.step,
            evidence={"floor": floor, "loss": least, "train_error": error},
            remedies=(Ending(),),
            certainty="symptom",
        )
