"""Who trains in a folder, told without taking its lock."""

import os
import stat
import time
from contextlib import suppress
from pathlib import Path

from preceptor.job.lock import LOCK

__all__ = ["LIST_SECONDS", "Holders"]

LIST_SECONDS = 2.0

LOCKS, MOUNTS = Path("/proc/locks"), Path("/proc/self/mountinfo")
ELSEWHERE = (
    "nfs",
    "cifs",
    "smb",
    "9p",
    "fuse",
    "ceph",
    "gluster",
    "afs",
    "lustre",
    "virtiofs",
    "beegfs",
    "ocfs",
    "gfs",
)


class Holders:
    """The locks that processes of this machine hold, as the system lists them.

    A process elsewhere, which writes over a mounted folder or from another container, is in no list of ours.
    """

    def __init__(self) -> None:
        self._read = -LIST_SECONDS
        self._held: set[tuple[int, int]] = set()
        self._pids: set[tuple[int, int]] = set()
        self._mounted: dict[int, bool] = {}

    def _refresh(self) -> None:
        """Reads the list anew: lines such as `1: FLOCK ADVISORY WRITE 4711 08:01:1234 0 EOF`."""
        self._read, self._held, self._pids = time.monotonic(), set(), set()
        with suppress(OSError, ValueError):
            for line in LOCKS.read_text().splitlines():
                words = line.split()
                if len(words) > 5 and words[1] == "FLOCK":
                    major, minor, inode = words[5].split(":")
                    self._held.add((os.makedev(int(major, 16), int(minor, 16)), int(inode)))
                    self._pids.add((int(words[4]), int(inode)))

    def holds(self, folder: Path, age: float) -> bool:
        """Whether a process of this machine holds the lock of a folder. Where the file system gives devices of its own
        (overlay, btrfs), the process that the lock names must be the one in the list.

        Args:
            age: of the list, at most, in seconds: with many locks the system takes long to write it.
        """
        if time.monotonic() - self._read > age:
            self._refresh()
        path = folder / LOCK
        try:
            found = os.lstat(path)
            if not stat.S_ISREG(found.st_mode):
                return False
            if (found.st_dev, found.st_ino) in self._held:
                return True
            if not any(inode == found.st_ino for _, inode in self._pids):
                return False
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                return (int(os.read(handle, 20)), found.st_ino) in self._pids
            finally:
                os.close(handle)
        except (OSError, ValueError):
            return False

    def may_be_elsewhere(self, folder: Path) -> bool:
        """Whether a lock that is in no list may be held all the same: there is one, and the folder is mounted from
        elsewhere, or this system has no list."""
        try:
            os.lstat(folder / LOCK)
            device = os.lstat(folder).st_dev
        except OSError:
            return False
        if device not in self._mounted:
            self._mounted[device] = _is_mounted(device)
        return self._mounted[device]


def _is_mounted(device: int) -> bool:
    """Whether a device lies on another machine, by the kind of its file system."""
    if not LOCKS.exists():
        return True
    number = f"{os.major(device)}:{os.minor(device)}"
    with suppress(OSError):
        for line in MOUNTS.read_text(errors="replace").splitlines():
            words, _, kind = line.partition(" - ")
            if words.split()[2:3] == [number]:
                return kind.startswith(ELSEWHERE)
    return False
