import numpy as np
import pytest

from preceptor.pretext.telling import explained, share_found, share_right


def test_explained_is_the_coefficient_of_determination_of_what_was_hidden():
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is the reference here")
    rng = np.random.default_rng(0)
    truth = rng.normal(1, 2, (400, 6))
    told, mask = truth + rng.normal(0, 1, truth.shape), (rng.random(truth.shape) < 0.4).astype(float)
    figure = explained(told, truth, mask)["explained"]
    hidden = mask > 0
    assert figure == pytest.approx(metrics.r2_score(truth[hidden], told[hidden]), abs=1e-12)
    assert figure.low < figure < figure.high
    assert figure.rows == 400
    middle = np.full_like(truth, truth[hidden].mean())
    assert explained(middle, truth, mask)["explained"] == pytest.approx(0, abs=1e-12)


def test_its_interval_holds_what_endlessly_many_rows_would_say():
    """Noise of variance 1 on numbers of variance 4: 3/4 is told; of 200 draws some 190 intervals hold it."""
    rng, held = np.random.default_rng(1), 0
    for _ in range(200):
        truth = rng.normal(0, 2, (150, 4))
        figure = explained(truth + rng.normal(size=truth.shape), truth, np.ones_like(truth))["explained"]
        held += figure.low <= 0.75 <= figure.high
    assert 180 <= held <= 199


def test_shares_by_hand():
    right, y = np.array([[True, False], [True, True]]), np.array([[3, 3], [3, 1]])
    found = share_right(right, y)
    assert (float(found["accuracy"]), float(found["most_frequent"])) == (0.75, 0.75)
    views = np.array([[[1.0, 0.0], [0.8, 0.6]], [[0.0, 1.0], [0.6, 0.8]]])  # the second views are each other's nearest
    assert share_found(views, 2)["found"] == pytest.approx(0.5)
    assert share_found(views, 1)["found"] == 1.0  # a picture alone has its partner only
