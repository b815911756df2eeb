"""Statements of C over a static memory: where numbers lie, loops over them, and what may share a place."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from preceptor.export.c.text import KINDS, as_literal, as_table
from preceptor.ops import Spec

__all__ = ["Program", "View", "fresh", "looped"]

# Stands for the place of a buffer until all are known, with the number behind it that is added to it, if any.
TOKEN = re.compile(r"@(\d+)@\[(?:(\d+)(?=\]| \+))?")


@dataclass(frozen=True)
class View:
    """Where the numbers of an array lie: entry (i, j, ...) is memory[offset + i * strides[0] + j * strides[1] + ...].

    Args:
        memory: name of a C array, or the token of a buffer; of a single number that is known, the number as text.
        kind: the C type.
        is_literal: whether `memory` is a number.
    """

    memory: str
    kind: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0
    is_literal: bool = False

    def at(self, places: Sequence[str]) -> str:
        """The entry at these places, texts of C."""
        if self.is_literal:
            return self.memory
        terms = [str(self.offset)] if self.offset else []
        for place, stride in zip(places, self.strides, strict=True):
            if stride and place != "0":
                terms.append(place if stride == 1 else f"{stride} * {_factor(place)}")
        return f"{self.memory}[{' + '.join(terms) or '0'}]"

    @property
    def size(self) -> int:
        """The number of entries."""
        return math.prod(self.shape)

    @property
    def is_dense(self) -> bool:
        """Whether the entries lie one after another, in row-major order."""
        return self.is_literal or all(
            n == 1 or own == dense for n, own, dense in zip(self.shape, self.strides, steps(self.shape), strict=True)
        )


def _factor(place: str) -> str:
    return place if re.fullmatch(r"\w+", place) else f"({place})"


def steps(shape: Sequence[int]) -> tuple[int, ...]:
    """The strides of an array in row-major order."""
    found, step = [], 1
    for n in reversed(shape):
        found.append(step)
        step *= n
    return tuple(reversed(found))


def fresh(memory: str, spec: Spec) -> View:
    """An array in row-major order."""
    return View(memory, KINDS[spec.dtype.name], spec.shape, steps(spec.shape))


def looped(lengths: Sequence[int], body: Callable[[list[str]], list[str]], letter: str = "i") -> list[str]:
    """Loops over axes of these lengths around what `body` makes of their variables; an axis of length 1 has none."""
    names = [f"{letter}{axis}" if n != 1 else "0" for axis, n in enumerate(lengths)]
    inner = body(names)
    for name, n in reversed(list(zip(names, lengths, strict=True))):
        if n != 1:
            head = f"for (int {name} = 0; {name} < {n}; ++{name}) "
            is_plain = len(inner) == 1 and inner[0].endswith(";")
            inner = [head + inner[0]] if is_plain else [head + "{", *(f"    {line}" for line in inner), "}"]
    return inner


def merged(views: Sequence[View]) -> list[View]:
    """Views of one shape with as few axes as there can be: those that lie behind one another in all are one."""
    shape: list[int] = []
    strides: list[list[int]] = [[] for _ in views]
    for axis, n in enumerate(views[0].shape):
        own = [view.strides[axis] for view in views]
        if n == 1:
            continue
        if shape and all(each[-1] == stride * n for each, stride in zip(strides, own, strict=True)):
            shape[-1] *= n
            for each, stride in zip(strides, own, strict=True):
                each[-1] = stride
        else:
            shape.append(n)
            for each, stride in zip(strides, own, strict=True):
                each.append(stride)
    return [replace(view, shape=tuple(shape), strides=tuple(own)) for view, own in zip(views, strides, strict=True)]


class Program:
    """What several functions of one C file share: constants, helper functions, and a static memory.

    Args:
        name: what every name in the file begins with.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.constants: dict[str, list[str]] = {}  # name -> its definition
        self.helpers: dict[str, str] = {}  # name -> its definition, in the order of first use
        self.numbers = 0  # in the constants
        self.memory: dict[str, int] = {}  # C type -> how many are needed at once
        self._buffers: list[tuple[str, int]] = []  # C type and length
        self._statements: list[list[str]] = []

    def constant(self, values: np.ndarray, wanted: str) -> View:
        """A known array; of one number, the number itself."""
        spec = Spec(tuple(values.shape), values.dtype)
        if values.size == 1:
            zeros = (0,) * values.ndim
            return View(as_literal(values.ravel()[0]), KINDS[values.dtype.name], spec.shape, zeros, is_literal=True)
        name, number = wanted, 1
        while name in self.constants:
            number += 1
            name = f"{wanted}_{number}"
        self.constants[name] = as_table(name, values)
        self.numbers += values.size
        return fresh(name, spec)

    def new(self, spec: Spec) -> View:
        """Room for an array."""
        self._buffers.append((KINDS[spec.dtype.name], spec.size))
        return fresh(f"@{len(self._buffers) - 1}@", spec)

    def add(self, lines: list[str]) -> None:
        """Adds a statement, of any number of lines: what it reads and what it writes do not overlap."""
        self._statements.append(lines)

    def each(self, out: View, inputs: Sequence[View], body: Callable[..., str]) -> View:
        """Adds loops over views of one shape; `body` makes a line of their entries. Returns: `out`."""
        views = merged([out, *inputs])
        self.add(looped(views[0].shape, lambda places: [body(*(view.at(places) for view in views))]))
        return out

    def copied(self, view: View) -> View:
        """The same array in row-major order; itself where it lies so."""
        if view.is_dense:
            return view
        out = replace(view, memory=f"@{len(self._buffers)}@", strides=steps(view.shape), offset=0)
        self._buffers.append((view.kind, view.size))
        return self.each(out, [view], lambda o, x: f"{o} = {x};")

    def helper(self, name: str, definition: str) -> str:
        """The name of a small function; NAME in its definition is its name."""
        full = f"{self.name}_fn_{name}"
        self.helpers.setdefault(full, definition.replace("NAME", full))
        return full

    def finished(self) -> list[str]:
        """The lines of what was added, each buffer in its place; what is added next is of another function.

        Two buffers share a place where the one is no longer read when the other is first written.
        """
        texts = ["\n".join(lines) for lines in self._statements]
        first: dict[int, int] = {}
        last: dict[int, int] = {}
        for number, text in enumerate(texts):
            for found, _ in TOKEN.findall(text):
                first.setdefault(int(found), number)
                last[int(found)] = number
        placed = self._placed(first, last)

        def place(found: re.Match[str]) -> str:
            memory, start = placed[int(found[1])]
            if found[2]:
                return f"{memory}[{start + int(found[2])}"
            return f"{memory}[{start} + " if start else f"{memory}["

        lines = [line for text in texts for line in TOKEN.sub(place, text).split("\n")]
        self._buffers, self._statements = [], []
        return lines

    def _placed(self, first: dict[int, int], last: dict[int, int]) -> dict[int, tuple[str, int]]:
        """For each buffer the memory in which it lies, and where there."""
        held: dict[str, list[tuple[int, int, int]]] = {}  # type -> (start, end, last use), by start
        found = {}
        for buffer in sorted(first, key=lambda each: (first[each], each)):
            kind, size = self._buffers[buffer]
            kept = [each for each in held.get(kind, []) if each[2] >= first[buffer]]
            start = 0
            for low, high, _ in kept:
                if low - start >= size:
                    break
                start = max(start, high)
            held[kind] = sorted([*kept, (start, start + size, last[buffer])])
            self.memory[kind] = max(self.memory.get(kind, 0), start + size)
            found[buffer] = self.memory_of(kind), start
        return found

    def memory_of(self, kind: str) -> str:
        """The name of the static memory of a C type."""
        return f"{self.name}_memory" if kind == "float" else f"{self.name}_memory_{kind.replace(' ', '_')}"
