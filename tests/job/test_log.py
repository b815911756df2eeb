"""The log of a training: what others can follow is what happened, whole at any moment, and costs little."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import preceptor as pr
from preceptor.job import make_settings, prepare, resume
from preceptor.job.levels import Levels, extremes, length, path_of, window
from preceptor.job.log import EVENTS, Log, events_behind, log_of

fit_module = sys.modules["preceptor.job.fit"]
SETTINGS = {"epochs": 3, "hidden": (8,), "batch_size": 35, "engine": "reference"}


def written(folder: Path, values: np.ndarray, pieces: list[int]) -> Levels:
    folder.mkdir(exist_ok=True)
    levels = Levels(folder)
    for piece in np.split(values, pieces):
        levels.add(piece)
    return levels


def by_hand(values: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest of each block, by NumPy's reductions over rows of a padded matrix."""
    padded = np.full(-(-len(values) // size) * size, np.nan, np.float32)
    padded[: len(values)] = values
    rows = padded.reshape(-1, size)
    some = ~np.isnan(rows).all(1)
    low, high = np.full(len(rows), np.nan, np.float32), np.full(len(rows), np.nan, np.float32)
    low[some], high[some] = np.nanmin(rows[some], 1), np.nanmax(rows[some], 1)
    return low, high


def values(count: int) -> np.ndarray:
    rng = np.random.default_rng(3)
    found = rng.normal(size=count).astype(np.float32)
    found[rng.integers(count, size=count // 50)] = np.nan
    found[: count // 10] = np.nan  # whole blocks of them
    found[count // 2] = np.inf
    return found


def same_files(one: Path, other: Path) -> None:
    assert sorted(os.listdir(one)) == sorted(os.listdir(other))
    for each in sorted(os.listdir(one)):
        if each != EVENTS:
            assert (one / each).read_bytes() == (other / each).read_bytes(), each


@pytest.mark.parametrize("count", [1, 15, 16, 17, 4096, 70_001])
def test_levels_are_those_of_numpy_however_the_values_came(tmp_path, count):
    given = values(count)
    rng = np.random.default_rng(count)
    written(tmp_path / "a", given, [])
    written(tmp_path / "b", given, sorted(rng.integers(count, size=40).tolist()))
    same_files(tmp_path / "a", tmp_path / "b")
    assert np.array_equal(np.fromfile(path_of(tmp_path / "a", 0), "<f4"), given, equal_nan=True)
    for level in range(1, 5):
        size = 16**level
        whole = count // size * size
        stored = path_of(tmp_path / "a", level)
        assert stored.exists() == (whole > 0)
        if whole:
            found = np.fromfile(stored, "<f4").reshape(-1, 2)
            assert np.array_equal(found.T, by_hand(given[:whole], size), equal_nan=True)


@pytest.mark.parametrize("torn", [False, True])
def test_every_window_is_the_lowest_and_highest_of_its_blocks(tmp_path, torn):
    given, rng = values(70_001), np.random.default_rng(1)
    written(tmp_path / "a", given, [])
    if torn:  # a kill between the files, and within a number
        os.truncate(path_of(tmp_path / "a", 1), 8 * 3000 + 5)
        os.truncate(path_of(tmp_path / "a", 2), 8 * 150)
        path_of(tmp_path / "a", 3).unlink()
        with open(path_of(tmp_path / "a", 0), "ab") as file:
            file.write(b"\x01\x02\x03")
    assert length(tmp_path / "a") == len(given)
    for _ in range(300):
        start, stop = sorted(rng.integers(0, 80_000, size=2).tolist())
        found = window(tmp_path / "a", start, stop, most := int(rng.choice([10, 64, 1000])))
        assert found.first <= min(start, len(given))
        assert min(stop, len(given)) <= found.end < stop + found.size
        assert found.first % found.size == 0
        assert len(found.low) <= most + 1
        low, high = by_hand(given[found.first : found.end], found.size)
        assert np.array_equal(found.low, low, equal_nan=True)
        assert np.array_equal(found.high, high, equal_nan=True)
        if start < found.end:
            best = extremes(tmp_path / "a", start, found.end)
            around = given[max(0, start - (found.end - start) // 16) : found.end]
            assert np.fmin.reduce(given[start : found.end]) >= best[0] or np.isnan(best[0])
            assert np.isnan(best[0]) == np.isnan(around).all()


def test_what_is_read_of_ten_million_points_is_little(tmp_path, monkeypatch):
    """The files are sparse: their length is what counts."""
    tmp_path.joinpath("a").mkdir()
    for level in range(7):
        width = 8 if level else 4
        with open(path_of(tmp_path / "a", level), "wb") as file:
            file.truncate(10**7 // 16**level * width)
    read, real = [], os.pread
    monkeypatch.setattr(os, "pread", lambda file, count, offset: read.append(count) or real(file, count, offset))
    for start, stop in [(0, 10**7), (0, 1000), (5_000_000, 9_000_000), (9_999_000, 10**7)]:
        read.clear()
        assert len(window(tmp_path / "a", start, stop, 1000).low) in range(500, 1002)
        assert sum(read) <= 16 * 1000 * 8 + 2000
    for level in range(1, 7):  # folders of others may hold anything
        path_of(tmp_path / "a", level).unlink()
    read.clear()
    window(tmp_path / "a", 0, 10**7, 1000)
    assert sum(read) < 4 << 20


@pytest.mark.parametrize("steps", [0, 5, 4096, 12_345, 20_000])
def test_a_cut_curve_is_one_that_never_was_longer(tmp_path, steps):
    given = values(20_000)
    written(tmp_path / "a", given, [777, 12_345])
    os.truncate(path_of(tmp_path / "a", 1), 8 * 300 + 3)  # mended, too
    levels = Levels(tmp_path / "a", steps)
    levels.sync()
    levels.add(given[steps:])
    written(tmp_path / "b", given, [])
    assert length(tmp_path / "a") == len(given)
    same_files(tmp_path / "a", tmp_path / "b")


def test_steps_that_nobody_wrote_down_are_no_numbers(tmp_path):
    levels = written(tmp_path / "a", np.ones(20, np.float32), [])
    levels = Levels(tmp_path / "a", 40)
    levels.add(np.ones(8))
    found = np.fromfile(path_of(tmp_path / "a", 0), "<f4")
    assert np.isnan(found).tolist() == [False] * 20 + [True] * 20 + [False] * 8
    assert np.fromfile(path_of(tmp_path / "a", 1), "<f4").tolist()[:2] == [1, 1]


def events(folder: Path) -> list[tuple]:
    found, _ = events_behind(folder / EVENTS, 0)
    return [(each.kind, each.step, {k: v for k, v in each.facts.items() if k != "seconds"}) for each in found]


def begun(out: Path, **changes):
    fitting = prepare("iris", make_settings(SETTINGS | changes))
    fitting.open_folder(out)
    return fitting


def finished(fitting):
    losses = [record.losses for record in fitting.records()]
    return fitting.finish(), np.concatenate(losses)


def test_the_log_is_what_happened(tmp_path):
    run, losses = finished(begun(tmp_path / "run"))
    log = log_of(tmp_path / "run")
    kinds = [each for each in events(log) if each[0] != "finding"]
    assert [each[0] for each in kinds] == ["begun", "epoch", "epoch", "epoch", "ended"]
    first = kinds[0][2]
    assert (first["data"], first["targets"], first["steps"]) == ("iris", ["species"], len(losses))
    assert first["settings"] == run.facts["settings"]
    assert [{k: v for k, v in entry.items() if k != "seconds"} for entry in run.history] == [k[2] for k in kinds[1:-1]]
    assert kinds[-1] == ("ended", len(losses), {"outcome": "FINISHED", "text": run.facts["outcome"]})
    assert np.array_equal(np.fromfile(path_of(log, 0), "<f4"), losses.astype(np.float32))
    assert pr.load(tmp_path / "run").facts == run.facts  # which the log does not disturb


def test_without_a_folder_there_is_no_log(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pr.fit("iris", **SETTINGS).save("run")
    assert "log" not in os.listdir("run")


def test_findings_and_what_is_no_number_are_kept(tmp_path):
    """A rate at which nothing can be learned: the loss is no number in the end, and the doctor says why."""
    out, settings = tmp_path / "run", {"learning_rate": 1e6, "optimiser": "sgd", "epochs": 20}
    run, losses = finished(begun(out, **settings))
    told = [each[2] for each in events(log_of(out)) if each[0] == "finding"]
    assert told == [each for each in run.findings if each in told]
    assert told
    assert events(log_of(out))[-1][2]["outcome"] == "DIVERGED"
    found = np.fromfile(path_of(log_of(out), 0), "<f4")
    with np.errstate(over="ignore"):
        assert np.array_equal(found, losses.astype(np.float32), equal_nan=True)
    assert not np.isfinite(found).all()


@pytest.mark.parametrize("at_once", [True, False])
def test_a_training_that_was_broken_off_has_the_log_of_one_that_never_was(tmp_path, monkeypatch, at_once):
    finished(begun(tmp_path / "whole"))
    monkeypatch.setattr(fit_module, "CHECKPOINT_SECONDS", 0.0)
    fitting = begun(tmp_path / "run")
    while True:
        for number, _ in enumerate(fitting.records()):
            if at_once or number == 1:
                break
        if fitting.outcome is not fit_module.Outcome.INTERRUPTED:
            break
        if at_once:
            fitting.finish()
        fitting.release()  # else nothing was said, as by a kill
        with open(log_of(tmp_path / "run") / EVENTS, "ab") as file:
            file.write(b'{"kind":"epoch","step":1,"ti')  # half a line
        Levels(log_of(tmp_path / "run"), 10**4)  # and steps behind the checkpoint
        fitting, _ = resume(tmp_path / "run")
    fitting.finish()
    assert events(log_of(tmp_path / "run")) == events(log_of(tmp_path / "whole"))
    same_files(log_of(tmp_path / "run"), log_of(tmp_path / "whole"))


CHILD = """
import sys
from preceptor.cli import main
sys.modules["preceptor.job.fit"] = module = __import__("preceptor.job.fit", fromlist=["x"])
module.CHECKPOINT_SECONDS = 0.0
sys.argv = ["preceptor", "fit", "digits", "--out", sys.argv[1], "--epochs", "300", "--patience", "300", "--hidden", "8",
    "--engine", "reference"]
main()
"""


def test_a_kill_leaves_a_log_that_holds_all_up_to_the_checkpoint(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path / "run")], stdout=subprocess.DEVNULL)
    log, until = log_of(tmp_path / "run"), time.monotonic() + 60
    while not (tmp_path / "run" / "checkpoints" / "manifest.jsonl").exists() or length(log) < 300:
        assert time.monotonic() < until
        assert child.poll() is None
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    known = length(log)
    fitting, _ = resume(tmp_path / "run")
    assert 0 < fitting.start[0] <= known
    stored = np.fromfile(path_of(log, 0), "<f4", fitting.start[0])
    assert np.isfinite(stored).all()
    recorded = fitting.progress.losses  # of the epoch under way, as the checkpoint has them
    assert np.array_equal(stored[len(stored) - len(recorded) :], np.array(recorded, np.float32))
    next(fitting.records())
    assert events(log)[0][0] == "begun"
    assert [each[1] for each in events(log) if each[0] == "epoch"] == [each["step"] for each in fitting.history]
    fitting.release()


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EROFS])
def test_a_log_that_cannot_be_written_costs_a_warning_and_no_training(tmp_path, monkeypatch, fault):
    whole, _ = finished(begun(tmp_path / "whole"))
    fitting, real = begun(tmp_path / "run"), os.write

    def write(handle, content):
        if "/log/" in os.readlink(f"/proc/self/fd/{handle}"):
            raise OSError(fault, os.strerror(fault))
        return real(handle, content)

    monkeypatch.setattr(os, "write", write)
    with pytest.warns(UserWarning, match=r"run/log/1: the log cannot be written \(.*\); training goes on") as said:
        run, _ = finished(fitting)
    assert len(said) == 1
    for path, array in whole.params.items():
        assert np.array_equal(array, run.params[path])


def test_a_link_in_the_place_of_a_log_is_not_followed(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    fitting = begun(tmp_path / "run")
    (tmp_path / "run" / "log").symlink_to(tmp_path / "elsewhere")
    with pytest.warns(UserWarning, match="log is a link"):
        finished(fitting)
    assert os.listdir(tmp_path / "elsewhere") == []


def test_writes_are_few_however_many_records_there_are(tmp_path, monkeypatch):
    clock, calls, real = [100.0], [], os.write
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(os, "write", lambda handle, content: calls.append(1) or real(handle, content))
    log = Log(tmp_path / "log" / "1", 0, {})
    for _ in range(10_000):
        clock[0] += 1e-4
        log.steps(np.ones(1, np.float32))
    log.end("FINISHED", "")
    assert length(tmp_path / "log" / "1") == 10_000
    assert len(calls) <= 5 * 6  # a second: four times and at the end, files of values, three levels, and events


def test_events_are_read_behind_an_offset_and_garbage_is_passed_over(tmp_path):
    path = tmp_path / EVENTS
    line = json.dumps({"kind": "epoch", "step": 3, "time": 1.5, "facts": {"a": None}}).encode() + b"\n"
    path.write_bytes(b"\xff\xfe\n[1]\n" + line + b'{"kind":1}\n' + b"[" * 5000 + b"\n" + line[:20])
    found, offset = events_behind(path, 0)
    assert [(each.kind, each.step) for each in found] == [("epoch", 3)]
    with open(path, "ab") as file:
        file.write(line[20:])
    found, end = events_behind(path, offset)
    assert (len(found), end) == (1, offset + len(line))
    path.write_bytes(b"x" * 3000)  # no end of a line
    assert events_behind(path, 0, 1000) == ([], 1000)


def test_trainings_of_a_mending_have_logs_of_their_own(tmp_path):
    run = pr.fit("digits", out=tmp_path / "run", mend=True, learning_rate=1.0, optimiser="sgd", epochs=6, hidden=(16,))
    count = len(run.facts["mended"]["attempts"])
    assert count > 1
    for number in range(1, count + 1):
        kinds = events(log_of(tmp_path / "run", number))
        assert (kinds[0][2]["training"], kinds[-1][0]) == (number, "ended")
    assert kinds[0][2]["changes"]
    assert kinds[0][2]["why"]
