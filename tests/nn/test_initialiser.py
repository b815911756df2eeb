import inspect

import numpy as np
import pytest
from scipy import stats

import preceptor as pr
from preceptor import nn
from preceptor.nn import initialiser

# Weights with their fan-in and fan-out, and the standard deviation of each rule by its formula.
SHAPES = [((400, 300), 400, 300), ((3, 3, 64, 200), 576, 1800)]
SIGMA = {
    nn.Gaussian(0.3): lambda into, out: 0.3,
    nn.Xavier(): lambda into, out: 1 / np.sqrt(into),
    nn.Glorot(): lambda into, out: np.sqrt(2 / (into + out)),
    nn.He(): lambda into, out: np.sqrt(2 / into),
    nn.InverseWidth(): lambda into, out: 1 / into,
}

REACH = {
    nn.Uniform(0.3): lambda into, out: 0.3,
    nn.XavierUniform(): lambda into, out: np.sqrt(3 / into),
    nn.GlorotUniform(): lambda into, out: np.sqrt(6 / (into + out)),
    nn.HeUniform(): lambda into, out: np.sqrt(6 / into),
}
OTHERS = [nn.TruncatedGaussian(0.3), nn.Orthogonal(), nn.Dirac()]


def draw(rule, shape, seed=0):
    return rule.draw(np.random.default_rng(seed), shape)


def test_every_initialiser_is_here():
    concrete = {name for name in initialiser.__all__ if not inspect.isabstract(getattr(initialiser, name))}
    assert {type(rule).__name__ for rule in [*SIGMA, *REACH, *OTHERS]} | {"Constant"} == concrete


@pytest.mark.parametrize("shape, into, out", SHAPES)
@pytest.mark.parametrize("rule", SIGMA, ids=str)
def test_values_are_normal_with_the_deviation_of_the_formula(rule, shape, into, out):
    values, sigma = draw(rule, shape).ravel(), SIGMA[rule](into, out)
    n = values.size
    assert abs(values.std() / sigma - 1) < 5 / np.sqrt(2 * n)  # five standard errors of a normal sample's deviation
    assert abs(values.mean()) < 5 * sigma / np.sqrt(n)
    assert stats.kstest(values / sigma, "norm").pvalue > 1e-3


@pytest.mark.parametrize("shape, into, out", SHAPES)
@pytest.mark.parametrize("rule", REACH, ids=str)
def test_values_are_uniform_up_to_the_reach_of_the_formula(rule, shape, into, out):
    values, reach = draw(rule, shape).ravel(), REACH[rule](into, out)
    assert np.abs(values).max() <= reach * (1 + 1e-6)
    assert stats.kstest(values / reach, stats.uniform(-1, 2).cdf).pvalue > 1e-3


@pytest.mark.parametrize("uniform, normal", [(nn.XavierUniform(), nn.Xavier()), (nn.HeUniform(), nn.He())])
def test_uniform_forms_have_the_variance_of_the_normal_ones(uniform, normal):
    assert draw(uniform, (300, 200)).std() == pytest.approx(draw(normal, (300, 200)).std(), rel=0.02)


def test_a_truncated_normal_is_scipys():
    values = draw(nn.TruncatedGaussian(0.3), (400, 300)).ravel()
    assert np.abs(values).max() <= 0.6
    assert stats.kstest(values / 0.3, stats.truncnorm(-2, 2).cdf).pvalue > 1e-3


@pytest.mark.parametrize("inputs, filters", [(4, 10), (10, 4), (5, 5)])
def test_dirac_is_pytorchs_and_what_is_more_is_drawn(inputs, filters):
    torch = pytest.importorskip("torch")
    weight = draw(nn.Dirac(), (3, 3, inputs, filters))
    theirs = torch.nn.init.dirac_(torch.empty(filters, inputs, 3, 3)).permute(2, 3, 1, 0).numpy()
    passed = min(inputs, filters)
    np.testing.assert_array_equal(weight[..., :passed], theirs[..., :passed])
    assert (np.abs(weight[..., passed:]) <= 1 / np.sqrt(9 * inputs)).all()
    assert filters <= inputs or weight[..., passed:].std() > 0.9 / np.sqrt(27 * inputs)


def test_dirac_of_a_dense_layer_is_the_identity():
    np.testing.assert_array_equal(draw(nn.Dirac(), (7, 7)), np.eye(7))


@pytest.mark.parametrize("shape", [(6, 6), (8, 3), (3, 8), (3, 3, 4, 10), (2, 2, 2, 20)])
def test_an_orthogonal_weight_keeps_lengths(shape):
    matrix = draw(nn.Orthogonal(), shape).reshape(-1, shape[-1])
    square = matrix.T @ matrix if matrix.shape[0] >= matrix.shape[1] else matrix @ matrix.T
    np.testing.assert_allclose(square, np.eye(len(square)), atol=1e-5)


def test_orthogonal_weights_are_turned_evenly():
    """The first number of a turn of the plane is the cosine of an even angle."""
    first = np.array([draw(nn.Orthogonal(), (2, 2), seed)[0, 0] for seed in range(400)])
    assert stats.kstest(first, stats.arcsine(-1, 2).cdf).pvalue > 1e-3


@pytest.mark.parametrize("shape", [(5, 4), (7, 3, 6), (3, 5, 2, 8), (2, 3, 4, 5, 6)])
def test_fans_are_those_of_pytorch(shape, torch):
    """Its weights are (out, in, *window)."""
    weight = torch.empty((shape[-1], shape[-2], *shape[:-2]))
    fans = torch.nn.init._calculate_fan_in_and_fan_out(weight)
    assert (initialiser._fan_in(shape), initialiser._fan_out(shape)) == fans


def test_a_large_weight_is_drawn_in_pieces_that_change_nothing():
    shape = (3, initialiser.PIECE)
    whole = 0.01 * np.random.default_rng(4).standard_normal(shape)
    np.testing.assert_array_equal(draw(nn.Gaussian(0.01), shape, seed=4), whole.astype(np.float32))


@pytest.mark.parametrize("rule", [*SIGMA, *REACH, *OTHERS, nn.Constant(0.5)], ids=str)
def test_the_seed_alone_decides_and_values_are_float32(rule):
    assert draw(rule, (5, 4)).dtype == np.float32
    np.testing.assert_array_equal(draw(rule, (5, 4), seed=1), draw(rule, (5, 4), seed=1))
    free = slice(4, None) if isinstance(rule, nn.Dirac) else slice(None)
    fresh = draw(rule, (4, 5), seed=1) != draw(rule, (4, 5), seed=2)
    assert isinstance(rule, nn.Constant) or fresh[:, free].all()


def test_numbers_by_hand():
    ones = type("Ones", (), {"standard_normal": lambda self, shape: np.ones(shape)})()
    for rule, sigma in [
        (nn.Xavier(), 1 / 2),
        (nn.Glorot(), 1 / 2),
        (nn.He(), np.sqrt(0.5)),
        (nn.InverseWidth(), 1 / 4),
    ]:
        np.testing.assert_allclose(rule.draw(ones, (4, 4)), sigma, rtol=1e-7)


@pytest.mark.parametrize("value", [0.0, 0.5])
def test_constant_weights_keep_all_units_of_a_layer_equal(value):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 3)), rng.integers(0, 2, 20)

    def trained(rule):
        network = nn.Sequential((nn.Dense(4, initialiser=rule), nn.Tanh(), nn.Dense(1, initialiser=rule)))
        params, _ = network.init(np.random.default_rng(1), pr.Spec((1, 3), np.dtype(np.float32)))
        cost = lambda p: pr.mean(nn.BinaryCrossEntropy()(network.apply(p, {}, x, train=True, key=None)[0], y))
        for _ in range(20):
            slopes = pr.grad(cost)(params)
            params = {name: params[name] - 0.5 * slopes[name] for name in params}
        return params

    same, drawn = trained(nn.Constant(value)), trained(nn.Xavier())
    assert np.ptp(same["dense1/weight"], axis=1).max() < 1e-6
    assert np.ptp(same["dense2/weight"]) < 1e-6
    assert np.ptp(drawn["dense1/weight"], axis=1).min() > 0.1
    if value:
        assert np.abs(same["dense1/weight"] - value).max() > 1e-3  # they learned, together
