"""`preceptor diagnose`."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from preceptor.cli.options import Place
from preceptor.cli.sentences import line, say_curve, say_finding, say_mended
from preceptor.errors import DataError
from preceptor.job.folder import CONFIG, PLAN, checkpoints_of, read_folder, read_plan
from preceptor.job.mending import MOST_TRAININGS

UNKNOWN = "no checkpoint was committed yet, so nothing is known of it."


@click.command()
@click.argument("run", type=Place())
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object as the last line.")
def command(run: Path, as_json: bool) -> int:
    """Says what was found of RUN before and during its training: of a finished run, one that was broken off, or one
    that is trained at this moment, which then tells of its latest checkpoint. Changes nothing.
    """
    findings, state, facts = known_of(run)
    watched = facts.get("watched", "")
    line("run", f"{run}: {state}")
    for each in findings:
        say_finding(each)
    if not findings and not state.endswith(UNKNOWN):
        line("found", "nothing")
    if watched:
        line("watched", watched)
    say_curve(facts)
    say_mended(facts)
    if as_json:
        curve = {"curve": facts["curve"]} if facts.get("curve") else {}
        mended = {"mended": facts["mended"]} if facts.get("mended") else {}
        print(json.dumps({"run": str(run), "state": state, "findings": findings, "watched": watched} | curve | mended))
    return 0


def known_of(run: Path) -> tuple[list[dict[str, Any]], str, dict[str, Any]]:
    """Findings, how far the run is, and the facts that it keeps where it has a model.

    Raises: DataError where the folder is none of a run.
    """
    begun = (run / PLAN).is_file()
    mending = None
    if begun:
        with suppress(DataError):  # a training may end meanwhile
            mending = read_plan(run).mending
    checkpoint = checkpoints_of(run, mending.number if mending else 1).latest()[0] if begun else None
    if (run / CONFIG).is_file():  # looked for last: a training may end meanwhile, and then clears the others away
        facts = read_folder(run).config.facts
        return facts.get("findings", []), facts["outcome"], facts
    if not begun:
        raise DataError(f"{run}: this is no run folder. `preceptor fit DATA --out RUN` makes one.")
    before = [each for attempt in mending.attempts for each in attempt.why] + mending.why if mending else []
    under_way = f"; training {mending.number} of at most {MOST_TRAININGS} of a mending" if mending else ""
    if checkpoint is None:
        return before, f"not finished{under_way}; {UNKNOWN}", {}
    state = f"not finished{under_way}; as it stood after step {checkpoint.step:,}"
    return before + checkpoint.facts.get("findings", []), state, {}
