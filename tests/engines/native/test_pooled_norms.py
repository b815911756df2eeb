"""Batch norm, rectifier and pooling, which the native engine rewrites: their gradient beside PyTorch in float64."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import preceptor as pr

torch = pytest.importorskip("torch", reason="the values to compare with come from PyTorch")
RNG = np.random.default_rng(0)


def ours(x, scale, shift, weights):
    mean = pr.mean(x, (0, 1, 2))
    variance = pr.mean((x - mean) ** 2, (0, 1, 2))
    y = (x - mean) / pr.sqrt(variance + 1e-5) * scale + shift
    return pr.sum(pr.max_pool(pr.relu(y), 2) * weights)


def theirs(x, scale, shift, weights):
    given = [torch.tensor(each, dtype=torch.float64, requires_grad=True) for each in (x, scale, shift)]
    y = torch.nn.functional.batch_norm(given[0].permute(0, 3, 1, 2), None, None, *given[1:], training=True, eps=1e-5)
    pooled = torch.nn.functional.max_pool2d(torch.relu(y), 2).permute(0, 2, 3, 1)
    (pooled * torch.tensor(weights, dtype=torch.float64)).sum().backward()
    return [each.grad.numpy() for each in given]


@pytest.mark.parametrize("offset", [0.0, 100.0])
@pytest.mark.parametrize("channels", [5, 16, 48])
def test_gradients_beside_pytorch(channels, offset):
    x = (RNG.normal(size=(6, 8, 12, channels)) + offset).astype("f4")
    scale, shift = RNG.normal(size=(2, channels)).astype("f4")
    scale[1] = 0  # then nothing tells the entries of a window apart
    shift[1] = -1
    weights = RNG.normal(size=(6, 4, 6, channels)).astype("f4")
    gradients = pr.jit(pr.grad(ours, wrt=(0, 1, 2)), engine="native")(x, scale, shift, weights)
    for one, other in zip(gradients, theirs(x, scale, shift, weights), strict=True):
        assert_allclose(one, other, rtol=1e-3, atol=1e-3 if offset else 1e-4)
