"""What a training takes at the least, and what is free: too large a network is refused in words, before it is drawn."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from preceptor.errors import ConfigError
from preceptor.words import amount

if sys.platform != "win32":
    import resource

GIB = 2**30
CURE = "Take a smaller network, or a machine with more memory."


def free_bytes() -> int | None:
    """Memory that this process can still have: the least of what the machine, its group of processes and its own limits
    leave; None where nothing tells."""
    found = [_machine(), _group(), *_limits()]
    return min((each for each in found if each is not None), default=None)


def _machine() -> int | None:
    try:
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        return 1024 * sum(int(lines[name].split()[0]) for name in ("MemAvailable", "SwapFree"))
    except (OSError, KeyError, ValueError):
        names = getattr(os, "sysconf_names", {})
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if "SC_PHYS_PAGES" in names else None


def _group(root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """What a container leaves; what it holds of files counts as free, for it is given back when asked for."""
    try:
        most = int((root / "memory.max").read_text())  # "max" where there is no limit
        held = dict(line.split() for line in (root / "memory.stat").read_text().splitlines())
        return most - int((root / "memory.current").read_text()) + int(held.get("inactive_file", 0))
    except (OSError, ValueError):
        return None


def _limits() -> Iterator[int]:
    """What `ulimit -v` and `ulimit -d` leave."""
    if sys.platform != "linux":
        return
    pages = [int(each) for each in Path("/proc/self/statm").read_text().split()]
    for limit, used in ((resource.RLIMIT_AS, pages[0]), (resource.RLIMIT_DATA, pages[5])):
        soft = resource.getrlimit(limit)[0]
        if soft != resource.RLIM_INFINITY:
            yield max(soft - used * resource.getpagesize(), 0)


def check_parameters(count: int, needed: int) -> None:
    """Raises ConfigError where `count` parameters, with all that is kept of them, need more bytes than are free."""
    free = free_bytes()
    if free is not None and needed > free:
        raise ConfigError(
            f"fit: the network has {count:,} parameters; to train them takes at least {gib(needed)}, and {gib(free)} "
            f"are free. {CURE}"
        )


def check_step(step_bytes: int | None, rows: int, kept_bytes: int) -> None:
    """Raises ConfigError where a step over so many rows, and what is kept from step to step, need more memory than is
    free."""
    free = free_bytes()
    if free is not None and (step_bytes or 0) + kept_bytes > free:
        raise ConfigError(
            f"fit: training takes {gib(step_bytes or 0)} of memory for a step over {rows:,} rows and {gib(kept_bytes)} "
            f"for the weights and what is kept of them; {gib(free)} are free. Take fewer rows at once (batch_size), "
            "walk them in pieces (accumulate), or take a smaller network."
        )


@contextmanager
def in_words(what: str) -> Iterator[None]:
    """Turns a lack of memory into a ConfigError that says for what it did not suffice, and what was free before."""
    free = free_bytes()
    try:
        yield
    except MemoryError as error:
        asked = f" ({str(error).rstrip('.')})" if str(error) else ""
        room = f"; {gib(free)} were free" if free is not None else ""
        raise ConfigError(f"fit: the memory does not suffice for {what}{asked}{room}. {CURE}") from None


def gib(size: int) -> str:
    """Bytes as people write them."""
    unit, name = (GIB, "GiB") if size >= GIB else (2**20, "MiB")
    return f"{amount(size / unit, 3)} {name}"
