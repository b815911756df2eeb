"""Penalties: values and gradients against closed forms; what they reach and what they leave alone."""

import inspect

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import preceptor as pr
from preceptor import nn
from preceptor.engines import Native, Reference, Xla
from preceptor.errors import ConfigError
from preceptor.job import fit
from preceptor.train import (
    L1,
    L2,
    SGD,
    Adagrad,
    Adam,
    Arrays,
    Config,
    Cosine,
    Momentum,
    Nesterov,
    RMSProp,
    penalty,
    train,
)

PARAMS = {
    "hidden/weight": np.array([[1.0, -2.0], [0.0, 3.0]]),
    "hidden/bias": np.array([5.0, -7.0]),
    "output/weight": np.array([[-0.5], [4.0]]),
    "norm/scale": np.array([9.0]),
}


def soft(p, reach):
    """The soft threshold."""
    return np.sign(p) * np.maximum(np.abs(p) - reach, 0)


# Class, cost at weight 1 by hand, the closed form of its gradient, and of a step of gradient g at rate r and weight w.
ROWS = [
    (L2, (1 + 4 + 0 + 9 + 0.25 + 16) / 2, lambda p: p, lambda p, g, r, w: p - r * (g + w * p)),
    (L1, 1 + 2 + 0 + 3 + 0.5 + 4, np.sign, lambda p, g, r, w: soft(p - r * g, r * w)),
]
every_penalty = pytest.mark.parametrize("cls, cost, slope, step", ROWS, ids=[row[0].__name__ for row in ROWS])


def test_every_penalty_has_a_row():
    classes = {each for name in penalty.__all__ if not inspect.isabstract(each := getattr(penalty, name))}
    assert classes == {row[0] for row in ROWS}


@every_penalty
def test_cost_of_the_weights_by_hand(cls, cost, slope, step):
    assert cls(0.1).cost(PARAMS, 0.1) == pytest.approx(0.1 * cost, rel=1e-15)
    assert cls(0.1).cost(PARAMS, 3.0) == pytest.approx(3 * cost, rel=1e-15)  # the program's number, not the field


@every_penalty
def test_gradient_is_the_closed_form_and_leaves_biases_alone(cls, cost, slope, step):
    found = pr.grad(lambda params: cls().cost(params, 0.1))(PARAMS)
    for path, p in PARAMS.items():
        assert_allclose(found[path], 0.1 * slope(p) if path.endswith("weight") else np.zeros_like(p), rtol=1e-15)


@every_penalty
def test_pattern_says_which_parameters_count(cls, cost, slope, step):
    part = {path: p for path, p in PARAMS.items() if path.startswith("hidden")}
    assert cls(pattern="hidden/weight").cost(PARAMS, 1.0) == cls().cost(part, 1.0)
    assert cls(pattern="*").cost(PARAMS, 1.0) > cost
    assert cls(pattern="nowhere").cost(PARAMS, 1.0) == 0
    found = pr.grad(lambda params: cls(pattern="norm/*").cost(params, 1.0))(PARAMS)
    assert_array_equal(found["hidden/weight"], np.zeros((2, 2)))
    assert_allclose(found["norm/scale"], slope(np.array([9.0])))


@every_penalty
@pytest.mark.parametrize("batch_size", [1, 4, 16])
def test_its_pull_does_not_depend_on_the_size_of_the_batch(cls, cost, slope, step, batch_size):
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
        weight = step(weight, error * data.x[:1].T, 0.1, 0.3)
        bias = bias - 0.1 * error
    after = records[-1].snapshot()["params"]
    assert_allclose(after["dense1/weight"], weight, rtol=1e-12)
    assert_allclose(after["dense1/bias"], [bias], rtol=1e-12)
    shown = np.concatenate([record.losses for record in records])
    assert_allclose(shown, losses, rtol=1e-12)  # the loss that is shown leaves penalties out


# Exact zeros ---------------------------------------------------------------------------------------------------------


def regression(rows=80):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 20))
    return x, x[:, :3] @ [3.0, -2.0, 0.7] + 1 + 0.5 * rng.normal(size=rows)


def fitted(penalties, optimiser, engine, rate, network=None, loss=nn.Quadratic(), epochs=800, start=None):  # noqa: B008
    x, y = regression()
    config = Config(
        network or nn.linear_model(1), loss, optimiser, penalties=penalties, learning_rate=rate, batch_size=len(x),
        epochs=epochs, engine=engine, schedule=Cosine(),
    )  # fmt: skip
    return list(train(config, Arrays(x, y), judged=0))[-1].snapshot()["params"]


@pytest.mark.parametrize("engine", [Reference("f64"), Native("f64"), Xla("f64"), Native("f32")], ids=str)
@pytest.mark.parametrize(
    "optimiser, rate",
    [(SGD(), 0.3), (Momentum(), 0.05), (Nesterov(), 0.05), (Adam(), 0.05), (RMSProp(), 0.02), (Adagrad(), 0.5)],
    ids=str,
)
def test_l1_is_the_lasso_with_its_zeros(optimiser, rate, engine):
    from sklearn.linear_model import Lasso

    theirs = Lasso(alpha=0.1, tol=1e-12).fit(*regression())
    found = fitted((L1(0.1),), optimiser, engine, rate)
    assert_allclose(found["output/weight"][:, 0], theirs.coef_, atol=1e-3)
    assert_array_equal(found["output/weight"][:, 0] == 0, theirs.coef_ == 0)
    assert_allclose(found["output/bias"], [theirs.intercept_], atol=1e-3)
    assert 10 <= np.count_nonzero(theirs.coef_ == 0) < 20


def test_both_together_are_the_elastic_net():
    from sklearn.linear_model import ElasticNet

    theirs = ElasticNet(alpha=0.3, l1_ratio=1 / 3, tol=1e-12).fit(*regression())  # alpha * l1_ratio = 0.1, the rest 0.2
    found = fitted((L2(0.2), L1(0.1)), SGD(), Reference("f64"), 0.3)
    assert_allclose(found["output/weight"][:, 0], theirs.coef_, atol=1e-6)
    assert_array_equal(found["output/weight"][:, 0] == 0, theirs.coef_ == 0)


def test_weights_of_hidden_layers_become_zero():
    run = fit("iris", hidden=(16,), l1=0.05, epochs=40, engine="native")
    weights = np.concatenate([p.ravel() for path, p in run.params.items() if path.endswith("weight")])
    assert np.count_nonzero(weights == 0) > 10
    assert run.facts["zero_weights"] == np.count_nonzero(weights == 0)
    assert run.facts["l1_weights"] == weights.size


@every_penalty
def test_a_negative_weight_is_refused(cls, cost, slope, step):
    with pytest.raises(ConfigError, match=f"{cls.__name__}: weight is -1; it must be at least 0"):
        cls(-1.0)


@pytest.mark.parametrize(
    "penalties, found",
    [
        ((), {}),
        ((L2(1.0), L1(0.0)), {}),
        ((L1(0.1),), {"l1_weights": 6, "zero_weights": 1}),
        ((L1(0.1, "hidden/*"), L1(0.1, "*weight"), L2(1.0, "norm*")), {"l1_weights": 8, "zero_weights": 1}),
    ],
)
def test_zeros_are_counted_where_a_penalty_makes_them(penalties, found):
    assert penalty.zeros(penalties, PARAMS) == found
