from math import exp, pi, sqrt, tanh

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from preceptor import lab

KINDS = {
    "tanh, 0.01": (tanh, lambda z: 1 - tanh(z) ** 2, 0.01),
    "tanh, 0.05": (tanh, lambda z: 1 - tanh(z) ** 2, 0.05),
    "tanh, 1/√D": (tanh, lambda z: 1 - tanh(z) ** 2, 1 / 64),
    "ReLU, 1/√D": (lambda z: max(z, 0.0), lambda z: float(z > 0), 1 / 64),
    "ReLU, √(2/D)": (lambda z: max(z, 0.0), lambda z: float(z > 0), sqrt(2) / 64),
}


def expected(function, deviation):
    inside = lambda u: function(deviation * u) * exp(-u * u / 2) / sqrt(2 * pi)
    return quad(inside, -9, 0, limit=200)[0] + quad(inside, 0, 9, limit=200)[0]


@pytest.mark.parametrize("kind", KINDS)
def test_spreads_and_gradients_are_those_of_theory(found, kind):
    figures = found("deep-tanh")
    function, slope, sigma = KINDS[kind]
    square, squares, slopes, spreads = 1.0, [], [], []
    for _ in range(6):
        squares.append(square)
        deviation = sigma * sqrt(4096 * square)
        square = expected(lambda z: function(z) ** 2, deviation)
        spreads.append(sqrt(square - expected(function, deviation) ** 2))
        slopes.append(expected(lambda z: slope(z) ** 2, deviation))
    np.testing.assert_allclose(figures.spread[kind], spreads, rtol=0.02)
    np.testing.assert_allclose(figures.spread_theory[kind], spreads, rtol=1e-4)
    variances = [np.prod(slopes[layer:]) * (sigma**2 * 4096) ** (5 - layer) for layer in range(6)]
    sizes = [sqrt(16 * square * variance) for square, variance in zip(squares, variances, strict=True)]
    np.testing.assert_allclose(figures.gradient[kind], sizes, rtol=0.05)
    np.testing.assert_allclose(figures.gradient_theory[kind], sizes, rtol=1e-3)


def test_half_of_the_units_are_saturated_and_not_almost_all(found):
    figures = found("deep-tanh")
    # z of layer 6 has the deviation sigma sqrt(D E[h²]); the share beyond atanh(0.95) is that of a normal number
    deviation = 0.05 * sqrt(4096) * figures.spread_theory["tanh, 0.05"][4]
    beyond = 2 * quad(lambda u: exp(-u * u / 2) / sqrt(2 * pi), np.arctanh(0.95) / deviation, 9)[0]
    assert figures.saturated["tanh, 0.05"][-1] == pytest.approx(beyond, abs=0.02)
    assert figures.saturated["tanh, 0.05"][-1] == pytest.approx(0.5, abs=0.02)
    failed = [each.source for each in figures.claims() if not each.holds]
    assert failed == ["D:1050", "D:1051"]


def test_a_small_network_equals_that_of_torch():
    figures = lab.deep_tanh(width=32, seed=3)
    rng = np.random.default_rng(3)
    x, v = (torch.tensor(rng.standard_normal((16, 32), dtype=np.float32)) for _ in range(2))
    weights = [
        torch.tensor(0.05 * rng.standard_normal((32, 32), dtype=np.float32), requires_grad=True) for _ in range(6)
    ]
    outputs = [x]
    for weight in weights:
        outputs.append(torch.tanh(outputs[-1] @ weight))
    (outputs[-1] * v).sum().backward()
    spreads = [float(each.detach().std(unbiased=False)) for each in outputs[1:]]
    np.testing.assert_allclose(figures.spread["tanh, 0.05"], spreads, rtol=1e-5)
    sizes = [float(each.grad.square().mean().sqrt()) for each in weights]
    np.testing.assert_allclose(figures.gradient["tanh, 0.05"], sizes, rtol=1e-4)
