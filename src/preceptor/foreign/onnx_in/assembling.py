"""Parts as a network: one behind the other where they are, residual blocks where a sum meets its own beginning, wires
between the rest."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

import numpy as np

from preceptor.foreign.onnx_in.values import INPUT
from preceptor.foreign.onnx_in.walk import Part
from preceptor.nn import Layer, Linear, Residual, Sequential, Wired

Arrays = dict[str, np.ndarray]
DEEPEST = 6  # residual blocks within one another; what is deeper is wired


@dataclass(frozen=True, eq=False)
class Piece:
    """A layer with its name and arrays; `kind` is what it is called where it has no name."""

    name: str
    kind: str
    layer: Layer
    params: Arrays
    state: Arrays


def assembled(parts: Sequence[Part], shape: tuple[int, ...]) -> tuple[Sequential, Arrays, Arrays]:
    """The network of these parts, of which the last gives the output, with its parameters and state.

    Args:
        shape: of one example of the input.
    """
    return _joined(_Assembly(parts, shape).chain(list(range(len(parts))), INPUT, "", 0))


@dataclass(frozen=True)
class _Assembly:
    parts: Sequence[Part]
    shape: tuple[int, ...]

    def chain(self, numbers: list[int], entry: int, prefix: str, depth: int) -> list[Piece]:
        """Parts that depend on each other and on one value before them alone, as pieces one behind the other: cut at
        every value that all paths lead through."""
        last_use = {entry: 0}
        for place, number in enumerate(numbers):
            for at in self.parts[number].inputs:
                last_use[at] = place
        pieces, start, reach = [], 0, last_use[entry]
        for place, number in enumerate(numbers):
            if reach <= place:
                pieces.append(self._region(numbers[start : place + 1], entry, prefix, depth))
                start, entry = place + 1, number
            reach = max(reach, last_use.get(number, place))
        assert start == len(numbers)
        return pieces

    def _region(self, numbers: list[int], entry: int, prefix: str, depth: int) -> Piece:
        """Parts between two values that all paths lead through."""
        last = self.parts[numbers[-1]]
        if len(numbers) == 1 and len(last.inputs) == 1:
            return self._piece(numbers[0], prefix)
        inner = common([self.parts[number].name for number in numbers if self.parts[number].name])
        inner = inner if inner.startswith(prefix) else prefix
        name = stripped(inner, prefix)
        branches = self._branches(numbers, entry) if depth < DEEPEST else None
        if branches is not None:
            return self._residual(branches, entry, name, inner, depth)
        return self._wired(numbers, entry, name, inner)

    def _piece(self, number: int, prefix: str) -> Piece:
        part = self.parts[number]
        kind = part.join if len(part.inputs) > 1 else type(part.layer).__name__.lower()
        return Piece(stripped(part.name, prefix), kind, part.layer, dict(part.params), dict(part.state))

    def _branches(self, numbers: list[int], entry: int) -> tuple[list[int], list[int]] | None:
        """The two branches that a sum adds, the longer first, where they have nothing in common."""
        last = self.parts[numbers[-1]]
        if not isinstance(last.layer, Linear) or last.join != "sum" or len(last.inputs) != 2:
            return None
        if self._stored(last.inputs[0]) != self._stored(last.inputs[1]):
            return None
        own = set(numbers)
        found = []
        for end in last.inputs:
            wanted, branch = [end], set[int]()
            while wanted:
                at = wanted.pop()
                if at != entry and at not in branch:
                    assert at in own, "a region has one entry"
                    branch.add(at)
                    wanted += self.parts[at].inputs
            found.append(branch)
        if found[0] & found[1] or not found[0] | found[1]:
            return None
        longer, shorter = sorted(found, key=len, reverse=True)
        return sorted(longer), sorted(shorter)

    def _stored(self, at: int) -> tuple[int, ...]:
        return self.shape if at == INPUT else self.parts[at].stored

    def _residual(self, branches: tuple[list[int], list[int]], entry: int, name: str, prefix: str, depth: int) -> Piece:
        params, state, layers = Arrays(), Arrays(), list[Layer | None]()
        for place, numbers in zip(("block", "projection"), branches, strict=True):
            if not numbers:
                layers.append(None)
                continue
            inner = common([self.parts[number].name for number in numbers if self.parts[number].name])
            inner = inner if inner.startswith(prefix) else prefix
            layer, *arrays = _joined(self.chain(numbers, entry, inner, depth + 1))
            layers.append(layer)
            for all_of, own in zip((params, state), arrays, strict=True):
                all_of |= {f"{place}/{key}": value for key, value in own.items()}
        block, projection = layers
        assert block is not None
        return Piece(name, "residual", Residual(block, projection), params, state)

    def _wired(self, numbers: list[int], entry: int, name: str, prefix: str) -> Piece:
        pieces = [self._piece(number, prefix) for number in numbers]
        names = names_of(pieces, {"input"})
        known = {entry: "input"} | dict(zip(numbers, names, strict=True))
        inputs = tuple(tuple(known[at] for at in self.parts[number].inputs) for number in numbers)
        joins = tuple(self.parts[number].join for number in numbers)
        layer = Wired(tuple(piece.layer for piece in pieces), tuple(names), inputs, joins)
        return Piece(name, "wired", layer, *_below(names, pieces))


def _joined(pieces: Sequence[Piece]) -> tuple[Sequential, Arrays, Arrays]:
    names = names_of(pieces, set())
    params, state = _below(names, pieces)
    return Sequential(tuple(piece.layer for piece in pieces), tuple(names)), params, state


def _below(names: Sequence[str], pieces: Sequence[Piece]) -> tuple[Arrays, Arrays]:
    params = {
        f"{name}/{key}": array for name, piece in zip(names, pieces, strict=True) for key, array in piece.params.items()
    }
    state = {
        f"{name}/{key}": array for name, piece in zip(names, pieces, strict=True) for key, array in piece.state.items()
    }
    return params, state


def names_of(pieces: Sequence[Piece], taken: set[str]) -> list[str]:
    """A name for each: its own, else its kind with a number; numbers tell equal ones apart."""
    seen: Counter[str] = Counter()
    used, names = set(taken), []
    for piece in pieces:
        seen[piece.kind] += 1
        own = f"{piece.kind}{piece.name}" if piece.name.isdigit() else piece.name
        wanted = name = own or f"{piece.kind}{seen[piece.kind]}"
        again = 1
        while name in used:
            again += 1
            name = f"{wanted}_{again}"
        used.add(name)
        names.append(name)
    return names


def common(names: Sequence[str]) -> str:
    """What dotted names begin with alike: "layer1.0" of "layer1.0.conv1" and "layer1.0.bn1"; "" of one alone."""
    if len(names) < 2:
        return ""
    steps = zip(*(name.split(".") for name in names), strict=False)
    return ".".join(step[0] for step in takewhile(lambda step: len(set(step)) == 1, steps))


def stripped(name: str, prefix: str) -> str:
    """A dotted name without what surrounds it; "" where nothing is left."""
    if not prefix or not (name == prefix or name.startswith(f"{prefix}.")):
        return name
    return name[len(prefix) + 1 :]
