from trainings import history, network

from preceptor import nn

FIRES = [
    (
        "zero weights",
        "zero_or_symmetric_weights",
        "warn",
        (),
        None,
        lambda rng: history(epochs=1, network=network(initialiser=nn.Constant(0.0))),
    ),
    (
        "equal weights",
        "zero_or_symmetric_weights",
        "warn",
        (),
        None,
        lambda rng: history(epochs=1, network=network(initialiser=nn.Constant(0.1))),
    ),
]
SILENT = [
    ("drawn", None, lambda rng: history(epochs=1)),
    ("one unit", None, lambda rng: history(epochs=1, network=network(width=1))),
]
