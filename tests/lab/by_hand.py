"""What tests of trainings on digits compute by themselves, in NumPy."""

import numpy as np

from preceptor.data import order
from preceptor.train.training import initial_values

SIZE = 20  # rows of a batch


def first_weights(config, data):
    return {path: np.float64(values) for path, values in initial_values(config, data)[0].items()}


def loss_and_gradient(w, config, data, step):
    """Of a network with one layer of ReLU units and a softmax, for the batch of a step."""
    at = order(config.seed, SIZE * step, SIZE, len(data.x)).astype(int)
    x, y = np.float64(data.x[at]), np.eye(10)[data.y[at]]
    a = x @ w["hidden1/weight"] + w["hidden1/bias"]
    h = np.maximum(a, 0)
    z = h @ w["output/weight"] + w["output/bias"]
    p = np.exp(z - z.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    dz = (p - y) / SIZE
    da = dz @ w["output/weight"].T * (a > 0)
    g = {"hidden1/weight": x.T @ da, "hidden1/bias": da.sum(0), "output/weight": h.T @ dz, "output/bias": dz.sum(0)}
    return -np.mean(np.sum(y * np.log(p), 1)), g
