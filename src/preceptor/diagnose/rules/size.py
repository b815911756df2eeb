"""Too few rows to judge by, or to learn from."""

from collections.abc import Iterator

from preceptor.diagnose.column import Column
from preceptor.diagnose.finding import Finding
from preceptor.diagnose.rule import Rule
from preceptor.diagnose.table_facts import TableFacts
from preceptor.diagnose.wording import rows_text
from preceptor.hyper import hyper, settings


@settings
class Size(Rule):
    """Detects: dev and test parts too small to judge by; fewer training rows than features.
    Why it matters: figures of few rows are mostly chance; a network with more features than rows learns them by heart.
    Evidence and threshold: `few_to_judge`, at which the 95 % interval of an accuracy is up to 0.36 wide; features as
        the columns will become, text of many levels as one.
    Remedy: more rows, fewer columns, stronger regularisation.
    Can be wrong when: few rows are all there are, or a few of the columns tell everything.
    Source: Wilson 1927 (the interval); more unknowns than equations (the features).
    """

    looks_at = TableFacts
    subject = "size"
    looks_for = "too few rows"
    names = ("few_to_judge", "few_rows")

    few_to_judge: int = hyper(default=30, low=1, unit="rows")

    def check(self, facts: TableFacts) -> Iterator[Finding]:
        small = [
            f"{name} has {rows_text(len(part))}"
            for name, part in (("dev", facts.parts.dev), ("test", facts.parts.test))
            if 0 < len(part) < self.few_to_judge
        ]
        if small:
            text = f"{' and '.join(small)}: the intervals of its figures will be wide."
            yield Finding("few_to_judge", "note", text)
        wide = sum(_width(column, len(facts.parts.train)) for column in facts.features)
        wide += sum(block.shape[1] for block in facts.blocks.values())
        if len(facts.parts.train) < wide:
            text = (
                f"There are {len(facts.parts.train):,} training rows and about {wide:,} features: a network can learn "
                "the rows by heart; add rows, leave columns out, or use stronger regularisation."
            )
            yield Finding("few_rows", "note", text)


def _width(column: Column, rows: int) -> int:
    """About how many features a column becomes: text of many levels is set aside or embedded."""
    return len(column.levels) if column.is_text and len(column.levels) <= min(100, rows / 2) else 1
