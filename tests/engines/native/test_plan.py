"""Plans: memory, views, steps, host functions, cancelling, and what is refused."""

import gc
import threading
import weakref

import numpy as np
import pytest
from numpy.testing import assert_array_equal

_native = pytest.importorskip("preceptor.engines.native._native", reason="installed without the native engine")


def copy_words(count, source, target):
    return [4, 1, count, source, 4, target, 4]


def test_memory_is_zeroed_and_views_keep_it():
    plan = _native.Plan(1 << 23, 1, 1)
    whole = plan.view(0, (1 << 21,), "float32")
    assert not whole.any()
    assert whole.ctypes.data % 64 == 0
    part = plan.view(64, (2, 3), "int16")
    part[:] = 7
    assert plan.view(64, (), "int16") == 7
    assert plan.view(128, (0, 5), "bool").shape == (0, 5)
    del plan
    gc.collect()
    whole[:] = 1
    assert_array_equal(part.ravel(), np.ones(3, "f4").view("i2"))


def test_segments_advance_with_each_step():
    """Five batches are copied one after the other, each next to the last."""
    batches, out = np.arange(15, dtype="f4"), np.zeros(15, "f4")
    plan = _native.Plan(64, 3, 1)
    plan.add("copy", copy_words(3, 1 << 48, 8))
    plan.add("copy", np.array(copy_words(3, 8, 2 << 48)))
    assert plan.run([batches.ctypes.data, out.ctypes.data], [12, 12], 5) == plan.done == 5
    assert_array_equal(out, batches)
    assert len(plan.profile([batches.ctypes.data, out.ctypes.data], [0, 0], 3)) == 2


def test_host_functions_run_in_order_and_their_errors_end_the_run():
    plan = _native.Plan(64, 1, 1)
    number = plan.view(0, (2,), "float32")
    calls = []

    def count():
        calls.append(float(number[1]))
        number[0] += 1
        if len(calls) == 4:
            raise KeyError("enough")

    plan.add_host(count)
    plan.add("copy", copy_words(1, 0, 4))
    with pytest.raises(KeyError, match="enough"):
        plan.run([], [], 10)
    assert calls == [0, 1, 2, 3]
    assert plan.done == 3


def test_a_plan_whose_functions_hold_views_is_freed():
    class Witness:
        pass

    witness, plan = Witness(), _native.Plan(1 << 20, 1, 1)
    view, alive = plan.view(0, (4,), "float32"), weakref.ref(witness)
    plan.add_host(lambda view=view, witness=witness: None)
    del plan, view, witness
    assert alive() is None


def test_cancelling_from_another_thread():
    plan, started = _native.Plan(64, 1, 1), threading.Event()
    plan.add_host(started.set)
    done = []
    runner = threading.Thread(target=lambda: done.append(plan.run([], [], 10**9)))
    runner.start()
    assert started.wait(10)
    with pytest.raises(RuntimeError, match="the plan is already running in another thread"):
        plan.run([], [], 1)
    plan.cancel()
    runner.join(10)
    assert 0 < done[0] < 10**9
    assert plan.run([], [], 3) == 3


def test_what_is_refused():
    with pytest.raises(MemoryError, match=r"memory of the plan: needs 1073741824 MiB; this machine has \d+ MiB"):
        _native.Plan(1 << 50, 1, 1)
    with pytest.raises(MemoryError):
        _native.Plan(-1, 1, 1)
    plan = _native.Plan(100, 2, 1)
    with pytest.raises(ValueError, match="no kind of instruction is called 'dance'"):
        plan.add("dance", [1])
    with pytest.raises(ValueError, match="too few words"):
        plan.add("copy", [4, 1])
    with pytest.raises(ValueError, match="too many words"):
        plan.add("copy", [*copy_words(1, 0, 4), 0])
    with pytest.raises(ValueError, match="the plan has 1 segments besides its own; received 0 addresses"):
        plan.run([], [], 1)
    with pytest.raises(ValueError, match="view: bytes 96 to 104 are outside the plan's memory of 100"):
        plan.view(96, (2,), "float32")
    with pytest.raises(ValueError, match="instruction set: received 'mmx'; it must be one of sse42, avx2, avx512"):
        _native.limit_isa("mmx")
