"""What a training takes at the least, and what is free: too large a network is refused in words, before it is drawn."""

from collections.abc import Iterator
from contextlib import contextmanager

from preceptor.errors import ConfigError
from preceptor.machine import free_memory
from preceptor.words import amount

GIB = 2**30
CURE = "Take a smaller network, or a machine with more memory."


def check_parameters(count: int, needed: int) -> None:
    """Raises ConfigError where `count` parameters, with all that is kept of them, need more bytes than are free."""
    free = free_memory()
    if free is not None and needed > free:
        raise ConfigError(
            f"fit: the network has {count:,} parameters; to train them takes at least {gib(needed)}, and {gib(free)} "
            f"are free. {CURE}"
        )


def check_step(step_bytes: int | None, rows: int, kept_bytes: int) -> None:
    """Raises ConfigError where a step over so many rows, and what is kept from step to step, need more memory than is
    free."""
    free = free_memory()
    if free is not None and (step_bytes or 0) + kept_bytes > free:
        raise ConfigError(
            f"fit: training takes {gib(step_bytes or 0)} of memory for a step over {rows:,} rows and {gib(kept_bytes)} "
            f"for the weights and what is kept of them; {gib(free)} are free. Take fewer rows at once (batch_size), "
            "walk them in pieces (accumulate), or take a smaller network."
        )


@contextmanager
def in_words(what: str) -> Iterator[None]:
    """Turns a lack of memory into a ConfigError that says for what it did not suffice, and what is free."""
    try:
        yield
    except MemoryError as error:
        free = free_memory()
        asked = f" ({str(error).rstrip('.')})" if str(error) else ""
        room = f"; {gib(free)} are free" if free is not None else ""
        raise ConfigError(f"fit: the memory does not suffice for {what}{asked}{room}. {CURE}") from None


def gib(size: int) -> str:
    """Bytes as people write them."""
    unit, name = (GIB, "GiB") if size >= GIB else (2**20, "MiB")
    return f"{amount(size / unit, 3)} {name}"
