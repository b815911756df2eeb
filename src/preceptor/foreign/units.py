"""Weights and layers as units that can be matched: a weight with its bias, a norm, a single row of numbers."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import cycle
from typing import Any

import numpy as np

from preceptor.foreign.weights import Weights
from preceptor.nn import BatchNorm, Flatten, Residual, Sequential
from preceptor.nn.layer import Arrays, Composite, Layer, leaves, output_spec, within
from preceptor.ops import Spec

# The last part of a name in other libraries -> what we call it.
ROLES = {
    "weight": "weight",
    "kernel": "weight",
    "depthwise_kernel": "weight",
    "embedding": "weight",
    "embeddings": "weight",
    "bias": "bias",
    "gamma": "scale",
    "scale": "scale",
    "beta": "shift",
    "shift": "shift",
    "running_mean": "mean",
    "moving_mean": "mean",
    "mean": "mean",
    "running_var": "variance",
    "moving_variance": "variance",
    "variance": "variance",
    "var": "variance",
    "slope": "slope",
    "alpha": "slope",
}
COUNTERS = ("num_batches_tracked", "iterations", "seed_generator_state")
NORM = ("scale", "shift", "mean", "variance")


@dataclass(frozen=True)
class Unit:
    """Arrays of a file that belong together.

    Args:
        name: what their names have in common, or the name of the one array.
        kind: "weight", "norm" or "vector".
        arrays: what we call each -> its name.
        position: in the order of the network, as far as it can be told.
    """

    name: str
    kind: str
    arrays: dict[str, str]
    position: tuple[Any, ...] = ()

    @property
    def parent(self) -> str:
        """The name without its last part: what it shares with its neighbours in a block."""
        return self.name.rpartition("/")[0]


@dataclass(frozen=True)
class Leaf:
    """A layer of ours that has arrays.

    Args:
        path: of the layer.
        kind: as of Unit; "other" of a layer that is only matched by name.
        arrays: what each is called in the layer -> shape.
        flattened: where its input was (height, width, channel) before it was laid out in a row, that shape.
        norm: path of the batch norm that directly follows, if one does.
    """

    path: str
    layer: Layer
    kind: str
    arrays: dict[str, tuple[int, ...]]
    flattened: tuple[int, ...] = ()
    norm: str = ""

    def key(self, role: str) -> str:
        """The path of an array."""
        return f"{self.path}/{role}" if self.path else role


def leaves_of(network: Layer, params: Arrays, state: Arrays, spec: Spec) -> list[Leaf]:
    """The layers that have arrays, in order, for inputs like `spec`."""
    found: list[Leaf] = []
    _walk(network, "", params, state, spec, (), found)
    joined = [
        replace(leaf, norm=after.path) if leaf.kind == "weight" and isinstance(after.layer, BatchNorm) else leaf
        for leaf, after in zip(found, [*found[1:], _BARRIER], strict=True)
    ]
    return [leaf for leaf in joined if leaf.arrays]


_BARRIER = Leaf("", Flatten(), "", {})


def _walk(
    layer: Layer, path: str, params: Arrays, state: Arrays, spec: Spec, flat: tuple[int, ...], found: list[Leaf]
) -> tuple[Spec, tuple[int, ...]]:
    """Appends what is in a layer to what is found; returns the spec of its output, and its shape before flattening."""
    below = f"{path}/" if path else ""
    if isinstance(layer, Sequential):
        for name, part in layer.parts():
            own = within(params, name), within(state, name)
            spec, flat = _walk(part, below + name, *own, spec, flat, found)
        return spec, flat
    out = output_spec(layer, params, state, spec)
    if isinstance(layer, Residual):
        for name, part in layer.parts():
            _walk(part, below + name, within(params, name), within(state, name), spec, flat, found)
            found.append(_BARRIER)
        return out, ()
    if isinstance(layer, Composite):
        for inner, leaf in leaves(layer):
            found += [_leaf(leaf, below + inner, within(params, inner), within(state, inner), ()), _BARRIER]
        return out, ()
    found.append(_leaf(layer, path, params, state, flat))
    if isinstance(layer, Flatten) and spec.ndim > 2:
        return out, spec.shape[1:]
    return out, flat if out.shape == spec.shape and "weight" not in params else ()


def _leaf(layer: Layer, path: str, params: Arrays, state: Arrays, flat: tuple[int, ...]) -> Leaf:
    arrays = {role: tuple(value.shape) for role, value in (*params.items(), *state.items())}
    if "weight" in arrays and arrays.keys() <= {"weight", "bias"}:
        kind = "weight"
    elif "scale" in arrays and arrays.keys() <= set(NORM):
        kind = "norm"
    else:
        kind = "vector" if len(arrays) == 1 else "other"
    return Leaf(path, layer, kind, arrays, flat)


# Theirs ---------------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class Theirs:
    """What a file holds, sorted.

    Args:
        units: in the order of the network, as far as it can be told.
        ordered: whether the file's order is that of the network; files that sort by name have lost it.
        values: by name, as float32.
        left_out: name -> why it can be no part of a network.
    """

    units: list[Unit]
    ordered: bool
    values: dict[str, np.ndarray]
    left_out: dict[str, str] = field(default_factory=dict)


def sort_out(weights: Weights) -> Theirs:
    """Units of the arrays of a file."""
    values, left_out = {}, {}
    for name, value in weights.values.items():
        if _parts(name)[-1] in COUNTERS:
            left_out[name] = "a counter of training"
        elif not np.issubdtype(value.dtype, np.floating):
            left_out[name] = f"{value.dtype}: no weights"
        else:
            values[name] = value.astype(np.float32, copy=False)
    names = list(values)
    ordered = len(names) < 3 or names != sorted(names)
    return Theirs(_units(values, ordered), ordered, values, left_out)


def _parts(name: str) -> list[str]:
    """The parts of a name between its dots or slashes; TensorFlow's :0 goes."""
    return re.split(r"[./]", re.sub(r":\d+$", "", name))


def split_name(name: str) -> tuple[str, str]:
    """What belongs together, and what we call this of it; empty where the name does not tell."""
    *before, last = _parts(name)
    return ("/".join(before), ROLES[last]) if last in ROLES else ("/".join([*before, last]), "")


def _units(values: dict[str, np.ndarray], ordered: bool) -> list[Unit]:
    groups: dict[str, dict[str, str]] = {}
    for name in values:
        group, role = split_name(name)
        if not role or role in groups.get(group, {}):
            group, role = name, ""
        groups.setdefault(group, {})[role] = name
    found = []
    for number, (group, arrays) in enumerate(groups.items()):
        unit = _unit(group, arrays, values)
        found.append(replace(unit, position=(number,) if ordered else _natural(group)))
    return _nameless(found, values) if ordered else sorted(found, key=lambda unit: unit.position)


def _unit(name: str, arrays: dict[str, str], values: dict[str, np.ndarray]) -> Unit:
    if "" in arrays:
        value = values[arrays[""]]
        return Unit(name, "vector", {"": arrays[""]}) if is_row(value) else Unit(name, "weight", {"weight": arrays[""]})
    first = arrays.get("weight")
    if first is not None and not is_row(values[first]):
        return Unit(name, "weight", arrays)
    called = {"weight": "scale", "bias": "shift"}
    roles = {called.get(role, role): array for role, array in arrays.items()}
    return Unit(name, "vector" if len(roles) == 1 else "norm", roles)


def is_row(value: np.ndarray) -> bool:
    """Whether an array is one number for each feature; ONNX has some of (channel, 1, 1)."""
    return value.ndim < 2 or (value.ndim > 2 and max(value.shape) == value.size and value.shape[-1] == 1)


def _natural(name: str) -> tuple[Any, ...]:
    """A key that puts layer10 behind layer9."""
    parts = [part.lstrip("0") if part.isdigit() else part for part in re.split(r"(\d+)", name)]
    return tuple((len(part), part) if odd else (-1, part) for odd, part in zip(cycle((0, 1)), parts, strict=False))


def _nameless(units: list[Unit], values: dict[str, np.ndarray]) -> list[Unit]:
    """Rows whose names tell nothing, by what stands before them: a bias, the four of a batch norm, or both."""
    joined: list[Unit] = []
    rows: list[str] = []

    def settle() -> None:
        alike = len({values[name].size for name in rows}) == 1
        is_weight = bool(joined) and joined[-1].kind == "weight" and "bias" not in joined[-1].arrays
        if alike and len(rows) in (1, 5) and is_weight:
            last = joined.pop()
            joined.append(replace(last, arrays={**last.arrays, "bias": rows.pop(0)}))
        if alike and len(rows) == 4:
            position = joined[-1].position if joined else (0,)
            joined.append(Unit(rows[0], "norm", dict(zip(NORM, rows, strict=True)), (*position, 1)))
        else:
            joined.extend(Unit(name, "vector", {"": name}, (10**9,)) for name in rows)
        rows.clear()

    for unit in units:
        if unit.kind == "vector" and "" in unit.arrays:
            rows.append(unit.arrays[""])
        else:
            settle()
            joined.append(unit)
    settle()
    return joined


def stripped(units: list[Unit]) -> Iterator[tuple[str, Unit]]:
    """Each unit with its name as it is without what all names begin with: a wrapper such as module."""
    names = [unit.name.split("/") for unit in units]
    shared = 0
    while all(len(name) > shared + 1 for name in names) and len({name[shared] for name in names}) == 1:
        shared += 1
    for name, unit in zip(names, units, strict=True):
        yield "/".join(name[shared:]), unit
