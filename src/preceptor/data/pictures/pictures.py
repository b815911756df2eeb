"""A set of pictures: read from a folder, a zip file, IDX or CIFAR files, or a table of file names."""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from preceptor.data.pictures.arrays import IDX_NAME, Stored, holds_cifar, holds_idx, read_cifar, read_idx
from preceptor.data.pictures.decode import Header, Unreadable, decode, read_header, resize, without_warnings
from preceptor.data.pictures.files import Files, FolderFiles, is_picture, open_files
from preceptor.data.pictures.layout import Listed, find_list, list_folders, list_table, lists_pictures
from preceptor.data.pictures.parallel import cores, in_parallel, runs
from preceptor.data.tables.unpack import DELIMITED_SUFFIXES, TABLE_SUFFIXES
from preceptor.errors import DataError
from preceptor.words import closest, listing

LONGEST_SIDE = 224  # of the shorter side: conventional since AlexNet
COMMON_SHAPE = 0.9  # share of the pictures that must have one shape for it to be taken
KEPT_BYTES = 512 << 20  # a set of at most so many bytes of pixels is decoded once and kept
LOOKED_AT = 1000  # files of a folder that tell whether it holds pictures
CHUNK = 64  # pictures that a thread decodes before it takes the next ones


@dataclass(frozen=True)
class FilePixels:
    """Pixels that stay in their files and are decoded when they are asked for.

    Args:
        files: where they lie.
        names: the file of each picture.
        orientations: the EXIF number of each.
        height, width, channels: of every picture, as it comes out.
    """

    files: Files
    names: np.ndarray
    orientations: np.ndarray
    height: int
    width: int
    channels: int

    def one(self, row: int) -> np.ndarray:
        """Shapes: -> (height, width, channel). Raises: Unreadable."""
        with self.files.open(self.names[row]) as file:
            return decode(file, self.height, self.width, self.channels, int(self.orientations[row]))


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures of one size with their classes, in an order that is the same on every machine.

    Args:
        name: what messages call the set.
        classes: their names: whole numbers by size, else in the order of the characters. Empty without labels.
        labels: number of the class of each picture, None where the source has no classes.
        parts: "train", "dev" or "test" for each picture where the source divides them, else None.
        height, width: of every picture.
        channels: 1 if all are grey, else 3 (red, green, blue).
        pixels: all of them, or the files that hold them.
        hashes: of the content of each picture.
        names: the file of each picture, empty where pictures have none of their own.
        notes: what reading changed, passed over or had to guess, each a plain sentence.

    Shapes: labels (row,), int32; parts (row,); pixels (row, height, width, channel), uint8; hashes (row,), uint64.
    """

    name: str
    classes: tuple[str, ...]
    labels: np.ndarray | None
    parts: np.ndarray | None
    height: int
    width: int
    channels: int
    pixels: np.ndarray | FilePixels
    hashes: np.ndarray
    names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """The number of pictures."""
        return len(self.hashes)

    @property
    def columns(self) -> tuple[str, ...]:
        """What a table of the pictures has: the file of each and, where it is known, its class."""
        return ("picture",) if self.labels is None else ("picture", "class")

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of every picture."""
        return self.height, self.width, self.channels

    @property
    def is_in_memory(self) -> bool:
        """Whether all pixels are in memory; else each picture is decoded when it is taken."""
        return isinstance(self.pixels, np.ndarray)

    def rows_of(self, part: str) -> np.ndarray:
        """The rows of "train", "dev" or "test", none where the source divides nothing. Shapes: -> (row,), int64."""
        return np.flatnonzero(self.parts == part) if self.parts is not None else np.zeros(0, np.int64)

    def take(self, indices: np.ndarray | Sequence[int], *, workers: int = 1) -> np.ndarray:
        """The pictures of these rows. Shapes: (n,) -> (n, height, width, channel), uint8.

        Args:
            workers: threads that decode, where the set is not in memory.

        Raises: DataError where a file was changed since the set was read.
        """
        if isinstance(self.pixels, np.ndarray):
            return self.pixels[indices]
        rows = [int(row) for row in indices]
        out = np.empty((len(rows), *self.shape), np.uint8)
        for _ in in_parallel(lambda run: self._decode(out, rows, *run), runs(len(rows), CHUNK), workers):
            pass
        return out

    def _decode(self, out: np.ndarray, rows: list[int], start: int, end: int) -> None:
        assert isinstance(self.pixels, FilePixels)
        for place in range(start, end):
            try:
                out[place] = self.pixels.one(rows[place])
            except Unreadable as error:
                raise DataError(
                    f"{self.name}/{self.names[rows[place]]}: {error}; it was whole when the set was read. Put it back "
                    "as it was."
                ) from None

    def content_hashes(self) -> np.ndarray:
        """64 bits of a digest of the pixels of each picture: equal for pictures that are equal, pixel by pixel.

        Two different pictures of a million share one with a probability of 3e-8. A picture that was stored again with
        loss, at another size or cut otherwise is another picture.

        Shapes: -> (row,), uint64.
        """
        return self.hashes


def looks_like_pictures(source: str | Path) -> bool:
    """Whether a path is taken for a set of pictures rather than a table; reads names and the heads of tables only.

    A picture; a table that lists pictures; files of IDX or CIFAR; a folder or zip file of one of these. A folder with
    a table of its own that lists no pictures counts as a table, unless two of its folders hold pictures.
    """
    path = Path(source)
    try:
        if not path.exists():
            return False
        suffix = path.suffix.lower()
        if path.is_file() and suffix != ".zip":
            if suffix in DELIMITED_SUFFIXES:
                return lists_pictures(open_files(path), path.name)
            return is_picture(path.name) or bool(IDX_NAME.fullmatch(path.name))
        files = open_files(path, most=LOOKED_AT)
        if holds_idx(files) or holds_cifar(files):
            return True
        pictures = [name for name in files.names if is_picture(name)]
        tables = [name for name in files.names if "/" not in name and name.lower().endswith(TABLE_SUFFIXES)]
        if pictures and tables and all(not lists_pictures(files, name) for name in tables):
            texts = all(name.lower().endswith((".txt", ".json")) for name in tables)
            return texts or len({name.rsplit("/", 1)[0] for name in pictures if "/" in name}) > 1
        return bool(pictures)
    except DataError:
        return False  # the one who reads it will say so


def read_pictures(
    source: str | Path,
    *,
    target: str | None = None,
    skip_corrupt: bool = False,
    shape: tuple[int, int, int] | None = None,
    classes: tuple[str, ...] | None = None,
    labelled: bool = True,
) -> Pictures:
    """Reads a set of pictures and decodes each once, so that what is broken is found now and not while training.

    Formats: PNG, JPEG, BMP, GIF, WebP, TIFF, PPM and its kin; of several frames the first. Pictures are turned by their
    EXIF orientation, laid on white where they are transparent, and brought to 8 bits. They are kept in memory where all
    take at most KEPT_BYTES.

    The size: that of all pictures, or of 9 in 10 of them, scaled down to a shorter side of at most 224; where sizes
    differ more, a square of the median shorter side, at most 224. A picture of another size is scaled until it covers
    this, its aspect kept, and cut to the middle.

    Args:
        source: a folder with a sub-folder for each class, or with such folders side by side named train, test and
            perhaps valid; a zip file of one; a folder (or zip file) of IDX files or of the binary files of CIFAR; a
            table with a column of file names; one picture.
        target: column of the class in such a table, where it is not plain.
        skip_corrupt: pass over files that cannot be read, and say so; else they are refused.
        shape: height, width and channels to bring the pictures to, None to choose.
        classes: the classes that are known, None to take those of the set.
        labelled: whether two classes at least are needed.

    Raises: DataError where there are no such pictures.
    """
    path = Path(source)
    if not path.exists():
        raise DataError(f"{path}: there is no such file or folder; a set of pictures is needed. Check the path.")
    name = path.resolve().name
    files = open_files(path)
    if holds_idx(files):
        files = _with_labels(path, files)
        return _of_arrays(name, read_idx(files), shape, classes, labelled)
    if holds_cifar(files):
        return _of_arrays(name, read_cifar(files), shape, classes, labelled)
    if path.suffix.lower() in DELIMITED_SUFFIXES and path.is_file():
        files = FolderFiles(path.parent)
        listed = list_table(files, path.name, target)
    else:
        listed = list_folders(files)
        table = find_list(files) if listed.labels is None else None
        if table is not None:
            listed = list_table(files, table, target)
    if not listed.files:
        raise DataError(
            f"{path}: there is no picture in it; PNG, JPEG, BMP, GIF, WebP, TIFF or PPM files are needed, in a folder "
            "for each class. Check the path."
        )
    return _of_files(name, files, listed, skip_corrupt, shape, classes, labelled)


def _with_labels(path: Path, files: Files) -> Files:
    """Where the path is one IDX file of images: it and the labels beside it."""
    own = IDX_NAME.fullmatch(path.name)
    if own is None or not path.is_file():
        return files
    beside = FolderFiles(path.parent)
    beside.names = tuple(
        name for name in beside.names if (found := IDX_NAME.fullmatch(name)) and found["set"] == own["set"]
    )
    return beside


def _of_arrays(
    name: str,
    stored: Stored,
    shape: tuple[int, int, int] | None,
    classes: tuple[str, ...] | None,
    labelled: bool,
) -> Pictures:
    pixels = stored.pixels
    if shape is not None and pixels.shape[1:] != shape:
        pixels = np.stack([resize(each, *shape) for each in pixels])
    words = np.array(stored.classes)[stored.codes].tolist()
    known, labels, parts = _coded(
        name, words, None if stored.parts is None else stored.parts.tolist(), classes, labelled
    )
    height, width, channels = pixels.shape[1:]
    return Pictures(name, known, labels, parts, height, width, channels, pixels, _hashes(pixels), notes=stored.notes)


def _of_files(
    name: str,
    files: Files,
    listed: Listed,
    skip_corrupt: bool,
    shape: tuple[int, int, int] | None,
    classes: tuple[str, ...] | None,
    labelled: bool,
) -> Pictures:
    with without_warnings():
        headers = list(in_parallel(lambda each: _header(files, each), listed.files, cores()))
        good = [header for header in headers if isinstance(header, Header)]
        if not good:
            raise _corrupt(name, dict(zip(listed.files, headers, strict=True)), none_left=True)
        sizes = Counter((header.height, header.width) for header in good)
        height, width = shape[:2] if shape else _common_size(sizes)
        channels = shape[2] if shape else 1 if all(header.is_grey for header in good) else 3
        rows = [row for row, header in enumerate(headers) if isinstance(header, Header)]
        source = FilePixels(
            files,
            np.array([listed.files[row] for row in rows], object),
            np.array([header.orientation for header in good], np.int8),
            height,
            width,
            channels,
        )
        has_room = len(rows) * height * width * channels <= KEPT_BYTES
        kept = np.empty((len(rows), height, width, channels), np.uint8) if has_room else None
        seen = [
            look
            for run in in_parallel(lambda run: _look(source, kept, *run), runs(len(rows), CHUNK), cores())
            for look in run
        ]
    found: dict[str, Any] = dict(zip(listed.files, headers, strict=True))
    found |= {each: look for each, look in zip(source.names, seen, strict=True) if isinstance(look, Unreadable)}
    bad = {each: reason for each, reason in found.items() if isinstance(reason, Unreadable)}
    whole = np.array([not isinstance(look, Unreadable) for look in seen], bool)
    if bad and (not skip_corrupt or not whole.any()):
        raise _corrupt(name, bad, none_left=not whole.any())
    looks = [look for look in seen if isinstance(look, tuple)]
    notes = [*listed.notes, *_notes(headers, sizes, (height, width), bad)]
    if channels == 3 and shape is None and not any(has_colour for _, has_colour in looks):
        notes.append("The pictures are stored in colour, but all are grey; they are taken as grey.")
        channels = 1
        kept = None if kept is None else kept[..., :1]
    source = replace(source, names=source.names[whole], orientations=source.orientations[whole], channels=channels)
    if kept is not None:
        kept = np.ascontiguousarray(kept if whole.all() else kept[whole])
    chosen = np.array(rows)[whole].tolist()
    words = None if listed.labels is None else [listed.labels[row] for row in chosen]
    divided = None if listed.parts is None else [listed.parts[row] for row in chosen]
    known, labels, parts = _coded(name, words, divided, classes, labelled)
    hashes = np.array([number for number, _ in looks], np.uint64)
    pixels = source if kept is None else kept
    return Pictures(
        name, known, labels, parts, height, width, channels, pixels, hashes, tuple(source.names), tuple(notes)
    )


def _header(files: Files, name: str) -> Header | Unreadable:
    try:
        with files.open(name) as file:
            return read_header(file)
    except Unreadable as error:
        return error
    except DataError as error:  # the file itself cannot be read
        return Unreadable(str(error).split(": ", 1)[1].rstrip("."))


def _look(
    source: FilePixels, kept: np.ndarray | None, start: int, end: int
) -> list[tuple[np.uint64, bool] | Unreadable]:
    """Decodes some of the pictures: the hash of each and whether it has colour, or why it cannot be read."""
    found: list[tuple[np.uint64, bool] | Unreadable] = []
    for row in range(start, end):
        try:
            pixels = source.one(row)
        except Unreadable as error:
            found.append(error)
            continue
        except DataError as error:
            found.append(Unreadable(str(error).split(": ", 1)[1].rstrip(".")))
            continue
        if kept is not None:
            kept[row] = pixels
        found.append((_hashes(pixels[None])[0], not (pixels == pixels[..., :1]).all()))
    return found


def _hashes(pixels: np.ndarray) -> np.ndarray:
    """Shapes: (row, height, width, channel) -> (row,), uint64."""
    whole, size = memoryview(np.ascontiguousarray(pixels)).cast("B"), pixels[0].size
    digests = (hashlib.blake2b(whole[at : at + size], digest_size=8).digest() for at in range(0, len(whole), size))
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)


def _common_size(sizes: Counter[tuple[int, int]]) -> tuple[int, int]:
    """Height and width of what the network sees, by the rule that read_pictures states."""
    (height, width), count = max(sizes.items(), key=lambda each: (each[1], each[0]))
    if count < COMMON_SHAPE * sizes.total():
        shorter = np.median(np.repeat([min(size) for size in sizes], list(sizes.values())))
        height = width = int(shorter)
    scale = min(1.0, LONGEST_SIDE / min(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def _notes(
    headers: Sequence[Header | Unreadable],
    sizes: Counter[tuple[int, int]],
    chosen: tuple[int, int],
    bad: dict[str, Unreadable],
) -> list[str]:
    notes = []
    if bad:
        notes.append(f"{_files(len(bad))} cannot be read and {_was(len(bad))} passed over: {_reasons(bad)}.")
    other = sizes.total() - sizes[chosen]
    if other:
        small, large = min(sizes, key=lambda s: (s[0] * s[1], s)), max(sizes, key=lambda s: (s[0] * s[1], s))
        notes.append(
            f"{other:,} of {sizes.total():,} pictures {'is' if other == 1 else 'are'} scaled and cut to "
            f"{_by(chosen)}; as they are stored, the smallest has {_by(small)} pixels and the largest {_by(large)}."
        )
    remarks = Counter(remark for header in headers if isinstance(header, Header) for remark in header.remarks)
    for remark, count in sorted(remarks.items()):
        verb = (
            remark
            if count == 1
            else re.sub("^is ", "are ", re.sub("^has ", "have ", remark)).replace(" and is ", " and are ")
        )
        notes.append(f"{count:,} {'picture' if count == 1 else 'pictures'} {verb}.")
    return notes


def _by(size: tuple[int, int]) -> str:
    return f"{size[1]:,} x {size[0]:,}"  # width first, as pictures are spoken of


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count:,} files"


def _was(count: int) -> str:
    return "was" if count == 1 else "were"


def _reasons(bad: dict[str, Any]) -> str:
    return listing((f"{name} ({reason})" for name, reason in bad.items()), 5)


def _corrupt(name: str, bad: dict[str, Any], *, none_left: bool) -> DataError:
    cure = "Fetch them again." if none_left else "Fetch them again, remove them, or pass over them with skip_corrupt."
    return DataError(f"{name}: {_files(len(bad))} cannot be read: {_reasons(bad)}; whole pictures are needed. {cure}")


def _coded(
    name: str,
    labels: list[str] | None,
    parts: list[str] | None,
    classes: tuple[str, ...] | None,
    labelled: bool,
) -> tuple[tuple[str, ...], np.ndarray | None, np.ndarray | None]:
    """Classes, class numbers and parts of pictures, checked against one another."""
    parts = parts if parts is not None and len(set(parts)) > 1 else None
    divided = None if parts is None else np.array(parts)
    if labels is None:
        if labelled:
            raise DataError(
                f"{name}: all pictures lie in one folder; a folder for each class is needed, at least two. Sort them "
                "into folders, or give a table with a column of file names and a column of classes."
            )
        return classes or (), None, divided
    known = classes if classes is not None else tuple(sorted(set(labels), key=_natural))
    if labelled and len(known) < 2:
        raise DataError(f"{name}: there is one class, {known[0]!r}; at least two are needed. Add a folder for another.")
    where, learned = "among the classes that were learned", set(known)
    if classes is None and parts is not None and "train" in parts:
        where = "in the training part"
        learned = {label for label, part in zip(labels, parts, strict=True) if part == "train"}
    unknown = sorted(set(labels) - learned)
    if unknown:
        raise DataError(
            f"{name}: the class {unknown[0]!r} is not {where}; every class must be.{closest(unknown[0], learned)} "
            "Rename or remove it."
        )
    codes = {label: code for code, label in enumerate(known)}
    return known, np.array([codes[label] for label in labels], np.int32), divided


def _natural(label: str) -> tuple[int, str]:
    return (int(label) if label.isdecimal() else 1 << 62, label)  # whole numbers by size, before all else
