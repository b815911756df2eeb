from dataclasses import replace

import numpy as np
import pytest

from preceptor import nn
from preceptor.data import fit_preprocessor, read
from preceptor.job import fit, make_settings
from preceptor.job.recipe import complete, make_config
from preceptor.train import AdamW


def seen(rows=200, numbers=3, kind="classes"):
    rng = np.random.default_rng(0)
    columns = {"word": rng.choice(["u", "v", "w"], rows)} | {f"n{i}": rng.normal(size=rows) for i in range(numbers)}
    y = rng.integers(0, 2, rows) if kind == "classes" else rng.normal(size=rows)
    table = read(columns | {"pixels": rng.normal(size=(rows, 4)), "y": y})
    return fit_preprocessor(table, "y", np.arange(rows))


def test_positions_of_numbers_are_those_of_plain_columns():
    assert seen().plain_numbers == (3, 4, 5)


def test_positions_of_numbered_levels():
    city = np.array([f"c{row % 150}" for row in range(600)], object)
    table = read({"n": np.arange(600.0), "city": city, "word": np.array(list("uvw") * 200, object), "town": city})
    found = fit_preprocessor(table, None, np.arange(600), number_levels=True)
    assert found.level_numbers == ((1, 5), (152, 152))
    assert fit_preprocessor(table, None, np.arange(600)).level_numbers == ((), ())
    assert seen().level_numbers == ((), ())


@pytest.mark.parametrize(
    "kind, classes, rows, drop_rate",
    [("number", 0, 199, 0.1), ("number", 0, 200, 0.0), ("classes", 2, 200, 0.2), ("classes", 10, 200, 0.0)],
)
def test_dropout_by_the_target(kind, classes, rows, drop_rate):
    preprocessor = seen(kind=kind)
    assert preprocessor.features == 10
    if classes:
        told = replace(preprocessor.targets[0], classes=tuple(range(classes)))
        preprocessor = replace(preprocessor, targets=(told,))
    assert complete(make_settings({}), preprocessor, rows).drop_rate == drop_rate
    assert complete(make_settings({"hidden": (8,)}), preprocessor, rows).drop_rate == 0


@pytest.mark.parametrize("rows, waves", [(100, 0), (999, 0), (1_000, 0), (2_999, 0), (3_000, 8), (10**7, 8)])
def test_the_ensemble_by_the_number_of_rows(rows, waves):
    settings = complete(make_settings({}), seen(), rows)
    assert (settings.members, settings.hidden, settings.waves) == (16, (64, 64), waves)
    assert settings.make_optimiser() == AdamW(weight_decay=0.01)
    assert isinstance(settings.make_loss(2), nn.MemberLoss)
    assert settings.bins == (16 if rows < 1_000 else 48)
    edges = [tuple(range(settings.bins + 1))] * 10
    network = settings.make_network(2, numbers=seen().plain_numbers, edges=edges)
    kinds = [[type(getattr(each, "layer", each)) for each in one.layers] for one in network.networks]
    assert [(each.count(nn.PiecewiseLinear), each.count(nn.Waves)) for each in kinds] == [(1, 0), (0, bool(waves))]
    assert [complete(make_settings({"folds": n}), seen(), rows).members for n in (2, 3, 5, 8, 16)] == [
        16,
        18,
        20,
        16,
        32,
    ]


@pytest.mark.parametrize("rows, rate", [(10, 0.004), (999, 0.004), (1_000, 0.01), (2_999, 0.01), (3_000, 0.005)])
def test_the_rate_of_the_ensemble_by_the_number_of_rows(rows, rate):
    assert complete(make_settings({}), seen(), rows).learning_rate == rate
    assert complete(make_settings({"learning_rate": 0.3}), seen(), rows).learning_rate == 0.3


def test_a_wide_table_gets_one_network_and_folds_where_they_are_asked_for():
    wide = {f"n{i}": np.random.default_rng(i).normal(size=80) for i in range(301)}
    run = fit(wide | {"y": np.arange(80) % 2}, "y", epochs=1, engine="native")
    assert (run.facts["folds"], run.facts["split"]) == (0, {"train": 56, "dev": 12, "test": 12})
    run = fit(wide | {"y": np.arange(80) % 2}, "y", epochs=1, engine="native", folds=4)
    assert (run.facts["folds"], run.facts["split"]) == (4, {"train": 80, "dev": 0, "test": 0})


def test_many_numbers_get_fewer_bins():
    bins = [complete(make_settings({}), seen(numbers=n), 100).bins for n in (1, 25, 26, 100, 101, 250)]
    assert bins == [16, 16, 15, 4, 0, 0]
    assert complete(make_settings({"hidden": (8,)}), seen(), 100).bins == 0
    assert complete(make_settings({"bins": 5, "waves": 3}), seen(), 100).bins == 5


def test_what_the_user_says_stays_and_completing_twice_changes_nothing():
    given = {"members": 3, "waves": 0, "activation": "tanh", "drop_rate": 0.1, "optimiser": "momentum", "epochs": 7}
    given |= {"learning_rate": 0.5, "batch_size": 9, "patience": 4, "schedule": "constant", "momentum": 0.3}
    once = complete(make_settings(given), seen(), 1000)
    for name, value in given.items():
        assert (once.own if name == "momentum" else vars(once))[name] == value
    assert complete(once, seen(), 50) == once
    assert complete(default := complete(make_settings({}), seen(), 10_000), seen(), 10_000) == default


@pytest.mark.parametrize("given", [{"hidden": (20,)}, {"model": "logistic"}])
def test_named_widths_and_other_models_make_one_plain_network(given):
    settings = complete(make_settings(given), seen(), 1000)
    assert (settings.members, settings.waves, settings.optimiser, settings.learning_rate) == (1, 0, "adam", 0.002)
    assert not isinstance(settings.make_loss(2), nn.MemberLoss)


def test_more_rows_get_fewer_epochs_and_the_work_is_bounded():
    epochs = [complete(make_settings({}), seen(), rows).epochs for rows in (100, 1_000, 10_000, 40_000, 10**7)]
    assert epochs == sorted(epochs, reverse=True)
    assert epochs[-1] < epochs[0] <= 100
    config = make_config(
        settings := complete(make_settings({}), seen(), 40_000), nn.linear_model(1), nn.Quadratic(), 40_000
    )
    assert (config.epochs, config.batch_size, config.learning_rate) == (settings.epochs, 256, settings.learning_rate)
