"""Inside the network: its layers with shapes and parameters, what the doctor saw in them, the first filters."""

import math
import re
from collections.abc import Sequence
from statistics import median

from msgspec.structs import replace

from preceptor.evidence.record import LayerShape, Look
from preceptor.page.chart import WIDTH, Numbers, figure, label_at, path, picture, pixel, spark, within
from preceptor.page.examples import image
from preceptor.page.grid import folded, grid, name
from preceptor.page.markup import Content, Markup, clipped, joined, tag
from preceptor.page.story import Story
from preceptor.words import amount, counted

FIRST, LAST = 22, 6  # layers of a deep network that are drawn
MOST_MEMBERS = 4  # of a committee are drawn
MEMBER = re.compile(r"network\d+")
MOST_LINES = 60  # layers with panels
RATIO = "update ratio"
UNSEEN = "The layers were not looked at while they learned: that is left out where it costs much beside the steps."
BOX, GAP = 40.0, 14.0  # pixels: height of a layer, from one to the next


def section(story: Story) -> Markup:
    """The network as a picture, panels of its layers, filters."""
    found = story.evidence
    words = [tag("p", each) for each in story.network]
    if found is None:
        return joined(words or tag("p", "This run kept nothing of what its layers gave.", class_="quiet"))
    drawn = [_network(title, layers, story.example) for title, layers in _networks(found.layers)]
    filters = None
    if found.filters:
        tiles = [image(each, f"Filter {place + 1}") for place, each in enumerate(found.filters)]
        filters = joined(
            tag("h3", "What the first layer looks for"),
            tag("div", tiles, class_="filters"),
            tag("p", "Each to its own scale: what is brighter excites, what is darker inhibits.", class_="small quiet"),
        )
    panels = _panels(found.look, story.example) or (tag("p", UNSEEN, class_="quiet") if drawn else None)
    return joined(words, tag("div", drawn, class_="figures") if drawn else None, panels, filters)


def _networks(layers: list[LayerShape]) -> list[tuple[str, list[LayerShape]]]:
    """The members of a committee, which stand beside each other, each by itself; else the one network."""
    members: dict[str, list[LayerShape]] = {}
    for each in layers:
        head, slash, tail = each.path.partition("/")
        if not (slash and MEMBER.fullmatch(head)):
            return [("The network", layers)] if layers else []
        members.setdefault(head, []).append(replace(each, path=tail))
    return list(members.items())[:MOST_MEMBERS]


def _network(title: str, layers: list[LayerShape], example: str) -> Markup:
    """Boxes one below the other, as wide as the logarithm of what a layer gives; parameters at their right."""
    shown: list[LayerShape | None] = list(layers)
    if len(layers) > FIRST + LAST + 1:
        shown = [*layers[:FIRST], None, *layers[-LAST:]]
    sizes = [math.log2(1 + math.prod(each.shape)) for each in layers]
    widest, whole = max(sizes) or 1.0, sum(each.parameters for each in layers)
    room = WIDTH - 84
    drawn: list[Content] = []
    y = 2.0
    for each in shown:
        if each is None:
            drawn.append(label_at(room / 2, y + 12, f"… {len(layers) - FIRST - LAST} more layers …", "m"))
            y += 18 + GAP
            continue
        width = room * max(0.45, math.log2(1 + math.prod(each.shape)) / widest)
        left = (room - width) / 2
        weighty = "box" if each.parameters else "box thin"
        drawn.append(
            tag("rect", x=pixel(left), y=pixel(y), width=pixel(width), height=pixel(BOX), rx=5, class_=weighty)
        )
        drawn.append(label_at(room / 2, y + 17, clipped(each.path or each.kind, 34), "m t strong"))
        shape = " × ".join(f"{side:,}" for side in each.shape)
        drawn.append(label_at(room / 2, y + 32, clipped(f"{each.kind} → {shape}" if each.path else shape, 40), "m"))
        if each.parameters:
            drawn.append(label_at(WIDTH, y + BOX / 2 + 4, f"{each.parameters:,}", "e t"))
        if each is not shown[-1]:
            middle = pixel(room / 2)
            drawn.append(path(f"M{middle} {pixel(y + BOX)}v{pixel(GAP - 2)}m-3 -4l3 4l3 -4", "a"))
        y += BOX + GAP
    table = grid(
        f"Layers of {title[:1].lower()}{title[1:]}",
        ["layer", "kind", "gives", "parameters"],
        [[name(each.path), each.kind, " × ".join(map(str, each.shape)), f"{each.parameters:,}"] for each in layers],
        (2, 3),
    )
    return figure(
        f"{title}: {whole:,} parameters",
        picture(
            WIDTH,
            y - GAP + 4,
            title,
            f"{len(layers)} layers with {whole:,} parameters: "
            + "; ".join(f"{each.path} {each.kind} gives {' × '.join(map(str, each.shape))}" for each in layers[:FIRST]),
            drawn,
        ),
        f"Data go from top to bottom. Below a layer's name what it is and the shape it gives of a {example}; at the "
        "right its parameters; wider boxes give more numbers.",
        folded("As a table", table),
    )


def _panels(look: Look, example: str) -> Markup | None:
    """A table of small curves: a line for each layer, a column for each measure, one scale a column."""
    if not look.steps:
        return None
    signals = [
        ("spread", [each.spread for each in look.signals], True),
        ("gradient", [each.gradient for each in look.signals], True),
        ("zeros", [each.zeros for each in look.signals], False),
        ("dead", [each.dead for each in look.signals], False),
        ("saturated", [each.saturated for each in look.signals], False),
    ]
    arrays = [
        ("size", [each.size for each in look.parameters], True),
        ("gradient", [each.gradient for each in look.parameters], True),
        (RATIO, [each.ratio for each in look.parameters], True),
    ]
    ends = f"at step {look.steps[0]:,}"
    if len(look.steps) > 1:
        ends = f"from step {look.steps[0]:,} to step {look.steps[-1]:,}"
    parts: list[Content] = [tag("h3", "Layers while training")]
    parts.append(
        tag(
            "p",
            f"Seen {counted(len(look.steps), 'time')}, {ends}. Each column has one scale; numbers are the last ones.",
            class_="small quiet",
        )
    )
    if look.signals:
        parts.append(_panel("What layers give", [each.path for each in look.signals], signals))
        parts.append(
            tag(
                "p",
                f"Spread: how far the outputs of a unit differ from {example} to {example}. Gradient: size of the "
                "loss's derivative by an output. Zeros: share of outputs that are 0. Dead: share of units that answer "
                f"to no {example}. Saturated: share of outputs where the activation is nearly flat.",
                class_="small quiet",
            )
        )
    if look.parameters:
        parts.append(_panel("What steps change", [each.path for each in look.parameters], arrays))
        parts.append(
            tag(
                "p",
                "Size: root mean square of the numbers. Update ratio: size of a step's change over that, the number "
                "shown the median of all looks, for at the end rates fall to 0. Around 0.001 is usual; far above, "
                "steps are too large, far below, the layer hardly learns.",
                class_="small quiet",
            )
        )
    return joined(parts)


def _panel(caption: str, paths: Sequence[str], measures: Sequence[tuple[str, Sequence[Numbers], bool]]) -> Markup:
    known = [each for each in measures if any(value is not None for line in each[1] for value in line)]
    shown = range(min(len(paths), MOST_LINES))
    axes = {
        label: within(series, can_be_log=True, with_zeros=True) if can_be_log else (0.0, 1.0, False)
        for label, series, can_be_log in known
    }
    lines: list[list[Content]] = []
    for at in shown:
        line: list[Content] = [name(paths[at], 40)]
        for label, series, _ in known:
            line.append(_cell(f"{label} of {paths[at]}", series[at], axes[label]))
        lines.append(line)
    table = grid(caption, ["layer", *(label for label, _, _ in known)], lines, class_="panels")
    rest = len(paths) - len(shown)
    return joined(table, tag("p", f"{rest:,} more are not shown.", class_="small quiet") if rest else None)


def _cell(title: str, values: Numbers, axis: tuple[float, float, bool]) -> Markup | str:
    last = next((each for each in reversed(values) if each is not None), None)
    if last is None:
        return "–"
    shown = median(each for each in values if each is not None) if title.startswith(RATIO) else last
    return tag("div", spark(title, values, axis), tag("span", amount(shown, 2)), class_="sparked")
