import numpy as np
from trainings import history, layers, network

from preceptor import nn, ops
from preceptor.hyper import settings


@settings
class Frozen(nn.Dense):
    """Does not learn."""

    def apply(self, params, state, x, *, train, key):
        held = {name: ops.stop_gradient(value) for name, value in params.items()}
        return super().apply(held, state, x, train=train, key=key)


@settings
class Forgetful(nn.Dense):
    """Has a bias that it does not add."""

    def init(self, rng, spec):
        params, state = super().init(rng, spec)
        return params | {"gain": np.ones(self.units, np.float32)}, state


def _behind(layer):
    return lambda rng: history(epochs=1, network=layers(layer, nn.Relu(), nn.Dense(10)))


FIRES = [
    ("held", "frozen_or_disconnected", "warn", (), None, _behind(Frozen(32))),
    ("never used", "frozen_or_disconnected", "warn", (), None, _behind(Forgetful(32))),
]
SILENT = [
    ("all learn", None, _behind(nn.Dense(32))),
    ("a last layer that begins at 0", None, lambda rng: history(epochs=1, network=_zero_head())),
    ("dead units", None, lambda rng: history(epochs=1, learning_rate=10.0)),
    ("zero weights", None, lambda rng: history(epochs=1, network=network(initialiser=nn.Constant(0.0)))),
]


def _zero_head():
    return layers(nn.Dense(32), nn.Relu(), nn.Dense(10, initialiser=nn.Constant(0.0)))
