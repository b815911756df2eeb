"""Weights of a file put into a network: what went where, what was left out, and why."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from preceptor.errors import DataError
from preceptor.foreign.mapping import Room, rooms
from preceptor.foreign.matching import Matcher, Pairs, converted, fold_norms
from preceptor.foreign.shortcuts import without_projections
from preceptor.foreign.units import Leaf, Theirs, Unit, leaves_of, sort_out
from preceptor.foreign.weights import Weights, shown
from preceptor.nn import BatchNorm
from preceptor.nn.layer import Arrays, Layer
from preceptor.ops import Spec
from preceptor.words import counted, listing

Maps = Sequence[tuple[str, str]]
MOST_LINES = 24  # of layers in a table; beyond it those that share the first part of their path are one line


@dataclass(frozen=True)
class Row:
    """One array that was given.

    Args:
        ours: its path.
        theirs: its name in the file; empty where a value follows from what the file does not have.
        shape: here.
        how: what was done to it.
    """

    ours: str
    theirs: str
    shape: tuple[int, ...]
    how: str


@dataclass(frozen=True, eq=False)
class Placed:
    """A network with the weights of a file.

    Args:
        network: that which was given, but for shortcuts: see `place`.
        params, state: all of it, float32; what is missing is as first drawn.
        rows: what was given, in the network's order.
        missing: path -> why nothing went there.
        left_out: name in the file -> why it went nowhere.
    """

    name: str
    network: Layer
    params: Arrays
    state: Arrays
    rows: tuple[Row, ...]
    missing: dict[str, str]
    left_out: dict[str, str]

    def table(self) -> list[str]:
        """Lines for a terminal: a line for each layer, or where there are many for each part of the network; then what
        is missing and what was left out, by reason."""
        layers = _grouped(self.rows, lambda row: row.ours.rpartition("/")[0])
        if len(layers) > MOST_LINES:
            layers = _grouped(self.rows, lambda row: row.ours.partition("/")[0])
        cells = [
            (name, counted(len(rows), "array"), shown(_shared([row.theirs for row in rows if row.theirs])), _hows(rows))
            for name, rows in layers.items()
        ]
        widths = [max((len(row[column]) for row in cells), default=0) for column in range(3)]
        lines = [f"{a:<{widths[0]}}  {b:>{widths[1]}}  from {c:<{widths[2]}}  {d}".rstrip() for a, b, c, d in cells]
        for word, each in (("as first drawn", self.missing), ("left out", self.left_out)):
            for reason, names in _grouped(each, each.__getitem__).items():
                lines.append(f"{word}: {listing([shown(name) for name in names], 6)} ({reason})")
        return lines


def _grouped(items: Iterable[Any], key: Any) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for each in items:
        found.setdefault(key(each), []).append(each)
    return found


def _shared(names: list[str]) -> str:
    """What names begin with, up to a dot or slash."""
    if len(names) < 2:
        return names[0] if names else ""
    parts = [re.split(r"([./])", name) for name in names]
    same = 0
    while all(len(each) > same and each[same] == parts[0][same] for each in parts):
        same += 1
    start = "".join(parts[0][:same]).rstrip("./")
    return start or f"{names[0]} … {names[-1]}"


def _hows(rows: list[Row]) -> str:
    return ", ".join(dict.fromkeys(row.how for row in rows if row.how != "as it is")) or "as it is"


def place(
    weights: Weights, network: Layer, spec: Spec, maps: Maps = (), rng: np.random.Generator | None = None
) -> Placed:
    """Puts the weights of a file into a network, in our layout, as float32.

    Names decide where they are ours; else order and shape do: see `matching`. A batch norm that is folded into a
    convolution there is undone here, and one that is not here is folded in. A dense layer behind a flattened picture
    has its rows put into our order. Where nothing is there for the projections of all residual blocks, and all else
    before the output fits, they become what needs no weights: see `shortcuts`.

    Args:
        spec: of one input, batch axis first.
        maps: pairs (pattern there, pattern here) of names or what names begin with; a * stands for the same in both.
            What lies below the one is matched with what lies below the other, and with nothing else.
        rng: draws what is missing.
    Raises: DataError where nothing fits, where two ways fit equally well, or where numbers are impossible; ConfigError
        for maps that name nothing.
    """
    with np.errstate(all="ignore"):  # what comes of impossible numbers is looked at in the end
        return _place(weights, network, spec, maps, rng or np.random.default_rng(0))


def _place(weights: Weights, network: Layer, spec: Spec, maps: Maps, rng: np.random.Generator) -> Placed:
    params, state = network.init(rng, spec)
    leaves, theirs = leaves_of(network, params, state, spec), sort_out(weights)
    folded: dict[str, str] = {}
    if not any(leaf.kind == "norm" for leaf in leaves):
        folded = fold_norms(theirs, weights.layout)
    matcher = Matcher(weights.name, theirs, weights.layout)
    pairs: Pairs = []
    for room in rooms(weights.name, leaves, theirs.units, maps):
        pairs += (own := matcher.pairs(room.leaves, room.units))
        if room.said and not own:
            raise DataError(f"{weights.name}: --map {room.said}: {_unfit(theirs, room)}")
    placing = _Placing(weights, theirs, leaves, folded)
    placing.put(pairs)
    if not placing.rows:
        raise DataError(f"{weights.name}: {_nothing(leaves, theirs)}")
    placing.check()
    missing = placing.missing()
    network, gone = without_projections(network, leaves, missing)
    params, state, missing = (
        {path: value for path, value in values.items() if not path.startswith(gone)}
        for values in (params, state, missing)
    )
    given = placing.given
    order = [leaf.key(role) for leaf in leaves for role in leaf.arrays]
    return Placed(
        weights.name,
        network,
        {path: given.get(path, value) for path, value in params.items()},
        {path: given.get(path, value) for path, value in state.items()},
        tuple(placing.rows[path] for path in order if path in placing.rows),
        missing,
        placing.left_out(),
    )


def _unfit(theirs: Theirs, room: Room) -> str:
    there = [f"{shown(name)} {theirs.values[name].shape}" for unit in room.units for name in unit.arrays.values()]
    here = [f"{leaf.key(role)} {shape}" for leaf in room.leaves for role, shape in leaf.arrays.items()]
    return f"nothing of the one fits the other: there are {listing(there, 4)}; {listing(here, 4)} are needed."


def _nothing(leaves: Sequence[Leaf], theirs: Theirs) -> str:
    first = next((leaf for leaf in leaves if leaf.kind == "weight"), None)
    there = next((unit for unit in theirs.units if unit.kind == "weight"), None)
    if first is None or there is None:
        return f"nothing of its {counted(len(theirs.values), 'array')} fits the network. Is it a file of weights?"
    name = there.arrays["weight"]
    return (
        f"nothing of its {counted(len(theirs.values), 'array')} fits: the first, {shown(name)}, has shape "
        f"{theirs.values[name].shape}; {first.path} needs {first.arrays['weight']} in our layout. Choose the model "
        "that it was made for."
    )


# Putting --------------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class _Placing:
    """What has been given so far."""

    weights: Weights
    theirs: Theirs
    leaves: list[Leaf]
    folded: dict[str, str]
    given: Arrays = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)
    unplaced: dict[str, str] = field(default_factory=dict)
    taken_up: set[str] = field(default_factory=set)

    def put(self, pairs: Pairs) -> None:
        """Gives each layer its arrays, then what follows from arrays that stand in another layer there."""
        biases = {}  # path of a norm -> bias that stands before it there
        for leaf, unit in pairs:
            roles = {role: unit.arrays[role] for role in leaf.arrays if role in unit.arrays}
            if not roles and leaf.kind == "vector":
                roles = dict(zip(leaf.arrays, unit.arrays.values(), strict=False))
            for role, name in roles.items():
                found = converted(leaf, role, self.theirs.values[name], self.weights.layout)
                assert found is not None, (leaf, unit)
                how = ", ".join(each for each in (found[1], self.folded.get(name)) if each)
                self._give(leaf, role, found[0], name, how)
            over = unit.arrays.get("bias")
            if leaf.kind == "weight" and "bias" not in leaf.arrays and over is not None:
                if leaf.norm:
                    biases[leaf.norm] = over
                else:
                    self.unplaced[over] = f"{leaf.path} has no bias here"
        by_path = {leaf.path: leaf for leaf in self.leaves}
        used = {row.theirs for row in self.rows.values()}
        is_bare = not any(unit.kind == "norm" and not used & set(unit.arrays.values()) for unit in self.theirs.units)
        for path, name in biases.items():
            norm = by_path[path]
            is_given = norm.key("mean") in self.given
            if (is_given or is_bare) and (self.theirs.values[name].size,) == norm.arrays["mean"]:
                self._before_norm(norm, name)
            else:
                self.unplaced[name] = f"{path}, which would take it up, has no place for it"
        for leaf in self.leaves:
            lacks_bias = "bias" in leaf.arrays and leaf.key("bias") not in self.given
            if leaf.kind == "weight" and lacks_bias and leaf.key("weight") in self.given:
                self._give(leaf, "bias", np.zeros(leaf.arrays["bias"]), "", "0, for there is none there")

    def _give(self, leaf: Leaf, role: str, value: np.ndarray, name: str, how: str) -> None:
        path = leaf.key(role)
        self.given[path] = np.array(value, np.float32, order="C")  # its own: it may share the memory of the file
        self.rows[path] = Row(path, name, leaf.arrays[role], how)

    def _before_norm(self, norm: Leaf, name: str) -> None:
        """A bias that stands before a norm of ours: the norm's mean takes it up, or the norm is all there is of it."""
        bias = self.theirs.values[name].reshape(-1)
        mean = norm.key("mean")
        if mean in self.given:
            row = self.rows[mean]
            self._give(norm, "mean", self.given[mean] - bias, row.theirs, "less the bias before it")
            self.taken_up.add(name)
            return
        assert isinstance(norm.layer, BatchNorm)
        how = "batch norm that is folded in there"
        self._give(norm, "shift", bias, name, how)
        self._give(norm, "scale", np.ones_like(bias), "", how)
        self._give(norm, "mean", np.zeros_like(bias), "", how)
        self._give(norm, "variance", np.full_like(bias, _one_less(norm.layer.epsilon)), "", how)

    def check(self) -> None:
        """Raises DataError for numbers that cannot be: what is not finite in float32, a variance below 0."""
        for path, value in self.given.items():
            if path.endswith("/variance") and (value < 0).any():
                raise DataError(
                    f"{self.weights.name}: {shown(self.rows[path].theirs)} holds a variance below 0, which cannot be. "
                    "Copy or download the file again."
                )
            if not np.isfinite(value).all():
                raise DataError(
                    f"{self.weights.name}: {shown(self.rows[path].theirs)} holds numbers that are not finite; what "
                    "comes of them is not either. Save the weights of an earlier epoch."
                )

    def missing(self) -> dict[str, str]:
        """Path -> why nothing went there."""
        used = {row.theirs for row in self.rows.values()}
        free = [unit for unit in self.theirs.units if not used & set(unit.arrays.values())]
        found = {}
        for leaf in self.leaves:
            for role in leaf.arrays:
                if (path := leaf.key(role)) not in self.given:
                    found[path] = self._why(leaf, free)
        return found

    def _why(self, leaf: Leaf, free: list[Unit]) -> str:
        weights = [each for each in self.leaves if each.kind == "weight"]
        there = [unit for unit in self.theirs.units if unit.kind == "weight"]
        if leaf.kind == "weight" and weights[-1] is leaf and there and (last := self._dense_last(there)) in free:
            classes = self.theirs.values[last.arrays["weight"]].shape
            outputs = classes[0] if self.weights.layout == "channels-first" else classes[-1]
            if outputs != leaf.arrays["weight"][-1]:
                return f"{outputs:,} outputs there, {leaf.arrays['weight'][-1]:,} here"
        if leaf.kind == "weight" and weights[0] is leaf and there and there[0] in free:
            shape = self.theirs.values[there[0].arrays["weight"]].shape
            return f"{shown(there[0].arrays['weight'])} has another shape: {shape}, ours is {leaf.arrays['weight']}"
        return "nothing there fits"

    def _dense_last(self, there: list[Unit]) -> Unit:
        """The last dense layer of the file, else its last weight."""
        dense = [unit for unit in there if self.theirs.values[unit.arrays["weight"]].ndim < 3]
        return (dense or there)[-1]

    def left_out(self) -> dict[str, str]:
        """Name in the file -> why it went nowhere."""
        used = {row.theirs for row in self.rows.values()} | self.taken_up
        return {
            name: self.theirs.left_out.get(name) or self.unplaced.get(name) or "nothing here fits"
            for name in self.weights.values
            if name not in used
        }


def _one_less(epsilon: float) -> np.float32:
    """The variance to which epsilon is added to make 1, in float32 as it is computed."""
    value = np.float32(1 - epsilon)
    options = (value, np.nextafter(value, np.float32(2)), np.nextafter(value, np.float32(0)))
    return min(options, key=lambda each: abs(each + np.float32(epsilon) - 1))
