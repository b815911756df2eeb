"""Products and convolutions of the native engine beside NumPy's."""

import itertools
import zlib

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def drawn_anew(request):
    """The same numbers for a test, whatever ran before it in its process."""
    RNG.bit_generator.state = np.random.default_rng(zlib.crc32(request.node.name.encode())).bit_generator.state


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def to_bf16(x):
    """Bits of the nearest bfloat16, as uint16; and the values they stand for."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    short = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
    return short, (short.astype(np.uint32) << 16).view(np.float32)


def laid_out(x, transposed):
    """The array as it is kept, and its strides of batch, row and column in numbers."""
    _, rows, columns = x.shape
    if transposed:
        return np.ascontiguousarray(x.transpose(0, 2, 1)), (rows * columns, 1, rows)
    return np.ascontiguousarray(x), (rows * columns, columns, 1)


def product(execute, a, b, transposed=(False, False), bias=None, relu=False, bf16=False, threads=1):
    (kept_a, strides_a), (kept_b, strides_b) = laid_out(a, transposed[0]), laid_out(b, transposed[1])
    if bf16:
        kept_a, kept_b = to_bf16(kept_a)[0], to_bf16(kept_b)[0]
    batch, m, k = a.shape
    n = b.shape[2]
    words = [
        batch,
        m,
        n,
        k,
        4 if bf16 else 0,
        kept_a,
        *strides_a,
        kept_b,
        *strides_b,
        execute.out,
        m * n,
        n,
        bias,
        0,
        relu,
    ]
    return execute("matmul", words, (batch, m, n), threads=threads)


def assert_product(result, a, b, bias=None, relu=False):
    expected = a.astype(np.float64) @ b.astype(np.float64) + (0 if bias is None else bias)
    scale = np.sqrt(a.shape[2] + 1)
    assert_allclose(result, np.maximum(expected, 0) if relu else expected, rtol=1e-5, atol=3e-6 * scale)


SHAPES = [
    (1, 1, 1, 1), (1, 2, 3, 4), (1, 7, 13, 5), (1, 32, 64, 64), (1, 32, 10, 64), (1, 32, 2, 10), (1, 33, 17, 65),
    (1, 6, 16, 300), (1, 128, 10, 256), (1, 128, 512, 784), (1, 191, 130, 257), (1, 200, 33, 600), (1, 16, 1000, 513),
    (16, 32, 64, 64), (3, 5, 9, 2), (2, 65, 257, 129), (1, 300, 20, 16), (1, 1, 300, 700), (1, 300, 1, 700),
    (1, 5, 3, 4100), (2, 29, 70, 2300),
]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("transposed", list(itertools.product([False, True], repeat=2)))
def test_product(execute, shape, transposed):
    batch, m, n, k = shape
    a, b, bias = normal(batch, m, k), normal(batch, k, n), normal(n)
    assert_product(product(execute, a, b, transposed), a, b)
    assert_product(product(execute, a, b, transposed, bias, True, threads=2), a, b, bias, True)


def test_a_result_beyond_the_caches(execute):
    """It is written past them, but for what fills no vector."""
    a, b, bias = normal(1, 2100, 3), normal(1, 3, 4112), normal(4112)
    assert_product(product(execute, a, b, (True, False), bias, True, threads=2), a, b, bias, True)


@pytest.mark.parametrize("m", [1, 5, 17])
def test_dot_products_pass_what_is_not_finite(execute, m):
    a, b = normal(1, m, 600), normal(1, 600, 9)
    a[0, m - 1, 599], b[0, 3, 2], b[0, 4, 5], b[0, 5, 5] = np.nan, np.inf, np.inf, -np.inf
    with np.errstate(invalid="ignore"):
        expected = a.astype(np.float64) @ b.astype(np.float64)
    result = product(execute, a, b, (False, True), relu=True)
    assert_allclose(result, np.maximum(expected, 0), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("shape", [(1, 3, 4, 5), (1, 33, 17, 65), (1, 128, 130, 257), (4, 32, 64, 64)])
@pytest.mark.parametrize("transposed", list(itertools.product([False, True], repeat=2)))
def test_product_of_bfloat16(execute, shape, transposed):
    batch, m, n, k = shape
    a, b = to_bf16(normal(batch, m, k))[1], to_bf16(normal(batch, k, n))[1]
    result = product(execute, a, b, transposed, bf16=True, threads=2)
    assert_allclose(result, a.astype(np.float64) @ b.astype(np.float64), rtol=1e-5, atol=1e-5 * np.sqrt(k))


@pytest.mark.parametrize("shape", [(0, 3, 4, 5), (1, 0, 4, 5), (1, 3, 0, 5), (1, 3, 4, 0)])
def test_empty_product(execute, shape):
    batch, m, n, k = shape
    a, b, bias = normal(batch, m, k), normal(batch, k, n), normal(n)
    assert_array_equal(product(execute, a, b, bias=bias), np.broadcast_to(bias, (batch, m, n)))


@pytest.mark.parametrize("lengths", [(3, 8, 24, 16), (2, 64, 200, 150)])
def test_factor_of_the_whole_batch(execute, lengths):
    batch, m, n, k = lengths
    a, b = normal(batch, m, k), normal(1, k, n)
    words = [batch, m, n, k, 0, a, m * k, k, 1, b, 0, n, 1, execute.out, m * n, n, None, 0, 0]
    assert_product(execute("matmul", words, (batch, m, n)), a, b)


def test_product_of_columns_of_a_wider_array(execute):
    wide, b = normal(40, 100), normal(30, 20)
    words = [1, 40, 20, 30, 0, wide, 0, 100, 1, b, 0, 20, 1, execute.out, 800, 20, None, 0, 0]
    assert_product(execute("matmul", words, (1, 40, 20)), wide[None, :, :30], b[None])


def test_products_side_by_side_with_a_bias_each(execute):
    """What an ensemble's layer does: (member, row, unit) is written as (row, member, unit)."""
    a, b, bias = normal(4, 30, 50), normal(4, 50, 20), normal(4, 20)
    words = [4, 30, 20, 50, 0, a, 1500, 50, 1, b, 1000, 20, 1, execute.out, 20, 80, bias, 20, 1]
    expected = np.maximum(a.astype(np.float64) @ b + bias[:, None], 0).transpose(1, 0, 2)
    assert_allclose(execute("matmul", words, (30, 4, 20), threads=2), expected, rtol=1e-5, atol=1e-5)


def test_product_keeps_nan_and_infinity(execute):
    a, b = np.ones((1, 9, 20), np.float32), np.ones((1, 20, 18), np.float32)
    a[0, 3, 4], a[0, 5, 6] = np.nan, np.inf
    result = product(execute, a, b)
    assert np.isnan(result[0, 3]).all()
    assert np.isposinf(result[0, 5]).all()
    assert_array_equal(np.delete(result[0], [3, 5], 0), 20)


@pytest.mark.parametrize(
    "shape", [(1, 64, 64, 64), (1, 250, 70, 700), (16, 32, 64, 64), (1, 600, 512, 128), (1, 7, 33, 20_000)]
)
def test_product_gives_the_same_bits_for_any_number_of_threads(execute, shape):
    batch, m, n, k = shape
    a, b = normal(batch, m, k), normal(batch, k, n)
    for transposed in itertools.product([False, True], repeat=2):
        one = product(execute, a, b, transposed)
        for threads in (2, 3, 7):
            assert_array_equal(product(execute, a, b, transposed, threads=threads), one)


@pytest.mark.parametrize("shape", [*SHAPES, (8, 20, 4, 64), (1, 3, 7, 45), (1, 8, 4, 55), (1, 1, 9, 4120)])
@pytest.mark.parametrize("transposed", list(itertools.product([False, True], repeat=2)))
def test_product_has_the_same_bits_by_avx2_and_avx512(execute, limited, shape, transposed):
    batch, m, n, k = shape
    a, b, found = normal(batch, m, k), normal(batch, k, n), []
    for isa in ("avx2", "avx512"):
        limited(isa)
        found.append(product(execute, a, b, transposed))
    assert_array_equal(*found)


@pytest.mark.parametrize("transposed", [False, True])
def test_product_of_arrays_that_move_on_with_each_step(execute, transposed):
    a, b, m, k, n = normal(3, 40, 70), normal(3, 70, 600), 40, 70, 600
    kept = np.ascontiguousarray(a.transpose(0, 2, 1)) if transposed else a
    words = [1, m, n, k, 0, kept, 0, *((1, m) if transposed else (k, 1)), b, 0, n, 1, execute.out, 0, n, None, 0, 0]
    assert_product(execute("matmul", words, (m, n), threads=2, steps=3), a, b)


# Convolutions: (batch, groups, channels in, channels out, lengths, sizes, strides, padding, dilations). Padding is
# (before, after); after may be negative.
CONVOLUTIONS = [
    (2, 1, 3, 5, (7,), (3,), (1,), ((1, 1),), (1,)),
    (2, 1, 1, 8, (9, 8), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    (3, 1, 4, 32, (8, 8), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    (3, 1, 32, 64, (4, 4), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    (5, 1, 32, 17, (6, 5), (3, 2), (1, 1), ((0, 0), (1, 0)), (1, 1)),
    (2, 1, 3, 16, (23, 20), (11, 11), (4, 4), ((1, 2), (1, 2)), (1, 1)),
    (2, 2, 6, 8, (9, 9), (5, 5), (1, 1), ((2, 2), (2, 2)), (1, 1)),
    (2, 2, 32, 48, (7, 9), (3, 3), (2, 1), ((1, 1), (0, 1)), (1, 1)),
    (2, 6, 6, 6, (8, 7), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    (2, 4, 4, 8, (8, 7), (3, 3), (2, 2), ((1, 0), (0, 1)), (1, 1)),
    (2, 1, 8, 16, (9, 11), (3, 3), (1, 2), ((2, 2), (2, 2)), (2, 2)),
    (1, 1, 5, 7, (10, 9), (2, 3), (3, 2), ((0, -1), (0, 0)), (1, 1)),
    (2, 1, 16, 16, (10, 10), (1, 1), (2, 2), ((0, -1), (0, -1)), (1, 1)),
    (2, 1, 5, 12, (4, 5, 6), (2, 3, 3), (1, 2, 1), ((0, 1), (1, 1), (0, 0)), (1, 1, 1)),
    (1, 2, 4, 6, (5, 4, 5), (3, 1, 2), (2, 1, 1), ((1, 1), (0, 0), (0, 1)), (1, 1, 2)),
    (1, 1, 16, 24, (40, 41), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    (64, 1, 1, 32, (8, 8), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    (2, 1, 3, 8, (100, 90), (7, 7), (2, 2), ((3, 3), (3, 3)), (1, 1)),
    (0, 1, 3, 5, (7, 7), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    (2, 1, 3, 5, (4, 3), (5, 5), (1, 1), ((3, 3), (4, 4)), (1, 1)),
    # 3 x 3 and 5 x 5 windows of many channels, in tiles: whole ones, cut ones, many tasks, groups, other paddings.
    (40, 1, 32, 64, (8, 8), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    (24, 1, 33, 43, (7, 14), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    (9, 3, 72, 75, (12, 11), (3, 3), (1, 1), ((0, 1), (2, 3)), (1, 1)),
    (30, 1, 140, 128, (4, 8), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    (5, 1, 20, 40, (19, 30), (3, 3), (1, 1), ((2, -1), (0, 5)), (1, 1)),
    (7, 1, 48, 64, (14, 9), (5, 5), (1, 1), ((2, 2), (2, 2)), (1, 1)),
    (12, 2, 66, 74, (13, 18), (5, 5), (1, 1), ((3, 1), (0, 2)), (1, 1)),
]

TILES = [((size, size), (1, 1)) for size in (3, 5)]  # sizes and strides of windows that Winograd's transforms may take

# Single places, of images as they lie: some rows of one, several, channels beyond a panel or a block.
SINGLE = [
    (3, 1, 16, 96, (20, 30), (1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1)),
    (70, 1, 50, 24, (3, 3), (1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1)),
    (2, 2, 70, 34, (17, 16), (1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1)),
    (2, 1, 24, 40, (17, 16), (1, 1), (2, 3), ((0, -2), (0, 0)), (1, 1)),
    (5, 1, 200, 70, (7, 6), (1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1)),
    (4, 1, 40, 33, (1, 1), (1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1)),
    (2, 1, 1024, 20, (5, 4), (1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1)),
    (2, 1, 24, 40, (17, 16), (1, 1), (1, 1), ((1, -1), (0, 0)), (1, 1)),
    (3, 1, 30, 40, (50,), (1,), (1,), ((0, 0),), (1,)),
    (2, 1, 5, 12, (13, 12), (3, 2), (1, 1), ((0, 0), (0, 0)), (1, 1)),
    (4, 12, 12, 12, (13, 12), (3, 3), (1, 1), ((0, 0), (0, 0)), (1, 1)),
]

# Windows that lie apart, images of few channels, groups of few channels.
STRIDED = [
    (3, 1, 32, 40, (14, 13), (3, 3), (2, 2), ((1, 1), (1, 0)), (1, 1)),
    (2, 1, 3, 24, (31, 29), (11, 11), (4, 4), ((2, 3), (0, 1)), (1, 1)),
    (2, 1, 70, 33, (11, 12), (3, 3), (3, 3), ((0, 2), (1, -1)), (1, 1)),
    (2, 1, 5, 9, (20, 18), (7, 7), (2, 2), ((3, 2), (3, 3)), (1, 1)),
    (1, 1, 64, 64, (8, 8), (1, 1), (2, 2), ((0, -1), (0, -1)), (1, 1)),
    (2, 1, 4, 16, (15, 16), (3, 3), (2, 3), ((2, 2), (2, 2)), (2, 2)),
    (2, 1, 4, 16, (17, 16), (3, 3), (4, 2), ((3, 1), (-1, 2)), (3, 1)),
    (2, 1, 8, 8, (13, 14), (2, 1), (3, 4), ((0, 0), (-2, 0)), (1, 1)),
    (1, 1, 40, 20, (90, 80), (3, 3), (2, 2), ((1, 0), (0, 1)), (1, 1)),
    (2, 2, 48, 64, (9, 9), (3, 3), (2, 2), ((1, 1), (1, 1)), (1, 1)),
    (2, 1, 6, 10, (50,), (7,), (3,), ((2, 4),), (2,)),
    (1, 1, 6, 10, (6, 7, 8), (3, 3, 3), (2, 2, 2), ((1, 1), (0, 1), (1, 0)), (1, 1, 1)),
]
# 3 x 3 windows two apart and many channels, in tiles: whole and cut ones, odd and even padding, cut blocks, many tasks,
# numbers left out; two axes whose paddings are odd and even, of which only the gradient of the input is not in tiles.
APART = [
    (6, 1, 64, 96, (16, 16), (3, 3), (2, 2), ((1, 1), (1, 1)), (1, 1)),
    (9, 1, 72, 75, (15, 22), (3, 3), (2, 2), ((1, 1), (3, -1)), (1, 1)),
    (10, 1, 130, 67, (16, 14), (3, 3), (2, 2), ((0, 1), (2, 0)), (1, 1)),
    (40, 1, 33, 64, (24, 16), (3, 3), (2, 2), ((1, 0), (1, 1)), (1, 1)),
    (2, 1, 64, 200, (40, 40), (3, 3), (2, 2), ((1, 1), (1, 1)), (1, 1)),
    (7, 1, 64, 80, (15, 17), (3, 3), (2, 2), ((1, 1), (0, 0)), (1, 1)),
    (8, 1, 64, 80, (16, 16), (3, 3), (2, 2), ((-1, 2), (1, 1)), (1, 1)),
    (8, 1, 64, 80, (16, 16), (3, 3), (2, 2), ((0, 1), (-2, 2)), (1, 1)),
]
# Tiles that reach beyond an edge: of so many results down and along, of windows one apart.
SHORT = [
    (7, 1, 32, 40, lengths, (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1))
    for lengths in ((7, 7), (5, 5), (6, 6), (3, 3), (2, 2), (13, 8), (8, 13), (9, 15), (15, 10), (11, 4), (4, 2))
] + [
    (41, 1, 32, 32, (7, 7), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    (3, 2, 80, 96, (23, 31), (3, 3), (1, 1), ((0, 2), (2, 1)), (1, 1)),
    (2, 3, 57, 63, (18, 17), (3, 3), (1, 1), ((1, 1), (-1, 3)), (1, 1)),
    (9, 1, 33, 30, (7, 7), (5, 5), (1, 1), ((2, 2), (2, 2)), (1, 1)),
    (2, 2, 64, 64, (8, 9), (5, 5), (1, 1), ((1, 2), (2, 2)), (1, 1)),
]
NARROW = [
    (2, 1, 3, 32, (20, 19), (5, 3), (1, 1), ((2, 2), (1, 1)), (1, 1)),
    (2, 1, 1, 9, (12, 30), (3, 3), (1, 1), ((0, 3), (2, -1)), (1, 2)),
    (2, 1, 2, 12, (4, 5, 6), (3, 3, 3), (1, 1, 1), ((1, 1), (1, 1), (1, 1)), (1, 1, 1)),
]
SMALL_GROUPS = [
    (12, 33, 33, 33, (20, 20), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    (1, 96, 96, 96, (40, 40), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    (2, 21, 21, 21, (9, 8), (3, 3), (2, 2), ((1, 1), (0, 1)), (1, 1)),
    (1, 96, 96, 96, (60, 60), (5, 5), (2, 2), ((2, 1), (2, 2)), (1, 1)),
    (2, 19, 19, 19, (12, 11), (7, 7), (3, 3), ((3, 2), (-1, 4)), (1, 1)),
    (2, 16, 16, 16, (11, 10), (3, 3), (2, 1), ((1, 1), (2, 2)), (1, 2)),
    (3, 40, 40, 40, (30,), (3,), (4,), ((1, 1),), (1,)),
    (1, 8, 8, 8, (4, 5, 6), (3, 2, 3), (1, 2, 1), ((1, 1), (0, 1), (1, 1)), (1, 1, 1)),
    (2, 10, 10, 20, (9, 8), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    (2, 7, 7, 21, (9, 8), (3, 3), (2, 2), ((1, 1), (1, 1)), (1, 1)),
    (2, 7, 21, 7, (9, 8), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    (2, 5, 20, 15, (7, 8), (3, 2), (1, 1), ((1, 1), (0, 1)), (1, 1)),
    (3, 8, 32, 32, (8, 8), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    (2, 4, 8, 16, (8, 9), (3, 3), (2, 2), ((1, 1), (1, 1)), (1, 1)),
]


def out_lengths(lengths, sizes, strides, padding, dilations):
    axes = zip(lengths, sizes, strides, padding, dilations, strict=True)
    return tuple((n + sum(pads) - (k - 1) * d - 1) // s + 1 for n, k, s, pads, d in axes)


def taps(case, outs):
    """For each tap of the kernel, the slices of the (padded) input that all windows have there."""
    *_, sizes, strides, _, dilations = case
    for tap in itertools.product(*map(range, sizes)):
        axes = zip(tap, dilations, outs, strides, strict=True)
        yield tap, tuple(slice(t * d, t * d + (n - 1) * s + 1, s) for t, d, n, s in axes)


def padded(x, case):
    """Zeros around; a negative padding before leaves the first numbers out, one after the last by itself."""
    padding = case[7]
    x = x[(slice(None), *(slice(max(-before, 0), None) for before, _ in padding))]
    return np.pad(x, ((0, 0), *((max(before, 0), max(after, 0)) for before, after in padding), (0, 0)))


def reference(role, case, first, second, outs):
    """The three products, tap by tap, in float64."""
    batch, groups, inward, outward, lengths = case[:5]
    sizes = case[5]
    first, second = first.astype(np.float64), second.astype(np.float64)
    grouped = lambda x: x.reshape(*x.shape[:-1], groups, x.shape[-1] // groups)
    kernel_of = lambda k: k.reshape(*sizes, inward // groups, groups, outward // groups)
    if role == 0:
        x, kernel = padded(first, case), kernel_of(second)
        result = np.zeros((batch, *outs, groups, outward // groups))
        for tap, where in taps(case, outs):
            result += np.einsum("...gi,igo->...go", grouped(x[(slice(None), *where)]), kernel[tap])
        return result.reshape(batch, *outs, outward)
    if role == 1:
        g, kernel = grouped(first), kernel_of(second)
        result = padded(np.zeros((batch, *lengths, inward)), case)
        for tap, where in taps(case, outs):
            part = np.einsum("...go,igo->...gi", g, kernel[tap])
            result[(slice(None), *where)] += part.reshape(*part.shape[:-2], inward)
        result = np.pad(result, ((0, 0), *((max(-before, 0), 0) for before, _ in case[7]), (0, 0)))
        inside = (slice(max(before, 0), max(before, 0) + n) for (before, _), n in zip(case[7], lengths, strict=True))
        return result[(slice(None), *inside)]
    x, g = padded(first, case), grouped(second)
    result = np.zeros((*sizes, inward // groups, groups, outward // groups))
    for tap, where in taps(case, outs):
        result[tap] = np.einsum("ngi,ngo->igo", *(
            each.reshape(-1, *each.shape[-2:]) for each in (grouped(x[(slice(None), *where)]), g)
        ))  # fmt: skip
    return result.reshape(*sizes, inward // groups, outward)


def convolution(execute, role, case, first, second, bias=None, relu=False, bf16=False, threads=1, steps=1,
                beside=None, limit=0.0):  # fmt: skip
    batch, groups, inward, outward, lengths, sizes, strides, padding, dilations = case
    outs = out_lengths(*case[4:])
    shape = ((batch, *outs, outward), (batch, *lengths, inward), (*sizes, inward // groups, outward))[role]
    if bf16:
        first, second = to_bf16(first)[0], to_bf16(second)[0]
    before = [pads[0] for pads in padding]
    words = [role, len(lengths), batch, groups, inward, outward, *lengths, *outs, *sizes, *strides, *before, *dilations]
    words += [4 if bf16 else 0, first, second, execute.out, bias, relu, beside, int(np.float32(limit).view(np.int32))]
    return execute("convolution", words, shape, threads=threads, steps=steps)


def factors(role, case):
    batch, groups, inward, outward, lengths, sizes = case[:6]
    x, g = normal(batch, *lengths, inward), normal(batch, *out_lengths(*case[4:]), outward)
    kernel = normal(*sizes, inward // groups, outward)
    return ((x, kernel), (g, kernel), (x, g))[role]


@pytest.mark.parametrize("case", CONVOLUTIONS, ids=str)
@pytest.mark.parametrize("role", [0, 1, 2])
@pytest.mark.parametrize("bf16", [False, True])
def test_convolution(execute, module, role, case, bf16):
    first, second = factors(role, case)
    if bf16:
        first, second = to_bf16(first)[1], to_bf16(second)[1]
    expected = reference(role, case, first, second, out_lengths(*case[4:]))
    terms = np.sqrt(max(first.size, 1) if role == 2 else max(second.size, 1))
    for threads in (1, 2):
        result = convolution(execute, role, case, first, second, bf16=bf16, threads=threads)
        if bf16 and module.has_halves() and case[1] == 1 and case[5:7] in TILES:  # rounded once more
            assert np.linalg.norm(result - expected) <= 0.015 * np.linalg.norm(expected)
        else:
            assert_allclose(result, expected, rtol=1e-4, atol=2e-6 * terms + 1e-6)


# Tiles whole and at the edges, odd counts of channels and of each kind of tiles, several tasks, few numbers. Rounded to
# bfloat16 once they are transformed, numbers of these have an error of 1.1 to 1.25 % of the result's size, with 5 x 5
# windows 1.35 %; direct sums of rounded factors 0.24 %.
HALVES = [
    *(case for case in CONVOLUTIONS[-7:] if case[1] == 1),
    (25, 1, 33, 43, (7, 14), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    (31, 1, 37, 45, (15, 13), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    (3, 1, 24, 64, (31, 30), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    (64, 1, 80, 96, (3, 3), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    (9, 1, 35, 50, (11, 13), (5, 5), (1, 1), ((2, 2), (1, 2)), (1, 1)),
]


@pytest.mark.parametrize("case", HALVES, ids=str)
@pytest.mark.parametrize("role", [0, 1, 2])
def test_tiles_in_bfloat16(execute, module, role, case):
    if not module.has_halves():
        pytest.skip("this processor multiplies no bfloat16, or matrices of it")
    first, second = (to_bf16(each)[1] for each in factors(role, case))
    expected = reference(role, case, first, second, out_lengths(*case[4:]))
    beside, bias = normal(*expected.shape), normal(expected.shape[-1])
    ending = {"bias": bias, "beside": beside, "limit": 6.0, "relu": True} if role == 0 else {}
    result = convolution(execute, role, case, first, second, bf16=True)
    error = np.linalg.norm(result - expected) / np.linalg.norm(expected)
    assert 1e-3 < error < (0.013 if case[5] == (3, 3) else 0.015)
    ended = convolution(execute, role, case, first, second, bf16=True, **ending)
    assert_array_equal(ended, np.clip((result + bias) + beside, 0, 6) if role == 0 else result)
    for threads in (2, 3, 16):
        assert_array_equal(convolution(execute, role, case, first, second, bf16=True, threads=threads), result)


@pytest.mark.parametrize("case", SINGLE + STRIDED + APART + SHORT + NARROW + SMALL_GROUPS, ids=str)
@pytest.mark.parametrize("role", [0, 1, 2])
@pytest.mark.parametrize("isa", ["sse42", "avx2", "avx512"])
def test_convolution_on_each_instruction_set(execute, limited, role, case, isa):
    """The numbers, and the same bits for one, two and three threads. The next lower set stands for one not there."""
    limited(isa)
    first, second = factors(role, case)
    result = convolution(execute, role, case, first, second)
    expected = reference(role, case, first, second, out_lengths(*case[4:]))
    terms = np.prod(case[5]) * max(case[2:4]) // case[1] if role < 2 else first.size // case[2]
    size = 1e-5 if case in SHORT else 5e-6 if case in APART else 2e-6  # tiles round by the size of a whole one
    assert_allclose(result, expected, rtol=1e-5, atol=size * np.sqrt(terms))
    for threads in (2, 3, 16):
        assert_array_equal(convolution(execute, role, case, first, second, threads=threads), result)


# Where the length of a vector once told how sums are made.
WIDTHS = [
    (2, 1, 8, 32, (12, 11), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    (2, 1, 12, 32, (14, 13), (3, 3), (2, 2), ((1, 1), (1, 1)), (1, 1)),
    (8, 4, 16, 32, (30, 30), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
]


@pytest.mark.parametrize(
    "case", WIDTHS + SINGLE + STRIDED + APART + SHORT[5:] + NARROW + SMALL_GROUPS + CONVOLUTIONS[-7:], ids=str
)
@pytest.mark.parametrize("role", [0, 1, 2])
def test_convolution_has_the_same_bits_by_avx2_and_avx512(execute, limited, role, case):
    first, second = factors(role, case)
    found = []
    for isa in ("avx2", "avx512"):
        limited(isa)
        found.append(convolution(execute, role, case, first, second))
    assert_array_equal(*found)


@pytest.mark.parametrize("case", STRIDED + NARROW + SMALL_GROUPS, ids=str)
@pytest.mark.parametrize("role", [0, 1, 2])
def test_convolution_keeps_nan_and_infinity(execute, role, case):
    """They reach what they are a factor of, no other channel, group or window."""
    first, second = factors(role, case)
    places = first.reshape(-1, first.shape[-1])
    places[::13, 0], places[3::17, -1] = np.nan, np.inf
    with np.errstate(invalid="ignore"):  # infinities of both signs may meet
        expected = reference(role, case, first, second, out_lengths(*case[4:]))
    result = convolution(execute, role, case, first, second)
    assert not np.isfinite(expected).all()
    assert_allclose(result, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("case", CONVOLUTIONS[-7:] + APART + SHORT, ids=str)
@pytest.mark.parametrize("role", [0, 1, 2])
def test_tiles_round_little(execute, role, case):
    """The error beside float64, by the size of the results: at most some eight times that of numbers of 24 bits."""
    first, second = factors(role, case)
    expected = reference(role, case, first, second, out_lengths(*case[4:]))
    error = convolution(execute, role, case, first, second) - expected
    assert np.sqrt(np.mean(error**2)) < (1e-6 if case in APART else 1.5e-6) * np.sqrt(np.mean(expected**2))


@pytest.mark.parametrize("case", APART, ids=str)
@pytest.mark.parametrize("role", [0, 1])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_tiles_keep_no_number_where_it_is_lost_and_spoil_no_other_image(execute, role, case, value):
    first, second = factors(role, case)
    first[1, 5, 6, 7] = value
    with np.errstate(invalid="ignore"):
        expected = reference(role, case, first, second, out_lengths(*case[4:]))
    found = convolution(execute, role, case, first, second)
    assert not np.isfinite(found[~np.isfinite(expected)]).any()
    assert_allclose(np.delete(found, 1, 0), np.delete(expected, 1, 0), rtol=1e-4, atol=3e-4)


@pytest.mark.parametrize("case", STRIDED, ids=str)
def test_an_infinite_kernel_gives_the_input_no_number_where_windows_were(execute, case):
    """An infinity, or NaN at the edges, where it also meets zeros around g."""
    g, kernel = factors(1, case)
    kernel[..., 0] = np.inf
    g[..., 0] = np.abs(g[..., 0]) + 1
    with np.errstate(invalid="ignore"):
        expected = reference(1, case, g, kernel, out_lengths(*case[4:]))
    found = convolution(execute, 1, case, g, kernel)
    assert not np.isfinite(found[np.isposinf(expected)]).any()


@pytest.mark.parametrize("case", SINGLE[:2] + [SMALL_GROUPS[i] for i in (0, 2, 8, 11, 12)], ids=str)
def test_single_places_and_small_groups_with_bias_and_relu(execute, case):
    (x, kernel), bias = factors(0, case), normal(case[3])
    expected = np.maximum(reference(0, case, x, kernel, out_lengths(*case[4:])) + bias, 0)
    assert_allclose(convolution(execute, 0, case, x, kernel, bias, True), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("case", [CONVOLUTIONS[i] for i in (3, 7, 8)], ids=str)
@pytest.mark.parametrize("role", [0, 1, 2])
def test_convolution_of_arrays_that_move_on_with_each_step(execute, role, case):
    first, second = (np.stack(each) for each in zip(*(factors(role, case) for _ in range(3)), strict=True))
    result = convolution(execute, role, case, first, second, steps=3)
    for i in range(3):
        expected = reference(role, case, first[i], second[i], out_lengths(*case[4:]))
        assert_allclose(result[i], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("case", [CONVOLUTIONS[i] for i in (0, 2, 4, 6, 8, 13, 21, 22, 26)], ids=str)
def test_convolution_with_bias_and_relu(execute, case):
    (x, kernel), bias = factors(0, case), normal(case[3])
    expected = reference(0, case, x, kernel, out_lengths(*case[4:])) + bias
    atol = 1e-5 * max(1, np.sqrt(np.mean(expected**2)))  # Winograd's transforms round by the size of a whole tile
    assert_allclose(convolution(execute, 0, case, x, kernel, bias), expected, rtol=1e-4, atol=atol)
    result = convolution(execute, 0, case, x, kernel, bias, True, threads=2)
    assert_allclose(result, np.maximum(expected, 0), rtol=1e-4, atol=atol)


@pytest.mark.parametrize(
    "case",
    [CONVOLUTIONS[i] for i in (0, 4, 12, 13, 22, 25)] + SINGLE[:2] + APART[1:3] + SHORT[-4:] + SMALL_GROUPS[:3],
    ids=str,
)
@pytest.mark.parametrize("isa", ["sse42", "avx2", "avx512"])
def test_convolution_that_adds_an_array_and_limits(execute, limited, case, isa):
    limited(isa)
    (x, kernel), bias = factors(0, case), normal(case[3])
    expected = reference(0, case, x, kernel, out_lengths(*case[4:]))
    beside = normal(*expected.shape)
    beside.flat[:: max(beside.size // 7, 1)] = np.nan
    size = max(1, np.sqrt(np.mean(expected**2)))
    for threads, given in ((1, bias), (2, None)):
        whole = expected + (given if given is not None else 0) + beside
        for relu, limit in ((True, 1.5), (False, 0.5), (True, 0), (False, 0)):
            found = convolution(execute, 0, case, x, kernel, given, relu, threads=threads, beside=beside, limit=limit)
            ended = np.where(whole <= 0, 0, whole) if relu else whole
            ended = np.where(ended >= limit, limit, ended) if limit else ended
            assert_allclose(found, ended, rtol=1e-4, atol=1e-5 * size)


# More numbers than a cache holds: results are written past it, but not where lines of it would be written in parts.
LARGE = [
    (1, 1, 5, 48, (300, 300), (1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1)),
    (1, 64, 64, 64, (260, 270), (3, 3), (2, 2), ((0, 1), (1, 1)), (1, 1)),
    (1, 72, 72, 72, (250, 240), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
]


@pytest.mark.slow
@pytest.mark.parametrize("case", LARGE, ids=str)
@pytest.mark.parametrize("role", [0, 1])
def test_convolution_with_results_larger_than_the_caches(execute, role, case):
    first, second = factors(role, case)
    expected = reference(role, case, first, second, out_lengths(*case[4:]))
    for threads in (1, 2):
        assert_allclose(
            convolution(execute, role, case, first, second, threads=threads), expected, rtol=1e-4, atol=1e-4
        )


@pytest.mark.parametrize("case", CONVOLUTIONS, ids=str)
@pytest.mark.parametrize("role", [0, 1, 2])
def test_convolution_gives_the_same_bits_for_any_number_of_threads(execute, role, case):
    first, second = factors(role, case)
    one = convolution(execute, role, case, first, second)
    for threads in (2, 5):
        assert_array_equal(convolution(execute, role, case, first, second, threads=threads), one)


@pytest.mark.parametrize(
    ("kind", "words", "text"),
    [
        ("matmul", [1, -1, 2, 2, 0, *[0] * 8, 0, 0, 0, -1, 0, 0], "negative"),
        ("matmul", [1, 2, 2, 2, 1, *[0] * 8, 0, 0, 0, -1, 0, 0], "f32 or bf16"),
        ("matmul", [1, 2], "too few"),
        ("convolution", [0, 4, 1, 1, 1, 1], "one to three"),
        ("convolution", [0, 1, 1, 2, 3, 4, 5, 5, 1, 1, 0, 1, 0, 0, 0, 0, -1, 0, -1, 0], "multiple of the groups"),
        ("convolution", [0, 1, 1, 1, 3, 4, 5, 5, 0, 1, 0, 1, 0, 0, 0, 0, -1, 0, -1, 0], "at least 1"),
    ],
)
def test_absurd_words_are_refused(module, kind, words, text):
    with pytest.raises(ValueError, match=text):
        module.Plan(64, 1, 1).add(kind, words)
