import numpy as np
import pytest

from preceptor import lab
from preceptor.errors import ConfigError
from preceptor.lab.experiments.complexity import GRID


def test_polynomials_are_those_of_numpy(found):
    figures = found("complexity")
    for degree, curve in enumerate(figures.curves):
        theirs = np.polynomial.Polynomial.fit(figures.x, figures.y, degree)
        scale = np.abs(theirs(GRID)).max()
        np.testing.assert_allclose(curve, theirs(GRID), rtol=0, atol=1e-7 * scale)
        residual = np.sqrt(np.square(theirs(figures.x) - figures.y).mean())
        assert figures.train_squares[degree] == pytest.approx(residual, abs=1e-8)


def test_the_test_error_is_that_of_the_curve_and_the_noise(found):
    figures = found("complexity")
    theirs = np.polynomial.Polynomial.fit(figures.x, figures.y, figures.best_degree)
    distance = np.square(theirs(GRID) - np.sin(np.pi * GRID)).mean()
    assert figures.test_squares[figures.best_degree] == pytest.approx(np.sqrt(distance + 0.25**2), rel=0.05)
    assert [each.holds for each in figures.claims()][:3] == [True] * 3
    assert 0 < figures.best_degree < 8


def test_too_few_points_are_refused():
    with pytest.raises(ConfigError, match="received degrees 11, rows 11"):
        lab.complexity(rows=11)
