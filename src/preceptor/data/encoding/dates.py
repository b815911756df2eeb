"""Columns of dates: the day as a number, and where in the year, the week and the day it lies."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from preceptor.data.encoding.place import Place, wrong_width
from preceptor.data.tables.columns import objects
from preceptor.data.tables.dates import DATE_FORMS, PLAIN, PLAIN_ZONED
from preceptor.data.tables.fields import read_written
from preceptor.data.tables.table import ZONED, Table
from preceptor.errors import DataError

CYCLES = ("year", "week", "day")


@dataclass(frozen=True)
class Dates:
    """A column of dates: the day as a number, and where in the year, the week and the day it lies.

    What repeats is given as sine and cosine, so that December is beside January. Missing: 0 in all but its flag.

    Args:
        name: column of the table.
        mean, sd: of the days since 1970 in the training rows. sd 0: one day only.
        cycles: which of year, week and day vary in the training rows.
        missing: whether missing gets a feature, because the training rows have it.
        zoned: whether the times were written with a zone, and so are in UTC.
        written: how they were written, of DATE_FORMS; "" where they were no text.
    """

    kind: ClassVar[str] = "dates"
    name: str
    mean: float
    sd: float
    cycles: tuple[str, ...]
    missing: bool
    zoned: bool = False
    written: str = ""

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the features."""
        turns = (f"{self.name} {turn} of {cycle}" for cycle in self.cycles for turn in ("sine", "cosine"))
        return (f"{self.name} day", *turns, *([f"{self.name} is missing"] * self.missing))

    @property
    def features(self) -> int:
        """The number of features."""
        return 1 + 2 * len(self.cycles) + self.missing

    def faults(self) -> Iterator[str]:
        """Why the fields contradict each other, where they do."""
        if self.sd < 0:
            yield "sd is below 0; at least 0 is required"
        if self.cycles != tuple(each for each in CYCLES if each in self.cycles):
            yield f"cycles are not of {', '.join(CYCLES)}, each once and in order"
        if self.written and (self.written not in DATE_FORMS or DATE_FORMS[self.written].has_zone != self.zoned):
            yield f"written is none of {', '.join(DATE_FORMS)} that goes with zoned, of which one is required"

    @property
    def _read_as(self) -> str:
        """How its text is read."""
        return self.written or (PLAIN_ZONED if self.zoned else PLAIN).name

    def check_zone(self, table: Table) -> None:
        """Raises: DataError where its times have a zone and those of training had none, or the other way round."""
        zoned = table.senses.get(self.name) == ZONED
        column = table.columns[self.name]
        if column.dtype.kind != "M" or zoned == self.zoned or np.isnat(column).all():
            return
        here, there = ("with", "without") if zoned else ("without", "with")
        cure = "Write them as in training" if zoned else "Write the zone too, such as 2024-01-31 10:00+02:00"
        raise DataError(
            f"{table.name}: column {self.name!r} holds times {here} a zone; in the training rows they were written "
            f"{there} one, and the same is needed. {cure}, or train again with these."
        )

    def prepare(self, where: Place, column: np.ndarray) -> np.ndarray:
        """The column as days since 1970 and the places in the cycles. Shapes: (row,) -> (row, 1 + cycle)."""
        column = self._dates(where, column)
        return np.stack([_days(column), *(_turn(column, cycle) for cycle in self.cycles)], 1)

    def days(self, where: Place, column: np.ndarray) -> np.ndarray:
        """The column as days since 1970, NaN where missing. Shapes: (row,) -> (row,), float64."""
        return _days(self._dates(where, column))

    def _dates(self, where: Place, column: np.ndarray) -> np.ndarray:
        return column if column.dtype.kind == "M" else _as_dates(where, self.name, column, self._read_as)

    def fill(self, out: np.ndarray, values: np.ndarray) -> None:
        """Writes the features of prepared rows. Shapes: out, values (row, feature)."""
        gaps = np.isnan(values[:, 0])
        known = np.where(gaps[:, None], 0, values)
        out[:, 0] = np.where(gaps, 0, (known[:, 0] - self.mean) / self.sd) if self.sd else 0
        angle = 2 * np.pi * known[:, 1:]
        end = 1 + 2 * len(self.cycles)
        out[:, 1:end:2] = np.where(gaps[:, None], 0, np.sin(angle))
        out[:, 2:end:2] = np.where(gaps[:, None], 0, np.cos(angle))
        if self.missing:
            out[:, end] = gaps


def learn_dates(name: str, values: np.ndarray, zoned: bool, written: str = "") -> Dates | str:
    """How a column of dates becomes features. Shapes: values (row,)."""
    known = values[~np.isnat(values)]
    if not len(known):
        return "no value in the training rows"
    missing = len(known) < len(values)
    if (known == known[0]).all() and not missing:
        return "the same in all training rows"
    days = _days(known)
    cycles = tuple(cycle for cycle in CYCLES if np.ptp(_turn(known, cycle)) > 0)
    return Dates(name, float(days.mean()), float(days.std()), cycles, missing, zoned, written)


def _days(column: np.ndarray) -> np.ndarray:
    """Days since 1970, fractions included; NaN where missing. Shapes: (row,) -> (row,), float64."""
    return np.where(np.isnat(column), np.nan, column.astype("M8[s]").astype(np.int64) / 86_400)


def _turn(column: np.ndarray, cycle: str) -> np.ndarray:
    """How much of its year, week or day lies behind a date, from 0 to 1. Shapes: (row,) -> (row,), float64."""
    if cycle == "year":
        start = column.astype("M8[Y]")
        return (_days(column) - _days(start)) / (_days(start + 1) - _days(start))
    days = _days(column)
    return (np.floor(days) + 3) % 7 / 7 if cycle == "week" else days % 1  # 1970 began on a Thursday


def _as_dates(where: Place, name: str, column: np.ndarray, written: str) -> np.ndarray:
    """A column of text, or one without any value, as dates."""
    if column.ndim != 1:
        raise wrong_width(where, name, column, None)
    if column.dtype != object:
        column = objects((None if value != value else str(value) for value in column.tolist()), len(column))
    dates, bad = read_written(written, column)
    if bad is not None:
        raise DataError(
            f"{where}: column {name!r} holds {column.tolist()[bad]!r} in {where.row(bad)}; a date such as {written} is "
            "needed, as in the training rows. Mend the value, or leave it empty where it is not known."
        )
    return dates
