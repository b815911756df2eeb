"""Workers that are forked off: the same results as those of threads, and what becomes of processes that die."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from preceptor.job.fit import look
from preceptor.job.settings import make_settings
from preceptor.job.stages import completed
from preceptor.tuning import trials as trials_module
from preceptor.tuning.processes import Processes, can_fork
from preceptor.tuning.trials import Task, Trials
from preceptor.tuning.workers import Threads

# Of a test before this one jax may be loaded, which nobody uses here.
pytestmark = pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")

SMALL = {"hidden": (4,), "epochs": 3, "batch_size": 16, "engine": "native"}
TASKS = [Task(number, {"learning_rate": 0.002 * (number + 1)}) for number in range(9)]


def trials_of(**asked):
    settings = make_settings(SMALL | asked)
    return Trials("iris", completed(look("iris", settings)), settings)


def told(results):
    found = [(each.number, each.state, each.curve, each.best, each.error) for each in results if each is not None]
    return sorted(found)


@pytest.fixture
def alone():
    with Threads(trials_of(), 1) as workers:
        return told(workers.results(TASKS))


def is_gone(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("count", [1, 2, 4])
def test_the_same_as_threads_and_none_is_left(count, alone):
    with Processes(trials_of(), count) as workers:
        assert told(workers.results(TASKS)) == alone
        assert told(workers.results(TASKS[:2])) == alone[:2]
        pids = [child.pid for child in workers._children]
        assert len(pids) == count
    assert all(map(is_gone, pids))


def test_a_process_that_is_killed_costs_nothing_but_time(alone):
    with Processes(trials_of(), 2) as workers:
        found = []
        for number, result in enumerate(workers.results(TASKS)):
            found.append(result)
            if number == 1:
                os.kill(workers._children[0].pid, signal.SIGKILL)
        assert told(found) == alone


def test_a_trial_that_kills_its_process_fails_and_the_others_do_not(alone, monkeypatch):
    advance = trials_module.Trials.advance

    def deadly(self, task):
        if task.number == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return advance(self, task)

    monkeypatch.setattr(trials_module.Trials, "advance", deadly)
    with Processes(trials_of(), 2) as workers:
        found = told(workers.results(TASKS))
    assert [each for each in found if each[0] != 3] == [each for each in alone if each[0] != 3]
    assert found[3][1] == "failed"
    assert "SIGKILL" in found[3][4]


def test_those_under_way_end_where_nobody_waits():
    trials = trials_of(epochs=100_000, patience=100_000)
    with Processes(trials, 2) as workers:
        began = time.monotonic()
        for number, _ in enumerate(workers.results(TASKS)):
            if number == 0:
                pids = [child.pid for child in workers._children]
                trials.stopped.set()
        assert time.monotonic() - began < 60
        assert all(map(is_gone, pids))


def test_they_end_with_a_parent_that_is_killed(tmp_path):
    code = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_processes import *
with Processes(trials_of(epochs=100_000, patience=100_000), 2) as workers:
    for _ in workers.results(TASKS):
        print(*(child.pid for child in workers._children), flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        pids = [int(each) for each in parent.stdout.readline().split()]
        parent.kill()
    assert len(pids) == 2
    until = time.monotonic() + 30
    while not all(map(is_gone, pids)) and time.monotonic() < until:
        time.sleep(0.05)
    assert all(map(is_gone, pids))


def test_where_rows_are_read_from_files_nothing_is_forked(monkeypatch):
    monkeypatch.delitem(sys.modules, "jax", raising=False)
    assert can_fork(trials_of())
    assert not can_fork(trials_of(engine="reference"))
    monkeypatch.setitem(sys.modules, "jax", object())
    assert not can_fork(trials_of())
