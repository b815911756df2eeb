"""Grids of numbers, as a lecture draws them: each cell as dark as its number, some of them framed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from preceptor.page.chart import figure, label_at, picture, pixel
from preceptor.page.markup import Markup, tag
from preceptor.words import amount

GAP = 26.0  # pixels between two grids
HEAD = 16.0  # above them, for their names
WIDEST = 40.0  # a cell
LETTER = 5.6  # of a name
LEAST = 15.0  # a cell with its number in it


@dataclass(frozen=True, eq=False)
class Cells:
    """One grid.

    Args:
        values: what is not finite stays empty.
        framed: (top, left, height, width) of the cells that are framed; None for none.

    Shapes: values (row, column).
    """

    name: str
    values: np.ndarray
    framed: tuple[int, int, int, int] | None = None


def cells(title: str, says: str, grids: Sequence[Cells], *below: str, width: float = 520.0) -> Markup:
    """Grids side by side. Shapes: each (row, column)."""
    columns = sum(each.values.shape[1] for each in grids)
    size = min(WIDEST, (width - GAP * (len(grids) - 1)) / columns)
    widths = [max(size * each.values.shape[1], LETTER * len(each.name)) for each in grids]
    height = HEAD + size * max(each.values.shape[0] for each in grids) + 3
    drawn: list[object] = []
    left = 1.5
    for each, wide in zip(grids, widths, strict=True):
        drawn.append(label_at(left, 11, each.name, "t"))
        drawn += _grid(each, left, HEAD, size)
        left += wide + GAP
    return figure(title, picture(left - GAP + 3, height, title, says, *drawn), *below)


def _grid(grid: Cells, left: float, top: float, size: float) -> list[object]:
    known = grid.values[np.isfinite(grid.values)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    low = min(low, 0.0)
    boxes: list[Markup] = []
    words: list[Markup] = []
    for (row, column), value in np.ndenumerate(grid.values):
        x, y = left + column * size, top + row * size
        is_known = bool(np.isfinite(value))
        share = (float(value) - low) / ((high - low) or 1.0) if is_known else 0.0
        shade = round(255 - 185 * share)
        fill = f"#{shade:02x}{shade:02x}{shade:02x}" if is_known else "none"
        boxes.append(tag("rect", x=pixel(x), y=pixel(y), width=pixel(size), height=pixel(size), fill=fill))
        if is_known and size >= LEAST:
            text = amount(float(value), 2)
            ink = "fill:#fff" if shade < 140 else "fill:#111"
            words.append(label_at(x + size / 2, y + size / 2 + 3.5, text, "m", style=ink))
    found: list[object] = [
        tag("g", boxes, stroke="#888", stroke_width=0.5),
        tag("g", words, font_size=pixel(min(11.0, size * 0.45))),
    ]
    if grid.framed is not None:
        row, column, rows, columns = grid.framed
        found.append(
            tag(
                "rect",
                x=pixel(left + column * size),
                y=pixel(top + row * size),
                width=pixel(columns * size),
                height=pixel(rows * size),
                style="fill:none;stroke:#c8501e;stroke-width:2.5",
            )
        )
    return found
