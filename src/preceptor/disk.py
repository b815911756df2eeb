"""Files that are either whole or not there: all that is written goes through here, and all that is read of a run.

What is half written has a name that nobody else has, beside its place; nothing is touched that was not made here.
"""

import errno
import hashlib
import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np

from preceptor.errors import ConfigError, DataError


class Damaged(DataError):
    """A file is not what was written there; the sentence names no place, which whoever catches it adds."""


Content = bytes | Sequence[bytes | memoryview]  # of a file; in pieces where one would be a copy of what is large
PART = ".part"  # how the name of what is half written ends
TENSORS = {  # names in a file of tensors, in the order in which the arrays lie there: no number lies across a boundary
    "uint64": "U64",
    "int64": "I64",
    "float64": "F64",
    "float32": "F32",
    "uint32": "U32",
    "int32": "I32",
    "float16": "F16",
    "uint16": "U16",
    "int16": "I16",
    "int8": "I8",
    "uint8": "U8",
    "bool": "BOOL",
}


def named(path: Any, where: str) -> Path:
    """The path that a user gave; ~ at its beginning is the home folder, as in a shell.

    Raises: ConfigError where it is none, or empty, as an unset variable of a shell is.
    """
    if not isinstance(path, (str, bytes, os.PathLike)):
        raise ConfigError(f"{where}: received {type(path).__name__}; a path is required.")
    text = os.fsdecode(path)
    if not text or "\0" in text:
        raise ConfigError(f"{where}: received {text!r}, which names nothing; a path is required.")
    found = Path(text)
    with suppress(RuntimeError):  # whose home it is, nobody knows
        found = found.expanduser()
    return found


def beside(path: Path) -> Path:
    """A name in the same folder that nobody has, short enough wherever the name itself is."""
    return path.with_name(f".{path.name[:30]}.{secrets.token_hex(8)}{PART}")


def tensors(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None) -> list[bytes | memoryview]:
    """The content of a safetensors file of these arrays, whose memory it shares, with what is told of them, if any.

    Source: the format of github.com/huggingface/safetensors: the header's length, 8 bytes; the header in JSON, with
        spaces up to a multiple of 8; the arrays in C order, lowest byte first.
    """
    header: dict[str, Any] = {} if metadata is None else {"__metadata__": dict(metadata)}
    pieces, end = [], 0
    for name in sorted(arrays, key=lambda name: (list(TENSORS).index(arrays[name].dtype.name), name)):
        array = arrays[name]
        start, end = end, end + array.nbytes
        header[name] = {
            "dtype": TENSORS[array.dtype.name],
            "shape": array.shape,
            "data_offsets": (start, end),
        }
        numbers = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(-1)
        pieces.append(memoryview(numbers.view(np.uint8)))
    text = msgspec.json.encode(header)
    text += b" " * (-len(text) % 8)
    return [len(text).to_bytes(8, "little"), text, *pieces]


def _pieces(content: Content) -> Sequence[bytes | memoryview]:
    return (content,) if isinstance(content, bytes) else content


def write_file(path: Path, content: Content) -> None:
    """Writes a new file and brings it to the disk before returning."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        _write_all(handle, content)
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_all(handle: int, content: Content) -> None:
    for piece in _pieces(content):
        view = memoryview(piece)
        while view:
            view = view[os.write(handle, view) :]


def make_folder(path: Path) -> None:
    """Makes a folder and those above it where they are missing, and brings their names to the disk."""
    if path.is_dir():
        return
    make_folder(path.parent)
    with suppress(FileExistsError):  # another process was faster
        os.mkdir(path)
    sync_folder(path.parent)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder to be filled, which appears under its name in one moment, when the block ends.

    An empty folder that stands there already is filled where it is, for somebody may stand in it. Where the block or a
    write fails, nothing is left behind.

    Raises: OSError, as the system gives it; ENOTEMPTY or EEXIST where another process took the name meanwhile.
    """
    path = Path(os.path.realpath(path))
    if path.is_dir():
        yield path
        sync_folder(path)
        return
    make_folder(path.parent)
    part = beside(path)
    os.mkdir(part)
    try:
        yield part
        sync_folder(part)
        os.rename(part, path)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    sync_folder(path.parent)


def taken(error: OSError) -> bool:
    """Whether a folder could not appear because another process had taken its name meanwhile."""
    return error.errno in (errno.ENOTEMPTY, errno.EEXIST)


def write_folder(path: Path, files: Mapping[str, Content]) -> None:
    """Writes a folder of files, of which the last vouches for the others.

    Raises: OSError, as `new_folder`.
    """
    with new_folder(path) as folder:
        made: list[Path] = []
        write = write_file if folder.name.endswith(PART) else replace_file
        try:
            for name, content in files.items():
                write(folder / name, content)
                made.append(folder / name)
        except BaseException:
            for each in made:
                each.unlink(missing_ok=True)
            raise


def replace_file(path: Path, content: Content) -> None:
    """Writes a file that takes the place of an older one in one moment: readers see the old or the new, never half."""
    part = beside(path)
    try:
        write_file(part, content)
        os.replace(part, path)
        sync_folder(path.parent)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def append_line(path: Path, line: bytes) -> None:
    """Adds one line to a file, whole, and brings it to the disk with the file's name.

    Half a line that stands at the end, of a process that was killed, stays a line of its own.
    """
    is_new = not path.exists()
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        size = os.fstat(handle).st_size
        ends = not size or os.pread(handle, 1, size - 1) == b"\n"
        try:
            _write_all(handle, (b"" if ends else b"\n") + line + b"\n")
            os.fsync(handle)
        except OSError:
            with suppress(OSError):
                os.ftruncate(handle, size)
            raise
    finally:
        os.close(handle)
    if is_new:
        sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Brings a folder's list of names to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sweep(folder: Path) -> None:
    """Removes what processes that were killed left half written in a folder that is ours alone."""
    for each in folder.glob(f".*{PART}"):
        remove(each)


def remove(path: Path) -> None:
    """Removes a file, a link or a folder with all that is in it; what cannot be removed stays."""
    with suppress(OSError):
        if stat.S_ISDIR(os.lstat(path).st_mode):
            shutil.rmtree(path, ignore_errors=True)
        else:
            os.unlink(path)  # rmtree would open it, and wait for ever where it is a pipe


def open_regular(path: Path) -> BinaryIO:
    """A file of a run, open for reading: never a link, which may lead elsewhere, nor a pipe or a device, which may hang
    or never end.

    Raises: OSError; Damaged where it is no regular file.
    """
    wrong = Damaged(f"{path.name} is no regular file")
    if not stat.S_ISREG(os.lstat(path).st_mode):
        raise wrong
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    file = os.fdopen(handle, "rb")
    if not stat.S_ISREG(os.fstat(handle).st_mode):  # it was exchanged meanwhile
        file.close()
        raise wrong
    return file


def read_file(path: Path, most: int) -> bytes:
    """The content of a regular file of at most so many bytes.

    Raises: OSError; Damaged where it is no such file.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise Damaged(f"{path.name} has {size:,} bytes, and at most {most:,} are read")
        return file.read(size)


class Sums(msgspec.Struct, forbid_unknown_fields=True):
    """What tells a file's content from any other: its length and its digest."""

    bytes: int
    sha256: str


def sums(content: Content) -> Sums:
    """The sums of a content."""
    digest, size = hashlib.sha256(), 0
    for piece in _pieces(content):
        digest.update(piece)
        size += len(piece)
    return Sums(size, digest.hexdigest())


def is_as_written(path: Path, expected: Sums) -> bool:
    """Whether a file has these `sums`; no more is read than it should hold.

    Raises: OSError; Damaged where it is no regular file.
    """
    with open_regular(path) as file:
        if os.fstat(file.fileno()).st_size != expected.bytes:
            return False
        return _digest(file) == expected.sha256


def _digest(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while piece := file.read(1 << 20):
        digest.update(piece)
    return digest.hexdigest()
