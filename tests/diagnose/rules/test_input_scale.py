import numpy as np
from trainings import case, history, layers, watched

from preceptor import nn


def _with(scaled):
    return lambda rng: history(epochs=1, scaled=scaled)


def _column(factor):
    return lambda x: x * np.where(np.arange(64) == 20, factor, 1).astype(np.float32)


FIRES = [
    ("not divided by 255", "unscaled_inputs", "warn", (), None, _with(lambda x: 255 * x)),
    ("far from 0", "unscaled_inputs", "warn", (), None, _with(lambda x: x + 100)),
    ("one column on another scale", "unscaled_inputs", "warn", (), None, _with(_column(1e4))),
    ("divided twice", "double_scaled_or_constant", "warn", (), None, _with(lambda x: x / 255)),
    ("the same everywhere", "double_scaled_or_constant", "warn", (), None, _with(lambda x: 0 * x + 1)),
]


def _behind_a_norm(rng):
    network = layers(nn.BatchNorm(), nn.Dense(32), nn.Relu(), nn.Dense(10))
    return watched(case(epochs=1, network=network, scaled=lambda x: 255 * x))


SILENT = [
    ("between 0 and 1", None, lambda rng: history(epochs=1)),
    ("three times as large", None, _with(lambda x: 3 * x)),
    ("sparse columns", None, _with(lambda x: x * (x > 0.9))),
    ("large behind a norm", None, _behind_a_norm),
]
