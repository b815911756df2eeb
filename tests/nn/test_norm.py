import numpy as np
import pytest

import preceptor as pr
from preceptor import nn
from preceptor.errors import ShapeError

ROWS = [
    (
        nn.BatchNorm(epsilon=0.0),
        (6, 3),
        (6, 3),
        6,
        {"scale": [2.0], "shift": [1.0]},
        [[3.0], [-1.0]],  # outside training, with the first running mean 0 and variance 1
        [[7.0], [-1.0]],
    ),
    (nn.BatchNorm(), (4, 2, 3), (4, 2, 3), 6, {"scale": [1.0], "shift": [5.0]}, [[0.0]], [[5.0]]),
]
RNG = np.random.default_rng(0)


def start(width, dtype=np.float64):
    params, state = nn.BatchNorm().init(RNG, pr.Spec((1, width), np.dtype(np.float32)))
    cast = lambda values: {name: value.astype(dtype) for name, value in values.items()}
    return cast(params), cast(state)


def test_training_by_hand():
    params, state = start(1)
    layer = nn.BatchNorm(decay=0.75, epsilon=0.0)
    y, state = layer.apply(params, state, np.array([[1.0], [3.0], [5.0], [7.0]]), train=True, key=None)
    np.testing.assert_allclose(y, np.array([[-3.0], [-1.0], [1.0], [3.0]]) / np.sqrt(5), rtol=1e-15)
    np.testing.assert_allclose(state["mean"], [1.0])  # 0.75 * 0 + 0.25 * 4
    np.testing.assert_allclose(state["variance"], [0.75 + 0.25 * 20 / 3])


def channels_second(torch, x):
    """PyTorch's layout: (batch, ..., feature) -> (batch, feature, rest)."""
    return torch.movedim(x.reshape(len(x), -1, x.shape[-1]), -1, 1)


@pytest.mark.parametrize("dtype, tolerance", [(np.float32, 1e-5), (np.float64, 1e-10)], ids=["float32", "float64"])
@pytest.mark.parametrize("shape", [(8, 3), (5, 4, 3), (4, 2, 3, 3)])
def test_several_steps_agree_with_pytorch(shape, dtype, tolerance, torch):
    peer = torch.nn.BatchNorm1d(3, momentum=0.2, eps=1e-3, dtype=torch.tensor(np.zeros(1, dtype)).dtype)
    layer = nn.BatchNorm(decay=0.8, epsilon=1e-3)
    params, state = start(3, dtype)
    params = {name: RNG.normal(1, 0.3, 3).astype(dtype) for name in params}
    with torch.no_grad():
        peer.weight.copy_(torch.tensor(params["scale"]))
        peer.bias.copy_(torch.tensor(params["shift"]))

    def agree(ours, theirs):
        np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=tolerance, atol=10 * tolerance)

    for train in (True, True, True, False, True, False):
        x, weights = (RNG.normal(2, 3, shape).astype(dtype) for _ in range(2))

        def ours(params, x, state=state, train=train, weights=weights):
            y, after = layer.apply(params, state, x, train=train, key=None)
            return pr.sum(y * weights), (y, after)

        (_, (y, state)), (slopes, x_slope) = pr.value_and_grad(ours, (0, 1), has_aux=True)(params, x)
        peer.train(train)
        peer.zero_grad()
        leaf = torch.tensor(x, requires_grad=True)
        theirs = torch.movedim(peer(channels_second(torch, leaf)), 1, -1).reshape(shape)
        (theirs * torch.tensor(weights)).sum().backward()
        agree(y, theirs)
        agree(x_slope, leaf.grad)
        agree(slopes["scale"], peer.weight.grad)
        agree(slopes["shift"], peer.bias.grad)
        agree(state["mean"], peer.running_mean)
        agree(state["variance"], peer.running_var)
        assert y.dtype == state["mean"].dtype == state["variance"].dtype == dtype


def test_a_batch_of_one_does_not_divide_by_zero():
    params, state = start(2)
    y, state = nn.BatchNorm().apply(params, state, np.array([[3.0, 4.0]]), train=True, key=None)
    np.testing.assert_array_equal(y, [[0.0, 0.0]])
    assert np.isfinite(state["variance"]).all()


def test_a_large_mean_costs_no_digits():
    params, state = start(1, np.float32)
    x = np.array([[1000.0], [1000.5], [1001.0]], np.float32)
    y, _ = nn.BatchNorm(epsilon=0.0).apply(params, state, x, train=True, key=None)
    np.testing.assert_allclose(y, np.sqrt(1.5) * np.array([[-1.0], [0.0], [1.0]]), rtol=1e-5, atol=1e-5)


def test_another_width_is_named():
    params, state = start(3)
    with pytest.raises(ShapeError, match=r"at test_norm\.py:\d+: input has shape \(5, 2\); scale needs 3 features"):
        nn.BatchNorm().apply(params, state, np.ones((5, 2)), train=True, key=None)
