from trainings import history, layers, number, watched

from preceptor import nn


def _ending(*last, **changed):
    return lambda rng: watched(number(layers(nn.Dense(16), nn.Relu(), nn.Dense(1), *last), epochs=1, **changed))


FIRES = [
    ("a sigmoid for numbers around 0", "unreachable_targets", "warn", (), None, _ending(nn.Sigmoid())),
    ("a ReLU for numbers around 0", "unreachable_targets", "warn", (), None, _ending(nn.Relu())),
    ("a tanh for thousands", "unreachable_targets", "warn", (), None, _ending(nn.Tanh(), scale=1e3, shift=5e3)),
    ("thousands", "unscaled_targets", "warn", (), None, _ending(scale=1e3, shift=5e3)),
    ("far from 0", "unscaled_targets", "warn", (), None, _ending(shift=20.0)),
]
SILENT = [
    ("as it should be", None, _ending()),
    ("a sigmoid for shares", None, _ending(nn.Sigmoid(), scale=0.1, shift=0.5)),
    ("a softplus for what is above 0", None, _ending(nn.Softplus(), shift=4.0)),
    ("quantiles", None, lambda rng: watched(number(layers(nn.Dense(16), nn.Relu(), nn.Dense(3)), loss=nn.Pinball()))),
    ("classes", None, lambda rng: history(epochs=1)),
    ("a softmax of one unit, which is told otherwise", None, _ending(nn.Softmax())),
]
