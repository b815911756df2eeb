"""What a user says of which weights go where, where it cannot be told: `--map THEIRS=OURS`."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from preceptor.errors import ConfigError
from preceptor.foreign.units import Leaf, Unit
from preceptor.foreign.weights import shown
from preceptor.words import closest, listing


@dataclass(frozen=True)
class Room:
    """Layers and units that belong together, and to nothing else.

    Args:
        said: by which map; empty of what no map speaks of.
    """

    said: str
    leaves: list[Leaf]
    units: list[Unit]


def rooms(file: str, leaves: list[Leaf], units: list[Unit], maps: Sequence[tuple[str, str]]) -> list[Room]:
    """A room for all that a map names, and last one for the rest.

    Raises: ConfigError where a map names nothing.
    """
    found = []
    for old, new in maps:
        meant = _meant(old, new, units)
        if not meant:
            names = [shown(unit.name.replace("/", ".")) for unit in units]
            raise ConfigError(f"--map {old}={new}: {file} has nothing called {old}. It has {listing(names, 8)}.")
        for start, end in meant:
            there = _units(units, {name for unit in units for name in unit.arrays.values() if _begins(name, start)})
            here = _leaves(leaves, {path for leaf in leaves for path in _paths(leaf) if _begins(path, end)})
            if not here:
                paths = [leaf.path for leaf in leaves]
                raise ConfigError(
                    f"--map {old}={new}: the network has no layer {end}.{closest(end, paths)} "
                    f"It has {listing(paths, 8)}."
                )
            units = _units(units, {name for unit in units for name in unit.arrays.values() if not _begins(name, start)})
            leaves = _leaves(leaves, {path for leaf in leaves for path in _paths(leaf) if not _begins(path, end)})
            found.append(Room(f"{old}={new}", here, _as_called(here, there)))
    return [*found, Room("", leaves, units)]


def _meant(old: str, new: str, units: Iterable[Unit]) -> list[tuple[str, str]]:
    """What the patterns of a map stand for: pairs of names, or of what names begin with."""
    if new.count("*") > old.count("*"):
        raise ConfigError(f"--map {old}={new}: each * on the right is what one on the left stands for; there are more.")
    pattern = re.compile(re.escape(_slashed(old)).replace(r"\*", "([^/]*)"))
    found = {}
    for unit in units:
        for name in unit.arrays.values():
            parts = _slashed(name).split("/")
            for length in range(1, len(parts) + 1):
                start = "/".join(parts[:length])
                if match := pattern.fullmatch(start):
                    stars = iter(match.groups())
                    found[start] = "".join(next(stars) if sign == "*" else sign for sign in _slashed(new))
    return list(found.items())


def _slashed(name: str) -> str:
    return name.replace(".", "/")


def _begins(name: str, start: str) -> bool:
    return f"{_slashed(name)}/".startswith(f"{start}/")


def _paths(leaf: Leaf) -> list[str]:
    return [leaf.key(role) for role in leaf.arrays]


def _units(units: Iterable[Unit], names: Collection[str]) -> list[Unit]:
    """The units as far as their arrays are among those named."""
    cut = [replace(unit, arrays={r: name for r, name in unit.arrays.items() if name in names}) for unit in units]
    return [unit for unit in cut if unit.arrays]


def _leaves(leaves: Iterable[Leaf], paths: Collection[str]) -> list[Leaf]:
    """The layers as far as their arrays are among those named."""
    cut = [replace(leaf, arrays={r: s for r, s in leaf.arrays.items() if leaf.key(r) in paths}) for leaf in leaves]
    return [leaf for leaf in cut if leaf.arrays]


def _as_called(leaves: list[Leaf], units: list[Unit]) -> list[Unit]:
    """One array that is to go to one of ours is what ours is."""
    if len(leaves) == len(units) == len(leaves[0].arrays) == len(units[0].arrays) == 1:
        arrays = dict(zip(leaves[0].arrays, units[0].arrays.values(), strict=True))
        return [replace(units[0], kind=leaves[0].kind, arrays=arrays)]
    return units
