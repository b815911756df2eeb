from dataclasses import replace

import numpy as np
from trainings import case, history, network, told, verdict

from preceptor.nn import Constant


def _rare(found, weights=()):
    """Class 9 with a 40th of the others' rows, and so many of its 50 dev rows found."""
    made = case(class_weights=weights)
    kept = (made.data.y != 9) | (np.random.default_rng(0).random(1300) < 0.025)
    made = replace(made, data=replace(made.data, x=made.data.x[kept], y=made.data.y[kept]))
    right = np.arange(500) % 10
    predicted = np.where((right == 9) & (np.arange(500) // 10 >= 50 * found), 1, right)
    judged = verdict(0.1, rows=500, predicted=predicted, right=right)
    return told([0.5] * 100, judged, judged, case_of=made)


FIRES = [
    ("a rare class", "class_imbalance", "warn", (), None, lambda rng: _rare(0.1)),
    (
        "all one class",
        "collapse_to_majority",
        "warn",
        (),
        None,
        lambda rng: history(epochs=1, network=network(initialiser=Constant(0.0)), learning_rate=1e-5),
    ),
]
SILENT = [
    ("as it should be", None, lambda rng: history(epochs=2)),
    ("rare, but found", None, lambda rng: _rare(0.9)),
    ("rare, and weighed", None, lambda rng: _rare(0.1, (1.0,) * 9 + (40.0,))),
]
