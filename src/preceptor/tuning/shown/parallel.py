"""Parallel coordinates: a line for each trial across an axis for each setting, the last axis its score."""

from collections.abc import Sequence

from preceptor.page.chart import Scale, figure, label_at, path, picture, pixel, tick_words
from preceptor.page.markup import Markup, clipped, joined, tag
from preceptor.tuning.importance import Effects
from preceptor.tuning.record import Found, Trial
from preceptor.tuning.shown.axis import Axis, axes, has, names_of, score_axis, thin
from preceptor.tuning.story import figure_of, is_number, ranked, score_of
from preceptor.words import amount, counted

MOST_LINES = 240
MOST_BEST = 60  # of them are the best
MOST_AXES = 12
SHADES = 5  # fifths of the trials
PITCH = 104.0  # pixels between two axes
HEIGHT, TOP, FLOOR = 300.0, 34.0, 284.0


def parallel(found: Found, effects: Effects | None) -> Markup | None:
    """The chart; None where there is nothing to draw. Its settings stand in the order of their importance."""
    known = axes(found)
    if effects is not None:
        order = {each.dimension: place for place, each in enumerate(effects.each)}
        known = sorted(known, key=lambda axis: order.get(axis.place, len(order)))
    shown = known[:MOST_AXES]
    failed = [each for each in found.trials if each.point and each.state == "failed"]
    ended = [each for each in ranked(found) if each.point and each.state != "failed"]
    placed = [each for each in ended if each.best is not None and is_number(each.best)]
    if not shown or not placed:
        return None
    lines = placed[:MOST_BEST] + thin(placed[MOST_BEST:], MOST_LINES - MOST_BEST)
    ends = score_axis(found)
    width = 60.0 + PITCH * len(shown) + 40.0
    xs = [60.0 + PITCH * place for place in range(len(shown) + 1)]
    upright = Scale(0, 1, FLOOR - 14, TOP + 6)
    scores = Scale(ends[0], ends[1], FLOOR - 14, TOP + 6, ends[2])
    shade = {each.number: SHADES * place // len(lines) for place, each in enumerate(lines)}
    named = names_of(found)
    kept = found.choice.kept if found.choice else None
    drawn = []
    lowest = lines[::-1]
    for each in sorted(lowest, key=lambda one: one.number == kept):  # the best above, the one that is kept above all
        ys = [upright(axis.where(each)) if has(each, axis, named) else None for axis in shown]
        score = scores(score_of(found, each.best or 0.0))
        style = "c kept" if each.number == kept else f"c c{shade[each.number]}"
        drawn.append(_line(xs, [*ys, score], style, f"{each.number}: {figure_of(found, each)}"))
    lost = [
        _line(
            xs[:-1],
            [upright(axis.where(each)) if has(each, axis, named) else None for axis in shown],
            "c lost",
            f"{each.number}: failed",
        )
        for each in thin(failed, MOST_BEST)
    ]
    best = placed[0]
    says = (
        f"{counted(len(placed), 'trial')} across {counted(len(shown), 'setting')}; the best has {found.figure} "
        f"{figure_of(found, best)}: "
        + ", ".join(f"{axis.name} {_near(axis, best)}" for axis in shown if has(best, axis, named))
        + "."
    )
    chart = picture(
        width,
        HEIGHT,
        "Parallel coordinates of the trials",
        says,
        tag("g", lost, class_="lines"),
        tag("g", drawn, class_="lines"),
        [_axis(x, axis, upright) for x, axis in zip(xs, shown, strict=False)],
        _scores(xs[-1], found, scores),
        class_="matrix parallel",
    )
    left_out = len(placed) - len(lines)
    notes = [
        "A line is a trial; the darker and stronger, the better; the strongest is kept"
        if kept
        else "A line is a trial; the darker and stronger, the better",
        "dotted: failed" if lost else "",
        f"{left_out:,} that are not among the best are left out" if left_out else "",
        f"the {len(known) - len(shown)} least important settings are not drawn" if len(known) > len(shown) else "",
        "the default is not drawn, for it lies outside of the space" if any(not each.point for each in placed) else "",
    ]
    return figure(
        "All trials at once",
        tag(
            "div",
            chart,
            class_="scroll",
            style=f"--wide:{pixel(width)}px",
            tabindex=0,
            role="region",
            aria_label="All trials at once",
        ),
        tag("p", "; ".join(each for each in notes if each), ".", class_="small quiet"),
        tag(
            "p",
            "Drag along an axis to see only the trials that cross it there; double-click for all.",
            tag("span", class_="readout"),
            class_="small quiet",
            id="brush-hint",
            hidden=True,
        ),
        class_="wide",
    )


def _near(axis: Axis, trial: Trial) -> str:
    if axis.levels:
        return axis.levels[axis.level(trial)]
    return amount(axis.value(trial.point[axis.place]), 3)


def _line(xs: Sequence[float], ys: Sequence[float | None], style: str, words: str) -> Markup:
    """A line through the axes that a trial has; over one that it lacks it goes straight on."""
    points = [f"{pixel(x)} {pixel(y)}" for x, y in zip(xs, ys, strict=True) if y is not None]
    return tag("path", tag("title", words), d=f"M{'L'.join(points)}" + ("h0" if len(points) == 1 else ""), class_=style)


def _axis(x: float, axis: Axis, scale: Scale) -> Markup:
    ticks = axis.ticks()
    feet = "".join(f"M{pixel(x)} {pixel(scale(at))}h-4" for at, _ in ticks)
    return joined(
        path(f"M{pixel(x)} {pixel(TOP)}V{pixel(FLOOR - 8)}{feet}", "a brush"),
        [label_at(x - 6, scale(at) + 4, clipped(words, 13), "e on") for at, words in ticks],
        label_at(x, 12, clipped(axis.name, 16), "m t"),
    )


def _scores(x: float, found: Found, scale: Scale) -> Markup:
    ticks = scale.ticks()
    feet = "".join(f"M{pixel(x)} {pixel(scale(at))}h4" for at in ticks)
    return joined(
        path(f"M{pixel(x)} {pixel(TOP)}V{pixel(FLOOR - 8)}{feet}", "a brush"),
        [label_at(x + 6, scale(at) + 4, words, "on") for at, words in zip(ticks, tick_words(ticks), strict=True)],
        label_at(x, 12, clipped(found.figure, 16), "m t strong"),
    )


__all__ = ["parallel"]
