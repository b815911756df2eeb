"""Work shared out to threads, for work that lets other threads run: decoding, arrays, files."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_parallel(
    work: Callable[[Item], Result], items: Sequence[Item], workers: int, *, at_once: int = 1
) -> Iterator[Result]:
    """The results of `work` for each item, in the order of the items.

    When the caller stops (an error, Ctrl-C), each thread ends after the item that it works on.

    Args:
        workers: threads; with 1 all is done in the caller's own.
        at_once: items that a thread takes at a time.
    """
    if workers <= 1:
        yield from map(work, items)
        return
    ended = Event()

    def some(run: tuple[int, int]) -> list[Result]:
        return [work(item) for item in items[slice(*run)] if not ended.is_set()]

    with ThreadPoolExecutor(workers) as pool:
        try:
            for results in pool.map(some, runs(len(items), at_once)):
                yield from results
        finally:
            ended.set()


def runs(count: int, length: int) -> list[tuple[int, int]]:
    """range(count) cut into runs of at most this length: start and end of each."""
    return [(start, min(start + length, count)) for start in range(0, count, length)]
