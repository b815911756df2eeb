"""The rows nearest to a row."""

import numpy as np
from sklearn.neighbors import NearestNeighbors

from preceptor.diagnose import neighbours


def test_the_nearest_rows_are_scikit_learns(monkeypatch):
    monkeypatch.setattr(neighbours, "AT_ONCE", 30)
    rng = np.random.default_rng(0)
    learned, asked = rng.normal(size=(200, 5)).astype(np.float32), rng.normal(size=(70, 5)).astype(np.float32)
    peer = NearestNeighbors(n_neighbors=10).fit(learned)
    np.testing.assert_array_equal(np.sort(neighbours.nearest(asked, learned)), np.sort(peer.kneighbors(asked)[1]))
    own = neighbours.nearest(learned, learned, np.arange(200))
    np.testing.assert_array_equal(np.sort(own), np.sort(peer.kneighbors()[1]))


def test_labels_among_others_give_way():
    rng = np.random.default_rng(0)
    right = np.repeat([0, 1], 100)
    x = right[:, None] * 10 + rng.normal(size=(200, 2))
    y = right.copy()
    y[[3, 4, 150]] = 1 - y[[3, 4, 150]]
    np.testing.assert_array_equal(neighbours.agreed(x, y, 2), right)
