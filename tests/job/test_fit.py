"""The main job: tables of every kind in, judged networks out; how a training ends."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import preceptor as pr
from preceptor import nn
from preceptor.errors import ConfigError, DataError
from preceptor.job import Outcome, fit, make_settings, prepare

QUICK = {"engine": "reference", "hidden": (8,), "epochs": 3}


def numbers_table(rows=60, seed=0):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, rows))
    colour = np.array(["red", "green", "blue"], object)[rng.integers(0, 3, rows)]
    return {"a": a, "b": 100 + 10 * b, "colour": colour, "y": 3 * a - b + 2 * (colour == "red")}


def test_digits_in_a_few_epochs():
    run = pr.fit("digits", epochs=15, engine="xla")
    assert run.test == {}
    assert run.dev["accuracy"] > 0.9
    assert run.dev["accuracy"].rows == 1797
    assert list(run.dev) == ["accuracy", "top5_error", "log_loss", "f1", "auc", "calibration_error"]
    assert run.facts["rows"] == 1797
    assert run.facts["features"] == 64
    assert run.parameters == 16 * (64 + 64 * 64 + 64 + 64 * 64 + 64 + 64 * 10 + 10)
    assert run.path is None
    assert len(run.history) == run.facts["epochs"] == 15


def test_few_rows_may_come_in_any_order():
    table = numbers_table(48) | {"gap": np.where(np.arange(48) % 5, np.arange(48) % 7, np.nan)}
    row = np.random.default_rng(1).permutation(48)
    run, other = (fit(each, "y", epochs=2) for each in (table, {name: v[row] for name, v in table.items()}))
    assert run.predict(table).tobytes() == other.predict(table).tobytes()
    assert run.dev["rmse"] == other.dev["rmse"]
    with pytest.raises(DataError, match="in data row 48;"):  # of the table as it was given
        fit(table | {"b": np.append(np.arange(47), np.inf)}, "y")


def test_iris():
    run = fit("iris", engine="reference", epochs=60, hidden=(16,), learning_rate=0.02)
    assert run.classes == ("setosa", "versicolor", "virginica")
    assert run.dev["accuracy"] > 0.85
    assert run.facts["split"] == {"train": 105, "dev": 23, "test": 22}
    low, high = run.test["accuracy"].low, run.test["accuracy"].high
    assert 0 <= low < run.test["accuracy"] <= high <= 1
    assert run.test["accuracy"].rows == 22


def test_a_number():
    run = fit(numbers_table(400), "y", engine="xla", epochs=60, hidden=(32,), learning_rate=0.01)
    assert run.classes is None
    assert list(run.test) == ["rmse", "mae", "r2"]
    assert run.test["r2"] > 0.98
    assert run.dev["rmse"] == pytest.approx(run.history[[e["dev_loss"] for e in run.history].index(
        min(e["dev_loss"] for e in run.history))]["dev_rmse"], rel=1e-3)  # fmt: skip


def test_a_data_frame_is_the_same_table_as_a_mapping_and_a_file(tmp_path):
    pandas = pytest.importorskip("pandas", reason="data frames need pandas: pip install 'preceptor[test]'")
    table = numbers_table()
    frame = pandas.DataFrame(table)
    frame.to_csv(tmp_path / "table.csv", index=False)
    frame.to_parquet(tmp_path / "table.parquet") if has_parquet() else None
    runs = [fit(source, "y", **QUICK) for source in (table, frame, tmp_path / "table.csv")]
    for run in runs[1:]:
        assert dict(run.test) == dict(runs[0].test)
        assert run.predict(frame).tolist() == runs[0].predict(table).tolist()


def has_parquet():
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        return False
    return True


def test_a_block_of_numbers_with_a_target():
    x = np.random.default_rng(0).normal(size=(80, 5)).astype(np.float32)
    run = fit({"x": x, "label": (x[:, 0] > 0).astype(int)}, "label", **(QUICK | {"epochs": 30}))
    assert run.classes == (0, 1)
    assert run.facts["features"] == 5
    assert run.predict({"x": x[:3]}).tolist() == run.predict({"x": x})[:3].tolist()


@pytest.mark.parametrize(
    "target, kind, classes",
    [
        (np.tile([0, 1], 30), None, (0, 1)),
        (np.tile([7, 9, 11], 30), None, (7, 9, 11)),
        (np.tile(["no", "yes"], 30), None, ("no", "yes")),
        (np.tile([True, False], 30), None, (False, True)),
        (np.tile([1.0, 2.0], 30), None, (1.0, 2.0)),
        (np.arange(60), None, None),
        (np.linspace(0, 1, 60), None, None),
        (np.tile([0, 1], 30), "number", None),
        (np.tile(np.arange(6), 10), "classes", (0, 1, 2, 3, 4, 5)),
        (np.tile(np.arange(6), 10), None, None),  # ten rows to a value: an amount
    ],
)
def test_kinds_of_targets(target, kind, classes):
    table = {"a": np.random.default_rng(0).normal(size=len(target)), "y": target}
    run = fit(table, "y", kind=kind, **QUICK)
    assert run.classes == classes
    assert run.predict(table).dtype.kind in ("f" if classes is None else "USOibf")
    assert set(run.predict(table).tolist()) <= set(classes or run.predict(table).tolist())
    assert run.facts["settings"]["kind"] == kind


def test_rows_without_a_target_are_left_out_and_the_rest_is_split():
    table = numbers_table()
    table["y"] = np.where(np.arange(60) % 6 == 0, np.nan, table["y"])
    fitting = prepare(table, make_settings({"target": "y"} | QUICK))
    assert (fitting.seen.table.rows, fitting.seen.seen.rows) == (60, 50)
    assert fitting.preprocessor.lines()[-1] == "Left out: 10 rows without a target."
    assert sum(map(len, (fitting.seen.parts.train, fitting.seen.parts.dev, fitting.seen.parts.test))) == 50
    assert fitting.data.x.shape == (len(fitting.seen.parts.train), fitting.preprocessor.features)


def test_statistics_come_from_the_training_rows_alone():
    table = numbers_table()
    parts = prepare(table, make_settings({"target": "y"} | QUICK)).seen.parts
    changed = {name: values.copy() for name, values in table.items()}
    changed["b"][parts.test] += 1e6
    changed["y"][parts.test] -= 1e3
    one, other = (fit(each, "y", **QUICK) for each in (table, changed))
    for path, p in one.params.items():
        assert_array_equal(p, other.params[path])
    assert one.preprocessor == other.preprocessor


def test_the_test_part_does_not_guide_training_and_the_dev_part_does():
    assert fit("iris", **QUICK, test_share=0).test == {}
    run = fit("iris", **QUICK, dev_share=0)
    assert run.dev == {}
    assert all("dev_loss" not in entry for entry in run.history)
    assert run.facts["best_epoch"] == 3
    bare = fit("iris", **QUICK, dev_share=0, test_share=0)
    assert (bare.dev, bare.test, bare.facts["split"]["train"]) == ({}, {}, 150)


@pytest.mark.parametrize("engine", ["reference", "native", "xla"])
def test_the_same_seed_gives_the_same_run(engine):
    runs = [
        fit("iris", **(QUICK | {"engine": engine}), drop_rate=0.2, batch_norm=True, seed=seed) for seed in (5, 5, 6)
    ]
    strip = lambda run: [{k: v for k, v in entry.items() if k != "seconds"} for entry in run.history]
    assert runs[0].test == runs[1].test
    assert strip(runs[0]) == strip(runs[1]) != strip(runs[2])
    for path, p in runs[0].params.items():
        assert p.tobytes() == runs[1].params[path].tobytes()
    assert any(p.tobytes() != runs[2].params[path].tobytes() for path, p in runs[0].params.items())


def test_the_history_does_not_depend_on_how_the_engine_was_called(monkeypatch):
    from preceptor.train import stepper

    given = {"epochs": 4, "batch_size": 4, "engine": "reference", "hidden": (8,)}
    whole = fit("iris", **given).history
    monkeypatch.setattr(stepper, "CAPACITY", 2)
    pieces = fit("iris", **given).history
    for one, other in zip(whole, pieces, strict=True):
        assert {k: v for k, v in one.items() if k != "seconds"} == {k: v for k, v in other.items() if k != "seconds"}
    assert list(whole[0]) == [
        "step",
        "epoch",
        "objective",
        "train_loss",
        "train_accuracy",
        "dev_loss",
        "dev_accuracy",
        "learning_rate",
        "seconds",
    ]


def test_the_history_has_the_figure_of_train_rows_beside_that_of_dev_rows():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 3))
    frame = {"a": x[:, 0], "b": x[:, 1], "part": np.where(np.arange(120) % 2, "train", "dev")}
    is_train = frame["part"] == "train"
    given = {"split_column": "part", "hidden": (8,), "engine": "reference", "epochs": 6, "patience": 6}
    for target, name in (
        (np.where(x.sum(1) > 0, "yes", "no"), "accuracy"),
        (x.sum(1), "rmse"),
    ):
        run = fit({**frame, "y": target}, target="y", **given)
        known = run.history[int(run.facts["best_epoch"]) - 1]
        for part, rows in (("train", is_train), ("dev", ~is_train)):
            said = np.asarray(run.predict({"a": frame["a"][rows], "b": frame["b"][rows]}))
            if name == "rmse":
                theirs = np.sqrt(np.mean((said.astype(float) - target[rows]) ** 2))
            else:
                theirs = np.mean(said == target[rows])
            assert known[f"{part}_{name}"] == pytest.approx(theirs, rel=1e-5), (part, name)


def test_train_rows_that_count_nothing_have_no_figure():
    x = np.arange(40.0)
    frame = {"x": x, "y": np.where(x % 2, "odd", "even"), "w": np.where(x < 38, 0.0, 1.0)}
    frame["part"] = np.where(x < 20, "dev", "train")
    frame["w"][:20] = 1.0
    run = fit(frame, target="y", weight="w", split_column="part", hidden=(2,), engine="reference", epochs=2)
    assert all("dev_accuracy" in each for each in run.history)


@pytest.mark.parametrize("batch_size, epochs", [(64, 1), (64, 3), (105, 2), (1000, 2), (7, 2)])
def test_epochs_are_counted_whole(batch_size, epochs):
    run = fit("iris", engine="reference", hidden=(4,), batch_size=batch_size, epochs=epochs)
    assert run.facts["epochs"] == epochs
    assert 1 <= run.facts["best_epoch"] <= epochs
    assert len(run.history) == epochs


def test_a_rate_of_zero_is_kept():
    run = fit("iris", **QUICK, learning_rate=0.0)
    assert run.facts["learning_rate"] == 0
    assert len({entry["dev_loss"] for entry in run.history}) == 1


# How a training ends -------------------------------------------------------------------------------------------------


def test_finished():
    fitting = prepare("iris", make_settings(QUICK))
    records = list(fitting.records())
    assert fitting.outcome is Outcome.FINISHED
    assert records[-1].step == records[-1].steps
    assert fitting.finish().facts["outcome"] == "All epochs done; the weights with the lowest dev loss are kept."


def test_early_stopping_keeps_the_weights_with_the_lowest_dev_loss():
    noise = np.random.default_rng(0)
    table = {"x": noise.normal(size=(120, 10)), "y": noise.integers(0, 2, 120)}  # nothing to learn: it overfits at once
    settings = make_settings({"target": "y", "epochs": 200, "patience": 5, "hidden": (64,), "engine": "xla", "seed": 1})
    fitting = prepare(table, settings)
    kept = {}
    for record in fitting.records():
        if record.is_epoch_end:
            kept[len(fitting.history)] = (record.dev_loss, record.snapshot()["params"])
    run = fitting.finish()
    assert fitting.outcome is Outcome.STOPPED_EARLY
    best = min(kept, key=lambda epoch: kept[epoch][0])
    assert run.facts["best_epoch"] == best
    assert len(kept) == best + 5 < 200
    for path, p in kept[best][1].items():
        assert_array_equal(run.params[path], p)
    assert run.dev["log_loss"] <= 1.05 * kept[best][0]  # now calibrated, with a row more than there is


@pytest.mark.parametrize("dev_share", [0.15, 0.0])
def test_a_loss_that_is_no_number_ends_the_training_with_the_last_good_weights(dev_share):
    """Plain descent whose rate grows by one-cycle until it flies off: the good epochs before it are kept."""
    settings = make_settings(
        {"target": "y", "optimiser": "sgd", "learning_rate": 50, "start_share": 1e-3, "rise_share": 0.9, "epochs": 40,
         "hidden": (8,), "engine": "reference", "dev_share": dev_share, "activation": "softplus"}
    )  # fmt: skip
    fitting = prepare(numbers_table(), settings)
    records = list(fitting.records())
    assert fitting.outcome is Outcome.DIVERGED
    assert not records[-1].is_finite
    assert all(record.is_finite for record in records[:-1])
    run = fitting.finish()
    assert 1 <= run.facts["best_epoch"] <= len(run.history) < 40
    assert all(np.isfinite(p).all() for p in run.params.values())
    assert run.test["rmse"] < 2 * run.targets[0].sd
    assert run.facts["best_epoch"] < len(run.history)
    assert "smaller learning rate" in run.facts["outcome"]


def test_a_training_that_flies_off_in_its_first_epoch_keeps_the_first_weights():
    fitting = prepare(
        numbers_table(), make_settings({"target": "y", "learning_rate": 1e38, "optimiser": "sgd"} | QUICK)
    )
    records = list(fitting.records())
    assert (fitting.outcome, len(fitting.history)) == (
        Outcome.DIVERGED,
        len([r for r in records if r.is_epoch_end]) - 1,
    )
    assert all(np.isfinite(p).all() for p in fitting.finish().params.values())


def test_leaving_the_loop_is_an_interruption_and_keeps_the_best_weights():
    fitting = prepare("iris", make_settings(QUICK | {"epochs": 50}))
    for record in fitting.records():
        if record.is_epoch_end and len(fitting.history) == 4:
            break
    run = fitting.finish()
    assert fitting.outcome is Outcome.INTERRUPTED
    assert (run.facts["epochs"], len(run.history)) == (4, 4)
    assert run.facts["outcome"].startswith("Interrupted")


def test_a_training_that_was_never_begun_gives_the_first_weights():
    run = prepare("iris", make_settings(QUICK)).finish()
    assert (run.facts["epochs"], run.history) == (0, [])
    assert run.test["accuracy"].rows == 22


def test_an_interruption_within_the_first_epoch_keeps_the_latest_weights():
    fitting = prepare("iris", make_settings(QUICK | {"batch_size": 1}))
    first = next(itertools.islice(fitting.records(), 1))
    assert not first.is_epoch_end
    assert fitting.finish().facts["epochs"] == 0


# Models --------------------------------------------------------------------------------------------------------------


def plain_weights(run):
    """Weight and bias of a linear model in the units of the table."""
    scale = np.concatenate([np.array(column.sd) for column in run.preprocessor.columns])
    shift = np.concatenate([np.array(column.mean) for column in run.preprocessor.columns])
    weight = run.params["output/weight"] / scale[:, None]
    return weight, run.params["output/bias"] - shift @ weight


BATCH = {"batch_size": 10**6, "dev_share": 0, "test_share": 0, "precision": "f64", "schedule": "constant"}


def test_linear_is_least_squares():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 4)) * [1, 10, 0.1, 3] + [0, 5, 1, -2]
    y = x @ [1.0, -0.2, 3.0, 0.5] + 4 + 0.3 * rng.normal(size=200)
    table = {"x": x, "y": y}
    run = fit(table, "y", model="linear", optimiser="nesterov", learning_rate=0.1, epochs=1000, engine="xla", **BATCH)
    design = np.column_stack([x, np.ones(200)])
    theirs = np.linalg.lstsq(design, y)[0]
    weight, bias = plain_weights(run)
    sd, mean = run.targets[0].sd, run.targets[0].mean
    assert_allclose(np.append(weight[:, 0] * sd, bias * sd + mean), theirs, rtol=1e-6)
    assert_allclose(run.predict(table), design @ theirs, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("classes", [2, 3])
def test_logistic_is_scikit_learns_optimum(classes):
    """scikit-learn makes C * the sum of losses + |w|² / 2 small: C = 1 / (l2 * rows)."""
    linear_model = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is the reference of this test")
    from preceptor.data import read

    table = read("iris")
    keep = np.flatnonzero(table.columns["species"] != "setosa") if classes == 2 else np.arange(150)
    table = table.select(keep)
    run = fit(table, "species", model="logistic", l2=0.01, optimiser="nesterov", learning_rate=1.0, epochs=1000,
              engine="xla", **BATCH)  # fmt: skip
    x = run.preprocessor.transform(table).astype(np.float64)
    y = table.columns["species"].astype(str)
    theirs = linear_model.LogisticRegression(C=1 / (0.01 * len(x)), tol=1e-12, max_iter=10_000).fit(x, y)
    weight, bias = run.params["output/weight"].T, run.params["output/bias"]
    assert_allclose(weight, theirs.coef_, atol=1e-4)
    assert_allclose(
        bias - bias.mean() * (classes > 2), theirs.intercept_ - theirs.intercept_.mean() * (classes > 2), atol=1e-4
    )
    assert_allclose(run.predict_probabilities(table), theirs.predict_proba(x), atol=1e-4)
    assert (run.predict(table) == theirs.predict(x)).all()


def test_perceptron_separates_setosa_from_the_rest():
    from preceptor.data import read

    table = read("iris")
    columns = dict(table.columns) | {
        "species": np.where(table.columns["species"] == "setosa", "setosa", "other").astype(object)
    }
    run = fit(columns, "species", model="perceptron", optimiser="sgd", learning_rate=1.0, schedule="constant",
              batch_size=1, epochs=10, engine="reference", dev_share=0)  # fmt: skip
    assert (run.predict(columns) == columns["species"]).all()
    assert run.test["accuracy"] == 1
    assert run.history[-1]["train_loss"] == 0
    assert run.loss == nn.PerceptronCriterion()


@pytest.mark.parametrize("precision", ["f32", "bf16", "f64"])
@pytest.mark.parametrize("engine", ["reference", "native", "xla"])
def test_every_precision_learns_on_every_engine(engine, precision):
    run = fit("iris", epochs=20, hidden=(16,), learning_rate=0.02, engine=engine, precision=precision)
    assert run.dev["log_loss"] < 0.6
    assert {p.dtype for p in run.params.values()} == {np.dtype(np.float64 if precision == "f64" else np.float32)}
    assert run.dev["log_loss"] <= 1.05 * run.history[run.facts["best_epoch"] - 1]["dev_loss"]  # now calibrated


@pytest.mark.parametrize("activation", ["tanh", "leaky-relu", "parametric-relu", "gelu", "selu", "maxout"])
def test_every_kind_of_activation_can_be_fitted(activation):
    run = fit("iris", engine="reference", epochs=20, hidden=(16,), learning_rate=0.02, activation=activation)
    assert run.dev["accuracy"] > 0.6


# Mistakes ------------------------------------------------------------------------------------------------------------


def test_mistakes_are_told_before_anything_is_written(tmp_path):
    table = numbers_table()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    for source, given, error, message in [
        (table, {}, DataError, "dictionary: no target was named; one of its columns is needed: a, b, colour, y."),
        (table, {"target": "z"}, DataError, "there is no column 'z'"),
        (table, {"target": "y", "epoch": 1}, ConfigError, "Did you mean epochs?"),
        (table, {"target": "y", "dev_share": 0.6, "test_share": 0.6}, DataError, "the shares are dev 0.6 and test 0.6"),
        (table, {"target": "colour", "model": "linear"}, ConfigError, "model linear"),
        (tmp_path / "nothing.csv", {"target": "y"}, DataError, "there is no such file"),
        (
            table,
            {"target": "y", "out": tmp_path / "full"},
            ConfigError,
            "it exists already, and nothing is overwritten",
        ),
        (42, {"target": "y"}, DataError, "a builtins.int was given"),
    ]:
        with pytest.raises(error) as caught:
            fit(source, **({"out": tmp_path / "run"} | given))
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)
    assert sorted(each.name for each in tmp_path.rglob("*")) == ["file", "full"]


def test_a_bundled_table_knows_its_target_and_another_may_be_named():
    run = fit("iris", "petal_width", **QUICK)
    assert run.targets[0].name == "petal_width"
    assert list(run.test) == ["rmse", "mae", "r2"]


# What is kept, and when it ends --------------------------------------------------------------------------------------


def ended(**given):
    fitting = prepare("iris", make_settings({"hidden": (4,), "engine": "reference", "epochs": 3} | given))
    for _ in fitting.records():
        pass
    return fitting


@pytest.mark.parametrize(
    "given, sentence",
    [
        ({}, "All epochs done; the weights with the lowest dev loss are kept."),
        ({"dev_share": 0}, "All epochs done; the last weights are kept."),
        (
            {"tolerance": 10.0},
            "Stopped, for the train loss changed by no more than the tolerance; the weights with the lowest dev loss "
            "are kept.",
        ),
        (
            {"learning_rate": 1e30, "optimiser": "sgd", "dev_share": 0},
            "The loss or a weight became infinite or not a number; the first weights are kept. Try a smaller learning "
            "rate.",
        ),
    ],
)
def test_the_sentence_says_what_is_kept(given, sentence):
    fitting = ended(**given)
    assert fitting.ending == sentence
    assert fitting.finish().facts["outcome"] == sentence
    assert fitting.outcome.is_told_by(sentence)


def test_a_tolerance_ends_training_where_the_train_loss_hardly_changes():
    fitting = ended(tolerance=0.01, epochs=200, patience=200, schedule="constant", learning_rate=0.01)
    losses = [entry["train_loss"] for entry in fitting.history]
    changes = np.abs(np.diff(losses))
    assert fitting.outcome is Outcome.CONVERGED
    assert 3 < len(losses) < 200
    assert changes[-1] <= 0.01 < changes[:-1].min()


def test_labels_are_smoothed_where_nobody_chose_a_loss_and_by_as_much_as_was_asked():
    smoothing = lambda **given: make_settings(given).make_loss(3)
    assert smoothing(members=4).loss.label_smoothing == 0.1
    assert smoothing(members=4, loss="softmax-cross-entropy").loss.label_smoothing == 0
    assert smoothing(members=4, label_smoothing=0.0).loss.label_smoothing == 0
    assert smoothing(members=4, label_smoothing=0.3).loss.label_smoothing == 0.3
    assert smoothing(label_smoothing=0.3).label_smoothing == 0.3
    assert smoothing().label_smoothing == 0


def test_the_quadratic_loss_on_classes_is_that_of_the_course():
    """E, "Cross-entropy vs. Quadratic loss": J = 1/2 (y - y*)², y = 1 / (1 + e^-z), worked out in NumPy."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 2))
    label = (x[:, 0] + 0.3 * rng.normal(size=40) > 0).astype(int)
    table = {"a": x[:, 0], "b": x[:, 1], "y": np.array(["no", "yes"])[label]}
    given = {"target": "y", "model": "logistic", "loss": "quadratic", "optimiser": "sgd", "schedule": "constant"}
    given |= {"learning_rate": 0.5, "engine": "reference", "precision": "f64", "dev_share": 0}
    fitting = prepare(table, make_settings(given | {"epochs": 30, "batch_size": 400}))
    *_, record = fitting.records()
    assert fitting.config.loss == nn.Brier()
    data, w, b = fitting.data, np.zeros(2), 0.0
    for _ in range(30):
        y = 1 / (1 + np.exp(-(data.x @ w + b)))
        slope = (y - data.y) * y * (1 - y)
        w, b = w - 0.5 * (slope[:, None] * data.x).mean(0), b - 0.5 * slope.mean()
    kept = record.snapshot()["params"]
    np.testing.assert_allclose(kept["output/weight"][:, 0], w, rtol=1e-6)
    np.testing.assert_allclose(kept["output/bias"], [b], rtol=1e-6)
    assert make_settings({"loss": "quadratic"}).make_loss(5).outputs(5) == 5


def test_overfitting_is_seen_in_the_history():
    """Random labels: the train loss falls, the dev loss, by the same measure, rises."""
    rng = np.random.default_rng(0)
    table = {f"x{i}": rng.normal(size=120) for i in range(10)} | {"y": rng.integers(0, 2, 120).astype(str)}
    history = fit(table, "y", members=4, epochs=60, patience=60, drop_rate=0.0, engine="native").history
    assert history[-1]["train_loss"] < 0.3 < 0.7 < history[-1]["dev_loss"]
    assert all(entry["objective"] > entry["train_loss"] for entry in history[5:])  # smoothed labels cost
