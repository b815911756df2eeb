"""Files of Keras: .keras and .weights.h5 of Keras 3, .h5 of Keras 2 and 3.

Source: keras/src/saving/saving_lib.py and legacy/saving/legacy_h5_format.py of Keras 3.15.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from preceptor.errors import DataError
from preceptor.foreign.archive import Archive
from preceptor.foreign.hdf5 import Item, read_items
from preceptor.foreign.weights import Weights, shown

WEIGHTS = "model.weights.h5"  # in a .keras file
CONFIG = "config.json"
UNORDERED = "by their names; a .weights.h5 file does not tell the order of layers, a .keras file does"
OPTIMISER = ("optimizer/", "optimizer_weights/")  # where its numbers lie
LAST = 1 << 30  # rank of what the configuration does not name


def read_keras(archive: Archive, where: str) -> Weights:
    """Weights of a .keras file, in the order of the layers in its configuration.

    Raises: DataError where the file is damaged, or holds no weights.
    """
    config: Any = {}
    if CONFIG in archive:
        try:
            config = msgspec.json.decode(archive.read(CONFIG))
        except (msgspec.DecodeError, RecursionError):
            raise DataError(f"{where}: {CONFIG} in it is no JSON. Save the model again.") from None
    return _of_groups(read_items(archive.read(WEIGHTS), where), config, where)


def read_h5(data: memoryview, where: str) -> Weights:
    """Weights of a .weights.h5 or .h5 file; the former are in the order of names, for nothing tells that of layers.

    Raises: as `read_keras`.
    """
    items = read_items(data, where)
    for item in items:
        if item.path in ("", "model_weights") and _texts(item, "layer_names"):
            return _of_lists(items, item, where)
    return _of_groups(items, None, where)


def _of_lists(items: list[Item], root: Item, where: str) -> Weights:
    """The form that lists its layers, and for each its weights."""
    by_path = {item.path: item for item in items}
    base = f"{root.path}/" if root.path else ""
    values: dict[str, np.ndarray] = {}
    for layer in _texts(root, "layer_names"):
        group = by_path.get(f"{base}{layer}")
        if group is None:
            raise DataError(f"{where}: the layer {shown(layer)} is missing, which its list names. Save it again.")
        for name in _texts(group, "weight_names"):
            item = by_path.get(f"{base}{layer}/{name}")
            if item is None or item.array is None:
                raise DataError(f"{where}: {shown(name)} is missing, which its list of weights names. Save it again.")
            short = name.removesuffix(":0")
            values[f"{layer}/{short}" if short in values else short] = item.array
    arrays = [item.path for item in items if item.array is not None and item.path.startswith(base)]
    if len(values) < sum(not path.startswith(OPTIMISER) for path in arrays):
        raise DataError(f"{where}: it holds weights that its lists do not name. Save it again.")
    return _found(values, items, {}, where)


def _of_groups(items: list[Item], config: Any, where: str) -> Weights:
    """The form with a group for each layer, whose weights are numbered."""
    ranks = _ranks(config)
    labels = {item.path.removesuffix("/vars"): item.attributes.get("name", [""])[0] for item in items if _is_vars(item)}
    arrays = [item for item in items if item.array is not None and not item.path.startswith(OPTIMISER)]
    arrays.sort(key=lambda item: _key(item.path, ranks))
    values = {_label(item.path, labels): item.array for item in arrays if item.array is not None}
    if len(values) < len(arrays):  # two layers of one name, in different containers
        values = {item.path: item.array for item in arrays if item.array is not None}
    return _found(values, items, {} if config else {"order": UNORDERED}, where)


def _found(values: dict[str, np.ndarray], items: list[Item], notes: dict[str, str], where: str) -> Weights:
    if not values:
        raise DataError(
            f"{where}: it holds no weights as Keras saves them, which are needed. "
            "Save them with model.save_weights(NAME.weights.h5), or as .npz by numpy.savez."
        )
    if any(item.path.startswith(OPTIMISER) for item in items):
        notes = {**notes, "left out": "the optimizer"}
    return Weights(where, "channels-last", values, notes)


def _texts(item: Item, name: str) -> list[str]:
    """A list of texts among attributes; a long one is cut into NAME0, NAME1, ..."""
    found = list(item.attributes.get(name, ()))
    part = 0
    while f"{name}{part}" in item.attributes:
        found += item.attributes[f"{name}{part}"]
        part += 1
    return found


def _is_vars(item: Item) -> bool:
    return item.array is None and item.path.rpartition("/")[2] == "vars"


def _label(path: str, labels: Mapping[str, str]) -> str:
    """The names that the user gave to layers, in place of those of their groups."""
    found, below = [], ""
    for part in path.split("/"):
        below = f"{below}/{part}" if below else part
        if part not in ("layers", "vars"):
            found.append(labels.get(below) or part)
    return "/".join(found)


def _key(path: str, ranks: Mapping[str, int]) -> list[tuple[int, list[tuple[int, str]]]]:
    """What paths are sorted by: the order of layers, and of names with numbers in them."""
    found, below = [], ""
    for part in path.split("/"):
        below = f"{below}/{part}" if below else part
        natural = [(int(piece[:9]), "") if piece.isdecimal() else (0, piece) for piece in re.split(r"(\d+)", part)]
        found.append((ranks.get(below, LAST), natural))
    return found


def _ranks(config: Any) -> dict[str, int]:
    """Path of each layer's group -> its place among the layers, as Keras names groups: by class, numbered."""
    found: dict[str, int] = {}
    waiting = [("layers", config)]
    while waiting:
        path, network = waiting.pop()
        inner = network.get("config") if isinstance(network, dict) else None
        layers = inner.get("layers") if isinstance(inner, dict) else None
        used: dict[str, int] = {}
        for layer in layers if isinstance(layers, list) else ():
            name = _snake(str(layer.get("class_name", ""))) if isinstance(layer, dict) else ""
            used[name] = used.get(name, -1) + 1
            group = f"{path}/{name}_{used[name]}" if used[name] else f"{path}/{name}"
            found[group] = len(found)
            waiting.append((f"{group}/layers", layer))
    return found


def _snake(name: str) -> str:
    name = re.sub(r"\W+", "", name[:200])
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
