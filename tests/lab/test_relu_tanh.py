from itertools import pairwise

import numpy as np
import torch
from sklearn.datasets import load_digits

from preceptor import nn
from preceptor.ops import Spec


def steps_of_torch(activation, gain, rate, seed):
    """Steps to 25 % training error of the same network in PyTorch."""
    generator = torch.Generator().manual_seed(seed)
    data = load_digits()
    order = torch.randperm(len(data.target), generator=generator)[:600]
    x, y = torch.tensor(data.data / 16, dtype=torch.float32)[order], torch.tensor(data.target)[order]
    widths = (64, 64, 64, 64, 10)
    layers = [torch.nn.Linear(a, b) for a, b in pairwise(widths)]
    for layer in layers:
        scale = (gain if layer.out_features > 10 else 1) / 8
        layer.weight.data = scale * torch.randn(layer.weight.shape, generator=generator)
        layer.bias.data.zero_()
    network = torch.nn.Sequential(*[part for layer in layers for part in (layer, activation())][:-1])
    optimiser = torch.optim.SGD(network.parameters(), rate)
    for step in range(1, 201):
        rows = torch.randint(len(y), (16,), generator=generator)
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(network(x[rows]), y[rows]).backward()
        optimiser.step()
        if step % 5 == 0 and (network(x).argmax(1) != y).float().mean() <= 0.25:
            return step
    return np.inf


def test_torch_finds_about_as_many_steps(found):
    figures = found("relu-tanh")
    kinds = {"ReLU": (torch.nn.ReLU, 2**0.5), "tanh": (torch.nn.Tanh, 1.0)}
    for kind, (activation, gain) in kinds.items():
        rate = (0.03, 0.1, 0.3)[figures.best(kind)]
        other = np.median([steps_of_torch(activation, gain, rate, seed) for seed in range(3)])
        assert other / 2 <= figures.count(kind) <= 2 * other
    assert np.isinf(steps_of_torch(torch.nn.Sigmoid, 1.0, 0.3, 0))
    assert np.isinf(figures.reached("sigmoid")).all()


def test_seeds_begin_differently_and_claims_say_what_was_found(found):
    figures = found("relu-tanh")
    spec = Spec((1, 64), np.dtype(np.float32))
    first, second = (nn.mlp((4,), 2).init(np.random.default_rng(seed), spec)[0] for seed in (0, 1))
    assert not np.array_equal(first["hidden1/weight"], second["hidden1/weight"])
    assert (figures.errors["ReLU"][:, 0] != figures.errors["ReLU"][:, 1]).any()
    ratio = figures.count("tanh") / figures.count("ReLU")
    assert [each.holds for each in figures.claims()] == [ratio >= 3, True]
