"""A run as one ONNX file: raw rows or pictures in, answers out."""

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from preceptor.data import PicturePreprocessor, Preprocessor, Table
from preceptor.data.encoding.texts import Text
from preceptor.data.tables.long_table import pieces_of
from preceptor.errors import ConfigError, DataError
from preceptor.export.onnx.answers import output_names, write_answers
from preceptor.export.onnx.builder import OLDEST, Builder
from preceptor.export.onnx.comparison import MOST, Difference, as_inputs, compared, made_up
from preceptor.export.onnx.function import Signal
from preceptor.export.onnx.network import write_network
from preceptor.export.onnx.pictures import declare_pictures, write_pictures
from preceptor.export.onnx.proof import open_model
from preceptor.export.onnx.table import declare_columns, write_table
from preceptor.export.weights_file import metadata
from preceptor.job import Run
from preceptor.job.head import Head
from preceptor.job.source_files import files_of
from preceptor.nn import multiply_adds, output_spec
from preceptor.nn.joint import heads
from preceptor.ops import Spec
from preceptor.output import Output
from preceptor.words import amount, counted, listing

__all__ = ["write_onnx"]

TRIED, FEWEST = 256, 4  # rows that are made up, and of the data, on which the file is compared with the run
TRIED_WORK = 200_000_000  # multiplications for each: of large networks fewer rows are tried
KINDS = {"tensor(double)": "float64", "tensor(float)": "float32", "tensor(string)": "text", "tensor(uint8)": "bytes"}


def write_onnx(run: Run, path: Path, opset: int | None = None, check: Any = None) -> list[str]:
    """Writes a run as an ONNX file that takes raw rows and gives answers, after onnxruntime was seen to give the same.

    Inputs are the columns that the run needs, under their names, each (row, 1): numbers as float64, NaN where missing;
    all else as text, "" where missing, dates in ISO 8601 or, of numbers alone, as in training. Of pictures it is
    `pictures`, (row, height, width, channel), bytes, of the run's size. Outputs are `label` and `probabilities`, or
    `prediction` in the target's unit and `quantiles`; of several targets each with its name behind it: `label_TARGET`.
    A row that the run would refuse, with a date that is none or a number that is not finite, the file refuses too: its
    runtime then names the operator, which is called by the column and the reason.

    Args:
        path: the file; it appears under its name when it is whole and was tried.
        opset: version of the operators; OLDEST for None.
        check: data to try it on, beside rows that are made up; for None those of the training, where they are there.
    Returns: what was written, how far its answers are from the run's, and how it is used, in sentences.
    Raises: ConfigError for an opset that is not known here, where onnx or onnxruntime is not installed, or a layer has
        no form in ONNX; DataError where onnxruntime gives other answers, or `path` cannot be written.
    """
    preprocessor = run.preprocessor
    if not isinstance(preprocessor, Preprocessor | PicturePreprocessor):
        raise ConfigError(
            "export: the run learned without labels and tells nothing of raw rows; a run that predicts is required. "
            "Train one from it: preceptor fit DATA --from RUN; or export the weights: --format safetensors."
        )
    source = run.facts.get("source")
    output = Output(path, chain(files_of(run.path), files_of(source), files_of(check)), "export: ")
    heads_of = _heads(run)
    opset = OLDEST if opset is None else opset
    model, names = _model(run, preprocessor, heads_of, opset)
    content = model.SerializeToString()
    session = open_model(content)
    tried, counts = Difference(), []
    for what, rows in _rows(run, preprocessor, check):
        found = compared(run, session, heads_of, names, rows)
        if not found.is_small:
            raise _other(path, preprocessor, found, what, rows)
        tried = tried.and_also(found)
        counts.append(f"{counted(_count(rows), 'row')} {what}")
    with output.binary() as file:
        file.write(content)
    labels = ", its labels nowhere" if any("label" in own for own in names) else ""
    return [
        f"Opset {opset}, {counted(len(content), 'byte')}. Inputs: {_told(session.get_inputs())}. Outputs: "
        f"{_told(session.get_outputs())}.",
        *_of_texts(preprocessor),
        f"Tried with onnxruntime on {' and '.join(counts)}: its answers differ from the run's by at most "
        f"{amount(tried.largest, 2)}{labels}.",
    ]


def _told(values: Sequence[Any]) -> str:
    """Inputs or outputs in words; of pictures with their size."""
    return listing(f"{each.name} ({KINDS.get(each.type, each.type)}{_size(each.shape)})" for each in values)


def _size(shape: Sequence[Any]) -> str:
    return f", {' × '.join(f'{length:,}' for length in shape[1:])}" if len(shape) == 4 else ""


def _of_texts(preprocessor: Preprocessor | PicturePreprocessor) -> list[str]:
    """What is to be known of columns of sentences."""
    if isinstance(preprocessor, PicturePreprocessor):
        return []
    names = [column.name for column in preprocessor.columns if isinstance(column, Text)]
    if not names:
        return []
    return [
        f"An operator that onnxruntime alone has takes {listing(map(repr, names))} apart into letters: other runtimes "
        "will not take the file."
    ]


def _heads(run: Run) -> list[Head]:
    """What reads the outputs for each target."""
    is_one = len(run.targets) == 1
    pairs = zip(run.targets, heads(run.loss), strict=True)
    return [Head(target, loss, units, run.threshold, "" if is_one else target.name) for target, (loss, units) in pairs]


def _model(
    run: Run, preprocessor: Preprocessor | PicturePreprocessor, heads_of: Sequence[Head], opset: int
) -> tuple[Any, list[dict[str, str]]]:
    """The ONNX model, and the names of its outputs for each target."""
    builder = Builder(opset)
    inputs, x = _features(builder, preprocessor)
    shape = preprocessor.input_shape
    spec = output_spec(run.network, run.params, run.state, Spec((1, *shape), np.dtype(np.float32)))
    outputs = Signal(write_network(builder, run.network, run.params, run.state, x, shape), spec.shape[1:])
    names = output_names(heads_of, inputs)
    for head, own in zip(heads_of, names, strict=True):
        write_answers(builder, head, own, outputs)
    return builder.finish(metadata(run)), names


def _features(builder: Builder, preprocessor: Preprocessor | PicturePreprocessor) -> tuple[list[str], str]:
    """The names of the inputs, declared, and the features that are made of them."""
    if isinstance(preprocessor, PicturePreprocessor):
        pictures = declare_pictures(builder, preprocessor)
        return [pictures], write_pictures(builder, preprocessor, pictures)
    columns = declare_columns(builder, preprocessor)
    return list(columns.values()), write_table(builder, preprocessor, columns)


def _rows(run: Run, preprocessor: Preprocessor | PicturePreprocessor, check: Any) -> Iterator[tuple[str, Any]]:
    """The rows to try it on, as `compared` takes them, each time with what they are."""
    spec = Spec((1, *preprocessor.input_shape), np.dtype(np.float32))
    work = multiply_adds(run.network, run.params, run.state, spec)
    most = max(FEWEST, min(TRIED, TRIED_WORK // max(work, 1)))
    yield "that are made up", made_up(preprocessor, most)
    source = run.facts.get("source") if check is None else check
    if source is None or (isinstance(source, str) and not source):  # rows that were given in Python are gone
        return
    try:
        data: Any = preprocessor.open(source, run.facts.get("header", True))
    except (DataError, OSError):
        if check is not None:
            raise
        return  # it is gone, or another
    if isinstance(preprocessor, PicturePreprocessor):
        yield "of the data", data.take(_spread(data.rows, most))
        return
    table = next(pieces_of(data))
    yield "of the data", table.select(_spread(table.rows, most))


def _spread(rows: int, most: int) -> np.ndarray:
    """So many row numbers, evenly spaced. Shapes: -> (row,), int64."""
    return np.linspace(0, rows - 1, min(rows, most)).astype(np.int64)


def _count(rows: Any) -> int:
    return rows.rows if isinstance(rows, Table) else len(rows)


def _other(
    path: Path, preprocessor: Preprocessor | PicturePreprocessor, found: Difference, what: str, rows: Any
) -> DataError:
    """The error that the answers are others, with the feature that differs most where one does."""
    where = "" if isinstance(preprocessor, PicturePreprocessor) else _culprit(preprocessor, rows)
    labels = f", and {counted(found.labels, 'label')} are others" if found.labels else ""
    return DataError(
        f"export: {path}: of rows {what}, onnxruntime gives {found.output} that differ by {amount(found.largest)}"
        f"{labels}; at most {MOST:g} is required{where}. Nothing was written. Export the weights: --format safetensors."
    )


def _culprit(preprocessor: Preprocessor, table: Table) -> str:
    """The feature that comes out otherwise than the run makes it."""
    builder = Builder()
    _, x = _features(builder, preprocessor)
    builder.output(x, builder.fresh("features") + " of the run", np.float32, preprocessor.input_shape)
    session = open_model(builder.finish({}).SerializeToString())
    [found] = session.run(None, as_inputs(preprocessor, table))
    gaps = np.abs(found - preprocessor.transform(table)).max(axis=0)
    worst = int(np.argmax(gaps))
    return (
        f"; the feature {preprocessor.feature_names[worst]!r} differs by {amount(gaps[worst])}" if gaps[worst] else ""
    )
