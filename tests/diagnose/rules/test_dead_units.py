from trainings import history, network

from preceptor import nn

FIRES = [
    ("a rate far too large", "dead_relu", "warn", (), None, lambda rng: history(epochs=2, learning_rate=0.1)),
    (
        "weights far too large",
        "saturated_units",
        "warn",
        (),
        None,
        lambda rng: history(epochs=1, network=network(nn.Tanh, nn.Gaussian(10.0), 3)),
    ),
]
SILENT = [
    ("relu", None, lambda rng: history(epochs=2)),
    ("tanh", None, lambda rng: history(epochs=2, network=network(nn.Tanh))),
]
