"""A computation graph drawn from left to right as one SVG file, without scripts and without fonts of its own.

Each step is a box with its formula and value; red at an arrow stands the local derivative, blue below a box the
derivative of the result by it. Texts are in a monospaced font, so that their widths are known when the picture is made.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from preceptor.errors import NotSupported
from preceptor.report.explanation import Edge, Explanation, Step, shown

MOST = 60  # steps; more fit no page that one reads

# Lengths in pixels, chosen by eye
SIZE, SMALL = 15, 13  # of letters
ADVANCE = 0.62  # width of a monospaced letter by its size; the widest of the usual fonts
LINE = 20  # from one line of text to the next
PAD = 12  # between a box and its text
PITCH = 42  # between arrows that enter one box: a text above each and one below
GAP = 26  # between boxes of one column
BEND = 70  # between columns, where arrows change their height
MARGIN = 28
LONGEST = 44  # letters of a text; the rest is cut

RED, BLUE, INK, GREY, PAPER = "#b3261e", "#1a56b0", "#1d1d1f", "#6b7078", "#ffffff"
FONT = "'DejaVu Sans Mono', Menlo, Consolas, 'Liberation Mono', monospace"


@dataclass(eq=False)
class Place:
    """A place in a column: a box, or a lane in which an arrow passes by the boxes of the column."""

    layer: int
    lines: list[str] = field(default_factory=list)
    below: list[str] = field(default_factory=list)
    step: Step | None = None
    entries: list["Arrow"] = field(default_factory=list)
    before: list["Place"] = field(default_factory=list)
    after: list["Place"] = field(default_factory=list)
    y: float = 0.0  # of the middle of the box

    @property
    def height(self) -> float:
        """Of the box alone."""
        return max(len(self.lines) * LINE + PAD, len(self.entries) * PITCH) if self.step else 0.0

    @property
    def top(self) -> float:
        """From the middle upwards, all that must stay free."""
        return max(self.height, PITCH if self.step else LINE) / 2

    @property
    def bottom(self) -> float:
        """From the middle downwards, the texts below the box included."""
        return self.top + len(self.below) * LINE


@dataclass(eq=False)
class Arrow:
    """An edge, with the places that it runs through, source and target included."""

    edge: Edge
    way: list[Place]

    @property
    def label(self) -> tuple[str, str]:
        """The texts above and below the arrow where it enters its target."""
        if self.edge.derivative is None or self.edge.is_number:
            return _cut(self.edge.formula), ""
        return _cut(self.edge.formula), _cut(shown(self.edge.derivative, 4))


def draw(explanation: Explanation) -> str:
    """Lays the graph out and writes it as SVG."""
    count = len(explanation.nodes)
    if count > MOST:
        raise NotSupported(
            f"picture: the graph has {count} steps; at most {MOST} can be drawn. Print the explanation instead, "
            'or explain it with detail="variables" or a smaller part of it.'
        )
    columns, arrows = _columns(explanation)
    for _ in range(4):
        _order(columns, forwards=True)
        _order(columns, forwards=False)
    for column in columns:
        for place in column:
            place.entries.sort(key=lambda arrow: columns[arrow.way[-2].layer].index(arrow.way[-2]))
    _heights(columns)
    return _write(columns, arrows)


# Layout


def _columns(explanation: Explanation) -> tuple[list[list[Place]], list[Arrow]]:
    """Every step in the column after its last input; inputs just before their first reader; lanes where arrows pass."""
    layers: dict[str, int] = {}
    for step in explanation.nodes:
        layers[step.name] = 1 + max((layers[edge.source] for edge in step.edges), default=-1)
    for step in explanation.nodes:
        if not step.formula:
            readers = [layers[each.name] for each in explanation.nodes for e in each.edges if e.source == step.name]
            layers[step.name] = min(readers, default=1) - 1
    columns: list[list[Place]] = [[] for _ in range(max(layers.values()) + 1)]
    places: dict[str, Place] = {}
    arrows = []
    for step in explanation.nodes:
        place = _box(step, layers[step.name], explanation)
        columns[place.layer].append(place)
        places[step.name] = place
        for edge in step.edges:
            source = places[edge.source]
            lanes = [Place(layer) for layer in range(source.layer + 1, place.layer)]
            for lane in lanes:
                columns[lane.layer].append(lane)
            way = [source, *lanes, place]
            for one, other in itertools.pairwise(way):
                one.after.append(other)
                other.before.append(one)
            arrows.append(Arrow(edge, way))
            place.entries.append(arrows[-1])
    return columns, arrows


def _box(step: Step, layer: int, explanation: Explanation) -> Place:
    lines = [_cut(f"{step.name} = {step.formula}"), _cut(f"= {shown(step.value, 4)}")]
    if not step.formula:
        lines = [_cut(f"{step.name} = {shown(step.value, 4)}")]
    below = []
    if step.adjoint is not None:
        below.append(_cut(f"d{explanation.result.name}/d{step.name} = {shown(step.adjoint, 4)}"))
        shares = [each.contribution for each in explanation.contributions(step.name) if each.contribution is not None]
        if len(shares) > 1 and step.adjoint.ndim == 0:
            words = " + ".join(shown(share, 4) for share in shares).replace("+ -", "- ")
            below.append(_cut(f"= {words}"))
    return Place(layer, lines, below, step)


def _order(columns: Sequence[list[Place]], forwards: bool) -> None:
    """Sorts each column by the mean position of the neighbours in the column before (or after)."""
    for column in columns if forwards else reversed(columns):
        positions = {place: i for i, place in enumerate(column)}
        weights = {}
        for place in column:
            near = place.before if forwards else place.after
            ranks = [columns[each.layer].index(each) / len(columns[each.layer]) for each in near]
            weights[place] = sum(ranks) / len(ranks) if ranks else positions[place] / len(column)
        column.sort(key=lambda place: weights[place])


def _heights(columns: Sequence[list[Place]]) -> None:
    """Gives each place its height: near its neighbours, in order, and never over another."""
    for sweep in range(12):
        for column in columns if sweep % 2 == 0 else reversed(columns):
            wanted = []
            for place in column:
                near = [*place.before, *place.after] if sweep else place.before
                wanted.append(sum(each.y for each in near) / len(near) if near else place.y)
            for place, y in zip(column, wanted, strict=True):
                place.y = y
            for above, place in itertools.pairwise(column):
                place.y = max(place.y, above.y + above.bottom + GAP + place.top)
            shift = sum(y - place.y for place, y in zip(column, wanted, strict=True)) / max(len(column), 1)
            for place in column:
                place.y += shift
    highest = min(place.y - place.top for column in columns for place in column)
    for column in columns:
        for place in column:
            place.y += MARGIN - highest


# Writing


def _write(columns: Sequence[list[Place]], arrows: Sequence[Arrow]) -> str:
    lefts, rights = [], []  # of the boxes of each column
    x = float(MARGIN)
    for column in columns:
        boxes = [place for place in column if place.step]
        labels = [word for place in boxes for arrow in place.entries for word in arrow.label]
        if labels:
            x += BEND + max(_width(word, SMALL) for word in labels) + 2 * PAD
        width = max(
            [_width(line, SIZE) + 2 * PAD for place in boxes for line in place.lines]
            + [_width(line, SMALL) for place in boxes for line in place.below],
            default=0,
        )
        lefts.append(x)
        x += width
        rights.append(x)
    foot = max(place.y + place.bottom for column in columns for place in column) + MARGIN
    legend = "red: derivative of a box by what enters it · blue: derivative of the result by the box"
    width, height = max(x, _width(legend, SMALL) + MARGIN) + MARGIN, foot + LINE
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" font-family="{FONT}">',
        f'<rect width="100%" height="100%" fill="{PAPER}"/>',
        '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0,1 L10,5 L0,9 z" fill="{GREY}"/></marker></defs>',
    ]
    for arrow in arrows:
        parts += _arrow(arrow, lefts, rights)
    for column in columns:
        for place in column:
            if place.step:
                parts += _draw_box(place, lefts[place.layer], rights[place.layer])
    parts.append(_text(MARGIN, foot, legend, SMALL, GREY))
    return "\n".join([*parts, "</svg>", ""])


def _arrow(arrow: Arrow, lefts: Sequence[float], rights: Sequence[float]) -> list[str]:
    """Straight through columns and past labels, bent only in the free strip between columns."""
    target = arrow.way[-1]
    port = target.y + (target.entries.index(arrow) - (len(target.entries) - 1) / 2) * PITCH
    y = arrow.way[0].y
    words = [f"M{rights[arrow.way[0].layer]:.1f},{y:.1f}"]
    for place in arrow.way[1:]:
        start, height = rights[place.layer - 1], port if place is target else place.y
        bend, middle = start + BEND, start + BEND / 2
        words.append(f"C{middle:.1f},{y:.1f} {middle:.1f},{height:.1f} {bend:.1f},{height:.1f}")
        words.append(f"H{lefts[place.layer] if place is target else rights[place.layer]:.1f}")
        y = height
    dashes = "" if arrow.edge.formula else ' stroke-dasharray="4 4"'
    path = (
        f'<path d="{" ".join(words)}" fill="none" stroke="{GREY}" stroke-width="1.4" marker-end="url(#tip)"{dashes}/>'
    )
    middle = (rights[target.layer - 1] + BEND + lefts[target.layer]) / 2
    above, below = arrow.label
    texts = [(port - 6, above), (port + SMALL + 3, below)]
    return [path, *(_text(middle, at, word, SMALL, RED, "middle") for at, word in texts if word)]


def _draw_box(place: Place, left: float, right: float) -> list[str]:
    assert place.step
    top, middle = place.y - place.height / 2, (left + right) / 2
    fill, corner = ("#f1f5ee", 14) if not place.step.formula else ("#f7f6f2", 4)
    parts = [
        f'<rect class="box" x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{place.height:.1f}" '
        f'rx="{corner}" fill="{fill}" stroke="{INK}" stroke-width="1.2"/>'
    ]
    first = place.y - (len(place.lines) - 1) * LINE / 2 + SIZE * 0.35
    parts += [_text(middle, first + i * LINE, line, SIZE, INK, "middle") for i, line in enumerate(place.lines)]
    under = top + place.height + LINE * 0.85
    return parts + [_text(middle, under + i * LINE, line, SMALL, BLUE, "middle") for i, line in enumerate(place.below)]


def _text(x: float, y: float, words: str, size: int, colour: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" text-anchor="{anchor}">{escape(words)}</text>'


def _width(words: str, size: int) -> float:
    return len(words) * size * ADVANCE


def _cut(words: str) -> str:
    return words if len(words) <= LONGEST else words[: LONGEST - 1] + "…"
