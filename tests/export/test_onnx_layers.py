"""Every layer, and every ready network, goes out; onnxruntime's numbers are the outside value."""

import runpy
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pytest

import preceptor as pr
from preceptor import nn
from preceptor.errors import ConfigError, NotSupported
from preceptor.export.onnx.builder import Builder, newest_opset
from preceptor.export.onnx.layers import FORMS
from preceptor.export.onnx.network import write_network
from preceptor.export.onnx.proof import largest_difference
from preceptor.nn.config import KNOWN
from preceptor.nn.layer import Layer, output_spec

pytest.importorskip("onnx", reason="what is tested is written with it: pip install 'preceptor[onnx]'")
pytest.importorskip("onnxruntime", reason="it runs what was written: pip install 'preceptor[onnx]'")

FILES = sorted((Path(__file__).parents[1] / "nn").glob("test_*.py"))  # each has a row for each layer of its module
ROWS = [row for file in FILES for row in runpy.run_path(str(file)).get("ROWS", [])]
LAYERS = [(layer, tuple(shape)) for layer, shape, *_ in ROWS]
IDS = [f"{type(layer).__name__}-{number}" for number, (layer, _) in enumerate(LAYERS)]
MOST = 1e-5


def inside(layer):
    yield layer
    for field in fields(layer):
        value = getattr(layer, field.name)
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, Layer):
                yield from inside(each)


def learned(layer, shape, dtype, rng):
    """Parameters and state as training leaves them: none is where it began."""
    params, state = layer.init(rng, pr.Spec((2, *shape), np.dtype(dtype)))
    moved = {name: value + 0.1 * rng.normal(size=np.shape(value)).astype(np.float32) for name, value in params.items()}
    return moved, {
        name: value + np.abs(rng.normal(size=np.shape(value))).astype(np.float32) for name, value in state.items()
    }


def written(layer, params, state, shape, dtype=np.float32, opset=20):
    """The model of a network alone."""
    builder = Builder(opset)
    name = write_network(builder, layer, params, state, builder.input("x", dtype, shape), shape, dtype)
    out = output_spec(layer, params, state, pr.Spec((2, *shape), np.dtype(dtype)))
    builder.output(name, "y", np.float32, out.shape[1:])
    return builder.finish({})


def ours(layer, params, state, x):
    """What our own engine computes."""
    return pr.jit(lambda p, s, x: layer.apply(p, s, x, train=False, key=None)[0])(params, state, x)


def check(layer, shape, opsets=(20,), counts=(1, 3, 8)):
    """The model of the last opset, after the outputs of all were compared at several numbers of rows."""
    rng = np.random.default_rng(5)
    is_whole = any(isinstance(each, nn.Embedding) for each in inside(layer))
    dtype = np.int32 if is_whole else np.float32
    params, state = learned(layer, shape, dtype, rng)
    shapes = [(count, *shape) for count in counts]
    inputs = [(rng.integers(0, 3, each) if is_whole else rng.normal(size=each)).astype(dtype) for each in shapes]
    wanted = [ours(layer, params, state, x) for x in inputs]
    for opset in opsets:
        model = written(layer, params, state, shape, dtype, opset)
        for x, y in zip(inputs, wanted, strict=True):
            assert largest_difference(model.SerializeToString(), {"x": x}, {"y": y}) <= MOST
    return model


def operators(model):
    return [node.op_type for node in model.graph.node]


def test_every_layer_of_the_closed_list_is_tried():
    layers = {kind for kind in KNOWN.values() if issubclass(kind, Layer)}
    assert layers - {type(each) for layer, _ in LAYERS for each in inside(layer)} == set()
    assert set(FORMS) <= layers


@pytest.mark.parametrize("layer, shape", LAYERS, ids=IDS)
def test_a_layer_goes_out(layer, shape):
    check(layer, shape[1:], (20, 21, newest_opset()))


EDGES = [(-1.0, -0.2, 0.5, 2.0), tuple(np.linspace(-2, 2, 12))]
LEVELS = ((4, 5), (3, 7))
AIRBENCH = (nn.airbench(10, widths=(8, 12)).layers, nn.airbench(10, widths=(8, 12)).names)
NETWORKS = {
    "linear": (nn.linear_model(3), (5,)),
    "mlp": (nn.mlp((16, 8), 3, drop_rate=0.2, batch_norm=True), (5,)),
    "mlp members": (nn.mlp((16, 8), 3, members=4, batch_norm=True, activation=nn.ParametricRelu()), (5,)),
    "mlp vanilla": (nn.mlp((16,), 3, drop_rate=0.2, dropout="vanilla"), (5,)),
    "mlp connect": (nn.mlp((16,), 3, drop_rate=0.2, dropout="connect", members=2), (5,)),
    "mlp waves": (nn.mlp((16,), 3, waves=8, numbers=(0, 2)), (5,)),
    "mlp bins": (nn.mlp((16,), 3, numbers=(0, 2), edges=EDGES), (5,)),
    "mlp all": (
        nn.mlp((16, 8), 3, members=4, waves=8, numbers=(0, 2), edges=EDGES, levels=LEVELS, activation=nn.Selu()),
        (6,),
    ),
    "ensemble": (nn.Ensemble(nn.mlp((8,), 2), 3), (5,)),
    "cnn": (nn.cnn(10), (12, 10, 3)),
    "convnet": (nn.convnet(10, stride=2), (32, 28, 1)),
    "lenet5": (nn.lenet5(10), (28, 28, 1)),
    "lenet5 norm": (nn.lenet5(10, batch_norm=True, activation=nn.Swish()), (32, 32, 3)),
    "vgg": (nn.vgg(10, drop_rate=0.5), (8, 8, 3)),
    "resnet20": (nn.resnet20(10), (8, 8, 3)),
    "airbench": (nn.airbench(10, widths=(8, 12)), (12, 10, 3)),
    "airbench of both sides": (nn.Mirrored(*AIRBENCH), (12, 10, 3)),
    "airbench of moved pictures": (nn.Mirrored(*AIRBENCH, shift=2), (12, 10, 3)),
    "efficientnet-lite0": (nn.efficientnet_lite0(10), (32, 32, 3)),
    "ensemble of pictures": (nn.Ensemble(nn.lenet5(10), 2), (28, 28, 1)),
}
ORDINARY = {"Add", "AveragePool", "BatchNormalization", "Clip", "Conv", "Flatten", "Gemm", "GlobalAveragePool", "LRN"}
ORDINARY |= {"MaxPool", "Relu", "Tanh", "Transpose"}


def marked(names):
    """The names, those of what takes long marked so."""
    return [pytest.param(name, marks=[pytest.mark.slow] * (name == "efficientnet-lite0")) for name in names]


@pytest.mark.parametrize("name", marked(NETWORKS))
def test_a_ready_network_goes_out(name):
    network, shape = NETWORKS[name]
    check(network, shape, (20, 21, newest_opset()), (1, 5))


@pytest.mark.slow
def test_alexnet_goes_out():
    model = check(nn.alexnet(10), (64, 64, 3), (20, 21, newest_opset()), (2,))
    assert set(operators(model)) <= ORDINARY


@pytest.mark.parametrize("name", marked(["cnn", "convnet", "lenet5", "vgg", "resnet20", "efficientnet-lite0"]))
def test_pictures_are_turned_once_at_the_entrance(name):
    network, shape = NETWORKS[name]
    model = check(network, shape, counts=(2,))
    assert operators(model).index("Transpose") == 0
    assert operators(model).count("Transpose") == 1
    assert set(operators(model)) <= ORDINARY


def test_pictures_that_have_channels_first_are_not_turned():
    network, shape = NETWORKS["lenet5"]
    params, state = learned(network, shape, np.float32, np.random.default_rng(5))
    builder = Builder()
    x = builder.input("x", np.float32, (shape[-1], *shape[:-1]))
    builder.output(
        write_network(builder, network, params, state, x, shape, channels_first=True), "y", np.float32, (10,)
    )
    model = builder.finish({})
    assert "Transpose" not in operators(model)
    x = np.random.default_rng(6).normal(size=(3, *shape)).astype(np.float32)
    turned = np.ascontiguousarray(np.moveaxis(x, -1, 1))
    assert largest_difference(model.SerializeToString(), {"x": turned}, {"y": ours(network, params, state, x)}) <= MOST


def test_names_tell_the_layer_and_weights_are_called_as_parameters():
    model = check(nn.Sequential((nn.Residual(nn.Sequential((nn.Dense(4), nn.Relu()))), nn.Dense(2))), (4,), counts=(2,))
    assert [node.name for node in model.graph.node] == [
        "residual1/block/dense1/gemm",
        "residual1/block/relu1/relu",
        "residual1/add",
        "dense1/gemm",
    ]
    assert [each.name for each in model.graph.initializer] == [
        f"{path}/{name}" for path in ("residual1/block/dense1", "dense1") for name in ("weight", "bias")
    ]


@pytest.mark.parametrize(
    "behind",
    [
        nn.Dense(3),
        nn.BatchNorm(),
        nn.ParametricRelu(),
        nn.Softmax(),
        nn.Maxout(2),
        nn.LayerNorm(),
        nn.Residual(nn.Relu()),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_features_of_a_picture_in_a_row_are_each_taken_for_what_they_are(behind):
    check(nn.Sequential((nn.Convolution(4), nn.Flatten(), nn.Relu(), behind)), (3, 5, 2))


@pytest.mark.parametrize(
    "behind",
    [
        nn.ScaleShift(),
        nn.ScaleShift(2),
        nn.ScaleShift(3),
        nn.ParametricRelu(),
        nn.LogSoftmax(),
        nn.Permute((3, 1, 2)),
        nn.Permute((2, 1, 3)),
        nn.Reshape((5, 12)),
        nn.ZeroPad(((1, 0), (0, 2), (3, 0))),
    ],
    ids=str,
)
def test_a_picture_with_channels_first_is_taken_for_what_it_is(behind):
    check(nn.Sequential((nn.Convolution(4), behind, nn.Flatten(), nn.Dense(2))), (3, 5, 2))


def test_whole_numbers_go_in():
    check(nn.Sequential((nn.Flatten(), nn.Embedding(3, 2), nn.Flatten(), nn.Dense(2))), (3, 2))


def test_axes_that_were_turned_for_us_are_not_turned_back():
    network = nn.Sequential((nn.Convolution(4), nn.Permute((3, 1, 2)), nn.Flatten(), nn.Dense(2)))
    assert operators(check(network, (3, 5, 2), counts=(2,))) == ["Transpose", "Conv", "Flatten", "Gemm"]


def test_wires_join_what_lies_differently():
    excited = nn.Wired(  # squeeze and excitation, and what goes round it
        (nn.Convolution(4), nn.GlobalMeanPool(), nn.Dense(4), nn.Sigmoid(), nn.Linear(), nn.Relu(), nn.Convolution(2)),
        ("first", "squeeze", "dense", "gate", "gated", "beside", "last"),
        (("input",), ("first",), ("squeeze",), ("dense",), ("first", "gate"), ("first", "input"), ("gated", "beside")),
        ("sum", "sum", "sum", "sum", "product", "concatenate", "concatenate"),
    )
    model = check(excited, (4, 5, 3))
    assert operators(model).count("Transpose") == 2  # at the entrance and the exit
    flat = nn.Wired(
        (nn.Convolution(4), nn.Flatten(), nn.Flatten(), nn.Dense(2)),
        ("c", "flat", "given", "out"),
        (("input",), ("c",), ("input",), ("flat", "given")),
        ("sum", "sum", "sum", "concatenate"),
    )
    check(flat, (4, 5, 3))


@pytest.mark.parametrize("padding", ["same", "valid", 1, ((1, 0), (0, 1))])
@pytest.mark.parametrize("stride", [1, 2, (3, 1)])
def test_windows_lie_where_ours_do(padding, stride):
    pools = [kind((3, 2), stride, padding) for kind in (nn.MaxPool, nn.MeanPool, nn.SumPool)]
    for layer in (
        *pools,
        nn.Convolution(4, (3, 2), stride, padding, groups=2),
        nn.Convolution(4, 2, 1, padding, (2, 3)),
    ):
        check(nn.Sequential((layer,)), (9, 8, 4), counts=(2,))


@dataclass(frozen=True)
class Centred(Layer):
    """A layer of a user's own: takes off what a learned mixture of the row is, and turns it."""

    def init(self, rng, spec):
        return {"mix": rng.normal(size=(spec.shape[-1], 1)).astype(np.float32)}, {"turn": np.float32(0.3)}

    def apply(self, params, state, x, *, train, key):
        return pr.sin(x - x @ params["mix"]) * pr.exp(state["turn"]), state


@dataclass(frozen=True)
class OfTheBatch(Layer):
    """What it gives a row depends on how many there are."""

    def init(self, rng, spec):
        return {}, {}

    def apply(self, params, state, x, *, train, key):
        return x / x.shape[0], state


def test_layers_of_a_users_own_go_out():
    check(nn.Sequential((nn.Dense(4), Centred(), nn.Dense(2))), (3,))
    check(nn.Sequential((nn.Convolution(4), Centred(), nn.Convolution(2))), (6, 6, 3))


def test_what_cannot_go_out_is_told_with_its_path():
    network = nn.Sequential((nn.Residual(nn.Sequential((nn.Dense(3), OfTheBatch()))),))
    with pytest.raises(
        NotSupported, match=r"^residual1/block/ofthebatch1/constant at test_onnx_layers.*number of rows"
    ):
        check(network, (3,))
    for layer in (nn.Dropout(0.5, always=True), nn.DropConnect(3, drop_rate=0.5, always=True)):
        params, state = learned(layer, (3,), np.float32, np.random.default_rng(5))
        builder = Builder()
        with pytest.raises(ConfigError, match=f"^{type(layer).__name__}: it drops outside training too"):
            write_network(builder, layer, params, state, builder.input("x", np.float32, (3,)), (3,))


def test_what_was_trained_in_float64_goes_out_in_float32():
    network = nn.mlp((8,), 2, batch_norm=True)
    rng = np.random.default_rng(5)
    params, state = (
        {n: v.astype(np.float64) for n, v in each.items()} for each in learned(network, (3,), np.float32, rng)
    )
    model = written(network, params, state, (3,))
    assert {each.data_type for each in model.graph.initializer} == {1}
    x = rng.normal(size=(4, 3))
    wanted = ours(network, params, state, x)
    assert largest_difference(model.SerializeToString(), {"x": x.astype(np.float32)}, {"y": wanted}) <= MOST
