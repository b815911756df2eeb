"""`preceptor embed`."""

import os
import sys
from itertools import chain
from pathlib import Path
from typing import Any

import click

from preceptor.cli.options import HOW_NAMES, NAMES, FilePlace, Place, Whole
from preceptor.cli.terminal import words_aside
from preceptor.data import PicturePreprocessor
from preceptor.errors import ConfigError
from preceptor.job import Run, load
from preceptor.job.embedding import opened, plain
from preceptor.job.feature_files import SUFFIXES, write_features
from preceptor.job.neighbours import nearest
from preceptor.job.rows import Rows
from preceptor.job.source_files import files_of
from preceptor.output import Output, already_open
from preceptor.report.sheet import Tile, rows_of, shown_size, write_sheet
from preceptor.words import amount, columns, counted, listing, one_line

NEIGHBOURS = 5
TILE = 96  # pixels of the shorter side of a picture on a sheet


@click.command()
@click.argument("run", type=Place())
@click.argument("data")
@click.option(
    "-o",
    "--output",
    type=FilePlace(),
    help=f"File to write, whose suffix says the form: {listing(SUFFIXES)}; with --near a sheet of pictures, .png.",
)
@click.option(
    "--layer",
    metavar="PATH",
    help="The layer whose output is taken, as `preceptor show RUN` lists them; if left out, the input of the last "
    "dense layer is.",
)
@click.option(
    "--keep",
    **NAMES,
    help="Columns of DATA to write beside the features; if left out, those that number its rows. The target is written "
    f"where it is there. {HOW_NAMES}",
)
@click.option(
    "--near",
    metavar="PICTURE",
    help="Prints what of DATA lies nearest to this picture instead; of a table, to the row of this number, from 1.",
)
@click.option(
    "-k",
    "--neighbours",
    type=Whole(1),
    metavar="INTEGER",
    help=f"How many are printed with --near.  [at least 1; default {NEIGHBOURS}]",
)
@click.option("--no-header", is_flag=True, help="The first line of the file is data; columns become column1, ...")
def command(
    run: Path,
    data: str,
    output: Path | None,
    layer: str | None,
    keep: tuple[str, ...] | None,
    near: str | None,
    neighbours: int | None,
    no_header: bool,
) -> None:
    """Writes what the network of RUN sees in every row or picture of DATA: the output of one of its layers.

    A row for each, in their order: the columns to keep, the target, then the features f0, f1, ... in float32; .npy has
    the features alone, .npz them as `features` and each column under its name.

    Of networks side by side, as the default ones for tables are, --layer hidden1 takes that of all, one after another,
    network2/hidden1 that of the second; of several members the first comes first. Maps of pictures are laid out row by
    row, their channels beside each other.

    With --near the rows or pictures are printed whose features point most nearly into the same direction (distance:
    1 - cosine), itself left out; -o sheet.png draws them.
    """
    if near is None and neighbours is not None:
        raise ConfigError("embed: received -k without --near; only neighbours are counted. Give --near PICTURE.")
    if near is None and output is None:
        raise ConfigError(
            f"embed: received no place to write to; a file is required ({listing(SUFFIXES)}). Give -o features.parquet."
        )
    trained = load(run)
    if near is not None:
        _say_nearest(trained, data, near, neighbours or NEIGHBOURS, layer, keep, output, not no_header)
        return
    assert output is not None
    words_aside()
    notes: list[str] = []
    rows, width = write_features(trained, data, output, layer, not no_header, keep, notes)
    if already_open(output) != 1:
        print(f"{counted(width, 'feature')} of {counted(rows, trained.preprocessor.example)} written to {output}")
    for note in notes:
        print(f"preceptor: {note}", file=sys.stderr)


def _say_nearest(
    run: Run,
    data: str,
    near: str,
    count: int,
    layer: str | None,
    keep: tuple[str, ...] | None,
    output: Path | None,
    header: bool,
) -> None:
    """Prints the neighbours of a picture or a row, and draws them where a sheet is asked for."""
    is_of_pictures = isinstance(plain(run.preprocessor), PicturePreprocessor)
    if output is not None:
        if not is_of_pictures:
            raise ConfigError(
                "embed: received -o beside --near; a sheet is of pictures, RUN is of a table. Leave it out."
            )
        if output.suffix.lower() != ".png":
            raise ConfigError(f"{output}: received -o beside --near; a sheet is a .png. Name one.")
        Output(output, chain(files_of(data), files_of(run.path), files_of(near)))
    table: Any = opened(run.preprocessor, data, header)
    if is_of_pictures:
        query = opened(run.preprocessor, near)
        if query.rows != 1:
            raise ConfigError(f"near: {near} holds {counted(query.rows, 'picture')}; one is required. Name a file.")
        own = _place_of(table, near)
    else:
        own = _number(near, table.rows) - 1
        query = table.select([own]) if hasattr(table, "select") else table.piece(own, own + 1)
    rows, found = nearest(run, table, query, count + (own is not None), layer, keep)
    kept = [place for place, row in enumerate(rows.tolist()) if row != own][:count]
    rows = rows[kept]
    numbered = [{} if is_of_pictures and table.names else {"row": int(row) + 1} for row in rows]
    _print_table(Rows({**first, **found[place]} for first, place in zip(numbered, kept, strict=True)))
    if output is not None:
        _draw(output, near, table, query, rows, [found[place] for place in kept])


def _place_of(pictures: Any, near: str) -> int | None:
    """Which of the pictures a file is, if any."""
    if pictures.files is None or not pictures.names or not os.path.exists(near):
        return None
    name = Path(near).name
    for row, each in enumerate(pictures.names):
        if Path(each).name == name and (path := pictures.files.path(each)).exists() and os.path.samefile(path, near):
            return row
    return None


def _number(near: str, rows: int) -> int:
    try:
        number = int(near)
    except ValueError:
        number = 0
    if not 1 <= number <= rows:
        raise ConfigError(
            f"near: received {near!r}; RUN is of a table: the number of a row of DATA, from 1 to {rows:,}, is required."
        )
    return number


def _print_table(rows: Rows) -> None:
    """All rows, numbers on the right."""
    names = rows.columns
    cells = [names, *([_cell(row.get(name)) for name in names] for row in rows)]
    widths = [max(columns(line[place]) for line in cells) for place in range(len(names))]
    right = [all(not isinstance(row.get(name), str) for row in rows) for name in names]
    for line in cells:
        parts = []
        for cell, width, is_number in zip(line, widths, right, strict=True):
            room = " " * (width - columns(cell))
            parts.append(room + cell if is_number else cell + room)
        print("  ".join(parts).rstrip())


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else one_line(str(value))


def _draw(output: Path, near: str, pictures: Any, query: Any, rows: Any, found: list[dict[str, Any]]) -> None:
    """The picture, and below it its neighbours with their classes and distances."""
    size = shown_size(pictures.height, pictures.width, TILE, TILE)
    tiles = [
        Tile(pixels, "  ".join([*([str(own["class"])] if own.get("class") else []), amount(own["distance"], 3)]))
        for pixels, own in zip(pictures.take(rows), found, strict=True)
    ]
    notes = [f"Of the {pictures.rows:,} pictures of {pictures.name} the {len(tiles)} nearest, with 1 - cosine."]
    first = Tile(query.take([0])[0], Path(near).name)
    write_sheet(output, "Nearest neighbours", notes, rows_of(tiles), size, first)
    print(f"{counted(len(tiles), 'picture')} drawn in {output}")
