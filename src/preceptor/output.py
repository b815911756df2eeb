"""Results for people: a table of predictions, a curve, a sheet of pictures; whole under their names or not there."""

import errno
import io
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TextIO

from preceptor.disk import beside
from preceptor.errors import ConfigError, DataError

EFFECTIVE = os.access in os.supports_effective_ids


class Output:
    """Where a result for people goes: a file that appears, whole, under its name when all was written, or a stream.

    Links are followed: the file that a link leads to is replaced, never the link. Its owner and rights stay, and one
    that may not be written to is left alone. Pipes, terminals and devices are written to, and so is what a process
    already has open (/dev/stdout, /dev/fd/3).

    Args:
        path: as the user named it.
        read: files that are being read, which must not be replaced.
        where: what messages begin with.
    Raises: DataError where it cannot be written; ConfigError where it is one of the files that are read.
    """

    def __init__(self, path: str | os.PathLike, read: Iterable[Path] = (), where: str = "") -> None:
        self.where, self.path, self.open_handle = where, Path(path), already_open(Path(path))
        try:
            self.there: os.stat_result | None = os.stat(self.path)
        except FileNotFoundError as error:
            self.there = None
            if self.open_handle is None and not Path(os.path.realpath(self.path)).parent.is_dir():
                raise self.refusal(error) from None
        except OSError as error:
            raise self.refusal(error) from None
        self.is_stream = self.open_handle is not None
        if self.there is not None and stat.S_ISDIR(self.there.st_mode):
            raise self.refusal(IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)))
        if self.there is not None and not stat.S_ISREG(self.there.st_mode):
            self.is_stream = True
        if self.there is not None and not self.is_stream and not os.access(self.path, os.W_OK, effective_ids=EFFECTIVE):
            raise self.refusal(PermissionError(errno.EACCES, os.strerror(errno.EACCES)))  # renaming would not ask
        if self.there is not None and not stat.S_ISCHR(self.there.st_mode):
            for each in read:
                with suppress(OSError):
                    if os.path.samestat(self.there, os.stat(each)):
                        what = f"this is {each}, which is read; it would be replaced. Choose another place."
                        raise ConfigError(f"{self.where}{self.path}: {what}")

    def refusal(self, error: OSError) -> DataError:
        """The error that it cannot be written."""
        return DataError(
            f"{self.where}{self.path}: cannot be written ({error.strerror or error}). Choose another place with -o."
        )

    @contextmanager
    def text(self) -> Iterator[TextIO]:
        """The file to write text to, line ends as they are given. Else as `binary`."""
        with self.binary() as file:
            text = io.TextIOWrapper(file, "utf-8", newline="")
            try:
                yield text
                text.flush()
            finally:
                text.detach()

    @contextmanager
    def binary(self) -> Iterator[BinaryIO]:
        """The file to write bytes to. What was written goes if the block fails.

        Raises: DataError where it cannot be written; BrokenPipeError where nobody reads the stream any more.
        """
        part = None
        try:
            if self.is_stream:
                handle = self.open_handle
                handle = os.open(self.path, os.O_WRONLY) if handle is None else os.dup(handle)
            else:
                path = Path(os.path.realpath(self.path))
                part = beside(path)
                rights = 0o666 if self.there is None else 0o600  # those of the older file come once the owner is known
                handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, rights)
                if self.there is not None:
                    with suppress(OSError):
                        os.fchown(handle, self.there.st_uid, self.there.st_gid)
                    with suppress(OSError):
                        os.fchmod(handle, stat.S_IMODE(self.there.st_mode))
            with open(handle, "wb") as file:
                yield file
                file.flush()
                if part is not None:
                    os.fsync(handle)
            if part is not None:
                os.replace(part, path)
                part = None
        except BrokenPipeError:
            raise
        except OSError as error:
            raise self.refusal(error) from None
        finally:
            if part is not None:
                part.unlink(missing_ok=True)


def already_open(path: Path) -> int | None:
    """The number under which this process has the file open that a path such as /dev/stdout means, None for others."""
    own = re.compile(rf"/proc/(self|thread-self|{os.getpid()})(/task/\d+)?/fd/(\d+)")
    for _ in range(40):
        here = os.path.join(os.path.realpath(path.parent), path.name)
        if found := own.fullmatch(here):
            return int(found[3])
        try:
            path = Path(here).parent / os.readlink(here)
        except OSError:
            return None
    return None
