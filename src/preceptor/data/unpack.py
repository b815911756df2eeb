"""Tables in gzip and zip files, unpacked into a folder that is removed after reading."""

import gzip
import shutil
import zipfile
import zlib
from pathlib import Path
from typing import IO, cast

from preceptor.data.table import listing
from preceptor.errors import DataError

DELIMITED_SUFFIXES = (".csv", ".tsv", ".txt", ".data", ".tab", ".psv")
JSON_SUFFIXES = (".json", ".jsonl", ".ndjson")
TABLE_SUFFIXES = (*DELIMITED_SUFFIXES, *JSON_SUFFIXES, ".parquet", ".npy", ".npz")
DESCRIPTIONS = (".txt", ".json")  # suffixes of tables that beside another table are no table

MOST_UNPACKED_BYTES = 32 << 30  # 20 million rows of 30 columns as CSV are about 5 GiB
MOST_RATIO = 200  # tables shrink by 3 to 50, a file made to fill the disk by 1,000
FREE_BYTES = 64 << 20  # below this no ratio is too high
CHUNK_BYTES = 1 << 20
PACKED = (".gz", ".zip")
ARCHIVES = (*PACKED, ".tgz", ".tar", ".bz2", ".xz", ".7z", ".rar", ".zst")
MAGIC = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"(\xb5/\xfd": "Zstandard"}


def packed_as(head: bytes) -> str | None:
    """The kind of archive that begins with these bytes, None for anything else."""
    return next((kind for magic, kind in MAGIC.items() if head.startswith(magic)), None)


def unpack(path: Path, folder: Path) -> tuple[Path, str]:
    """Writes the one table of a .gz or .zip file into the folder; returns its path and a sentence about it.

    The table is always called "table" and a suffix, whatever the archive calls it.

    Raises: DataError where the archive is damaged, encrypted, nested, holds no table or several, or unpacks to more
    than MOST_UNPACKED_BYTES or MOST_RATIO times its own size.
    """
    try:
        if path.suffix.lower() == ".gz":
            inner = path.with_suffix("").name
            with gzip.open(path, "rb") as source:
                return _write(path, inner, cast(IO[bytes], source), folder), f"{inner} was unpacked from gzip."
        with zipfile.ZipFile(path) as archive:
            member = _only_member(path, archive)
            inner = Path(member.filename).name
            with archive.open(member) as source:
                return _write(path, inner, source, folder), f"{inner} was unpacked from zip."
    except (EOFError, zlib.error, zipfile.BadZipFile, gzip.BadGzipFile, NotImplementedError) as error:
        raise DataError(
            f"{path.name}: the archive cannot be unpacked ({str(error).rstrip('.') or 'it ends too soon'}); a whole "
            f"{path.suffix.lower()} file is needed. Fetch it again, or unpack it and give the table itself."
        ) from None


def _only_member(path: Path, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    files = [
        each
        for each in archive.infolist()
        if not each.is_dir() and not each.filename.startswith("__MACOSX/") and Path(each.filename).name[:1] != "."
    ]
    tables = [each for each in files if Path(each.filename).suffix.lower() in TABLE_SUFFIXES]
    if len(files) > 1 and len(tables) != 1:
        tables = [each for each in tables if Path(each.filename).suffix.lower() not in DESCRIPTIONS] or tables
    found = files if len(files) == 1 else tables
    if len(found) != 1:
        what = f"{len(found)} tables: {listing(each.filename for each in found)}" if found else "no table"
        raise DataError(
            f"{path.name}: the archive holds {what}; one is needed. Unpack it and give the path of the one that is "
            "meant."
        )
    if found[0].flag_bits & 1:
        raise DataError(
            f"{path.name}: {found[0].filename} is encrypted; a table without a password is needed. Unpack it first."
        )
    return found[0]


def _write(path: Path, inner: str, source: IO[bytes], folder: Path) -> Path:
    suffix = Path(inner).suffix.lower()
    if suffix in ARCHIVES:
        raise _nested(path, inner)
    packed = path.stat().st_size
    target = folder / f"table{suffix if suffix.isascii() and suffix[1:].isalnum() else ''}"
    written = 0
    with target.open("wb") as file:
        while chunk := source.read(CHUNK_BYTES):
            if written == 0 and packed_as(chunk):
                raise _nested(path, inner)
            written += len(chunk)
            if written > MOST_UNPACKED_BYTES or (written > FREE_BYTES and written > MOST_RATIO * packed):
                raise DataError(
                    f"{path.name}: {packed:,} bytes unpack to more than {written - len(chunk):,}; at most "
                    f"{MOST_RATIO} times as many, and {MOST_UNPACKED_BYTES >> 30} GiB, are unpacked. If the file is "
                    "trusted, unpack it and give the table itself."
                )
            if shutil.disk_usage(folder).free < 2 * CHUNK_BYTES:
                raise DataError(
                    f"{path.name}: no space is left in {folder.parent} after {written:,} bytes; room for the whole "
                    "table is needed. Free some, or set TMPDIR to a larger disk."
                )
            file.write(chunk)
    return target


def _nested(path: Path, inner: str) -> DataError:
    return DataError(f"{path.name}: {inner} inside it is an archive itself; a table is needed. Unpack the outer one.")
