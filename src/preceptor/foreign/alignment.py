"""Two rows laid beside each other, so that as many entries as possible fit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from preceptor.errors import DataError

MOST = 4_000_000  # pairs that are looked at: some seconds; networks of 2,000 layers


@dataclass(frozen=True)
class Alignment:
    """The longest alignment.

    Args:
        pairs: positions (here, there), both rising.
        tie: an entry's two choices, ((here, there), (here, there)), where another alignment is as long.
    """

    pairs: tuple[tuple[int, int], ...]
    tie: tuple[tuple[int, int], tuple[int, int]] | None = None


def align(ours: Sequence[Any], theirs: Sequence[Any], fits: Callable[[Any, Any], bool]) -> Alignment:
    """The longest common subsequence, and whether it is the only one.

    Formula: before[i, j] is the length of the best of the first i and j entries, after[i, j] that of those from i and j
        on. A pair that fits is part of a longest one where before[i, j] + 1 + after[i + 1, j + 1] is the whole length,
        and then its place in it is before[i, j]: it is the only one if each place has one such pair.
    Raises: DataError where there are too many.
    """
    n, m = len(ours), len(theirs)
    if n * m > MOST:
        raise DataError(f"{n:,} layers and {m:,} weights; by order at most {MOST:,} pairs can be compared. Use --map.")
    fitting = [[fits(a, b) for b in theirs] for a in ours]
    before = [[0] * (m + 1) for _ in range(n + 1)]
    after = [[0] * (m + 1) for _ in range(n + 1)]
    for i in range(n):
        for j in range(m):
            one = before[i][j] + 1 if fitting[i][j] else 0
            before[i + 1][j + 1] = max(one, before[i][j + 1], before[i + 1][j])
    for i in reversed(range(n)):
        for j in reversed(range(m)):
            one = after[i + 1][j + 1] + 1 if fitting[i][j] else 0
            after[i][j] = max(one, after[i + 1][j], after[i][j + 1])
    whole = before[n][m]
    places: list[list[tuple[int, int]]] = [[] for _ in range(whole)]
    for i in range(n):
        for j in range(m):
            if fitting[i][j] and before[i][j] + 1 + after[i + 1][j + 1] == whole:
                places[before[i][j]].append((i, j))
    tie = next(((each[0], each[1]) for each in places if len(each) > 1), None)
    return Alignment(tuple(each[0] for each in places), tie)
