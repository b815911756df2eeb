import numpy as np
import pytest

from preceptor.lab.digit_training import digits
from preceptor.lab.experiments.batches import SIZES, config_of, row_gradients
from preceptor.lab.following import follow


@pytest.fixture(scope="module")
def place():
    data = digits(600, 400, 0)
    config = config_of(15, 0.1, 2, 0)
    return config, {path: np.float64(values) for path, values in follow(config, data).params[-1].items()}, data


def by_hand(params, x, y):
    """One gradient for each row, in NumPy, flat by the order of the names."""
    w1, b1, w2, b2 = (params[f"{layer}/{kind}"] for layer in ("hidden1", "output") for kind in ("weight", "bias"))
    h = np.tanh(x @ w1 + b1)
    z = h @ w2 + b2
    p = np.exp(z - z.max(1, keepdims=True))
    dz = p / p.sum(1, keepdims=True) - np.eye(10)[y]
    da = dz @ w2.T * (1 - h * h)
    parts = [da, np.einsum("ri,rj->rij", x, da), dz, np.einsum("ri,rj->rij", h, dz)]
    return np.concatenate([each.reshape(len(x), -1) for each in parts], axis=1)


def test_gradients_of_rows_are_those_of_numpy(place):
    config, params, data = place
    assert sorted(params) == ["hidden1/bias", "hidden1/weight", "output/bias", "output/weight"]
    ours = row_gradients(config, params, data)
    np.testing.assert_allclose(ours, by_hand(params, data.x.astype(float), data.y), rtol=1e-9, atol=1e-12)


def test_noise_is_that_of_drawing_without_replacement(found, place):
    figures = found("batches")
    _, params, data = place
    rows = by_hand(params, data.x.astype(float), data.y)
    mean = rows.mean(0)
    one = np.sqrt(((rows - mean) ** 2).sum(1).mean()) / np.linalg.norm(mean)
    for place_, size in enumerate(SIZES):
        expected = one * np.sqrt((600 - size) / 599 / size)
        assert figures.theory[place_] == pytest.approx(expected, rel=1e-9, abs=1e-12)
        assert figures.noise[place_] == pytest.approx(expected, rel=0.15, abs=1e-9)
    assert figures.exponent == pytest.approx(-0.5, abs=0.05)
    assert figures.noise[-1] == pytest.approx(0, abs=1e-9)


def test_the_best_rate_grows_with_the_batch(found):
    figures = found("batches")
    assert figures.best(600) > figures.best(4)
    assert len(figures.curves["60"]) == figures.epochs
