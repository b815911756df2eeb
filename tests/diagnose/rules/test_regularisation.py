from trainings import history, network, told, verdict

from preceptor import nn
from preceptor.train import L2

HIGH, LOW = verdict(0.4, 1.5), verdict(0.01, 0.05)
DROPS = nn.Sequential((nn.Dense(64), nn.Relu(), nn.Dropout(0.9), nn.Dense(10)))

FIRES = [
    (
        "a penalty",
        "over_regularised",
        "warn",
        (),
        None,
        lambda rng: history(epochs=3, penalties=(L2(1.0),)),
    ),
    ("dropout", "over_regularised", "warn", (), None, lambda rng: told([1.0] * 50, HIGH, HIGH, network=DROPS)),
]
SILENT = [
    ("none", None, lambda rng: told([1.0] * 50, HIGH, HIGH, network=network())),
    ("a small penalty", None, lambda rng: history(epochs=8, penalties=(L2(1e-4),))),
    ("dropout that works", None, lambda rng: told([1.0] * 50, LOW, LOW, network=DROPS)),
    ("what is left is variance", None, lambda rng: told([1.0] * 50, verdict(0.05), HIGH, network=DROPS)),
]
