"""The files of a set of pictures: those below a folder, or in a zip file, which is read where it lies."""

import gzip
import io
import os
import stat
import zipfile
import zlib
from abc import ABC, abstractmethod
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from preceptor.data.tables.unpack import FREE_BYTES, MOST_RATIO
from preceptor.errors import DataError
from preceptor.words import listing

SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".dib", ".gif", ".webp", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm", ".pnm"),
)
JUNK = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "__macosx", "@eadir", "$recycle.bin"})
GZIP = b"\x1f\x8b"  # what its files begin with
MOST_FILE_BYTES = 2 << 30  # a picture of the largest size allowed is 0.4 GiB, the largest known IDX file 0.6 GiB


def is_picture(name: str) -> bool:
    """Whether a file is taken for a picture, by its suffix alone."""
    return name.lower().endswith(SUFFIXES)


def is_junk(name: str) -> bool:
    """Whether a file or folder was left there by a file browser or an editor: hidden ones and a few known names."""
    return name[:1] == "." or name.lower() in JUNK


def readable(name: str) -> str:
    """A name as text that can be printed and written: bytes that are no UTF-8 become \\x and their digits."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


class Files(ABC):
    """Files by name: paths below one place, with "/" between folders.

    Args:
        name: what messages call the place.
        names: all files but junk, in the order of their names, which is the same on every machine.
        notes: what was left out that one would have expected, each a sentence.
    """

    name: str
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @abstractmethod
    def content(self, name: str) -> bytes:
        """The bytes of one file. Raises: DataError where they cannot be had."""

    @abstractmethod
    def open(self, name: str) -> BinaryIO:
        """One file, open at its beginning; of a folder's no more is read than is asked for. Raises: as `content`."""

    @abstractmethod
    def path(self, name: str) -> Path:
        """The file on the disk that holds it."""


class FolderFiles(Files):
    """The files below a folder. Links are followed, but each folder is entered once, and none that holds the folder.

    Args:
        folder: where.
        only: the one file of it that counts, None for all.
        most: after how many files to list no further folder, None for all.
    """

    def __init__(self, folder: Path, *, only: str | None = None, most: int | None = None) -> None:
        self.folder, self.name = folder, readable(folder.resolve().name)
        found, closed = ([only], list[str]()) if only is not None else self._listed(most)
        self._odd = {readable(name): name for name in found if readable(name) != name}  # as the disk has them
        self.names = tuple(sorted(readable(name) for name in found))
        if closed:
            places = (
                "1 link leads to a folder that is"
                if len(closed) == 1
                else f"{len(closed):,} links lead to folders that are"
            )
            self.notes = (f"{places} among the others, or around them, and passed over: {listing(closed, 5)}.",)

    def _listed(self, most: int | None) -> tuple[list[str], list[str]]:
        """The files, and the links to folders that were not followed."""
        names, closed, entered = list[str](), list[str](), set[str]()
        around, waiting = f"{os.path.realpath(self.folder)}/", [str(self.folder)]
        while waiting and (most is None or len(names) < most):  # links come after all that is no link
            try:
                for place, folders, files in os.walk(waiting.pop(0), onerror=_raise):
                    below, real = Path(place).relative_to(self.folder).as_posix(), os.path.realpath(place)
                    if real in entered or (below != "." and around.startswith(f"{real.rstrip('/')}/")):
                        closed.append(readable(below))
                        folders.clear()
                        continue
                    entered.add(real)
                    inner = {each: os.path.join(place, each) for each in sorted(folders) if not is_junk(each)}
                    waiting += [path for path in inner.values() if os.path.islink(path)]
                    folders[:] = [each for each, path in inner.items() if not os.path.islink(path)]
                    names += [each if below == "." else f"{below}/{each}" for each in files if not is_junk(each)]
                    if most is not None and len(names) >= most:
                        break
            except OSError as error:
                raise _closed(readable(str(self.folder)), error) from None
        return names, closed

    def path(self, name: str) -> Path:
        return self.folder / self._odd.get(name, name)

    def content(self, name: str) -> bytes:
        with self.open(name) as file:
            size = os.fstat(file.fileno()).st_size
            if size > MOST_FILE_BYTES:
                raise _too_large(f"{self.name}/{name}", size)
            try:
                return file.read(size)
            except OSError as error:
                raise _closed(f"{self.name}/{name}", error) from None

    def open(self, name: str) -> BinaryIO:
        try:
            file = open(self.path(name), "rb", opener=_at_once)  # noqa: SIM115
        except OSError as error:
            raise _closed(f"{self.name}/{name}", error) from None
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            file.close()
            raise DataError(f"{self.name}/{name}: it is no file but a pipe or a device; files are needed. Remove it.")
        return file


class ZipFiles(Files):
    """The files in a zip file. Nothing is written anywhere, so that no name in it can lead out of a folder."""

    def __init__(self, path: Path) -> None:
        self.name, self._path = readable(path.name), path
        try:
            self._archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, NotImplementedError) as error:
            raise _damaged(self.name, error) from None
        except OSError as error:
            raise _closed(self.name, error) from None
        self._members = {
            "/".join(parts): member
            for member in self._archive.infolist()
            if not member.is_dir()
            and (parts := [part for part in member.filename.replace("\\", "/").split("/") if part not in ("", ".")])
            and not any(is_junk(part) for part in parts)  # ".." is hidden, and so left out, as well
        }
        self.names = tuple(sorted(self._members))

    def content(self, name: str) -> bytes:
        member = self._members[name]
        if member.flag_bits & 1:
            raise DataError(
                f"{self.name}: {name} is encrypted; files without a password are needed. Unpack it first, and give "
                "the folder."
            )
        if member.file_size > MOST_FILE_BYTES:
            raise _too_large(f"{self.name}/{name}", member.file_size)
        if member.file_size > _most(member.compress_size):
            raise _bomb(f"{self.name}/{name}", member.compress_size, f"{member.file_size:,}")
        try:
            return self._archive.read(member)  # no more than file_size, whatever the stream holds
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise _damaged(f"{self.name}/{name}", error) from None
        except OSError as error:
            raise _closed(f"{self.name}/{name}", error) from None

    def open(self, name: str) -> BinaryIO:
        return io.BytesIO(self.content(name))

    def path(self, name: str) -> Path:
        return self._path


def unzipped(where: str, content: bytes) -> bytes:
    """What gzip packed; other content as it is.

    Raises: DataError where it is damaged, or unpacks to far more than such files do.
    """
    if not content.startswith(GZIP):
        return content
    most = _most(len(content))
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            found = file.read(most + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            f"{where}: it cannot be unpacked ({str(error).rstrip('.') or 'it ends too soon'}); a whole gzip file is "
            "needed. Fetch it again."
        ) from None
    if len(found) > most:
        raise _bomb(where, len(content), f"more than {most:,}")
    return found


def _most(packed: int) -> int:
    """How many bytes as many packed ones may become."""
    return min(MOST_FILE_BYTES, max(FREE_BYTES, MOST_RATIO * packed))


def open_files(path: Path, *, most: int | None = None) -> Files:
    """The files of a folder or a zip file; any other file counts as a folder that holds it alone."""
    if path.is_dir():
        return FolderFiles(path, most=most)
    if path.suffix.lower() == ".zip":
        return ZipFiles(path)
    return FolderFiles(path.parent, only=path.name)


def folders_of(name: str) -> tuple[str, ...]:
    """The folders above a file, from the outermost."""
    return PurePosixPath(name).parts[:-1]


def _at_once(path: str, flags: int) -> int:
    # A pipe that nobody writes to would keep us waiting.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _raise(error: OSError) -> None:
    raise error


def _closed(name: str, error: OSError) -> DataError:
    return DataError(
        f"{name}: it cannot be read ({error.strerror or error}); read permission is needed. Check it and its rights."
    )


def _too_large(name: str, size: int) -> DataError:
    return DataError(
        f"{name}: the file has {size:,} bytes; at most {MOST_FILE_BYTES:,} are read into memory. Cut it up, or take it "
        "out of the set."
    )


def _bomb(where: str, packed: int, size: str) -> DataError:
    return DataError(
        f"{where}: it unpacks from {packed:,} bytes to {size}, where at most {MOST_RATIO} times as many are unpacked; "
        "smaller files are needed. If it is trusted, unpack it and give the folder."
    )


def _damaged(name: str, error: Exception) -> DataError:
    return DataError(
        f"{name}: the archive cannot be unpacked ({str(error).rstrip('.') or 'it ends too soon'}); a whole zip file is "
        "needed. Fetch it again, or unpack it and give the folder."
    )
