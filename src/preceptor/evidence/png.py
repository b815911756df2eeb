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
    lines = np.zeros((height, 1 + width * channels), np.uint8)  # before each line stands its filter: none
    lines[:, 1:] = np.ascontiguousarray(pixels).reshape(height, -1)
    head = struct.pack(">IIBBBBB", width, height, 8, 0 if channels == 1 else 2, 0, 0, 0)
    parts = _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(lines.tobytes(), 9)) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
