import numpy as np
import pytest

from preceptor import nn
from preceptor.errors import ConfigError, ShapeError

ROWS = [
    (nn.Flatten(), (3, 2, 4, 2), (3, 16), 0, {}, [[[[1.0, 2.0], [3.0, 4.0]]]], [[1.0, 2.0, 3.0, 4.0]]),
    (nn.Flatten(), (3, 2), (3, 2), 0, {}, [[1.0, 2.0]], [[1.0, 2.0]]),
    (nn.Reshape((2, 2)), (3, 4), (3, 2, 2), 0, {}, [[1.0, 2.0, 3.0, 4.0]], [[[1.0, 2.0], [3.0, 4.0]]]),
    (nn.Permute((2, 1)), (3, 2, 4), (3, 4, 2), 0, {}, [[[1.0, 2.0], [3.0, 4.0]]], [[[1.0, 3.0], [2.0, 4.0]]]),
    (nn.ZeroPad(((1, 0), (0, 2))), (3, 2, 2), (3, 3, 4), 0, {}, [[[5.0]]], [[[0.0, 0.0, 0.0], [5.0, 0.0, 0.0]]]),
]


def test_an_empty_batch_keeps_its_features():
    assert nn.Flatten()(np.ones((0, 3, 4))).shape == (0, 12)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ShapeError, match=r"input has shape \(1, 3\); \(2, 2\) holds 4 features of each example"):
        nn.Reshape((2, 2))(np.ones((1, 3)))
    with pytest.raises(ShapeError, match=r"input has shape \(1, 3\); a batch and 2 axes are required"):
        nn.Permute((2, 1))(np.ones((1, 3)))
    with pytest.raises(ConfigError, match=r"axes is \(1, 1\); each of 1 to 2 must stand there once"):
        nn.Permute((1, 1))
