"""The convention at every point where a function is not smooth, and at the ends of its domain."""

import math

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import preceptor as pr
from preceptor.errors import NotDifferentiable

HALF = [0.5, 0.5]


@pytest.mark.parametrize(
    "function, x, slope",
    [
        (pr.relu, 0.0, 0.0),
        (pr.abs, 0.0, 0.0),
        (pr.sqrt, 0.0, np.inf),
        (lambda x: pr.maximum(x, 1.0), 1.0, 0.5),
        (lambda x: pr.maximum(1.0, x), 1.0, 0.5),
        (lambda x: pr.minimum(x, 1.0), 1.0, 0.5),
        (lambda x: pr.clip(x, -1.0, 1.0), 1.0, 0.5),
        (lambda x: pr.clip(x, -1.0, 1.0), -1.0, 0.5),
        (lambda x: pr.clip(x, -1.0, 1.0), 2.0, 0.0),
        (lambda x: x**0, 0.0, 0.0),
        (lambda x: x**1, 0.0, 1.0),
        (lambda x: x**2, 0.0, 0.0),
        (lambda x: x**0.5, 0.0, np.inf),
        (lambda x: x**0.0, 0.0, 0.0),
        (lambda x: x**1.0, 0.0, 1.0),
        (lambda x: x**2.0, -3.0, -6.0),
        (lambda x: x**-2, 2.0, -0.25),
        (lambda y: pr.power(0.0, y), 2.0, 0.0),
        (lambda y: pr.power(0.0, y), 0.0, 0.0),
        (lambda y: pr.power(2.0, y), 0.0, math.log(2)),
        (lambda x: pr.where(x > 0, pr.log(x), 0.0), 0.0, np.nan),  # 0 times infinity: the branch must be made safe
        (lambda x: pr.where(x > 0, pr.log(pr.where(x > 0, x, 1.0)), 0.0), 0.0, 0.0),
        (pr.sigmoid, 1e4, 0.0),
        (pr.sigmoid, -1e4, 0.0),
        (pr.softplus, 1e4, 1.0),
        (pr.softplus, -1e4, 0.0),
        (pr.log_sigmoid, -1e4, 1.0),
    ],
)
def test_slope_of_one_variable(function, x, slope):
    assert_array_equal(pr.grad(function)(x), slope)


@pytest.mark.parametrize("function, x, second", [(lambda x: x**2, 0.0, 2.0), (lambda x: x**2.0, 0.0, 2.0)])
def test_second_derivative_at_zero(function, x, second):
    assert pr.grad(pr.grad(function))(x) == second


def test_zero_to_the_zero_is_one():
    assert pr.power(0.0, 0.0) == 1.0
    assert pr.trace(lambda x: x**0)(0.0).graph.outputs[0].spec.shape == ()
    assert pr.jit(lambda x: x**0, engine="reference")(0.0) == 1.0


@pytest.mark.parametrize("function", [pr.max, pr.min])
def test_ties_share_the_derivative(function):
    assert_array_equal(pr.grad(lambda x: function(x))(np.array([2.0, 2.0])), HALF)
    assert_array_equal(pr.grad(lambda x: function(x))(np.full((2, 2), 3.0)), np.full((2, 2), 0.25))
    rows = pr.grad(lambda x: pr.sum(function(x, axis=1)))(np.array([[1.0, 1.0], [2.0, 3.0]]))
    assert_array_equal(rows[0], HALF)
    assert sorted(rows[1]) == [0.0, 1.0]


def test_ties_share_between_the_arguments_of_maximum():
    assert_array_equal(pr.grad(pr.maximum, (0, 1))(2.0, 2.0), HALF)
    assert_array_equal(pr.grad(pr.minimum, (0, 1))(2.0, 2.0), HALF)


@pytest.mark.parametrize("function", [pr.sign, pr.threshold])
def test_units_with_a_jump_have_no_derivative(function):
    loss = lambda x: pr.sum(function(x * 2))
    with pytest.raises(NotDifferentiable) as caught:
        pr.grad(loss)(np.ones(3))
    assert str(caught.value) == (
        f"{function} at test_kinks.py:{loss.__code__.co_firstlineno}: a derivative was asked for, but it has none: "
        "it is flat everywhere and jumps at 0; a smooth unit (tanh, sigmoid) has one. "
        "Wrap its input in pr.stop_gradient to take it as a constant."
    )
    assert_array_equal(pr.grad(lambda x: pr.sum(function(pr.stop_gradient(x)) * x))(np.ones(3)), np.ones(3))


def test_nan_goes_through():
    for function in (pr.max, pr.min, pr.sum):
        assert np.isnan(function(np.array([1.0, np.nan])))
    assert np.isnan(pr.maximum(np.nan, 1.0))
    assert np.isnan(pr.minimum(np.nan, 1.0))


@pytest.mark.parametrize("shift", [1e4, -1e4])
def test_softmax_far_out(shift):
    x = np.array([0.0, 1.0, 2.0])  # whole numbers, so that the shifted ones are exact
    assert_array_equal(pr.softmax(x + shift), pr.softmax(x))
    assert_array_equal(pr.log_softmax(x + shift), pr.log_softmax(x))
    np.testing.assert_allclose(pr.logsumexp(x + shift), pr.logsumexp(x) + shift, rtol=1e-15)


def test_logsumexp_with_infinities():
    low, high = -np.inf, np.inf
    assert pr.logsumexp(np.array([low, low])) == low
    assert pr.logsumexp(np.array([low, 0.0])) == 0.0
    assert pr.logsumexp(np.array([high, 0.0])) == high
    assert_array_equal(pr.softmax(np.array([low, 0.0, 0.0])), [0.0, 0.5, 0.5])
    assert_array_equal(pr.log_softmax(np.array([low, 0.0])), [low, 0.0])
    assert_array_equal(pr.grad(pr.logsumexp)(np.array([low, 0.0, 0.0])), [0.0, 0.5, 0.5])
    assert_array_equal(pr.grad(pr.logsumexp)(np.array([1e4, -1e4])), [1.0, 0.0])
