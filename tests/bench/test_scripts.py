"""Every script of bench/ runs: each does the least that it can do."""

import importlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from preceptor.engines import choose_engine
from preceptor.train import Arrays

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture
def script(monkeypatch):
    """Imports a script by name."""
    monkeypatch.syspath_prepend(str(BENCH))
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")  # one of them sets it; it is put back
    return importlib.import_module


def test_every_script_is_tried_here_or_beside():
    found = {each.stem for each in BENCH.glob("*.py")}
    steps = {"project", "worker", "workloads", "variants", "run"}
    tables = {"made_tables", "table_data", "table_figures", "table_worker", "tables"}
    doctor = {"doctor", "doctor_figures", "zoo_cases", "zoo_data", "zoo_faults", "zoo_mutations", "zoo_reference"}
    search = {"learning_curves", "overtuning", "samplers", "search"}
    against = {"doctor_against", "doctor_against_tools", "doctor_against_torch", "doctor_against_traincheck"}
    alone = {"attack", "coverage", "learn", "live", "pictures", "pretext", "record", "report", "transfer"}
    assert found == alone | steps | tables | doctor | against | search


def test_transfer_draws_as_many_of_each_class(script, shared, tmp_path):
    module, source = script("transfer"), shared("sign-digits")
    module.drawn("sign-digits-10", 0, tmp_path)
    counts = [len(list((tmp_path / "train" / str(number)).iterdir())) for number in range(10)]
    assert counts == [10] * 10
    assert len(list((tmp_path / "test").rglob("*.png"))) == sum(1 for _ in source.rglob("*.JPG")) - 100
    assert set(module.WAYS) == {"scratch", "default", "head", "all"}


def test_pretext_draws_labels_that_no_test_picture_has(script, shared):
    module = script("pretext")
    shared("fashion-mnist")
    pictures = module.pictures_of("fashion-mnist")
    parts = module.drawn(pictures, 100, 0, 200)
    assert (len(parts.train) + len(parts.dev), len(parts.test)) == (100, 200)
    assert not set(parts.test) & (set(parts.train) | set(parts.dev))
    labels = pictures.labels[np.concatenate((parts.train, parts.dev))]
    assert np.bincount(labels).tolist() == [10] * 10


def test_record(script, tmp_path):
    """Both forms of the recipe on a few pictures of two colours, in the binary form of CIFAR-10."""
    module, rng = script("record"), np.random.default_rng(0)
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        labels = np.arange(20) % 10
        pixels = rng.integers(0, 60, (20, 3, 32, 32)) + 190 * (labels % 2)[:, None, None, None]
        np.concatenate((labels[:, None], pixels.reshape(20, -1)), 1).astype(np.uint8).tofile(tmp_path / f"{name}.bin")
    found = [each(tmp_path, 0) for each in (module.ours, module.theirs)]
    for each in found:
        assert 0 <= each["accuracy"] <= 1
        assert each["seconds"] > 0
    means = module.summary([{"accuracy": 0.5, "seconds": 2.0}, {"accuracy": 0.7, "seconds": 4.0}], 0.6)
    assert (means["accuracy"], means["seconds"], means["lowest"], means["reached"]) == (0.6, 3.0, 0.5, True)
    assert means["error"] == pytest.approx(0.1)
    kept = module.Kept(tmp_path / "seeds.csv", {"cpu": "some, processor", "cores": 2})
    kept.add("project", {"seed": 3, "accuracy": 0.9412, "seconds": 250.5, "training": 240.0})
    kept.add("torch", {"seed": 3, "accuracy": 0.9401, "seconds": 900.0})
    again = module.Kept(tmp_path / "seeds.csv", {"cpu": "some, processor", "cores": 2})
    assert again.find("project", 3) == {"seed": 3, "accuracy": 0.9412, "seconds": 250.5}
    assert again.find("torch", 3)["seconds"] == 900
    assert again.find("project", 4) is None
    other = module.Kept(tmp_path / "seeds.csv", {"cpu": "another", "cores": 2})
    assert other.find("project", 3) is None


def test_made_tables(script):
    for name, made in script("made_tables").MADE.items():
        frame = made()
        assert frame["target"].nunique() > 1, name


def test_learn(script):
    learn = script("learn")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(learn.BATCH, 8, 8, 1)).astype(np.float32), np.arange(learn.BATCH) % learn.CLASSES
    arrays = Arrays(x, y, x[:10], y[:10])
    config = replace(learn.config_of(arrays, 1, 0), engine=choose_engine("native"))
    assert len(list(learn.by_project(arrays, learn.task_of(arrays, 0), config))) == 1


def test_pictures(script):
    pictures = script("pictures")
    assert all(figure > 0 for figure in pictures.augmenting(8, 2, 1).values())
    assert pictures.decoding("PNG", 8, 4, 1) > 0


def test_search(script, tmp_path):
    search, arrays = script("search"), tmp_path / "rows.npz"
    search.prepared(arrays, 0)
    told = search.ours(2, 0.0, 0, arrays)
    assert told["seconds"] > 0
    assert 0 < told["best"] < np.log(10)
    assert told["trials"] == 3
    assert search.ours(0, 0.5, 1, arrays)["trials"] >= 1
    assert set(np.load(arrays)) == {"x", "y", "dev_x", "dev_y"}


def test_run(script):
    workloads, worker = script("workloads"), script("worker")
    assert script("run").environment()
    task = workloads.Task(replace(workloads.WORKLOADS["xor-mlp"], epochs=1), "f32", "native")
    found = worker.measure("project", task)
    assert found["loss_after"] < found["loss_before"]


def test_coverage(script, tmp_path, capsys):
    coverage = script("coverage")
    assert coverage.holds([1.0, 0.9, 1.1, 1.15, 1.05, 1.2]) == (False, False)
    assert coverage.holds([1.0, 0.9, 1.1, 1.12, 1.02, 1.2]) == (False, True)
    asked = ["--only", "friedman1", "--rows", "60", "--fresh", "40", "--splits", "1", "--results", str(tmp_path)]
    (tmp_path / "tables.json").write_text("{}")
    asked += ["--tables", str(tmp_path)]
    assert coverage.main(asked) == 0
    first = capsys.readouterr().out
    assert "rmse" in first
    assert "of 95%" in first
    assert coverage.main(asked) == 0  # kept, not measured again
    assert capsys.readouterr().out == first


def test_learning_curves(script, tmp_path, capsys):
    curves = script("learning_curves")
    (tmp_path / "tables.json").write_text("{}")
    asked = ["--only", "friedman1", "--rows", "300", "--repeats", "2", "--epochs", "3", "--json"]
    asked += ["--tables", str(tmp_path), "--results", str(tmp_path)]
    assert curves.main(asked) == 0
    first = capsys.readouterr().out
    assert first.startswith("friedman1            rmse      127 rows ")
    assert '"tables": 1' in first
    assert curves.main(asked) == 0  # kept, not measured again
    assert capsys.readouterr().out == first


def test_report(script, tmp_path):
    report = script("report")
    with_it, without = (report.fitted("iris", "", tmp_path / how, how) for how in ("with", "without"))
    assert (tmp_path / "with" / "report.html").exists() > (tmp_path / "without" / "report.html").exists()
    assert with_it["bytes"] > without["bytes"] > 0
    assert with_it["laid_out"] < with_it["seconds"]


def test_live(script, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["live.py", "--runs", "2", "--steps", "400", "--ticks", "2", "--points", "5000"])
    script("live").main()
    assert "curve        5,000 points, steps 0 to 5,000: " in capsys.readouterr().out


def test_samplers(script):
    samplers = script("samplers")
    problem = samplers._problem("figure", "iris", "l2", 3, hidden=(4,))
    figures = samplers.summary([samplers.measured(problem, ("grid", "random"), 4, samplers.DATA, 0)])
    assert figures["samplers"]["random"]["beside_random"] == (0.0, 0.0)
    assert 0 < figures["pruners"]["halving"]["epochs"][0] <= 1
