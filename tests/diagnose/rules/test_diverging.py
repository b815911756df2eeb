import numpy as np
from trainings import history, told

from preceptor.train import SGD

FALLING = np.exp(-np.arange(300) / 60)
UP = np.concatenate([2.3 * FALLING, 0.02 * np.exp(np.arange(300) / 45)])
BUMP = np.concatenate([2.3 * FALLING, np.linspace(0.1, 9, 60), np.linspace(9, 0.05, 240)])

FIRES = [
    ("falls, then grows", "diverging", "warn", (), None, lambda rng: told(UP)),
    (
        "steps far too large",
        "diverging",
        "warn",
        (),
        None,
        lambda rng: history(epochs=4, learning_rate=30.0, optimiser=SGD()),
    ),
]
SILENT = [
    ("as it should be", None, lambda rng: history(epochs=2)),
    ("a bump that recovers", None, lambda rng: told(BUMP)),
    ("large at first", None, lambda rng: told(50 * FALLING + 0.1)),
    ("noise about the baseline", None, lambda rng: told(2.3 + 0.3 * rng.normal(size=600))),
]
