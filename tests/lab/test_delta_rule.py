import numpy as np
import pytest

from preceptor import lab
from preceptor.errors import ConfigError


def problem():
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=(out, 1 + into)) for into, out in ((4, 5), (5, 4), (4, 3))]
    return weights, rng.normal(size=(24, 4)), np.eye(3)[rng.integers(0, 3, 24)]


def cost(weights, x, y, penalty):
    """The lecture's J in NumPy."""
    a = x
    for weight in weights:
        a = 1 / (1 + np.exp(-(a @ weight[:, 1:].T + weight[:, 0])))
    squares = sum((weight[:, 1:] ** 2).sum() for weight in weights)
    return -(y * np.log(a) + (1 - y) * np.log(1 - a)).sum() / len(x) + penalty / (2 * len(x)) * squares


def test_both_gradients_are_those_of_central_differences(found):
    figures, (weights, x, y) = found("delta-rule"), problem()
    assert figures.costs == pytest.approx((cost(weights, x, y, 1.5),) * 2, rel=1e-12)
    for layer, weight in enumerate(weights):
        for index in np.ndindex(weight.shape):
            ends = []
            for step in (1e-5, -1e-5):
                moved = [each.copy() for each in weights]
                moved[layer][index] += step
                ends.append(cost(moved, x, y, 1.5))
            slope = (ends[0] - ends[1]) / 2e-5
            assert figures.recursion[layer][index] == pytest.approx(slope, rel=1e-6, abs=1e-8)
            assert figures.graph[layer][index] == pytest.approx(slope, rel=1e-6, abs=1e-8)


def test_the_ways_are_equal_and_the_printed_rule_is_not(found):
    figures = found("delta-rule")
    assert figures.off(figures.recursion) <= 1e-12
    assert [each.holds for each in figures.claims()] == [True, False]
    np.testing.assert_allclose(figures.accumulated[-1] / 24, lab.delta_rule(penalty=0.0).recursion[0], rtol=1e-12)
    assert lab.delta_rule(penalty=0.0).claims()[1].holds


def test_deltas_of_one_example_by_hand(found):
    weights, x, y = problem()
    a = [x[0]]
    for weight in weights:
        a.append(1 / (1 + np.exp(-(weight[:, 1:] @ a[-1] + weight[:, 0]))))
    delta = a[3] - y[0]
    for ours, place in zip(found("delta-rule").deltas, (3, 2, 1), strict=True):
        np.testing.assert_allclose(ours, delta, rtol=1e-10)
        delta = weights[place - 1][:, 1:].T @ delta * a[place - 1] * (1 - a[place - 1])


def test_widths_that_are_no_numbers_are_refused():
    with pytest.raises(ConfigError, match="widths='4'"):
        lab.delta_rule(widths="4")
