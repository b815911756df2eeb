"""What each layer becomes in ONNX: the operators that others expect where there are such, else its traced graph.

Pictures are held with channels first, and the features of one laid out in that order, from the first layer that looks
at places to the last: nothing is turned between.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

import numpy as np

from preceptor import nn
from preceptor.errors import NotSupported
from preceptor.export.onnx.function import Signal, write_with
from preceptor.export.onnx.single import SINGLE
from preceptor.export.onnx.value import Form, Part, Value, Writer
from preceptor.nn.layer import Layer, within
from preceptor.nn.wired import INPUT


def write_layer(writer: Writer, layer: Layer, part: Part, x: Value) -> Value:
    """Adds a layer with its parameters and state."""
    form = FORMS.get(type(layer))
    made = None
    if form is not None and (x.dtype == np.float32 or type(layer) in ANY_TYPE):
        made = form(writer, layer, part, x)
    return _traced(writer, layer, part, x) if made is None else made


def _traced(writer: Writer, layer: Layer, part: Part, x: Value) -> Value:
    """A layer as the operators of its traced graph."""
    kinds = ("params", "state")
    arrays = {(kind, name): value for kind, values in zip(kinds, part, strict=True) for name, value in values.items()}

    def run(arrays: dict[tuple[str, str], Any], x: Any) -> Any:
        params, state = ({name: value for (of, name), value in arrays.items() if of == kind} for kind in kinds)
        return layer.apply(params, state, x, train=False, key=None)[0]

    plain = writer.plain(x)
    (out,) = write_with(writer.builder, run, arrays, Signal(plain.name, plain.shape, plain.dtype))
    return Value(out.name, out.shape, np.dtype(out.dtype))


# Layers made of layers


def _inner(writer: Writer, name: str, layer: Layer, part: Part, x: Value) -> Value:
    """One part of a composite, its names and errors beginning with its own."""
    with writer.builder.at(name):
        try:
            return write_layer(writer, layer, (within(part[0], name), within(part[1], name)), x)
        except NotSupported as error:
            raise NotSupported(f"{name}/{error}") from None


def sequential(writer: Writer, layer: nn.Sequential, part: Part, x: Value) -> Value:
    for name, each in layer.parts():
        x = _inner(writer, name, each, part, x)
    return x


def mirrored(writer: Writer, layer: nn.Mirrored, part: Part, x: Value) -> Value:
    """The pictures and, as further rows, their other views."""
    x = writer.first(x)
    integers = writer.builder.integers

    def flipped(name: str, *axes: int) -> str:
        count = len(axes)
        ends = integers(*[np.iinfo(np.int64).min] * count)
        return writer.node("Slice", name, integers(*[-1] * count), ends, integers(*axes), integers(*[-1] * count))

    def moved(name: str) -> str:
        """Down and right."""
        s = layer.shift
        padded = writer.node("Pad", name, integers(0, 0, s, s, 0, 0, 0, 0), mode="reflect")
        return writer.node("Slice", padded, integers(0, 0), integers(*x.shape[:2]), integers(2, 3))

    views = [x.name]
    if layer.shift:
        views += [moved(x.name), flipped(moved(flipped(x.name, 2, 3)), 2, 3)]
    views += [flipped(each, 3) for each in views]
    y = writer.plain(sequential(writer, layer, part, x.then(writer.node("Concat", *views, axis=0))))
    apart = writer.node("Reshape", y.name, integers(len(views), -1, *y.shape))
    if not layer.shift:
        return y.then(writer.node("ReduceMean", apart, integers(0), keepdims=0))
    shares = np.array([0.25, 0.125, 0.125] * 2, np.float32).reshape(-1, *[1] * (1 + len(y.shape)))
    shared = writer.node("Mul", apart, writer.builder.constant(shares))
    return y.then(writer.node("ReduceSum", shared, integers(0), keepdims=0))


def residual(writer: Writer, layer: nn.Residual, part: Part, x: Value) -> Value:
    y, *beside = (_inner(writer, name, each, part, x) for name, each in layer.parts())
    other = beside[0] if beside else x
    if y.is_first != other.is_first:
        y, other = writer.first(y), writer.first(other)
    if y.order is not other.order:
        y, other = writer.plain(y), writer.plain(other)
    return y.then(writer.node("Add", y.name, other.name))


def apart(writer: Writer, layer: Any, part: Part, x: Value) -> Value:
    """Networks side by side: an Ensemble or a Committee."""
    outputs = []
    for name, each in layer.parts():
        y = writer.plain(_inner(writer, name, each, part, x))
        if len(y.shape) == 1:
            y = y.then(writer.node("Unsqueeze", y.name, writer.builder.integers(1)), 1, *y.shape)
        outputs.append(y)
    name = writer.node("Concat", *(y.name for y in outputs), axis=1)
    return outputs[0].then(name, sum(y.shape[0] for y in outputs), outputs[0].shape[1])


def each_member(writer: Writer, layer: nn.EachMember, part: Part, x: Value) -> Value | None:
    """Where features do not see each other, those of all members are side by side what they are alone."""
    if not layer.layer.is_featurewise:
        return None
    x = writer.plain(x)
    wide = x.shape[0] * x.shape[1]
    flat = [{name: np.reshape(value, -1) for name, value in values.items()} for values in part]
    side = x.then(writer.node("Reshape", x.name, writer.builder.integers(-1, wide)), wide)
    y = writer.plain(write_layer(writer, layer.layer, (flat[0], flat[1]), side))
    return x.then(writer.node("Reshape", y.name, writer.builder.integers(-1, *x.shape)))


def wired(writer: Writer, layer: nn.Wired, part: Part, x: Value) -> Value:
    found = {INPUT: x}
    for name, each, inputs, join in layer._wires():
        given = _joined(writer, join, [found[one] for one in inputs])
        found[name] = _inner(writer, name, each, part, given)
    return found[layer.names[-1]]


def _joined(writer: Writer, join: str, values: Sequence[Value]) -> Value:
    """What a layer takes of several others."""
    if len(values) == 1:
        return values[0]
    most = max(len(each.shape) for each in values)
    is_first = any(each.is_first for each in values)
    held = [_beside(writer, each, most, is_first) for each in values]
    if join == "concatenate":
        name = writer.node("Concat", *(each.name for each in held), axis=1 if is_first else -1)
        return held[0].then(name, *held[0].shape[:-1], sum(each.shape[-1] for each in held))
    op = "Add" if join == "sum" else "Mul"
    name = reduce(lambda one, other: writer.node(op, one, other), (each.name for each in held))
    return held[0].then(name, *np.broadcast_shapes(*(each.shape for each in held)))


def _beside(writer: Writer, x: Value, axes: int, is_first: bool) -> Value:
    """A value as it is held beside others; features alone, of which there are as many everywhere, with axes of 1."""
    if len(x.shape) > 1 or axes == 1:
        return writer.first(x) if is_first else writer.plain(x)
    x, ones = writer.plain(x), [1] * (axes - 1)
    shape = [-1, *x.shape, *ones] if is_first else [-1, *ones, *x.shape]
    name = writer.node("Reshape", x.name, writer.builder.integers(*shape))
    return replace(x, name=name, shape=(*ones, *x.shape), is_first=is_first)


def siamese(writer: Writer, layer: nn.Siamese, part: Part, x: Value) -> Value:
    """The views of all rows one after the other, as rows."""
    x = writer.plain(x)
    flat = x.then(writer.node("Reshape", x.name, writer.builder.integers(-1, *x.shape[1:])), *x.shape[1:])
    y = writer.plain(sequential(writer, layer.trunk, part, flat))
    name = writer.node("Reshape", y.name, writer.builder.integers(-1, x.shape[0], *y.shape))
    return y.then(name, x.shape[0], *y.shape)


def places(writer: Writer, layer: nn.Places, part: Part, x: Value) -> Value:
    return sequential(writer, layer.before, part, x)


FORMS: dict[type[Layer], Form] = SINGLE | {
    nn.Sequential: sequential,
    nn.Mirrored: mirrored,
    nn.Residual: residual,
    nn.Ensemble: apart,
    nn.Committee: apart,
    nn.EachMember: each_member,
    nn.Wired: wired,
    nn.Siamese: siamese,
    nn.Places: places,
}

# What takes whole numbers too, or leaves them to what is within; the operators of all others are for float32.
ANY_TYPE = {nn.Embedding, nn.Flatten, nn.Sequential, nn.Ensemble, nn.Committee, nn.Siamese, nn.Places}
