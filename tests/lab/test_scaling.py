import numpy as np
import pytest

from preceptor import lab
from preceptor.errors import ConfigError


def closed_form(rows):
    """Eigenvalues of a symmetric 2 x 2 matrix, of the sums of the rows' products."""
    (a, b), (c, d) = rows
    p, q, r = (a * a + c * c) / 2, (b * b + d * d) / 2, (a * b + c * d) / 2
    root = np.hypot(p - q, 2 * r)
    high = (p + q + root) / 2
    return (p * q - r * r) / high, high


def test_curvatures_are_those_of_the_closed_form(found):
    figures = found("scaling")
    tables = {
        "not centred": ((101, 101), (101, 99)),  # as printed
        "not scaled": ((0.1, 10), (0.1, -10)),
        "centred and scaled": ((1, 1), (1, -1)),
    }
    for case, rows in tables.items():
        np.testing.assert_array_equal(figures.inputs[case], rows)
        np.testing.assert_allclose(figures.curvatures[case], closed_form(rows), rtol=1e-8)
    assert figures.condition("not scaled") == pytest.approx(10_000)
    assert figures.condition("centred and scaled") == pytest.approx(1)


def test_the_descent_is_that_of_the_weights_by_hand(found):
    figures = found("scaling")
    for case, x in figures.inputs.items():
        w, rate = figures.points[case][0], 1 / closed_form(x)[1]
        for point in figures.points[case]:
            np.testing.assert_allclose(point, w, rtol=1e-7, atol=1e-12)
            w = w - rate * x.T @ (x @ w - 2) / 2
    np.testing.assert_allclose(figures.points["centred and scaled"][1], (2, 0), atol=1e-12)


def test_the_claims_hold_but_for_the_table_that_is_not_centred(found):
    assert [each.holds for each in found("scaling").claims()] == [True, True, True, False]


def test_an_input_of_zeros_is_refused():
    with pytest.raises(ConfigError, match="ratio=0"):
        lab.scaling(ratio=0)
