from trainings import history, layers, network

from preceptor import nn, ops
from preceptor.hyper import settings
from preceptor.nn.activation import Activation


@settings
class Centred(Activation):
    """Less the mean of the batch."""

    def __call__(self, x):
        return x - ops.mean(x, 0, keepdims=True)


@settings
class Reshaped(Activation):
    """A reshape across rows."""

    def __call__(self, x):
        return ops.transpose(ops.reshape(x, (x.shape[1], x.shape[0])))


@settings
class Turned(nn.SoftmaxCrossEntropy):
    """Reads class 0 where 9 was meant."""

    def predict(self, outputs):
        return ops.softmax(outputs[:, ::-1])


FIRES = [
    (
        "a mean over the batch",
        "batch_dependency",
        "warn",
        (),
        None,
        lambda rng: history(epochs=1, network=network(Centred)),
    ),
    ("a reshape", "batch_dependency", "warn", (), None, lambda rng: history(epochs=1, network=network(Reshaped))),
    ("classes in the wrong order", "metric_error", "warn", (), None, lambda rng: history(epochs=1, loss=Turned())),
]
NORM = layers(nn.Dense(32), nn.BatchNorm(), nn.Relu(), nn.Dropout(0.5), nn.Dense(10))
SILENT = [
    ("rows by themselves", None, lambda rng: history(epochs=1)),
    ("batch norm, which sees the batch in training alone", None, lambda rng: history(epochs=1, network=NORM)),
    *(
        (type(loss).__name__, None, lambda rng, loss=loss: history(epochs=1, loss=loss))
        for loss in (nn.Brier(), nn.OneVsAll(), nn.MulticlassHinge())
    ),
]
