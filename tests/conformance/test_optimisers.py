"""What every optimiser keeps to. A row in PAPER enters one: its formula as the source prints it, worked out here in
plain NumPy; without a row the first test fails."""

import inspect
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import preceptor as pr
from preceptor.engines import Native, Reference, Xla
from preceptor.hyper import hyper_fields
from preceptor.nn import Layer, Loss
from preceptor.train import Arrays, Config, Constant, Cosine, optim, train

KINDS = [each for name in optim.__all__ if (each := getattr(optim, name)) is not optim.Optimiser]
IDS = [each.__name__ for each in KINDS]
every_optimiser = pytest.mark.parametrize("kind", KINDS, ids=IDS)
START = {  # a scalar, a vector, matrices and arrays of three and four axes
    "bias": np.array(0.7),
    "deep/scale": np.array([1.0, -2.0, 0.3]),
    "deep/weight": np.linspace(-1.5, 1.5, 6).reshape(2, 3),
    "filters/weight": np.linspace(2, -2, 24).reshape(2, 3, 2, 2),
    "members/weight": np.cos(np.arange(24)).reshape(2, 4, 3),
    "output/weight": np.linspace(-0.5, 0.5, 4).reshape(2, 2),
}


@dataclass(frozen=True)
class Surface(Layer):
    """A network without data: its one output is a function of its parameters, which begin where they are told."""

    function: Callable
    start: dict

    def init(self, rng, spec):
        return self.start, {}

    def apply(self, params, state, x, *, train, key):
        return pr.reshape(self.function(params), (1, 1)), state


@dataclass(frozen=True)
class Height(Loss):
    """The output itself is the loss."""

    def __call__(self, outputs, target):
        return outputs[:, 0]

    def outputs(self, classes):
        return 1

    def predict(self, outputs):
        return outputs


def bowl(params):
    """Sum of a (p² / 2 + sin p) over all numbers of all parameters, a = 1, 1.5, 2, 1, 1.5, ..."""
    parts = [curvature(p.shape).astype(p.dtype) * (p * p / 2 + pr.sin(p)) for p in params.values()]
    return sum(pr.sum(part) for part in parts)


def curvature(shape):
    return 1 + 0.5 * (np.arange(np.prod(shape, dtype=int)) % 3).reshape(shape)


def bowl_gradient(p):
    return curvature(p.shape) * (p + np.cos(p))


def descend(optimiser, steps, rate, *, function=bowl, start=START, engine=None, schedule=Constant()):  # noqa: B008
    """The last record of a training of so many steps in float64."""
    config = Config(
        Surface(function, start),
        Height(),
        optimiser,
        schedule=schedule,
        learning_rate=rate,
        batch_size=1,
        epochs=1,
        engine=engine or Reference("f64"),
    )
    nothing = np.zeros((steps, 1))
    return list(train(config, Arrays(nothing, nothing)))[-1]


def params_after(*args, **given):
    return descend(*args, **given).snapshot()["params"]


# Trajectories as the sources print them -----------------------------------------------------------------------------


def gradient_descent(o, path, p, gradient, rate, steps):
    """w(t+1) = w(t) - rate * gradient."""
    for _ in range(steps):
        p = p - rate * gradient(p)
    return p


def heavy_ball(o, path, p, gradient, rate, steps):
    """Polyak 1964: x(t+1) = x(t) - rate * gradient + momentum * (x(t) - x(t-1))."""
    before = p
    for _ in range(steps):
        p, before = p - rate * gradient(p) + o.momentum * (p - before), p
    return p


def lookahead(o, path, p, gradient, rate, steps):
    """Sutskever et al. 2013, equations 3 and 4: v = momentum v - rate * gradient(θ + momentum v); θ = θ + v.

    The parameter of the rewritten form is the point looked ahead to, θ + momentum v.
    """
    theta, v = p, np.zeros_like(p)
    for _ in range(steps):
        v = o.momentum * v - rate * gradient(theta + o.momentum * v)
        theta = theta + v
    return theta + o.momentum * v


def lecture_6e(o, path, p, gradient, rate, steps):
    """Tieleman and Hinton 2012: MeanSquare(t) = 0.9 MeanSquare(t-1) + 0.1 gradient²; divide by its root."""
    mean_square = np.zeros_like(p)
    for _ in range(steps):
        g = gradient(p)
        mean_square = o.decay * mean_square + (1 - o.decay) * g**2
        p = p - rate * g / (np.sqrt(mean_square) + o.epsilon)
    return p


def algorithm_1(o, path, p, gradient, rate, steps, weight_decay=0.0):
    """Kingma and Ba 2015, algorithm 1; with weight decay Loshchilov and Hutter 2019, algorithm 2, lines 6 to 12."""
    m, v = np.zeros_like(p), np.zeros_like(p)
    for t in range(1, steps + 1):
        g = gradient(p)
        m = o.beta1 * m + (1 - o.beta1) * g
        v = o.beta2 * v + (1 - o.beta2) * g**2
        start = getattr(o, "bias_correction", 1)  # 0: as the course prints it
        m_hat, v_hat = m / (1 - start * o.beta1**t), v / (1 - start * o.beta2**t)
        p = p - rate * m_hat / (np.sqrt(v_hat) + o.epsilon) - rate * weight_decay * p
    return p


def algorithm_2(o, path, p, gradient, rate, steps):
    return algorithm_1(o, path, p, gradient, rate, steps, o.weight_decay)


def course_momentum(o, path, p, gradient, rate, steps):
    """Course, "Momentum update": v = α v - η gradient;  w = w + v."""
    v = np.zeros_like(p)
    for _ in range(steps):
        v = o.momentum * v - rate * gradient(p)
        p = p + v
    return p


def figure_1(o, path, p, gradient, rate, steps):
    """Duchi et al. 2011, section 1.1: x(t+1) = x(t) - rate * diag(G(t))^(-1/2) g(t), G the sum of g g^T."""
    outer = np.zeros_like(p)
    for _ in range(steps):
        g = gradient(p)
        outer = outer + g**2
        p = p - rate * g / (np.sqrt(outer) + o.epsilon)
    return p


def zeiler(o, path, p, gradient, rate, steps):
    """Zeiler 2012, algorithm 1, each move times the rate, which the paper has not."""
    square, moves = np.zeros_like(p), np.zeros_like(p)
    for _ in range(steps):
        g = gradient(p)
        square = o.decay * square + (1 - o.decay) * g**2  # accumulate gradient
        move = -np.sqrt(moves + o.epsilon) / np.sqrt(square + o.epsilon) * g  # RMS[dx] / RMS[g] * g
        moves = o.decay * moves + (1 - o.decay) * move**2  # accumulate updates
        p = p + rate * move
    return p


def lion(o, path, p, gradient, rate, steps):
    """Chen et al. 2023, algorithm 2."""
    m = np.zeros_like(p)
    for _ in range(steps):
        g = gradient(p)
        c = o.beta1 * m + (1 - o.beta1) * g
        p = p - rate * (np.sign(c) + o.weight_decay * p)
        m = o.beta2 * m + (1 - o.beta2) * g
    return p


def quintic(x):
    """What Muon's rounds make of matrices, by their singular values."""
    u, values, v = np.linalg.svd(x.astype(np.float64), full_matrices=False)
    values = values / np.sqrt((values**2).sum(-1, keepdims=True))
    for _ in range(5):
        values = 3.4445 * values - 4.7750 * values**3 + 2.0315 * values**5
    return (u * values[..., None, :]) @ v


def muon(o, path, p, gradient, rate, steps):
    """Jordan et al. 2024 with Liu et al. 2025, equation 4; here on singular values, for the iteration changes no other
    thing."""
    if path not in ("deep/weight", "filters/weight", "members/weight"):
        return algorithm_2(o, path, p, gradient, rate, steps)
    shape = p.shape
    b = np.zeros_like(p)
    for _ in range(steps):
        g = gradient(p)
        b = o.momentum * b + g
        ahead = o.momentum * b + g
        matrices = ahead.reshape(-1, shape[-1]) if len(shape) == 4 else ahead
        orthogonal = quintic(matrices)
        size = 0.2 * np.sqrt(max(orthogonal.shape[-2:]))
        p = p - rate * (size * orthogonal.reshape(shape) + o.weight_decay * p)
    return p


def length(x):
    return np.sqrt((x**2).sum())


def lars(o, path, p, gradient, rate, steps):
    """You et al. 2017, algorithm 1: local = trust |w| / (|g| + decay |w|); v = m v + rate local (g + decay w)."""
    if not path.endswith("weight"):
        return heavy_ball(o, path, p, gradient, rate, steps)
    v = np.zeros_like(p)
    for _ in range(steps):
        g = gradient(p)
        local = o.trust * length(p) / (length(g) + o.weight_decay * length(p))
        v = o.momentum * v + rate * local * (g + o.weight_decay * p)
        p = p - v
    return p


def lamb(o, path, p, gradient, rate, steps):
    """You et al. 2020, algorithm 2."""
    if not path.endswith("weight"):
        return algorithm_2(o, path, p, gradient, rate, steps)
    m, v = np.zeros_like(p), np.zeros_like(p)
    for t in range(1, steps + 1):
        g = gradient(p)
        m = o.beta1 * m + (1 - o.beta1) * g
        v = o.beta2 * v + (1 - o.beta2) * g**2
        r = m / (1 - o.beta1**t) / (np.sqrt(v / (1 - o.beta2**t)) + o.epsilon)
        p = p - rate * length(p) / length(r + o.weight_decay * p) * (r + o.weight_decay * p)
    return p


def algorithm_2_of_adam(o, path, p, gradient, rate, steps):
    """Kingma and Ba 2015, algorithm 2."""
    m, u = np.zeros_like(p), np.zeros_like(p)
    for t in range(1, steps + 1):
        g = gradient(p)
        m = o.beta1 * m + (1 - o.beta1) * g
        u = np.maximum(o.beta2 * u, np.abs(g))
        p = p - rate / (1 - o.beta1**t) * m / (u + o.epsilon)
    return p


def nesterov_accelerated(o, path, p, gradient, rate, steps):
    """Dozat 2016, algorithm 8, with mu of all steps beta1."""
    m, n = np.zeros_like(p), np.zeros_like(p)
    for t in range(1, steps + 1):
        g = gradient(p)
        m = o.beta1 * m + (1 - o.beta1) * g
        n = o.beta2 * n + (1 - o.beta2) * g**2
        m_hat = o.beta1 * m / (1 - o.beta1 ** (t + 1)) + (1 - o.beta1) * g / (1 - o.beta1**t)
        p = p - rate * m_hat / (np.sqrt(n / (1 - o.beta2**t)) + o.epsilon)
    return p


PAPER = {
    optim.Adamax: algorithm_2_of_adam,
    optim.Nadam: nesterov_accelerated,
    optim.Lars: lars,
    optim.Lamb: lamb,
    optim.SGD: gradient_descent,
    optim.Momentum: heavy_ball,
    optim.Nesterov: lookahead,
    optim.RMSProp: lecture_6e,
    optim.Adam: algorithm_1,
    optim.AdamW: algorithm_2,
    optim.HeavyBall: course_momentum,
    optim.AcceleratedGradient: lookahead,
    optim.Adagrad: figure_1,
    optim.Adadelta: zeiler,
    optim.Lion: lion,
    optim.Muon: muon,
}

# The second and third steps of p = 1 on p² / 2 (so the gradient is p itself) at rate 0.1, worked out by hand.
BY_HAND = {
    # 1 - 0.1 * 1 = 0.9;  0.9 - 0.09 = 0.81;  0.81 - 0.081
    optim.SGD: (0.9, 0.81, 0.729),
    # v = 1, 0.9 * 1 + 0.9 = 1.8, 0.9 * 1.8 + 0.72 = 2.34
    optim.Momentum: (0.9, 0.72, 0.486),
    # v = 1, direction 1.9;  v = 0.9 + 0.81 = 1.71, direction 0.81 + 1.539 = 2.349;
    # v = 0.9 * 1.71 + 0.5751 = 2.1141, direction 0.5751 + 1.90269 = 2.47779
    optim.Nesterov: (0.81, 0.5751, 0.327321),
    # s = 0.1, root 0.316227766;  s = 0.09 + 0.1 * 0.683772244² = 0.136754448, root 0.369803256;
    # s = 0.9 * 0.136754448 + 0.1 * 0.49887062² = 0.147966193, root 0.38466374
    optim.RMSProp: (0.683772244, 0.498870620, 0.369180567),
    # m = 0.1, 0.09 + 0.09 = 0.18, 0.162 + 0.0800412 = 0.2420412, over 0.1, 0.19, 0.271: 1, 0.9473684, 0.8931410;
    # s = 0.001, 0.000999 + 0.00081 = 0.001809, 0.00244785, over 0.001, 0.001999, 0.002997001: 1, 0.9049525, 0.8167667
    optim.Adam: (0.900000001, 0.800412230, 0.701586275),
    # 0.1 * 0.01 * p more in each step: 0.001, 0.000899, 0.0007985; the mean over its root 1, 0.9958197, 0.9880932
    optim.AdamW: (0.899000001, 0.798519028, 0.698911185),
    # v = 0.1, 0.09 + 0.09 = 0.18, 0.162 + 0.072 = 0.234
    optim.HeavyBall: (0.9, 0.72, 0.486),
    # v = 0.1, move 0.1 + 0.09;  v = 0.09 + 0.081 = 0.171, move 0.081 + 0.1539;  v = 0.21141, move 0.05751 + 0.190269
    optim.AcceleratedGradient: (0.81, 0.5751, 0.327321),
    # s = 1, 1.81, 1.81 + 0.833103528² = 2.504061491, roots 1, 1.345362405, 1.582422665: 1, 0.668964732, 0.526473455
    optim.Adagrad: (0.9, 0.833103528, 0.780456183),
    # s = 0.1, 0.189936765, 0.270815006; the roots of m + 1e-6: 0.001, 0.001414213, 0.001718225;
    # directions 0.001 / 0.316229347, 0.001414213 * 0.999683774 / 0.435818500, 0.001718225 * 0.999359381 / 0.520399852
    optim.Adadelta: (0.999683774, 0.999359381, 0.999029419),
    # the sign of the mean is 1 each time: 0.1 and 0.1 * 0.01 * p more
    optim.Lion: (0.899, 0.798101, 0.697302899),
    # m = 0.1, 0.18, 0.242516833, over 0.1, 0.19, 0.271: 1, 0.947368421, 0.894896062; u = 1, 0.999, 0.998001
    optim.Adamax: (0.900000001, 0.805168328, 0.715499475),
    # the mean looked ahead to: 0.09 / 0.19 + 1, 0.9 * 0.175263158 / 0.271 + 0.0852631580 / 0.19, ...; roots 1, 0.930,
    # 0.875 of the means of 1, 0.726980612, 0.550094676
    optim.Nadam: (0.852631580, 0.741697161, 0.640611283),
    # p is a scalar, which AdamW moves, or of Lars Momentum
    optim.Muon: (0.899000001, 0.798519028, 0.698911185),
    optim.Lamb: (0.899000001, 0.798519028, 0.698911185),
    optim.Lars: (0.9, 0.72, 0.486),
}


def test_every_optimiser_has_a_row():
    assert set(KINDS) == set(PAPER) == set(BY_HAND)
    assert all(issubclass(kind, optim.Optimiser) and not inspect.isabstract(kind) for kind in KINDS)


@every_optimiser
@pytest.mark.parametrize("steps", [1, 2, 3, 20])
def test_steps_equal_the_formula_of_the_paper(kind, steps):
    found = params_after(kind(), steps, 0.05)
    for path, p in START.items():
        expected = PAPER[kind](kind(), path, p, bowl_gradient, 0.05, steps)
        assert_allclose(found[path], expected, rtol=1e-12, atol=1e-12, err_msg=path)
        assert (found[path].shape, found[path].dtype) == (p.shape, np.float64)


@every_optimiser
def test_three_steps_worked_out_by_hand(kind):
    half_square = lambda params: 0.5 * params["p"] * params["p"]
    start = {"p": np.array(1.0)}
    for step, expected in enumerate(BY_HAND[kind], 1):
        assert params_after(kind(), step, 0.1, function=half_square, start=start)["p"] == pytest.approx(
            expected, abs=1e-8
        )


TORCH = {
    "SGD": (optim.SGD(), "SGD", {}),
    "Momentum": (optim.Momentum(0.8), "SGD", {"momentum": 0.8}),
    "Nesterov": (optim.Nesterov(0.8), "SGD", {"momentum": 0.8, "nesterov": True}),
    "RMSProp": (optim.RMSProp(), "RMSprop", {"alpha": 0.9}),
    "RMSProp, other numbers": (optim.RMSProp(0.95, 1e-3), "RMSprop", {"alpha": 0.95, "eps": 1e-3}),
    "Adam": (optim.Adam(), "Adam", {}),
    "Adam, other numbers": (optim.Adam(0.7, 0.95, 1e-4), "Adam", {"betas": (0.7, 0.95), "eps": 1e-4}),
    "AdamW": (optim.AdamW(), "AdamW", {}),
    "AdamW, other numbers": (
        optim.AdamW(0.8, 0.9, 1e-6, 0.3),
        "AdamW",
        {"betas": (0.8, 0.9), "eps": 1e-6, "weight_decay": 0.3},
    ),
    "HeavyBall": (optim.HeavyBall(0.8), "SGD", {"momentum": 0.8}),  # the same as long as the rate stays
    "AcceleratedGradient": (optim.AcceleratedGradient(0.8), "SGD", {"momentum": 0.8, "nesterov": True}),
    "Adagrad": (optim.Adagrad(), "Adagrad", {"eps": 1e-8}),
    "Adagrad, other numbers": (optim.Adagrad(1e-2), "Adagrad", {"eps": 1e-2}),
    # PyTorch adds epsilon elsewhere, and lets beta1 grow unless its growth is done with at the first step
    "Adamax": (optim.Adamax(epsilon=0), "Adamax", {"eps": 0}),
    "Adamax, other numbers": (optim.Adamax(0.7, 0.95, 0), "Adamax", {"betas": (0.7, 0.95), "eps": 0}),
    "Nadam": (optim.Nadam(), "NAdam", {"momentum_decay": 1e9}),
    "Nadam, other numbers": (
        optim.Nadam(0.7, 0.95, 1e-4),
        "NAdam",
        {"betas": (0.7, 0.95), "eps": 1e-4, "momentum_decay": 1e9},
    ),
    "Adadelta": (optim.Adadelta(), "Adadelta", {}),
    "Adadelta, other numbers": (optim.Adadelta(0.7, 1e-3), "Adadelta", {"rho": 0.7, "eps": 1e-3}),
}


@pytest.fixture(scope="module")
def torch():
    found = pytest.importorskip("torch", reason="PyTorch is the reference of this test: pip install 'preceptor[peers]'")
    found.set_num_threads(1)  # its threads cost more than they bring for arrays as small as these
    return found


@pytest.mark.parametrize("optimiser, peer, given", TORCH.values(), ids=TORCH)
def test_trajectory_equals_pytorchs(torch, optimiser, peer, given, monkeypatch):
    # NAdam keeps the product of its betas in PyTorch's default type, float32 elsewhere
    monkeypatch.setattr(sys.modules["torch.optim.nadam"], "_get_scalar_dtype", lambda *_: torch.float64)
    leaves = {path: torch.tensor(p, requires_grad=True) for path, p in START.items()}
    theirs = getattr(torch.optim, peer)(leaves.values(), lr=0.03, **given)
    for _ in range(25):
        theirs.zero_grad()
        sum((torch.tensor(curvature(p.shape)) * (p * p / 2 + torch.sin(p))).sum() for p in leaves.values()).backward()
        theirs.step()
    found = params_after(optimiser, 25, 0.03)
    for path, p in leaves.items():
        assert_allclose(found[path], p.detach().numpy(), rtol=1e-12, atol=1e-12, err_msg=path)


def test_muon_moves_matrices_as_pytorchs(torch, monkeypatch):
    """PyTorch halves the digits within the iteration; here it is held to its float64."""
    monkeypatch.setattr(torch.Tensor, "bfloat16", lambda x: x.clone())
    start = {"wide/weight": np.sin(np.arange(15.0)).reshape(3, 5), "tall/weight": np.cos(np.arange(8.0)).reshape(4, 2)}
    leaves = {path: torch.tensor(p, requires_grad=True) for path, p in start.items()}
    theirs = torch.optim.Muon(
        leaves.values(), lr=0.03, momentum=0.9, weight_decay=0.3, adjust_lr_fn="match_rms_adamw", nesterov=True
    )
    for _ in range(25):
        theirs.zero_grad()
        sum((torch.tensor(curvature(p.shape)) * (p * p / 2 + torch.sin(p))).sum() for p in leaves.values()).backward()
        theirs.step()
    found = params_after(optim.Muon(momentum=0.9, weight_decay=0.3), 25, 0.03, start=start)
    for path, p in leaves.items():
        assert_allclose(found[path], p.detach().numpy(), rtol=1e-10, atol=1e-10, err_msg=path)


@pytest.mark.parametrize("shape", [(6, 6), (3, 40), (40, 3), (2, 5, 4), (3, 3, 4, 8)])
def test_muon_moves_by_a_matrix_whose_singular_values_are_near_one(shape):
    g = np.random.default_rng(0).normal(size=shape)
    zero = SimpleNamespace(momentum=0.95, weight_decay=0.0)
    move, state = optim.Muon().direction(g, np.zeros(shape), {"velocity": np.zeros(shape)}, zero)
    assert_array_equal(state["velocity"], g)
    matrices = move.reshape(-1, shape[-1]) if len(shape) == 4 else move
    values = np.linalg.svd(matrices, compute_uv=False) / (0.2 * np.sqrt(max(matrices.shape[-2:])))
    assert 0.65 < values.min() <= values.max() < 1.25


@pytest.mark.parametrize("falling", [0, 20, 40], ids=["alike", "falling", "falling far"])
@pytest.mark.parametrize("engine", ["reference", "native", "xla"])
@pytest.mark.parametrize("precision, tolerance", [("f64", 1e-9), ("f32", 2e-3), ("bf16", 2e-3)])
def test_muon_moves_long_matrices_so_whatever_their_singular_values_and_the_precision(
    engine, falling, precision, tolerance
):
    """Their products are of Gram matrices, which no precision rounds. Singular values fall to exp(-20), exp(-40).

    In float32 sums in one order or another are 0.3e-3 to 1.03e-3 off there: XLA's on AVX-512 the least and the most.
    """
    u, values, v = np.linalg.svd(np.random.default_rng(0).normal(size=(300, 40)), full_matrices=False)
    x = (u * np.exp(-np.linspace(0, falling, 40)) if falling else u * values) @ v
    x = x.astype(np.float64 if precision == "f64" else np.float32)
    for given in (x, x.T, x.reshape(10, 30, 1, 40)):
        zero = SimpleNamespace(momentum=0.0, weight_decay=0.0)

        def direction(g, zero=zero):
            return optim.Muon().direction(g, g, {"velocity": g}, zero)[0]

        found = pr.jit(direction, engine, precision)(given).reshape(-1, given.shape[-1])
        expected = 0.2 * np.sqrt(300) * quintic(given.reshape(-1, given.shape[-1]))
        assert np.linalg.norm(found - expected) < tolerance * np.linalg.norm(expected)


@pytest.mark.parametrize(
    "path, shape, is_matrix",
    [
        ("hidden1/weight", (4, 3), True),
        ("hidden1/weight", (8, 4, 3), True),
        ("block/conv1/weight", (3, 3, 4, 8), True),
        ("hidden1/bias", (3,), False),
        ("norm1/scale", (3,), False),
        ("waves/frequency", (4, 3), False),
        ("output/weight", (4, 3), False),
        ("embedding1/weight", (100, 3), False),
    ],
)
def test_muon_leaves_all_but_hidden_matrices_to_adamw(path, shape, is_matrix):
    mover = optim.Muon(0.8, 0.9, 1e-6, weight_decay=0.3).mover_of(path, np.zeros(shape))
    assert isinstance(mover, optim.Muon) if is_matrix else mover == optim.AdamW(0.8, 0.9, 1e-6, 0.3)


def test_weights_of_length_zero_move_by_lars_and_lamb():
    """By the factor 1, not 0: else they never would."""
    start = {"weight": np.zeros((2, 2))}
    for kind, first in ((optim.Lars, -0.1 * np.array([[1, 1.5], [2, 1]])), (optim.Lamb, np.full((2, 2), -0.1))):
        assert_allclose(params_after(kind(), 1, 0.1, start=start)["weight"], first, rtol=1e-6)


def test_adam_as_the_course_prints_it():
    """v = α v + (1 - α) g;  s = β s + (1 - β) g²;  w = w - η v / (sqrt(s) + ε): on p² / 2 from 1 at rate 0.001."""
    w, v, s = 1.0, 0.0, 0.0
    for _ in range(3):
        v, s = 0.9 * v + 0.1 * w, 0.999 * s + 0.001 * w**2
        w -= 0.001 * v / (s**0.5 + 1e-8)
    half_square = lambda params: 0.5 * params["p"] * params["p"]
    found = params_after(optim.Adam(bias_correction=0), 3, 0.001, function=half_square, start={"p": np.array(1.0)})
    assert found["p"] == pytest.approx(w, rel=1e-14)
    assert 1 - w > 3 * 0.003  # the first moves are larger: the root lacks more than the mean


def test_the_courses_momentum_keeps_a_move_at_its_size_when_the_rate_changes():
    """v = α v - η gradient;  w = w + v, the second with the gradient at w + α v, which is our parameter."""
    start, rates = {"p": np.linspace(-1, 1, 5)}, 0.1 * (1 + np.cos(np.pi * np.arange(12) / 12)) / 2
    ball = course = start["p"]
    v = u = np.zeros(5)
    for rate in rates:
        v = 0.9 * v - rate * bowl_gradient(ball)
        ball = ball + v
        u = 0.9 * u - rate * bowl_gradient(course + 0.9 * u)
        course = course + u
    found = params_after(optim.HeavyBall(), 12, 0.1, start=start, schedule=Cosine())["p"]
    assert_allclose(found, ball, rtol=1e-13)
    assert np.abs(found - params_after(optim.Momentum(), 12, 0.1, start=start, schedule=Cosine())["p"]).max() > 1e-3
    found = params_after(optim.AcceleratedGradient(), 12, 0.1, start=start, schedule=Cosine())["p"]
    assert_allclose(found, course + 0.9 * u, rtol=1e-13)
    assert np.abs(found - params_after(optim.Nesterov(), 12, 0.1, start=start, schedule=Cosine())["p"]).max() > 1e-3


def test_a_rate_of_zero_is_no_division_by_zero():
    for kind in KINDS:
        found = params_after(kind(), 2, 0.0)
        for path, p in START.items():
            assert_array_equal(found[path], p)


# Laws ---------------------------------------------------------------------------------------------------------------


@cache
def compiled(kind):
    """The record after 20 steps under XLA, with its loop: one compilation serves several tests."""
    record = descend(kind(), 20, 0.05, engine=Xla("f64"))
    return record.snapshot(), record.loop


@every_optimiser
def test_all_engines_walk_the_same_path_whatever_the_rank(kind):
    one = descend(kind(), 20, 0.05).snapshot()
    for other in (descend(kind(), 20, 0.05, engine=Native("f64")).snapshot(), compiled(kind)[0]):
        assert_same_path(other, one, 1e-12)


@every_optimiser
def test_in_float32_the_native_engine_walks_the_path_of_float64(kind):
    """By its own kernels, which NumPy's are in float64. 20 steps add up some tens of roundings of 6e-8."""
    found = descend(kind(), 20, 0.05, engine=Native("f32")).snapshot()
    assert {p.dtype for p in found["params"].values()} == {np.dtype(np.float32)}
    assert_same_path(found, descend(kind(), 20, 0.05).snapshot(), 1e-5)


def assert_same_path(found, expected, tolerance):
    for path in START:
        assert_allclose(found["params"][path], expected["params"][path], rtol=tolerance, atol=tolerance)
        for name, value in expected["optimiser"][path].items():
            assert_allclose(found["optimiser"][path][name], value, rtol=tolerance, atol=tolerance, err_msg=name)


@every_optimiser
def test_state_is_that_of_the_optimiser_that_moves_a_parameter_and_of_its_shape(kind):
    state = descend(kind(), 1, 0.01).snapshot()
    assert set(state["optimiser"]) == set(state["params"]) == set(START)
    for path, own in state["optimiser"].items():
        mover = kind().mover_of(path, START[path])
        assert mover == kind() or kind in (optim.Muon, optim.Lars, optim.Lamb)
        first = mover.init(START[path].astype(np.float32))
        assert set(first) == set(own)
        assert all(re.fullmatch("[a-z_]+", name) for name in own)
        assert all(value.shape == START[path].shape for value in own.values())
        assert all(value.dtype == np.float32 for value in first.values())


@every_optimiser
def test_the_first_state_is_not_shared_between_parameters(kind):
    first = kind().init(np.zeros(3))
    values = list(first.values())
    assert all(not np.shares_memory(a, b) for i, a in enumerate(values) for b in values[:i])


@every_optimiser
def test_a_flat_surface_moves_nothing(kind):
    """Zero gradient from zero state: the parameters stay, to the bit."""
    still = kind(weight_decay=0.0) if "weight_decay" in numbers_of(kind) else kind()
    after = params_after(still, 3, 0.5, function=lambda params: sum(pr.sum(0 * p) for p in params.values()))
    for path, p in START.items():
        assert_array_equal(after[path], p)


@every_optimiser
def test_the_lowest_point_of_a_parabola_is_found(kind):
    parabola = lambda params: sum(pr.sum(curvature(p.shape) * (p - 1) ** 2) for p in params.values())
    rate = 1.0 if kind in (optim.Adagrad, optim.Adadelta) else 0.05  # these make their steps small by themselves
    found = params_after(exact(kind), 2000, rate, function=parabola, engine=Xla("f64"), schedule=Cosine())
    for path, p in START.items():
        assert_allclose(found[path], np.ones(p.shape), atol=1e-4, err_msg=path)


@every_optimiser
def test_the_valley_of_rosenbrock_is_followed_to_its_end(kind):
    def banana(params):
        x, y = params["x"], params["y"]
        return (1 - x) ** 2 + 100 * (y - x * x) ** 2

    start = {"x": np.array(-1.2), "y": np.array(1.0)}
    plain = (optim.SGD, optim.Momentum, optim.Nesterov, optim.HeavyBall, optim.AcceleratedGradient, optim.Lars)
    rate = {optim.Adagrad: 0.5, optim.Adadelta: 1.0}.get(kind, 1e-2)
    rate = 1e-3 if kind in plain else rate  # above 2e-3 plain descent flies off
    found = params_after(exact(kind), 40_000, rate, function=banana, start=start, engine=Xla("f64"), schedule=Cosine())
    assert (float(found["x"]), float(found["y"])) == pytest.approx((1, 1), abs=1e-3)


def numbers_of(kind):
    return [field.name for field, _ in hyper_fields(kind)]


def exact(kind):
    """The optimiser without weight decay, which would move the lowest point, and at a speed like the others'."""
    if kind is optim.Lars:
        return kind(weight_decay=0.0, trust=0.1)
    return kind(weight_decay=0.0) if "weight_decay" in numbers_of(kind) else kind()


CHANGES = [(kind, name) for kind in KINDS for name in numbers_of(kind)]


@pytest.mark.parametrize("kind, name", CHANGES, ids=[f"{kind.__name__}-{name}" for kind, name in CHANGES])
def test_changing_a_number_compiles_nothing(kind, name):
    """The compiled loop of one optimiser, fed with the numbers of another, goes the other's way."""
    changed = replace(kind(), **{name: getattr(kind(), name) * 0.5 + 1e-3})
    _, loop = compiled(kind)
    program = loop.program
    state = descend(changed, 1, 0.0).snapshot() | {"params": START}
    state["optimiser"] = {path: changed.mover_of(path, p).init(p) for path, p in START.items()}
    carried = loop.put(state)
    for step in range(1, 6):
        numbers = {"learning_rate": 0.05} | {each: getattr(changed, each) for each in numbers_of(kind)}
        hyper = {each: np.full(1, value) for each, value in numbers.items()}
        carried, _ = loop(carried, np.zeros((1, 1), int), hyper | {"step": np.array([step], np.int32)})
    assert loop.program is program is not None
    differences = []
    for path, p in START.items():
        expected = PAPER[kind](changed, path, p, bowl_gradient, 0.05, 5)
        assert_allclose(loop.get(carried)["params"][path], expected, rtol=1e-12, atol=1e-12)
        differences.append(np.abs(expected - PAPER[kind](kind(), path, p, bowl_gradient, 0.05, 5)).max())
    assert max(differences) > 1e-12


@every_optimiser
def test_numbers_out_of_range_are_refused(kind):
    for field, known in hyper_fields(kind):
        with pytest.raises(pr.errors.ConfigError, match=rf"{kind.__name__}: {field.name} is -1; it must be "):
            kind(**{field.name: -1.0})
        with pytest.raises(pr.errors.ConfigError, match=f"{kind.__name__}: {field.name} is nan"):
            kind(**{field.name: float("nan")})
        assert known.low is not None
        assert known.doc.endswith(".")


@every_optimiser
def test_documented_with_formula_source_and_differences(kind):
    sections = re.findall(r"^    (Formula|Source|Differs): \S", kind.__doc__, re.MULTILINE)
    assert sections == ["Formula", "Source", "Differs"]
    assert re.match(r"[A-Z].*\.$", kind.__doc__.splitlines()[0])
    assert re.search(r"Source: .* \d{4}", kind.__doc__)
    assert 0 < kind.usual_rate <= 1
