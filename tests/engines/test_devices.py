"""One batch on many devices: the weights, losses and running averages of a single device's training, to rounding."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import preceptor
from preceptor.engines import Reference, Xla, agreed, choose_engine, is_first_process, xla
from preceptor.errors import ConfigError

PROGRAM = Path(__file__).with_name("device_trainings.py")
ROUNDING = 1e-6  # of the largest number in an array
SECONDS = 400  # a training that waits for another for ever is ended


class Trainings:
    """A process that trains on simulated devices."""

    def __init__(self, out, wanted, devices=1, **environment):
        self.out = out
        plain = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "XLA_"))}
        self.process = subprocess.Popen(
            [sys.executable, str(PROGRAM), str(out), *wanted],
            env=plain
            | {
                "JAX_PLATFORMS": "cpu",
                "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",  # compiling takes most of the time
                "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
                "PYTHONPATH": str(Path(preceptor.__file__).parents[1]),
            }
            | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def results(self):
        """{training: {path: array}}, and what the process knew."""
        said, _ = self.process.communicate(timeout=SECONDS)
        assert self.process.returncode == 0, said
        arrays = {}
        with np.load(f"{self.out}.npz") as found:
            for name in found:
                training, _, path = name.partition("/")
                arrays.setdefault(training, {})[path] = found[name]
        return arrays, json.loads(Path(f"{self.out}.json").read_text())


@pytest.fixture
def start():
    """Starts trainings in processes of their own, none of which outlives the test."""
    begun = []

    def begin(*args, **given):
        begun.append(Trainings(*args, **given))
        return begun[-1]

    yield begin
    for each in begun:
        each.process.kill()
        each.process.communicate()


def assert_same(found, expected):
    """The same arrays, to rounding."""
    assert found.keys() == expected.keys()
    assert len(found["losses"]) == 10
    for path, array in expected.items():
        scale = np.abs(array).max(initial=0)
        np.testing.assert_allclose(found[path], array, rtol=0, atol=ROUNDING * scale, err_msg=path)


def test_any_number_of_devices_trains_as_one(start, tmp_path):
    """Rows that are held and rows that are brought, all steps in one program and one by one, with dropout and batch
    normalisation; and on one device from where eight had come to."""
    pytest.importorskip("jax")
    of_one = {"held:2": "held:1", "held:4": "held:1", "held:8": "held:1", "held:8:1": "held:1", "brought:8": "held:1"}
    of_one["pictures:4"] = "pictures:1"
    arrays, known = start(tmp_path / "eight", dict.fromkeys([*of_one.values(), *of_one]), devices=8).results()
    for training, single in of_one.items():
        assert_same(arrays[training], arrays[single])
    assert [known["engines"][f"held:{count}"] for count in (1, 2, 8)] == ["xla (CPU)", "xla (2 x CPU)", "xla (8 x CPU)"]
    assert arrays["held:1"]["losses"][0] > arrays["held:1"]["losses"][-1]


def test_two_processes_train_as_one(start, tmp_path):
    pytest.importorskip("jax")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    together = {
        "JAX_COORDINATOR_ADDRESS": address,
        "JAX_COORDINATOR_BIND_ADDRESS": address,
        "JAX_NUM_PROCESSES": "2",
    }
    both = [start(tmp_path / f"{i}", ["held:", "pictures:"], **together, JAX_PROCESS_ID=str(i)) for i in range(2)]
    expected, alone = start(tmp_path / "alone", ["held:", "pictures:"]).results()
    (first, known), (second, also) = [each.results() for each in both]
    for training in expected:
        assert_same(first[training], expected[training])
        for path, array in first[training].items():
            np.testing.assert_array_equal(second[training][path], array)
        assert known["engines"][training] == also["engines"][training] == "xla (2 x CPU in 2 processes)"
    assert [each["is_first"] for each in (alone, known, also)] == [True, True, False]
    assert [each["agreed"] for each in (alone, known, also)] == [0.1, 1 / 3, 1 / 3]


def seen(monkeypatch, *counts):
    """As though processes had so many devices."""
    monkeypatch.setattr(xla, "_devices", lambda: [[object()] * count for count in counts])


def test_as_many_devices_share_as_divide_the_batch(monkeypatch):
    seen(monkeypatch, 8)
    assert [Xla().sharing(rows) for rows in (32, 20, 25, 7, 1)] == [8, 5, 5, 7, 1]
    assert Xla(devices=4).sharing(32) == 4
    assert choose_engine("xla", batch_size=20).devices == 5
    assert choose_engine("xla", devices=2, batch_size=20).devices == 2
    seen(monkeypatch, 4, 4)
    assert [Xla().sharing(rows) for rows in (32, 12, 10)] == [8, 6, 2]


def test_devices_that_cannot_share_a_batch_are_refused(monkeypatch):
    seen(monkeypatch, 8)
    with pytest.raises(ConfigError, match=r"devices: received 8, for batches of 20 rows; jax sees 8, in 1 process\. .* "
                       r"Choose one of 1, 2, 4, 5\."):  # fmt: skip
        Xla(devices=8).sharing(20)
    with pytest.raises(ConfigError, match=r"received 9, .* jax sees 8"):
        choose_engine("xla", devices=9, batch_size=9)
    seen(monkeypatch, 4, 4)
    with pytest.raises(ConfigError, match=r"received 3, .* in 2 processes"):
        Xla(devices=3).sharing(12)
    with pytest.raises(ConfigError, match="Choose a batch size that is a multiple of 2"):
        Xla().sharing(25)
    with pytest.raises(ConfigError, match="devices: received 0; at least 1 is required"):
        Xla(devices=0)
    with pytest.raises(ConfigError, match="devices: received 2 with the reference engine; it has one"):
        choose_engine("reference", devices=2)
    assert isinstance(choose_engine("reference", devices=1, batch_size=3), Reference)


def test_a_process_alone_is_the_first_and_agrees_with_itself():
    assert is_first_process()
    assert agreed(0.1) == 0.1


def test_processes_that_cannot_find_each_other_are_told_what_they_need():
    pytest.importorskip("jax")
    done = subprocess.run(
        [sys.executable, "-c", "from preceptor.engines import is_first_process as f; f()"],
        env=os.environ | {"JAX_COORDINATOR_ADDRESS": "127.0.0.1:1", "JAX_NUM_PROCESSES": "2",
                          "PYTHONPATH": str(Path(preceptor.__file__).parents[1])},
        capture_output=True, text=True, timeout=SECONDS,
    )  # fmt: skip
    assert "ConfigError: xla: received JAX_COORDINATOR_ADDRESS=127.0.0.1:1, but" in done.stderr
    assert "only one is set" in done.stderr
