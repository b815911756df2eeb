import numpy as np
import pytest


def test_the_slope_is_that_of_the_closed_form(found):
    figures, x = found("gradient-ways"), 0.7
    u = np.sin(x * x) + 3 * x * x
    assert figures.slope == pytest.approx(-np.sin(u) * (np.cos(x * x) + 3) * 2 * x, rel=1e-13)
    j = np.polynomial.Polynomial.fit  # the third derivative by a fit in a small neighbourhood
    near = np.linspace(x - 0.01, x + 0.01, 41)
    fitted = j(near, np.cos(np.sin(near**2) + 3 * near**2), 8).deriv(3)(x)
    assert figures.third == pytest.approx(fitted, rel=1e-4)


def test_calls_and_errors(found):
    figures = found("gradient-ways")
    assert figures.calls["differences"].tolist() == [20, 60, 200, 600]
    assert figures.calls["automatic"].tolist() == [1, 1, 1, 1]
    assert figures.errors["automatic"].max() < 1e-13
    assert 0 < figures.errors["differences"].max() < 1e-7
    assert 1e-6 <= figures.best(figures.central) <= 1e-4  # about the third root of 2e-16
    assert 1e-9 <= figures.best(figures.one_sided) <= 1e-6  # about its square root


def test_the_lecture_counts_calls_and_errors_as_they_are(found):
    claims = found("gradient-ways").claims()
    assert claims[0].holds
    assert claims[3].holds
