"""`preceptor explain-rule`."""

import inspect
import re

import click

from preceptor.cli.sentences import line
from preceptor.diagnose import RULES
from preceptor.diagnose.figures import Figures
from preceptor.diagnose.records import Records
from preceptor.diagnose.rule import Rule
from preceptor.hyper import hyper_fields, value_text
from preceptor.words import bare, closest, listing

HEADINGS = {
    "Detects": "detects",
    "Why it matters": "why",
    "Evidence and threshold": "evidence",
    "Remedy": "remedy",
    "Can be wrong when": "wrong if",
    "Source": "source",
}


@click.command()
@click.argument("name", required=False)
def command(name: str | None) -> int:
    """Tells of a rule as a teacher would: what it looks for, why it matters, by which evidence and thresholds, what to
    do, when it can be wrong, and where it comes from. Without NAME it names all rules.
    """
    if name is None:
        for rule in RULES:
            when = "during training" if issubclass(rule.looks_at, Figures) else "before training"
            when = "in records" if rule.looks_at is Records else when
            for own in rule.names:
                print(f"{own:<26} {when}: {rule.looks_for}")
        return 0
    known = {own: rule for rule in RULES for own in rule.names}
    if name not in known:
        raise click.UsageError(
            f"There is no rule {bare(name)}.{closest(name, known)} `preceptor explain-rule` names all of them."
        )
    say_rule(known[name])
    return 0


def say_rule(rule: Rule) -> None:
    """The headings of a rule's docstring, and its thresholds."""
    line("rule", listing(rule.names))
    for heading, text in told(rule).items():
        line(HEADINGS[heading], text)
    for field, known in hyper_fields(rule):
        line("threshold", f"{field.name} = {value_text(getattr(rule, field.name))} {known.unit}")


def told(rule: Rule) -> dict[str, str]:
    """What a rule's docstring says under each heading, in one line each."""
    found: dict[str, str] = {}
    heading = ""
    for text in inspect.getdoc(rule).splitlines():  # type: ignore[union-attr]
        start = re.match(r"([A-Z][A-Za-z ]+): ", text)
        if start and start[1] in HEADINGS:
            heading, text = start[1], text[start.end() :]
        if heading:
            found[heading] = f"{found.get(heading, '')} {text.strip()}".strip().replace("`", "")
    return found
