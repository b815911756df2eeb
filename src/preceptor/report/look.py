"""Inside a trained network: what its first layer looks for, its maps of a picture, the pictures that excite a unit.

Of an ensemble the first network is looked at.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from preceptor import ops
from preceptor.data import PicturePreprocessor, Pictures, Preprocessor
from preceptor.engines import choose_engine
from preceptor.errors import ConfigError
from preceptor.job import Run
from preceptor.job.stages import Stage, Stages
from preceptor.nn import (
    Convolution,
    Dense,
    Dropout,
    Ensemble,
    Layer,
    Levels,
    MemberDense,
    Members,
    Residual,
    Sequential,
    Waves,
    layer_outputs,
    norm,
)
from preceptor.nn.activation import Activation
from preceptor.nn.layer import Arrays, within
from preceptor.ops import Spec
from preceptor.report.sheet import Row, Tile, rows_of, shown_size, write_sheet
from preceptor.train.loop import Evaluator

MOST = 12  # pictures of each unit
MOST_UNITS = 128  # on a sheet
MOST_FEATURES = 40  # of a table
AFTER = (Activation, Dropout, *(getattr(norm, name) for name in norm.__all__))  # what belongs to the layer before it


@dataclass(frozen=True)
class Inside:
    """One network of a run, with its parameters and state."""

    network: Sequential
    params: Arrays
    state: Arrays


def inside(run: Run) -> Inside:
    """The network that is looked at: that of the run, or the first of its ensemble."""
    network, params, state = run.network, run.params, run.state
    if isinstance(network, Ensemble):
        network, params, state = network.first(params, state)
    if not isinstance(network, Sequential):
        raise ConfigError(f"look: the network is a {type(network).__name__}; layers one after the other are needed.")
    return Inside(network, params, state)


def first_weights(found: Inside) -> tuple[str, Layer, np.ndarray]:
    """Name, layer and weight of the first layer that has weights: a convolution's as it is, (*window, channel, filter),
    a dense one's (feature, unit), of several members that of the first as it sees the features."""
    scale = None
    for name, layer in zip(found.network.names, found.network.layers, strict=True):
        params = within(found.params, name)
        if isinstance(layer, Members):
            scale = params["scale"][0]
        if isinstance(layer, Convolution | Dense):
            return name, layer, params["weight"]
        if isinstance(layer, MemberDense):
            weight = params["weight"][0]
            return name, layer, weight if scale is None else weight * scale[:, None]
    raise ConfigError("look: no layer of the network has weights; there is nothing to look at.")


def filter_pixels(weight: np.ndarray) -> np.ndarray:
    """Filters as pictures, each to its own scale: grey is 0, the largest weight white or, if it is negative, black.

    Shapes: (height, width, channel, filter) -> (filter, height, width, channel), uint8.
    """
    weight = np.moveaxis(weight, -1, 0)
    largest = np.abs(weight).max(axis=(1, 2, 3), keepdims=True)
    return np.round(127.5 + 127.5 * weight / np.where(largest > 0, largest, 1)).astype(np.uint8)


def write_filters(run: Run, path: Path) -> str:
    """Draws the filters of the first layer of a network for pictures. Returns: a sentence about them."""
    found, shape = inside(run), run.preprocessor.input_shape
    name, layer, weight = first_weights(found)
    if not isinstance(layer, Convolution):
        weight = weight.reshape(*shape, -1)
    strength = np.sqrt((weight**2).sum(axis=(0, 1, 2)))
    order = np.argsort(-strength, kind="stable")[:MOST_UNITS]
    pixels = filter_pixels(weight)
    size = shown_size(pixels.shape[1], pixels.shape[2], smallest=56, largest=112)
    tiles = [Tile(pixels[unit], f"{unit + 1}:  {strength[unit]:.2g}") for unit in order]
    what = "filters" if isinstance(layer, Convolution) else "units"
    times = " x ".join(map(str, weight.shape[:-1]))
    title = f"{name}: {weight.shape[-1]:,} {what} of {times} weights"
    notes = [
        "Each to its own scale: grey is 0; what is brighter excites, what is darker inhibits.",
        "Below each its number and its length; the longest come first.",
    ]
    if len(order) < len(strength):
        notes.append(f"The {len(order)} longest are shown.")
    write_sheet(path, title, notes, rows_of(tiles), size)
    return f"{weight.shape[-1]:,} {what} of {name}, {times}"


def feature_weights(run: Run) -> tuple[str, list[str], np.ndarray]:
    """Name of the first layer with weights, the features that it sees of a table, and the weights from each to its
    units. Shapes: (feature, unit)."""
    assert isinstance(run.preprocessor, Preprocessor)
    names = [name for column in run.preprocessor.columns for name in column.names]
    found = inside(run)
    for layer in found.network.layers:
        if isinstance(layer, Levels):
            kept = [name for place, name in enumerate(names) if place not in layer.places]
            names = kept + [f"{names[place]}, vector {i + 1}" for place in layer.places for i in range(layer.width)]
        if isinstance(layer, Waves):
            names += [f"{names[place]}, waves {i + 1}" for place in layer.numbers for i in range(layer.width)]
    name, _, weight = first_weights(found)
    return name, names, weight


def write_features(run: Run, path: Path) -> str:
    """Draws the weights of the first layer of a network for tables, feature by feature. Returns: a sentence."""
    name, names, weight = feature_weights(run)
    strength = np.sqrt((weight**2).mean(1))
    order = np.argsort(-strength, kind="stable")
    shown, largest = order[:MOST_FEATURES], max(float(np.abs(weight).max()), 1e-30)
    units = np.argsort(-weight[order[0]], kind="stable")
    rows = []
    for feature in shown:
        share = (weight[feature, units] / largest)[:, None]
        pale = 1 - np.abs(share)
        colours = np.where(share > 0, [179, 38, 30], [26, 86, 176]) * (1 - pale) + 255 * pale
        tile = Tile(np.round(colours).astype(np.uint8)[None])
        rows.append(Row(f"{names[feature]}   {strength[feature]:.2g}", [tile]))
    notes = [
        f"A row for each of {len(names):,} features, a column for each of {weight.shape[1]:,} units. Red: positive, "
        "blue: negative.",
        "Behind each feature the root of its mean squared weight; the heaviest come first. Features have one scale.",
    ]
    if len(shown) < len(names):
        notes.append(f"The {len(shown)} heaviest are shown.")
    size = 16, max(4, 640 // weight.shape[1]) * weight.shape[1]
    write_sheet(path, f"{name}: weights by feature", notes, rows, size)
    return f"heaviest in {name}: {', '.join(f'{names[i]} {strength[i]:.2g}' for i in order[:5])}"


def map_layers(network: Sequential) -> list[tuple[str, str]]:
    """Each convolution or residual block of a network, and the last of the norms and activations that follow it, whose
    output the next layer sees."""
    found: list[tuple[str, str]] = []
    begun = False
    for name, layer in zip(network.names, network.layers, strict=True):
        if isinstance(layer, Convolution | Residual):
            found.append((name, name))
        elif begun and isinstance(layer, AFTER):
            found[-1] = (found[-1][0], name)
        begun = isinstance(layer, Convolution | Residual) or (begun and isinstance(layer, AFTER))
    return found


def write_maps(run: Run, picture: Path, folder: Path) -> Iterator[tuple[Path, str]]:
    """Draws the maps that each convolution makes of a picture. Yields: each sheet, and a sentence about it."""
    found, pictures = inside(run), _pictures(run, picture)
    assert isinstance(run.preprocessor, PicturePreprocessor)
    x = next(run.preprocessor.pieces(pictures))[1][:1]
    outputs = {name: y for name, _, y in layer_outputs(found.network, found.params, found.state, x)}
    shown = Tile(pictures.take([0])[0])
    for name, last in map_layers(found.network):
        maps = np.moveaxis(np.asarray(outputs[last][0]), -1, 0)
        low, high = maps.min(axis=(1, 2), keepdims=True), maps.max(axis=(1, 2), keepdims=True)
        pixels = np.round(255 * (maps - low) / np.where(high > low, high - low, 1)).astype(np.uint8)[..., None]
        size = shown_size(pixels.shape[1], pixels.shape[2], smallest=72, largest=112)
        captions = [f"{unit + 1}:  {peak:.2g}" for unit, peak in enumerate(high[:, 0, 0].tolist())]
        tiles = [Tile(each, words) for each, words in zip(pixels[:MOST_UNITS], captions, strict=False)]
        after = f", after {last}" if last != name else ""
        title = f"{name}{after}: {len(maps):,} maps of {' x '.join(map(str, maps.shape[1:]))} places"
        notes = [f"Of {picture.name}. Each to its own scale, black its lowest value; below each its highest."]
        if len(tiles) < len(maps):
            notes.append(f"The first {len(tiles)} are shown.")
        path = folder / f"maps-{name}.png"
        write_sheet(path, title, notes, rows_of(tiles), size, shown)
        yield path, f"{len(maps):,} maps of {name}{after}"


@dataclass(frozen=True)
class Strengths(Layer):
    """How strongly each unit answers an example: of the maps of one layer their highest value, then the outputs.

    Shapes: x (batch, height, width, channel) -> (batch, channel of the maps + unit).
    """

    network: Sequential
    maps: str | None

    def init(self, rng: np.random.Generator, spec: Spec) -> tuple[Arrays, Arrays]:
        return self.network.init(rng, spec)

    def apply(self, params: Arrays, state: Arrays, x: Any, *, train: bool, key: Any) -> tuple[Any, Arrays]:
        found = []
        for name, _, y in layer_outputs(self.network, params, state, x):
            if name == self.maps:
                found.append(ops.max(y, (1, 2)))
        found.append(ops.mean(y, 1) if y.ndim == 3 else y)  # of members their mean
        return ops.concatenate(found, 1), state


def strongest(run: Run, pictures: Pictures) -> Stages[tuple[np.ndarray, np.ndarray]]:
    """The pictures of a set that excite each unit of `Strengths` most; the set is gone through once, some at a time.

    Shapes: -> rows of the set (unit, picture), strengths (unit, picture); the strongest first, of equal ones the first
        of the set.
    """
    assert isinstance(run.preprocessor, PicturePreprocessor)
    found = inside(run)
    layers = map_layers(found.network)
    probe = Strengths(found.network, layers[-1][1] if layers else None)
    settings = run.facts["settings"]
    engine = choose_engine("reference" if settings["engine"] == "reference" else "auto", settings["precision"])
    like = {"params": found.params, "state": found.state}
    evaluate, done = None, 0
    rows, values = np.zeros((0, 0), np.int64), np.zeros((0, 0))
    for _, x in run.preprocessor.pieces(pictures):
        yield Stage("looking at pictures", done, pictures.rows)
        evaluate = evaluate or Evaluator(probe, None, engine, like, x)
        strength = evaluate(like, x)[1].T
        here = np.broadcast_to(np.arange(done, done + len(x)), strength.shape)
        if done:
            strength, here = np.concatenate((values, strength), 1), np.concatenate((rows, here), 1)
        order = np.argsort(-strength, 1, kind="stable")[:, :MOST]
        rows, values = np.take_along_axis(here, order, 1), np.take_along_axis(strength, order, 1)
        done += len(x)
    return rows, values


def write_strongest(run: Run, source: str | Path, folder: Path) -> Stages[list[tuple[Path, str]]]:
    """Draws the pictures of a set that excite the channels of the last convolution and the outputs most.

    Returns: the sheets, and a sentence about each.
    """
    found, pictures = inside(run), _pictures(run, source)
    rows, values = yield from strongest(run, pictures)
    layers = map_layers(found.network)
    classes = run.classes or ()
    outputs = run.loss.outputs(len(classes))
    split = len(rows) - outputs
    names = [f"{label}" for label in (classes if outputs == len(classes) else classes[1:])]
    groups = [(layers[-1][0], [f"channel {i + 1}" for i in range(split)], 0)] if split else []
    groups.append((found.network.names[-1], names, split))
    size = shown_size(pictures.height, pictures.width, smallest=48, largest=56)
    sheets = []
    for name, labels, start in groups:
        lines = []
        for unit, label in enumerate(labels[:MOST_UNITS], start):
            tiles = []
            for row, value in zip(rows[unit].tolist(), values[unit].tolist(), strict=True):
                own = None if pictures.labels is None or pictures.labels[row] < 0 else pictures.labels[row]
                marked = start == split and own is not None and str(pictures.classes[own]) != label
                tiles.append(Tile(pictures.take([row])[0], f"{value:.3g}", marked))
            lines.append(Row(label, tiles))
        what = f"channels of {name}" if start < split else "outputs"
        title = f"What excites the {what} most"
        notes = [f"Of the {pictures.rows:,} pictures of {pictures.name} the {min(MOST, pictures.rows)} strongest."]
        if start < split:
            last = layers[-1][1]
            after = f", after {last}" if last != name else ""
            notes.append(f"Below each the highest value in the channel's map{after}.")
        else:
            notes.append("Below each the output, before it becomes a probability; in red frames: of another class.")
        if len(lines) < len(labels):
            notes.append(f"The first {len(lines)} of {len(labels)} are shown.")
        path = folder / f"excites-{name}.png"
        write_sheet(path, title, notes, lines, size)
        sheets.append((path, f"what excites the {len(labels):,} {what} most"))
    return sheets


def _pictures(run: Run, source: str | Path) -> Pictures:
    if not isinstance(run.preprocessor, PicturePreprocessor):
        raise ConfigError("look: pictures were given; the network was trained on a table. Leave them out.")
    return run.preprocessor.open(source)
