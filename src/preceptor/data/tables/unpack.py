"""Tables in compressed files and archives, unpacked into a folder that is removed after reading."""

import bz2
import gzip
import lzma
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, cast

from preceptor.errors import DataError
from preceptor.words import listing, printable

DELIMITED_SUFFIXES = (".csv", ".tsv", ".txt", ".data", ".tab", ".psv")
JSON_SUFFIXES = (".json", ".jsonl", ".ndjson")
TABLE_SUFFIXES = (*DELIMITED_SUFFIXES, *JSON_SUFFIXES, ".parquet", ".npy", ".npz")
DESCRIPTIONS = (".txt", ".json")  # suffixes of tables that beside another table are no table

MOST_UNPACKED_BYTES = 32 << 30  # 20 million rows of 30 columns as CSV are about 5 GiB
MOST_RATIO = 200  # tables shrink by 3 to 50, a file made to fill the disk by 1,000
FREE_BYTES = 64 << 20  # below this no ratio is too high
MOST_MEMBERS = 10_000  # of an archive that is looked through for its table
MOST_ENDS = 16  # times that the end of a file is read: a sound archive needs two
MOST_XZ_BYTES = 1 << 28  # memory: xz -9 asks for 65 MiB
CHUNK_BYTES = 1 << 20
COMPRESSED: dict[str, tuple[str, Callable[..., Any]]] = {
    ".gz": ("gzip", gzip.open),
    ".xz": ("xz", lzma.open),
    ".bz2": ("bzip2", bz2.open),
}
SHORT = {".tgz": ".tar.gz", ".txz": ".tar.xz", ".tbz2": ".tar.bz2"}
PACKED = (*COMPRESSED, ".zip", ".tar", *SHORT)
ARCHIVES = (*PACKED, ".7z", ".rar", ".zst")
MAGIC = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"(\xb5/\xfd": "Zstandard"}
TAR_MAGIC, TAR_PLACE = b"ustar", 257
DAMAGED = (
    *(EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, gzip.BadGzipFile, tarfile.TarError),
    NotImplementedError,
)


def packed_as(head: bytes) -> str | None:
    """The kind of archive that begins with these bytes, None for anything else."""
    if head[TAR_PLACE:].startswith(TAR_MAGIC):
        return "tar"
    return next((kind for magic, kind in MAGIC.items() if head.startswith(magic)), None)


def unpack(path: Path, folder: Path) -> tuple[Path, str]:
    """Writes the one table of a .gz, .xz, .bz2, .zip or .tar (.tar.gz, .tgz ...) file into the folder.

    The table is always called "table" and a suffix, whatever the archive calls it: no path in an archive is followed.

    Returns: the table's path and a sentence about it.
    Raises: DataError where the archive is damaged, encrypted, nested, holds no table or several, or unpacks to more
    than MOST_UNPACKED_BYTES or MOST_RATIO times its own size.
    """
    name = path.name
    for short, whole in SHORT.items():
        if name.lower().endswith(short):
            name = name[: -len(short)] + whole
    try:
        if path.suffix.lower() == ".zip":
            return _from_zip(path, folder)
        inner, suffix = Path(name).stem, Path(name).suffix.lower()
        if ".tar" in (suffix, Path(inner).suffix.lower()):
            return _from_tar(path, suffix, folder)
        kind, opened = COMPRESSED[suffix]
        _check_memory(path)
        with opened(path, "rb") as source:
            return _write(path, inner, cast(IO[bytes], source), folder), f"{printable(inner)} was unpacked from {kind}."
    except DAMAGED as error:
        raise _damaged(path, error) from None
    except OSError as error:
        if error.errno is not None:  # of the disk, not of bzip2
            raise
        raise _damaged(path, error) from None


def _refused(path: Path, why: str) -> DataError:
    return DataError(f"{printable(path.name)}: {why}")


def _damaged(path: Path, error: Exception) -> DataError:
    return _refused(
        path,
        f"the archive cannot be unpacked ({str(error).rstrip('.') or 'it ends too soon'}); a whole "
        f"{path.suffix.lower()} file is needed. Fetch it again, or unpack it and give the table itself.",
    )


def _check_memory(path: Path) -> None:
    """Raises lzma.LZMAError where an xz file wants more than MOST_XZ_BYTES of memory; its first block says."""
    with path.open("rb") as file:
        head = file.read(4096)
    if packed_as(head) == "xz":
        lzma.LZMADecompressor(memlimit=MOST_XZ_BYTES).decompress(head, 1)


def _from_zip(path: Path, folder: Path) -> tuple[Path, str]:
    with zipfile.ZipFile(path) as archive:
        files = [each for each in archive.infolist() if not each.is_dir()]
        member = files[_only_table(path, [each.filename for each in files])]
        if member.flag_bits & 1:
            raise _refused(
                path,
                f"{printable(member.filename)} is encrypted; a table without a password is needed. Unpack it first.",
            )
        inner = Path(member.filename).name
        with archive.open(member) as source:
            return _write(path, inner, source, folder), f"{printable(inner)} was unpacked from zip."


def _from_tar(path: Path, suffix: str, folder: Path) -> tuple[Path, str]:
    """Reads the archive twice from end to end, for a tar file has no list of its members."""
    kind, opened = COMPRESSED.get(suffix, ("", open))
    _check_memory(path)
    names = []
    with opened(path, "rb") as source, tarfile.open(fileobj=_Limited(path, source), mode="r|") as archive:  # type: ignore[call-overload]
        for member in archive:
            archive.members = []  # or it keeps them all
            names.append(member.name if member.isreg() else "")
            if len(names) > MOST_MEMBERS:
                raise _refused(
                    path,
                    f"the archive holds more than {MOST_MEMBERS:,} files; one table is needed. Unpack it "
                    "and give the path of the one that is meant.",
                )
    wanted = _only_table(path, names)
    inner = Path(names[wanted]).name
    with opened(path, "rb") as source, tarfile.open(fileobj=_Limited(path, source), mode="r|") as archive:  # type: ignore[call-overload]
        for number, member in enumerate(archive):
            if number == wanted:
                content = archive.extractfile(member)
                assert content is not None
                with content:
                    said = f"{printable(inner)} was unpacked from tar{' and ' * bool(kind)}{kind}."
                    return _write(path, inner, content, folder), said
    raise EOFError


class _Limited:
    """What can be read of a file until it is more than an honest archive holds."""

    def __init__(self, path: Path, source: IO[bytes]) -> None:
        self.path, self.source, self.count, self.ends = path, source, 0, 0

    def read(self, count: int) -> bytes:
        chunk = self.source.read(count)
        self.ends += not chunk
        if self.ends > MOST_ENDS:  # a member that declares 2^40 bytes would be passed over in as many empty reads
            raise EOFError
        self.count += len(chunk)
        check_size(self.path, self.count, len(chunk))
        return chunk


def _only_table(path: Path, names: Sequence[str]) -> int:
    """Which of the files in an archive is its table; files without a name do not count."""
    files = [
        place
        for place, name in enumerate(names)
        if name and not name.startswith("__MACOSX/") and Path(name).name[:1] not in ("", ".")
    ]
    tables = [place for place in files if Path(names[place]).suffix.lower() in TABLE_SUFFIXES]
    if len(files) > 1 and len(tables) != 1:
        tables = [place for place in tables if Path(names[place]).suffix.lower() not in DESCRIPTIONS] or tables
    found = files if len(files) == 1 else tables
    if len(found) != 1:
        what = f"{len(found)} tables: {listing(printable(names[place]) for place in found)}" if found else "no table"
        raise _refused(
            path, f"the archive holds {what}; one is needed. Unpack it and give the path of the one that is meant."
        )
    return found[0]


def _write(path: Path, inner: str, source: IO[bytes], folder: Path) -> Path:
    suffix = Path(inner).suffix.lower()
    if suffix in ARCHIVES:
        raise _nested(path, inner)
    target = folder / f"table{suffix if suffix.isascii() and suffix[1:].isalnum() else ''}"
    written = 0
    with target.open("wb") as file:
        while chunk := source.read(CHUNK_BYTES):
            if written == 0 and packed_as(chunk):
                raise _nested(path, inner)
            written += len(chunk)
            check_size(path, written, len(chunk))
            if shutil.disk_usage(folder).free < 2 * CHUNK_BYTES:
                raise _refused(
                    path,
                    f"no space is left in {folder.parent} after {written:,} bytes; room for the whole "
                    "table is needed. Free some, or set TMPDIR to a larger disk.",
                )
            file.write(chunk)
    return target


def check_size(path: Path, count: int, last: int = 0) -> None:
    """Raises: DataError where so many unpacked bytes, the last of them just now, are too many."""
    packed = path.stat().st_size
    if count > MOST_UNPACKED_BYTES or (count > FREE_BYTES and count > MOST_RATIO * packed):
        raise _refused(
            path,
            f"{packed:,} bytes unpack to more than {count - last:,}; at most "
            f"{MOST_RATIO} times as many, and {MOST_UNPACKED_BYTES >> 30} GiB, are unpacked. If the file is "
            "trusted, unpack it and give the table itself.",
        )


def _nested(path: Path, inner: str) -> DataError:
    return _refused(
        path, f"{printable(inner)} inside it is an archive itself; a table is needed. Unpack the outer one."
    )
