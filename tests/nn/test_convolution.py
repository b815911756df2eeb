import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import preceptor as pr
from preceptor import nn
from preceptor.errors import ConfigError, ShapeError

ROWS = [
    (
        nn.Convolution(2, 2, padding="valid"),
        (3, 4, 3, 2),
        (3, 3, 2, 2),
        2 * 2 * 2 * 2 + 2,
        {"weight": np.arange(1.0, 5).reshape(2, 2, 1, 1), "bias": [0.5]},
        [[[[1.0], [2.0], [3.0]], [[4.0], [5.0], [6.0]]]],
        [[[[37.5], [47.5]]]],  # 1 * 1 + 2 * 2 + 3 * 4 + 4 * 5 and the bias
    ),
    (
        nn.Convolution(4, (3, 1), stride=2, groups=2, bias=False),
        (2, 5, 3, 4),
        (2, 3, 2, 4),
        3 * 2 * 4,
        {"weight": [[[[1.0, 10.0], [0, 0]]], [[[0, 0], [1, 1]]], [[[0, 0], [0, 0]]]]},
        [[[[1.0, 2.0, 3.0, 4.0]], [[5.0, 6.0, 7.0, 8.0]]]],
        [[[[7.0, 38.0]]]],  # 1 * 1 + 1 * 6 and 10 * 3 + 1 * 8; the third row of the window stands over a zero
    ),
    (
        nn.Convolution(2, 3),
        (3, 5, 2),
        (3, 5, 2),
        3 * 2 * 2 + 2,
        {"weight": [[[1.0]], [[2.0]], [[3.0]]], "bias": [0.0]},
        [[[1.0], [10.0]]],
        [[[32.0], [21.0]]],
    ),
    (
        nn.Convolution(2, 2, stride=2, padding=((1, 0), (0, 0), (0, 1)), dilation=1),
        (2, 3, 2, 3, 1),
        (2, 2, 1, 2, 2),
        8 * 2 + 2,
        {"weight": np.ones((2, 2, 2, 1, 1)), "bias": [0.0]},
        np.arange(4.0).reshape(1, 1, 2, 2, 1),
        [[[[[6.0]]]]],
    ),
]
FLOAT = np.dtype(np.float32)


def spec(*shape):
    return pr.Spec(shape, FLOAT)


def torch_convolution(torch, layer, axes):
    """PyTorch's function for a layer with numbers for padding."""
    function = getattr(torch.nn.functional, f"conv{axes}d")
    settings = {"stride": layer.stride, "padding": layer.padding, "dilation": layer.dilation, "groups": layer.groups}

    def apply(x, params):
        weight = torch.movedim(params["weight"], (-1, -2), (0, 1)).contiguous()
        return function(x, weight, params.get("bias"), **settings)

    return apply


def compare(layer, shape, agrees_with_torch, channels_second, torch, engine):
    rng = np.random.default_rng(0)
    params, _ = layer.init(rng, spec(*shape))
    params = {name: value + rng.normal(size=value.shape) for name, value in params.items()}
    peer = channels_second(torch_convolution(torch, layer, len(shape) - 2))
    agrees_with_torch(layer, params, rng.normal(size=shape), peer, engine)


@st.composite
def convolutions(draw):
    """A layer, and a shape that it takes."""
    axes = draw(st.integers(1, 3))
    each = lambda low, high: tuple(draw(st.integers(low, high)) for _ in range(axes))
    window, stride, dilation, groups = each(1, 3), each(1, 3), each(1, 2), draw(st.integers(1, 3))
    padding = draw(st.integers(0, 2))
    space = [max((k - 1) * d + 1 - 2 * padding, 1) + draw(st.integers(0, 3)) for k, d in zip(window, dilation)]  # noqa: B905
    channels, filters = (groups * draw(st.integers(1, 2)) for _ in range(2))
    layer = nn.Convolution(filters, window, stride, padding, dilation, groups, bias=draw(st.booleans()))
    return layer, (draw(st.integers(1, 3)), *space, channels)


@settings(max_examples=30, deadline=None)
@given(case=convolutions())
def test_value_and_gradients_agree_with_pytorch(case, agrees_with_torch, channels_second, torch):
    compare(*case, agrees_with_torch, channels_second, torch, "reference")


@pytest.mark.parametrize(
    "layer, shape",
    [
        (nn.Convolution(8, 3, padding=1), (4, 7, 6, 5)),
        (nn.Convolution(6, (3, 2), (2, 1), 1, (1, 2), 3), (3, 8, 7, 6)),
        (nn.Convolution(4, 5, 4, 2), (2, 19, 3)),
        (nn.Convolution(4, 1), (1, 1, 1, 1)),
        (nn.Convolution(2, 2, 2, 0), (2, 4, 5, 3, 2)),
    ],
)
@pytest.mark.parametrize("engine", ["native", "xla"])
def test_in_float32_too(layer, shape, engine, agrees_with_torch, channels_second, torch):
    compare(layer, shape, agrees_with_torch, channels_second, torch, engine)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("window", [1, 2, 3, 4, 5])
def test_same_is_that_of_pytorch(window, agrees_with_torch, channels_second, torch):
    compare(nn.Convolution(2, window), (2, 5, 6, 3), agrees_with_torch, channels_second, torch, "reference")


def test_the_first_weights_are_drawn_for_what_a_filter_sees():
    params, _ = nn.Convolution(512, 3, groups=4).init(np.random.default_rng(0), spec(1, 8, 8, 256))
    assert params["weight"].shape == (3, 3, 64, 512)
    assert params["weight"].std() == pytest.approx(np.sqrt(2 / (9 * 64)), rel=0.01)
    np.testing.assert_array_equal(params["bias"], np.zeros(512))


def test_shapes_that_do_not_fit_are_named():
    init = lambda layer, *shape: layer.init(np.random.default_rng(0), spec(*shape))
    with pytest.raises(ShapeError, match=r"test_convolution\.py:\d+: input has shape \(1, 5\); \(batch, \*space, chan"):
        init(nn.Convolution(2), 1, 5)
    with pytest.raises(ShapeError, match=r"input has 3 channels, there are 4 filters; 2 groups must divide both"):
        init(nn.Convolution(4, groups=2), 1, 8, 8, 3)
    with pytest.raises(ShapeError, match=r"window is \(3,\); a whole number .* each of the 2 axes"):
        init(nn.Convolution(4, (3,)), 1, 8, 8, 3)
    params, _ = init(nn.Convolution(4), 1, 8, 8, 3)
    with pytest.raises(ShapeError, match=r"shape \(1, 8, 8, 5\); weight \(3, 3, 3, 4\) needs 3 features"):
        nn.Convolution(4).apply(params, {}, np.ones((1, 8, 8, 5)), train=False, key=None)
    with pytest.raises(ShapeError, match=r"^convolution1 \(Convolution\) .* input has lengths \(4, 4\), padding"):
        init(nn.Sequential((nn.Convolution(4, 5, padding="valid"),)), 1, 4, 4, 3)


def test_impossible_settings_are_refused():
    with pytest.raises(ConfigError, match=r"Convolution: filters is 0; it must be at least 1"):
        nn.Convolution(0)
    with pytest.raises(ConfigError, match=r"Convolution: stride is 0; it must be at least 1"):
        nn.Convolution(4, stride=(1, 0))
    with pytest.raises(ConfigError, match=r"Convolution: window is 2\.5; it must be a whole number"):
        nn.Convolution(4, 2.5)
    with pytest.raises(ShapeError, match=r"padding is 'sane'; 'same', 'valid'"):
        nn.Sequential((nn.Convolution(4, padding="sane"),)).init(np.random.default_rng(0), spec(1, 4, 4, 3))
