"""Tables as HTML: heads with their scope, in a box that scrolls where they are wide."""

from collections.abc import Iterable, Sequence

from preceptor.page.markup import Content, Markup, clipped, tag

LONGEST = 80  # columns of a name in a table; more of it is its title
LONGEST_TITLE = 1000


def name(words: str, longest: int = LONGEST) -> Markup:
    """A name from the data: set apart from the direction of writing around it, cut where it is very long."""
    short = clipped(words, longest)
    return tag("bdi", short, title=clipped(words, LONGEST_TITLE) if short.endswith("…") else None)


def grid(
    caption: str,
    heads: Sequence[Content],
    lines: Iterable[Sequence[Content]],
    numbers: Iterable[int] = (),
    *,
    class_: str | None = None,
) -> Markup:
    """A table with a row of heads. The first cell of each line is its head.

    Args:
        caption: what it is of; always given, for those who jump from table to table.
        numbers: places of columns whose cells stand to the right.
    """
    right = frozenset(numbers)
    cells = ["n" if place in right else None for place in range(len(heads))]
    body = [
        tag(
            "tr",
            (
                tag("td", each, class_=cell) if place else tag("th", each, scope="row", class_=cell)
                for place, (each, cell) in enumerate(zip(line, cells, strict=True))
            ),
        )
        for line in lines
    ]
    head = tag("tr", (tag("th", each, scope="col", class_=cell) for each, cell in zip(heads, cells, strict=True)))
    whole = tag("table", tag("caption", caption), tag("thead", head), tag("tbody", body), class_=class_)
    return tag("div", whole, class_="scroll", tabindex=0, role="region", aria_label=caption)


def folded(summary: str, *content: Content, is_printed: bool = False) -> Markup:
    """Something that is shown when asked for. Args: is_printed: on paper too, where nobody can ask."""
    return tag("details", tag("summary", summary), content, class_="said" if is_printed else None)


def command_line(command: str) -> Markup:
    """A command with a button that copies it."""
    return tag(
        "div", tag("code", command, tabindex=0), tag("button", "Copy", type="button", hidden=True), class_="command"
    )
