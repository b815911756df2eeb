"""Copies, gathers and sums of rows of the native engine beside NumPy's."""

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided
from numpy.testing import assert_array_equal

RNG = np.random.default_rng(0)
INTEGERS = [np.uint8, np.int8, np.int16, np.int32, np.int64, np.uint16, np.uint32]  # in the order of their codes


def copy(execute, source, shape, strides, target_strides=None, target_shape=None, threads=1):
    target_shape = shape if target_shape is None else target_shape
    item = source.itemsize if source is not None else 4
    if target_strides is None:
        target_strides = np.zeros(shape, f"V{item}").strides
    words = [item, len(shape), *shape, source, *strides, execute.out, *target_strides]
    return execute("copy", words, target_shape, source.dtype if source is not None else np.float32, threads=threads)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64, np.complex128])
@pytest.mark.parametrize(
    ("shape", "axes"),
    [((7,), (0,)), ((5, 6), (1, 0)), ((33, 70), (1, 0)), ((3, 17, 20), (2, 0, 1)), ((3, 17, 20), (1, 2, 0)),
     ((4, 3, 5, 6), (0, 3, 1, 2)), ((2, 40, 50, 3), (0, 3, 2, 1)), ((64, 48, 96), (2, 1, 0)),
     ((1, 9, 1, 4), (3, 2, 1, 0))],
)  # fmt: skip
def test_permuted_axes(execute, dtype, shape, axes):
    source = RNG.integers(0, 200, shape).astype(dtype)
    view = source.transpose(axes)
    for threads in (1, 2):
        assert_array_equal(copy(execute, source, view.shape, view.strides, threads=threads), view)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_broadcast(execute, dtype):
    source = RNG.integers(0, 200, (3, 5)).astype(dtype)
    for shape, strides in (
        ((4, 3, 5), (0, *source.strides)),
        ((3, 5, 6), (*source.strides, 0)),
        ((3, 7, 5), (source.strides[0], 0, source.strides[1])),
        ((200, 300), (0, 0)),
    ):
        expected = as_strided(source, shape, strides)
        assert_array_equal(copy(execute, source, shape, strides, threads=2), expected)


def test_zeros(execute):
    for shape in ((3,), (300, 500), (2, 0)):
        assert_array_equal(copy(execute, None, shape, [0] * len(shape), threads=2), np.zeros(shape))


def test_single_number(execute):
    source = np.float32(3.5).reshape(1)
    assert_array_equal(execute("copy", [4, 0, source, execute.out], ()), 3.5)


def test_part_of_an_array_into_part_of_another(execute):
    source = RNG.normal(size=(6, 8)).astype(np.float32)
    words = [4, 2, 6, 8, source, *source.strides, execute.out, 4 * 11, 4]
    result = execute("copy", words, (6, 11))
    assert_array_equal(result[:, :8], source)
    assert (result[:, 8:].view(np.uint32) == 0xA5A5A5A5).all()  # as it was


def test_reversed_axes(execute):
    source = RNG.normal(size=(5, 7)).astype(np.float32)
    turned = source[::-1, ::-1]
    words = [4, 2, 5, 7, (source, 4 * 34), *turned.strides, execute.out, 28, 4]
    assert_array_equal(execute("copy", words, (5, 7)), turned)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_take(execute, dtype):
    code = INTEGERS.index(dtype)
    for outer, length, inner, item in ((1, 9, 1, np.float32), (3, 20, 5, np.float32), (2, 50, 1, np.float64),
                                       (2, 6, 3, np.uint8), (1, 100, 200, np.uint16)):  # fmt: skip
        x = RNG.integers(0, 200, (outer, length, inner)).astype(item)
        low = -length if np.dtype(dtype).kind == "i" else 0
        index = RNG.integers(low, length, 37).astype(dtype)
        words = [outer, length, inner * x.itemsize, 37, x, index, code, execute.out]
        for threads in (1, 3):
            assert_array_equal(execute("take", words, (outer, 37, inner), item, threads), x[:, index.astype(int)])


def test_take_of_nothing(execute):
    x, index = np.zeros((2, 5, 3), np.float32), np.zeros(0, np.int32)
    assert execute("take", [2, 5, 12, 0, x, index, 3, execute.out], (2, 0, 3)).shape == (2, 0, 3)
    x, index = np.zeros((0, 5, 3), np.float32), np.array([4], np.int32)
    assert execute("take", [0, 5, 12, 1, x, index, 3, execute.out], (0, 1, 3)).shape == (0, 1, 3)


@pytest.mark.parametrize("kind", ["take", "scatter_add"])
@pytest.mark.parametrize("wrong", [5, -6, 2**40])
def test_an_index_outside_names_itself(execute, kind, wrong):
    x, index = np.zeros((5,), np.float32), np.array([0, wrong], np.int64)
    inner = 4 if kind == "take" else 1
    with pytest.raises(IndexError, match=f"{kind}: index {wrong} is outside an axis of length 5"):
        execute(kind, [1, 5, inner, 2, x, index, 4, execute.out], (5,))


@pytest.mark.parametrize("dtype", INTEGERS)
def test_scatter_add(execute, dtype):
    code = INTEGERS.index(dtype)
    cases = ((1, 7, 1, 30), (3, 5, 1, 30), (2, 11, 17, 40), (1, 100, 64, 1000), (1, 4, 3, 0))
    for outer, length, inner, count in cases:
        x = RNG.normal(size=(outer, count, inner)).astype(np.float32)
        index = RNG.integers(-length if np.dtype(dtype).kind == "i" else 0, length, count).astype(dtype)
        expected = np.zeros((outer, length, inner), np.float32)
        for o in range(outer):
            np.add.at(expected[o], index.astype(int), x[o])
        words = [outer, length, inner, count, x, index, code, execute.out]
        for threads in (1, 2, 5):
            assert_array_equal(execute("scatter_add", words, expected.shape, threads=threads), expected)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_gather_sum(execute, dtype):
    code = INTEGERS.index(dtype)
    for rows, picks, length, inner in (
        (1, 1, 1, 1),
        (3, 5, 7, 17),
        (40, 6, 100, 512),
        (300, 20, 90, 131),
        (2, 0, 3, 4),
    ):
        x = RNG.normal(size=(length, inner)).astype(np.float32)
        index = RNG.integers(-length if np.dtype(dtype).kind == "i" else 0, length, (rows, picks)).astype(dtype)
        weights = RNG.normal(size=(rows, picks)).astype(np.float32)
        expected = np.einsum("rp,rpi->ri", weights.astype(float), x[index.astype(int)].astype(float))
        words = [rows, picks, length, inner, x, index, code, weights, execute.out]
        found = [execute("gather_sum", words, expected.shape, threads=threads) for threads in (1, 2, 5)]
        np.testing.assert_allclose(found[0], expected, rtol=1e-4, atol=1e-5)
        for each in found[1:]:
            assert_array_equal(each, found[0])


def test_gather_sum_of_an_index_outside_names_itself(execute):
    x, index, weights = np.zeros((5, 2), np.float32), np.array([[0, 5]]), np.ones((1, 2), np.float32)
    with pytest.raises(IndexError, match="gather_sum: index 5 is outside an axis of length 5"):
        execute("gather_sum", [1, 2, 5, 2, x, index, 4, weights, execute.out], (1, 2))
