"""Charts that several experiments draw: lines, points, maps of a plane."""

import io
from collections.abc import Mapping, Sequence

import numpy as np

from preceptor.page.chart import Frame, Numbers, figure, frame, keys, pixel, within
from preceptor.page.markup import Markup, png_source, tag

MOST_POINTS = 240  # of a line: a chart has no more pixels
SHADES = 100  # of a map, beside the lowest
BLUE, WHITE, RED = (0, 90, 160), (245, 245, 240), (200, 80, 20)  # of a map, from its lowest to its highest value


def lines(
    title: str,
    says: str,
    x: Sequence[float],
    series: Mapping[str, Numbers],
    *below: Markup | str,
    x_label: str,
    y_label: str = "",
    is_log: bool = False,
    y: tuple[float, float] | None = None,
) -> Markup:
    """Lines over one axis, five at most, with their names.

    Args:
        says: in words what is to be seen, with its figures.
        is_log: both axis of y may be logarithmic, where its numbers span much.
        y: lowest and highest, where the numbers are not to say it; what lies beyond is cut.
    """
    x = [float(each) for each in x]
    at = thinned(len(x))
    known = {name: [_finite(values[place]) for place in at] for name, values in series.items()}
    axis = (*y, False) if y else within(known.values(), can_be_log=is_log)
    drawn = frame(within([x], room=0), axis, x_label=True, y_label=bool(y_label))
    marks = [drawn.line([x[place] for place in at], values, style) for style, values in enumerate(known.values(), 1)]
    shown = drawn.draw(title, says, *marks, x_label=x_label, y_label=y_label)
    named = keys(*((name, style) for style, name in enumerate(known, 1))) if len(known) > 1 else None
    return figure(title, shown, *([named] if named else []), *below)


def thinned(count: int, most: int = MOST_POINTS) -> list[int]:
    """Places of a line of so many points that are drawn: as many as a chart can show, the ends among them."""
    if count <= most:
        return list(range(count))
    return sorted({round(each) for each in np.linspace(0, count - 1, most)})


def heat(
    drawn: Frame,
    values: np.ndarray,
    x: tuple[float, float],
    y: tuple[float, float],
    limits: tuple[float, float] | None = None,
) -> Markup:
    """A map in a frame: blue is low, red is high, white between. What is not finite is the highest."""
    low, high = limits or (float(np.nanmin(values)), float(np.nanmax(values)))
    share = np.clip((np.nan_to_num(values, nan=high, posinf=high, neginf=low) - low) / ((high - low) or 1.0), 0, 1)
    left, right, top, floor = drawn.x(x[0]), drawn.x(x[1]), drawn.y(y[1]), drawn.y(y[0])
    return tag(
        "image",
        href=png_source(png(coloured(share[::-1]))),
        x=pixel(left),
        y=pixel(top),
        width=pixel(right - left),
        height=pixel(floor - top),
        preserveAspectRatio="none",
        style="image-rendering:pixelated;opacity:.75",
    )


def coloured(share: np.ndarray) -> np.ndarray:
    """Colours of numbers from 0 to 1. Shapes: (row, column) -> (row, column, 3), uint8."""
    low, middle, high = (np.array(each, np.float64) for each in (BLUE, WHITE, RED))
    share = np.round(share * SHADES) / SHADES  # few colours make a small file
    up = np.clip(2 * share[..., None] - 1, 0, 1)
    down = np.clip(1 - 2 * share[..., None], 0, 1)
    return np.round(middle + up * (high - middle) + down * (low - middle)).astype(np.uint8)


def png(pixels: np.ndarray) -> bytes:
    """A picture as a PNG file, with its colours in a table where they are few. Shapes: (row, column) or (row, column,
    3), uint8."""
    from PIL import Image

    image = Image.fromarray(pixels)
    if pixels.ndim == 3:
        colours, places = np.unique(pixels.reshape(-1, 3), axis=0, return_inverse=True)
        if len(colours) <= 256:
            image = Image.fromarray(places.reshape(pixels.shape[:2]).astype(np.uint8))
            image.putpalette(colours.ravel().tolist())
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


def tiles(
    title: str,
    pictures: Sequence[np.ndarray],
    names: Sequence[str],
    *below: Markup | str,
    side: int = 88,
    limits: tuple[float, float] | None = None,
) -> Markup:
    """Pictures side by side, each to its own scale unless one is given, with names.

    Shapes: each (row, column) or (row, column, 3).
    """
    shown = []
    for values, name in zip(pictures, names, strict=True):
        low, high = limits or (float(np.min(values)), float(np.max(values)))
        scaled = np.round(255 * np.clip((values - low) / ((high - low) or 1.0), 0, 1)).astype(np.uint8)
        source = png_source(png(scaled))
        image = tag("img", src=source, alt=name, width=side, height=side, style="image-rendering:pixelated")
        shown.append(tag("div", image, tag("p", name, class_="small quiet")))
    return figure(title, tag("div", shown, class_="tiles"), *below)


def _finite(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)
