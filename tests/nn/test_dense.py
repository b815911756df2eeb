import numpy as np
import pytest

import preceptor as pr
from preceptor import nn
from preceptor.errors import ConfigError, ShapeError

ROWS = [
    (nn.Dense(3), (4, 5), (4, 3), 18, {"weight": [[1.0], [10.0]], "bias": [0.5]}, [[2.0, 3.0]], [[32.5]]),
    (nn.Dense(3, bias=False), (4, 5), (4, 3), 15, {"weight": [[1.0, 0.0], [0.0, 2.0]]}, [[2.0, 3.0]], [[2.0, 6.0]]),
    (nn.Dense(2), (4, 6, 5), (4, 6, 2), 12, {"weight": [[2.0]], "bias": [-1.0]}, [[[1.0], [2.0]]], [[[1.0], [3.0]]]),
]
RNG = np.random.default_rng(0)


def spec(*shape):
    return pr.Spec(shape, np.dtype(np.float32))


@pytest.mark.parametrize("dtype, tolerance", [(np.float32, 1e-5), (np.float64, 1e-10)], ids=["float32", "float64"])
@pytest.mark.parametrize("lead", [(7,), (4, 3), (2, 3, 4)])
def test_value_and_gradients_agree_with_pytorch(lead, dtype, tolerance, torch, torch_gradient):
    x, weight, bias, weights = (RNG.normal(size=s).astype(dtype) for s in [(*lead, 5), (5, 6), (6,), (*lead, 6)])

    def ours(x, weight, bias):
        y, _ = nn.Dense(6).apply({"weight": weight, "bias": bias}, {}, x, train=True, key=None)
        return pr.sum(y * weights), y

    (_, value), gradients = pr.value_and_grad(ours, (0, 1, 2), has_aux=True)(x, weight, bias)
    linear = torch.nn.functional.linear
    theirs, their_gradients = torch_gradient(lambda x, w, b: linear(x, w.T, b), weights, x, weight, bias)
    np.testing.assert_allclose(value, theirs, rtol=tolerance, atol=tolerance)
    for a, b in zip(gradients, their_gradients, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=10 * tolerance)


def test_the_bias_starts_at_zero_and_the_weight_as_the_initialiser_says():
    params, _ = nn.Dense(3, initialiser=nn.Constant(2.0)).init(RNG, spec(1, 4))
    np.testing.assert_array_equal(params["bias"], np.zeros(3))
    np.testing.assert_array_equal(params["weight"], np.full((4, 3), 2.0))


def test_another_width_than_the_weight_was_made_for_is_named():
    params, _ = nn.Dense(10).init(RNG, spec(1, 30))
    with pytest.raises(
        ShapeError,
        match=r"^at test_dense\.py:\d+: input has shape \(32, 20\); weight \(30, 10\) needs 30 features\. "
        r"Check the layer before it\.$",
    ):
        nn.Dense(10).apply(params, {}, np.ones((32, 20)), train=False, key=None)


def test_an_input_without_a_feature_axis_is_refused():
    with pytest.raises(ShapeError, match=r"input has shape \(5,\); \(batch, \.\.\., feature\) is required"):
        nn.Dense(2).init(RNG, spec(5))


def test_a_width_below_one_is_refused():
    with pytest.raises(ConfigError, match=r"Dense: units is 0; it must be at least 1"):
        nn.Dense(0)
