import numpy as np
from trainings import told, verdict

HIGH, LOW = verdict(0.4, 1.5), verdict(0.01, 0.05)
EARLY = 1e-3 * np.exp(-np.arange(400) / 40)
COSINE = 5e-4 * (1 + np.cos(np.pi * np.arange(400) / 400))

FIRES = [
    ("early", "decay_too_early", "warn", (), None, lambda rng: told([1.5] * 400, HIGH, HIGH, rates=EARLY)),
]
SILENT = [
    ("constant", None, lambda rng: told([1.5] * 400, HIGH, HIGH)),
    ("a cosine", None, lambda rng: told([1.5] * 400, HIGH, HIGH, rates=COSINE)),
    ("early, but learned", None, lambda rng: told([0.1] * 400, LOW, LOW, rates=EARLY)),
    ("a slow rise", None, lambda rng: told([1.5] * 400, HIGH, HIGH, rates=1e-3 * np.arange(1, 401) / 400)),
]
