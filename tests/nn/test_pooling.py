import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import preceptor as pr
from preceptor import nn
from preceptor.errors import ConfigError, ShapeError

PICTURE = [[[[1.0], [2.0], [0.0]], [[4.0], [3.0], [7.0]], [[9.0], [9.0], [9.0]]]]
ROWS = [
    (nn.MaxPool(), (2, 4, 5, 2), (2, 2, 2, 2), 0, {}, PICTURE, [[[[4.0]]]]),
    (nn.MaxPool(2, 1), (2, 3, 3, 2), (2, 2, 2, 2), 0, {}, PICTURE, [[[[4.0], [7.0]], [[9.0], [9.0]]]]),
    (nn.MeanPool(2, padding="same"), (2, 3, 2), (2, 2, 2), 0, {}, [[[1.0], [3.0], [8.0]]], [[[2.0], [8.0]]]),
    (nn.MeanPool((2, 1)), (2, 4, 3, 2), (2, 2, 3, 2), 0, {}, PICTURE, [[[[2.5], [2.5], [3.5]]]]),
    (nn.SumPool(3, 2, padding=1), (2, 3, 4, 1), (2, 2, 2, 1), 0, {}, PICTURE, [[[[10.0], [12.0]], [[25], [28]]]]),
    (nn.GlobalMeanPool(), (2, 3, 2, 4), (2, 4), 0, {}, [[[[1.0, 2.0], [3.0, 8.0]]]], [[2.0, 5.0]]),
    (nn.GlobalMaxPool(), (2, 3, 2, 4), (2, 4), 0, {}, [[[[1.0, 9.0], [3.0, 8.0]]]], [[3.0, 9.0]]),
]
KINDS = [nn.MaxPool, nn.MeanPool, nn.SumPool]


def theirs(torch, layer, axes):
    functional = torch.nn.functional
    sizes = {"kernel_size": layer.window, "stride": layer.stride or layer.window, "padding": layer.padding}
    if isinstance(layer, nn.MaxPool):
        return lambda x, _: getattr(functional, f"max_pool{axes}d")(x, **sizes)
    mean = getattr(functional, f"avg_pool{axes}d")
    if isinstance(layer, nn.MeanPool):
        return lambda x, _: mean(x, **sizes, count_include_pad=False)
    area = np.prod(layer.window if isinstance(layer.window, tuple) else (layer.window,) * axes)
    return lambda x, _: mean(x, **sizes) * int(area)


@st.composite
def pools(draw):
    axes = draw(st.integers(1, 3))
    window = tuple(draw(st.integers(1, 3)) for _ in range(axes))
    stride = draw(st.none() | st.tuples(*[st.integers(1, 3)] * axes))
    padding = draw(st.integers(0, min(window) // 2))  # PyTorch takes no more than half a window
    space = [draw(st.integers(k, k + 4)) for k in window]
    layer = draw(st.sampled_from(KINDS))(window, stride, padding)
    return layer, (draw(st.integers(1, 3)), *space, draw(st.integers(1, 3)))


@settings(max_examples=30, deadline=None)
@given(case=pools())
def test_value_and_gradients_agree_with_pytorch(case, agrees_with_torch, channels_second, torch):
    layer, shape = case
    x = np.random.default_rng(0).normal(size=shape)
    agrees_with_torch(layer, {}, x, channels_second(theirs(torch, layer, len(shape) - 2)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("window, stride, padding, shape", [(3, 2, 1, (3, 9, 8, 4)), (2, None, 0, (2, 1, 5, 4, 3))])
@pytest.mark.parametrize("engine", ["native", "xla"])
def test_in_float32_too(kind, window, stride, padding, shape, engine, agrees_with_torch, channels_second, torch):
    window = (1, *[window] * (len(shape) - 3)) if shape[1] == 1 else window
    layer = kind(window, stride, padding)
    x = np.random.default_rng(0).normal(size=shape)
    agrees_with_torch(layer, {}, x, channels_second(theirs(torch, layer, len(shape) - 2)), engine)


@pytest.mark.parametrize("engine", ["reference", "native", "xla"])
@pytest.mark.parametrize("shape", [(3, 4, 2), (2, 3, 4, 5), (2, 1, 1, 3), (1, 2, 3, 4, 1)])
def test_global_pools_agree_with_pytorch(shape, engine, agrees_with_torch):
    x, space = np.random.default_rng(0).normal(size=shape), tuple(range(1, len(shape) - 1))
    agrees_with_torch(nn.GlobalMeanPool(), {}, x, lambda x, _: x.mean(space), engine)
    agrees_with_torch(nn.GlobalMaxPool(), {}, x, lambda x, _: x.amax(space), engine)


def test_equal_largest_values_share_the_derivative():
    x = np.zeros((1, 2, 2, 1))
    for layer in (nn.MaxPool(), nn.GlobalMaxPool()):
        np.testing.assert_array_equal(pr.grad(lambda x, layer=layer: pr.sum(layer(x)))(x), np.full(x.shape, 0.25))


def test_across_feature_maps_there_is_maxout(agrees_with_torch, torch):
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 6))
    agrees_with_torch(nn.Maxout(3), {}, x, lambda x, _: x.unflatten(-1, (2, 3)).amax(-1))


def test_windows_that_do_not_fit_are_named():
    with pytest.raises(ShapeError, match=r"max_pool at test_pooling\.py:\d+: input has lengths \(2, 2\)"):
        nn.MaxPool(3)(np.ones((1, 2, 2, 1)))
    with pytest.raises(ConfigError, match=r"MeanPool: window is 0; it must be at least 1"):
        nn.MeanPool(0)
