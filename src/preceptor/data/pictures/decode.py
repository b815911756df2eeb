"""One picture file into pixels, by Pillow, which is imported on first use."""

import math
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

FORMATS = ("PNG", "JPEG", "BMP", "DIB", "GIF", "WEBP", "TIFF", "PPM")
MOST_PIXELS = 89_478_485  # Pillow's own limit against files made to fill the memory: 0.25 GiB at three bytes a pixel
ORIENTATION = 0x0112  # EXIF tag
QUARTER_TURNED = (5, 6, 7, 8)  # orientations that swap height and width
MODES = {1: "L", 3: "RGB"}
TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
GREY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N")
DRAFT_MARGIN = 2  # a JPEG decoded at a lower resolution keeps this many times the pixels that are wanted: Pillow's own


class Unreadable(Exception):
    """A file is no picture that can be read; the text says why, in a few words."""


@dataclass(frozen=True)
class Header:
    """What a file says of its picture before the pixels are decoded.

    Args:
        height, width: in pixels, as the picture is meant to be seen.
        orientation: the EXIF number, 1 where there is none.
        is_grey: whether its pixel format has no colour.
        remarks: what has to be done to it, each a few words, such as "has transparency and was laid on white".
    """

    height: int
    width: int
    orientation: int
    is_grey: bool
    remarks: tuple[str, ...]


@contextmanager
def without_warnings() -> Iterator[None]:
    """Silences Pillow about odd tags, which say nothing of the pixels. Not for several threads at once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def read_header(file: BinaryIO) -> Header:
    """The header of a picture; nothing is decoded, and no more read than it takes.

    Raises: Unreadable where the format is unknown, or the picture has more than MOST_PIXELS.
    """
    with _opened(file) as image:
        width, height = image.size
        if width * height > MOST_PIXELS:
            raise Unreadable(f"{width:,} × {height:,} pixels are more than {MOST_PIXELS:,}")
        if width < 1 or height < 1:
            raise Unreadable("it has no pixels")
        if image.mode == "F":
            raise Unreadable("its pixels are fractions of no known range")
        orientation = _orientation(image)
        remarks = []
        if orientation != 1:
            remarks.append("is turned by its EXIF orientation")
        if getattr(image, "is_animated", False) and image.format != "MPO":  # those are previews of the first
            remarks.append("has several frames, of which the first is taken")
        if _is_transparent(image):
            remarks.append("has transparency and is laid on white")
        if image.mode == "CMYK":
            remarks.append("is stored in the colours of print")
        if image.mode.startswith("I"):
            remarks.append("has 16 bits, of which the upper 8 are taken")
        if orientation in QUARTER_TURNED:
            height, width = width, height
        return Header(height, width, orientation, image.mode in GREY_MODES, tuple(remarks))


def decode(file: BinaryIO, height: int, width: int, channels: int, orientation: int) -> np.ndarray:
    """The pixels of a picture, as it is meant to be seen, at the size asked for.

    A picture of another size is scaled until it covers the size asked for, its aspect kept, and what stands over is cut
    off at both ends alike. Scaling down averages, by Pillow's triangle filter.

    Shapes: -> (height, width, channels), uint8.

    Args:
        file: open at its beginning.
        channels: 1 (grey: 0.299 red + 0.587 green + 0.114 blue) or 3.
        orientation: as read_header gave it.

    Raises: Unreadable where the pixels cannot be decoded.
    """
    from PIL import Image

    with _opened(file) as image:
        turned = orientation in QUARTER_TURNED
        wanted = (height, width) if turned else (width, height)
        scale = max(wanted[0] / image.size[0], wanted[1] / image.size[1])
        if scale < 1:  # a JPEG can be decoded at 1/2, 1/4 or 1/8 of its size, in a fraction of the time
            image.draft(None, tuple(math.ceil(side * scale * DRAFT_MARGIN) for side in image.size))
        image.load()
        if orientation != 1:
            image = image.transpose(Image.Transpose[TURNS[orientation]])
        image = _in_mode(image, MODES[channels])
        return np.asarray(_fit(image, height, width)).reshape(height, width, channels)


def resize(pixels: np.ndarray, height: int, width: int, channels: int) -> np.ndarray:
    """A picture in memory at another size or number of channels, by the rules of `decode`.

    Shapes: pixels (height, width, channels), uint8 -> the same with the new sizes.
    """
    from PIL import Image

    image = _in_mode(Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels), MODES[channels])
    return np.asarray(_fit(image, height, width)).reshape(height, width, channels)


def _fit(image: Any, height: int, width: int) -> Any:
    from PIL import Image

    if image.size == (width, height):
        return image
    scale = max(width / image.size[0], height / image.size[1])
    left = max(0.0, (image.size[0] - width / scale) / 2)
    top = max(0.0, (image.size[1] - height / scale) / 2)
    box = (left, top, image.size[0] - left, image.size[1] - top)
    return image.resize((width, height), Image.Resampling.BILINEAR, box)


@contextmanager
def _opened(file: BinaryIO) -> Iterator[Any]:
    from PIL import Image, UnidentifiedImageError

    try:
        image = Image.open(file, formats=FORMATS)
    except UnidentifiedImageError:
        raise Unreadable(f"its content is none of {', '.join(FORMATS)}") from None
    except Exception as error:
        raise _unreadable(error) from None
    try:
        with image:
            yield image
    except Unreadable:
        raise
    except Exception as error:  # the file is not ours, and a decoder may stumble over it in any way
        raise _unreadable(error) from None


def _unreadable(error: Exception) -> Unreadable:
    if isinstance(error, struct.error | IndexError | KeyError | TypeError):
        return Unreadable("it is damaged")
    return Unreadable(str(error).rstrip(".") or type(error).__name__)


def _orientation(image: Any) -> int:
    # Pillow turns a TIFF by itself. A PNG may keep EXIF behind its pixels; only what stands in the header counts.
    if image.format == "TIFF" or "exif" not in image.info:
        return 1
    try:
        found = image.getexif().get(ORIENTATION, 1)
    except Exception:  # tags that cannot be read turn nothing
        return 1
    return found if found in range(1, 9) else 1


def _is_transparent(image: Any) -> bool:
    return image.mode in ("RGBA", "LA", "La", "PA", "RGBa") or "transparency" in image.info


def _in_mode(image: Any, mode: str) -> Any:
    """The picture in mode "L" or "RGB": 16 bits cut to 8, transparent parts on white."""
    from PIL import Image

    if image.mode.startswith("I"):
        pixels = np.asarray(image)
        if pixels.size and (pixels.min() < 0 or pixels.max() > 0xFFFF):
            raise Unreadable("its pixels have more than 16 bits")
        image = Image.fromarray((pixels >> 8).astype(np.uint8))
    elif _is_transparent(image):
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(ground, image)
        if mode == "L":
            image = image.convert("RGB")
    return image if image.mode == mode else image.convert(mode)
