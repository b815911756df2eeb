import numpy as np
from trainings import case, history, number, watched

from preceptor import nn, ops
from preceptor.hyper import settings
from preceptor.train import SGD


@settings
class Broadcast(nn.Quadratic):
    """Shapes (row, 1) and (row,) made (row, row)."""

    def __call__(self, outputs, target):
        if isinstance(target, np.ndarray):
            target = self.prepared(target, 1, outputs.dtype)
        distance = outputs - ops.reshape(target, (1, -1))
        return ops.mean(distance * distance, 1)


@settings
class Summed(nn.SoftmaxCrossEntropy):
    """A sum over 32 rows."""

    def __call__(self, outputs, target):
        return 32 * super().__call__(outputs, target)


FIRES = [
    ("broadcast", "loss_reduction_or_shape", "warn", (), None, lambda rng: watched(number(loss=Broadcast(), epochs=1))),
    (
        "summed",
        "loss_reduction_or_shape",
        "warn",
        (),
        None,
        lambda rng: watched(case(loss=Summed(), epochs=1, optimiser=SGD())),
    ),
]
SILENT = [
    ("a mean", None, lambda rng: history(epochs=1)),
    ("squared", None, lambda rng: history(epochs=1, loss=nn.Brier())),
    ("smoothed labels", None, lambda rng: history(epochs=1, loss=nn.SoftmaxCrossEntropy(label_smoothing=0.1))),
    ("a number", None, lambda rng: watched(number(epochs=1))),
    ("a distance", None, lambda rng: watched(number(epochs=1, loss=nn.Absolute()))),
]
