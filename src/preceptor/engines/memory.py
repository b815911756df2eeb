"""How much memory there is still to be had, asked before much of it is taken: the system would promise it and end the
process later."""

from collections.abc import Iterator
from contextlib import contextmanager

from preceptor.errors import MemoryNeeded
from preceptor.machine import free_memory

RUN, STEP, STATE = "the computation", "a step of the training", "the state of the training"
CURE = "Take a smaller batch, a smaller network or less data, or free memory."


def require_memory(needed: int, what: str) -> None:
    """Refuses what cannot be had.

    Args:
        needed: bytes.
        what: needs them; with its article, as in "a step of the training".
    Raises: MemoryNeeded where that is more than is free, with both numbers.
    """
    free = free_memory()
    if free is not None and needed > free:
        raise MemoryNeeded(f"memory: {what} needs {in_units(needed)}; {in_units(free)} are free. {CURE}")


@contextmanager
def memory_named(what: str) -> Iterator[None]:
    """Says what needed memory where the system or a library refuses it.

    Raises: MemoryNeeded in place of any other MemoryError.
    """
    try:
        yield
    except MemoryNeeded:
        raise
    except MemoryError as error:
        refused = str(error).rstrip(".")
        free = free_memory()
        left = "" if free is None else f"; {in_units(free)} are free"
        raise MemoryNeeded(f"memory: {what} could not have it ({refused or 'refused'}){left}. {CURE}") from None


def in_units(count: int) -> str:
    """Bytes as a person writes them: 1.5 GiB, 20 MiB."""
    for unit, size in (("TiB", 2**40), ("GiB", 2**30)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count / 2**20:,.0f} MiB"
