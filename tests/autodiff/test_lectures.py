"""The derivatives that the course works out by hand."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import preceptor as pr
from preceptor.errors import ConfigError, ShapeError

RNG = np.random.default_rng(0)
A, a, x = RNG.normal(size=(3, 3)), RNG.normal(size=3), RNG.normal(size=3)


@pytest.mark.parametrize("at", [0.0, 0.5, 1.3, -2.0])
def test_simple_example(at):
    """J = cos(sin(x²) + 3x²), its slope and curvature in closed form."""
    function = lambda x: pr.cos(pr.sin(x**2) + 3 * x**2)
    u = math.sin(at**2) + 3 * at**2
    first = 2 * at * math.cos(at**2) + 6 * at
    second = 2 * math.cos(at**2) - 4 * at**2 * math.sin(at**2) + 6
    assert_allclose(function(at), math.cos(u), rtol=1e-15)
    assert_allclose(pr.grad(function)(at), -math.sin(u) * first, rtol=1e-13, atol=1e-15)
    curvature = -math.cos(u) * first**2 - math.sin(u) * second
    assert_allclose(pr.grad(pr.grad(function))(at), curvature, rtol=1e-12, atol=1e-15)


def test_parabola():
    function = lambda a, b, c, x: a * x**2 + b * x + c
    gradients = pr.grad(function, (0, 1, 2, 3))(2.0, -3.0, 5.0, 4.0)
    assert gradients == (16.0, 4.0, 1.0, 2 * 2 * 4 - 3)
    assert pr.grad(pr.grad(function, 3), 3)(2.0, -3.0, 5.0, 4.0) == 4.0


def test_sums_where_paths_merge():
    # u = x y, v = x + y, z = u v: dz/dx = y v + u
    gradients = pr.grad(lambda x, y: (x * y) * (x + y), (0, 1))(3.0, 5.0)
    assert gradients == (5 * 8 + 15, 3 * 8 + 15)
    assert pr.grad(lambda x: x + x + x * x)(3.0) == 2 + 6
    deep = lambda x: x
    for _ in range(40):  # 2^40 paths, 40 additions
        deep = (lambda f: lambda x: (lambda y: y + y)(f(x)))(deep)
    assert pr.grad(deep)(1.0) == 2.0**40


def test_composition():
    # f(g(h(x))) with f = exp, g = sin, h = square
    at = 0.7
    slope = pr.grad(lambda x: pr.exp(pr.sin(x * x)))(at)
    assert_allclose(slope, math.exp(math.sin(at**2)) * math.cos(at**2) * 2 * at, rtol=1e-15)


def test_repeated_calls_give_the_same():
    function = pr.grad(lambda w: pr.sum(pr.tanh(w) * w))
    first = function(x)
    assert_array_equal(function(x), first)
    assert_array_equal(function(x), first)
    both = lambda w: [pr.grad(lambda v: pr.sum(v * v))(w), pr.grad(lambda v: pr.sum(v * v))(w)]
    one, other = pr.jit(both, engine="reference")(x)
    assert_array_equal(one, 2 * x)
    assert_array_equal(other, 2 * x)


EXPRESSIONS = {
    "C6": (lambda x: a @ x, a[None, :]),
    "C6 turned": (lambda x: x @ a, a[None, :]),
    "C7": (lambda x: x @ x, 2 * x[None, :]),
    "C8": (lambda x: (x @ a) ** 2, 2 * (x @ a) * a[None, :]),
    "C9": (lambda x: A @ x, A),
    "C10": (lambda x: x @ A, A.T),
    "C11": (lambda x: x @ A @ x, x[None, :] @ (A + A.T)),
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_commonly_used_expressions(name):
    """C6 to C11 of the course text, in numerator layout; denominator layout is the transpose."""
    function, expected = EXPRESSIONS[name]
    assert_allclose(pr.derivative(function)(x), expected, rtol=1e-13, atol=1e-14)
    assert_allclose(pr.derivative(function, layout="denominator")(x), expected.T, rtol=1e-13, atol=1e-14)


M = RNG.normal(size=(2, 3))
SIX = {
    "scalar by scalar": (lambda t: t**3, 2.0, np.array(12.0)),
    "vector by scalar": (lambda t: a * t**2, 3.0, 6 * a[:, None]),
    "matrix by scalar": (lambda t: M * t**2, 3.0, 6 * M),
    "scalar by vector": (lambda v: pr.sum(v**2), x, 2 * x[None, :]),
    "vector by vector": (lambda v: M @ v, x, M),
    "scalar by matrix": (lambda X: pr.sum(X * X), M, 2 * M.T),
}


@pytest.mark.parametrize("kind", SIX)
def test_six_kinds_of_matrix_derivative(kind):
    function, at, expected = SIX[kind]
    numerator, denominator = pr.derivative(function)(at), pr.derivative(function, layout="denominator")(at)
    assert numerator.shape == expected.shape
    assert denominator.shape == expected.T.shape
    assert_allclose(numerator, expected, rtol=1e-14)
    assert_allclose(denominator, expected.T, rtol=1e-14)


def test_trace_rules():
    # d tr(A X) / dX = A in numerator layout
    eye = np.eye(3)
    assert_allclose(pr.derivative(lambda X: pr.sum((A @ X) * eye))(A), A, rtol=1e-14)


@pytest.mark.parametrize("function, at", [(lambda X: X, M), (lambda X: X @ x, M), (lambda v: pr.outer(v, v), x)])
def test_more_than_two_axes_have_no_layout(function, at):
    with pytest.raises(ShapeError, match=r"derivative at test_lectures.py:\d+: y has shape .*Use pr.jacobian"):
        pr.derivative(function)(at)
    with pytest.raises(ConfigError, match="received layout 'row'; it must be one of numerator, denominator"):
        pr.derivative(function, layout="row")


def test_relu_jacobian_of_the_lecture():
    z = np.array([1.0, -2.0, 3.0, -1.0])
    assert_array_equal(pr.jacobian(pr.relu)(z), np.diag([1.0, 0.0, 1.0, 0.0]))
    upstream = np.array([4.0, -1.0, 5.0, 9.0])
    assert_array_equal(pr.grad(lambda z: pr.dot(pr.relu(z), upstream))(z), [4.0, 0.0, 5.0, 0.0])


@pytest.mark.parametrize("engine", ["reference", "native", "xla"])
def test_worked_example(engine):
    """L = |W2 relu(W1 x) - t|², against the text's formulas."""
    rng = np.random.default_rng(1)
    w1, w2, t = rng.normal(size=(4, 3)), rng.normal(size=(2, 4)), rng.normal(size=2)
    loss = lambda w1, w2, x: pr.sum((w2 @ pr.relu(w1 @ x) - t) ** 2)
    z = w1 @ x
    h = np.maximum(z, 0)
    assert 0 < (z > 0).sum() < 4  # both branches of relu
    y_bar = 2 * (w2 @ h - t)
    h_bar = w2.T @ y_bar
    z_bar = h_bar * (z > 0)
    gradients = pr.jit(pr.grad(loss, (0, 1, 2)), engine=engine)(w1, w2, x)
    for gradient, formula in zip(gradients, (np.outer(z_bar, x), np.outer(y_bar, h), w1.T @ z_bar), strict=True):
        assert_allclose(gradient, formula, rtol=1e-12)


def test_the_whole_batch_at_once_is_the_sum_of_its_examples():
    w1, w2 = RNG.normal(size=(4, 3)), RNG.normal(size=(2, 4))
    xs, ts = RNG.normal(size=(5, 3)), RNG.normal(size=(5, 2))
    batch = pr.grad(lambda w1, w2: pr.sum((pr.relu(xs @ w1.T) @ w2.T - ts) ** 2), (0, 1))(w1, w2)
    one = lambda w, x, t: pr.sum((w[1] @ pr.relu(w[0] @ x) - t) ** 2)
    rows = pr.per_example_grad(one)((w1, w2), xs, ts)
    for whole, each in zip(batch, rows, strict=True):
        assert_allclose(whole, each.sum(0), rtol=1e-12)
