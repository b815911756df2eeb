import numpy as np

from preceptor import nn
from preceptor.diagnose.facts import Facts
from preceptor.diagnose.records import Records, read_records

STEPS = 300
FALL = 2.3 / (1 + np.arange(STEPS) / 20)


def _of(losses, dev=(), errors=None, constant=None):
    """Records of some losses, with dev losses evenly among them."""
    records = [{"loss": float(loss)} for loss in losses]
    for number, loss in enumerate(dev, 1):
        at = number * len(losses) // len(dev) - 1
        records[at] |= {"dev_loss": loss, "step": at + 1}
        if errors is not None:
            records[at]["dev_error"] = errors[number - 1]
    return Records(read_records(records), Facts(constant_loss=constant))


def _flat(rng):
    return 2.3 + 0.1 * rng.normal(size=STEPS)


BENT = np.concatenate([FALL[:120], np.linspace(FALL[119], 1.0, STEPS - 120)])


def _classes(end, lowest, error=0.05):
    """Records of ten classes that end in a layer, with losses that fall to a lowest one."""
    losses = lowest + (2.3 - lowest) * np.exp(-np.arange(STEPS) / 30)
    records = [*({"loss": float(loss)} for loss in losses), {"step": STEPS, "train_error": error}]
    layers = {"dense": nn.Dense(10), "end": end}
    return Records(read_records(records), Facts(class_counts=(100,) * 10, constant_loss=np.log(10), layers=layers))


RISES, MORE, FEWER = (1.0, 0.5, 0.6, 0.8, 0.9), (0.4, 0.2, 0.25, 0.3, 0.3), (0.4, 0.2, 0.2, 0.2, 0.2)
FIRES = [
    ("above a constant's", "not_training", "warn", (), None, lambda rng: _of(_flat(rng), constant=2.3)),
    ("as it began", "not_training", "warn", (), None, lambda rng: _of(_flat(rng))),
    ("dev rises", "overfitting", "warn", (), None, lambda rng: _of(FALL, RISES)),
    ("and errors are more", "overfitting", "warn", (), None, lambda rng: _of(FALL, RISES, MORE)),
    ("and errors are not", "over_confident", "note", (), None, lambda rng: _of(FALL, RISES, FEWER)),
    ("softmax twice", "double_softmax", "warn", (), None, lambda rng: _classes(nn.Softmax(), 1.47)),
    ("above a constant's again", "overfitting", "warn", (), None, lambda rng: _of(FALL, RISES, FEWER, 0.7)),
]
SILENT = [
    ("it falls", None, lambda rng: _of(FALL, constant=2.3)),
    ("it falls a little", None, lambda rng: _of(_flat(rng) - np.linspace(0, 0.5, STEPS))),
    ("dev falls", None, lambda rng: _of(FALL, RISES[::-1])),
    ("dev leaps once", None, lambda rng: _of(FALL, (1.0, 0.5, 0.5, 0.5, 0.9))),
    ("both rise", None, lambda rng: _of(BENT, RISES)),
    ("a loss of probabilities", None, lambda rng: _classes(nn.Softmax(), 1.4)),
    ("no softmax", None, lambda rng: _classes(nn.Relu(), 1.47)),
    ("many errors", None, lambda rng: _classes(nn.Softmax(), 1.47, 0.6)),
    ("dev is not finite", None, lambda rng: _of(FALL, (*RISES, np.inf))),
]
