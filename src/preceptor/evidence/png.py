"""Small pictures as the bytes of a PNG file."""

import struct
import zlib

import numpy as np

from preceptor.data.pictures.decode import resize
from preceptor.evidence.record import Picture

__all__ = ["LONGEST", "picture_of"]

LONGEST = 96  # pixels of the longer side


def picture_of(pixels: np.ndarray) -> Picture:
    """A picture, scaled down where it is larger than a page shows it. Shapes: pixels (height, width, 1 or 3), uint8."""
    height, width, channels = pixels.shape
    longer = max(height, width)
    if longer > LONGEST:
        height, width = (max(1, round(each * LONGEST / longer)) for each in (height, width))
        pixels = resize(pixels, height, width, channels)
    return Picture(png=png(pixels), height=height, width=width)


def png(pixels: np.ndarray) -> bytes:
    """A PNG file, grey or in colour. Shapes: pixels (height, width, 1 or 3), uint8.

    Source: Portable Network Graphics Specification, third edition, W3C 2025, section 11.
    """
    height, width, channels = pixels.shape
    head = struct.pack(">IIBBBBB", width, height, 8, 0 if channels == 1 else 2, 0, 0, 0)
    content = min((zlib.compress(each, 9) for each in (_lines(pixels, 0), _lines(_apart(pixels), 4))), key=len)
    parts = _chunk(b"IHDR", head) + _chunk(b"IDAT", content) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def _lines(pixels: np.ndarray, kind: int) -> bytes:
    """The pixels line by line, before each how they are written: 0 as they are, 4 as what sets them apart."""
    lines = np.full((len(pixels), 1 + pixels[0].size), kind, np.uint8)
    lines[:, 1:] = pixels.reshape(len(pixels), -1)
    return lines.tobytes()


def _apart(pixels: np.ndarray) -> np.ndarray:
    """What sets each pixel apart from the one of its neighbours, left, above or between, that is nearest to the plane
    through them (Paeth's filter, section 9.4), modulo 256. Of photos it takes less."""
    before = np.zeros((pixels.shape[0] + 1, pixels.shape[1] + 1, pixels.shape[2]), np.int16)
    before[1:, 1:] = pixels
    left, above, between = before[1:, :-1], before[:-1, 1:], before[:-1, :-1]
    plane = left + above - between
    off = [np.abs(plane - each) for each in (left, above, between)]
    nearest = np.where(off[1] <= off[2], above, between)
    nearest = np.where((off[0] <= off[1]) & (off[0] <= off[2]), left, nearest)
    return ((pixels - nearest) % 256).astype(np.uint8)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
