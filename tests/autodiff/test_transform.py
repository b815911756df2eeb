"""Gradients, Jacobians, Hessian times vector, per-example gradients and higher orders, beside jax."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import preceptor as pr
from preceptor.errors import DtypeError, NotDifferentiable, ShapeError
from preceptor.graph import flatten

RNG = np.random.default_rng(0)
X, W, V = RNG.normal(size=3), RNG.normal(size=(3, 3)), RNG.normal(size=3)
ENGINES = ("reference", "native", "xla")


def body(lib, x, w):
    """A function of vectors with every kind of step, in the words of either library."""
    h = lib.tanh(w @ x)
    return lib.exp(h) * lib.sin(x[::-1]) / (1 + lib.sum(x * x)) + lib.where(x > 0, x * h, lib.cos(x))


def scalar(lib, x, w):
    return lib.sum(body(lib, x, w) ** 3) + lib.max(x) * lib.log(1 + lib.sum(w * w))


@pytest.fixture(scope="module")
def jax():
    jax = pytest.importorskip("jax")
    with jax.enable_x64(True):
        yield jax


def ours(function):
    return lambda *args: function(pr, *args)


def theirs(jax, function):
    return jax.jit(lambda *args: function(jax.numpy, *args))


def same(one, other, rtol=1e-10):
    for a, b in zip(flatten(one)[0], flatten(other)[0], strict=True):
        assert_allclose(a, np.asarray(b), rtol=rtol, atol=rtol * np.max(np.abs(b), initial=1e-300))


@pytest.mark.parametrize("engine", ENGINES)
def test_gradient(jax, engine):
    result = pr.jit(pr.value_and_grad(ours(scalar), (0, 1)), engine=engine)(X, W)
    same(result, jax.jit(jax.value_and_grad(theirs(jax, scalar), (0, 1)))(X, W))


@pytest.mark.parametrize("engine", ENGINES)
def test_jacobian(jax, engine):
    result = [pr.jit(pr.jacobian(ours(body), wrt), engine=engine)(X, W) for wrt in (0, 1)]
    assert [each.shape for each in result] == [(3, 3), (3, 3, 3)]
    for transform in (jax.jacrev, jax.jacfwd):
        same(result, [jax.jit(transform(theirs(jax, body), wrt))(X, W) for wrt in (0, 1)])
    assert_array_equal(pr.jacobian(ours(body), -2)(X, W), pr.jacobian(ours(body), 0)(X, W))


@pytest.mark.parametrize("engine", ENGINES)
def test_hessian_vector_product(jax, engine):
    result = pr.jit(pr.hessian_vector_product(ours(scalar)), engine=engine)(X, V, W)
    f = theirs(jax, scalar)
    same(result, jax.jit(lambda x, v: jax.jvp(lambda x: jax.grad(f)(x, W), (x,), (v,))[1])(X, V))
    same(result, pr.jacobian(pr.grad(ours(scalar)))(X, W) @ V)


def test_hessian(jax):
    result = pr.jacobian(pr.grad(ours(scalar), 1), 1)(X, W)
    assert result.shape == (3, 3, 3, 3)
    same(result, jax.jit(jax.hessian(theirs(jax, scalar), 1))(X, W))


def test_third_order(jax):
    third = lambda transform, f: transform(transform(transform(f)))
    small = lambda lib, x: lib.sum(lib.sin(W @ x) * lib.exp(x)) / (1 + x[0] * x[1])
    expected = jax.jit(third(jax.jacrev, theirs(jax, small)))(X)
    assert expected.shape == (3, 3, 3)
    for engine in ENGINES:
        same(pr.jit(third(pr.jacobian, ours(small)), engine=engine)(X), expected)


def test_orders_one_to_four(jax):
    along = lambda lib, t: lib.sum(lib.sin(X * t) * lib.exp(t * t))
    one, other = ours(along), theirs(jax, along)
    for _ in range(4):
        one, other = pr.grad(one), jax.grad(other)
        same(one(0.3), jax.jit(other)(0.3))


@pytest.mark.parametrize("engine", ENGINES)
def test_per_example_gradient(jax, engine):
    params = {"hidden": (RNG.normal(size=(4, 3)), RNG.normal(size=4)), "out": RNG.normal(size=4)}
    xs, ys = RNG.normal(size=(6, 3)), RNG.normal(size=6)

    def loss(lib, params, x, y):
        w, b = params["hidden"]
        return (params["out"] @ lib.tanh(w @ x + b) - y) ** 2

    result = pr.jit(pr.per_example_grad(ours(loss)), engine=engine)(params, xs, ys)
    assert result["hidden"][0].shape == (6, 4, 3)
    same(result, jax.vmap(jax.grad(theirs(jax, loss)), (None, 0, 0))(params, xs, ys))
    turned = lambda x, y, params: loss(pr, params, x, y)
    same(pr.per_example_grad(turned, wrt=-1)(xs, ys, params), result)
    same(pr.per_example_grad(turned, wrt=2)(xs, ys, params), result)


def test_per_example_gradient_can_be_differentiated_again(jax):
    # The sum of squared norms of per-example gradients, as in gradient penalties.
    xs = RNG.normal(size=(4, 3))

    def penalty(lib, rows):
        return lambda w: lib.sum(rows(lambda w, x: lib.sum(lib.tanh(w @ x)) ** 2)(w) ** 2)

    ours_ = penalty(pr, lambda f: lambda w: pr.per_example_grad(f)(w, xs))
    theirs_ = penalty(jax.numpy, lambda f: lambda w: jax.vmap(jax.grad(f), (None, 0))(w, xs))
    same(pr.grad(ours_)(W), jax.grad(theirs_)(W))
    assert pr.check_gradients(ours_, W).worst_error < 1e-7


def test_nested_transformations_close_over_outer_values(jax):
    f = lambda lib, grad: lambda x: x * grad(lambda y: lib.sin(x * y) * y)(x + 1)
    same(pr.grad(f(pr, pr.grad))(0.7), jax.grad(f(jax.numpy, jax.grad))(0.7))
    g = lambda lib, jacobian: lambda x: lib.sum(jacobian(lambda y: lib.sin(W @ y * x))(x * 2.0) ** 2)
    same(pr.grad(g(pr, pr.jacobian))(X), jax.grad(g(jax.numpy, jax.jacrev))(X))
    h = lambda lib, rows: lambda w: lib.sum(rows(lambda v, x: lib.sum(lib.sin(v * x * w)))(w, W))
    per_example = lambda f: lambda v, rows: jax.vmap(jax.grad(f), (None, 0))(v, rows)
    same(pr.grad(h(pr, pr.per_example_grad))(X), jax.grad(h(jax.numpy, per_example))(X))


def test_gradients_are_nested_as_the_arguments():
    params = {"a": X, "b": (W, [V])}
    value, gradient = pr.value_and_grad(lambda p: pr.sum(p["b"][0] @ p["a"] * p["b"][1][0]))(params)
    assert flatten(gradient)[1] == flatten(params)[1]
    assert_allclose(gradient["b"][1][0], W @ X, rtol=1e-14)
    assert_allclose(value, W @ X @ V, rtol=1e-13)


def test_several_positions():
    function = lambda x, y, z: x * y * z
    assert pr.grad(function, (0, 2))(2.0, 3.0, 5.0) == (15.0, 6.0)
    assert pr.grad(function, [-1])(2.0, 3.0, 5.0) == (6.0,)
    assert pr.grad(function, 1)(2.0, 3.0, 5.0) == 10.0
    assert pr.grad(function, ())(2.0, 3.0, 5.0) == ()


def test_extra_results():
    function = lambda x: (pr.sum(x * x), {"twice": x * 2, "count": np.int32(3)})
    (value, extra), gradient = pr.value_and_grad(function, has_aux=True)(X)
    assert_allclose(value, X @ X, rtol=1e-14)
    assert_array_equal(extra["twice"], 2 * X)
    assert extra["count"] == 3
    assert_allclose(gradient, 2 * X, rtol=1e-15)


def test_where_no_path_leads_the_gradient_is_zero():
    assert_array_equal(pr.grad(lambda x, y: pr.sum(x), 1)(X, W), np.zeros((3, 3)))
    assert_array_equal(pr.grad(lambda x: 1.0)(X), np.zeros(3))
    assert_array_equal(pr.jacobian(lambda x: np.ones(2))(X), np.zeros((2, 3)))
    assert_array_equal(pr.grad(lambda x: pr.sum(pr.stop_gradient(x * x)))(X), np.zeros(3))
    assert_array_equal(pr.grad(lambda x: pr.sum(x * pr.cast(x > 0, np.float64)))(X), (X > 0).astype(float))
    empty = np.zeros((0, 3))
    assert pr.grad(lambda x: pr.sum(x * x))(empty).shape == (0, 3)


def test_dtypes_of_gradients_are_those_of_the_arguments():
    narrow, wide = X.astype(np.float32), W
    value, gradients = pr.value_and_grad(lambda x, w: pr.sum(w @ x), (0, 1))(narrow, wide)
    assert (value.dtype, gradients[0].dtype, gradients[1].dtype) == (np.float64, np.float32, np.float64)
    assert pr.grad(lambda x: x * x)(3).dtype == np.float64
    assert pr.jacobian(lambda x: x * x)(narrow).dtype == np.float32
    assert_array_equal(pr.grad(lambda x: pr.sum(pr.cast(x, np.float64) * V))(narrow), V.astype(np.float32))
    assert_array_equal(pr.grad(lambda x: pr.sum(pr.cast(x, np.float32) * np.float32(0.5)))(X), np.full(3, 0.5))
    assert_array_equal(pr.grad(lambda x: pr.sum(pr.cast(pr.cast(x, np.int32), np.float64)))(X), np.zeros(3))


MISTAKES = [
    (lambda: pr.grad(lambda x: x * 2)(X), ShapeError, "returns float64[3]; a float of shape () is required"),
    (lambda: pr.grad(lambda x: (x[0], x[1]))(X), ShapeError, "the function returns 2 arrays; one scalar is required"),
    (lambda: pr.grad(lambda x: pr.sum(x))(np.arange(3)), DtypeError, "the argument to differentiate by is int64"),
    (lambda: pr.grad(lambda x: pr.argmax(x))(X), ShapeError, "the function returns int32[]"),
    (lambda: pr.grad(lambda x: pr.sum(x), 1)(X), ShapeError, "1 arguments were given; wrt=(1,) is out of range"),
    (lambda: pr.jacobian(lambda x: x > 0)(X), DtypeError, "a result is bool[3]; floats are required"),
    (lambda: pr.per_example_grad(lambda w, x, y: pr.sum(w * x) * y)(X, W, V[:2]), ShapeError, "[2, 3] examples"),
    (lambda: pr.per_example_grad(lambda w, x: pr.sum(w * x))(X, 1.0), ShapeError, "received a scalar; examples along"),
    (lambda: pr.hessian_vector_product(lambda x: pr.sum(x**3))(X, V[:1]), ShapeError, "x and v are (3,) and (1,)"),
    (lambda: pr.grad(lambda x: pr.sum(pr.sign(x)))(X), NotDifferentiable, "it is flat everywhere and jumps at 0"),
]  # fmt: skip


@pytest.mark.parametrize("call, kind, text", MISTAKES)
def test_mistakes_are_named(call, kind, text):
    with pytest.raises(kind) as caught:
        call()
    assert text in str(caught.value)
    assert f" at test_transform.py:{call.__code__.co_firstlineno}: " in str(caught.value)


def test_errors_in_backward_programs_name_the_forward_line():
    def loss(x):
        y = x * 2
        return pr.sum(y * y)

    first = loss.__code__.co_firstlineno
    lines = {node.line for node in pr.trace(pr.grad(loss))(X).graph.nodes if node.primitive.name == "multiply"}
    assert lines <= {f"test_transform.py:{first + 1}", f"test_transform.py:{first + 2}"}
