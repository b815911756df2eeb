"""`preceptor check`."""

import json
from textwrap import wrap
from typing import Any

import click

from preceptor.cli import USER_MISTAKE
from preceptor.cli.fit import line
from preceptor.cli.options import settings_options
from preceptor.data import (
    Observation,
    checks_made,
    default_target,
    fit_preprocessor,
    inspect_table,
    read,
    split,
    target_kind,
    usable_rows,
)
from preceptor.data.table import listing
from preceptor.errors import DataError
from preceptor.hyper import hyper_fields
from preceptor.train.settings import Settings, make_settings

TAKEN = ("target", "kind", "seed", "dev_share", "test_share")
WORDS = {"refuse": "refused", "warn": "warning", "note": "note"}


@click.command(context_settings={"show_default": False})
@click.argument("data")
@settings_options(Settings, leave_out=[field.name for field, _ in hyper_fields(Settings) if field.name not in TAKEN])
@click.option("--no-header", is_flag=True, help="The first line of the file is data; columns become column1, ...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object as the last line.")
def command(data: str, no_header: bool, as_json: bool, **given: Any) -> int:
    """Looks at DATA as `fit` would, and says what is wrong or remarkable with it. Trains and writes nothing.

    Exit codes: 0 it can be trained on, 2 it cannot, or a mistake in settings or data.
    """
    settings = make_settings(given)
    table = read(data, header=not no_header)
    target = settings.target or default_target(table.name)
    if target is None:
        raise DataError(
            f"{table.name}: no target was named; one of its columns is needed: {listing(table.columns, 20)}. "
            "Name it with --target."
        )
    usable = usable_rows(table, target)
    kind = target_kind(table, target, usable, settings.kind)
    kept = table if len(usable) == table.rows else table.select(usable)
    labels = kept.column(target) if kind == "classes" else None
    if labels is not None and labels.dtype == object:
        labels = labels.astype(str)
    parts = split(kept.rows, dev=settings.dev_share, test=settings.test_share, seed=settings.seed, labels=labels)
    found = inspect_table(kept, target, parts, kind, numbers=usable)
    line("data", f"{table.name}: {table.rows:,} rows, {len(table.columns):,} columns")
    try:
        for sentence in fit_preprocessor(table, target, usable[parts.train], kind=settings.kind).lines():
            line("", sentence)
    except DataError as error:
        if all(each.level != "refuse" for each in found):
            found.insert(0, Observation("columns", "refuse", str(error)))
    line("split", f"{len(parts.train):,} to train, {len(parts.dev):,} dev, {len(parts.test):,} test")
    say(found)
    is_refused = any(each.level == "refuse" for each in found)
    if as_json:
        facts = {"data": table.name, "rows": table.rows, "target": target, "kind": kind, "refused": is_refused}
        rest = {"observations": [each.to_dict() for each in found], "checks": checks_made()}
        click.echo(json.dumps(facts | rest))
    return USER_MISTAKE if is_refused else 0


def say(found: list[Observation]) -> None:
    """Each observation under its level, then what was looked for."""
    before = ""
    for each in found:
        first, *rest = wrap(" ".join(each.text.split()), 110, break_on_hyphens=False, break_long_words=False)
        line(WORDS[each.level] if each.level != before else "", first)
        for more in rest:
            line("", f"  {more}")
        before = each.level
    checks = checks_made()
    counts = [
        f"{count} {word}{'s' * (count != 1 and level != 'refuse')}"
        for level, word in WORDS.items()
        if (count := sum(each.level == level for each in found))
    ]
    first, *rest = wrap(
        f"{len(checks)} checks made, {', '.join(counts) or 'nothing found'}. Looked for: {'; '.join(checks)}.",
        110,
        break_on_hyphens=False,
    )
    line("checked", first)
    for more in rest:
        line("", more)
