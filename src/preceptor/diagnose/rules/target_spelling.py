"""Classes that are one class in two spellings, or none at all."""

from collections.abc import Iterator

from preceptor.diagnose.finding import Finding
from preceptor.diagnose.rule import Rule
from preceptor.diagnose.table_facts import TableFacts
from preceptor.diagnose.wording import rows_text, stands_for_missing, variants
from preceptor.hyper import settings


@settings
class TargetSpelling(Rule):
    """Detects: classes that differ only in case, spaces or a final dot; a class that is a word for missing.
    Why it matters: one class would be learned as two, and rows without a label as a class of their own.
    Evidence and threshold: the texts themselves; words for missing are MISSING_WORDS.
    Remedy: one spelling; empty fields, or rows left out.
    Can be wrong when: case means something (units such as m and M), or "na" is a name.
    Source: adult (its test file writes ">50K." for ">50K"); the words are those that table readers know.
    """

    looks_at = TableFacts
    subject = "target"
    looks_for = "classes spelled in two ways, or standing for missing"
    names = ("class_spelling", "class_missing_word")
    is_of_target = True

    def check(self, facts: TableFacts) -> Iterator[Finding]:
        if not facts.target.is_text or facts.kind != "classes":
            return
        column = facts.target
        for one, other in variants(column.levels):
            text = (
                f"The target {column.name!r} has the classes {one!r} and {other!r}, which differ in spelling only and "
                "would be learned as two; make them one."
            )
            yield Finding("class_spelling", "warn", text, (column.name,))
        words = [level for level in column.levels if stands_for_missing(level)]
        if words:
            text = (
                f"The target {column.name!r} has the class {words[0]!r} ({rows_text(column.levels[words[0]])}), which "
                "seems to stand for missing; leave those rows empty or out."
            )
            yield Finding("class_missing_word", "warn", text, (column.name,))
