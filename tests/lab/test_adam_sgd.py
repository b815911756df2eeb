import numpy as np
import pytest
from by_hand import first_weights, loss_and_gradient

from preceptor.lab.digit_training import course, digits
from preceptor.lab.experiments.adam_sgd import RATES, WAYS, config_of


def by_hand(config, data, steps):
    """Losses of the first steps of Adam or of momentum with half a cosine, in NumPy."""
    w = first_weights(config, data)
    mean, square = ({path: np.zeros_like(each) for path, each in w.items()} for _ in range(2))
    losses = []
    total = config.epochs * len(data.x) // 20
    for step in range(steps):
        loss, g = loss_and_gradient(w, config, data, step)
        losses.append(loss)
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
