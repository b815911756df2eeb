"""NaN goes on to the result, on every engine and instruction set, as in PyTorch: what has gone wrong must be seen."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import preceptor as pr
from preceptor import nn
from preceptor.engines import Native, Reference, Xla
from preceptor.engines.native import unavailable
from preceptor.graph import flatten

torch = pytest.importorskip("torch")
F = torch.nn.functional

ISAS = ("sse42", "avx2", "avx512")
ENGINES = [pytest.param(Reference(), id="reference"), pytest.param(Xla(), id="xla")]
ENGINES += [pytest.param(isa, id=isa) for isa in ISAS]


@pytest.fixture
def engine(request):
    """An engine; for the name of an instruction set the native one with nothing wider."""
    if not isinstance(request.param, str):
        yield request.param
        return
    if reason := unavailable():
        pytest.skip(f"the native engine: {reason}")
    from preceptor.engines.native.engine import native

    before = native().isa()
    native().limit_isa(request.param)
    yield Native("f32", 2)
    native().limit_isa(before)


ON_EVERY_ENGINE = pytest.mark.parametrize("engine", ENGINES, indirect=True)
NAN = np.float32([[1.0, np.nan, -2.0], [np.nan, 0.0, 3.0], [-1.0, 0.5, -0.0], [np.nan, np.nan, np.nan]])
OTHER = np.float32([[0.5, 1.0, np.nan], [-1.0, 0.0, 3.5], [2.0, 0.5, 0.0], [1.0, -1.0, np.nan]])

PAIRS = {
    "relu": (pr.relu, torch.relu),
    "leaky": (nn.LeakyRelu(), lambda x: F.leaky_relu(x, 0.01)),
    "elu": (nn.Elu(), F.elu),
    "selu": (nn.Selu(), F.selu),
    "gelu": (nn.Gelu(), F.gelu),
    "swish": (nn.Swish(), F.silu),
    "softplus": (nn.Softplus(), F.softplus),
    "sigmoid": (pr.sigmoid, torch.sigmoid),
    "tanh": (pr.tanh, torch.tanh),
    "abs": (pr.abs, torch.abs),
    "maximum": (lambda x: pr.maximum(x, OTHER), lambda x: torch.maximum(x, torch.tensor(OTHER))),
    "minimum": (lambda x: pr.minimum(x, OTHER), lambda x: torch.minimum(x, torch.tensor(OTHER))),
    "clip": (lambda x: pr.clip(x, -0.7, 2.2), lambda x: torch.clamp(x, -0.7, 2.2)),
    "max": (lambda x: pr.max(x, 1), lambda x: torch.amax(x, 1)),
    "min": (lambda x: pr.min(x, 0), lambda x: torch.amin(x, 0)),
    "softmax": (pr.softmax, lambda x: torch.softmax(x, -1)),
    "logsumexp": (pr.logsumexp, lambda x: torch.logsumexp(x, -1)),
    "hinge": (lambda x: pr.relu(1 - x), lambda x: torch.relu(1 - x)),
    "mean": (lambda x: pr.mean(x, 0), lambda x: torch.mean(x, 0)),
}


def run(engine, function, *args):
    program = pr.trace(function)(*args)
    with np.errstate(all="ignore"):
        return engine.compile(program.graph)(list(args))


@ON_EVERY_ENGINE
@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("times", [1, 300])
def test_functions_and_their_slopes(engine, name, times):
    """300 rows: enough for whole vectors and several tiles."""
    ours, theirs = PAIRS[name]
    x = np.tile(NAN, (times, 1)) if name not in ("maximum", "minimum") else NAN
    (result,) = run(engine, ours, x)
    given = torch.tensor(x, requires_grad=True)
    expected = theirs(given)
    assert_allclose(result, expected.detach().numpy(), rtol=1e-5, atol=1e-6)
    (slope,) = run(engine, pr.grad(lambda x: pr.sum(ours(x))), x)
    expected.sum().backward()
    missing = np.isnan(x) | np.isnan(given.grad.numpy())
    assert_allclose(slope[~missing], given.grad.numpy()[~missing], rtol=1e-5, atol=1e-6)


@ON_EVERY_ENGINE
def test_a_gradient_that_is_nan_goes_back_through_what_was_nan(engine):
    """As in PyTorch; a mask that asks what is above 0 would make it 0, and the weights before would seem well."""
    x, g = np.float32([np.nan, np.nan, 1.0, -1.0] * 9), np.float32([np.nan, 2.0, np.nan, np.nan] * 9)
    (slope,) = run(engine, pr.grad(lambda x, g: pr.sum(pr.relu(x) * g)), x, g)
    given = torch.tensor(x, requires_grad=True)
    (torch.relu(given) * torch.tensor(g)).sum().backward()
    assert_array_equal(slope, given.grad.numpy())


@ON_EVERY_ENGINE
def test_units_with_a_jump(engine):
    (result,) = run(engine, pr.threshold, np.tile(NAN, (20, 1)))
    assert_array_equal(result, np.heaviside(np.tile(NAN, (20, 1)), np.float32(1)))


@ON_EVERY_ENGINE
def test_products_with_a_rectifier_at_their_end(engine):
    rng = np.random.default_rng(0)
    for rows, inputs, units in ((7, 5, 3), (40, 30, 70), (64, 600, 33)):
        x, w, b = (rng.normal(size=s).astype(np.float32) for s in ((rows, inputs), (inputs, units), (units,)))
        x[rows // 2, inputs // 2] = np.nan
        b[1] = np.nan
        (result,) = run(engine, lambda x, w, b: pr.relu(x @ w + b), x, w, b)
        expected = torch.relu(torch.tensor(x) @ torch.tensor(w) + torch.tensor(b)).numpy()
        assert_allclose(result, expected, rtol=1e-4, atol=1e-4)
        assert np.isnan(result[rows // 2]).all()
        assert np.isnan(result[:, 1]).all()
        assert not np.isnan(np.delete(np.delete(result, rows // 2, 0), 1, 1)).any()


@ON_EVERY_ENGINE
@pytest.mark.parametrize("channels", [3, 32])
@pytest.mark.parametrize("window", [1, 2, 3, 5])
def test_convolutions_with_a_rectifier_and_a_pool(engine, channels, window):
    """Of the image that holds it; Winograd's transforms spread it over a tile, whose image it is too."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(6, 12, 12, channels)).astype(np.float32)
    kernel = rng.normal(size=(window, window, channels, 40)).astype(np.float32)
    bias = rng.normal(size=40).astype(np.float32)
    x[2, 5, 6, 1] = np.nan
    bias[7] = np.nan
    function = lambda x, kernel, bias: pr.relu(pr.convolution(x, kernel, padding="valid") + bias)
    for ours, theirs in (
        (function, lambda y: y),
        (lambda *a: pr.max_pool(function(*a), 2), lambda y: F.max_pool2d(y, 2)),
    ):
        (result,) = run(engine, ours, x, kernel, bias)
        at = [torch.tensor(each) for each in (x.transpose(0, 3, 1, 2), kernel.transpose(3, 2, 0, 1), bias)]
        expected = theirs(torch.relu(F.conv2d(*at))).numpy().transpose(0, 2, 3, 1)
        other = [0, 1, 3, 4, 5]
        assert_allclose(result[other], expected[other], rtol=1e-3, atol=1e-3)
        assert np.isnan(result[..., 7]).all()
        assert np.isnan(result[2][np.isnan(expected[2])]).all()


@ON_EVERY_ENGINE
def test_a_training_shows_nan_in_its_loss_and_in_all_that_it_touches(engine):
    """One NaN among the inputs of a network of rectifiers: the loss is NaN, and so are all kernels after a step."""
    network = nn.cnn(3)
    params, state = network.init(np.random.default_rng(0), pr.Spec((1, 12, 12, 2), np.dtype(np.float32)))
    x = np.random.default_rng(1).normal(size=(8, 12, 12, 2)).astype(np.float32)
    x[3, 4, 5, 1] = np.nan

    def loss(params, x):
        outputs, _ = network.apply(params, state, x, train=True, key=pr.key(0))
        return pr.sum(pr.logsumexp(outputs))

    program = pr.trace(pr.value_and_grad(loss))(params, x)
    with np.errstate(all="ignore"):
        found = engine.compile(program.graph)(flatten((params, x))[0])
    assert np.isnan(found[0])
    for name, gradient in zip(sorted(params), found[1:], strict=True):
        if params[name].ndim > 1:
            assert np.isnan(gradient).any(), name
