"""fit, predict, evaluate and show on good data: what they print, write and return."""

import csv
import hashlib
import io
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import preceptor as pr
from preceptor.data import read
from preceptor.engines.native import unavailable

GOLDEN = Path(__file__).parent.parent / "golden"
QUICK = ("--engine", "reference", "--hidden", "8", "--epochs", "3")
KEYS = {
    *("rows", "features", "parameters", "engine", "epochs", "seconds", "temperature", "dev", "test", "baselines", "run")
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a run of iris."""
    return pr.fit("iris", engine="reference", hidden=8, epochs=3).save(tmp_path_factory.mktemp("runs") / "iris").path


def masked(text):
    """The text without times, 1.2 s, 3 min 05 s, and without what more rules change."""
    text = re.sub(r"(\d+ rules looked on|note {6}Suspected).*\n", "RULES\n", text)
    text = re.sub(r"(curve +\w+ ?\w*\.) .*\n", r"\1\n", text)
    return re.sub(r"\d+(\.\d)? s\b|\d+ min \d\d s\b", "TIME", text)


# fit -----------------------------------------------------------------------------------------------------------------


def test_fit_prints_the_plan_and_the_figures(preceptor, here):
    """Compared whole, in float64 so that the figures are the same on every machine."""
    code, out, err = preceptor("fit", "digits", "--engine", "reference", "--precision", "f64", "--epochs", "2")
    assert code == 0
    assert masked(out) == (GOLDEN / "fit_digits.txt").read_text()
    lines = masked(err).splitlines()
    assert [line.split("  ")[5] for line in lines] == ["epoch 1/2", "epoch 2/2"]
    assert all(re.search(r"rate \d\S*  train loss \d\S*  dev loss \d\S*  dev accuracy 0\.\d+", line) for line in lines)


def test_fit_without_out_takes_the_first_free_name(preceptor, here):
    for number in (1, 2):
        assert (
            f"run       runs/iris-{number}: config.json, evidence.json, history.jsonl"
            in preceptor("fit", "iris", *QUICK).out
        )
    shutil.copy(Path(pr.data.__file__).parent / "bundled" / "iris.csv", "my irises.csv")
    assert preceptor("fit", "my irises.csv", "--target", "species", *QUICK).code == 0
    assert sorted(each.name for each in (here / "runs").iterdir()) == ["iris-1", "iris-2", "my-irises-1"]


def test_fit_json_is_the_last_line(preceptor, here):
    code, out, _ = preceptor("fit", "iris", *QUICK, "--out", "run", "--json")
    found = json.loads(out.splitlines()[-1])
    assert code == 0
    assert set(found) == KEYS
    assert (found["rows"], found["features"], found["epochs"], found["run"]) == (150, 4, 3, "run")
    assert found["parameters"] == 4 * 8 + 8 + 8 * 3 + 3
    assert found["engine"] == "reference (NumPy)"
    assert 0 < found["seconds"] < 60
    for part, rows in (("dev", 23), ("test", 22)):
        figures = found[part]
        assert figures["accuracy_rows"] == rows
        assert figures["accuracy_low"] <= figures["accuracy"] <= figures["accuracy_high"]
        assert {"accuracy", "log_loss", "f1", "auc"} <= set(figures)
    run = pr.load("run")
    assert run.test["accuracy"] == found["test"]["accuracy"]


@pytest.mark.parametrize("engine", ["reference", "native", "xla"])
def test_the_same_seed_gives_the_same_figures_and_the_same_file(preceptor, here, engine):
    if engine == "xla":
        pytest.importorskip("jax", reason="the xla engine needs jax")
    if engine == "native" and (reason := unavailable()):
        pytest.skip(f"the native engine: {reason}")
    found, digests = [], []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        words = ("--engine", engine, "--hidden", "8", "--epochs", "3", "--drop-rate", "0.2", "--seed", seed)
        out = preceptor("fit", "iris", *words, "--out", name, "--json").out
        figures = json.loads(out.splitlines()[-1])
        found.append({key: figures[key] for key in KEYS - {"seconds", "run"}})
        digests.append(hashlib.sha256((here / name / "model.safetensors").read_bytes()).hexdigest())
    assert found[0] == found[1] != found[2]
    assert digests[0] == digests[1] != digests[2]
    curves = [[{k: v for k, v in e.items() if k != "seconds"} for e in pr.load(here / name).history] for name in "abc"]
    assert curves[0] == curves[1] != curves[2]


def test_every_setting_reaches_the_training(preceptor, here):
    words = ("--hidden", "6,5", "--activation", "tanh", "--initialiser", "glorot", "--batch-norm", "--drop-rate", "0.1",
             "--optimiser", "nesterov", "--momentum", "0.8", "--learning-rate", "0.05", "--schedule", "step-decay",
             "--drop-every", "2", "--warmup", "0.1", "--batch-size", "10", "--epochs", "4", "--patience", "2",
             "--l2", "1e-3", "--l1", "1e-4", "--engine", "reference", "--precision", "f64", "--seed", "9",
             "--dev-share", "0.2", "--test-share", "0.1", "--kind", "classes", "--loss", "one-vs-all",
             "--metric", "balanced-accuracy",
             "--ensemble", "2", "--clip-norm", "5", "--accumulate", "2", "--average", "ema", "--average-decay", "0.9",
             "--devices", "1", "--group", "sepal_width", "--target", "species", "--polynomial", "2",
             "--rate", "*=0.01", "--layer-decay", "0.5")  # fmt: skip
    assert preceptor("fit", "iris", *words, "--out", "run").code == 0
    saved = pr.load("run").facts["settings"]
    expected = {
        "hidden": [6, 5], "activation": "tanh", "initialiser": "glorot", "batch_norm": True, "drop_rate": 0.1,
        "optimiser": "nesterov", "learning_rate": 0.05, "schedule": "step-decay", "warmup": 0.1, "batch_size": 10,
        "epochs": 4, "patience": 2, "l2": 1e-3, "l1": 1e-4, "engine": "reference", "precision": "f64", "seed": 9,
        "dev_share": 0.2, "test_share": 0.1, "folds": 0, "kind": "classes", "loss": "one-vs-all", "target": "species",
        "model": "mlp", "members": 1, "waves": 0, "bins": 0, "ensemble": 2, "clip_norm": 5.0, "clip_value": None,
        "accumulate": 2, "average": "ema", "devices": 1, "threads": None, "group": "sepal_width", "split_column": None,
        "time": None, "test": None, "augment": None, "preprocess": None, "skip_corrupt": False, "dropout": None,
        "polynomial": 2, "tolerance": None, "leave_out": None, "weight": None, "class_weight": None,
        "metric": "balanced-accuracy", "ordered": None, "ignore": None, "rate": "*=0.01", "layer_decay": 0.5,
        "from_": None, "map": None, "freeze": None, "thaw_after": None, "side": None, "grow": None, "views": None,
        "own": {"momentum": 0.8, "drop_every": 2.0, "average_decay": 0.9},
    }  # fmt: skip
    assert saved == expected


def test_weights_that_l1_makes_0_are_counted(preceptor, here):
    words = ("fit", "iris", "--hidden", "4", "--members", "1", "--waves", "0", "--epochs", "3", "--engine", "reference")
    out = preceptor(*words, "--l1", "output/weight=100", "--out", "run").out
    said = "zeros     12 of the 12 weights under L1 are exactly 0 (100.0%)\n"
    assert said in out
    assert said in preceptor("show", "run").out
    facts = json.loads((here / "run" / "config.json").read_text())["facts"]
    assert (facts["zero_weights"], facts["l1_weights"]) == (12, 12)
    assert "zeros" not in preceptor(*words).out


def test_no_hidden_layer_is_none(preceptor, here):
    out = preceptor("fit", "iris", *QUICK[:2], "--epochs", "2", "--hidden", "none").out
    assert "network   mlp 4 → 3; 15 parameters" in out


def test_a_file_without_a_header(preceptor, here):
    (here / "bare.csv").write_text("".join(f"{i},{i % 7},{i * 1.5}\n" for i in range(60)))
    code, out, _ = preceptor("fit", "bare.csv", "--no-header", "--target", "column3", *QUICK, "--out", "run")
    assert (code, "60 rows, 2 features" in out) == (0, True)
    assert preceptor("predict", "run", "bare.csv", "--no-header").out.count("\n") == 61


def test_a_training_that_flies_off_is_saved_and_told_with_exit_code_1(preceptor, here):
    words = ("--target", "petal_width", "--optimiser", "sgd", "--learning-rate", "1e30", *QUICK)
    code, out, err = preceptor("fit", "iris", *words, "--out", "run", "--json")
    assert code == 1
    assert "The loss or a weight became infinite or not a number; the first weights are kept." in out
    assert "Traceback" not in err
    assert "Warning" not in err
    assert json.loads(out.splitlines()[-1])["run"] == "run"
    assert preceptor("show", "run").code == 0
    assert all(np.isfinite(p).all() for p in pr.load("run").params.values())


def test_fit_without_dev_and_test_parts(preceptor, here):
    code, out, _ = preceptor("fit", "iris", *QUICK, "--dev-share", "0", "--test-share", "0", "--out", "run", "--json")
    assert code == 0
    assert "split     150 to train, 0 dev, 0 test" in out
    assert (json.loads(out.splitlines()[-1])["dev"], json.loads(out.splitlines()[-1])["test"]) == ({}, {})
    assert preceptor("show", "run").code == 0


# predict, evaluate, show ---------------------------------------------------------------------------------------------


def test_predict_to_a_file_and_to_the_terminal(preceptor, here, trained):
    code, out, err = preceptor("predict", trained, "iris", "-o", "out.csv")
    assert (code, out, err) == (0, "150 predictions of species written to out.csv\n", "")
    text = (here / "out.csv").read_text()
    assert preceptor("predict", trained, "iris") == (0, text, "")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == ["prediction", *(f"probability_{name}" for name in pr.load(trained).classes)]
    assert [row["prediction"] for row in rows] == pr.load(trained).predict("iris").tolist()
    assert all(sum(float(row[name]) for name in list(row)[1:]) == pytest.approx(1, abs=1e-6) for row in rows)


def test_levels_that_training_never_saw_are_told_beside_the_predictions(preceptor, here):
    rng = np.random.default_rng(0)
    colours = np.array(["red", "green", "blue"])[rng.integers(0, 3, 200)]
    rows = [f"{colour},{int(colour == 'red')}" for colour in colours]
    (here / "t.csv").write_text("\n".join(["colour,warm", *rows]) + "\n")
    preceptor("fit", "t.csv", "--target", "warm", "--out", "run", "--epochs", "2", "--hidden", "4")
    (here / "new.csv").write_text("colour,warm\nRED,1\nred,1\nRED,\nmauve,0\n")
    said = (
        "Column 'colour' holds what training never saw in 3 of 4 rows, which count as none of its levels: 'RED' (2 "
        "rows; did you mean 'red'?), 'mauve' (1 row)."
    )
    code, out, err = preceptor("predict", "run", "new.csv")
    assert (code, out.count("\n"), err) == (0, 5, f"preceptor: {said}\n")
    code, out, err = preceptor("evaluate", "run", "new.csv")
    assert (code, err) == (0, "")
    assert out.splitlines()[:3] == [
        "data      new.csv: 3 rows with a target",
        "note      Left out: 1 row without a target.",
        f"note      {said}",
    ]
    run = pr.load("run")
    assert run.notes("new.csv") == [said]
    assert run.notes("t.csv") == []
    (here / "wrong.csv").write_text("colour,warm\nred,1\nred,2\n")
    code, out, err = preceptor("evaluate", "run", "wrong.csv")
    assert (code, out) == (2, "")
    assert err == (
        "preceptor: wrong.csv: the target 'warm' is 2 in data row 2; it must be one of 0, 1. Mend the value, or train "
        "on rows that have it.\n"
    )


def test_predict_without_the_target_and_with_columns_in_another_order(preceptor, here, trained):
    columns = read("iris").columns
    names = ["petal_width", "sepal_length", "petal_length", "sepal_width"]
    with open("new.csv", "w", newline="") as file:
        csv.writer(file).writerows([["id", *names], *zip(range(150), *(columns[name] for name in names), strict=True)])
    assert preceptor("predict", trained, "new.csv").out == preceptor("predict", trained, "iris").out


def test_evaluate(preceptor, here, trained):
    code, out, err = preceptor("evaluate", trained, "iris", "--json")
    assert (code, err) == (0, "")
    said = out.splitlines()
    assert said[0] == "data      iris: 150 rows with a target"
    assert said[1].startswith("note      The run learned from ")
    assert said[2].split() == ["figures", "iris,", "150", "rows"]
    assert [line.split("  ")[5] for line in said[3:8]] == ["accuracy", "log loss", "f1", "auc", "calibration error"]
    assert said[8] == "          In brackets: 95 % intervals."
    found = json.loads(out.splitlines()[-1])
    run = pr.load(trained)
    assert found["rows"] == 150
    assert found["accuracy"] == np.mean(run.predict("iris") == read("iris").columns["species"])
    assert found["accuracy_low"] < found["accuracy"] < found["accuracy_high"]


def test_without_a_dev_part_no_epoch_is_called_the_best(preceptor, here):
    for dev_share, words in (("0", "2 epochs in TIME"), ("0.2", "2 epochs in TIME, best after 2")):
        run = f"run{dev_share}"
        out = preceptor("fit", "iris", "--dev-share", dev_share, "--epochs", 2, "--out", run).out
        assert f"done      {words}\n" in masked(out)
        assert f"training  {words}\n" in masked(preceptor("show", run).out)


@pytest.mark.parametrize("command", ["check", "fit", "lr-find"])
def test_a_header_is_spoken_of_only_where_there_can_be_one(preceptor, here, command):
    np.save("array.npy", np.zeros((20, 3)))
    (here / "lines.jsonl").write_text('{"x": 1, "y": 2}\n' * 20)
    for data in ("iris", "array.npy", "lines.jsonl"):
        code, out, err = preceptor(command, data, "--target", "y", "--no-header")
        assert (code, out) == (2, "")
        assert err == (
            f"preceptor: {data}: received --no-header (header=False); it is no delimited text, whose first line holds "
            "names or a row. Leave it out.\n"
        )


def test_an_array_in_a_file_has_its_target_at_a_place(preceptor, here):
    rows = np.random.default_rng(0).normal(size=(80, 3))
    rows[:, 2] = rows[:, 0]
    np.save("array.npy", rows)
    np.save("features.npy", rows[:, :2])
    code, _, err = preceptor("fit", "array.npy")
    assert (code, "the place of a column of the array: pr.fit(array, 0), --target 0." in err) == (2, True)
    for place in ("2", "-1"):
        code, out, _ = preceptor(
            "fit", "array.npy", f"--target={place}", "--hidden", 4, "--epochs", 3, "--out", f"run{place}"
        )
        assert (code, "80 rows, 2 features" in out) == (0, True)
        run = pr.load(f"run{place}")
        np.testing.assert_array_equal(run.predict("array.npy"), run.predict("features.npy"))
        np.testing.assert_array_equal(run.predict("array.npy"), run.predict(rows))
        code, out, _ = preceptor("evaluate", f"run{place}", "array.npy", "--json")
        rmse = np.sqrt(np.mean((run.predict(rows) - rows[:, 2]) ** 2))
        assert json.loads(out.splitlines()[-1])["rmse"] == pytest.approx(rmse, rel=1e-6)
    code, _, err = preceptor("fit", "array.npy", "--target", "3")
    assert (code, "the target is column 3; the array has 3, counted from 0" in err) == (2, True)
    assert pr.fit("array.npy", 2, hidden=(4,), epochs=3).facts["features"] == 2
    codes = np.array([[2**53 + each, each] for each in (0, 1)] * 40)  # as floats the two are one
    np.save("codes.npy", codes)
    assert pr.fit("codes.npy", 0, kind="classes", hidden=(4,), epochs=1).classes == (2**53, 2**53 + 1)


def test_show(preceptor, here):
    """Compared whole, in float64 so that the figures are the same on every machine."""
    pr.fit("iris", engine="reference", precision="f64", hidden=(8, 4), epochs=20, learning_rate=0.02,
           batch_norm=True, drop_rate=0.1).save("run")  # fmt: skip
    code, out, err = preceptor("show", "run")
    assert (code, err) == (0, "")
    assert masked(out) == (GOLDEN / "show_iris.txt").read_text()
    again = preceptor("show", "run", "--json").out.splitlines()
    assert again[:-1] == out.splitlines()
    assert set(json.loads(again[-1])) == KEYS


def test_show_says_what_a_number_target_is(preceptor, here):
    pr.fit("iris", "petal_width", engine="reference", model="linear", epochs=2).save("run")
    out = preceptor("show", "run").out
    assert "Target petal_width: a number (numbers with fractions); mean" in out
    assert re.search(r"^ +output +Dense ", out, re.MULTILINE)
    assert re.search(r"rmse +0\.\d+ \(0\.\d+ to 0\.\d+\)", out)


# processes -----------------------------------------------------------------------------------------------------------


def command(*words):
    return [sys.executable, "-m", "preceptor.cli", *words]


def test_ctrl_c_saves_the_best_weights_and_exits_130(here, environment):
    words = ("fit", "digits", "--epochs", "1000000", "--patience", "1000000", "--engine", "reference", "--out", "run")
    with subprocess.Popen(command(*words), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        seen = b""
        deadline = time.monotonic() + 60
        while b"training  " not in seen and time.monotonic() < deadline:
            if select.select([process.stdout], [], [], 1)[0]:
                seen += os.read(process.stdout.fileno(), 1 << 16)
        time.sleep(0.7)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        out, err = process.communicate(timeout=30)
        took = time.monotonic() - began
    assert process.returncode == 130
    assert took < 10
    assert re.search(rb"Interrupted; the (weights with the lowest dev loss so far|latest weights) are kept\.", out)
    assert b"Traceback" not in err
    run = pr.load("run")
    assert run.facts["outcome"].startswith("Interrupted")
    assert run.predict("digits").shape == (1797,)
    assert [each.name for each in here.iterdir()] == ["run"]


def test_a_reader_that_leaves_early_is_no_error(here, environment, trained):
    with subprocess.Popen(
        command("predict", str(trained), "iris"), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.close()
        err = process.stderr.read()
    assert err == b""


def test_a_mistake_in_a_process_of_its_own(here, environment):
    done = subprocess.run(command("fit", "absent.csv"), env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert list(here.iterdir()) == []
