"""The model card, and how to make the run again."""

from preceptor.page.grid import command_line, folded, grid
from preceptor.page.markup import Markup, joined, tag
from preceptor.page.story import Story

OPEN = 14  # lines of the card that are shown at once
FILL = (
    (
        "Intended use",
        "For which question, by whom, and on which kind of {}s is this model to be used? What is decided by it?",
    ),
    (
        "Limits",
        "For which {}s, groups or times was it not tried? What comes of a wrong prediction, and who looks at it?",
    ),
)


def section(story: Story) -> Markup:
    """What its reader has to fill in, what the run was made of, and the commands."""
    fill = [
        tag("div", tag("h3", title), tag("p", f"To be filled in. {question.format(story.example)}"), class_="fill")
        for title, question in FILL
    ]
    lines = [[word, tag("span", value, class_="value")] for word, value in story.card]
    versions = sorted(story.evidence.versions.items()) if story.evidence else []
    told = {word.lower() for word, _ in story.card}
    lines += [[word, value] for word, value in versions if word.lower() not in told]
    if story.evidence and story.evidence.fingerprint and "fingerprint" not in " ".join(told):
        lines.append(["data fingerprint", tag("code", story.evidence.fingerprint)])
    shown = grid("Made of", ["what", "value"], lines[:OPEN], class_="card bare") if lines else None
    more = (
        folded(
            "All settings and versions", grid("Made of, continued", ["what", "value"], lines[OPEN:], class_="card bare")
        )
        if lines[OPEN:]
        else None
    )
    commands = [tag("li", tag("p", what), command_line(command)) for what, command in story.commands]
    return joined(
        tag("div", fill, class_="figures"),
        joined(tag("h3", "What it was made of"), shown, more) if shown else None,
        joined(tag("h3", "Commands"), tag("ul", commands, class_="commands")) if commands else None,
    )
