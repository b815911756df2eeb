"""Labels that are wrong."""

from collections.abc import Iterator

import numpy as np

from preceptor.diagnose.finding import Finding
from preceptor.diagnose.history import History
from preceptor.diagnose.neighbours import voted
from preceptor.diagnose.reference import Reference
from preceptor.diagnose.remedy import Relabel
from preceptor.diagnose.rule import Rule
from preceptor.diagnose.wording import lower
from preceptor.hyper import hyper, settings
from preceptor.words import listing


@settings
class Labels(Rule):
    """Detects: training labels that contradict the rows like them, more often than labels do elsewhere.
    Why it matters: what is learned from them is wrong, and learned by heart.
    Evidence and threshold: each of 1,000 training rows is predicted by the others, dev rows by all. Of training
        rows more are predicted otherwise than they are labelled than of dev rows, by `more` and by `sure` standard
        errors; or of dev rows more than of training rows, by twice `more`, where there are `each` and they tell the
        class by `sure`; or what is like one class in training is another one in dev, by `moved` standard errors,
        while the one is commoner in training by half of what the other is rarer: its rows are labelled so. Without
        such a difference: of the rows whose neighbours agree clearly, by `clear` of their votes, `agree` of all or
        more, over `share` have another label (the lower end of the 95 % interval), spread over all classes as by
        chance, while classes that are hard to tell apart are mixed up in pairs; at least `classes` of them are
        needed to tell. It looks where the dev error is above `floor`.
    Remedy: the rows named are looked at, relabelled or left out; rows and labels that were shuffled apart are joined.
    Can be wrong when: the training rows themselves are spoiled (noise that dev does not have).
    Source: Northcutt et al. 2021 (confident learning); Wilson 1972 (edited nearest neighbours).
    """

    looks_at = History
    subject = "labels"
    looks_for = "labels that contradict the rows like them"
    names = ("label_problem",)

    more: float = hyper(default=0.1, low=0, unit="of the rows")
    sure: float = hyper(default=5.0, low=0, unit="standard errors")
    moved: float = hyper(default=3.5, low=0, unit="standard errors")
    clear: float = hyper(default=0.3, low=0, high=1, unit="of the votes, first before second")
    floor: float = hyper(default=0.05, low=0, high=1, unit="error")
    share: float = hyper(default=0.2, low=0, high=1, unit="of the rows")
    agree: float = hyper(default=0.3, low=0, high=1, unit="of the rows")
    each: int = hyper(default=30, low=1, unit="training rows a class")
    classes: int = hyper(default=5, low=2, unit="classes")

    def check(self, history: History) -> Iterator[Finding]:
        judged, classes = history.judged, history.case.classes
        if not classes or judged is None or judged.error < self.floor:
            return
        reference = history.reference
        if reference is None:
            return
        wrong, figures, text = self._beside_dev(history, reference)
        if not text:
            wrong, figures, text = self._at_random(classes, reference)
        if text:
            rows = tuple(row + 1 for row in history.case.given(reference.numbers[wrong][:5]))
            text += f", training rows {listing(rows)} among them." if rows else "."
            yield Finding(
                "label_problem",
                "warn",
                text,
                rows=rows,
                step=history.step,
                evidence=figures,
                remedies=(Relabel(),),
            )

    def _beside_dev(self, history: History, of: Reference) -> tuple[np.ndarray, dict[str, float], str]:
        """Where training labels contradict their neighbours more often than dev's do."""
        off = of.left_predicted != of.own
        if not history.case.data.guides or history.case.data.folds is not None:
            return off, {}, ""
        ours, theirs = float(off.mean()), of.error
        figures = {"train": ours, "dev": theirs}
        error = np.sqrt(max(ours * (1 - ours), 1 / of.rows) / of.rows + theirs * (1 - theirs) / len(of.errors))
        if ours - theirs > max(self.more, self.sure * error):
            text = (
                f"Labels: {ours:.0%} of the training rows are not labelled as the rows like them, of dev rows "
                f"{theirs:.0%}: wrong labels, or rows spoiled"
            )
            return off, figures, text
        can_tell = of.rows >= self.each * (history.case.classes or 0) and of.signal >= self.sure
        if can_tell and theirs - ours > max(2 * self.more, self.sure * error):
            text = (
                f"Labels: {theirs:.0%} of the dev rows are not labelled as the training rows like them, of training "
                f"rows {ours:.0%}: one of the parts is labelled wrongly"
            )
            return off, figures, text
        classes = history.case.classes or 0
        if classes < 3:
            return off, figures, ""
        dev, train = (np.bincount(each, minlength=classes)[:classes] / len(each) for each in (of.right, of.own))
        with np.errstate(all="ignore"):
            usual = float(np.nanmedian(np.where(dev > 0, train / dev, np.nan)))
        more = train - usual * dev  # how much commoner in training than what dev lets one expect
        for other in np.flatnonzero(more > 0).tolist():
            there, here = of.predicted == other, of.left_predicted == other
            if there.sum() < 10 or here.sum() < 10:
                continue
            for true in set(np.unique(of.right[there]).tolist()) - {other}:
                seen, own = float(np.mean(of.right[there] == true)), float(np.mean(of.own[here] == true))
                error = np.sqrt(seen * (1 - seen) / there.sum() + max(own * (1 - own), 1 / here.sum()) / here.sum())
                is_moved = more[other] > -more[true] / 2 > 0
                if is_moved and seen - own > max(2 * self.more, self.moved * error):
                    wrong, right = history.case.named(other), history.case.named(true)
                    text = (
                        f"Labels: {seen:.0%} of the dev rows that are like training rows of class {wrong} are of class "
                        f"{right}, of such training rows {own:.0%}: rows of class {right} are labelled {wrong}"
                    )
                    return of.own == other, {"dev": seen, "train": own}, text
        return off, figures, ""

    def _at_random(self, classes: int, of: Reference) -> tuple[np.ndarray, dict[str, float], str]:
        """Where labels contradict neighbours that agree, as by chance."""
        top, sure = voted(of.near, classes, self.clear)
        wrong = sure & (top != of.own)
        figures = {"contradict": float(wrong.sum()), "of": float(sure.sum())}
        if sure.mean() < self.agree:  # some agree by chance alone
            return wrong, figures, ""
        if classes < self.classes or lower(int(wrong.sum()), int(sure.sum())) < self.share or wrong.sum() < 30:
            return wrong, figures, ""
        pairs = np.zeros((classes, classes))
        np.add.at(pairs, (top[wrong], of.own[wrong]), 1)
        shares = np.bincount(of.own, minlength=classes) / of.rows
        expected = pairs.sum(1, keepdims=True) * shares / np.maximum(1 - shares[:, None], 1e-9)
        np.fill_diagonal(expected, 0)
        there = expected > 0
        chi = float((((pairs - expected) ** 2)[there] / expected[there]).sum())
        freedom = max(1, int(there.sum()) - classes)
        if (chi - freedom) / np.sqrt(2 * freedom) > 3:
            return wrong, figures, ""
        text = (
            f"Labels: of {int(sure.sum()):,} training rows whose neighbours agree on a class {int(wrong.sum()):,} have "
            "another one, any other: wrong labels, or rows and labels shuffled apart"
        )
        return wrong, figures, text
