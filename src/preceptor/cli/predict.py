"""`preceptor predict`."""

import sys
from pathlib import Path

import click

from preceptor.cli.options import HOW_NAMES, NAMES, FilePlace, Place, Whole
from preceptor.cli.terminal import data_output, words_aside
from preceptor.errors import ConfigError
from preceptor.job import load
from preceptor.output import already_open
from preceptor.words import counted, listing, one_line


@click.command()
@click.argument("run", type=Place())
@click.argument("data")
@click.option("-o", "--output", type=FilePlace(), help="CSV to write; standard output if left out.")
@click.option(
    "--keep",
    **NAMES,
    help="Columns of DATA to write before the predictions, their fields as they stand there; if left out, those that "
    f"number its rows. {HOW_NAMES}",
)
@click.option(
    "--samples",
    type=Whole(0),
    metavar="INTEGER",
    help="Adds how unsure each prediction is, by so many draws of dropout; 0: by the members of an ensemble alone.  "
    "[draws; at least 0]",
)
@click.option("--seed", type=Whole(0), metavar="INTEGER", help="Of the draws; if left out, the run's.  [at least 0]")
@click.option(
    "--interval",
    type=float,
    metavar="NUMBER",
    help="Adds an interval around each predicted number that holds this share of the targets, such as 0.9.  "
    "[share of rows, between 0 and 1]",
)
@click.option("--no-header", is_flag=True, help="The first line of the file is data; columns become column1, ...")
def command(
    run: Path,
    data: str,
    output: Path | None,
    keep: tuple[str, ...] | None,
    samples: int | None,
    seed: int | None,
    interval: float | None,
    no_header: bool,
) -> None:
    """Predicts every row or picture of DATA with the network of RUN.

    Writes the columns that number the rows, or those that --keep names, then `prediction`, and `probability_CLASS` for
    each class, or `quantile_SHARE` for each quantile that RUN was trained for, whose median is the prediction; rows
    keep their order. Where RUN has several targets each has these columns, with its name: `prediction_TARGET`,
    `probability_TARGET_CLASS`.

    With --samples the prediction is the mean over the samples, and behind it stand, for classes, `entropy` (how unsure
    it is in all, nats) and `mutual_information` (the part of it that more training data would lower, nats), for numbers
    `standard_deviation` between the samples, in the target's unit; the noise of the target itself is not in it.

    With --interval, for numbers, the ends of an interval follow, `low` and `high`: the prediction plus and minus what
    holds that share of the targets of rows that the network did not learn from (conformal prediction), noise included.
    """
    if seed is not None and not samples:
        raise ConfigError("predict: received --seed without draws of dropout; nothing is random. Give --samples 50.")
    trained = load(run)
    notes: list[str] = []
    if output is not None:
        words_aside()
        rows = trained.write_predictions(data, output, not no_header, keep, samples, seed, notes, interval)
        if already_open(output) != 1:  # else it would stand among the rows
            names = one_line(listing(target.name for target in trained.targets))
            print(f"{counted(rows, 'prediction')} of {names} written to {output}")
    else:
        file = data_output()
        trained.write_predictions(data, file, not no_header, keep, samples, seed, notes, interval)
        file.flush()
    for note in notes:
        print(f"preceptor: {note}", file=sys.stderr)
