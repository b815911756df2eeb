import numpy as np
import pytest

SLOPES = {
    "saddle point": lambda p: np.array([p[0], -p[1] + p[1] ** 3]),
    "plateau": lambda p: p * np.exp(-0.5 * (p @ p)),
    "local minimum": lambda p: np.array([p[0] ** 3 - p[0] - 0.1, p[1]]),
}


@pytest.mark.parametrize("place", SLOPES)
def test_descents_are_those_by_hand(found, place):
    figures = found("plateau")
    points = figures.points[place]
    p, q, v = points["gradient descent"][0], points["momentum"][0], np.zeros(2)
    for plain, ball in zip(points["gradient descent"][:80], points["momentum"][:80], strict=True):
        np.testing.assert_allclose(plain, p, rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(ball, q, rtol=1e-8, atol=1e-12)
        p = p - 0.05 * SLOPES[place](p)
        v = 0.95 * v - 0.05 * SLOPES[place](q)
        q = q + v
    start = points["RMSProp"][0]
    assert figures.slopes[place] == pytest.approx(np.linalg.norm(SLOPES[place](start)))
    s, w = np.zeros(2), start
    for point in points["RMSProp"][:80]:
        np.testing.assert_allclose(point, w, rtol=1e-6, atol=1e-9)
        g = SLOPES[place](w)
        s = 0.9 * s + 0.1 * g * g
        w = w - 0.05 * g / (np.sqrt(s) + 1e-8)


def test_curvatures_are_those_of_the_second_derivatives(found):
    figures = found("plateau")
    assert figures.curvatures["saddle point"] == pytest.approx((-1, 1))
    assert figures.curvatures["below the saddle"] == pytest.approx((1, 2))
    roots = sorted(np.roots([1, 0, -1, -0.1]).real)
    for name, root in zip(("local minimum", "between the minima", "lowest"), roots, strict=True):
        assert sorted(figures.curvatures[name]) == pytest.approx(sorted((3 * root**2 - 1, 1.0)), rel=1e-6)


def test_noise_is_that_of_its_seed(found):
    figures = found("plateau")
    rng, p = np.random.default_rng(0), np.array((-4.0, 1.5))
    for point in figures.points["plateau"]["noisy gradient"][:50]:
        np.testing.assert_allclose(point, p, rtol=1e-8)
        p = p - 0.05 * (SLOPES["plateau"](p) + 0.5 * rng.normal(size=2))
