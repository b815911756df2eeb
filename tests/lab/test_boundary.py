import numpy as np
import pytest
from sklearn.svm import SVC

from preceptor.lab.experiments.boundary import MARGINS, boundary_length


def test_margins_are_those_of_scikit_learn(found):
    figures = found("boundary")
    for strength in MARGINS:
        theirs = SVC(kernel="linear", C=1 / (len(figures.sides) * strength), tol=1e-8)
        theirs.fit(figures.clouds, figures.sides)
        assert figures.margin(strength) == pytest.approx(1 / np.linalg.norm(theirs.coef_), rel=0.02)
        w = figures.margins[strength]

        def cost(w, strength=strength):
            z = (2 * figures.sides - 1) * (figures.clouds @ w[:2] + w[2])
            return strength / 2 * w[:2] @ w[:2] + np.maximum(0, 1 - z).mean()

        best = cost(np.append(theirs.coef_[0], theirs.intercept_))
        assert cost(w) == pytest.approx(best, rel=2e-3)


def test_the_length_of_a_circle_and_of_a_line():
    across, up = np.meshgrid(np.linspace(-2, 2, 401), np.linspace(-2, 2, 401))
    assert boundary_length(across**2 + up**2 < 1, 0.01, 0.01) == pytest.approx(2 * np.pi, rel=0.02)


def test_what_is_claimed_of_units_and_margins(found):
    figures = found("boundary")
    assert all(each.holds for each in figures.claims() if each.source in ("D:2220", "D:1725", "D:1697"))
    one = figures.by_units[1]
    assert one.train_error > figures.by_units[60].train_error
