"""What a linear reader makes of features that it has not seen."""

import numpy as np
import pytest

from preceptor import nn
from preceptor.data import Stream
from preceptor.engines import Reference
from preceptor.job.likeness import LEAST, Likeness, _told, likeness
from preceptor.ops import Spec
from preceptor.train.fine_tuning import First


def test_each_row_is_told_by_the_others_as_scikit_learn_tells_it():
    """Beside ridge regressions fitted without each row."""
    linear = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(3), 12)
    x = rng.normal(size=(36, 5)) + 0.8 * np.eye(5)[y]
    z = np.concatenate(((x - x.mean(0)) / x.std(0), np.ones((36, 1))), 1)
    best = 0
    for strength in (0.01, 0.1, 1.0):
        alpha = strength * np.trace(z @ z.T) / 36
        right = []
        for row in range(36):
            others = np.arange(36) != row
            reader = linear.Ridge(alpha=alpha, fit_intercept=False).fit(z[others], np.eye(3)[y[others]])
            right.append(reader.predict(z[row : row + 1]).argmax() == y[row])
        best = max(best, sum(right))
    assert _told(x, y).sum() == best


class Held(Stream):
    """Rows in memory."""

    def __init__(self, x, y):
        self.x, self.y = x, y

    @property
    def rows(self):
        return len(self.x)

    def fingerprint(self):
        return b""

    def fetch(self, start, count):
        return {"x": self.x[start : start + count], "y": self.y[start : start + count]}


def looked(spoils):
    """A network whose last layer keeps what its middle has, or spoils it."""
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(2), 40)
    x = (rng.normal(size=(80, 4, 4, 3)) + 2.0 * y[:, None, None, None]).astype(np.float32)
    order = rng.permutation(80)
    layers = nn.Convolution(8, 3), nn.Relu(), nn.Convolution(8, 3), nn.GlobalMeanPool(), nn.Dense(2)
    network = nn.Sequential(layers, ("one", "relu", "two", "pool", "output"))
    params, state = network.init(rng, Spec((1, 4, 4, 3), np.dtype(np.float32)))
    if spoils:
        params["two/weight"] = np.zeros_like(params["two/weight"])
    return likeness(network, First(params, state), "output", Held(x[order], y[order].astype(np.int32)), Reference())


def test_a_last_layer_that_tells_less_than_the_middle_is_unlike():
    same, other = looked(False), looked(True)
    assert same.is_similar
    assert same.last > 0.9
    assert not other.is_similar
    assert other.middle > 0.9
    assert other.last < 0.7
    assert "%" in str(other)


def test_of_too_few_nothing_is_told():
    few = Likeness(LEAST - 1, 0.0, 0.0, 0.0)
    assert few.is_similar
    assert "too few" in str(few)
