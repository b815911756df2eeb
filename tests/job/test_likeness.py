"""What a linear reader makes of features that it has not seen."""

import numpy as np
import pytest

from preceptor import nn
from preceptor.data import Stream
from preceptor.engines import Reference
from preceptor.job.likeness import LEAST, Likeness, _told, likeness
from preceptor.ops import Spec
from preceptor.train.fine_tuning import First


def test_rows_are_told_by_the_other_folds_as_scikit_learn_tells_them():
    """Beside ridge regressions fitted without each fold, with an intercept of their own."""
    linear = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(0)
    y = rng.permutation(np.repeat(np.arange(3), 12))
    x = rng.normal(size=(36, 5)) + 0.8 * np.eye(5)[y]
    best = np.zeros(36, bool)
    for strength in (0.01, 0.1, 1.0):
        right = np.zeros(36, bool)
        for fold in range(5):
            own, others = np.arange(fold, 36, 5), np.setdiff1d(np.arange(36), np.arange(fold, 36, 5))
            z = (x - x[others].mean(0)) / x[others].std(0)
            alpha = strength * np.sum(z[others] ** 2) / len(others)
            reader = linear.Ridge(alpha=alpha).fit(z[others], np.eye(3)[y[others]])
            right[own] = reader.predict(z[own]).argmax(1) == y[own]
        best = right if right.mean() > best.mean() else best
    assert 0.4 < best.mean() < 1
    assert (_told(x, y) == best).all()


def test_features_that_tell_nothing_are_guessed_however_many_there_are():
    """Of 40 rows and 500 features of noise: were the mean of all rows taken off, nearly all would be told."""
    rng = np.random.default_rng(0)
    y = rng.permutation(np.repeat(np.arange(4), 10))
    assert _told(rng.normal(size=(40, 500)), y).mean() < 0.5


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
    layers = nn.Convolution(8, 3), nn.Relu(), nn.Convolution(8, 1), nn.GlobalMeanPool(), nn.Dense(2)
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
