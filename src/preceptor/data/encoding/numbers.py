"""Columns and blocks of numbers: standardised, or of a heavy tail scaled by their quartiles and bent in."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from preceptor.data.encoding.place import Place, not_finite, wrong_width
from preceptor.data.saved import LONGEST, is_rising
from preceptor.data.tables.fields import WRITTEN_NUMBERS, read_written
from preceptor.errors import DataError

HEAVY_TAIL = 8.0  # standard deviations from the mean to the farthest training row; a normal column reaches 5 or 6
BEND = 4.0  # where the numbers of a heavy-tailed column bend: they never reach further than this
NORMAL_QUARTILES = 1.349  # standard deviations between the quartiles of a normal distribution
GROUP_FEATURES = 64
FLOAT32_MAX = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Numbers:
    """A column, or a block, of numbers: less the mean, divided by the standard deviation; missing becomes 0, the mean.

    A column with a heavy tail takes its median and the distance of its quartiles instead, which a few far rows do not
    move, and what lies far out is bent in: z / sqrt(1 + (z / bend)²), which never reaches `bend`.

    Args:
        name: column of the table.
        width: numbers per row; None for a plain column.
        mean, sd: of each number in the training rows, or one of each for the whole block. sd 0: constant, always 0.
            Where numbers are only centred sd is 1; where they are brought to a range they are its middle and half.
            With a bend: the median, and what the standard deviation of a normal column of these quartiles would be.
        flags: which of the numbers were missing somewhere in the training rows: each gets a 0/1 feature.
        bend: limit of what comes out; 0 for none.
        written: how they were written, of WRITTEN_NUMBERS; "" where that is open, or where they were no text.
    """

    kind: ClassVar[str] = "numbers"
    name: str
    width: int | None
    mean: tuple[float, ...]
    sd: tuple[float, ...]
    flags: tuple[int, ...]
    bend: float = 0.0
    written: str = ""

    @property
    def features(self) -> int:
        """The number of features."""
        return (self.width or 1) + len(self.flags)

    def faults(self) -> Iterator[str]:
        """Why the fields contradict each other, where they do."""
        count = 1 if self.width is None else self.width
        if count < 1 or count > LONGEST:
            yield f"width is {count:,}; from 1 to {LONGEST:,} is required"
        if len(self.mean) != len(self.sd) or len(self.mean) not in (1, count):
            yield f"mean and sd have {len(self.mean):,} and {len(self.sd):,} numbers; {count:,} each are required"
        if any(sd < 0 for sd in self.sd) or self.bend < 0:
            yield "sd or bend is below 0; at least 0 is required"
        if not is_rising(self.flags) or (self.flags and not 0 <= self.flags[0] <= self.flags[-1] < count):
            yield f"flags are not places of its {count:,} numbers, each once and in order"
        if self.written and (self.written not in WRITTEN_NUMBERS or self.width is not None):
            yield f"written is none of {', '.join(WRITTEN_NUMBERS)}, of which one is required of a plain column"

    @cached_property
    def numbers(self) -> tuple[str, ...]:
        """The names of the numbers."""
        return (self.name,) if self.width is None else tuple(f"{self.name}[{each}]" for each in range(self.width))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the features: the numbers, then the flags."""
        return (*self.numbers, *(f"{self.numbers[number]} is missing" for number in self.flags))

    @cached_property
    def _shift_and_scale(self) -> tuple[np.ndarray, np.ndarray]:
        sd = np.array(self.sd)
        return np.array(self.mean), np.divide(1, sd, out=np.zeros_like(sd), where=sd > 0)

    def prepare(self, where: Place, column: np.ndarray) -> np.ndarray:
        """The column as numbers. Shapes: (row,) or (row, feature) -> (row, feature)."""
        return as_numbers(where, self.name, column, self.width, self.written)

    def fill(self, out: np.ndarray, values: np.ndarray) -> None:
        """Writes the features of prepared rows. Shapes: out, values (row, feature)."""
        shift, scale = self._shift_and_scale
        gaps = np.isnan(values)
        scaled = values - shift
        scaled *= scale
        if gaps.any():
            scaled[gaps] = 0
        if self.bend:
            scaled = np.where(np.abs(scaled) > FLOAT32_MAX, np.inf, scaled / np.sqrt(1 + np.square(scaled / self.bend)))
        out[:, : values.shape[1]] = scaled
        if self.flags:
            out[:, values.shape[1] :] = gaps[:, self.flags]


def learn_numbers(where: Place, name: str, values: np.ndarray, train: np.ndarray, scaling: str) -> Numbers | str:
    """How a column or a block of numbers becomes features, or why it is set aside.

    Shapes: values (row,) or (row, feature); train (row,).

    Args:
        scaling: "zero-centre": less the mean; "range": from -1 to 1; any other: standardised.
    """
    width = values.shape[1] if values.ndim == 2 else None
    is_standard = scaling not in ("zero-centre", "range")
    if values.dtype == np.uint8 and width is not None and is_standard:
        mean, sd = _byte_moments(values, train)
        return Numbers(name, width, (mean,), (sd,), ()) if sd else "the same in all training rows"
    pairs = [moments(where, name, values, train, first) for first in range(0, width or 1, GROUP_FEATURES)]
    means, sds, gaps = (np.concatenate(each) for each in zip(*pairs, strict=True))
    flags = tuple(np.flatnonzero((gaps > 0) & (gaps < len(train))).tolist())
    if not sds.any() and not flags:
        return "no value in the training rows" if gaps.any() else "the same in all training rows"
    if scaling == "zero-centre":
        sds = np.where(sds > 0, 1.0, 0.0)
    elif scaling == "range":
        low, high = _ends(values[train])
        means, sds = np.where(sds > 0, (low + high) / 2, means), np.where(sds > 0, (high - low) / 2, 0)
    elif width is None and (found := _heavy_tail(values[train], float(means[0]), float(sds[0]))) is not None:
        return Numbers(name, width, found[:1], found[1:], flags, BEND)
    return Numbers(name, width, tuple(means.tolist()), tuple(sds.tolist()), flags)


def _heavy_tail(values: np.ndarray, mean: float, sd: float) -> tuple[float, float] | None:
    """Middle and scale of a column with a heavy tail; None where it has none. Shapes: values (row,)."""
    known = values[~np.isnan(values)].astype(np.float64)
    if not sd or np.abs(known - mean).max() <= HEAVY_TAIL * sd:
        return None
    low, middle, high = np.quantile(known, [0.25, 0.5, 0.75]).tolist()
    # Where most rows share a value the quartiles say nothing: the mean and the deviation stay.
    return (middle, (high - low) / NORMAL_QUARTILES) if high > low else (mean, sd)


def moments(
    where: Place, name: str, values: np.ndarray, train: np.ndarray, first: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, standard deviation (of the population; 0 where constant) and count of missing values in training rows.

    Shapes: values (row,) or (row, feature): then of GROUP_FEATURES features from `first` on -> (feature,) each.
    """
    part = values[:, None] if values.ndim == 1 else values[:, first : first + GROUP_FEATURES]
    block = part[train].astype(np.float64)
    infinite = np.isinf(block)
    if infinite.any():
        row, feature = np.argwhere(infinite)[0]
        raise not_finite(where, name if values.ndim == 1 else f"{name}[{first + feature}]", int(train[row]))
    present = ~np.isnan(block)
    count = np.maximum(present.sum(axis=0), 1)
    constant = np.where(present, block, np.inf).min(axis=0) >= np.where(present, block, -np.inf).max(axis=0)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = np.where(present, block, 0).sum(axis=0) / count
        sd = np.sqrt(np.square(np.where(present, block - mean, 0)).sum(axis=0) / count)
    sd[constant] = 0
    if not np.isfinite(sd).all():
        feature = int(np.argmin(np.isfinite(sd)))
        row = int(np.nanargmax(np.abs(block[:, feature])))
        raise not_finite(where, name if values.ndim == 1 else f"{name}[{first + feature}]", int(train[row]))
    return mean, sd, len(train) - present.sum(axis=0)


def _ends(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest value of each number that is not missing everywhere. Shapes: (row,) or (row, feature)."""
    block = (values[:, None] if values.ndim == 1 else values).astype(np.float64)
    gaps = np.isnan(block)
    return np.where(gaps, np.inf, block).min(axis=0), np.where(gaps, -np.inf, block).max(axis=0)


def _byte_moments(values: np.ndarray, train: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of all bytes in the training rows together, from how often each value occurs."""
    times = np.zeros(256, np.int64)
    for start in range(0, len(train), 4096):
        times += np.bincount(values[train[start : start + 4096]].ravel(), minlength=256)
    level = np.arange(256)
    mean = float((times * level).sum() / times.sum())
    return mean, float(np.sqrt((times * (level - mean) ** 2).sum() / times.sum()))


def as_numbers(where: Place, name: str, column: np.ndarray, width: int | None, written: str = "") -> np.ndarray:
    """A column or block of `width` as numbers, its text as it is written. Shapes: (row,) or (row, feature) ->
    (row, feature)."""
    if (column.shape[1] if column.ndim == 2 else None) != width:
        raise wrong_width(where, name, column, width)
    if column.dtype.kind == "M":
        raise DataError(f"{where}: column {name!r} holds dates; numbers are needed. Check that it is the right column.")
    if column.dtype != object:
        values = column.astype(np.float64) if column.dtype == bool else column
        return values if values.ndim == 2 else values[:, None]
    if not written:
        return _as_python_reads(where, name, column)[:, None]
    numbers, bad = read_written(written, column)
    if bad is not None:
        raise DataError(
            f"{where}: column {name!r} holds the text {column.tolist()[bad]!r} in {where.row(bad)}; a number written "
            f"as {written}, as in the training rows, is needed. Mend the value, or leave it empty where it is not "
            "known."
        )
    return numbers[:, None]


def _as_python_reads(where: Place, name: str, column: np.ndarray) -> np.ndarray:
    """A column of text as Python reads numbers. Shapes: (row,) -> (row,)."""
    numbers = np.full(len(column), np.nan)
    for row, text in enumerate(column.tolist()):
        try:
            numbers[row] = np.nan if text is None else float(text)
        except ValueError:
            raise DataError(
                f"{where}: column {name!r} holds the text {text!r} in {where.row(row)}; a number is needed. "
                "Mend the value, or leave it empty where it is not known."
            ) from None
    return numbers
