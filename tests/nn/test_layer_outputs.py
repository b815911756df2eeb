import numpy as np

import preceptor as pr
from preceptor import nn


def test_outputs_of_all_layers_are_those_of_pytorch(torch, channels_second):
    network = nn.Sequential((nn.Convolution(4, 3), nn.Relu(), nn.MaxPool(2), nn.Flatten(), nn.Dense(3)))
    x = np.random.default_rng(0).normal(size=(2, 6, 6, 3))
    params, state = network.init(np.random.default_rng(1), pr.Spec(x.shape, x.dtype))
    params = {name: value.astype(np.float64) for name, value in params.items()}
    found = list(nn.layer_outputs(network, params, state, x))
    assert [name for name, _, _ in found] == list(network.names)
    assert [layer for _, layer, _ in found] == list(network.layers)
    t = {name: torch.tensor(value) for name, value in params.items()}
    kernel = t["convolution1/weight"].permute(3, 2, 0, 1)
    convolved = channels_second(lambda x: torch.nn.functional.conv2d(x, kernel, t["convolution1/bias"], padding=1))
    first = convolved(torch.tensor(x))
    second = torch.relu(first)
    third = channels_second(lambda x: torch.nn.functional.max_pool2d(x, 2))(second)
    fourth = third.flatten(1)
    fifth = fourth @ t["dense1/weight"] + t["dense1/bias"]
    for (_, _, ours), theirs in zip(found, (first, second, third, fourth, fifth), strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-10, atol=1e-12)
