"""Columns that are copies of one another."""

from collections.abc import Iterator

from preceptor.diagnose.column import Column, draw
from preceptor.diagnose.finding import Finding
from preceptor.diagnose.rule import Rule
from preceptor.diagnose.table_facts import TableFacts
from preceptor.hyper import settings

PROBE = 1000  # rows, by which columns that may be identical are found


@settings
class SameColumns(Rule):
    """Detects: two columns that hold the same value in every row.
    Why it matters: the second tells nothing new and halves what each weight says.
    Evidence and threshold: all rows; columns of one value are left to `constant`.
    Remedy: one of the two left out.
    Can be wrong when: the two will differ in tables to come.
    Source: definition.
    """

    looks_at = TableFacts
    subject = "columns"
    looks_for = "identical columns"
    names = ("same_columns",)

    def check(self, facts: TableFacts) -> Iterator[Finding]:
        probe = draw(facts.table.rows, PROBE)
        groups: dict[bytes, list[Column]] = {}
        for column in facts.features:
            if column.is_constant or not len(column.present):
                continue
            alike = groups.setdefault(column.hashes(probe).tobytes(), [])
            twin = next((each for each in alike if (each.hashes() == column.hashes()).all()), None)
            if twin is not None:
                text = f"Columns {twin.name!r} and {column.name!r} are identical; one of them suffices."
                yield Finding("same_columns", "note", text, (twin.name, column.name))
            alike.append(column)
