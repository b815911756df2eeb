"""Simple guesses beside scikit-learn's."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from trained import table, trained

from preceptor import nn
from preceptor.data import Target
from preceptor.evidence.baseline import (
    LINEAR,
    MOST_FEATURES,
    NAIVE_CLASS,
    NAIVE_NUMBER,
    PENALTIES,
    PENALTY,
    Taught,
    _Guesses,
    _prepared,
    baselines,
    compact,
    taught_rows,
)
from preceptor.evidence.judges import JudgedTarget
from preceptor.evidence.linear import logistic, ridge
from preceptor.train.choice import METRICS
from preceptor.train.training import Arrays

linear_model = pytest.importorskip("sklearn.linear_model")
metrics = pytest.importorskip("sklearn.metrics")


def digits():
    x, y = pytest.importorskip("sklearn.datasets").load_digits(return_X_y=True)
    x = x[:, x.std(0) > 0]
    return ((x - x.mean(0)) / x.std(0)).astype(np.float32), y.astype(np.int64)


def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


@pytest.mark.parametrize("classes", [2, 10])
def test_logistic_regression_is_scikit_learns(classes):
    x, y = digits()
    y = y if classes == 10 else (y > 4).astype(np.int64)
    rng = np.random.default_rng(0)
    fold = rng.integers(0, 3, len(y))
    counts = np.where(fold != np.arange(3)[:, None], rng.choice([1.0, 2.5], len(y)), 0.0)
    weights, bias = logistic(x, y, classes, counts, PENALTY)
    for w, b, own in zip(weights, bias, counts, strict=True):
        theirs = linear_model.LogisticRegression(C=1 / (PENALTY * own.sum()), max_iter=5000, tol=1e-7)
        theirs.fit(x, y, sample_weight=own)
        left = own == 0
        ours, expected = softmax(x[left] @ w + b), theirs.predict_proba(x[left].astype(np.float64))
        loss, wanted = (metrics.log_loss(y[left], each) for each in (ours, expected))
        assert loss == pytest.approx(wanted, rel=0.03)
        assert (ours.argmax(1) == y[left]).mean() == pytest.approx((expected.argmax(1) == y[left]).mean(), abs=0.007)
        # The objective itself is as low as theirs, but for what steps that promise less would still gain.
        taught = [
            np.average(-np.log(each[np.arange(len(y)), y]), weights=own) + PENALTY / 2 * size
            for each, size in (
                (softmax(x @ w + b), (w**2).sum()),
                (theirs.predict_proba(x.astype(np.float64)), (theirs.coef_**2).sum()),
            )
        ]
        assert taught[0] - taught[1] < 2e-3


def test_ridge_regression_is_scikit_learns_to_the_digit():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 7))
    y = x @ rng.normal(size=7) + rng.normal(size=200) + 3
    counts = np.stack([np.ones(200), rng.choice([0.0, 1.0, 3.0], 200)])
    weights, bias = ridge(x, y, counts, 0.05)
    for w, b, own in zip(weights, bias, counts, strict=True):
        theirs = linear_model.Ridge(alpha=0.05 * own.sum()).fit(x, y, sample_weight=own)
        assert_allclose(w, theirs.coef_, rtol=1e-9)
        assert b == pytest.approx(theirs.intercept_, rel=1e-9)
    # The closed form, without weights: (X'X / n + penalty)^-1 X'y / n of what is centred.
    middle = x - x.mean(0)
    closed = np.linalg.solve(middle.T @ middle / 200 + 0.05 * np.eye(7), middle.T @ (y - y.mean()) / 200)
    assert_allclose(weights[0], closed, rtol=1e-9)


def test_out_of_fold_nobody_guesses_what_taught_it():
    """Labels that are noise: a model that saw them would tell them, one that did not cannot."""
    rng = np.random.default_rng(0)
    data = {f"x{n}": rng.normal(size=80) for n in range(40)} | {"y": rng.choice(["a", "b"], 80).astype(object)}
    made = trained(data, target="y", epochs=1)
    assert made.judges.part == "out of fold"
    naive, linear = baselines(made.judges, made.fitting.data, made.fitting.preprocessor, 0)[0]
    assert (naive.name, linear.name) == (NAIVE_CLASS, LINEAR)
    assert linear.figures["accuracy"] < 0.7
    assert linear.figures["auc"] < 0.7
    assert list(naive.figures) == list(linear.figures) == list(made.run.dev)[: len(naive.figures)]


@pytest.mark.parametrize("kind", ["classes", "number"])
def test_on_test_rows_they_are_those_of_the_training_part(kind):
    made = trained(table(kind=kind), target="y", test_share=0.3, weight="a")
    assert made.judges.part == "test"
    data, pre = made.fitting.data, made.fitting.preprocessor
    naive, linear = baselines(made.judges, data, pre, 0)[0]
    weight, own = made.judges.weight, pre.targets[0]
    y, train = made.judges.targets[0].y, data.y
    # Test rows are judged by what all training rows taught, out of fold or not: the mean over the folds' guesses.
    if kind == "classes":
        share = np.average(train, weights=data.weight)
        p = np.where(y == 1, share, 1 - share)
        assert naive.figures["log_loss"] == pytest.approx(np.average(-np.log(p), weights=weight), rel=1e-4)
        assert linear.figures["accuracy"] > naive.figures["accuracy"] + 0.1
        assert set(linear.figures) == set(made.run.test)
    else:
        assert naive.name == NAIVE_NUMBER
        off = own.decode(y) - np.average(own.decode(train), weights=data.weight)
        assert naive.figures["rmse"] == pytest.approx(np.sqrt(np.average(off**2, weights=weight)), rel=1e-4)
        assert abs(naive.figures["r2"]) < 0.2
        assert linear.figures["r2"] > 0.3
        learned, asked = _prepared(data.x, made.judges.x, pre, 0)
        theirs = linear_model.Ridge(alpha=PENALTY * data.weight.sum())
        theirs.fit(learned.astype(float), own.decode(train), sample_weight=data.weight)
        off = theirs.predict(asked.astype(float)) - own.decode(y)
        assert linear.figures["mae"] == pytest.approx(np.average(np.abs(off), weights=weight), rel=1e-4)


def test_quantiles_have_their_own_figures():
    made = trained(table(kind="number"), target="y", quantiles=(0.1, 0.5, 0.9))
    naive, linear = baselines(made.judges, made.fitting.data, made.fitting.preprocessor, 0)[0]
    assert set(naive.figures) == set(linear.figures) == set(made.run.dev)
    assert linear.figures["pinball_loss"] < naive.figures["pinball_loss"]
    assert naive.figures["below_0.1"] == pytest.approx(0.1, abs=0.03)
    assert linear.figures["below_0.9"] == pytest.approx(0.9, abs=0.06)


def test_several_targets_have_guesses_of_their_own():
    data = table() | {"z": table(kind="number")["y"]}
    made = trained(data, target=("y", "z"))
    found = baselines(made.judges, made.fitting.data, made.fitting.preprocessor, 0)
    assert [[each.name for each in own] for own in found] == [[NAIVE_CLASS, LINEAR], [NAIVE_NUMBER, LINEAR]]
    alone = trained(table(), target="y")
    assert found[0][0].figures["accuracy"] == pytest.approx(
        baselines(alone.judges, alone.fitting.data, alone.fitting.preprocessor, 0)[0][0].figures["accuracy"], abs=0.02
    )


def test_the_runs_metric_comes_first_and_decides():
    made = trained(table(), target="y", metric="f1")
    naive, linear = baselines(made.judges, made.fitting.data, made.fitting.preprocessor, 0, METRICS["f1"])[0]
    assert next(iter(naive.figures)) == next(iter(linear.figures)) == "f1" == next(iter(made.run.dev))
    assert linear.figures["f1"] > 0.6


def test_pictures_are_averaged_down():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(5, 40, 17, 3)).astype(np.float32)
    found = compact(x).reshape(5, 13, 13, 3)
    assert_allclose(found[:, 0, 0], x[:, :3, :1].mean((1, 2)), rtol=1e-4, atol=1e-5)
    assert_allclose(found[:, 12, 12], x[:, 36:, 15:].mean((1, 2)), rtol=1e-4, atol=1e-5)
    assert compact(x[..., :1]).shape == (5, 256)
    small = rng.normal(size=(2, 8, 8, 1)).astype(np.float32)
    assert_allclose(compact(small), small.reshape(2, 64))


def test_very_many_features_become_random_sums():
    """Inner products, by which ridge and logistic regression tell rows apart, stay as they are but for noise."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(2, 5000))
    y = rng.integers(0, 2, 200)
    x = (rng.normal(size=(200, 5000)) + 0.15 * centres[y]).astype(np.float32)
    learned, asked = _prepared(x[:150], x[150:], None, 3)
    assert learned.shape[1] == MOST_FEATURES
    weights, bias = logistic(learned, y[:150], 2, np.ones((1, 150)), PENALTY)
    assert ((asked @ weights[0] + bias[0]).argmax(1) == y[150:]).mean() > 0.9
    again = _prepared(x[:150], x[150:], None, 3)
    assert (again[0] == learned).all()


def test_of_many_features_the_penalty_is_the_one_that_foretells():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 150)).astype(np.float32)
    number = (x @ rng.normal(size=150) + 20 * rng.normal(size=200)).astype(np.float32)
    for kind, y in (("number", number), ("classes", (number > 0).astype(np.int32))):
        classes = ("a", "b") if kind == "classes" else None
        told = JudgedTarget(Target("y", kind, classes=classes), nn.Quadratic(), y, y)
        guesses = _Guesses(told, y, Taught(x, y), None, None, None, None)
        # Each penalty beside scikit-learn's, on the rows that were left out.
        left, costs = np.arange(200) % 4 == 0, {}
        for penalty in PENALTIES:
            if kind == "number":
                theirs = linear_model.Ridge(alpha=penalty * 150).fit(x[~left], y[~left])
                costs[penalty] = np.mean((theirs.predict(x[left]) - y[left]) ** 2)
            else:
                theirs = linear_model.LogisticRegression(C=1 / (penalty * 150), max_iter=5000).fit(x[~left], y[~left])
                costs[penalty] = metrics.log_loss(y[left], theirs.predict_proba(x[left]))
        assert guesses._penalty(x, y) == min(costs, key=costs.get) > PENALTY
        assert guesses._penalty(x[:, :15], y) == PENALTY


def test_rows_that_teach_are_bounded():
    data = Arrays(np.zeros((20_000, 3), np.float32), np.zeros(20_000, np.int32))
    assert len(taught_rows(data, 0, 10).y) == 4_000
    assert len(taught_rows(data, 0, 1_000_000).y) == 500
    assert (taught_rows(data, 0, 10).x == taught_rows(data, 0, 10).x).all()
