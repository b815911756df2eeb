"""Pooling and sums over windows, beside PyTorch, and what happens at ties and at the edge."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import preceptor as pr
from preceptor.errors import DtypeError, ShapeError

RNG = np.random.default_rng(0)
POOLS = {"max": pr.max_pool, "sum": pr.sum_pool, "mean": pr.mean_pool}


def untied(shape, dtype=np.float64):
    return RNG.permutation(int(np.prod(shape))).reshape(shape).astype(dtype) - 7.5


def torch_pool(kind, x, window, stride, padding):
    """PyTorch's pooling in our layout, with as many entries of padding on both sides of an axis."""
    import torch

    axes, x = x.ndim - 2, x.movedim(-1, 1).contiguous()
    if kind == "max":
        out = getattr(torch.nn.functional, f"max_pool{axes}d")(x, window, stride, padding)
    elif kind == "mean":
        out = getattr(torch.nn.functional, f"avg_pool{axes}d")(x, window, stride, padding, count_include_pad=False)
    else:
        out = getattr(torch.nn.functional, f"avg_pool{axes}d")(x, window, stride, padding) * float(np.prod(window))
    return out.movedim(1, -1)


@st.composite
def windows(draw):
    axes = draw(st.integers(1, 3))
    each = lambda low, high: tuple(draw(st.lists(st.integers(low, high), min_size=axes, max_size=axes)))
    window, stride = each(1, 3), each(1, 4)
    padding = tuple(draw(st.integers(0, k // 2)) for k in window)  # PyTorch takes no more
    lengths = tuple(max(n, k) for n, k in zip(each(1, 6), window, strict=True))
    return (draw(st.integers(1, 3)), *lengths, draw(st.integers(1, 2))), window, stride, padding


def compare_with_torch(kind, case, engine, dtype, tolerance):
    import torch

    shape, window, stride, padding = case
    x = untied(shape, dtype)
    their_x = torch.tensor(x, requires_grad=True)
    theirs = torch_pool(kind, their_x, window, stride, padding)
    g = RNG.normal(size=tuple(theirs.shape)).astype(dtype)
    (theirs * torch.tensor(g)).sum().backward()

    def weighted(x):
        out = POOLS[kind](x, window, stride, [(each, each) for each in padding])
        return pr.sum(out * g), out

    (_, out), gradient = pr.jit(pr.value_and_grad(weighted, has_aux=True), engine=engine)(x)
    assert out.dtype == dtype
    for ours, expected in ((out, theirs.detach()), (gradient, their_x.grad)):
        assert_allclose(ours, expected.numpy(), rtol=tolerance, atol=tolerance * max(np.abs(ours).max(), 1))


@pytest.mark.parametrize("kind", POOLS)
@settings(max_examples=40, deadline=None, derandomize=True)
@given(windows())
def test_value_and_gradient_are_those_of_pytorch(kind, case):
    pytest.importorskip("torch")
    compare_with_torch(kind, case, "reference", np.float64, 1e-10)


@pytest.mark.parametrize("kind", POOLS)
@pytest.mark.parametrize(
    "case",
    [
        ((2, 7, 3), (3,), (2,), (1,)),
        ((2, 6, 7, 3), (2, 3), (2, 1), (1, 0)),
        ((2, 7, 6, 1), (2, 1), (3, 4), (0, 0)),
        ((1, 4, 3, 5, 2), (2, 3, 1), (1, 2, 2), (1, 1, 0)),
    ],
)
@pytest.mark.parametrize("engine", ["native", "xla"])
def test_in_float32_gives_what_pytorch_gives(kind, case, engine):
    pytest.importorskip("torch")
    compare_with_torch(kind, case, engine, np.float32, 1e-5)


@pytest.mark.parametrize("kind", POOLS)
def test_second_derivatives_are_those_of_pytorch(kind):
    torch = pytest.importorskip("torch")
    x = untied((2, 5, 4, 2)) / 10
    their_x = torch.tensor(x, requires_grad=True)
    loss = torch_pool(kind, their_x, (3, 2), (1, 2), (1, 0)).sin().sum()
    (first,) = torch.autograd.grad(loss, their_x, create_graph=True)
    (second,) = torch.autograd.grad((first**3).sum(), their_x)
    pool = lambda x: pr.sum(pr.sin(POOLS[kind](x, (3, 2), (1, 2), ((1, 1), (0, 0)))))
    for engine in ("reference", "native", "xla"):
        ours = pr.jit(pr.grad(lambda x: pr.sum(pr.grad(pool)(x) ** 3)), engine=engine)(x)
        assert_allclose(ours, second.numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", POOLS)
def test_derivatives_are_those_of_central_differences(kind):
    check = pr.check_gradients(lambda x: POOLS[kind](x, (3, 2), (2, 1), "same"), untied((1, 4, 5, 2)) / 10)
    assert check.worst_error <= 1e-7, str(check)


@pytest.mark.parametrize("engine", ["reference", "native", "xla"])
def test_ties_share_the_derivative_in_equal_parts(engine):
    gradient = pr.jit(pr.grad(lambda x, w: pr.sum(pr.max_pool(x, 2, 1) * w)), engine=engine)
    x = np.array([[3.0, 3.0, 1.0], [3.0, 0.0, 1.0]])[None, :, :, None]
    assert_allclose(
        gradient(x, np.array([6.0, 8.0]).reshape(1, 1, 2, 1)).reshape(2, 3), [[2.0, 2.0 + 8.0, 0.0], [2.0, 0.0, 0.0]]
    )
    flat = gradient(np.zeros((1, 3, 3, 1)), np.ones((1, 2, 2, 1)))
    assert_allclose(flat.reshape(3, 3), [[0.25, 0.5, 0.25], [0.5, 1.0, 0.5], [0.25, 0.5, 0.25]])
    whole = pr.jit(pr.grad(lambda x: pr.sum(pr.max_pool(x, (2, 3)))), engine=engine)(x)
    assert_allclose(whole, pr.grad(pr.max)(x))  # the same rule as that of the largest over axes


@pytest.mark.parametrize("engine", ["reference", "native", "xla"])
def test_padding_is_never_the_largest_and_takes_no_derivative(engine):
    pool = lambda x: pr.max_pool(x, 3, 2, 1)
    run = pr.jit(pr.value_and_grad(lambda x: (lambda y: (pr.sum(y), y))(pool(x)), has_aux=True), engine=engine)
    (_, out), gradient = run(np.full((1, 3, 1), -np.inf))
    assert_array_equal(out.ravel(), [-np.inf, -np.inf])
    assert_array_equal(gradient.ravel(), [0.5, 1.0, 0.5])
    (_, out), gradient = run(-np.array([5.0, 4.0, 3.0]).reshape(1, 3, 1))
    assert_array_equal(out.ravel(), [-4.0, -3.0])
    assert_array_equal(gradient.ravel(), [0.0, 1.0, 1.0])
    assert_array_equal(pr.jit(pool, engine=engine)(np.array([-5, -4, -3], np.int32).reshape(1, 3, 1)).ravel(), [-4, -3])


def test_nan_goes_through():
    x = np.array([1.0, np.nan, 3.0, 4.0]).reshape(1, 4, 1)
    for engine in ("reference", "native", "xla"):
        assert_array_equal(pr.jit(lambda x: pr.max_pool(x, 2), engine=engine)(x).ravel(), [np.nan, 4.0])


def test_the_mean_counts_real_entries_only():
    x = np.array([2.0, 4.0, 9.0]).reshape(1, 3, 1)
    assert_allclose(pr.mean_pool(x, 2, padding="same").ravel(), [3.0, 9.0])
    assert_allclose(pr.mean_pool(x, 3, 1, 1).ravel(), [3.0, 5.0, 6.5])
    assert_allclose(pr.sum_pool(x, 3, 1, 1).ravel() / 3, [2.0, 5.0, 13 / 3])  # PyTorch's default
    assert_allclose(pr.mean_pool(np.array([200, 100], np.uint8).reshape(1, 2, 1), 2), [[[150.0]]])


def test_windows_lie_side_by_side_unless_told_otherwise():
    x = untied((1, 5, 7, 1))
    assert pr.max_pool(x, (2, 3)).shape == (1, 2, 2, 1)
    assert pr.max_pool(x, (2, 3), padding="same").shape == (1, 3, 3, 1)
    assert pr.max_pool(x, 2, 4).shape == (1, 1, 2, 1)
    assert_array_equal(pr.max_pool(x, 1), x)


@pytest.mark.parametrize("engine", ["reference", "native", "xla"])
def test_window_sum_reaches_over_any_axes(engine):
    x = RNG.normal(size=(2, 3, 7))
    padded = np.pad(x, ((0, 0), (0, 0), (2, 2)))
    expected = sum(padded[..., i : i + 7] for i in range(5))
    for padding in ("same", ((0, 0), (0, 0), (2, 2))):
        ours = pr.jit(lambda x, padding=padding: pr.window_sum(x, (1, 1, 5), padding=padding), engine=engine)(x)
        assert_allclose(ours, expected, rtol=1e-13, atol=1e-14)
    assert_allclose(pr.window_sum(x, 2, 1), pr.window_sum(pr.window_sum(x, (2, 1, 1)), (1, 2, 2)), atol=1e-14)
    assert_array_equal(pr.window_sum(np.arange(5), 2, 2), [1, 5])
    gradient = pr.jit(pr.grad(lambda x: pr.sum(pr.window_sum(x, (1, 1, 3), (1, 1, 2)))), engine=engine)(x)
    assert_array_equal(gradient[0, 0], [1, 1, 2, 1, 2, 1, 1])


@pytest.mark.parametrize("engine", ["reference", "native", "xla"])
@pytest.mark.parametrize("kind", POOLS)
def test_empty_axes(kind, engine):
    run = lambda shape, **static: pr.jit(
        pr.value_and_grad(lambda x: (lambda y: (pr.sum(y), y))(POOLS[kind](x, 2, **static)), has_aux=True),
        engine=engine,
    )(np.ones(shape))
    for shape, expected in (((0, 4, 3, 2), (0, 2, 2, 2)), ((2, 0, 3, 2), (2, 0, 2, 2)), ((2, 4, 3, 0), (2, 2, 2, 0))):
        (_, out), gradient = run(shape, padding="same")
        assert out.shape == expected
        assert gradient.shape == shape


def test_per_example_gradients():
    x = RNG.normal(size=(3, 4, 4, 2))
    for pool in POOLS.values():
        loss = lambda x, pool=pool: pr.sum(pr.sin(pool(pr.reshape(x, (1, *x.shape)), 2, 1)))
        singly = np.stack([pr.grad(loss)(each) for each in x])
        for engine in ("reference", "native", "xla"):
            rows = pr.jit(pr.per_example_grad(lambda scale, x, loss=loss: loss(x * scale)), engine=engine)
            scales = np.array([np.sum(each * g) for each, g in zip(x, singly, strict=True)])
            assert_allclose(rows(np.float64(1.0), x), scales, rtol=1e-10)


X = np.ones((2, 4, 3, 1))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((np.ones((2, 3)), 2), "input has shape (2, 3); (batch, *space, channel) is required. Reshape it."),
        ((X, 5), "the windows reach over (5, 5) entries and must fit. Take smaller windows, or padding='same'."),
        ((X, (2, 2, 1)), "window is (2, 2, 1); a whole number from 1 on is required, or one for each of the 2 axes."),
        ((X, 0), "window is 0; a whole number from 1 on is required"),
        ((X, 2, 0), "stride is 0; a whole number from 1 on is required"),
        ((X, 2, 1, 2), "a window of (2, 2) could hold padding only, and each needs an entry. Take less padding."),
        ((X, 2, 1, ((0, 1), (0, 2))), "a window of (2, 2) could hold padding only"),
        ((np.ones((2, 0, 1)), 3, 1, 2), "a window of (3,) could hold padding only"),
        ((X, 2, 1, "reflect"), "padding is 'reflect'; 'same', 'valid', a whole number from 0 on, or one"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", POOLS)
def test_mistakes_are_named(kind, arguments, message):
    with pytest.raises(ShapeError) as caught:
        POOLS[kind](*arguments)
    assert str(caught.value).startswith(f"{kind}_pool at test_pooling.py:")
    assert message in str(caught.value)


def test_booleans_are_refused():
    for function in (*POOLS.values(), pr.window_sum):
        with pytest.raises(DtypeError, match="received booleans; numbers are required"):
            function(X > 0, 1)
