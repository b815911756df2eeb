import numpy as np
from trainings import history, told, verdict

STEP = np.arange(400)
GOOD, HALF = verdict(0.0, 0.01), verdict(0.3, 1.0)
FALLS = [verdict(0.4, 1.2, seed=1), verdict(0.35, 1.1, seed=1), HALF]

FIRES = [
    (
        "broken off",
        "not_converged_yet",
        "warn",
        (),
        None,
        lambda rng: told(2.3 - STEP / 220 + 0.1 * rng.normal(size=400), HALF, HALF, FALLS),
    ),
]
SILENT = [
    ("as it should be", None, lambda rng: history()),
    ("at its floor", None, lambda rng: told(2.3 * np.exp(-STEP / 30) + 0.001, GOOD, GOOD, [HALF, GOOD, GOOD])),
    (
        "dev rises",
        None,
        lambda rng: told(2.3 - STEP / 220, HALF, HALF, [FALLS[2], FALLS[1], FALLS[0]]),
    ),
    (
        "the rate was taken to 0",
        None,
        lambda rng: told(2.3 - STEP / 220, HALF, HALF, FALLS, rates=1e-3 * (1 - STEP / 400)),
    ),
]
