import numpy as np
import pytest
from scipy.optimize import brentq


def test_signals_and_gradients_are_powers(found):
    figures = found("powers")
    for factor in (0.9, 1.0, 1.5):
        powers = factor ** np.arange(figures.depth + 1)
        np.testing.assert_allclose(figures.linear[str(factor)], np.hypot(1, 0.5) * powers, rtol=1e-12)
        np.testing.assert_allclose(figures.linear_gradient[str(factor)], np.sqrt(2) * powers[::-1], rtol=1e-12)
        np.testing.assert_array_equal(figures.eigenvalues[str(factor)], [factor, factor])


def test_tanh_holds_the_signal_and_lets_the_gradient_vanish(found):
    figures = found("powers")
    rest = brentq(lambda z: z - np.tanh(1.5 * z), 0.1, 1)
    assert figures.tanh["1.5"][-1] == pytest.approx(np.sqrt(2) * rest, rel=1e-9)
    a, slopes = np.array([1.0, 0.5]), [np.ones(2)]
    for _ in range(figures.depth):
        a = np.tanh(1.5 * a)
        slopes.append(1.5 * (1 - a**2))
    gradient = np.prod(slopes, axis=0)
    assert figures.tanh_gradient["1.5"][0] == pytest.approx(np.linalg.norm(gradient), rel=1e-9)
    assert all(each.holds for each in figures.claims())
