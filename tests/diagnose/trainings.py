"""Small trainings on scikit-learn's digits for the rules of training: healthy as they are, sick by one change."""

from functools import cache

import numpy as np
from sklearn.datasets import load_digits

from preceptor import nn
from preceptor.diagnose.case import Case, Verdict
from preceptor.diagnose.doctor import Doctor
from preceptor.diagnose.figures import Epoch
from preceptor.diagnose.history import History
from preceptor.engines import choose_engine
from preceptor.train import Adam, Arrays, Config, train


@cache
def _digits():
    x, y = load_digits(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(x))
    return (x[rows] / 16).astype(np.float32), y[rows]


def network(activation=nn.Relu, initialiser=None, depth=2, width=64, outputs=10):
    """A plain network."""
    own = {} if initialiser is None else {"initialiser": initialiser}
    layers = [layer for _ in range(depth) for layer in (nn.Dense(width, **own), activation())]
    return nn.Sequential((*layers, nn.Dense(outputs)))


def case(rows=1300, epochs=8, engine="native", scaled=lambda x: x, **changed):
    """A training on digits that goes well unless something is changed."""
    x, y = _digits()
    data = Arrays(scaled(x[:rows]), y[:rows], scaled(x[1300:]), y[1300:])
    given = {"network": network(), "loss": nn.SoftmaxCrossEntropy(), "optimiser": Adam(), "learning_rate": 1e-3}
    return Case(Config(**(given | changed), epochs=epochs, engine=choose_engine(engine)), data, 10)


@cache
def history(*args, first=False, **changed):
    """The history of such a training without forks, up to its end or to the first milestone."""
    return watched(case(*args, **changed), first)


def watched(made, first=False):
    """As `history`, of a case."""
    doctor = Doctor(made, budget=0)
    for record in train(made.config, made.data):
        doctor.look(record)
        if not record.is_finite or (first and doctor.history.probes):
            break
    return doctor.history


def number(network=None, rows=600, epochs=8, scale=1.0, shift=0.0, **changed):
    """A training on a number that goes well unless something is changed."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows + 300, 5)).astype(np.float32)
    y = np.sin(x[:, 0]) + 0.5 * x[:, 1] * x[:, 2] + 0.1 * rng.normal(size=len(x))
    y = (scale * y + shift).astype(np.float32)
    network = network or nn.Sequential((nn.Dense(32), nn.Relu(), nn.Dense(1)))
    given = {"network": network, "loss": nn.Quadratic(), "optimiser": Adam(), "learning_rate": 3e-3} | changed
    config = Config(**given, epochs=epochs, engine=choose_engine("native"))
    return Case(config, Arrays(x[:rows], y[:rows], x[rows:], y[rows:]), 0)


def layers(*each):
    """Layers one after the other."""
    return nn.Sequential(each)


def verdict(error, loss=0.5, rows=497, classes=10, seed=0, noise=0.1, predicted=None, right=None):
    """A verdict on made-up rows: so many errors, spread evenly, and losses about a mean."""
    rng = np.random.default_rng(seed)
    errors = (np.arange(rows) % 100 < 100 * error).astype(float)
    own = np.arange(rows) % classes if right is None else right
    said = np.where(errors > 0, (own + 1) % classes, own) if predicted is None else predicted
    return Verdict(loss + noise * rng.normal(size=rows), errors, said, own)


def told(losses, taught=None, judged=None, dev=(), train=(), rates=None, steps=None, case_of=None, **changed):
    """A history of made-up figures, of digits.

    Args:
        dev: verdicts, one an epoch; train: training losses outside training.
    """
    made = case_of or case(**changed)
    known = History(made, len(losses) if steps is None else steps, list(losses))
    known.rates = [made.config.learning_rate] * len(losses) if rates is None else list(rates)
    count = max(len(dev), len(train))
    for number in range(count):
        own = dev[number] if number < len(dev) else None
        step = (number + 1) * len(losses) // count
        loss = train[number] if number < len(train) else None
        known.epochs.append(Epoch(step, loss, None if own is None else own.loss, own))
    known.taught, known.judged = taught, judged
    return known
