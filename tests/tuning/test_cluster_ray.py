"""The same trials on true clusters: of one machine with many processes, and of two hosts.

Ray takes some ten seconds each time, so that all of these are slow.
"""

import os
import pickle
import random
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from shutil import which

import pytest

from preceptor.errors import ConfigError
from preceptor.job.fit import look
from preceptor.job.settings import make_settings
from preceptor.job.stages import completed
from preceptor.tuning.cluster import Cluster
from preceptor.tuning.trials import Task, Trials
from preceptor.tuning.workers import Threads

TOKEN = "0123456789abcdef0123456789abcdef"
TRIALS = 10
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        find_spec("ray") is None or find_spec("grpc") is None,
        reason="Ray is not installed: pip install 'preceptor[ray]'",
    ),
]


@pytest.fixture(autouse=True)
def _token(monkeypatch):
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)


def digits():
    settings = make_settings({"hidden": (32,), "epochs": 40})
    return Trials("digits", completed(look("digits", settings)), settings)


def searched(workers, seed=None, began=lambda: None):
    """What trials come to that are paused and go on; `began` is called after the first result."""
    wait = random.Random(seed)

    def late(tasks):
        for task in tasks:
            if seed is not None:
                time.sleep(wait.uniform(0, 0.2))
            yield task

    def table(tasks):
        nonlocal began
        found = []
        for result in workers.results(late(tasks)):
            if result is not None:
                found.append(result)
                began()
                began = lambda: None
        return sorted(found, key=lambda result: result.number)

    settings = [{"learning_rate": 5e-4 * (1 + number)} for number in range(TRIALS)]
    first = table([Task(number, own, 20) for number, own in enumerate(settings)])
    last = table([Task(each.number, settings[each.number], None, each.frozen) for each in first])
    assert {each.state for each in last} == {"done"}
    return [
        (
            *(each.number, each.state, each.epochs, each.curve, each.best),
            {name: values.tobytes() for name, values in each.frozen.arrays.items()},
        )
        for each in first + last
    ]


def descendants(root):
    parents = {}
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parents[int(place.name)] = int((place / "stat").read_text().rpartition(")")[2].split()[1])
    found = {root}
    while new := {child for child, parent in parents.items() if parent in found} - found:
        found |= new
    return found


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextmanager
def node(*words, within=()):
    """A node of a cluster, which ends with the block, with all that it began."""
    environ = os.environ | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN, "RAY_USAGE_STATS_ENABLED": "0"}
    command = [*within, sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *words]
    begun = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield begun
    finally:
        own = descendants(begun.pid)
        for each in own:
            with suppress(OSError):
                os.kill(each, signal.SIGKILL)
        begun.wait()


def await_port(address, within=()):
    host, _, port = address.rpartition(":")
    code = f"import socket; socket.create_connection(({host!r}, {port}), 1)"
    for _ in range(120):
        if not subprocess.run([*within, sys.executable, "-c", code], stderr=subprocess.DEVNULL).returncode:
            return
        time.sleep(0.5)
    raise AssertionError(f"{address}: no cluster in a minute")


@pytest.fixture(scope="module")
def head():
    """A cluster of this machine with four processes: its port, that of its client server, and its process."""
    port, client = free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="pr-", ignore_cleanup_errors=True) as folder:
        words = [f"--port={port}", f"--ray-client-server-port={client}", "--num-cpus=4", f"--temp-dir={folder}"]
        with node("--head", "--include-dashboard=false", *words) as begun:
            await_port(f"127.0.0.1:{client}")
            yield f"127.0.0.1:{port}", f"127.0.0.1:{client}", begun.pid


@pytest.fixture(scope="module")
def wanted():
    with Threads(digits(), 1) as workers:
        return searched(workers)


def actors_of(root):
    """The processes of a cluster that make trainings."""
    found = []
    for each in descendants(root):
        with suppress(OSError):
            if (Path("/proc") / str(each) / "cmdline").read_bytes().startswith(b"ray::Actor"):
                found.append(each)
    return found


def kill_one(root):
    os.kill(actors_of(root)[0], signal.SIGKILL)


@pytest.mark.parametrize("actors", [2, 4])
@pytest.mark.parametrize("door", [0, 1], ids=["of the cluster", "of its client server"])
@pytest.mark.parametrize("is_killed", [False, True], ids=["whole", "one killed"])
def test_the_table_is_that_of_one_thread(head, wanted, capfd, door, actors, is_killed):
    with Cluster(f"ray://{head[door]}?actors={actors}", digits()) as workers:
        assert workers.count == actors
        found = searched(workers, seed=actors, began=lambda: kill_one(head[2]) if is_killed else None)
    assert found == wanted
    assert capfd.readouterr() == ("", "")  # Ray says nothing


def test_a_cluster_of_this_machine_comes_and_goes(wanted, capfd, tmp_path, monkeypatch):
    monkeypatch.delenv("RAY_AUTH_TOKEN")
    monkeypatch.setenv("HOME", str(tmp_path))
    before = set(Path(tempfile.gettempdir()).glob("pr-*"))
    with Cluster("ray://local:2", digits()) as workers:
        assert searched(workers) == wanted
    assert capfd.readouterr() == ("", "")
    assert set(Path(tempfile.gettempdir()).glob("pr-*")) == before
    assert list(tmp_path.iterdir()) == []  # and no token is left


@pytest.mark.parametrize("door", [0, 1])
def test_who_has_another_token_is_refused(head, monkeypatch, door):
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN[::-1])
    with pytest.raises(ConfigError, match=r"our token is not that of the cluster"):
        Cluster(f"ray://{head[door]}", digits())
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with pytest.raises(ConfigError, match=r"the cluster asks for a token"):
        Cluster(f"ray://{head[door]}", digits())


DRIVER = f"""
    import sys
    sys.path.insert(0, {str(Path(__file__).parent)!r})
    from test_cluster_ray import Cluster, Threads, digits, searched
    from preceptor.tuning.trials import Task
"""


def driver(code, within=(), **more):
    command = [*within, sys.executable, "-c", textwrap.dedent(DRIVER) + textwrap.dedent(code)]
    environ = os.environ | {"RAY_AUTH_TOKEN": TOKEN}
    return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True, start_new_session=True, **more)


@pytest.mark.parametrize("number, seconds", [(signal.SIGINT, 20), (signal.SIGKILL, 60)])
@pytest.mark.parametrize("door", [0, 1])
def test_a_search_that_ends_takes_its_actors_along_and_nothing_else(head, door, number, seconds):
    with driver(
        f"""
        try:
            with Cluster("ray://{head[door]}?actors=2", digits()) as workers:
                for result in workers.results(Task(number, {{}}) for number in range(10_000)):
                    if result is not None:
                        print("begun", flush=True)
        except KeyboardInterrupt:
            print("interrupted")
        """
    ) as begun:
        assert begun.stdout.readline() == "begun\n"
        assert actors_of(head[2])
        os.killpg(begun.pid, number)
        rest = begun.communicate(timeout=60)[0]
    assert rest.endswith("interrupted\n") == (number == signal.SIGINT)
    for _ in range(10 * seconds):
        if not actors_of(head[2]):
            break
        time.sleep(0.1)
    assert actors_of(head[2]) == []
    await_port(head[door])


@pytest.fixture
def hosts():
    """Two hosts: network namespaces with a cable between them. Each is the words that run a command there."""
    if os.geteuid() or which("ip") is None:
        pytest.skip("network namespaces are for root, and need the command ip")
    names = [f"pr-{os.getpid()}-{letter}" for letter in "ab"]

    def ip(*words, check=True):
        return subprocess.run(["ip", *words], check=check, capture_output=True)

    if ip("netns", "add", names[0], check=False).returncode:
        pytest.skip("no network namespace can be made here")
    try:
        ip("netns", "add", names[1])
        ip("link", "add", "one", "netns", names[0], "type", "veth", "peer", "name", "one", "netns", names[1])
        for number, name in enumerate(names, 1):
            ip("-n", name, "address", "add", f"10.77.0.{number}/24", "dev", "one")
            for device in ("lo", "one"):
                ip("-n", name, "link", "set", device, "up")
        yield [("ip", "netns", "exec", name) for name in names]
    finally:
        for name in names:
            for each in ip("netns", "pids", name, check=False).stdout.split():
                with suppress(OSError):
                    os.kill(int(each), signal.SIGKILL)
            ip("netns", "delete", name, check=False)


LOSING = """
    import pickle, time
    from pathlib import Path

    def lost():
        print("begun", flush=True)
        assert input() == "gone"

    with Cluster("ray://10.77.0.1:6379?actors=4", digits()) as workers:
        for _ in range(120):  # until both hosts are at work
            list(workers._ended())
            if len(workers._idle) == 4:
                break
        assert len(workers._idle) == 4
        found = searched(workers, began=lost)
    print(found == pickle.loads(Path(PLACE).read_bytes()))
"""


@pytest.mark.parametrize("end", ["killed", "cut off"])
def test_two_hosts_of_which_one_is_lost(hosts, wanted, tmp_path, end):
    """Each makes two trials at a time, until one of them is gone; what it had in hand is then made on the other."""
    first, second = hosts
    place = tmp_path / "wanted"
    place.write_bytes(pickle.dumps(wanted))
    with tempfile.TemporaryDirectory(prefix="pr-", ignore_cleanup_errors=True) as folder, ExitStack() as stack:
        ports = ["--port=6379", "--ray-client-server-port=10001", "--num-cpus=2", f"--temp-dir={folder}"]
        stack.enter_context(
            node("--head", "--include-dashboard=false", "--node-ip-address=10.77.0.1", *ports, within=first)
        )
        await_port("10.77.0.1:6379", first)
        other = ["--address=10.77.0.1:6379", "--node-ip-address=10.77.0.2", "--num-cpus=2"]
        stack.enter_context(node(*other, within=second))
        code = f"PLACE = {str(place)!r}\n" + textwrap.dedent(LOSING)
        begun = stack.enter_context(driver(code, within=first, stdin=subprocess.PIPE))
        assert begun.stdout.readline() == "begun\n"
        if end == "killed":
            there = subprocess.run([*second[:1], "netns", "pids", second[-1]], capture_output=True, check=True)
            for each in there.stdout.split():
                os.kill(int(each), signal.SIGKILL)
        else:
            subprocess.run(["ip", "-n", second[-1], "link", "set", "one", "down"], check=True)
        assert begun.communicate("gone\n", timeout=300)[0] == "True\n"
