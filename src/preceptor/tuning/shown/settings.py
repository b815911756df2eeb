"""What settings do: how important each is, and how the score answers to it."""

import math
from collections.abc import Sequence
from statistics import fmean

import numpy as np

from preceptor.page.chart import (
    WIDTH,
    Bar,
    Scale,
    figure,
    frame,
    keys,
    label_at,
    path,
    picture,
    pixel,
    room_for,
    rows,
    under,
    within,
)
from preceptor.page.grid import folded, grid
from preceptor.page.markup import Markup, clipped, joined, tag
from preceptor.tuning.importance import GRID, Effect, Effects
from preceptor.tuning.record import Found, Trial
from preceptor.tuning.shown.axis import Axis, has, names_of
from preceptor.tuning.story import is_number, score_of, trial_of
from preceptor.words import amount, counted

MOST_BARS = 24
MOST_OPEN = 7  # responses that are shown at once
MOST_FOLDED = 18
MOST_DOTS = 250  # of a response
ROOM = 1.5  # how far beyond the responses dots are drawn, by their height


def importance(axes: Sequence[Axis], effects: Effects) -> Markup:
    """A bar for each setting, and the share of a made-up one as the level of chance."""
    names = {axis.place: axis.name for axis in axes}
    known = [each for each in effects.each if each.dimension in names]
    shown = known[:MOST_BARS]
    bars = [Bar(names[each.dimension], each.share, each.low, each.high, f"{each.share:.0%}") for each in shown]
    first = shown[0]
    table = grid(
        "Importance of settings",
        ["setting", "alone", "from", "to", "with others"],
        [
            [
                names[each.dimension],
                *(f"{value:.1%}" for value in (each.share, each.low, each.high, max(each.share, each.total))),
            ]
            for each in known
        ],
        range(1, 5),
    )
    together = max(0.0, 1 - sum(each.share for each in effects.each))
    return figure(
        "Importance of settings",
        rows(
            "Importance of settings",
            f"Most important is {names[first.dimension]}: alone it explains {first.share:.0%} of the differences.",
            bars,
            (0.0, max(0.01, *(1.05 * each.high for each in shown))),
        ),
        f"Share of the differences between trials that a setting explains alone; what settings do together: "
        f"{together:.0%}. Lines: where eight of ten trees of the model lie. "
        f"A made-up setting that does nothing gets {effects.chance:.1%}.",
        f"The model learned from {counted(effects.trials, 'trial')} and explains {max(0.0, effects.explained):.0%} of "
        "the differences between those that it did not learn from.",
        folded("As a table", table),
        class_="tall" if len(shown) > 12 else None,
    )


def charts(found: Found, axes: Sequence[Axis], effects: Effects, near: Trial | None) -> Markup:
    """The importance, and how the score answers to each setting, the most important first."""
    by_place = {axis.place: axis for axis in axes}
    named = names_of(found)
    drawn = [
        response(found, by_place[each.dimension], each, named, near)
        for each in effects.each
        if each.dimension in by_place
    ]
    open_ = len(drawn) if len(drawn) <= MOST_OPEN + 2 else MOST_OPEN
    rest = drawn[open_ : open_ + MOST_FOLDED]
    more = folded(f"{counted(len(rest), 'more setting')}", tag("div", rest, class_="figures")) if rest else None
    return joined(
        tag("p", _legend(found, near), class_="small quiet"),
        tag("div", importance(axes, effects), drawn[:open_], class_="figures"),
        more,
    )


def _legend(found: Found, near: Trial | None) -> str:
    """What the marks of all responses mean."""
    words = [
        f"Blue, line or large dot: the mean {found.figure} over all other settings, and where eight of ten trees of "
        "the model lie."
    ]
    if near is not None:
        is_kept = found.choice is not None and found.choice.kept == near.number
        which = "that is kept" if is_kept else "the best that was drawn"
        words.append(f"Green, dotted or diamond: the other settings as in trial {near.number}, {which}.")
    words.append("Grey dots: trials that ended.")
    if found.choice is not None and any(len(each.repeats) > 1 for each in found.choice.candidates):
        words.append("Vermilion bars: the finalists trained again with other rows, from the best to the worst.")
    return " ".join(words)


def response(found: Found, axis: Axis, effect: Effect, named: frozenset[str], near: Trial | None) -> Markup:
    """The mean score over all other settings by one, with its band, the trials as dots, and the noise of repeats."""
    own = [
        each
        for each in found.trials
        if each.state == "done" and each.best is not None and is_number(each.best) and has(each, axis, named)
    ]
    repeated = _repeated(found, axis, named)
    drawn = _of_levels if axis.levels else _of_numbers
    entries = [("mean over other settings", 1)]
    entries += [(f"others as in trial {near.number}", 3)] if near is not None and effect.beside is not None else []
    entries += [("trained again", 2)] if repeated else []
    unit = f", {axis.dimension.unit}" if axis.dimension.unit else ""
    return figure(
        f"{found.figure[:1].upper()}{found.figure[1:]} by {clipped(axis.name, 40)}{clipped(unit, 30)}",
        drawn(found, axis, effect, own, repeated),
        keys(*entries) if not axis.levels else None,
        f"There is such a setting only where {axis.dimension.when}." if axis.dimension.when else None,
    )


Repeats = Sequence[tuple[Trial, Sequence[float]]]


def _repeated(found: Found, axis: Axis, named: frozenset[str]) -> Repeats:
    """The candidates that lie on an axis, with the scores of their repeats."""
    if found.choice is None:
        return []
    pairs = [(trial_of(found, each.number), each.repeats) for each in found.choice.candidates if len(each.repeats) > 1]
    return [
        (trial, [score_of(found, cost) for cost in costs if is_number(cost)])
        for trial, costs in pairs
        if has(trial, axis, named)
    ]


def _scores(found: Found, costs: np.ndarray) -> list[float]:
    return [score_of(found, cost) for cost in costs.tolist()]


def _ends(found: Found, effect: Effect, own: Sequence[Trial], repeated: Repeats) -> tuple[float, float, bool]:
    """An axis of scores that holds the responses and the repeats, and the dots that lie near them."""
    shown = [*effect.y_low.tolist(), *effect.y_high.tolist()]
    shown += [] if effect.beside is None else effect.beside.tolist()
    shown += [score_of(found, each) for _, scores in repeated for each in scores]
    low, high = min(shown), max(shown)
    room = ROOM * (high - low)
    shown += [each.best for each in own if each.best is not None and low - room <= each.best <= high + room]
    return within([[score_of(found, each) for each in shown]], can_be_log=True)


def _near(found: Found, own: Sequence[Trial], axis: tuple[float, float, bool]) -> list[tuple[Trial, float]]:
    scored = [(each, score_of(found, each.best)) for each in own if each.best is not None]
    inside = [each for each in scored if axis[0] <= each[1] <= axis[1]]
    return inside if len(inside) <= MOST_DOTS else [inside[at * len(inside) // MOST_DOTS] for at in range(MOST_DOTS)]


def _said(found: Found, effect: Effect, places: Sequence[tuple[float, str]]) -> str:
    pairs = list(zip((value for value, _ in places), (words for _, words in places), strict=True))
    best, worst = (max(pairs), min(pairs)) if found.is_high_better else (min(pairs), max(pairs))
    return f"Best, {amount(best[0], 3)}, at {best[1]}; worst, {amount(worst[0], 3)}, at {worst[1]}."


def _of_numbers(found: Found, axis: Axis, effect: Effect, own: Sequence[Trial], repeated: Repeats) -> Markup:
    low, high = axis.value(0.0), axis.value(1.0)
    y_axis = _ends(found, effect, own, repeated)
    drawn = frame((low, high, axis.dimension.is_log), y_axis, x_label=False)
    at = [axis.value(each) for each in np.linspace(0, 1, GRID).tolist()]
    mean = _scores(found, effect.y)
    dots = _near(found, own, y_axis)
    places = [(value, amount(where, 3)) for value, where in zip(mean, at, strict=True)]
    return drawn.draw(
        f"Mean {found.figure} by {axis.name}",
        _said(found, effect, places),
        tag(
            "g",
            drawn.dots([axis.value(one.point[axis.place]) for one, _ in dots], [y for _, y in dots], 0, 3.5),
            class_="sheer",
        ),
        drawn.band(at, _scores(found, effect.y_low), _scores(found, effect.y_high), 1),
        drawn.line(at, mean, 1),
        None if effect.beside is None else drawn.line(at, _scores(found, effect.beside), 3),
        _whiskers([(drawn.x(axis.value(one.point[axis.place])), [drawn.y(each) for each in y]) for one, y in repeated]),
        y_label=found.figure,
    )


def _whiskers(bars: Sequence[tuple[float, Sequence[float]]]) -> Markup | None:
    """Upright bars from the least to the most, with a dot at the mean."""
    if not bars:
        return None
    words = "".join(
        f"M{pixel(x - 3)} {pixel(min(y))}h6M{pixel(x)} {pixel(min(y))}V{pixel(max(y))}M{pixel(x - 3)} {pixel(max(y))}h6"
        for x, y in bars
    )
    means = "".join(f"M{pixel(x)} {pixel(fmean(y))}h0" for x, y in bars)
    return joined(path(words, "w s2"), path(means, "p s2", stroke_width=5))


def _of_levels(found: Found, axis: Axis, effect: Effect, own: Sequence[Trial], repeated: Repeats) -> Markup:
    """A row for each level: the mean with its reach, the trials, the repeats."""
    pitch, top, count = 30.0, 4.0, len(axis.levels)
    labels = [clipped(each, 20) for each in axis.levels]
    left = room_for(labels)
    ends = _ends(found, effect, own, repeated)
    scale = Scale(ends[0], ends[1], left, WIDTH - 10, ends[2])
    height = top + pitch * count + 20
    floor = height - 18
    starts = [math.ceil(place * (GRID - 1) / count) for place in range(count)] + [GRID]
    means = []
    boxes = dots = whiskers = repeats = centres = diamonds = ""
    for place in range(count):
        y = top + pitch * (place + 0.5)
        inside = slice(starts[place], starts[place + 1])
        mean, low, high = (
            score_of(found, float(each[inside].mean())) for each in (effect.y, effect.y_low, effect.y_high)
        )
        means.append((mean, axis.levels[place]))
        boxes += f"M{pixel(scale(mean))} {pixel(y - 5)}h0"
        if effect.beside is not None:
            near = score_of(found, float(effect.beside[inside].mean()))
            diamonds += f"M{pixel(scale(near))} {pixel(y - 9)}l4 4l-4 4l-4 -4z"
        whiskers += f"M{pixel(scale(low))} {pixel(y - 5)}H{pixel(scale(high))}"
    for each, score in _near(found, own, ends):
        level = axis.level(each)
        y = top + pitch * (level + 0.5) + 5 + 6 * (axis.where(each) * count - level - 0.5)
        dots += f"M{pixel(scale(score))} {pixel(y)}h0"
    for each, scores in repeated:
        y = top + pitch * (axis.level(each) + 0.5) + 5
        start, end = pixel(scale(min(scores))), pixel(scale(max(scores)))
        repeats += f"M{start} {pixel(y)}H{end}M{start} {pixel(y - 3)}v6M{end} {pixel(y - 3)}v6"
        centres += f"M{pixel(scale(fmean(scores)))} {pixel(y)}h0"
    lines = "".join(f"M{pixel(scale(at))} {pixel(top)}V{pixel(floor)}" for at in scale.ticks())
    return picture(
        WIDTH,
        height,
        f"Mean {found.figure} by {axis.name}",
        _said(found, effect, means),
        path(lines, "g"),
        under(scale, height - 4),
        [label_at(left - 8, top + pitch * (place + 0.5) + 4, words, "e t") for place, words in enumerate(labels)],
        tag("g", path(dots, "p s0", stroke_width=3.5), class_="sheer") if dots else None,
        path(repeats, "w s2") if repeats else None,
        path(centres, "p s2", stroke_width=5) if centres else None,
        path(whiskers, "w s1"),
        path(boxes, "p s1", stroke_width=8),
        path(diamonds, "f s3") if diamonds else None,
    )


__all__ = ["charts", "importance", "response"]
