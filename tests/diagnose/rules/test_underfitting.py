from trainings import history, network

from preceptor.train import SGD

FIRES = [
    ("one unit", "high_bias", "warn", (), None, lambda rng: history(epochs=3, network=network(width=1, depth=1))),
    ("a rate too small", "high_bias", "warn", (), None, lambda rng: history(epochs=3, optimiser=SGD())),
]
SILENT = [
    ("as it should be", None, lambda rng: history()),
    ("few rows, learned by heart", None, lambda rng: history(rows=100, epochs=40)),
]
