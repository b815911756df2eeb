"""Classes of the target that are too small, uneven or never trained on."""

from collections.abc import Iterator

import numpy as np

from preceptor.diagnose.column import COPY_ROWS
from preceptor.diagnose.finding import Finding
from preceptor.diagnose.rule import Rule
from preceptor.diagnose.table_facts import TableFacts
from preceptor.diagnose.wording import classes_text
from preceptor.hyper import hyper, settings


@settings
class TargetClasses(Rule):
    """Detects: classes that are in dev or test but never in train, that have fewer rows than there are parts, or that
        are far larger than others.
    Why it matters: what is never seen cannot be learned; what has no row to be judged by is not known to be learned;
        where one class is nearly all, always saying it looks good.
    Evidence and threshold: the rows of each class in each part. Fewer rows than parts: at least one part has none.
        `imbalance`.
    Remedy: more rows of the class, merging it with another, or leaving it out; recall of each class beside accuracy.
    Can be wrong when: a rare class is meant not to be told (it is then better left out).
    Source: definition; the ratio of 10 is conventional.
    """

    looks_at = TableFacts
    subject = "target"
    looks_for = "classes too small, uneven, or absent from the training rows"
    names = ("class_unseen", "class_single_row", "class_too_small", "class_imbalance")
    is_of_target = True

    imbalance: float = hyper(default=10.0, low=1, unit="rows of the largest class for one of the smallest")

    def check(self, facts: TableFacts) -> Iterator[Finding]:
        if facts.target_numbers is not None:
            return
        column, codes = facts.target, facts.target_codes
        kinds = int(codes.max()) + 1 if len(codes) else 0
        first = np.full(kinds, -1)
        first[codes[::-1]] = np.arange(len(codes))[::-1]
        counts = np.bincount(codes, minlength=kinds)
        in_train = np.bincount(codes[facts.parts.train], minlength=kinds)
        unseen = np.flatnonzero((in_train == 0) & (counts > 0))
        if len(unseen):
            text = (
                f"{classes_text(column, first[unseen])} of the target {column.name!r} "
                f"{'is' if len(unseen) == 1 else 'are'} in dev or test but never in train, so it cannot be learned; "
                "add such rows to train, or leave them out."
            )
            yield Finding("class_unseen", "refuse", text, (column.name,), facts.rows(first[unseen]))
        if kinds > COPY_ROWS and kinds > len(codes) / 2:
            return
        parts = sum(len(part) > 0 for part in (facts.parts.train, facts.parts.dev, facts.parts.test))
        for name, small, why in (
            ("class_single_row", counts == 1, "a single row"),
            ("class_too_small", (counts > 1) & (counts < parts), f"fewer rows than the {parts} parts"),
        ):
            each = np.flatnonzero(small & (in_train > 0))
            if len(each):
                text = (
                    f"{classes_text(column, first[each])} of the target {column.name!r} "
                    f"{'has' if len(each) == 1 else 'have'} {why}: what is learned of it cannot be judged; add rows, "
                    "or merge it with another class."
                )
                yield Finding(name, "warn", text, (column.name,), facts.rows(first[each]))
        sizes = counts[counts > 0]
        if len(sizes) > 1 and sizes.max() > self.imbalance * sizes.min():
            rarest = column.values[first[np.argmin(np.where(counts > 0, counts, len(codes) + 1))] :][:1].tolist()[0]
            if isinstance(rarest, float) and rarest.is_integer():
                rarest = int(rarest)
            text = (
                f"The largest class of {column.name!r} has {sizes.max() / sizes.min():,.0f} times the rows of the "
                f"smallest, {rarest!r} ({sizes.min():,}); look at the recall of each class, not at accuracy "
                f"alone: {sizes.max() / sizes.sum():.1%} is had by always saying the largest."
            )
            yield Finding("class_imbalance", "note", text, (column.name,))
