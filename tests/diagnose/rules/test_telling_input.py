from dataclasses import replace

import numpy as np
from trainings import case, history, number, watched

from preceptor import nn

NUMBER = nn.Sequential((nn.Dense(32), nn.Relu(), nn.Dense(1)))


def _beside(made, noise):
    """The training with the target as one more column, off by so much of its deviation."""
    data, rng = made.data, np.random.default_rng(0)

    def given(x, y):
        own = (y == 3 if made.classes else y).astype(np.float32)
        own = np.asarray(y, np.float32) if noise == 0 and made.classes else own
        return np.concatenate([x, (own + noise * own.std() * rng.normal(size=len(y)))[:, None]], 1).astype(np.float32)

    data = replace(data, x=given(data.x, data.y), dev_x=given(data.dev_x, data.dev_y))
    return watched(replace(made, data=data))


FIRES = [
    ("the class", "data_leak", "warn", (), None, lambda rng: _beside(case(epochs=1), 0.0)),
    ("whether it is one class", "data_leak", "warn", (), None, lambda rng: _beside(case(epochs=1), 0.01)),
    ("the number, nearly", "data_leak", "warn", (), None, lambda rng: _beside(number(NUMBER, epochs=1), 0.05)),
]
SILENT = [
    ("none does", None, lambda rng: history(epochs=1)),
    ("one that tells much", None, lambda rng: _beside(number(NUMBER, epochs=1), 0.5)),
]
