import math

import pytest


def test_symmetry_is_broken_by_random_weights_alone(found):
    figures = found("symmetry")
    assert figures.spread("zero").max() == 0
    assert figures.spread("equal").max() <= 1e-13
    assert figures.losses["zero"][-1] == pytest.approx(math.log(2), abs=1e-12)  # nothing is learned: p = 1/2
    assert figures.losses["random"][-1] < 0.2
