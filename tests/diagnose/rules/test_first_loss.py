from trainings import history, layers

from preceptor import nn


def _head(initialiser):
    return layers(nn.Dense(32), nn.Relu(), nn.Dense(10, initialiser=initialiser))


FIRES = [
    (
        "a loud last layer",
        "slow_start_init_loss",
        "warn",
        (),
        None,
        lambda rng: history(epochs=1, network=_head(nn.Gaussian(3.0))),
    )
]
NORM = layers(nn.BatchNorm(), nn.Dense(32), nn.Relu(), nn.Dense(10))
SILENT = [
    ("he", None, lambda rng: history(epochs=1)),
    ("0", None, lambda rng: history(epochs=1, network=_head(nn.Constant(0.0)))),
    ("behind a norm of large inputs", None, lambda rng: history(epochs=1, network=NORM, scaled=lambda x: 255 * x)),
]
