from trainings import history, layers, network

from preceptor import nn


def _of(made, **changed):
    return lambda rng: history(epochs=1, network=made, **changed)


FIRES = [
    ("no activation", "linear_network", "warn", (), None, _of(network(nn.Linear))),
    ("none behind the first", "linear_network", "warn", (), None, _of(network(nn.Linear, depth=3))),
    ("hidden softmax", "wrong_hidden_activation", "warn", (), None, _of(network(nn.Softmax))),
    ("hidden exponential", "wrong_hidden_activation", "warn", (), None, _of(network(nn.Exponential))),
]
SOFTMAX = layers(nn.Dense(32), nn.Relu(), nn.Dense(10), nn.Softmax())
SILENT = [
    ("relu", None, _of(network())),
    ("sigmoid", None, _of(network(nn.Sigmoid, depth=6))),
    ("logistic regression", None, _of(layers(nn.Dense(10)))),
    ("inputs near 0", None, _of(network(), scaled=lambda x: x / 1000)),
    ("softmax at the output", None, _of(SOFTMAX, loss=nn.ProbabilityCrossEntropy())),
]
