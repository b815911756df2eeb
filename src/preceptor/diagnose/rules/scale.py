"""Sizes that leave no digits to learn from."""

from collections.abc import Iterator

import numpy as np

from preceptor.diagnose.column import OVERFLOWS
from preceptor.diagnose.finding import Finding
from preceptor.diagnose.rule import Rule
from preceptor.diagnose.table_facts import TableFacts
from preceptor.diagnose.wording import rows_text
from preceptor.hyper import hyper, settings
from preceptor.words import amount


@settings
class Scale(Rule):
    """Detects: a few wild values beside which all others are one, a tiny spread about a large mean, huge numbers.
    Why it matters: after division by the standard deviation the rows can no longer be told apart in float32.
    Evidence and threshold: `squeezed`, the range of the middle 95 % of the values: no weight of usual size tells such
        rows apart. `lost_digits`, the size of the mean: fewer than four digits of float64 are left. `huge`: float64
        holds whole numbers to 9e15, and no measurement has that many digits.
    Remedy: mended or empty values; a constant subtracted before the table is saved; another unit.
    Can be wrong when: the wild values are real and alone matter; a huge number is a code (then a note).
    Source: the digits of float64 and float32; what they leave is arithmetic.
    """

    looks_at = TableFacts
    subject = "columns"
    looks_for = "values out of all proportion"
    names = ("scale_outlier", "scale_offset", "scale_huge")

    squeezed: float = hyper(default=1e-4, low=0, unit="standard deviations")
    lost_digits: float = hyper(default=1e12, low=0, unit="standard deviations")
    huge: float = hyper(default=1e15, low=0, unit="largest value in size")

    def check(self, facts: TableFacts) -> Iterator[Finding]:
        for column in facts.features:
            if not column.is_number or column.is_constant or not len(column.present) or column.is_identifier:
                continue
            values = column.present
            largest = max(abs(values.min()), abs(values.max()))
            if largest > OVERFLOWS:
                continue
            mean, sd = values.mean(), values.std()
            low, high = column.middle[[int(0.025 * len(column.middle)), int(0.975 * (len(column.middle) - 1))]]
            name = (column.name,)
            if sd > 0 and high > low and (high - low) / sd < self.squeezed:
                size = np.abs(np.nan_to_num(column.values.astype(np.float64), posinf=0, neginf=0))
                wild = np.flatnonzero(size >= 0.1 * largest)
                text = (
                    f"Column {column.name!r} reaches {amount(largest, 3)} in {rows_text(len(wild))}, first in data row "
                    f"{facts.rows(wild)[0]:,}, while 95 % of its values lie between {amount(low)} and {amount(high)}: "
                    "nothing else in it can be told apart; mend the values, or leave them empty."
                )
                yield Finding("scale_outlier", "warn", text, name, facts.rows(wild))
            elif sd > 0 and abs(mean) / sd > self.lost_digits:
                text = (
                    f"Column {column.name!r} varies by {amount(sd, 2)} about {amount(mean, 6)}: too few digits are "
                    "left to learn from; subtract a constant before it is saved."
                )
                yield Finding("scale_offset", "warn", text, name)
            elif largest > self.huge:
                level = "note" if column.values.dtype.kind in "iu" else "warn"
                reach = f"Column {column.name!r} reaches {amount(largest, 3)}"
                text = f"{reach}; check its unit, or leave it out if it is a code."
                yield Finding("scale_huge", level, text, name)
