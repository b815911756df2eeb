"""Parts that are one layer here: a product and the sum behind it, padding and the convolution behind it, an activation
that a file has in pieces."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from preceptor.foreign.onnx_in.pointwise import Erf
from preceptor.foreign.onnx_in.walk import Part
from preceptor.nn import (
    Convolution,
    Dense,
    Flatten,
    Gelu,
    Layer,
    Linear,
    MemberDense,
    Rescale,
    Reshape,
    ScaleShift,
    Sigmoid,
    Swish,
    ZeroPad,
)
from preceptor.ops.window import each_axis

NEAR = 1e-6  # of numbers that were rounded to float32


def merged(parts: Sequence[Part], output: int) -> list[Part]:
    """The parts that the output needs, in their order, merged where they can be; the output is the last."""
    uses = [0] * len(parts)
    for part in parts:
        for at in part.inputs:
            if at >= 0:
                uses[at] += 1
    if output >= 0:
        uses[output] += 1
    work = _Merging()
    for part, count in zip(parts, uses, strict=True):
        work.add(part, count)
    return needed(work.parts, work.places[output] if output >= 0 else output)


def needed(parts: Sequence[Part], output: int) -> list[Part]:
    """The parts that the output needs, numbered anew."""
    wanted, found = [output], set[int]()
    while wanted:
        at = wanted.pop()
        if at >= 0 and at not in found:
            found.add(at)
            wanted += parts[at].inputs
    numbers = {old: new for new, old in enumerate(sorted(found))}
    return [replace(parts[old], inputs=tuple(numbers.get(at, at) for at in parts[old].inputs)) for old in sorted(found)]


class _Merging:
    """Parts so far, how often each is taken, and which stands for each of the file's."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.uses: list[int] = []
        self.places: list[int] = []

    def add(self, part: Part, uses: int) -> None:
        """Adds a part, into one before it where the two are one."""
        part = replace(part, inputs=tuple(self.places[at] if at >= 0 else at for at in part.inputs))
        if (source := self._unchanged(part)) is not None:
            self.uses[source] += uses - 1
            self.places.append(source)
            return
        for at, made in self._rules(part):
            if at == len(self.parts):
                self._append(made, uses)
            else:
                self.parts[at], self.uses[at] = made, uses
            self.places.append(at)
            return
        self._append(part, uses)
        self.places.append(len(self.parts) - 1)

    def _append(self, part: Part, uses: int) -> None:
        self.parts.append(part)
        self.uses.append(uses)

    def _unchanged(self, part: Part) -> int | None:
        """The part before, where this takes back what the one between did to it."""
        between = self.parts[part.inputs[0]] if part.inputs[0] >= 0 else None
        if between is None or between.inputs[0] < 0 or self.uses[part.inputs[0]] != 1:
            return None
        layer, other, is_same = part.layer, between.layer, False
        if isinstance(layer, Rescale) and isinstance(other, Rescale):
            is_same = abs(layer.scale * other.scale - 1) < NEAR and layer.shift == other.shift == 0
        elif isinstance(layer, Reshape) and isinstance(other, Flatten | Reshape):
            is_same = self.parts[between.inputs[0]].stored == part.stored
        return between.inputs[0] if is_same else None

    def _rules(self, part: Part) -> Iterator[tuple[int, Part]]:
        """Where a part goes, and what then stands there."""
        layer, before = part.layer, part.inputs[0]
        if isinstance(layer, Linear) and part.join == "product" and len(part.inputs) == 2:
            yield from self._gate(part)
        if len(part.inputs) != 1 or before < 0 or self.uses[before] != 1:
            return
        first = self.parts[before]
        if isinstance(layer, ScaleShift) and layer.shift and not layer.scale:
            if isinstance(first.layer, Dense | Convolution) and not first.layer.bias and layer.axes == 1:
                yield before, self._joined(first, part, replace(first.layer, bias=True), {"bias": part.params["shift"]})
            if isinstance(first.layer, MemberDense) and layer.axes == 2:
                bias = first.params["bias"] + part.params["shift"]
                yield before, self._joined(first, part, first.layer, {"bias": bias})
            if isinstance(first.layer, ScaleShift) and not first.layer.shift and first.layer.axes == layer.axes:
                yield before, self._joined(first, part, replace(first.layer, shift=True), part.params)
        if isinstance(layer, Rescale) and isinstance(first.layer, Rescale):
            scale = layer.scale * first.layer.scale
            shift = layer.scale * first.layer.shift + layer.shift
            yield before, self._joined(first, part, Rescale(scale, shift), {})
        if isinstance(layer, Convolution) and isinstance(first.layer, ZeroPad) and not any(first.layer.widths[-1]):
            pads = _pads(layer, len(first.layer.widths) - 1)
            both = tuple((a + c, b + d) for (a, b), (c, d) in zip(pads, first.layer.widths[:-1], strict=True))
            yield before, replace(part, layer=replace(layer, padding=both), inputs=first.inputs)

    def _joined(self, first: Part, second: Part, layer: Layer, params: Mapping[str, np.ndarray]) -> Part:
        return replace(first, layer=layer, params={**first.params, **params}, name=first.name or second.name)

    def _gate(self, part: Part) -> Iterator[tuple[int, Part]]:
        """A value times what is made of it, as the activation that this is."""
        for x, gate in (part.inputs, part.inputs[::-1]):
            if gate < 0:
                continue
            if isinstance(self.parts[gate].layer, Sigmoid) and self.parts[gate].inputs == (x,):
                yield len(self.parts), replace(part, layer=Swish(), inputs=(x,), join="sum")
            half = self._half(gate)
            source, factor = self._scaled(x)
            if half is not None and source == half[0]:
                gelu = replace(part, layer=Gelu(), inputs=(source,), join="sum")
                scale = 2 * factor * half[1]
                if abs(scale - 1) < NEAR:
                    yield len(self.parts), gelu
                else:
                    self._append(gelu, 1)
                    yield len(self.parts), Part(Rescale(scale), (len(self.parts) - 1,), part.stored)

    def _half(self, at: int) -> tuple[int, float] | None:
        """x and a, where a part is a (1 + erf(x / sqrt 2))."""
        part = self.parts[at]
        if not isinstance(part.layer, Rescale) or abs(part.layer.scale - part.layer.shift) > NEAR or part.inputs[0] < 0:
            return None
        inner = self.parts[part.inputs[0]]
        if not isinstance(inner.layer, Erf):
            return None
        source, factor = self._scaled(inner.inputs[0])
        return (source, part.layer.scale) if abs(factor - 0.5**0.5) < NEAR else None

    def _scaled(self, at: int) -> tuple[int, float]:
        """The part that one is a multiple of, and the factor."""
        part = self.parts[at] if at >= 0 else None
        if part is not None and isinstance(part.layer, Rescale) and part.layer.shift == 0:
            return part.inputs[0], part.layer.scale
        return at, 1.0


def _pads(layer: Convolution, axes: int) -> list[tuple[int, int]]:
    """The padding of a convolution as pairs; "same" stands for stride 1 alone."""
    if layer.padding == "valid":
        return [(0, 0)] * axes
    if layer.padding == "same":
        size, dilation = (each_axis("", "", each, axes) for each in (layer.window, layer.dilation))
        around = [(k - 1) * d for k, d in zip(size, dilation, strict=True)]
        return [(n // 2, n - n // 2) for n in around]
    return [(layer.padding,) * 2] * axes if isinstance(layer.padding, int) else list(layer.padding)  # type: ignore[arg-type]
