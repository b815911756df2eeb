"""Columns of text: a feature for each level, one for two levels, or the number of a level."""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from typing import Any, ClassVar

import numpy as np

from preceptor.data.encoding.place import Place, wrong_width
from preceptor.data.saved import is_rising
from preceptor.data.tables.columns import as_text, objects
from preceptor.data.tables.tokens import is_missing

MOST_LEVELS = 100  # conventional: beyond it a one-hot column per level costs more than it tells
TOP_LEVELS, ROWS_OF_A_LEVEL = 50, 5  # of a column with more: the most frequent keep a feature, the rest share one
# A column is called a number but for some words where these are at most so large a share of its values, and few
# different ones or few at all: a stand-in for what is not known, some slips. Ticket numbers are neither.
MOST_WORDS, FEW_WORDS, SHARE_OF_SLIPS = 0.5, 10, 0.1
MOST_CODES, ROWS_OF_A_CODE = 10_000, 2  # of a column with more, where levels have vectors: the rest share one


@dataclass(frozen=True)
class Categories:
    """A column of text with few levels: one 0/1 feature per level, in sorted order.

    Args:
        name: column of the table.
        levels: the texts of the training rows, or the frequent ones. Any other text is 0 in all of them.
        missing: whether missing is a level of its own, the last, because the training rows have it; else 0 in all.
        other: whether the texts that are no level of their own share one feature, behind the levels.
    """

    kind: ClassVar[str] = "categories"
    name: str
    levels: tuple[str, ...]
    missing: bool
    other: bool = False

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the features."""
        levels = (f"{self.name}={level}" for level in self.levels)
        return (*levels, *([f"{self.name} is another"] * self.other), *([f"{self.name} is missing"] * self.missing))

    @property
    def levels_text(self) -> str:
        """The levels in words."""
        if not self.levels:
            return "only whether it is missing"
        more = " and others" * self.other + " and missing" * self.missing
        return f"{len(self.levels)} levels{more}"

    @property
    def features(self) -> int:
        """The number of features."""
        return len(self.levels) + self.other + self.missing

    def faults(self) -> Iterator[str]:
        """Why the fields contradict each other, where they do."""
        if not is_rising(self.levels):
            yield "levels are not in order, each once"
        if not self.features:
            yield "it has no level; at least one is required"

    def prepare(self, where: Place, column: np.ndarray) -> np.ndarray:
        """The number of each row's level, -1 for none. Shapes: (row,) -> (row,)."""
        if column.ndim != 1:
            raise wrong_width(where, self.name, column, None)
        codes: dict[str | None, int] = {level: code for code, level in enumerate(self.levels)}
        codes[None] = len(self.levels) + self.other if self.missing else -1
        return codes_of(as_levels(column, self.levels), codes, len(self.levels) if self.other else -1)

    def fill(self, out: np.ndarray, values: np.ndarray) -> None:
        """Writes the features of prepared rows into zeros. Shapes: out (row, level); values (row,)."""
        rows = np.flatnonzero(values >= 0)
        out[rows, values[rows]] = 1


@dataclass(frozen=True)
class Pair:
    """A column of text with two levels, such as yes and no: -1 for the first, 1 for the second in sorted order.

    Missing and any other text become 0.

    Args:
        name: column of the table.
        levels: the two texts of the training rows.
        missing: whether missing gets a feature, because the training rows have it.
    """

    kind: ClassVar[str] = "pair"
    name: str
    levels: tuple[str, ...]
    missing: bool

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the features."""
        return (f"{self.name}={self.levels[1]}", *([f"{self.name} is missing"] * self.missing))

    @property
    def features(self) -> int:
        """The number of features."""
        return 1 + self.missing

    def faults(self) -> Iterator[str]:
        """Why the fields contradict each other, where they do."""
        if len(self.levels) != 2 or not is_rising(self.levels):
            yield f"it has {len(self.levels):,} levels; two in order are required"

    def prepare(self, where: Place, column: np.ndarray) -> np.ndarray:
        """-1 or 1 for the levels, 0 for any other text, 2 for missing. Shapes: (row,) -> (row,)."""
        if column.ndim != 1:
            raise wrong_width(where, self.name, column, None)
        return codes_of(as_levels(column, self.levels), {self.levels[0]: -1, self.levels[1]: 1, None: 2}, 0)

    def fill(self, out: np.ndarray, values: np.ndarray) -> None:
        """Writes the features of prepared rows. Shapes: out (row, feature); values (row,)."""
        out[:, 0] = np.where(values == 2, 0, values)
        if self.missing:
            out[:, 1] = values == 2


@dataclass(frozen=True)
class Codes:
    """A column of text with many levels, for a network that learns a vector for each (`nn.Levels`): their numbers.

    Args:
        name: column of the table.
        levels: the texts that are numbered, from 2 on. Any other is 0, missing is 1.
    """

    kind: ClassVar[str] = "codes"
    name: str
    levels: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The name of the feature."""
        return (f"number of {self.name}",)

    @property
    def entries(self) -> int:
        """How many numbers there are."""
        return len(self.levels) + 2

    @property
    def features(self) -> int:
        """The number of features."""
        return 1

    def faults(self) -> Iterator[str]:
        """Why the fields contradict each other, where they do."""
        if not is_rising(self.levels):
            yield "levels are not in order, each once"
        if not self.levels:
            yield "it has no level; at least one is required"

    def prepare(self, where: Place, column: np.ndarray) -> np.ndarray:
        """The number of each row's level. Shapes: (row,) -> (row,)."""
        if column.ndim != 1:
            raise wrong_width(where, self.name, column, None)
        codes: dict[str | None, int] = {level: code for code, level in enumerate(self.levels, 2)}
        return codes_of(as_levels(column, self.levels), codes | {None: 1}, 0)

    def fill(self, out: np.ndarray, values: np.ndarray) -> None:
        """Writes the feature of prepared rows. Shapes: out (row, 1); values (row,)."""
        out[:, 0] = values


def learn_levels(name: str, values: np.ndarray, number_levels: bool) -> Categories | Pair | Codes | str:
    """How a column of text becomes features, or why it is set aside. Shapes: values (row,), of training rows."""
    levels = set(values.tolist())
    missing = None in levels
    levels.discard(None)
    if not levels:
        return "no value in the training rows"
    if len(levels) + missing == 1:
        return "the same in all training rows"
    counts = Counter(values.tolist())
    present = len(values) - counts.pop(None, 0)
    if len(levels) == 2 and present >= 4:
        return Pair(name, tuple(sorted(levels)), missing)
    if len(levels) <= min(MOST_LEVELS, present / 2):
        return Categories(name, tuple(sorted(levels)), missing)
    if number_levels and len(levels) <= present / 2:
        known = [level for level, count in counts.most_common(MOST_CODES) if count >= ROWS_OF_A_CODE]
        if known:
            return Codes(name, tuple(sorted(known)))
    frequent = [level for level, count in counts.most_common(TOP_LEVELS) if count >= ROWS_OF_A_LEVEL]
    if len(levels) <= present / 2 and frequent:
        return Categories(name, tuple(sorted(frequent)), missing, True)
    if missing:
        return Categories(name, (), True)
    return why_aside(values)


def why_aside(values: np.ndarray) -> str:
    """Why no level of a column of text is of use, in words. Shapes: values (row,), of training rows."""
    counts = Counter(values.tolist())
    present = len(values) - counts.pop(None, 0)
    words = Counter({level: count for level, count in counts.items() if not is_numeric(level)})
    share = MOST_WORDS if len(words) <= FEW_WORDS else SHARE_OF_SLIPS
    if words and words.total() <= share * present:
        [(word, _)] = words.most_common(1)
        what = f"{word!r}" if len(words) == 1 else f"{word!r} and {len(words) - 1:,} other texts"
        return (
            f"a number but for {what} in {words.total():,} of {len(values):,} training rows, and so taken as text: "
            "leave those fields empty"
        )
    return f"free text or an identifier: {len(counts):,} different texts in {len(values):,} training rows"


def is_numeric(text: str) -> bool:
    """Whether a text is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def as_levels(column: np.ndarray, known: Collection[str]) -> np.ndarray:
    """A column as text: a field that is no known level is missing where its word says so, and 1.0 is a level 1.

    Shapes: (row,) -> (row,), objects: str or None.
    """
    texts = as_text(column)
    strange = set(texts.tolist()) - {*known, None}
    meant = {text: found for text in strange if (found := _meant(text)) is None or found in known}
    return objects((meant.get(text, text) for text in texts.tolist()), len(texts)) if meant else texts


def _meant(text: str) -> str | None:
    """What a field is that is written in another way than in training."""
    if is_missing(text):
        return None
    number = float(text) if is_numeric(text) else float("nan")
    return str(int(number)) if number.is_integer() else text


def codes_of(column: np.ndarray, codes: Any, other: int = -1) -> np.ndarray:
    """The code of every value, `other` where it has none. Shapes: (row,) -> (row,), int32."""
    if column.dtype != object:
        levels, inverse = np.unique(column, return_inverse=True)
        return np.array([codes.get(level, other) for level in levels.tolist()], np.int32)[inverse]
    return np.fromiter(map(codes.get, column.tolist(), repeat(other)), np.int32, len(column))
