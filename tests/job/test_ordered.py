"""Classes that have an order: how it is given, what is learned of it, and how far it is from the truth."""

import csv
import json

import numpy as np
import pytest
from scipy import special, stats

from preceptor import nn
from preceptor.data import fit_preprocessor, read
from preceptor.data.encoding.preprocessor import Preprocessor
from preceptor.data.tables import long_table
from preceptor.errors import ConfigError, DataError
from preceptor.job import fit, load, make_settings, prepare, resume
from preceptor.train.metric import class_figures

QUICK = {"engine": "reference", "epochs": 3, "batch_size": 32, "hidden": (8,)}
ORDER = ("low", "medium", "high")
STEPS = np.array([-1.0, 2.0])


def made(rows, seed):
    """The proportional-odds model: P(y <= k) = logistic(step[k] - eta); and its probabilities."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, rows)).round(4)
    eta = 2 * a - b
    codes = np.searchsorted(STEPS, eta + rng.logistic(size=rows))
    below = special.expit(STEPS - eta[:, None])
    p = np.diff(np.concatenate((np.zeros((rows, 1)), below, np.ones((rows, 1))), 1), axis=1)
    return {"a": a, "b": b, "y": np.array(ORDER, object)[codes]}, codes, p


def write(path, table):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([table, *zip(*(values.tolist() for values in table.values()), strict=True)])
    return path


@pytest.fixture(scope="module")
def run():
    return fit(made(300, 0)[0], "y", ordered=ORDER, members=4, folds=2, **QUICK)


def test_the_probabilities_are_near_those_of_the_model_that_drew_the_rows():
    (table, _, _), (new, codes, truth) = made(1500, 1), made(3000, 2)
    run = fit(table, "y", ordered=ORDER, epochs=20)
    found = run.predict_probabilities(new)
    assert np.abs(found - truth).mean() < 0.045
    best = -np.log(truth[np.arange(3000), codes]).mean()
    assert best * 0.99 < run.evaluate(new)["log_loss"] < 1.03 * best


def test_a_run_of_ordered_classes(run, tmp_path):
    table, codes, _ = made(80, 3)
    assert run.classes == ORDER
    assert run.loss == nn.MemberLoss(nn.CumulativeLogit())
    p = run.predict_probabilities(table)
    np.testing.assert_allclose(p.sum(1), 1, rtol=1e-5)
    assert run.predict(table).tolist() == np.array(ORDER)[p.argmax(1)].tolist()
    assert run.predict_samples(table).shape == (4, 80, 3)
    assert list(run.dev) == ["accuracy", "log_loss", "f1", "auc", "calibration_error", "class_distance"]
    distance = np.abs(p.argmax(1) - codes)
    found = run.evaluate(table)["class_distance"]
    assert found.value == pytest.approx(distance.mean())
    expected = stats.t.interval(0.95, 79, distance.mean(), stats.sem(distance))
    assert (found.low, found.high) == pytest.approx((max(0, expected[0]), expected[1]), rel=1e-4)
    again = load(run.save(tmp_path / "run").path)
    assert (again.classes, again.preprocessor.targets[0].ordered) == (ORDER, True)
    np.testing.assert_array_equal(again.predict_probabilities(table), p)
    assert any("low, medium, high, from the lowest to the highest" in line for line in again.preprocessor.lines())
    run.write_predictions(table, tmp_path / "out.csv")
    with (tmp_path / "out.csv").open() as file:
        assert file.readline() == "prediction,probability_low,probability_medium,probability_high\n"


def test_distances_count_weights_and_are_left_out_without_an_order():
    p, y = np.eye(4)[[0, 1, 3, 0]] * 0.7 + 0.075, np.array([0, 3, 3, 1])
    found = class_figures(p, y, "abcd", weight=[1, 1, 1, 5], ordered=True)["class_distance"]
    assert found.value == pytest.approx((0 + 2 + 0 + 5) / 8)
    assert "class_distance" not in class_figures(p, y, "abcd")


def test_numbers_have_the_order_of_their_values(tmp_path):
    table, codes, _ = made(200, 4)
    numbers = table | {"y": np.array([10.0, 2.5, 30.0])[[1, 0, 2]][codes]}
    run = fit(numbers, "y", ordered=True, **QUICK)
    assert run.classes == (2.5, 10, 30)
    assert run.preprocessor.targets[0].ordered
    assert fit(numbers, "y", ordered=["30", "2.5", "10"], **QUICK).classes == (30, 2.5, 10)
    assert fit(numbers, "y", ordered=(30, 2.5, 10), **QUICK).classes == (30, 2.5, 10)
    assert not fit(numbers, "y", ordered=False, kind="classes", **QUICK).preprocessor.targets[0].ordered
    many = fit({"a": np.arange(200.0), "y": np.arange(200) // 8}, "y", ordered=True, **QUICK)
    assert len(many.classes) == 25  # which without an order would be an amount


def test_classes_as_they_are_written_in_a_file(tmp_path):
    table, codes, _ = made(200, 5)
    path = write(tmp_path / "t.csv", table | {"y": np.array(["01", "02", "10"], object)[codes]})
    run = fit(path, "y", ordered=("10", "02", "01"), **QUICK)
    assert run.preprocessor.targets[0].written == ("10", "02", "01")
    answers = write(tmp_path / "yes.csv", table | {"y": np.array(["no", "yes", "yes"], object)[codes]})
    found = fit(answers, "y", ordered="yes,no", **QUICK)
    assert found.preprocessor.targets[0].written == ("yes", "no")
    assert found.loss.loss.outputs(2) == 1 if isinstance(found.loss, nn.MemberLoss) else found.loss.outputs(2) == 1
    assert found.predict_probabilities(answers).shape == (200, 2)


def test_another_loss_keeps_the_order(tmp_path):
    table, _, _ = made(150, 6)
    run = fit(table, "y", ordered=ORDER, loss="softmax-cross-entropy", **QUICK)
    assert run.classes == ORDER
    assert "class_distance" in run.test
    several = fit(table, "y", ordered=ORDER, ensemble=2, members=2, **QUICK)
    assert several.loss == nn.EnsembleLoss(nn.CumulativeLogit(), 2)
    linear = fit(table, "y", ordered=ORDER, model="logistic", engine="reference", epochs=3)
    assert linear.predict_probabilities(table).shape == (150, 3)


def test_a_long_table_and_one_that_was_broken_off(tmp_path, monkeypatch):
    table, _, _ = made(120, 7)
    path = write(tmp_path / "t.csv", table)
    monkeypatch.setattr(long_table, "MOST_CELLS", 100)
    monkeypatch.setattr(long_table, "PIECE_CELLS", 1)
    whole = fit(path, "y", ordered=ORDER, **QUICK)
    assert whole.classes == ORDER
    fitting = prepare(path, make_settings({"target": "y", "ordered": ORDER} | QUICK))
    fitting.open_folder(tmp_path / "run")
    for record in fitting.records():
        if record.epoch >= 1:
            break
    fitting.keep()
    fitting.release()
    again, _ = resume(tmp_path / "run")
    for _ in again.records():
        pass
    ended = again.finish()
    assert ended.classes == ORDER
    for name, values in whole.params.items():
        np.testing.assert_array_equal(ended.params[name], values)


def test_the_order_is_saved_and_looked_at(tmp_path):
    table, _, _ = made(60, 8)
    learned = fit_preprocessor(read(table), "y", np.arange(60), kind="classes", order=ORDER)
    saved = json.loads(json.dumps(learned.to_dict()))
    assert Preprocessor.from_dict(saved) == learned
    np.testing.assert_array_equal(
        learned.encode_target(read({"a": [0.0] * 3, "b": [0.0] * 3, "y": list(ORDER)})), [0, 1, 2]
    )
    with pytest.raises(DataError, match=r"classes are not at least two of one kind, in order and each once"):
        Preprocessor.from_dict(saved | {"ordered": False})
    with pytest.raises(DataError, match=r"classes are not at least two of one kind"):
        Preprocessor.from_dict(saved | {"classes": ["low", "low", "high"]})
    del saved["ordered"]
    assert not Preprocessor.from_dict(saved | {"classes": ["high", "low", "medium"]}).targets[0].ordered  # an older run


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"ordered": ("low", "high")}, r"ordered does not name 'medium'; each of the 3 classes is required once"),
        ({"ordered": (*ORDER, "top")}, r"ordered names 'top', which is no class of the target in the training rows"),
        ({"ordered": True}, r"the classes of the target are text: high, low, medium; their order is needed"),
    ],
    ids=str,
)
def test_orders_of_other_classes(given, message):
    with pytest.raises(DataError, match=message):
        fit(made(60, 0)[0], "y", **given, **QUICK)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"ordered": ("low", "low")}, r"ordered is \('low', 'low'\); two or more classes, each once, are required"),
        ({"ordered": "low"}, r"ordered is \('low',\); two or more classes"),
        ({"ordered": 3}, r"ordered is 3; it must be a tuple or list of texts"),
        ({"ordered": True, "kind": "number"}, r"kind is number beside ordered, which is of the kind classes"),
        (
            {"ordered": True, "quantiles": (0.5,)},
            r"ordered beside quantiles \(loss pinball\); classes have no quantiles",
        ),
        ({"ordered": True, "model": "linear"}, r"ordered beside model linear, which predicts a number"),
        ({"loss": "cumulative-logit"}, r"loss cumulative-logit without the order of the classes"),
        ({"ordered": True, "loss": "quadratic", "kind": "number"}, r"kind is number beside ordered"),
    ],
    ids=str,
)
def test_what_cannot_be_asked_for(given, message):
    with pytest.raises(ConfigError, match=message):
        make_settings({"target": "y"} | given)
