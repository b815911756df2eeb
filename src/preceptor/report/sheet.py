"""Sheets of small pictures with words beside them, as PNG files."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from preceptor.errors import DataError
from preceptor.output import Output
from preceptor.page.palette import LIGHT
from preceptor.words import one_line

INK, GREY, PAPER, MARK = LIGHT.ink, LIGHT.quiet, LIGHT.paper, LIGHT.bad
GAP, MARGIN, FRAME = 8, 16, 2  # pixels: between tiles, around the sheet, of a marked tile's frame
TITLE, WORDS, CAPTIONS = 20, 13, 11  # heights of letters
SHAPE = 1.3  # height to width of a sheet at most, as long as its rows can stand in more columns


@dataclass(frozen=True, eq=False)
class Tile:
    """A small picture. Shapes: pixels (height, width, 1 or 3), uint8."""

    pixels: np.ndarray
    caption: str = ""
    is_marked: bool = False


@dataclass(frozen=True)
class Row:
    """Tiles beside each other with words before them."""

    label: str
    tiles: Sequence[Tile]


def rows_of(tiles: Sequence[Tile]) -> list[Row]:
    """Tiles in the rows of a block about as high as wide, without words."""
    across = max(1, math.ceil(math.sqrt(len(tiles) * 1.3)))
    return [Row("", tiles[start : start + across]) for start in range(0, len(tiles), across)]


def shown_size(height: int, width: int, smallest: int, largest: int) -> tuple[int, int]:
    """The size of a picture on a sheet, by its shorter side: a whole multiple, unless it is too large."""
    shorter = min(height, width)
    if shorter > largest:
        return round(height * largest / shorter), round(width * largest / shorter)
    factor = max(1, -(-smallest // shorter))
    return height * factor, width * factor


def write_sheet(
    path: Path, title: str, notes: Sequence[str], rows: Sequence[Row], size: tuple[int, int], first: Tile | None = None
) -> None:
    """Draws a sheet: title, sentences, the rows, in several columns where they are many.

    Args:
        size: height and width of each tile; one that is smaller shows every pixel as a square.
        first: a tile of its own above the rows.
    Raises: DataError where the file cannot be written.
    """
    from PIL import Image, ImageDraw, ImageFont

    title, notes = one_line(title), [one_line(note) for note in notes]
    rows = [replace(row, label=one_line(row.label)) for row in rows]
    fonts = {height: ImageFont.load_default(height) for height in (TITLE, WORDS, CAPTIONS)}
    pen = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    height, width = size
    caption = CAPTIONS + 5 if any(tile.caption for row in rows for tile in row.tiles) else 0
    label = max((pen.textlength(row.label, fonts[WORDS]) for row in rows), default=0)
    label = math.ceil(label) + 2 * GAP if label else 0
    across = label + max(len(row.tiles) for row in rows) * (width + GAP) + MARGIN
    down = height + caption + GAP
    above = MARGIN + TITLE + 2 * GAP + len(notes) * (WORDS + GAP) + GAP
    top = above + (height + caption + 2 * GAP if first else 0)
    columns = 1
    while columns < len(rows) and math.ceil(len(rows) / columns) * down > SHAPE * across * columns:
        columns += 1
    lines = math.ceil(len(rows) / columns)
    words = max(pen.textlength(title, fonts[TITLE]), *(pen.textlength(note, fonts[WORDS]) for note in notes), 0)
    whole = (max(columns * across, math.ceil(words) + MARGIN) + MARGIN, top + lines * down + MARGIN)
    sheet = Image.new("RGB", whole, PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((MARGIN, MARGIN), title, INK, fonts[TITLE])
    for number, note in enumerate(notes):
        pen.text((MARGIN, MARGIN + TITLE + 2 * GAP + number * (WORDS + GAP)), note, GREY, fonts[WORDS])
    if first:
        _paste(sheet, pen, first, MARGIN, above, size, fonts[CAPTIONS])
    for number, row in enumerate(rows):
        left, y = MARGIN + number // lines * across, top + number % lines * down
        if row.label:
            pen.text((left, y + height / 2), row.label, INK, fonts[WORDS], anchor="lm")
        for place, tile in enumerate(row.tiles):
            _paste(sheet, pen, tile, left + label + place * (width + GAP), y, size, fonts[CAPTIONS])
    content = io.BytesIO()
    sheet.save(content, "PNG")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}). Choose another folder with -o.") from None
    with Output(path).binary() as file:
        file.write(content.getvalue())


def _paste(sheet: Any, pen: Any, tile: Tile, x: int, y: int, size: tuple[int, int], font: Any) -> None:
    from PIL import Image

    pixels = tile.pixels if tile.pixels.shape[-1] == 3 else np.repeat(tile.pixels, 3, 2)
    how = Image.Resampling.NEAREST if size[0] >= pixels.shape[0] else Image.Resampling.LANCZOS
    sheet.paste(Image.fromarray(pixels).resize((size[1], size[0]), how), (x, y))
    if tile.is_marked:
        around = (x - FRAME, y - FRAME, x + size[1] + FRAME - 1, y + size[0] + FRAME - 1)
        pen.rectangle(around, outline=MARK, width=FRAME)
    words = one_line(tile.caption)
    while words and pen.textlength(words, font) > size[1] + GAP - 1:
        words = words[:-1]
    pen.text((x, y + size[0] + 3), words, GREY, font)
