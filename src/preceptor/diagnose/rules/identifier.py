"""Columns that number the rows, and dates that are text."""

import re
from collections.abc import Iterator

from preceptor.diagnose.column import draw
from preceptor.diagnose.finding import Finding
from preceptor.diagnose.rule import Rule
from preceptor.diagnose.table_facts import TableFacts
from preceptor.diagnose.wording import of_columns
from preceptor.hyper import hyper, settings

PROBE = 200  # texts of a column
DATE = re.compile(
    r"\s*(\d{4}[-/.]\d{1,2}([-/.]\d{1,2})?|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2})"
    r"|(\d{1,2} )?(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?,? \d{1,4}(,? \d{4})?)"
    r"([ T]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?( ?[ap]m)?(Z|[+-]\d{2}:?\d{2})?)?\s*",
    re.IGNORECASE,
)


@settings
class Identifier(Rule):
    """Detects: columns that number the rows; dates written as text.
    Why it matters: a number of the row tells nothing of rows to come; parts drawn at random mix past and future.
    Evidence and threshold: whole, each once, and in increasing order or without a gap. Dates: `dates` of PROBE texts.
    Remedy: the column left out; a split by time.
    Can be wrong when: the order of the rows means something, as in a measurement over time.
    Source: definition; the share of dates is our choice.
    """

    looks_at = TableFacts
    subject = "columns"
    looks_for = "identifiers and dates"
    names = ("identifier", "date")

    dates: float = hyper(default=0.95, low=0, high=1, unit="share of texts that are dates")

    def check(self, facts: TableFacts) -> Iterator[Finding]:
        numbering = [column for column in facts.features if column.is_identifier]
        what, them = ("a number of the row", "it") if len(numbering) == 1 else ("numbers of the row", "them")
        yield from of_columns(
            "identifier",
            numbering,
            f"{what}: whole, each once, in order; leave {them} out (--leave-out) unless the order means something",
        )
        for column in facts.features:
            if column.is_text and len(column.present):
                some = column.present[draw(len(column.present), PROBE)].tolist()
                if sum(DATE.fullmatch(text) is not None for text in some) >= self.dates * len(some):
                    text = (
                        f"Column {column.name!r} holds dates such as {min(some)!r}; parts drawn at random mix past and "
                        "future: to predict the future, split by date."
                    )
                    yield Finding("date", "note", text, (column.name,))
