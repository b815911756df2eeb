import numpy as np
import pytest
import torch

from preceptor.errors import ConfigError
from preceptor.lab.digit_training import digits
from preceptor.lab.experiments.own_rates import ROWS, WAYS, config_of, layer_weights, own_rates
from preceptor.train.training import initial_values


def _by_pytorch(seed=0):
    """The weights, and the gradients of the loss of all rows by them."""
    data = digits(ROWS, 400, seed)
    params = initial_values(config_of("SGD", 0.3, ROWS, 1, seed), data)[0]
    weights = [torch.tensor(each, requires_grad=True) for each in layer_weights(params)]
    x = torch.tensor(data.x.astype(np.float64))
    for number, weight in enumerate(weights):
        x = x @ weight
        x = torch.tanh(x) if number < len(weights) - 1 else x
    torch.nn.functional.cross_entropy(x, torch.tensor(data.y)).backward()
    return [each.detach().numpy() for each in weights], [each.grad.numpy() for each in weights]


def _share(move, weight):
    return np.linalg.norm(move) / np.linalg.norm(weight)


def test_first_moves_are_those_of_the_gradients_of_pytorch(found):
    figures = found("own-rates")
    weights, gradients = _by_pytorch()
    pairs = list(zip(gradients, weights, strict=True))
    np.testing.assert_allclose(figures.gradients, [_share(g, w) for g, w in pairs], rtol=1e-3)
    middle = {way: rates[len(rates) // 2] for way, (_, _, rates) in WAYS.items()}
    np.testing.assert_allclose(figures.moves["SGD"], [middle["SGD"] * _share(g, w) for g, w in pairs], rtol=1e-3)
    np.testing.assert_allclose(figures.moves["LARS"], middle["LARS"], rtol=1e-4)
    np.testing.assert_allclose(figures.moves["LAMB"], middle["LAMB"], rtol=1e-4)
    signs = [_share(np.sign(g), w) for g, w in pairs]  # whatever the size of a gradient, at first
    np.testing.assert_allclose(figures.moves["Adagrad"], [middle["Adagrad"] * each for each in signs], rtol=0.02)
    ratios = figures.moves["RMSProp"] / np.array(signs)
    assert ratios.max() / ratios.min() < 1.03


def test_what_is_claimed(found):
    figures = found("own-rates")
    held = {each.source: each.holds for each in figures.claims()}
    assert held["C:704"]
    assert held["C:702"] == (max(figures.spread("Adagrad"), figures.spread("RMSProp")) < figures.spread("SGD"))
    large = {way: each[1].mean(1).min() for way, each in figures.losses.items()}
    assert held["D:633"] == bool(min(large["LARS"], large["LAMB"]) < large["SGD"])
    with pytest.raises(ConfigError, match="received epochs 0 and seeds 2; at least 1"):
        own_rates(epochs=0)
