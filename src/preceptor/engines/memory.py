"""How much memory there is still to be had, asked before much of it is taken: the system would promise it and end the
process later."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from preceptor.errors import MemoryNeeded

PROC, GROUPS = Path("/proc"), Path("/sys/fs/cgroup")
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


def free_memory() -> int | None:
    """Bytes that this process can still take: the least of what the system, the groups of processes that it belongs to
    and its own limits leave. None where none of them tells."""
    left = [_system(), *_groups(), *_own_limits()]
    known = [each for each in left if each is not None]
    return max(min(known), 0) if known else None


def in_units(count: int) -> str:
    """Bytes as a person writes them: 1.5 GiB, 20 MiB."""
    for unit, size in (("TiB", 2**40), ("GiB", 2**30)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count / 2**20:,.0f} MiB"


def _system() -> int | None:
    """What Linux reckons can be taken without swapping, and the swap that is left."""
    with suppress(OSError, ValueError):
        lines = (line.split() for line in (PROC / "meminfo").read_text().splitlines())
        sizes = {words[0].rstrip(":"): int(words[1]) * 1024 for words in lines if len(words) > 1}
        if "MemAvailable" in sizes:
            return sizes["MemAvailable"] + sizes.get("SwapFree", 0)
    with suppress(OSError, ValueError, AttributeError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGESIZE")
    return None


def _groups() -> list[int]:
    """What each control group that limits this process leaves (a container is one); version 2, or the older one."""
    found = []
    with suppress(OSError):
        for line in (PROC / "self" / "cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and "memory" not in controllers.split(","):
                continue
            root = GROUPS / "memory" if controllers else GROUPS
            names = ("memory.max", "memory.current")
            if controllers:
                names = ("memory.limit_in_bytes", "memory.usage_in_bytes")
            own = root / path.lstrip("/")
            for folder in (own, *own.parents):
                if folder == root.parent:
                    break
                with suppress(OSError, ValueError):  # "max" for no limit
                    limit, used = (int((folder / name).read_text()) for name in names)
                    found.append(limit - used + _cached(folder))
    return found


def _cached(folder: Path) -> int:
    """Bytes of files that a group has read and that give way."""
    for line in (folder / "memory.stat").read_text().splitlines():
        name, count = line.split()
        if name in ("inactive_file", "total_inactive_file"):
            return int(count)
    return 0


def _own_limits() -> list[int]:
    """What the limits of this process leave (ulimit -v, ulimit -d)."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        pages = (PROC / "self" / "statm").read_text().split()
        page = resource.getpagesize()
        taken = {resource.RLIMIT_AS: int(pages[0]) * page, resource.RLIMIT_DATA: int(pages[5]) * page}
        limits = {kind: resource.getrlimit(kind)[0] for kind in taken}
        return [limits[kind] - taken[kind] for kind in taken if limits[kind] != resource.RLIM_INFINITY]
    return []
