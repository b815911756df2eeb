"""Formulas typed by a user: what is read, and what is refused."""

import math

import pytest

from preceptor.errors import ConfigError
from preceptor.report.expression import FUNCTIONS, PAIRS, expression


def test_the_formula_of_the_lecture():
    explanation = expression("cos(sin(x**2) + 3*x**2)", {"x": 2})
    u = math.sin(4) + 12
    assert float(explanation.result.value) == pytest.approx(math.cos(u), rel=1e-15)
    assert float(explanation.gradient["x"]) == pytest.approx(-math.sin(u) * (math.cos(4) + 3) * 4, rel=1e-14)
    assert [step.formula for step in explanation.nodes] == ["", "x²", "sin(v1)", "3·v1", "v2 + v3", "cos(v4)"]


@pytest.mark.parametrize(
    "text, value, slope",
    [
        ("-x + 1", -1.0, -1.0),
        ("+x - 2", 0.0, 1.0),
        ("1 / x", 0.5, -0.25),
        ("x**-2", 0.25, -0.25),
        ("(-x)**3", -8.0, -12.0),
        ("x**0.5", math.sqrt(2), 0.5 / math.sqrt(2)),
        ("x**x", 4.0, 4 * (1 + math.log(2))),
        ("2**x", 4.0, 4 * math.log(2)),
        ("maximum(x, 3)", 3.0, 0.0),
        ("7", 7.0, 0.0),
        ("x / 0", math.inf, math.inf),
    ],
)
def test_values_and_slopes(text, value, slope):
    explanation = expression(text, {"x": 2.0})
    assert float(explanation.result.value) == pytest.approx(value, rel=1e-14)
    assert float(explanation.gradient["x"]) == pytest.approx(slope, rel=1e-14)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_is_known(name):
    explanation = expression(f"{name}({'x, y' if name in PAIRS else 'x'})", {"x": 0.5, "y": 2.0})
    assert math.isfinite(float(explanation.result.value))


@pytest.mark.parametrize(
    "text, message",
    [
        ("x +", "column 4: invalid syntax|column 1: invalid syntax"),
        ("", "invalid syntax"),
        ("1 + x^2", r"column 7: \^ is not known; powers are written with \*\*"),
        ("2*y", "column 3: y has no value; give it one, as in y=2"),
        ("1 + sin", r"column 5: sin has no value; write sin\(\.\.\.\)"),
        ("eval(x)", "column 1: the function eval is not known; known are abs"),
        ("sin(x, x)", "column 1: sin received 2 arguments; it takes 1"),
        ("sin(x=x)", "sin received 1 arguments|sin received"),
        ("x.real", "column 1: this form is not known"),
        ("1 + x[0]", "column 5: this form is not known"),
        ("().__class__", "this form is not known"),
        ("(lambda: 1)()", "this form is not known"),
        ("'a' * x", "column 1: this form is not known"),
        ("x if x else 1", "this form is not known"),
        ("x and 1", "this form is not known"),
        ("True", "this form is not known"),
        ("[x for x in y]", "this form is not known"),
        ("x\0", "null bytes"),
        ("x + " * 400 + "1", "at most 1000 are read"),
        ("1" + "0" * 400, "column 1: the number is too large"),
    ],
)
def test_everything_else_is_refused(text, message):
    with pytest.raises(ConfigError, match=message):
        expression(text, {"x": 2.0})


def test_huge_powers_take_no_time():
    assert float(expression("9**9**9**9 * x", {"x": 1.0}).result.value) == math.inf
