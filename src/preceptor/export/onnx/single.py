"""What layers that hold no others become in ONNX: one small function each, in a table by the layer's class."""

from math import prod
from typing import Any

import numpy as np

from preceptor import nn
from preceptor.errors import ConfigError
from preceptor.export.onnx.value import Form, Part, Value, Writer
from preceptor.export.onnx.windowed import MOST_AXES, first, kernel_order, pads_of, static
from preceptor.nn.layer import Layer
from preceptor.nn.pooling import Pool
from preceptor.ops.window import lay_windows

PICTURE = 3  # axes of one


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


def patch_whitening(writer: Writer, layer: nn.PatchWhitening, part: Part, x: Value) -> Value:
    weight = part[1]["weight"]
    alike = nn.Convolution(weight.shape[-1], layer.window, padding="valid", bias=False)
    return convolution(writer, alike, ({"weight": weight}, {}), x)


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


def rescale(writer: Writer, layer: nn.Rescale, part: Part, x: Value) -> Value:
    name = x.name
    if layer.scale != 1:
        name = writer.node("Mul", name, writer.builder.constant(np.float32(layer.scale), "scale"))
    if layer.shift != 0:
        name = writer.node("Add", name, writer.builder.constant(np.float32(layer.shift), "shift"))
    return x.then(name)


def scale_shift(writer: Writer, layer: nn.ScaleShift, part: Part, x: Value) -> Value:
    rank = len(x.shape)
    if layer.axes != 1 and layer.axes != rank:
        x = writer.plain(x)
    name = x.name
    for op, key in (("Mul", "scale"), ("Add", "shift")):
        if key in part[0]:
            numbers = _each(x, part[0][key])
            if x.is_first:
                numbers = np.moveaxis(numbers.reshape(*[1] * (rank - layer.axes), *numbers.shape), -1, 0)
            name = writer.node(op, name, writer.builder.constant(numbers, key))
    return x.then(name)


# Norms


def batch_norm(writer: Writer, layer: nn.BatchNorm, part: Part, x: Value) -> Value:
    if len(x.shape) > 1:
        x = writer.first(x)
    values = {"scale": np.ones_like(part[0]["shift"])} | part[0] | part[1]
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


def permute(writer: Writer, layer: nn.Permute, part: Part, x: Value) -> Value:
    rank = len(x.shape) + 1
    held = first(rank) if x.is_first else list(range(rank))
    axes = [held.index(axis) for axis in (0, *layer.axes)]  # where each stands now
    name = x.name if axes == sorted(axes) else writer.node("Transpose", x.name, perm=axes)
    return Value(name, tuple(x.shape[axis - 1] for axis in layer.axes), x.dtype, order=x.order)


def reshape(writer: Writer, layer: nn.Reshape, part: Part, x: Value) -> Value:
    x = writer.plain(x)
    return x.then(writer.node("Reshape", x.name, writer.builder.integers(-1, *layer.shape)), *layer.shape)


def zero_pad(writer: Writer, layer: nn.ZeroPad, part: Part, x: Value) -> Value:
    x = x if len(x.shape) > 1 else writer.plain(x)
    widths = [layer.widths[-1], *layer.widths[:-1]] if x.is_first else list(layer.widths)
    pads = writer.builder.integers(0, *(before for before, _ in widths), 0, *(after for _, after in widths))
    shape = [n + before + after for n, (before, after) in zip(x.shape, layer.widths, strict=True)]
    return x.then(writer.node("Pad", x.name, pads), *shape)


# Activations


def alike(op: str, **names: str) -> Form:
    """An operator on each element. Args: names: of its attributes, and of the layer's fields that they are."""
    return lambda writer, layer, part, x: x.then(
        writer.node(op, x.name, **{name: getattr(layer, field) for name, field in names.items()})
    )


def clip(writer: Writer, x: Value, low: float | None, high: float | None) -> Value:
    """Limits, None for none."""
    limits = [
        "" if limit is None else writer.builder.constant(np.float32(limit), name)
        for limit, name in ((low, "low"), (high, "high"))
    ]
    return x if limits == ["", ""] else x.then(writer.node("Clip", x.name, *limits[: 2 if limits[1] else 1]))


def passed_on(writer: Writer, layer: Layer, part: Part, x: Value) -> Value:
    return x


def hard_sigmoid(writer: Writer, layer: nn.HardSigmoid, part: Part, x: Value) -> Value:
    return x.then(writer.node("HardSigmoid", x.name, alpha=1 / 6, beta=0.5))


def swish(writer: Writer, layer: nn.Swish, part: Part, x: Value) -> Value:
    return x.then(writer.node("Mul", x.name, writer.node("Sigmoid", x.name)))


def along_features(op: str) -> Form:
    """An operator along the last axis."""
    return lambda writer, layer, part, x: x.then(writer.node(op, x.name, axis=1 if x.is_first else -1))


def parametric_relu(writer: Writer, layer: nn.ParametricRelu, part: Part, x: Value) -> Value:
    slope = _each(x, part[0]["slope"])
    if x.is_first:
        slope = slope.reshape(-1, *[1] * (len(x.shape) - 1))
    return x.then(writer.node("PRelu", x.name, writer.builder.constant(slope, "slope")))


SINGLE: dict[type[Layer], Form] = {
    nn.Dense: dense,
    nn.DropConnect: drop_connect,
    nn.Dropout: dropout,
    nn.Embedding: embedding,
    nn.Members: members,
    nn.MemberDense: member_dense,
    nn.Convolution: convolution,
    nn.PatchWhitening: patch_whitening,
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
    nn.Softmax: along_features("Softmax"),
    nn.LogSoftmax: along_features("LogSoftmax"),
    nn.Clip: lambda writer, layer, part, x: clip(writer, x, layer.low, layer.high),
    nn.Relu6: lambda writer, layer, part, x: clip(writer, x, 0, 6),
    nn.Rescale: rescale,
    nn.ScaleShift: scale_shift,
    nn.Permute: permute,
    nn.Reshape: reshape,
    nn.ZeroPad: zero_pad,
}
