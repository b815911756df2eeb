import json

import numpy as np
import pytest

import preceptor as pr
from preceptor import nn
from preceptor.errors import ShapeError

NETWORKS = {
    "airbench": (nn.airbench(10), (32, 32, 3)),
    "cnn": (nn.cnn(10), (32, 32, 3)),
    "convnet": (nn.convnet(10), (32, 32, 3)),
    "lenet5": (nn.lenet5(10), (32, 32, 1)),
    "vgg": (nn.vgg(10), (32, 32, 3)),
    "resnet20": (nn.resnet20(10), (32, 32, 3)),
    "alexnet": (nn.alexnet(), (227, 227, 3)),
    "efficientnet_lite0": (nn.efficientnet_lite0(), (224, 224, 3)),
    "efficientnet_lite1": (nn.efficientnet_lite1(), (240, 240, 3)),
    "efficientnet_lite2": (nn.efficientnet_lite2(), (260, 260, 3)),
}


def spec(*shape):
    return pr.Spec(shape, np.dtype(np.float32))


def shapes(network, *picture):
    """Name -> shape of the output of each layer, without the batch."""
    params, state = nn.initial_specs(network, spec(1, *picture))
    return {name: out.shape[1:] for name, _, out in network.walk(params, state, spec(1, *picture))}


def count(network, *picture):
    return nn.count_parameters(nn.initial_specs(network, spec(1, *picture))[0])


@pytest.mark.parametrize(
    "network, picture, parameters",
    [
        (nn.alexnet(), (227, 227, 3), 60_965_224),  # Caffe's model of the paper's network
        (nn.alexnet(), (224, 224, 3), 60_965_224),
        (nn.alexnet(local_response_norm=False, drop_rate=0), (224, 224, 3), 60_965_224),
        (nn.lenet5(10), (32, 32, 1), 61_706),
        (nn.lenet5(10), (28, 28, 1), 44_426),
        (nn.resnet20(10), (32, 32, 3), 272_474),  # option A: 269,722, and 2,752 for the projections
        # By hand: convolutions without bias, two numbers of norm for each filter, dense layers.
        (nn.vgg(10), (32, 32, 3), 9 * (3 * 64 + 64**2 + 64 * 128 + 128**2 + 128 * 256 + 256**2) + 1_792 + 40_970),
        (nn.airbench(10), (32, 32, 3), 9 * (24 * 64 + 64**2 + 64 * 256 + 3 * 256**2) + 2 * (64 + 256 + 256) + 2_570),
        (nn.convnet(10), (32, 32, 3), 9 * (3 * 32 + 32 * 64 + 64 * 128) + 448 + 20_490),
        (nn.cnn(10), (32, 32, 3), 9 * (3 * 32 + 32 * 64) + 192 + (4096 + 1) * 128 + 1_290),
    ],
)
def test_parameters_are_as_many_as_known(network, picture, parameters):
    assert count(network, *picture) == parameters


@pytest.mark.parametrize("name", NETWORKS)
def test_the_count_in_the_docstring_is_right(name):
    network, picture = NETWORKS[name]
    assert f"{count(network, *picture):,} parameters" in " ".join(getattr(nn, name).__doc__.split())


@pytest.mark.parametrize("side", [224, 227])
def test_alexnet_has_the_layers_of_the_paper(side):
    found = shapes(nn.alexnet(), side, side, 3)
    assert [found[f"convolution{i}"] for i in range(1, 6)] == [
        (55, 55, 96), (27, 27, 256), (13, 13, 384), (13, 13, 384), (13, 13, 256)
    ]  # fmt: skip
    assert [found[f"pool{i}"] for i in (1, 2, 5)] == [(27, 27, 96), (13, 13, 256), (6, 6, 256)]
    assert [found[name] for name in ("dense6", "dense7", "output")] == [(4096,), (4096,), (1000,)]
    units = [np.prod(shape) for name, shape in found.items() if name.startswith(("convolution", "dense", "output"))]
    assert sum(units) == 659_272  # the paper: 650,000
    names = nn.alexnet().names
    assert {"norm1", "norm2", "dropout6", "dropout7"} <= set(names)
    assert not {"norm1", "norm2"} & set(nn.alexnet(local_response_norm=False).names)


def test_multiply_adds_of_alexnet_are_as_known():
    """105.4, 223.9, 149.5, 112.1, 74.8 million in the convolutions, 58.6 million in the dense layers."""
    network, given = nn.alexnet(), spec(1, 227, 227, 3)
    layers = [55**2 * 96 * 363, 27**2 * 256 * 1200, 13**2 * 384 * 2304, 13**2 * 384 * 1728, 13**2 * 256 * 1728]
    dense = 9216 * 4096 + 4096 * 4096 + 4096 * 1000
    assert nn.multiply_adds(network, *nn.initial_specs(network, given), given) == sum(layers) + dense == 724_406_816


def test_lenet_has_the_layers_of_the_paper():
    found = shapes(nn.lenet5(10), 32, 32, 1)
    wanted = {"convolution1": (28, 28, 6), "pool1": (14, 14, 6), "convolution2": (10, 10, 16), "pool2": (5, 5, 16)}
    wanted |= {"flatten": (400,), "dense1": (120,), "dense2": (84,), "output": (10,)}
    assert wanted.items() <= found.items()


def test_resnet_has_twenty_layers_with_weights():
    params, _ = nn.initial_specs(nn.resnet20(10), spec(1, 32, 32, 3))
    weights = [name for name in params if name.endswith("weight") and "projection" not in name]
    assert len(weights) == 20
    found = shapes(nn.resnet20(10), 32, 32, 3)
    assert [found[f"block{i}3"] for i in (1, 2, 3)] == [(32, 32, 16), (16, 16, 32), (8, 8, 64)]


@pytest.mark.parametrize(
    "network, side",
    [
        (nn.alexnet(), 64),
        (nn.vgg(10), 8),
        (nn.resnet20(10), 1),
        (nn.cnn(10), 4),
        (nn.lenet5(10), 16),
        (nn.airbench(10), 9),
    ],
)
def test_the_smallest_picture_is_as_stated(network, side):
    params, state = nn.initial_specs(network, spec(1, side, side, 3))
    assert nn.output_spec(network, params, state, spec(7, side, side, 3)).shape[0] == 7
    if side > 1:
        with pytest.raises(ShapeError, match=r"^\w+ \((MaxPool|MeanPool|Convolution)\) "):
            nn.initial_specs(network, spec(1, side - 1, side - 1, 3))


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_survive_json(name):
    network, _ = NETWORKS[name]
    assert nn.from_config(json.loads(json.dumps(nn.to_config(network)))) == network


def layers_of(layer):
    """A layer and all that are in it."""
    yield layer
    inner = layer.layers if isinstance(layer, nn.Sequential) else ()
    inner = (layer.block, layer.projection) if isinstance(layer, nn.Residual) else inner
    for each in inner:
        if each is not None:
            yield from layers_of(each)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_takes_what_can_be_chosen_of_its_layers(name):
    make, own = getattr(nn, name), list(layers_of(NETWORKS[name][0]))
    chosen = make(10, drop_rate=0.25, activation=nn.Elu(), initialiser=nn.Gaussian(0.02), batch_norm=False)
    found = list(layers_of(chosen))
    assert {each.drop_rate for each in found if isinstance(each, nn.Dropout)} == {0.25}
    drawn = [each for each in found if isinstance(each, nn.Dense | nn.Convolution)]
    assert {each.initialiser for each in drawn} == {nn.Gaussian(0.02)}
    family = name.partition("_")[0]
    kind = {"lenet5": nn.Tanh, "efficientnet": nn.Relu6, "airbench": nn.Gelu}.get(family, nn.Relu)
    assert sum(isinstance(each, nn.Elu) for each in found) == sum(isinstance(each, kind) for each in own) > 1
    assert not any(isinstance(each, nn.BatchNorm | kind) for each in found)
    assert all(each.bias for each in drawn)
    normed = list(layers_of(make(10, drop_rate=0.0, batch_norm=True)))
    assert sum(isinstance(each, nn.BatchNorm) for each in normed) >= sum(
        isinstance(each, nn.Convolution) for each in normed
    )
    assert not any(isinstance(each, nn.Dropout | nn.LocalResponseNorm) for each in normed)
    picture = (64, 64, 3) if name == "alexnet" else NETWORKS[name][1]
    assert count(chosen, *picture) > 0
    assert count(make(10, batch_norm=True), *picture) > 0


# Against PyTorch: the same network written with its functions ---------------------------------------------------------


def in_torch(torch, layer, params, state, x):
    """What PyTorch's functions make of an input (batch, channel, height, width) with the weights of a layer."""
    functional = torch.nn.functional
    below = lambda values, name: {path[len(name) + 1 :]: v for path, v in values.items() if path.startswith(name + "/")}
    match layer:
        case nn.Sequential():
            for name, each in zip(layer.names, layer.layers, strict=True):
                x = in_torch(torch, each, below(params, name), below(state, name), x)
            return x
        case nn.Residual():
            parts = [(name, getattr(layer, name)) for name in ("block", "projection") if getattr(layer, name)]
            sums = [in_torch(torch, each, below(params, name), below(state, name), x) for name, each in parts]
            return sums[0] + (sums[1] if layer.projection else x)
        case nn.Convolution():
            weight = params["weight"].permute(3, 2, 0, 1)
            padding = {"same": layer.window // 2}.get(layer.padding, layer.padding)
            return functional.conv2d(x, weight, params.get("bias"), layer.stride, padding, groups=layer.groups)
        case nn.BatchNorm():
            numbers = (state["mean"], state["variance"], params.get("scale"), params["shift"])
            return functional.batch_norm(x, *numbers, eps=layer.epsilon)
        case nn.Dense():
            return x @ params["weight"] + params["bias"]
        case nn.MaxPool():
            return functional.max_pool2d(x, layer.window, layer.stride)
        case nn.MeanPool():
            return functional.avg_pool2d(x, layer.window, layer.stride)
        case nn.Flatten():
            return x.permute(0, 2, 3, 1).flatten(1)
        case nn.GlobalMeanPool():
            return x.mean((2, 3))
        case nn.GlobalMaxPool():
            return x.amax((2, 3))
        case nn.PatchWhitening():
            return functional.conv2d(x, state["weight"].permute(3, 2, 0, 1))
        case nn.Gelu():
            return functional.gelu(x)
        case nn.Relu():
            return functional.relu(x)
        case nn.Tanh():
            return torch.tanh(x)
    raise AssertionError(f"{type(layer).__name__} is not known here")


@pytest.mark.parametrize(
    "network, picture, engine",
    [
        (nn.lenet5(10), (28, 28, 1), "reference"),
        (nn.lenet5(10), (28, 28, 1), "native"),
        (nn.lenet5(10), (28, 28, 1), "xla"),
        (nn.cnn(10), (8, 8, 3), "reference"),
        (nn.convnet(5, widths=(4, 6), stride=2), (12, 12, 2), "reference"),
        (nn.vgg(3, widths=(4, 6)), (8, 8, 2), "reference"),
        (nn.airbench(4, widths=(5, 6)), (9, 8, 3), "reference"),
        (nn.airbench(4, widths=(5, 6)), (9, 8, 3), "native"),
        (nn.resnet20(4), (8, 8, 1), "reference"),
        (nn.resnet20(4), (8, 8, 1), "native"),
        pytest.param(nn.resnet20(4), (8, 8, 1), "xla", marks=pytest.mark.slow),
    ],
    ids=[
        "lenet5",
        "lenet5-native",
        "lenet5-xla",
        "cnn",
        "convnet",
        "vgg",
        "airbench",
        "airbench-native",
        "resnet20",
        "resnet20-native",
        "resnet20-xla",
    ],
)
def test_value_and_gradients_agree_with_pytorch(network, picture, engine, torch, torch_gradient):
    dtype, tolerance = (np.float64, 1e-10) if engine == "reference" else (np.float32, 1e-5)
    rng = np.random.default_rng(0)
    params, state = network.init(rng, spec(1, *picture))
    params = {name: (v + 0.1 * rng.normal(size=v.shape)).astype(dtype) for name, v in sorted(params.items())}
    state = {name: (v + rng.uniform(0, 0.3, v.shape)).astype(dtype) for name, v in state.items()}
    x = rng.normal(size=(2, *picture)).astype(dtype)

    def ours(params):
        y, _ = network.apply(params, state, x, train=False, key=None)
        return pr.sum(y * weights), y

    weights = rng.normal(size=(2, network.layers[-1].units)).astype(dtype)
    (_, value), slopes = pr.jit(pr.value_and_grad(ours, has_aux=True), engine=engine)(params)
    fixed = {name: torch.tensor(v) for name, v in state.items()}
    picture_second = torch.movedim(torch.tensor(x), -1, 1)
    whole = lambda *leaves: in_torch(torch, network, dict(zip(params, leaves, strict=True)), fixed, picture_second)
    their_value, their_slopes = torch_gradient(whole, weights, *params.values())
    for a, b in [(value, their_value), *zip(slopes.values(), their_slopes, strict=True)]:
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * max(1, np.abs(b).max()))


@pytest.mark.parametrize("engine", ["reference", "native", "xla"])
def test_state_and_keys_reach_the_parts_of_a_block(engine):
    """Batch norm's averages move and dropout draws, in blocks within a network, as in any other layer."""
    inner = nn.Sequential((nn.Convolution(3, 3, bias=False), nn.BatchNorm(), nn.Relu(), nn.Dropout(0.5)))
    network = nn.Sequential((nn.Residual(inner), nn.Flatten(), nn.Dense(2)), ("block", "flatten", "output"))
    params, state = network.init(np.random.default_rng(0), spec(1, 4, 4, 3))
    x = np.random.default_rng(1).normal(2, 1, (6, 4, 4, 3)).astype(np.float32)
    train = pr.jit(lambda p, s, key: network.apply(p, s, x, train=True, key=key), engine=engine)
    y, after = train(params, state, pr.key(0))
    again, _ = train(params, state, pr.key(0))
    other, _ = train(params, state, pr.key(1))
    np.testing.assert_array_equal(y, again)
    assert not np.array_equal(y, other)
    assert set(after) == set(state) == {"block/block/batchnorm1/mean", "block/block/batchnorm1/variance"}
    h, _ = nn.Convolution(3, 3, bias=False).apply(
        {"weight": params["block/block/convolution1/weight"]}, {}, x, train=True, key=None
    )
    np.testing.assert_allclose(after["block/block/batchnorm1/mean"], 0.1 * h.mean((0, 1, 2)), rtol=1e-4, atol=1e-6)
