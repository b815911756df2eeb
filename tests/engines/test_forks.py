"""A forked child has none of its parent's threads: it fits and predicts all the same, or is told why not."""

import subprocess
import sys

import pytest

from preceptor.engines.native import unavailable

NATIVE = pytest.mark.skipif(bool(unavailable()), reason=f"the native engine: {unavailable()}")

# Each script forks once, in a process of its own: what hangs here must hang no other test.
BEGIN = """
import os, signal, sys, threading, time
import numpy as np
import preceptor as pr
from preceptor import nn
from preceptor.engines import Native, Reference, Xla, choose_engine
from preceptor.train import Adam, Arrays, Config, train

rng = np.random.default_rng(0)
rows = Arrays(rng.normal(size=(4000, 20)).astype(np.float32), rng.integers(0, 3, 4000))

def trained(network, loss, engine=None, data=rows, epochs=1):
    config = Config(network, loss, Adam(), batch_size=500, epochs=epochs, engine=engine or Native("f32", 3))
    return list(train(config, data))[-1].losses

def in_child(work):
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        try:
            work()
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
"""


def run(script):
    command = [sys.executable, "-W", "ignore", "-c", BEGIN + script]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr[-2000:]


@NATIVE
@pytest.mark.parametrize("members", [1, 8])
@pytest.mark.parametrize("precision", ["f32", "bf16"])
def test_a_child_trains_to_the_same_bits(members, precision):
    run(f"""
network, loss = nn.mlp((256, 128), 3, batch_norm={members == 1}), nn.SoftmaxCrossEntropy()
if {members} > 1:
    network, loss = nn.Ensemble(network, {members}), nn.EnsembleLoss(loss)
engine = Native({precision!r}, 3)
expected = trained(network, loss, engine)

def work():
    assert np.array_equal(trained(network, loss, engine), expected)
    in_child(lambda: None if np.array_equal(trained(network, loss, engine), expected) else os._exit(2))

in_child(work)
assert np.array_equal(trained(network, loss, engine), expected)
""")


@NATIVE
def test_a_child_computes_what_its_parent_has_compiled():
    run("""
x = rng.normal(size=(4000, 300)).astype(np.float32)
function = pr.jit(lambda x: pr.softmax(pr.sin(x) @ pr.transpose(x[:300])), engine="native")
expected = function(x)
in_child(lambda: None if np.array_equal(function(x), expected) else os._exit(2))
assert np.array_equal(function(x), expected)
""")


@NATIVE
def test_a_fork_while_another_thread_trains():
    run("""
x = rng.normal(size=(800, 300)).astype(np.float32)
function = pr.jit(lambda x: pr.softmax(pr.sin(x) @ pr.transpose(x)), engine="native")
expected, done = function(x), []
threads = [threading.Thread(target=lambda: [function(x) for _ in range(20)] and done.append(1)) for _ in range(2)]
for thread in threads:
    thread.start()
for _ in range(5):
    time.sleep(0.01)
    in_child(lambda: None if np.array_equal(function(x), expected) else os._exit(2))
for thread in threads:
    thread.join()
assert len(done) == 2
""")


@NATIVE
def test_a_child_of_one_that_used_jax_computes_natively_and_is_told_why_not_by_xla():
    pytest.importorskip("jax")
    run("""
x = rng.normal(size=(400, 300)).astype(np.float32)
function = pr.jit(lambda x: pr.sin(x) @ pr.transpose(x), engine="xla")
expected = function(x)

def work():
    for precision in ("f32", "f64"):
        assert isinstance(choose_engine("auto", precision), Native)
    assert np.allclose(pr.jit(lambda x: pr.sin(x) @ pr.transpose(x))(x), expected, atol=1e-3)
    for use in (lambda: function(x), lambda: choose_engine("xla", batch_size=4), lambda: Xla().name):
        try:
            use()
        except NotImplementedError as error:
            assert str(error).startswith("xla: this process was forked from one that had used jax"), error
        else:
            raise AssertionError(use)

in_child(work)
assert np.array_equal(function(x), expected)
""")


@NATIVE
@pytest.mark.parametrize("members", [1, 16])
def test_a_child_fits_and_predicts_after_its_parent_has(members):
    """With what stands around the engine: the reading of tables has threads too."""
    run(f"""
rows = rng.normal(size=(4400, 3))
frame = {{"a": rows[:, 0], "b": rows[:, 1], "c": rows[:, 2], "y": np.where(rows[:, 0] > 0, "yes", "no")}}
import pandas
frame = pandas.DataFrame(frame)
fit = lambda: pr.fit(frame, "y", epochs=1, members={members})
run = fit()
new = frame.drop(columns="y")[:4000]
expected = run.predict(new)

def work():
    assert (run.predict(new) == expected).all()
    assert (fit().predict(new) == expected).all()

in_child(work)
""")
