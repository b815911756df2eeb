"""Depthwise and 1 x 1 convolutions, batch norm and ReLU6: values and gradients beside PyTorch in float64, in training
and in prediction, where norms become part of convolutions."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import preceptor as pr
from preceptor import nn
from preceptor.engines.native import engine as native_engine
from preceptor.engines.native import unavailable

pytestmark = pytest.mark.skipif(bool(unavailable()), reason=f"the native engine: {unavailable()}")
RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


# Channels, lengths, window, stride, padding (before, after) of both axes.
DEPTHWISE = [
    (1, (5, 6), 3, 1, ((1, 1), (1, 1))),
    (7, (9, 8), 3, 2, ((0, 1), (0, 1))),
    (16, (12, 12), 5, 2, ((1, 2), (2, 1))),
    (19, (11, 7), 5, 1, ((2, 2), (2, 2))),
    (33, (14, 15), 3, 2, ((1, 0), (3, 2))),
    (40, (6, 6), 5, 2, ((4, 4), (0, 0))),
    (96, (13, 10), 3, 1, ((0, 0), (2, 0))),
    (24, (10, 9), 2, 3, ((0, 0), (1, 1))),
    (17, (8, 31), 3, 4, ((1, 1), (1, 1))),
]


def torch_convolution(x, weight, stride, padding, groups, torch):
    (top, bottom), (left, right) = padding
    x = torch.nn.functional.pad(x.permute(0, 3, 1, 2), (left, right, top, bottom))
    return torch.nn.functional.conv2d(x, weight.permute(3, 2, 0, 1), stride=stride, groups=groups).permute(0, 2, 3, 1)


def beside_pytorch(ours, theirs, *arrays, rtol=1e-4, atol=1e-4):
    """The value of a function and the gradient of its sum, weighed at random, on the native engine and in PyTorch."""
    torch = pytest.importorskip("torch", reason="the values to compare with come from PyTorch")
    value = pr.jit(ours, engine="native")(*arrays)
    weights = normal(*value.shape)
    wrt = tuple(range(len(arrays)))
    slopes = pr.jit(pr.grad(lambda *each: pr.sum(ours(*each) * weights), wrt=wrt), engine="native")(*arrays)
    given = [torch.tensor(each, dtype=torch.float64, requires_grad=True) for each in arrays]
    expected = theirs(*given)
    assert_allclose(value, expected.detach().numpy(), rtol=rtol, atol=atol)
    (expected * torch.tensor(weights)).sum().backward()
    for one, other in zip(slopes, given, strict=True):
        size = max(float(other.grad.abs().max()), 1.0)
        assert_allclose(one, other.grad.numpy(), rtol=rtol, atol=atol * size)


@pytest.mark.parametrize("case", DEPTHWISE, ids=str)
def test_depthwise_convolutions(case):
    torch = pytest.importorskip("torch")
    channels, lengths, window, stride, padding = case
    beside_pytorch(
        lambda x, w: pr.convolution(x, w, stride, padding, 1, channels),
        lambda x, w: torch_convolution(x, w, stride, padding, channels, torch),
        normal(2, *lengths, channels),
        normal(window, window, 1, channels),
    )


@pytest.mark.parametrize("channels", [(3, 5), (16, 96), (50, 7), (64, 130)])
@pytest.mark.parametrize("stride", [1, 2])
def test_convolutions_of_single_places(channels, stride):
    torch = pytest.importorskip("torch")
    beside_pytorch(
        lambda x, w: pr.convolution(x, w, stride, "valid"),
        lambda x, w: torch_convolution(x, w, stride, ((0, 0), (0, 0)), 1, torch),
        normal(3, 11, 10, channels[0]),
        normal(1, 1, *channels),
    )


def block(x, wide, deep, narrow, *norms, train=True, stats=()):
    """An inverted residual block: widened, looked at channel by channel, narrowed, and added to what came in."""
    channels, y = deep.shape[-1], x
    for number, weight in enumerate((wide, deep, narrow)):
        groups = channels if number == 1 else 1
        y = pr.convolution(y, weight, 1, "same", 1, groups)
        mean, variance = (pr.mean(y, (0, 1, 2)), pr.variance(y, (0, 1, 2))) if train else stats[number]
        y = (y - mean) * (norms[2 * number] / pr.sqrt(variance + 1e-3)) + norms[2 * number + 1]
        y = nn.Relu6()(y) if number < 2 else y
    return y + x


def torch_block(torch, train=True, stats=()):
    def run(x, wide, deep, narrow, *norms):
        y, channels, pad = x, deep.shape[-1], deep.shape[0] // 2
        for number, weight in enumerate((wide, deep, narrow)):
            around = ((pad, pad),) * 2 if number == 1 else ((0, 0),) * 2
            y = torch_convolution(y, weight, 1, around, channels if number == 1 else 1, torch).permute(0, 3, 1, 2)
            mean, variance = (
                (None, None) if train else (torch.tensor(each, dtype=torch.float64) for each in stats[number])
            )
            scale, shift = norms[2 * number : 2 * number + 2]
            y = torch.nn.functional.batch_norm(y, mean, variance, scale, shift, training=train, eps=1e-3)
            y = (torch.nn.functional.relu6(y) if number < 2 else y).permute(0, 2, 3, 1)
        return y + x

    return run


def block_arrays(channels, wide, window, lengths=(9, 7), batch=5):
    weights = normal(1, 1, channels, wide), normal(window, window, 1, wide), normal(1, 1, wide, channels)
    norms = [each for n in (wide, wide, channels) for each in (3 * normal(n), 2 + normal(n))]  # both kinks are met
    return normal(batch, *lengths, channels), *weights, *norms


@pytest.mark.parametrize("shape", [(4, 16, 3), (5, 18, 5), (24, 144, 3), (40, 288, 5)], ids=str)
def test_a_block_that_is_trained(shape):
    torch = pytest.importorskip("torch")
    beside_pytorch(block, torch_block(torch), *block_arrays(*shape), rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize("shape", [(4, 16, 3), (5, 18, 5), (24, 144, 3)], ids=str)
def test_a_block_that_predicts_in_six_passes(shape, monkeypatch):
    """Three convolutions end with norm, ReLU6 and sum; beside them there is only what makes their weights."""
    torch = pytest.importorskip("torch")
    arrays = block_arrays(*shape)
    stats = [(normal(n), np.abs(normal(n))) for n in (shape[1], shape[1], shape[0])]
    made, first = [], native_engine.Executable.__init__
    monkeypatch.setattr(
        native_engine.Executable, "__init__", lambda self, *a: (first(self, *a), made.append(self.labels))[0]
    )
    run = pr.jit(lambda *each: block(*each, train=False, stats=stats), engine="native")
    found = run(*arrays)
    given = [torch.tensor(each, dtype=torch.float64) for each in arrays]
    assert_allclose(found, torch_block(torch, False, stats)(*given).numpy(), rtol=1e-4, atol=1e-3)
    rest = {name for label in made[-1] if not label.startswith("convolution") for name in label.split("+")}
    assert sum(label.startswith("convolution") for label in made[-1]) == 3
    assert rest <= {"divide", "multiply", "negative", "shift", "sqrt", "subtract", "multiply_add"}


def test_gradients_of_a_block_that_predicts():
    """Norms whose statistics are held fast, weights that learn: a convolution is then needed by the norm's gradient."""
    torch = pytest.importorskip("torch")
    stats = [(normal(n), np.abs(normal(n))) for n in (18, 18, 5)]
    ours = lambda *each: block(*each, train=False, stats=stats)
    beside_pytorch(ours, torch_block(torch, False, stats), *block_arrays(5, 18, 5), rtol=1e-3, atol=1e-4)


def test_relu6_of_special_numbers_and_kinks():
    x = np.float32([np.nan, np.inf, -np.inf, 0.0, -0.0, 6.0, np.nextafter(np.float32(6), 7), 5.999, -1e-45, 3.0])
    for function in (nn.Relu6(), pr.grad(lambda x: pr.sum(nn.Relu6()(x)))):
        one, other = (pr.jit(function, engine=engine)(x) for engine in ("native", "reference"))
        assert_array_equal(one, other)
    assert_array_equal(pr.jit(nn.Relu6(), engine="native")(x)[1:8], np.float32([6, 0, 0, 0, 6, 6, 5.999]))


@pytest.mark.parametrize("bias", [False, True])
def test_relu6_behind_a_convolution_and_its_gradient(bias):
    torch = pytest.importorskip("torch")

    def ours(x, w, v, b):
        y = pr.convolution(x, w)
        return pr.convolution(nn.Relu6()(y + b if bias else y + 0 * pr.sum(b)), v)

    def theirs(x, w, v, b):
        y = torch_convolution(x, w, 1, ((1, 1), (1, 1)), 1, torch)
        y = torch.nn.functional.relu6(y + b if bias else y + 0 * b.sum())
        return torch_convolution(y, v, 1, ((1, 1), (1, 1)), 1, torch)

    beside_pytorch(ours, theirs, normal(2, 8, 9, 3), normal(3, 3, 3, 20), normal(3, 3, 20, 4), normal(20))


@pytest.mark.slow
def test_pictures_beyond_the_caches():
    """What is written past the caches: a norm with ReLU6, its gradient, a depthwise convolution and a 1 x 1 one."""
    torch = pytest.importorskip("torch")
    x, scale, shift = normal(2, 210, 210, 48), 3 * normal(48), 2 + normal(48)
    wide, deep = normal(1, 1, 48, 64), normal(3, 3, 1, 64)

    def ours(x, wide, deep, scale, shift):
        y = (x - pr.mean(x, (0, 1, 2))) / pr.sqrt(pr.variance(x, (0, 1, 2)) + 1e-3) * scale + shift
        y = pr.convolution(nn.Relu6()(y), wide)
        return pr.convolution(y, deep, 2, "same", 1, 64)

    def theirs(x, wide, deep, scale, shift):
        y = torch.nn.functional.batch_norm(x.permute(0, 3, 1, 2), None, None, scale, shift, True, 0.0, 1e-3)
        y = torch_convolution(torch.nn.functional.relu6(y).permute(0, 2, 3, 1), wide, 1, ((0, 0),) * 2, 1, torch)
        return torch_convolution(y, deep, 2, ((0, 1), (0, 1)), 64, torch)

    arrays = x, wide, deep, scale, shift
    weights = normal(2, 105, 105, 64)
    run = pr.jit(pr.grad(lambda *each: pr.sum(ours(*each) * weights), wrt=(0, 1, 2, 3, 4)), engine="native")
    given = [torch.tensor(each, dtype=torch.float64, requires_grad=True) for each in arrays]
    (theirs(*given) * torch.tensor(weights)).sum().backward()
    for one, other in zip(run(*arrays), given, strict=True):
        assert_allclose(one, other.grad.numpy(), rtol=1e-3, atol=1e-3 * float(other.grad.abs().max()))
