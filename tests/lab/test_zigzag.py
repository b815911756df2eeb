from itertools import pairwise

import numpy as np
import pytest


def test_the_path_is_that_of_the_formula_and_signs_agree(found):
    figures = found("zigzag")
    rng = np.random.default_rng(0)
    x = 1 / (1 + np.exp(-2 * rng.standard_normal((9, 200, 2))))
    order = rng.integers(0, 200, (400, 9, 1))
    w, same = np.zeros(2), []
    rate = 1 / (x**2).sum(-1).max()
    for step in range(400):
        np.testing.assert_allclose(figures.paths["positive inputs"][step, 0], w, rtol=1e-9, atol=1e-12)
        example = x[0, order[step, 0, 0]]
        gradient = (w @ example - (example[0] - example[1])) * example
        same.append(np.sign(gradient[0]) == np.sign(gradient[1]))
        w = w - rate * gradient
    assert all(same)
    assert figures.same["positive inputs"].min() == 1
    assert figures.rates["positive inputs"] == pytest.approx(rate)


def test_centred_inputs_have_about_as_many_of_each_sign_and_arrive_earlier(found):
    figures = found("zigzag")
    assert figures.same["centred inputs"].mean() == pytest.approx(0.5, abs=0.1)  # x1 and x2 are independent
    ratio = {kind: figures.largest[kind] / figures.smallest[kind] for kind in figures.paths}
    assert ratio["positive inputs"] > 3 * ratio["centred inputs"]
    first = figures.paths["centred inputs"][: figures.reached["centred inputs"][0] + 1, 0]
    assert sum(np.hypot(*(b - a)) for a, b in pairwise(first)) > 2**0.5 - 0.1  # none is shorter than straight
    assert figures.detour("positive inputs") > 2 > figures.detour("positive, batches")
    for each in figures.claims():
        assert each.holds, each.found
