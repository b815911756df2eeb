"""What the machine has for this process: cores, and memory that is still free."""

import os
from contextlib import suppress
from pathlib import Path

PROC, GROUPS = Path("/proc"), Path("/sys/fs/cgroup")


def cores() -> int:
    """How many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def free_memory() -> int | None:
    """Bytes that this process can still take: the least of what the system, the groups of processes that it belongs to
    and its own limits leave. None where none of them tells."""
    left = [_system(), *_groups(), *_own_limits()]
    known = [each for each in left if each is not None]
    return max(min(known), 0) if known else None


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
