import math

import numpy as np
import pytest

import preceptor as pr
from preceptor import nn
from preceptor.errors import ConfigError, NotDifferentiable, ShapeError
from preceptor.nn import activation

# Layer, shape of the input, shape of the output, number of parameters, and one case worked out by hand: (params, x, y).
E = math.e
ROWS = [
    (nn.Linear(), (4, 3), (4, 3), 0, {}, [[-2.0, 3.0]], [[-2.0, 3.0]]),
    (nn.Sigmoid(), (4, 3), (4, 3), 0, {}, [[0.0, math.log(3)]], [[0.5, 0.75]]),
    (nn.Tanh(), (4, 3), (4, 3), 0, {}, [[0.0, math.log(2)]], [[0.0, 0.6]]),
    (nn.Relu(), (4, 2, 3), (4, 2, 3), 0, {}, [[-2.0, 0.0, 3.0]], [[0.0, 0.0, 3.0]]),
    (nn.Relu6(), (4, 2, 3), (4, 2, 3), 0, {}, [[-2.0, 0.0, 3.0, 6.0, 7.0]], [[0.0, 0.0, 3.0, 6.0, 6.0]]),
    (nn.LeakyRelu(), (4, 3), (4, 3), 0, {}, [[-2.0, 0.0, 3.0]], [[-0.02, 0.0, 3.0]]),
    (nn.LeakyRelu(0.1), (4, 3), (4, 3), 0, {}, [[-2.0, 0.0, 3.0]], [[-0.2, 0.0, 3.0]]),
    (nn.ParametricRelu(), (8, 3), (8, 3), 3, {"slope": [0.5, 2.0]}, [[-2.0, -2.0], [3.0, 3.0]], [[-1, -4.0], [3, 3]]),
    (nn.Elu(2.0), (4, 3), (4, 3), 0, {}, [[-1.0, 0.0, 3.0]], [[2 / E - 2, 0.0, 3.0]]),
    (nn.Selu(), (4, 3), (4, 3), 0, {}, [[-1.0, 1.0]], [[-1.1113307378125628, 1.0507009873554805]]),
    (nn.Gelu(), (4, 3), (4, 3), 0, {}, [[-1.0, 1.0]], [[-0.15865525393145707, 0.8413447460685429]]),
    (nn.Swish(), (4, 3), (4, 3), 0, {}, [[0.0, math.log(3)]], [[0.0, 0.75 * math.log(3)]]),
    (nn.Softplus(), (4, 3), (4, 3), 0, {}, [[0.0, math.log(E - 1)]], [[math.log(2), 1.0]]),
    (nn.Softsign(), (4, 3), (4, 3), 0, {}, [[-1.0, 0.0, 3.0]], [[-0.5, 0.0, 0.75]]),
    (nn.HardSigmoid(), (4, 3), (4, 3), 0, {}, [[-4.0, -1.5, 0.0, 3.0]], [[0.0, 0.25, 0.5, 1.0]]),
    (nn.Exponential(), (4, 3), (4, 3), 0, {}, [[0.0, 1.0, math.log(3)]], [[1.0, E, 3.0]]),
    (nn.Softmax(), (4, 3), (4, 3), 0, {}, [[0.0, math.log(3)], [5.0, 5.0]], [[0.25, 0.75], [0.5, 0.5]]),
    (nn.Softmax(), (4, 1), (4, 1), 0, {}, [[-7.0]], [[1.0]]),
    (nn.Threshold(), (4, 3), (4, 3), 0, {}, [[-1e-9, 0.0, 2.0]], [[0.0, 1.0, 1.0]]),
    (nn.Maxout(), (4, 6), (4, 3), 0, {}, [[1.0, 4.0, -2.0, -3.0]], [[4.0, -2.0]]),
    (nn.Maxout(3), (4, 2, 6), (4, 2, 2), 0, {}, [[1.0, 4.0, 2.0, -1.0, -2.0, -3.0]], [[4.0, -1.0]]),
]

PEERS = {
    "Linear": lambda torch: lambda x: x * 1,
    "Sigmoid": lambda torch: torch.sigmoid,
    "Tanh": lambda torch: torch.tanh,
    "Relu": lambda torch: torch.nn.functional.relu,
    "Relu6": lambda torch: torch.nn.functional.relu6,
    "LeakyRelu": lambda torch: torch.nn.LeakyReLU(0.01),
    "Elu": lambda torch: torch.nn.functional.elu,
    "Selu": lambda torch: torch.nn.functional.selu,
    "Gelu": lambda torch: torch.nn.functional.gelu,
    "Swish": lambda torch: torch.nn.functional.silu,
    "Softplus": lambda torch: torch.nn.Softplus(threshold=80),  # its default takes z for log(1 + e^z) above 20
    "Softsign": lambda torch: torch.nn.functional.softsign,
    "HardSigmoid": lambda torch: lambda x: torch.nn.functional.relu6(x + 3) / 6,  # its own has a 1/6 of float32
    "Exponential": lambda torch: torch.exp,
    "Softmax": lambda torch: lambda x: torch.softmax(x, -1),
    "Maxout": lambda torch: lambda x: x.unflatten(-1, (-1, 2)).amax(-1),
}
ELSEWHERE = {"ParametricRelu", "Threshold"}  # tests of their own below
POINTS = [0.0, -0.0, 1e-3, -1e-3, 0.5, -0.5, 3.0, -3.0, 6.0, -6.0, 9.0, -9.0, 30.0, -30.0, 90.0, -90.0, 700.0, -700.0]


def test_every_activation_is_compared_with_pytorch():
    assert set(PEERS) | ELSEWHERE == set(activation.__all__)


@pytest.mark.parametrize("dtype, tolerance", [(np.float32, 1e-5), (np.float64, 1e-10)], ids=["float32", "float64"])
@pytest.mark.parametrize("name", PEERS)
def test_value_and_slope_agree_with_pytorch(name, dtype, tolerance, torch, torch_gradient):
    x = np.concatenate((POINTS, 3 * np.random.default_rng(0).normal(size=104))).astype(dtype)
    if name == "Exponential":
        x = x[np.abs(x) < 80]  # e^90 is more than float32 holds
    if name == "Maxout":
        x = np.concatenate((x, [2.0, 2.0])).astype(dtype)  # a tie
    layer = getattr(nn, name)()
    weights = np.random.default_rng(1).normal(size=layer(x).shape).astype(dtype)
    value, slope = pr.value_and_grad(lambda x: (pr.sum(layer(x) * weights), layer(x)), has_aux=True)(x)
    theirs, (their_slope,) = torch_gradient(PEERS[name](torch), weights, x)
    assert value[1].dtype == slope.dtype == dtype
    np.testing.assert_allclose(value[1], theirs, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(slope, their_slope, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype, tolerance", [(np.float32, 1e-5), (np.float64, 1e-10)], ids=["float32", "float64"])
def test_parametric_relu_and_its_slope_agree_with_pytorch(dtype, tolerance, torch, torch_gradient):
    rng = np.random.default_rng(0)
    x, slope, weights = (rng.normal(size=shape).astype(dtype) for shape in [(20, 3), (3,), (20, 3)])
    x[0] = 0

    def ours(x, slope):
        y, _ = nn.ParametricRelu().apply({"slope": slope}, {}, x, train=True, key=None)
        return pr.sum(y * weights), y

    (_, value), gradients = pr.value_and_grad(ours, (0, 1), has_aux=True)(x, slope)
    theirs, their_gradients = torch_gradient(torch.nn.functional.prelu, weights, x, slope)
    np.testing.assert_allclose(value, theirs, rtol=tolerance, atol=tolerance)
    for a, b in zip(gradients, their_gradients, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", sorted(set(activation.__all__) - {"ParametricRelu", "Exponential"}))
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
def test_values_and_slopes_are_finite_at_ten_thousand(name, dtype):
    layer, x = getattr(nn, name)(), np.array([-1e4, 1e4, 1e4, -1e4], dtype)
    assert np.isfinite(layer(x)).all()
    if name != "Threshold":
        assert np.isfinite(pr.grad(lambda x: pr.sum(layer(x)))(x)).all()


def test_the_threshold_unit_refuses_its_derivative():
    with pytest.raises(NotDifferentiable, match=r"threshold at test_activation\.py:\d+: .* flat everywhere"):
        pr.grad(lambda x: pr.sum(nn.Threshold()(x)))(np.ones(3))


def test_every_feature_learns_a_slope_of_its_own():
    params, _ = nn.ParametricRelu(0.1).init(np.random.default_rng(0), pr.Spec((2, 5, 3), np.dtype(np.float32)))
    np.testing.assert_array_equal(params["slope"], np.full(3, 0.1, np.float32))


def test_maxout_says_which_width_it_needs():
    with pytest.raises(
        ShapeError,
        match=r"^at test_activation\.py:\d+: input has shape \(4, 5\); the last axis must be a multiple of 2 pieces\. "
        r"Change the width of the layer before it\.$",
    ):
        nn.Maxout()(np.ones((4, 5)))
    with pytest.raises(ConfigError, match=r"Maxout: pieces is 1; it must be at least 2"):
        nn.Maxout(1)


def test_impossible_settings_are_refused():
    with pytest.raises(ConfigError, match=r"LeakyRelu: slope is 2; it must be 0 to 1"):
        nn.LeakyRelu(2)
    with pytest.raises(ConfigError, match=r"Elu: alpha is -1; it must be at least 0"):
        nn.Elu(-1)
