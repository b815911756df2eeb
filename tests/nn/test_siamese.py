import json

import numpy as np
import pytest

from preceptor import nn
from preceptor.errors import ConfigError, ShapeError
from preceptor.nn.siamese import places_of
from preceptor.ops import Spec

CONVOLUTION = nn.Convolution(2, 1)
ROWS = [
    (
        nn.Siamese(nn.Sequential((nn.Dense(2), nn.Tanh()), ("dense", "tanh"))),
        (4, 2, 3),
        (4, 2, 2),
        8,
        {"dense/weight": [[1.0], [-1.0]], "dense/bias": [0.5]},
        [[[1.0, 0.0], [0.0, 1.0]]],
        [[[np.tanh(1.5)], [np.tanh(-0.5)]]],
    ),
    (
        nn.Places(nn.Sequential((CONVOLUTION, nn.Flatten()), ("convolution", "flatten"))),
        (4, 3, 3, 2),
        (4, 3, 3, 2),
        6,
        {"convolution/weight": [[[[1.0, 0.0], [0.0, 2.0]]]], "convolution/bias": [0.0, 1.0]},
        [[[[1.0, 2.0], [3.0, 4.0]]]],
        [[[[1.0, 5.0], [3.0, 9.0]]]],
    ),
]


def trunk():
    whole = nn.convnet(10, widths=(4, 8))
    return nn.Sequential(whole.layers[:-1], whole.names[:-1])


def test_views_share_the_parameters_of_the_trunk_and_meet_in_its_norm():
    x = np.random.default_rng(0).normal(size=(5, 2, 8, 8, 3)).astype(np.float32)
    params, state = trunk().init(np.random.default_rng(1), Spec((1, 8, 8, 3), np.dtype(np.float32)))
    layer = nn.Siamese(trunk())
    own, _ = layer.init(np.random.default_rng(1), Spec((1, 2, 8, 8, 3), np.dtype(np.float32)))
    assert own.keys() == params.keys()
    y, after = layer.apply(params, state, x, train=True, key=None)
    alone, expected = trunk().apply(params, state, x.reshape(10, 8, 8, 3), train=True, key=None)
    np.testing.assert_array_equal(y, alone.reshape(5, 2, -1))
    assert all(np.array_equal(after[path], expected[path]) for path in expected)


def test_places_are_what_the_trunk_flattens():
    x = np.random.default_rng(0).normal(size=(3, 8, 8, 3)).astype(np.float32)
    layer, spec = nn.Places(trunk()), Spec((1, 8, 8, 3), np.dtype(np.float32))
    params, state = layer.init(np.random.default_rng(1), spec)
    y, _ = layer.apply(params, state, x, train=False, key=None)
    whole, _ = trunk().apply(params, state, x, train=False, key=None)
    assert y.shape == (3, 2, 2, 8)
    np.testing.assert_array_equal(y.reshape(3, -1), whole)
    assert places_of(trunk(), spec) == (2, 2)


@pytest.mark.parametrize("made", [nn.convnet, nn.vgg, nn.resnet20, nn.efficientnet_lite0])
def test_the_trunks_of_ready_networks_know_their_places(made):
    whole = made(10)
    cut = nn.Sequential(whole.layers[:-1], whole.names[:-1])
    assert all(each >= 1 for each in places_of(cut, Spec((1, 32, 32, 3), np.dtype(np.float32))))


def test_what_would_learn_nothing_is_refused():
    whole = nn.cnn(10)
    cut = nn.Sequential(whole.layers[:-1], whole.names[:-1])
    with pytest.raises(ConfigError, match=r"Places: dense has parameters behind the last place; nothing would teach"):
        nn.Places(cut).init(np.random.default_rng(0), Spec((1, 8, 8, 3), np.dtype(np.float32)))
    with pytest.raises(ConfigError, match="Places: the network has neither Flatten nor a pool over all places"):
        nn.Places(nn.Sequential((nn.Dense(3),)))
    with pytest.raises(ShapeError, match=r"input has shape \(1, 3\); \(batch, view, ...\) is required"):
        nn.Siamese(nn.Sequential((nn.Dense(3),))).init(np.random.default_rng(0), Spec((1, 3), np.dtype(np.float32)))


def test_both_survive_being_written_as_json():
    for layer in (nn.Siamese(trunk()), nn.Places(trunk())):
        assert nn.from_config(json.loads(json.dumps(nn.to_config(layer)))) == layer
