"""Weights in the command: what is said of them, and what mistakes are answered with."""

import numpy as np
import pytest

import preceptor as pr


@pytest.fixture
def path(here):
    rng = np.random.default_rng(0)
    rows = [f"{a:.3f},{w},{'yes' if a > 0 else 'no'}" for a, w in zip(rng.normal(size=80), [2, 0] * 40, strict=True)]
    (here / "t.csv").write_text("\n".join(["a,w,kind", *rows]))
    return here / "t.csv"


def test_weights_are_said(preceptor, path):
    code, out, _ = preceptor("fit", path, "--target", "kind", "--weight", " w", "--epochs", 2, "--out", "run")
    assert code == 0
    assert "Left out: 40 rows of the weight 0.\n" in out
    said = "weights   of the rows by w; those to train tell as much as 40 rows of equal weight\n"
    assert said in out
    assert said in preceptor("show", "run").out
    out = preceptor("evaluate", "run", path).out
    assert "note      Rows are weighed by the column 'w', as in training.\n" in out
    assert "note      Left out: 40 rows of the weight 0.\n" in out
    assert "t.csv, 40 rows" in out
    assert "w" not in pr.load("run").preprocessor.feature_names


def test_a_table_without_the_column_is_judged_and_told(preceptor, path):
    assert preceptor("fit", path, "--target", "kind", "--weight", "w", "--epochs", 2, "--out", "run").code == 0
    lines = [line.split(",") for line in path.read_text().splitlines()]
    path.with_name("other.csv").write_text("\n".join(f"{a},{kind}" for a, _, kind in lines))
    code, out, _ = preceptor("evaluate", "run", "other.csv")
    assert code == 0
    assert "note      There is no column 'w', by which training weighed its rows: here each counts alike.\n" in out
    assert "80 rows" in out


def test_check_says_which_rows_count_for_nothing(preceptor, path):
    code, out, _ = preceptor("check", path, "--target", "kind", "--weight", "w")
    assert code == 0
    assert "Left out: 40 rows of the weight 0.\n" in out
    assert "w (weighs the rows)" in out


def test_a_weight_that_is_none_is_one_line(preceptor, path):
    path.write_text(path.read_text().replace(",2,", ",,", 1))
    code, _, err = preceptor("fit", path, "--target", "kind", "--weight", "w", "--out", "run")
    assert (code, err.count("\n")) == (2, 1)
    assert "t.csv: the weight 'w' is missing in data row 1; a finite number of at least 0 is needed" in err
    assert not (path.parent / "run").exists()


def test_class_weights_are_said(preceptor, path):
    words = ("--target", "kind", "--leave-out", "w", "--epochs", 2, "--out", "run")
    code, out, _ = preceptor("fit", path, *words, "--class-weight", "yes=5, no=0.25")
    assert code == 0
    said = "weights   of the classes in the loss: no 0.25, yes 5\n"
    assert said in out
    assert said in preceptor("show", "run").out
    assert pr.load("run").facts["settings"]["class_weight"] == "yes=5, no=0.25"


def test_a_class_that_is_none_is_one_line(preceptor, path):
    code, _, err = preceptor("fit", path, "--target", "kind", "--class-weight", "Yes=5,maybe=1", "--out", "run")
    assert (code, err.count("\n")) == (2, 1)
    assert "received class_weight for 'Yes'; the target 'kind' has no such class: no, yes. Did you mean 'yes'?" in err
    assert not (path.parent / "run").exists()
