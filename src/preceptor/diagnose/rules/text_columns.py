"""Text that is nearly a number, has a level in two spellings, or a word for missing."""

from collections.abc import Iterator

import numpy as np

from preceptor.data.encoding.levels import is_numeric
from preceptor.data.tables.columns import objects
from preceptor.diagnose.column import SAMPLE
from preceptor.diagnose.finding import Finding
from preceptor.diagnose.rule import Rule
from preceptor.diagnose.table_facts import SHOWN, TableFacts
from preceptor.diagnose.wording import rows_text, stands_for_missing, variants
from preceptor.hyper import hyper, settings

SHOWN_WORDS = 3  # of a column that otherwise holds numbers


@settings
class TextColumns(Rule):
    """Detects: text that is nearly all numbers, levels that differ in spelling only, words for missing.
    Why it matters: a few words turn amounts into categories; two spellings halve what is learned of a level.
    Evidence and threshold: `words`, the share of values that are no number, beside more than five different numbers;
        of at most `few_words` different ones `share_of_few`, for these are signs such as "n.d."; spellings that differ
        in case, spaces or a final dot, of at most `levels`; MISSING_WORDS.
    Remedy: mended or empty fields, one spelling.
    Can be wrong when: the numbers are codes, or case means something.
    Source: auto-imports ("?" for missing); the numbers are our choice.
    """

    looks_at = TableFacts
    subject = "columns"
    looks_for = "numbers mixed with text, spellings, words for missing"
    names = ("missing_word", "number_as_text", "spelling")

    words: float = hyper(default=0.1, low=0, high=1, unit="share of the values")
    few_words: int = hyper(default=3, low=0, unit="different texts")
    share_of_few: float = hyper(default=0.5, low=0, high=1, unit="share of the values")
    levels: int = hyper(default=100, low=2, unit="different texts")

    def check(self, facts: TableFacts) -> Iterator[Finding]:
        for column in facts.features:
            if not column.is_text or not len(column.present):
                continue
            levels = column.levels
            words = [level for level in levels if stands_for_missing(level)]
            if words:
                text = (
                    f"Column {column.name!r} is {words[0]!r} in {rows_text(levels[words[0]])}, which seems to stand "
                    "for missing; leave it empty."
                )
                yield Finding("missing_word", "note", text, (column.name,))
            if len(levels) <= SAMPLE:
                wrong = [level for level in levels if not is_numeric(level)]
                rows = sum(levels[level] for level in wrong)
                share = self.share_of_few if len(wrong) <= self.few_words else self.words
                if 0 < rows <= share * len(column.present) and len(levels) - len(wrong) > 5:
                    named = ", ".join(map(repr, sorted(wrong)[:SHOWN_WORDS])) + " and others" * (
                        len(wrong) > SHOWN_WORDS
                    )
                    text = (
                        f"Column {column.name!r} is a number but for {named} in {rows_text(rows)}, and so is taken as "
                        "text, each value for itself; write numbers there too, or leave empty what stands for missing."
                    )
                    where = np.flatnonzero(np.isin(column.values, objects(wrong[:SHOWN], len(wrong[:SHOWN]))))
                    yield Finding("number_as_text", "note", text, (column.name,), facts.rows(where))
            if len(levels) <= self.levels:
                for one, other in variants(levels):
                    text = (
                        f"Column {column.name!r} has both {one!r} and {other!r}; if they mean the same, make them one."
                    )
                    yield Finding("spelling", "note", text, (column.name,))
                    break
