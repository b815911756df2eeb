import math

import numpy as np
import pytest

from preceptor import lab
from preceptor.errors import ConfigError


def test_values_and_derivatives_are_those_of_the_lecture(found):
    explanation = found("chain").explanation
    x, t = 2.0, 4.0
    u = math.sin(t) + 3 * t
    values = {"t": t, "u1": math.sin(t), "u2": 3 * t, "u": u, "J": math.cos(u)}
    by_u = -math.sin(u)
    slopes = {"u": by_u, "u1": by_u, "u2": by_u, "t": by_u * (math.cos(t) + 3), "x": by_u * (math.cos(t) + 3) * 2 * x}
    for name, value in values.items():
        assert float(explanation[name].value) == pytest.approx(value, rel=1e-14)
    for name, slope in slopes.items():
        assert float(explanation[name].adjoint) == pytest.approx(slope, rel=1e-14)
    assert found("chain").merges == ["t"]


def test_the_player_shows_each_number_when_it_is_known(found):
    figures = found("chain")
    labels = figures.players()[0].labels
    assert labels == [
        "start", *(f"forward {each}" for each in range(1, 6)), "turn", *(f"back {each}" for each in range(1, 7))
    ]  # fmt: skip
    pictures = figures.players()[0].pictures
    below = [">dJ/dt = " in each for each in pictures]
    assert below.index(True) == len(pictures) - 2  # both contributions are in
    assert ">J = cos(u)<" in pictures[0]
    assert [">= 0.2451<" in each for each in pictures].index(True) == 5  # J is the fifth that is computed


@pytest.mark.parametrize("graph", ["quadratic", "logistic", "network"])
def test_the_other_graphs_agree_with_differences(graph):
    figures = lab.chain(graph=graph)
    for name, gradient in figures.gradient.items():
        np.testing.assert_allclose(gradient, figures.numeric[name], rtol=1e-6, atol=1e-9)
    assert all(each.holds for each in figures.claims())


def test_the_quadratic_by_hand():
    figures = lab.chain(graph="quadratic", x=3.0)  # a = 1, b = -3, c = 5
    assert {name: float(each) for name, each in figures.gradient.items()} == {"x": 3.0, "a": 9.0, "b": 3.0, "c": 1.0}


def test_another_graph_is_refused():
    with pytest.raises(ConfigError, match="graph 'loop'"):
        lab.chain(graph="loop")
