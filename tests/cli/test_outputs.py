"""What a run tells beside one prediction for each row, in the command."""

import csv

import numpy as np
import pytest

import preceptor as pr

QUICK = ("--engine", "reference", "--epochs", "4", "--batch-size", "32", "--hidden", "8")


def table(path, rows=200, seed=0):
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(0, 1, rows).round(4), rng.normal(size=rows).round(4)
    y = (10 * b + 5 * a * rng.normal(size=rows)).round(4)
    grade = np.array(["low", "medium", "high"])[np.searchsorted([-5, 5], y)]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["a", "b", "y", "grade"], *zip(a, b, y, grade, strict=True)])
    return path


def lines_of(path):
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return table(tmp_path_factory.mktemp("data") / "t.csv")


@pytest.fixture(scope="module")
def number(tmp_path_factory, data):
    run = pr.fit(data, "y", engine="reference", epochs=4, batch_size=32, hidden=8, leave_out="grade")
    return run.save(tmp_path_factory.mktemp("runs") / "number").path


def test_an_interval_is_written_behind_the_prediction(preceptor, here, data, number):
    assert preceptor("predict", number, data, "-o", "out.csv", "--interval", "0.8").code == 0
    lines = lines_of(here / "out.csv")
    assert list(lines[0]) == ["prediction", "low", "high"]
    low, high = pr.load(number).predict_interval(data, 0.8).T
    np.testing.assert_array_equal([float(each["low"]) for each in lines], low)
    np.testing.assert_array_equal([float(each["high"]) for each in lines], high)


def test_quantiles(preceptor, here, data):
    words = ("fit", data, "--target", "y", *QUICK, "--leave-out", "grade", "--quantiles", "0.1,0.5,0.9", "--out", "run")
    code, out, _ = preceptor(*words)
    assert code == 0
    for name in ("pinball loss", "below 0.1", "below 0.5", "below 0.9"):
        assert f"          {name}" in out
    assert preceptor("show", "run").out.count("below 0.9") == 1
    assert preceptor("predict", "run", data, "-o", "out.csv", "--interval", "0.8").code == 0
    lines = lines_of(here / "out.csv")
    assert list(lines[0]) == ["prediction", "quantile_0.1", "quantile_0.5", "quantile_0.9", "low", "high"]
    found = pr.load("run").predict_quantiles(data)
    np.testing.assert_array_equal([float(each["quantile_0.9"]) for each in lines], found[:, 2])
    np.testing.assert_array_equal([float(each["prediction"]) for each in lines], found[:, 1])
    assert "below_0.5_low" in preceptor("evaluate", "run", data, "--json").out
    refused = preceptor("predict", "run", data, "--samples", "5")
    assert (refused.code, refused.out) == (2, "")
    assert "received samples; of a run that predicts quantiles there are none" in refused.err


def test_ordered_classes(preceptor, here, data):
    words = (
        "fit",
        data,
        "--target",
        "grade",
        *QUICK,
        "--leave-out",
        "y",
        "--ordered",
        "low,medium,high",
        "--out",
        "run",
    )
    code, out, _ = preceptor(*words)
    assert code == 0
    assert "classes (as asked): low, medium, high, from the lowest to the highest." in out
    assert "CumulativeLogit" in out
    assert "          class distance" in out
    assert "from the lowest to the highest" in preceptor("show", "run").out
    assert preceptor("predict", "run", data, "-o", "out.csv").code == 0
    assert list(lines_of(here / "out.csv")[0])[1:] == ["probability_low", "probability_medium", "probability_high"]
    assert "class_distance_low" in preceptor("evaluate", "run", data, "--json").out


def test_ordered_numbers_need_no_names(preceptor, here):
    rng = np.random.default_rng(0)
    rows = ([round(a, 3), int(a > -1) + int(a > 1)] for a in rng.normal(size=90).tolist())
    with (here / "t.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["a", "y"], *rows])
    for words in (("t.csv", "--target", "y", "--ordered"), ("t.csv", "--ordered", "--target", "y")):
        code, out, _ = preceptor("fit", *words, *QUICK)
        assert code == 0
        assert "3 classes (as asked): 0, 1, 2, from the lowest to the highest." in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--ordered", "low,high"), "ordered does not name 'medium'; each of the 3 classes is required once"),
        (("--ordered", "low,medium,high,top"), "ordered names 'top', which is no class of the target"),
        (("--ordered",), "the classes of the target are text: high, low, medium; their order is needed."),
        (("--ordered", "low,medium,high", "--kind", "number"), "kind is number beside ordered"),
    ],
)
def test_orders_that_cannot_be(preceptor, here, data, words, message):
    code, out, err = preceptor("fit", data, "--target", "grade", *words, "--out", "run")
    assert (code, out) == (2, "")
    assert message in err
    assert not (here / "run").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--target", "y", "--quantiles", "0.9,0.1"), "Pinball: quantiles is (0.9, 0.1); shares in ascending order"),
        (("--target", "y", "--quantiles", "90"), "Pinball: quantiles is 90; it must be 0.001 to 0.999."),
        (("--target", "y", "--quantiles", "high"), "'high' is not a list of numbers such as 0.1,0.5"),
        (("--target", "grade", "--quantiles", "0.5"), "a number is needed"),
    ],
)
def test_quantiles_that_cannot_be(preceptor, here, data, words, message):
    code, out, err = preceptor("fit", data, *words, "--out", "run")
    assert (code, out) == (2, "")
    assert message in err
    assert not (here / "run").exists()


def test_show_says_how_wide_an_interval_is(preceptor, number):
    out = preceptor("show", number).out
    assert " hold 90 % of the targets of the dev rows" in next(x for x in out.splitlines() if x.startswith("interval"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--interval", "90"), "interval: received a coverage of 90; a share between 0 and 1 is required."),
        (("--interval", "0.99"), "interval: a coverage of 0.99 needs the residuals of 99 rows; 30 were judged"),
        (("--interval", "0.9", "--samples", "5"), "predict: received an interval beside samples;"),
        (("--interval", "wide"), "'wide' is not a valid float"),
    ],
)
def test_intervals_that_cannot_be(preceptor, here, data, number, words, message):
    code, out, err = preceptor("predict", number, data, "-o", "out.csv", *words)
    assert (code, out) == (2, "")
    assert message in err
    assert not (here / "out.csv").exists()
