"""Which rows judge a learning curve, and which teach at each of its sizes."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from preceptor.data import Split, Table, split
from preceptor.errors import DataError
from preceptor.job.picture_survey import PictureSurvey
from preceptor.job.settings import Settings
from preceptor.job.survey import Survey

JUDGES = 0.15  # of the rows that would teach, as large a share as other parts have: conventional
FEWEST_JUDGES = 20  # with fewer no figure tells anything
Seen = TypeVar("Seen", bound=Survey | PictureSurvey)


def rank_rows(labels: np.ndarray | None, groups: np.ndarray | None, seed: int, rows: int) -> np.ndarray:
    """The rows in the order in which a growing part takes them, drawn from the seed alone.

    Of classes any beginning has about as large a share of each as all rows, and each class has a row among the first.
    Of groups each is taken whole, in random order, those first that bring a class that was not there.

    Shapes: labels, groups (row,) -> (row,), row numbers.
    """
    generator = np.random.Generator(
        np.random.Philox(key=seed, counter=[0, 0, 0, 3])
    )  # apart from `split`, `draw_folds`
    shuffled = generator.permutation(rows)
    if groups is not None:
        code = codes_of([groups])
        place = generator.permutation(int(code.max()) + 1)
        if labels is not None:
            by_group = np.argsort(place[code], kind="stable")
            firsts = by_group[np.unique(labels[by_group], return_index=True)[1]]
            place[np.unique(code[firsts])] -= len(place)
        return shuffled[np.argsort(place[code[shuffled]], kind="stable")]
    if labels is None:
        return shuffled
    by_class = np.argsort(labels[shuffled], kind="stable")
    sizes = np.unique(labels, return_counts=True)[1]
    rank = np.concatenate([np.arange(size) for size in sizes])
    share = np.empty(rows)
    share[by_class] = np.where(rank == 0, 0.0, (rank + 0.5) / np.repeat(sizes, sizes))
    return shuffled[np.argsort(share, kind="stable")]


def codes_of(columns: Iterable[np.ndarray]) -> np.ndarray:
    """The same number for rows that are equal in all columns, from 0; missing is a value. Shapes: (row,) -> (row,)."""
    code: np.ndarray | None = None
    for values in columns:
        for each in values.reshape(len(values), -1).T:
            plain = each.astype(str) if each.dtype == object else each
            own = np.unique(plain, return_inverse=True)[1].astype(np.int64)
            code = own if code is None else np.unique(code * (int(own.max()) + 1) + own, return_inverse=True)[1]
    assert code is not None
    return code


def divide(seen: Seen, seed: int) -> tuple[Seen, np.ndarray]:
    """What was read, with a part of the rows that would teach set aside to judge, and those left in the order in which
    sizes take them.

    The judges stand where the test rows stood, which nobody looks at. Where the gate warns of rows that repeat others,
    no judge has a copy of itself among those that teach: else memory would count as learning, the more the more rows.

    Returns: what was seen; row numbers of the place where its parts count (of a table its usable rows).
    Raises: DataError where there are too few rows.
    """
    parts = seen.seen_parts if isinstance(seen, Survey) else seen.parts
    labels, groups = _labels(seen, parts.train), _groups(seen, parts.train)
    count = len(parts.train)
    if round(count * JUDGES) < FEWEST_JUDGES:
        raise DataError(
            f"{seen.table.name}: {count:,} rows to learn from; at least {round(FEWEST_JUDGES / JUDGES):,} are required "
            "for a learning curve, of which 15 % judge. Give more rows."
        )
    together = groups if groups is not None or not has_copies(seen) else _copies(seen, parts.train)
    drawn = split(count, dev=0, test=JUDGES, seed=seed, labels=labels, groups=together)
    left = drawn.train
    own, whole = (None if each is None else each[left] for each in (labels, groups))
    ranked = left[rank_rows(own, whole, seed, len(left))]
    return of_parts(seen, Split(parts.train[left], parts.dev, parts.train[drawn.test]), seed), parts.train[ranked]


def of_parts(seen: Seen, parts: Split, seed: int | None = None) -> Seen:
    """What was read, divided otherwise; with a seed of its own, if one is given."""
    changes: dict[str, Any] = {"parts": parts}
    if isinstance(seen, PictureSurvey):
        return replace(seen, **changes)
    changes["seen_parts"], changes["parts"] = parts, Split(*(seen.numbers[each] for each in _each(parts)))
    if seed is not None:
        changes["settings"] = replace(seen.settings, seed=seed)
    return replace(seen, **changes)


def taught_by(seen: Seen, rows: np.ndarray) -> Seen:
    """What was read, with these rows alone to learn from."""
    parts = seen.seen_parts if isinstance(seen, Survey) else seen.parts
    return of_parts(seen, Split(np.sort(rows), parts.dev, parts.test))


def seeds_of(settings: Settings, repeats: int) -> list[int]:
    """A seed for each repeat: of its division, its networks and the order of its rows."""
    return [int(np.random.default_rng([settings.seed, 15, each]).integers(2**31)) for each in range(repeats)]


def _each(parts: Split) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return parts.train, parts.dev, parts.test


def _labels(seen: Survey | PictureSurvey, rows: np.ndarray) -> np.ndarray | None:
    """The classes of some rows; None of a number."""
    if isinstance(seen, PictureSurvey):
        return None if seen.table.labels is None else seen.table.labels[rows]
    if seen.stratifying is None:
        return None
    assert isinstance(seen.table, Table)
    values = seen.seen.column(seen.stratifying)[rows]
    return values.astype(str) if values.dtype == object else values


def has_copies(seen: Survey | PictureSurvey) -> bool:
    """Whether rows of a table repeat others so often that the gate warns of it."""
    return isinstance(seen, Survey) and any(each.rule == "duplicates" and each.level == "warn" for each in seen.found)


def _copies(seen: Survey | PictureSurvey, rows: np.ndarray) -> np.ndarray:
    """The same number for rows that are equal in every column that is learned from, and in the target."""
    assert isinstance(seen, Survey)
    aside = {*(seen.settings.leave_out or ()), *seen.identifiers}
    return codes_of(values[rows] for name, values in seen.seen.columns.items() if name not in aside)


def _groups(seen: Survey | PictureSurvey, rows: np.ndarray) -> np.ndarray | None:
    """What must not be parted, of some rows: groups that were asked for, or equal pictures."""
    if isinstance(seen, PictureSurvey):
        hashes = seen.table.content_hashes()[rows]
        return hashes if len(np.unique(hashes)) < len(hashes) else None
    group = seen.settings.group
    return None if group is None else seen.seen.column(group)[rows]


__all__ = [
    "FEWEST_JUDGES",
    "JUDGES",
    "codes_of",
    "divide",
    "has_copies",
    "of_parts",
    "rank_rows",
    "seeds_of",
    "taught_by",
]
