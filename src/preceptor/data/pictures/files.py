"""The files of a set of pictures: those below a folder, or in a zip file, which is read where it lies."""

import io
import os
import zipfile
import zlib
from abc import ABC, abstractmethod
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from preceptor.data.tables.unpack import FREE_BYTES, MOST_RATIO
from preceptor.errors import DataError

SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".dib", ".gif", ".webp", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm", ".pnm"),
)
JUNK = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "__macosx", "@eadir", "$recycle.bin"})
MOST_FILE_BYTES = 2 << 30  # a picture of the largest size allowed is 0.4 GiB, the largest known IDX file 0.6 GiB


def is_picture(name: str) -> bool:
    """Whether a file is taken for a picture, by its suffix alone."""
    return name.lower().endswith(SUFFIXES)


def is_junk(name: str) -> bool:
    """Whether a file or folder was left there by a file browser or an editor: hidden ones and a few known names."""
    return name[:1] == "." or name.lower() in JUNK


class Files(ABC):
    """Files by name: paths below one place, with "/" between folders.

    Args:
        name: what messages call the place.
        names: all files but junk, in the order of their names, which is the same on every machine.
    """

    name: str
    names: tuple[str, ...]

    @abstractmethod
    def content(self, name: str) -> bytes:
        """The bytes of one file. Raises: DataError where they cannot be had."""

    @abstractmethod
    def open(self, name: str) -> BinaryIO:
        """One file, open at its beginning; of a folder's no more is read than is asked for. Raises: as `content`."""


class FolderFiles(Files):
    """The files below a folder; links are followed, each folder is entered once.

    Args:
        folder: where.
        only: the one file of it that counts, None for all.
        most: after how many files to list no further folder, None for all.
    """

    def __init__(self, folder: Path, *, only: str | None = None, most: int | None = None) -> None:
        self.folder, self.name = folder, folder.resolve().name
        if only is not None:
            self.names = (only,)
            return
        names, entered = list[str](), set[str]()
        try:
            for place, folders, files in os.walk(folder, followlinks=True, onerror=_raise):
                real = os.path.realpath(place)
                if real in entered:
                    folders.clear()
                    continue
                entered.add(real)
                folders[:] = sorted(each for each in folders if not is_junk(each))
                below = Path(place).relative_to(folder).as_posix()
                names += [each if below == "." else f"{below}/{each}" for each in files if not is_junk(each)]
                if most is not None and len(names) >= most:
                    break
        except OSError as error:
            raise _closed(str(folder), error) from None
        self.names = tuple(sorted(names))

    def content(self, name: str) -> bytes:
        path = self.folder / name
        try:
            if path.stat().st_size > MOST_FILE_BYTES:
                raise _too_large(f"{self.name}/{name}", path.stat().st_size)
            return path.read_bytes()
        except OSError as error:
            raise _closed(f"{self.name}/{name}", error) from None

    def open(self, name: str) -> BinaryIO:
        try:
            return open(os.path.join(self.folder, name), "rb")
        except OSError as error:
            raise _closed(f"{self.name}/{name}", error) from None


class ZipFiles(Files):
    """The files in a zip file. Nothing is written anywhere, so that no name in it can lead out of a folder."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        try:
            self._archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, NotImplementedError) as error:
            raise _damaged(path.name, error) from None
        except OSError as error:
            raise _closed(path.name, error) from None
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
        if member.file_size > max(FREE_BYTES, MOST_RATIO * member.compress_size):
            raise DataError(
                f"{self.name}: {name} unpacks from {member.compress_size:,} bytes to {member.file_size:,}; at most "
                f"{MOST_RATIO} times as many are unpacked. If the file is trusted, unpack it and give the folder."
            )
        try:
            return self._archive.read(member)  # no more than file_size, whatever the stream holds
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise _damaged(f"{self.name}/{name}", error) from None
        except OSError as error:
            raise _closed(f"{self.name}/{name}", error) from None

    def open(self, name: str) -> BinaryIO:
        return io.BytesIO(self.content(name))


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


def _damaged(name: str, error: Exception) -> DataError:
    return DataError(
        f"{name}: the archive cannot be unpacked ({str(error).rstrip('.') or 'it ends too soon'}); a whole zip file is "
        "needed. Fetch it again, or unpack it and give the folder."
    )
