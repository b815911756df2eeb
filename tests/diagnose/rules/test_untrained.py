from dataclasses import replace

import numpy as np
from trainings import case, history, network, watched

from preceptor import nn
from preceptor.diagnose.rules.untrained import Untrained
from preceptor.train import SGD


def _without_signal(rng):
    made = case(epochs=3)
    y = rng.permutation(made.data.y)
    return watched(replace(made, data=replace(made.data, y=y)))


def _number(rate=1e-3, epochs=6):
    made = case(epochs=epochs, network=network(outputs=1), loss=nn.Quadratic(), learning_rate=rate)
    data = replace(made.data, y=made.data.x @ np.ones(64) / 8, dev_y=made.data.dev_x @ np.ones(64) / 8)
    return watched(replace(made, data=data, classes=0))


FIRES = [
    (
        "a rate of nearly 0",
        "not_training",
        "warn",
        (),
        None,
        lambda rng: history(epochs=2, learning_rate=1e-7, optimiser=SGD()),
    ),
    ("labels shuffled", "no_signal", "warn", (), None, _without_signal),
    ("numbers, a rate far too large", "inputs_ignored", "warn", (), None, lambda rng: _number(3.0)),
]
SILENT = [
    ("as it should be", None, lambda rng: history(epochs=2)),
    ("a number as it should be", None, lambda rng: _number()),
    ("before the end nothing is said", None, lambda rng: history(epochs=8, first=True, learning_rate=1e-7)),
]


def test_where_hardly_a_weight_moved_a_smaller_rate_is_not_advised():
    slow = next(Untrained().check(history(epochs=2, learning_rate=1e-7, optimiser=SGD()))).remedies
    assert [each.settings["learning_rate"] for each in slow] == [1e-6, 1e-3, 1e-8]
    never = next(Untrained().check(history(epochs=2, learning_rate=0.0, optimiser=SGD()))).remedies
    assert [each.settings["learning_rate"] for each in never] == [1e-3]
    assert next(Untrained().check(_number(3.0))).remedies[0].settings == {"learning_rate": 0.3}
