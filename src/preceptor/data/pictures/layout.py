"""Which files are the pictures, and what their folders or a list say of class and part."""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePosixPath
from unicodedata import normalize

import numpy as np

from preceptor.data.pictures.files import Files, folders_of, is_picture
from preceptor.data.tables.read import read
from preceptor.data.tables.scratch import Scratch
from preceptor.data.tables.unpack import DELIMITED_SUFFIXES
from preceptor.errors import DataError
from preceptor.words import closest, listing

PARTS = {
    "train": ("train", "training"),
    "dev": ("valid", "validation", "val", "dev"),
    "test": ("test", "testing", "t10k"),
}
LABEL_COLUMNS = ("label", "labels", "class", "classes", "target", "category", "y")
PART_COLUMNS = ("split", "part", "set", "subset", "data set", "dataset")
SNIFFED_BYTES = 1 << 16
SNIFFED_RECORDS = 20


@dataclass(frozen=True)
class Listed:
    """The pictures of a set.

    Args:
        files: names of the picture files.
        labels: class of each, None for one that has none; None where the set has no classes.
        parts: "train", "dev" or "test" for each, None where the set is not divided.
        notes: what was passed over or had to be guessed.
    """

    files: list[str]
    labels: Sequence[str | None] | None
    parts: list[str] | None
    notes: tuple[str, ...] = ()


def part_named(name: str) -> str | None:
    """The part that a folder or file is named after: a word of its name is one of PARTS; None for any other name."""
    words = re.findall("[a-z0-9]+", name.casefold())
    found = {part for part, known in PARTS.items() if any(word in known for word in words)}
    return found.pop() if len(found) == 1 else None


def list_folders(files: Files, every: bool = False) -> Listed:
    """Classes from folders: one folder a class, the parts side by side around them where there are any.

    Folders that hold all the pictures are stepped through. The first level below is the parts, where one of its folders
    is named train (or training; dev: valid, validation, val, dev; test: test, testing), each part at most once, and
    holds at least two folders of pictures; else it is the classes. Without folders there are no classes.

    Args:
        every: take the pictures beside the folders of classes as well, which have no class, and divide nothing.
    """
    pictures = [name for name in files.names if is_picture(name)]
    notes = []
    strays = [name for name in files.names if not is_picture(name)]
    if strays:
        notes.append(_passed_over(strays, "no picture by its suffix", "no pictures by their suffix"))
    paths = {name: folders_of(name) for name in pictures}
    depth = _common_depth(paths.values())
    paths = {name: path[depth:] for name, path in paths.items()}
    if not any(paths.values()):
        return Listed(pictures, None, None, tuple(notes))
    parts = _part_folders(paths)
    if parts:
        inside = [path[1:] for path in paths.values() if path and parts.get(path[0]) == "train"]
        level = 1 + _common_depth(inside)
        of_part = {name: parts[path[0]] for name, path in paths.items() if path and path[0] in parts}
    else:
        level, of_part = 0, {}
    kept = [name for name, path in paths.items() if len(path) > level and (not parts or name in of_part)]
    chosen = set(kept)
    beside = [name for name in pictures if name not in chosen]
    if beside and not every:
        where = "in the folder of a class" + (f" in {listing(sorted(parts))}" if parts else "")
        notes.append(_passed_over(beside, f"not {where}", f"not {where}"))
    deeper = sum(len(paths[name]) > level + 1 for name in kept)
    if deeper:
        notes.append(f"Pictures in folders inside that of a class belong to the outer one: {deeper:,} of them.")
    labels = {name: paths[name][level] for name in kept}
    spelled = Counter(normalize("NFC", label) for label in set(labels.values()))
    same = [label for label, count in spelled.items() if count > 1]
    if same:
        notes.append(
            f"Folders whose names look the same but are spelled by other code points are one: {listing(same)}."
        )
    if every:
        return Listed(pictures, [labels.get(name) for name in pictures], None, tuple(notes))
    return Listed(kept, list(labels.values()), [of_part[name] for name in kept] if parts else None, tuple(notes))


def _common_depth(paths: Iterable[tuple[str, ...]]) -> int:
    """How many outer folders all of the paths share."""
    listed = list(paths)
    first, last = min(listed, default=()), max(listed, default=())
    pairs = list(zip(first, last, strict=False))
    return next((depth for depth, (a, b) in enumerate(pairs) if a != b), len(pairs))


def _part_folders(paths: dict[str, tuple[str, ...]]) -> dict[str, str]:
    """Outermost folder -> part, empty where the outermost folders are no parts."""
    inner: dict[str, set[tuple[str, ...]]] = {}
    for path in paths.values():
        if path:
            inner.setdefault(path[0], set()).add(path[1:])
    found = {folder: part for folder in inner if (part := part_named(folder)) is not None}
    train = [folder for folder, part in found.items() if part == "train"]
    if len(set(found.values())) < len(found) or not train or len(inner[train[0]] - {()}) < 2:
        return {}
    return found


def find_list(files: Files) -> str | None:
    """The one table among the files that lists pictures, None where there is none.

    Raises: DataError where there are several.
    """
    found = [name for name in files.names if name.lower().endswith(DELIMITED_SUFFIXES) and lists_pictures(files, name)]
    if len(found) > 1:
        raise DataError(
            f"{files.name}: {len(found)} tables list pictures: {listing(found)}; one is needed. Give the path of the "
            "one that is meant."
        )
    return found[0] if found else None


def lists_pictures(files: Files, name: str) -> bool:
    """Whether a column of the table holds names of picture files, as its first records tell."""
    with files.open(name) as file:
        text = file.read(SNIFFED_BYTES).decode("latin-1")
    lines = text.splitlines()[: SNIFFED_RECORDS + 1]
    for delimiter in ",;\t|":
        try:
            records = list(islice(csv.reader(lines, delimiter=delimiter), 1, None))
        except csv.Error:
            continue
        if len(text) == SNIFFED_BYTES:
            records = records[:-1] if len(lines) <= SNIFFED_RECORDS else records
        width = min(map(len, records), default=0)
        if width >= 2 and any(all(is_picture(record[column].strip()) for record in records) for column in range(width)):
            return True
    return False


def list_table(files: Files, name: str, target: str | None, every: bool = False) -> Listed:
    """Classes from a table with a column of file names, relative to the folder of the table or to one inside it.

    The class is the column `target`; else the only other column, or the one called label, class, target or the like.
    A column called split, part, set or the like whose values name parts divides the set.

    Raises: DataError where a column is missing or ambiguous, or the files lie in several folders.
    """
    where = f"{files.name}/{name}" if files.name != name else name
    with Scratch() as folder:
        copy = folder / f"table{PurePosixPath(name).suffix}"
        copy.write_bytes(files.content(name))
        table = read(copy)
    texts = {column: _texts(values) for column, values in table.columns.items() if values.ndim == 1}
    named = [column for column, values in texts.items() if any(values) and all(is_picture(v) for v in values if v)]
    if len(named) != 1:
        raise DataError(
            f"{where}: {len(named)} columns hold names of picture files; one is needed, in which every name ends with "
            "the suffix of a picture. Leave the others out."
        )
    others = [column for column in texts if column != named[0]]
    part_column = next((c for c in others if c.casefold() in PART_COLUMNS and all(map(part_named, texts[c]))), None)
    candidates = [column for column in others if column != part_column]
    if target is not None:
        if target not in candidates:
            raise DataError(
                f"{where}: there is no column {target!r} of classes; the columns are {listing(candidates)}."
                f"{closest(target, candidates)}"
            )
        labelled: str | None = target
    elif len(candidates) > 1:
        known = [column for column in candidates if column.casefold() in LABEL_COLUMNS]
        if len(known) != 1 and not every:
            raise DataError(
                f"{where}: the columns are {listing(candidates)}; one of them must be named as the class. "
                "Give its name as the target."
            )
        labelled = known[0] if len(known) == 1 else None
    else:
        labelled = candidates[0] if candidates else None
    lacking = [row + 1 for row, value in enumerate(texts[named[0]]) if not value]
    if labelled is not None and not every:
        lacking += [row + 1 for row, value in enumerate(texts[labelled]) if not value]
    if lacking:
        raise DataError(
            f"{where}: {len(lacking):,} data rows lack the file name or the class, such as {listing(lacking, 5)}; both "
            "are needed in each. Mend or remove them."
        )
    chosen = _located(where, files, name, texts[named[0]])
    listed = set(chosen)
    unlisted = [each for each in files.names if is_picture(each) and each not in listed]
    notes = [_passed_over(unlisted, "not in the list", "not in the list")] if unlisted else []
    parts = [part_named(value) or "" for value in texts[part_column]] if part_column is not None else None
    labels = [value or None for value in texts[labelled]] if labelled is not None else None
    return Listed(chosen, labels, parts, tuple(notes))


def _texts(values: np.ndarray) -> list[str]:
    """A column as text, "" for missing; whole numbers without a fraction."""
    listed = values.tolist()
    if values.dtype.kind == "f":
        listed = [None if v != v else int(v) if float(v).is_integer() else v for v in listed]
    return ["" if value is None else str(value).strip() for value in listed]


def _located(where: str, files: Files, table: str, names: list[str]) -> list[str]:
    """The files that a table names. One that leads out of the folder is none of the files: missing."""
    known = {normalize("NFC", name): name for name in files.names if is_picture(name)}
    clean = [normalize("NFC", PurePosixPath(name.replace("\\", "/")).as_posix()) for name in names]
    home = normalize("NFC", "".join(f"{folder}/" for folder in folders_of(table)))
    bases = {home} | {name.removesuffix(clean[0]) for name in known if name.endswith(f"/{clean[0]}")}
    found = [base for base in sorted(bases) if base + clean[0] in known and base.startswith(home)]
    if home in found or not found:
        found = [home]
    missing = [name for name in clean if found[0] + name not in known]
    if missing or len(found) > 1:
        what = (
            f"{clean[0]} lies in {listing(base or '.' for base in found)}; all files must lie in one folder"
            if len(found) > 1
            else f"{len(missing):,} of the {len(names):,} files are not there, such as {listing(missing, 3)}; names "
            "must be relative to the folder of the table, or to one inside it"
        )
        raise DataError(f"{where}: {what}. Mend the names in the table.")
    return [known[found[0] + name] for name in clean]


def _passed_over(names: list[str], one: str, many: str) -> str:
    if len(names) == 1:
        return f"1 file is {one} and was passed over: {names[0]}."
    return f"{len(names):,} files are {many} and were passed over: {listing(names, 5)}."
