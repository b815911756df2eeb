"""A target that could be classes or a number."""

from collections.abc import Iterator

import numpy as np

from preceptor.diagnose.finding import Finding
from preceptor.diagnose.rule import Rule
from preceptor.diagnose.table_facts import TableFacts
from preceptor.hyper import hyper, settings
from preceptor.words import amount


@settings
class TargetKind(Rule):
    """Detects: whole numbers that may be meant the other way: few values taken as a number, a hump of many taken as
        classes; a number that only counts the rows.
    Why it matters: grades as classes forget their order; codes as numbers invent one.
    Evidence and threshold: taken as a number: at most `codes` whole values of at least `rows_of_a_code` rows each on
        average. Taken as classes: at least `grades` values one apart, the most frequent within, and `hump` times as
        frequent as either end. Numbering: whole, each once, in order.
    Remedy: --kind classes, --kind number, or another target.
    Can be wrong when: an amount happens to have few values, or classes are numbered in an order of their own.
    Source: wine-quality (grades 3 to 9), digits (codes 0 to 9); the numbers are our choice on these.
    """

    looks_at = TableFacts
    subject = "target"
    looks_for = "a target that could be classes or a number"
    names = ("target_numbers_rows", "target_number_or_classes", "target_classes_or_number")
    is_of_target = True

    codes: int = hyper(default=30, low=2, unit="values")
    rows_of_a_code: int = hyper(default=20, low=1, unit="rows")
    grades: int = hyper(default=5, low=3, unit="values")
    hump: float = hyper(default=3.0, low=1, unit="times the rows of either end")

    def check(self, facts: TableFacts) -> Iterator[Finding]:
        column = facts.target
        if facts.kind == "number" and column.is_identifier:
            text = f"The target {column.name!r} numbers the rows: whole, each once, in order; check that it is meant."
            yield Finding("target_numbers_rows", "note", text, (column.name,))
        if not column.is_number or not len(column.present) or len(column.present) < len(column.values):
            return
        values = column.present
        if (values != np.floor(values)).any() or values.max() - values.min() > 1e6:
            return
        levels, counts = np.unique(values, return_counts=True)
        is_coarse = 2 <= len(levels) <= self.codes and len(levels) * self.rows_of_a_code <= len(values)
        if facts.kind == "number" and is_coarse:
            text = (
                f"The target {column.name!r} is taken as a number and has only {len(levels)} whole values; if they are "
                "codes of classes, say --kind classes, or --ordered where these have an order."
            )
            yield Finding("target_number_or_classes", "note", text, (column.name,))
        ends = max(counts[0], counts[-1])
        is_hump = len(levels) >= self.grades and counts.max() >= self.hump * ends
        if (
            facts.kind == "classes"
            and is_hump
            and 0 < counts.argmax() < len(levels) - 1
            and (np.diff(levels) == 1).all()
        ):
            low, high = (amount(level, 15) for level in (levels[0], levels[-1]))
            text = (
                f"The target {column.name!r} is taken as {len(levels)} classes, whole numbers from {low} to {high} "
                "with most in the middle; if it is an amount or a grade, say --kind number."
            )
            yield Finding("target_classes_or_number", "note", text, (column.name,))
