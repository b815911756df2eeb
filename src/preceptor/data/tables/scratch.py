"""Room on the disk and in memory for the time of a command."""

import fcntl
import os
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from preceptor.errors import DataError
from preceptor.machine import free_memory

PREFIX, MARK = "preceptor-", "owned by a process"


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


class Scratch:
    """A new folder for files of the moment, gone when it is left, or with the next one where the process was killed.

    Its mark is a file that the process holds locked: a folder with a mark that nobody holds has lost its process.

    Args:
        path: the folder.

    Raises: DataError where there is no room.
    """

    def __init__(self) -> None:
        where = roomy_folder()
        _sweep(where)
        self._mark = -1
        try:
            self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=where)).resolve()
            with suppress(OSError):  # a file system without locks: the folder stays without a mark
                self._mark = _locked_mark(self.path)
        except OSError as error:
            raise no_room(where, error) from None

    def remove(self) -> None:
        """Removes the folder with what is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._mark >= 0:
            os.close(self._mark)
            self._mark = -1

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_: object) -> None:
        self.remove()


def _locked_mark(folder: Path) -> int:
    """Puts a mark into a folder that was just made; it has its name only when it is locked."""
    handle = os.open(folder / "new", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.rename(folder / "new", folder / MARK)
    except OSError:
        os.close(handle)
        raise
    return handle


def _sweep(where: Path) -> None:
    """Removes the user's own folders that have lost their process; whatever else is there stays."""
    for folder in where.glob(f"{PREFIX}*"):
        with suppress(OSError):
            found = folder.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
                continue
            handle = os.open(folder / MARK, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(handle)


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


def check_memory(needed: int, what: str) -> None:
    """Raises: DataError where so many bytes of memory are not free."""
    free = free_memory()
    if free is not None and needed > free:
        raise DataError(
            f"{what} need {needed / 2**30:,.1f} GiB of memory; {free / 2**30:,.1f} are free. Use fewer rows or "
            "columns, or a machine with more memory."
        )
