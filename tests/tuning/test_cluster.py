"""The same trials from threads and from actors, whatever the order in which they come, and whoever dies.

Ray itself takes some ten seconds to start: the order of things is tested on a stand-in that runs the same actors in
this process, and that Ray does likewise in test_cluster_ray.py.
"""

import pickle
import random
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image

from preceptor.errors import ConfigError
from preceptor.job.fit import look
from preceptor.job.settings import make_settings
from preceptor.job.stages import completed
from preceptor.tuning import cluster
from preceptor.tuning.cluster import TRIES, Actor, Cluster, sent_of
from preceptor.tuning.repeats import Again, Told
from preceptor.tuning.trials import Task, Trials
from preceptor.tuning.workers import Threads


@pytest.fixture(scope="module")
def trials():
    settings = make_settings({"hidden": (8,), "epochs": 4})
    return Trials("iris", completed(look("iris", settings)), settings)


@pytest.fixture(scope="module")
def wanted(trials):
    """What one thread comes to."""
    with Threads(trials, 1) as workers:
        return searched(workers)


def told(result):
    """All of a result that no clock decides, bit for bit."""
    frozen = result.frozen
    arrays = frozen and {name: (values.shape, values.tobytes()) for name, values in frozen.arrays.items()}
    facts = (result.number, result.state, result.epochs, result.curve, result.best, result.best_epoch, result.score)
    return (*facts, result.error, result.parameters, arrays, frozen and frozen.step)


def sorted_results(workers, tasks):
    return sorted(filter(None, workers.results(tasks)), key=lambda result: result.number)


def searched(workers, seed=None):
    """What eight trials come to that are paused after two epochs and go on to their ends; one of them cannot be.

    Args:
        seed: of random delays before each of them.
    """
    wait, settings = random.Random(seed), [{"learning_rate": 1e-3 * number} for number in (1, 2, 3, 4, 5, 6, 7)]
    settings.append({"hidden": (-1,)})

    def late(tasks):
        for task in tasks:
            if seed is not None:
                time.sleep(wait.uniform(0, 0.1))
            yield task

    first = sorted_results(workers, late([Task(number, own, 2) for number, own in enumerate(settings)]))
    going = [each for each in first if each.state == "paused"]
    last = sorted_results(
        workers, late([Task(each.number, settings[each.number], None, each.frozen) for each in going])
    )
    assert [each.state for each in last] == ["done"] * 7
    return [told(each) for each in first + last]


class RayError(Exception):
    """Of the stand-in."""


class StandIn:
    """Actors in this process, whose calls are made in an order of chance when one waits for them.

    Args:
        seed: of the order; deaths: how often what dies in its place, by the step.
    """

    exceptions = SimpleNamespace(RayError=RayError, RaySystemError=type("RaySystemError", (RayError,), {}))

    def __init__(self, seed=0, cores=2, known=None, **deaths):
        self.random, self.cores, self.deaths, self.told = random.Random(seed), cores, deaths, known or {}
        self.pending, self.done, self.begun, self.killed = {}, {}, 0, []

    def cluster_resources(self):
        return {"CPU": float(self.cores)}

    def remote(self, **options):
        assert options["max_restarts"] == options["max_task_retries"] == 0
        return lambda kind: SimpleNamespace(remote=lambda: self._actor(kind()))

    def _actor(self, actor):
        self.begun += 1
        return SimpleNamespace(
            **{
                name: SimpleNamespace(remote=lambda *given, name=name: self._call(actor, name, given))
                for name in ("known", "take", "advance")
            }
        )

    def _call(self, actor, name, given):
        self.pending[call := object()] = actor, name, given
        return call

    def put(self, given):
        """What comes back lies in memory that nobody writes to, as that which actors share."""
        buffers = []
        data = pickle.dumps(given, 5, buffer_callback=buffers.append)
        return pickle.loads(data, buffers=[bytes(each.raw()) for each in buffers])

    def wait(self, calls, num_returns, timeout):
        if timeout and (left := [each for each in calls if each in self.pending]):
            chosen = self.random.choice(left)
            actor, name, given = self.pending.pop(chosen)
            dies = self.deaths.get(name, 0) and self.random.random() < 0.5
            self.deaths[name] = self.deaths.get(name, 0) - dies
            if dies:
                self.done[chosen] = RayError(f"killed at {name}\nand more")
            else:
                found = getattr(actor, name)(*given)
                self.done[chosen] = found | self.told if name == "known" else found
        ready = [each for each in calls if each in self.done]
        return ready, [each for each in calls if each not in ready]

    def get(self, call, timeout):
        if isinstance(found := self.done.pop(call), Exception):
            raise found
        return found

    def kill(self, actor):
        self.killed.append(actor)


@pytest.fixture
def joined(monkeypatch):
    """A stand-in in the place of Ray."""
    monkeypatch.setenv(cluster.MODE, "token")

    def put(ray):
        @contextmanager
        def connected(address, place):
            yield ray

        monkeypatch.setattr(cluster, "connected", connected)
        return ray

    return put


def test_two_threads_come_to_what_one_does(trials, wanted):
    with Threads(trials, 2) as workers:
        assert searched(workers) == wanted


@pytest.mark.parametrize("cores, seed", [(1, 0), (2, 1), (3, 2), (3, 3)])
def test_actors_come_to_what_threads_do(trials, wanted, joined, cores, seed):
    ray = joined(StandIn(seed, cores))
    with Cluster("ray://head:1", trials) as workers:
        assert workers.count == cores
        assert searched(workers) == wanted
    assert ray.begun == cores == len(ray.killed)


def test_so_many_actors_as_are_asked_for(trials, joined):
    joined(StandIn(cores=64))
    with Cluster("ray://head:1?actors=3", trials) as workers:
        assert workers.count == 3


@pytest.mark.parametrize("seed", range(4))
def test_a_task_whose_actor_died_is_given_to_another(trials, wanted, joined, seed):
    ray = joined(StandIn(seed, 3, advance=2, take=1))
    with Cluster("ray://head:1", trials) as workers:
        assert searched(workers) == wanted
    assert ray.begun == 3 + 3  # each of those that died was replaced


def test_a_trial_that_kills_whoever_makes_it_fails(trials, joined):
    ray = joined(StandIn(0, 1))
    with Cluster("ray://head:1", trials) as workers:
        ray.random.random = lambda: 0.0  # from now on everybody dies, three times
        ray.deaths["advance"] = TRIES
        first, second = sorted_results(workers, [Task(4, {}, 1), Task(5, {}, 1)])
    assert (first.state, second.state) == ("failed", "paused")
    assert first.error == (
        "The process that trained it died 3 times: killed at advance. As a rule it is short of memory."
    )


def test_a_repeat_that_kills_whoever_makes_it_fails_as_one(trials, joined):
    ray = joined(StandIn(0, 1))
    with Cluster("ray://head:1", trials) as workers:
        ray.random.random = lambda: 0.0
        ray.deaths["advance"] = TRIES
        (found,) = sorted_results(workers, [Again(4, {}, repeat=2)])
    assert isinstance(found, Told)
    assert (found.number, found.repeat, found.state) == (4, 2, "failed")
    assert found.judgement.error == found.error


def test_repeats_are_judged_as_threads_judge_them(trials, joined):
    tasks = [Again(0, {}, repeat=0), Again(0, {}, repeat=1)]
    joined(StandIn(0, 2))
    with Threads(trials, 1) as threads, Cluster("ray://head:1", trials) as actors:
        wanted, found = (
            sorted(filter(None, workers.results(tasks)), key=lambda each: each.repeat) for workers in (threads, actors)
        )
    assert [each.judgement for each in found] == [each.judgement for each in wanted]


def test_where_no_actor_is_left(trials, joined):
    joined(StandIn(0, 2, take=10**6)).random.random = lambda: 0.0
    with pytest.raises(ConfigError) as caught:
        Cluster("ray://head:1", trials)
    assert str(caught.value) == (
        "ray://head:1: none of its workers is left: killed at take. The trials that ended are in the search's folder: "
        "go on with them once the cluster is there again."
    )


def test_where_no_actor_begins(trials, joined, monkeypatch):
    ray = joined(StandIn(0, 2))
    monkeypatch.setattr(ray, "wait", lambda calls, num_returns, timeout: ([], calls))
    monkeypatch.setattr(cluster, "START_SECONDS", 0.0)
    with pytest.raises(ConfigError, match=r"^ray://head:1: none of 2 workers began within 0 seconds; a free core of a"):
        Cluster("ray://head:1", trials)
    assert len(ray.killed) == 2


def test_where_the_connection_is_lost(trials, joined, monkeypatch):
    ray = joined(StandIn(0, 2))
    with Cluster("ray://head:1", trials) as workers:
        monkeypatch.setattr(ray, "wait", Mock(side_effect=ConnectionError("gone\nin detail")))
        with pytest.raises(ConfigError, match=r"^ray://head:1: the connection is lost: gone. The trials that"):
            list(workers.results([Task(1, {}, 1)]))
    assert ray.killed == []  # which would take long


def test_where_the_head_is_gone(trials, joined, monkeypatch):
    joined(StandIn(0, 2))
    monkeypatch.setattr(cluster, "HEAD_SECONDS", 0.0)
    monkeypatch.setattr(cluster, "LOST_SECONDS", 0.0)
    there = iter([True] * 20)
    monkeypatch.setattr(cluster, "is_there", lambda address: next(there, False))
    with Cluster("ray://head:1", trials) as workers:
        tasks = (Task(number, {}, 1) for number in range(1000))
        with pytest.raises(ConfigError, match=r"^ray://head:1: the connection is lost: the head does not answer"):
            list(workers.results(tasks))


def test_where_there_are_no_cores(trials, joined):
    joined(StandIn(cores=0))
    with pytest.raises(ConfigError, match=r"^ray://head:1: its machines offer no cores; one at least is required"):
        Cluster("ray://head:1", trials)


@pytest.mark.parametrize(
    "known, why",
    [
        ({"numpy": "1.0"}, r"it has numpy 1\.0 and not [\d.]+; the same versions are required on all machines"),
        ({"token": ""}, r"it asks for no token; Ray is to be started there with RAY_AUTH_MODE=token"),
    ],
)
def test_a_machine_that_does_not_fit_is_refused_before_it_is_sent_anything(trials, joined, known, why):
    ray = joined(StandIn(known={"host": "third"} | known))
    with pytest.raises(ConfigError, match=f"^ray://head:1, third: {why}. Mend that machine, or take it out of the"):
        Cluster("ray://head:1", trials)
    assert not any(name == "take" for _, name, _ in ray.pending.values())


def test_a_machine_that_computes_otherwise_or_comes_to_other_data_is_refused(trials):
    sent = sent_of(trials)
    assert Actor().take(sent) == ""
    told = Actor().take(replace(sent, computed=sent.computed | {"engine": "native (CPU, other)"}))
    assert told == (
        f"it computes by engine {sent.computed['engine']} and not native (CPU, other); the same is required on all "
        "machines. PRECEPTOR_ISA=avx2, set on each before Ray is started, and here, names the widest instruction set "
        "that all have"
    )
    told = Actor().take(replace(sent, fingerprint="0"))
    assert told.startswith("it came to other data than this machine; the same files and the same kind of processor are")


def test_what_was_broken_off_does_not_come_back(trials, joined):
    joined(StandIn(3, 2))
    with Cluster("ray://head:1", trials) as workers:
        results = workers.results([Task(number, {}, 1) for number in range(6)])
        next(each for each in results if each is not None)
        results.close()
        assert [each.number for each in sorted_results(workers, [Task(7, {}, 1), Task(8, {}, 1)])] == [7, 8]


def test_nobody_waits_for_a_search_that_was_stopped(trials, joined):
    own = replace(trials, stopped=threading.Event())
    joined(StandIn(0, 2))
    with Cluster("ray://head:1", own) as workers:
        own.stopped.set()
        assert list(workers.results([Task(1, {}, 1)])) == []


def test_pictures_in_memory_are_sent(tmp_path, joined):
    rng = np.random.default_rng(0)
    for label in ("dark", "light"):
        (tmp_path / label).mkdir()
        for number in range(12):
            pixels = rng.integers(0, 128, (8, 8, 3), np.uint8) + 127 * (label == "light")
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / label / f"{number}.png")
    settings = make_settings({"model": "mlp", "hidden": (4,), "epochs": 2})
    trials = Trials(str(tmp_path), completed(look(str(tmp_path), settings)), settings)
    joined(StandIn(0, 2))
    tasks = [Task(number, {"learning_rate": 1e-3 * (1 + number)}) for number in range(2)]
    with Threads(trials, 1) as threads, Cluster("ray://head:1", trials) as actors:
        wanted = [told(each) for each in sorted_results(threads, tasks)]
        assert [each[1] for each in wanted] == ["done", "done"]
        assert [told(each) for each in sorted_results(actors, tasks)] == wanted


def test_what_stays_on_the_disk_is_read_by_each_machine(trials):
    sent = replace(sent_of(trials), seen=None)
    assert Actor().take(sent) == ""
