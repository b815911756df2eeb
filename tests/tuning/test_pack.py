"""Trials that predict together."""

from itertools import combinations_with_replacement

import msgspec
import numpy as np
import pytest
from sklearn.metrics import log_loss

from preceptor.errors import ConfigError
from preceptor.job import load, make_settings
from preceptor.job.fit import look
from preceptor.job.stages import completed
from preceptor.tuning.pack import Pack, greedy, pack, packed_run
from preceptor.tuning.record import Trial
from preceptor.tuning.repeats import FOLDS, Judgement, Repeats, tasks_of
from preceptor.tuning.trials import Task, Trials, thaw

FOLDED = {"hidden": (6,), "epochs": 8, "batch_size": 16, "members": 4, "folds": 2}
PLAIN = {"hidden": (6,), "epochs": 8, "batch_size": 16, "dev_share": 0.3}
CHANGES = [{}, {"learning_rate": 0.03}, {"hidden": [12], "learning_rate": 0.02}, {"learning_rate": 1e-4}]


def table(*targets: str) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(240, 3))
    y = np.sin(2 * x[:, 0]) + 0.5 * x[:, 1] + 0.3 * rng.normal(size=240)
    made = {"number": y, "label": np.array(["low", "mid", "high"])[np.digitize(y, [-0.5, 0.5])]}
    return {"a": x[:, 0], "b": x[:, 1], "c": x[:, 2]} | {name: made[name] for name in targets}


def searched(asked, *targets: str, changes=CHANGES):
    settings = make_settings({"target": targets if len(targets) > 1 else targets[0], "test_share": 0.2, **asked})
    trials = Trials("", completed(look(table(*targets), settings)), settings, threads=1)
    results = {number: trials.advance(Task(number, each)) for number, each in enumerate(changes)}
    assert not [each.error for each in results.values() if each.error]
    ended = [
        Trial(number=number, round=1, point=(), settings=dict(each), state="done", best=results[number].best)
        for number, each in enumerate(changes)
    ]
    return trials, ended, lambda number: results[number].frozen


def alone(trials, ended, frozen, number):
    return packed_run(trials, ended, frozen, number, Pack({number: 1.0}, 0.0, 0.0, {}))


def test_greedy_finds_what_trying_all_finds():
    rng = np.random.default_rng(0)
    errors = rng.normal(size=(4, 50))

    def cost(of):
        return (of * of).mean(-1)

    taken = greedy([(errors, cost)], 4, 60)
    best = min(
        cost(errors[list(some)].mean(0)) for some in combinations_with_replacement(range(4), 10)
    )  # all ways to take ten
    assert taken.sum() == 60
    assert cost((taken / 60) @ errors) <= best * 1.002
    assert greedy([(errors[:1].repeat(3, 0), cost)], 3, 5).tolist() == [5, 0, 0]  # of equal ones the first


@pytest.mark.parametrize("asked", [FOLDED, PLAIN])
def test_a_pack_predicts_the_weighted_mean_of_its_trials(asked, tmp_path):
    found = searched(asked, "number")
    made = Pack({2: 0.7, 0: 0.3}, 0.0, 0.0, {})
    run = packed_run(*found, 0, made)
    each = {number: alone(*found, number).predict(table()) for number in (0, 2)}
    np.testing.assert_allclose(run.predict(table()), 0.7 * each[2] + 0.3 * each[0], rtol=2e-5, atol=2e-5)
    run.save(tmp_path / "run")
    again = load(tmp_path / "run")
    np.testing.assert_array_equal(again.predict(table()), run.predict(table()))
    assert again.facts["pack"] == {"2": 0.7, "0": 0.3}
    assert set(again.evaluate(table("number"))) >= {"rmse"}
    assert "<html" in again.report()
    assert run.test["rmse"].rows == 48


def test_alone_it_is_the_run_that_fit_makes():
    trials, ended, frozen = searched(FOLDED, "label")
    fitting = trials.fitting({})
    thaw(fitting, frozen(0))
    assert not list(fitting.records())
    run, fitted = alone(trials, ended, frozen, 0), fitting.finish()
    np.testing.assert_allclose(run.predict_probabilities(table()), fitted.predict_probabilities(table()), atol=1e-6)
    assert run.dev["log_loss"].value == pytest.approx(fitted.dev["log_loss"].value, rel=1e-6)
    assert run.test["log_loss"].value == pytest.approx(fitted.test["log_loss"].value, rel=1e-5)


@pytest.mark.parametrize("asked", [FOLDED, PLAIN])
def test_what_is_chosen_tells_the_rows_that_guide_best(asked):
    found = searched(asked, "label")
    made = pack(*found, 3)
    assert sum(made.shares.values()) == pytest.approx(1)
    assert all(share * 50 == pytest.approx(round(share * 50)) for share in made.shares.values())
    run, kept = packed_run(*found, 3, made), alone(*found, 3)
    assert run.dev["log_loss"] < kept.dev["log_loss"]  # the fourth hardly learned
    assert made.gain > 2 * made.error > 0
    assert made == pack(*found, 3) or made.shares == pack(*found, 3).shares
    if asked is PLAIN:
        rows = found[0].seen.parts.dev
        p = run.predict_probabilities(found[0].seen.table.select(rows))
        labels = sorted(run.classes)
        order = [list(run.classes).index(each) for each in labels]
        assert run.dev["log_loss"].value == pytest.approx(
            log_loss(table("label")["label"][rows], p[:, order], labels=labels), rel=1e-5
        )


@pytest.mark.parametrize("target", ["label", "number"])
def test_with_folds_rows_that_divisions_hold_out_choose(target):
    trials, ended, frozen = searched(FOLDED, target, changes=CHANGES[2:])
    repeats = Repeats.of(trials)
    told = [repeats.advance(each).judgement for each in tasks_of(ended, range(FOLDS + 1), {}, tells=True)]
    text = msgspec.json.encode(told)
    assert msgspec.json.decode(text, type=list[Judgement]) == told
    made = pack(trials, ended, frozen, 1, told)
    assert made.shares[0] > 0.9  # the other hardly learned
    assert made.gain > 2 * made.error > 0
    alike = pack(trials, ended, frozen, 1, [each for each in told if each.number])
    assert (alike.shares, alike.gain) == ({1: 1.0}, 0.0)  # only what was told of may join

    division = repeats.division(2)
    fitting = division.fitting(ended[0].settings)
    assert list(fitting.records())
    run, rows = fitting.finish(), division.seen.parts.test
    found = next(each for each in told if (each.number, each.repeat) == (0, 2))
    p = np.frombuffer(found.predicted[0], np.float32)
    part = trials.seen.table.select(rows)
    if target == "label":
        np.testing.assert_allclose(p.reshape(len(rows), 3), run.predict_probabilities(part), atol=1e-5)
        assert found.cost == pytest.approx(log_loss(table(target)["label"][rows], p.reshape(-1, 3)), rel=1e-4)
    else:
        usual = trials.fitting({}).preprocessor.targets[0]
        np.testing.assert_allclose(p * usual.sd + usual.mean, run.predict(part), rtol=1e-4, atol=1e-4)


def test_the_gain_of_equal_trials_is_none():
    found = searched(FOLDED, "number", changes=[{}, {}])
    made = pack(*found, 0)
    assert made.shares == {0: 1.0}
    assert (made.gain, made.error) == (0.0, 0.0)


def test_several_targets_are_packed_together():
    found = searched(FOLDED, "number", "label")
    made = pack(*found, 0)
    run = packed_run(*found, 0, made)
    each = {number: alone(*found, number) for number in made.shares}
    expected = sum(share * each[number].predict(table())["number"] for number, share in made.shares.items())
    np.testing.assert_allclose(run.predict(table())["number"], expected, rtol=1e-4, atol=1e-4)


def test_what_is_prepared_in_another_way_stays_out():
    changes = [{}, {"preprocess": "range"}, {"loss": "absolute"}, {"learning_rate": 0.02}]
    found = searched(FOLDED, "number", changes=changes)
    made = pack(*found[:2], lambda number: None if number == 3 else found[2](number), 0)
    assert made.left_out == {
        1: "its rows are prepared in another way",
        2: "it has another loss",
        3: "its state was not kept",
    }
    assert made.shares == {0: 1.0}


def test_margins_have_no_mean():
    asked = {"loss": "multiclass-hinge", "epochs": 1, "dev_share": 0.3, "hidden": (4,)}
    found = searched(asked, "label", changes=[{}])
    with pytest.raises(ConfigError, match="pack with a loss whose predictions have no mean"):
        pack(*found, 0)
