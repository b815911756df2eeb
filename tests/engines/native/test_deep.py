"""Graphs deeper than Python's functions can call each other: whatever they are made of, a plan of them is made."""

import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose

from preceptor import ops
from preceptor.engines import Native, Reference
from preceptor.graph import trace

pytest.importorskip("preceptor.engines.native._native", reason="installed without the native engine")

DEPTH = sys.getrecursionlimit() + 200


@pytest.fixture
def run():
    """run(function, *arrays): the function's result as the native engine computes it."""

    def result(function, *arrays, precision="f32"):
        return Native(threads=1, precision=precision).compile(trace(function)(*arrays).graph)(list(arrays))[0]

    return result


def drawn(*shape):
    return np.random.default_rng(3).normal(size=shape).astype(np.float32)


def test_a_sum_of_many_sizes(run):
    arrays = [drawn(1 + number % 3) for number in range(DEPTH)]

    def total(*arrays):
        sizes = [ops.sum(ops.abs(each)) for each in arrays]
        return sum(sizes[1:], sizes[0])

    assert_allclose(run(total, *arrays), sum(float(np.abs(each).sum()) for each in arrays), rtol=1e-5)


@pytest.mark.parametrize("turned", [False, True])
def test_elementwise_work(run, turned):
    def chain(x, y):
        for _ in range(DEPTH):
            x = y - x * 0.5 if turned else x * 0.5 + y
        return x

    x, y = drawn(2, 8)
    limit = y / 1.5 if turned else 2 * y
    assert_allclose(run(chain, x, y), limit, rtol=1e-5)


def test_what_is_kept_between(run):
    """Every sum over the rows is an array of its own, which the next needs."""

    def centred(x):
        for _ in range(DEPTH // 2):
            x = x - ops.mean(x, axis=0, keepdims=True)
        return x

    x = drawn(4, 3)
    assert_allclose(run(centred, x), x - x.mean(axis=0), atol=1e-6)


def test_movement_that_is_written_on_demand(run):
    def rolled(x):
        for _ in range(DEPTH):
            x = ops.concatenate([x[1:], x[:1]], axis=0)
        return x

    x = drawn(7, 2)
    assert_allclose(run(rolled, x), np.roll(x, -DEPTH, axis=0))


@pytest.mark.parametrize("precision", ["f32", "bf16"])
def test_movement_that_a_product_reads_through(run, precision):
    def turned(x, y):
        for _ in range(DEPTH):
            x = ops.reshape(ops.transpose(x, (1, 0)), (2, 3))
        return x @ y

    x, y = np.arange(6, dtype=np.float32).reshape(2, 3), np.eye(3, dtype=np.float32)
    wanted = x
    for _ in range(DEPTH):
        wanted = wanted.T.reshape(2, 3)
    assert_allclose(run(turned, x, y, precision=precision), wanted)


def test_a_sum_of_which_much_is_taken_out(run):
    def total(x, vector):
        for number in range(DEPTH):
            x = -x if number % 5 == 0 else x + vector if number % 2 else vector + x
        return ops.sum(x, axis=0)

    x, vector = drawn(3, 4), drawn(4)
    wanted = x.astype(float)
    for number in range(DEPTH):
        wanted = -wanted if number % 5 == 0 else wanted + vector
    assert_allclose(run(total, x, vector), wanted.sum(axis=0), rtol=1e-3, atol=1e-3)


def test_rectifiers_before_a_pool(run):
    def pooled(x):
        for _ in range(DEPTH):
            x = ops.relu(x)
        return ops.max_pool(x, (2, 2))

    x = drawn(1, 4, 4, 1)
    wanted = np.maximum(x, 0).reshape(1, 2, 2, 2, 2, 1).max(axis=(2, 4))
    assert_allclose(run(pooled, x), wanted)


def test_what_numpy_computes(run):
    def chain(x):
        for _ in range(DEPTH):
            x = ops.tanh(x)
        return x

    x = np.linspace(-1, 1, 5)
    wanted = Reference().compile(trace(chain)(x).graph)([x])[0]
    assert_allclose(run(chain, x), wanted, rtol=1e-12)
