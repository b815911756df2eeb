import numpy as np
import pytest

from preceptor import lab


def test_the_ravine_is_descended_as_the_formulas_say(found):
    figures = found("ravine")
    p, v = np.array((-9.0, 1.2)), np.zeros(2)
    for point in figures.points["momentum"]:
        np.testing.assert_allclose(point, p, rtol=1e-9, atol=1e-12)
        v = 0.9 * v + np.array((1.0, 100.0)) * p
        p = p - 0.02 * v
    assert all(each.holds for each in figures.claims())
    saddle = lab.ravine(surface="saddle")
    assert saddle.values["Adam"].min() == pytest.approx(-1.25, abs=1e-3)  # -5/2 + 25/20
