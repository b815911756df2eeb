"""The estimators, by scikit-learn's own checks, in its tools, and beside the command."""

import doctest
import pickle
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import sklearn
from joblib import parallel_config
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.callback import ScoringMonitor
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.metrics import accuracy_score, f1_score, r2_score
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import preceptor as pr
from preceptor.cli import main
from preceptor.hyper import hyper_fields
from preceptor.job.parts import own_numbers
from preceptor.job.settings import Settings
from preceptor.machine import cores
from preceptor.sklearn import NetworkClassifier, NetworkRegressor, estimators

BOTH = (NetworkClassifier, NetworkRegressor)
PLAIN = {"hidden": (16,), "epochs": 20, "learning_rate": 0.03}
MEMBERS = PLAIN | {"members": 8, "bins": 4, "epochs": 12}
QUICK = {"hidden": (8,), "members": 8, "epochs": 3}


def mixed(rows=120, seed=0):
    """Numbers with gaps, categories with gaps, truth values; what is to be told depends on them."""
    rng = np.random.default_rng(seed)
    size, colour = rng.normal(size=rows), rng.choice(["red", "green", "blue"], rows)
    price = 2 * size + 3 * (colour == "red") + rng.normal(size=rows) / 10
    frame = pd.DataFrame({"size": size, "colour": colour, "old": rng.random(rows) < 0.5, "n": rng.integers(0, 9, rows)})
    frame.loc[rng.random(rows) < 0.1, "size"] = np.nan
    frame.loc[rng.random(rows) < 0.1, "colour"] = None
    frame["colour"] = frame["colour"].astype("category")
    return frame, price


def target_of(cls, price):
    return np.where(price > 1, "dear", "cheap") if cls is NetworkClassifier else price


@pytest.mark.parametrize(
    "cls, given",
    [
        pytest.param(NetworkRegressor, MEMBERS),
        *(pytest.param(NetworkClassifier, each, marks=pytest.mark.slow) for each in (MEMBERS, PLAIN, {})),
        *(pytest.param(NetworkRegressor, each, marks=pytest.mark.slow) for each in (PLAIN, {})),
    ],
)
def test_scikit_learn_finds_no_fault(cls, given, monkeypatch):
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")  # else one check is passed over
    found = check_estimator(cls(**given), legacy=True, on_skip=None, on_fail=None)
    assert len(found) > 55
    has_none = {"check_classifiers_multilabel_output_format_decision_function"}  # passed over: no such method
    assert [
        (each["check_name"], each["status"], each["exception"])
        for each in found
        if each["status"] != "passed" and not (each["status"] == "skipped" and each["check_name"] in has_none)
    ] == []


@pytest.fixture
def command(monkeypatch, tmp_path):
    """The command, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["preceptor", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main()
        assert not end.value.code

    return call


@pytest.mark.parametrize("cls", BOTH)
@pytest.mark.parametrize("weighed", [False, True])
def test_the_command_predicts_the_same(cls, weighed, command):
    frame, price = mixed()
    target = target_of(cls, price)
    weights = np.linspace(0, 1, len(frame)) if weighed else None
    frame.assign(colour=frame["colour"].astype(object), price=target, often=weights).to_csv("t.csv", index=False)
    also = ("--weight", "often") if weighed else ("--leave-out", "often")
    command("fit", "t.csv", "--target", "price", "--epochs", 4, "--seed", 5, "--drop-rate", 0.1, "--out", "run", *also)
    command("predict", "run", "t.csv", "-o", "out.csv")
    made = cls(epochs=4, random_state=5, drop_rate=0.1).fit(frame, target, sample_weight=weights)
    wanted = pd.read_csv("out.csv")
    assert_array_equal(made.predict(frame), wanted["prediction"])
    if cls is NetworkClassifier:
        assert_array_equal(made.predict_proba(frame), wanted[["probability_cheap", "probability_dear"]])
    assert made.run_.dev == pr.load("run").dev
    assert made.n_iter_ == pr.load("run").facts["epochs"] == 4


@pytest.mark.parametrize("as_frame", [lambda x: x, "polars", "pyarrow", lambda x: x.to_numpy(object)])
def test_frames_are_taken_as_they_are(as_frame):
    frame, price = mixed()
    given = frame
    if isinstance(as_frame, str):
        library = pytest.importorskip(as_frame)
        given = library.from_pandas(frame) if as_frame == "polars" else library.Table.from_pandas(frame)
    else:
        given = as_frame(frame)
    made = NetworkRegressor(epochs=30, random_state=1).fit(given, price)
    assert made.n_features_in_ == 4
    assert (
        made.score(given, price) > 0.5
    )  # without the categories 0.65 of the variance would be the most; gaps cost some
    kinds = [type(each).__name__ for each in made.run_.preprocessor.columns]
    assert kinds[:2] == ["Numbers", "Categories"]
    if hasattr(given, "columns"):
        assert_array_equal(made.feature_names_in_, frame.columns)
    else:
        assert not hasattr(made, "feature_names_in_")


def test_an_array_and_a_frame_of_the_same_numbers_are_the_same():
    x, y = np.random.default_rng(0).normal(size=(2, 80, 3)), np.arange(80) % 2
    x = x[0]
    frame = pd.DataFrame(x, columns=["a", "b", "c"])
    from_array, from_frame = (NetworkClassifier(**QUICK).fit(each, y) for each in (x, frame))
    wanted = from_array.predict_proba(x)
    assert_array_equal(from_frame.predict_proba(frame), wanted)
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        assert_array_equal(from_frame.predict_proba(x), wanted)
    with pytest.warns(UserWarning, match="X has feature names"):
        assert_array_equal(from_array.predict_proba(frame), wanted)
    with pytest.raises(ValueError, match="feature names should match"):
        from_frame.predict(frame[["b", "a", "c"]])


def test_columns_may_have_any_names():
    x = np.random.default_rng(0).normal(size=(80, 3))
    frame = pd.DataFrame({"target": x[:, 0], "sample_weight": x[:, 1], "price": x[:, 2]})
    weights = np.linspace(1, 2, 80)
    for y in (x[:, 0] + x[:, 1], pd.Series(x[:, 0] + x[:, 1], name="price")):
        made = NetworkRegressor(**PLAIN).fit(frame, y, sample_weight=weights)
        assert [each.name for each in made.run_.preprocessor.columns] == list(frame)
        assert made.score(frame, y) > 0.9
    assert made.run_.targets[0].name == "price_"


@pytest.mark.parametrize(
    "labels", [("no", "yes"), (0, 1), (-1, 1), (False, True), (1.0, 2.0), (3, 7, 11), ("a", "b", "c")]
)
def test_labels_of_any_kind_come_back(labels):
    x = np.random.default_rng(0).normal(size=(90, 2))
    y = np.array(labels)[(np.arange(90) % len(labels))]
    x[:, 0] += 3 * (np.arange(90) % len(labels))
    made = NetworkClassifier(**PLAIN).fit(x, y)
    assert_array_equal(made.classes_, labels)
    assert made.predict(x).dtype == y.dtype
    assert made.score(x, y) > 0.8
    assert_array_equal(made.classes_[made.predict_proba(x).argmax(1)], made.predict(x))
    assert_allclose(made.predict_proba(x).sum(1), 1)


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_workers_share_the_cores(backend, monkeypatch):
    if "native" not in NetworkClassifier(**QUICK).fit([[0], [1]] * 20, [0, 1] * 20).run_.facts["engine"]:
        pytest.skip("the threads are those of the native engine")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)

    frame, price = mixed(60)
    made = make_pipeline(make_column_transformer((StandardScaler(), ["size", "n"])), NetworkClassifier(**QUICK))
    with parallel_config(backend=backend):
        found = cross_validate(made, frame, price > 1, cv=2, n_jobs=2, return_estimator=True)["estimator"]
    threads = [int(re.search(r"(\d+) thread", each[-1].run_.facts["engine"])[1]) for each in found]
    assert sum(threads) <= max(cores(), 2)


def test_in_a_search_and_a_pipeline():
    frame, price = mixed(90)
    imputed = make_column_transformer(
        (SimpleImputer(), ["size", "n"]), (SimpleImputer(strategy="most_frequent"), ["colour"])
    )
    for output in ("default", "pandas", "polars"):
        if output == "polars":
            pytest.importorskip("polars")
        made = make_pipeline(imputed, NetworkRegressor(**PLAIN)).set_output(transform=output)
        assert cross_val_score(made, frame.assign(colour=frame["colour"].astype(object)), price, cv=2).mean() > 0.3
    search = GridSearchCV(NetworkRegressor(**PLAIN), {"hidden": [(4,), 8], "preprocess": [None, "range"]}, cv=2)
    search.fit(frame, price)
    assert search.score(frame, price) > 0.5
    assert search.best_estimator_.run_.facts["settings"]["preprocess"] in (None, "range")


def test_whole_weights_of_few_rows_are_repetitions():
    x, y = np.random.default_rng(0).normal(size=(2, 20))
    weights = np.arange(20) % 4
    weighted = NetworkRegressor(**QUICK).fit(x[:, None], y, sample_weight=weights)
    repeated = NetworkRegressor(**QUICK).fit(np.repeat(x, weights)[::-1, None], np.repeat(y, weights)[::-1])
    assert_array_equal(weighted.predict(x[:, None]), repeated.predict(x[:, None]))


def test_weights_are_routed():
    """A class that counts for next to nothing is not learned; scores weigh as scikit-learn's own do."""
    x = np.random.default_rng(0).normal(size=(200, 2))
    y = (x[:, 0] + np.random.default_rng(1).normal(size=200) > 0).astype(int)
    weights = np.where(y, 1e-3, 1.5)
    made = NetworkClassifier(**PLAIN).fit(x, y, sample_weight=weights)
    assert made.predict(x).mean() < 0.05
    assert NetworkClassifier(**PLAIN).fit(x, y).predict(x).mean() > 0.3
    assert made.score(x, y, sample_weight=weights) == pytest.approx(np.average(made.predict(x) == y, weights=weights))
    assert made.run_.facts["weighed_by"] == "sample_weight"
    with sklearn.config_context(enable_metadata_routing=True):
        asked = NetworkClassifier(**PLAIN).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        made = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), asked)
        found = cross_validate(made, x, y, cv=2, params={"sample_weight": weights}, return_estimator=True)
    assert all(each.predict(x).mean() < 0.05 for each in found["estimator"])
    assert found["test_score"].min() > 0.98  # of the weight


def test_classes_count_as_asked():
    x = np.random.default_rng(0).normal(size=(200, 2))
    y = np.where(x[:, 0] + np.random.default_rng(1).normal(size=200) > 1, "yes", "no")
    found = {}
    for given in (None, "balanced", {"yes": 50, "no": 0.1}):
        made = clone(NetworkClassifier(**PLAIN, class_weight=given)).fit(x, y)
        found[str(given)] = np.mean(made.predict(x) == "yes")
    assert found["None"] < found["balanced"] < list(found.values())[2]
    with pytest.raises(ValueError, match="no such class"):
        NetworkClassifier(**PLAIN, class_weight={"perhaps": 2}).fit(x, y)


def test_a_metric_chooses_from_which_probability_on_the_second_class_is_told():
    x = np.random.default_rng(0).normal(size=(300, 2))
    y = x[:, 0] + 2 * np.random.default_rng(1).normal(size=300) > 2  # true for 19 %
    made, usual = (NetworkClassifier(**MEMBERS, metric=metric).fit(x, y) for metric in ("f1", None))
    told, p = made.predict(x), made.predict_proba(x)[:, 1]
    assert 0 < p[~told].max() < p[told].min() < 0.5
    assert f1_score(y, told) > f1_score(y, usual.predict(x)) + 0.1
    assert_array_equal(usual.predict(x), usual.predict_proba(x)[:, 1] > 0.5)


def test_they_are_saved_and_loaded_elsewhere(tmp_path):
    frame, price = mixed(60)
    made = NetworkRegressor(**QUICK).fit(frame, price)
    assert_array_equal(pickle.loads(pickle.dumps(made)).predict(frame), made.predict(frame))
    frame.to_pickle(tmp_path / "frame")
    code = "import joblib, pandas, sys; import numpy as np\n"
    code += "found = joblib.load(sys.argv[1]).predict(pandas.read_pickle(sys.argv[2])); np.save(sys.argv[3], found)"
    import joblib

    joblib.dump(made, tmp_path / "made")
    words = [sys.executable, "-c", code, *(str(tmp_path / name) for name in ("made", "frame", "out.npy"))]
    assert subprocess.run(words, check=True, capture_output=True, text=True).stdout == ""
    assert_array_equal(np.load(tmp_path / "out.npy"), made.predict(frame))
    made.run_.save(tmp_path / "run")
    assert_array_equal(pr.load(tmp_path / "run").predict(frame), made.predict(frame))


class Steps:
    """A callback that counts what it hears, and says when it is enough."""

    def __init__(self, enough=99):
        self.enough, self.heard = enough, []

    def setup(self, estimator, context):
        self.heard.append("setup")

    def teardown(self, estimator, context):
        self.heard.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.heard.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context):
        self.heard.append(f"end {context.task_name}")
        return self.heard.count("end epoch") == self.enough


def test_callbacks_hear_of_each_epoch_and_may_end_it():
    frame, price = mixed(60)
    steps = Steps()
    made = NetworkRegressor(**QUICK).set_callbacks(steps).fit(frame, price)
    assert steps.heard == ["setup", "begin fit", *["begin epoch", "end epoch"] * 3, "end fit", "teardown"]
    made = NetworkRegressor(**QUICK).set_callbacks(Steps(2)).fit(frame, price)
    assert made.n_iter_ == 2
    monitor = ScoringMonitor(scoring="r2")
    made = NetworkRegressor(**QUICK).set_callbacks(monitor).fit(frame, price)
    scores = [row["r2"] for row in monitor.get_logs().data]
    assert len(scores) == 4
    assert scores[-1] == pytest.approx(made.score(frame, price), abs=1e-12)


def test_parameters_are_settings_of_the_command():
    known = {each.name for each, _ in hyper_fields(Settings)} | set(own_numbers()) | {"random_state"}
    for cls in BOTH:
        parameters = cls().get_params()
        assert set(parameters) <= known
        usual = Settings()
        assert [name for name, value in parameters.items() if value != getattr(usual, name, value)] == []
        text = cls.__doc__.split("Attributes\n")[0]
        assert [name for name in parameters if not re.search(rf"\b{name}\b", text)] == []
        changed = clone(cls().set_params(hidden=(5,), random_state=3))
        assert changed.get_params() == parameters | {"hidden": (5,), "random_state": 3}


@pytest.mark.parametrize("method", ["partial_fit", "decision_function"])
def test_what_there_is_not(method):
    for cls in BOTH:
        assert not hasattr(cls(), method)
    assert "There is no `partial_fit`" in NetworkClassifier.__doc__
    assert "There is no `partial_fit`" in NetworkRegressor.__doc__


def test_the_examples_are_true():
    assert doctest.testmod(estimators) == (0, 8)


def test_seeds():
    x, y = np.random.default_rng(0).normal(size=(2, 70))
    one, same, other = (
        NetworkRegressor(**QUICK, random_state=s).fit(x[:, None], y).predict(x[:, None]) for s in (1, 1, 2)
    )
    assert_array_equal(one, same)
    assert not np.array_equal(one, other)
    drawn = [NetworkRegressor(**QUICK, random_state=np.random.RandomState(s)).fit(x[:, None], y) for s in (0, 0)]
    assert_array_equal(*(each.predict(x[:, None]) for each in drawn))


def test_mistakes_are_refused():
    x, y = np.random.default_rng(0).normal(size=(40, 2)), np.arange(40) % 2
    with pytest.raises(ValueError, match="one class, 1, in all of 20 rows that count; at least two"):
        NetworkClassifier(**QUICK).fit(x, y, sample_weight=y)
    with pytest.raises(ValueError, match="Negative values"):
        NetworkClassifier(**QUICK).fit(x, y, sample_weight=y - 0.5)
    with pytest.raises(ValueError, match="epochs"):
        NetworkClassifier(epochs=0).fit(x, y)
    with pytest.raises(ValueError, match="NaN"):
        NetworkRegressor(**QUICK).fit(x, np.where(y, np.nan, 1.0))
    with pytest.raises(ValueError, match="could not convert"):
        NetworkRegressor(**QUICK).fit(x, np.where(y, "a", "b"))
    with pytest.raises(NotFittedError):
        NetworkRegressor().predict(x)
    with pytest.warns(ConvergenceWarning):
        NetworkRegressor(hidden=(4,), optimiser="sgd", schedule="constant", learning_rate=1e30, epochs=2).fit(
            x, x[:, 0]
        )


def test_without_scikit_learn_it_says_what_is_missing():
    code = "import sys; sys.modules['sklearn'] = None; import preceptor.sklearn"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (
        "scikit-learn 1.9 or newer is required. Install it: python -m pip install 'preceptor[sklearn]'" in found.stderr
    )


# Several outputs -----------------------------------------------------------------------------------------------------


def test_several_numbers_are_told_at_once():
    frame, price = mixed(200)
    y = pd.DataFrame({"price": price, "size": np.where(frame["colour"] == "red", 5, 1) - price})
    made = NetworkRegressor(**PLAIN).fit(frame, y)
    told = made.predict(frame)
    assert told.shape == (200, 2)
    assert [target.name for target in made.run_.targets] == ["price", "size_"]  # size is a feature
    assert made.score(frame, y) == pytest.approx(r2_score(y, told))
    assert r2_score(y, told) > 0.8
    assert_array_equal(told, np.stack(list(made.run_.predict(made._read(frame)).values()), 1))
    plain = NetworkRegressor(**PLAIN).fit(frame, y.to_numpy())
    assert [target.name for target in plain.run_.targets] == ["target 1", "target 2"]
    assert cross_val_score(NetworkRegressor(**PLAIN), frame, y, cv=3).mean() > 0.7


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix, np.ndarray.tolist])
def test_labels_that_are_on_or_off(form):
    x, y = make_multilabel_classification(200, 8, n_classes=3, n_labels=2, random_state=0)
    made = NetworkClassifier(**PLAIN).fit(x, form(y))
    told, p = made.predict(x), made.predict_proba(x)
    assert (told.shape, told.dtype.kind) == ((200, 3), "i")
    assert [each.shape for each in p] == [(200, 2)] * 3
    assert_array_equal(np.stack([each.argmax(1) for each in p], 1), told)
    assert [each.tolist() for each in made.classes_] == [[0, 1]] * 3
    assert made.score(x, form(y)) == accuracy_score(y, told)
    assert f1_score(y, told, average="macro") > 0.8


def test_classes_of_several_kinds():
    frame, price = mixed(200)
    y = np.stack([np.where(price > 1, "dear", "cheap"), frame["colour"].astype(object).fillna("none")], 1)
    made = NetworkClassifier(**PLAIN).fit(frame[["size", "old", "colour"]], y)
    assert [each.tolist() for each in made.classes_] == [["cheap", "dear"], ["blue", "green", "none", "red"]]
    told = made.predict(frame[["size", "old", "colour"]])
    right = (told == y).all(axis=1)
    weight = np.arange(200)
    assert made.score(frame[["size", "old", "colour"]], y, weight) == pytest.approx(np.average(right, weights=weight))
    assert right.mean() > 0.7
    other = NetworkClassifier(**PLAIN).fit(frame[["size", "old"]], pd.DataFrame({"a": y[:, 0], "b": price > 1}))
    mixed_kinds = other.predict(frame[["size", "old"]])
    assert {(type(a), type(b)) for a, b in mixed_kinds.tolist()} == {(str, bool)}
    assert np.mean(mixed_kinds[:, 0] == y[:, 0]) > 0.7


def test_each_output_of_classes_needs_two():
    frame, _ = mixed(40)
    with pytest.raises(ValueError, match=r"y: output 2: one class, 0\.0, in all of 40 rows that count"):
        NetworkClassifier(**QUICK).fit(frame, np.c_[np.arange(40) % 2, np.zeros(40)])
