"""`preceptor evaluate`."""

import json
from pathlib import Path

import click

from preceptor.cli.options import Place
from preceptor.cli.sentences import line, say_table
from preceptor.job import load
from preceptor.job.judging import figures_as_json, is_of_several
from preceptor.job.telling import rows_of
from preceptor.words import counted


@click.command()
@click.argument("run", type=Place())
@click.argument("data")
@click.option("--no-header", is_flag=True, help="The first line of the file is data; columns become column1, ...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object as the last line.")
def command(run: Path, data: str, no_header: bool, as_json: bool) -> None:
    """Judges the network of RUN on DATA, which must have the target column."""
    notes: list[str] = []
    trained = load(run)
    found = trained.evaluate(data, header=not no_header, notes=notes)
    rows = rows_of(found)
    told = "all targets" if is_of_several(found) else "a target"
    line("data", f"{data}: {counted(rows, trained.preprocessor.example)} with {told}")
    for note in notes:
        line("note", note)
    say_table([(Path(data).name, found)], trained.preprocessor.example)
    if as_json:
        figures = figures_as_json(found)
        print(json.dumps({"rows": rows} | ({"targets": figures} if is_of_several(found) else figures)))
