"""How much time is said to be left."""

from types import SimpleNamespace

import numpy as np
import pytest

from preceptor.cli.progress import Clock
from preceptor.train import Arrays
from preceptor.train.training import Streamed


class Squares:
    """A stream of pictures of so many places a side."""

    rows = 3

    def __init__(self, side):
        self.side = side

    def fetch(self, start, stop):
        return {"x": np.zeros((stop - start, self.side, self.side, 1)), "y": np.zeros(stop - start)}


def record(step, seconds):
    return SimpleNamespace(step=step, steps=100, seconds=seconds)


def test_the_pace_so_far_goes_on():
    clock = Clock(Arrays(np.zeros((3, 2)), np.zeros(3)))
    assert clock.left(record(10, 5.0)) is None
    assert clock.left(record(30, 9.0)) == pytest.approx(70 * 0.2)


def test_larger_pictures_take_longer():
    """100 steps: half of them of 4 places, a tenth of 16, the rest of 36."""
    clock = Clock(Streamed(Squares(6), first_streams=((0.5, Squares(2)), (0.1, Squares(4)))))
    assert clock.left(record(0, 1.0)) is None
    assert clock.left(record(25, 11.0)) == pytest.approx(25 * 0.4 + 10 * 1.6 + 40 * 3.6)
    assert clock.left(record(55, 29.0)) == pytest.approx((5 * 16 + 40 * 36) * 28 / (50 * 4 + 5 * 16))
    assert clock.left(record(100, 200.0)) == 0
