"""A run's folder: whole at any moment, one process at a time, read with suspicion."""

import copy
import errno
import os
import pickle
import resource
import shutil
import subprocess
import sys
import threading
import time
from contextlib import suppress

import msgspec
import numpy as np
import pytest

import preceptor as pr
from preceptor.errors import ConfigError, DataError
from preceptor.job import Outcome, folder, load, make_settings, prepare, resume
from preceptor.job.folder import KEPT, REPORT
from preceptor.job.judging import Judged
from preceptor.job.lock import Lock

SETTINGS = {"epochs": 2, "hidden": (8,), "batch_size": 16, "engine": "reference"}
HOLD = """
import sys, time
from pathlib import Path
from preceptor.job.lock import Lock
lock = Lock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture(scope="module")
def iris_folder(tmp_path_factory):
    """The folder of a run of iris."""
    return pr.fit("iris", out=tmp_path_factory.mktemp("folder") / "run", **SETTINGS).path


@pytest.fixture
def run(iris_folder, tmp_path):
    """A copy of it to be spoiled."""
    return shutil.copytree(iris_folder, tmp_path / "run")


def begun(out, **changes):
    fitting = prepare("iris", make_settings(SETTINGS | changes))
    fitting.open_folder(out)
    return fitting


def stopped(out):
    """A run that was interrupted after its first record."""
    fitting = begun(out)
    for _ in fitting.records():
        break
    fitting.finish()
    return fitting


# one process ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def holder(tmp_path):
    """Starts processes that hold the lock of a folder; ends them."""
    found = []

    def hold(path):
        process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True)
        found.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield hold
    for each in found:
        each.kill()
        each.communicate()


def test_a_run_that_is_being_trained_is_not_gone_on_with_until_its_process_ends(tmp_path, holder):
    stopped(tmp_path / "run")
    process = holder(tmp_path / "run")
    with pytest.raises(ConfigError, match=f"process {process.pid} trains this run; one at a time can"):
        resume(tmp_path / "run")
    process.kill()
    process.wait()
    fitting, notes = resume(tmp_path / "run")
    assert notes[-1].startswith("Going on after step")
    fitting.release()
    assert not (tmp_path / "run" / "lock").exists()


def test_an_empty_folder_is_taken_by_one_process(tmp_path, holder):
    (tmp_path / "run").mkdir()
    process = holder(tmp_path / "run")
    with pytest.raises(ConfigError, match=f"process {process.pid} trains this run"):
        begun(tmp_path / "run")


def test_the_lock_moves_along_and_goes_with_its_owner(tmp_path):
    (tmp_path / "a").mkdir()
    lock = Lock(tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "b")
    assert (tmp_path / "b" / "lock").read_text() == f"{os.getpid()}\n"
    del lock
    assert list((tmp_path / "b").iterdir()) == []


FOUR = """
import os, sys
from contextlib import suppress
from pathlib import Path
import duckdb
from preceptor.job import make_settings, prepare
say = lambda line: os.write(1, f"{line}\\n".encode())  # whole, beside those of others
if all(os.fork() for _ in range(4)):  # the parent, which has imported for all four
    with suppress(ChildProcessError):
        while True:
            os.wait()
    sys.exit()
fitting = prepare("iris", make_settings({"epochs": 1, "hidden": (4,), "engine": "reference"}))
say("ready")
sys.stdin.read()
try:
    fitting.open_folder(*map(Path, sys.argv[1:]))
    for _ in fitting.records():
        pass
    say(fitting.finish().path)
except ValueError as error:
    say(f"refused: {error}")
"""


@pytest.mark.parametrize("words", [[], ["here"], ["there/is/none"], ["."]])
def test_four_that_begin_at_once(tmp_path, words):
    """Without a name each gets one of its own; of one name one gets it, and the others a clear line."""
    options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": tmp_path}
    (tmp_path / "here").mkdir()
    if words == ["."]:
        (tmp_path / "here").rmdir()
    four = subprocess.Popen([sys.executable, "-c", FOUR, *words], **options)
    for _ in range(4):
        assert four.stdout.readline() == "ready\n"
    said = sorted(four.communicate()[0].splitlines())
    assert len(said) == 4
    refused = [line for line in said if line.startswith("refused: ")]
    trained = [line for line in said if line not in refused]
    if words:
        assert trained == words
        assert all("trains this run" in line or "exists already" in line for line in refused)
    else:
        assert trained == [f"runs/iris-{number}" for number in (1, 2, 3, 4)]
    for path in trained:
        files = sorted(each.name for each in (tmp_path / path).iterdir())
        assert files == sorted(KEPT)


def test_what_others_call_part_is_left_alone(tmp_path):
    (tmp_path / "run.part").mkdir()
    (tmp_path / "run.part" / "thesis.txt").write_text("mine")
    pr.fit("iris", out=tmp_path / "run", **SETTINGS)
    assert (tmp_path / "run.part" / "thesis.txt").read_text() == "mine"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["run", "run.part"]


def test_a_link_to_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert pr.fit("iris", out=tmp_path / "link", **SETTINGS).path == tmp_path / "link"
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "config.json").is_file()


@pytest.mark.parametrize("name", ["x" * 300, "file/run", "é" * 150])
def test_a_name_that_cannot_be_is_one_clear_line(tmp_path, name):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"Choose another (place|name) with --out"):
        pr.fit("iris", out=tmp_path / name, **SETTINGS)
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_a_long_name_of_the_data_makes_a_name_that_can_be():
    path = next(folder.free_names("é" * 120 + ".csv"))
    assert len(path.name.encode()) < 120


# whole at any moment -------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """Stands for the end of the process."""


CALLS = ("open", "write", "fsync", "rename", "replace", "mkdir", "unlink")


def test_a_kill_at_any_call_while_a_resumed_run_is_finished_leaves_the_old_or_the_new(tmp_path, monkeypatch):
    stopped(tmp_path / "stopped")
    old = load(tmp_path / "stopped").predict_probabilities("iris")
    fitting, _ = resume(tmp_path / "stopped")
    for _ in fitting.records():
        pass
    last = fitting._run(Judged(fitting.config.loss))
    fitting.release()
    new = last.predict_probabilities("iris")
    assert not np.array_equal(old, new)
    seen = set()
    for n in range(1, 200):
        path = shutil.copytree(tmp_path / "stopped", tmp_path / f"{n}")
        made = 0

        def instead_of(real, n=n):
            def call(*args, **named):
                nonlocal made
                made += 1
                if made >= n:
                    raise Killed
                return real(*args, **named)

            return call

        with monkeypatch.context() as patch:
            for name in CALLS:
                patch.setattr(os, name, instead_of(getattr(os, name)))
            with suppress(Killed):
                last.complete(path)
        found = load(path).predict_probabilities("iris")
        seen.add("old" if np.array_equal(found, old) else "new")
        assert np.array_equal(found, old) or np.array_equal(found, new)
        folder.settle(path)
        np.testing.assert_array_equal(load(path).predict_probabilities("iris"), found)
        if made < n:
            break
    assert seen == {"old", "new"}
    assert n > 15


def test_a_kill_between_the_last_two_steps_leaves_a_finished_run(tmp_path, monkeypatch):
    fitting = begun(tmp_path / "run")
    for _ in fitting.records():
        pass
    monkeypatch.setattr(sys.modules["preceptor.job.fit"], "clear", lambda path: None)
    fitting.finish()
    assert (tmp_path / "run" / "plan.json").exists()
    with pytest.raises(DataError, match="this run is finished"):
        resume(tmp_path / "run")
    assert not (tmp_path / "run" / "plan.json").exists()


def test_training_that_ended_but_was_not_judged_is_only_judged(tmp_path, monkeypatch):
    whole = pr.fit("iris", out=tmp_path / "whole", **SETTINGS)
    fitting = begun(tmp_path / "run")
    monkeypatch.setattr(sys.modules["preceptor.job.fit"], "LAST_SECONDS", 0)
    for _ in fitting.records():
        pass
    fitting.keep()
    fitting.release()
    again, notes = resume(tmp_path / "run")
    assert notes == [f"Going on after step {fitting.record.step}."]
    assert list(again.records()) == []
    assert again.outcome is Outcome.FINISHED
    run = again.finish()
    assert (run.test, run.facts["epochs"]) == (whole.test, whole.facts["epochs"])
    for name, array in whole.params.items():
        np.testing.assert_array_equal(run.params[name], array)


# read with suspicion -------------------------------------------------------------------------------------------------


def test_every_flipped_byte_of_every_file_is_caught(run):
    """Of text the bytes that lay it out may change: they say nothing."""
    whole = load(run).predict_probabilities("iris")
    rng = np.random.default_rng(0)
    caught = 0
    for file in sorted(each for each in run.iterdir() if each.is_file() and each.name != REPORT):
        content = file.read_bytes()
        for position in rng.choice(len(content), 120, replace=False).tolist():
            flipped = bytes([content[position] ^ (1 << int(rng.integers(8)))])
            file.write_bytes(content[:position] + flipped + content[position + 1 :])
            try:
                found = load(run)
            except DataError:
                caught += 1
            else:
                assert content[position : position + 1].isspace()
                np.testing.assert_array_equal(found.predict_probabilities("iris"), whole)
        file.write_bytes(content)
    assert caught > 300


def resealed(run, change):
    """Changes what config.json says, and its checksums with it, as someone would who means harm."""
    values = msgspec.json.decode((run / "config.json").read_bytes())
    del values["checksum"]
    change(values)
    for name in ("model.safetensors", "history.jsonl", "evidence.json"):
        if (run / name).is_file() and (run / name).stat().st_size < 1 << 24:
            values["files"][name] = folder.sums((run / name).read_bytes())
    (run / "config.json").write_bytes(folder.sealed(values))


def deep(values):
    for _ in range(300):
        values["network"] = {"class": "Sequential", "layers": [values["network"]], "names": ["a"]}


def many(values):
    values["network"]["layers"] = [{"class": "Relu"}] * 100_000
    values["network"]["names"] = [f"r{n}" for n in range(100_000)]


def ensemble(values):
    values["network"] = {"class": "Ensemble", "network": values["network"], "count": 10**9}


def put(**changes):
    def change(values):
        for path, value in changes.items():
            *way, last = path.split("__")
            inner = values
            for name in way:
                inner = inner[int(name) if name.isdigit() else name]
            inner[int(last) if last.isdigit() else last] = value

    return change


CONFIGS = {
    "nested deep": deep,
    "many layers": many,
    "a large ensemble": ensemble,
    "an ensemble without number": put(network={"class": "Ensemble", "network": {"class": "Relu"}, "count": "many"}),
    "a wide layer": put(network__layers__0__units=10**9),
    "a wide block": put(network__layers__0={"class": "Residual", "width": 10**9, "stride": 1}),
    "another width": put(network__layers__0__units=9),
    "a word for a width": put(network__layers__0__units="many"),
    "no layers": put(network__layers=[]),
    "a number for the network": put(network=3),
    "a list for facts": put(facts=[]),
    "an engine of another type": put(facts__settings__engine=3),
    "no precision": put(facts__settings__precision=None),
    "figures that are words": put(test={"accuracy": "good"}),
    "figures without ends": put(test={"accuracy": 0.5, "accuracy_low": 0.1}),
    "a file too many": put(files__other={"bytes": 1, "sha256": "0" * 64}),
    "an unknown field": put(extra=1),
    "a number for a format": put(format="1"),
}


@pytest.mark.parametrize("change", CONFIGS.values(), ids=CONFIGS)
def test_a_hostile_config_is_refused_at_once_and_without_memory(run, change):
    resealed(run, change)
    refused_quickly(run)


def refused_quickly(run):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()  # that of other processes does not count
    with pytest.raises((DataError, ConfigError)) as error:
        load(run)
    assert time.process_time() - began < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300 << 10  # KiB
    assert str(error.value).count("\n") == 0
    assert len(str(error.value)) < 500


@pytest.mark.parametrize("name", ["config.json", "evidence.json", "history.jsonl", "model.safetensors"])
@pytest.mark.parametrize("what", ["zeros", "a link elsewhere", "a pipe", "a folder", "sparse", "empty", "none"])
def test_only_regular_files_of_their_own_size_are_read(run, name, what):
    path = run / name
    content = path.read_bytes()
    path.unlink()
    if what == "zeros":
        path.symlink_to("/dev/zero")
    elif what == "a link elsewhere":
        (run.parent / "elsewhere").write_bytes(content)
        path.symlink_to("../elsewhere")
    elif what == "a pipe":
        os.mkfifo(path)
    elif what == "a folder":
        path.mkdir()
    elif what in ("sparse", "empty"):
        with open(path, "wb") as file:
            file.truncate(6 << 30 if what == "sparse" else 0)
    refused_quickly(run)


def test_a_sparse_model_whose_sums_are_right_is_not_read(run):
    (run / "model.safetensors").unlink()
    with open(run / "model.safetensors", "wb") as file:
        file.truncate(6 << 30)
    huge = {"bytes": 6 << 30, "sha256": "0" * 64}
    resealed(run, lambda values: values["files"].update({"model.safetensors": huge}))
    refused_quickly(run)


def test_a_plan_that_was_changed_is_refused(tmp_path):
    stopped(tmp_path / "run")
    plan = tmp_path / "run" / "plan.json"
    plan.write_text(plan.read_text().replace('"seed": 0', '"seed": 1'))
    with pytest.raises(DataError, match=r"plan\.json is not as it was written"):
        resume(tmp_path / "run")


def test_what_else_computes_is_said(tmp_path):
    stopped(tmp_path / "run")
    plan = folder.read_plan(tmp_path / "run")
    folder.write_plan(tmp_path / "run", msgspec.structs.replace(plan, computed=plan.computed | {"numpy": "1.0"}))
    _, notes = resume(tmp_path / "run")
    assert notes[0].startswith("It was begun with another machine or other versions (numpy 1.0 then, ")


def test_other_test_rows_are_refused(tmp_path):
    rows = [f"{i % 7},{i % 2},{'test' if i >= 40 else 'train'}\n" for i in range(60)]
    (tmp_path / "t.csv").write_text("a,y,part\n" + "".join(rows))
    fitting = prepare(tmp_path / "t.csv", make_settings(SETTINGS | {"target": "y", "split_column": "part"}))
    fitting.open_folder(tmp_path / "run")
    fitting.release()
    rows[50] = "6,0,test\n"
    (tmp_path / "t.csv").write_text("a,y,part\n" + "".join(rows))
    with pytest.raises(DataError, match="not those that the run was begun with"):
        resume(tmp_path / "run")


@pytest.mark.parametrize("renamed", [("a,y", "b,y"), ("no", "maybe")], ids=["a column", "a class"])
def test_other_names_of_the_same_numbers_are_refused(tmp_path, renamed):
    """Else the run would end with the same weights and call what they mean something else."""
    text = "a,y\n" + "".join(f"{i % 7},{('no', 'yes')[i % 2]}\n" for i in range(60))
    (tmp_path / "t.csv").write_text(text)
    fitting = prepare(tmp_path / "t.csv", make_settings(SETTINGS | {"target": "y"}))
    fitting.open_folder(tmp_path / "run")
    fitting.release()
    (tmp_path / "t.csv").write_text(text.replace(*renamed))
    with pytest.raises(DataError, match="not those that the run was begun with"):
        resume(tmp_path / "run")


def test_another_processor_is_said_where_its_sums_are_not_ours(tmp_path, monkeypatch):
    stopped(tmp_path / "run")
    monkeypatch.setattr(np, "show_config", lambda mode: {"SIMD Extensions": {"found": ["NEON"]}})
    _, notes = resume(tmp_path / "run")
    assert notes[0].startswith("It was begun with another machine or other versions (processor ")
    assert notes[0].endswith("then, NEON now): the last digits may differ.")


# held by a user ------------------------------------------------------------------------------------------------------


def test_a_run_is_pickled_copied_compared_and_hashed(iris_folder):
    run = load(iris_folder)
    whole = run.predict_probabilities("iris")
    for again in (pickle.loads(pickle.dumps(run)), copy.deepcopy(run), copy.copy(run)):
        np.testing.assert_array_equal(again.predict_probabilities("iris"), whole)
        assert again.test == run.test
        assert str(again.test["accuracy"]) == str(run.test["accuracy"])
        assert again != run
    assert run == run
    assert len({run, load(iris_folder)}) == 2


# what else can stand in the way --------------------------------------------------------------------------------------


def test_a_thread_that_trains_is_not_disturbed_by_another(tmp_path):
    stopped(tmp_path / "run")
    whole = resume(shutil.copytree(tmp_path / "run", tmp_path / "whole"))[0]
    for _ in whole.records():
        pass
    whole.finish()
    began, may_end, said = threading.Event(), threading.Event(), []

    def train():
        fitting, _ = resume(tmp_path / "run")
        for _ in fitting.records():
            began.set()
            assert may_end.wait(60)
        fitting.finish()

    thread = threading.Thread(target=train)
    thread.start()
    assert began.wait(60)
    with pytest.raises(ConfigError, match="another thread of this process trains this run; one at a time can"):
        resume(tmp_path / "run")
    said.append(sorted(each.name for each in (tmp_path / "run").iterdir()))
    may_end.set()
    thread.join()
    assert "lock" in said[0]
    assert sorted(each.name for each in (tmp_path / "run").iterdir()) == sorted(KEPT)
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("run", "whole")]
    assert weights[0] == weights[1]


def test_what_a_thread_that_ended_left_behind_is_gone_on_with(tmp_path):
    kept = []
    thread = threading.Thread(target=lambda: kept.append(begun(tmp_path / "run")))
    thread.start()
    thread.join()
    fitting, notes = resume(tmp_path / "run")
    assert notes == ["No checkpoint was committed yet: training begins again."]
    fitting.release()


@pytest.mark.parametrize(
    "failing", ["history.jsonl.next", "model.safetensors.next", "evidence.json.next", "config.json"]
)
def test_a_network_that_cannot_be_written_leaves_all_that_it_takes_to_go_on(tmp_path, monkeypatch, failing):
    pr.fit("iris", out=tmp_path / "whole", **SETTINGS)
    fitting = begun(tmp_path / "run")
    for _ in fitting.records():
        pass

    def replace(part, path, real=os.replace):
        if os.path.basename(path) == failing:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(part, path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace)
        with pytest.raises(ConfigError, match=r"cannot be written \(No space .* go on: preceptor fit --resume "):
            fitting.finish()
    fitting.release()
    assert sorted(each.name for each in (tmp_path / "run").iterdir()) == ["log", "plan.json"]
    pr.resume(tmp_path / "run")
    names = [tmp_path / name / "model.safetensors" for name in ("run", "whole")]
    assert names[0].read_bytes() == names[1].read_bytes()


def test_a_folder_that_was_there_stays_where_memory_does_not_suffice_for_a_step(tmp_path, monkeypatch):
    def train(*args, **named):
        raise MemoryError
        yield

    monkeypatch.setattr(sys.modules["preceptor.job.fit"], "train", train)
    (tmp_path / "mine").mkdir()
    for name, left in (("mine", True), ("new", False)):
        fitting = begun(tmp_path / name)
        with pytest.raises(ConfigError, match="memory"):
            list(fitting.records())
        assert (tmp_path / name).exists() == left
    assert list((tmp_path / "mine").iterdir()) == []


def test_a_plan_that_cannot_be_written_leaves_nothing_and_holds_nothing(tmp_path, monkeypatch):
    def write_plan(folder, plan):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    fitting = prepare("iris", make_settings(SETTINGS))
    monkeypatch.setattr(sys.modules["preceptor.job.fit"], "write_plan", write_plan)
    with pytest.raises(ConfigError, match="Too many open files"):
        fitting.open_folder(tmp_path / "run")
    assert list(tmp_path.iterdir()) == []
    assert not before or len(os.listdir("/proc/self/fd")) <= before


def test_a_run_that_may_not_be_read_is_not_called_damaged(run, monkeypatch):
    def refuse(path, most):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(folder, "read_file", refuse)
    with pytest.raises(DataError, match=r"\(Permission denied\); the right to read all its files is needed") as error:
        load(run)
    assert "Train again" not in str(error.value)
