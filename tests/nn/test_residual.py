import json

import numpy as np
import pytest

import preceptor as pr
from preceptor import nn
from preceptor.errors import ShapeError

SMALL = nn.Residual(nn.Sequential((nn.Convolution(2, 3, bias=False), nn.BatchNorm(epsilon=0.0), nn.Dropout(0.3))))
PROJECTED = nn.Residual(
    nn.Sequential((nn.Convolution(2, 3, stride=2, bias=False), nn.BatchNorm()), ("conv", "norm")),
    nn.Convolution(2, 1, stride=2),
)
ROWS = [
    (nn.Residual(nn.Tanh()), (4, 3), (4, 3), 0, {}, [[0.0, 1.0]], [[0.0, 1 + np.tanh(1.0)]]),
    (
        nn.Residual(nn.Dense(2), nn.Dense(2, bias=False)),
        (4, 3),
        (4, 2),
        8 + 6,
        {"block/weight": [[1.0, 2.0]], "block/bias": [0.5, 0.0], "projection/weight": [[10.0, -2.0]]},
        [[3.0]],
        [[33.5, 0.0]],
    ),
    (
        SMALL,
        (4, 3, 3, 2),
        (4, 3, 3, 2),
        36 + 4,
        {
            "block/convolution1/weight": np.ones((1, 1, 2, 2)),
            "block/batchnorm1/scale": [1.0, 1.0],
            "block/batchnorm1/shift": [0.0, 1.0],
        },
        [[[[1.0, 2.0]]]],
        [[[[4.0, 6.0]]]],
    ),
    (
        PROJECTED,
        (4, 3, 3, 1),
        (4, 2, 2, 2),
        18 + 4 + 4,
        {
            "block/conv/weight": np.zeros((1, 1, 1, 2)),
            "block/norm/scale": [1.0, 1.0],
            "block/norm/shift": [1.0, 2.0],
            "projection/weight": [[[[5.0, 7.0]]]],
            "projection/bias": [0.0, 0.0],
        },
        [[[[1.0]]]],
        [[[[6.0, 9.0]]]],
    ),
]


def spec(*shape):
    return pr.Spec(shape, np.dtype(np.float32))


@pytest.mark.parametrize("engine", ["reference", "native", "xla"])
def test_value_and_gradients_agree_with_pytorch(engine, agrees_with_torch, torch):
    layer = nn.Residual(nn.Sequential((nn.Dense(6), nn.Tanh(), nn.Dense(4))), nn.Dense(4, bias=False))
    rng = np.random.default_rng(0)
    params, _ = layer.init(rng, spec(1, 3))

    def theirs(x, p):
        hidden = torch.tanh(x @ p["block/dense1/weight"] + p["block/dense1/bias"])
        return hidden @ p["block/dense2/weight"] + p["block/dense2/bias"] + x @ p["projection/weight"]

    agrees_with_torch(layer, params, rng.normal(size=(5, 3)), theirs, engine)


def test_parameters_and_state_are_named_by_path():
    network = nn.Sequential((PROJECTED, nn.Relu()), ("first", "relu"))
    params, state = network.init(np.random.default_rng(0), spec(1, 4, 4, 3))
    assert set(params) == {
        "first/block/conv/weight",
        "first/block/norm/scale",
        "first/block/norm/shift",
        "first/projection/weight",
        "first/projection/bias",
    }
    assert set(state) == {"first/block/norm/mean", "first/block/norm/variance"}
    assert nn.from_config(json.loads(json.dumps(nn.to_config(network)))) == network


def test_block_and_projection_drop_by_keys_of_their_own():
    layer = nn.Residual(nn.Dropout(0.5), nn.Dropout(0.5))
    y, _ = layer.apply({}, {}, np.ones((100, 100)), train=True, key=pr.key(0))
    assert [np.mean(y == value) for value in (0, 2, 4)] == pytest.approx([0.25, 0.5, 0.25], abs=0.03)


def test_shapes_that_differ_are_named_with_their_path():
    rng = np.random.default_rng(0)
    network = nn.Sequential((nn.Residual(nn.Sequential((nn.Dense(4),))),), ("first",))
    with pytest.raises(
        ShapeError,
        match=r"^first/block \(Sequential\) at test_residual\.py:\d+: output has shape \(1, 4\), the input has "
        r"\(1, 3\); they are added and must agree\. Give a projection to the block's shape\.$",
    ):
        network.init(rng, spec(1, 3))
    with pytest.raises(ShapeError, match=r"output has shape \(1, 4\), the projection gives \(1, 2\)"):
        nn.Residual(nn.Dense(4), nn.Dense(2)).init(rng, spec(1, 3))
    params, state = SMALL.init(rng, spec(1, 4, 4, 2))
    with pytest.raises(ShapeError, match=r"^block/convolution1 \(Convolution\) at .* needs 2 features"):
        SMALL.apply(params, state, np.ones((1, 4, 4, 3)), train=False, key=None)
