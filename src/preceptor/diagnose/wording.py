"""What several rules say and compare in the same way: counts, names, spellings, the ends of an interval."""

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from preceptor.diagnose.column import Column
from preceptor.diagnose.finding import Finding
from preceptor.words import counted, listing

Z = 1.96  # of 95 % intervals
MISSING_WORDS = frozenset(("", "?", "-", "na", "n/a", "#n/a", "nan", "null", "<na>"))


def rows_text(count: int) -> str:
    """The number of rows in words."""
    return counted(count, "row")


def are(count: int) -> str:
    """The verb for so many."""
    return "is" if count == 1 else "are"


def percent(share: float) -> str:
    """A share in words; one that is not zero is never written as zero."""
    return "under 0.1%" if 0 < share < 0.0005 else f"{share:.1%}"


def columns_text(names: tuple[str, ...]) -> str:
    """Columns by their names, at the begin of a sentence."""
    return f"{'Column' if len(names) == 1 else 'Columns'} {listing(map(repr, names))}"


def classes_text(column: Column, rows: np.ndarray) -> str:
    """The classes of some rows, at the begin of a sentence."""
    values = column.values[rows].tolist()
    return f"{'Class' if len(values) == 1 else 'Classes'} {listing(repr(value) for value in values)}"


def of_columns(rule: str, columns: list[Column], what: str) -> Iterator[Finding]:
    """One note for all columns of which the same is to be said, if there are any."""
    if columns:
        names = tuple(column.name for column in columns)
        text = f"{columns_text(names)} {'is' if len(names) == 1 else 'are'} {what}."
        yield Finding(rule, "note", text, names)


def stands_for_missing(level: Any) -> bool:
    """Whether a text is one of the usual words for a value that is not there."""
    return str(level).strip().lower() in MISSING_WORDS


def variants(levels: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """Pairs of texts that differ only in case, outer spaces or a final dot."""
    known: dict[str, str] = {}
    for level in sorted(levels):
        plain = " ".join(level.split()).rstrip(".").casefold()
        if plain and known.setdefault(plain, level) != level:
            yield known[plain], level


def upper(count: int, of: int) -> float:
    """Upper end of the 95 % interval of a share. Source: Wilson 1927."""
    return 1 - lower(of - count, of)


def lower(count: int, of: int) -> float:
    """Lower end of the 95 % interval of a share. Source: Wilson 1927."""
    if of == 0:
        return 0.0
    share = count / of
    centre = share + Z**2 / (2 * of)
    return (centre - Z * math.sqrt(share * (1 - share) / of + Z**2 / (4 * of**2))) / (1 + Z**2 / of)
