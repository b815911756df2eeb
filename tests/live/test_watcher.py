"""What the page is told: how each run stands, only what is new, and nothing that a folder's content could break."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from following import news, told

import preceptor as pr
from preceptor.job.folder import EVIDENCE
from preceptor.job.levels import path_of
from preceptor.job.log import EVENTS, log_of
from preceptor.live import holders as holders_module
from preceptor.live import place as place_module
from preceptor.live.guard import MOST_QUERY_BYTES
from preceptor.live.training import MOST_CHARACTERS
from preceptor.live.watcher import Watcher

SETTINGS = {"epochs": 3, "hidden": (8,), "batch_size": 35, "engine": "reference"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Runs of one folder: one that ended, one without a log, a mended one."""
    folder = tmp_path_factory.mktemp("finished")
    pr.fit("iris", out=folder / "a", **SETTINGS)
    pr.fit("iris", **SETTINGS, seed=3).save(folder / "b")
    pr.fit("digits", out=folder / "c", mend=True, learning_rate=1.0, optimiser="sgd", epochs=6, hidden=(16,))
    return folder


def test_a_finished_run_is_told_as_its_files_have_it(finished):
    runs, a, b = told(Watcher(finished)), pr.load(finished / "a"), pr.load(finished / "b")
    for name, run in (("a", a), ("b", b)):
        found = runs[name]
        assert (found["state"], found["data"], found["outcome"]) == ("finished", "iris", "FINISHED")
        assert found["ending"] == run.facts["outcome"]
        assert found["count"] == len(run.history)
        last = dict(zip(["step", "epoch", *found["columns"]], found["last"], strict=True))
        expected = {k: v for k, v in run.history[-1].items() if k != "seconds"}
        assert last == pytest.approx(expected, rel=1e-4)
        assert found["settings"]["seed"] == run.facts["settings"]["seed"]
        part, figures = found["figures"]["part"], found["figures"]["values"]
        assert part == ("test" if run.test else "out of fold")
        assert figures["accuracy"] == pytest.approx((run.test or run.dev)["accuracy"].value, rel=1e-4)


def test_what_only_a_report_shows_is_not_read(finished, tmp_path):
    shutil.copytree(finished / "a", tmp_path / "a")
    (tmp_path / "a" / EVIDENCE).write_bytes(b"spoiled")
    expected = told(Watcher(finished))["a"]
    found = told(Watcher(tmp_path))["a"]
    assert found["state"] == "finished"
    assert found["figures"] == expected["figures"]


def test_trainings_of_a_mending_are_told_apart(finished):
    facts = pr.load(finished / "c").facts["mended"]
    found = {name: each for name, each in told(Watcher(finished)).items() if name.startswith("c")}
    assert list(found) == ["c", *(f"c · training {n}" for n in range(2, len(facts["attempts"]) + 1))]
    kept = [each["kept"] for each in found.values()]
    assert kept == [n == facts["kept"] for n in range(1, len(kept) + 1)]
    assert [each["outcome"] for each in found.values()] == [each["outcome"] for each in facts["attempts"]]


def test_a_run_of_its_own_and_a_folder_of_folders(finished, tmp_path):
    assert list(told(Watcher(finished / "a"))) == ["a"]
    shutil.copytree(finished / "a", tmp_path / "project" / "runs" / "a")
    assert list(told(Watcher(tmp_path / "project"))) == ["runs/a"]
    assert told(Watcher(tmp_path / "nothing")) == {}


def test_only_what_is_new_is_told(tmp_path, made):
    watcher = Watcher(tmp_path)
    assert told(watcher) == {}
    one = made(tmp_path / "one")
    head = news(watcher)["heads"][0]
    assert (head["name"], head["state"], head["step"]) == ("one", "starting", 0)
    one.grow(20)
    head = news(watcher)["heads"][0]
    assert (head["state"], head["step"], head["steps"]) == ("running", 20, 1000)
    one.grow(10)
    assert news(watcher) == {"steps": [[head["id"], 30, pytest.approx(1 / 30, 1e-4), pytest.approx(1 / 21, 1e-4)]]}
    assert news(watcher) == {}
    one.grow(20)
    assert news(watcher)["heads"][0]["columns"] == ["objective", "train_loss", "dev_loss", "dev_accuracy"]
    one.grow(100)
    found = news(watcher)
    assert found["epochs"] == [[head["id"], 3, 150, 3, pytest.approx(1 / 150, 1e-4), pytest.approx(1 / 150, 1e-4),
                                pytest.approx(2 / 150, 1e-4), 0.5]]  # fmt: skip
    assert set(found) == {"steps", "epochs"}
    one.find("Half of the units are dead.", proof={"text": "Tried."}, remedies=[{"text": "less"}])
    ((run, found),) = news(watcher)["findings"]
    assert run == head["id"]
    assert found["text"] == "Half of the units are dead."
    assert (found["level"], found["proof"], found["remedy"], found["step"]) == ("warn", "Tried.", "less", 150)
    one.end()
    head = news(watcher)["heads"][0]
    assert (head["state"], head["outcome"]) == ("finished", "FINISHED")
    shutil.rmtree(tmp_path / "one")
    assert news(watcher) == {"gone": [head["id"]]}


def test_a_client_that_was_away_gets_what_it_missed_or_all(tmp_path, made):
    watcher, one = Watcher(tmp_path), made(tmp_path / "one")
    one.grow(60)
    start, _ = watcher.everything()
    for _ in range(3):
        one.grow(5)
        watcher.tick()
    assert [each.number for each in watcher.behind(start)] == [start + 1, start + 2, start + 3]
    assert watcher.behind(start + 3) == []
    assert watcher.behind(start + 4) is None  # of another server
    assert watcher.behind(-1) is None
    for _ in range(120):
        one.grow(1)
        watcher.tick()
    assert watcher.behind(start) is None


def test_a_training_that_was_cut_back_is_told_anew(tmp_path, made):
    watcher, one = Watcher(tmp_path), made(tmp_path / "one")
    one.grow(230)
    assert told(watcher)["one"]["count"] == 4
    log = type(one.log)(log_of(one.folder), 100, {})
    log.steps(np.ones(30, np.float32))
    log.commit()
    head = news(watcher)["heads"][0]
    assert (head["step"], head["count"], head["last"][0]) == (130, 2, 100)


def test_curves_are_what_was_logged(tmp_path, made):
    watcher, one = Watcher(tmp_path), made(tmp_path / "one")
    one.grow(500)
    run = told(watcher)["one"]["id"]
    found = json.loads(watcher.curve(run, "objective", 0, 10**14))
    assert found["x"] == list(range(1, 501))
    assert found["low"] == found["high"] == pytest.approx([1 / step for step in range(1, 501)], rel=1e-4)
    assert json.loads(watcher.curve(run, "dev_loss", 100, 300)) == {
        "x": [100, 150, 200, 250, 300],
        "low": pytest.approx([2 / x for x in (100, 150, 200, 250, 300)], rel=1e-4),
        "high": pytest.approx([2 / x for x in (100, 150, 200, 250, 300)], rel=1e-4),
    }
    for name in ("seconds", "nothing", "../config.json", "__class__"):
        assert json.loads(watcher.curve(run, name, 0, 10**14)) == {"x": [], "low": [], "high": []}
    assert watcher.curve(10**9, "objective", 0, 1) is None


def test_a_long_history_has_a_curve_of_bounded_length(tmp_path, made):
    watcher, one = Watcher(tmp_path), made(tmp_path / "one", steps=10**5, epoch=1)
    for step in range(1, 5001):
        one.log.add("epoch", {"step": step, "epoch": step, "objective": float(step % 7)})
    one.log.commit()
    head = told(watcher)["one"]
    assert head["count"] == 5000
    assert len(head["spark"]) <= 60
    found = json.loads(watcher.curve(head["id"], "objective", 0, 10**6))
    assert found["x"] == list(range(5, 5001, 5))
    rows = (np.arange(1, 5001) % 7).reshape(-1, 5)
    assert found["low"] == rows.min(1).tolist()
    assert found["high"] == rows.max(1).tolist()


def child(out: Path) -> subprocess.Popen:
    words = ["fit", "digits", "--out", str(out), "--epochs", "2000", "--patience", "2000", "--hidden", "8"]
    words += ["--engine", "reference"]
    return subprocess.Popen([sys.executable, "-m", "preceptor.cli", *words], stdout=subprocess.DEVNULL, stderr=-3)


def until(watcher: Watcher, name: str, state: str) -> dict:
    end = time.monotonic() + 60
    while (found := told(watcher).get(name)) is None or found["state"] != state:
        assert time.monotonic() < end, found and found["state"]
        time.sleep(0.1)
    return found


@pytest.mark.parametrize(("number", "state"), [(signal.SIGKILL, "broken off"), (signal.SIGTERM, "interrupted")])
def test_a_training_of_another_process_is_running_until_it_is_ended(tmp_path, number, state):
    watcher, process = Watcher(tmp_path), child(tmp_path / "run")
    try:
        before = until(watcher, "run", "running")
        content = {each: each.stat().st_mtime_ns for each in tmp_path.rglob("lock")}
        assert told(watcher)["run"]["state"] == "running"
        assert {each: each.stat().st_mtime_ns for each in tmp_path.rglob("lock")} == content  # not taken
        process.send_signal(number)
        process.wait(30)
        assert until(watcher, "run", state)["step"] >= before["step"]
    finally:
        process.kill()
        process.wait()


def test_a_training_on_another_machine_is_told_by_its_growth(tmp_path, made, monkeypatch):
    """No list of locks has it: a folder that is mounted, or of another container."""
    monkeypatch.setattr(holders_module.Holders, "_refresh", lambda self: None)
    one = made(tmp_path / "one")
    one.grow(10)
    watcher = Watcher(tmp_path)
    assert told(watcher)["one"]["state"] == "broken off"  # as a local folder it would be listed
    one.grow(10)
    assert told(watcher)["one"]["state"] == "running"
    monkeypatch.setattr(place_module, "PATIENCE_SECONDS", -1.0)
    one.grow(10)
    told(watcher)
    watcher._places["one"]._until = -1.0  # its time is over, and it stands still
    assert told(watcher)["one"]["state"] == "broken off"
    monkeypatch.undo()
    monkeypatch.setattr(holders_module.Holders, "_refresh", lambda self: None)
    monkeypatch.setattr(holders_module, "_is_mounted", lambda device: True)
    assert told(Watcher(tmp_path))["one"]["state"] == "running"
    old = time.time() - 1000
    for each in tmp_path.rglob("*"):
        os.utime(each, (old, old))
    assert told(Watcher(tmp_path))["one"]["state"] == "broken off"


def test_nothing_is_written_and_no_link_is_followed(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "runs", symlinks=True)
    secret = tmp_path / "secret"
    shutil.copytree(finished / "a", secret)
    (tmp_path / "runs" / "link").symlink_to(secret)
    shutil.copytree(finished / "a", tmp_path / "runs" / "inner")
    shutil.rmtree(tmp_path / "runs" / "inner" / "log")
    (tmp_path / "runs" / "inner" / "log").symlink_to(secret / "log")
    shutil.copytree(finished / "a", tmp_path / "runs" / "files")
    for path in (Path("config.json"), Path("log/1") / EVENTS, path_of(Path("log/1"), 0)):
        (tmp_path / "runs" / "files" / path).unlink()
        (tmp_path / "runs" / "files" / path).symlink_to(secret / path)
    before = {each: each.lstat().st_mtime_ns for each in tmp_path.rglob("*")}
    watcher = Watcher(tmp_path / "runs")
    found = told(watcher)
    assert {each: each.lstat().st_mtime_ns for each in tmp_path.rglob("*")} == before
    assert "link" not in found
    assert found["inner"]["count"] == 3  # of its own history
    assert json.loads(watcher.curve(found["inner"]["id"], "objective", 0, 10**6))["x"][-1] == found["a"]["step"]
    assert len(json.loads(watcher.curve(found["inner"]["id"], "objective", 0, 10**6))["x"]) == 3
    assert "files" not in found
    assert json.loads(watcher.everything()[1])["notes"] == ["Links are not followed."]


def test_figures_named_by_the_data_are_text_too(tmp_path, made):
    one = made(tmp_path / "one")
    one.grow(50, **{"dev_\u202eprice\x1b": 0.25, "dev_" + "\U0001f600" * 5000: 0.5})
    watcher = Watcher(tmp_path)
    found = told(watcher)["one"]
    *_, short, long = found["columns"]
    assert short == "dev_\\u202eprice\\x1b"
    assert len(long) <= MOST_CHARACTERS
    assert len(quote(long)) < MOST_QUERY_BYTES - 100
    for name, value in ((short, 0.25), (long, 0.5)):
        assert json.loads(watcher.curve(found["id"], name, 0, 100)) == {"x": [50], "low": [value], "high": [value]}


NASTY = "<img src=x onerror=alert(1)>\x1b[31m\u202e"


def fuzzed(folder: Path, source: Path, number: int) -> None:
    """A run's folder with one of many faults."""
    rng = random.Random(number)
    shutil.copytree(source, folder)
    files = sorted(each for each in folder.rglob("*") if each.is_file())
    for _ in range(rng.randint(1, 3)):
        victim = rng.choice(files)
        fault = rng.randrange(9)
        if not victim.is_file() or victim.stat().st_size > 1 << 24:
            continue
        content = bytearray(victim.read_bytes())
        if fault == 0:
            victim.write_bytes(content[: rng.randrange(len(content) + 1)])
        elif fault == 1:
            victim.write_bytes(rng.randbytes(rng.randrange(5000)))
        elif fault == 2 and content:
            for _ in range(20):
                content[rng.randrange(len(content))] = rng.randrange(256)
            victim.write_bytes(content)
        elif fault == 3:
            victim.unlink()
            victim.mkdir()
        elif fault == 4:
            victim.unlink()
            os.mkfifo(victim)
        elif fault == 5:
            victim.write_bytes(b"[" * 100_000 + b"\n" + bytes(content))
        elif fault == 6:
            with open(victim, "r+b") as file:
                file.truncate(1 << 28)  # sparse
        elif fault == 7:
            values = [
                None,
                True,
                -1,
                1e308,
                10**18,
                NASTY,
                [NASTY],
                {"a": NASTY},
                "\ud800".encode("utf-8", "replace").decode(),
            ]
            names = "step epoch data settings steps columns rule level text proof remedies outcome dev_loss targets"
            facts = {name: rng.choice(values) for name in (*names.split(), NASTY)}
            event = {"kind": rng.choice(["begun", "epoch", "finding", "ended"]), "step": rng.choice([0, -5, 10**17])}
            line = json.dumps(event | {"time": rng.choice([0, -1e9, 1e300]), "facts": facts}).encode() + b"\n"
            log = folder / "log" / "1" / EVENTS
            if log.is_file():
                log.write_bytes(log.read_bytes() + line * 3)
        else:
            (folder / "plan.json").write_bytes(bytes(content))
    if rng.random() < 0.3:
        (folder / "lock").write_text(rng.choice(["", "1", "999999999999999999999", NASTY]))


def test_two_hundred_fuzzed_folders(finished, tmp_path):
    """Nothing is raised, and what is told is JSON of bounded size."""
    names = ["a", "b", "c"]
    for number in range(200):
        fuzzed(tmp_path / f"{number}{NASTY.replace('/', '')}", finished / names[number % 3], number)
    (tmp_path / os.fsdecode(b"no \xff text")).mkdir()
    watcher = Watcher(tmp_path)
    for _ in range(3):
        runs = told(watcher)
        watcher.tick()
    assert len(runs) > 150
    for each in runs.values():
        assert each["state"] in (
            "finished",
            "broken off",
            "interrupted",
            "unreadable",
            "diverged",
            "judging",
            "starting",
        )
        assert len(json.dumps(each)) < 200_000
        assert "\x1b" not in json.dumps(each, ensure_ascii=False)
        for name in ("objective", *each["columns"]):
            watcher.curve(each["id"], name, 0, 10**14)
