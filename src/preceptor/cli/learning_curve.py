"""`preceptor learning-curve`."""

import math
import time
from pathlib import Path
from typing import Any

import click
import numpy as np

from preceptor.cli.options import FilePlace, Whole, check_html, number_options, settings_options
from preceptor.cli.progress import watched
from preceptor.cli.sentences import aligned, line, say_found
from preceptor.job.parts import own_numbers
from preceptor.job.settings import Settings, make_settings
from preceptor.job.source_files import files_of
from preceptor.output import Output
from preceptor.tuning.curve_plan import (
    FEWEST_POINTS,
    FEWEST_REPEATS,
    MOST_POINTS,
    MOST_REPEATS,
    OVERS,
    POINTS,
    REPEATS,
    Plan,
)
from preceptor.tuning.learning_curve import LearningCurve, as_json, measuring, planning
from preceptor.words import amount, counted, duration, listing

WIDTH, LINES = 60, 12  # characters of the picture
SIGNS = {"dev": "●", "train": "○", "law": "·"}


@click.command(context_settings={"show_default": False})
@click.argument("data")
@settings_options(Settings)
@number_options(own_numbers())
@click.option("--over", type=click.Choice(OVERS), default="rows", help="What grows.  [default rows]")
@click.option(
    "--points",
    type=Whole(FEWEST_POINTS, MOST_POINTS),
    help=f"How many sizes.  [{FEWEST_POINTS} to {MOST_POINTS}; {POINTS['rows']} of rows, {POINTS['width']} of widths]",
)
@click.option(
    "--repeats",
    type=Whole(FEWEST_REPEATS, MOST_REPEATS),
    default=REPEATS,
    help=f"How often each is trained.  [{FEWEST_REPEATS} to {MOST_REPEATS}; default {REPEATS}]",
)
@click.option("-o", "--out", type=FilePlace(), help="Write a page with the curves to this file, an HTML.")
@click.option("--no-header", is_flag=True, help="The first line of the file is data; columns become column1, ...")
@click.option("--json", "as_json_too", is_flag=True, help="Print one JSON object as the last line.")
def command(
    data: str,
    over: str,
    points: int | None,
    repeats: int,
    out: Path | None,
    no_header: bool,
    as_json_too: bool,
    **given: Any,
) -> None:
    """Trains with ever more rows of DATA, or ever wider networks, and tells what more rows, a wider network and more
    regularisation would bring, and how sure that is.

    Settings are those of fit. 15 % of the rows judge all sizes; they neither teach nor guide. Test rows stay untouched.
    Nothing is kept.
    """
    if out is not None:
        check_html(out, "learning-curve")
    settings = make_settings(given)
    place = None if out is None else Output(out, files_of(data), "learning-curve: ")
    plan, found = watched(planning(data, settings, over, points, repeats, header=not no_header))
    line("data", f"{plan.divided[0][0].table.name}: {counted(plan.total, 'row')} to learn from")
    say_found(found)
    say_plan(plan)
    began = time.monotonic()
    curve = watched(measuring(plan))
    say_curve(curve)
    for number, each in enumerate(aligned(curve.cells(), right=0)):
        line("table" if number == 0 else "", each)
    if curve.law_in_words:
        line("law", curve.law_in_words)
    if curve.reading:
        line("reading", curve.reading)
    line("advice", curve.short)
    for number, told in enumerate(curve.advice):
        line("", f"{number + 1}. {told.text}")
    for note in curve.notes:
        line("note", note)
    line("took", duration(time.monotonic() - began))
    if place is not None:
        with place.text() as file:
            file.write(curve.page())
        line("page", str(out))
    if as_json_too:
        print(as_json(curve))


def say_plan(plan: Plan) -> None:
    """What will be trained, and what that costs, before it begins."""
    unit = "rows" if plan.over == "rows" else "times the usual width"
    sizes = listing(f"{each:,.0f}" if plan.over == "rows" else f"{each:g}" for each in plan.sizes)
    line("sizes", f"{sizes} {unit}; {plan.judges:,} rows judge all of them")
    tried = f", {listing(each.what for each in plan.changes)} with {plan.rows:,} rows" if plan.changes else ""
    line(
        "training",
        f"{counted(len(plan.jobs), 'training')}: {len(plan.sizes)} sizes{tried}, {plan.repeats} times each; together "
        f"about as much as {amount(plan.full_trainings, 2)} trainings on all rows",
    )


def say_curve(curve: LearningCurve) -> None:
    """The curves as a picture of characters, over a logarithmic axis."""
    far = curve.far if curve.laws is not None else curve.sizes[-1]
    low, high = math.log(curve.sizes[0]), math.log(far)
    dev, train = curve.dev.mean(axis=0), curve.train.mean(axis=0)
    at = np.geomspace(curve.sizes[0], far, WIDTH)
    law = [] if curve.laws is None else [curve.laws.at(each).value for each in at]
    top = max(*dev, *train, *law) or 1.0
    bottom = min(0.0, *dev, *train)
    picture = [[" "] * WIDTH for _ in range(LINES)]

    def put(size: float, value: float, sign: str) -> None:
        column = round((math.log(size) - low) / (high - low) * (WIDTH - 1))
        row = round((top - value) / (top - bottom) * (LINES - 1))
        picture[min(max(row, 0), LINES - 1)][column] = sign

    for size, value in zip(at, law, strict=False):
        put(size, value, SIGNS["law"])
    for name, values in (("train", train), ("dev", dev)):
        for size, value in zip(curve.sizes, values, strict=True):
            put(size, value, SIGNS[name])
    for number, row in enumerate(picture):
        words = "".join(row)
        tail = (
            f" {curve.measure.written(top)}"
            if number == 0
            else f" {curve.measure.written(bottom)}" * (number == LINES - 1)
        )
        line(curve.measure.word if number == 0 else "", words + tail)
    axis = [" "] * (WIDTH + 10)
    free = 0
    for size in (*curve.sizes, far):
        column, words = (
            round((math.log(size) - low) / (high - low) * (WIDTH - 1)),
            f"{size:,.0f}" if curve.over == "rows" else f"{size:g}",
        )
        if column >= free:
            axis[column : column + len(words)] = words
            free = column + len(words) + 1
    line(curve.over, "".join(axis))
    told = [f"{SIGNS['dev']} dev", f"{SIGNS['train']} train", *([f"{SIGNS['law']} the law"] if law else [])]
    line("", "   ".join(told))
