"""What a table to predict holds and training never saw: levels, texts, and gaps where there were none."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np

from preceptor.data.encoding.dates import Dates
from preceptor.data.encoding.levels import Categories, Codes, Pair, as_levels
from preceptor.data.encoding.numbers import Numbers
from preceptor.data.encoding.spans import Span
from preceptor.data.encoding.texts import Text
from preceptor.data.encoding.truth import Truth
from preceptor.data.tables.columns import as_text, missing_rows
from preceptor.data.tables.table import Table
from preceptor.data.tables.tokens import is_missing
from preceptor.words import bare, counted, nearest

Seen: TypeAlias = Numbers | Truth | Categories | Pair | Codes | Dates | Span | Text

SHOWN = 5  # levels of a column that are named
MOST = 10_000  # different levels of a column that are told apart; the rows of further ones are only counted


class Unseen:
    """Counts, piece by piece, what training never saw; `notes` says it.

    Of a column with so many levels that only the frequent ones are known, a level counts where it is another spelling
    of a known one: any other may have been among the rare ones of training.
    """

    def __init__(self, columns: Sequence[Seen], places: Mapping[str, slice]) -> None:
        """`places`: where, among the features, the components of each column of sentences lie."""
        self.rows = 0
        self.places = places
        self.strange: Counter[str] = Counter()
        self.texts = [each for each in columns if isinstance(each, Categories | Pair | Codes) and each.levels]
        self.levels: dict[str, Counter[str]] = {each.name: Counter() for each in self.texts}
        self.more: Counter[str] = Counter()
        self.whole = [each for each in columns if _had_no_gap(each)]
        self.gaps: Counter[str] = Counter()

    def look(self, table: Table, x: np.ndarray) -> None:
        """Takes in one piece of the table and its features."""
        self.rows += table.rows
        for name, places in self.places.items():
            nothing = np.flatnonzero(~x[:, places].any(axis=1))
            values = as_text(table.columns[name])[nothing].tolist()
            self.strange[name] += sum(text is not None and not is_missing(text) for text in values)
        for column in self.texts:
            values, known = as_levels(table.columns[column.name], column.levels).tolist(), {*column.levels, None}
            if set(values) <= known:
                continue
            found = self.levels[column.name]
            for level, count in Counter(value for value in values if value not in known).items():
                if level in found or len(found) < MOST:
                    found[level] += count
                else:
                    self.more[column.name] += count
        for each in self.whole:
            self.gaps[each.name] += int(np.count_nonzero(missing_rows(table.columns[each.name])))

    def notes(self) -> list[str]:
        """What was counted, a sentence for each column that has something of it."""
        found = [self._about(column) for column in self.texts if self.levels[column.name]]
        found += [
            f"Column {name!r} holds no word, nor part of one, that training knew in {count:,} of {self.rows:,} rows; "
            "they count as an average text."
            for name, count in self.strange.items()
            if count
        ]
        for name, count in self.gaps.items():
            if count:
                found.append(
                    f"Column {name!r} is missing in {count:,} of {self.rows:,} rows, and never was in training; the "
                    "usual value stands there."
                )
        return [each for each in found if each]

    def _about(self, column: Categories | Pair | Codes) -> str:
        """The levels of a column that training never saw, the most frequent first; nothing where it may have."""
        levels, count = self.levels[column.name], self.levels[column.name].total() + self.more[column.name]
        seen, as_what = "never saw", "which count as none of its levels"
        if isinstance(column, Codes) or (isinstance(column, Categories) and column.other):
            known = {bare(level) for level in column.levels}
            levels = Counter({level: rows for level, rows in levels.items() if bare(level) in known})
            seen, count, as_what = "saw seldom or never", levels.total(), "which count as one of the rare levels"
        if not levels:
            return ""
        named = []
        for level, rows in levels.most_common(SHOWN):
            guess = nearest(level, column.levels)
            named.append(f"{level!r} ({counted(rows, 'row')}{'' if guess is None else f'; did you mean {guess!r}?'})")
        more = f" and {len(levels) - SHOWN:,} more" if len(levels) > SHOWN else ""
        return (
            f"Column {column.name!r} holds what training {seen} in {count:,} of {self.rows:,} rows, {as_what}: "
            f"{', '.join(named)}{more}."
        )


def _had_no_gap(column: Seen) -> bool:
    """Whether a plain column had a value in every training row."""
    if isinstance(column, Numbers):
        return column.width is None and not column.flags
    return not isinstance(column, Codes | Span) and not column.missing
