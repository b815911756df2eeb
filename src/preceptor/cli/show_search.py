"""`preceptor show SEARCH` and `preceptor report SEARCH`: what a search found."""

import json
from pathlib import Path
from typing import Any

import msgspec

from preceptor.cli.sentences import aligned, line, room
from preceptor.disk import replace_file
from preceptor.output import Output
from preceptor.tuning.ledger import FOUND, PAGE, PLAN, TRIALS
from preceptor.tuning.page import render
from preceptor.tuning.record import TABLE, Found, Trial
from preceptor.tuning.so_far import known_of
from preceptor.tuning.story import best_of, lines, table, trial_of
from preceptor.words import counted, cut, shell_word

MOST_ROWS = 12  # of the table


def show_search(folder: Path, as_json: bool) -> None:
    """The best trials of a search as a table, what it chose and why, and what mattered."""
    found = known_of(folder)
    line("data", f"{found.data}: {counted(found.rows, 'row')}" if found.rows else found.data)
    pruned = f", pruner {found.pruner}" if found.pruner not in ("", "none") else ""
    line("search", f"sampler {found.sampler}{pruned}; seed {found.seed}")
    if found.outcome:
        line("", found.outcome)
    say_table(found)
    for word, text in lines(found):
        line(word, text)
    if (folder / PAGE).is_file():
        line("page", str(folder / PAGE))
    if not (folder / FOUND).is_file():
        line("next", f"preceptor search --resume {shell_word(folder)}, where nobody is at it")
    if as_json:
        print(json.dumps(summary(found)))


def say_table(found: Found, most: int = MOST_ROWS) -> None:
    """The best trials, each as far as the terminal is wide."""
    for number, text in enumerate(aligned(table(found, most))):
        line("" if number else "trials", cut(text, room()))
    if (rest := len(found.trials) - most) > 0:
        line("", f"and {rest:,} more; --json prints all of them")


def summary(found: Found) -> dict[str, Any]:
    """The JSON object of `--json`: all that was found; of each trial its number, settings, score, epochs and state."""
    best = trial_of(found, found.choice.kept) if found.choice else best_of(found)
    told = msgspec.to_builtins(found)
    return told | {"trials": [_row(each) for each in found.trials], "best": None if best is None else _row(best)}


def _row(trial: Trial) -> dict[str, Any]:
    return {name: getattr(trial, name) for name in TABLE}


def report_search(folder: Path, output: Path | None) -> None:
    """Makes the page of a search again."""
    found = known_of(folder)
    page = render(found)
    place = folder / PAGE if output is None else output
    if output is None:
        replace_file(place, page.encode())
    else:
        with Output(output, [folder / each for each in (FOUND, PLAN, TRIALS)]).text() as file:
            file.write(page)
    for word, text in lines(found)[:1]:
        line(word, text)
    line("report", f"{place}: {len(page.encode()) / 1000:,.0f} KB")


__all__ = ["report_search", "say_table", "show_search", "summary"]
