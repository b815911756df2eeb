from itertools import pairwise

import numpy as np
import pytest

import preceptor as pr
from preceptor import nn
from preceptor.errors import ShapeError
from preceptor.lab import delta_recursion


def problem(widths, batch=7, seed=0):
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=(out, 1 + into)) for into, out in pairwise(widths)]
    labels = rng.integers(0, widths[-1], batch)
    return weights, rng.normal(size=(batch, widths[0])), np.eye(widths[-1])[labels]


def graph_cost(weights, x, y, penalty):
    """The same cost through the layers and the loss of the library."""
    parts = [part for weight in weights for part in (nn.Dense(weight.shape[0]), nn.Sigmoid())]
    network = nn.Sequential(tuple(parts[:-1]))  # the loss works on logits
    params = {}
    for number, weight in enumerate(weights, 1):
        params |= {f"dense{number}/weight": pr.transpose(weight[:, 1:]), f"dense{number}/bias": weight[:, 0]}
    logits, _ = network.apply(params, {}, x, train=False, key=None)
    squares = sum(pr.sum(pr.square(weight[:, 1:])) for weight in weights)
    return pr.mean(nn.OneVsAll()(logits, y)) + penalty / (2 * len(x)) * squares


@pytest.mark.parametrize("widths", [(3, 2), (2, 4, 1), (5, 4, 3), (4, 6, 5, 3)])
@pytest.mark.parametrize("penalty", [0.0, 1.5])
def test_the_recursion_equals_the_graph(widths, penalty):
    weights, x, y = problem(widths)
    lecture = delta_recursion(weights, x, y, penalty)
    cost, gradients = pr.value_and_grad(lambda w: graph_cost(w, x, y, penalty))(weights)
    assert lecture.cost == pytest.approx(float(cost), rel=1e-12)
    for ours, graph in zip(lecture.gradients, gradients, strict=True):
        np.testing.assert_allclose(ours, graph, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("penalty", [0.0, 1.5])
def test_the_recursion_equals_central_differences_of_its_own_cost(penalty):
    weights, x, y = problem((3, 4, 2))
    gradients = delta_recursion(weights, x, y, penalty).gradients
    h = 1e-5
    for layer, gradient in enumerate(gradients):
        for index in np.ndindex(gradient.shape):
            costs = []
            for step in (h, -h):
                moved = [weight.copy() for weight in weights]
                moved[layer][index] += step
                costs.append(delta_recursion(moved, x, y, penalty).cost)
            assert (costs[0] - costs[1]) / (2 * h) == pytest.approx(gradient[index], rel=1e-7, abs=1e-9)


def test_the_printed_rule_of_the_text_is_not_the_derivative_of_its_cost():
    weights, x, y = problem((3, 4, 2))
    plain, penalised = (delta_recursion(weights, x, y, penalty).gradients for penalty in (0.0, 1.5))
    for weight, without, with_penalty in zip(weights, plain, penalised, strict=True):
        np.testing.assert_allclose((with_penalty - without)[:, 1:], 1.5 / len(x) * weight[:, 1:], rtol=1e-12)
        np.testing.assert_array_equal(with_penalty[:, 0], without[:, 0])


def test_cost_and_gradient_stay_finite_for_saturated_units():
    found = delta_recursion([np.array([[0.0, 1e4]])], [[1.0], [-1.0]], [[0.0], [1.0]])
    assert found.cost == pytest.approx(1e4)
    np.testing.assert_array_equal(found.gradients[0], [[0.0, 1.0]])


def test_one_unit_by_hand():
    found = delta_recursion([[[0.0, 0.0]]], [[2.0]], [[1.0]])  # h = 1/2, delta = -1/2
    assert found.cost == pytest.approx(np.log(2))
    np.testing.assert_allclose(found.gradients[0], [[-0.5, -1.0]])
    assert str(found).splitlines()[-1].split() == ["1", "(1,", "2)", "1"]


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(ShapeError, match=r"weights\[0\] has shape \(1, 2\); 2 values come from below, so 3 columns"):
        delta_recursion([[[0.0, 0.0]]], [[2.0, 1.0]], [[1.0]])
    with pytest.raises(ShapeError, match=r"y has shape \(1, 2\); \(1, 1\) is required"):
        delta_recursion([[[0.0, 0.0]]], [[2.0]], [[1.0, 0.0]])
