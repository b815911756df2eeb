"""High variance: what is learned by heart."""

from collections.abc import Iterator

import numpy as np

from preceptor.diagnose.finding import Finding
from preceptor.diagnose.history import History
from preceptor.diagnose.paired import in_errors
from preceptor.diagnose.remedy import Penalise, Stop
from preceptor.diagnose.rule import Rule
from preceptor.hyper import hyper, settings
from preceptor.train.penalty import L2
from preceptor.words import amount


@settings
class Overfitting(Rule):
    """Detects: high variance: the dev loss rises again while the training loss falls.
    Why it matters: from there on training makes the network worse where it counts.
    Evidence and threshold: the loss of at least `rows` dev rows lies above that of the best epoch by `rise` and by
        `sure` standard errors, paired row by row; and their errors have become more, by a fifth
        and by `errors` standard errors, or the loss is above the best constant output's now. Else it is only too
        confident: a note. Or there are fewer than `few` training rows a class, of which hardly one is wrong, and the
        dev error is larger by `gap`.
    Remedy: stop at the best epoch, weight decay, dropout, more rows.
    Can be wrong when: the loss is not what counts. It is not asked where a training was stopped because dev no longer
        gained: its best weights are kept.
    Source: course material D, "learning curves": overfitting; Goodfellow et al. 2016, section 7.8.
    """

    looks_at = History
    subject = "end"
    looks_for = "a dev loss that rises while the training loss falls"
    names = ("overfitting", "over_confident")

    few: int = hyper(default=20, low=1, unit="training rows a class")
    gap: float = hyper(default=0.15, low=0, high=1, unit="error")
    rows: int = hyper(default=200, low=2, unit="dev rows")
    rise: float = hyper(default=0.1, low=0, unit="of the lowest dev loss")
    sure: float = hyper(default=3.0, low=0, unit="standard errors")
    errors: float = hyper(default=4.0, low=0, unit="standard errors")

    def check(self, history: History) -> Iterator[Finding]:
        by_heart = list(self._by_heart(history))
        if by_heart:
            yield from by_heart
            return
        known = [(number, each) for number, each in enumerate(history.epochs, 1) if each.dev is not None]
        if history.was_ended or history.judged is None or len(known) < 3 or not history.case.data.guides:
            return
        losses = [float(each.dev_loss) if each.dev_loss is not None else np.inf for _, each in known]
        number, best = known[int(np.nanargmin(np.where(np.isfinite(losses), losses, np.inf)))]
        last = known[-1][1]
        assert best.dev is not None
        assert last.dev is not None
        rows, rise = len(last.dev.losses), last.dev.loss - best.dev.loss
        fell = best.train_loss is not None and last.train_loss is not None and last.train_loss < best.train_loss
        if rows < self.rows or not fell or not np.isfinite(last.dev.loss) or rise <= self.rise * abs(best.dev.loss):
            return
        if in_errors(best.dev.losses, last.dev.losses) < self.sure:
            return
        figures = {"best_epoch": number, "best_loss": best.dev.loss, "dev_loss": last.dev.loss}
        figures |= {"best_error": best.dev.error, "dev_error": last.dev.error}
        said = f"the dev loss rises from {amount(best.dev.loss, 3)} in epoch {number:,} to {amount(last.dev.loss, 3)}"
        level = history.baseline[0]
        worse = in_errors(best.dev.errors, last.dev.errors) >= self.errors and last.dev.error > 1.2 * best.dev.error
        if not worse and not last.dev.loss > level > best.dev.loss:
            text = f"Too confident: {said}, while the errors go from {best.dev.error:.1%} to {last.dev.error:.1%}."
            yield Finding("over_confident", "note", text, step=last.step, evidence=figures)
            return
        text = f"Overfitting, high variance: {said}, while the training loss goes on falling."
        remedies = (Stop(number), Penalise(1e-3))
        yield Finding("overfitting", "warn", text, step=best.step, evidence=figures, remedies=remedies)

    def _by_heart(self, history: History) -> Iterator[Finding]:
        """Few rows that are known by heart."""
        taught, judged, classes = history.taught, history.judged, history.case.classes
        rows = history.case.data.rows
        if not classes or taught is None or judged is None or not history.case.data.guides:
            return
        if taught.error > 0.02 or judged.error - taught.error < self.gap or rows >= self.few * classes:
            return
        text = (
            f"High variance: the error on training rows is {taught.error:.1%}, on dev rows {judged.error:.1%}: "
            f"{rows:,} training rows of {classes:,} classes are learned by heart, and more would help most."
        )
        figures = {"train_error": taught.error, "dev_error": judged.error, "rows": rows}
        is_held = any(isinstance(each, L2) for each in history.case.config.penalties)
        remedies = () if is_held else (Penalise(1e-3),)
        yield Finding("overfitting", "warn", text, step=history.step, evidence=figures, remedies=remedies)
