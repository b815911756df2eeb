"""The last dense layer, found and replaced."""

import numpy as np
import pytest

from preceptor import nn
from preceptor.errors import ConfigError
from preceptor.nn import vision
from preceptor.nn.head import head_of, with_outputs
from preceptor.nn.layer import output_spec
from preceptor.ops import Spec

TABLE = Spec((2, 5), np.dtype(np.float32))
PICTURE = Spec((2, 32, 32, 3), np.dtype(np.float32))


def made(network, spec):
    params, state = network.init(np.random.default_rng(0), spec)
    return params, output_spec(network, params, state, spec).shape


@pytest.mark.parametrize("name", ["cnn", "convnet", "lenet5", "vgg", "resnet20", "efficientnet_lite0"])
def test_ready_networks_for_pictures(name):
    network = getattr(vision, name)(7)
    assert head_of(network) == ["output"]
    params, shape = made(with_outputs(network, 3), PICTURE)
    assert shape == (2, 3)
    before, _ = made(network, PICTURE)
    changed = {path for path in params if params[path].shape != before[path].shape}
    assert changed == {"output/weight", "output/bias"}


def test_members_and_networks_side_by_side_have_a_head_each():
    members = nn.mlp((4,), 2, members=3)
    assert head_of(members) == ["output"]
    assert made(with_outputs(members, 5), TABLE)[1] == (2, 3, 5)
    pair = nn.Ensemble(nn.mlp((4,), 2), 2)
    assert head_of(pair) == ["network1/output", "network2/output"]
    assert made(with_outputs(pair, 5), TABLE)[1] == (2, 2, 5)
    numbers = [tuple(np.linspace(-1, 1, 4).tolist())] * 5
    committee = nn.mlp((4,), 2, members=4, numbers=range(5), edges=numbers)
    assert head_of(committee) == ["network1/output", "network2/output"]
    assert made(with_outputs(committee, 5), TABLE)[1] == (2, 4, 5)


def test_a_head_within_a_block_is_found():
    network = nn.Sequential((nn.Dense(4), nn.Sequential((nn.Relu(), nn.Dense(4))), nn.Relu()))
    assert head_of(network) == ["sequential1/dense1"]
    assert made(with_outputs(network, 3), TABLE)[1] == (2, 3)


def test_a_network_without_a_dense_layer_is_refused():
    with pytest.raises(ConfigError, match="no dense layer"):
        with_outputs(nn.Sequential((nn.Convolution(3), nn.GlobalMeanPool())), 2)
