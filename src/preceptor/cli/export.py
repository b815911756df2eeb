"""`preceptor export`."""

from pathlib import Path

import click

from preceptor.cli.options import FilePlace, Place, Whole
from preceptor.cli.sentences import line

FORMATS = ("onnx", "safetensors", "numpy", "c")


@click.command()
@click.argument("run", type=Place())
@click.option("-o", "--output", type=FilePlace(), required=True, help="File to write.")
@click.option(
    "--format",
    type=click.Choice(FORMATS),
    help="What to write; if left out, as the file ends: .onnx, .safetensors, .npz (numpy), .c.",
)
@click.option(
    "--opset",
    type=Whole(1),
    metavar="INTEGER",
    help="Version of ONNX's operators.  [from 20 to the newest that is known here; default 20]",
)
@click.option(
    "--check",
    metavar="DATA",
    help="Data on which the ONNX file is tried, beside rows that are made up; if left out, those of the training, "
    "where they are still there.",
)
def command(run: Path, output: Path, format: str | None, opset: int | None, check: str | None) -> None:
    """Writes the network of RUN as a file that others read.

    An ONNX file takes raw rows: an input for each column that the network needs, (rows, 1): numbers as float64, NaN
    where they are missing, all else as text, "" where it is missing; or `pictures`, (rows, height, width, channels),
    as bytes. It gives `label` and `probabilities`, or `prediction` in the target's unit and `quantiles`; of several
    targets `label_TARGET` and so on. It is tried with onnxruntime before it is written: its answers are those of RUN
    to 1e-5.

    safetensors and numpy hold all weights, and what is to be known of them; c is the source of a small network, which
    needs no library.
    """
    from preceptor.export.writing import export

    for number, sentence in enumerate(export(run, output, format, opset=opset, check=check)):
        line("" if number else "export", f"{output}: {sentence}" if not number else sentence)
