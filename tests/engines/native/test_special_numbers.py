"""NaN, infinities, zeros of both signs, the largest and the smallest numbers on the native engine as on the reference
engine: what a training that flies off shows must not depend on the engine."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import preceptor as pr
from preceptor import nn
from preceptor.graph import flatten

SPECIAL = np.float32([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 3e38, -3e38, 1e-38, 1e-42, 88.8, -104.0, 2.5, 1e4])
OTHER = np.roll(SPECIAL, 4)
FUNCTIONS = {
    "relu": pr.relu,
    "leaky": lambda x: pr.where(x > 0, x, 0.1 * x),
    "clip": lambda x: pr.clip(x, -1, 2),
    "abs": lambda x: pr.abs(x) + pr.sign(pr.stop_gradient(x)),
    "maximum": lambda x: pr.maximum(x, OTHER) - pr.minimum(x, 1),
    "products": lambda x: x * OTHER + 0 * x,
    "quotients": lambda x: x / OTHER + 1 / x,
    "differences": lambda x: (x - OTHER) - -x,
    "powers": lambda x: x**2 + x**3 + x**-1,
    "logarithms": lambda x: pr.log(x) + pr.log1p(x) + pr.sqrt(x),
    "exponentials": lambda x: pr.exp(x) - pr.expm1(x),
    "sigmoids": lambda x: pr.sigmoid(x) + pr.tanh(x) + pr.erf(x),
    "softplus": lambda x: pr.softplus(x) + pr.log_sigmoid(x),
    "sum": pr.sum,
    "sum of finite ones": lambda x: pr.sum(pr.where(pr.abs(x) < 1e30, x, 0)),
    "mean": lambda x: x - pr.mean(x),
    "max": lambda x: pr.max(x),
    "comparisons": lambda x: pr.cast(x < OTHER, np.float32) + 2 * pr.cast(pr.equal(x, x), np.float32),
}


def compare(function, *cases):
    """The function of each of the arguments, compiled once."""
    native, reference = (pr.jit(function, engine=engine) for engine in ("native", "reference"))
    for case in cases:
        with np.errstate(all="ignore"):
            ours, theirs = flatten(native(case))[0], flatten(reference(case))[0]
        for one, other in zip(ours, theirs, strict=True):
            assert one.dtype == other.dtype
            assert_allclose(one, other, rtol=1e-5, atol=1e-44)  # sums in another order, exp and its like of our own


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_and_slopes(name):
    function = FUNCTIONS[name]
    alone = np.where(np.eye(15, dtype=bool), SPECIAL, np.float32(0.5))  # each by itself among ordinary ones
    compare(function, SPECIAL, np.tile(SPECIAL, (200, 1)), *alone)
    compare(pr.grad(lambda x: pr.sum(function(x))), SPECIAL, np.tile(SPECIAL, (200, 1)))


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf, 3e38], ids=str)
def test_reductions_of_rows_columns_and_windows(special):
    x = np.random.default_rng(0).normal(size=(6, 8, 8, 5)).astype(np.float32)
    x[2, 3, 4, 1] = special
    compare(lambda x: (pr.max(x, -1), pr.max(x, 0), pr.sum(x, (1, 2)), pr.max_pool(x, 2), pr.mean_pool(x, 3, 2)), x)
    compare(lambda x: (pr.softmax(x), pr.log_softmax(x, 1), pr.argmax(pr.reshape(x, (6, 320)))), x)


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf], ids=str)
def test_a_network_shows_what_it_is_given(special):
    network = nn.mlp((16,), 3, batch_norm=True)
    params, state = network.init(np.random.default_rng(0), pr.Spec((1, 4), np.dtype(np.float32)))
    x = np.random.default_rng(1).normal(size=(8, 4)).astype(np.float32)
    x[3, 2] = special
    for train in (True, False):
        compare(lambda given, train=train: network.apply(given[0], state, given[1], train=train, key=None), (params, x))
