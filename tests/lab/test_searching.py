import numpy as np
import pytest
from scipy.integrate import dblquad
from scipy.spatial import cKDTree

from preceptor import lab
from preceptor.errors import ConfigError
from preceptor.lab.experiments.searching import by_formula, nearest


@pytest.mark.parametrize("trials", [1, 4, 9, 36])
def test_the_formula_is_the_integral(trials):
    # P(distance > d) of a place t: no trial within [t - d, t + d] of [0, 1]
    expected = dblquad(lambda d, t: (1 - min(t + d, 1) + max(t - d, 0)) ** trials, 0, 1, 0, 1, epsabs=1e-6)[0]
    assert by_formula("random", trials, 2) == pytest.approx(expected, rel=1e-3)


def test_distances_are_those_of_scipy_and_of_the_formulas(found):
    figures = found("searching")
    targets = np.random.default_rng(3).random((500, 2))
    for points in figures.points.values():
        np.testing.assert_allclose(nearest(points, targets), cKDTree(points).query(targets)[0], rtol=1e-12)
    for place, count in enumerate(figures.counts()):
        assert figures.along["grid"][place] == pytest.approx(1 / (4 * np.sqrt(count)), rel=0.05)
        assert figures.along["random"][place] == pytest.approx(by_formula("random", count, 2), rel=0.05)
    assert figures.distinct == {"grid": 3, "random": 9}
    # the mean distance from the middle of a square of side s is s (sqrt 2 + asinh 1) / 6
    for place, count in enumerate(figures.counts()):
        expected = (np.sqrt(2) + np.arcsinh(1)) / 6 / np.sqrt(count)
        assert figures.overall["grid"][place] == pytest.approx(expected, rel=0.03)


def test_a_grid_must_be_full():
    with pytest.raises(ConfigError, match="received trials 10, dimensions 2"):
        lab.searching(trials=10)
