from dataclasses import replace

import numpy as np
from sklearn.datasets import make_moons
from trainings import case, history, network, watched

from preceptor.train import Arrays


def _relabelled(share, both=False, pair=False):
    """So many labels drawn again, in the training part or in both, or class 0 called 1."""
    made, rng = case(epochs=2), np.random.default_rng(0)

    def drawn(y):
        wrong = rng.random(len(y)) < share
        return np.where(wrong & (y == 0), 1, y) if pair else np.where(wrong, rng.integers(0, 10, len(y)), y)

    data = made.data
    return watched(replace(made, data=replace(data, y=drawn(data.y), dev_y=drawn(data.dev_y) if both else data.dev_y)))


FIRES = [
    ("half of them drawn again", "label_problem", "warn", (), None, lambda rng: _relabelled(0.5)),
    ("in both parts", "label_problem", "warn", (), None, lambda rng: _relabelled(0.5, both=True)),
    ("one class called another", "label_problem", "warn", (), None, lambda rng: _relabelled(0.6, pair=True)),
]


def _moons(share):
    """Two classes that lie within each other; so many rows of the one called the other, of the training part."""
    made, rng = case(epochs=2), np.random.default_rng(0)
    x, y = make_moons(1600, noise=0.15, random_state=0)
    x, own = x.astype(np.float32), np.where((y == 0) & (rng.random(len(y)) < share), 1, y)
    data = Arrays(x[:1000], own[:1000], x[1000:], y[1000:])
    return watched(replace(made, data=data, classes=2, config=replace(made.config, network=network(outputs=2))))


FIRES.append(("one of two classes", "label_problem", "warn", (), None, lambda rng: _moons(0.7)))
SILENT = [
    ("two classes", None, lambda rng: _moons(0.0)),
    ("as it should be", None, lambda rng: history(epochs=2)),
    ("a hundredth of them", None, lambda rng: _relabelled(0.01)),
    ("a rate too small", None, lambda rng: history(epochs=1, learning_rate=1e-6)),
]
