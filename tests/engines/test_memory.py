"""How much memory is free, as the system, groups of processes and limits tell; and what is said where it is not."""

import re
import subprocess
import sys

import numpy as np
import pytest

import preceptor as pr
from preceptor import machine
from preceptor.engines import Native, Reference, Xla, memory, memory_named, require_memory
from preceptor.engines.native import unavailable
from preceptor.errors import MemoryNeeded
from preceptor.machine import free_memory

MIB = 2**20
NATIVE = pytest.mark.skipif(bool(unavailable()), reason=f"the native engine: {unavailable()}")


@pytest.fixture
def system(monkeypatch, tmp_path):
    """A machine of which these files tell; paths are those below /proc and /sys/fs/cgroup."""
    monkeypatch.setattr(machine, "PROC", tmp_path / "proc")
    monkeypatch.setattr(machine, "GROUPS", tmp_path / "groups")
    monkeypatch.setattr(machine, "_own_limits", list)

    def make(available, cgroup="0::/\n", swap=0, **groups):
        files = {
            "proc/meminfo": f"MemTotal: 99999999 kB\nMemAvailable: {available} kB\nSwapFree: {swap} kB\nHugePages: 0\n",
            "proc/self/cgroup": cgroup,
        }
        for path, text in {**files, **{f"groups/{name}": text for name, text in groups.items()}}.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)

    return make


def test_the_least_of_what_is_told_is_free(system):
    system(4096, swap=1024)
    assert free_memory() == 5 * MIB
    inactive = {"job/memory.stat": "anon 5\ninactive_file 1000\nactive_file 7\n"}
    system(4096, "0::/job\n", **{"job/memory.max": "3000000", "job/memory.current": "2500000"}, **inactive)
    assert free_memory() == 501_000
    above = {"memory.max": "2600000", "memory.current": "2500000", "memory.stat": "inactive_file 0\n"}
    system(4096, "0::/job\n", **above)
    assert free_memory() == 100_000
    system(4096, "0::/job\n", **{"job/memory.max": "max", "memory.max": "2000000"})
    assert free_memory() == 0, "more is taken than the limit"


def test_a_group_without_a_limit_tells_nothing(system):
    group = {"memory.current": "600", "memory.stat": "anon 500\ninactive_file 100\n"}
    system(4096, **{"memory.max": "max"}, **group)
    assert machine._groups() == []
    system(4096, **{"memory.max": "1000"}, **group)
    assert machine._groups() == [500]


def test_groups_of_the_older_kind_limit_too(system):
    group = {"limit_in_bytes": "3000000", "usage_in_bytes": "1000000", "stat": "total_inactive_file 5\n"}
    system(4096, "4:cpu:/x\n3:memory:/job\n", **{f"memory/job/memory.{name}": text for name, text in group.items()})
    assert free_memory() == 2_000_005


def test_a_machine_that_tells_nothing_refuses_nothing(system, monkeypatch):
    monkeypatch.setattr("os.sysconf", lambda name: (_ for _ in ()).throw(ValueError))
    assert free_memory() is None
    require_memory(2**80, "a planet")


def test_the_refusal_names_both_numbers_and_the_cure(system):
    system(1024)
    require_memory(MIB, "the network")
    words = r"memory: the network needs 1\.5 GiB; 1 MiB are free\. Take a smaller batch, a smaller network or less data"
    with pytest.raises(MemoryNeeded, match=words):
        require_memory(3 * 2**29, "the network")


def test_what_a_library_refuses_is_named():
    words = r"memory: the rows could not have it \(Unable to allocate .*\); [\d.,]+ [TGM]iB are free\. Take a smaller"
    with pytest.raises(MemoryNeeded, match=words), memory_named("the rows"):
        np.empty(2**60, np.uint8)


@pytest.mark.parametrize("engine", [Reference(), Native(), Xla()], ids=["reference", "native", "xla"])
def test_every_engine_refuses_in_words_what_it_cannot_have(engine):
    x = np.ones(2**21, np.float32)  # of 16 TiB is the table of its products
    program = pr.trace(lambda x: pr.flip(pr.reshape(x, (-1, 1)) * x, 0))(x)
    with pytest.raises(MemoryNeeded, match=r"memory: the computation (needs|could not have it)"):
        engine.compile(program.graph)([x])


@NATIVE
def test_what_a_step_needs_is_known_and_refused_before_the_first_one(monkeypatch):
    step = lambda state, batch, hyper: ({"w": pr.tanh(state["w"] @ batch["m"])}, {"l": pr.sum(state["w"])})
    state = {"w": np.ones((256, 512), np.float32)}
    program = pr.trace(step)(state, {"m": np.ones((512, 512), np.float32)}, {})
    needed = Native("f32", 1).loop(program, None, 1).step_bytes
    assert 256 * 512 * 4 <= needed < 8 * MIB
    monkeypatch.setattr(memory, "free_memory", lambda: needed + state["w"].nbytes - 1)
    with pytest.raises(MemoryNeeded, match=r"memory: a step of the training needs \d+ MiB; \d+ MiB are free\. Take a"):
        Native("f32", 1).loop(program, None, 1)
    monkeypatch.setattr(memory, "free_memory", lambda: needed + state["w"].nbytes)
    Native("f32", 1).loop(program, None, 1)


LIMITED = """
import resource, sys
import numpy as np
import preceptor as pr
from preceptor.engines import Native
from preceptor.errors import MemoryNeeded
from preceptor.machine import free_memory

x = np.ones((64, 64), np.float32)
program = pr.trace(lambda x: pr.flip(pr.sin(x) @ x, 0))(x)
expected = Native("f32", 1).compile(program.graph)([x])[0]
taken = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + (48 << 20),) * 2)
assert free_memory() <= 48 << 20, free_memory()
x = np.ones((2048, 2048), np.float32)
program = pr.trace(lambda x: pr.flip(pr.flip(pr.sin(x), 0) @ pr.flip(pr.cos(x), 1), 0))(x)
try:
    Native("f32", 2).compile(program.graph)([x])
except MemoryNeeded as error:
    print(error)
x = np.random.default_rng(0).normal(size=(600, 600)).astype(np.float32)  # there is no room for the stacks of 40 threads
program = pr.trace(lambda x: x @ x)(x)
one, many = (Native("f32", threads).compile(program.graph)([x])[0] for threads in (1, 40))
assert np.array_equal(one, many)
"""


@NATIVE
def test_a_limit_of_the_process_is_kept_and_threads_that_cannot_be_had_are_done_without():
    ended = subprocess.run([sys.executable, "-c", LIMITED], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    assert re.match(r"memory: the computation needs \d+ MiB; \d+ MiB are free\. Take a smaller batch", ended.stdout)
