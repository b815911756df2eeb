"""`preceptor look`."""

from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import click

from preceptor.cli.options import Place
from preceptor.cli.progress import watched
from preceptor.cli.sentences import line
from preceptor.data import BUNDLED, PicturePreprocessor
from preceptor.data.pictures.pictures import refuse_no_header
from preceptor.errors import ConfigError
from preceptor.job import load
from preceptor.job.source_files import files_of
from preceptor.nn import Committee, Ensemble
from preceptor.output import Output
from preceptor.pretext import TaskPreprocessor
from preceptor.report.excites import write_strongest, write_strongest_rows
from preceptor.report.look import write_features, write_filters, write_maps
from preceptor.words import shell_word


@click.command()
@click.argument("run", type=Place())
@click.argument("data", required=False)
@click.option("-o", "--output", type=Place(), help="Folder for the sheets; RUN/look if left out.")
@click.option("--picture", type=Place(), help="Draw the feature maps of this picture as well.")
@click.option("--no-header", is_flag=True, help="The first line of the table is data; columns become column1, ...")
def command(run: Path, data: str | None, output: Path | None, picture: Path | None, no_header: bool) -> None:
    """Draws what the network of RUN has learned to see.

    Of a network for pictures, as PNG sheets: the filters of its first layer; the pictures of DATA, or of the set it was
    trained on if that lies where it did, that excite the units of each layer most; with --picture, the maps that each
    convolution makes of it. Of one for a table: the weights of its first layer, feature by feature, as a sheet; for
    each layer a CSV of the rows of DATA, or of the table it was trained on, that excite its units most. Of an ensemble
    the first network is looked at.
    """
    trained = load(run)
    if isinstance(trained.preprocessor, TaskPreprocessor):
        raise ConfigError(
            f"look: the run learned the task {trained.preprocessor.task} without labels; a run that predicts is "
            f"required. Train one from it: preceptor fit FEW_LABELS --from {shell_word(run)}."
        )
    folder = output or run / "look"
    is_of_pictures = isinstance(trained.preprocessor, PicturePreprocessor)
    if not is_of_pictures and picture is not None:
        raise ConfigError("look: received --picture; the network was trained on a table. Leave it out.")
    if is_of_pictures:
        refuse_no_header(data or run, not no_header)
    source = data or trained.facts.get("source") or ""
    if data is None and source not in BUNDLED and not Path(source).exists():
        what = "pictures" if is_of_pictures else "rows"
        raise ConfigError(
            f"look: the {what} that the network was trained on are not at {source or 'a known place'} any more; some "
            f"are needed to find those that excite it. Name them: preceptor look {shell_word(run)} DATA."
        )
    for path in [*folder.glob("*.png"), *folder.glob("*.csv")]:
        Output(path, chain(files_of(source), [picture] if picture else []))  # refuses one that is read
    if isinstance(trained.network, Ensemble):
        line("network", f"the first of the {trained.network.count} of the ensemble")
    elif isinstance(trained.network, Committee):
        line("network", f"the first of the {len(trained.network.networks)} side by side")
    if is_of_pictures:
        said("filters", [(folder / "filters.png", write_filters(trained, folder / "filters.png"))])
        said("maps", write_maps(trained, picture, folder) if picture else ())
        said("excites", watched(write_strongest(trained, source, folder)))
    else:
        said("weights", [(folder / "weights.png", write_features(trained, folder / "weights.png"))])
        said("excites", watched(write_strongest_rows(trained, source, folder, not no_header)))


def said(word: str, written: Iterable[tuple[Path, str]]) -> None:
    """A sentence about each file that was written, and its place."""
    for path, sentence in written:
        line(word, sentence)
        line("", str(path))
