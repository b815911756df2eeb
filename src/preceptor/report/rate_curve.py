"""The curve of a learning-rate range test as one SVG file, without scripts."""

import math

import numpy as np

from preceptor.job.lr_find import RateTest
from preceptor.page.palette import LIGHT
from preceptor.words import amount

WIDTH, HEIGHT = 760, 440
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 50, 60  # margins, in pixels
RED, BLUE, INK, GREY, PALE, PAPER = LIGHT.vermilion, LIGHT.blue, LIGHT.ink, LIGHT.quiet, LIGHT.rule, LIGHT.paper
TICKS = 5  # on the axis of the loss


def rate_curve(found: RateTest) -> str:
    """Draws losses (pale), their smoothed curve and the two rates that were found, over a logarithmic axis of rates."""
    low, high = math.log10(found.rates[0]), math.log10(found.rates[-1])
    shown = np.clip(np.nan_to_num(found.losses, nan=found.ceiling), None, found.ceiling)
    bottom, top = min(0.0, float(shown.min())), float(max(shown.max(), 1e-12))
    right, floor = WIDTH - RIGHT, HEIGHT - BOTTOM

    def x(rate: float) -> float:
        return LEFT + (math.log10(rate) - low) / (high - low) * (right - LEFT)

    def y(loss: float) -> float:
        return floor - (loss - bottom) / (top - bottom) * (floor - TOP)

    def line(values: np.ndarray, colour: str, width: float) -> str:
        points = " ".join(f"{x(rate):.1f},{y(value):.1f}" for rate, value in zip(found.rates, values, strict=True))
        return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{width}"/>'

    def text(at_x: float, at_y: float, words: str, anchor: str = "middle", colour: str = INK) -> str:
        return f'<text x="{at_x:.1f}" y="{at_y:.1f}" text-anchor="{anchor}" fill="{colour}">{words}</text>'

    def rule(x1: float, y1: float, x2: float, y2: float, colour: str, dashes: str = "") -> str:
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"{dashed}/>'

    parts = [rule(LEFT, floor, right, floor, INK), rule(LEFT, TOP, LEFT, floor, INK)]
    for power in range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1):
        parts += [rule(x(10.0**power), floor, x(10.0**power), floor + 5, INK)]
        parts += [text(x(10.0**power), floor + 20, amount(10.0**power))]
    for value in np.linspace(bottom, top, TICKS):
        parts += [rule(LEFT - 5, y(value), LEFT, y(value), INK), text(LEFT - 9, y(value) + 4, amount(value, 3), "end")]
    parts += [line(shown, PALE, 1), line(found.smoothed, INK, 2)]
    marks = [(found.steepest, BLUE, "steepest"), (found.blow_up and found.blow_up / 10, RED, "a tenth of the blow-up")]
    for level, (rate, colour, words) in enumerate(marks):
        if rate is not None and found.rates[0] <= rate <= found.rates[-1]:
            side = "end" if x(rate) > (LEFT + right) / 2 else "start"
            shift = -6 if side == "end" else 6
            parts += [rule(x(rate), TOP, x(rate), floor, colour, "5 4")]
            parts += [text(x(rate) + shift, TOP - 24 + 16 * level, f"{words}: {amount(rate, 2)}", side, colour)]
    parts += [text((LEFT + right) / 2, HEIGHT - 14, "learning rate", colour=GREY)]
    parts += [text(16, TOP - 14, "loss", "start", GREY)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="sans-serif" font-size="13">\n<rect width="100%" height="100%" fill="{PAPER}"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )
