"""A row that is in two parts."""

from collections.abc import Iterator

import numpy as np

from preceptor.diagnose.finding import Finding
from preceptor.diagnose.rule import Rule
from preceptor.diagnose.table_facts import TableFacts
from preceptor.diagnose.wording import rows_text
from preceptor.hyper import settings


@settings
class PartsOverlap(Rule):
    """Detects: a row that is in more than one of train, dev and test.
    Why it matters: what is learned by heart would be judged as if it were understood.
    Evidence and threshold: the row numbers; one is enough.
    Remedy: each row in one part.
    Can be wrong when: never; for copies of a row see `duplicates`.
    Source: definition.
    """

    looks_at = TableFacts
    subject = "rows"
    looks_for = "a row in two parts"
    names = ("parts_overlap",)

    def check(self, facts: TableFacts) -> Iterator[Finding]:
        parts = facts.parts
        times = np.bincount(np.concatenate([parts.train, parts.dev, parts.test]), minlength=facts.table.rows)
        twice = np.flatnonzero(times > 1)
        if len(twice):
            text = f"{rows_text(len(twice))} are in more than one of train, dev and test; give each row to one part."
            yield Finding("parts_overlap", "refuse", text, (), facts.rows(twice))
