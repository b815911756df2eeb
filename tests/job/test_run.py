"""Runs: what they predict, how they are written and read back."""

import csv
import io
import json
import os
import shutil
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import preceptor as pr
from preceptor.data import read
from preceptor.errors import ConfigError, DataError
from preceptor.job import Run, fit, load
from preceptor.job.folder import KEPT

GIVEN = {"engine": "reference", "hidden": (8, 4), "epochs": 4, "batch_norm": True, "drop_rate": 0.1}


def mixed_table(rows=90):
    rng = np.random.default_rng(1)
    return {
        "size": np.where(rng.random(rows) < 0.1, np.nan, rng.normal(size=rows)),
        "colour": np.array(["red", "green", "blue"], object)[rng.integers(0, 3, rows)],
        "old": rng.random(rows) < 0.5,
        "price": rng.normal(size=rows) * 1000 + 5000,
    }


@pytest.fixture(scope="module")
def iris_run():
    return fit("iris", **GIVEN)


@pytest.fixture(scope="module")
def price_run():
    return fit(mixed_table(), "price", **GIVEN)


@pytest.fixture
def saved(iris_run, tmp_path):
    """A fresh folder with the run of iris."""
    shutil.copytree(iris_run.path or Run.save(iris_run, tmp_path / "first").path, tmp_path / "run")
    return tmp_path / "run"


def test_saved_and_loaded_predicts_the_same_bits(iris_run, price_run, tmp_path):
    for number, (run, source) in enumerate([(iris_run, "iris"), (price_run, mixed_table())]):
        again = load(run.save(tmp_path / str(number)).path)
        assert again.predict(source).tobytes() == run.predict(source).tobytes() or run.classes
        assert_array_equal(again.predict(source), run.predict(source))
        if run.classes:
            assert again.predict_probabilities(source).tobytes() == run.predict_probabilities(source).tobytes()
        assert (again.dev, again.test, again.history, again.facts) == (run.dev, run.test, run.history, run.facts)
        assert (again.network, again.loss, again.preprocessor) == (run.network, run.loss, run.preprocessor)
        assert [str(figure) for figure in again.test.values()] == [str(figure) for figure in run.test.values()]
        assert again.path == tmp_path / str(number)
        for name, value in (run.params | run.state).items():
            assert (again.params | again.state)[name].tobytes() == value.tobytes()


def test_the_folder_holds_files_that_others_can_read(saved, iris_run):
    assert {each.name for each in saved.iterdir()} == {*KEPT} - {"log"}  # which is of a training into a folder
    config = json.loads((saved / "config.json").read_text())
    assert config["format"] == 1
    assert config["facts"]["settings"]["epochs"] == 4
    assert config["test"]["accuracy"] == iris_run.test["accuracy"]
    entries = [json.loads(line) for line in (saved / "history.jsonl").read_text().splitlines()]
    assert [round(entry["epoch"]) for entry in entries] == [1, 2, 3, 4]
    from safetensors.numpy import load_file

    arrays = load_file(saved / "model.safetensors")
    assert arrays["params/hidden1/weight"].shape == (4, 8)
    assert arrays["state/norm1/mean"].shape == (8,)


def test_a_run_works_wherever_its_folder_is_taken(saved, tmp_path, iris_run, monkeypatch):
    (tmp_path / "far" / "away").mkdir(parents=True)
    moved = shutil.move(saved, tmp_path / "far" / "away" / "other name")
    monkeypatch.chdir(tmp_path / "far")
    assert_array_equal(pr.load("away/other name").predict("iris"), iris_run.predict("iris"))
    assert load(moved).path.name == "other name"


def test_an_empty_folder_may_be_filled_and_a_full_one_may_not(iris_run, tmp_path):
    (tmp_path / "empty").mkdir()
    iris_run.save(tmp_path / "empty")
    before = {each.name: each.read_bytes() for each in (tmp_path / "empty").iterdir()}
    for path in (tmp_path / "empty", tmp_path / "empty" / "config.json"):
        with pytest.raises(ConfigError, match=r"it exists already, and nothing is overwritten\. Choose another name"):
            iris_run.save(path)
    assert {each.name: each.read_bytes() for each in (tmp_path / "empty").iterdir()} == before
    iris_run.save(tmp_path / "new" / "deep" / "run")
    assert load(tmp_path / "new" / "deep" / "run").test == iris_run.test


def test_a_run_that_cannot_be_written_leaves_nothing(iris_run, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be written"):
        iris_run.save(tmp_path / "file" / "run")
    for error in (OSError(28, "No space left on device"), KeyboardInterrupt()):

        def broken(*args, error=error):
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(os, "rename", broken)
            with pytest.raises((ConfigError, KeyboardInterrupt)):
                iris_run.save(tmp_path / "run")
        assert sorted(each.name for each in tmp_path.iterdir()) == ["file"]
    if os.geteuid() != 0:
        (tmp_path / "locked").mkdir(mode=0o500)
        with pytest.raises(ConfigError, match="locked cannot be written to"):
            iris_run.save(tmp_path / "locked" / "run")


def damage(name, text):
    def change(folder):
        (folder / name).write_bytes(text) if text is not None else (folder / name).unlink()

    return change


def cut(name, count):
    def change(folder):
        (folder / name).write_bytes((folder / name).read_bytes()[:-count])

    return change


def put(*keys, value):
    """Changes one entry of config.json."""

    def change(folder):
        config = at = json.loads((folder / "config.json").read_text())
        for key in keys[:-1]:
            at = at[key]
        at[keys[-1]] = value
        (folder / "config.json").write_text(json.dumps(config))

    return change


def drop(*keys):
    def change(folder):
        config = at = json.loads((folder / "config.json").read_text())
        for key in keys[:-1]:
            at = at[key]
        del at[keys[-1]]
        (folder / "config.json").write_text(json.dumps(config))

    return change


def of_another_network(folder):
    fit("iris", engine="reference", hidden=(5,), epochs=1).save(folder.parent / "other")
    shutil.copy(folder.parent / "other" / "model.safetensors", folder)


DAMAGES = {
    "no config": damage("config.json", None),
    "no weights": damage("model.safetensors", None),
    "no history": damage("history.jsonl", None),
    "empty config": damage("config.json", b""),
    "config cut": cut("config.json", 30),
    "config is no object": damage("config.json", b"[1, 2]"),
    "config is no text": damage("config.json", b"\xff\xfe\x00"),
    "weights cut": cut("model.safetensors", 7),
    "weights empty": damage("model.safetensors", b""),
    "weights are no such file": damage("model.safetensors", b"these are not weights at all"),
    "weights of another network": of_another_network,
    "history cut": cut("history.jsonl", 9),
    "no evidence": damage("evidence.json", None),
    "evidence cut": cut("evidence.json", 9),
    "a newer format": put("format", value=2),
    "no format": drop("format"),
    "no preprocessor": drop("preprocessor"),
    "preprocessor is null": put("preprocessor", value=None),
    "a column is missing": put("preprocessor", "columns", value=[]),
    "network is a word": put("network", value="mlp"),
    "network is null": put("network", value=None),
    "a class that is not ours": put("network", "class", value="os.system"),
    "loss is null": put("loss", value=None),
    "loss is a layer": put("loss", "class", value="Relu"),
    "a layer less": put("network", "layers", value=[]),
    "classes less": put("preprocessor", "classes", value=["setosa", "versicolor"]),
    "facts are null": put("facts", value=None),
    "no settings": drop("facts", "settings"),
    "figures are null": put("test", value=None),
}


@pytest.mark.parametrize("change", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_run_is_refused_in_one_line(saved, change):
    change(saved)
    with pytest.raises(DataError) as error:
        load(saved)
    assert str(error.value).startswith(f"{saved}: ")
    assert "\n" not in str(error.value)


def test_what_is_no_run_folder_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "nothing", __file__):
        with pytest.raises(DataError, match=r"this is no run folder \(no config.json\); `preceptor fit` makes one"):
            load(path)


# Predicting ----------------------------------------------------------------------------------------------------------


def test_columns_in_another_order_more_of_them_and_no_target(price_run):
    table = mixed_table()
    expected = price_run.predict(table)
    shuffled = {"extra": np.arange(90), **{name: table[name] for name in ("old", "colour", "size")}}
    assert_array_equal(price_run.predict(shuffled), expected)
    assert expected.shape == (90,)
    assert expected.dtype == np.float64


def test_predictions_of_some_rows_are_those_of_all(price_run):
    table = mixed_table()
    whole = price_run.predict(table)
    part = {name: values[:7] for name, values in table.items()}
    assert_allclose(price_run.predict(part), whole[:7], rtol=1e-5)
    assert price_run.predict({name: values[:1] for name, values in table.items()}).shape == (1,)


def test_unseen_levels_and_missing_values_are_predicted_too(price_run):
    strange = {"size": [np.nan, 1.0], "colour": ["mauve", None], "old": [True, False]}
    assert np.isfinite(price_run.predict(strange)).all()


def test_probabilities_sum_to_one_and_the_class_is_the_most_probable(iris_run):
    found = iris_run.predict_probabilities("iris")
    assert found.shape == (150, 3)
    assert_allclose(found.sum(1), 1, rtol=1e-6)
    assert (found >= 0).all()
    assert_array_equal(iris_run.predict("iris"), np.array(iris_run.classes)[found.argmax(1)])


def test_a_number_has_no_probabilities(price_run):
    with pytest.raises(ConfigError, match="predict_probabilities: the target is a number; classes are needed"):
        price_run.predict_probabilities(mixed_table())


@pytest.mark.parametrize(
    "table, message",
    [
        ({"size": [1.0], "colour": ["red"]}, "dictionary: 'old' is missing; the columns size, colour, old are needed"),
        ({"size": ["big"], "colour": ["red"], "old": [True]}, "column 'size' holds the text 'big' in data row 1"),
        ({"size": [np.inf], "colour": ["red"], "old": [True]}, "column 'size' is infinite"),
        ({"size": [], "colour": [], "old": []}, "it has no rows; at least one row is needed"),
    ],
)
def test_a_table_that_does_not_suit_is_refused(price_run, table, message):
    with pytest.raises(DataError) as error:
        price_run.predict(table)
    assert message in str(error.value)


def test_evaluate_judges_as_fit_did(iris_run):
    parts = read("iris")
    from preceptor.data import split

    labels = parts.columns["species"].astype(str)
    rows = split(150, seed=0, labels=labels).test
    found = iris_run.evaluate(parts.select(rows))
    assert found == pytest.approx(iris_run.test)
    assert found["accuracy"] == np.mean(iris_run.predict(parts.select(rows)) == labels[rows])


def test_evaluate_leaves_out_rows_without_a_target(price_run):
    table = mixed_table()
    table["price"][:30] = np.nan
    found = price_run.evaluate(table)
    assert found["rmse"].rows == 60
    expected = np.sqrt(np.mean((price_run.predict(table)[30:] - table["price"][30:]) ** 2))
    assert found["rmse"] == pytest.approx(expected, rel=1e-6)


def test_evaluate_needs_the_target(iris_run, price_run):
    with pytest.raises(DataError, match="there is no column 'price'"):
        price_run.evaluate({name: values for name, values in mixed_table().items() if name != "price"})
    table = read("iris")
    table.columns["species"][3] = "rose"
    with pytest.raises(DataError, match="the target 'species' is 'rose' in data row 4; it must be one of setosa"):
        iris_run.evaluate(table)


# Predictions as a file -----------------------------------------------------------------------------------------------


def test_a_row_has_the_same_prediction_alone_and_among_others():
    source = mixed_table()
    run = fit(source, "price", epochs=2)
    together, alone = run.predict(source), [run.predict(read(source).select(np.array([row])))[0] for row in range(90)]
    assert_allclose(alone, together, rtol=1e-12)


def test_predictions_are_written_row_by_row(iris_run, price_run, tmp_path):
    assert iris_run.write_predictions("iris", tmp_path / "out.csv") == 150
    with open(tmp_path / "out.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    names = ["prediction", "probability_setosa", "probability_versicolor", "probability_virginica"]
    assert list(rows[0]) == names
    assert [row["prediction"] for row in rows] == iris_run.predict("iris").tolist()
    written = np.array([[float(row[name]) for name in names[1:]] for row in rows])
    assert_array_equal(written, iris_run.predict_probabilities("iris"))
    price_run.write_predictions(mixed_table(), tmp_path / "numbers.csv")
    lines = (tmp_path / "numbers.csv").read_bytes().split(b"\n")
    assert lines[0] == b"prediction"
    assert_array_equal([float(line) for line in lines[1:-1]], price_run.predict(mixed_table()))
    assert sorted(each.name for each in tmp_path.iterdir()) == ["numbers.csv", "out.csv"]


def test_predictions_to_the_terminal_are_those_of_the_file(iris_run, tmp_path, capsys):
    iris_run.write_predictions("iris", tmp_path / "out.csv")
    iris_run.write_predictions("iris", sys.stdout)
    assert capsys.readouterr().out == (tmp_path / "out.csv").read_text()


def test_predictions_that_cannot_be_written_leave_nothing(iris_run, tmp_path):
    for path in (tmp_path / "no" / "such" / "folder.csv", tmp_path):
        with pytest.raises(DataError, match=r"cannot be written .* Choose another place with -o\."):
            iris_run.write_predictions("iris", path)
    assert list(tmp_path.iterdir()) == []


def test_a_pipe_is_written_to_and_not_replaced(iris_run, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    iris_run.write_predictions("iris", tmp_path / "pipe")
    text = os.read(reader, 1 << 16).decode()
    os.close(reader)
    assert len(list(csv.reader(io.StringIO(text)))) == 151
    assert (tmp_path / "pipe").is_fifo()


def test_a_run_is_shown_in_one_line_without_its_arrays(tmp_path):
    run = fit("iris", hidden=(4,), epochs=2, engine="reference")
    assert repr(run).startswith("Run(species of iris, 35 parameters; test accuracy 0.")
    assert "array" not in repr(run)
    assert len(repr(run).splitlines()) == 1
    assert repr(run.save(tmp_path / "run")).endswith(f"; {tmp_path / 'run'})")
