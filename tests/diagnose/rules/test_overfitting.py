from trainings import told, verdict

from preceptor.diagnose.rules.overfitting import Overfitting
from preceptor.train import L2

LOSSES = [1 / (1 + step / 20) for step in range(300)]
BETTER, WORSE, WORST = verdict(0.10, 0.3), verdict(0.16, 0.5), verdict(0.16, 3.0, noise=1.0)
CONFIDENT, FEW = verdict(0.09, 0.5), [verdict(0.1, 0.3, rows=100), verdict(0.3, 0.6, rows=100)]
FALL = (0.5, 0.2, 0.1, 0.05)


def _of(*dev, train=FALL):
    return told(LOSSES, verdict(0.0, 0.05), dev[-1], dev, train)


START = verdict(0.3, 1.0)
FIRES = [
    ("more errors", "overfitting", "warn", (), None, lambda rng: _of(START, BETTER, WORSE, WORSE)),
    ("a loss above the constant's", "overfitting", "warn", (), None, lambda rng: _of(START, BETTER, WORSE, WORST)),
    ("fewer errors", "over_confident", "note", (), None, lambda rng: _of(START, BETTER, CONFIDENT, CONFIDENT)),
]
SILENT = [
    ("dev falls", None, lambda rng: _of(START, WORSE, BETTER, BETTER)),
    ("few dev rows", None, lambda rng: _of(*FEW, FEW[1], FEW[1])),
    ("both rise", None, lambda rng: _of(START, BETTER, WORSE, WORSE, train=(0.5, 0.2, 0.3, 0.4))),
]


def test_a_penalty_that_is_there_is_not_advised():
    few = {"rows": 50}
    known, held = (told(LOSSES, verdict(0.0), verdict(0.4), **few, **more) for more in ({}, {"penalties": (L2(1e-3),)}))
    assert next(Overfitting().check(known)).remedies[0].settings == {"l2": 1e-3}
    assert next(Overfitting().check(held)).remedies == ()
