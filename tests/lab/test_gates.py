import math

import pytest

from preceptor.lab import gates

# The text's tables, as printed there.
G = {-30: 9.35762296883929895384e-14, -10: 4.539786870243439450478e-5, 10: 0.9999546021312975656055}


@pytest.mark.parametrize(
    "name, printed", [("AND", [G[-30], G[-10], G[-10], G[10]]), ("NOT", [G[10], G[-10]])], ids=["AND", "NOT"]
)
def test_outputs_are_the_printed_ones_to_one_unit_in_the_last_place(name, printed):
    for ours, text in zip(gates()[name].outputs, printed, strict=True):
        assert abs(ours - text) <= math.ulp(text)


def test_or_and_xnor_are_the_same_function_of_their_units():
    g = lambda z: 1 / (1 + math.exp(-z))
    assert gates()["OR"].outputs == pytest.approx([g(-10), g(10), g(10), g(30)], rel=1e-15)
    for (a1, a2), h in zip(gates()["XNOR"].hidden, gates()["XNOR"].outputs, strict=True):
        assert h == pytest.approx(g(-10 + 20 * a1 + 20 * a2), rel=1e-14)


def test_xnor_passes_through_the_hidden_values_of_the_text():
    assert [tuple(round(a) for a in row) for row in gates()["XNOR"].hidden] == [(0, 1), (0, 0), (0, 0), (1, 0)]


@pytest.mark.parametrize("name, truth", [("AND", "0001"), ("OR", "0111"), ("NOT", "10"), ("XNOR", "1001")])
def test_decisions_are_those_of_logic(name, truth):
    assert "".join(map(str, gates()[name].decisions)) == truth


def test_the_table_prints_the_digits_of_the_text():
    lines = str(gates()["AND"]).splitlines()
    assert lines[:2] == ["AND", "x1  x2  h(x)                    decision"]
    assert lines[3].split() == ["1", "0", "4.5397868702434395e-05", "0"]
    assert lines[5].split() == ["1", "1", "0.9999546021312976", "1"]
    assert "\n\nXNOR\nx1  x2  a1" in str(gates())
