"""Several targets in the command: what is printed, written and refused."""

import csv
import io
import json

import numpy as np
import pandas as pd
import pytest

QUICK = ("--engine", "reference", "--hidden", "8", "--epochs", "3")


@pytest.fixture
def houses(here):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3))
    table = pd.DataFrame(x, columns=["rooms", "age", "size"])
    table["price"] = 100 * x[:, 0] + rng.normal(size=200)
    table["sold"] = np.where(x[:, 1] > 0, "yes", "no")
    table.loc[3, "price"] = None
    table.to_csv("houses.csv", index=False)
    return "houses.csv"


@pytest.mark.parametrize("words", [("--target", "price,sold"), ("--target", "price", "--target", "sold")])
def test_from_fit_to_evaluate(preceptor, houses, words):
    code, out, err = preceptor("fit", houses, *words, *QUICK, "--out", "run", "--json")
    assert code == 0
    lines = [line[10:] for line in out.splitlines()]
    assert "Target price: a number (numbers with fractions); mean" in out
    assert "Target sold: 2 classes (text): no, yes." in lines
    assert "Left out: 1 row without one of the targets." in lines
    assert "stratified by sold, seed 0" in out
    assert "the mean over the targets of Quadratic, SoftmaxCrossEntropy" in out
    assert any(line.startswith("of sold divided by ") for line in lines)
    assert any(line.startswith("predictions of price ± ") for line in lines)
    assert [line.split("  ")[0] for line in lines if "dev, 30 rows" in line] == ["price", "sold"]
    assert "dev loss" in err
    assert "dev price rmse" in err
    assert "dev sold accuracy" in err
    summary = json.loads(out.splitlines()[-1])
    assert set(summary["dev"]) == {"price", "sold"}
    assert summary["dev"]["sold"]["accuracy_rows"] == 30
    assert summary["temperature"]["price"] == 1

    shown = preceptor("show", "run").out
    assert all(line in shown for line in out.splitlines() if line.startswith("          Target"))
    written = list(csv.DictReader(io.StringIO(preceptor("predict", "run", houses, "--interval", "0.9").out)))
    price, sold = ["prediction_price", "low_price", "high_price"], ["probability_sold_no", "probability_sold_yes"]
    assert list(written[0]) == [*price, "prediction_sold", *sold]
    assert len(written) == 200
    answer = preceptor("predict", "run", houses, "-o", "out.csv")
    assert answer.out == "200 predictions of price, sold written to out.csv\n"
    told = preceptor("evaluate", "run", houses, "--json").out
    assert "199 rows with all targets" in told
    assert "Left out: 1 row without one of the targets." in told
    figures = json.loads(told.splitlines()[-1])
    assert figures["rows"] == 199
    assert set(figures["targets"]) == {"price", "sold"}


def test_check_looks_at_each(preceptor, houses):
    table = pd.read_csv(houses)
    table["said"] = table["sold"].map({"yes": "ja", "no": "nein"})
    table.to_csv(houses, index=False)
    code, out, _ = preceptor("check", houses, "--target", "price,sold", "--json")
    assert code == 0
    assert "Column 'said' alone tells the target 'sold'" in out
    found = json.loads(out.splitlines()[-1])
    assert (found["target"], found["kind"]) == (["price", "sold"], ["number", "classes"])
    assert len({each["text"] for each in found["findings"]}) == len(found["findings"])


def test_a_name_with_a_comma(preceptor, houses):
    table = pd.read_csv(houses).rename(columns={"price": "Price, EUR"})
    table.to_csv(houses, index=False)
    for words in (("Price, EUR",), ("Price, EUR", "sold"), ('"Price, EUR",sold',)):
        given = [word for each in words for word in ("--target", each)]
        out = preceptor("check", houses, *given).out
        assert "Target Price, EUR: a number" in out
        assert ("Target sold" in out) == (words != ("Price, EUR",))


def test_many_targets_leave_the_line_of_progress_short(preceptor, here):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(100, 7)), columns=list("abcdefg"))
    table.to_csv("t.csv", index=False)
    answer = preceptor("fit", "t.csv", "--target", "d,e,f,g", *QUICK)
    assert answer.code == 0
    assert "dev loss" in answer.err
    assert "rmse" not in answer.err


@pytest.mark.parametrize(
    "words, message",
    [
        (("--target", "price,soled"), "there is no column 'soled'; the columns are rooms, age, size, price, sold."),
        (("--target", "price,sold", "--metric", "auc"), "received metric beside 2 targets, price, sold; it is of one"),
        (("--target", "price", "--target", "price"), "the target 'price' is named twice; once is required."),
    ],
)
def test_mistakes_are_one_line(preceptor, houses, words, message):
    code, out, err = preceptor("fit", houses, *words)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
