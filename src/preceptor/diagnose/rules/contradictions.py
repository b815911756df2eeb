"""Rows with the same features and another class."""

from collections.abc import Iterator

import numpy as np

from preceptor.diagnose.finding import Finding
from preceptor.diagnose.rule import Rule
from preceptor.diagnose.table_facts import TableFacts
from preceptor.diagnose.wording import percent, rows_text
from preceptor.hyper import settings


@settings
class Contradictions(Rule):
    """Detects: rows with the same features and another class.
    Why it matters: so many rows stay wrong whatever the network, which bounds every accuracy.
    Evidence and threshold: rows that agree in all columns but those that number them; of each such group all but its
        largest class are counted as wrong. One is enough, for it is a note.
    Remedy: more columns, or mended labels.
    Can be wrong when: the classes really are a matter of chance; the count is then that of the sample, not of chance.
    Source: definition.
    """

    looks_at = TableFacts
    subject = "rows"
    looks_for = "rows that contradict each other"
    names = ("contradictions",)
    is_of_target = True

    def check(self, facts: TableFacts) -> Iterator[Finding]:
        if facts.target_numbers is not None or not (facts.telling or facts.blocks):
            return
        codes = facts.target_codes
        order = np.argsort(facts.feature_hashes, kind="stable")
        hashes = facts.feature_hashes[order]
        group = np.cumsum(np.r_[False, hashes[1:] != hashes[:-1]])
        repeated = (np.bincount(group) > 1)[group]
        if not repeated.any():
            return
        group, rows = np.unique(group[repeated], return_inverse=True)[1], order[repeated]
        pairs, counts = np.unique(group * (int(codes.max()) + 1) + codes[rows], return_counts=True)
        owner = pairs // (int(codes.max()) + 1)
        largest = np.zeros(int(group.max()) + 1, np.int64)
        np.maximum.at(largest, owner, counts)
        contradicting = (np.bincount(owner) > 1)[group]
        if not contradicting.any():
            return
        wrong = int(len(rows) - largest.sum())
        text = (
            f"{rows_text(int(contradicting.sum()))} have the same features as another row and a different "
            f"{facts.target.name!r}: at least {wrong:,} of them ({percent(wrong / facts.table.rows)} of all rows) "
            f"{'is' if wrong == 1 else 'are'} told wrongly by any network."
        )
        yield Finding("contradictions", "note", text, (facts.target.name,), facts.rows(rows[contradicting]))
