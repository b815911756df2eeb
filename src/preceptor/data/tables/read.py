"""One function that makes a Table of whatever holds one: a file, a folder, an array, a data frame."""

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from preceptor.data.tables.arrays import read_arrays
from preceptor.data.tables.delimited import sources
from preceptor.data.tables.given import read_given
from preceptor.data.tables.long_table import LongTable, keep_folder
from preceptor.data.tables.names import canonical
from preceptor.data.tables.parquet import read_parquet
from preceptor.data.tables.query import read_records
from preceptor.data.tables.records import read_json
from preceptor.data.tables.scratch import Scratch, no_room
from preceptor.data.tables.table import NONE_KNOWN, Table
from preceptor.data.tables.text import as_utf8
from preceptor.data.tables.unpack import ARCHIVES, DESCRIPTIONS, JSON_SUFFIXES, PACKED, TABLE_SUFFIXES, unpack
from preceptor.errors import DataError
from preceptor.words import listing, printable

SUFFIXES = (*TABLE_SUFFIXES, *PACKED)
FOLDER_SUFFIXES = tuple(suffix for suffix in SUFFIXES if suffix not in DESCRIPTIONS)
ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
BUNDLED = {"digits": ("digits.npz", "digit"), "iris": ("iris.csv", "species")}  # name -> file, target


def read(
    source: Any,
    *,
    header: bool = True,
    texts: Collection[str] = (),
    labels: Collection[str] = (),
    known: Mapping[str, str] = NONE_KNOWN,
) -> Table:
    """Reads a table.

    Args:
        source: "digits" or "iris" (bundled); the path of delimited text (.csv, .tsv, .txt, .data, ...), JSON (.json,
            .jsonl, .ndjson), .parquet, .npy or .npz, of a .gz or .zip file of one of them, or of a folder that holds
            one of them; an array or list of rows of numbers, which becomes the block "x"; a mapping of names to
            arrays; a pandas or polars data frame; an Arrow table; a Table, which comes back as it is.
        header: whether the first line of delimited text holds names; else the columns are column1, column2, ...
        texts: columns whose fields are kept as they stand in the source, beside what they stand for: Table.texts.
        labels: more of them; of a .npy file places of columns, which then stand by themselves: "0", "-1".
        known: column -> how it was written where it was learned from, as of Table.written: its text, which few rows
            may leave open, is left as it is, for `encoding` or `join` to read so.

    Raises: DataError where there is no such table, or it does not read as one.
    """
    kept, told = (frozenset(map(canonical, names)) for names in (texts, labels))
    found = _read(source, header, kept, told, known, may_be_long=False)
    assert isinstance(found, Table)
    return found


def open_table(
    source: Any,
    *,
    header: bool = True,
    texts: Collection[str] = (),
    labels: Collection[str] = (),
    known: Mapping[str, str] = NONE_KNOWN,
) -> Table | LongTable:
    """Reads a table as `read` does; but one in Parquet or delimited text that is too large to hold stays on the disk.

    Memory: a table of more than long_table.MOST_CELLS cells is not held.

    Args:
        source, header, texts, known: as of `read`.
        labels: columns as of `texts`; of a table on the disk their numbers are told in the usual form, in which "1.50"
            is "1.5", for a column that must be text is read slowly. Of a .npy file also places: "0", "-1".
    """
    kept, told = (frozenset(map(canonical, names)) for names in (texts, labels))
    return _read(source, header, kept, told, known, may_be_long=True)


def default_target(source: Any) -> str | None:
    """The column that a bundled table is made to predict, None for any other table."""
    return BUNDLED[source][1] if isinstance(source, str) and source in BUNDLED else None


def _read(
    source: Any,
    header: bool,
    texts: frozenset[str],
    labels: frozenset[str],
    known: Mapping[str, str],
    *,
    may_be_long: bool,
) -> Table | LongTable:
    if isinstance(source, Table):
        return source
    is_bundled = isinstance(source, str) and source in BUNDLED
    if not header and (is_bundled or not isinstance(source, (str, Path))):
        raise _without_first_line(source if is_bundled else type(source).__name__)
    if is_bundled:
        path = Path(__file__).parents[1] / "bundled" / BUNDLED[source][0]
        return replace(read(path, texts={*texts, *labels}), name=source)
    if not isinstance(source, (str, Path)):
        return read_given(source, texts | labels)
    if isinstance(source, str) and ADDRESS.match(source):
        raise DataError(f"{printable(source)}: this is an address; a table in a file is needed. Fetch it first.")
    try:
        path = _found(Path(source))
    except DataError:
        raise
    except (OSError, ValueError) as error:
        raise _unopened(Path(source), error) from None
    scratch = Scratch()
    folder = scratch.path
    table: Table | LongTable | None = None
    try:
        table = _read_file(path, folder, header, texts, labels, known, may_be_long=may_be_long)
    except OSError as error:
        if str(error.filename or folder).startswith(str(folder)):
            raise no_room(folder.parent, error) from None
        raise _unopened(path, error) from None
    finally:
        if isinstance(table, LongTable):
            keep_folder(table, scratch)
        else:
            scratch.remove()
    return table


def _found(path: Path) -> Path:
    """The file that holds the table. Raises: DataError where there is none, OSError where that cannot be seen."""
    if path.is_dir():
        path = _only_table(path)
    shown = printable(str(path))
    if not path.exists():
        raise DataError(
            f"{shown}: there is no such file or folder; a table is needed. Check the path; "
            f"bundled are {listing(BUNDLED)}."
        )
    if not path.is_file():
        raise DataError(f"{shown}: this is neither a file nor a folder; a table in a file is needed. Save it as one.")
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        cure = "Unpack it first." if suffix in ARCHIVES else "Save the table as one of them."
        raise DataError(
            f"{printable(path.name)}: files that end in {printable(suffix) or 'nothing'!r} are not read; "
            f"{', '.join(SUFFIXES)} are. {cure}"
        )
    return path.resolve()


def _unopened(path: Path, error: Exception) -> DataError:
    why = getattr(error, "strerror", None) or error
    return DataError(
        f"{printable(path.name)}: the file cannot be opened ({why}); read permission is needed. "
        "Check the file and its rights."
    )


def _read_file(
    path: Path,
    folder: Path,
    header: bool,
    texts: frozenset[str],
    labels: frozenset[str],
    known: Mapping[str, str],
    *,
    may_be_long: bool,
) -> Table | LongTable:
    """Bytes, then text, then records, then columns: each is made once."""
    name, notes = printable(path.name), list[str]()
    if path.suffix.lower() in PACKED:
        path, note = unpack(path, folder)
        notes.append(note)
    suffix = path.suffix.lower()
    if not header and suffix in (".parquet", ".npy", ".npz", *JSON_SUFFIXES):
        raise _without_first_line(name)
    if not str(path).isprintable():  # not UTF-8, or of signs that no library need take
        plain = folder / f"source{suffix}"
        plain.symlink_to(path)
        path = plain
    table: Table | LongTable
    if suffix == ".parquet":
        table = read_parquet(name, path, folder, may_be_long=may_be_long, texts=texts, labels=labels)
    elif suffix in (".npy", ".npz"):
        table = read_arrays(name, path, texts, labels)
    else:
        path, said = as_utf8(name, path, folder)
        notes += said
        if suffix in JSON_SUFFIXES:
            table = read_json(name, path, is_one=suffix == ".json", texts=texts | labels, known=known)
        else:
            records = sources(name, path, suffix, folder, header)
            how: dict[str, Any] = {"may_be_long": may_be_long, "texts": texts, "labels": labels, "known": known}
            table = read_records(name, records, folder, **how)
    return replace(table, notes=(*notes, *table.notes))


def _without_first_line(name: str) -> DataError:
    return DataError(
        f"{name}: received --no-header (header=False); it is no delimited text, whose first line holds names or a row. "
        "Leave it out."
    )


def _only_table(folder: Path) -> Path:
    files = [each for each in sorted(folder.iterdir()) if each.name[:1] != "." and each.is_file()]
    found = [each for each in files if each.suffix.lower() in FOLDER_SUFFIXES]
    shown = printable(str(folder))
    if len(found) == 1:
        return found[0]
    if found:
        names = listing(printable(each.name) for each in found)
        raise DataError(
            f"{shown}: the folder holds {len(found)} tables: {names}; one is needed. "
            "Give the path of the one that is meant."
        )
    raise DataError(
        f"{shown}: the folder holds no table; one file that ends in {', '.join(FOLDER_SUFFIXES)} is needed. "
        "Check the path."
    )
