"""Rare classes that are passed over, and predictions that are all the same."""

from collections.abc import Iterator

import numpy as np

from preceptor.diagnose.case import right_classes
from preceptor.diagnose.finding import Finding
from preceptor.diagnose.history import History
from preceptor.diagnose.remedy import Weigh
from preceptor.diagnose.rule import Rule
from preceptor.hyper import hyper, settings


@settings
class ClassBalance(Rule):
    """Detects: classes that are rare in training and seldom found; predictions that are nearly all of one class.
    Why it matters: few errors in all may hide that a class is never found.
    Evidence and threshold: the commonest class is `ratio` times as frequent in training; of at least `rows` rows of the
        rare one a smaller share is found than half of the commonest's, by `sure` standard errors. All one class: the
        entropy of what is predicted is below `entropy` of the labels', and cheap models can tell more.
    Remedy: classes weighed by how rare they are, rare ones drawn more often, another threshold.
    Can be wrong when: an overlooked case costs no more than a false alarm.
    Source: He and Garcia 2009; Buda et al. 2018.
    """

    looks_at = History
    subject = "end"
    looks_for = "rare classes that are passed over"
    names = ("class_imbalance", "collapse_to_majority")

    ratio: float = hyper(default=10.0, low=1, unit="times as frequent")
    rows: int = hyper(default=10, low=1, unit="rows")
    sure: float = hyper(default=3.0, low=0, unit="standard errors")
    entropy: float = hyper(default=0.1, low=0, high=1, unit="of the labels' entropy")

    def check(self, history: History) -> Iterator[Finding]:
        classes, judged = history.case.classes, history.judged
        if not classes or judged is None:
            return
        right, predicted = judged.right, judged.predicted
        there, said = (np.bincount(each, minlength=classes)[:classes] for each in (right, predicted))
        most = int(np.argmax(said))
        if _entropy(said) < self.entropy * _entropy(there) and said[most] > there[most]:
            reference = history.reference
            if reference is not None and reference.signal >= 4:
                text = (
                    f"All one class: {said[most] / said.sum():.1%} of the rows are predicted to be of class "
                    f"{history.case.named(most)}, "
                    f"which {there[most] / there.sum():.1%} are."
                )
                yield Finding(
                    "collapse_to_majority",
                    "warn",
                    text,
                    step=history.step,
                    evidence={"predicted": float(said[most] / said.sum()), "share": float(there[most] / there.sum())},
                    certainty="effect",
                )
        if history.case.config.class_weights:
            return
        counts = _taught(history)
        common = int(np.argmax(counts))
        rare = [each for each in range(classes) if each != common and counts[each] * self.ratio < counts[common]]
        found = {each: float(np.mean(predicted[right == each] == each)) for each in (common, *rare) if there[each]}
        for each in rare:
            if there[each] < self.rows or common not in found:
                continue
            half = found[common] / 2
            error = np.sqrt(max(half * (1 - half), 1 / there[each]) / there[each])
            if found[each] < half - self.sure * error:
                name, other = history.case.named(each), history.case.named(common)
                text = (
                    f"Class {name} is rare, {counts[each]:,} of {counts.sum():,} training rows, and passed over: "
                    f"{found[each]:.0%} of its rows are found, of class {other} {found[common]:.0%}."
                )
                shares = np.where(counts > 0, counts.sum() / np.maximum(counts, 1) / classes, 1.0)
                yield Finding(
                    "class_imbalance",
                    "warn",
                    text,
                    step=history.step,
                    evidence={"rows": int(counts[each]), "found": found[each], "found_of_common": found[common]},
                    remedies=(Weigh(tuple(float(share) for share in shares)),),
                )
                return


def _entropy(counts: np.ndarray) -> float:
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def _taught(history: History) -> np.ndarray:
    """How many training rows there are of each class: of those that are known."""
    y = getattr(history.case.data, "y", None)
    classes = history.case.classes or 0
    known = history.taught.right if y is None and history.taught is not None else np.zeros(0, np.int64)
    if y is not None:
        known = right_classes(y)
    return np.bincount(known.astype(np.int64), minlength=classes)[:classes]
