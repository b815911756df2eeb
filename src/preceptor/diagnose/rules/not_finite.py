"""Values that no arithmetic survives."""

import math
from collections.abc import Iterator

import numpy as np

from preceptor.diagnose.column import OVERFLOWS
from preceptor.diagnose.finding import Finding
from preceptor.diagnose.rule import Rule
from preceptor.diagnose.table_facts import TableFacts
from preceptor.hyper import settings

CELLS = 1 << 19  # looked at in one go: 4 MiB of float64


@settings
class NotFinite(Rule):
    """Detects: infinite values, and values whose square overflows.
    Why it matters: one of them makes a mean, a loss and then every weight infinite.
    Evidence and threshold: all cells; infinite, or beyond OVERFLOWS.
    Remedy: mended values, or empty fields where they are not known.
    Can be wrong when: never.
    Source: the range of float64.
    """

    looks_at = TableFacts
    subject = "columns"
    looks_for = "infinite and overflowing values"
    names = ("not_finite",)

    def check(self, facts: TableFacts) -> Iterator[Finding]:
        columns = [(column.name, column.values) for column in facts.features if column.values.dtype.kind == "f"]
        blocks = [(name, block) for name, block in facts.blocks.items() if block.dtype.kind == "f"]
        for name, values in columns + blocks:
            step = max(1, CELLS // max(1, math.prod(values.shape[1:])))
            for start in range(0, len(values), step):
                size = np.abs(values[start : start + step])
                wrong = size > min(OVERFLOWS, float(np.finfo(size.dtype).max))
                if wrong.any():
                    where = np.flatnonzero(wrong.reshape(len(size), -1).any(axis=1)) + start
                    text = (
                        f"Column {name!r} is infinite or far too large in data row {facts.rows(where)[0]:,}; mend the "
                        "value, or leave it empty where it is not known."
                    )
                    yield Finding("not_finite", "refuse", text, (name,), facts.rows(where))
                    break
