import numpy as np
import pytest

from preceptor.lab.experiments.ensemble import MOST, SHARES


def test_variances_are_those_of_the_multivariate_normal(found):
    figures = found("ensemble")
    for share in SHARES:
        covariance = np.full((MOST, MOST), share) + (1 - share) * np.eye(MOST)
        for count in (1, 3, MOST):
            w = np.append(np.full(count, 1 / count), np.zeros(MOST - count))
            assert figures.variances[share][count - 1] == pytest.approx(w @ covariance @ w, rel=0.06)


def test_the_squared_error_follows_the_identity(found):
    figures = found("ensemble")
    for group in figures.squares:
        np.testing.assert_allclose(figures.squares[group], figures.formula(group), rtol=1e-6)
        assert 0 < figures.correlation(group) < 1
