import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.signal.windows import gaussian

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
    (nn.BatchNorm(), (3, 2, 2, 2), (3, 2, 2, 2), 4, {"scale": [1.0], "shift": [5.0]}, [[[[0.0]]]], [[[[5.0]]]]),
    (
        nn.LayerNorm(epsilon=3.0),
        (4, 3),
        (4, 3),
        6,
        {"scale": [1.0, 4.0], "shift": [0.0, 1.0]},
        [[1.0, 3.0]],
        [[-0.5, 3.0]],
    ),
    (nn.LayerNorm(), (3, 2, 4), (3, 2, 4), 8, {"scale": [3.0], "shift": [1.0]}, [[[5.0]]], [[[1.0]]]),
    # 1 / (1 + 0.5 (1 + 4)) and 2 / (1 + 0.5 (1 + 4 + 9)), 3 / (1 + 0.5 (4 + 9))
    (
        nn.LocalResponseNorm(3, 0.5, 1.0, 1.0),
        (2, 3, 4),
        (2, 3, 4),
        0,
        {},
        [[[1.0, 2.0, 3.0]]],
        [[[2 / 7, 0.25, 3 / 7.5]]],
    ),
    (nn.LocalResponseNorm(), (2, 3, 3, 7), (2, 3, 3, 7), 0, {}, [[[[0.0]]]], [[[[0.0]]]]),
    # A window of one place: the features' mean is taken off, then each is divided by their deviation.
    (nn.LocalContrastNorm(1), (2, 3, 3, 2), (2, 3, 3, 2), 0, {}, [[[[1.0, 5.0]]]], [[[[-1.0, 1.0]]]]),
    (nn.LocalContrastNorm(3), (2, 4, 2), (2, 4, 2), 0, {}, [[[4.0], [4.0]]], [[[0.0], [0.0]]]),
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


@settings(max_examples=20, deadline=None)
@given(shape=st.lists(st.integers(1, 5), min_size=2, max_size=4), epsilon=st.sampled_from([1e-5, 0.1]))
def test_layer_norm_agrees_with_pytorch(shape, epsilon, agrees_with_torch, torch):
    params = {"scale": RNG.normal(1, 0.3, shape[-1]), "shift": RNG.normal(size=shape[-1])}
    norm = torch.nn.functional.layer_norm
    theirs = lambda x, p: norm(x, (shape[-1],), p["scale"], p["shift"], epsilon)
    agrees_with_torch(nn.LayerNorm(epsilon), params, RNG.normal(2, 3, shape), theirs)


@pytest.mark.parametrize("engine", ["native", "xla"])
def test_layer_norm_in_float32_too(engine, agrees_with_torch, torch):
    params = {"scale": RNG.normal(1, 0.3, 6), "shift": RNG.normal(size=6)}
    theirs = lambda x, p: torch.nn.functional.layer_norm(x, (6,), p["scale"], p["shift"])
    agrees_with_torch(nn.LayerNorm(), params, RNG.normal(2, 3, (4, 5, 6)), theirs, engine)


def response_norm(torch, layer, channels_second):
    """PyTorch divides alpha by the window."""
    norm = torch.nn.functional.local_response_norm
    return channels_second(lambda x, _: norm(x, layer.window, layer.alpha * layer.window, layer.beta, layer.k))


@settings(max_examples=20, deadline=None)
@given(
    shape=st.tuples(*[st.integers(1, 3)] * 3, st.integers(1, 9)),
    window=st.integers(1, 7),
    beta=st.sampled_from([0.5, 0.75, 2.0]),
)
def test_local_response_norm_agrees_with_pytorch(shape, window, beta, agrees_with_torch, channels_second, torch):
    layer = nn.LocalResponseNorm(window, 0.3, beta, 1.5)
    agrees_with_torch(layer, {}, RNG.normal(size=shape), response_norm(torch, layer, channels_second))


@pytest.mark.parametrize("engine", ["native", "xla"])
def test_local_response_norm_has_the_constants_of_alexnet(engine, agrees_with_torch, channels_second, torch):
    norm = torch.nn.functional.local_response_norm
    theirs = channels_second(lambda x, _: norm(x, 5, 5e-4, 0.75, 2.0))
    agrees_with_torch(nn.LocalResponseNorm(), {}, 30 * RNG.normal(size=(2, 3, 3, 12)), theirs, engine)


def contrast_norm_of_scipy(picture, window, epsilon=1e-4):
    """Jarrett et al. 2009 for one picture, with whole windows."""
    space = picture.shape[:-1]
    weights = gaussian(window, window / 4)
    for _ in space[1:]:
        weights = np.multiply.outer(weights, gaussian(window, window / 4))
    shares = ndimage.correlate(np.ones(space), weights, mode="constant")
    blur = lambda x: (ndimage.correlate(x.mean(-1), weights, mode="constant") / shares)[..., None]
    v = picture - blur(picture)
    deviation = np.sqrt(blur(v * v))
    return v / np.maximum(np.maximum(deviation, deviation.mean()), epsilon)


@pytest.mark.parametrize(
    "window, shape", [(9, (2, 12, 15, 3)), (3, (2, 5, 4, 1)), (5, (3, 9, 2)), (3, (1, 4, 5, 3, 2))]
)
def test_local_contrast_norm_agrees_with_scipy(window, shape):
    x = RNG.normal(3, 2, shape)
    theirs = np.stack([contrast_norm_of_scipy(picture, window) for picture in x])
    np.testing.assert_allclose(nn.LocalContrastNorm(window)(x), theirs, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("engine", ["reference", "native", "xla"])
@pytest.mark.parametrize("window, shape", [(9, (2, 10, 7, 3)), (4, (2, 1, 5, 2)), (7, (1, 3, 3, 1))])
def test_gradients_of_local_contrast_norm_agree_with_pytorch(window, shape, engine, agrees_with_torch, torch):
    before = (window - 1) // 2
    weights = np.multiply.outer(*[gaussian(window, window / 4)] * 2)[None, None]

    def blur(x):
        sums = lambda y: torch.nn.functional.conv2d(
            torch.nn.functional.pad(y, (before, window - 1 - before) * 2), torch.tensor(weights, dtype=x.dtype)
        )
        mean = x.mean(-1)[:, None]
        return (sums(mean) / sums(torch.ones_like(mean)))[:, 0, ..., None]

    def theirs(x, _):
        v = x - blur(x)
        deviation = blur(v * v).sqrt()
        return v / torch.maximum(deviation, deviation.mean((1, 2), keepdim=True))

    agrees_with_torch(nn.LocalContrastNorm(window), {}, RNG.normal(size=shape), theirs, engine)


def test_local_contrast_norm_of_a_blank_picture_is_finite():
    x = np.full((1, 6, 6, 1), 3.0)
    slope = pr.grad(lambda x: pr.sum(nn.LocalContrastNorm()(x)))(x)
    assert np.abs(nn.LocalContrastNorm()(x)).max() < 1e-10
    assert np.isfinite(slope).all()
    with pytest.raises(ShapeError, match=r"input has shape \(5, 2\); \(batch, \*space, feature\) is required"):
        nn.LocalContrastNorm()(np.ones((5, 2)))


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


def test_without_a_scale_it_is_pytorchs_whose_weight_stays_1(torch):
    layer, x = nn.BatchNorm(scale=False), RNG.normal(2, 3, (6, 2, 3))
    params, state = layer.init(RNG, pr.Spec((1, 2, 3), np.dtype(np.float64)))
    assert list(params) == ["shift"]
    params = {"shift": np.array([1.0, -2.0, 0.5])}

    def ours(params, x):
        y, _ = layer.apply(params, state, x, train=True, key=None)
        return pr.sum(y**3)

    value, (slopes, x_slope) = pr.value_and_grad(ours, (0, 1))(params, x)
    leaves = [torch.tensor(each, requires_grad=True) for each in (params["shift"], x)]
    flat = torch.nn.functional.batch_norm(leaves[1].reshape(-1, 3), None, None, None, leaves[0], training=True)
    theirs = (flat**3).sum()
    theirs.backward()
    np.testing.assert_allclose(value, theirs.item(), rtol=1e-6)
    np.testing.assert_allclose(slopes["shift"], leaves[0].grad, rtol=1e-6)
    np.testing.assert_allclose(x_slope, leaves[1].grad, rtol=1e-5, atol=1e-5)


def test_another_width_is_named():
    params, state = start(3)
    with pytest.raises(ShapeError, match=r"at test_norm\.py:\d+: input has shape \(5, 2\); shift needs 3 features"):
        nn.BatchNorm().apply(params, state, np.ones((5, 2)), train=True, key=None)
