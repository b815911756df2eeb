"""The gate: what is wrong with data, found on the host before anything trains.

Facts that would make nonsense of a training are refused; what spoils its result or its figures is a warning; what is
merely worth knowing is a note. Quantiles and the search for leaks take at most SAMPLE rows drawn at random; counts,
extremes, infinite values and identical rows are of all rows. Cost: linear in the cells but for sorting one 64-bit
number per row.
"""

from collections.abc import Sequence

import numpy as np

from preceptor.data.division.split import Split
from preceptor.data.tables.table import Table
from preceptor.diagnose.column import Column
from preceptor.diagnose.figures import Figures
from preceptor.diagnose.finding import Finding, gravest_first
from preceptor.diagnose.part_hashes import PartHashes
from preceptor.diagnose.picture_facts import PictureFacts
from preceptor.diagnose.rules import RULES
from preceptor.diagnose.table_facts import TableFacts


def inspect_table(
    table: Table,
    target: str | Sequence[str],
    parts: Split,
    kind: str | Sequence[str],
    *,
    numbers: np.ndarray | None = None,
) -> list[Finding]:
    """What is wrong or remarkable with a table that a network is to learn from, the gravest first.

    Pure: draws from fixed seeds, changes nothing.

    Args:
        table: rows that have a target.
        target: column to predict, or several; each is looked at, the rest of the table once.
        parts: row numbers of train, dev and test within `table`.
        kind: "classes" or "number": what the target is, or what each is.
        numbers: row numbers of the table as it was read, where rows without a target were left out.

    Raises: DataError where there is no such column.
    """
    names, kinds = ([each] if isinstance(each, str) else [*each] for each in (target, kind))
    columns = [Column(name, table.column(name)) for name in names]
    each = []
    for column, own in zip(columns, kinds, strict=True):
        others = tuple(other for other in columns if other is not column)
        beside = table.without(*(other.name for other in others)) if others else table
        each.append(TableFacts(beside, column, parts, own, numbers, others))
    return inspect(*each)


def inspect(facts: TableFacts | PictureFacts | PartHashes | Figures, *more: TableFacts) -> list[Finding]:
    """What the rules find that look at such facts: the gravest first, of one level in the order of the rules.

    Args:
        more: facts of the same table with other targets, at which those rules look that look at the target.
    """
    found = list[Finding]()
    with np.errstate(all="ignore"):  # what overflows is met by the comparisons
        for rule in RULES:
            if isinstance(facts, rule.looks_at) and not (isinstance(facts, Figures) and facts.lacks(rule.needs)):
                found += rule.check(facts)
                found += [one for each in more if rule.is_of_target for one in rule.check(each)]
    told = {each.text: each for each in reversed(found)} if more else {}  # what is the same of each target, once
    return gravest_first(each for each in found if not more or told[each.text] is each)


def checks_made(kind: type) -> list[str]:
    """What is looked for in facts of a kind, in words: so that silence informs."""
    return [rule.looks_for for rule in RULES if issubclass(kind, rule.looks_at)]
