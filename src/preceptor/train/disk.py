"""Files that are either whole or not there: every write of a run goes through here."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path


def write_file(path: Path, content: bytes) -> None:
    """Writes a new file and brings it to the disk before returning."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(handle, view) :]
        os.fsync(handle)
    finally:
        os.close(handle)


def write_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """Writes a folder of files that appears under its name only when all of it is on the disk.

    What stands under the name already must be an empty folder. Where a write fails, nothing is left behind.

    Raises: OSError, as the system gives it.
    """
    part = path.with_name(path.name + ".part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        os.makedirs(part)
        for name, content in files.items():
            write_file(part / name, content)
        sync_folder(part)
        os.rename(part, path)
        sync_folder(path.parent)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def replace_file(path: Path, content: bytes) -> None:
    """Writes a file that takes the place of an older one in one moment: readers see the old or the new, never half."""
    part = path.with_name(path.name + ".part")
    try:
        part.unlink(missing_ok=True)
        write_file(part, content)
        os.replace(part, path)
        sync_folder(path.parent)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def append_line(path: Path, line: bytes) -> None:
    """Adds one line to a file and brings it to the disk; the line goes in one write."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        os.write(handle, line + b"\n")
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(path: Path) -> None:
    """Brings a folder's list of names to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
