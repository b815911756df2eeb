import numpy as np
import pytest


def by_hand(w1, w2, x, t):
    """Both losses and their gradients from the formulas, in NumPy."""
    h = np.tanh(w1 * x)
    y = 1 / (1 + np.exp(-w2 * h))
    ce = -np.mean(t * np.log(y) + (1 - t) * np.log(1 - y))
    quadratic = np.mean((y - t) ** 2) / 2
    found = {}
    for kind, loss, db in (("cross-entropy", ce, y - t), ("quadratic", quadratic, (y - t) * y * (1 - y))):
        found[kind] = loss, np.array([np.mean(db * w2 * (1 - h * h) * x), np.mean(db * h)])
    return found


@pytest.fixture
def rows():
    x = np.random.default_rng(0).uniform(-2, 2, 40)
    return x, (x > 0).astype(float)


def test_the_surfaces_and_slopes_are_those_of_the_formulas(found, rows):
    figures = found("two-losses")
    for row, column in ((0, 0), (10, 45), (30, 30), (60, 60), (33, 7)):
        expected = by_hand(figures.weights[column], figures.weights[row], *rows)
        for kind, (loss, slope) in expected.items():
            assert figures.losses[kind][row, column] == pytest.approx(loss, rel=1e-9)
            assert figures.slopes[kind][row, column] == pytest.approx(np.linalg.norm(slope), rel=1e-7, abs=1e-12)


def test_the_descents_are_those_by_hand(found, rows):
    figures = found("two-losses")
    for kind, points in figures.points.items():
        w = np.array((3.0, -4.0))
        for point in points[:60]:
            np.testing.assert_allclose(point, w, rtol=1e-8)
            w = w - 2.0 * by_hand(*w, *rows)[kind][1]


def test_slopes_before_the_sigmoid(found):
    figures = found("two-losses")
    y = figures.outputs
    np.testing.assert_allclose(figures.by_output["cross-entropy"], 1 - y, rtol=1e-9)
    np.testing.assert_allclose(figures.by_output["quadratic"], (1 - y) ** 2 * y, rtol=1e-9)
    assert all(each.holds for each in figures.claims())
