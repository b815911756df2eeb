"""What excites the units of a trained network most: pictures, or rows of a table, for every layer.

Of an ensemble the first network is looked at, of several members in hidden layers the first.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from preceptor import ops
from preceptor.data import Pictures, Table
from preceptor.engines import choose_engine
from preceptor.errors import DataError
from preceptor.job import Run
from preceptor.job.stages import Stage, Stages
from preceptor.machine import cores
from preceptor.nn import Layer, Sequential, layer_outputs
from preceptor.nn.joint import heads
from preceptor.nn.layer import Arrays
from preceptor.ops import Spec
from preceptor.output import Output
from preceptor.report.look import looked_at, opened, unit_layers
from preceptor.report.sheet import Row, Tile, shown_size, write_sheet
from preceptor.train.evaluator import Evaluator
from preceptor.words import amount

MOST = 12  # pictures or rows of each unit
MOST_UNITS = 128  # of a layer that are shown


@dataclass(frozen=True)
class Strengths(Layer):
    """How strongly each unit of some layers answers an example: of a map its highest value, of members the first; of
    the outputs of members their mean.

    Shapes: x (batch, ...) -> (batch, unit), those of all the layers side by side.
    """

    network: Sequential
    layers: tuple[str, ...]

    def init(self, rng: np.random.Generator, spec: Spec) -> tuple[Arrays, Arrays]:
        return self.network.init(rng, spec)

    def apply(self, params: Arrays, state: Arrays, x: Any, *, train: bool, key: Any) -> tuple[Any, Arrays]:
        found = []
        for name, _, y in layer_outputs(self.network, params, state, x):
            if name in self.layers:
                is_last = name == self.layers[-1]
                found.append(ops.max(y, (1, 2)) if y.ndim == 4 else y if y.ndim == 2 else _of_members(y, is_last))
        return ops.concatenate(found, 1), state


def _of_members(y: Any, is_last: bool) -> Any:
    return ops.mean(y, 1) if is_last else ops.reshape(y[:, :1], (y.shape[0], y.shape[2]))


@dataclass(frozen=True, eq=False)
class Group:
    """The units of one layer.

    Args:
        layer: its name.
        last: the norm or activation behind it whose output is looked at, else the layer itself.
        labels: of its units.
        are_maps: whether each is a map.

    Shapes: rows, strengths (unit, example): the strongest first, of equal ones the first of the set.
    """

    layer: str
    last: str
    labels: list[str]
    are_maps: bool
    rows: np.ndarray
    strengths: np.ndarray


def strongest(run: Run, data: Any) -> Stages[tuple[list[Group], dict[int, tuple[Any, ...]]]]:
    """The examples that excite each unit of each layer most; the data are gone through once, some at a time.

    Returns: the layers, the output last; and of a table the records of all rows that are in them, by row.
    """
    found, layers = looked_at(run), unit_layers(looked_at(run).network)
    probe = Strengths(found.network, tuple(last for _, last in layers))
    settings = run.facts["settings"]
    engine = choose_engine("reference" if settings["engine"] == "reference" else "auto", settings["precision"])
    like = {"params": found.params, "state": found.state}
    evaluate, done, records = None, 0, dict[int, tuple[Any, ...]]()
    rows, values, first = np.zeros((0, 0), np.int64), np.zeros((0, 0)), None
    for piece, x in run.preprocessor.pieces(data):
        yield Stage("looking at the data", done, data.rows)
        evaluate, first = evaluate or Evaluator(probe, None, engine, like, x), x[:1] if first is None else first
        strength = evaluate(like, x)[1].T
        here = np.broadcast_to(np.arange(done, done + len(x)), strength.shape)
        if done:
            strength, here = np.concatenate((values, strength), 1), np.concatenate((rows, here), 1)
        order = np.argsort(-strength, 1, kind="stable")[:, :MOST]
        rows, values = np.take_along_axis(here, order, 1), np.take_along_axis(strength, order, 1)
        if not isinstance(data, Pictures):
            records = dict(_records(piece, rows, done, records))
        done += len(x)
    assert first is not None
    return list(_groups(run, layers, first, rows, values)), records


def _records(
    piece: Table, rows: np.ndarray, start: int, known: dict[int, tuple[Any, ...]]
) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """Row and record of all the rows that are among the strongest; for those before `start` what is known."""
    wanted = np.unique(rows)
    new = wanted[wanted >= start]
    part = piece.select(new - start)
    columns = [part.columns[name].tolist() for name in _named(part)]
    yield from ((row, known[row]) for row in wanted[wanted < start].tolist())
    yield from zip(new.tolist(), zip(*columns, strict=True), strict=True)


def _named(table: Table) -> list[str]:
    """The columns of single values."""
    return [name for name, values in table.columns.items() if values.ndim == 1]


def _groups(
    run: Run, layers: list[tuple[str, str]], first: np.ndarray, rows: np.ndarray, values: np.ndarray
) -> Iterator[Group]:
    found, start = looked_at(run), 0
    outputs = {name: y for name, _, y in layer_outputs(found.network, found.params, found.state, first)}
    for number, (name, last) in enumerate(layers):
        are_maps, units = outputs[last].ndim == 4, outputs[last].shape[-1]
        labels = [f"{'channel' if are_maps else 'unit'} {unit + 1}" for unit in range(units)]
        if number == len(layers) - 1:
            labels = _output_labels(run, units)
        yield Group(name, last, labels, are_maps, rows[start : start + units], values[start : start + units])
        start += units


def _output_labels(run: Run, units: int) -> list[str]:
    """What each output unit stands for: a class, or the number that is predicted."""
    found = []
    for target, (_, own) in zip(run.targets, heads(run.loss), strict=True):
        classes, count = [str(label) for label in target.classes or ()], units
        if own.stop is not None:
            classes, count = [f"{target.name} {label}" for label in classes], own.stop - own.start
        found += classes if count == len(classes) else classes[1:] if classes else [target.name]
    return found


def write_strongest(run: Run, source: str | Path, folder: Path) -> Stages[list[tuple[Path, str]]]:
    """Draws the pictures of a set that excite the units of each layer most.

    Returns: the sheets, and a sentence about each.
    """
    pictures = opened(run, source)
    groups, _ = yield from strongest(run, pictures)
    size = shown_size(pictures.height, pictures.width, smallest=48, largest=56)
    sheets = []
    for group in groups:
        is_output = group is groups[-1]
        shown = np.unique(group.rows[:MOST_UNITS])
        pixels = dict(zip(shown.tolist(), pictures.take(shown, workers=cores()), strict=True))
        lines = []
        for label, rows, values in zip(group.labels[:MOST_UNITS], group.rows, group.strengths, strict=False):
            tiles = []
            for row, value in zip(rows.tolist(), values.tolist(), strict=True):
                own = None if pictures.labels is None or pictures.labels[row] < 0 else pictures.labels[row]
                marked = is_output and own is not None and str(pictures.classes[own]) != label
                tiles.append(Tile(pixels[row], amount(value, 3), marked))
            lines.append(Row(label, tiles))
        what = _what(group, is_output)
        notes = [f"Of the {pictures.rows:,} pictures of {pictures.name} the {min(MOST, pictures.rows)} strongest."]
        after = f", after {group.last}" if group.last != group.layer else ""
        if is_output:
            notes.append("Below each the output, before it becomes a probability; in red frames: of another class.")
        elif group.are_maps:
            notes.append(f"Below each the highest value in the channel's map{after}.")
        else:
            notes.append(f"Below each the value of the unit{after}.")
        if len(lines) < len(group.labels):
            notes.append(f"The first {len(lines)} of {len(group.labels):,} are shown.")
        path = folder / f"excites-{group.layer}.png"
        write_sheet(path, f"What excites {what} most", notes, lines, size)
        sheets.append((path, f"what excites {what} most"))
    return sheets


def write_strongest_rows(
    run: Run, source: str | Path, folder: Path, header: bool = True
) -> Stages[list[tuple[Path, str]]]:
    """Lists the rows of a table that excite the units of each layer most: a CSV for each, a line for each unit and row.

    Returns: the files, and a sentence about each.
    Raises: DataError where a file cannot be written.
    """
    table: Any = run.preprocessor.open(source, header)
    groups, records = yield from strongest(run, table)
    names = _named(next(iter(run.preprocessor.pieces(table)))[0])
    written = []
    for group in groups:
        text = io.StringIO(newline="")
        lines = csv.writer(text, lineterminator="\n")
        lines.writerow(["unit", "strength", "row", *names])
        for label, rows, values in zip(group.labels[:MOST_UNITS], group.rows, group.strengths, strict=False):
            for row, value in zip(rows.tolist(), values.tolist(), strict=True):
                lines.writerow([label, f"{value:.6g}", row + 1, *records[row]])
        path = folder / f"excites-{group.layer}.csv"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"{path}: cannot be written ({error.strerror}). Choose another folder with -o.") from None
        with Output(path).text() as file:
            file.write(text.getvalue())
        what = _what(group, group is groups[-1])
        written.append((path, f"the rows that excite {what} most"))
    return written


def _what(group: Group, is_output: bool) -> str:
    """The 64 units of hidden1, the output."""
    count = len(group.labels)
    kind = "output" if is_output else "channel" if group.are_maps else "unit"
    return (f"the {kind}" if count == 1 else f"the {count:,} {kind}s") + f" of {group.layer}" * (not is_output)
