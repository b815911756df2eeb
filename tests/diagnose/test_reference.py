"""Cheap models beside scikit-learn's."""

from dataclasses import replace

import numpy as np
import pytest
from trainings import case, network

from preceptor import nn
from preceptor.diagnose.reference import make_reference


def test_neighbours_are_scikit_learns():
    neighbours = pytest.importorskip("sklearn.neighbors")
    made = case()
    found = make_reference(made)
    x, y, numbers = made.taught
    assert found.name == "nearest neighbours"
    assert (found.numbers == numbers).all()
    theirs = neighbours.KNeighborsClassifier(10).fit(x / x.std(), y)
    own = (theirs.predict(made.data.dev_x / x.std()) != made.data.dev_y).mean()
    assert found.error == pytest.approx(own, abs=0.02)
    assert found.signal > 20


def test_a_line_is_found_by_the_linear_model():
    rng = np.random.default_rng(0)
    made = case(network=network(outputs=1), loss=nn.Quadratic())
    slope = rng.normal(size=64)
    noise = [0.1 * rng.normal(size=rows) for rows in (1300, 497)]
    data = replace(made.data, y=made.data.x @ slope + noise[0], dev_y=made.data.dev_x @ slope + noise[1])
    found = make_reference(replace(made, data=data, classes=0))
    assert found.name == "a linear model"
    assert found.error < 0.05


def test_rows_left_out_are_those_of_ridge_without_them():
    from preceptor.diagnose.reference import _ridge

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 5)).astype(np.float32), rng.normal(size=(40, 1))
    guess, predict = _ridge(x, y, x[:3])
    errors = {}
    for strength in (0.01, 0.1, 1.0):
        penalty = strength * float(np.mean(x * x)) * 40
        left = []
        for row in range(40):
            kept = np.delete(np.arange(40), row)
            centred = y - y.mean()
            weights = np.linalg.solve(x[kept].T @ x[kept] + penalty * np.eye(5), x[kept].T @ centred[kept])
            left.append(float(x[row] @ weights[:, 0]) + y.mean())
        errors[strength] = np.array(left)
    best = min(errors.values(), key=lambda each: np.mean((each - y[:, 0]) ** 2))
    np.testing.assert_allclose(guess[:, 0], best, rtol=1e-3, atol=1e-4)
    assert predict().shape == (3, 1)


def test_without_signal_there_is_none():
    made = case()
    y = np.random.default_rng(0).permutation(made.data.y)
    assert make_reference(replace(made, data=replace(made.data, y=y))).signal < 3


def test_few_rows_make_no_reference():
    assert make_reference(case(rows=15)) is None
