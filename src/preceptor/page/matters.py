"""What the prediction hangs on: importance of columns, and how it answers to the most important ones."""

from preceptor.evidence.record import Evidence, Response
from preceptor.page.chart import (
    WIDTH,
    Bar,
    Frame,
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
    short,
    under,
    within,
)
from preceptor.page.grid import folded, grid, name
from preceptor.page.markup import Markup, clipped, joined, tag
from preceptor.page.story import Story
from preceptor.page.verdict import spoken
from preceptor.words import amount

MOST_BARS = 20
MOST_LINES = 5  # styles that there are
FEET = 34.0  # pixels: height of the histogram beneath a curve


def section(story: Story) -> Markup:
    """Importance first, then the response curves."""
    found = story.evidence
    if found is None or not (found.importance or found.responses):
        has_saliency = found is not None and any(each.saliency for each in found.examples)
        words = (
            "What speaks for a prediction is drawn beside the examples above."
            if has_saliency
            else (found.cost if found else "") or "Nothing was worked out of what the prediction hangs on."
        )
        return tag("p", words, class_="quiet")
    several = len({each.target for each in found.responses}) > 1
    classes = {each.target: len(each.classes) for each in found.judgements}
    curves = [_response(each, several, classes.get(each.target, 0)) for each in found.responses]
    return joined(
        tag("p", found.cost, class_="quiet") if found.cost else None,
        tag("div", [_importance(found) if found.importance else None, curves], class_="figures"),
    )


def _importance(found: Evidence) -> Markup:
    shown = found.importance[:MOST_BARS]
    bars = [Bar(each.column, each.value, each.low, each.high, amount(each.value, 2)) for each in shown]
    low = min(0.0, *(each.low for each in shown))
    high = max(each.high for each in shown)
    first = shown[0]
    title = "Importance of columns" if len(found.importance) <= MOST_BARS else f"The {MOST_BARS} most important columns"
    table = grid(
        "Importance of columns",
        ["column", "importance", "95 % interval"],
        [
            [name(each.column), amount(each.value), f"{amount(each.low)} to {amount(each.high)}"]
            for each in found.importance
        ],
        (1, 2),
    )
    measure = spoken(found.measure) or "the figure"
    return figure(
        title,
        rows(
            title,
            f"Most important is {first.column}: shuffled, {measure} gets worse by {amount(first.value, 3)}.",
            bars,
            (low, high if high > low else low + 1),
        ),
        f"By how much {measure} gets worse where the values of a column are shuffled; lines are 95 % intervals.",
        folded("As a table", table),
        class_="tall",
    )


def _response(found: Response, several: bool, classes: int) -> Markup:
    title = joined("Response to ", name(found.column, 40), joined(" of ", name(found.target, 40)) if several else None)
    drawn = _of_levels(found) if found.levels else _of_numbers(found)
    legend = [(label, place + 1) for place, label in enumerate(found.names[:MOST_LINES])]
    words = _predicted(found)
    if 1 < len(found.y) < classes:
        words += f" of the {len(found.y)} most frequent classes"
    note = tag("p", f"{words[0].upper()}{words[1:]}; grey: how many rows there are.", class_="small quiet")
    return tag("figure", tag("figcaption", title), drawn, keys(*legend) if len(found.y) > 1 else None, note)


def _of_numbers(found: Response) -> Markup:
    ends = [*found.x, *found.edges]
    low, high = min(ends), max(ends)
    drawn = frame((low, high if high > low else low + 1, False), within(found.y[:MOST_LINES]), x_label=False)
    foot = drawn.y.start
    above = Frame(drawn.x, Scale(drawn.y.low, drawn.y.high, foot - FEET - 6, drawn.y.end), drawn.width, drawn.height)
    most = max(found.counts, default=0.0)
    counts = Frame(drawn.x, Scale(0, most or 1, foot, foot - FEET), drawn.width, drawn.height)
    return above.draw(
        f"Mean prediction by {found.column}",
        _said(found, [short(each) for each in found.x]),
        tag("g", counts.bars(found.edges, found.counts, 0), class_="feet"),
        *(above.line(found.x, values, place + 1) for place, values in enumerate(found.y[:MOST_LINES])),
        y_label=_predicted(found),
        x_foot=foot,
    )


def _of_levels(found: Response) -> Markup:
    """A row for each level: its dots, and behind them how frequent it is."""
    pitch, top = 22.0, 4.0
    labels = [clipped(each, 22) for each in found.levels]
    left = room_for(labels)
    axis = within(found.y[:MOST_LINES])
    scale = Scale(axis[0], axis[1], left, WIDTH - 10)
    height = top + pitch * len(labels) + 20
    floor = height - 18
    most = max(found.counts, default=0.0) or 1.0
    bars = "".join(
        f"M{pixel(left)} {pixel(top + pitch * place + 3)}h{pixel((WIDTH - 10 - left) * count / most)}v16H{pixel(left)}z"
        for place, count in enumerate(found.counts)
        if count > 0
    )
    grid_lines = "".join(f"M{pixel(scale(at))} {pixel(top)}V{pixel(floor)}" for at in scale.ticks())
    y = [top + pitch * (place + 0.5) for place in range(len(labels))]
    dots = [
        path(
            "".join(f"M{pixel(scale(value))} {pixel(at)}h0" for value, at in zip(values, y, strict=True)),
            f"p s{place + 1}",
            stroke_width=8,
        )
        for place, values in enumerate(found.y[:MOST_LINES])
    ]
    return picture(
        WIDTH,
        height,
        f"Mean prediction by {found.column}",
        _said(found, found.levels),
        tag("g", path(bars, "f s0"), class_="feet"),
        path(grid_lines, "g"),
        under(scale, height - 4),
        [label_at(left - 8, at + 4, words, "e t") for at, words in zip(y, labels, strict=True)],
        dots,
    )


def _said(found: Response, places: list[str]) -> str:
    said = []
    for label, values in zip(found.names, found.y, strict=False):
        if values and places:
            pairs = list(zip(values, places, strict=False))
            (low, at_low), (high, at_high) = min(pairs), max(pairs)
            said.append(f"{label}: lowest {amount(low, 3)} at {at_low}, highest {amount(high, 3)} at {at_high}")
    return "; ".join(said)


def _predicted(found: Response) -> str:
    """What the response is of: a number, the second of two classes, or several classes that are told apart by lines."""
    if len(found.y) > 1:
        return "mean probability"
    is_number = found.names == [found.target]
    return f"mean {'prediction' if is_number else 'probability'} of {clipped(found.names[0], 30)}"
