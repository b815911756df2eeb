import numpy as np
import pytest

import preceptor as pr
from preceptor.lab import three_ways


def logistic(w, x, y):
    z = x @ w
    return pr.mean(pr.softplus(z) - y * z)


def logistic_by_hand(w, x, y):
    z = x @ w
    h = 1 / (1 + np.exp(-z))
    return x.T @ (h - y) / len(y), np.outer(h - y, w) / len(y), -z / len(y)


@pytest.fixture
def compared():
    rng = np.random.default_rng(0)
    return three_ways(logistic, logistic_by_hand, rng.normal(size=4), rng.normal(size=(6, 4)), rng.random(6))


def test_the_three_gradients_agree(compared):
    assert compared.automatic.error < 1e-14
    assert compared.numeric.error < 1e-7
    assert compared.analytic.error == 0


def test_costs_are_counted_and_timed(compared):
    assert compared.elements == 4 + 24 + 6
    assert (compared.analytic.calls, compared.automatic.calls, compared.numeric.calls) == (1, 1, 4 * 34)
    assert min(way.seconds for way in (compared.analytic, compared.automatic, compared.numeric)) > 0
    assert compared.numeric.seconds > compared.analytic.seconds


def test_a_wrong_formula_shows():
    wrong = three_ways(lambda x: pr.sum(x**3), lambda x: 2 * x**2, np.array([1.0, 2.0]))
    assert wrong.automatic.error == pytest.approx(1 / 3)
    assert wrong.numeric.error == pytest.approx(1 / 3)


def test_one_nested_argument_and_a_zero_gradient():
    found = three_ways(lambda p: 0 * pr.sum(p["a"]), lambda p: {"a": np.zeros(2)}, {"a": np.array([1.0, 2.0])})
    assert (found.automatic.error, found.numeric.error, found.elements) == (0, 0, 2)


def test_the_table_names_each_way(compared):
    lines = str(compared).splitlines()
    assert lines[0] == "gradient of 34 elements"
    assert [line.split()[0] for line in lines[1:]] == ["way", "analytic", "numeric", "automatic"]
    assert lines[3].split()[-1] == "136"
