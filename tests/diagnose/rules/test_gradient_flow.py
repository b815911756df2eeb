import numpy as np
from trainings import history, network

from preceptor import nn
from preceptor.hyper import hyper, settings
from preceptor.nn.initialiser import Initialiser, drawn
from preceptor.train import SGD


@settings
class Turn(Initialiser):
    """A turn, times a factor."""

    factor: float = hyper(default=1.0)

    def draw(self, rng, shape):
        def draw(shape):
            return self.factor * np.linalg.qr(rng.standard_normal((max(shape), max(shape))))[0][: shape[0], : shape[1]]

        return drawn(rng, shape, draw)


def _deep(factor, depth=50):
    """The course's chain: a factor in each of 50 layers."""
    made = network(nn.Linear, Turn(factor), depth, 16)
    return lambda rng: history(rows=200, epochs=1, network=made, optimiser=SGD(), learning_rate=1e-12, first=True)


def _of(activation, initialiser, depth):
    return lambda rng: history(rows=300, epochs=1, network=network(activation, initialiser, depth))


FIRES = [
    ("0.9 in each of 50 layers", "vanishing_gradient", "warn", (), None, _deep(0.9)),
    ("1.5 in each of 50 layers", "exploding_gradient", "warn", (), None, _deep(1.5)),
    ("eight layers of sigmoids", "vanishing_gradient", "warn", (), None, _of(nn.Sigmoid, nn.Glorot(), 8)),
    ("large weights", "exploding_gradient", "warn", (), None, _of(nn.Relu, nn.Gaussian(0.6), 6)),
]
SILENT = [
    ("1 in each of 50 layers", None, _deep(1.0)),
    ("two layers of sigmoids", None, _of(nn.Sigmoid, nn.Glorot(), 2)),
    ("six layers of ReLU", None, _of(nn.Relu, nn.He(), 6)),
    ("ten layers of SELU", None, _of(nn.Selu, nn.Xavier(), 10)),
    ("learned by heart", None, lambda rng: history(rows=100, epochs=60)),
]
