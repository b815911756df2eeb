"""Folds: which member learns from which row, and who judges it."""

import numpy as np
import pytest
from sklearn.model_selection import StratifiedGroupKFold

import preceptor as pr
from preceptor import nn
from preceptor.data import draw_folds
from preceptor.engines import Native, Reference, Xla
from preceptor.errors import DataError
from preceptor.train import Adam, Arrays, Config, train
from preceptor.train.folds import Folds
from preceptor.train.out_of_fold import OutOfFold

RNG = np.random.default_rng(0)


def test_weights_are_those_of_a_mean_over_the_rows_learned_from():
    folds = Folds(np.array([0, 1, 2, 0, 1, 0], np.int32), 3, 6)
    weights = folds.weights()
    assert weights.shape == (3, 6)
    for member in range(6):
        own = weights[folds.fold, member]
        assert ((own == 0) == (folds.fold == member % 3)).all()
        values = RNG.normal(size=6)
        np.testing.assert_allclose((own * values).mean(), values[own > 0].mean(), rtol=1e-6)


@pytest.mark.parametrize("learned", [True, False])
@pytest.mark.parametrize(
    "network, count, members",
    [
        (nn.mlp((5,), 2, members=8, waves=3, numbers=(0, 1), batch_norm=True), 4, 8),
        (nn.mlp((5,), 2, members=8, waves=3, numbers=(0, 1), edges=((-1, 0, 1), (0, 1))), 4, 8),
        (nn.mlp((5,), 2, members=6, levels=((2,), (7,)), numbers=(0,), edges=((-1, 0, 1),)), 2, 6),
        (nn.Ensemble(nn.mlp((5,), 2), 4), 4, 4),
        (nn.Ensemble(nn.mlp((5,), 2, members=2, numbers=(0,), edges=((-1, 0, 1),)), 3), 3, 6),
    ],
)
def test_a_row_is_judged_by_those_that_left_it_out_and_by_nobody_else(network, count, members, learned):
    x = RNG.normal(size=(30, 3))
    x[:, 2] = RNG.integers(0, 7, 30)
    params, state = network.init(RNG, pr.Spec((1, 3), np.dtype(np.float64)))
    folds, rows = Folds(draw_folds(30, count), count, members), np.sort(RNG.permutation(30)[:22])
    every = np.asarray(network.apply(params, state, x[rows], train=False, key=None)[0])
    judge = OutOfFold(network, Reference("f64"), x[rows], rows, folds, learned)
    held, others = judge({"params": params, "state": state})
    assert len(others) == (len(rows) if learned else 0)
    for number, fold in enumerate(folds.fold[rows]):
        np.testing.assert_allclose(held[number], every[number, fold::count], rtol=1e-12)
        np.testing.assert_array_equal(folds.held_out(every, rows)[number], every[number, fold::count])
        if learned:
            np.testing.assert_allclose(others[number], every[number, (fold + 1) % count :: count], rtol=1e-12)


@pytest.mark.parametrize("rows, classes, count", [(200, 3, 8), (97, 2, 5), (40, 12, 4), (16, 16, 8)])
def test_folds_share_out_each_class(rows, classes, count):
    """Within one row, as scikit-learn's StratifiedKFold promises."""
    labels = RNG.integers(0, classes, rows)
    fold = draw_folds(rows, count, seed=3, labels=labels)
    assert np.ptp(np.bincount(fold, minlength=count)) <= 1
    for each in range(classes):
        assert np.ptp(np.bincount(fold[labels == each], minlength=count)) <= 1
    assert (fold == draw_folds(rows, count, seed=3, labels=labels)).all()
    assert (fold != draw_folds(rows, count, seed=4, labels=labels)).any()


def test_a_group_lies_in_one_fold():
    groups, labels = np.repeat(np.arange(60), 5), RNG.integers(0, 2, 300)
    fold = draw_folds(300, 6, labels=labels, groups=groups)
    assert all(len(set(fold[groups == each])) == 1 for each in range(60))
    shares = [labels[fold == each].mean() for each in range(6)]
    theirs = [labels[out].mean() for _, out in StratifiedGroupKFold(6).split(labels, labels, groups)]
    assert np.ptp(shares) <= np.ptp(theirs) + 0.02


def test_fewer_rows_than_folds_are_refused():
    with pytest.raises(DataError, match=r"3 rows for 8 folds; each needs at least one. Take fewer folds"):
        draw_folds(3, 8)


@pytest.mark.parametrize("engine", [Reference("f64"), Native("f64"), Xla("f64")], ids=["reference", "native", "xla"])
@pytest.mark.parametrize("more", [{}, {"batch_norm": True}, {"waves": 4, "numbers": (0, 1)}, {"levels": ((2,), (7,))}])
def test_a_member_learns_nothing_from_the_fold_that_it_leaves_out(engine, more):
    """Other targets there change nothing of what its members become, and all of what the others do."""
    x, y = RNG.normal(size=(40, 3)), RNG.normal(size=40)
    x[:, 2] = RNG.integers(0, 7, 40)
    folds = Folds(draw_folds(40, 2), 2, 4)
    other = np.where(folds.fold == 1, y + 5, y)
    kept = []
    for target in (y, other):
        network = nn.mlp((6,), 1, members=4, **more)
        config = Config(network, nn.MemberLoss(nn.Quadratic()), Adam(), batch_size=10, epochs=3, engine=engine)
        record = list(train(config, Arrays(x, target, folds=folds)))[-1]
        weights = record.weights()
        outputs = network.apply(weights["params"], weights["state"], x, train=False, key=None)[0]
        kept.append(np.asarray(outputs))
    same = np.abs(kept[0] - kept[1]).max((0, 2))
    np.testing.assert_allclose(same[[1, 3]], 0, atol=1e-12)
    assert (same[[0, 2]] > 1e-3).all()


@pytest.mark.parametrize("group", [None, "who"])
def test_what_a_row_gives_away_of_itself_is_not_counted(group):
    """Levels of three rows each, whose classes are drawn by the level or row by row: the vectors of levels, which learn
    each row by heart, tell rows that are judged no more than the others of their level do, and with groups nothing."""
    rng = np.random.default_rng(1)
    who = np.repeat(np.arange(300), 3)
    for by_level in (True, False):
        label = rng.integers(0, 2, 300)[who] if by_level else rng.integers(0, 2, 900)
        names = np.array([f"n{number}" for number in range(300)], object)[who]
        table = {"name": names, "who": who, "x": rng.normal(size=900), "y": np.array(["no", "yes"], object)[label]}
        aside = () if group else ("who",)
        run = pr.fit(table, "y", epochs=25, engine="native", group=group, leave_out=aside)
        assert run.dev["accuracy"].rows == 900
        if by_level and not group:
            assert run.dev["accuracy"] > 0.7
        else:
            assert 0.42 < run.dev["accuracy"] < 0.58


def test_figures_are_those_of_trainings_without_the_fold():
    """The mean of what scikit-learn's way would give: for each fold, a training that never saw it."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(400, 4))
    y = (x[:, 0] * x[:, 1] + 0.3 * rng.normal(size=400)).astype(np.float32)
    run = pr.fit(x, y, engine="native", folds=4, members=4, hidden=(16,), epochs=30, learning_rate=0.01)
    assert run.test == {}
    assert run.facts["folds"] == 4
    alone = []
    fold = np.arange(400) % 4
    for number in range(4):
        out = fold == number
        part = pr.fit(x[~out], y[~out], engine="native", hidden=(16,), epochs=30, dev_share=0, test_share=0,
                      learning_rate=0.01, optimiser="adam")  # fmt: skip
        alone.append(((part.predict(x[out]) - y[out]) ** 2).mean())
    assert run.dev["rmse"] == pytest.approx(np.sqrt(np.mean(alone)), rel=0.25)
