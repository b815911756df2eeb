"""Inside a trained network: what its first layer looks for, and its maps of a picture.

Of an ensemble the first network is looked at.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from preceptor.data import PicturePreprocessor, Pictures, Preprocessor
from preceptor.errors import ConfigError
from preceptor.evidence.filters import Inside, each_of, filter_pixels, first_weights, inside, longest_first
from preceptor.job import Run
from preceptor.nn import (
    Convolution,
    Dense,
    Layer,
    Levels,
    MemberDense,
    PatchWhitening,
    PiecewiseLinear,
    Residual,
    Sequential,
    Waves,
    activation,
    dropout,
    layer_outputs,
    norm,
)
from preceptor.nn.ensemble import first_alone
from preceptor.page.palette import LIGHT
from preceptor.report.sheet import Row, Tile, rows_of, shown_size, write_sheet
from preceptor.words import amount

MOST_UNITS = 128  # on a sheet
MOST_FEATURES = 40  # of a table
# What belongs to the layer before it.
AFTER = tuple(getattr(module, name) for module in (activation, dropout, norm) for name in module.__all__)


def looked_at(run: Run) -> Inside:
    """The network that is looked at: that of the run, or the first of its ensemble or committee."""
    found = inside(run.network, run.params, run.state)
    if found is None:
        network = first_alone(run.network, run.params, run.state)[0]
        raise ConfigError(f"look: the network is a {type(network).__name__}; layers one after the other are needed.")
    return found


def _first_weights(found: Inside) -> tuple[str, Layer, np.ndarray]:
    first = first_weights(found)
    if first is None:
        raise ConfigError("look: no layer of the network has weights; there is nothing to look at.")
    return first


def write_filters(run: Run, path: Path) -> str:
    """Draws the filters of the first layer of a network for pictures. Returns: a sentence about them."""
    found, shape = looked_at(run), run.preprocessor.input_shape
    name, _, weight = _first_weights(found)
    what = "units" if weight.ndim == 2 else "filters"
    weight = weight.reshape(*shape, -1) if weight.ndim == 2 else weight
    order, strength = longest_first(weight)
    order = order[:MOST_UNITS]
    pixels = filter_pixels(weight)
    size = shown_size(pixels.shape[1], pixels.shape[2], smallest=56, largest=112)
    tiles = [Tile(pixels[unit], f"{unit + 1}:  {amount(strength[unit], 2)}") for unit in order]
    times = " × ".join(map(str, weight.shape[:-1]))
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
    names = list(run.preprocessor.feature_names)
    found = looked_at(run)
    for layer in map(each_of, found.network.layers):
        if isinstance(layer, Levels):
            kept = [name for place, name in enumerate(names) if place not in layer.places]
            names = kept + [f"{names[place]}, vector {i + 1}" for place in layer.places for i in range(layer.width)]
        if isinstance(layer, PiecewiseLinear):
            pairs = zip(layer.numbers, layer.edges, strict=True)
            names += [f"{names[place]}, bin {i + 1}" for place, edges in pairs for i in range(len(edges) - 1)]
        if isinstance(layer, Waves):
            names += [f"{names[place]}, waves {i + 1}" for place in layer.numbers for i in range(layer.width)]
    name, _, weight = _first_weights(found)
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
        colours = np.where(share > 0, _rgb(LIGHT.bad), _rgb(LIGHT.blue)) * (1 - pale) + 255 * pale
        tile = Tile(np.round(colours).astype(np.uint8)[None])
        rows.append(Row(f"{names[feature]}   {amount(strength[feature], 2)}", [tile]))
    notes = [
        f"A row for each of {len(names):,} features, a column for each of {weight.shape[1]:,} units. Red: positive, "
        "blue: negative.",
        "Behind each feature the root of its mean squared weight; the heaviest come first. Features have one scale.",
    ]
    if len(shown) < len(names):
        notes.append(f"The {len(shown)} heaviest are shown.")
    size = 16, max(4, 640 // weight.shape[1]) * weight.shape[1]
    write_sheet(path, f"{name}: weights by feature", notes, rows, size)
    return f"heaviest in {name}: {', '.join(f'{names[i]} {amount(strength[i], 2)}' for i in order[:5])}"


def _rgb(colour: str) -> list[int]:
    return list(bytes.fromhex(colour[1:]))


def unit_layers(
    network: Sequential, kinds: tuple[type[Layer], ...] = (Convolution, Residual, Dense, MemberDense)
) -> list[tuple[str, str]]:
    """Each layer of these kinds, and the last of the norms and activations that follow it, whose output the next layer
    sees."""
    found: list[tuple[str, str]] = []
    begun = False
    for name, layer in zip(network.names, network.layers, strict=True):
        if isinstance(layer, kinds):
            found.append((name, name))
        elif begun and isinstance(layer, AFTER):
            found[-1] = (found[-1][0], name)
        begun = isinstance(layer, kinds) or (begun and isinstance(layer, AFTER))
    return found


def map_layers(network: Sequential) -> list[tuple[str, str]]:
    """Those of `unit_layers` whose units are maps."""
    return unit_layers(network, (Convolution, PatchWhitening, Residual))


def write_maps(run: Run, picture: Path, folder: Path) -> Iterator[tuple[Path, str]]:
    """Draws the maps that each convolution makes of a picture. Yields: each sheet, and a sentence about it."""
    found, pictures = looked_at(run), opened(run, picture)
    assert isinstance(run.preprocessor, PicturePreprocessor)
    x = next(run.preprocessor.pieces(pictures))[1][:1]
    outputs = {name: y for name, _, y in layer_outputs(found.network, found.params, found.state, x)}
    shown = Tile(pictures.take([0])[0])
    for name, last in map_layers(found.network):
        maps = np.moveaxis(np.asarray(outputs[last][0]), -1, 0)
        low, high = maps.min(axis=(1, 2), keepdims=True), maps.max(axis=(1, 2), keepdims=True)
        pixels = np.round(255 * (maps - low) / np.where(high > low, high - low, 1)).astype(np.uint8)[..., None]
        size = shown_size(pixels.shape[1], pixels.shape[2], smallest=72, largest=112)
        captions = [f"{unit + 1}:  {amount(peak, 2)}" for unit, peak in enumerate(high[:, 0, 0].tolist())]
        tiles = [Tile(each, words) for each, words in zip(pixels[:MOST_UNITS], captions, strict=False)]
        after = f", after {last}" if last != name else ""
        title = f"{name}{after}: {len(maps):,} maps of {' x '.join(map(str, maps.shape[1:]))} places"
        notes = [f"Of {picture.name}. Each to its own scale, black its lowest value; below each its highest."]
        if len(tiles) < len(maps):
            notes.append(f"The first {len(tiles)} are shown.")
        path = folder / f"maps-{name}.png"
        write_sheet(path, title, notes, rows_of(tiles), size, shown)
        yield path, f"{len(maps):,} maps of {name}{after}"


def opened(run: Run, source: str | Path) -> Pictures:
    """The pictures to look at with."""
    if not isinstance(run.preprocessor, PicturePreprocessor):
        raise ConfigError("look: pictures were given; the network was trained on a table. Leave them out.")
    return run.preprocessor.open(source)
