"""A computation graph drawn as one SVG file, without scripts and without fonts of its own.

Each step is a box with its formula and value; red at an arrow stands the local derivative, blue below a box the
derivative of the result by it. The graph runs from left to right or from top to bottom, whichever is larger on a slide.
Texts are in a monospaced font, so that their widths are known when the picture is made.

Positions are counted `along` the direction of the graph and `across` it.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from preceptor.errors import NotSupported
from preceptor.page.palette import LIGHT
from preceptor.report.step import Edge, Step, contributions, shown
from preceptor.words import printable

MOST = 60  # steps; more fit no page that one reads
SLIDE = (1280.0, 720.0)  # only the ratio counts

# Lengths in pixels, chosen by eye
SIZE, SMALL = 15, 13  # of letters
ADVANCE = 0.62  # width of a monospaced letter by its size; the widest of the usual fonts
LINE = 20  # from one line of text to the next
PAD = 12  # between a box and its text
PITCH = 42  # between arrows that enter one box from the left: a text above each and one below
GAP = 26  # between boxes of one layer
BEND = 64  # between layers, where arrows change lanes
MARGIN = 28
LONGEST = 44  # letters of a text; the rest is cut

RED, BLUE, INK, GREY, PAPER = LIGHT.bad, LIGHT.blue, LIGHT.ink, LIGHT.quiet, LIGHT.paper
FONT = "'DejaVu Sans Mono', Menlo, Consolas, 'Liberation Mono', monospace"
LEGEND = "red: derivative of a box by what enters it · blue: derivative of the result by a box"


@dataclass(eq=False)
class Place:
    """A place in a layer: a box, or a lane in which an arrow passes by the boxes of the layer."""

    layer: int
    step: Step | None = None
    lines: list[str] = field(default_factory=list)
    below: list[str] = field(default_factory=list)
    entries: list["Arrow"] = field(default_factory=list)
    before: list["Place"] = field(default_factory=list)
    after: list["Place"] = field(default_factory=list)
    across: float = 0.0  # of the middle of the box
    lead: float = LINE / 2  # what must stay free across, before the middle and after it
    trail: float = LINE / 2
    pulls: list[tuple["Place", float]] = field(default_factory=list)  # neighbours, and how far off them it is straight
    ports: list[float] = field(default_factory=list)  # where arrows enter, from the middle
    width: float = 0.0  # of the box
    height: float = 0.0


@dataclass(eq=False)
class Arrow:
    """An edge, with the places that it runs through, source and target included."""

    edge: Edge
    way: list[Place]

    @property
    def label(self) -> list[str]:
        """The texts where the arrow enters its target: local derivative and value."""
        words = [_cut(self.edge.formula)]
        if self.edge.derivative is not None and not self.edge.is_number:
            words.append(_cut(shown(self.edge.derivative, 4)))
        return words


def draw(steps: Sequence[Step]) -> str:
    """Lays the graph out and writes it as SVG."""
    count = len(steps)
    if count > MOST:
        raise NotSupported(
            f"picture: the graph has {count} steps; at most {MOST} can be drawn. Print the explanation instead, "
            'or explain it with detail="variables" or a smaller part of it.'
        )
    return max((Drawing(steps, vertical) for vertical in (False, True)), key=lambda each: each.scale).svg()


class Drawing:
    """The graph laid out in one direction."""

    def __init__(self, steps: Sequence[Step], vertical: bool) -> None:
        self.vertical = vertical
        self.layers, self.arrows = _layers(steps)
        for _ in range(4):
            _order(self.layers, forwards=True)
            _order(self.layers, forwards=False)
        for place in itertools.chain(*self.layers):
            place.entries.sort(key=lambda arrow: self.layers[arrow.way[-2].layer].index(arrow.way[-2]))
            if place.step:
                (_measure_vertical if vertical else _measure)(place)
        for arrow in self.arrows:
            for one, other in itertools.pairwise(arrow.way):
                port = other.ports[other.entries.index(arrow)] if other.step else 0.0
                one.pulls.append((other, port))
                other.pulls.append((one, -port))
        _spread(self.layers)
        self.starts, self.ends = self._extents()
        across = max(place.across + place.trail for place in itertools.chain(*self.layers)) + MARGIN
        along = self.ends[-1] + MARGIN
        width, height = (across, along) if vertical else (along, across)
        uses_g = any(arrow.edge.formula and arrow.edge.derivative is None for arrow in self.arrows)
        self.legend = LEGEND + (", g of the one entered" if uses_g else "")
        self.width, self.foot = max(width, _width(self.legend, SMALL) + 2 * MARGIN), height
        self.height = height + LINE

    @property
    def scale(self) -> float:
        """How large it appears on a slide."""
        return min(SLIDE[0] / self.width, SLIDE[1] / self.height)

    def _extents(self) -> tuple[list[float], list[float]]:
        """Where the boxes of each layer start and end along the graph; before them lie labels, before those bends."""
        starts, ends = [], []
        at = float(MARGIN)
        for layer in self.layers:
            boxes = [place for place in layer if place.step]
            labels = [arrow.label for place in boxes for arrow in place.entries]
            if self.vertical:
                space = max((len(label) * float(LINE) for label in labels), default=0.0)
                size = max(place.height + len(place.below) * LINE for place in boxes)
            else:
                space = max((_width(word, SMALL) for label in labels for word in label), default=0.0)
                size = max(max(place.width, _widest(place.below, SMALL)) for place in boxes)
                for place in boxes:
                    place.width = size
            at += BEND + space + 2 * PAD if labels else 0
            starts.append(at)
            at += size
            ends.append(at)
        return starts, ends

    def svg(self) -> str:
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:.0f} {self.height:.0f}" '
            f'width="{self.width:.0f}" height="{self.height:.0f}" font-family="{FONT}">',
            f'<rect width="100%" height="100%" fill="{PAPER}"/>',
            '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
            f'orient="auto"><path d="M0,1 L10,5 L0,9 z" fill="{GREY}"/></marker></defs>',
        ]
        for arrow in self.arrows:
            parts += self._arrow(arrow)
        for place in itertools.chain(*self.layers):
            if place.step:
                parts += self._box(place)
        parts.append(_text(MARGIN, self.foot, self.legend, SMALL, GREY))
        return "\n".join([*parts, "</svg>", ""])

    def _point(self, along: float, across: float) -> str:
        return f"{across:.1f},{along:.1f}" if self.vertical else f"{along:.1f},{across:.1f}"

    def _arrow(self, arrow: Arrow) -> list[str]:
        """Straight past boxes and labels, bent only in the free strip between layers."""
        source, target = arrow.way[0], arrow.way[-1]
        port = target.across + target.ports[target.entries.index(arrow)]
        start = self.starts[source.layer]
        start += source.height + len(source.below) * LINE + 4 if self.vertical else source.width
        across = source.across
        words = [f"M{self._point(start, across)}"]
        for place in arrow.way[1:]:
            end, new = self.ends[place.layer - 1], port if place is target else place.across
            stop = self.starts[place.layer] if place is target else self.ends[place.layer]
            words.append(f"L{self._point(end, across)}")
            turns = [(end + BEND / 2, across), (end + BEND / 2, new), (end + BEND, new)]
            words.append("C" + " ".join(self._point(*turn) for turn in turns))
            words.append(f"L{self._point(stop, new)}")
            across = new
        dashes = "" if arrow.edge.formula else ' stroke-dasharray="4 4"'
        path = (
            f'<path d="{" ".join(words)}" fill="none" stroke="{GREY}" stroke-width="1.4" '
            f'marker-end="url(#tip)"{dashes}/>'
        )
        end, stop = self.ends[target.layer - 1] + BEND, self.starts[target.layer]
        if self.vertical:
            spots = [(port + 8, stop - PAD - SMALL * 0.3 - LINE * i) for i in reversed(range(len(arrow.label)))]
        else:
            spots = [((end + stop) / 2, port - 6), ((end + stop) / 2, port + SMALL + 3)]
        anchor = "start" if self.vertical else "middle"
        return [path, *(_text(*at, word, SMALL, RED, anchor) for at, word in zip(spots, arrow.label, strict=False))]

    def _box(self, place: Place) -> list[str]:
        assert place.step
        start = self.starts[place.layer]
        if self.vertical:
            left, top = place.across - place.width / 2, start
        else:
            left, top = start, place.across - place.height / 2
        middle = left + place.width / 2
        fill, corner = (PAPER, 14) if not place.step.formula else (LIGHT.sheet, 4)
        parts = [
            f'<rect class="box" x="{left:.1f}" y="{top:.1f}" width="{place.width:.1f}" height="{place.height:.1f}" '
            f'rx="{corner}" fill="{fill}" stroke="{INK}" stroke-width="1.2"/>'
        ]
        first = top + place.height / 2 - (len(place.lines) - 1) * LINE / 2 + SIZE * 0.35
        under = top + place.height + LINE * 0.85
        parts += [_text(middle, first + i * LINE, line, SIZE, INK, "middle") for i, line in enumerate(place.lines)]
        parts += [_text(middle, under + i * LINE, line, SMALL, BLUE, "middle") for i, line in enumerate(place.below)]
        return parts


def _layers(steps: Sequence[Step]) -> tuple[list[list[Place]], list[Arrow]]:
    """Every step in the layer after its last input; inputs just before their first reader; lanes where arrows pass."""
    numbers: dict[str, int] = {}
    for step in steps:
        numbers[step.name] = 1 + max((numbers[edge.source] for edge in step.edges), default=-1)
    for step in steps:
        if not step.formula:
            readers = [numbers[each.name] for each in steps for e in each.edges if e.source == step.name]
            numbers[step.name] = min(readers, default=1) - 1
    layers: list[list[Place]] = [[] for _ in range(max(numbers.values()) + 1)]
    places: dict[str, Place] = {}
    arrows = []
    for step in steps:
        place = Place(numbers[step.name], step, *_texts(step, steps))
        layers[place.layer].append(place)
        places[step.name] = place
        for edge in step.edges:
            source = places[edge.source]
            lanes = [Place(number) for number in range(source.layer + 1, place.layer)]
            for lane in lanes:
                layers[lane.layer].append(lane)
            way = [source, *lanes, place]
            for one, other in itertools.pairwise(way):
                one.after.append(other)
                other.before.append(one)
            arrows.append(Arrow(edge, way))
            place.entries.append(arrows[-1])
    return layers, arrows


def _texts(step: Step, steps: Sequence[Step]) -> tuple[list[str], list[str]]:
    """What stands in a box and below it."""
    value = shown(step.value, 4)
    lines = [f"{step.name} = {step.formula}", f"= {value}"] if step.formula else [f"{step.name} = {value}"]
    below = []
    if step.adjoint is not None:
        below.append(f"d{steps[-1].name}/d{step.name} = {shown(step.adjoint, 4)}")
        shares = [each.contribution for each in contributions(steps, step.name) if each.contribution is not None]
        if len(shares) > 1 and step.adjoint.ndim == 0:
            below.append("= " + " + ".join(shown(share, 4) for share in shares).replace("+ -", "- "))
    return _broken(lines), _broken(below)


def _measure(place: Place) -> None:
    """Sizes for a graph from left to right: arrows enter one under the other."""
    count = len(place.entries)
    place.width = _widest(place.lines, SIZE) + 2 * PAD
    place.height = max(len(place.lines) * LINE + PAD, count * PITCH)
    place.ports = [(i - (count - 1) / 2) * PITCH for i in range(count)]
    place.lead = max(place.height, PITCH) / 2
    place.trail = place.lead + len(place.below) * LINE


def _measure_vertical(place: Place) -> None:
    """Sizes for a graph from top to bottom: arrows enter side by side, each with its label to the right of it."""
    labels = [_widest(arrow.label, SMALL) + 2 * PAD for arrow in place.entries]
    place.width = max(_widest(place.lines, SIZE) + 2 * PAD, sum(labels) if len(labels) > 1 else 0)
    place.height = len(place.lines) * LINE + PAD
    place.lead = max(place.width, _widest(place.below, SMALL)) / 2
    place.trail = place.lead
    if len(labels) == 1:
        place.ports, place.trail = [0.0], max(place.lead, labels[0])
    else:
        place.ports = [sum(labels[:i]) - sum(labels) / 2 + PAD / 2 for i in range(len(labels))]


def _order(layers: Sequence[list[Place]], forwards: bool) -> None:
    """Sorts each layer by the mean position of the neighbours in the layer before (or after)."""
    for layer in layers if forwards else reversed(layers):
        weights = {}
        for i, place in enumerate(layer):
            near = place.before if forwards else place.after
            ranks = [layers[each.layer].index(each) / len(layers[each.layer]) for each in near]
            weights[place] = sum(ranks) / len(ranks) if ranks else i / len(layer)
        layer.sort(key=lambda place: weights[place])


def _spread(layers: Sequence[list[Place]]) -> None:
    """Sets places across: near their neighbours, in order, and never one over another."""
    for sweep in range(24):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            wanted = []
            for place in layer:
                near = [each.across + offset for each, offset in place.pulls]
                wanted.append(sum(near) / len(near) if near else place.across)
            for place, across in zip(layer, wanted, strict=True):
                place.across = across
            for one, place in itertools.pairwise(layer):
                place.across = max(place.across, one.across + one.trail + GAP + place.lead)
            shift = sum(across - place.across for place, across in zip(layer, wanted, strict=True)) / len(layer)
            for place in layer:
                place.across += shift
    first = min(place.across - place.lead for layer in layers for place in layer)
    for place in itertools.chain(*layers):
        place.across += MARGIN - first


def _text(x: float, y: float, words: str, size: int, colour: str, anchor: str = "start") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" text-anchor="{anchor}"'
    return f"<text {place}>{escape(printable(words))}</text>"


def _widest(lines: Sequence[str], size: int) -> float:
    return max((_width(line, size) for line in lines), default=0.0)


def _width(words: str, size: int) -> float:
    return len(words) * size * ADVANCE


def _broken(lines: Sequence[str]) -> list[str]:
    """Long matrices one row a line; whatever is still too long is cut."""
    rows = [line.replace("], [", "],\n[").split("\n") if len(line) > LONGEST else [line] for line in lines]
    return [_cut(row) for line in rows for row in line]


def _cut(words: str) -> str:
    return words if len(words) <= LONGEST else words[: LONGEST - 1] + "…"
