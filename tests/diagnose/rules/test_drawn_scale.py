from trainings import history, layers, network

from preceptor import nn

WIDTH = 128  # the course has 4,096 units: its deviations times the root of 4,096 / 128 do the same here
ROOT = (4096 / WIDTH) ** 0.5


def _of(made, scaled=lambda x: x):
    return lambda rng: history(rows=300, epochs=1, network=made, scaled=scaled)


def _standard(x):
    return (x - 0.3) / 0.37


def _tanh(sigma):
    return network(nn.Tanh, nn.Gaussian(sigma * ROOT), 6, WIDTH)


FIRES = [
    ("six layers of tanh, sigma 0.01", "bad_init_scale", "warn", (), None, _of(_tanh(0.01), _standard)),
    ("six layers of tanh, sigma 0.05", "bad_init_scale", "warn", (), None, _of(_tanh(0.05), _standard)),
    ("far too small", "bad_init_scale", "warn", (), None, _of(network(initialiser=nn.Gaussian(1e-4)))),
    ("far too large", "bad_init_scale", "warn", (), None, _of(network(initialiser=nn.Gaussian(2.0)))),
]
NORM = [layer for _ in range(4) for layer in (nn.Dense(64, initialiser=nn.Gaussian(1.0)), nn.BatchNorm(), nn.Relu())]
SILENT = [
    ("six layers of tanh by Xavier", None, _of(network(nn.Tanh, nn.Xavier(), 6, WIDTH), _standard)),
    ("six layers of ReLU by He", None, _of(network(depth=6))),
    ("by Glorot", None, _of(network(initialiser=nn.Glorot(), depth=3))),
    ("sigmoids", None, _of(network(nn.Sigmoid, nn.Glorot(), 3))),
    ("norms", None, _of(layers(*NORM, nn.Dense(10)))),
]
