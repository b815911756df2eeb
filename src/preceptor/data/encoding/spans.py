"""Differences between two columns of dates."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import ClassVar

import numpy as np

from preceptor.data.encoding.dates import Dates
from preceptor.data.encoding.numbers import Numbers, learn_numbers
from preceptor.data.encoding.place import Place
from preceptor.data.tables.table import Table

MOST_DATES = 4  # columns of dates, the first ones, of which each two have a difference: six at most


@dataclass(frozen=True)
class Span:
    """The days from one date to another, as a number. Missing: 0, the mean, where one of them is.

    Beside the dates themselves, for these are brought to the spread of years, and a difference of days is lost in it.

    Args:
        name: of the feature.
        first, second: the columns of dates.
        mean, sd, bend: as of Numbers.
        missing: whether missing gets a feature, because the training rows have it.
    """

    kind: ClassVar[str] = "span"
    name: str
    first: str
    second: str
    mean: float
    sd: float
    missing: bool
    bend: float = 0.0

    @cached_property
    def _as_numbers(self) -> Numbers:
        return Numbers(self.name, None, (self.mean,), (self.sd,), (0,) if self.missing else (), self.bend)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the features."""
        return self._as_numbers.names

    @property
    def features(self) -> int:
        """The number of features."""
        return 1 + self.missing

    def faults(self) -> Iterator[str]:
        """Why the fields contradict each other, where they do."""
        if self.first == self.second:
            yield "its two dates are one"
        yield from self._as_numbers.faults()

    def between(self, where: Place, table: Table, dates: Sequence[Dates]) -> np.ndarray:
        """The days between the two dates, NaN where one is missing. Shapes: -> (row,), float64."""
        ends = {each.name: each for each in dates if each.name in (self.first, self.second)}
        first, second = (ends[name].days(where, table.columns[name]) for name in (self.first, self.second))
        return second - first

    def prepare(self, where: Place, column: np.ndarray) -> np.ndarray:
        """The days between as Numbers has them. Shapes: (row,) -> (row, 1)."""
        return self._as_numbers.prepare(where, column)

    def fill(self, out: np.ndarray, values: np.ndarray) -> None:
        """Writes the features of prepared rows. Shapes: out (row, feature); values (row, 1)."""
        self._as_numbers.fill(out, values)


def learn_spans(where: Place, table: Table, dates: Sequence[Dates], train: np.ndarray, scaling: str) -> list[Span]:
    """The differences between each two of the first MOST_DATES columns of dates, where they vary."""
    found = []
    days = {each.name: each.days(where, table.columns[each.name][train]) for each in dates[:MOST_DATES]}
    for one, other in combinations(dates[:MOST_DATES], 2):
        name = f"days from {one.name} to {other.name}"
        if one.zoned != other.zoned or name in table.columns:
            continue
        between = days[other.name] - days[one.name]
        learned = learn_numbers(where, name, between, np.arange(len(train)), scaling)
        if isinstance(learned, Numbers):
            scale = learned.mean[0], learned.sd[0], bool(learned.flags), learned.bend
            found.append(Span(name, one.name, other.name, *scale))
    return found
