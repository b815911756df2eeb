"""Reading and writing by position, as NumPy does it."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import preceptor as pr
from preceptor.errors import ShapeError

X = np.arange(24.0).reshape(4, 3, 2)
KEYS = [
    0,
    -1,
    np.int32(2),
    slice(1, 3),
    slice(None, None, -1),
    slice(-1, 0, -2),
    slice(10, None),
    slice(-10, None, -1),
    slice(3, 3),
    slice(2, 1),
    ...,
    None,
    (..., 0),
    (None, 0, None),
    (0, ..., 1),
    (slice(None), 1),
    (slice(None), None, slice(0, 2), 0),
    (1, 2, 1),
    np.array([0, 2, 2, -1]),
    [1, 1],
    np.array(2),
    np.array([[0, 1], [3, 3]]),
    (slice(None), np.array([2, 0])),
    (slice(None), np.array([[2, 0], [1, 1]])),
    (1, np.array([2, 0, 1, 1])),
    (np.array([2, 0, 1, 1]), 1),
    (..., np.array([1, 0, 1])),
    (slice(None, None, -1), np.array([2, 0]), None),
    np.array([], np.int64),
]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_index_is_that_of_numpy(key):
    assert_array_equal(pr.index(X, key), X[key])
    assert_array_equal(pr.jit(lambda x: x[key], engine="reference")(X), X[key])
    expected = np.zeros_like(X)
    np.add.at(expected, key, np.ones_like(X[key]))
    assert_array_equal(pr.grad(lambda x: x[key].sum())(X), expected)


def test_index_by_a_traced_position():
    row = pr.jit(lambda x, i: x[i], engine="reference")
    for i in range(-4, 4):
        assert_array_equal(row(X, np.int32(i)), X[i])


def test_values_can_be_unpacked_and_iterated():
    def function(x):
        first, *rest = x
        return first + sum(rest) * len(x)

    assert_array_equal(pr.jit(function, engine="reference")(X), X[0] + X[1:].sum(0) * 4)


def test_repeated_and_negative_positions_add_up():
    out = pr.scatter_add(np.array([1.0, 2.0, 4.0, 8.0]), np.array([1, 1, -1, 0]), 3)
    assert_array_equal(out, [8.0, 3.0, 4.0])
    assert_array_equal(pr.grad(lambda x: pr.sum(pr.take(x, np.array([0, 0, -1]))))(np.ones(3)), [2.0, 0.0, 1.0])


def test_take_is_scatter_adds_adjoint():
    x, indices = np.random.default_rng(0).normal(size=(2, 5, 3)), np.array([[4, 0], [-1, 4]])
    y = np.random.default_rng(1).normal(size=(2, 2, 2, 3))
    through_take = pr.dot(pr.take(x, indices, axis=1), y)
    through_scatter = pr.dot(x, pr.scatter_add(y, indices, 5, axis=1))
    np.testing.assert_allclose(through_take, through_scatter, rtol=1e-14)
    assert_array_equal(pr.scatter_add(y, indices, 5, axis=-2), pr.scatter_add(y, indices, 5, axis=1))


@pytest.mark.parametrize("function", [lambda i: pr.take(X, i), lambda i: pr.scatter_add(np.ones(1), i, 4)])
def test_positions_out_of_range_are_refused_on_the_reference_engine(function):
    for bad in (4, -5):
        with pytest.raises(ShapeError, match=f"received index {bad}; indices from -4 to 3 are required"):
            function(np.array([bad]))


def test_labels_of_eight_bits_pick_from_large_tables():
    x = np.random.default_rng(0).normal(size=(300, 10))
    labels = (np.arange(300) % 10).astype(np.uint8)
    assert_array_equal(pr.take_along_last_axis(x, labels), x[np.arange(300), labels])
    assert_array_equal(pr.take_along_last_axis(x, labels.astype(np.int8) - 10), x[np.arange(300), labels])
    assert_array_equal(pr.one_hot(np.array([3], np.uint8), 300), np.eye(300)[[3]])


def test_one_hot_of_any_shape_and_type():
    assert pr.one_hot(np.array(1), 3).tolist() == [0.0, 1.0, 0.0]
    assert pr.one_hot(np.zeros((2, 0), int), 3).shape == (2, 0, 3)
    assert pr.one_hot(np.array([1]), 2, np.float64).dtype == np.float64
    assert pr.one_hot(np.array([1]), 2).dtype == np.float32


@pytest.mark.parametrize(
    "x, y",
    [((3,), (3,)), ((3,), (3, 2)), ((2, 3), (3,)), ((5, 2, 3), (3,)), ((3,), (5, 3, 2)), ((5, 2, 3), (3, 4)),
     ((2, 3), (5, 3, 4)), ((5, 1, 2, 3), (4, 3, 2)), ((0, 3), (3, 2)), ((2, 0), (0, 3)), ((0, 2, 3), (3, 2))],
)  # fmt: skip
def test_matmul_shapes_are_those_of_numpy(x, y):
    one, other = np.random.default_rng(0).normal(size=x), np.random.default_rng(1).normal(size=y)
    np.testing.assert_allclose(pr.matmul(one, other), one @ other, rtol=1e-13, atol=1e-14)
    grads = pr.grad(lambda a, b: pr.sum(a @ b), (0, 1))(one, other)
    assert [g.shape for g in grads] == [x, y]


def test_matmul_of_integers_stays_integer():
    assert_array_equal(pr.matmul(np.arange(4).reshape(2, 2), [1, 1]), [1, 5])
