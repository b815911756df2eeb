from trainings import case, history, layers, number, watched

from preceptor import nn, ops
from preceptor.hyper import settings


@settings
class AcrossRows(nn.SoftmaxCrossEntropy):
    """Softmax along the rows in the place of the classes."""

    def __call__(self, outputs, target):
        right = ops.one_hot(target, outputs.shape[-1], outputs.dtype)
        return -ops.sum(right * ops.log_softmax(outputs, 0), 1)

    def predict(self, outputs):
        return ops.softmax(outputs, 0)


def _ending(*last, **changed):
    network = layers(nn.Dense(32), nn.Relu(), nn.Dense(10), *last)
    return lambda rng: watched(case(epochs=1, network=network, **changed))


def _one_unit(rng):
    return watched(number(layers(nn.Dense(16), nn.Relu(), nn.Dense(1), nn.Softmax()), epochs=1))


FIRES = [
    ("a softmax of one unit", "output_loss_mismatch", "warn", (), None, _one_unit),
    ("no probabilities", "output_loss_mismatch", "warn", (), None, _ending(loss=nn.ProbabilityCrossEntropy())),
    (
        "nor behind a ReLU",
        "output_loss_mismatch",
        "warn",
        (),
        None,
        _ending(nn.Relu(), loss=nn.ProbabilityCrossEntropy()),
    ),
    ("softmax along the wrong axis", "output_loss_mismatch", "warn", (), None, _ending(loss=AcrossRows())),
    ("a ReLU before a softmax", "output_loss_mismatch", "warn", (), None, _ending(nn.Relu())),
    ("a sigmoid before a softmax", "output_loss_mismatch", "warn", (), None, _ending(nn.Sigmoid())),
    ("softmax twice", "double_softmax", "warn", (), None, _ending(nn.Softmax())),
]
SILENT = [
    ("logits", None, _ending()),
    ("probabilities", None, _ending(nn.Softmax(), loss=nn.ProbabilityCrossEntropy())),
    ("a last layer that begins at 0", None, lambda rng: history(epochs=1, network=_zero_head())),
    ("one against all", None, _ending(loss=nn.OneVsAll())),
    ("margins", None, _ending(loss=nn.MulticlassHinge())),
    ("squared", None, _ending(loss=nn.Brier())),
    ("a number", None, lambda rng: watched(number(epochs=1))),
]


def _zero_head():
    return layers(nn.Dense(32), nn.Relu(), nn.Dense(10, initialiser=nn.Constant(0.0)))
