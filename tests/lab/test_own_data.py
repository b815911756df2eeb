"""Experiments on a table of one's own, in place of what is bundled."""

import json

import numpy as np
import pandas
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from preceptor import lab
from preceptor.errors import ConfigError, DataError
from preceptor.lab import own_data
from preceptor.lab.experiments import EXPERIMENTS
from preceptor.lab.page import render

# What makes each quick.
SMALL = {
    "activations": {"seeds": 1},
    "adam-sgd": {"seeds": 1, "epochs": 1},
    "bias-variance": {"seeds": 1},
    "boundary": {"epochs": 3},
    "batch-norm": {"epochs": 2, "units": 8, "layers": 2},
    "complexity": {"seeds": 2},
    "dropout": {"seeds": 2, "epochs": 3, "units": 3, "draws": 100, "hidden": 8},
    "ensemble": {"epochs": 2},
    "relu-tanh": {"seeds": 1, "steps": 20, "layers": 1},
    "row-curve": {"seeds": 1},
    "searching": {"searches": 2, "epochs": 2},
    "whitening": {},
}
TAKING = [each for each in EXPERIMENTS if each.takes_data]


def table(rows=120):
    """Three classes that hang on two of the numbers."""
    rng = np.random.default_rng(5)
    kind = np.arange(rows) % 3
    return pandas.DataFrame(
        {
            "width": 10 + 4 * kind + rng.normal(size=rows),
            "height": 3 - kind + rng.normal(size=rows),
            "colour": np.where(rng.random(rows) < 0.5, "red", "blue"),
            "always": 1,
            "kind": np.array(["oak", "fir", "elm"])[kind],
            "price": rng.normal(size=rows),
        }
    )


@pytest.fixture
def file(tmp_path):
    table().to_csv(tmp_path / "trees.csv", index=False)
    return tmp_path / "trees.csv"


def test_every_experiment_that_takes_data_is_tried():
    assert {each.name for each in TAKING} == set(SMALL)
    for each in EXPERIMENTS:
        assert not {"data", "target"} & set(each.settings)


@pytest.mark.parametrize("experiment", TAKING, ids=lambda each: each.name)
def test_it_runs_on_a_table_and_says_so(experiment, file):
    found = experiment.run(data=file, target="kind", **SMALL[experiment.name])
    assert found.material.name == "trees.csv"
    assert found.notes[0].startswith("trees.csv stands in the place of the ")
    assert str(found).startswith(found.notes[0])
    page = render(experiment, found, {"data": str(file), "target": "kind"})
    assert "Own data." in page
    assert f"preceptor lab {experiment.name} --data {file} --target kind -o" in page
    assert all(each.found.endswith(".") for each in found.claims())
    assert found.answer().endswith(".")
    json.dumps(found.to_dict(), allow_nan=False)
    assert "digits," not in str(found.tables()[0])


def test_rows_are_those_of_scikit_learn(file):
    frame = table()
    rows = own_data.labelled(file, "kind", "ensemble")
    numbers = StandardScaler().fit_transform(frame[["width", "height", "price"]])
    for name, values in zip(("width", "height", "price"), numbers.T, strict=True):
        np.testing.assert_allclose(rows.x[:, rows.features.index(name)], values, atol=1e-5)
    assert rows.classes == ("elm", "fir", "oak")
    assert [rows.classes[each] for each in rows.y] == frame["kind"].tolist()
    assert any("always" in note for note in rows.material.notes)
    again = own_data.labelled(frame.drop(columns="kind"), frame["kind"].to_numpy(), "ensemble")
    np.testing.assert_array_equal(again.x, rows.x)
    x, y = rows.drawn(3)
    order = np.random.default_rng(3).permutation(120)
    assert (x == rows.x[order]).all()
    assert (y == rows.y[order]).all()
    parts = rows.parts(600, 400, 3)
    assert (len(parts.x), len(parts.dev_x)) == (90, 30)


def test_what_is_found_is_of_the_table(file):
    frame = table()
    columns = frame[["width", "height", "price"]].to_numpy()
    found = lab.whitening(data=file)
    assert found.names == ("width", "height", "price")
    theirs = PCA(whiten=True).fit(columns)
    np.testing.assert_allclose(np.abs(found.steps["whitened"]), np.abs(theirs.transform(columns)), rtol=1e-6, atol=1e-9)
    curve = lab.row_curve(data=frame, target="kind", seeds=1)
    assert curve.rows == (20, 40, 80, 90)
    read = lab.bias_variance(data=frame, target="kind", seeds=1)
    assert set(read.rows.values()) == {60, 90}
    assert {each.source for each in read.claims()} == {"D:2341"}  # what is expected of digits is not claimed
    x, y = own_data.labelled(frame, "kind", "row-curve").drawn(0)
    model = LogisticRegression(C=10).fit(x[:90], y[:90])
    assert curve.test_errors["linear"][-1, 0] == pytest.approx(1 - model.score(x[90:], y[90:]), abs=0.07)


def test_a_plane_is_of_the_first_two_numbers():
    frame = table()
    own = own_data.plane(frame, "kind", "boundary", 3)
    order = np.random.default_rng(3).permutation(120)
    np.testing.assert_allclose(own.x, StandardScaler().fit_transform(frame[["width", "height"]])[order])
    assert own.names == ("width", "height")
    assert own.classes == ("others", "elm")
    assert (own.y == (frame["kind"].to_numpy()[order] == "elm")).all()
    found = lab.boundary(data=frame[frame["kind"] != "oak"], target="kind", epochs=60)
    one = LogisticRegression(C=100).fit(found.x, found.y)
    assert found.by_units[1].train_error == pytest.approx(1 - one.score(found.x, found.y), abs=0.06)
    assert "class 1 is elm, class 0 fir." in found.notes[0]
    with pytest.raises(ConfigError, match="lab boundary: data frame has one class; two at least are required"):
        lab.boundary(data=frame)


def test_many_rows_are_drawn_and_few_are_refused():
    many = own_data.labelled(table(2500), "kind", "ensemble")
    assert len(many.y) == own_data.MOST_ROWS
    assert "Of 2,500 rows 2,000 were drawn." in many.material.notes
    with pytest.raises(DataError, match="lab ensemble: data frame has 30 rows of use; at least 60 are required"):
        lab.ensemble(data=table(30), target="kind")


def test_missing_numbers_are_left_out_where_they_stand_as_they_are():
    frame = table()
    frame.loc[3, "width"] = np.nan
    found = own_data.numeric(frame, "kind", "whitening")
    assert len(found.x) == 119
    assert "1 row with a missing value left out." in found.material.notes
    assert any("colour" in note and "always" in note for note in found.material.notes)


@pytest.mark.parametrize(
    "target, message",
    [
        ("price", "lab ensemble: the target 'price' is a number .*; classes are required"),
        (None, "data frame: no target was named; one of its columns is needed"),
        ("kin", "kin"),
        (["kind", "colour"], "lab ensemble: received 2 targets; one is required"),
    ],
)
def test_targets_that_are_none_are_refused(target, message):
    with pytest.raises((ConfigError, DataError), match=message):
        lab.ensemble(data=table(), target=target)


def test_a_target_without_data_is_refused():
    with pytest.raises(ConfigError, match="lab ensemble: received a target without data"):
        lab.ensemble(target="kind")
    with pytest.raises(ConfigError, match="lab boundary: received a target without data"):
        lab.boundary(target="kind")
    with pytest.raises(ConfigError, match="the target 'price' has 120 values; at most 30 classes are required"):
        lab.whitening(data=table(), target="price")
    with pytest.raises(ConfigError, match="has 1 columns of numbers that vary; 2 to 500 are required"):
        lab.whitening(data=table()[["width", "kind"]])
