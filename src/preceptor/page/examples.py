"""Rows that were judged: the worst, and the most typical."""

from collections.abc import Sequence

from preceptor.evidence.record import Example, Picture
from preceptor.page.grid import grid, name
from preceptor.page.markup import Content, Markup, joined, png_source, tag
from preceptor.page.story import Story
from preceptor.words import amount, counted

MOST_COLUMNS = 40  # of a row
KINDS = (("worst", "Judged worst"), ("typical", "Most typical"))
KINDS_OF_CLASSES = {
    "worst": "The lowest probability of the true class.",
    "typical": "Of each class in turn those with the highest probability of it.",
}
KINDS_OF_NUMBERS = {
    "worst": "The largest distance of the prediction from the true number.",
    "typical": "True numbers near the middle of all, and predictions near them.",
}
TINY = 0.001  # losses below this one are all the same to a reader
SMALL = 64  # pixels: pictures up to this side show their pixels as squares


def examples_of(story: Story, target: str, level: str) -> Markup | None:
    """The examples of a target, worst first."""
    found = [each for each in story.evidence.examples if each.target == target] if story.evidence else []
    groups = [(title, [each for each in found if each.kind == kind]) for kind, title in KINDS]
    shown = [
        joined(tag(level, title), tag("p", _which(group), class_="small quiet"), _group(title, group))
        for title, group in groups
        if group
    ]
    has_saliency = any(each.saliency for each in found)
    note = tag(
        "p",
        "The second picture says where the evidence for the prediction lies. ",
        story.evidence.saliency if story.evidence else None,
        class_="small quiet",
    )
    return joined(shown, note if has_saliency else None) if shown else None


def _which(group: Sequence[Example]) -> str:
    """Which rows of a kind are shown."""
    words = KINDS_OF_NUMBERS if group[0].probability is None else KINDS_OF_CLASSES
    return words[group[0].kind]


def _sure(probability: float) -> str:
    """A probability in percent; 100 % only where it is 1, for nothing else is so sure."""
    if 0.9995 <= probability < 1:
        return "over 99.9%"
    return f"{probability:.1%}" if 0.99 <= probability < 1 else f"{probability:.0%}"


def _loss(each: Example) -> str:
    is_tiny = each.probability is not None and 0 < each.loss < TINY
    return f"under {TINY}" if is_tiny else amount(each.loss, 3)


def _group(title: str, found: Sequence[Example]) -> Markup:
    if any(each.picture for each in found):
        return tag("ul", (tag("li", _pictured(each)) for each in found), class_="examples")
    return _table(title, found)


def _table(title: str, found: Sequence[Example]) -> Markup:
    """Rows of a table, with their columns beside what was predicted."""
    columns = list(dict.fromkeys(column for each in found for column, _ in each.values))
    shown = columns[:MOST_COLUMNS]
    has_odds = any(each.probability is not None for each in found)
    heads = [
        "row",
        "true",
        "predicted",
        *(["sure"] if has_odds else []),
        "loss" if has_odds else "error",
        *(name(each, 24) for each in shown),
    ]
    lines = []
    for each in found:
        values = dict(each.values)
        sure = [] if not has_odds else ["" if each.probability is None else _sure(each.probability)]
        lines.append(
            [
                f"{each.row:,}",
                tag("b", name(each.true, 24)),
                tag("b", name(each.predicted, 24)),
                *sure,
                _loss(each),
                *(name(values.get(column, ""), 24) for column in shown),
            ]
        )
    rest = len(columns) - len(shown)
    note = tag("p", f"{counted(rest, 'column')} more are not shown.", class_="small quiet") if rest > 0 else None
    return joined(grid(title, heads, lines, (0, 3, 4) if has_odds else (0, 3), class_="rows bare"), note)


def _pictured(each: Example) -> Markup:
    sure = "" if each.probability is None else f", {_sure(each.probability)} sure"
    drawn: list[Content] = []
    if each.picture:
        drawn.append(image(each.picture, f"Picture {each.row}: true {each.true}, predicted {each.predicted}"))
    if each.saliency:
        drawn.append(image(each.saliency, f"Picture {each.row}: where the evidence for {each.predicted} lies"))
    return joined(
        tag("div", drawn, class_="pictures"),
        tag("p", "true ", tag("b", name(each.true, 60)), class_="pair"),
        tag("p", "predicted ", tag("b", name(each.predicted, 60)), tag("span", sure, class_="quiet"), class_="pair"),
        tag(
            "p",
            _place(each),
            f" · {'error' if each.probability is None else 'loss'} {_loss(each)}",
            class_="small quiet",
        ),
    )


def _place(each: Example) -> Content:
    """Where a picture comes from: its file, or its number where it has none."""
    file = dict(each.values).get("file", "")
    return name(file, 40) if file else f"picture {each.row:,}"


def image(found: Picture, says: str) -> Markup:
    """A picture within the page."""
    is_small = max(found.height, found.width) <= SMALL
    source = png_source(found.png)
    return tag(
        "img",
        src=source,
        alt=says,
        width=found.width,
        height=found.height,
        class_="pixels" if is_small else None,
    )
