import numpy as np
from trainings import told, verdict

HIGH, LOW = verdict(0.4, 1.5), verdict(0.01, 0.05)

FIRES = [
    (
        "to and fro",
        "noisy_or_oscillating",
        "warn",
        (),
        None,
        lambda rng: told(1.5 + 0.8 * rng.normal(size=400), HIGH, HIGH, batch_size=4),
    ),
]
SILENT = [
    ("noisy, but falling", None, lambda rng: told(np.linspace(3, 1, 400) + 0.5 * rng.normal(size=400), HIGH, HIGH)),
    ("steady", None, lambda rng: told(1.5 + 0.1 * rng.normal(size=400), HIGH, HIGH)),
    ("noise about nothing", None, lambda rng: told(0.02 + 0.01 * rng.normal(size=400), LOW, LOW)),
]
