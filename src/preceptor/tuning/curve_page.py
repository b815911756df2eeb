"""The page of a learning curve: one HTML file of the report's design, without scripts."""

from collections.abc import Sequence
from dataclasses import dataclass

from preceptor.page.assets import asset, base_css, packed
from preceptor.page.chart import figure, frame, keys, within
from preceptor.page.grid import command_line, grid, name
from preceptor.page.markup import Markup, clipped, joined, tag
from preceptor.words import amount

POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'none'; base-uri 'none'; "
    "form-action 'none'"
)


@dataclass(frozen=True)
class Line:
    """A curve, and how far it reaches up and down. Shapes: x, y, low, high (point,)."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


@dataclass(frozen=True)
class CurveStory:
    """A learning curve in words and figures.

    Args:
        judged: by what the dev error was measured, a piece of a sentence.
        short: what the advice comes to.
        words: settings that surely help, as the command takes them; "" for none.
        lines: train, dev, and perhaps the law.
        axis, error: what runs along the axes.
        heads, cells: of the table.
    """

    title: str
    data: str
    judged: str
    reading: str
    short: str
    advice: Sequence[str]
    words: str
    lines: Sequence[Line]
    axis: str
    error: str
    heads: Sequence[str]
    cells: Sequence[Sequence[str]]
    notes: Sequence[str]


def render(story: CurveStory) -> str:
    """The page: no request, no script, everything escaped."""
    head = joined(
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="generator", content="Preceptor"),
        tag("title", clipped(story.title, 200)),
        tag("link", rel="icon", href="data:,"),
        tag("style", Markup(base_css() + packed(asset("report.css")))),
    )
    return "<!DOCTYPE html>\n" + tag("html", tag("head", head), tag("body", _body(story)), lang="en")


def _body(story: CurveStory) -> Markup:
    verdict = tag(
        "section",
        tag("p", "Learning curve", class_="eyebrow"),
        tag("h1", clipped(story.title, 120)),
        tag("p", name(story.data, 80), f": {story.judged}", class_="subtitle"),
        tag(
            "div",
            tag("p", story.short, class_="lead"),
            (tag("p", each) for each in story.advice),
            command_line(story.words) if story.words else None,
            class_="verdict",
        ),
        id="verdict",
    )
    curves = tag(
        "section",
        tag("h2", "Curves"),
        tag("p", story.reading) if story.reading else None,
        tag("div", picture(story), class_="figures"),
        (tag("p", each, class_="small quiet") for each in story.notes),
        id="curves",
    )
    values = tag(
        "section",
        tag("h2", "Values"),
        tag(
            "p",
            "Means over the repeats; spread is the standard deviation of the dev error between them.",
            class_="small quiet",
        ),
        grid("Values", story.heads, story.cells, range(len(story.heads)), class_="bare"),
        id="values",
    )
    foot = tag("footer", tag("p", "Made by Preceptor. This page asks nothing of any network."))
    return joined(tag("main", verdict, curves, values), foot)


def picture(story: CurveStory) -> Markup:
    """The curves with what repeats, or laws, reach."""
    xs = [value for each in story.lines for value in each.x]
    x_axis = (min(xs) / 1.1, max(xs) * 1.1, True)
    reaching = [[*each.low, *each.high] for each in story.lines]
    drawn = frame(x_axis, within(reaching), width=560, height=320)
    marks, entries = [], []
    for number, each in enumerate(story.lines):
        style = number + 1
        is_law = len(each.x) > len(story.lines[0].x)
        marks.append(drawn.band(each.x, each.low, each.high, style))
        marks.append(drawn.line(each.x, each.y, style))
        marks.append(None if is_law else drawn.dots(each.x, each.y, style))
        entries.append((each.name, style))
    dev = story.lines[1]
    says = (
        f"Dev {story.error} from {amount(dev.y[0], 3)} at {amount(dev.x[0])} to {amount(dev.y[-1], 3)} at "
        f"{amount(dev.x[-1])}."
    )
    return figure(
        f"{story.error.capitalize()} over {story.axis}",
        drawn.draw(f"{story.error} over {story.axis}", says, *marks, x_label=story.axis, y_label=story.error),
        keys(*entries),
        "Areas: of dev and train from the least to the largest of the repeats; of the law 95 % of those that the dev "
        "error allows.",
    )


__all__ = ["CurveStory", "Line", "picture", "render"]
