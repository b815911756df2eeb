import numpy as np
from scipy.optimize import least_squares

UNITS = (1, 2, 4, 8, 16, 32, 64)


def test_by_hand_it_is_the_broken_line_through_the_knots(found):
    figures = found("universal")
    np.testing.assert_allclose(figures.target, np.sin(5 * figures.x) + 0.3 * np.sin(15 * figures.x), rtol=1e-12)
    for place, units in enumerate(UNITS):
        knots = np.linspace(-1, 1, units + 1)
        line = np.interp(figures.x, knots, np.sin(5 * knots) + 0.3 * np.sin(15 * knots))
        np.testing.assert_allclose(figures.broken[place], line, atol=1e-10)
        assert np.abs(line - figures.target).max() <= 92.5 / 8 * (2 / units) ** 2


def test_trained_errors_are_not_below_the_best_that_scipy_finds(found):
    figures = found("universal")
    rng = np.random.default_rng(0)
    for place, units in enumerate(UNITS[:2]):

        def away(p, units=units):
            w, b, v = p[: 3 * units].reshape(3, units)
            return np.tanh(figures.x[:, None] * w + b) @ v + p[-1] - figures.target

        starts = rng.normal(0, 3, (12, 3 * units + 1))
        best = min(np.sqrt(np.mean(least_squares(away, start, max_nfev=200).fun ** 2)) for start in starts)
        assert figures.trained[place].min() > 0.98 * best
        assert units > 1 or figures.trained[place].min() < 1.02 * best
    assert np.median(figures.trained[-1]) < 0.03
    assert [each.holds for each in figures.claims()][:2] == [True, True]
