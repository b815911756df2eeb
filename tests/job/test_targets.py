"""Several targets at once: one network with a head for each, judged and read target by target."""

import csv
import json
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn import metrics
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.neural_network import MLPRegressor

from preceptor import nn
from preceptor.data import Preprocessor, read
from preceptor.data.tables import long_table
from preceptor.errors import ConfigError, DataError
from preceptor.job import fit, folder, load, make_settings, prepare, resume, survey

QUICK = {"hidden": (8,), "epochs": 3, "engine": "reference", "learning_rate": 0.02, "batch_size": 32}
NAMES = ("price", "sold", "size")


def made(rows=300, seed=0):
    """A table whose columns tell two numbers and two classes."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 4))
    return {
        **{name: x[:, place] for place, name in enumerate("abcd")},
        "price": 100 + 20 * x[:, 0] + 5 * x[:, 1] ** 2 + rng.normal(size=rows),
        "sold": np.where(x[:, 2] + x[:, 3] + 0.3 * rng.normal(size=rows) > 0, "yes", "no"),
        "size": 3000 * x[:, 3] - 1000 * x[:, 0] + 100 * rng.normal(size=rows),
    }


@pytest.fixture(scope="module")
def run():
    return fit(made(), target=NAMES, members=8, hidden=(16,), epochs=20, engine="reference", learning_rate=0.02)


# What is told, beside scikit-learn -----------------------------------------------------------------------------------


def test_figures_of_each_target_are_those_of_scikit_learn(run):
    new = made(200, 1)
    found, told, p = run.evaluate(new), run.predict(new), run.predict_probabilities(new)["sold"]
    assert list(found) == list(told) == list(NAMES)
    for name in ("price", "size"):
        assert found[name]["r2"] == pytest.approx(metrics.r2_score(new[name], told[name]), rel=1e-5)
        assert found[name]["mae"] == pytest.approx(metrics.mean_absolute_error(new[name], told[name]), rel=1e-5)
    yes = new["sold"] == "yes"
    assert found["sold"]["accuracy"] == pytest.approx(metrics.accuracy_score(new["sold"], told["sold"]))
    assert found["sold"]["auc"] == pytest.approx(metrics.roc_auc_score(yes, p[:, 1]))
    assert found["sold"]["log_loss"] == pytest.approx(metrics.log_loss(yes, p), rel=1e-5)
    assert found["sold"]["f1"] == pytest.approx(metrics.f1_score(yes, told["sold"] == "yes"))
    assert run.dev["price"]["r2"] > 0.8
    assert run.dev["sold"]["auc"] > 0.9
    assert run.dev["size"].keys() == {"rmse", "mae", "r2"}
    assert repr(run).startswith("Run(price, sold, size of dictionary, ")


def test_two_numbers_are_told_as_well_as_by_scikit_learn():
    table, new = made(600, 2), made(600, 3)
    x, truth = (np.stack([each[name] for name in "abcd"], 1) for each in (table, new))
    y, expected = (np.stack([each[name] for name in ("price", "size")], 1) for each in (table, new))
    scale = y.std(axis=0)
    peers = [
        RandomForestRegressor(random_state=0).fit(x, y / scale),
        MLPRegressor(hidden_layer_sizes=(64, 64), max_iter=400, random_state=0).fit(x, y / scale),
    ]
    theirs = [metrics.r2_score(expected / scale, peer.predict(truth), multioutput="raw_values") for peer in peers]
    told = fit(x, y, seed=1).predict(truth)
    ours = [metrics.r2_score(own, each) for own, each in zip(expected.T, told.values(), strict=True)]
    assert (np.array(ours) > np.max(theirs, axis=0) - 0.01).all()


def test_a_linear_model_comes_to_the_least_squares_of_each():
    table = made(400, 4)
    x = np.stack([table[name] for name in "abcd"], 1)
    names = ("price", "size")
    run = fit(table, target=names, model="linear", epochs=200, leave_out="sold", dev_share=0, test_share=0, seed=0)
    plain = {name: LinearRegression().fit(x, table[name]).predict(x) for name in names}
    for name, told in run.predict(table).items():
        np.testing.assert_allclose(told, plain[name], atol=0.05 * table[name].std())


def test_labels_that_are_on_or_off(tmp_path):
    rng = np.random.default_rng(5)
    x = rng.normal(size=(300, 5))
    y = (x[:, :3] + x[:, 1:4] + 0.3 * rng.normal(size=(300, 3)) > 0).astype(int)
    run = fit(x, y, members=8, hidden=(16,), epochs=15, engine="reference")
    assert run.classes == dict.fromkeys(("target 1", "target 2", "target 3"), (0, 1))
    told = np.stack(list(run.predict(x).values()), 1)
    p = np.stack([each[:, 1] for each in run.predict_probabilities(x).values()], 1)
    found = run.evaluate(x, y)
    assert metrics.f1_score(y, told, average="macro") == pytest.approx(np.mean([each["f1"] for each in found.values()]))
    areas = metrics.roc_auc_score(y, p, average=None)
    np.testing.assert_allclose([each["auc"] for each in found.values()], areas)
    assert min(areas) > 0.95


# How targets are given ----------------------------------------------------------------------------------------------


X = np.random.default_rng(0).normal(size=(60, 3))
Y = np.c_[X[:, 0] * 3 + 1, X[:, 1] - X[:, 2]]
WORDS = np.where(X > 0, "yes", "no")[:, :2]


@pytest.mark.parametrize(
    "x, y, names",
    [
        (X, Y, ("target 1", "target 2")),
        (X.tolist(), Y.tolist(), ("target 1", "target 2")),
        (X, list(map(tuple, WORDS.tolist())), ("target 1", "target 2")),
        (X, [*Y], ("target 1", "target 2")),
        (X, WORDS, ("target 1", "target 2")),
        (X, WORDS == "yes", ("target 1", "target 2")),
        (X, pd.DataFrame(Y, columns=["u", "v"]), ("u", "v")),
        (X, pd.DataFrame({"u": WORDS[:, 0], "v": Y[:, 1]}), ("u", "v")),
        (X, pl.DataFrame({"u": WORDS[:, 0], "v": Y[:, 1]}), ("u", "v")),
        (sparse.csr_matrix(X), Y, ("target 1", "target 2")),
        ({"u": X[:, 0], "b": X[:, 1]}, pd.DataFrame(Y, columns=["u", "v"]), ("target", "v")),
    ],
)
def test_features_and_targets_apart(x, y, names):
    run = fit(x, y, **QUICK)
    assert tuple(target.name for target in run.targets) == names
    assert {name: each.shape for name, each in run.predict(x).items()} == dict.fromkeys(names, (60,))
    assert list(run.evaluate(x, y)) == list(names)


def test_names_of_columns(tmp_path):
    table = {"Price, EUR": Y[:, 0], "v": Y[:, 1], "a": X[:, 0], "b": X[:, 1], "price": X[:, 2]}
    frame = pd.DataFrame(table)
    frame.to_csv(tmp_path / "t.csv", index=False)
    for source in (table, frame, tmp_path / "t.csv"):
        for target in (["Price, EUR", "v"], ("Price, EUR", "v"), '"Price, EUR",v', ['"Price, EUR",v']):
            fitting = prepare(source, make_settings({"target": target, **QUICK}))
            assert fitting.seen.targets == {"Price, EUR": "number", "v": "number"}
    assert prepare(frame, make_settings({"target": "Price, EUR", **QUICK})).seen.targets == {"Price, EUR": "number"}
    assert list(fit(frame, ["v", "price"], **QUICK).predict(frame)) == ["v", "price"]
    labels = fit(frame[["a"]], ["a", "b"] * 30, **QUICK)  # no names, for they come again and again
    assert labels.classes == ("a", "b")


def test_places_in_an_array(tmp_path):
    both = np.c_[X, Y]
    np.save(tmp_path / "t.npy", both)
    run = fit(tmp_path / "t.npy", target=("3", "-1"), **QUICK)
    assert list(run.predict(tmp_path / "t.npy")) == ["3", "-1"]
    assert run.preprocessor.features == 3
    np.testing.assert_array_equal(run.predict(both)["3"], run.predict(X)["3"])
    assert list(run.evaluate(both)) == ["3", "-1"]


def test_one_of_a_list_is_the_one_that_it_names():
    one, listed = (fit(made(), target=target, **QUICK) for target in ("price", ["price"]))
    np.testing.assert_array_equal(one.predict(made()), listed.predict(made()))
    assert one.preprocessor == listed.preprocessor
    assert one.dev == listed.dev


# What a run keeps ----------------------------------------------------------------------------------------------------


def test_it_is_saved_and_loaded(run, tmp_path):
    new = made(50, 6)
    again = load(run.save(tmp_path / "run").path)
    for one, other in ((run.predict, again.predict), (run.predict_probabilities, again.predict_probabilities)):
        for name, told in one(new).items():
            np.testing.assert_array_equal(other(new)[name], told)
    assert (again.dev, again.preprocessor, again.loss) == (run.dev, run.preprocessor, run.loss)
    for name in ("price", "size"):
        np.testing.assert_array_equal(again.scores[name], run.scores[name])
    assert again.scores["sold"] is None
    saved = json.loads((tmp_path / "run" / "config.json").read_text())
    assert list(saved["dev"]) == list(NAMES)


def test_a_changed_preprocessor_is_refused(run):
    saved = json.loads(json.dumps(run.preprocessor.to_dict()))
    first, second, third = saved["targets"]
    with pytest.raises(DataError, match="preprocessor: a target stands twice"):
        Preprocessor.from_dict(saved | {"targets": [first, second, first]})
    with pytest.raises(DataError, match="target 2: it has 'colour', which is not known"):
        Preprocessor.from_dict(saved | {"targets": [first, second | {"colour": 1}, third]})
    with pytest.raises(DataError, match="targets is no list of two or more"):
        Preprocessor.from_dict(saved | {"targets": [first]})
    with pytest.raises(DataError, match="a column stands twice, or is the target"):
        Preprocessor.from_dict(saved | {"targets": [first, second, third | {"name": "a"}]})
    assert Preprocessor.from_dict(saved) == run.preprocessor


def test_intervals_hold_of_each_number(run):
    new = made(400, 7)
    found = run.predict_interval(new, 0.8)
    assert list(found) == ["price", "size"]
    for name, (low, high) in ((name, ends.T) for name, ends in found.items()):
        np.testing.assert_allclose((low + high) / 2, run.predict(new)[name], rtol=1e-9)
        assert 0.7 < np.mean((low <= new[name]) & (new[name] <= high)) < 0.9
    with pytest.raises(ConfigError, match="predict_quantiles: this run predicts no quantiles"):
        run.predict_quantiles(new)
    classes = fit(X, WORDS, **QUICK)
    with pytest.raises(ConfigError, match="interval: the target is classes"):
        classes.predict_interval(X)


def test_samples_are_those_of_the_members(run):
    new = made(30, 8)
    found = run.predict_samples(new)
    assert {name: each.shape for name, each in found.items()} == {
        "price": (8, 30),
        "sold": (8, 30, 2),
        "size": (8, 30),
    }
    np.testing.assert_allclose(found["price"].mean(0), run.predict(new)["price"], rtol=1e-6)
    np.testing.assert_allclose(found["sold"].mean(0), run.predict_probabilities(new)["sold"], rtol=1e-5)


def test_columns_of_predictions(run, tmp_path):
    def lines(**how):
        run.write_predictions(made(20, 9), tmp_path / "out.csv", **how)
        with (tmp_path / "out.csv").open() as file:
            return list(csv.DictReader(file))

    plain, told = lines(), run.predict(made(20, 9))
    sold = ["prediction_sold", "probability_sold_no", "probability_sold_yes"]
    assert list(plain[0]) == ["prediction_price", *sold, "prediction_size"]
    np.testing.assert_array_equal([float(line["prediction_size"]) for line in plain], told["size"])
    assert [line["prediction_sold"] for line in plain] == told["sold"].tolist()
    price = ["prediction_price", "low_price", "high_price"]
    assert list(lines(interval=0.9)[0]) == [*price, *sold, "prediction_size", "low_size", "high_size"]
    unsure = ["prediction_size", "standard_deviation_size"]
    names = list(lines(samples=0)[0])
    assert names[-2:] == unsure
    assert names[5:7] == ["entropy_sold", "mutual_information_sold"]


def test_fields_with_every_kind_of_line_end_are_read_as_they_were_written(tmp_path):
    rng = np.random.default_rng(0)
    texts = np.array(["a\rb", "\r", "c\nd", "e\r\nf", 'g"h', "i,j", "k"], dtype=object)
    frame = pd.DataFrame({"x": rng.normal(size=70), "said": texts[np.arange(70) % 7], "two\rlines": texts[[0, 3] * 35]})
    found = fit(frame.assign(number=frame.x), ["two\rlines", "number"], leave_out=("said",), **QUICK)
    found.write_predictions(frame, tmp_path / "out.csv", keep=["said"])
    told = found.predict(frame)["two\rlines"].tolist()
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        names, *rows = csv.reader(file)
    place = names.index("prediction_two\rlines")
    assert [(row[0], row[place]) for row in rows] == list(zip(frame.said.tolist(), told, strict=True))
    table = pd.read_csv(tmp_path / "out.csv", keep_default_na=False)
    assert table.said.tolist() == frame.said.tolist()
    assert table["prediction_two\rlines"].tolist() == told


def test_the_doctor_looks_at_several_targets():
    found = fit(made(), target=("price", "sold"), **QUICK)  # a warning that the doctor failed is an error here
    assert "rules looked on" in found.facts["watched"]


def test_labels_of_several_targets_are_no_numbers_on_a_scale_of_their_own():
    table = made(2000) | {"code": np.array([f"c{row % 100:02}" for row in range(2000)])}
    found = fit(table, target=("price", "code"), **QUICK)
    assert not {"unscaled_targets", "unreachable_targets"} & {each["rule"] for each in found.findings}


def test_columns_whose_names_would_be_the_same_are_told_apart(tmp_path):
    rng = np.random.default_rng(0)
    table = {"x": rng.normal(size=60), "a": rng.choice(["b_c", "d"], 60), "a_b": rng.choice(["c", "d"], 60)}
    run = fit(table, target=["a", "a_b"], **QUICK)
    run.write_predictions(table, tmp_path / "out.csv")
    header = (tmp_path / "out.csv").read_text().splitlines()[0]
    assert header.count("probability_a_b_c,") == 1
    assert "probability_a_b_c (2)" in header


def test_a_training_that_is_broken_off_ends_in_the_same_bits(tmp_path):
    settings = make_settings({"target": NAMES, "drop_rate": 0.2, **QUICK})
    made_of = pd.DataFrame(made())
    made_of.to_csv(tmp_path / "t.csv", index=False)
    whole = prepare(tmp_path / "t.csv", settings)
    for _ in whole.records():
        pass
    expected = whole.finish()
    broken = prepare(tmp_path / "t.csv", settings)
    broken.open_folder(tmp_path / "run")
    for record in broken.records():
        if record.epoch >= 1:
            break
    broken.keep()
    broken.release()
    going, _ = resume(tmp_path / "run")
    for _ in going.records():
        pass
    ended = going.finish()
    for name, value in expected.params.items():
        np.testing.assert_array_equal(ended.params[name], value)
    assert ended.dev == expected.dev
    assert [line["dev_loss"] for line in ended.history] == [line["dev_loss"] for line in expected.history]
    assert {"dev_price_rmse", "dev_sold_accuracy", "dev_size_rmse"} <= set(ended.history[0])


@pytest.mark.parametrize(
    "how", [{"ensemble": 2, "hidden": (8,)}, {"members": 16, "bins": 4}, {"members": 8, "folds": 0}]
)
def test_ensembles_are_of_all_targets(how):
    run = fit(made(), target=NAMES, **QUICK | how)
    assert isinstance(run.loss, nn.Joint)
    assert all(isinstance(part, nn.MemberLoss) for part in run.loss.parts)
    if "ensemble" in how:
        assert "network_rmse" in run.dev["price"]
        assert "network_accuracy" in run.dev["sold"]
    if "bins" in how:  # what each half counts is chosen for each target
        assert all(sum(part.shares) == pytest.approx(1) for part in run.loss.parts)


# Rows and columns ----------------------------------------------------------------------------------------------------


def test_rows_without_one_of_the_targets_are_left_out(tmp_path):
    table = made(200)
    table["price"][:10] = np.nan
    table["sold"] = np.where(np.arange(200) >= 195, None, table["sold"].astype(object))
    fitting = prepare(table, make_settings({"target": NAMES, **QUICK}))
    assert sum(len(getattr(fitting.seen.parts, part)) for part in ("train", "dev", "test")) == 185
    assert "Left out: 15 rows without one of the targets." in fitting.preprocessor.lines()
    run, notes = fit(table, target=NAMES, **QUICK), []
    assert run.evaluate(table, notes=notes)["size"]["r2"].rows == 185
    assert notes == ["Left out: 15 rows without one of the targets."]
    table["price"][5:], table["sold"][:5] = np.nan, None
    table["price"][:5] = 1.0
    with pytest.raises(DataError, match=r"none of 200 rows has all of the targets 'price', 'sold', 'size'"):
        fit(table, target=NAMES, **QUICK)
    table["price"][:] = np.nan
    with pytest.raises(DataError, match=r"the target 'price' is missing in all of 200 rows"):
        fit(table, target=NAMES, **QUICK)


def test_the_first_target_with_classes_shares_out_the_rows():
    table = made(200)
    fitting = prepare(table, make_settings({"target": NAMES, **QUICK}))
    assert fitting.seen.how == "stratified by sold"
    shares = [np.mean(table["sold"][getattr(fitting.seen.parts, part)] == "yes") for part in ("train", "dev", "test")]
    np.testing.assert_allclose(shares, np.mean(table["sold"] == "yes"), atol=0.02)
    assert prepare(table, make_settings({"target": ("price", "size"), **QUICK})).seen.how == "at random"
    folds = prepare(table, make_settings({"target": NAMES, "members": 8, **QUICK})).data.folds
    yes = np.bincount(folds.fold, weights=table["sold"] == "yes")
    assert np.ptp(yes) <= 1


def test_no_target_is_a_feature_and_each_is_looked_at():
    table = made(400)
    table |= {"told": table["price"] * 2, "said": np.where(table["sold"] == "yes", "ja", "nein"), "same": np.ones(400)}
    found = prepare(table, make_settings({"target": NAMES, **QUICK})).found
    text = " ".join(each.text for each in found)
    assert "Column 'told' alone tells the target 'price'" in text
    assert "Column 'said' alone tells the target 'sold'" in text
    assert sum("'same'" in each.text for each in found) == 1
    assert not any(set(each.columns) & {"size"} for each in found)


@pytest.fixture
def short(monkeypatch, tmp_path):
    """Whatever has more than 100 cells is long."""
    monkeypatch.setattr(long_table, "MOST_CELLS", 100)
    monkeypatch.setattr(survey, "MOST_JUDGES", 100)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "copies"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "copies").mkdir()
    return tmp_path


def test_a_table_on_the_disk(short):
    table = made(2_000)
    table["kind"] = (np.arange(2_000) // 100).astype(str)
    table["price"][7] = np.nan
    pd.DataFrame(table).to_csv(short / "t.csv", index=False)
    names = (*NAMES, "kind")
    fitting = prepare(short / "t.csv", make_settings({"target": names, **QUICK}))
    assert fitting.data.first()[1].shape == (1, 4)
    assert len(fitting.preprocessor.targets[3].classes) == 20
    rows = fitting.seen.parts.test
    held = read(pd.DataFrame(table)).select(rows)
    np.testing.assert_array_equal(fitting.encoded.test_y, fitting.preprocessor.encode_target(held))
    run = fit(short / "t.csv", target=names, **QUICK | {"epochs": 8})
    assert run.dev["price"]["r2"] > 0.6
    assert run.dev["sold"]["auc"] > 0.9
    assert run.facts["rows"] == 1_999
    assert run.evaluate(short / "t.csv")["kind"]["accuracy"].rows == 1_999


def test_weights_groups_and_test_files(tmp_path):
    table = made(200) | {"w": np.tile([1.0, 3.0], 100), "who": np.arange(200) // 4}
    pd.DataFrame(made(50, 9) | {"w": np.ones(50), "who": np.zeros(50)}).to_csv(tmp_path / "test.csv", index=False)
    run = fit(table, target=NAMES, weight="w", group="who", test=str(tmp_path / "test.csv"), **QUICK)
    assert run.test["sold"]["accuracy"].rows == 50
    new, told = made(200), run.predict(table)
    found = run.evaluate(table)["size"]["mae"]
    assert found == pytest.approx(np.average(np.abs(told["size"] - new["size"]), weights=table["w"]), rel=1e-5)


def test_engines_agree():
    figures = []
    for engine in ("reference", "native", "xla"):
        run = fit(made(), target=NAMES, **QUICK | {"engine": engine, "members": 8})
        figures.append([run.dev["price"]["rmse"], run.dev["sold"]["log_loss"], run.dev["size"]["rmse"]])
    np.testing.assert_allclose(figures[1:], [figures[0]] * 2, rtol=2e-3)


# What is refused -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given, message",
    [
        ({"metric": "auc"}, "received metric beside 3 targets, price, sold, size; it is of one target alone. Leave it"),
        ({"ordered": True, "class_weight": "balanced"}, "received ordered, class_weight beside 3 targets"),
        ({"quantiles": (0.1, 0.9)}, "received quantiles (loss pinball) beside 3 targets"),
        ({"target": ["price", "soled"]}, "there is no column 'soled'; the columns are a, b, c, d, price, sold, size."),
        ({"target": ["price", "price"]}, "the target 'price' is named twice; once is required."),
        ({"target": ["price", "sold"], "leave_out": "sold"}, "'sold' is a target; it cannot be left out."),
        ({"target": ["price", "sold"], "group": "sold"}, "'sold' is a target; another column must divide the rows."),
        ({"model": "linear"}, "model linear: a target holds classes; it needs numbers."),
        ({"model": "logistic"}, "model logistic: a target is a number; it needs classes."),
        ({"kind": "number"}, "sold"),
    ],
)
def test_what_is_of_one_target_alone_is_refused(given, message):
    plain = {"hidden": None} if "model" in given else {}
    settings = {name: value for name, value in (QUICK | plain | {"target": NAMES} | given).items() if value is not None}
    with pytest.raises((ConfigError, DataError), match=re.escape(message)):
        prepare(made(), make_settings(settings))


def test_a_loss_is_that_of_the_targets_it_suits():
    def parts(**given):
        loss = prepare(made(), make_settings({"target": NAMES, **QUICK} | given)).config.loss
        return [type(part) for part in loss.parts]

    assert parts(loss="absolute") == [nn.Absolute, nn.SoftmaxCrossEntropy, nn.Absolute]
    assert parts(loss="hinge") == [nn.Quadratic, nn.Hinge, nn.Quadratic]
    assert parts(loss="quadratic") == [nn.Quadratic, nn.Brier, nn.Quadratic]
    assert parts(label_smoothing=0.2) == [nn.Quadratic, nn.SoftmaxCrossEntropy, nn.Quadratic]


@pytest.mark.parametrize(
    "change, message",
    [
        (
            lambda values: values | {"loss": values["loss"]["parts"][0]},
            "the loss is of 1 targets, of which there are 3",
        ),
        (
            lambda values: values | {"loss": values["loss"] | {"units": [2, 1, 1]}},
            "the target 'price' has 2 outputs, it needs 1",
        ),
        (
            lambda values: values | {"loss": values["loss"] | {"parts": [{"class": "Relu"}] * 3}},
            "Joint: parts is",
        ),
        (
            lambda values: values | {"facts": values["facts"] | {"threshold": 0.5}},
            "a metric or a threshold is of one target alone",
        ),
    ],
)
def test_a_changed_run_is_refused(run, tmp_path, change, message):
    path = run.save(tmp_path / "run").path
    found = json.loads((path / "config.json").read_text())
    del found["checksum"]
    (path / "config.json").write_bytes(folder.sealed(change(found)))
    with pytest.raises(DataError, match=re.escape(message)):
        load(path)
