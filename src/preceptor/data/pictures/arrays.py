"""Pictures stored as plain numbers: the IDX files of MNIST and its kin, the binary files of CIFAR."""

import math
import re
import struct
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from preceptor.data.pictures.files import Files, unzipped
from preceptor.data.pictures.layout import part_named
from preceptor.errors import DataError
from preceptor.words import listing

IDX_NAME = re.compile(r"(?P<set>.*?)[-_.]?(?P<what>images|labels)[-_.]idx(?P<axes>[134])[-_.]ubyte(\.gz)?", re.I)
CIFAR_BATCH = re.compile(r"(data_batch(_\d+)?|test_batch|train|test)\.bin(\.gz)?", re.I)
CIFAR10_BATCH = re.compile(r"(data_batch(_\d+)|test_batch)\.bin(\.gz)?", re.I)
CIFAR_PICKLE = re.compile(r"data_batch_\d+|test_batch", re.I)
CIFAR_SIDE = 32
UNSIGNED_BYTE = 8  # the element type of IDX files, third byte of their magic number


@dataclass(frozen=True, eq=False)
class Stored:
    """Pictures read whole.

    Shapes: pixels (row, height, width, channel), uint8; codes (row,).

    Args:
        codes: class numbers.
        classes: their names.
        parts: "train", "dev" or "test" for each picture, None where the set is not divided.
        files: those that were read.
    """

    pixels: np.ndarray
    codes: np.ndarray
    classes: tuple[str, ...]
    parts: np.ndarray | None
    files: tuple[str, ...]


def holds_idx(files: Files) -> bool:
    """Whether there are pictures in an IDX file."""
    return any(found["what"].lower() == "images" for _, found in _idx_files(files))


def holds_cifar(files: Files) -> bool:
    """Whether the files are those of CIFAR, in the binary form or, to be refused, as Python pickles."""
    names = set(map(_last, files.names))
    is_cifar10 = any(map(CIFAR10_BATCH.fullmatch, names))
    return is_cifar10 or _is_cifar100(files) or _is_pickled_cifar(files)


def read_idx(files: Files) -> Stored:
    """The sets of IDX files of a folder: images and labels in pairs, a pair a part (t10k is the test part).

    Source: LeCun, Cortes and Burges, the MNIST database: a magic number, the lengths of the axes, then bytes.

    Raises: DataError where a file of a pair is missing, cut short, or holds anything but bytes.
    """
    sets: dict[str, dict[str, str]] = {}
    listed = _idx_files(files)
    _check_one_folder(files, [name for name, _ in listed])
    for name, found in listed:
        sets.setdefault(found["set"], {})[found["what"].lower()] = name
    for group, pair in sets.items():
        if set(pair) != {"images", "labels"}:
            lacking = ({"images", "labels"} - set(pair)).pop()
            raise DataError(
                f"{files.name}: {listing(pair.values())} has no file of {lacking} beside it; a pair is needed, such as "
                f"{group}-images-idx3-ubyte and {group}-labels-idx1-ubyte. Fetch the other one."
            )
    by_part = {group: part_named(group) for group in sets}
    if len(sets) > 1 and (None in by_part.values() or len(set(by_part.values())) < len(sets)):
        raise DataError(
            f"{files.name}: there are {len(sets)} sets of IDX files: {listing(sets)}; one train, one test and perhaps "
            "one validation set are needed. Put the others into a folder of their own."
        )
    pixels, codes, parts = [], [], []
    for group in sorted(sets, key=lambda each: ("train", "dev", "test", None).index(by_part[each])):
        images, labels = (_idx(files, sets[group][what]) for what in ("images", "labels"))
        if images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] not in (1, 3)) or labels.ndim != 1:
            raise DataError(
                f"{files.name}: {group} holds images of shape {images.shape} and labels of shape {labels.shape}; "
                "(pictures, height, width), with 3 at the end for colours, and (pictures,) are needed."
            )
        if len(images) != len(labels):
            raise DataError(
                f"{files.name}: {group} holds {len(images):,} pictures and {len(labels):,} labels; as many of both are "
                "needed. Check that the files belong together."
            )
        pixels.append(images if images.ndim == 4 else images[..., None])
        codes.append(labels)
        parts += [by_part[group]] * len(labels)
    if len({each.shape[1:] for each in pixels}) > 1:
        shapes = listing(each.shape[1:] for each in pixels)
        raise DataError(f"{files.name}: the parts hold pictures of shapes {shapes}; one shape is needed.")
    levels, found_codes = np.unique(np.concatenate(codes), return_inverse=True)
    return Stored(
        pixels[0] if len(pixels) == 1 else np.concatenate(pixels),
        found_codes.astype(np.int32),
        tuple(map(str, levels.tolist())),
        np.array(parts) if len(sets) > 1 else None,
        tuple(name for name, _ in listed),
    )


def read_cifar(files: Files) -> Stored:
    """The binary version of CIFAR-10 or CIFAR-100 (its fine labels).

    Source: Krizhevsky 2009; each record is a byte for the class (CIFAR-100: coarse, then fine) and three planes of
        32 x 32 bytes, red, green and blue.

    Raises: DataError where a file is not a whole number of records, a label has no name, or the form is pickle.
    """
    if _is_pickled_cifar(files):
        raise DataError(
            f"{files.name}: these are the Python pickles of CIFAR, and reading a pickle may run any code; the binary "
            "version is needed. Fetch cifar-10-binary.tar.gz or cifar-100-binary.tar.gz and unpack it."
        )
    fine = _is_cifar100(files)
    list_name = "fine_label_names.txt" if fine else "batches.meta.txt"
    words = next((name for name in files.names if _last(name) == list_name), None)
    record, before = CIFAR_SIDE * CIFAR_SIDE * 3 + 1 + fine, 1 + fine
    pixels, codes, parts = [], [], []
    batches = [name for name in files.names if CIFAR_BATCH.fullmatch(_last(name))]
    batches = [name for name in batches if name.removesuffix(".gz") == name or name[:-3] not in batches]
    batches.sort(key=lambda name: _last(name).lower().startswith("test"))
    read = (*batches, words) if words is not None else tuple(batches)
    _check_one_folder(files, list(read))
    for name in batches:
        content = np.frombuffer(unzipped(f"{files.name}/{name}", files.content(name)), np.uint8)
        if len(content) == 0 or len(content) % record:
            raise DataError(
                f"{files.name}/{name}: {len(content):,} bytes are no whole number of records of {record:,}; a whole "
                "file is needed. Fetch it again."
            )
        rows = content.reshape(-1, record)
        pixels.append(rows[:, before:].reshape(-1, 3, CIFAR_SIDE, CIFAR_SIDE).transpose(0, 2, 3, 1))
        codes.append(rows[:, before - 1])
        parts += ["test" if _last(name).lower().startswith("test") else "train"] * len(rows)
    labels = np.concatenate(codes).astype(np.int32)
    if words is None:  # the numbers are all that is known
        classes = tuple(map(str, range(labels.max() + 1)))
    else:
        classes = tuple(files.content(words).decode("utf-8", "replace").split())
    if labels.max() >= len(classes):
        raise DataError(
            f"{files.name}: a picture has the class number {labels.max()}, but {list_name} names {len(classes)} "
            "classes; one name for each is needed. Fetch the files again."
        )
    divided = np.array(parts) if len(set(parts)) > 1 else None
    return Stored(np.ascontiguousarray(np.concatenate(pixels)), labels, classes, divided, read)


def _idx_files(files: Files) -> list[tuple[str, re.Match[str]]]:
    """The IDX files that lie outermost: some archives hold copies further in."""
    named = [(name, found) for name in files.names if (found := IDX_NAME.fullmatch(_last(name)))]
    level = min((name.count("/") for name, _ in named), default=0)
    return [(name, found) for name, found in named if name.count("/") == level]


def _check_one_folder(files: Files, names: list[str]) -> None:
    folders = sorted({name.rpartition("/")[0] for name in names})
    if len(folders) > 1:
        raise DataError(
            f"{files.name}: {len(folders)} folders hold sets of pictures: {listing(folders)}; one is needed. Give the "
            "path of the one that is meant."
        )


def _is_cifar100(files: Files) -> bool:
    names = set(map(_last, files.names))
    return "fine_label_names.txt" in names and bool({"train.bin", "train.bin.gz"} & names)


def _is_pickled_cifar(files: Files) -> bool:
    names = set(map(_last, files.names))
    return "batches.meta" in names and any(map(CIFAR_PICKLE.fullmatch, names))


def _last(name: str) -> str:
    return PurePosixPath(name).name


def _idx(files: Files, name: str) -> np.ndarray:
    """The array of one IDX file. Memory is taken for what the file holds, not for what its header claims."""
    where = f"{files.name}/{name}"
    content = unzipped(where, files.content(name))
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] != UNSIGNED_BYTE or len(content) < 4 + 4 * content[3]:
        raise DataError(
            f"{where}: it begins with {content[:4].hex(' ') or 'nothing'}; an IDX file of bytes begins with 00 00 08 "
            "and the number of its axes. Fetch it again."
        )
    shape = struct.unpack_from(f">{content[3]}I", content, 4)
    start = 4 + 4 * content[3]
    if math.prod(shape) != len(content) - start or math.prod(shape) == 0:
        raise DataError(
            f"{where}: its header promises {math.prod(shape):,} bytes of shape {shape}, and {len(content) - start:,} "
            "follow; as many as promised, and at least one, are needed. Fetch it again."
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
