import numpy as np
import pytest

from preceptor.data import order
from preceptor.lab.digit_training import course, digits
from preceptor.lab.experiments.adam_sgd import RATES, WAYS, config_of
from preceptor.train.training import initial_values


def by_hand(config, data, steps):
    """Losses of the first steps of Adam or of momentum with half a cosine, in NumPy."""
    w = {path: np.float64(values) for path, values in initial_values(config, data)[0].items()}
    mean, square = ({path: np.zeros_like(each) for path, each in w.items()} for _ in range(2))
    losses = []
    total = config.epochs * len(data.x) // 20
    for step in range(steps):
        at = order(config.seed, 20 * step, 20, len(data.x)).astype(int)
        x, y = np.float64(data.x[at]), np.eye(10)[data.y[at]]
        a = x @ w["hidden1/weight"] + w["hidden1/bias"]
        h = np.maximum(a, 0)
        z = h @ w["output/weight"] + w["output/bias"]
        p = np.exp(z - z.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        losses.append(-np.mean(np.sum(y * np.log(p), 1)))
        dz = (p - y) / 20
        da = dz @ w["output/weight"].T * (a > 0)
        g = {"hidden1/weight": x.T @ da, "hidden1/bias": da.sum(0), "output/weight": h.T @ dz, "output/bias": dz.sum(0)}
        for path, each in g.items():
            if type(config.optimiser).__name__ == "Adam":
                mean[path] = 0.9 * mean[path] + 0.1 * each
                square[path] = 0.999 * square[path] + 0.001 * each**2
                t = step + 1
                move = mean[path] / (1 - 0.9**t) / (np.sqrt(square[path] / (1 - 0.999**t)) + 1e-8)
                w[path] = w[path] - config.learning_rate * move
            else:
                rate = config.learning_rate * (1 + np.cos(np.pi * step / total)) / 2
                mean[path] = 0.9 * mean[path] - rate * each
                w[path] = w[path] + mean[path]
    return losses


@pytest.mark.parametrize("way, rate", [("Adam", 0.01), ("momentum and decay", 0.03)])
def test_the_losses_are_those_by_hand(way, rate):
    config, data = config_of(way, rate, 2, 0), digits(600, 400, 0)
    np.testing.assert_allclose(course(config, data).losses, by_hand(config, data, 60), rtol=2e-3)


def test_figures_have_every_rate_and_the_best_is_as_good_as_a_linear_model(found):
    figures = found("adam-sgd")
    for way in WAYS:
        assert figures.losses[way].shape == (len(RATES), 4)
        assert figures.errors[way][figures.best(way)].mean() < 0.1
        assert 1 <= figures.width(way) <= RATES[-1] / RATES[0]
    assert figures.losses["momentum"][-1].mean() > 1  # a rate of 3 is far too large
