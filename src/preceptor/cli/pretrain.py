"""`preceptor pretrain`: learning without labels."""

import json
from pathlib import Path
from typing import Any

import click

from preceptor.cli.fit import EXIT_CODES, quiet, resumed, say_result, say_writing, train_shown
from preceptor.cli.options import Place, number_options, settings_options
from preceptor.cli.progress import watched
from preceptor.cli.sentences import summary
from preceptor.cli.terminal import words_aside
from preceptor.engines import is_first_process
from preceptor.hyper import hyper_fields
from preceptor.job import interrupted
from preceptor.job.folder import check_out
from preceptor.job.parts import own_numbers
from preceptor.job.pretext_words import make_task
from preceptor.job.pretraining import TAKEN, preparing_task, task_settings
from preceptor.job.settings import Settings
from preceptor.pretext import TASKS
from preceptor.words import listing
from preceptor.writers.writing import WRITERS, Writing

FAMILIES = ("activation", "initialiser", "optimiser", "schedule", "average")  # whose numbers are options of their own


@click.command(context_settings={"show_default": False})
@click.argument("data", required=False)
@click.option(
    "--task",
    metavar="WORD[:NAME=VALUE]",
    help=f"What is learned: {listing(list(TASKS))}. The last is of tables, the others are of pictures.",
)
@settings_options(Settings, leave_out=[field.name for field, _ in hyper_fields(Settings) if field.name not in TAKEN])
@number_options(own_numbers(*FAMILIES))
@click.option("--out", "-o", type=Place(), help="Folder for the run; runs/NAME-1, -2, ... if left out.")
@click.option("--resume", "begun", type=Place(), help="Go on with an unfinished run in this folder.")
@click.option(
    "--log",
    "log_to",
    multiple=True,
    type=click.Choice(tuple(WRITERS)),
    help="Write the training down for TensorBoard, or for MLflow, while it goes on. May be given for both.",
)
@click.option("--no-header", is_flag=True, help="The first line of the file is data; columns become column1, ...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object as the last line.")
@click.pass_context
def command(
    context: click.Context,
    /,
    data: str | None,
    task: str | None,
    out: Path | None,
    begun: Path | None,
    log_to: tuple[str, ...],
    no_header: bool,
    as_json: bool,
    **given: Any,
) -> int:
    """Trains a network on DATA without labels: pictures (a folder of files, with class folders or without, a zip file,
    IDX or CIFAR files) or a table. Labels, if any, are not looked at.

    rotation: by how much was the picture turned? colour: what colours had it, before it was made grey? inpaint: what
    was there, where it is covered? position: where does one patch lie, seen from another? contrast: which views are of
    the same picture? columns: which columns of the row were put in from other rows, and what stood there?

    What is wanted is not the answer but what the network learns for it: preceptor fit FEW_LABELS --from RUN.

    Exit codes: as of fit.
    """
    if not as_json:
        words_aside()
    if not is_first_process():
        context.with_resource(quiet())
    writing = context.with_resource(Writing(log_to))
    if begun is not None:
        fitting = resumed(context, begun, data)
    elif data is None or task is None:
        raise click.UsageError(
            "Missing argument 'DATA'." if data is None else f"Missing option '--task': {listing(list(TASKS))}.", context
        )
    else:
        posed, settings = make_task(task), task_settings(given)
        if out is not None:
            check_out(out)
        fitting = watched(preparing_task(data, posed, settings, not no_header))
    try:
        run = train_shown(fitting, out, writing)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"interrupted; {interrupted(fitting)}") from None
    say_result(fitting, run)
    watched(writing.finishing(run, fitting.outcome))
    say_writing(writing)
    if as_json:
        print(json.dumps(summary(run)))
    return EXIT_CODES.get(fitting.outcome, 0)
