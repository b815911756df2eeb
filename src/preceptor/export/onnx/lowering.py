"""What the forms of all primitives in ONNX share: values that are known, repeated or computed, shapes, and layouts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from preceptor.errors import NotSupported
from preceptor.export.onnx.builder import Builder
from preceptor.export.onnx.symbolic import Dim, Length, Shape, Step

LAST = np.iinfo(np.int64).max  # as the end of a slice: all there is


@dataclass(frozen=True, eq=False)
class Term:
    """A value, held as it is before it is repeated: axes of length 1 and leading axes may be missing.

    Args:
        name: in the graph; "" of what is known.
        array: its numbers, where they are known.
        hint: what a constant of it may be called.
    """

    shape: Shape
    name: str = ""
    array: np.ndarray | None = None
    hint: str = "constant"


@dataclass(eq=False)
class Lowering:
    """Steps that become operators.

    Args:
        counted: name of a value with an axis of rows first.
        terms: what has become of each step.
    """

    builder: Builder
    counted: str
    terms: dict[Step, Term] = field(default_factory=dict)
    _rows: str = ""

    def node(self, op: str, *inputs: str, **attributes: Any) -> str:
        """An operator with one output."""
        return self.builder.node(op, *inputs, **attributes)

    def name(self, term: Term) -> str:
        """The name of a value as it is held."""
        return self.builder.constant(term.array, term.hint) if term.array is not None else term.name

    def whole(self, step: Step) -> str:
        """The name of what a step gives, repeated to its shape."""
        term = self.terms[step]
        return self.name(term) if term.shape == step.shape else self.expanded(self.name(term), step.shape)

    def expanded(self, name: str, shape: Shape) -> str:
        return self.node("Expand", name, self.lengths(shape))

    def joined_last(self, x: Step, y: Step, shape: Shape) -> tuple[str, str]:
        """Names of two values of which an operator itself spreads all axes but two to `shape`."""
        held = [self.terms[each] for each in (x, y)]
        is_whole = [term.shape[-2:] == each.shape[-2:] for term, each in zip(held, (x, y), strict=True)]
        if all(is_whole) and joint([term.shape[:-2] for term in held]) == shape[:-2]:
            return self.name(held[0]), self.name(held[1])
        return self.whole(x), self.whole(y)

    def lengths(self, shape: Shape) -> str:
        """The name of a shape, as a value."""
        if all(isinstance(each, int) for each in shape):
            return self.builder.integers(*[int(each) for each in shape if isinstance(each, int)])
        parts: list[str] = []
        fixed: list[int] = []
        for each in (*shape, None):
            if isinstance(each, int):
                fixed.append(each)
                continue
            if fixed:
                parts.append(self.builder.integers(*fixed))
                fixed = []
            if each is not None:
                parts.append(self._length(each))
        return parts[0] if len(parts) == 1 else self.node("Concat", *parts, axis=0)

    def _length(self, length: Length) -> str:
        """The name of one length. Shapes: (1,), int64."""
        if not self._rows:
            self._rows = self.node("Shape", self.counted, start=0, end=1)
        name = self._rows
        if length.times != 1:
            name = self.node("Mul", name, self.builder.integers(length.times))
        return self.node("Add", name, self.builder.integers(length.plus)) if length.plus else name

    def reshaped(self, name: str, shape: Shape) -> str:
        """A value in another shape."""
        varying = [axis for axis, each in enumerate(shape) if isinstance(each, Length)]
        others = prod(each for each in shape if isinstance(each, int))
        if len(varying) != 1 or not others:
            return self.node("Reshape", name, self.lengths(shape), allowzero=None if others else 1)
        return self.node("Reshape", name, self.builder.integers(*[-1 if isinstance(n, Length) else n for n in shape]))

    def turned(self, name: str, axes: Sequence[int]) -> str:
        """A value with its axes in another order."""
        return name if list(axes) == sorted(axes) else self.node("Transpose", name, perm=list(axes))

    def sliced(self, name: str, shape: Sequence[Dim], slices: Sequence[tuple[Dim, Dim | None, int]]) -> str:
        """A part of a value. Args: shape: of the value; slices: (start, stop, step) of each axis."""
        chosen = [
            (axis, *_ends(length, *each))
            for axis, (length, each) in enumerate(zip(shape, slices, strict=True))
            if tuple(each) != (0, length, 1)
        ]
        if not chosen:
            return name
        axes, starts, ends, steps = (self.lengths(values) for values in zip(*chosen, strict=True))
        return self.node("Slice", name, starts, ends, axes, steps)

    def padded(self, name: str, pads: Sequence[tuple[int, int]], fill: Any, dtype: np.dtype) -> str:
        """A value with (before, after) entries put around each axis; less than none cuts off."""
        if not any(map(any, pads)):
            return name
        widths = self.builder.integers(*(before for before, _ in pads), *(after for _, after in pads))
        return self.node("Pad", name, widths, self.builder.constant(np.array(fill, dtype)), mode="constant")

    def number(self, value: Any, dtype: np.dtype) -> str:
        """The name of a number as a constant."""
        return self.builder.constant(np.array(value, dtype))

    def cast(self, name: str, dtype: Any) -> str:
        """A value in another element type."""
        return self.node("Cast", name, to=self.builder.element(dtype))

    def unsqueezed(self, name: str, axis: int) -> str:
        """A value with an axis of length 1 more."""
        return self.node("Unsqueeze", name, self.builder.integers(axis))

    def dilated(self, name: str, shape: Sequence[Dim], axis: int, by: int, dtype: np.dtype) -> str:
        """A value with by - 1 zeros between the entries of an axis. Args: shape: of the value."""
        count = whole_number(shape[axis])
        if by == 1 or count < 2:
            return name
        pads = [(0, 0)] * (len(shape) + 1)
        pads[axis + 1] = (0, by - 1)
        wide = self.padded(self.unsqueezed(name, axis + 1), pads, 0, dtype)
        joined = self.reshaped(wide, (*shape[:axis], count * by, *shape[axis + 1 :]))
        cut = [(0, 0)] * len(shape)
        cut[axis] = (0, 1 - by)
        return self.padded(joined, cut, 0, dtype)

    def refused(self, step: Step, why: str) -> NotSupported:
        return NotSupported(f"{step.primitive} at {step.line}: {why}.")


def joint(shapes: Sequence[Shape]) -> Shape:
    """What shapes that fit together become beside each other."""
    result: list[Dim] = [1] * max((len(each) for each in shapes), default=0)
    for shape in shapes:
        for place, length in enumerate(reversed(shape), 1):
            if length != 1:
                result[-place] = length
    return tuple(result)


def whole_number(value: Dim) -> int:
    """A length that must not depend on the rows."""
    assert isinstance(value, int), "only the first axis may count rows here"
    return value


def _ends(length: Dim, start: Dim, stop: Dim | None, step: int) -> tuple[Dim, Dim, int]:
    """Start, end and step of a slice as ONNX has them: what is below 0 counts from the last."""
    return _place(length, start), (-LAST if stop is None else _place(length, stop)), step


def _place(length: Dim, place: Dim) -> Dim:
    if isinstance(place, Length) and isinstance(length, Length) and length.times == place.times:
        return place.plus - length.plus or LAST if place.plus <= length.plus else place
    return place
