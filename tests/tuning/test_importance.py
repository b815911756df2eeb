"""Importance of settings: against closed forms, sums by hand on a grid, and two forests from outside."""

import time
import warnings

import numpy as np
import pytest

from preceptor.tuning import importance
from preceptor.tuning.importance import FEWEST, GRID, Tree, costs, decomposed, effects_of, grown, response
from preceptor.tuning.record import Trial


def trials_of(x, y):
    return [
        Trial(number=at + 1, round=1, point=tuple(p), settings={}, state="done", best=float(v), epochs=20)
        for at, (p, v) in enumerate(zip(x, y, strict=True))
    ]


def by_dimension(effects):
    return sorted(effects.each, key=lambda each: each.dimension)


def test_a_tree_is_decomposed_as_a_sum_over_a_grid_says():
    rng = np.random.default_rng(3)
    x = rng.integers(1, 11, (200, 3)) / 10 - 0.05  # splits lie on twentieths: a grid of their middles sums exactly
    tree = grown(x, np.sin(5 * x[:, 0]) * x[:, 1] + x[:, 2] ** 2)
    assert np.allclose(np.round(tree.low * 20), tree.low * 20)
    axis = np.arange(20) / 20 + 0.025
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1)
    within = (points[..., None, :] >= tree.low) & (points[..., None, :] < tree.high)
    cube = tree.value[within.all(-1).argmax(-1)]
    assert (within.all(-1).sum(-1) == 1).all()
    alone, whole = decomposed(tree)
    for at in range(3):
        others = tuple(each for each in range(3) if each != at)
        assert alone[at] == pytest.approx(cube.mean(others).var() / cube.var(), rel=1e-9)
        assert whole[at] == pytest.approx(1 - cube.mean(at).var() / cube.var(), rel=1e-9)
        found = response(tree, at)[1::2]  # places 0.025, 0.075, ...
        assert np.allclose(found, cube.mean(others))
        assert len(response(tree, at)) == GRID


def test_a_tree_fits_as_scikit_learns_does():
    forest = pytest.importorskip("sklearn.tree")
    rng = np.random.default_rng(1)
    x = rng.random((300, 4))
    y = np.sin(6 * x[:, 0]) + x[:, 1] * x[:, 2]
    tree = grown(x, y)
    other = forest.DecisionTreeRegressor(
        max_leaf_nodes=importance.MOST_LEAVES, min_samples_leaf=importance.LEAST_ROWS, random_state=0
    ).fit(x, y)
    asked = rng.random((500, 4))
    within = (asked[:, None] >= tree.low) & (asked[:, None] < tree.high)
    assert other.get_n_leaves() == len(tree.value)
    assert np.corrcoef(tree.value[within.all(2).argmax(1)], other.predict(asked))[0, 1] > 0.99


def test_shares_of_a_sum_are_those_of_its_terms():
    """Of a·x of uniform x the variance is a²/12: of 1, 1/2 and 0 the shares are 4/5, 1/5, 0."""
    x = np.random.default_rng(0).random((1000, 3))
    found = effects_of(trials_of(x, x[:, 0] + x[:, 1] / 2))
    assert [each.dimension for each in found.each] == [0, 1, 2]
    assert [each.share for each in found.each] == pytest.approx([0.8, 0.2, 0], abs=0.03)
    assert [each.total for each in found.each] == pytest.approx([0.8, 0.2, 0], abs=0.04)
    assert found.explained > 0.98
    assert found.chance < 0.005
    first = found.each[0]
    assert first.low < first.share < first.high
    assert np.abs(first.y - (np.linspace(0, 1, GRID) + 0.25)).max() < 0.08
    assert (first.y_low <= first.y_high).all()


def test_what_two_settings_do_together_is_in_their_totals_alone():
    x = np.random.default_rng(0).random((1000, 3))
    y = np.where((x[:, 0] > 0.5) == (x[:, 1] > 0.4), 1.0, 0.0) + 0.2 * x[:, 2]
    first, second, third = by_dimension(effects_of(trials_of(x, y)))
    assert first.share < 0.05
    assert first.total > 0.8
    assert second.total > 0.8
    assert third.total < 0.2


def test_ishigamis_function():
    """V1 = (1 + b pi^4/5)^2/2, V2 = a²/8, V13 = b² pi^8 (1/18 - 1/50), with a 7 and b 0.1 (Ishigami and Homma 1990)."""
    x = np.random.default_rng(0).random((2000, 3))
    a, b, at = 7, 0.1, np.pi * (2 * x - 1)
    y = np.sin(at[:, 0]) + a * np.sin(at[:, 1]) ** 2 + b * at[:, 2] ** 4 * np.sin(at[:, 0])
    parts = np.array([(1 + b * np.pi**4 / 5) ** 2 / 2, a**2 / 8, b**2 * np.pi**8 * (1 / 18 - 1 / 50)])
    found = by_dimension(effects_of(trials_of(x, y)))
    shares = parts / parts.sum()
    assert [each.share for each in found] == pytest.approx([shares[0], shares[1], 0], abs=0.1)
    assert [each.total for each in found] == pytest.approx([shares[0] + shares[2], shares[1], shares[2]], abs=0.12)


def test_agrees_with_the_forest_of_optuna():
    optuna = pytest.importorskip("optuna", reason="the reference of this test: pip install optuna")
    pytest.importorskip("sklearn")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    x = np.random.default_rng(2).random((200, 4))
    y = (x[:, 0] - 0.3) ** 2 + 0.3 * x[:, 1] + 0.05 * x[:, 2]
    study = optuna.create_study()
    spread = optuna.distributions.FloatDistribution(0, 1)
    for point, value in zip(x, y, strict=True):
        params = {str(at): float(each) for at, each in enumerate(point)}
        study.add_trial(
            optuna.trial.create_trial(params=params, distributions=dict.fromkeys(params, spread), value=float(value))
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = optuna.importance.FanovaImportanceEvaluator(seed=0).evaluate(study)
    ours = {str(each.dimension): each.share for each in effects_of(trials_of(x, y)).each}
    scale = sum(theirs.values()) / sum(ours.values())
    assert {name: value * scale for name, value in ours.items()} == pytest.approx(theirs, abs=0.05)


def test_of_noise_nothing_is_told_from_chance():
    rng = np.random.default_rng(4)
    found = effects_of(trials_of(rng.random((200, 3)), rng.normal(size=200)))
    assert found.explained < 0.1
    assert all(each.low < 3 * found.chance for each in found.each)


def test_one_that_is_far_off_does_not_hide_the_others():
    x = np.random.default_rng(0).random((300, 2))
    y = x[:, 0].copy()
    y[5] = 1e12
    found = effects_of(trials_of(x, y))
    assert found.each[0].dimension == 0
    assert found.each[0].share > 0.9


def test_paused_failed_and_default_trials_are_counted_with_care():
    curve = [(1.0, 1.0), (2.0, 0.7), (4.0, 0.4)]
    common = {"round": 1, "settings": {}}
    done = [
        Trial(number=at, point=(at / 10,), state="done", epochs=4, best=0.4, curve=curve, **common) for at in (1, 2, 3)
    ]
    paused = Trial(number=4, point=(0.5,), state="paused", epochs=2, best=0.9, **common)
    failed = Trial(number=5, point=(0.9,), state="failed", error="it diverged", **common)
    default = Trial(number=0, round=0, point=(), settings={}, state="done", epochs=4, best=0.1)
    x, y = costs([default, *done, paused, failed])
    assert x[:, 0].tolist() == [0.1, 0.2, 0.3, 0.5, 0.9]
    assert y == pytest.approx([0.4, 0.4, 0.4, 0.9 - 0.3, 0.6])
    assert effects_of([default, failed]) is None


def test_few_trials_or_equal_ones_say_nothing():
    x = np.random.default_rng(0).random((FEWEST, 2))
    assert effects_of(trials_of(x[1:], x[1:, 0])) is None
    assert effects_of(trials_of(x, np.ones(FEWEST))) is None
    assert effects_of([]) is None


def test_the_same_trials_say_the_same():
    x = np.random.default_rng(0).random((60, 2))
    one, other = (effects_of(trials_of(x, x[:, 0])) for _ in range(2))
    assert [each.share for each in one.each] == [each.share for each in other.each]


def test_ten_thousand_trials_of_many_settings_are_bounded(record_property):
    x = np.random.default_rng(0).random((10_000, 20))
    began = time.perf_counter()
    found = effects_of(trials_of(x, x[:, 3]))
    record_property("seconds", time.perf_counter() - began)
    assert found.each[0].dimension == 3
    tree = grown(x[: importance.MOST_ROWS], x[: importance.MOST_ROWS, 3])
    assert isinstance(tree, Tree)
    assert len(tree.value) <= importance.MOST_LEAVES
