"""A contact sheet: some pictures of a set as they are, and below each how training would see it."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from preceptor.data.pictures.augment import Augmentation, Draw, augment
from preceptor.data.pictures.pictures import Pictures
from preceptor.output import Output
from preceptor.report.sheet import shown_size
from preceptor.words import one_line

COLUMNS, VARIANTS = 10, 7
SMALLEST, LARGEST = 64, 160  # pixels of the shorter side of a picture on the sheet
GAP, LINE = 6, 16  # pixels between pictures; height of the line of class names
INK, PAPER = (40, 40, 40), (255, 255, 255)


def write_sheet(
    path: Path, pictures: Pictures, steps: Sequence[Augmentation], *, seed: int = 0, read: Iterable[Path] = ()
) -> None:
    """Writes a PNG: class names, a row of pictures, and below each VARIANTS of it after the augmentations.

    Pictures are of as many classes as there are columns, the classes in order; small ones are shown larger, every pixel
    as a square.

    Args:
        path: the file.
        steps: augmentations, as training would apply them.
        seed: draws the pictures and their changes.
        read: files that are read, none of which may be replaced.
    """
    from PIL import Image, ImageDraw

    output = Output(path, read)
    rows = _one_of_each(pictures, seed)
    originals = pictures.take(rows)
    lines = [originals]
    for variant in range(VARIANTS):
        changed = augment(originals, steps, Draw(seed, variant * len(rows), len(rows)))
        lines.append(np.round(changed * 255).astype(np.uint8))
    height, width = shown_size(pictures.height, pictures.width, SMALLEST, LARGEST)
    across, down = width + GAP, height + GAP
    size = (GAP + len(rows) * across, 2 * GAP + LINE + len(lines) * down)
    sheet = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(sheet)
    how = Image.Resampling.NEAREST if height >= pictures.height else Image.Resampling.LANCZOS
    for column, row in enumerate(rows):
        left = GAP + column * across
        if pictures.labels is not None:
            name = one_line(pictures.classes[pictures.labels[row]])
            while name and pen.textlength(name) > width:
                name = name[:-1]
            pen.text((left, GAP / 2), name, INK)
        for number, line in enumerate(lines):
            pixels = line[column] if pictures.channels == 3 else np.repeat(line[column], 3, 2)
            top = LINE + GAP + number * down + (GAP if number else 0)
            sheet.paste(Image.fromarray(pixels).resize((width, height), how), (left, top))
    with output.binary() as file:
        sheet.save(file, "PNG")


def _one_of_each(pictures: Pictures, seed: int) -> np.ndarray:
    """Rows for the columns, by class: one of each class, then another of each, until the sheet is full.

    From the training part, where the source has one.
    """
    rows = pictures.rows_of("train") if pictures.parts is not None else np.arange(pictures.rows)
    rows = np.random.default_rng(seed).permutation(rows)
    labels = np.zeros(len(rows), np.int32) if pictures.labels is None else pictures.labels[rows]
    by_class = np.argsort(labels, kind="stable")
    sizes = np.bincount(labels)
    turn = np.empty(len(rows), np.int64)
    turn[by_class] = np.arange(len(rows)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    chosen = np.lexsort((labels, turn))[:COLUMNS]
    return rows[chosen[np.argsort(labels[chosen], kind="stable")]]
