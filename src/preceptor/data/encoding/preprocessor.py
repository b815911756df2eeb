"""From the columns of a table to the numbers a network takes, learned from the training rows alone."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import repeat
from typing import Any, ClassVar, TypeAlias

import numpy as np

from preceptor.data.tables.columns import as_text, missing_rows
from preceptor.data.tables.long_table import LongTable, pieces_of
from preceptor.data.tables.read import open_table
from preceptor.data.tables.table import TRUTH, ZONED, Table
from preceptor.errors import DataError
from preceptor.words import closest, listing

MOST_LEVELS = 100  # conventional: beyond it a one-hot column per level costs more than it tells
TOP_LEVELS, ROWS_OF_A_LEVEL = 50, 5  # of a column with more: the most frequent keep a feature, the rest share one
MOST_CODES, ROWS_OF_A_CODE = 10_000, 2  # of a column with more, where levels have vectors: the rest share one
HEAVY_TAIL = 8.0  # standard deviations from the mean to the farthest training row; a normal column reaches 5 or 6
BEND = 4.0  # where the numbers of a heavy-tailed column bend: they never reach further than this
NORMAL_QUARTILES = 1.349  # standard deviations between the quartiles of a normal distribution
CAPPED = 0.01  # share of the rows, ten times that of a usual value, at the end of a target that is called capped
RARE_CLASS = 0.1  # share of the rows below which a class is called rare: conventional
MOST_TARGET_VALUES = 20  # whole numbers of more values than that are taken for amounts, not classes: conventional
GROUP_FEATURES = 64
CHUNK_ELEMENTS = 1 << 19  # 2 MiB of float32, about the second-level cache of one core

FLOAT32_MAX = float(np.finfo(np.float32).max)

Label: TypeAlias = str | bool | int | float


@dataclass(frozen=True)
class Place:
    """What errors call a table and its rows.

    Args:
        table: its name.
        numbers: the rows' numbers in the file, from 0, where the table is a part of it; None: it is all of it.
    """

    table: str
    numbers: np.ndarray | None = None

    def __str__(self) -> str:
        return self.table

    def row(self, row: int) -> str:
        """A row as the user counts it: from 1, in the file."""
        return f"data row {(row if self.numbers is None else int(self.numbers[row])) + 1:,}"


@dataclass(frozen=True)
class Numbers:
    """A column, or a block, of numbers: less the mean, divided by the standard deviation; missing becomes 0, the mean.

    A column with a heavy tail takes its median and the distance of its quartiles instead, which a few far rows do not
    move, and what lies far out is bent in: z / sqrt(1 + (z / bend)²), which never reaches `bend`.

    Args:
        name: column of the table.
        width: numbers per row; None for a plain column.
        mean, sd: of each number in the training rows, or one of each for the whole block. sd 0: constant, always 0.
            With a bend: the median, and what the standard deviation of a normal column of these quartiles would be.
        flags: which of the numbers were missing somewhere in the training rows: each gets a 0/1 feature.
        bend: limit of what comes out; 0 for none.
    """

    kind: ClassVar[str] = "numbers"
    name: str
    width: int | None
    mean: tuple[float, ...]
    sd: tuple[float, ...]
    flags: tuple[int, ...]
    bend: float = 0.0

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
        return _as_numbers(where, self.name, column, self.width)

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


@dataclass(frozen=True)
class Truth:
    """A column of truth values: 0 or 1; missing becomes the share of 1 in the training rows.

    Args:
        name: column of the table.
        mean: share of 1 in the training rows that have a value.
        missing: whether missing gets a feature, because the training rows have it.
    """

    kind: ClassVar[str] = "truth"
    name: str
    mean: float
    missing: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the features."""
        return (self.name, *([f"{self.name} is missing"] * self.missing))

    def prepare(self, where: Place, column: np.ndarray) -> np.ndarray:
        """The column as 0, 1 and NaN. Shapes: (row,) -> (row, 1)."""
        if column.dtype == object:
            known = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0}
            values = np.array([np.nan if text is None else known.get(text.lower(), 2.0) for text in column.tolist()])
        else:
            values = _as_numbers(where, self.name, column, None)[:, 0]
        wrong = (values != 0) & (values != 1) & ~np.isnan(values)
        if wrong.any():
            row = int(np.argmax(wrong))
            raise DataError(
                f"{where}: column {self.name!r} holds {column.tolist()[row]!r} in {where.row(row)}; true or false is "
                "needed, as in the training rows. Mend the value."
            )
        return values[:, None]

    def fill(self, out: np.ndarray, values: np.ndarray) -> None:
        """Writes the features of prepared rows. Shapes: out (row, feature); values (row, 1)."""
        gaps = np.isnan(values[:, 0])
        out[:, 0] = np.where(gaps, self.mean, values[:, 0])
        if self.missing:
            out[:, 1] = gaps


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

    def prepare(self, where: Place, column: np.ndarray) -> np.ndarray:
        """The number of each row's level, -1 for none. Shapes: (row,) -> (row,)."""
        if column.ndim != 1:
            raise _wrong_width(where, self.name, column, None)
        codes: dict[str | None, int] = {level: code for code, level in enumerate(self.levels)}
        codes[None] = len(self.levels) + self.other if self.missing else -1
        return _codes(as_text(column), codes, len(self.levels) if self.other else -1)

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

    def prepare(self, where: Place, column: np.ndarray) -> np.ndarray:
        """-1 or 1 for the levels, 0 for any other text, 2 for missing. Shapes: (row,) -> (row,)."""
        if column.ndim != 1:
            raise _wrong_width(where, self.name, column, None)
        return _codes(as_text(column), {self.levels[0]: -1, self.levels[1]: 1, None: 2}, 0)

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

    def prepare(self, where: Place, column: np.ndarray) -> np.ndarray:
        """The number of each row's level. Shapes: (row,) -> (row,)."""
        if column.ndim != 1:
            raise _wrong_width(where, self.name, column, None)
        return _codes(as_text(column), {level: code for code, level in enumerate(self.levels, 2)} | {None: 1}, 0)

    def fill(self, out: np.ndarray, values: np.ndarray) -> None:
        """Writes the feature of prepared rows. Shapes: out (row, 1); values (row,)."""
        out[:, 0] = values


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
    """

    kind: ClassVar[str] = "dates"
    name: str
    mean: float
    sd: float
    cycles: tuple[str, ...]
    missing: bool
    zoned: bool = False

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the features."""
        turns = (f"{self.name} {turn} of {cycle}" for cycle in self.cycles for turn in ("sine", "cosine"))
        return (f"{self.name} day", *turns, *([f"{self.name} is missing"] * self.missing))

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
        if column.dtype.kind != "M":
            column = _as_dates(where, self.name, column)
        return np.stack([_days(column), *(_turn(column, cycle) for cycle in self.cycles)], 1)

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


Feature: TypeAlias = Numbers | Truth | Categories | Pair | Codes | Dates
KINDS: dict[str, Any] = {each.kind: each for each in (Numbers, Truth, Categories, Pair, Codes, Dates)}


@dataclass(frozen=True)
class Preprocessor:
    """What was learned from the training rows: how each column becomes features, and what the target is.

    Args:
        columns: the columns used, in the order of the table.
        set_aside: name and reason of each column left out.
        rows: number of training rows it was learned from.
        left_out: rows of the table without a target.
        target: name of the target column, None where there is none.
        kind: "classes" or "number", None without a target.
        reason: why the target is of that kind, in words.
        classes: the labels in sorted order, as in the data; None unless the target is classes.
        target_mean, target_sd: of the training rows; 0 and 1 unless the target is a number.
        notes: what is to be known of the target: sentences.
        labels: the classes as they were written where the table came from; empty where that is their usual form.
    """

    columns: tuple[Feature, ...]
    set_aside: tuple[tuple[str, str], ...]
    rows: int
    left_out: int
    target: str | None
    kind: str | None
    reason: str
    classes: tuple[Label, ...] | None
    target_mean: float
    target_sd: float
    notes: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()

    @property
    def written(self) -> tuple[str, ...]:
        """The classes as text, as they were written."""
        return self.labels or tuple(map(str, self.classes or ()))

    @cached_property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the features, in order."""
        return tuple(name for column in self.columns for name in column.names)

    @property
    def features(self) -> int:
        """The number of features."""
        return len(self.feature_names)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of what a network takes of a row."""
        return (self.features,)

    def open(self, source: Any, header: bool = True) -> Table | LongTable:
        """A table to predict. Raises: DataError as open_table."""
        return open_table(source, header=header)

    def pieces(self, table: Table | LongTable) -> Iterator[tuple[Table, np.ndarray]]:
        """The rows of a table, some at a time, and their features. Raises: DataError as transform."""
        start = 0
        for piece in pieces_of(table):
            yield piece, self.transform(piece, np.arange(start, start + piece.rows))
            start += piece.rows

    def transform(self, table: Table, numbers: np.ndarray | None = None) -> np.ndarray:
        """The features of every row. Columns that were not trained on are ignored.

        Shapes: numbers (row,) -> (row, feature), float32.

        Args:
            numbers: the rows' numbers in the file, from 0, for errors, where the table is a part of it.

        Raises: DataError where a column is missing or of another kind, or a value is infinite or too large.
        """
        absent = [column.name for column in self.columns if column.name not in table.columns]
        if absent:
            raise DataError(
                f"{table.name}: {listing(map(repr, absent))} {'is' if len(absent) == 1 else 'are'} missing; the "
                f"columns {listing(column.name for column in self.columns)} are needed. Add what is missing."
                f"{closest(absent[0], table.columns)}"
            )
        for column in self.columns:
            if isinstance(column, Dates):
                column.check_zone(table)
        where = Place(table.name, numbers)
        out = np.zeros((table.rows, self.features), np.float32)
        for group, first, last in self._groups():
            prepared = [column.prepare(where, table.columns[column.name]) for column in group]
            step = max(256, CHUNK_ELEMENTS // (last - first))
            for start in range(0, table.rows, step):
                rows = slice(start, start + step)
                end = first
                with np.errstate(over="ignore", invalid="ignore"):
                    for column, values in zip(group, prepared, strict=True):
                        begin, end = end, end + len(column.names)
                        column.fill(out[rows, begin:end], values[rows])
                finite = np.isfinite(out[rows, first:last])
                if not finite.all():
                    row, feature = np.argwhere(~finite)[0]
                    raise _not_finite(where, self.feature_names[first + feature], start + int(row))
        return out

    def _groups(self) -> Iterator[tuple[list[Feature], int, int]]:
        """The columns in runs of about GROUP_FEATURES features, with the first and last feature of each run."""
        group: list[Feature] = []
        first = last = 0
        for column in self.columns:
            group.append(column)
            last += len(column.names)
            if last - first >= GROUP_FEATURES:
                yield group, first, last
                group, first = [], last
        if group:
            yield group, first, last

    def encode_target(self, table: Table, numbers: np.ndarray | None = None) -> np.ndarray:
        """The target of every row: the number of its class, or the number less the mean in standard deviations.

        Shapes: numbers (row,) -> (row,), int32 for classes, float32 for a number.

        Args:
            numbers: as of `transform`.

        Raises: DataError where a target is missing, or is none of the classes.
        """
        if self.target is None or self.kind is None:
            raise DataError(
                "encode_target: this preprocessor was made without a target; one is needed. Fit it with a target."
            )
        where, column = Place(table.name, numbers), table.column(self.target)
        missing = missing_rows(column)
        if missing.any():
            raise _missing_target(where, self.target, int(np.argmax(missing)))
        if self.classes is None:
            values = _as_numbers(where, self.target, column, None)[:, 0]
            with np.errstate(over="ignore"):
                scaled = ((values - self.target_mean) / self.target_sd).astype(np.float32)
            if not np.isfinite(scaled).all():
                raise _not_finite(where, self.target, int(np.argmin(np.isfinite(scaled))))
            return scaled
        codes = _codes(column, self._class_codes(column))
        if (codes < 0).any():
            row = int(np.argmax(codes < 0))
            raise DataError(
                f"{where}: the target {self.target!r} is {column.tolist()[row]!r} in {where.row(row)}; it must be one "
                f"of {listing(self.written)}. Mend the value, or train on rows that have it."
            )
        return codes

    def _class_codes(self, column: np.ndarray) -> dict[Any, int]:
        """The class of each value of a column, whatever it holds: a few rows may read as of another kind than all."""
        assert self.classes is not None
        by_value: dict[Any, int] = {label: code for code, label in enumerate(self.classes)}
        by_text = {each: code for code, each in enumerate(self.written)}
        found = {}
        for value in set(column.tolist()) if column.dtype == object else np.unique(column).tolist():
            code = by_value.get(value)
            if code is None and isinstance(value, str):
                code = by_text.get(value, by_value.get(_meant(value)))
            elif code is None and isinstance(self.classes[0], str):
                code = by_text.get(str(as_text(np.array([value]))[0]))
            if code is not None:
                found[value] = code
        return found

    def decode_number(self, values: np.ndarray) -> np.ndarray:
        """A network's outputs for a number target in the target's own unit. Shapes: any, kept; float64."""
        return np.asarray(values, np.float64) * self.target_sd + self.target_mean

    def lines(self) -> list[str]:
        """What was read as what, what was set aside and why, and what the target is: sentences for the terminal."""
        plain = [c for c in self.columns if isinstance(c, Numbers) and c.width is None]
        blocks = [c for c in self.columns if isinstance(c, Numbers) and c.width is not None]
        truths = [c for c in self.columns if isinstance(c, Truth)]
        categories = [c for c in self.columns if isinstance(c, Categories)]
        pairs = [c for c in self.columns if isinstance(c, Pair)]
        codes = [c for c in self.columns if isinstance(c, Codes)]
        found = []
        calm = [c for c in plain if not c.bend]
        heavy = [c for c in plain if c.bend]
        dates = [c for c in self.columns if isinstance(c, Dates)]
        if calm:
            found.append(f"Numbers, standardised ({len(calm):,}): {listing(c.name for c in calm)}.")
        if heavy:
            names = listing(c.name for c in heavy)
            found.append(f"Numbers with a heavy tail, scaled by their quartiles and bent in ({len(heavy):,}): {names}.")
        for block in blocks:
            how = "one mean and deviation for all" if len(block.mean) == 1 else "each standardised"
            found.append(f"Block of numbers {block.name}: {block.width:,} per row, {how}.")
        if truths:
            found.append(f"True or false ({len(truths):,}): {listing(c.name for c in truths)}.")
        if categories:
            each = listing(f"{c.name} ({_levels(c)})" for c in categories)
            found.append(f"Categories, one feature per level ({len(categories):,}): {each}.")
        if pairs:
            each = listing(f"{c.name} ({' or '.join(c.levels)})" for c in pairs)
            found.append(f"Categories of two levels, -1 or 1 ({len(pairs):,}): {each}.")
        if codes:
            each = listing(f"{c.name} ({len(c.levels):,} levels)" for c in codes)
            found.append(f"Categories of many levels, a learned vector for each level ({len(codes):,}): {each}.")
        if dates:
            each = listing(f"{c.name} ({', '.join(('day', *c.cycles))})" for c in dates)
            found.append(f"Dates, as numbers and places in their cycles ({len(dates):,}): {each}.")
        gaps = [c.numbers[flag] for c in (*plain, *blocks) for flag in c.flags]
        gaps += [c.name for c in dates if c.missing]
        if gaps:
            found.append(f"Missing numbers, filled with the middle and flagged ({len(gaps):,}): {listing(gaps)}.")
        reasons: dict[str, list[str]] = {}
        for name, reason in self.set_aside:
            reasons.setdefault(reason, []).append(name)
        found.extend(f"Set aside: {listing(names)} ({reason})." for reason, names in reasons.items())
        if self.classes is not None:
            found.append(f"Target {self.target}: {len(self.classes)} classes ({self.reason}): {listing(self.written)}.")
        elif self.target is not None:
            spread = f"mean {self.target_mean:,.4g}, standard deviation {self.target_sd:,.4g}"
            found.append(f"Target {self.target}: a number ({self.reason}); {spread}.")
        found.extend(self.notes)
        if self.left_out:
            found.append(f"Left out: {self.left_out:,} {'row' if self.left_out == 1 else 'rows'} without a target.")
        return found

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types. Inverse: from_dict."""
        return asdict(self) | {"columns": [{"form": column.kind} | asdict(column) for column in self.columns]}

    def arrays(self) -> dict[str, np.ndarray]:
        """What is not in to_dict: nothing."""
        return {}

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> "Preprocessor":
        """The preprocessor that to_dict saved."""
        columns = tuple(
            KINDS[each["form"]](**{key: _frozen(value) for key, value in each.items() if key != "form"})
            for each in saved["columns"]
        )
        return cls(**{key: _frozen(value) for key, value in saved.items()} | {"columns": columns})


def _levels(column: Categories) -> str:
    """The levels of a column in words."""
    if not column.levels:
        return "only whether it is missing"
    more = " and others" * column.other + " and missing" * column.missing
    return f"{len(column.levels)} levels{more}"


def _meant(text: str) -> bool | float | None:
    """The truth value or number that a label is, None where it is neither."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return float(text)
    except ValueError:
        return None


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, (list, tuple)) else value


def usable_rows(table: Table, target: str) -> np.ndarray:
    """The numbers of the rows whose target is there.

    Shapes: -> (row,), int64.

    Raises: DataError where there is no such column or the target is missing everywhere.
    """
    found = np.flatnonzero(~missing_rows(table.column(target)))
    if not len(found):
        raise no_target(table.name, target, table.rows)
    return found


def no_target(where: str, target: str, rows: int) -> DataError:
    """The error that none of a table's rows has a target."""
    return DataError(
        f"{where}: the target {target!r} is missing in all of {rows:,} rows; rows that have it are needed. Check that "
        "it is the right column."
    )


def target_kind(table: Table, target: str, rows: np.ndarray, kind: str | None = None) -> str:
    """Whether the target of these rows is "classes" or a "number", by the rule of `fit_preprocessor`.

    Raises: DataError as fit_preprocessor does for its target.
    """
    return _learn_target(table, target, rows, kind)[0]


def fit_preprocessor(
    table: Table,
    target: str | None,
    train: np.ndarray,
    *,
    kind: str | None = None,
    aside: Mapping[str, str] | None = None,
    number_levels: bool = False,
) -> Preprocessor:
    """Learns from the training rows of a table how its columns become features and what its target is.

    A text column of more than 100 levels keeps its 50 most frequent ones, and the others share a feature. It is set
    aside, as free text or an identifier, where its levels are more than half the training rows that have one, or none
    is frequent; whether it is missing is kept. Text and truth values as target are classes, and so are whole numbers
    of two values, or of at most 20 values with 20 training rows to a value on average; any other number is an amount.

    Shapes: train (row,): row numbers, none with a missing target.

    Args:
        target: column to predict; None for a table without one.
        kind: "classes" or "number" where the rule for the target is wrong.
        aside: columns not to learn from, such as one that names the parts, each with the reason in words.
        number_levels: whether the levels of such a column are numbered instead, for a network that has `nn.Levels`.

    Raises: DataError where the target has a single value, a value is infinite, or no column is of use.
    """
    if not len(train):
        raise DataError(f"{table.name}: there is no training row; at least two are needed. Check the split.")
    found_kind, reason, classes, mean, sd = None, "", None, 0.0, 1.0
    notes: tuple[str, ...] = ()
    if target is not None:
        found_kind, reason, classes, mean, sd = _learn_target(table, target, train, kind)
        notes = _target_notes(table.column(target)[train], target, classes, mean, sd)
    columns: list[Feature] = []
    set_aside = []
    for name, values in table.columns.items():
        if name == target:
            continue
        sense = table.senses.get(name, "")
        found = (aside or {}).get(name) or _learn_column(Place(table.name), name, values, train, number_levels, sense)
        if isinstance(found, str):
            set_aside.append((name, found))
        else:
            columns.append(found)
    if not columns:
        why = listing(f"{name} ({reason})" for name, reason in set_aside) or "there is no column beside the target"
        raise DataError(
            f"{table.name}: no column can be learned from: {why}; at least one is needed. Add columns that vary."
        )
    left_out = int(missing_rows(table.column(target)).sum()) if target is not None else 0
    about_target = (target, found_kind, reason, classes, mean, sd, notes)
    labels = _labels(table, target, train, classes) if target is not None and classes is not None else ()
    return Preprocessor(tuple(columns), tuple(set_aside), len(train), left_out, *about_target, labels)


def _learn_column(
    where: Place, name: str, values: np.ndarray, train: np.ndarray, number_levels: bool, sense: str
) -> Feature | str:
    """How one column becomes features, or why it is set aside."""
    if values.dtype == object:
        levels = set(values[train].tolist())
        missing = None in levels
        levels.discard(None)
        if not levels:
            return "no value in the training rows"
        if len(levels) + missing == 1:
            return "the same in all training rows"
        return _learn_text(name, values[train], levels, missing, number_levels)
    if values.dtype.kind == "M":
        return _learn_dates(name, values[train], sense == ZONED)
    if values.ndim == 1 and (values.dtype == bool or sense == TRUTH):
        return _learn_truth(name, values[train].astype(np.float64))
    width = values.shape[1] if values.ndim == 2 else None
    if values.dtype == np.uint8 and width is not None:
        mean, sd = _byte_moments(values, train)
        return Numbers(name, width, (mean,), (sd,), ()) if sd else "the same in all training rows"
    pairs = [_moments(where, name, values, train, first) for first in range(0, width or 1, GROUP_FEATURES)]
    means, sds, gaps = (np.concatenate(each) for each in zip(*pairs, strict=True))
    flags = tuple(np.flatnonzero((gaps > 0) & (gaps < len(train))).tolist())
    if not sds.any() and not flags:
        return "no value in the training rows" if gaps.any() else "the same in all training rows"
    if width is None and (found := _heavy_tail(values[train], float(means[0]), float(sds[0]))) is not None:
        return Numbers(name, width, found[:1], found[1:], flags, BEND)
    return Numbers(name, width, tuple(means.tolist()), tuple(sds.tolist()), flags)


def _learn_truth(name: str, values: np.ndarray) -> Feature | str:
    """How a column of 0, 1 and NaN becomes features. Shapes: values (row,)."""
    known = values[~np.isnan(values)]
    if not len(known):
        return "no value in the training rows"
    missing, share = len(known) < len(values), float(known.mean())
    return "the same in all training rows" if share in (0, 1) and not missing else Truth(name, share, missing)


def _heavy_tail(values: np.ndarray, mean: float, sd: float) -> tuple[float, float] | None:
    """Middle and scale of a column with a heavy tail; None where it has none. Shapes: values (row,)."""
    known = values[~np.isnan(values)].astype(np.float64)
    if not sd or np.abs(known - mean).max() <= HEAVY_TAIL * sd:
        return None
    low, middle, high = np.quantile(known, [0.25, 0.5, 0.75]).tolist()
    # Where most rows share a value the quartiles say nothing: the mean and the deviation stay.
    return (middle, (high - low) / NORMAL_QUARTILES) if high > low else (mean, sd)


def _learn_text(name: str, values: np.ndarray, levels: set[str], missing: bool, number_levels: bool) -> Feature | str:
    """How a column of text becomes features. Shapes: values (row,)."""
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
    return f"free text or an identifier: {len(levels):,} different texts in {len(values):,} training rows"


def _learn_dates(name: str, values: np.ndarray, zoned: bool) -> Feature | str:
    """How a column of dates becomes features. Shapes: values (row,)."""
    known = values[~np.isnat(values)]
    if not len(known):
        return "no value in the training rows"
    missing = len(known) < len(values)
    if (known == known[0]).all() and not missing:
        return "the same in all training rows"
    days = _days(known)
    cycles = tuple(cycle for cycle in ("year", "week", "day") if np.ptp(_turn(known, cycle)) > 0)
    return Dates(name, float(days.mean()), float(days.std()), cycles, missing, zoned)


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


def _as_dates(where: Place, name: str, column: np.ndarray) -> np.ndarray:
    """A column as dates, where a table of few rows happens to hold them as text, or holds none at all."""
    if column.ndim != 1:
        raise _wrong_width(where, name, column, None)
    dates = np.full(len(column), np.datetime64("NaT", "s"))
    for row, value in enumerate(column.tolist()):
        if value is None or value != value:
            continue
        try:
            dates[row] = np.datetime64(value if isinstance(value, str) else "", "s")
        except ValueError:
            dates[row] = np.datetime64("NaT", "s")
        if np.isnat(dates[row]):
            raise DataError(
                f"{where}: column {name!r} holds {value!r} in {where.row(row)}; a date such as 2024-01-31 is "
                "needed, as in the training rows. Mend the value, or leave it empty where it is not known."
            )
    return dates


def _target_notes(
    values: np.ndarray, name: str, classes: tuple[Label, ...] | None, mean: float, sd: float
) -> tuple[str, ...]:
    """What is to be known of a target: a rare class, a heavy tail, a cap. Shapes: values (row,), of training rows."""
    if classes is not None:
        levels, counts = np.unique(values.astype(str), return_counts=True)
        least, most = int(counts.argmin()), int(counts.argmax())
        share = counts[least] / len(values)
        if share >= RARE_CLASS * min(1, 5 / len(classes)):
            return ()
        return (
            f"Unequal classes: {levels[least]} is {share:.1%} of the rows, and {levels[most]} for every row would be "
            f"right in {counts[most] / len(values):.1%}: judge by f1 and auc too. The rows are not reweighted.",
        )
    numbers = _as_numbers(Place(""), name, values, None)[:, 0]
    notes = []
    far = (np.abs(numbers - mean).max()) / sd
    if far > HEAVY_TAIL:
        notes.append(f"Heavy tail: a target lies {far:.0f} deviations from the mean; rows like it rule the RMSE.")
    levels, counts = np.unique(numbers, return_counts=True)
    usual = np.median(counts)
    for place, word, beyond in ((-1, "largest", "above"), (0, "smallest", "below")):
        share, end = counts[place] / len(numbers), levels[place]
        if share >= CAPPED and counts[place] >= 10 * usual and end != 0:
            notes.append(
                f"Capped: {share:.1%} of the rows hold the {word} target {end:,.6g}; {beyond} it none is told."
            )
    return tuple(notes)


def _moments(
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
        raise _not_finite(where, name if values.ndim == 1 else f"{name}[{first + feature}]", int(train[row]))
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
        raise _not_finite(where, name if values.ndim == 1 else f"{name}[{first + feature}]", int(train[row]))
    return mean, sd, len(train) - present.sum(axis=0)


def _byte_moments(values: np.ndarray, train: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of all bytes in the training rows together, from how often each value occurs."""
    times = np.zeros(256, np.int64)
    for start in range(0, len(train), 4096):
        times += np.bincount(values[train[start : start + 4096]].ravel(), minlength=256)
    level = np.arange(256)
    mean = float((times * level).sum() / times.sum())
    return mean, float(np.sqrt((times * (level - mean) ** 2).sum() / times.sum()))


def _learn_target(
    table: Table, name: str, train: np.ndarray, kind: str | None
) -> tuple[str, str, tuple[Label, ...] | None, float, float]:
    """Kind, reason, classes, mean and standard deviation of the target."""
    if kind not in (None, "classes", "number"):
        raise DataError(
            f"fit_preprocessor: kind is {kind!r}; it must be 'classes' or 'number'. Leave it out to have it found."
        )
    where, column = Place(table.name), table.column(name)
    if column.ndim != 1:
        raise _wrong_width(where, name, column, None)
    usable_rows(table, name)
    if column.dtype.kind == "M":
        raise DataError(
            f"{table.name}: the target {name!r} holds dates; classes or numbers are needed. Turn it into a "
            "number, such as the days since a fixed one."
        )
    values = column[train]
    missing = missing_rows(values)
    if missing.any():
        raise _missing_target(where, name, int(train[np.argmax(missing)]))
    if values.dtype.kind == "f" and np.isinf(values).any():
        raise _not_finite(where, name, int(train[np.argmax(np.isinf(values))]))
    if kind == "number":
        column = _as_numbers(where, name, column, None)[:, 0]
        values = column[train]
    labels: list[Label] = sorted(set(values.tolist())) if values.dtype == object else np.unique(values).tolist()
    if len(labels) < 2:
        raise DataError(
            f"{table.name}: the target {name!r} is {listing(labels)} in all of {len(train):,} training rows; at least "
            "two different values are needed. Check that it is the right column."
        )
    if table.senses.get(name) == TRUTH:
        labels, values = [bool(label) for label in labels], values.astype(bool)
    whole = values.dtype.kind in "iuf" and bool((values == np.floor(values)).all())
    few = len(labels) == 2 or (len(labels) <= MOST_TARGET_VALUES and len(labels) * 20 <= len(train))
    if kind is not None:
        reason = "as asked"
    elif values.dtype == object or values.dtype == bool:
        kind, reason = "classes", "text" if values.dtype == object else "true or false"
    elif whole and few:
        kind, reason = "classes", f"whole numbers of only {len(labels)} values"
    else:
        kind, reason = "number", f"{len(labels):,} different values" if whole else "numbers with fractions"
    if kind == "classes":
        if whole and values.dtype.kind == "f" and _is_written_whole(table.texts.get(name), train):
            labels = [int(label) for label in labels]
        return kind, reason, tuple(labels), 0.0, 1.0
    mean, sd, _ = _moments(where, name, column, train)
    return kind, reason, None, float(mean[0]), float(sd[0])


def _is_written_whole(texts: np.ndarray | None, train: np.ndarray) -> bool:
    """Whether numbers were written without a fraction. Shapes: texts (row,)."""
    return texts is not None and all(text.strip().lstrip("+-").isdecimal() for text in set(texts[train].tolist()))


def _labels(table: Table, target: str, train: np.ndarray, classes: tuple[Label, ...]) -> tuple[str, ...]:
    """How each class is written in most of its training rows; nothing where that is not known, or is as usual."""
    texts = table.texts.get(target)
    if texts is None or isinstance(classes[0], str):
        return ()
    counts = Counter(zip(table.column(target)[train].tolist(), texts[train].tolist(), strict=True))
    found: dict[Any, str] = {}
    for (value, text), _ in counts.most_common():
        found.setdefault(value, text.strip())
    labels = tuple(found[label] for label in classes)
    return () if labels == tuple(map(str, classes)) else labels


def _codes(column: np.ndarray, codes: Any, other: int = -1) -> np.ndarray:
    """The code of every value, `other` where it has none. Shapes: (row,) -> (row,), int32."""
    if column.dtype != object:
        levels, inverse = np.unique(column, return_inverse=True)
        return np.array([codes.get(level, other) for level in levels.tolist()], np.int32)[inverse]
    return np.fromiter(map(codes.get, column.tolist(), repeat(other)), np.int32, len(column))


def _as_numbers(where: Place, name: str, column: np.ndarray, width: int | None) -> np.ndarray:
    """A column or block of `width` as numbers. Shapes: (row,) or (row, feature) -> (row, feature)."""
    if (column.shape[1] if column.ndim == 2 else None) != width:
        raise _wrong_width(where, name, column, width)
    if column.dtype.kind == "M":
        raise DataError(f"{where}: column {name!r} holds dates; numbers are needed. Check that it is the right column.")
    if column.dtype != object:
        values = column.astype(np.float64) if column.dtype == bool else column
        return values if values.ndim == 2 else values[:, None]
    numbers = np.full(len(column), np.nan)
    for row, text in enumerate(column.tolist()):
        try:
            numbers[row] = np.nan if text is None else float(text)
        except ValueError:
            raise DataError(
                f"{where}: column {name!r} holds the text {text!r} in {where.row(row)}; a number is needed. "
                "Mend the value, or leave it empty where it is not known."
            ) from None
    return numbers[:, None]


def _wrong_width(where: Place, name: str, column: np.ndarray, width: int | None) -> DataError:
    found = "one value per row" if column.ndim == 1 else f"a block of {column.shape[1]:,} numbers per row"
    needed = "one value per row" if width is None else f"a block of {width:,} numbers per row"
    return DataError(f"{where}: column {name!r} is {found}; {needed} is needed. Check how the table was made.")


def _not_finite(where: Place, name: str, row: int) -> DataError:
    return DataError(
        f"{where}: column {name!r} is infinite or far too large in {where.row(row)}; finite numbers are needed. "
        "Mend the value, or leave it empty where it is not known."
    )


def _missing_target(where: Place, name: str, row: int) -> DataError:
    return DataError(
        f"{where}: the target {name!r} is missing in {where.row(row)}; every row here needs one. "
        "Use only the rows that usable_rows gives."
    )
