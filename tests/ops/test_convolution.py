"""Convolution, its adjoints and its transpose, beside PyTorch and jax."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import preceptor as pr
from preceptor.engines.xla import SLOW_IN_LOOP_ON_CPU
from preceptor.errors import DtypeError, ShapeError
from preceptor.graph import at_precision
from preceptor.ops.convolving import PATCH_BYTES
from preceptor.ops.linear import _round_to_bfloat16

RNG = np.random.default_rng(0)


def torch_padding(x, padding):
    """Zeros around the axes of space, which come last."""
    import torch

    return torch.nn.functional.pad(x, [n for pair in reversed(padding) for n in pair])


def torch_convolution(x, kernel, stride, padding, dilation, groups):
    """PyTorch's convolution in our layout, with a (before, after) pair for each axis."""
    import torch

    axes = x.ndim - 2
    function = getattr(torch.nn.functional, f"conv{axes}d")
    x, kernel = x.movedim(-1, 1), kernel.permute(axes + 1, axes, *range(axes))
    out = function(torch_padding(x, padding).contiguous(), kernel.contiguous(), None, stride, 0, dilation, groups)
    return out.movedim(1, -1)


def same(lengths, size, stride, dilation):
    """The documented rule."""
    pairs = []
    for n, k, s, d in zip(lengths, size, stride, dilation, strict=True):
        total = max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0)
        pairs.append((total // 2, total - total // 2))
    return tuple(pairs)


def close(ours, theirs, tolerance):
    theirs = theirs.detach().numpy()
    assert ours.shape == theirs.shape
    assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance * max(np.max(np.abs(theirs), initial=0), 1))


@st.composite
def convolutions(draw):
    """(shape of x, shape of the kernel, static parameters): empty batches and axes of length 1 among them."""
    axes = draw(st.integers(1, 3))
    each = lambda low, high: tuple(draw(st.lists(st.integers(low, high), min_size=axes, max_size=axes)))
    size, stride, dilation, groups = each(1, 3), each(1, 3), each(1, 2), draw(st.integers(1, 3))
    span = [(k - 1) * d + 1 for k, d in zip(size, dilation, strict=True)]
    lengths, padding = each(1, 6), draw(st.sampled_from(("same", "valid", 1, "pairs")))
    if padding == "pairs":
        padding = tuple(zip(each(0, 2), each(0, 2), strict=True))
    around = [(0, 0)] * axes if isinstance(padding, str) else [(1, 1)] * axes if padding == 1 else padding
    if padding != "same":
        lengths = tuple(max(n, reach - sum(pair)) for n, reach, pair in zip(lengths, span, around, strict=True))
    inward, outward = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    x = (draw(st.sampled_from((1, 2, 3, 0))), *lengths, inward * groups)
    return x, (*size, inward, outward * groups), (stride, padding, dilation, groups)


def compare_with_torch(shape, kernel_shape, static, engine, dtype, tolerance):
    import torch

    stride, padding, dilation, groups = static
    pairs = padding
    if not isinstance(padding, tuple):
        pairs = (((padding,) * 2 if padding == 1 else (0, 0)),) * len(stride)
    if padding == "same":
        pairs = same(shape[1:-1], kernel_shape[:-2], stride, dilation)
    x, kernel = RNG.normal(size=shape).astype(dtype), RNG.normal(size=kernel_shape).astype(dtype)
    their_x, their_kernel = (torch.tensor(each, requires_grad=True) for each in (x, kernel))
    theirs = torch_convolution(their_x, their_kernel, stride, pairs, dilation, groups)
    g = RNG.normal(size=tuple(theirs.shape)).astype(dtype)
    (theirs * torch.tensor(g)).sum().backward()

    def weighted(x, kernel):
        out = pr.convolution(x, kernel, stride, padding, dilation, groups)
        return pr.sum(out * g), out

    (_, out), grads = pr.jit(pr.value_and_grad(weighted, (0, 1), has_aux=True), engine=engine)(x, kernel)
    assert out.dtype == dtype
    close(out, theirs, tolerance)
    close(grads[0], their_x.grad, tolerance)
    close(grads[1], their_kernel.grad, tolerance)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(convolutions())
def test_value_and_gradients_are_those_of_pytorch(case):
    pytest.importorskip("torch")
    compare_with_torch(*case, "reference", np.float64, 1e-10)


@pytest.mark.parametrize(
    "shape, kernel, static",
    [
        ((3, 7, 4), (3, 4, 2), ((2,), "same", (1,), 1)),
        ((2, 6, 5, 4), (3, 2, 4, 3), ((1, 2), "valid", (2, 1), 1)),
        ((2, 5, 6, 6), (3, 3, 2, 9), ((2, 1), ((1, 0), (0, 2)), (1, 2), 3)),
        ((2, 5, 5, 4), (3, 3, 1, 8), ((1, 1), "same", (1, 1), 4)),
        ((2, 7, 8, 3), (2, 3, 1, 3), ((3, 2), 1, (2, 1), 3)),
        ((1, 3, 4, 5, 2), (2, 1, 3, 1, 4), ((1, 2, 1), 1, (1, 1, 2), 2)),
        ((4, 5, 6, 9), (3, 2, 1, 18), ((1, 2), "same", (2, 1), 9)),
        ((6, 5, 18), (3, 2, 27), ((2,), 1, (1,), 9)),
        ((0, 5, 5, 2), (3, 3, 2, 3), ((1, 1), "same", (1, 1), 1)),
        ((1, 1, 1, 1), (3, 3, 1, 1), ((1, 1), "same", (1, 1), 1)),
    ],
)
@pytest.mark.parametrize("engine", ["native", "xla"])
def test_in_float32_gives_what_pytorch_gives(shape, kernel, static, engine):
    pytest.importorskip("torch")
    compare_with_torch(shape, kernel, static, engine, np.float32, 1e-5)


@pytest.mark.parametrize("groups, stride", [(1, (1, 2)), (2, (2, 1))])
def test_second_derivatives_are_those_of_pytorch(groups, stride):
    torch = pytest.importorskip("torch")
    x, kernel = RNG.normal(size=(2, 4, 5, 4)), RNG.normal(size=(3, 2, 4 // groups, 2))
    their_x, their_kernel = (torch.tensor(each, requires_grad=True) for each in (x, kernel))
    pairs = ((1, 1), (0, 1))
    loss = torch_convolution(their_x, their_kernel, stride, pairs, (1, 1), groups).sin().sum()
    first = torch.autograd.grad(loss, (their_x, their_kernel), create_graph=True)
    second = torch.autograd.grad(sum((each**3).sum() for each in first), (their_x, their_kernel))

    def penalty(x, kernel):
        loss = lambda x, kernel: pr.sum(pr.sin(pr.convolution(x, kernel, stride, pairs, 1, groups)))
        return sum(pr.sum(each**3) for each in pr.grad(loss, (0, 1))(x, kernel))

    for engine in ("reference", "native", "xla"):
        for ours, theirs in zip(pr.jit(pr.grad(penalty, (0, 1)), engine=engine)(x, kernel), second, strict=True):
            close(ours, theirs, 1e-10)


@pytest.mark.parametrize("length", [1, 2, 5, 8])
@pytest.mark.parametrize("size, stride, dilation", [(1, 3, 1), (2, 1, 1), (3, 2, 1), (4, 3, 2), (5, 1, 3)])
def test_padding_same_is_that_of_tensorflow(length, size, stride, dilation):
    jax = pytest.importorskip("jax")
    x, kernel = RNG.normal(size=(1, length, 1)), RNG.normal(size=(size, 1, 1))
    with jax.enable_x64(True):
        theirs = jax.lax.conv_general_dilated(
            x, kernel, (stride,), "SAME", rhs_dilation=(dilation,), dimension_numbers=("NWC", "WIO", "NWC")
        )
    assert_allclose(pr.convolution(x, kernel, stride, "same", dilation), theirs, rtol=1e-12, atol=1e-14)


def test_it_is_cross_correlation():
    x, kernel = RNG.normal(size=20), RNG.normal(size=3)
    assert_allclose(
        pr.convolution(x.reshape(1, 20, 1), kernel.reshape(3, 1, 1), padding="valid").ravel(),
        np.correlate(x, kernel, "valid"),
    )


def test_derivatives_are_those_of_central_differences():
    x, kernel = RNG.normal(size=(2, 4, 3, 4)), RNG.normal(size=(2, 3, 2, 2))
    for function in (pr.convolution, lambda x, k: pr.transposed_convolution(x[..., :2], k, 2, 1, groups=2)):
        groups = {"groups": 2} if function is pr.convolution else {}
        check = pr.check_gradients(lambda x, k, f=function, groups=groups: f(x, k, **groups), x, kernel)
        assert check.worst_error <= 1e-7, str(check)


@pytest.mark.parametrize("padding", ["valid", 1, ((1, 1), (1, 1))])
@pytest.mark.parametrize("groups, stride, dilation", [(1, 1, 1), (1, 2, 1), (2, 3, 2)])
def test_transposed_convolution_is_that_of_pytorch(groups, stride, dilation, padding):
    torch = pytest.importorskip("torch")
    x, kernel = RNG.normal(size=(2, 3, 4, 4)), RNG.normal(size=(3, 2, 2, 4))
    theirs = torch.nn.functional.conv_transpose2d(
        torch.tensor(x).movedim(-1, 1).contiguous(),
        torch.tensor(kernel).permute(3, 2, 0, 1).contiguous(),
        None, stride, 0 if padding == "valid" else 1, 0, groups, dilation,
    )  # fmt: skip
    for engine in ("reference", "native", "xla"):
        ours = pr.jit(lambda x, k: pr.transposed_convolution(x, k, stride, padding, dilation, groups), engine=engine)(
            x, kernel
        )
        close(ours, theirs.movedim(1, -1), 1e-10)


def test_transposed_convolution_with_padding_same_is_that_of_jax():
    jax = pytest.importorskip("jax")
    x, kernel = RNG.normal(size=(2, 3, 4, 2)), RNG.normal(size=(3, 4, 5, 2))
    ours = pr.transposed_convolution(x, kernel, (2, 3))
    with jax.enable_x64(True):
        theirs = jax.lax.conv_transpose(
            x, kernel, (2, 3), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"), transpose_kernel=True
        )
    assert ours.shape == (2, 6, 12, 5)
    assert_allclose(ours, theirs, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("engine", ["reference", "native", "xla"])
def test_empty_axes(engine):
    run = lambda x, k, **static: pr.jit(
        pr.value_and_grad(
            lambda x, k: (lambda y: (pr.sum(y), y))(pr.convolution(x, k, **static)), (0, 1), has_aux=True
        ),
        engine=engine,
    )(np.ones(x), np.ones(k))
    for x, kernel, shape in (
        ((2, 0, 3, 1), (3, 3, 1, 2), (2, 0, 3, 2)),
        ((0, 4, 3, 1), (3, 3, 1, 2), (0, 4, 3, 2)),
        ((2, 4, 3, 0), (3, 3, 0, 2), (2, 4, 3, 2)),
        ((2, 4, 3, 1), (3, 3, 1, 0), (2, 4, 3, 0)),
    ):
        (_, out), grads = run(x, kernel)
        assert_array_equal(out, np.zeros(shape))
        for gradient, given_shape in zip(grads, (x, kernel), strict=True):
            assert_array_equal(gradient, np.zeros(given_shape))
    assert run((1, 0, 1), (1, 1, 1), padding="valid")[0][1].shape == (1, 0, 1)


def test_per_example_gradients_and_jacobians():
    x, kernel = RNG.normal(size=(3, 4, 4, 2)), RNG.normal(size=(2, 2, 1, 2))
    loss = lambda kernel, x: pr.sum(pr.sin(pr.convolution(pr.reshape(x, (1, *x.shape)), kernel, groups=2)))
    singly = np.stack([pr.grad(loss)(kernel, each) for each in x])
    outs = lambda kernel: pr.convolution(x[:1], kernel, 2, groups=2)
    basis = np.eye(kernel.size).reshape(-1, *kernel.shape)
    columns = np.stack([outs(each) for each in basis], -1).reshape(*outs(kernel).shape, *kernel.shape)
    for engine in ("reference", "native", "xla"):
        rows = pr.jit(lambda k, x: pr.per_example_grad(loss)(k, x), engine=engine)(kernel, x)
        assert_allclose(rows, singly, rtol=1e-10, atol=1e-12)
        assert_allclose(pr.jit(pr.jacobian(outs), engine=engine)(kernel), columns, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("engine", ["native", "xla"])
@pytest.mark.parametrize("groups", [1, 2, 16])
def test_bfloat16_rounds_the_factors_of_all_three(groups, engine):
    x, kernel = RNG.normal(size=(4, 6, 6, 16)), RNG.normal(size=(3, 3, 16 // groups, 16))
    x, kernel, g = (each.astype(np.float32) for each in (x, kernel, RNG.normal(size=(4, 3, 3, 16))))

    def function(x, kernel):
        out = pr.convolution(x, kernel, 2, groups=groups)
        return pr.sum(out * g), out

    function = pr.value_and_grad(function, (0, 1), has_aux=True)
    graph = at_precision(pr.trace(function)(x, kernel).graph, "bf16")
    marked = {node.primitive.name: node.params["precision"] for node in graph.nodes if "precision" in node.params}
    assert marked == dict.fromkeys(("convolution", "convolution_input", "convolution_kernel"), "bf16")

    once = lambda name, a, b: pr.jit(function, engine=name, precision="bf16")(a, b)
    exact = pr.jit(function, engine="reference")(x, kernel)
    one, other = once("reference", x, kernel), once(engine, x, kernel)
    rounded = [_round_to_bfloat16(each) for each in (x, kernel)]
    by_hand = pr.jit(function, engine="reference")(*rounded)[0][1]
    assert_allclose(one[0][1], by_hand, rtol=1e-6, atol=1e-5)
    for a, b, c in zip((one[0][1], *one[1]), (other[0][1], *other[1]), (exact[0][1], *exact[1]), strict=True):
        assert a.dtype == b.dtype == np.float32
        assert_allclose(a, b, rtol=1e-4, atol=1e-4 * np.abs(a).max())
        assert 1e-5 < np.abs(a - c).max() / np.abs(c).max() < 2**-7


def test_memory_is_bounded():
    x, kernel = np.ones((64, 32, 32, 32), np.float32), np.ones((3, 3, 32, 32), np.float32)
    tracemalloc.start()
    out = pr.jit(pr.value_and_grad(lambda x, k: pr.sum(pr.convolution(x, k)), (0, 1)), engine="reference")(x, kernel)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert out[1][0].shape == x.shape
    assert peak < 6 * x.nbytes + 3 * PATCH_BYTES  # all windows of the batch at once would take 9 * x.nbytes more


def test_the_engine_knows_their_names():
    program = pr.trace(pr.grad(lambda x, k: pr.sum(pr.convolution(x, k) ** 2), (0, 1)))(
        np.ones((1, 3, 1)), np.ones((2, 1, 1))
    )
    assert {node.primitive.name for node in program.graph.nodes} >= SLOW_IN_LOOP_ON_CPU


ONES, KERNEL = np.ones((2, 5, 4, 6)), np.ones((3, 3, 6, 8))


@pytest.mark.parametrize(
    "arguments, static, message",
    [
        ((ONES, np.ones((3, 3, 6))), {}, r"input has shape (2, 5, 4, 6) and kernel (3, 3, 6); (batch,"),
        ((np.ones((2, 3)), np.ones((3, 3))), {}, "with the same one to three axes of space"),
        ((ONES, np.ones((3, 3, 4, 8))), {}, "input has 6 channels; the kernel of shape (3, 3, 4, 8) in 1 groups"),
        ((ONES, np.ones((3, 3, 3, 7))), {"groups": 2}, "groups is 2; a whole number that divides the kernel's last"),
        ((ONES, KERNEL), {"groups": 0}, "groups is 0; a whole number"),
        ((ONES, KERNEL), {"stride": 0}, "stride is 0; a whole number from 1 on is required"),
        ((ONES, KERNEL), {"stride": (1, 2, 3)}, "stride is (1, 2, 3); a whole number from 1 on is required"),
        ((ONES, KERNEL), {"dilation": 1.5}, "dilation is 1.5; a whole number"),
        ((ONES, np.ones((0, 3, 6, 8))), {}, "window is (0, 3); a whole number from 1 on is required"),
        ((ONES, KERNEL), {"padding": "full"}, "padding is 'full'; 'same', 'valid', a whole number from 0"),
        ((ONES, KERNEL), {"padding": (1, 1)}, "padding is (1, 1); 'same', 'valid', a whole number from 0"),
        ((ONES, KERNEL), {"padding": -1}, "padding is -1; 'same', 'valid', a whole number from 0"),
        (
            (ONES, np.ones((3, 5, 6, 8))),
            {"padding": "valid"},
            "input has lengths (5, 4), padding ((0, 0), (0, 0)); the windows reach over (3, 5) entries and must fit. "
            "Take smaller windows, or padding='same'.",
        ),
        ((ONES, KERNEL), {"padding": "valid", "dilation": 2}, "the windows reach over (5, 5) entries"),
    ],
)  # fmt: skip
def test_mistakes_are_named(arguments, static, message):
    with pytest.raises(ShapeError) as caught:
        pr.convolution(*arguments, **static)
    assert str(caught.value).startswith("convolution at test_convolution.py:")
    assert message in str(caught.value)


def test_mistakes_in_transposed_convolution_are_named():
    with pytest.raises(ShapeError, match=r"input has 6 channels; the kernel of shape \(3, 3, 6, 8\) needs 8"):
        pr.transposed_convolution(ONES, KERNEL)
    with pytest.raises(ShapeError, match=r"groups is 4; a whole number that divides the kernel's last axis \(6\)"):
        pr.transposed_convolution(ONES, np.ones((3, 3, 2, 6)), groups=4)
    with pytest.raises(ShapeError, match=r"cuts off all of the result"):
        pr.transposed_convolution(np.ones((1, 1, 1)), np.ones((2, 1, 1)), padding=2)


def test_types():
    kernel = np.ones((1, 2, 1), np.float32)
    assert pr.convolution(np.ones((1, 3, 2), np.uint8), kernel).dtype == np.float32
    assert pr.convolution(np.ones((1, 3, 2)), kernel).dtype == np.float64
    with pytest.raises(DtypeError, match="received int64 and int64; floats are required"):
        pr.convolution(np.ones((1, 3, 2), np.int64), np.ones((1, 2, 1), np.int64))
