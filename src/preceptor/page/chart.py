"""Charts as SVG of our own: scales, a frame with axes, and marks. Colours and dashes come from the page's style sheet.

A chart is drawn for a box 380 wide and stretches to its place, so that its letters can be read on a phone. Numbers
that are none are None, and leave a gap.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from preceptor.page.markup import Markup, clipped, joined, tag, text
from preceptor.words import amount, columns

WIDTH, HEIGHT = 380.0, 230.0
LONGEST = 1000  # columns of what is said of a chart
LETTER = 6.3  # width of a letter of 11 pixels
TICKS = 5  # about so many on an axis
LOG_FROM = 50  # an axis of positive numbers is logarithmic from this ratio on; chosen by eye
BIG = ((1e12, 1e12, "T"), (1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k"))  # from where on, unit, its letter
Numbers = Sequence[float | None]


@dataclass(frozen=True)
class Scale:
    """Numbers from low to high as pixels from start to end; equal steps, or equal ratios."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def __call__(self, value: float) -> float:
        if self.is_log:
            share = math.log(max(value, 1e-300) / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + min(max(share, -0.02), 1.02) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Round numbers within."""
        return round_numbers(self.low, self.high, self.is_log)


def round_numbers(low: float, high: float, is_log: bool = False, count: int = TICKS) -> list[float]:
    """About `count` multiples of 1, 2 or 5 times a power of ten, or powers of ten, from low to high."""
    if is_log:
        first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
        every = max(1, round((last - first) / count))
        digits = (1,) if last - first > 2 else (1, 2, 5) if last - first > 1 else (1, 1.5, 2, 3, 5, 7)
        found = [digit * 10.0**power for power in range(first, last + 1, every) for digit in digits]
        return [each for each in found if low * 0.999 <= each <= high * 1.001]
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(each * power for each, most in ((1, 1.4), (2, 3), (5, 7), (10, 11)) if raw <= most * power)
    return [
        round(at * step, 12 - math.floor(math.log10(step)))
        for at in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    ]


def short(value: float, digits: int = 3) -> str:
    """A number as it stands at an axis: 12k, 3.4M, 0.05."""
    size = abs(value)
    for least, unit, letter in BIG:
        if least <= size < 1e15:
            return amount(value / unit, digits) + letter
    return amount(value, digits)


def tick_words(ticks: Sequence[float]) -> list[str]:
    """Numbers as they stand at an axis, with as many digits as it takes to tell them apart where they lie."""
    step = min((abs(high - low) for low, high in pairwise(ticks)), default=0.0)
    for digits in range(3, 8):
        if all(abs(float(f"{each:.{digits - 1}e}") - each) <= step / 100 for each in ticks):
            break
    return [short(each, digits) for each in ticks]


def within(
    series: Iterable[Numbers], *also: float, room: float = 0.05, can_be_log: bool = False, with_zeros: bool = False
) -> tuple[float, float, bool]:
    """An axis that holds all the numbers: low, high, whether logarithmic. With some room, but never across zero.

    Args: with_zeros: zeros do not keep an axis from being logarithmic; they lie at its foot.
    """
    known = [each for values in series for each in values if each is not None]
    known += also
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    least = min((each for each in known if each > 0), default=0.0) if low == 0 and with_zeros else low
    if can_be_log and least > 0 and high > LOG_FROM * least:
        return least / 1.1, high * 1.1, True
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        away = abs(low) * 0.1 or 1.0
        return low - away, high + away, False
    away = room * (high - low)
    return low - away if low < 0 or low - away > 0 else 0.0, high + away if high > 0 or high + away < 0 else 0.0, False


def pixel(value: float) -> str:
    """A place, to a tenth of a pixel."""
    return f"{value:.1f}".removesuffix(".0")


@dataclass(frozen=True)
class Frame:
    """The box within the axes of a chart."""

    x: Scale
    y: Scale
    width: float = WIDTH
    height: float = HEIGHT

    def line(self, x: Sequence[float], y: Numbers, style: int | str) -> Markup | None:
        """A line through the points; where a number is None it is broken."""
        words, pen = [], "M"
        for at, value in zip(x, y, strict=True):
            if value is None:
                pen = "M"
                continue
            words.append(f"{pen}{pixel(self.x(at))} {pixel(self.y(value))}")
            pen = "L"
        if not words:
            return None
        if all(word[0] == "M" for word in words):  # nothing but points
            return path("".join(f"{word}h0" for word in words), f"p s{style}", stroke_width=6)
        return path("".join(words), f"l s{style}")

    def band(self, x: Sequence[float], low: Numbers, high: Numbers, style: int) -> Markup | None:
        """The area between two lines, where both are numbers."""
        points = [(at, a, b) for at, a, b in zip(x, low, high, strict=True) if a is not None and b is not None]
        if len(points) < 2:
            return None
        there = [f"{pixel(self.x(at))} {pixel(self.y(b))}" for at, _, b in points]
        back = [f"{pixel(self.x(at))} {pixel(self.y(a))}" for at, a, _ in reversed(points)]
        return path(f"M{'L'.join(there + back)}z", f"b s{style}")

    def dots(self, x: Iterable[float], y: Iterable[float], style: int | str, size: float = 5) -> Markup:
        """A round mark at each point, all as one path."""
        words = "".join(f"M{pixel(self.x(a))} {pixel(self.y(b))}h0" for a, b in zip(x, y, strict=True))
        return path(words, f"p s{style}", stroke_width=size)

    def bars(self, edges: Sequence[float], counts: Sequence[float], style: int | str, base: float = 0.0) -> Markup:
        """A histogram as one path."""
        words = []
        floor = self.y(base)
        for left, right, count in zip(edges, edges[1:], counts, strict=False):
            if count:
                start, end = self.x(left), self.x(right)
                gap = 0.5 if end - start > 3 else 0
                words.append(
                    f"M{pixel(start + gap)} {pixel(floor)}V{pixel(self.y(count))}H{pixel(end - gap)}V{pixel(floor)}z"
                )
        return path("".join(words), f"f s{style}")

    def diagonal(self, low: float, high: float) -> Markup:
        """Where both axes have one number."""
        start, end = [f"{pixel(self.x(at))} {pixel(self.y(at))}" for at in (low, high)]
        return path(f"M{start}L{end}", "d")

    def upright(self, x: float, words: str = "", style: str = "d") -> Markup:
        """A line across at a place of x, its words beside its upper end."""
        at = self.x(x)
        is_late = at > (self.x.start + self.x.end) / 2
        drawn = path(f"M{pixel(at)} {pixel(self.y.end)}V{pixel(self.y.start)}", style)
        label = label_at(at + (-4 if is_late else 4), self.y.end + 9, words, "e" if is_late else "")
        return joined(drawn, label if words else None)

    def draw(
        self,
        title: str,
        says: str,
        *marks: Markup | None,
        x_label: str = "",
        y_label: str = "",
        x_foot: float | None = None,
    ) -> Markup:
        """The whole chart. Args: says: in words what is to be seen, with its figures; x_foot: where the axis of x lies,
        if lower than the lowest y."""
        left, right = self.x.start, self.x.end
        floor = self.y.start if x_foot is None else x_foot
        grid = "".join(f"M{pixel(left)} {pixel(self.y(at))}H{pixel(right)}" for at in self.y.ticks())
        below = list(zip(self.x.ticks(), tick_words(self.x.ticks()), strict=True))
        feet = "".join(f"M{pixel(self.x(at))} {pixel(floor)}v4" for at, _ in below)
        return picture(
            self.width,
            self.height,
            title,
            says,
            path(grid, "g"),
            [
                label_at(left - 6, self.y(at) + 4, words, "e")
                for at, words in zip(self.y.ticks(), tick_words(self.y.ticks()), strict=True)
            ],
            path(f"M{pixel(left)} {pixel(floor)}H{pixel(right)}{feet}", "a"),
            [label_at(self.x(at), floor + 16, words, "m") for at, words in below],
            marks,
            label_at(right, floor + 31, x_label, "e") if x_label else None,
            label_at(0, 9, y_label) if y_label else None,
        )


def _opened(axis: tuple[float, float, bool]) -> tuple[float, float, bool]:
    """An axis whose ends lie apart, though its numbers may not."""
    low, high, _ = axis
    return axis if high - low > 1e-12 * max(abs(low), abs(high)) else within([[low]])


def frame(
    x: tuple[float, float, bool],
    y: tuple[float, float, bool],
    *,
    width: float = WIDTH,
    height: float = HEIGHT,
    x_label: bool = True,
    y_label: bool = True,
) -> Frame:
    """A frame for two axes (low, high, whether logarithmic), with the room that its labels take."""
    x, y = _opened(x), _opened(y)
    widest = max(map(len, tick_words(round_numbers(*y))), default=1)
    left = 10 + widest * LETTER
    last = max(map(len, tick_words(round_numbers(*x))[-1:]), default=0) * LETTER / 2
    floor = height - (36 if x_label else 22)
    return Frame(
        Scale(x[0], x[1], left, width - max(8, last), x[2]),
        Scale(y[0], y[1], floor, 18 if y_label else 6, y[2]),
        width,
        height,
    )


def picture(width: float, height: float, title: str, says: str, *content: object, class_: str | None = None) -> Markup:
    """An SVG picture with a name and a description for those who do not see it."""
    return tag(
        "svg",
        tag("title", clipped(title, LONGEST)),
        tag("desc", clipped(says, LONGEST)) if says else None,
        content,  # type: ignore[arg-type]
        viewBox=f"0 0 {pixel(width)} {pixel(height)}",
        width=pixel(width),
        height=pixel(height),
        role="img",
        class_=class_,
    )


def path(words: str, class_: str, **attributes: object) -> Markup:
    """A path of places that we wrote."""
    return tag("path", d=words, class_=class_, **attributes)


def label_at(x: float, y: float, words: str, class_: str = "", **attributes: object) -> Markup:
    """Words in a picture, of the class given: `e` ends there, `m` has its middle there, `t` is dark."""
    return tag("text", words, x=pixel(x), y=pixel(y), class_=class_ or None, **attributes)


def room_for(labels: Iterable[str]) -> float:
    """Pixels before the rows of a chart, for their labels."""
    return max(map(columns, labels), default=0) * LETTER + 8


@dataclass(frozen=True)
class Bar:
    """A row of a chart of rows: a value with its interval."""

    label: str
    value: float | None
    low: float | None = None
    high: float | None = None
    words: str = ""


def under(scale: Scale, y: float) -> list[Markup]:
    """The numbers of a horizontal axis."""
    ticks = scale.ticks()
    return [label_at(scale(at), y, words, "m") for at, words in zip(ticks, tick_words(ticks), strict=True)]


def rows(
    title: str, says: str, bars: Sequence[Bar], axis: tuple[float, float], style: int = 1, *, are_dots: bool = False
) -> Markup:
    """Rows one below the other: label, a bar from zero or a dot, its interval, its words at the end."""
    pitch, top = 20.0, 4.0
    labels = [clipped(bar.label, 24) for bar in bars]
    left = room_for(labels)
    tail = max((columns(bar.words) for bar in bars), default=0) * LETTER + 8
    scale = Scale(*axis, left, WIDTH - tail)
    height = top + pitch * len(bars) + 20
    floor = height - 18
    grid = "".join(f"M{pixel(scale(at))} {pixel(top)}V{pixel(floor)}" for at in scale.ticks())
    drawn: list[object] = [path(grid, "g"), under(scale, height - 4)]
    dots, boxes, whiskers = [], [], []
    zero = scale(min(max(0.0, axis[0]), axis[1]))
    for number, (bar, words) in enumerate(zip(bars, labels, strict=True)):
        y = top + pitch * (number + 0.5)
        drawn.append(label_at(left - 8, y + 4, words, "e t"))
        drawn.append(label_at(WIDTH, y + 4, bar.words, "e"))
        if bar.value is None:
            continue
        if are_dots:
            dots.append(f"M{pixel(scale(bar.value))} {pixel(y)}h0")
        else:
            boxes.append(f"M{pixel(zero)} {pixel(y - 6)}H{pixel(scale(bar.value))}v12H{pixel(zero)}z")
        if bar.low is not None and bar.high is not None and bar.high > bar.low:
            start, end = pixel(scale(bar.low)), pixel(scale(bar.high))
            whiskers.append(f"M{start} {pixel(y)}H{end}M{start} {pixel(y - 3)}v6M{end} {pixel(y - 3)}v6")
    drawn += [path("".join(boxes), f"f s{style}") if boxes else None]
    drawn += [path("".join(whiskers), "w s5" if boxes else f"w s{style}") if whiskers else None]
    drawn += [path("".join(dots), f"p s{style}", stroke_width=8) if dots else None]
    if axis[0] < 0 < axis[1]:
        drawn.append(path(f"M{pixel(zero)} {pixel(top)}V{pixel(floor)}", "a"))
    return picture(WIDTH, height, title, says, *drawn)


def spark(
    title: str, values: Numbers, axis: tuple[float, float, bool], style: int = 1, width: float = 76, height: float = 18
) -> Markup | str:
    """A line of the size of a word, without axes; empty of nothing."""
    known = [(place, value) for place, value in enumerate(values) if value is not None]
    if not known:
        return ""
    x = Scale(0, max(1, len(values) - 1), 2, width - 4)
    y = Scale(axis[0], axis[1], height - 2, 2, axis[2])
    drawn = Frame(x, y, width, height)
    last = known[-1]
    return picture(
        width,
        height,
        title,
        "",
        drawn.line(range(len(values)), values, style),
        drawn.dots([last[0]], [last[1]], style, 4),
        class_="spark",
    )


def histogram(
    title: str, counts: Sequence[float], style: int | str = 1, width: float = 90, height: float = 22
) -> Markup | str:
    """A histogram of the size of a word."""
    if not counts or max(counts) <= 0:
        return ""
    drawn = Frame(Scale(0, len(counts), 0, width), Scale(0, max(counts), height, 1), width, height)
    return picture(width, height, title, "", drawn.bars(range(len(counts) + 1), counts, style), class_="spark")


def keys(*entries: tuple[str, int | str]) -> Markup:
    """What the lines of a chart stand for: a piece of each, and its name. The style "band" is an area of the first."""
    return tag(
        "ul",
        (
            tag(
                "li",
                tag("svg", _swatch(style), viewBox="0 0 28 12", width=28, height=12, aria_hidden="true"),
                tag("bdi", clipped(words, 60)),
            )
            for words, style in entries
        ),
        class_="keys",
    )


def _swatch(style: int | str) -> Markup:
    return path("M1 1H27V11H1z", "b s1") if style == "band" else path("M1 6H27", f"l s{style}")


def figure(title: str, drawn: Markup, *below: Markup | str | None, **attributes: object) -> Markup:
    """A chart with its title above and what explains it below."""
    return tag(
        "figure",
        tag("figcaption", title),
        drawn,
        *(
            tag("p", text(each), class_="small quiet")
            if isinstance(each, str) and not isinstance(each, Markup)
            else each
            for each in below
        ),
        **attributes,
    )
