"""A run and tables as pieces of HTML for a notebook: no script, style of their own that reaches nothing else."""

from collections.abc import Mapping, Sequence
from typing import Any

from preceptor.page.chart import keys, spark, within
from preceptor.page.curves import number, thinned
from preceptor.page.grid import name
from preceptor.page.markup import Markup, tag
from preceptor.page.palette import DARK, LIGHT
from preceptor.page.story import Story
from preceptor.page.verdict import WORDS
from preceptor.words import amount

MOST_FIGURES = 8
MOST_ROWS = 200


def small(story: Story) -> str:
    """The verdict of a run, its figures and its curves in a few lines."""
    sign, word = WORDS[story.level]
    figures = [
        tag(
            "tr",
            tag("th", f"{target}: {line[0]}" if target else line[0], scope="row"),
            [tag("td", cell) for cell in line[1:]],
        )
        for target, cells in story.figures
        for line in cells[1 : MOST_FIGURES + 1]
        if line
    ]
    heads = next((cells[0] for _, cells in story.figures if cells and len(cells[0]) > 1), ())
    head = tag("thead", tag("tr", tag("td"), [tag("th", each, scope="col") for each in heads[1:]]))
    return tag(
        "div",
        _style(),
        tag("p", tag("b", f"{sign} {word}", class_=story.level), " ", name(story.name), class_="quiet"),
        (tag("p", each) for each in story.verdict),
        tag("p", tag("code", story.command)) if story.command else None,
        tag("table", head, tag("tbody", figures)) if figures else None,
        _curves(story),
        class_="preceptor",
    )


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as a table, names of columns from all of them; of more than 200 rows the first are shown."""
    heads = list(dict.fromkeys(key for row in rows for key in row))
    lines = [tag("tr", (_cell(row.get(key)) for key in heads)) for row in rows[:MOST_ROWS]]
    rest = len(rows) - MOST_ROWS
    return tag(
        "div",
        _style(),
        tag(
            "table",
            tag("thead", tag("tr", (tag("th", name(str(key)), scope="col") for key in heads))),
            tag("tbody", lines),
        ),
        tag("p", f"{rest:,} more rows.", class_="quiet") if rest > 0 else None,
        class_="preceptor",
    )


def _cell(value: Any) -> Markup:
    if value is None:
        return tag("td")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return tag("td", name(str(value)))
    return tag("td", f"{value:,}" if isinstance(value, int) else amount(value, 6), class_="n")


def _curves(story: Story) -> Markup | None:
    history = thinned(story.history)
    series = [[number(each.get(key)) for each in history] for key in ("train_loss", "dev_loss")]
    if not any(value is not None for values in series for value in values):
        return None
    axis = within(series, can_be_log=True)
    drawn = [
        spark(f"{label} loss", values, axis, style, 220, 44)
        for label, values, style in zip(("train", "dev"), series, (1, 2), strict=True)
    ]
    return tag("div", tag("div", drawn, class_="curves"), keys(("train loss", 1), ("dev loss", 2)))


def _style() -> Markup:
    def colours(palette: Any) -> str:
        names = ("ink", "quiet", "rule", "blue", "vermilion", "good", "warn", "bad")
        return ";".join(f"--p-{each}:{getattr(palette, each)}" for each in names)

    # Notebooks have themes of their own, light on any screen; what they say of it goes before what the screen says.
    dark = ".preceptor" + ",.preceptor".join(
        (":is([data-jp-theme-light=false] *)", ":is(.vscode-dark *)", ":is([theme=dark] *)")
    )
    return tag(
        "style",
        Markup(
            f".preceptor{{{colours(LIGHT)};color:var(--p-ink);font:14px/1.45 system-ui,sans-serif;max-width:60em}}"
            f"{dark}{{{colours(DARK)}}}"
            ".preceptor p{margin:.2em 0}.preceptor .quiet{color:var(--p-quiet)}"
            ".preceptor .good{color:var(--p-good)}.preceptor .warn{color:var(--p-warn)}"
            ".preceptor .bad{color:var(--p-bad)}"
            ".preceptor table{border-collapse:collapse;margin:.6em 0;font-variant-numeric:tabular-nums}"
            ".preceptor th,.preceptor td{padding:.2em .9em .2em 0;text-align:left;"
            "border-bottom:1px solid var(--p-rule);background:none;font-weight:400}"
            ".preceptor thead th{color:var(--p-quiet)}.preceptor .n{text-align:right}"
            ".preceptor .curves{display:grid;width:220px}.preceptor .curves svg{grid-area:1/1}"
            ".preceptor .l,.preceptor .p{fill:none;stroke:var(--p-blue);stroke-width:1.6}"
            ".preceptor .s2{stroke:var(--p-vermilion);stroke-dasharray:7 4}.preceptor .p{stroke-linecap:round}"
            ".preceptor .keys{list-style:none;display:flex;gap:1em;padding:0;margin:.2em 0;color:var(--p-quiet)}"
            ".preceptor .keys li{display:flex;gap:.4em;align-items:center}"
        ),
    )
