"""What each layer becomes in ONNX: the operators that others expect where there are such, else its traced graph.

Pictures are held with channels first, and the features of one laid out in that order, from the first layer that looks
at places to the last: nothing is turned between.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np

from preceptor import nn
from preceptor.errors import ConfigError, NotSupported
from preceptor.export.onnx.builder import Builder
from preceptor.export.onnx.function import Signal, write_with
from preceptor.export.onnx.windowed import MOST_AXES, first, kernel_order, last, pads_of, static
from preceptor.nn.layer import Arrays, Layer, within
from preceptor.nn.pooling import Pool
from preceptor.ops.window import lay_windows


@dataclass(frozen=True, eq=False)
class Value:
    """What goes from layer to layer.

    Args:
        shape: of one row, channels last, as layers know it.
        is_first: whether it is held with channels first.
        order: of features laid out in a row, which of them stands where; None where they stand as layers know them.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    is_first: bool = False
    order: np.ndarray | None = None

    def then(self, name: str, *shape: int) -> "Value":
        """Another value held in the same way, of one row's shape."""
        return replace(self, name=name, shape=shape or self.shape)


@dataclass(eq=False)
class Writer:
    """Writes layers into a graph; `_turned` keeps what was turned, so that layers side by side turn it once."""

    builder: Builder
    _turned: dict[tuple[str, bool], str] = field(default_factory=dict)

    def node(self, op: str, *inputs: str, **attributes: Any) -> str:
        """An operator with one output."""
        return self.builder.node(op, *inputs, **attributes)

    def first(self, x: Value) -> Value:
        """The value with channels first."""
        return x if x.is_first else replace(x, name=self._held(x, first(len(x.shape) + 1)), is_first=True)

    def plain(self, x: Value) -> Value:
        """The value as layers know it."""
        if x.order is not None:
            places = self.builder.constant(np.argsort(x.order))
            x = replace(x, name=self.node("Gather", x.name, places, axis=1), order=None)
        return replace(x, name=self._held(x, last(len(x.shape) + 1)), is_first=False) if x.is_first else x

    def _held(self, x: Value, axes: list[int]) -> str:
        key = (x.name, x.is_first)
        if key not in self._turned:
            is_same = axes == sorted(axes)
            self._turned[key] = x.name if is_same else self.node("Transpose", x.name, perm=axes)
        return self._turned[key]


PICTURE = 3  # axes of one

Part = tuple[Arrays, Arrays]  # parameters and state
Form = Callable[[Writer, Any, Part, Value], Value | None]  # None: this one has none, it is to be traced


def write_layer(writer: Writer, layer: Layer, part: Part, x: Value) -> Value:
    """Adds a layer with its parameters and state."""
    form = FORMS.get(type(layer))
    made = form(writer, layer, part, x) if form is not None and (x.dtype == np.float32 or form is embedding) else None
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


# Affine layers and their like


def _each(x: Value, values: np.ndarray) -> np.ndarray:
    """Numbers of features as they stand where the value is held."""
    return values if x.order is None else values[x.order]


def dense(writer: Writer, layer: nn.Dense, part: Part, x: Value) -> Value:
    x = x if len(x.shape) == 1 else writer.plain(x)
    numbers = [writer.builder.constant(_each(x, part[0]["weight"]), "weight")]
    if layer.bias:
        numbers.append(writer.builder.constant(part[0]["bias"], "bias"))
    if len(x.shape) == 1:
        name = writer.node("Gemm", x.name, *numbers)
    else:
        name = writer.node("MatMul", x.name, numbers[0])
        name = writer.node("Add", name, numbers[1]) if layer.bias else name
    return Value(name, (*x.shape[:-1], layer.units), x.dtype)


def drop_connect(writer: Writer, layer: nn.DropConnect, part: Part, x: Value) -> Value:
    _check_draws(layer)
    return dense(writer, layer, part, x)


def dropout(writer: Writer, layer: nn.Dropout, part: Part, x: Value) -> Value:
    _check_draws(layer)
    if layer.inverted or not layer.drop_rate:
        return x
    return x.then(writer.node("Mul", x.name, writer.builder.constant(np.float32(1 - layer.drop_rate), "share")))


def _check_draws(layer: nn.Dropout | nn.DropConnect) -> None:
    if layer.always and layer.drop_rate:
        raise ConfigError(
            f"{type(layer).__name__}: it drops outside training too; an exported network draws nothing at random. "
            "Export the network with always=False."
        )


def embedding(writer: Writer, layer: nn.Embedding, part: Part, x: Value) -> Value | None:
    if x.dtype.kind not in "iu":
        return None  # tracing it tells what is wrong
    name = x.name
    if x.dtype not in (np.int32, np.int64):
        name = writer.node("Cast", name, to=writer.builder.element(np.int64))
    weight = part[0]["weight"]
    name = writer.node("Gather", writer.builder.constant(weight, "weight"), name, axis=0)
    return Value(name, (*x.shape, layer.width), weight.dtype)


def members(writer: Writer, layer: nn.Members, part: Part, x: Value) -> Value:
    x, scale = writer.plain(x), part[0]["scale"]
    if layer.withheld:
        scale = scale * layer._seen(x.shape[0])
    if layer.untouched:
        scale = np.where(np.isin(np.arange(x.shape[0]), layer.untouched), np.float32(1), scale)
    wide = writer.node("Unsqueeze", x.name, writer.builder.integers(1))
    return x.then(writer.node("Mul", wide, writer.builder.constant(scale, "scale")), *scale.shape)


def member_dense(writer: Writer, layer: nn.MemberDense, part: Part, x: Value) -> Value:
    x = writer.plain(x)
    weight, bias = (writer.builder.constant(part[0][name], name) for name in ("weight", "bias"))
    product = writer.node("MatMul", writer.node("Transpose", x.name, perm=[1, 0, 2]), weight)
    back = writer.node("Transpose", product, perm=[1, 0, 2])
    return x.then(writer.node("Add", back, bias), x.shape[0], layer.units)


def convolution(writer: Writer, layer: nn.Convolution, part: Part, x: Value) -> Value:
    params, x = part[0], writer.first(x)
    weight = params["weight"]
    size = weight.shape[:-2]
    windows = lay_windows("convolution", x.shape[:-1], size, layer.stride, layer.padding, layer.dilation)
    inputs = [writer.builder.constant(weight.transpose(kernel_order(weight.ndim)), "weight")]
    if layer.bias:
        inputs.append(writer.builder.constant(params["bias"], "bias"))
    name = writer.node("Conv", x.name, *inputs, group=layer.groups, **static(windows))
    return x.then(name, *windows.counts(x.shape[:-1]), layer.filters)


# Norms


def batch_norm(writer: Writer, layer: nn.BatchNorm, part: Part, x: Value) -> Value:
    if len(x.shape) > 1:
        x = writer.first(x)
    values = part[0] | part[1]
    numbers = [writer.builder.constant(_each(x, values[name]), name) for name in ("scale", "shift", "mean", "variance")]
    return x.then(writer.node("BatchNormalization", x.name, *numbers, epsilon=layer.epsilon))


def layer_norm(writer: Writer, layer: nn.LayerNorm, part: Part, x: Value) -> Value:
    x = writer.plain(x)
    numbers = [writer.builder.constant(part[0][name], name) for name in ("scale", "shift")]
    return x.then(writer.node("LayerNormalization", x.name, *numbers, axis=-1, epsilon=layer.epsilon))


def local_response_norm(writer: Writer, layer: nn.LocalResponseNorm, part: Part, x: Value) -> Value | None:
    if layer.window % 2 == 0 or len(x.shape) != PICTURE:
        return None  # of an even window the larger half lies behind there
    x = writer.first(x)
    numbers = {"size": layer.window, "alpha": layer.alpha * layer.window, "beta": layer.beta, "bias": layer.k}
    return x.then(writer.node("LRN", x.name, **numbers))


# Pools and shapes


def pool(op: str, **attributes: Any) -> Form:
    """A pool of windows."""

    def form(writer: Writer, layer: Pool, part: Part, x: Value) -> Value | None:
        if not 2 <= len(x.shape) <= 1 + MOST_AXES:
            return None
        x = writer.first(x)
        stride = layer.window if layer.stride is None else layer.stride
        windows = lay_windows("pool", x.shape[:-1], layer.window, stride, layer.padding)
        shape = {"kernel_shape": list(windows.size), "strides": list(windows.stride), "pads": pads_of(windows)}
        name = writer.node(op, x.name, **shape, **attributes)
        if isinstance(layer, nn.SumPool):
            name = writer.node("Mul", name, writer.builder.constant(np.float32(windows.area), "area"))
        return x.then(name, *windows.counts(x.shape[:-1]), x.shape[-1])

    return form


def global_pool(op: str) -> Form:
    """A pool of all places."""

    def form(writer: Writer, layer: Layer, part: Part, x: Value) -> Value:
        if len(x.shape) == 1:
            return x
        x = writer.first(x)
        return Value(writer.node("Flatten", writer.node(op, x.name), axis=1), x.shape[-1:], x.dtype)

    return form


def flatten(writer: Writer, layer: nn.Flatten, part: Part, x: Value) -> Value:
    if len(x.shape) == 1:
        return x
    order = None
    if x.is_first and prod(x.shape[:-1]) > 1:
        order = np.moveaxis(np.arange(prod(x.shape)).reshape(x.shape), -1, 0).ravel()
    return Value(writer.node("Flatten", x.name, axis=1), (prod(x.shape),), x.dtype, order=order)


# Activations


def alike(op: str, **names: str) -> Form:
    """An operator on each element. Args: names: of its attributes, and of the layer's fields that they are."""
    return lambda writer, layer, part, x: x.then(
        writer.node(op, x.name, **{name: getattr(layer, field) for name, field in names.items()})
    )


def passed_on(writer: Writer, layer: Layer, part: Part, x: Value) -> Value:
    return x


def hard_sigmoid(writer: Writer, layer: nn.HardSigmoid, part: Part, x: Value) -> Value:
    return x.then(writer.node("HardSigmoid", x.name, alpha=1 / 6, beta=0.5))


def swish(writer: Writer, layer: nn.Swish, part: Part, x: Value) -> Value:
    return x.then(writer.node("Mul", x.name, writer.node("Sigmoid", x.name)))


def softmax(writer: Writer, layer: nn.Softmax, part: Part, x: Value) -> Value:
    return x.then(writer.node("Softmax", x.name, axis=1 if x.is_first else -1))


def parametric_relu(writer: Writer, layer: nn.ParametricRelu, part: Part, x: Value) -> Value:
    slope = _each(x, part[0]["slope"])
    if x.is_first:
        slope = slope.reshape(-1, *[1] * (len(x.shape) - 1))
    return x.then(writer.node("PRelu", x.name, writer.builder.constant(slope, "slope")))


FORMS: dict[type[Layer], Form] = {
    nn.Sequential: sequential,
    nn.Residual: residual,
    nn.Ensemble: apart,
    nn.Committee: apart,
    nn.EachMember: each_member,
    nn.Dense: dense,
    nn.DropConnect: drop_connect,
    nn.Dropout: dropout,
    nn.Embedding: embedding,
    nn.Members: members,
    nn.MemberDense: member_dense,
    nn.Convolution: convolution,
    nn.BatchNorm: batch_norm,
    nn.LayerNorm: layer_norm,
    nn.LocalResponseNorm: local_response_norm,
    nn.MaxPool: pool("MaxPool"),
    nn.MeanPool: pool("AveragePool", count_include_pad=0),
    nn.SumPool: pool("AveragePool", count_include_pad=1),
    nn.GlobalMeanPool: global_pool("GlobalAveragePool"),
    nn.GlobalMaxPool: global_pool("GlobalMaxPool"),
    nn.Flatten: flatten,
    nn.Linear: passed_on,
    nn.Sigmoid: alike("Sigmoid"),
    nn.HardSigmoid: hard_sigmoid,
    nn.Tanh: alike("Tanh"),
    nn.Relu: alike("Relu"),
    nn.LeakyRelu: alike("LeakyRelu", alpha="slope"),
    nn.ParametricRelu: parametric_relu,
    nn.Elu: alike("Elu", alpha="alpha"),
    nn.Selu: alike("Selu"),
    nn.Gelu: alike("Gelu"),
    nn.Swish: swish,
    nn.Softplus: alike("Softplus"),
    nn.Softsign: alike("Softsign"),
    nn.Exponential: alike("Exp"),
    nn.Softmax: softmax,
}
