"""Every picture file of a set, looked at once: which can be read, how large all become, what they hold."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from preceptor.data.pictures.decode import Header, Unreadable, decode, read_header, without_warnings
from preceptor.data.pictures.files import Files
from preceptor.data.pictures.parallel import in_parallel
from preceptor.errors import DataError
from preceptor.machine import cores
from preceptor.words import counted, listing

# Height, width and channels; what gives them of height and width; or None.
Shape = tuple[int, int, int] | Callable[[int, int], tuple[int, int, int]] | None

LONGEST_SIDE = 224  # of the shorter side: conventional since AlexNet
COMMON_SHAPE = 0.9  # share of the pictures that must have one shape for it to be taken
CHUNK = 64  # pictures that a thread takes at a time


@dataclass(frozen=True, eq=False)
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
class Inspected:
    """The pictures of a set that can be read.

    Args:
        rows: places, among the files that were looked at, of those that can be read.
        files: where their pixels are.
        kept: the pixels, None where they take more memory than allowed.
        hashes: of the pixels of each.
        notes: what was changed or passed over.

    Shapes: rows (row,); kept (row, height, width, channel), uint8; hashes (row,), uint64.
    """

    rows: list[int]
    files: FilePixels
    kept: np.ndarray | None
    hashes: np.ndarray
    notes: list[str]


def inspect(
    name: str,
    files: Files,
    names: list[str],
    *,
    shape: Shape,
    side: int | None = None,
    skip_corrupt: bool | None,
    kept_bytes: int,
) -> Inspected:
    """Reads the header of each picture, chooses the size of all, and decodes each once.

    Args:
        name: what messages call the set.
        names: the picture files.
        shape, side: as of read_pictures.
        skip_corrupt: pass over files that cannot be read, and say so; else they are refused.
        kept_bytes: pixels are kept where all of them take at most so many.
    """
    with without_warnings():
        headers = list(in_parallel(lambda each: _header(files, each), names, cores(), at_once=CHUNK))
        good = [header for header in headers if isinstance(header, Header)]
        if not good:
            raise _corrupt(name, dict(zip(names, headers, strict=True)), none_left=True)
        sizes = Counter((header.height, header.width) for header in good)
        if callable(shape):
            shape = shape(*_common_size(sizes))
        height, width = shape[:2] if shape else (side, side) if side else _common_size(sizes)
        channels = shape[2] if shape else 1 if all(header.is_grey for header in good) else 3
        rows = [row for row, header in enumerate(headers) if isinstance(header, Header)]
        source = FilePixels(
            files,
            np.array([names[row] for row in rows], object),
            np.array([header.orientation for header in good], np.int8),
            height,
            width,
            channels,
        )
        has_room = len(rows) * height * width * channels <= kept_bytes
        kept = np.empty((len(rows), height, width, channels), np.uint8) if has_room else None
        seen = list(in_parallel(lambda row: _look(source, kept, row), range(len(rows)), cores(), at_once=CHUNK))
    found: dict[str, Any] = dict(zip(names, headers, strict=True)) | dict(zip(source.names, seen, strict=True))
    bad = {each: reason for each, reason in found.items() if isinstance(reason, Unreadable)}
    looks = [look for look in seen if isinstance(look, tuple)]
    if bad and (not skip_corrupt or not looks):
        raise _corrupt(name, bad, none_left=not looks, can_skip=skip_corrupt is not None)
    notes = _notes(headers, sizes, (height, width), bad)
    if channels == 3 and shape is None and not any(has_colour for _, has_colour in looks):
        notes.append("The pictures are stored in colour, but all are grey; they are taken as grey.")
        channels = 1
        kept = None if kept is None else kept[..., :1]
    whole = np.array([isinstance(look, tuple) for look in seen], bool)
    source = replace(source, names=source.names[whole], orientations=source.orientations[whole], channels=channels)
    if kept is not None:
        kept = np.ascontiguousarray(kept if whole.all() else kept[whole])
    hashes = np.array([number for number, _ in looks], np.uint64)
    return Inspected(np.array(rows)[whole].tolist(), source, kept, hashes, notes)


def digests(pixels: np.ndarray) -> np.ndarray:
    """64 bits of a digest of each picture. Shapes: (row, height, width, channel) -> (row,), uint64."""
    whole, size = memoryview(np.ascontiguousarray(pixels)).cast("B"), pixels[0].size
    digests = (hashlib.blake2b(whole[at : at + size], digest_size=8).digest() for at in range(0, len(whole), size))
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)


def _header(files: Files, name: str) -> Header | Unreadable:
    try:
        with files.open(name) as file:
            return read_header(file)
    except Unreadable as error:
        return error
    except DataError as error:  # the file itself cannot be read
        return _as_unreadable(error)


def _look(source: FilePixels, kept: np.ndarray | None, row: int) -> tuple[np.uint64, bool] | Unreadable:
    """Decodes a picture: its digest and whether it has colour, or why it cannot be read."""
    try:
        pixels = source.one(row)
    except Unreadable as error:
        return error
    except DataError as error:
        return _as_unreadable(error)
    if kept is not None:
        kept[row] = pixels
    return digests(pixels[None])[0], not (pixels == pixels[..., :1]).all()


def _as_unreadable(error: DataError) -> Unreadable:
    """What is wrong with a file itself, without its name and the cure."""
    return Unreadable(str(error).split(": ", 1)[1].split("; ", 1)[0])


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
        notes.append(f"{counted(len(bad), 'file')} cannot be read and {_was(len(bad))} passed over: {_reasons(bad)}.")
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
        notes.append(f"{counted(count, 'picture')} {verb}.")
    return notes


def _by(size: tuple[int, int]) -> str:
    return f"{size[1]:,} × {size[0]:,}"  # width first, as pictures are spoken of


def _was(count: int) -> str:
    return "was" if count == 1 else "were"


def _reasons(bad: dict[str, Any]) -> str:
    return listing((f"{name} ({reason})" for name, reason in bad.items()), 5)


def _corrupt(name: str, bad: dict[str, Any], *, none_left: bool, can_skip: bool = False) -> DataError:
    cure = "Fetch them again"
    if not none_left:
        cure += (
            ", remove them, or pass over them: --skip-corrupt, in Python skip_corrupt=True"
            if can_skip
            else " or remove them"
        )
    return DataError(
        f"{name}: {counted(len(bad), 'file')} cannot be read: {_reasons(bad)}; whole pictures are needed. {cure}."
    )
