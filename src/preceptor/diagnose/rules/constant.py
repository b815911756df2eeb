"""Columns that say nothing, or next to nothing."""

from collections.abc import Iterator

import numpy as np

from preceptor.diagnose.column import Column
from preceptor.diagnose.finding import Finding
from preceptor.diagnose.rule import Rule
from preceptor.diagnose.table_facts import TableFacts
from preceptor.diagnose.wording import of_columns
from preceptor.hyper import hyper, settings
from preceptor.words import listing


@settings
class Constant(Rule):
    """Detects: columns without any value, of a single one, nearly always missing or nearly always the same; no column
        at all to learn from.
    Why it matters: they cost time and tell nothing; where there is no other, nothing can be learned.
    Evidence and threshold: the share of rows without a value, `mostly_missing`, or with another than the usual one,
        `almost_constant`. The usual value of a number is judged by the middle one.
    Remedy: leaving the column out, or columns that vary.
    Can be wrong when: the rare value is what matters, as a seldom switch that decides.
    Source: definition; the shares are conventional.
    """

    looks_at = TableFacts
    subject = "columns"
    looks_for = "no column to learn from; constant, almost constant and mostly missing columns"
    names = ("no_feature", "constant", "empty", "mostly_missing", "almost_constant")

    mostly_missing: float = hyper(default=0.95, low=0, high=1, unit="share of rows without a value")
    almost_constant: float = hyper(default=0.001, low=0, high=1, unit="share of rows with another value")

    def check(self, facts: TableFacts) -> Iterator[Finding]:
        rows = facts.table.rows
        dead = [column for column in facts.features if not column.varies]
        flat = [name for name, block in facts.blocks.items() if _is_flat(block)]
        if len(dead) == len(facts.features) and len(flat) == len(facts.blocks):
            names = tuple(column.name for column in dead) + tuple(flat)
            why = [f"{c.name} ({'the same' if len(c.present) else 'no value'} in all training rows)" for c in dead]
            why += [f"{name} (the same in all training rows)" for name in flat]
            reasons = listing(why) or "there is no column beside the target"
            text = f"No column can be learned from: {reasons}; add columns that vary."
            yield Finding("no_feature", "refuse", text, names)
            return
        yield from of_columns("constant", [c for c in dead if len(c.present)], "the same in all rows: nothing to learn")
        yield from of_columns("empty", [c for c in dead if not len(c.present)], "without any value: nothing to learn")
        left = [column for column in facts.features if column not in dead]
        missing = [c for c in left if c.missing.mean() > self.mostly_missing]
        few = f"missing in more than {self.mostly_missing:.0%} of the rows: little to learn"
        yield from of_columns("mostly_missing", missing, few)
        almost = [c for c in left if c not in missing and 0 < _others(c) < self.almost_constant * rows]
        rare = f"the same in all but fewer than {self.almost_constant:.1%} of the rows: little to learn"
        yield from of_columns("almost_constant", almost, rare)


def _is_flat(block: np.ndarray) -> bool:
    return bool(
        block.size == 0 or (block == block.flat[0]).all() or (block.dtype.kind == "f" and np.isnan(block).all())
    )


def _others(column: Column) -> int:
    """How many of the values that are there differ from the most frequent one (judged by the middle one)."""
    if not column.is_number:
        return len(column.present) - max(column.levels.values())
    return int((column.present != column.middle[len(column.middle) // 2]).sum())
