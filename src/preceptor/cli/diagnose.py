"""`preceptor diagnose`."""

import json
from pathlib import Path
from typing import Any

import click

from preceptor.cli.options import Place
from preceptor.cli.sentences import line, say_finding
from preceptor.errors import DataError
from preceptor.job.folder import CHECKPOINTS, CONFIG, PLAN, read_folder
from preceptor.train.checkpoint import Checkpoints


@click.command()
@click.argument("run", type=Place())
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object as the last line.")
def command(run: Path, as_json: bool) -> int:
    """Says what was found of RUN before and during its training: of a finished run, one that was broken off, or one
    that is trained at this moment, which then tells of its latest checkpoint. Changes nothing.
    """
    findings, state, watched = known_of(run)
    line("run", f"{run}: {state}")
    for each in findings:
        say_finding(each)
    if not findings:
        line("found", "nothing")
    if watched:
        line("watched", watched)
    if as_json:
        print(json.dumps({"run": str(run), "state": state, "findings": findings, "watched": watched}))
    return 0


def known_of(run: Path) -> tuple[list[dict[str, Any]], str, str]:
    """Findings, how far the run is, and what was watched.

    Raises: DataError where the folder is none of a run.
    """
    begun = (run / PLAN).is_file()
    checkpoint = Checkpoints(run / CHECKPOINTS).latest()[0] if begun else None
    if (run / CONFIG).is_file():  # looked for last: a training may end meanwhile, and then clears the others away
        facts = read_folder(run).config.facts
        return facts.get("findings", []), facts["outcome"], facts.get("watched", "")
    if not begun:
        raise DataError(f"{run}: this is no run folder. `preceptor fit DATA --out RUN` makes one.")
    if checkpoint is None:
        return [], "not finished; no checkpoint was committed yet, so nothing is known of it.", ""
    return checkpoint.facts.get("findings", []), f"not finished; as it stood after step {checkpoint.step:,}", ""
