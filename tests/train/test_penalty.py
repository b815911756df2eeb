"""Penalties: values and gradients against closed forms; what they reach and what they leave alone."""

import inspect

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import preceptor as pr
from preceptor import nn
from preceptor.engines import Reference
from preceptor.errors import ConfigError
from preceptor.train import L1, L2, SGD, Arrays, Config, penalty, train

PARAMS = {
    "hidden/weight": np.array([[1.0, -2.0], [0.0, 3.0]]),
    "hidden/bias": np.array([5.0, -7.0]),
    "output/weight": np.array([[-0.5], [4.0]]),
    "norm/scale": np.array([9.0]),
}
# Class, cost at weight 1 by hand, and the closed form of its gradient.
ROWS = [
    (L2, (1 + 4 + 0 + 9 + 0.25 + 16) / 2, lambda p: p),
    (L1, 1 + 2 + 0 + 3 + 0.5 + 4, np.sign),
]
every_penalty = pytest.mark.parametrize("cls, cost, slope", ROWS, ids=[row[0].__name__ for row in ROWS])


def test_every_penalty_has_a_row():
    classes = {each for name in penalty.__all__ if not inspect.isabstract(each := getattr(penalty, name))}
    assert classes == {row[0] for row in ROWS}


@every_penalty
def test_cost_of_the_weights_by_hand(cls, cost, slope):
    assert cls(0.1).cost(PARAMS, 0.1) == pytest.approx(0.1 * cost, rel=1e-15)
    assert cls(0.1).cost(PARAMS, 3.0) == pytest.approx(3 * cost, rel=1e-15)  # the program's number, not the field


@every_penalty
def test_gradient_is_the_closed_form_and_leaves_biases_alone(cls, cost, slope):
    found = pr.grad(lambda params: cls().cost(params, 0.1))(PARAMS)
    for path, p in PARAMS.items():
        assert_allclose(found[path], 0.1 * slope(p) if path.endswith("weight") else np.zeros_like(p), rtol=1e-15)


@every_penalty
def test_pattern_says_which_parameters_count(cls, cost, slope):
    part = {path: p for path, p in PARAMS.items() if path.startswith("hidden")}
    assert cls(pattern="hidden/weight").cost(PARAMS, 1.0) == cls().cost(part, 1.0)
    assert cls(pattern="*").cost(PARAMS, 1.0) > cost
    assert cls(pattern="nowhere").cost(PARAMS, 1.0) == 0
    found = pr.grad(lambda params: cls(pattern="norm/*").cost(params, 1.0))(PARAMS)
    assert_array_equal(found["hidden/weight"], np.zeros((2, 2)))
    assert_allclose(found["norm/scale"], slope(np.array([9.0])))


@every_penalty
@pytest.mark.parametrize("batch_size", [1, 4, 16])
def test_its_pull_does_not_depend_on_the_size_of_the_batch(cls, cost, slope, batch_size):
    """Where every row is the same, so is the mean loss of any batch: then a step must be the same too."""
    network = nn.Sequential((nn.Dense(1),))
    data = Arrays(np.tile([[1.0, 2.0]], (16, 1)), np.full(16, 3.0))
    config = Config(
        network,
        nn.Quadratic(),
        SGD(),
        penalties=(cls(0.3),),
        learning_rate=0.1,
        batch_size=batch_size,
        epochs=3,
        engine=Reference("f64"),
    )
    records = list(train(config, data))
    first = network.init(np.random.default_rng(0), pr.Spec((1, 2), np.dtype(np.float64)))[0]
    weight, bias = first["dense1/weight"].astype(np.float64), 0.0
    losses = []
    for _ in range(records[-1].step):
        error = (data.x[:1] @ weight).item() + bias - 3.0
        losses.append(error**2 / 2)
        weight = weight - 0.1 * (error * data.x[:1].T + 0.3 * slope(weight))
        bias = bias - 0.1 * error
    after = records[-1].snapshot()["params"]
    assert_allclose(after["dense1/weight"], weight, rtol=1e-12)
    assert_allclose(after["dense1/bias"], [bias], rtol=1e-12)
    shown = np.concatenate([record.losses for record in records])
    assert_allclose(shown, losses, rtol=1e-12)  # the loss that is shown leaves penalties out


def test_both_together_are_the_elastic_net():
    network = nn.linear_model(1)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 5))
    y = x @ [3.0, 0.0, -2.0, 0.0, 0.05] + 1 + 0.1 * rng.normal(size=60)
    config = Config(
        network,
        nn.Quadratic(),
        SGD(),
        penalties=(L2(0.2), L1(0.1)),
        learning_rate=0.1,
        batch_size=60,
        epochs=600,
        engine=Reference("f64"),
    )
    found = list(train(config, Arrays(x, y)))[-1].snapshot()["params"]
    from sklearn.linear_model import ElasticNet

    theirs = ElasticNet(alpha=0.3, l1_ratio=1 / 3, tol=1e-12).fit(x, y)  # alpha * l1_ratio = 0.1, the rest 0.2
    assert_allclose(
        found["output/weight"][:, 0], theirs.coef_, atol=0.011
    )  # a subgradient step swings by rate * weight
    assert_allclose(found["output/bias"], [theirs.intercept_], atol=0.011)


@every_penalty
def test_a_negative_weight_is_refused(cls, cost, slope):
    with pytest.raises(ConfigError, match=f"{cls.__name__}: weight is -1; it must be at least 0"):
        cls(-1.0)
