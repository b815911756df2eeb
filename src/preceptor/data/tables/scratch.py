"""Room on the disk and in memory for the time of a command."""

import os
import resource
import shutil
import tempfile
from pathlib import Path

from preceptor.errors import DataError

GROUP = Path("/sys/fs/cgroup")  # what a container may take


def roomy_folder() -> Path:
    """Where large files for the moment belong: TMPDIR if set, else /var/tmp, for /tmp often lies in memory.

    Raises: DataError where there is no folder that can be written to.
    """
    lasting = Path("/var/tmp")
    if "TMPDIR" not in os.environ and os.access(lasting, os.W_OK):
        return lasting
    try:
        return Path(tempfile.gettempdir())
    except OSError:
        raise DataError(
            "There is no folder for files of the moment: TMPDIR, /tmp and /var/tmp cannot be written to, or are full. "
            "Set TMPDIR to a folder that has room."
        ) from None


def scratch_folder() -> Path:
    """A new folder for files of the moment; who asked for it removes it. Raises: DataError where there is no room."""
    where = roomy_folder()
    try:
        return Path(tempfile.mkdtemp(prefix="preceptor-", dir=where)).resolve()
    except OSError as error:
        raise no_room(where, error) from None


def no_room(where: Path, error: OSError) -> DataError:
    """The error that files of the moment cannot be written there."""
    return DataError(
        f"{where}: files of the moment cannot be written here ({error.strerror or error}); room for a copy of the "
        "table is needed. Free some, or set TMPDIR to another folder."
    )


def check_room(needed: int, what: str) -> None:
    """Raises: DataError where `roomy_folder` has not so many bytes to spare."""
    folder = roomy_folder()
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DataError(
            f"{what}: {needed / 2**30:,.1f} GiB are needed on the disk for the time of the command, and {folder} has "
            f"{free / 2**30:,.1f}. Free some, or set TMPDIR to a folder on a larger disk."
        )


def free_memory() -> int:
    """Bytes of memory that this process may still take, as far as the system tells."""
    found = [os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    try:
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        found = [int(lines["MemAvailable"].split()[0]) << 10]
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY:
            found.append(limit - pages * os.sysconf("SC_PAGE_SIZE"))
        most = (GROUP / "memory.max").read_text().strip()
        if most != "max":
            kept = dict(line.split() for line in (GROUP / "memory.stat").read_text().splitlines())["inactive_file"]
            found.append(int(most) - int((GROUP / "memory.current").read_text()) + int(kept))
    except (OSError, KeyError, ValueError):  # another system, an older one
        pass
    return max(0, min(found))


def check_memory(needed: int, what: str) -> None:
    """Raises: DataError where so many bytes of memory are not free."""
    free = free_memory()
    if needed > free:
        raise DataError(
            f"{what} need {needed / 2**30:,.1f} GiB of memory; {free / 2**30:,.1f} are free. Use fewer rows or "
            "columns, or a machine with more memory."
        )
