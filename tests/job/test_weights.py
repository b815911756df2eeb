"""Rows that count differently: what is learned and judged is what scikit-learn makes of the same weights."""

import csv

import numpy as np
import pytest
from numpy.testing import assert_allclose
from PIL import Image
from sklearn import metrics
from sklearn.linear_model import LinearRegression, LogisticRegression

import preceptor as pr
from preceptor.data.tables import long_table
from preceptor.errors import ConfigError, DataError
from preceptor.job import prepare
from preceptor.job.settings import make_settings

ROWS = 240
RNG = np.random.default_rng(3)
X = RNG.normal(size=(ROWS, 2)) * [1, 5] + [3, 0]
NOISE = RNG.normal(size=ROWS)
NUMBER = X @ [2.0, -0.3] + NOISE * X[:, 0]
KIND = np.where(X @ [1.0, 0.2] - 3 + NOISE > 0, "yes", "no").astype(object)
W = RNG.integers(0, 5, ROWS)
PART = np.array(["train", "train", "dev", "test"], object)[np.arange(ROWS) % 4]
# With all rows in each step, until nothing moves any more.
WHOLE = {"dev_share": 0.0, "test_share": 0.0, "batch_size": 10_000, "optimiser": "momentum", "schedule": "constant",
         "learning_rate": 0.3, "precision": "f64", "engine": "reference"}  # fmt: skip
QUICK = {"engine": "reference", "hidden": (6,), "epochs": 4, "batch_size": 20}


def table(**changes):
    return {"a": X[:, 0], "b": X[:, 1], "w": W.astype(float), "number": NUMBER, "kind": KIND} | changes


def without(source, *names):
    return {name: values for name, values in source.items() if name not in names}


@pytest.fixture
def written_as(tmp_path):
    def write(source, name="t.csv"):
        with (tmp_path / name).open("w", newline="") as file:
            csv.writer(file).writerows([source, *zip(*(np.asarray(v).tolist() for v in source.values()), strict=True)])
        return tmp_path / name

    return write


def test_a_linear_model_is_weighted_least_squares():
    theirs = LinearRegression().fit(X, NUMBER, sample_weight=W)
    run = pr.fit(without(table(), "kind"), "number", weight="w", model="linear", epochs=300, **WHOLE)
    assert_allclose(run.predict({"a": X[:, 0], "b": X[:, 1]}), theirs.predict(X), rtol=1e-5, atol=1e-5)
    assert run.preprocessor.features == 2
    assert ("w", "weighs the rows") in run.preprocessor.set_aside
    assert np.abs(theirs.predict(X) - LinearRegression().fit(X, NUMBER).predict(X)).max() > 0.05


def test_whole_weights_are_rows_repeated():
    repeated = {name: np.repeat(values, W) for name, values in table().items()}
    given = {"model": "linear", "epochs": 300, "leave_out": ("kind",), **WHOLE}
    once = pr.fit(table(), "number", weight="w", **given)
    often = pr.fit(without(repeated, "w"), "number", **given)
    assert_allclose(once.predict(table()), often.predict(table()), rtol=1e-4, atol=1e-4)


def test_a_logistic_model_is_scikit_learns():
    theirs = LogisticRegression(C=np.inf, tol=1e-9).fit(X, KIND, sample_weight=W)
    run = pr.fit(without(table(), "number"), "kind", weight="w", model="logistic", epochs=1500, **WHOLE)
    found = run.predict_probabilities(table())
    assert_allclose(found, theirs.predict_proba(X), atol=2e-4)


def test_rows_of_weight_zero_are_as_if_they_were_not_there():
    """To the last bit: they are in no part, and in nothing that is learned of the columns."""
    far = np.where(W == 0, 1e6, X[:, 0])
    given = {"weight": "w", "leave_out": ("number",), **QUICK}
    whole = pr.fit(table(a=far), "kind", **given)
    kept = {name: values[W > 0] for name, values in table().items()}
    rest = pr.fit(kept, "kind", **given)
    assert all(np.array_equal(whole.params[name], rest.params[name]) for name in rest.params)
    assert (whole.dev, whole.test, whole.preprocessor) == (rest.dev, rest.test, rest.preprocessor)


@pytest.mark.parametrize("target", ["kind", "number"])
def test_figures_are_scikit_learns_with_sample_weight(target):
    source = without(table(part=PART), "number" if target == "kind" else "kind")
    run = pr.fit(source, target, weight="w", split_column="part", **QUICK)
    for part, found in (("dev", run.dev), ("test", run.test)):
        rows = {name: values[part == PART] for name, values in source.items()}
        expected = expected_figures(run, rows, target)
        for name, value in expected.items():
            assert found[name].value == pytest.approx(value, rel=1e-5), (part, name)
        judged = run.evaluate(rows)
        assert [(f.low, f.value, f.high) for f in judged.values()] == [
            pytest.approx((f.low, f.value, f.high), rel=1e-9) for f in found.values()
        ]
        assert next(iter(found.values())).rows == np.count_nonzero(rows["w"])
    name = "accuracy" if target == "kind" else "rmse"
    best = run.history[int(run.facts["best_epoch"]) - 1]
    assert best[f"dev_{name}"] == pytest.approx(run.dev[name].value, rel=1e-4)
    w = W[(PART == "train") & (W > 0)]
    assert run.facts["effective_rows"] == pytest.approx(w.sum() ** 2 / (w**2).sum())


def expected_figures(run, rows, target):
    truth, w, found = rows[target], rows["w"], run.predict(rows)
    if target == "number":
        mean_square = metrics.mean_squared_error(truth, found, sample_weight=w)
        return {"rmse": mean_square**0.5, "mae": metrics.mean_absolute_error(truth, found, sample_weight=w),
                "r2": metrics.r2_score(truth, found, sample_weight=w)}  # fmt: skip
    p = run.predict_probabilities(rows)
    return {
        "accuracy": metrics.accuracy_score(truth, found, sample_weight=w),
        "log_loss": metrics.log_loss(truth, p, sample_weight=w, labels=run.classes),
        "f1": metrics.f1_score(truth, found, pos_label="yes", sample_weight=w),
        "auc": metrics.roc_auc_score(truth, p[:, 1], sample_weight=w),
    }


def test_every_row_of_folds_is_judged_by_its_weight():
    """Rows that nobody can tell count a thousandth: by weight nearly all are told rightly, by number not."""
    rng = np.random.default_rng(0)
    x, noisy = rng.normal(size=600), rng.random(600) < 0.5
    y = np.where(noisy, rng.random(600) < 0.5, x > 0)
    source = {"x": x, "noise": rng.normal(size=600), "w": np.where(noisy, 0.001, 1), "y": y}
    given = {"epochs": 6, "engine": "native"}
    run, plain = pr.fit(source, "y", weight="w", **given), pr.fit(source, "y", leave_out=["w"], **given)
    assert run.facts["folds"] == 8
    assert run.dev["accuracy"].rows == 600
    assert run.dev["accuracy"] > 0.93 > 0.85 > plain.dev["accuracy"]
    assert run.facts["effective_rows"] == pytest.approx(np.count_nonzero(~noisy), rel=0.01)
    ensemble = pr.fit(source, "y", weight="w", ensemble=2, hidden=(4,), **given)
    assert ensemble.test["network_accuracy"] > 0.75


def test_a_long_table_is_weighted_like_one_in_memory(monkeypatch, written_as):
    path = written_as(without(table(), "kind"))
    given = make_settings({"target": "number", "weight": "w", "model": "linear", "epochs": 300, **WHOLE})
    theirs = LinearRegression().fit(X, NUMBER, sample_weight=W).predict(X)
    for cells in (long_table.MOST_CELLS, 100):
        monkeypatch.setattr(long_table, "MOST_CELLS", cells)
        fitting = prepare(path, given)
        assert (fitting.data.rows, fitting.preprocessor.left_out) == (np.count_nonzero(W), 0)
        assert f"Left out: {np.count_nonzero(W == 0)} rows of the weight 0." in fitting.seen.notes
        for _ in fitting.records():
            pass
        run = fitting.finish()
        assert_allclose(run.predict(path), theirs, rtol=1e-3, atol=1e-3)
        assert run.facts["effective_rows"] == pytest.approx(W.sum() ** 2 / (W**2).sum())
        judged = run.evaluate(path)
        expected = metrics.mean_absolute_error(NUMBER, run.predict(path), sample_weight=W)
        assert judged["mae"].value == pytest.approx(expected, rel=1e-6)


def wrong(place, value):
    column = W.astype(object)
    column[place] = value
    return column


WRONG = [
    (wrong(6, ""), r"t.csv: the weight 'w' is missing in data row 7; a finite number of at least 0 is needed"),
    (wrong(9, -0.5), r"t.csv: the weight 'w' is -0.5 in data row 10; a finite number of at least 0"),
    (wrong([9, 3], "inf"), r"the weight 'w' is inf in data row 4, and none in 1 more row;"),
    (wrong(1, "heavy"), r"t.csv: the weight 'w' is 'heavy' in data row 2;"),
    (np.zeros(ROWS), r"t.csv: the weight 'w' is 0 in every row that has a target; some must be above 0"),
    (np.full(ROWS, "2024-01-31"), r"the weight 'w' is a date in data row 1, and none in 239 more rows"),
]


@pytest.mark.parametrize("column, message", WRONG)
@pytest.mark.parametrize("cells", [None, 100], ids=["memory", "long"])
def test_weights_that_are_none(written_as, monkeypatch, column, message, cells):
    if cells:
        monkeypatch.setattr(long_table, "MOST_CELLS", cells)
    with pytest.raises(DataError, match=message):
        pr.fit(written_as(without(table(w=column), "number")), "kind", weight="w")


def test_a_row_without_a_target_needs_no_weight(written_as):
    source = without(table(w=wrong(6, "")), "number") | {"kind": np.where(np.arange(ROWS) == 6, "", KIND)}
    run = pr.fit(written_as(source), "kind", weight="w", **QUICK)
    assert run.preprocessor.left_out == 1
    assert run.evaluate(written_as(source))["accuracy"].rows == np.count_nonzero(np.delete(W, 6))


def test_weights_of_rows_that_are_judged_must_be_some(written_as):
    run = pr.fit(without(table(), "number"), "kind", weight="w", **QUICK)
    with pytest.raises(DataError, match=r"the weight 'w' is 0 in every row that has a target"):
        run.evaluate(without(table(w=np.zeros(ROWS)), "number"))
    unknown = np.where(W == 0, "maybe", KIND)
    assert run.evaluate(without(table(kind=unknown), "number")) == run.evaluate(without(table(), "number"))
    with pytest.raises(DataError, match=r"the weight 'w' is -1.0 in data row 6"):
        run.evaluate(without(table(w=np.where(np.arange(ROWS) == 5, -1.0, 1.0)), "number"))


def test_test_rows_of_a_file_of_their_own_have_weights_too(written_as):
    source = without(table(), "number")
    first, last = ({name: values[rows] for name, values in source.items()} for rows in (slice(160), slice(160, None)))
    other = written_as(last, "test.csv")
    run = pr.fit(first, "kind", weight="w", test=other, leave_out=["w"], **QUICK)
    assert run.test == run.evaluate(other)
    with pytest.raises(DataError, match=r"test.csv: 'w' is missing; every column of dictionary is needed"):
        pr.fit(first, "kind", weight="w", test=written_as(without(last, "w"), "test.csv"), **QUICK)


def test_weights_that_make_no_sense(tmp_path):
    with pytest.raises(ConfigError, match=r"'kind' is the target; another column must weigh the rows"):
        pr.fit(table(), "kind", weight="kind")
    with pytest.raises(DataError, match=r"there is no column 'weigth'; .* Did you mean 'weight'"):
        pr.fit(table(weight=W), "kind", weight="weigth")
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / name / "1.png")
    with pytest.raises(ConfigError, match=r"received weight with pictures; it is of a table alone. Leave it out"):
        pr.fit(tmp_path, weight="w")


def test_old_runs_have_no_weights(tmp_path):
    run = pr.fit(without(table(), "number"), "kind", **QUICK)
    del run.facts["settings"]["weight"]
    assert "weighed_by" not in run.facts
    run.save(tmp_path / "run")
    assert pr.load(tmp_path / "run").evaluate(table()) == run.evaluate(table())


def test_a_run_whose_rows_tell_of_less_than_two_is_read_again(tmp_path):
    """Of two test rows that count 1 and 3 the interval of R2 has no end below, of which JSON knows nothing."""
    part = np.array(["train"] * 20 + ["dev"] * 10 + ["test"] * 2, object)
    source = {"a": X[:32, 0], "w": np.ones(32), "y": NUMBER[:32], "part": part}
    source["w"][-2:] = 1, 3
    run = pr.fit(source, "y", weight="w", split_column="part", **QUICK)
    assert run.test["r2"].low == -np.inf
    assert pr.load(run.save(tmp_path / "run").path).test == run.test
