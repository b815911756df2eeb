"""What weights are chosen by: the best epoch by every metric, thresholds, the absolute loss, refusals."""

import csv
import math
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from PIL import Image
from sklearn import metrics
from sklearn.linear_model import QuantileRegressor

import preceptor as pr
from preceptor.data.tables import long_table
from preceptor.errors import ConfigError, DataError
from preceptor.job import prepare
from preceptor.job.settings import make_settings
from preceptor.nn import Absolute, Quadratic
from preceptor.nn.member import inner

ROWS = 400
RNG = np.random.default_rng(4)
X = RNG.normal(size=(ROWS, 3))
RARE = np.where(X @ [1.0, 1.0, 0.0] + RNG.normal(size=ROWS) > 2, "yes", "no").astype(object)
THREE = np.array(["a", "b", "c"], object)[np.digitize(X @ [1.0, -1.0, 0.0] + RNG.normal(size=ROWS), [-0.5, 1])]
SEVEN = np.array([*"abcdefg"], object)[
    np.digitize(X @ [1.0, -1.0, 0.0] + np.random.default_rng(5).normal(size=ROWS), np.arange(-2.5, 3))
]
NUMBER = np.exp(X @ [0.5, 0.2, 0.0] + 0.5 * RNG.standard_t(3, ROWS))
W = RNG.integers(0, 4, ROWS).astype(float)
PART = np.array(["train", "dev", "test", "train", "train"], object)[np.arange(ROWS) % 5]
QUICK = {"engine": "reference", "hidden": (8,), "epochs": 12, "batch_size": 20, "learning_rate": 0.02, "patience": 12}

EXPECTED = {
    "accuracy": lambda y, p, c, w: metrics.accuracy_score(y, c[p.argmax(1)], sample_weight=w),
    "balanced-accuracy": lambda y, p, c, w: metrics.balanced_accuracy_score(y, c[p.argmax(1)], sample_weight=w),
    "log-loss": lambda y, p, c, w: metrics.log_loss(y, p, sample_weight=w),
    "auc": lambda y, p, c, w: metrics.roc_auc_score(y, p, multi_class="ovr", sample_weight=w),
    "top5-error": lambda y, p, c, w: 1 - metrics.top_k_accuracy_score(y, p, k=5, labels=c, sample_weight=w),
    "f1": lambda y, p, c, w: metrics.f1_score(y, c[p.argmax(1)], average="macro", sample_weight=w),
    "rmse": lambda y, p, c, w: metrics.root_mean_squared_error(y, p, sample_weight=w),
    "mae": lambda y, p, c, w: metrics.mean_absolute_error(y, p, sample_weight=w),
    "r2": lambda y, p, c, w: metrics.r2_score(y, p, sample_weight=w),
    "rmsle": lambda y, p, c, w: metrics.root_mean_squared_log_error(y, np.maximum(p, 0), sample_weight=w),
}


def table(target, **more):
    return {"a": X[:, 0], "b": X[:, 1], "c": X[:, 2], "target": target} | more


@pytest.mark.parametrize("weight", [None, "w"])
@pytest.mark.parametrize("metric", EXPECTED)
def test_the_best_epoch_by_every_metric(metric, weight):
    """Its figure comes first and is scikit-learn's, in the history of its epoch too, and no epoch has a better one."""
    of_number = metric in ("rmse", "mae", "r2", "rmsle")
    source = table(NUMBER if of_number else SEVEN if metric == "top5-error" else THREE, part=PART, w=W)
    given = {"metric": metric, "weight": weight, "split_column": "part", "leave_out": ["w"], **QUICK}
    run = pr.fit(source, "target", **given)
    figure = metric.replace("-", "_")
    history = [entry[f"dev_{figure}"] for entry in run.history]
    best = max if metric in ("accuracy", "balanced-accuracy", "auc", "f1", "r2") else min
    assert history[run.facts["best_epoch"] - 1] == best(history)
    word, spoken = "highest" if best is max else "lowest", metric.replace("top5-", "top-5 ").replace("-loss", " loss")
    spoken = spoken.replace("balanced-", "balanced ")
    assert f"the weights with the {word} dev {spoken} are kept" in run.facts["outcome"]
    rows = {name: values[PART == "dev"] for name, values in source.items()}
    predicted = run.predict(rows) if of_number else run.predict_probabilities(rows)
    w, classes = rows["w"] if weight else None, np.array(run.classes or ())
    expected = EXPECTED[metric](rows["target"], predicted, classes, w)
    for found in (run.dev, run.test, run.evaluate(rows)):
        assert next(iter(found)) == figure
    assert run.dev[figure].value == pytest.approx(expected, rel=1e-4)
    if metric not in ("log-loss", "auc"):  # which the temperature changes after training
        assert best(history) == pytest.approx(expected, rel=1e-4)
    assert run.threshold is None


@pytest.mark.parametrize("metric", ["f1", "balanced-accuracy"])
@pytest.mark.parametrize("folds", [0, 8])
def test_two_classes_are_decided_by_the_best_threshold(metric, folds, tmp_path):
    given = {"epochs": 8, "engine": "native"} if folds else QUICK
    source = table(RARE)
    run = pr.fit(source, "target", metric=metric, folds=folds or None, weight=None, **given)
    assert 0 < run.threshold < 0.5
    p = run.predict_probabilities(source)[:, 1]
    expected = np.where(p >= run.threshold, "yes", "no")
    np.testing.assert_array_equal(run.predict(source), expected)
    assert (expected != np.where(p > 0.5, "yes", "no")).any()
    judged = run.evaluate(source)
    score = metrics.f1_score if metric == "f1" else metrics.balanced_accuracy_score
    keywords = {"pos_label": "yes"} if metric == "f1" else {}
    assert judged[metric.replace("-", "_")].value == pytest.approx(score(RARE, expected, **keywords), rel=1e-9)
    assert judged["accuracy"].value == pytest.approx(metrics.accuracy_score(RARE, expected), rel=1e-9)
    again = pr.load(run.save(tmp_path / "run").path)
    assert (again.threshold, again.metric) == (run.threshold, run.metric)
    assert again.evaluate(source) == judged
    run.write_predictions(source, tmp_path / "p.csv")
    with (tmp_path / "p.csv").open() as file:
        assert [row["prediction"] for row in csv.DictReader(file)] == expected.tolist()


def test_the_threshold_is_the_best_one_of_the_dev_rows():
    run = pr.fit(table(RARE, part=PART), "target", metric="f1", split_column="part", **QUICK)
    rows = {name: values[PART == "dev"] for name, values in table(RARE).items()}
    p, y = run.predict_probabilities(rows)[:, 1], rows["target"] == "yes"
    every = [metrics.f1_score(y, p >= each) for each in np.unique(p)]
    assert metrics.f1_score(y, p >= run.threshold) == pytest.approx(max(every), rel=1e-12)
    assert run.history[run.facts["best_epoch"] - 1]["dev_f1"] == pytest.approx(max(every), rel=1e-6)
    assert run.dev["f1"] <= max(every)  # at thresholds of the other dev rows


def test_equal_epochs_are_told_apart_by_their_loss():
    """All epochs tell every dev row: the last, of the lowest loss, is the best."""
    x = np.concatenate([RNG.normal(-9, 1, 100), RNG.normal(9, 1, 100)])
    run = pr.fit({"x": x, "y": np.repeat(["no", "yes"], 100)}, "y", metric="accuracy", **QUICK)
    ones = [entry for entry in run.history if entry["dev_accuracy"] == 1]
    assert len(ones) > 3
    best = min(ones, key=lambda entry: entry["dev_loss"])
    assert run.facts["best_epoch"] == round(best["epoch"])


def test_patience_waits_for_the_metric():
    run = pr.fit(table(THREE), "target", metric="f1", **QUICK | {"epochs": 200, "patience": 3})
    assert "Stopped early, for the dev f1 no longer rose; " in run.facts["outcome"]
    assert run.facts["epochs"] == run.facts["best_epoch"] + 3


@pytest.mark.parametrize("cells", [None, 100], ids=["memory", "long"])
def test_mae_makes_the_loss_absolute(tmp_path, monkeypatch, cells):
    """A linear model then goes through the medians, as scikit-learn's regression of the quantile 1/2."""
    if cells:
        monkeypatch.setattr(long_table, "MOST_CELLS", cells)
    lines = [",".join(map(str, row)) for row in np.column_stack([X, NUMBER]).tolist()]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,c,target", *lines]))
    given = {"model": "linear", "optimiser": "adam", "learning_rate": 0.05, "schedule": "cosine", "epochs": 250,
             "dev_share": 0.1, "test_share": 0.0, "engine": "reference", "batch_size": 400,
             "patience": 250}  # fmt: skip
    fitting = prepare(tmp_path / "t.csv", make_settings({"target": "target", "metric": "mae", **given}))
    assert isinstance(fitting.config.loss, Absolute)
    for _ in fitting.records():
        pass
    run = fitting.finish()
    train = fitting.seen.parts.train
    theirs = QuantileRegressor(quantile=0.5, alpha=0).fit(X[train], NUMBER[train])
    ours = metrics.mean_absolute_error(
        NUMBER[train], run.predict({"a": X[train, 0], "b": X[train, 1], "c": X[train, 2]})
    )
    assert ours == pytest.approx(metrics.mean_absolute_error(NUMBER[train], theirs.predict(X[train])), rel=0.01)
    squared = prepare(tmp_path / "t.csv", make_settings({"target": "target", "metric": "mae", "loss": "quadratic"}))
    assert isinstance(inner(squared.config.loss), Quadratic)


def test_an_ensemble_of_the_absolute_loss_and_its_networks():
    run = pr.fit(table(NUMBER), "target", metric="mae", epochs=6, engine="native")
    assert isinstance(inner(run.loss), Absolute)
    each = run.predict_samples(table(NUMBER))
    assert_allclose(run.predict(table(NUMBER)), np.average(each, 0, run.loss.shares), rtol=1e-4)
    pair = pr.fit(table(NUMBER), "target", metric="rmsle", ensemble=2, **QUICK)
    assert next(iter(pair.test)) == "rmsle"
    assert "network_rmsle" in pair.test


def test_pictures_have_metrics(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / "p" / name).mkdir(parents=True)
        for number in range(15):
            pixels = np.random.default_rng(number).integers(0, 200, (8, 8), np.uint8) + 40 * (name == "cat")
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "p" / name / f"{number}.png")
    run = pr.fit(tmp_path / "p", metric="f1", model="mlp", epochs=2, engine="reference")
    assert next(iter(run.test)) == "f1"
    assert run.threshold is not None


@pytest.mark.parametrize(
    "target, given, message",
    [
        (NUMBER, {"metric": "auc"}, r"metric auc; the target 'target' is a number, which rmse, mae, r2, rmsle suit"),
        (RARE, {"metric": "mae"}, r"is classes, which accuracy, balanced-accuracy, log-loss, auc, top5-error, f1 suit"),
        (RARE, {"metric": "top5-error"}, r"the target 'target' has 2 classes, and more than 5 are required"),
        (RARE, {"metric": "f1", "dev_share": 0.0}, r"metric f1 without a dev part, on which the weights are chosen"),
        (RARE, {"metric": "f2"}, r"metric is 'f2'; it must be one of accuracy, balanced-accuracy"),
        (RARE, {"loss": "absolute"}, r"Absolute: received classes as target; a number is required"),
        (np.where(np.arange(ROWS) == 7, -0.5, NUMBER), {"metric": "rmsle"},
         r"metric rmsle: the target 'target' is -0.5 in data row 8; numbers of at least 0 are needed"),
    ],
)  # fmt: skip
def test_metrics_that_make_no_sense(target, given, message):
    with pytest.raises((ConfigError, DataError, ValueError), match=message):
        pr.fit(table(target), "target", **given)


def test_dev_rows_of_one_class_have_no_auc():
    part = np.where((PART == "dev") & (RARE == "yes"), "train", PART)
    with pytest.raises(ConfigError, match=r"the targets of the \d+ dev rows are all of one class, of which there"):
        pr.fit(table(RARE, part=part), "target", metric="auc", split_column="part")


def test_targets_of_zero_have_logarithms():
    run = pr.fit(table(np.maximum(NUMBER - 1, 0)), "target", metric="rmsle", **QUICK)
    assert 0 < run.dev["rmsle"] < math.inf


def test_old_runs_have_none(tmp_path):
    run = pr.fit(table(RARE), "target", **QUICK)
    del run.facts["settings"]["metric"]
    run.save(tmp_path / "run")
    again = pr.load(tmp_path / "run")
    assert (again.metric, again.threshold) == (None, None)
    assert again.evaluate(table(RARE)) == run.evaluate(table(RARE))


@pytest.mark.parametrize("facts", [{"threshold": 1.5}, {"threshold": "high"}, {"settings": "metric"}])
def test_a_run_that_claims_nonsense_is_refused(tmp_path, facts):
    run = pr.fit(table(RARE), "target", metric="f1", **QUICK)
    if facts.get("settings"):
        facts = {"settings": run.facts["settings"] | {"metric": "rmse"}}
    run.facts.update(facts)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is no number there is no report either
        run.save(tmp_path / "run")
    with pytest.raises(DataError, match="the run cannot be read"):
        pr.load(tmp_path / "run")
