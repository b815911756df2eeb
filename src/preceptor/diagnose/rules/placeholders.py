"""Zeros and codes that stand for missing."""

from collections.abc import Iterator

import numpy as np

from preceptor.diagnose.column import COPY_ROWS, Column
from preceptor.diagnose.finding import Finding
from preceptor.diagnose.rule import Rule
from preceptor.diagnose.table_facts import TableFacts
from preceptor.diagnose.wording import rows_text
from preceptor.hyper import hyper, settings
from preceptor.words import amount, listing

CODES = frozenset((-1, -9, -99, -999, -9999, -99999, 99, 999, 9999, 99999, 999999, 9999999))  # conventional


@settings
class Placeholders(Rule):
    """Detects: zeros, and codes such as -999, that lie far from all other values of a column.
    Why it matters: taken for values they drag the mean and hide that nothing is known.
    Evidence and threshold: zeros: all values are at least 0, the share of zeros is within `zeros_least` and
        `zeros_most` (beyond half, zero is the usual value), and the next value is far: at least `zero_gap` of the
        median and `zero_step` times the step between the next values. Counts, 0/1 columns and amounts that often are 0
        stay silent. Codes: one of CODES at the end of the values, at least three times, beyond a gap of `code_gap`.
    Remedy: empty fields.
    Can be wrong when: zero, or the code, is a real value far from the others.
    Source: pima-diabetes (blood pressure 0; zero gaps of 0.11 to 0.6), adult (capital-gain 99999).
    """

    looks_at = TableFacts
    subject = "columns"
    looks_for = "zeros and codes that stand for missing"
    names = ("sentinel", "zeros_missing")

    zeros_least: float = hyper(default=0.005, low=0, high=1, unit="share of the values")
    zeros_most: float = hyper(default=0.5, low=0, high=1, unit="share of the values")
    zero_gap: float = hyper(default=0.1, low=0, unit="share of the median above zero")
    zero_step: float = hyper(default=4.0, low=0, unit="times the step between the next values")
    code_gap: float = hyper(default=0.5, low=0, unit="share of the range of all other values")

    def check(self, facts: TableFacts) -> Iterator[Finding]:
        zeros = []
        for column in facts.features:
            if not column.is_number or column.is_constant or not len(column.present) or column.is_identifier:
                continue
            values = column.present
            low, high = values.min(), values.max()
            if low == 0:
                share = 1 - np.count_nonzero(values) / len(values)
                if self.zeros_least <= share <= self.zeros_most and self._zero_is_apart(column):
                    zeros.append((column, share))
            for code in {low, high} & CODES:
                count = int((values == code).sum())
                if count < 3 or count > len(values) / 2:
                    continue
                others = values[values != code]
                gap = max(others.min() - code, code - others.max())
                width = others.max() - others.min()
                many = len(np.unique(column.middle)) > 10
                if many and gap >= self.code_gap * width and (abs(code) > 9 or gap > 3 * _step(column)):
                    text = (
                        f"Column {column.name!r} is {amount(code, 15)} in {rows_text(count)}, far from all other "
                        f"values ({amount(others.min(), 6)} to {amount(others.max(), 6)}); if that stands for missing, "
                        "leave it empty."
                    )
                    where = np.flatnonzero(column.values == code)
                    yield Finding("sentinel", "note", text, (column.name,), facts.rows(where))
        if zeros:
            names = tuple(column.name for column, _ in zeros)
            each = listing(f"{column.name!r} ({share:.1%})" for column, share in zeros)
            text = f"Zero lies far below all other values of {each}; if it stands for missing there, leave it empty."
            yield Finding("zeros_missing", "note", text, names)

    def _zero_is_apart(self, column: Column) -> bool:
        """Whether zero is far below the next value, beside the usual step between the next ones and the median."""
        above = column.middle[column.middle > 0]
        distinct = np.unique(above)
        if len(distinct) < COPY_ROWS:
            return False
        steps = np.diff(distinct[:11])
        return bool(
            distinct[0] >= self.zero_gap * np.median(above) and distinct[0] >= self.zero_step * np.median(steps)
        )


def _step(column: Column) -> float:
    """The usual step between different values."""
    return float(np.median(np.diff(np.unique(column.middle))))
