"""Tables that a run gives: what was taken for what, and what the prediction hangs on."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

import preceptor as pr
from preceptor.data import read
from preceptor.errors import ConfigError, DataError

QUICK = {"hidden": (16,), "epochs": 30, "learning_rate": 0.03, "engine": "reference"}


@pytest.fixture(scope="module")
def run():
    return pr.fit("iris", **QUICK)


def test_the_confusion_is_scikit_learns_and_outlives_the_folder(run, tmp_path):
    found = pd.DataFrame(run.confusion).set_index("true")
    assert list(found.columns) == list(run.classes)
    test = run.evidence.judgements[0].rows
    assert found.to_numpy().sum() == test == run.test["accuracy"].rows
    assert np.trace(found.to_numpy()) / test == pytest.approx(run.test["accuracy"].value)
    run.save(tmp_path / "run")
    assert pr.load(tmp_path / "run").confusion == run.confusion


def test_of_several_targets_each_that_is_classes_has_its_own():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2))
    data = {"a": x[:, 0], "b": x[:, 1], "up": np.where(x[:, 0] > 0, "yes", "no"), "much": x[:, 1]}
    run = pr.fit(data, ["up", "much"], **QUICK)
    assert list(run.confusion) == ["up"]
    assert [row["true"] for row in run.confusion["up"]] == ["no", "yes"]


def test_what_has_no_classes_is_told_so():
    x = np.arange(80.0)
    run = pr.fit({"x": x, "y": 2 * x}, "y", **QUICK)
    with pytest.raises(ConfigError, match="a target of at most 100 classes, judged, is needed"):
        _ = run.confusion


def test_importance_is_the_rise_of_the_loss_where_a_column_is_shuffled(run):
    table = read("iris")
    found = {row["column"]: row for row in run.importance("iris", repeats=30)}
    truth = np.array([list(run.classes).index(each) for each in table.column("species")])

    def loss(columns):
        return metrics.log_loss(truth, run.predict_probabilities(columns))

    columns = {name: table.column(name) for name in table.columns if name != "species"}
    rng = np.random.default_rng(1)
    for name in columns:
        shuffled = [loss(columns | {name: rng.permutation(columns[name])}) - loss(columns) for _ in range(30)]
        assert found[name]["value"] == pytest.approx(np.mean(shuffled), abs=4 * np.std(shuffled) / np.sqrt(15) + 1e-3)
        assert found[name]["low"] <= found[name]["value"] <= found[name]["high"]
    assert {row["measure"] for row in found.values()} == {"log_loss"}


def test_importance_of_the_rows_that_judged_is_kept(run):
    assert next(row["column"] for row in run.importance()) in ("petal_width", "petal_length")
    values = [row["value"] for row in run.importance()]
    assert values == sorted(values, reverse=True)


def test_importance_takes_the_target_apart(run):
    table = read("iris")
    frame = pd.DataFrame({name: table.column(name) for name in table.columns if name != "species"})
    assert run.importance(frame, table.column("species"), repeats=2) == run.importance("iris", repeats=2)


def test_importance_of_unsuitable_rows_is_refused(run):
    with pytest.raises(DataError, match="species"):
        run.importance({"sepal_length": [1.0]})
    with pytest.raises(ConfigError, match="received repeats -1; at least 1 is required"):
        run.importance("iris", repeats=-1)
