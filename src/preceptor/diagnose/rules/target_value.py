"""A target that leaves nothing to learn."""

from collections.abc import Iterator

import numpy as np

from preceptor.diagnose.column import COPY_ROWS, OVERFLOWS
from preceptor.diagnose.finding import Finding
from preceptor.diagnose.rule import Rule
from preceptor.diagnose.table_facts import TableFacts
from preceptor.diagnose.wording import rows_text
from preceptor.hyper import hyper, settings
from preceptor.words import amount


@settings
class TargetValue(Rule):
    """Detects: a target that is the same in all training rows, not finite, too large, or another class in nearly every
        row; fewer than two training rows.
    Why it matters: there is nothing to learn, or every loss is infinite.
    Evidence and threshold: the values. Too large: beyond OVERFLOWS, where a square is beyond float64. Classes: more
        than COPY_ROWS and more than `most_classes`.
    Remedy: another column as target, mended or removed rows, the target as a number.
    Can be wrong when: each class really has one or two rows, as in matching by example.
    Source: definition.
    """

    looks_at = TableFacts
    subject = "target"
    looks_for = "a target of one value, infinite, or different in every row"
    names = ("train_empty", "target_identifier", "target_not_finite", "target_too_large", "target_constant")
    is_of_target = True

    most_classes: float = hyper(default=0.5, low=0, high=1, unit="classes for each training row")

    def check(self, facts: TableFacts) -> Iterator[Finding]:
        column, train = facts.target, facts.parts.train
        name = (column.name,)
        if len(train) < 2:
            yield Finding("train_empty", "refuse", f"{len(train)} rows are left to train; give more rows.", name)
            return
        values = facts.target_numbers
        if values is None:
            counts = np.bincount(facts.target_codes[train])
            distinct = int(np.count_nonzero(counts))
            if distinct > COPY_ROWS and distinct > self.most_classes * len(train):
                text = (
                    f"The target {column.name!r} has {distinct:,} classes in {len(train):,} training rows: it is a "
                    "name or a number of the row, not a class; choose another target, or --kind number."
                )
                yield Finding("target_identifier", "refuse", text, name)
        else:
            wrong = np.flatnonzero(~np.isfinite(values))
            if len(wrong):
                text = (
                    f"The target {column.name!r} is not a finite number in {rows_text(len(wrong))}, "
                    f"first in data row {facts.rows(wrong)[0]:,}; mend or remove them."
                )
                yield Finding("target_not_finite", "refuse", text, name, facts.rows(wrong))
                return
            distinct = 1 if values[train].min() == values[train].max() else 2
            if np.abs(values).max() > OVERFLOWS:
                row = np.flatnonzero(np.abs(values) > OVERFLOWS)
                most = amount(OVERFLOWS)
                text = f"The target {column.name!r} is beyond {most} in {rows_text(len(row))}; mend the values."
                yield Finding("target_too_large", "refuse", text, name, facts.rows(row))
        if distinct < 2:
            text = f"The target {column.name!r} is the same in all training rows; choose a column that varies."
            yield Finding("target_constant", "refuse", text, name)
