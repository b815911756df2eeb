from trainings import history

from preceptor import nn


def _network(decay, drop=0.0):
    return nn.Sequential(
        (nn.Dense(64), nn.BatchNorm(decay), nn.Relu(), nn.Dropout(drop), nn.Dense(10)),
    )


FIRES = [
    (
        "averages that stand still",
        "train_eval_mode_mismatch",
        "warn",
        (),
        None,
        lambda rng: history(epochs=3, network=_network(1.0), scaled=lambda x: 8 * x),
    ),
]
SILENT = [
    ("as it should be", None, lambda rng: history(epochs=3, network=_network(0.9))),
    ("dropout", None, lambda rng: history(epochs=3, network=_network(0.9, 0.5))),
    ("no norm", None, lambda rng: history(epochs=2)),
    ("the first steps of slow averages", None, lambda rng: history(first=True, network=_network(0.99))),
]
