"""`preceptor check`: what is wrong with a table, without a training."""

import json
import subprocess
import sys

import numpy as np
import pytest

ROWS = 400


def write(path, columns):
    np.savez(path, **columns)
    return path


@pytest.fixture
def columns():
    rng = np.random.default_rng(0)
    x = rng.normal(size=ROWS)
    amount = rng.normal(size=ROWS)
    return {"x": x, "amount": amount, "y": (x + rng.normal(size=ROWS) > 0).astype(int)}


def test_a_healthy_table_is_met_with_what_was_looked_for(preceptor, here, columns):
    code, out, err = preceptor("check", write(here / "made.npz", columns), "--target", "y")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "data      made.npz: 400 rows, 3 columns"
    assert "split     400 to train in 8 folds, each judged by the networks that leave it out" in lines
    assert not any(line.startswith(("refused", "warning", "note")) for line in lines)
    said = " ".join(out.split())
    assert "checks made, nothing found. Looked for: classes too small" in said
    assert said.endswith("too few rows.")


def test_a_warning_names_the_column_and_ends_well(preceptor, here, columns):
    columns["alive"] = np.where(columns["y"] == 1, "yes", "no")
    code, out, _ = preceptor("check", write(here / "made.npz", columns), "--target", "y")
    assert code == 0
    assert "warning   Column 'alive' alone tells the target 'y'" in out
    assert "checks made, 1 warning." in " ".join(out.split())


def test_a_refusal_ends_in_exit_code_2(preceptor, here, columns):
    columns["x"][41] = np.inf
    code, out, err = preceptor("check", write(here / "made.npz", columns), "--target", "y")
    assert (code, err) == (2, "")
    assert "refused   Column 'x' is infinite or far too large in data row 42;" in out
    assert "checks made, 1 refused." in " ".join(out.split())


def test_rows_without_a_target_are_counted(preceptor, here, columns):
    columns["x"][41] = np.inf
    columns["y"] = np.where(np.arange(ROWS) < 20, np.nan, columns["y"])
    code, out, _ = preceptor("check", write(here / "made.npz", columns), "--target", "y")
    assert code == 2
    assert "far too large in data row 42;" in out


def test_nothing_to_learn_from_is_refused_once(preceptor, here, columns):
    write(here / "made.npz", {"x": np.ones(ROWS), "y": columns["y"]})
    code, out, _ = preceptor("check", here / "made.npz", "--target", "y")
    assert code == 2
    assert out.count("refused") == 2  # the line and the count
    assert "No column can be learned from: x (the same in all training rows); add columns" in out


def test_json(preceptor, here, columns):
    columns["k"] = np.ones(ROWS)
    columns["x"][3] = -np.inf
    write(here / "made.npz", columns)
    code, out, _ = preceptor("check", here / "made.npz", "--target", "y", "--json")
    found = json.loads(out.splitlines()[-1])
    assert code == 2
    assert found["refused"] is True
    assert (found["data"], found["rows"], found["target"], found["kind"]) == ("made.npz", 400, "y", "classes")
    assert [(each["rule"], each["level"], each["columns"], each["rows"]) for each in found["findings"]] == [
        ("not_finite", "refuse", ["x"], [4]),
        ("constant", "note", ["k"], []),
    ]
    assert len(found["checks"]) >= 15


@pytest.mark.parametrize(
    "words, message",
    [
        (["--target", "z"], "there is no column 'z'"),
        ([], "no target was named"),
        (["--target", "y", "--kind", "word"], "'word' is not one of"),
        (["--target", "y", "--dev-share", "0.6", "--test-share", "0.6"], "the shares are"),
    ],
)
def test_mistakes_end_in_one_line(preceptor, here, columns, words, message):
    write(here / "made.npz", columns)
    code, out, err = preceptor("check", here / "made.npz", *words)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1


def test_a_bundled_table_needs_no_target(preceptor):
    code, out, _ = preceptor("check", "iris", "--seed", "3", "--dev-share", "0.15")
    assert code == 0
    assert "duplicates" not in out
    said = "1 of 150 rows repeats another row in every column (0 within train), and 1 of the 45 dev and test rows"
    assert f"{said} (2.2%) is in train as well; too few" in " ".join(out.split())


def test_nothing_is_written(preceptor, here, columns):
    write(here / "made.npz", columns)
    before = (here / "made.npz").read_bytes()
    preceptor("check", here / "made.npz", "--target", "y")
    assert [each.name for each in here.iterdir()] == ["made.npz"]
    assert (here / "made.npz").read_bytes() == before


def test_no_engine_is_loaded(here, columns, environment):
    write(here / "made.npz", columns)
    program = """
import sys
from preceptor.cli import main
sys.argv = ["preceptor", "check", "made.npz", "--target", "y"]
try:
    main()
except SystemExit as end:
    assert not end.code
assert "jax" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, capture_output=True)
