"""`preceptor predict`."""

from pathlib import Path

import click

from preceptor.train import load


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("data")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="CSV to write; without it, to the terminal.")
@click.option(
    "--keep",
    metavar="NAME,NAME,...",
    help="Columns of DATA to write before the predictions; if left out, those that number its rows.",
)
@click.option("--no-header", is_flag=True, help="The first line of the file is data; columns become column1, ...")
def command(run: Path, data: str, output: Path | None, keep: str | None, no_header: bool) -> None:
    """Predicts every row of DATA with the network of RUN.

    Writes the columns that number the rows, or those that --keep names, then `prediction`, and `probability_CLASS` for
    each class; rows keep their order.
    """
    trained = load(run)
    kept = None if keep is None else [name for name in keep.split(",") if name]
    rows = trained.write_predictions(data, output, header=not no_header, keep=kept)
    if output is not None:
        click.echo(f"{rows:,} predictions of {trained.preprocessor.target} written to {output}")
