"""Too large a training is refused in words, with the numbers, before anything is drawn or written."""

import subprocess
import sys

import numpy as np
import pytest

from preceptor import nn
from preceptor.errors import ConfigError
from preceptor.job import fit, make_settings, prepare
from preceptor.nn import initial_specs
from preceptor.ops import Spec
from preceptor.train import SGD, Adam, Momentum
from preceptor.train import memory as memories
from preceptor.train.average import EMA
from preceptor.train.step import Update
from preceptor.train.training import Config, parameter_bytes

QUICK = {"engine": "native", "epochs": 1, "hidden": (4,)}


def test_a_network_of_billions_of_units_is_refused(tmp_path):
    for width in (10**9, 10**12, 2**62):
        with pytest.raises(ConfigError, match=rf"^fit: the network has {8 * width + 3:,} parameters; to train"):
            fit("iris", hidden=(width,), out=tmp_path / "run")
    with pytest.raises(ConfigError, match=r"^fit: the network has [\d,]{40,} parameters; to train"):
        fit("iris", hidden=(10**18, 10**18), batch_norm=True, members=3, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("optimiser, average, slots", [(SGD(), None, 0), (Momentum(), None, 1), (Adam(), EMA(), 3)])
def test_what_is_held_of_the_parameters(optimiser, average, slots):
    """20 numbers of 4 bytes, with what optimiser and average keep; all this twice while it is saved; and the best."""
    config = Config(nn.Dense(5), nn.Quadratic(), optimiser, update=Update(average=average))
    params, _ = initial_specs(config.network, Spec((1, 3), np.dtype(np.float32)))
    assert parameter_bytes(config, params) == 80 * (2 * (1 + slots) + 1)


def test_a_step_that_does_not_fit_is_refused_and_leaves_no_folder(tmp_path, monkeypatch):
    fitting = prepare("iris", make_settings(QUICK))
    fitting.open_folder(tmp_path / "run")
    monkeypatch.setattr(memories, "free_memory", lambda: 1000)
    with pytest.raises(ConfigError, match=r"^fit: training takes [\d.]+ MiB of memory for a step over 32 rows and"):
        next(fitting.records())
    assert not (tmp_path / "run").exists()


def test_a_lack_of_memory_elsewhere_is_said(monkeypatch):
    monkeypatch.setattr(memories, "free_memory", lambda: 3 * 2**30)
    with pytest.raises(ConfigError) as error, memories.in_words("a step"):
        raise MemoryError("Unable to allocate 4.00 GiB for an array.")
    assert str(error.value).startswith(
        "fit: the memory does not suffice for a step (Unable to allocate 4.00 GiB for an array); 3 GiB are free."
    )


@pytest.mark.skipif(sys.platform != "linux", reason="limits of a process are read from /proc")
def test_the_limit_of_the_process_counts():
    program = """
import resource
from preceptor.machine import free_memory
before = free_memory()
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
print(before is not None, 0 < free_memory() <= 3 << 30)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"]
