"""Sums, largest numbers and their adjoints over windows, beside loops over windows in NumPy."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

RNG = np.random.default_rng(0)
SUM, SPREAD, MAX, MAX_SPREAD, MAX_MEAN = range(5)

# For each axis: length, size, stride, padding before, padding after, dilation.
PLAIN = lambda n: (n, 1, 1, 0, 0, 1)
CASES = [
    [PLAIN(2), (6, 2, 2, 0, 0, 1), (8, 2, 2, 0, 0, 1), PLAIN(5)],
    [PLAIN(3), (9, 3, 2, 0, 0, 1), (9, 3, 2, 0, 0, 1), PLAIN(33)],
    [PLAIN(2), (7, 3, 2, 1, 1, 1), (9, 3, 2, 1, 0, 1), PLAIN(16)],
    [PLAIN(2), (7, 3, 1, 1, 1, 1), (5, 2, 3, 0, 1, 1), PLAIN(1)],
    [PLAIN(2), (5, 3, 1, 2, 2, 1), (8, 2, 1, 0, 0, 3), PLAIN(4)],
    [PLAIN(2), (9, 3, 3, 0, 0, 2), PLAIN(6), PLAIN(4)],
    [PLAIN(2), PLAIN(3), PLAIN(3), (24, 5, 1, 2, 2, 1)],
    [PLAIN(4), (24, 5, 2, 2, 2, 1)],
    [PLAIN(4), (20, 3, 1, 1, 1, 2)],
    [(10, 3, 1, 1, 1, 1), (12, 2, 1, 0, 0, 1)],
    [PLAIN(2), (4, 2, 2, 0, 0, 1), (5, 2, 1, 1, 0, 1), (6, 3, 3, 0, 0, 1), PLAIN(3)],
    [(17, 17, 17, 0, 0, 1), PLAIN(9)],
    [PLAIN(3), (50, 50, 50, 0, 0, 1), PLAIN(70)],
    [(9, 4, 3, 1, 1, 1)],
    [PLAIN(0), (4, 2, 2, 0, 0, 1), PLAIN(3)],
    [PLAIN(3), (12, 2, 2, 0, 0, 1), (12, 3, 2, 0, 0, 1), PLAIN(70)],  # several vectors, and a part of one
]


def count(axis):
    n, size, stride, before, after, dilation = axis
    return max((n + before + after - (size - 1) * dilation - 1) // stride + 1, 0)


def windows(case):
    """For each window: its index, and the indices of the numbers in it."""
    counts = [count(axis) for axis in case]
    for window in itertools.product(*map(range, counts)):
        axes = []
        for at, (n, size, stride, before, _, dilation) in zip(window, case, strict=True):
            places = [at * stride - before + tap * dilation for tap in range(size)]
            axes.append([place for place in places if 0 <= place < n])
        yield window, np.ix_(*axes)


def execute_window(execute, role, case, *arrays, threads=1):
    columns = list(zip(*case, strict=True))
    lengths, (sizes, strides, before, _, dilations) = columns[0], columns[1:]
    counts = [count(axis) for axis in case]
    words = [role, len(case), *lengths, *counts, *sizes, *strides, *before, *dilations, *arrays, execute.out]
    return execute("window", words, lengths if role in (SPREAD, MAX_SPREAD) else counts, threads=threads)


def inputs(case, ties):
    shape = [axis[0] for axis in case]
    x = (RNG.integers(-2, 3, shape) if ties else RNG.normal(size=shape)).astype(np.float32)
    return x, RNG.normal(size=[count(axis) for axis in case]).astype(np.float32)


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("threads", [1, 2])
def test_sum_and_spread(execute, case, threads):
    x, g = inputs(case, ties=False)
    total, spread = np.zeros(g.shape), np.zeros(x.shape)
    for window, inside in windows(case):
        total[window] = x[inside].sum(dtype=np.float64)
        spread[inside] += g[window]
    assert_allclose(execute_window(execute, SUM, case, x, threads=threads), total, rtol=1e-5, atol=1e-5)
    assert_allclose(execute_window(execute, SPREAD, case, g, threads=threads), spread, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("threads", [1, 2])
def test_largest_and_its_adjoints(execute, case, ties, threads):
    x, g = inputs(case, ties)
    h = RNG.normal(size=x.shape).astype(np.float32)
    largest = np.full(g.shape, -np.inf, np.float32)
    spread, mean = np.zeros(x.shape), np.zeros(g.shape)
    for window, inside in windows(case):
        largest[window] = x[inside].max(initial=-np.inf)
        winners = x[inside] == largest[window]
        spread[inside] += g[window] * winners / max(winners.sum(), 1)
        mean[window] = (h[inside] * winners).sum() / max(winners.sum(), 1)
    assert_array_equal(execute_window(execute, MAX, case, x, threads=threads), largest)
    result = execute_window(execute, MAX_SPREAD, case, g, x, largest, threads=threads)
    assert_allclose(result, spread, rtol=1e-5, atol=1e-5)
    result = execute_window(execute, MAX_MEAN, case, h, x, largest, threads=threads)
    assert_allclose(result, mean, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("stride", [1, 2])
def test_nan_is_the_largest_and_receives_nothing(execute, stride):
    case = [PLAIN(2), (6, 2, stride, 0, 0, 1), (6, 2, stride, 0, 0, 1), PLAIN(9)]
    x, g = inputs(case, ties=False)
    x[0, 2, 3, 4] = np.nan
    x[1, 1, 1, 1] = np.inf
    largest = execute_window(execute, MAX, case, x)
    expected = np.stack([np.maximum.reduce(x[inside], None) for _, inside in windows(case)])
    assert_array_equal(largest, expected.reshape(g.shape))
    result = execute_window(execute, MAX_SPREAD, case, g, x, largest)
    assert result[0, 2, 3, 4] == 0
    assert np.isfinite(result).all()


def test_an_empty_window_of_sums(execute):
    case = [PLAIN(2), (2, 2, 2, 2, 0, 1)]  # the first window lies before the axis
    x, _ = inputs(case, ties=False)
    result = execute_window(execute, SUM, case, x)
    assert_array_equal(result[:, 0], 0)
