import numpy as np
import pytest

from preceptor import lab


def test_slopes_equal_closed_forms(found):
    figures = found("saturation")
    z = np.array([-10.0, 0.0, 10.0])
    np.testing.assert_allclose(figures.slopes["sigmoid"], 1 / (2 + np.exp(-z) + np.exp(z)), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(figures.slopes["tanh"], 1 / np.cosh(z) ** 2, atol=1e-12)
    np.testing.assert_array_equal(figures.slopes["ReLU"], [0, 0, 1])
    np.testing.assert_allclose(figures.slopes["leaky ReLU"][[0, 2]], [0.1, 1], rtol=1e-12)
    assert figures.slopes["sigmoid"][2] == pytest.approx(4.5395807735951673e-05, rel=1e-12)  # g(10) g(-10)
    assert all(each.holds for each in figures.claims())


def test_curves_have_the_slopes_of_central_differences(found):
    figures = found("saturation")
    inner = (figures.z[1:-1] != 0) & (np.abs(figures.z[1:-1]) > 0.2)
    for name, curve in figures.curves.items():
        numeric = (curve[2:] - curve[:-2]) / (figures.z[2:] - figures.z[:-2])
        np.testing.assert_allclose(figures.curve_slopes[name][1:-1][inner], numeric[inner], atol=6e-3)


def test_far_out_the_slope_is_nothing():
    assert lab.saturation(z=40).slopes["sigmoid"][2] == pytest.approx(0, abs=1e-16)
