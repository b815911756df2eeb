"""Every ready network goes out to ONNX and comes back as one that computes the same."""

import numpy as np
import pytest

import preceptor as pr
from preceptor import nn
from preceptor.export.onnx.builder import Builder
from preceptor.export.onnx.network import write_network
from preceptor.foreign.onnx_network import read_network

pytest.importorskip("onnxruntime", reason="networks go out by it: pip install 'preceptor[onnx]'")

EXCITED = nn.Wired(
    (nn.GlobalMeanPool(), nn.Dense(4), nn.Sigmoid(), nn.Linear(), nn.Clip(-1.0, 2.0), nn.Linear()),
    ("squeeze", "gate", "sigmoid", "scaled", "clipped", "both"),
    (("input",), ("squeeze",), ("gate",), ("input", "sigmoid"), ("input",), ("scaled", "clipped", "input")),
    ("sum", "sum", "sum", "product", "sum", "concatenate"),
)
OTHERS = (nn.Rescale(2.0, 1.0), nn.ZeroPad(((1, 0), (0, 2), (0, 0))), nn.Convolution(4), nn.ScaleShift(3), EXCITED)
NETWORKS = {
    "wired": (nn.Sequential((*OTHERS, nn.Flatten(), nn.Dense(3), nn.LogSoftmax())), (6, 5, 3)),
    "linear": (nn.linear_model(3), (5,)),
    "mlp": (nn.mlp((8, 6), 3), (5,)),
    "mlp, all of it": (nn.mlp((8, 6), 3, activation=nn.Swish(), batch_norm=True, drop_rate=0.3), (5,)),
    "mlp, vanilla": (nn.mlp((8,), 3, activation=nn.Gelu(), drop_rate=0.3, dropout="vanilla"), (5,)),
    "mlp, connect": (nn.mlp((8,), 3, drop_rate=0.3, dropout="connect"), (5,)),
    "members": (nn.mlp((8, 6), 3, members=4), (5,)),
    "members, all of it": (nn.mlp((8, 6), 3, activation=nn.Tanh(), members=4, batch_norm=True, drop_rate=0.3), (5,)),
    "cnn": (nn.cnn(10, drop_rate=0.2), (12, 10, 3)),
    "convnet": (nn.convnet(10), (16, 16, 3)),
    "lenet5": (nn.lenet5(10), (28, 28, 1)),
    "lenet5, batch norm": (nn.lenet5(10, batch_norm=True), (28, 28, 1)),
    "vgg": (nn.vgg(10, widths=(8, 16, 32)), (16, 16, 3)),
    "resnet20": (nn.resnet20(10), (8, 8, 3)),
}
LARGE = {
    "alexnet": (nn.alexnet(10), (64, 64, 3)),
    "alexnet, batch norm": (nn.alexnet(10, batch_norm=True), (64, 64, 3)),
    "efficientnet_lite0": (nn.efficientnet_lite0(10), (64, 64, 3)),
}


def there_and_back(network, shape, path):
    """The outputs of a network for four examples, and of what is read of its file, with what was read."""
    rng = np.random.default_rng(3)
    params, state = network.init(rng, pr.Spec((1, *shape), np.dtype(np.float32)))
    params = {name: (value + 0.1 * rng.normal(size=value.shape)).astype(np.float32) for name, value in params.items()}
    state = {name: rng.uniform(0.5, 1.5, value.shape).astype(np.float32) for name, value in state.items()}
    builder = Builder()
    first = len(shape) == 3
    held = (shape[-1], *shape[:-1]) if first else shape
    x = builder.input("x", np.float32, held)
    y = write_network(builder, network, params, state, x, shape, channels_first=first)
    units = nn.output_spec(network, params, state, pr.Spec((1, *shape), np.dtype(np.float32))).shape[1:]
    builder.output(y, "y", np.float32, units)
    path.write_bytes(builder.finish({}).SerializeToString())
    read = read_network(path)
    given = rng.normal(size=(4, *shape)).astype(np.float32)
    ours, _ = network.apply(params, state, given, train=False, key=None)
    back, _ = read.network.apply(read.params, read.state, given, train=False, key=None)
    return ours, back, read


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_that_goes_out_comes_back(name, tmp_path):
    network, shape = NETWORKS[name]
    ours, back, read = there_and_back(network, shape, tmp_path / "n.onnx")
    assert read.input_shape == shape
    assert np.abs(ours).max() > 0.1
    np.testing.assert_allclose(back, ours, rtol=0, atol=1e-5 * max(1, np.abs(ours).max()))


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_a_large_network_that_goes_out_comes_back(name, tmp_path):
    network, shape = LARGE[name]
    ours, back, read = there_and_back(network, shape, tmp_path / "n.onnx")
    assert read.input_shape == shape
    assert np.abs(ours).max() > 0.1
    np.testing.assert_allclose(back, ours, rtol=0, atol=1e-5 * max(1, np.abs(ours).max()))
