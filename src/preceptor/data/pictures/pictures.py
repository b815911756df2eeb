"""A set of pictures: read from a folder, a zip file, IDX or CIFAR files, or a table of file names."""

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from preceptor.data.division.split import Split, TooFewGroups, split
from preceptor.data.pictures.arrays import IDX_NAME, Stored, holds_cifar, holds_idx, read_cifar, read_idx
from preceptor.data.pictures.classes import number_classes
from preceptor.data.pictures.decode import Unreadable, resize
from preceptor.data.pictures.files import SUFFIXES, Files, FolderFiles, is_picture, open_files, readable
from preceptor.data.pictures.inspection import CHUNK, FilePixels, Shape, digests, inspect
from preceptor.data.pictures.layout import find_list, list_folders, list_table, lists_pictures
from preceptor.data.pictures.parallel import in_parallel
from preceptor.data.tables.read import FOLDER_SUFFIXES
from preceptor.data.tables.unpack import DELIMITED_SUFFIXES, TABLE_SUFFIXES
from preceptor.errors import DataError
from preceptor.words import counted, printable

TARGET = "class"  # what the class of a picture is called, where tables have a column
KEPT_BYTES = 512 << 20  # a set of at most so many bytes of pixels is decoded once and kept
LOOKED_AT = 1000  # files of a folder that tell whether it holds pictures


@dataclass(frozen=True, eq=False)
class ScaledPixels:
    """Pictures in memory that are brought to another size when they are taken.

    Shapes: pixels (row, height, width, channel), uint8; shape: (height, width, channels) of what is given.
    """

    pixels: np.ndarray
    shape: tuple[int, int, int]

    def one(self, row: int) -> np.ndarray:
        """The picture of a row. Shapes: -> (height, width, channel), uint8."""
        return resize(self.pixels[row], *self.shape)


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures of one size with their classes, in an order that is the same on every machine.

    Args:
        name: what messages call the set.
        classes: their names: whole numbers by size, else in the order of the characters. Empty without labels.
        labels: number of the class of each picture, -1 for none; None where the source has no classes.
        parts: "train", "dev" or "test" for each picture where the source divides them, else None.
        height, width: of every picture.
        channels: 1 if all are grey, else 3 (red, green, blue).
        pixels: all of them, or the files that hold them, or what makes them of smaller ones.
        hashes: of the content of each picture.
        names: the file of each picture, empty where pictures have none of their own.
        files: the files among which they were found, None of pictures that are in memory only.
        lists: the files, of those, that were read beside the pictures' own: tables, files of many pictures.
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
    pixels: np.ndarray | FilePixels | ScaledPixels
    hashes: np.ndarray
    names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    files: Files | None = None
    lists: tuple[str, ...] = ()

    def sources(self) -> Iterator[Path]:
        """The files on the disk that were read, which nothing may be written over."""
        if self.files is not None:
            yield from dict.fromkeys(map(self.files.path, (*self.lists, *self.names)))

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
        found = in_parallel(self._decoded, rows, workers, at_once=CHUNK)
        for place, pixels in enumerate(found):
            out[place] = pixels
        return out

    def _decoded(self, row: int) -> np.ndarray:
        assert not isinstance(self.pixels, np.ndarray)
        try:
            return self.pixels.one(row)
        except Unreadable as error:
            raise DataError(
                f"{self.name}/{self.names[row]}: {error}; it was whole when the set was read. Put it back as it was."
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
        if not os.path.exists(path):  # of a name that is too long, Path.exists raises
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


def refuse_neither(source: str | Path) -> None:
    """Raises DataError where a folder or a zip file, in which no pictures were found, has no table either; reads names
    only."""
    path = Path(source)
    is_folder = os.path.isdir(path)  # of a name that is too long, Path.is_dir raises
    if not is_folder and not (path.suffix.lower() == ".zip" and os.path.isfile(path)):
        return
    try:
        files = open_files(path, most=LOOKED_AT)
    except DataError:
        return  # the one who reads it will say so
    names = [name for name in files.names if not (is_folder and "/" in name)]
    if any(name.lower().endswith(FOLDER_SUFFIXES) for name in names):
        return
    found = f"but files such as {printable(min(files.names))}" if files.names else "nor any other file"
    kind = "folder" if is_folder else "archive"
    raise DataError(
        f"{printable(str(path))}: the {kind} holds no table and no pictures, {found}; one file that ends in "
        f"{', '.join(FOLDER_SUFFIXES)} is needed, or, in a folder for each class, pictures that end in "
        f"{', '.join(SUFFIXES)}. Check the path, or save them as one of these."
    )


def split_pictures(
    hashes: np.ndarray, *, dev: float, test: float, seed: int, labels: np.ndarray | None = None
) -> Split:
    """Pictures divided at random as `split` does, with those that are equal in every pixel in one part.

    Args:
        hashes: of their contents.
    Raises: DataError as split; where there are fewer different pictures than parts.
    """
    groups = hashes if len(np.unique(hashes)) < len(hashes) else None
    try:
        return split(len(hashes), dev=dev, test=test, seed=seed, labels=labels, groups=groups)
    except TooFewGroups as error:
        raise DataError(
            f"split: the {error.rows:,} pictures are copies of {counted(error.groups, 'picture')}; copies are kept in "
            f"one part, and each of {error.parts} parts needs a picture of its own. Add pictures that differ from "
            "these."
        ) from None


def read_pictures(
    source: str | Path,
    *,
    target: str | None = None,
    skip_corrupt: bool | None = False,
    shape: Shape = None,
    side: int | None = None,
    labelled: bool = True,
    every: bool = False,
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
        skip_corrupt: pass over files that cannot be read, and say so; else they are refused. None: nor can they be.
        shape: height, width and channels to bring the pictures to, or what gives them of the height and width that
            would be chosen; None to choose. side: height and width alone.
        labelled: whether two classes at least are needed.
        every: take pictures without a class as well, such as those beside the folders of classes, and divide nothing.

    Raises: DataError where there are no such pictures.
    """
    path = Path(source)
    if not path.exists():
        raise DataError(f"{path}: there is no such file or folder; a set of pictures is needed. Check the path.")
    name = readable(path.resolve().name)
    files = open_files(path)
    if skip_corrupt and (holds_idx(files) or holds_cifar(files)):
        raise DataError(
            f"{path}: received skip_corrupt; pictures of IDX and CIFAR files are plain numbers, none of which can be "
            "corrupt by itself. Leave it out."
        )
    if holds_idx(files):
        _refuse_target(path, target)
        files = _with_labels(path, files)
        return _of_arrays(name, files, read_idx(files), (shape, side), labelled, every)
    if holds_cifar(files):
        _refuse_target(path, target)
        return _of_arrays(name, files, read_cifar(files), (shape, side), labelled, every)
    table = None
    if path.suffix.lower() in DELIMITED_SUFFIXES and path.is_file():
        files, table = FolderFiles(path.parent), readable(path.name)
        listed = list_table(files, table, target, every)
    else:
        listed = list_folders(files, every)
        table = find_list(files) if listed.labels is None else None
        if table is not None:
            listed = list_table(files, table, target, every)
        else:
            _refuse_target(path, target)
    if not listed.files:
        raise DataError(
            f"{path}: there is no picture in it; PNG, JPEG, BMP, GIF, WebP, TIFF or PPM files are needed, in a folder "
            "for each class. Check the path."
        )
    found = inspect(name, files, listed.files, shape=shape, side=side, skip_corrupt=skip_corrupt, kept_bytes=KEPT_BYTES)
    labels = None if listed.labels is None else [listed.labels[row] for row in found.rows]
    parts = None if listed.parts is None or every else [listed.parts[row] for row in found.rows]
    known, codes, divided = number_classes(name, labels, parts, labelled)
    return Pictures(
        name,
        known,
        codes,
        divided,
        found.files.height,
        found.files.width,
        found.files.channels,
        found.files if found.kept is None else found.kept,
        found.hashes,
        tuple(found.files.names),
        (*files.notes, *listed.notes, *found.notes),
        files,
        () if table is None else (table,),
    )


def refuse_no_header(source: str | Path, header: bool) -> None:
    """Raises DataError where it is said that the first line is data, of what has no lines or needs their names."""
    if not header:
        raise DataError(
            f"{source}: received --no-header (header=False); it holds pictures, or lists them under column names. "
            "Leave it out."
        )


def _refuse_target(path: Path, target: str | None) -> None:
    """Raises DataError where a column of the class is named and there is no table to have it."""
    if target not in (None, TARGET):
        raise DataError(
            f"{path}: received the target {target!r}; there is no table with that column, the pictures say their "
            "classes themselves. Leave the target out."
        )


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
    files: Files,
    stored: Stored,
    size: tuple[Shape, int | None],
    labelled: bool,
    every: bool,
) -> Pictures:
    (shape, side), pixels = size, stored.pixels
    if callable(shape):
        shape = shape(*pixels.shape[1:3])
    shape = shape or (pixels.shape[1:] if side is None else (side, side, pixels.shape[3]))
    taken: np.ndarray | ScaledPixels = pixels
    if pixels.shape[1:] != shape:
        has_room = len(pixels) * math.prod(shape) <= KEPT_BYTES
        taken = np.stack([resize(each, *shape) for each in pixels]) if has_room else ScaledPixels(pixels, shape)
    words = np.array(stored.classes)[stored.codes].tolist()
    divided = None if stored.parts is None or every else stored.parts.tolist()
    known, labels, parts = number_classes(name, words, divided, labelled)
    height, width, channels = shape
    return Pictures(
        name,
        known,
        labels,
        parts,
        height,
        width,
        channels,
        taken,
        digests(taken if isinstance(taken, np.ndarray) else pixels),
        notes=files.notes,
        files=files,
        lists=stored.files,
    )
