import numpy as np

from preceptor import nn

ROWS = [
    (nn.Flatten(), (3, 2, 4, 2), (3, 16), 0, {}, [[[[1.0, 2.0], [3.0, 4.0]]]], [[1.0, 2.0, 3.0, 4.0]]),
    (nn.Flatten(), (3, 2), (3, 2), 0, {}, [[1.0, 2.0]], [[1.0, 2.0]]),
]


def test_an_empty_batch_keeps_its_features():
    assert nn.Flatten()(np.ones((0, 3, 4))).shape == (0, 12)
