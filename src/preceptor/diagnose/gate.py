"""The gate: what is wrong with a table, found on the host before anything trains.

Facts that would make nonsense of a training are refused; what spoils its result or its figures is a warning; what is
merely worth knowing is a note. Quantiles and the search for leaks take at most SAMPLE rows drawn at random; counts,
extremes, infinite values and identical rows are of all rows. Cost: linear in the cells but for sorting one 64-bit
number per row.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from preceptor.data.division.split import Split
from preceptor.data.tables.columns import objects
from preceptor.data.tables.table import Table
from preceptor.errors import DataError
from preceptor.words import listing

SAMPLE = 50_000  # rows: a share of 1 % is then known to 0.1 % (two standard errors)
LEAK_SAMPLE = 20_000  # rows for the search for leaks: an error of 1 % is then known to 0.15 %
NARROW = 100  # numbers per row: wider blocks are looked at as a whole
CELLS = 1 << 19  # looked at in one go: 4 MiB of float64
SHOWN = 5  # rows named in an observation
Z = 1.96  # of 95 % intervals

IMBALANCE = 10.0  # largest class to smallest: conventional
FEW_TO_JUDGE = 30  # rows; at 30 the 95 % interval of an accuracy is up to 0.36 wide
CAPPED = 0.01, 3.0  # share of rows at the extreme, and how many times the most frequent value near it
HEAVY_TAIL = 10.0  # excess kurtosis: normal 0, Laplace 3, exponential 6, log-normal (1) 111
CLASS_CODES = 30  # whole numbers of at most so many values may be codes of classes
LEAK_ERROR = 0.01  # of rows; iris' petal length leaves 5 %, a leak none (data_leak: single column above 0.99)
LEAK_ERROR_RARE = 0.02  # errors as a share of the rows outside the largest class, so that rare classes count
LEAK_R2 = 0.999  # diamonds' carat, the best honest column of the test tables, reaches 0.87
LEAK_RANK_R2 = 0.99  # and the same for ranks: a few huge targets must not decide
COPY_ROWS = 20  # fewer rows than that may agree by chance
TWINS = 0.01  # of the dev and test rows; beyond it figures are visibly too good. Diamonds have 0.3 % by nature
MOSTLY_MISSING = 0.95  # conventional
ALMOST_CONSTANT = 0.001  # share of rows with another value
ZEROS = 0.005, 0.5  # share of zeros that may stand for missing; beyond half, zero is the usual value
ZERO_GAP = 0.1, 4.0  # gap above zero: of the median (pima 0.11 to 0.6), and times the step between the next values
SENTINELS = (-1, -9, -99, -999, -9999, -99999, 99, 999, 9999, 99999, 999999, 9999999)  # conventional codes
SENTINEL_GAP = 0.5  # of the range of all other values
HUGE = 1e15  # float64 holds whole numbers to 9e15; no measurement has that many digits
OVERFLOWS = 1e150  # its square is beyond float64, and so is the standard deviation
SQUEEZED = 1e-4  # range of the middle 95 % in standard deviations: no weight of usual size tells the rows apart
LOST_DIGITS = 1e12  # mean in standard deviations: fewer than four digits of float64 are left
MISSING_WORDS = frozenset(("", "?", "-", "na", "n/a", "#n/a", "nan", "null", "<na>"))
DATE = re.compile(
    r"\s*(\d{4}[-/.]\d{1,2}([-/.]\d{1,2})?|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2})"
    r"|(\d{1,2} )?(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?,? \d{1,4}(,? \d{4})?)"
    r"([ T]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?( ?[ap]m)?(Z|[+-]\d{2}:?\d{2})?)?\s*",
    re.IGNORECASE,
)

LEVELS = ("refuse", "warn", "note")


@dataclass(frozen=True)
class Observation:
    """Something that was found in a table.

    Args:
        rule: short name of the check that found it.
        level: "refuse": training would be nonsense; "warn": its result or figures would mislead; "note".
        text: one sentence: what, where, how many, the cure.
        columns: the columns concerned, in the order of the table.
        rows: a few of the rows concerned, counted from 1 as in messages.
    """

    rule: str
    level: str
    text: str
    columns: tuple[str, ...] = ()
    rows: tuple[int, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types."""
        return asdict(self) | {"columns": list(self.columns), "rows": list(self.rows)}


@dataclass(frozen=True, eq=False)
class Column:
    """One plain column of a table with what several checks need to know of it."""

    name: str
    values: np.ndarray

    @property
    def is_text(self) -> bool:
        """Whether it holds text."""
        return self.values.dtype == object

    @property
    def is_number(self) -> bool:
        """Whether it holds numbers, not truth values or text."""
        return self.values.dtype.kind in "iuf"

    @cached_property
    def missing(self) -> np.ndarray:
        """Which rows are missing. Shapes: (row,)."""
        if self.is_text:
            return np.fromiter((value is None for value in self.values.tolist()), bool, len(self.values))
        if self.values.dtype.kind in "Mm":
            return np.isnat(self.values)
        return np.isnan(self.values) if self.values.dtype.kind == "f" else np.zeros(len(self.values), bool)

    @cached_property
    def present(self) -> np.ndarray:
        """The values that are there. Of numbers float64 without infinite ones."""
        if not self.is_number:
            return self.values[~self.missing]
        values = self.values.astype(np.float64, copy=False)
        finite = np.isfinite(values)
        return values if finite.all() else values[finite]

    @cached_property
    def levels(self) -> dict[Any, int]:
        """How often each value of text or truth occurs, missing left out."""
        counts: dict[Any, int] = {}
        for value in self.values.tolist():
            counts[value] = counts.get(value, 0) + 1
        counts.pop(None, None)
        return counts

    @cached_property
    def is_constant(self) -> bool:
        """Whether all values that are there are the same, and there is one."""
        if not self.is_number:
            return len(self.levels) == 1
        return bool(len(self.present) and self.present.min() == self.present.max())

    @property
    def varies(self) -> bool:
        """Whether its rows differ: in their values, or in whether there is one."""
        return bool(len(self.present)) and (not self.is_constant or bool(self.missing.any()))

    @cached_property
    def is_identifier(self) -> bool:
        """Whether it numbers the rows: whole, each once, in increasing order or without a gap."""
        values = self.present
        if not self.is_number or len(values) < COPY_ROWS or len(values) < len(self.values):
            return False
        low, high = values.min(), values.max()
        if high - low < len(values) - 1 or values[0] != math.floor(values[0]):
            return False
        rising = bool((np.diff(values) > 0).all())
        if rising:
            return bool((values == np.floor(values)).all())
        return bool(high - low == len(values) - 1 and len(np.unique(values)) == len(values))

    @cached_property
    def middle(self) -> np.ndarray:
        """Up to SAMPLE of the values that are there, sorted: for quantiles."""
        values = self.present
        return np.sort(values if len(values) <= SAMPLE else values[_draw(len(values), SAMPLE)])

    def hashes(self, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        """A number for each value, the same for the same value. Shapes: (row,), uint64."""
        values = self.values[rows]
        if self.is_text:
            return np.fromiter(map(hash, values.tolist()), np.int64, len(values)).view(np.uint64)
        if values.dtype.kind in "Mm":
            return values.astype(np.int64).view(np.uint64)
        if values.dtype.kind in "iu" and len(values) and max(abs(int(values.min())), abs(int(values.max()))) > 2**53:
            return values.astype(np.int64).view(np.uint64)
        as_float = values.astype(np.float64) + 0.0  # -0.0 becomes 0.0
        as_float[np.isnan(as_float)] = np.nan
        return as_float.view(np.uint64)

    def codes(self, rows: np.ndarray) -> np.ndarray:
        """The same small number for the same value, missing being one of them. Shapes: (row,), int64."""
        if not self.is_text:
            return np.unique(self.values[rows], return_inverse=True)[1].astype(np.int64)
        known: dict[Any, int] = {}
        return np.fromiter(
            (known.setdefault(value, len(known)) for value in self.values[rows].tolist()), np.int64, len(rows)
        )


@dataclass(frozen=True, eq=False)
class Facts:
    """A table with its target and split, and what several checks need to know of them."""

    table: Table
    target: Column
    parts: Split
    kind: str
    numbers: np.ndarray | None

    @cached_property
    def features(self) -> list[Column]:
        """The plain columns beside the target, and those of narrow blocks, which are such columns in an array."""
        found = []
        for name, values in self.table.columns.items():
            if values.ndim == 1 and name != self.target.name:
                found.append(Column(name, values))
            elif _is_narrow(values):
                found += [Column(f"{name}[{place}]", values[:, place]) for place in range(values.shape[1])]
        return found

    @cached_property
    def telling(self) -> list[Column]:
        """The plain columns that vary and do not number the rows."""
        return [column for column in self.features if column.varies and not column.is_identifier]

    @cached_property
    def blocks(self) -> dict[str, np.ndarray]:
        """The blocks of numbers that are pictures and the like: bytes, or wide."""
        return {name: each for name, each in self.table.columns.items() if each.ndim == 2 and not _is_narrow(each)}

    @cached_property
    def held_out(self) -> np.ndarray:
        """The rows of dev and test."""
        return np.concatenate([self.parts.dev, self.parts.test])

    @cached_property
    def target_numbers(self) -> np.ndarray | None:
        """The target as numbers where that is what it is. Shapes: (row,)."""
        if self.kind == "classes":
            return None
        try:
            return self.target.values.astype(np.float64)
        except (TypeError, ValueError):
            return None

    @cached_property
    def target_codes(self) -> np.ndarray:
        """The number of each row's class. Shapes: (row,)."""
        return self.target.codes(np.arange(self.table.rows))

    @cached_property
    def sample(self) -> np.ndarray:
        """Rows of train and dev in random order, at most LEAK_SAMPLE: the test part is not looked at for leaks."""
        rows = np.concatenate([self.parts.train, self.parts.dev])
        return rows[_draw(len(rows), LEAK_SAMPLE)]

    def mixed(self, rows: np.ndarray | slice = slice(None)) -> Iterator[np.ndarray]:
        """A well mixed number for each value of each column that may tell rows apart, the target's first."""
        yield _mix(self.target.hashes(rows), 0)
        for number, column in enumerate(self.features, 1):
            if column in self.telling:
                yield _mix(column.hashes(rows), number)
        for number, block in enumerate(self.blocks.values(), len(self.features) + 1):
            yield _mix(_block_hashes(block[rows]), number)

    @cached_property
    def row_hashes(self) -> np.ndarray:
        """A number for each row, target and all, numbering columns left out. Shapes: (row,), uint64."""
        return _total(self.mixed())

    @cached_property
    def feature_hashes(self) -> np.ndarray:
        """The same without the target. Shapes: (row,), uint64."""
        return self.row_hashes - _mix(self.target.hashes(), 0)

    def rows(self, indices: np.ndarray) -> tuple[int, ...]:
        """The first few of these rows as the user counts them: from 1, in the table as it was read."""
        first = np.sort(indices)[:SHOWN]
        return tuple(((first if self.numbers is None else self.numbers[first]) + 1).tolist())


Check = Callable[[Facts], Iterator[Observation]]
CHECKS: dict[str, tuple[str, Check]] = {}


def _check(words: str) -> Callable[[Check], Check]:
    """Enters a check under what it looks for, in words for the user."""

    def enter(check: Check) -> Check:
        CHECKS[check.__name__.lstrip("_")] = words, check
        return check

    return enter


def inspect_table(
    table: Table, target: str, parts: Split, kind: str, *, numbers: np.ndarray | None = None
) -> list[Observation]:
    """What is wrong or remarkable with a table that a network is to learn from, the gravest first.

    Pure: draws from fixed seeds, changes nothing.

    Args:
        table: rows that have a target.
        target: column to predict.
        parts: row numbers of train, dev and test within `table`.
        kind: "classes" or "number": what the target is.
        numbers: row numbers of the table as it was read, where rows without a target were left out.

    Raises: DataError where there is no such column.
    """
    facts = Facts(table, Column(target, table.column(target)), parts, kind, numbers)
    with np.errstate(all="ignore"):  # what overflows is met by the comparisons
        found = [observation for _, check in CHECKS.values() for observation in check(facts)]
    return sorted(found, key=lambda each: LEVELS.index(each.level))


def checks_made() -> list[str]:
    """What inspect_table looks for, in words: so that silence informs."""
    return [words for words, _ in CHECKS.values()]


def raise_refusals(observations: Iterable[Observation], where: str = "data") -> None:
    """Raises: DataError with the refusals among the observations, if there are any."""
    refusals = [each.text for each in observations if each.level == "refuse"]
    if refusals:
        text = " ".join(refusals)
        raise DataError(f"{where}: {text[0].lower()}{text[1:]}")


# Target


@_check("a target of one value, infinite, or different in every row")
def target_value(facts: Facts) -> Iterator[Observation]:
    """Refuses a target that leaves nothing to learn. Source: definition."""
    column, train = facts.target, facts.parts.train
    name = (column.name,)
    if len(train) < 2:
        yield Observation("train_empty", "refuse", f"{len(train)} rows are left to train; give more rows.", name)
        return
    values = facts.target_numbers
    if values is None:
        counts = np.bincount(facts.target_codes[train])
        distinct = int(np.count_nonzero(counts))
        if distinct > COPY_ROWS and distinct > len(train) / 2:
            text = (
                f"The target {column.name!r} has {distinct:,} classes in {len(train):,} training rows: it is a name "
                "or a number of the row, not a class; choose another target, or --kind number."
            )
            yield Observation("target_identifier", "refuse", text, name)
    else:
        wrong = np.flatnonzero(~np.isfinite(values))
        if len(wrong):
            text = (
                f"The target {column.name!r} is not a finite number in {_rows(len(wrong))}, "
                f"first in data row {facts.rows(wrong)[0]:,}; mend or remove them."
            )
            yield Observation("target_not_finite", "refuse", text, name, facts.rows(wrong))
            return
        distinct = 1 if values[train].min() == values[train].max() else 2
        if np.abs(values).max() > OVERFLOWS:
            row = np.flatnonzero(np.abs(values) > OVERFLOWS)
            text = f"The target {column.name!r} is beyond {OVERFLOWS:g} in {_rows(len(row))}; mend the values."
            yield Observation("target_too_large", "refuse", text, name, facts.rows(row))
    if distinct < 2:
        text = f"The target {column.name!r} is the same in all training rows; choose a column that varies."
        yield Observation("target_constant", "refuse", text, name)


@_check("classes too small, uneven, or absent from the training rows")
def target_classes(facts: Facts) -> Iterator[Observation]:
    """Counts each class in each part. Thresholds: as many rows as there are parts; IMBALANCE."""
    if facts.target_numbers is not None:
        return
    column, codes = facts.target, facts.target_codes
    kinds = int(codes.max()) + 1 if len(codes) else 0
    first = np.full(kinds, -1)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    counts = np.bincount(codes, minlength=kinds)
    in_train = np.bincount(codes[facts.parts.train], minlength=kinds)
    unseen = np.flatnonzero((in_train == 0) & (counts > 0))
    if len(unseen):
        text = (
            f"{_classes(column, first[unseen])} of the target {column.name!r} {_are(unseen)} in dev or test but never "
            "in train, so it cannot be learned; add such rows to train, or leave them out."
        )
        yield Observation("class_unseen", "refuse", text, (column.name,), facts.rows(first[unseen]))
    if kinds > COPY_ROWS and kinds > len(codes) / 2:
        return
    parts = sum(len(part) > 0 for part in (facts.parts.train, facts.parts.dev, facts.parts.test))
    for rule, small, why in (
        ("class_single_row", counts == 1, "a single row"),
        ("class_too_small", (counts > 1) & (counts < parts), f"fewer rows than the {parts} parts"),
    ):
        each = np.flatnonzero(small & (in_train > 0))
        if len(each):
            text = (
                f"{_classes(column, first[each])} of the target {column.name!r} {_have(each)} {why}: what is learned "
                "of it cannot be judged; add rows, or merge it with another class."
            )
            yield Observation(rule, "warn", text, (column.name,), facts.rows(first[each]))
    sizes = counts[counts > 0]
    if len(sizes) > 1 and sizes.max() > IMBALANCE * sizes.min():
        rarest = column.values[first[np.argmin(np.where(counts > 0, counts, len(codes) + 1))] :][:1].tolist()[0]
        text = (
            f"The largest class of {column.name!r} has {sizes.max() / sizes.min():,.0f} times the rows of the "
            f"smallest, {rarest!r} ({sizes.min():,}); look at the recall of each class, not at accuracy "
            f"alone: {sizes.max() / sizes.sum():.1%} is had by always saying the largest."
        )
        yield Observation("class_imbalance", "note", text, (column.name,))


@_check("classes spelled in two ways, or standing for missing")
def target_spelling(facts: Facts) -> Iterator[Observation]:
    """Looks for classes that differ only in case, outer spaces or a final dot, and for words that mean missing."""
    if not facts.target.is_text or facts.kind != "classes":
        return
    column = facts.target
    for one, other in _variants(column.levels):
        text = (
            f"The target {column.name!r} has the classes {one!r} and {other!r}, which differ in spelling only and "
            "would be learned as two; make them one."
        )
        yield Observation("class_spelling", "warn", text, (column.name,))
    words = [level for level in column.levels if str(level).strip().lower() in MISSING_WORDS]
    if words:
        text = (
            f"The target {column.name!r} has the class {words[0]!r} ({_rows(column.levels[words[0]])}), which "
            "seems to stand for missing; leave those rows empty or out."
        )
        yield Observation("class_missing_word", "warn", text, (column.name,))


@_check("a capped or heavy-tailed target")
def target_shape(facts: Facts) -> Iterator[Observation]:
    """Looks for many rows at exactly the largest or smallest value, and for rare huge ones.

    Thresholds: CAPPED, of more than 20 values; HEAVY_TAIL. Source: california-housing (4.7 % at 500001), boston.
    """
    values = facts.target_numbers
    if values is None or not np.isfinite(values).all() or np.abs(values).max(initial=0) > OVERFLOWS:
        return
    name = facts.target.name
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) <= 20:
        return
    for word, at, near in (("largest", -1, counts[:-1][::-1]), ("smallest", 0, counts[1:])):
        share = counts[at] / len(values)
        reach = int(np.searchsorted(np.cumsum(near), 0.05 * len(values))) + 1
        if counts[at] >= 10 and share >= CAPPED[0] and counts[at] >= CAPPED[1] * near[:reach].max():
            text = (
                f"The target {name!r} is exactly {distinct[at]:,.6g}, its {word} value, in {_rows(counts[at])} "
                f"({share:.1%}): it seems cut off there, and beyond it nothing can be predicted."
            )
            yield Observation("target_capped", "note", text, (name,))
    deviation = values - values.mean()
    spread = np.sqrt(np.mean(deviation**2))
    kurtosis = np.mean((deviation / spread) ** 4) - 3 if spread > 0 else 0.0
    if kurtosis > HEAVY_TAIL:
        cure = "predicting its logarithm" if values.min() > 0 else "predicting it on a scale that grows more slowly"
        text = (
            f"The target {name!r} has rare huge values (excess kurtosis {kurtosis:,.0f}; median "
            f"{np.median(values):,.4g}, largest in size {np.abs(values).max():,.4g}), which rule the squared error; "
            f"consider {cure}."
        )
        yield Observation("target_heavy_tail", "note", text, (name,))


@_check("a target that could be classes or a number")
def target_kind_doubt(facts: Facts) -> Iterator[Observation]:
    """Notes whole numbers that may be meant the other way: few values as a number, a hump of many as classes."""
    column = facts.target
    if facts.kind == "number" and column.is_identifier:
        text = f"The target {column.name!r} numbers the rows: whole, each once, in order; check that it is meant."
        yield Observation("target_numbers_rows", "note", text, (column.name,))
    if not column.is_number or not len(column.present) or len(column.present) < len(column.values):
        return
    values = column.present
    if (values != np.floor(values)).any() or values.max() - values.min() > 1e6:
        return
    levels, counts = np.unique(values, return_counts=True)
    if facts.kind == "number" and 2 <= len(levels) <= CLASS_CODES and len(levels) * 20 <= len(values):
        text = (
            f"The target {column.name!r} is taken as a number and has only {len(levels)} whole values; if they are "
            "codes of classes, say --kind classes."
        )
        yield Observation("target_number_or_classes", "note", text, (column.name,))
    hump = len(levels) >= 5 and counts.max() >= 3 * max(counts[0], counts[-1]) and 0 < counts.argmax() < len(levels) - 1
    if facts.kind == "classes" and hump and (np.diff(levels) == 1).all():
        text = (
            f"The target {column.name!r} is taken as {len(levels)} classes, whole numbers from {levels[0]:g} to "
            f"{levels[-1]:g} with most in the middle; if it is an amount or a grade, say --kind number."
        )
        yield Observation("target_classes_or_number", "note", text, (column.name,))


# Leaks


@_check("columns that give the target away")
def leak(facts: Facts) -> Iterator[Observation]:
    """Predicts the target from each column alone, learned on one half of train and dev and judged on the other.

    Thresholds: LEAK_ERROR, LEAK_ERROR_RARE (both for the upper end of the 95 % interval), LEAK_R2, LEAK_RANK_R2; a
    column that is the target under other names is found from COPY_ROWS rows on. A table with a single column is
    spared, unless it equals the target: there the one column is what is to be learned from.
    """
    rows = facts.sample
    if len(rows) < COPY_ROWS:
        return
    numbers = facts.target_numbers
    if numbers is not None and not np.isfinite(numbers).all():
        return
    alone = len(facts.features) + len(facts.blocks) == 1
    for column in facts.features:
        if not column.varies:
            continue
        judge = _tells_class if numbers is None else _tells_number
        found = judge(facts, column, rows)
        if found is None or (alone and not found[2]):
            continue
        how, rule, _ = found
        text = (
            f"Column {column.name!r} alone tells the target {facts.target.name!r} ({how}); leave it out unless it is "
            "known before the target is."
        )
        yield Observation(rule, "warn", text, (column.name,))


def _tells_class(facts: Facts, column: Column, rows: np.ndarray) -> tuple[str, str, bool] | None:
    """How a column gives a class away, under which rule, and whether it equals the target; None where it does not."""
    labels = np.unique(facts.target_codes[rows], return_inverse=True)[1]
    sizes = np.bincount(labels)
    outside = len(rows) - sizes.max()
    if len(sizes) < 2 or np.sort(sizes)[-2] < 5:
        return None
    levels = column.codes(rows)
    count = int(levels.max()) + 1
    if count == len(sizes) and len(np.unique(levels * len(sizes) + labels)) == count:
        equal = (column.hashes(rows) == facts.target.hashes(rows)).all()
        how = "the same values" if equal else f"one value for each of its {count} classes, in all of {len(rows):,} rows"
        return how, "target_copy", bool(equal)
    if _upper(0, outside) > LEAK_ERROR_RARE or _upper(0, len(rows)) > LEAK_ERROR:
        return None
    if column.is_number and count > 1000:
        numeric = column.values[rows].astype(np.float64)
        errors = sum(_neighbour_errors(numeric, labels, half) for half in (0, 1))
    elif count * len(sizes) > 5_000_000 or count > len(rows) / 2:
        return None
    else:
        errors = sum(_level_errors(levels, labels, half, ordered=column.is_number) for half in (0, 1))
    if _upper(errors, len(rows)) > LEAK_ERROR or _upper(errors, outside) > LEAK_ERROR_RARE:
        return None
    return f"{1 - errors / len(rows):.2%} right on {len(rows):,} rows that it was not learned from", "leak", False


def _level_errors(levels: np.ndarray, labels: np.ndarray, half: int, *, ordered: bool) -> int:
    """Wrong rows of one half where each level says its most frequent class in the other half.

    A level that the other half lacks says what the nearest level does, or without an order what is most frequent.
    """
    kinds, count = int(labels.max()) + 1, int(levels.max()) + 1
    learn, judge = slice(half, None, 2), slice(1 - half, None, 2)
    table = np.bincount(levels[learn] * kinds + labels[learn], minlength=count * kinds).reshape(count, kinds)
    seen = table.any(axis=1)
    usual = np.where(seen, table.argmax(axis=1), table.sum(axis=0).argmax())
    if ordered:
        known = np.flatnonzero(seen)
        above = np.minimum(np.searchsorted(known, np.arange(count)), len(known) - 1)
        below = np.maximum(above - 1, 0)
        near = np.where(known[above] - np.arange(count) <= np.arange(count) - known[below], above, below)
        usual = usual[known[near]]
    return int((usual[levels[judge]] != labels[judge]).sum())


def _neighbour_errors(values: np.ndarray, labels: np.ndarray, half: int) -> int:
    """Wrong rows of one half where the five nearest values of the other half vote."""
    learn, judge = slice(half, None, 2), slice(1 - half, None, 2)
    order = np.argsort(values[learn], kind="stable")
    sorted_values, sorted_labels = values[learn][order], labels[learn][order]
    place = np.searchsorted(sorted_values, values[judge])
    near = np.clip(place[:, None] + np.arange(-2, 3), 0, len(order) - 1)
    votes = sorted_labels[near]
    agree = (votes[:, :, None] == votes[:, None, :]).sum(axis=2)
    said = np.take_along_axis(votes, agree.argmax(axis=1)[:, None], axis=1)[:, 0]
    return int((said != labels[judge]).sum())


def _tells_number(facts: Facts, column: Column, rows: np.ndarray) -> tuple[str, str, bool] | None:
    """How a column gives a number away, under which rule, and whether it equals the target; None where it does not."""
    assert facts.target_numbers is not None
    target = facts.target_numbers[rows]
    if target.min() == target.max():
        return None
    if column.is_text:
        levels = column.codes(rows)
        if int(levels.max()) + 1 > len(rows) / 2:
            return None
        values = levels.astype(np.float64)
    else:
        values = column.values[rows].astype(np.float64)
        values[column.missing[rows]] = np.nan  # of dates too
        if not np.isfinite(values).all():
            kept = np.isfinite(values)
            if kept.sum() < max(COPY_ROWS, 0.5 * len(rows)):
                return None
            values, target = values[kept], target[kept]
        if (values == target).all():
            return "the same values", "target_copy", True
        if values.min() == values.max() or target.min() == target.max():
            return None
        related = np.corrcoef(values, target)[0, 1] ** 2
        if related > 1 - 1e-12:
            return "the same up to a factor and an offset", "target_copy", False
    if len(values) < 50 or len(np.unique(target)) <= 20:
        return None
    r2 = _one_column_r2(values, target, interpolate=not column.is_text)
    if r2 < LEAK_R2:
        return None
    ranks = np.argsort(np.argsort(target, kind="stable"), kind="stable").astype(np.float64)
    if _one_column_r2(values, ranks, interpolate=not column.is_text) < LEAK_RANK_R2:
        return None
    return f"R² {r2:.5f} on {len(values):,} rows that it was not learned from", "leak", False


def _one_column_r2(values: np.ndarray, target: np.ndarray, *, interpolate: bool) -> float:
    """Share of the target's variance that one column tells: between its values, or level by level, across halves.

    Rows beyond the values that were learned from are not judged where it is between values.
    """
    wrong = whole = 0.0
    for half in (0, 1):
        learn, judge = slice(half, None, 2), slice(1 - half, None, 2)
        levels, place, counts = np.unique(values[learn], return_inverse=True, return_counts=True)
        means = np.bincount(place, weights=target[learn]) / counts
        asked, truth = values[judge], target[judge]
        if interpolate:
            inside = (asked >= levels[0]) & (asked <= levels[-1])
            asked, truth = asked[inside], truth[inside]
            said = np.interp(asked, levels, means)
        else:
            at = np.minimum(np.searchsorted(levels, asked), len(levels) - 1)
            said = np.where(levels[at] == asked, means[at], target[learn].mean())
        wrong += float(((said - truth) ** 2).sum())
        whole += float(((truth - target.mean()) ** 2).sum())
    return 1 - wrong / whole if whole > 0 else 0.0


# Rows


@_check("identical rows, within train and across the split")
def duplicates(facts: Facts) -> Iterator[Observation]:
    """Counts rows that are the same in every column, numbering columns left out.

    A warning where the share of dev and test rows that are in train as well is surely above TWINS (lower end of the
    95 % interval), and these are copies rather than chance: see _natural.
    Source: wine-quality, kddcup99; the measure of nature is ours.
    """
    hashes = facts.row_hashes
    ordered = np.sort(hashes)
    copies = int((ordered[1:] == ordered[:-1]).sum())
    if not copies:
        return
    train = np.unique(hashes[facts.parts.train])
    held = facts.held_out
    place = np.minimum(np.searchsorted(train, hashes[held]), max(len(train) - 1, 0))
    seen = held[train[place] == hashes[held]] if len(train) else held[:0]
    within = len(facts.parts.train) - len(train)
    share = len(seen) / len(held) if len(held) else 0.0
    text = f"{copies:,} of {facts.table.rows:,} rows repeat another row in every column ({within:,} within train)"
    if len(held):
        text += f", and {len(seen):,} of the {len(held):,} dev and test rows ({share:.1%}) are in train as well"
    if _lower(len(seen), len(held)) <= TWINS and _lower(within, len(facts.parts.train)) <= 5 * TWINS:
        yield Observation("duplicates", "note", f"{text}; too few to matter.", (), facts.rows(seen))
    elif _natural(facts):
        text += "; the columns have so few values that this is to be expected."
        yield Observation("duplicates", "note", text, (), facts.rows(seen))
    else:
        text += ": the figures will be too good; remove the copies, unless such rows really come again and again."
        yield Observation("duplicates", "warn", text, (), facts.rows(seen))


def twins(train: np.ndarray, held: np.ndarray) -> Iterator[Observation]:
    """Counts the dev and test rows of a table too large to be looked at whole that are in train as well.

    Shapes: train, held (row,): a number for each row, the same for the same. `train` is sorted in place.
    """
    if not len(train) or not len(held):
        return
    train.sort()
    place = np.minimum(np.searchsorted(train, held), len(train) - 1)
    seen = int((train[place] == held).sum())
    if not seen:
        return
    text = f"Of the {len(held):,} dev and test rows {seen:,} ({seen / len(held):.1%}) are in train as well"
    if _lower(seen, len(held)) <= TWINS:
        yield Observation("duplicates", "note", f"{text}; too few to matter.")
    else:
        text += ": the figures will be too good; remove the copies, unless such rows really come again and again."
        yield Observation("duplicates", "warn", text)


def _natural(facts: Facts) -> bool:
    """Whether identical rows are what columns of few values lead to, rather than copies.

    Nature: pairs of rows that differ in one feature only are at least as frequent as pairs that differ in none.
    Copies all the same: rows that agree in one column of many values (more than half the rows) nearly always (0.8, our
    choice) agree in all, though the other columns agree in at most half of all pairs, or it is text or a picture.
    """
    rows = _draw(facts.table.rows, SAMPLE)
    mixed = list(facts.mixed(rows))[1:]
    if not mixed:
        return True
    total = _total(mixed)
    same = _pairs(total)
    almost = 0.0
    for number, each in enumerate(mixed):
        rest = _pairs(total - each)
        almost += rest - same
        is_text = number >= len(facts.telling) or facts.telling[number].is_text  # or a picture
        others_agree = rest > 0.25 * len(rows) ** 2
        if same >= 0.8 * _pairs(each) and len(np.unique(each)) > len(rows) / 2 and (is_text or not others_agree):
            return False
    return almost >= same


def _pairs(hashes: np.ndarray) -> float:
    """Number of pairs of equal numbers."""
    ordered = np.sort(hashes)
    ends = np.flatnonzero(np.r_[ordered[1:] != ordered[:-1], True])
    sizes = np.diff(np.r_[-1, ends]).astype(np.float64)
    return float((sizes * (sizes - 1)).sum() / 2)


@_check("a row in two parts")
def parts_overlap(facts: Facts) -> Iterator[Observation]:
    """Refuses a split in which a row is in two parts. Source: definition."""
    parts = facts.parts
    times = np.bincount(np.concatenate([parts.train, parts.dev, parts.test]), minlength=facts.table.rows)
    twice = np.flatnonzero(times > 1)
    if len(twice):
        text = f"{_rows(len(twice))} are in more than one of train, dev and test; give each row to one part."
        yield Observation("parts_overlap", "refuse", text, (), facts.rows(twice))


@_check("rows that contradict each other")
def contradictions(facts: Facts) -> Iterator[Observation]:
    """Counts rows with the same features and another class, and how many of them must stay wrong."""
    if facts.target_numbers is not None or not (facts.telling or facts.blocks):
        return
    codes = facts.target_codes
    order = np.argsort(facts.feature_hashes, kind="stable")
    hashes = facts.feature_hashes[order]
    group = np.cumsum(np.r_[False, hashes[1:] != hashes[:-1]])
    repeated = (np.bincount(group) > 1)[group]
    if not repeated.any():
        return
    group, rows = np.unique(group[repeated], return_inverse=True)[1], order[repeated]
    pairs, counts = np.unique(group * (int(codes.max()) + 1) + codes[rows], return_counts=True)
    owner = pairs // (int(codes.max()) + 1)
    largest = np.zeros(int(group.max()) + 1, np.int64)
    np.maximum.at(largest, owner, counts)
    contradicting = (np.bincount(owner) > 1)[group]
    if not contradicting.any():
        return
    wrong = int(len(rows) - largest.sum())
    text = (
        f"{_rows(int(contradicting.sum()))} have the same features as another row and a different "
        f"{facts.target.name!r}: {_rows(wrong)} ({wrong / facts.table.rows:.1%}) stay wrong whatever the network."
    )
    yield Observation("contradictions", "note", text, (facts.target.name,), facts.rows(rows[contradicting]))


# Columns


@_check("infinite and overflowing values")
def not_finite(facts: Facts) -> Iterator[Observation]:
    """Refuses infinite values and those whose square overflows. Threshold: OVERFLOWS."""
    columns = [(column.name, column.values) for column in facts.features if column.values.dtype.kind == "f"]
    blocks = [(name, block) for name, block in facts.blocks.items() if block.dtype.kind == "f"]
    for name, values in columns + blocks:
        step = max(1, CELLS // max(1, math.prod(values.shape[1:])))
        for start in range(0, len(values), step):
            size = np.abs(values[start : start + step])
            wrong = size > min(OVERFLOWS, float(np.finfo(size.dtype).max))
            if wrong.any():
                where = np.flatnonzero(wrong.reshape(len(size), -1).any(axis=1)) + start
                text = (
                    f"Column {name!r} is infinite or far too large in data row {facts.rows(where)[0]:,}; mend the "
                    "value, or leave it empty where it is not known."
                )
                yield Observation("not_finite", "refuse", text, (name,), facts.rows(where))
                break


@_check("no column to learn from; constant, almost constant and mostly missing columns")
def constant(facts: Facts) -> Iterator[Observation]:
    """Looks for columns that say nothing, or next to nothing. Thresholds: ALMOST_CONSTANT, MOSTLY_MISSING."""
    rows = facts.table.rows
    dead = [column for column in facts.features if not column.varies]
    flat = [name for name, block in facts.blocks.items() if _is_flat(block)]
    if len(dead) == len(facts.features) and len(flat) == len(facts.blocks):
        names = tuple(column.name for column in dead) + tuple(flat)
        why = [f"{c.name} ({'the same' if len(c.present) else 'no value'} in all training rows)" for c in dead]
        why += [f"{name} (the same in all training rows)" for name in flat]
        reasons = listing(why) or "there is no column beside the target"
        text = f"No column can be learned from: {reasons}; add columns that vary."
        yield Observation("no_feature", "refuse", text, names)
        return
    yield from _of_columns("constant", [c for c in dead if len(c.present)], "the same in all rows: nothing to learn")
    yield from _of_columns("empty", [c for c in dead if not len(c.present)], "without any value: nothing to learn")
    left = [column for column in facts.features if column not in dead]
    missing = [c for c in left if c.missing.mean() > MOSTLY_MISSING]
    few = f"missing in more than {MOSTLY_MISSING:.0%} of the rows: little to learn"
    yield from _of_columns("mostly_missing", missing, few)
    almost = [c for c in left if c not in missing and 0 < _others(c) < ALMOST_CONSTANT * rows]
    rare = f"the same in all but fewer than {ALMOST_CONSTANT:.1%} of the rows: little to learn"
    yield from _of_columns("almost_constant", almost, rare)


def _is_flat(block: np.ndarray) -> bool:
    return bool(
        block.size == 0 or (block == block.flat[0]).all() or (block.dtype.kind == "f" and np.isnan(block).all())
    )


def _others(column: Column) -> int:
    """How many of the values that are there differ from the most frequent one (judged by the middle one)."""
    if not column.is_number:
        return len(column.present) - max(column.levels.values())
    return int((column.present != column.middle[len(column.middle) // 2]).sum())


def _of_columns(rule: str, columns: list[Column], what: str) -> Iterator[Observation]:
    if columns:
        names = tuple(column.name for column in columns)
        text = f"{_columns(names)} {'is' if len(names) == 1 else 'are'} {what}."
        yield Observation(rule, "note", text, names)


@_check("identical columns")
def same_columns(facts: Facts) -> Iterator[Observation]:
    """Looks for columns that hold the same value in every row."""
    probe = _draw(facts.table.rows, 1000)
    groups: dict[bytes, list[Column]] = {}
    for column in facts.features:
        if column.is_constant or not len(column.present):
            continue
        alike = groups.setdefault(column.hashes(probe).tobytes(), [])
        twin = next((each for each in alike if (each.hashes() == column.hashes()).all()), None)
        if twin is not None:
            text = f"Columns {twin.name!r} and {column.name!r} are identical; one of them suffices."
            yield Observation("same_columns", "note", text, (twin.name, column.name))
        alike.append(column)


@_check("values out of all proportion")
def scale(facts: Facts) -> Iterator[Observation]:
    """Looks for sizes that leave no digits to learn from. Thresholds: HUGE, SQUEEZED, LOST_DIGITS."""
    for column in facts.features:
        if not column.is_number or column.is_constant or not len(column.present) or column.is_identifier:
            continue
        values = column.present
        largest = max(abs(values.min()), abs(values.max()))
        if largest > OVERFLOWS:
            continue
        mean, sd = values.mean(), values.std()
        low, high = column.middle[[int(0.025 * len(column.middle)), int(0.975 * (len(column.middle) - 1))]]
        name = (column.name,)
        if sd > 0 and high > low and (high - low) / sd < SQUEEZED:
            size = np.abs(np.nan_to_num(column.values.astype(np.float64), posinf=0, neginf=0))
            wild = np.flatnonzero(size >= 0.1 * largest)
            text = (
                f"Column {column.name!r} reaches {largest:.3g} in {_rows(len(wild))}, first in data row "
                f"{facts.rows(wild)[0]:,}, while 95 % of its values lie between {low:.4g} and {high:.4g}: nothing else "
                "in it can be told apart; mend the values, or leave them empty."
            )
            yield Observation("scale_outlier", "warn", text, name, facts.rows(wild))
        elif sd > 0 and abs(mean) / sd > LOST_DIGITS:
            text = (
                f"Column {column.name!r} varies by {sd:.2g} about {mean:.6g}: too few digits are left to learn from; "
                "subtract a constant before it is saved."
            )
            yield Observation("scale_offset", "warn", text, name)
        elif largest > HUGE:
            level = "note" if column.values.dtype.kind in "iu" else "warn"
            text = f"Column {column.name!r} reaches {largest:.3g}; check its unit, or leave it out if it is a code."
            yield Observation("scale_huge", level, text, name)


@_check("zeros and codes that stand for missing")
def placeholders(facts: Facts) -> Iterator[Observation]:
    """Looks for zeros, and for codes such as -999, far from all other values of a column.

    Zeros: all values are at least 0, a share within ZEROS is 0, the next value is far (ZERO_GAP). Counts, 0/1 columns
    and amounts that often are 0 stay silent. Codes: SENTINELS at the end of the values, at least three times, with a
    gap of SENTINEL_GAP. Source: pima-diabetes (blood pressure 0), adult (capital-gain 99999).
    """
    zeros = []
    for column in facts.features:
        if not column.is_number or column.is_constant or not len(column.present) or column.is_identifier:
            continue
        values = column.present
        low, high = values.min(), values.max()
        if low == 0:
            share = 1 - np.count_nonzero(values) / len(values)
            if ZEROS[0] <= share <= ZEROS[1] and _zero_is_apart(column):
                zeros.append((column, share))
        for code in {low, high} & set(SENTINELS):
            count = int((values == code).sum())
            if count < 3 or count > len(values) / 2:
                continue
            others = values[values != code]
            gap = max(others.min() - code, code - others.max())
            width = others.max() - others.min()
            many = len(np.unique(column.middle)) > 10
            if many and gap >= SENTINEL_GAP * width and (abs(code) > 9 or gap > 3 * _step(column)):
                text = (
                    f"Column {column.name!r} is {code:g} in {_rows(count)}, far from all other values "
                    f"({others.min():g} to {others.max():g}); if that stands for missing, leave it empty."
                )
                where = np.flatnonzero(column.values == code)
                yield Observation("sentinel", "note", text, (column.name,), facts.rows(where))
    if zeros:
        names = tuple(column.name for column, _ in zeros)
        each = listing(f"{column.name!r} ({share:.1%})" for column, share in zeros)
        text = f"Zero lies far below all other values of {each}; if it stands for missing there, leave it empty."
        yield Observation("zeros_missing", "note", text, names)


def _zero_is_apart(column: Column) -> bool:
    """Whether zero is far below the next value, beside the usual step between the next ones and the median."""
    above = column.middle[column.middle > 0]
    distinct = np.unique(above)
    if len(distinct) < COPY_ROWS:
        return False
    steps = np.diff(distinct[:11])
    return bool(distinct[0] >= ZERO_GAP[0] * np.median(above) and distinct[0] >= ZERO_GAP[1] * np.median(steps))


def _step(column: Column) -> float:
    """The usual step between different values."""
    return float(np.median(np.diff(np.unique(column.middle))))


@_check("identifiers and dates")
def identifier(facts: Facts) -> Iterator[Observation]:
    """Looks for columns that number the rows, and for dates written as text (95 % of up to 200 values)."""
    yield from _of_columns(
        "identifier",
        [column for column in facts.features if column.is_identifier],
        "a number of the row: whole, each once, in order; leave it out unless the order means something",
    )
    for column in facts.features:
        if column.is_text and len(column.present):
            some = column.present[_draw(len(column.present), 200)].tolist()
            if sum(DATE.fullmatch(text) is not None for text in some) >= 0.95 * len(some):
                text = (
                    f"Column {column.name!r} holds dates such as {min(some)!r}; parts drawn at random mix past and "
                    "future: to predict the future, split by date."
                )
                yield Observation("date", "note", text, (column.name,))


@_check("numbers mixed with text, spellings, words for missing")
def text_columns(facts: Facts) -> Iterator[Observation]:
    """Looks for text that is nearly all numbers, levels that differ in spelling only, and words for missing."""
    for column in facts.features:
        if not column.is_text or not len(column.present):
            continue
        levels = column.levels
        words = [level for level in levels if level.strip().lower() in MISSING_WORDS]
        if words:
            text = (
                f"Column {column.name!r} is {words[0]!r} in {_rows(levels[words[0]])}, which seems to stand for "
                "missing; leave it empty."
            )
            yield Observation("missing_word", "note", text, (column.name,))
        if len(levels) <= SAMPLE:
            wrong = [level for level in levels if not _is_numeric(level)]
            rows = sum(levels[level] for level in wrong)
            if 0 < rows <= 0.1 * len(column.present) and len(levels) - len(wrong) > 5:
                text = (
                    f"Column {column.name!r} is a number but for {_rows(rows)} such as {min(wrong)!r}, and so is taken "
                    "as text; mend them, or leave them empty."
                )
                where = np.flatnonzero(np.isin(column.values, objects(wrong[:SHOWN], len(wrong[:SHOWN]))))
                yield Observation("number_as_text", "note", text, (column.name,), facts.rows(where))
        if len(levels) <= 100:
            for one, other in _variants(levels):
                text = f"Column {column.name!r} has both {one!r} and {other!r}; if they mean the same, make them one."
                yield Observation("spelling", "note", text, (column.name,))
                break


# Size


@_check("too few rows")
def size(facts: Facts) -> Iterator[Observation]:
    """Notes parts too small to judge by (FEW_TO_JUDGE) and fewer training rows than features."""
    small = [
        f"{name} has {_rows(len(part))}"
        for name, part in (("dev", facts.parts.dev), ("test", facts.parts.test))
        if 0 < len(part) < FEW_TO_JUDGE
    ]
    if small:
        yield Observation("few_to_judge", "note", f"{' and '.join(small)}: the intervals of its figures will be wide.")
    wide = sum(_width(column, len(facts.parts.train)) for column in facts.features)
    wide += sum(block.shape[1] for block in facts.blocks.values())
    if len(facts.parts.train) < wide:
        text = (
            f"There are {len(facts.parts.train):,} training rows and about {wide:,} features: a network can learn the "
            "rows by heart; add rows, leave columns out, or use stronger regularisation."
        )
        yield Observation("few_rows", "note", text)


def _width(column: Column, rows: int) -> int:
    """About how many features a column becomes: text of many levels is set aside or embedded."""
    return len(column.levels) if column.is_text and len(column.levels) <= min(100, rows / 2) else 1


def _draw(rows: int, most: int) -> np.ndarray:
    """At most `most` row numbers in random order, always the same ones. Shapes: -> (row,)."""
    rng = np.random.Generator(np.random.Philox(key=20_21))
    if rows <= 4 * most:
        return rng.permutation(rows)[:most]
    return rng.permutation(np.unique(rng.integers(0, rows, most)))


def _is_narrow(values: np.ndarray) -> bool:
    return values.ndim == 2 and values.dtype != np.uint8 and values.shape[1] <= NARROW


def _block_hashes(block: np.ndarray) -> np.ndarray:
    """A number for each row of a block, the same for the same row. Shapes: (row, feature) -> (row,), uint64."""
    found = np.empty(len(block), np.int64)
    for start in range(0, len(block), 1024):
        rows = np.ascontiguousarray(block[start : start + 1024])
        if rows.dtype.kind == "f":
            rows = rows + rows.dtype.type(0)  # -0.0 becomes 0.0
        found[start : start + 1024] = [hash(row.tobytes()) for row in rows]
    return found.view(np.uint64)


def _mix(values: np.ndarray, number: int) -> np.ndarray:
    """Spreads 64 bits over 64 bits, differently for each number (splitmix64, Steele et al. 2014)."""
    x = values + np.uint64((number * 0x9E3779B97F4A7C15 + 0xD1B54A32D192ED03) % 2**64)
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return x


def _total(parts: Iterable[np.ndarray]) -> np.ndarray:
    """The sum of 64-bit numbers, without what overflows."""
    found = iter(parts)
    total = next(found).copy()
    for each in found:
        total += each
    return total


def _upper(count: int, of: int) -> float:
    """Upper end of the 95 % interval of a share. Source: Wilson 1927."""
    return 1 - _lower(of - count, of)


def _lower(count: int, of: int) -> float:
    """Lower end of the 95 % interval of a share. Source: Wilson 1927."""
    if of == 0:
        return 0.0
    share = count / of
    centre = share + Z**2 / (2 * of)
    return (centre - Z * math.sqrt(share * (1 - share) / of + Z**2 / (4 * of**2))) / (1 + Z**2 / of)


def _variants(levels: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """Pairs of texts that differ only in case, outer spaces or a final dot."""
    known: dict[str, str] = {}
    for level in sorted(levels):
        plain = " ".join(level.split()).rstrip(".").casefold()
        if plain and known.setdefault(plain, level) != level:
            yield known[plain], level


def _is_numeric(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _rows(count: int) -> str:
    return f"{count:,} {'row' if count == 1 else 'rows'}"


def _columns(names: tuple[str, ...]) -> str:
    return f"{'Column' if len(names) == 1 else 'Columns'} {listing(map(repr, names))}"


def _classes(column: Column, rows: np.ndarray) -> str:
    values = column.values[rows].tolist()
    return f"{'Class' if len(values) == 1 else 'Classes'} {listing(repr(value) for value in values)}"


def _are(each: np.ndarray) -> str:
    return "is" if len(each) == 1 else "are"


def _have(each: np.ndarray) -> str:
    return "has" if len(each) == 1 else "have"
