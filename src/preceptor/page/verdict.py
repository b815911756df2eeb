"""The head of a report: what was trained, how good it is, and what to do next."""

from collections.abc import Sequence

from preceptor.page.grid import command_line, name
from preceptor.page.markup import Markup, joined, tag
from preceptor.page.story import Story
from preceptor.words import amount

WORDS = {"good": ("●", "Sound"), "warn": ("▲", "With reservations"), "bad": ("■", "Not to be relied on")}
MOST = 4  # headline figures
NOTHING = 0.001  # so small, and so small a share of the figure beside it, a number tells no more than 0


def head(story: Story) -> Markup:
    """Name, title and verdict."""
    sign, word = WORDS[story.level]
    source, _, rows = story.data.rpartition(": ")
    if not source:
        source, rows = rows, ""
    first, *rest = list(story.verdict) or ["Nothing was judged."]
    return tag(
        "section",
        tag("p", "Report of the run ", name(story.name), class_="eyebrow"),
        tag("h1", "Predicting ", name(story.target, 80), " from ", name(source, 80)),
        tag("p", rows, class_="subtitle") if rows else None,
        tag("h2", "Verdict", class_="hidden"),
        tag(
            "div",
            tag("p", tag("span", sign, aria_hidden="true"), word, class_=f"badge {story.level}"),
            tag("p", first.replace(" %", "\N{NO-BREAK SPACE}%"), class_="lead"),
            (tag("p", each) for each in rest),
            command_line(story.command) if story.command else None,
            class_=f"verdict {story.level}",
        ),
        headline(story),
        id="verdict",
    )


def headline(story: Story) -> Markup | None:
    """The figures to look at first, large, with their intervals and what simple guesses come to."""
    several = len(story.figures) > 1
    shown = []
    for target, cells in story.figures:
        lines = [each for each in cells[1:] if len(each) > 1]
        told = [each for each in lines if beside(story, target, each[0], each[-1])] or lines
        for line in told[: 1 if several else MOST]:
            if line:
                label = f"{target}: {line[0]}" if several else line[0]
                shown.append(_one(label, line[-1], beside(story, target, line[0], line[-1])))
    where = next((cells[0][-1] for _, cells in story.figures if cells and cells[0]), "")
    if not shown:
        return None
    return joined(
        tag("dl", shown[: 2 * MOST], class_="headline"),
        tag("p", _measured(where), class_="small quiet") if where else None,
    )


def _measured(where: str) -> str:
    return f"Measured {'' if where.startswith('out of fold') else 'on '}{where}; below each its 95 % interval."


def _one(label: str, cell: str, others: Sequence[str]) -> Markup:
    value, _, interval = cell.partition(" (")
    return tag(
        "div",
        tag("dt", label),
        tag("dd", value, class_="value"),
        tag("dd", interval.removesuffix(")"), class_="small quiet") if interval else None,
        (tag("dd", each, class_="small quiet") for each in others),
    )


def beside(story: Story, target: str, figure: str, cell: str) -> list[str]:
    """What simple guesses come to in this figure, written as the figure is in its cell."""
    if story.evidence is None:
        return []
    return [
        f"{each.name} {alike(value, cell, 3)}"
        for judged in story.evidence.judgements
        if judged.target == target or len(story.evidence.judgements) == 1
        for each in judged.baselines
        for key, value in each.figures.items()
        if spoken(key) == spoken(figure)
    ]


def alike(value: float, cell: str, digits: int = 4) -> str:
    """A number beside the one that a cell begins with: what is as good as 0 there has as many decimals as that."""
    own, _, decimals = cell.partition(" ")[0].replace(",", "").partition(".")
    try:
        is_nothing = 0 < abs(value) < NOTHING * min(1, abs(float(f"{own}.{decimals}")))
    except ValueError:
        return amount(value, digits)
    return f"{abs(value):.{len(decimals)}f}" if is_nothing else amount(value, digits)


def spoken(key: str) -> str:
    """The name of a figure as it is spoken: log_loss and log-loss are log loss, top5_error is top 5 error."""
    return key.replace("_", " ").replace("-", " ").replace("top5", "top 5").strip().lower()
