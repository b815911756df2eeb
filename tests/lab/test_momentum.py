import numpy as np
import pytest

from preceptor import lab
from preceptor.errors import ConfigError


def walk(alpha, step, steps):
    w, v, found = 1.0, 0.0, [1.0]
    for _ in range(steps):
        v = alpha * v - step * w
        w += v
        found.append(w)
    return np.array(found)


def test_trajectories_are_those_of_the_recursion(found):
    figures = found("momentum")
    for name, way in figures.ways.items():
        np.testing.assert_allclose(way, walk(float(name), 0.02, 400), rtol=1e-9, atol=1e-12)
    for name, way in figures.steep.items():
        np.testing.assert_allclose(way, walk(float(name), 1.9, 40), rtol=1e-9, atol=1e-12)


def test_the_closed_form_is_the_power_of_a_matrix(found):
    from preceptor.lab.experiments.momentum import closed_form

    for alpha, step in ((0.9, 0.02), (0.3, 0.02), (0.25, 0.25), (0.0, 1.9)):
        matrix = np.array([[1 + alpha - step, -alpha], [1, 0]])
        for t in (1, 2, 7, 30):
            expected = (np.linalg.matrix_power(matrix, t) @ [1, 1])[0]  # at rest: w[-1] = w[0]
            assert closed_form(alpha, step, 31)[t] == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_damping_and_speed(found):
    figures = found("momentum")
    assert figures.critical == pytest.approx((1 - np.sqrt(0.02)) ** 2)
    alpha, _ = figures.best()
    assert abs(alpha - figures.critical) < 0.05
    assert figures.slope["0.9"][-1] == pytest.approx(10, rel=1e-3)
    assert figures.slope["0.9"][1] == pytest.approx(1.9)


def test_a_step_that_is_too_long_is_refused():
    with pytest.raises(ConfigError, match="steep=2"):
        lab.momentum(steep=2.0)
