"""How good a run is, target by target: figures, errors, and the rows that were judged worst."""

from preceptor.evidence.record import Judgement
from preceptor.page.classes import charts_of_classes
from preceptor.page.examples import examples_of
from preceptor.page.grid import grid, name
from preceptor.page.markup import Markup, joined, tag
from preceptor.page.numbers import charts_of_numbers
from preceptor.page.story import Story
from preceptor.page.verdict import alike, spoken
from preceptor.words import counted

PARTS = {"test": "the test {}s", "dev": "the dev {}s, which chose the moment to stop", "out of fold": "out of fold"}


def section(story: Story) -> Markup:
    """Each target by itself, in the order of the figures."""
    found = story.evidence
    judged = {each.target: each for each in found.judgements} if found else {}
    names = [target for target, _ in story.figures]
    if len(names) == 1 and len(judged) == 1:
        judged = {names[0]: next(iter(judged.values()))}
    names += [each for each in judged if each not in names]
    if not names:
        none = f"No {story.example}s were left to judge: the split gave none, or the run ended before."
        return tag("p", none, class_="quiet")
    tables = dict(story.figures)
    where = ""
    if found and found.rows:
        part = PARTS[found.part].format(story.example) if found.part in PARTS else found.part
        where = f"Judged on {counted(found.rows, story.example)}, {part}. "
    several = len(names) > 1
    return joined(
        tag("p", where + story.figures_note) if where or story.figures_note else None,
        (_target(story, each, tables.get(each, ()), judged.get(each), several) for each in names),
    )


def _target(story: Story, target: str, table: object, judged: Judgement | None, several: bool) -> Markup:
    cells = [list(line) for line in table]  # type: ignore[attr-defined]
    level = "h4" if several else "h3"
    drawn = _charts(judged, level, story.example) if judged else None
    found = examples_of(story, judged.target if judged else target, level)
    content = joined(
        _figures(cells, target, judged) if cells else None,
        drawn,
        found,
    )
    if not several:
        return content
    return tag("div", tag("h3", "Target ", name(target)), content, class_="target")


def _charts(judged: Judgement, level: str, example: str) -> Markup | None:
    return charts_of_classes(judged, level, example) if judged.classes else charts_of_numbers(judged, level)


def _figures(cells: list[list[str]], target: str, judged: Judgement | None) -> Markup:
    """The figures as the terminal has them, and beside each what simple guesses come to on the same rows."""
    heads, *lines = cells
    width = max(map(len, cells))
    baselines = judged.baselines if judged else []
    guessed = [{spoken(key): value for key, value in each.figures.items()} for each in baselines]
    rows = [[*line, *[""] * (width - len(line)), *(_guess(each, line) for each in guessed)] for line in lines if line]
    heads = [heads[0] or "figure", *heads[1:], *[""] * (width - len(heads)), *(each.name for each in baselines)]
    return grid(f"Figures of {target}" if target else "Figures", heads, rows, range(1, len(heads)), class_="bare")


def _guess(figures: dict[str, float], line: list[str]) -> str:
    """What a simple guess comes to in the figure of a line, written as that one."""
    key = spoken(line[0])
    return alike(figures[key], line[-1]) if key in figures else ""
