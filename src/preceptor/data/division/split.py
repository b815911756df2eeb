"""Which rows train, which guide the choices (dev), and which are kept for the end (test)."""

from dataclasses import dataclass

import numpy as np

from preceptor.errors import DataError
from preceptor.words import counted, listing

PARTS = ("train", "dev", "test")
USUAL_SHARE = 0.15  # of the rows for dev, and as many for test: conventional
PART_WORDS = {"train": 0, "training": 0, "dev": 1, "development": 1, "validation": 1, "valid": 1, "val": 1}
PART_WORDS |= {"test": 2, "testing": 2}


class TooFewGroups(DataError):
    """Raised where fewer groups than parts are to be divided.

    Args:
        rows: how many rows the groups have.
        groups, parts: how many there are, and are asked for.
    """

    def __init__(self, rows: int, groups: int, parts: int) -> None:
        super().__init__(
            f"split: the rows belong to {counted(groups, 'group')}; each of {parts} parts needs at least one. Name "
            "another column, or leave a part out."
        )
        self.rows, self.groups, self.parts = rows, groups, parts

    def __reduce__(self) -> tuple[type["TooFewGroups"], tuple[int, int, int]]:
        return TooFewGroups, (self.rows, self.groups, self.parts)


@dataclass(frozen=True, eq=False)
class Split:
    """Row numbers of the three parts, each sorted; together every row exactly once.

    Shapes: train, dev, test (row,), int64.
    """

    train: np.ndarray
    dev: np.ndarray
    test: np.ndarray


def split(
    rows: int,
    *,
    dev: float = USUAL_SHARE,
    test: float = USUAL_SHARE,
    seed: int = 0,
    labels: np.ndarray | None = None,
    groups: np.ndarray | None = None,
) -> Split:
    """Draws train, dev and test rows at random, from the seed alone.

    With labels, each class is shared out in proportion: its rows in a part are the exact share rounded up or down, and
    what rounding takes from one class it gives to the next, so that the parts' sizes stay right as well. A class that
    is too small for all parts goes to train first.

    With groups, all rows of a group (a patient, a customer) come to the same part; sizes and classes are then as near
    to the shares as the groups allow.

    Shapes: labels, groups (row,).

    Args:
        rows: number of rows to share out.
        dev, test: shares of the rows, 0 (no such part) to less than 1. Default 0.15 each: conventional.
        seed: any whole number of at least 0.
        labels: the class of each row, or None for a plain random split.
        groups: what each row belongs to, of any kind; rows where it is missing are one group. None: no groups.

    Raises: DataError where the shares are impossible or a part that was asked for would be empty; TooFewGroups.
    """
    _check_shares(dev, test)
    for name, each, cure in (("labels", labels, "target"), ("groups", groups, "group")):
        if each is not None and np.shape(each) != (rows,):
            raise DataError(
                f"split: {name} have shape {np.shape(each)}; one for each of the {rows:,} rows is needed. "
                f"Pass the {cure} column of the same rows."
            )
    codes = np.zeros(rows, np.int64) if labels is None else np.unique(labels, return_inverse=True)[1]
    # Counter block 1 keeps these numbers apart from those of order.py, which count from 0 under the same key.
    generator = np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, 0, 1]))
    shares = np.array([1 - dev - test, dev, test])
    if groups is not None:
        return _as_split(_parts_of_groups(_codes(groups), codes, shares, generator))

    sizes = np.bincount(codes, minlength=1)
    counts = _shares(sizes, shares)
    among = "" if labels is None else f" in {np.count_nonzero(sizes):,} classes"
    for name, share, count in zip(PARTS, (1.0, dev, test), counts.sum(axis=0), strict=True):
        if share > 0 and count == 0:
            raise DataError(
                f"split: {rows:,} rows{among} leave the {name} part empty; every part needs at least one row. "
                "Give more rows, or other shares."
            )
    shuffled = generator.permutation(np.arange(rows, dtype=np.int32 if rows < 2**31 else np.int64))
    by_class = shuffled[np.argsort(codes[shuffled], kind="stable")]
    part = np.repeat(np.tile(np.arange(3, dtype=np.int8), len(sizes)), counts.ravel())
    return Split(*(np.sort(by_class[part == number]).astype(np.int64) for number in range(3)))


def draw_folds(
    rows: int, count: int, *, seed: int = 0, labels: np.ndarray | None = None, groups: np.ndarray | None = None
) -> np.ndarray:
    """Draws a fold for each row at random, from the seed alone: all of nearly one size, each class shared out evenly.

    With groups, all rows of a group come to the same fold; sizes and classes are then as near as the groups allow.

    Shapes: labels, groups (row,) -> (row,), int32, from 0 to count - 1.
    Raises: DataError where there are fewer rows, or groups, than folds.
    """
    generator = np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, 0, 2]))  # apart from `split`, `order`
    codes = np.zeros(rows, np.int64) if labels is None else np.unique(labels, return_inverse=True)[1]
    if groups is not None:
        return _parts_of_groups(_codes(groups), codes, np.full(count, 1 / count), generator).astype(np.int32)
    if rows < count:
        raise DataError(f"split: {rows:,} rows for {count} folds; each needs at least one. Take fewer folds.")
    fold = np.empty(rows, np.int32)
    fold[np.lexsort((generator.permutation(rows), codes))] = np.arange(rows) % count
    return fold


def split_by_column(
    values: np.ndarray,
    *,
    dev: float = USUAL_SHARE,
    seed: int = 0,
    labels: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    numbers: np.ndarray | None = None,
) -> Split:
    """The split that a column of the table names: train, dev (validation, valid, val) or test in each row, in any case.

    Where no row is dev, that share of the train rows is drawn for it, as `split` draws. Where none is test, the test
    part stays empty: whoever names the parts keeps a test part elsewhere, or wants none.

    Shapes: values, labels, groups, numbers (row,).

    Args:
        values: the column, text.
        dev: share of the train rows to draw where none is named; 0 for no dev part.
        seed, labels, groups: of that draw, as of `split`.
        numbers: the rows' numbers in the file, from 0, for errors, where they are a part of it.

    Raises: DataError for other words, missing ones, and where there is no train row, or nothing but train rows.
    """
    texts = values.tolist() if values.ndim == 1 else [None]
    known = {text: PART_WORDS.get(text.strip().lower()) for text in set(texts) if isinstance(text, str)}
    wrong = next((row for row, text in enumerate(texts) if known.get(text) is None), None)
    if wrong is not None:
        raise DataError(
            f"split: the column of the parts holds {texts[wrong]!r} in {_row(wrong, numbers)}; each row needs one of "
            f"{listing(PART_WORDS, 20)}. Mend it, or name another column."
        )
    part = np.fromiter(map(known.__getitem__, texts), np.int8, len(texts))
    if not (part == 0).any() or not part.any():
        only = PARTS[int(part[0])] if len(part) and (part == part[0]).all() else "dev and test"
        raise DataError(
            f"split: the column of the parts holds {only} only; train rows and others are needed. "
            "Leave it out to have the rows drawn."
        )
    return split_by_part(part, dev=dev, seed=seed, labels=labels, groups=groups)


def split_by_part(
    part: np.ndarray,
    *,
    dev: float = USUAL_SHARE,
    seed: int = 0,
    labels: np.ndarray | None = None,
    groups: np.ndarray | None = None,
) -> Split:
    """The split in which row i belongs to part[i]: 0 train, 1 dev, 2 test, as where each part was a file of its own.

    Where no row is dev, that share of the train rows is drawn for it, as `split` draws.

    Shapes: part, labels, groups (row,).
    """
    found = _as_split(part)
    if len(found.dev) or not dev:
        return found
    own = found.train
    drawn = split(
        len(own),
        dev=dev,
        test=0,
        seed=seed,
        labels=None if labels is None else labels[own],
        groups=None if groups is None else groups[own],
    )
    return Split(own[drawn.train], own[drawn.dev], found.test)


def split_by_order(
    values: np.ndarray, *, dev: float = USUAL_SHARE, test: float = USUAL_SHARE, numbers: np.ndarray | None = None
) -> Split:
    """The rows with the smallest values train, the largest are the test part: the past judged by what came later.

    Rows of the same value come to the same part, so the sizes are as near to the shares as the values allow.

    Shapes: values (row,), numbers or dates; numbers (row,).

    Args:
        dev, test: shares of the rows, 0 (no such part) to less than 1.
        numbers: the rows' numbers in the file, from 0, for errors, where they are a part of it.

    Raises: DataError where a value is missing or text, or there are fewer different values than parts.
    """
    _check_shares(dev, test)
    if values.ndim != 1 or values.dtype.kind not in "iufM":
        raise DataError(
            "split: the column of times holds neither numbers nor dates; one of them is needed in every row. Name "
            "another column, or write its dates as 2024-01-31."
        )
    missing = np.isnat(values) if values.dtype.kind == "M" else np.isnan(values)
    if missing.any():
        raise DataError(
            f"split: the time is missing in {_row(int(np.argmax(missing)), numbers)}; every row needs one. "
            "Mend it, or leave the row out."
        )
    rows, order = len(values), np.argsort(values, kind="stable")
    ranked = values[order]
    starts = np.flatnonzero(ranked[1:] != ranked[:-1]) + 1  # places where a part may begin
    parts = 1 + bool(dev) + bool(test)
    if len(starts) < parts - 1:
        raise DataError(
            f"split: the column of times has {len(starts) + bool(rows)} different values; at least {parts}, one for "
            "each part, are needed. Name another column, or leave a part out."
        )
    test_start = _nearest(starts[1:] if dev else starts, rows * (1 - test)) if test else rows
    dev_start = _nearest(starts[starts < test_start], rows * (1 - dev - test)) if dev else test_start
    part = np.zeros(rows, np.int8)
    part[order[dev_start:]] = 1
    part[order[test_start:]] = 2
    return _as_split(part)


def _row(row: int, numbers: np.ndarray | None) -> str:
    return f"data row {(row if numbers is None else int(numbers[row])) + 1:,}"


def _nearest(places: np.ndarray, goal: float) -> int:
    return int(places[np.argmin(np.abs(places - goal))])


def _check_shares(dev: float, test: float) -> None:
    if not (0 <= dev < 1 and 0 <= test < 1 and dev + test < 1):
        raise DataError(
            f"split: the shares are dev {dev:g} and test {test:g}; each must be at least 0 and their sum below 1. "
            "Leave them out for 0.15 and 0.15."
        )


def _as_split(part: np.ndarray) -> Split:
    """The rows of each part. Shapes: part (row,), 0 to 2."""
    return Split(*(np.flatnonzero(part == number) for number in range(3)))


def _codes(values: np.ndarray) -> np.ndarray:
    """The same number for the same value, from 0; missing is a value. Shapes: (row,) -> (row,), int64."""
    if values.dtype != object:
        return np.unique(values, return_inverse=True)[1].astype(np.int64)
    known: dict[object, int] = {}
    return np.fromiter((known.setdefault(each, len(known)) for each in values.tolist()), np.int64, len(values))


def _parts_of_groups(
    groups: np.ndarray, codes: np.ndarray, shares: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """The part of each row, the same in a whole group.

    The groups are given out one after another, large ones first (groups within a factor of two in random order), each
    to the part where it makes the sum over parts and classes of (rows - share of the class)^2 / size of the class grow
    least. Shapes: groups, codes (row,), numbers from 0; shares (part,) -> (row,), int8.
    """
    sizes = np.bincount(groups)
    wanted = [part for part, share in enumerate(shares) if share > 0]
    if len(sizes) < len(wanted):
        raise TooFewGroups(len(groups), len(sizes), len(wanted))
    of_class = np.bincount(codes)
    cells, counts = np.unique(groups * len(of_class) + codes, return_counts=True)
    members: list[list[tuple[int, int]]] = [[] for _ in sizes]  # of each group: class, rows
    for cell, count in zip(cells.tolist(), counts.tolist(), strict=True):
        members[cell // len(of_class)].append((cell % len(of_class), count))
    missing = np.outer(shares, of_class).tolist()  # rows that each part still lacks of each class
    weight = np.divide(1.0, of_class, where=of_class > 0, out=np.zeros(len(of_class))).tolist()
    chosen = np.empty(len(sizes), np.int8)
    empty = set(wanted)
    for done, group in enumerate(np.argsort(-sizes * generator.uniform(0.5, 1, len(sizes)), kind="stable").tolist()):
        own = members[group]
        choice = sorted(empty) if len(empty) == len(sizes) - done else wanted
        part = max(choice, key=lambda each: sum(n * missing[each][c] * weight[c] for c, n in own))
        for c, n in own:
            missing[part][c] -= n
        chosen[group] = part
        empty.discard(part)
    return chosen[groups]


def _shares(sizes: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """How many rows of each class go to each part: every entry is the exact share rounded up or down.

    The rows left over after rounding down go, at most one to a part, to the parts that stand furthest below their share
    of the classes done so far. Classes are taken from small to large: the large ones even out what the small could not.

    Shapes: sizes (class,); shares (part,) -> (class, part).
    """
    exact = sizes[:, None] * shares
    counts = np.floor(exact + 1e-9).astype(np.int64)  # 1e-9: 0.15 * 100 must not become 14
    owed = np.zeros(len(shares))
    for each in np.argsort(sizes, kind="stable"):
        owed += exact[each] - counts[each]
        left = sizes[each] - counts[each].sum()
        wish = np.where(exact[each] - counts[each] > 1e-9, owed, -np.inf)
        if counts[each, 0] == 0:
            wish[0] = np.inf
        extra = np.argsort(-wish, kind="stable")[:left]
        counts[each, extra] += 1
        owed[extra] -= 1
    return counts
