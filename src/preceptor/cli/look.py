"""`preceptor look`."""

from pathlib import Path

import click

from preceptor.cli.progress import watched
from preceptor.cli.sentences import line
from preceptor.cli.terminal import words_aside
from preceptor.data import PicturePreprocessor
from preceptor.errors import ConfigError
from preceptor.job import load
from preceptor.nn import Ensemble
from preceptor.report.look import write_features, write_filters, write_maps, write_strongest
from preceptor.words import shell_word


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("data", required=False)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder for the sheets; RUN/look if left out.")
@click.option("--picture", type=click.Path(path_type=Path), help="Draw the feature maps of this picture as well.")
def command(run: Path, data: str | None, output: Path | None, picture: Path | None) -> None:
    """Draws what the network of RUN has learned to see, as PNG sheets.

    Of a network for pictures: the filters of its first layer; the pictures of DATA, or of the set it was trained on if
    that lies where it did, that excite the channels of its last convolution and its outputs most; with --picture, the
    maps that each convolution makes of it. Of one for a table: the weights of its first layer, feature by feature. Of
    an ensemble the first network is drawn.
    """
    words_aside()
    trained = load(run)
    folder = output or run / "look"
    if isinstance(trained.network, Ensemble):
        line("network", f"the first of the {trained.network.count} of the ensemble")
    if not isinstance(trained.preprocessor, PicturePreprocessor):
        if data is not None or picture is not None:
            raise ConfigError("look: received pictures; the network was trained on a table. Leave them out.")
        line("weights", write_features(trained, folder / "weights.png"))
        line("", str(folder / "weights.png"))
        return
    source = data or trained.facts.get("source") or ""
    if data is None and not Path(source).exists():
        raise ConfigError(
            f"look: the pictures that the network was trained on are not at {source or 'a known place'} any more; some "
            f"are needed to find those that excite it. Name them: preceptor look {shell_word(run)} DATA."
        )
    line("filters", write_filters(trained, folder / "filters.png"))
    line("", str(folder / "filters.png"))
    for path, sentence in write_maps(trained, picture, folder) if picture else ():
        line("maps", sentence)
        line("", str(path))
    for path, sentence in watched(write_strongest(trained, source, folder)):
        line("excites", sentence)
        line("", str(path))
