"""Which weights of a file belong to which layers of a network: by name, else by order and shape."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from preceptor.errors import DataError
from preceptor.foreign.alignment import Alignment, align
from preceptor.foreign.units import Leaf, Theirs, Unit, is_row, stripped
from preceptor.foreign.weights import shown
from preceptor.nn import Convolution, Dense

Pairs = list[tuple[Leaf, Unit]]
Way = Callable[[Leaf, Unit], bool]  # whether two may belong together


def converted(leaf: Leaf, role: str, value: np.ndarray, layout: str) -> tuple[np.ndarray, str] | None:
    """An array in the layout of ours, and what was done to it; None where its shape does not fit.

    Args:
        role: what ours is called in its layer.
        layout: of theirs, one of LAYOUTS.
    """
    wanted, first = leaf.arrays[role], layout == "channels-first"
    if leaf.kind != "weight" or role != "weight":
        if value.shape != wanted and not (is_row(value) and value.size == np.prod(wanted, dtype=int)):
            return None
        moved = leaf.kind == "norm" and first and _is_moved(leaf)
        value = value.reshape(wanted)
        return (_as_flattened(leaf, value), "places first") if moved else (value, "as it is")
    if isinstance(leaf.layer, Convolution):
        return _filters_last(leaf, value, wanted) if first else _filters_there(leaf, value, wanted)
    if not isinstance(leaf.layer, Dense):
        return (value, "as it is") if value.shape == wanted else None
    if first and value.ndim > 2 and value.size == value.shape[0] * value.shape[1]:
        value = value.reshape(value.shape[:2])  # a convolution of 1 x 1
    if first and value.T.shape == wanted:
        value, how = value.T, "transposed"
    elif value.shape == wanted:
        how = "as it is"
    else:
        return None
    if first and _is_moved(leaf):
        return _as_flattened(leaf, value), f"{how}, places first"
    return value, how


def _filters_last(leaf: Leaf, value: np.ndarray, wanted: tuple[int, ...]) -> tuple[np.ndarray, str] | None:
    if value.ndim != len(wanted):
        return None
    turned = np.moveaxis(value, (0, 1), (-1, -2))
    return (turned, "filters last") if turned.shape == wanted else None


def _filters_there(leaf: Leaf, value: np.ndarray, wanted: tuple[int, ...]) -> tuple[np.ndarray, str] | None:
    if value.shape == wanted:
        return value, "as it is"
    groups = getattr(leaf.layer, "groups", 1)  # Keras keeps depthwise ones as (*window, channel, filters of each)
    if value.ndim == len(wanted) and value.shape[-2] == groups and value.size == np.prod(wanted, dtype=int):
        return (value.reshape(wanted), "channels and filters in one") if value.shape[:-2] == wanted[:-2] else None
    return None


def _is_moved(leaf: Leaf) -> bool:
    """Whether the features were laid out in a row here in another order than where channels stand first."""
    return leaf.flattened[-1:] != (1,) and len([n for n in leaf.flattened if n > 1]) > 1


def _as_flattened(leaf: Leaf, value: np.ndarray) -> np.ndarray:
    """Rows for features that are (channel, *space) there, as they are (*space, channel) here."""
    *space, channels = leaf.flattened
    return np.moveaxis(value.reshape(channels, *space, *value.shape[1:]), 0, len(space)).reshape(value.shape)


class Matcher:
    """Matches units to layers.

    Args:
        file: its name, for messages.
        theirs: what is in it.
        layout: how its arrays lie.
    """

    def __init__(self, file: str, theirs: Theirs, layout: str) -> None:
        self.file, self.theirs, self.layout = file, theirs, layout

    def fits(self, leaf: Leaf, unit: Unit) -> bool:
        """Whether every array that both have has a shape that fits."""
        shared = [role for role in leaf.arrays if role in unit.arrays]
        alone = leaf.kind == unit.kind == "vector"
        if not shared and not alone:
            return False
        return all(self._has_fit(leaf, role, unit.arrays[role]) for role in shared) and (
            bool(shared) or self._has_fit(leaf, next(iter(leaf.arrays)), next(iter(unit.arrays.values())))
        )

    def _has_fit(self, leaf: Leaf, role: str, name: str) -> bool:
        return converted(leaf, role, self.theirs.values[name], self.layout) is not None

    def pairs(self, leaves: Sequence[Leaf], units: Sequence[Unit]) -> Pairs:
        """Layers, each with what belongs to it.

        Names decide where those of at least half of the layers are found with shapes that fit. Else order and shape do:
        weights first, then norms by the weights beside which they stand.
        Raises: DataError where two ways to match them are equally good.
        """
        if len(leaves) == len(units) == 1 and self.fits(leaves[0], units[0]):
            return [(leaves[0], units[0])]
        named = self._by_name(leaves, units)
        if named and 2 * len(named) >= len(leaves):
            return named
        weights = self._weights(leaves, units)
        return [*weights, *self._norms(leaves, units, weights), *self._vectors(leaves, units)]

    def _by_name(self, leaves: Sequence[Leaf], units: Sequence[Unit]) -> Pairs:
        known = {name.lower(): unit for name, unit in stripped(list(units))}
        known |= {unit.name.lower(): unit for unit in units}
        arrays = {name.replace(".", "/"): name for name in self.theirs.values}
        found = []
        for leaf in leaves:
            same = {role: arrays[leaf.key(role)] for role in leaf.arrays if leaf.key(role) in arrays}
            unit = Unit(leaf.path, leaf.kind, same) if len(same) == len(leaf.arrays) else known.get(leaf.path.lower())
            if unit is not None and self.fits(leaf, unit):
                found.append((leaf, unit))
        return found

    def _weights(self, leaves: Sequence[Leaf], units: Sequence[Unit]) -> Pairs:
        """Convolutions in their order, then dense layers in theirs: where names are sorted, fc stands before layer1."""
        ours = [leaf for leaf in leaves if leaf.kind == "weight" and "weight" in leaf.arrays]
        ours.sort(key=lambda leaf: len(leaf.arrays["weight"]) < 3)
        there = [unit for unit in units if unit.kind == "weight" and "weight" in unit.arrays]
        there.sort(key=lambda unit: self.theirs.values[unit.arrays["weight"]].ndim < 3)
        found = align(ours, there, self.fits)
        alike = self._by_shape(ours, there)
        if len(found.pairs) < len(alike) == min(len(ours), len(there)):
            return alike
        self._refuse_tie(found, ours, there)
        return [(ours[i], there[j]) for i, j in found.pairs]

    def _by_shape(self, ours: Sequence[Leaf], there: Sequence[Unit]) -> Pairs:
        """Those of each shape in their order, where there are as many of it on both sides: names may put the layers of
        a block in another order than the network."""
        kinds: dict[tuple, list[Leaf]] = {}
        for leaf in ours:
            kinds.setdefault((type(leaf.layer), leaf.arrays["weight"], leaf.flattened), []).append(leaf)
        found: Pairs = []
        for leaves in kinds.values():
            fitting = [unit for unit in there if self.fits(leaves[0], unit)]
            found += zip(leaves, fitting, strict=True) if len(fitting) == len(leaves) else ()
        return found if len({unit.name for _, unit in found}) == len(found) else []

    def _norms(self, leaves: Sequence[Leaf], units: Sequence[Unit], weights: Pairs) -> Pairs:
        ours = [leaf for leaf in leaves if leaf.kind == "norm"]
        there = [unit for unit in units if unit.kind == "norm"]
        if not ours or not there:
            return []
        partner = {leaf.path: unit.name for leaf, unit in weights}
        beside = {ahead: _beside(leaves, "norm", ahead) for ahead in (False, True)}
        known = [unit for unit in units if unit.kind == "weight"]
        ways: list[Way] = []
        for near in [_next_to] if self.theirs.ordered else []:
            ways += [_where(partner, beside[ahead], near(units, ahead)) for ahead in (False, True)]
        related = _related(there, known)
        ways += [_where(partner, beside[ahead], related) for ahead in (False, True)]
        ways.append(lambda leaf, unit: True)
        tried = []
        for way in ways:
            found = align(ours, there, self._fitting(way))
            if found.tie is None and len(found.pairs) in (len(ours), len(there)):
                return [(ours[i], there[j]) for i, j in found.pairs]
            tried.append(found)
        best = max(tried[:-1], key=lambda each: (each.tie is None, len(each.pairs)))
        self._refuse_tie(best, ours, there)
        return [(ours[i], there[j]) for i, j in best.pairs]

    def _fitting(self, way: Way) -> Way:
        return lambda leaf, unit: way(leaf, unit) and self.fits(leaf, unit)

    def _vectors(self, leaves: Sequence[Leaf], units: Sequence[Unit]) -> Pairs:
        ours = [leaf for leaf in leaves if leaf.kind == "vector"]
        there = [unit for unit in units if unit.kind == "vector"]
        found = align(ours, there, self.fits)
        self._refuse_tie(found, ours, there)
        return [(ours[i], there[j]) for i, j in found.pairs]

    def _refuse_tie(self, found: Alignment, ours: Sequence[Leaf], there: Sequence[Unit]) -> None:
        if found.tie is None:
            return
        (i, j), (other_i, other_j) = found.tie
        first, second = (shown(there[each].name.replace("/", ".")) for each in (j, other_j))
        told = (
            f"{first} fits {ours[i].path} as well as {ours[other_i].path}"
            if j == other_j
            else f"{ours[i].path} could take {first} as well as {second}"
        )
        raise DataError(
            f"{self.file}: {told}, and neither names nor order tell; what cannot be told is not guessed. "
            f"Say it: --map {first}={ours[i].path}"
        )


def _beside(leaves: Sequence[Leaf], kind: str, ahead: bool) -> dict[str, str]:
    """For each layer of a kind the path of the weight before it, or of the one after it."""
    found, last = {}, ""
    for leaf in reversed(leaves) if ahead else leaves:
        if leaf.kind == "weight":
            last = leaf.path
        elif leaf.kind == kind:
            found[leaf.path] = last
    return found


def _next_to(units: Iterable[Unit], ahead: bool) -> dict[str, set[str]]:
    """For each norm of a file in order the weight before it, or the one after it."""
    found: dict[str, set[str]] = {}
    last = ""
    for unit in sorted(units, key=lambda unit: unit.position, reverse=ahead):
        if unit.kind == "weight":
            last = unit.name
        elif unit.kind == "norm":
            found[unit.name] = {last}
    return found


def _related(norms: Sequence[Unit], weights: Sequence[Unit]) -> dict[str, set[str]]:
    """For each norm the weights in the same block, as their names tell."""
    blocks: dict[str, set[str]] = {}
    for unit in weights:
        blocks.setdefault(unit.parent, set()).add(unit.name)
    return {unit.name: blocks.get(unit.parent, set()) for unit in norms}


def _where(partner: dict[str, str], beside: dict[str, str], near: dict[str, set[str]]) -> Way:
    """Whether a norm stands beside the weight that went to the weight beside ours."""
    return lambda leaf, unit: partner.get(beside[leaf.path], "-") in near[unit.name]


def fold_norms(theirs: Theirs, layout: str) -> dict[str, str]:
    """Works batch norms of a file into the weights before them, for a network that has none.

    Formula: of s = scale / sqrt(variance + epsilon), weight * s and (bias - mean) s + shift. No file of weights says
        its epsilon: 1e-5 is taken where channels stand first (PyTorch's), else 1e-3 (Keras').
    Returns: name of the weight -> what was done to it.
    """
    epsilon = 1e-5 if layout == "channels-first" else 1e-3
    axis = 0 if layout == "channels-first" else -1
    weights = [unit for unit in theirs.units if unit.kind == "weight"]
    norms = [unit for unit in theirs.units if unit.kind == "norm" and {"mean", "variance"} <= unit.arrays.keys()]

    def is_as_wide(weight: Unit, norm: Unit) -> bool:
        rows = [*norm.arrays.values(), *(name for role, name in weight.arrays.items() if role != "weight")]
        return {theirs.values[name].size for name in rows} == {theirs.values[weight.arrays["weight"]].shape[axis]}

    near = _next_to(theirs.units, False) if theirs.ordered else _related(norms, weights)
    found = align(weights, norms, lambda w, n: w.name in near[n.name] and is_as_wide(w, n))
    if found.tie is not None:
        return {}
    done = {}
    for i, j in found.pairs:
        weight, norm = weights[i], norms[j]
        given = {role: theirs.values[name].reshape(-1).astype(np.float64) for role, name in norm.arrays.items()}
        slope = given.get("scale", 1.0) / np.sqrt(given["variance"] + epsilon)
        value = theirs.values[weight.arrays["weight"]]
        shape = (-1, *(1,) * (value.ndim - 1)) if axis == 0 else (-1,)
        theirs.values[weight.arrays["weight"]] = (value * slope.reshape(shape)).astype(np.float32)
        bias = theirs.values[weight.arrays["bias"]].reshape(-1) if "bias" in weight.arrays else 0.0
        kept = weight.arrays.get("bias", norm.arrays.get("shift", norm.arrays["mean"]))
        theirs.values[kept] = ((bias - given["mean"]) * slope + given.get("shift", 0.0)).astype(np.float32)
        theirs.units[theirs.units.index(weight)] = Unit(
            weight.name, "weight", {**weight.arrays, "bias": kept}, weight.position
        )
        theirs.units.remove(norm)
        theirs.left_out |= {name: f"folded into {shown(weight.name)}" for name in norm.arrays.values() if name != kept}
        done[weight.arrays["weight"]] = done[kept] = f"batch norm folded in, its epsilon taken as {epsilon:g}"
    return done
