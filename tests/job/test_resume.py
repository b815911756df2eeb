"""A training that is killed, stopped or robbed of its disk ends in the same bits as one that never was."""

import errno
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from preceptor.errors import ConfigError, DataError
from preceptor.job import load, make_settings, prepare, resume
from preceptor.job.folder import KEPT, read_folder
from preceptor.train.checkpoint import Checkpoint, Checkpoints

checkpoint_module = sys.modules["preceptor.train.checkpoint"]
fit_module = sys.modules["preceptor.job.fit"]  # the function of the same name hides the module

SETTINGS = {"epochs": 2, "hidden": (8,), "batch_size": 35, "drop_rate": 0.2, "batch_norm": True, "engine": "reference"}
COMMAND = """
import sys
from preceptor.cli import main
module = __import__("preceptor.job.fit", fromlist=["x"])
module.CHECKPOINT_SECONDS = 0.0
sys.argv = ["preceptor", *sys.argv[1:]]
main()
"""


def digest(run: Path) -> str:
    """Of the arrays as the folder is read: after a kill they may still lie under their first name."""
    arrays = read_folder(run).arrays()
    told = [(name, str(each.dtype), each.shape, each.tobytes()) for name, each in sorted(arrays.items())]
    return hashlib.sha256(repr(told).encode()).hexdigest()


def begun(out: Path, **changes):
    fitting = prepare("iris", make_settings(SETTINGS | changes))
    fitting.open_folder(out)
    return fitting


def finished(fitting):
    for _ in fitting.records():
        pass
    return fitting.finish()


@pytest.fixture
def often(monkeypatch):
    monkeypatch.setattr(fit_module, "CHECKPOINT_SECONDS", 0.0)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"optimiser": "rmsprop", "schedule": "cosine", "dev_share": 0.0},
        {"optimiser": "nesterov", "schedule": "step-decay", "activation": "parametric-relu", "warmup": 0.2},
        {"optimiser": "adamw", "precision": "bf16", "engine": "xla", "batch_size": 50},
        {"engine": "native", "optimiser": "adam", "schedule": "cosine"},
        {"weight": "petal_width", "batch_size": 50},
        {"engine": "native", "hidden": None, "weight": "petal_width", "class_weight": "setosa=3"},
        {"metric": "accuracy", "epochs": 6, "batch_size": 50},
        {"engine": "native", "hidden": None},  # an ensemble, each of whose members leaves a fold out
    ],
)
def test_stopped_after_every_record_and_resumed_each_time(tmp_path, often, changes):
    whole = finished(begun(tmp_path / "whole", **changes))
    fitting, stops = begun(tmp_path / "broken", **changes), 0
    while True:
        for _ in fitting.records():
            break
        if fitting.outcome is not fit_module.Outcome.INTERRUPTED:
            break
        fitting.finish()
        stops += 1
        fitting, notes = resume(tmp_path / "broken")
        assert notes == [f"Going on after step {fitting.start[0]:,}."]
    broken = fitting.finish()
    assert stops >= 2
    assert digest(tmp_path / "broken") == digest(tmp_path / "whole")
    plain = [{k: v for k, v in entry.items() if k != "seconds"} for entry in broken.history]
    assert plain == [{k: v for k, v in entry.items() if k != "seconds"} for entry in whole.history]
    assert broken.evidence.losses == whole.evidence.losses
    assert sorted(each.name for each in (tmp_path / "broken").iterdir()) == sorted(KEPT)


def kills(tmp_path: Path, count: int, epochs: int) -> None:
    """Kills runs at `count` random moments in all, resumes them each time, and compares them with one left alone."""
    words = ["digits", "--epochs", str(epochs), "--hidden", "32", "--engine", "reference", "--patience", str(epochs)]
    python = [sys.executable, "-c", COMMAND, "fit"]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    start = time.monotonic()
    subprocess.run([*python, *words, "--out", str(tmp_path / "whole")], check=True, **options)
    whole_seconds = time.monotonic() - start
    rng, killed, number = random.Random(1), 0, 0
    out = tmp_path / "killed-0"
    while True:
        arguments = ["--resume", str(out)] if (out / "plan.json").exists() else [*words, "--out", str(out)]
        process = subprocess.Popen([*python, *arguments], **options)
        wait = rng.uniform(0.1, 0.7) * whole_seconds if killed < count else None
        try:
            text, _ = process.communicate(timeout=wait)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
            killed += 1
            if not (out / "config.json").exists():
                continue  # else the kill came when the run was already whole
        else:
            assert process.returncode == 0, text
        assert digest(out) == digest(tmp_path / "whole")
        if killed >= count:
            return
        number += 1
        out = tmp_path / f"killed-{number}"


@pytest.mark.slow
def test_killed_fifty_times(tmp_path):
    kills(tmp_path, 50, 100)


CALLS = ("open", "write", "fsync", "rename", "replace", "mkdir", "makedirs")


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EMFILE, errno.EROFS])
def test_every_call_that_fails_leaves_the_old_checkpoint_whole(tmp_path, monkeypatch, error):
    arrays = {"a": np.arange(6.0), "b": np.float32([[1, 2]])}
    for n in range(1, 100):
        kept = Checkpoints(tmp_path / f"{n}")
        kept.save(Checkpoint(1, arrays, {"x": 1}))
        calls = Failing(n, error)
        with monkeypatch.context() as patch:
            for name in CALLS:
                patch.setattr(os, name, calls.instead_of(getattr(os, name)))
            refusal = saved(kept, Checkpoint(2, {name: array + 1 for name, array in arrays.items()}, {"x": 2}))
        found, _ = kept.latest()
        assert found is not None
        assert found.step in ((1, 2) if refusal else (2,))
        np.testing.assert_array_equal(found.arrays["a"], arrays["a"] + (found.step - 1))
        if refusal:
            assert os.strerror(error) in refusal
            assert "the ones before are whole" in refusal
        if calls.made < n:
            break
    assert calls.made < n, "the calls never came to an end"
    assert n > 8


class Failing:
    """Lets the n-th call of all fail."""

    def __init__(self, n: int, error: int) -> None:
        self.n, self.error, self.made = n, error, 0

    def instead_of(self, real):
        def call(*args, **named):
            self.made += 1
            if self.made == self.n:
                raise OSError(self.error, os.strerror(self.error))
            return real(*args, **named)

        return call


def saved(kept: Checkpoints, checkpoint: Checkpoint) -> str:
    """The message where it could not be saved."""
    try:
        kept.save(checkpoint)
    except ConfigError as refusal:
        return str(refusal)
    return ""


def test_any_flipped_byte_is_caught_and_the_one_before_is_used(tmp_path):
    kept = Checkpoints(tmp_path / "c")
    for step in (1, 2):
        kept.save(Checkpoint(step, {"a": np.full(3, float(step))}, {"step": step}))
    for file in (tmp_path / "c" / "step-2").iterdir():
        whole = file.read_bytes()
        for position in range(len(whole)):
            file.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
            found, notes = kept.latest()
            assert found.step == 1
            assert notes == [
                f"The checkpoint of step 2 is damaged ({file.name} is not as it was written); the one before is used."
            ]
        file.write_bytes(whole)


def test_any_flipped_byte_of_the_manifest_is_told_and_costs_nothing(tmp_path):
    kept = Checkpoints(tmp_path / "c")
    for step in (1, 2):
        kept.save(Checkpoint(step, {"a": np.full(3, float(step))}, {"step": step}))
    manifest = tmp_path / "c" / "manifest.jsonl"
    whole = manifest.read_bytes()
    assert kept.latest()[1] == []
    for position in range(len(whole)):
        for bit in (1, 128):
            manifest.write_bytes(whole[:position] + bytes([whole[position] ^ bit]) + whole[position + 1 :])
            found, notes = kept.latest()
            assert found.step == 2
            assert notes
            assert all("manifest.jsonl" in note for note in notes)
    manifest.write_bytes(whole[:-20])  # the last line half written
    found, notes = kept.latest()
    assert found.step == 2
    assert notes[0].startswith("The last line of manifest.jsonl is cut short;")
    kept.save(Checkpoint(3, {"a": np.zeros(3)}, {}))  # it does not grow on to the half line
    assert [each.step for each in map(checkpoint_module._verified, manifest.read_bytes().split(b"\n")) if each] == [
        1,
        3,
    ]
    manifest.unlink()
    found, notes = kept.latest()
    assert found.step == 3
    assert notes[0].startswith("manifest.jsonl is missing;")


def test_a_checkpoint_that_is_gone_is_told(tmp_path):
    kept = Checkpoints(tmp_path / "c")
    for step in (1, 2):
        kept.save(Checkpoint(step, {"a": np.full(3, float(step))}, {"step": step}))
    shutil.rmtree(tmp_path / "c" / "step-2")
    found, notes = kept.latest()
    assert found.step == 1
    assert notes == ["The checkpoint of step 2 is gone; the one before is used."]


def test_a_write_that_takes_less_than_it_was_given_is_gone_on_with(tmp_path, monkeypatch):
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda handle, content: write(handle, memoryview(content)[:7]))
        kept = Checkpoints(tmp_path / "c")
        kept.save(Checkpoint(1, {"a": np.arange(50.0)}, {"x": "y" * 50}))
    found, notes = kept.latest()
    np.testing.assert_array_equal(found.arrays["a"], np.arange(50.0))
    assert notes == []


def test_two_are_kept_and_a_left_over_folder_is_no_obstacle(tmp_path):
    kept = Checkpoints(tmp_path / "c")
    (tmp_path / "c" / "step-3").mkdir(parents=True)
    (tmp_path / "c" / "step-3" / "arrays.safetensors").write_bytes(b"half")
    for step in range(1, 6):
        kept.save(Checkpoint(step, {"a": np.zeros(1)}, {}))
    assert sorted(each.name for each in (tmp_path / "c").iterdir()) == ["manifest.jsonl", "step-4", "step-5"]


def test_a_state_that_is_not_finite_is_never_saved(tmp_path):
    with pytest.raises(DataError, match="all:params:w is infinite or not a number after step 7"):
        Checkpoints(tmp_path / "c").save(Checkpoint(7, {"all:params:w": np.array([1.0, np.nan])}, {}))
    assert not (tmp_path / "c").exists()


def test_other_data_are_refused(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("a,y\n" + "".join(f"{i % 7},{i % 2}\n" for i in range(60)))
    fitting = prepare(table, make_settings(SETTINGS | {"target": "y"}))
    fitting.open_folder(tmp_path / "run")
    table.write_text("a,y\n" + "".join(f"{i % 5},{i % 2}\n" for i in range(60)))
    with pytest.raises(DataError, match="not those that the run was begun with"):
        resume(tmp_path / "run")


def test_a_checkpoint_of_a_network_that_is_built_otherwise_now_is_told(tmp_path):
    fitting = begun(tmp_path / "run")
    next(fitting.records())
    fitting.finish()
    checkpoint, _ = Checkpoints(tmp_path / "run" / "checkpoints").latest()
    with pytest.raises(DataError, match=r"belongs to another network, such as another version builds .* Train anew"):
        prepare("iris", make_settings(SETTINGS | {"hidden": (9,)})).restore(checkpoint)


def test_nothing_to_go_on_with(tmp_path):
    with pytest.raises(DataError, match="this is no run folder"):
        resume(tmp_path)
    finished(begun(tmp_path / "run", epochs=1))
    with pytest.raises(DataError, match="this run is finished"):
        resume(tmp_path / "run")


def test_a_run_without_a_model_says_how_to_go_on(tmp_path):
    begun(tmp_path / "run")
    with pytest.raises(DataError, match="preceptor fit --resume"):
        load(tmp_path / "run")


def test_without_a_checkpoint_training_begins_again(tmp_path):
    whole = finished(begun(tmp_path / "whole"))
    begun(tmp_path / "run")
    fitting, notes = resume(tmp_path / "run")
    assert notes == ["No checkpoint was committed yet: training begins again."]
    finished(fitting)
    assert digest(tmp_path / "run") == digest(whole.path)


def test_the_seconds_before_count(tmp_path, often):
    fitting = begun(tmp_path / "run")
    for _ in fitting.records():
        time.sleep(0.05)
        break
    fitting.finish()
    again, _ = resume(tmp_path / "run")
    assert again.progress.seconds > 0


@pytest.mark.parametrize(
    "make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), lambda path: path.symlink_to(".")]
)
def test_what_is_no_folder_in_the_place_of_a_checkpoint_neither_hangs_nor_stays(tmp_path, make):
    kept = Checkpoints(tmp_path / "c")
    for step in (1, 2):
        kept.save(Checkpoint(step, {"a": np.ones(3)}, {}))
    shutil.rmtree(tmp_path / "c" / "step-2")
    make(tmp_path / "c" / "step-2")
    found, notes = kept.latest()
    assert found.step == 1
    assert any("checkpoint of step 2 is damaged" in note for note in notes)
    for step in (2, 3):
        kept.save(Checkpoint(step, {"a": np.ones(3)}, {}))
    assert sorted(each.name for each in (tmp_path / "c").glob("step-*")) == ["step-2", "step-3"]
    assert kept.latest()[0].step == 3


def test_very_many_folders_are_refused_at_once(tmp_path):
    kept = Checkpoints(tmp_path / "c")
    kept.save(Checkpoint(1, {"a": np.ones(3)}, {}))
    for step in range(2, 1200):
        (tmp_path / "c" / f"step-{step}").mkdir()
    with pytest.raises(DataError, match=r"it holds 1,199 checkpoints; 2 are kept of a run\. Remove"):
        kept.latest()
