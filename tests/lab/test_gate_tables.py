import math

import numpy as np
import pytest
from scipy.special import expit


def test_outputs_equal_the_logistic_function(found):
    figures = found("gate-tables")
    assert figures.outputs["AND"] == pytest.approx(expit([-30.0, -10, -10, 10]), rel=1e-15)
    assert figures.outputs["OR"] == pytest.approx(expit([-10.0, 10, 10, 30]), rel=1e-15)
    assert figures.outputs["NOT"] == pytest.approx(expit([10.0, -10]), rel=1e-15)
    hidden = np.array(figures.hidden["XNOR"])
    np.testing.assert_allclose(hidden, expit([(-30.0, 10), (-10, -10), (-10, -10), (10, -30)]), rtol=1e-14)
    assert figures.outputs["XNOR"] == pytest.approx(expit(-10 + 20 * hidden.sum(1)), rel=1e-14)


def test_digits_are_those_of_the_text(found):
    figures = found("gate-tables")
    assert [f"{each:.4e}" for each in figures.outputs["AND"][:2]] == ["9.3576e-14", "4.5398e-05"]
    assert f"{figures.outputs['AND'][3]:.8f}" == "0.99995460"
    for name, table in {"AND": lambda a, b: a and b, "OR": lambda a, b: a or b, "XNOR": lambda a, b: a == b}.items():
        assert figures.decisions(name) == tuple(int(table(*x)) for x in figures.inputs[name])
    assert math.fsum(figures.outputs["NOT"]) == pytest.approx(1, abs=1e-15)  # g(-z) = 1 - g(z)
    assert all(each.holds for each in figures.claims())
