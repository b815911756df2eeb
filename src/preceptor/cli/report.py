"""`preceptor report`."""

from pathlib import Path

import click

from preceptor.cli.options import FilePlace, Place
from preceptor.cli.sentences import line
from preceptor.job import load
from preceptor.job.folder import REPORT
from preceptor.job.story import story_of
from preceptor.tuning.ledger import is_search


@click.command()
@click.argument("run", type=Place())
@click.option("-o", "--output", type=FilePlace(), help=f"File for the page; RUN/{REPORT} if left out.")
def command(run: Path, output: Path | None) -> None:
    """Makes the report of RUN again: one page, a file that needs no network, with how good the run is, why, and what to
    do next. Of a search, what it found. The data are not needed.
    """
    if is_search(run):
        from preceptor.cli.show_search import report_search

        report_search(run, output)
        return
    trained = load(run)
    story = story_of(trained)
    for number, sentence in enumerate([*story.verdict, *([story.command] if story.command else [])]):
        line("" if number else "verdict", sentence)
    place = run / REPORT if output is None else output
    page = trained.report(place)
    line("report", f"{place}: {len(page.encode()) / 1000:,.0f} KB")
