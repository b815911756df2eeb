"""The data: how rows were divided, what each column is and what was done to it, and what was found before training."""

from datetime import UTC, datetime

from preceptor.evidence.record import Column
from preceptor.page.chart import histogram
from preceptor.page.grid import folded, grid, name
from preceptor.page.markup import Content, Markup, clipped, joined, tag
from preceptor.page.story import Story, Told
from preceptor.words import amount, counted, listing

OPEN = 30  # columns that are shown at once
LONGEST = 2000  # columns of a sentence
MOST = 300  # that are shown at all
WHOLE = 1e7  # whole numbers below are written with all their digits
HEADS = ("column", "kind", "distribution", "missing", "distinct", "what was done")


def section(story: Story) -> Markup:
    """How the data were read and divided, and a table of the columns."""
    found = story.evidence
    gate = [(place + 1, told) for place, told in enumerate(story.findings) if told.when == "gate"]
    return joined(
        tag("ul", (tag("li", clipped(each, LONGEST)) for each in story.data_lines), class_="plain")
        if story.data_lines
        else None,
        tag("p", tag("b", "Split. "), story.split) if story.split else None,
        _gate(gate) if gate else None,
        _columns(found.columns, max(found.column_count, len(found.columns)), story.example)
        if found and found.columns
        else None,
    )


def _gate(gate: list[tuple[int, Told]]) -> Markup:
    links: list[Content] = []
    for number, told in gate:
        links += ["; " if links else None, tag("a", f"finding {number}, {told.rule}", href=f"#finding-{number}")]
    return tag("p", tag("b", "Found before training. "), links, ".")


def _columns(columns: list[Column], whole: int, example: str) -> Markup:
    shown = columns[:MOST]
    title = f"Columns of the training {example}s: {whole:,}"
    first = grid(title, HEADS, map(_line, shown[:OPEN]), (3, 4), class_="columns")
    rest = shown[OPEN:]
    more = None
    if rest:
        table = grid(f"Columns {OPEN + 1} to {len(shown)}", HEADS, map(_line, rest), (3, 4), class_="columns")
        more = folded(f"{counted(len(rest), 'more column')}", table)
    left_out = whole - len(shown)
    note = (
        tag("p", f"{counted(left_out, 'column')} more are not shown.", class_="small quiet") if left_out > 0 else None
    )
    return joined(tag("h3", "Columns"), first, more, note)


def _line(each: Column) -> list[Content]:
    return [
        name(each.name, 48),
        each.kind,
        _distribution(each),
        tag("span", f"{each.missing:.1%}", class_="warn-text" if each.missing > 0.5 else None) if each.missing else "–",
        f"{each.distinct:,}" if each.distinct else "–",
        each.done,
    ]


def _distribution(each: Column) -> Content:
    if not each.counts:
        return ""
    if each.edges:
        low = each.edges[0] if each.lowest is None else each.lowest
        high = each.edges[-1] if each.highest is None else each.highest
        words = f"{_place(low, each.kind)} to {_place(high, each.kind)}"
        title = f"Histogram from {words}"
    else:
        words = listing(each.levels, 3)
        title = f"Most frequent: {words}"
    counts = [*each.counts, each.others] if each.others and not each.edges else each.counts
    style = 1 if each.edges else 3
    return joined(histogram(title, counts, style), tag("div", tag("bdi", clipped(words, 24)), class_="small quiet"))


def _place(value: float, kind: str) -> str:
    """A number, or the day of one of a date, which is in seconds since 1970."""
    if kind != "date":
        is_whole = abs(value) < WHOLE and float(value).is_integer()
        return f"{value:,.0f}" if is_whole else amount(value, 3)
    try:
        return f"{datetime.fromtimestamp(value, UTC):%Y-%m-%d}"
    except (OverflowError, ValueError, OSError):
        return amount(value, 3)  # beyond the years that there are
