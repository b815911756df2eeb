"""Classes that count differently: weights, optima and refusals, beside scikit-learn's class_weight."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.utils.class_weight import compute_class_weight

import preceptor as pr
from preceptor.data.tables import long_table
from preceptor.errors import ConfigError
from preceptor.job import prepare
from preceptor.job.class_weights import asked_weights, written_weights
from preceptor.job.settings import make_settings

ROWS = 200
RNG = np.random.default_rng(8)
X = RNG.normal(size=(ROWS, 2))
KIND = np.where(X @ [1.0, -1.0] + RNG.normal(size=ROWS) > 1.3, "yes", "no").astype(object)
W = RNG.integers(1, 5, ROWS).astype(float)
WHOLE = {"dev_share": 0.0, "test_share": 0.0, "batch_size": 10_000, "optimiser": "momentum", "schedule": "constant",
         "learning_rate": 0.3, "precision": "f64", "engine": "reference", "model": "logistic",
         "epochs": 1500}  # fmt: skip
QUICK = {"engine": "reference", "hidden": (6,), "epochs": 4, "batch_size": 20}


def table(kind=KIND, **more):
    return {"a": X[:, 0], "b": X[:, 1], "kind": kind} | more


@pytest.mark.parametrize("weight", [None, "w"])
@pytest.mark.parametrize("asked", ["balanced", {"yes": 5, "no": 0.5}, {"yes": 3}])
def test_a_logistic_model_is_scikit_learns(asked, weight):
    theirs = LogisticRegression(C=np.inf, tol=1e-9, class_weight=asked)
    theirs.fit(X, KIND, sample_weight=W if weight else None)
    run = pr.fit(table(w=W), "kind", class_weight=asked, weight=weight, leave_out=["w"], **WHOLE)
    assert_allclose(run.predict_probabilities(table()), theirs.predict_proba(X), atol=3e-4)
    if asked == "balanced":
        expected = compute_class_weight(
            "balanced", classes=np.array(["no", "yes"], object), y=KIND, sample_weight=W if weight else None
        )
        assert run.facts["class_weights"] == pytest.approx(dict(zip(["no", "yes"], expected, strict=True)))


def test_figures_count_rows_alike_and_the_dev_loss_does_not():
    """Dev loss by the measure of the train loss; accuracy of more rows that are told "yes" than without."""
    plain, heavy = (pr.fit(table(), "kind", class_weight=asked, **QUICK) for asked in (None, "yes=50"))
    judged = heavy.evaluate(table())
    assert judged["accuracy"] == pytest.approx((heavy.predict(table()) == KIND).mean())
    assert (heavy.predict(table()) == "yes").sum() > (plain.predict(table()) == "yes").sum()
    assert heavy.history[0]["dev_loss"] != plain.history[0]["dev_loss"]


@pytest.mark.parametrize("cells", [None, 100], ids=["memory", "long"])
@pytest.mark.parametrize("given", [QUICK, {"epochs": 2, "engine": "native"}], ids=["plain", "ensemble"])
def test_balanced_weights_are_of_the_training_rows(tmp_path, monkeypatch, cells, given):
    if cells:
        monkeypatch.setattr(long_table, "MOST_CELLS", cells)
    lines = [f"{a},{b},{kind}" for (a, b), kind in zip(X.tolist(), KIND, strict=True)]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,kind", *lines]))
    fitting = prepare(tmp_path / "t.csv", make_settings({"target": "kind", "class_weight": "balanced", **given}))
    labels = KIND[fitting.seen.parts.train]
    expected = compute_class_weight("balanced", classes=np.array(["no", "yes"], object), y=labels)
    assert_allclose(fitting.config.class_weights, expected, rtol=1e-12)
    records = list(fitting.records())
    assert len(fitting.history) == given["epochs"]
    assert all(record.is_finite for record in records)


def test_pictures_have_class_weights(tmp_path):
    for name, count in (("cat", 4), ("dog", 12)):
        (tmp_path / "p" / name).mkdir(parents=True)
        for number in range(count):
            pixels = np.random.default_rng(number).integers(0, 255, (8, 8), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "p" / name / f"{number}.png")
    given = {"epochs": 1, "dev_share": 0.0, "test_share": 0.0, "augment": "mixup", "engine": "reference"}
    run = pr.fit(tmp_path / "p", class_weight="balanced", model="mlp", **given)
    assert run.facts["class_weights"] == {"cat": 2.0, "dog": pytest.approx(2 / 3)}


@pytest.mark.parametrize(
    "labels, asked",
    [
        (np.where(KIND == "yes", 1, 0), {1: 5, 0: 2}),
        (np.where(KIND == "yes", 1, 0), {np.int64(1): np.float64(5), 0: 2}),
        (KIND == "yes", {True: 5, False: 2}),
        (KIND == "yes", "true=5,false=2"),
        (np.where(KIND == "yes", 'a, "b"', "c=d"), {'a, "b"': 5, "c=d": 2}),
    ],
)
def test_classes_of_every_kind_are_named(labels, asked):
    fitting = prepare(table(labels), make_settings({"target": "kind", "class_weight": asked, **QUICK}))
    assert sorted(fitting.config.class_weights) == [2, 5]
    first = fitting.preprocessor.targets[0].classes[0]
    assert fitting.config.class_weights[0] == (5 if first == 'a, "b"' else 2)


def test_texts_and_weights_are_each_others_inverse():
    for weights in ({"yes": 5.0, "no": 1.5}, {"a,b": 1.0, 'say "x"': 2.0, "c=d": 0.0}):
        assert asked_weights(written_weights(weights)) == weights
    assert asked_weights(" yes = 5, no=0 ") == {"yes": 5, "no": 0}
    assert asked_weights("balanced") is None


@pytest.mark.parametrize(
    "asked, message",
    [
        ("yes", r"class_weight is 'yes'; balanced is required, or CLASS=NUMBER with commas between"),
        ("yes=-1", r"class_weight is 'yes=-1'; balanced is required"),
        ("yes=nan", r"balanced is required"),
        ("yes=1e300", r"its number 0 to 1e\+09, such as"),
        ("yes=1e-300,no=1e-300", r"all classes would count for nothing"),
        ("yes=1,yes=2", r"each class once"),
        ("=1", r"balanced is required"),
        ({}, r"class_weight is ''; balanced is required"),
        ({"yes": "many"}, r"balanced is required"),
        (5, r"class_weight is 5; it must be text"),
        ("yse=5", r"class_weight for 'yse'; the target 'kind' has no such class: no, yes. Did you mean 'yes'\?"),
        ("yes=0,no=0", r"all classes would count for nothing"),
    ],
)
def test_what_is_no_weight_of_a_class(asked, message):
    with pytest.raises(ConfigError, match=message):
        pr.fit(table(), "kind", class_weight=asked)


def test_a_number_has_no_classes():
    with pytest.raises(ConfigError, match=r"class_weight 'balanced'; the target 'a' is a number, which has no classes"):
        pr.fit(table(), "a", class_weight="balanced")


def test_old_runs_have_none(tmp_path):
    run = pr.fit(table(), "kind", **QUICK)
    del run.facts["settings"]["class_weight"]
    assert "class_weights" not in run.facts
    run.save(tmp_path / "run")
    assert pr.load(tmp_path / "run").evaluate(table()) == run.evaluate(table())
