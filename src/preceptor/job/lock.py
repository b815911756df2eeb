"""One process at a time trains in a folder."""

import errno
import fcntl
import os
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from preceptor.errors import ConfigError

LOCK = "lock"  # in the folder of a run that is not finished; it holds the number of the process that trains

OWN: "WeakValueDictionary[tuple[int, int], Lock]" = WeakValueDictionary()  # of this process, by the folder's inode


class Lock:
    """Held by the one process that writes in a folder; it ends with the process, however that ends.

    It moves along when the folder is renamed. Within a thread the latest holds it, for what was begun before, in a
    notebook say, was given up.

    Raises: ConfigError where another process, or a thread that still lives, holds it, and which one; OSError where
        nothing can be written there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        found = os.fstat(self._folder)
        self._thread = threading.current_thread()
        try:
            if before := OWN.get((found.st_dev, found.st_ino)):
                before._give_way(folder)
            handle = self._locked(folder)
        except BaseException:
            os.close(self._folder)
            raise
        self._owner = os.getpid()
        self.release: Callable[[], Any] = weakref.finalize(self, _release, self._folder, handle, self._owner)
        OWN[found.st_dev, found.st_ino] = self

    def _give_way(self, folder: Path) -> None:
        other = self._thread is not threading.current_thread() and self._thread.is_alive()
        if other and self._owner == os.getpid() and getattr(self.release, "alive", False):
            raise _taken(folder, self._owner)
        self.release()

    def _locked(self, folder: Path) -> int:
        while True:
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
            handle = os.open(LOCK, flags, 0o666, dir_fd=self._folder)
            try:
                _flock(handle)
                held, named = os.fstat(handle), os.stat(LOCK, dir_fd=self._folder, follow_symlinks=False)
                if os.path.samestat(held, named):  # else the process that held it has just removed it
                    os.ftruncate(handle, 0)
                    os.write(handle, b"%d\n" % os.getpid())
                    return handle
            except BlockingIOError:
                holder = os.pread(handle, 20, 0).decode("ascii", "replace").strip()
                os.close(handle)
                raise _taken(folder, int(holder) if holder.isdigit() else 0) from None
            except FileNotFoundError:
                pass
            except BaseException:
                os.close(handle)
                raise
            os.close(handle)


def _taken(folder: Path, holder: int) -> ConfigError:
    """The error that a process, whose number is perhaps known, trains there."""
    own = "another thread of this process"
    who = own if holder == os.getpid() else f"process {holder}" if holder else "another process"
    return ConfigError(f"{folder}: {who} trains this run; one at a time can. Wait for it, or end it, and try again.")


def _flock(handle: int) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:  # some file systems that lie on another machine know no locks; training goes on without
        if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
            raise


def _release(folder: int, handle: int, owner: int) -> None:
    if os.getpid() == owner:  # a process that was forked off holds nothing
        with suppress(OSError):
            os.unlink(LOCK, dir_fd=folder)
    os.close(handle)
    os.close(folder)
