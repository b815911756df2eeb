"""MLflow, asked by its own client; each run goes to a file of SQLite in a folder of the test."""

import hashlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from writings import SETTINGS, begun, logged

from preceptor import fit, load, writers
from preceptor.errors import ConfigError
from preceptor.job import make_settings, prepare, resume
from preceptor.writers import tracking
from preceptor.writers.writing import Writing

pytest.importorskip("mlflow", reason="needs MLflow's client: pip install 'preceptor[mlflow]'")
fit_module = sys.modules["preceptor.job.fit"]  # the function of the same name hides the module

ASK = """
import json, sys, mlflow
client = mlflow.MlflowClient()
(experiment,) = [each for each in client.search_experiments() if each.name == "tests"]
found = []
for run in client.search_runs([experiment.experiment_id], order_by=["start_time"]):
    own = run.info
    lines = {k: [(m.step, m.value) for m in client.get_metric_history(own.run_id, k)] for k in run.data.metrics}
    files = sorted(each.path for each in client.list_artifacts(own.run_id))
    found.append({"id": own.run_id, "name": own.run_name, "status": own.status, "lines": lines, "files": files,
        "params": run.data.params, "tags": run.data.tags})
print(json.dumps(found))
"""
MAKE = "import mlflow; mlflow.MlflowClient().search_experiments()"


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory):
    """A file of SQLite with MLflow's tables, which take seconds to make."""
    folder = tmp_path_factory.mktemp("store")
    mlflow_says(MAKE, f"sqlite:///{folder}/mlflow.db")
    return (folder / "mlflow.db").read_bytes()


@pytest.fixture
def store(empty_store, tmp_path, monkeypatch):
    """Where MLflow's own settings say that runs are tracked; an empty folder to work in beside it."""
    (tmp_path / "mlflow.db").write_bytes(empty_store)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "tests")
    monkeypatch.chdir(tmp_path)
    return uri


def mlflow_says(code: str, uri: str, *words) -> str:
    """What MLflow answers, in a process of its own."""
    environment = os.environ | {"MLFLOW_TRACKING_URI": uri, "MLFLOW_DISABLE_TELEMETRY": "true"}
    command = [sys.executable, "-W", "ignore", "-c", code, *map(str, words)]
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True).stdout


def ask(uri: str):
    """The runs as MLflow's client sees them."""
    return json.loads(mlflow_says(ASK, uri).splitlines()[-1])


def tables(uri: str):
    """The runs as they stand in MLflow's tables, at once: name, status, lines, files, words."""
    place = uri.removeprefix("sqlite:///")
    with closing(sqlite3.connect(f"file:{place}?mode=ro", uri=True)) as store:
        found = []
        asked = store.execute("SELECT run_uuid, name, status, artifact_uri FROM runs ORDER BY start_time").fetchall()
        for run, name, status, files in asked:
            own = {"id": run, "name": name, "status": status, "lines": {}}
            of_run = "WHERE run_uuid = ? ORDER BY step, timestamp"
            for key, step, value in store.execute(f"SELECT key, step, value FROM metrics {of_run}", (run,)):
                own["lines"].setdefault(key, []).append([step, value])
            own["files"] = sorted(each.name for each in Path(files.removeprefix("file://")).glob("*"))
            own["tags"] = dict(store.execute("SELECT key, value FROM tags WHERE run_uuid = ?", (run,)).fetchall())
            found.append(own)
        return found


PREDICT = """
import sys, json, mlflow.pyfunc, pandas
frame = pandas.read_csv(sys.argv[2])
found = mlflow.pyfunc.load_model(sys.argv[1]).predict(frame)
signature = mlflow.models.get_model_info(sys.argv[1]).signature
print(json.dumps([found.tolist() if hasattr(found, "tolist") else found.to_dict("list"),
    signature.inputs.input_names(), [str(each.type) for each in signature.outputs]]))
"""


@pytest.mark.slow
def test_a_run_is_tracked_and_its_model_predicts_what_the_run_does(store, tmp_path):
    rng = np.random.default_rng(0)
    rows = [
        f"{i % 9},{x:.3f},{'red' if i % 3 else 'blue'},20{10 + i % 9}-0{1 + i % 9}-11,{i % 2},{3 * x + i % 3:.3f}"
        for i, x in enumerate(rng.normal(size=120))
    ]
    table = tmp_path / "t.csv"
    table.write_text("\n".join(["whole,real,word,day,flag,y", *rows]) + "\n")
    fitting = prepare(str(table), make_settings({"epochs": 3, "hidden": (8,), "engine": "reference", "target": "y"}))
    fitting.open_folder(tmp_path / "runs" / "t-1")
    with Writing(["mlflow"]) as writing:
        run = logged(fitting, writing)
        said = writing.told()
    assert len(said) == 2, said
    (found,) = ask(store)
    model = said[0].rpartition(" ")[2]
    assert said[0] == f"mlflow: run {found['id']} at {store}; model {model}"
    assert f"mlflow ui --backend-store-uri {store}" in said[1]
    assert (found["name"], found["status"]) == ("t-1", "FINISHED")
    assert found["lines"]["loss/dev"] == [[each["step"], each["dev_loss"]] for each in run.history]
    assert [step for step, _ in found["lines"]["loss/objective"]] == list(range(1, run.history[-1]["step"] + 1))
    assert found["lines"]["final/test_rmse"] == [[run.history[-1]["step"], run.test["rmse"].value]]
    assert (found["params"]["hidden"], found["params"]["target"]) == ("8", "y")
    assert found["tags"]["outcome"] == run.facts["outcome"]
    for each in run.findings:
        assert found["tags"][f"findings/{each['rule']}"].startswith(each["text"])
    assert found["files"] == ["config.json", "evidence.json", "history.jsonl", "report.html"]
    for files in (tmp_path / "mlruns", tmp_path / "mlartifacts"):
        names = [each.name for each in files.rglob("*") if each.is_file()]
        assert not [name for name in names if name.endswith((".pkl", ".pickle", ".joblib", ".npy", ".pt"))]
        assert not names or {"model.safetensors", "config.json", "MLmodel"} <= set(names)
    (written,) = tmp_path.glob("mlruns/**/MLmodel")
    assert "cloudpickle" not in "".join(each.read_text() for each in written.parent.iterdir() if each.is_file())
    predicted, columns, gives = json.loads(mlflow_says(PREDICT, store, model, table).splitlines()[-1])
    assert predicted == run.predict(table).tolist()
    assert (columns, gives) == (["whole", "real", "word", "day", "flag"], ["DataType.double"])


def test_a_training_that_diverges_is_told_whole(store, tmp_path):
    """Its last points are no numbers, for which JSON has no word."""
    sick = {"hidden": (8,), "optimiser": "sgd", "learning_rate": 1e30, "engine": "reference"}
    fitting = prepare("iris", make_settings(sick))
    fitting.open_folder(tmp_path / "runs" / "iris-1")
    with Writing(["mlflow"]) as writing:
        run = logged(fitting, writing)
    (found,) = ask(store)
    assert (found["status"], found["tags"]["outcome"]) == ("FAILED", run.facts["outcome"])
    assert not np.isfinite(found["lines"]["loss/objective"][-1][1])
    assert found["lines"]["final/test_accuracy"][0][1] == run.test["accuracy"].value
    assert "config.json" in found["files"]


@pytest.mark.slow
def test_the_same_bits_and_the_same_plan_with_it_and_without(store, tmp_path):
    plain, written = begun(tmp_path / "a"), begun(tmp_path / "b")
    assert (tmp_path / "a" / "plan.json").read_bytes() == (tmp_path / "b" / "plan.json").read_bytes()
    with Writing([]) as writing:
        logged(plain, writing)
    with Writing(["mlflow"]) as writing:
        logged(written, writing)
    one, other = (hashlib.sha256((tmp_path / n / "model.safetensors").read_bytes()).digest() for n in ("a", "b"))
    assert one == other


@pytest.mark.slow
def test_a_training_that_goes_on_is_the_same_run_and_tells_each_point_once(store, tmp_path, monkeypatch):
    monkeypatch.setattr(fit_module, "CHECKPOINT_SECONDS", 0.0)
    with Writing(["mlflow"]) as writing:
        whole = logged(begun(tmp_path / "whole"), writing)
    fitting = begun(tmp_path / "broken")
    with Writing(["mlflow"]) as writing:
        for number, _ in enumerate(writing.records(fitting)):
            if number == 2:
                monkeypatch.setattr(fit_module, "CHECKPOINT_SECONDS", 1e9)
            if number == 5:
                break
        (writer,) = writing.writers.values()
        writer.finish()  # what was told is there, then the process is gone
    fitting.release()
    assert [each["status"] for each in tables(store)] == ["FINISHED", "KILLED"]
    fitting, _ = resume(tmp_path / "broken")
    assert fitting.start[0] < tables(store)[1]["lines"]["loss/objective"][-1][0]
    with Writing(["mlflow"]) as writing:
        logged(fitting, writing)
    one, other = tables(store)
    assert other["lines"] == one["lines"]
    assert other["status"] == "FINISHED"
    assert other["lines"]["loss/dev"] == [[each["step"], each["dev_loss"]] for each in whole.history]


@pytest.mark.slow
def test_of_a_mending_each_training_is_a_run_and_the_one_that_is_kept_has_the_model(store, tmp_path):
    words = ["digits", "--hidden", "32,32", "--learning-rate", "1", "--schedule", "constant", "--epochs", "6", "--mend"]
    command = [sys.executable, "-m", "preceptor.cli", "fit", *words, "--out", "run", "--json"]
    both = ["--log", "mlflow", "--log", "tensorboard"]
    done = subprocess.run([*command, *both], capture_output=True, text=True, check=True)
    mended = json.loads(done.stdout.splitlines()[-1])["mended"]
    count = len(mended["attempts"])
    assert count > 1
    found = tables(store)
    assert [each["name"] for each in found] == [f"run training {number}" for number in range(1, count + 1)]
    assert [bool(each["files"]) for each in found] == [number == mended["kept"] for number in range(1, count + 1)]
    assert f"run {found[mended['kept'] - 1]['id']} at" in done.stdout
    names = sorted(each.name for each in (tmp_path / "run" / "tensorboard").iterdir())
    assert names == [f"training-{number}" for number in range(1, count + 1)]


@pytest.mark.slow
def test_ctrl_c_keeps_the_run_to_go_on_with(store, tmp_path):
    words = ["iris", "--epochs", "100000", "--patience", "100000", "--hidden", "8", "--engine", "reference"]
    command = [sys.executable, "-m", "preceptor.cli", "fit", *words, "--log", "mlflow", "--out", "run"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    while process.poll() is None and not (tmp_path / "run" / "mlflow.json").exists():
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate()
    assert process.returncode == 130
    assert "preceptor fit --resume run" in out
    assert "mlflow: run" in out
    (found,) = tables(store)
    assert found["status"] == "KILLED"
    assert found["files"] == []
    assert found["tags"]["outcome"].startswith("Interrupted")


class Deaf:
    """A server that takes what comes and never answers."""

    def __enter__(self):
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=50)
        return f"http://127.0.0.1:{self.socket.getsockname()[1]}"

    def __exit__(self, *error):
        self.socket.close()


def test_a_server_that_does_not_answer_ends_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with Deaf() as uri:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        with Writing(["mlflow"]) as writing:
            run = logged(begun(tmp_path / "run"), writing)
            trouble, lost = writing.told()
    what = f"{uri}: no answer in time"
    assert trouble == f"mlflow: not reached ({what}); it is tried again, and the training goes on."
    assert lost.startswith("mlflow: not sent: ")
    for each in ("points", "settings", "final figures", "model and files"):
        assert each in lost
    assert lost.endswith(f"Later, in Python: preceptor.writers.mlflow(preceptor.load({str(run.path)!r}))")
    assert load(run.path).history == run.history


def test_waiting_for_one_that_never_ends_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(tracking, "LONGEST_SECONDS", 0.5)
    with Deaf() as uri:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        with Writing(["mlflow"]) as writing:
            logged(begun(tmp_path / "run"), writing)
            (lost,) = writing.told()
            (writer,) = writing.writers.values()
            assert writer.process.poll() is not None
    assert lost.startswith("mlflow: no answer for ")


def test_a_server_that_is_gone_is_told_once_and_names_no_password(tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:secret@127.0.0.1:{port}")
    monkeypatch.chdir(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "preceptor.cli", "fit", "iris", "--epochs", "2", "--log", "mlflow", "--out", "run"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert done.stdout.count("not reached") == 1
    assert f"not reached (http://127.0.0.1:{port}: no connection)" in done.stdout
    assert "secret" not in done.stdout + done.stderr
    assert load(tmp_path / "run").history


def test_a_place_that_mlflow_refuses_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"nowhere://{tmp_path}")
    with Writing(["mlflow"]) as writing:
        logged(begun(tmp_path / "run"), writing)
        said = writing.told()
    assert said[0].startswith("mlflow: ")
    assert "nowhere" in said[0]


def test_a_missing_library_is_said_before_anything_is_read(monkeypatch):
    monkeypatch.setattr(tracking, "find_spec", lambda name: None)
    with pytest.raises(
        ConfigError, match=r"mlflow and pandas are not installed; MLflow's client .*'preceptor\[mlflow\]'"
    ) as told:
        Writing(["mlflow"])
    assert "\n" not in str(told.value)


@pytest.mark.slow
def test_a_run_that_is_done_is_sent_whole(store, tmp_path):
    run = fit("iris", **SETTINGS)
    with pytest.raises(ConfigError, match="not saved"):
        writers.mlflow(run)
    model = writers.mlflow(run.save(tmp_path / "run"))
    table = tmp_path / "t.csv"
    names = [column.name for column in run.preprocessor.columns]
    table.write_text(",".join(names) + "\n5,3,1,0\n6,3,5,2\n")  # whole numbers where training saw others
    predicted, columns, gives = json.loads(mlflow_says(PREDICT, store, model, table).splitlines()[-1])
    assert predicted == run.predict(table).tolist()
    assert (columns, gives) == (names, ["DataType.string"])
    (found,) = tables(store)
    assert found["lines"]["loss/dev"] == [[each["step"], each["dev_loss"]] for each in run.history]
    assert writers.mlflow(run) != model  # sent once more it has a model more, and no point
    (again,) = tables(store)
    assert again["lines"] == found["lines"]


@pytest.mark.slow
def test_of_several_targets_the_model_gives_a_frame(store, tmp_path):
    rng = np.random.default_rng(1)
    rows = [f"{x:.3f},{'red' if x > 0 else 'blue'},{3 * x:.3f}" for x in rng.normal(size=90)]
    table = tmp_path / "t.csv"
    table.write_text("\n".join(["x,word,y", *rows]) + "\n")
    run = fit(str(table), ("y", "word"), out=tmp_path / "run", epochs=2, hidden=(4,), engine="reference")
    predicted, columns, gives = json.loads(mlflow_says(PREDICT, store, writers.mlflow(run), table).splitlines()[-1])
    assert predicted == {name: each.tolist() for name, each in run.predict(table).items()}
    assert (columns, gives) == (["x"], ["DataType.double", "DataType.string"])


def test_one_that_cannot_be_sent_is_an_error(tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    with pytest.raises(ConfigError, match="MLFLOW_TRACKING_URI") as told:
        writers.mlflow(fit("iris", out=tmp_path / "run", **SETTINGS))
    assert "\n" not in str(told.value)
