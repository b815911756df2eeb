from dataclasses import replace

import numpy as np
from trainings import case, history, watched


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
SILENT = [
    ("as it should be", None, lambda rng: history(epochs=2)),
    ("a hundredth of them", None, lambda rng: _relabelled(0.01)),
    ("a rate too small", None, lambda rng: history(epochs=1, learning_rate=1e-6)),
]
