"""Data as Python holds them: features and target apart, columns by place, columns left out, fields kept."""

import csv
import io
from array import array
from collections import deque

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import sparse

from preceptor.errors import ConfigError, DataError
from preceptor.job import fit, load, lr_find

QUICK = {"hidden": (4,), "epochs": 2, "engine": "reference", "learning_rate": 0.01, "batch_size": 16}
X = np.random.default_rng(0).normal(size=(60, 3))
Y = (X[:, 0] > 0).astype(int)
WORDS = ["yes" if each else "no" for each in Y]
BOTH = np.c_[X, Y]
FRAME = pd.DataFrame(BOTH, columns=["a", "b", "c", "d"])


class NeedsGradients:
    """Refuses, as a tensor of PyTorch that requires gradients does, to become an array."""

    def __array__(self, *_, **__):
        raise RuntimeError("no array yet. Detach it first.\nMore words.")


@pytest.mark.parametrize(
    "x, y, name, classes",
    [
        (X, Y, "target", (0, 1)),
        (X.tolist(), Y.tolist(), "target", (0, 1)),
        (X, WORDS, "target", ("no", "yes")),
        (X, tuple(WORDS), "target", ("no", "yes")),
        (X, Y[:, None], "target", (0, 1)),
        (X, Y.astype(float), "target", (0.0, 1.0)),
        (X, Y.astype(bool), "target", (False, True)),
        (FRAME[["a", "b"]], pd.Series(WORDS, name="bought"), "bought", ("no", "yes")),
        (FRAME[["a", "b"]], FRAME[["d"]], "d", (0.0, 1.0)),
        (FRAME, FRAME["d"], "d", (0.0, 1.0)),
        (pl.DataFrame({"a": X[:, 0]}), pl.Series("bought", WORDS), "bought", ("no", "yes")),
        (pa.table({"a": X[:, 0]}), pa.array(WORDS), "target", ("no", "yes")),
        ({"a": X[:, 0], "target": X[:, 1]}, Y, "target (2)", (0, 1)),
        (sparse.csr_matrix(X), Y, "target", (0, 1)),
        (X, Y[:, None].tolist(), "target", (0, 1)),
        (X, deque(Y.tolist()), "target", (0, 1)),
        (X, array("i", Y.tolist()), "target", (0, 1)),
        (X, np.array([(each,) for each in Y], [("bought", int)]), "target", (0, 1)),
        (pl.DataFrame({"a": X[:, 0]}), pl.DataFrame({"bought": WORDS}), "bought", ("no", "yes")),
        (pd.DataFrame(BOTH), pd.DataFrame(BOTH)[3], "3", (0.0, 1.0)),
        (pd.DataFrame(BOTH, columns=[0, 1, 2, 2.5]), pd.Series(BOTH[:, 3], name=2.5), "2.5", (0.0, 1.0)),
    ],
)
def test_features_and_target_apart(x, y, name, classes):
    run = fit(x, y, **QUICK)
    assert (run.targets[0].name, run.classes) == (name, classes)
    assert list(map(type, run.classes)) == list(map(type, classes))
    assert len(run.predict(x)) == 60
    found = run.evaluate(x, y)
    wanted = np.array(WORDS) if classes == ("no", "yes") else Y
    assert found["accuracy"].value == pytest.approx(np.mean(run.predict(x) == wanted))


@pytest.mark.parametrize("place", [3, -1, np.int64(3)])
def test_the_target_is_a_column_of_the_array(place):
    run = fit(BOTH, place, **QUICK)
    assert run.classes == (0.0, 1.0)
    assert run.facts["features"] == 3
    np.testing.assert_array_equal(run.predict(BOTH), run.predict(X))
    assert run.evaluate(BOTH) == run.evaluate(X, Y)


@pytest.mark.parametrize("source", [np.asarray, np.ndarray.tolist, np.asfortranarray])
def test_long_whole_numbers_in_a_column_of_the_array_are_classes_of_their_own(source):
    codes = source(np.c_[2**53 + Y, Y])
    run = fit(codes, 0, **QUICK)
    assert run.classes == (2**53, 2**53 + 1)  # one float64 for both
    assert run.evaluate(codes)["accuracy"].value == np.mean(run.predict(codes) == 2**53 + Y)


@pytest.mark.parametrize("place", [3, -1])
def test_the_target_is_a_column_of_a_file_of_numbers(tmp_path, place):
    path = str(tmp_path / "both.npy")
    np.save(path, BOTH)
    run = fit(path, place, **QUICK)
    named = fit(path, str(place), **QUICK)  # as the command gives it
    assert run.classes == named.classes == (0.0, 1.0)
    assert run.facts["features"] == named.facts["features"] == 3
    for each in (run, named):
        np.testing.assert_array_equal(each.predict(path), fit(BOTH, place, **QUICK).predict(X))
        assert each.evaluate(path) == each.evaluate(X, Y)


def test_masked_numbers_are_missing():
    masked = np.ma.array(X, mask=np.arange(180).reshape(60, 3) % 7 == 0)
    gaps = fit(masked.filled(np.nan), Y, **QUICK)
    run = fit(masked, Y, **QUICK)
    assert run.preprocessor.columns == gaps.preprocessor.columns
    np.testing.assert_array_equal(run.predict_probabilities(masked), gaps.predict_probabilities(masked.filled(np.nan)))


def test_a_name_may_be_a_number_or_have_parts():
    assert fit(pd.DataFrame(BOTH), 3, **QUICK).targets[0].name == "3"
    names = pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1), ("b", 2)])
    assert fit(pd.DataFrame(BOTH, columns=names), ("b", 2), **QUICK).classes == (0.0, 1.0)


@pytest.mark.parametrize(
    "source, target, text",
    [
        (
            BOTH,
            None,
            "array: no target was given; a value for each row is needed: pr.fit(x, y); or the place of a column",
        ),
        (BOTH, "x", "array: the target 'x' is a block of 4 numbers per row; one value per row is needed."),
        (BOTH, 9, "array: the target is column 9; the array has 4, counted from 0."),
        (FRAME, 2, "data frame: the target is 2; the name of a column is needed: a, b, c, d."),
        (FRAME, ("a", "e"), "data frame: there is no column 'e'; the columns are a, b, c, d."),
        (FRAME, ("e", "f"), "data frame: the target has 2 values and the table 60 rows; one for each row is needed."),
        (FRAME, ["a", "a"], "data frame: the target has 2 values and the table 60 rows; one for each row is needed."),
        (FRAME, 2.0, "data frame: the target is a float; the name of a column, or one value for each row, is needed."),
        (FRAME, True, "data frame: the target is a bool; "),
        (FRAME, {"a": 1}, "data frame: the target is a dict; "),
        (FRAME, object(), "data frame: the target is a object; "),
        (X, Y[:5], "array: the target has 5 values and the table 60 rows; "),
        (X, np.eye(2)[Y], "array: the target has shape (60, 2); the name of a column, or one value for each row, is"),
        (X[:, 0], Y, "array: it has shape (60,); (rows, features) of numbers is needed. One feature: x.reshape(-1, 1)"),
        (np.array([["a"]]), "a", "array: it holds text; (rows, features) of numbers is needed. Name its columns"),
        ([[1, 2], [3]], [0, 1], "array: its rows differ in length; (rows, features) of numbers is needed."),
        (X, b"ab", "array: the target is a bytes; "),
        (
            X,
            NeedsGradients(),
            "array: a tests.job.test_given.NeedsGradients cannot be read (no array yet. Detach it first); ",
        ),
        (
            NeedsGradients(),
            Y,
            "array: a tests.job.test_given.NeedsGradients cannot be read (no array yet. Detach it first); ",
        ),
        (3, "a", "read: a builtins.int was given; "),
        (
            "https://example.org/t.csv",
            "a",
            "https://example.org/t.csv: this is an address; a table in a file is needed.",
        ),
        ("x" * 300 + ".csv", "a", "x" * 300 + ".csv: the file cannot be opened (File name too long); "),
        ("iris", 3, "iris: the target is 3; the name of a column is needed: sepal_length"),
        (
            sparse.csr_matrix((10**7, 10**6)),
            "a",
            "sparse matrix: written out, its 10,000,000 rows of 1,000,000 columns need",
        ),
    ],
)
def test_what_is_no_target_or_no_table_is_refused_in_words(source, target, text):
    for way in (fit, lr_find):
        with pytest.raises(DataError) as error:
            way(source, target)
        assert str(error.value).startswith(text)
        assert "\n" not in str(error.value)


def test_text_of_a_table_is_never_made(monkeypatch):
    monkeypatch.setattr(pd.DataFrame, "__repr__", lambda _: pytest.fail("a whole frame as text"))
    monkeypatch.setattr(pd.DataFrame, "__str__", lambda _: pytest.fail("a whole frame as text"))
    fit(FRAME, "d", **QUICK)


# Columns left out, fields kept


@pytest.fixture
def table(tmp_path):
    """A table as pandas writes it, with an index that has no name, and fields that are easily changed."""
    frame = pd.DataFrame(
        {
            "Price, EUR": [f"{each:.2f}" for each in 100 + X[:, 1]],
            "id": [str(2**53 + 1 + row) if row % 7 else "" for row in range(60)],
            "when": [f"{1 + row % 28:02}.02.2024" for row in range(60)],
            "at": [f"2024-01-{1 + row % 28:02} 10:00+02:00" for row in range(60)],
            "x": X[:, 0].round(6),
            "open": ["true" if each else "false" for each in Y],
        }
    )
    path = tmp_path / "t.csv"
    frame.to_csv(path)
    return path


def predicted(run, source, **given):
    file = io.StringIO()
    run.write_predictions(source, file, **given)
    return list(csv.DictReader(io.StringIO(file.getvalue())))


def test_fields_are_written_as_they_stood(table, tmp_path):
    run = load(fit(table, "open", leave_out=["id"], **QUICK).save(tmp_path / "run").path)
    rows = list(csv.DictReader(io.StringIO(table.read_text())))
    kept = ["id", "Price, EUR", "when", "at", "open"]
    found = predicted(run, table, keep=kept)
    assert [[each[name] for name in kept] for each in found] == [[each[name] for name in kept] for each in rows]
    assert list(found[0]) == [*kept, "prediction", "probability_false", "probability_true"]
    assert {each["prediction"] for each in found} <= {"true", "false"}


def test_what_is_left_out_is_not_learned_and_not_needed(table, tmp_path):
    run = fit(table, "open", leave_out=("column1", "id ", "when", "at"), **QUICK)
    assert [column.name for column in run.preprocessor.columns] == ["Price, EUR", "x"]
    assert ("id", "left out as asked") in run.preprocessor.set_aside
    assert run.facts["identifiers"] == ["column1"]
    assert [each["column1"] for each in predicted(run, table)] == [str(row) for row in range(60)]
    small = tmp_path / "small.csv"
    pd.read_csv(table)[["x", "Price, EUR"]].to_csv(small, index=False)
    np.testing.assert_array_equal(run.predict(small), run.predict(table))
    other = tmp_path / "test.csv"
    pd.read_csv(table)[["x", "Price, EUR", "open"]].to_csv(other, index=False)
    assert fit(table, "open", test=other, leave_out=("column1", "id", "when", "at"), **QUICK).test


def test_names_to_leave_out_are_checked(table):
    with pytest.raises(DataError, match="there is no column 'idd'"):
        fit(table, "open", leave_out="idd", **QUICK)
    with pytest.raises(ConfigError, match="'open' is the target; it cannot be left out"):
        fit(table, "open", leave_out="open", **QUICK)
    with pytest.raises(ConfigError, match=r"leave_out is 3; it must be a tuple or list of texts"):
        fit(table, "open", leave_out=3, **QUICK)


def test_names_are_compared_composed_and_stripped(tmp_path):
    one, two = "gr\u00f6\u00dfe", "gro\u0308\u00dfe"
    frame = pd.DataFrame({two: [one, two, "x"] * 20, "y ": Y})
    run = fit(frame, "y ", **QUICK)
    assert run.targets[0].name == "y"
    np.testing.assert_array_equal(run.predict({one: [one, two]}), run.predict(pd.DataFrame({two: [two, one]})))
    found = predicted(run, {f" {two}": [two, "x"]}, keep=[one])
    assert [each[one] for each in found] == [two, "x"]


def test_a_truth_value_with_an_empty_label_is_evaluated(tmp_path):
    path = tmp_path / "t.csv"
    frame = pd.DataFrame({"x": X[:, 0], "open": ["true" if each else "false" for each in Y]})
    frame.to_csv(path, index=False)
    run = fit(path, "open", **QUICK)
    before = run.evaluate(path)["accuracy"]
    frame.loc[0, "open"] = ""
    frame.to_csv(path, index=False)
    notes = []
    found = run.evaluate(path, notes=notes)["accuracy"]
    assert found.rows == before.rows - 1 == 59
    assert "Left out: 1 row without a target." in notes
    assert "The run learned from 42 rows of this, which it tells better than new ones." in notes
    notes.clear()
    frame.to_csv(tmp_path / "other.csv", index=False)
    run.evaluate(tmp_path / "other.csv", notes=notes)
    assert not any("learned from" in each for each in notes)


@pytest.mark.parametrize("labels", [("0.0", "1.0"), ("0", "1"), ("TRUE", "FALSE"), ("1.50", "2.50"), ("a", "b")])
def test_labels_are_written_as_they_were(tmp_path, labels):
    path = tmp_path / "t.csv"
    pd.DataFrame({"x": X[:, 0], "y": np.array(labels)[Y]}).to_csv(path, index=False)
    run = fit(path, "y", kind="classes", **QUICK)
    found = predicted(run, path)
    assert {each["prediction"] for each in found} <= set(labels)
    assert {name for name in found[0] if name.startswith("probability_")} == {f"probability_{each}" for each in labels}


def test_times_with_a_zone_are_not_taken_for_those_without(table, tmp_path):
    run = fit(table, "open", **QUICK)
    other = tmp_path / "other.csv"
    other.write_text(table.read_text().replace("+02:00", ""))
    with pytest.raises(
        DataError, match=r"column 'at' holds '2024-01-01 10:00' in data row 1; .* 2024-01-31T10:00\+02:00"
    ):
        run.predict(other)
    with pytest.raises(DataError, match=r"column 'at' holds '2024-01-01 10:00\+02:00' in data row 1; .* 2024-01-31 is"):
        fit(other, "open", **QUICK).predict(table)


@pytest.mark.parametrize(
    "table, text",
    [
        ({"\ud800": X[:, 0], "y": Y}, "dictionary: the name holds half a character "),
        ({"a": np.where(Y, "\ud800b", "c").astype(object), "y": Y}, "dictionary: the text in column 'a' holds half a "),
        ({"a": X[:, 0], "y": np.where(Y, "x\udfff", "c").astype(object)}, "dictionary: the text in column 'y' holds "),
    ],
)
def test_text_that_no_file_can_hold_is_refused_before_it_trains(table, text):
    with pytest.raises(DataError) as error:
        fit(table, "y", **QUICK)
    assert str(error.value).startswith(text)
