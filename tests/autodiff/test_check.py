"""The numeric checker: right where the derivative is right, loud where it is wrong, and precise about where."""

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose

import preceptor as pr
from preceptor.errors import ConfigError, ShapeError
from preceptor.ops import elementwise

X, W = np.random.default_rng(0).normal(size=3), np.random.default_rng(1).normal(size=(2, 3))


def test_right_derivatives_pass():
    check = pr.check_gradients(lambda w, x: pr.tanh(w @ x) * pr.exp(w[:, 0]), W, X)
    assert check.worst_error < 1e-9
    assert check.elements == 9
    assert str(check).startswith("worst relative error ")
    assert " over 9 elements; automatic " in str(check)


def test_a_planted_error_is_found_and_placed():
    wrong = dataclasses.replace(
        elementwise.sin,
        vjp=lambda g, out, x: (g * pr.cos(x) * (1 + 1e-5 * pr.cast(pr.equal(x, X[1]), np.float64)),),
    )
    check = pr.check_gradients(lambda w, params: pr.sum(w) + wrong(params["x"]), W, {"b": X, "x": X})
    assert check.where == "argument 1, leaf 1, index (1,)"
    assert_allclose(check.worst_error, 1e-5, rtol=1e-3)
    assert_allclose(check.automatic / check.numeric, 1 + 1e-5, rtol=1e-8)


@pytest.mark.parametrize(
    "vjp",
    [
        lambda g, out, x: (g * pr.sin(x),),
        lambda g, out, x: (-g * pr.cos(x),),
        lambda g, out, x: (None,),
        lambda g, out, x: (g * np.nan,),
    ],
)
def test_wrong_rules_are_loud(vjp):
    wrong = dataclasses.replace(elementwise.sin, vjp=vjp)
    assert pr.check_gradients(wrong, X).worst_error > 0.1


def test_an_error_that_would_cancel_in_a_plain_sum_is_found():
    wrong = dataclasses.replace(elementwise.negative, vjp=lambda g, out, x: (pr.flip(-g, 0),))
    assert pr.check_gradients(wrong, X).worst_error > 0.1


def test_second_derivatives_are_checked_through_grad():
    wrong = dataclasses.replace(elementwise.sin, vjp=lambda g, out, x: (g * pr.cos(pr.stop_gradient(x)),))
    assert pr.check_gradients(wrong, X).worst_error < 1e-9
    assert pr.check_gradients(pr.grad(lambda x: pr.sum(wrong(x))), X).worst_error > 0.1


def test_arguments_that_are_not_floats_are_left_out():
    check = pr.check_gradients(lambda x, i: pr.take(x, i), X, np.array([0, 2]))
    assert check.elements == 3
    assert check.worst_error < 1e-9


def test_results_that_are_not_floats_or_depend_on_nothing():
    assert pr.check_gradients(lambda x: (x * x, x > 0, 3.0, np.ones(2)), X).worst_error < 1e-9
    assert pr.check_gradients(lambda x: 1.0, X).worst_error == 0


def test_numeric_gradient_is_nested_as_the_arguments():
    by_w, by_rest = pr.numeric_gradient(lambda w, rest: pr.sum(w @ rest["x"]) ** 2, W, {"x": X})
    slope = 2 * (W @ X).sum()
    assert_allclose(by_w, slope * np.stack([X, X]), rtol=1e-9)
    assert_allclose(by_rest["x"], slope * W.sum(0), rtol=1e-9)
    with pytest.raises(ShapeError, match="a float of shape"):
        pr.numeric_gradient(lambda x: x, X)


def test_plain_central_differences_call_the_function_twice_for_each_element():
    """f = x^3: D(h) = 3 x^2 + h^2 exactly, so the error is h^2 and falls a hundredfold for a tenth of h."""
    calls = []

    def cubes(w, rest):
        calls.append(1)
        return np.sum(w**3) + np.sum(rest["x"] ** 3)

    for epsilon in (1e-1, 1e-2, 1e-3):
        calls.clear()
        by_w, by_rest = pr.numeric_gradient(cubes, W, {"x": X}, epsilon=epsilon)
        assert len(calls) == 2 * (W.size + X.size)
        assert_allclose(by_w - 3 * W**2, epsilon**2, rtol=1e-4)
        assert_allclose(by_rest["x"] - 3 * X**2, epsilon**2, rtol=1e-4)


def test_plain_differences_of_functions_of_ours():
    """sin: D(h) = cos(x) sin(h) / h."""
    x = np.array([0.3, 1.2, -2.0])
    (found,) = pr.numeric_gradient(lambda x: pr.sum(pr.sin(x)), x, epsilon=0.1)
    assert_allclose(found, np.cos(x) * np.sin(0.1) / 0.1, rtol=1e-12)
    assert pr.check_gradients(pr.sin, x, epsilon=1e-5).worst_error < 1e-9
    assert 1e-3 < pr.check_gradients(pr.sin, x, epsilon=0.1).worst_error < 2e-3  # 1 - sin(0.1) / 0.1


@pytest.mark.parametrize(
    "epsilon, message",
    [
        (0, "epsilon is 0; it must be above 0"),
        (-1e-3, "epsilon is -0.001; it must be above 0"),
        (float("nan"), "epsilon is nan"),
        ("small", "epsilon is 'small'; it must be a number"),
        (1e-30, "epsilon is 1e-30 beside the value 1; it must change the value"),
    ],
)
def test_steps_that_are_none(epsilon, message):
    with pytest.raises(ConfigError, match=message):
        pr.numeric_gradient(lambda x: pr.sum(x), np.ones(2), epsilon=epsilon)


def test_plain_differences_are_of_scalars():
    with pytest.raises(ShapeError, match="a float of shape"):
        pr.numeric_gradient(lambda x: x, X, epsilon=1e-5)


def test_float32_arguments_are_checked_in_float64():
    assert pr.check_gradients(pr.tanh, X.astype(np.float32)).worst_error < 1e-9


def test_a_number_is_compared_as_it_is_and_several_with_unequal_weights():
    check = pr.check_gradients(lambda x: pr.sin(x), 2.0)
    assert_allclose([check.automatic, check.numeric], np.cos(2.0), rtol=1e-9)
    opposite = pr.check_gradients(lambda x: (pr.sin(x), -pr.sin(x)), 2.0)
    assert_allclose(opposite.automatic, np.cos(2.0) * (1 - np.cos(1.0)), rtol=1e-12)  # nothing cancels
