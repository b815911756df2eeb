"""Nothing of a row, nor of others of its fold, reaches what judges it."""

import numpy as np
import pytest

import preceptor as pr
from preceptor import nn
from preceptor.job import make_settings, prepare

ROWS = 400
RNG = np.random.default_rng(12)
WORDS = np.array(["oak", "elm", "ash", "fir", "yew", "bay", "fig", "box"])
# What tells each row from all others, or all but one: who learns from a row may have its target by heart.
GIVEN = {
    "row": np.arange(ROWS, dtype=float),
    "name": np.array([f"n{copy}" for copy in RNG.permutation(np.repeat(np.arange(ROWS // 2), 2))], object),
    "note": np.array([" ".join(RNG.choice(WORDS, 6)) for _ in range(ROWS)], object),
    **{f"x{number}": RNG.normal(size=ROWS) for number in range(6)},
}


@pytest.mark.parametrize("more", [{}, {"folds": 4, "members": 16, "waves": 2}, {"ensemble": 2, "folds": 8}])
def test_a_fold_s_targets_change_nothing_of_the_members_that_judge_it(more):
    """The targets of the first fold change places among its rows: to its members nothing has happened."""
    target, outputs = RNG.normal(size=ROWS), []
    for _ in range(2):
        settings = make_settings({"target": "y", "epochs": 1, "engine": "native", "batch_size": 16, **more})
        fitting = prepare(GIVEN | {"y": target}, settings)
        data = fitting.data
        for _ in fitting.records():
            pass
        run = fitting.finish()
        first = run.network.network if isinstance(run.network, nn.Ensemble) else run.network
        assert isinstance(first, nn.Committee)
        outputs.append(np.asarray(run.network.apply(run.params, run.state, data.x, train=False, key=None)[0]))
        rows = np.flatnonzero(data.folds.fold == 0)
        target = target.copy()
        target[rows] = target[np.roll(rows, 1)]
    moved = np.abs(outputs[1] - outputs[0]).max((0, 2))
    judges = np.arange(len(moved)) % data.folds.count == 0
    np.testing.assert_allclose(moved[judges], 0, atol=1e-5)
    assert (moved[~judges] > 1e-3).all()


def test_of_noise_nothing_is_told():
    """Over draws of the targets the best epoch, shares, temperature and threshold make no more than 0.02 of it."""
    number, kind = [], []
    for draw in range(4):
        rng = np.random.default_rng(draw)
        run = pr.fit(GIVEN | {"y": rng.normal(size=ROWS)}, "y", engine="native", epochs=4)
        number.append(run.dev["r2"].value)
        labels = rng.permutation(np.array(["no", "yes"] * (ROWS // 2), object))
        run = pr.fit(GIVEN | {"y": labels}, "y", engine="native", epochs=4, metric="balanced-accuracy")
        kind.append([run.dev[name].value for name in ("balanced_accuracy", "auc", "log_loss")])
    error = 0.5 / np.sqrt(4 * ROWS)
    assert -0.2 < np.mean(number) < 0.02
    for found in np.mean(kind, 0)[:2]:
        assert 0.5 - 3 * error < found < 0.52 + 3 * error
    assert np.mean(kind, 0)[2] > np.log(2) - 0.01
