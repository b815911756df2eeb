"""Trials: each comes to what `fit` comes to with its settings, bit for bit, whoever makes it and however often it was
frozen."""

import random
import time

import numpy as np
import pytest

from preceptor.errors import ConfigError, DataError
from preceptor.job import Outcome, make_settings
from preceptor.job.fit import look, prepare
from preceptor.job.stages import completed
from preceptor.train.programs import MOST
from preceptor.tuning import trials as module
from preceptor.tuning.trials import Task, Trials
from preceptor.tuning.workers import Threads

SMALL = {"hidden": (8,), "epochs": 5, "batch_size": 16}


def trials_of(given, source="iris", **more):
    settings = make_settings(given)
    return Trials(source, completed(look(source, settings)), settings, threads=1, **more)


def told(result):
    """All of a result but the time that it took."""
    arrays = {} if result.frozen is None else {n: a.tobytes() for n, a in result.frozen.arrays.items()}
    return [
        getattr(result, n) for n in ("number", "state", "epochs", "curve", "best", "best_epoch", "score", "error")
    ], arrays


CASES = {
    "as usual": (
        {"epochs": 3},
        [{}, {"learning_rate": 0.004, "weight_decay": 0.05}, {"drop_rate": 0.3}, {"members": 8}],
    ),
    "one network": (
        SMALL,
        [{}, {"learning_rate": 0.01, "l2": 1e-3}, {"l2": 0.0}, {"optimiser": "sgd"}, {"hidden": (4,)}],
    ),
    "a metric": ({**SMALL, "metric": "accuracy"}, [{}, {"learning_rate": 0.01, "l1": 1e-3}, {"batch_norm": True}]),
    "tolerance": ({**SMALL, "tolerance": 1e-3}, [{}, {"learning_rate": 0.01}]),
    "class weights": ({**SMALL, "class_weight": "balanced"}, [{}, {"learning_rate": 0.01, "average": "ema"}]),
    "bfloat16": ({**SMALL, "precision": "bf16"}, [{}, {"learning_rate": 0.01}]),
    "reference": ({**SMALL, "engine": "reference"}, [{}, {"learning_rate": 0.01}]),
    "preparation": (
        SMALL,
        [
            {},
            {"preprocess": "range"},
            {"polynomial": 2},
            {"preprocess": "range", "momentum": 0.8, "optimiser": "momentum"},
        ],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_trial_is_the_training_that_fit_makes(name):
    asked, changes = CASES[name]
    trials = trials_of(asked)
    for number, change in enumerate([*changes, *changes]):
        result = trials.advance(Task(number, change))
        assert not result.error
        settings = trials.settings(change)
        fitting = prepare("iris", settings)
        for _ in fitting.records():
            pass
        figure = "dev_accuracy" if settings.metric else "dev_loss"
        scores = [each[figure] for each in fitting.history]
        costs = [-each if settings.metric else each for each in scores]
        assert [cost for _, cost in result.curve] == [each + result.offset for each in costs]
        assert result.score == (max(scores) if settings.metric else min(scores) + result.offset)
        if not settings.metric and not settings.class_weight:  # which counts in the loss and not in figures
            assert result.score == pytest.approx(float(fitting.finish().dev["log_loss"]), rel=1e-6)
        best = {n.partition(":params:")[2]: a for n, a in result.frozen.arrays.items() if n.startswith("best:params:")}
        assert all((best[path] == value).all() for path, value in fitting.progress.best["params"].items())
        assert result.parameters == sum(each.size for each in best.values())


def test_pictures(tmp_path):
    from PIL import Image

    rng = np.random.default_rng(0)
    for number in range(40):
        folder = tmp_path / ("dark", "light")[number % 2]
        folder.mkdir(exist_ok=True)
        pixels = rng.integers(0, 100, (8, 8, 3)) + 100 * (number % 2)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")
    asked = {"epochs": 2, "batch_size": 8, "augment": "flip", "engine": "native"}
    tasks = [Task(n, {"learning_rate": 0.001 * (n + 1)}) for n in range(4)]
    with Threads(trials_of(asked, str(tmp_path)), 4) as workers:
        found = sorted((told(each) for each in workers.results(tasks) if each), key=lambda each: each[0][0])
    assert all(each[0][1] == "done" for each in found)
    alone = trials_of(asked, str(tmp_path))
    assert found == [told(alone.advance(task)) for task in tasks]


@pytest.mark.parametrize("count", [1, 2, 4, 16])
def test_any_number_of_threads_with_any_delays_comes_to_the_same(count, monkeypatch):
    changes = [
        {"learning_rate": 0.002 * (n + 1), **({"l2": 1e-3} if n % 3 else {}), "hidden": (4 + n % 4,)} for n in range(24)
    ]
    tasks = [Task(n, change) for n, change in enumerate(changes)]
    alone = [told(trials_of(SMALL).advance(task)) for task in tasks[::5]]
    trials, delays, advance = trials_of(SMALL), random.Random(count), Trials.advance

    def late(self, task):
        time.sleep(0.01 * delays.random())
        result = advance(self, task)
        time.sleep(0.01 * delays.random())
        return result

    monkeypatch.setattr(Trials, "advance", late)
    with Threads(trials, count) as workers:
        found = sorted((told(each) for each in workers.results(tasks) if each), key=lambda each: each[0][0])
    assert found[::5] == alone
    assert [each[0][0] for each in found] == list(range(24))


def test_frozen_and_thawed_between_other_trials():
    trials, change = trials_of(SMALL), {"learning_rate": 0.01, "l2": 1e-3}
    whole = told(trials.advance(Task(7, change)))
    frozen = None
    for until in (1, 2, 4, None):
        trials.advance(Task(1, {"learning_rate": 0.02, "l2": 1e-2}, until=1))
        result = trials.advance(Task(7, change, until, frozen))
        assert result.state == ("done" if until is None else "paused")
        assert result.epochs == (until or 5)
        frozen = result.frozen
    assert told(result) == whole


@pytest.mark.parametrize("further", [2, 4, None])
def test_frozen_as_far_as_it_is_asked_for_or_farther(further):
    """A kill between a state and the line that tells of it leaves the state of a later rung."""
    trials = trials_of(SMALL)
    change = {"learning_rate": 0.01}
    there = trials.advance(Task(1, change, further))
    assert told(trials.advance(Task(1, change, 2, there.frozen))) == told(trials.advance(Task(1, change, 2)))


@pytest.mark.parametrize("change", [{"ensemble": 2}, {"dropout": "connect"}, {"hidden": (4,), "members": 8}], ids=str)
def test_what_alone_would_divide_rows_otherwise_is_trained_on_the_same_rows(change):
    """Where nobody says, fit takes a dev part for such a network, folds for the default."""
    asked = {"epochs": 2, "test_share": 0.15}
    trials = trials_of(asked)
    result = trials.advance(Task(1, change))
    settings = trials.settings(change)
    assert settings.folds == trials.seen.folds > 0
    if change.get("dropout"):
        assert "1 network where rows are dealt to 8 folds" in result.error
        assert "Give folds 0" in result.error
        return
    fitting = prepare("iris", settings)
    for _ in fitting.records():
        pass
    assert [cost for _, cost in result.curve] == [each["dev_loss"] + result.offset for each in fitting.history]


def test_networks_that_no_folds_suit_are_told():
    trials = trials_of({"epochs": 2})
    assert "4 networks where rows are dealt to 8 folds" in trials.advance(Task(1, {"members": 4})).error
    assert "1 network where rows are dealt to 8 folds" in trials.advance(Task(2, {"hidden": (4,)})).error
    alone = trials_of({"epochs": 2, "hidden": (4,)})
    assert alone.advance(Task(1, {"members": 4})).state == "done"


def test_the_best_epoch_is_the_one_that_is_kept():
    """Of equal values of a metric that with the lower loss."""
    trials = trials_of({**SMALL, "epochs": 12, "metric": "accuracy"})
    fitting = trials.fitting({"learning_rate": 0.003})
    for _ in fitting.records():
        pass
    ties = [each for each in fitting.history if each["dev_accuracy"] == max(e["dev_accuracy"] for e in fitting.history)]
    assert len(ties) > 1
    found = trials.advance(Task(1, {"learning_rate": 0.003}))
    assert found.best_epoch == int(fitting.progress.best_epoch) != int(ties[0]["epoch"])


def test_rows_are_prepared_once_and_few_kinds_are_held(monkeypatch):
    trials = trials_of({"epochs": 1})
    fittings = [
        trials.fitting(change)
        for change in ({}, {"weight_decay": 0.1}, {"hidden": (4,), "members": 16}, {"learning_rate": 0.1}, {"bins": 8})
    ]
    assert len({id(each.data.x) for each in fittings}) == 1
    assert len({id(each.encoded) for each in fittings}) == 1
    other = trials.fitting({"members": 8})
    assert other.data.folds.members == 8 != fittings[0].data.folds.members
    for number in range(2, 10):
        trials.fitting({"polynomial": number % 3 + 1, "members": 8 * number})
    assert len(trials._seen) <= module.MOST_PREPARED
    assert len(trials._encoded) <= module.MOST_PREPARED


@pytest.mark.parametrize(
    "asked", [{"epochs": 2}, SMALL, {**SMALL, "optimiser": "sgd", "l1": 1e-3, "clip_norm": 1.0}], ids=str
)
def test_what_is_built_again_is_what_is_built_anew(asked):
    """Numbers of all kinds, beside settings that are none, on which something else hangs, and what is refused."""
    changes = [
        {},
        *({"learning_rate": each} for each in (1e-3, 2e-2, 0.0)),
        *({"l2": each} for each in (1e-3, 1e-2, 0.0, "*weight=0.1", "*weight=0.2")),
        *({"l1": each, "learning_rate": 0.01} for each in (1e-3, 1e-2, 0.0)),
        *({"optimiser": "adamw", "weight_decay": each} for each in (0.0, 0.1, 0.2)),
        *({"weight_decay": each} for each in (0.0, 0.1, 0.3)),
        *({"optimiser": "momentum", "momentum": each} for each in (0.5, 0.9)),
        *({"clip_value": each, "clip_norm": None} for each in (0.5, 0.9)),
        *({"clip_norm": each} for each in (0.5, 0.9)),
        *({"label_smoothing": each} for each in (0.1, 0.2)),
        *({"activation": "leaky-relu", "slope": each} for each in (0.1, 0.2)),
        *({"average": "ema", "average_decay": each} for each in (0.9, 0.99)),
        *({"schedule": "plateau", "epochs": 9, "drop_after": each} for each in (2, 4)),
        *({"beta1": each} for each in (0.8, 2.0, "a", True)),
        *({"learning_rate": each} for each in (-1.0, "a")),
    ]

    def told(trials, change):
        try:
            made = trials.fitting(change)
        except (ConfigError, DataError) as error:
            return str(error)
        own = {name: getattr(made.config, name) for name in ("network", "loss", "penalties", "update", "optimiser")}
        return (
            made.settings,
            made.asked,
            made.config,
            own,
            made.seen.folds,
            made.data.x.tobytes(),
            made.data.folds is None,
        )

    trials = trials_of(asked)
    assert [told(trials, each) for each in changes] == [told(trials_of(asked, trials.source), each) for each in changes]


def test_many_architectures_leave_few_programs():
    trials = trials_of(SMALL | {"epochs": 1})
    for number in range(MOST + 4):
        assert trials.advance(Task(number, {"hidden": (3 + number,)})).state == "done"
    assert len(trials.programs._waiting) == MOST


def test_what_fails_is_told():
    trials = trials_of(SMALL | {"optimiser": "sgd"})
    assert trials.advance(Task(1, {"learning_rate": 1e9})).error == Outcome.DIVERGED.value.partition(";")[0] + "."
    assert "hidden is 0" in trials.advance(Task(2, {"hidden": (0,)})).error
    assert trials.advance(Task(3, {"batch_size": 10**6, "accumulate": 7})).state == "failed"
    assert trials.advance(Task(4, {})).state == "done"
