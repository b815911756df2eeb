"""Work shared out to threads, for work that lets other threads run: decoding, arrays, files."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def cores() -> int:
    """How many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_parallel(work: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """The results of `work` for each item, in the order of the items.

    What is not begun when the caller stops (an error, Ctrl-C) is not done.

    Args:
        workers: threads; with 1 all is done in the caller's own.
    """
    if workers <= 1:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(work, items)


def runs(count: int, length: int) -> list[tuple[int, int]]:
    """range(count) cut into runs of at most this length: start and end of each."""
    return [(start, min(start + length, count)) for start in range(0, count, length)]
