"""`preceptor check`."""

import json
from collections.abc import Sequence
from typing import Any

import click

from preceptor.cli import USER_MISTAKE
from preceptor.cli.options import settings_options
from preceptor.cli.progress import watched
from preceptor.cli.sentences import LEVELS, line, say_found
from preceptor.data import Pictures
from preceptor.diagnose import Finding
from preceptor.errors import DataError
from preceptor.hyper import hyper_fields
from preceptor.job.fit import heeded, look
from preceptor.job.settings import Settings, make_settings
from preceptor.job.telling import division
from preceptor.words import listing

TAKEN = (
    "target",
    "kind",
    "ordered",
    "seed",
    "dev_share",
    "test_share",
    "split_column",
    "group",
    "time",
    "test",
    "weight",
    "leave_out",
    "skip_corrupt",
    "ignore",
)


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
    seen = watched(look(data, settings, header=not no_header))
    table, parts, found = seen.table, seen.parts, heeded(seen.found, settings)
    what = "pictures" if isinstance(table, Pictures) else f"rows, {len(table.columns):,} columns"
    line("data", f"{table.name}: {table.rows:,} {what}")
    for note in (*table.notes, *seen.notes):
        line("", note)
    try:
        for sentence in seen.preprocessor.lines():
            line("", sentence)
    except DataError as error:
        if all(each.level != "refuse" for each in found):
            found.insert(0, Finding("columns", "refuse", str(error)))
    line("split", division(len(parts.train), len(parts.dev), len(parts.test), seen.folds))
    say_found(found)
    say_checks(found, seen.checks, settings.ignore or ())
    is_refused = any(each.level == "refuse" for each in found)
    if as_json:
        names, kinds = list(seen.targets), list(seen.targets.values())
        told = {"target": names[0], "kind": kinds[0]} if len(names) == 1 else {"target": names, "kind": kinds}
        facts = {"data": table.name, "rows": table.rows, **told, "refused": is_refused}
        rest = {"findings": [each.to_dict() for each in found], "checks": seen.checks}
        print(json.dumps(facts | rest))
    return USER_MISTAKE if is_refused else 0


def say_checks(found: list[Finding], checks: list[str], ignored: Sequence[str]) -> None:
    """What was looked for, so that silence informs."""
    counts = [
        f"{count} {word}{'s' * (count != 1 and level != 'refuse')}"
        for level, word in LEVELS.items()
        if (count := sum(each.level == level for each in found))
    ]
    unseen = f"; not looked at: {listing(ignored)}" if ignored else ""
    line(
        "checked",
        f"{len(checks)} checks made, {', '.join(counts) or 'nothing found'}{unseen}. Looked for: {'; '.join(checks)}.",
    )
