"""Which rows train, which guide the choices (dev), and which are kept for the end (test)."""

from dataclasses import dataclass

import numpy as np

from preceptor.errors import DataError


@dataclass(frozen=True)
class Split:
    """Row numbers of the three parts, each sorted; together every row exactly once.

    Shapes: train, dev, test (row,), int64.
    """

    train: np.ndarray
    dev: np.ndarray
    test: np.ndarray


def split(
    rows: int, *, dev: float = 0.15, test: float = 0.15, seed: int = 0, labels: np.ndarray | None = None
) -> Split:
    """Draws train, dev and test rows at random, from the seed alone.

    With labels, each class is shared out in proportion: its rows in a part are the exact share rounded up or down, and
    what rounding takes from one class it gives to the next, so that the parts' sizes stay right as well. A class that
    is too small for all parts goes to train first.

    Shapes: labels (row,).

    Args:
        rows: number of rows to share out.
        dev, test: shares of the rows, 0 (no such part) to less than 1. Default 0.15 each: conventional.
        seed: any whole number of at least 0.
        labels: the class of each row, or None for a plain random split.

    Raises: DataError where the shares are impossible or a part that was asked for would be empty.
    """
    if not (0 <= dev < 1 and 0 <= test < 1 and dev + test < 1):
        raise DataError(
            f"split: the shares are dev {dev:g} and test {test:g}; each must be at least 0 and their sum below 1. "
            "Leave them out for 0.15 and 0.15."
        )
    if labels is not None and np.shape(labels) != (rows,):
        raise DataError(
            f"split: labels have shape {np.shape(labels)}; one label for each of the {rows:,} rows is needed. "
            "Pass the target column of the same rows."
        )
    codes = np.zeros(rows, np.int64) if labels is None else np.unique(labels, return_inverse=True)[1]
    sizes = np.bincount(codes, minlength=1)
    counts = _shares(sizes, np.array([1 - dev - test, dev, test]))
    among = "" if labels is None else f" in {np.count_nonzero(sizes):,} classes"
    for name, share, count in zip(("train", "dev", "test"), (1.0, dev, test), counts.sum(axis=0), strict=True):
        if share > 0 and count == 0:
            raise DataError(
                f"split: {rows:,} rows{among} leave the {name} part empty; every part needs at least one row. "
                "Give more rows, or other shares."
            )

    # Counter block 1 keeps these numbers apart from those of order.py, which count from 0 under the same key.
    generator = np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, 0, 1]))
    shuffled = generator.permutation(np.arange(rows, dtype=np.int32 if rows < 2**31 else np.int64))
    by_class = shuffled[np.argsort(codes[shuffled], kind="stable")]
    part = np.repeat(np.tile(np.arange(3, dtype=np.int8), len(sizes)), counts.ravel())
    return Split(*(np.sort(by_class[part == number]).astype(np.int64) for number in range(3)))


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
