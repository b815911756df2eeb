"""Whole trainings on the native engine: the same bits at every repeat, several at once, memory, mistakes."""

import gc
import sys
import threading
import time

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import preceptor as pr
from preceptor import nn
from preceptor.engines import Native, Reference
from preceptor.engines.native import unavailable
from preceptor.engines.native.engine import native
from preceptor.errors import DtypeError, MemoryNeeded, ShapeError
from preceptor.graph import flatten
from preceptor.train import SGD, Adam, Arrays, Config, Momentum, train

needs_native = pytest.mark.skipif(bool(unavailable()), reason=f"the native engine: {unavailable()}")
RNG = np.random.default_rng(0)
ROWS = Arrays(RNG.normal(size=(100, 12)).astype(np.float32), RNG.integers(0, 4, 100))
PICTURES = Arrays(RNG.normal(size=(40, 12, 12, 2)).astype(np.float32), RNG.integers(0, 3, 40))
MLP = nn.mlp((48, 32), 4, batch_norm=True, drop_rate=0.3)
CNN = nn.cnn(3)
BINS = nn.PiecewiseLinear((0, 2), (tuple(np.linspace(-2, 2, 9)), tuple(np.linspace(-1, 1, 5))))
OF_MEMBERS = (nn.Members(4), nn.MemberDense(32), nn.Relu(), nn.Dropout(0.2), nn.MemberDense(4))
COMMITTEE = nn.Committee((nn.Sequential((BINS, *OF_MEMBERS)), nn.Sequential(OF_MEMBERS)))
NARROW_ROWS = Arrays(ROWS.x[:, :4], ROWS.y)
BOTH = pytest.mark.parametrize("network, data", [(MLP, ROWS), (CNN, PICTURES)], ids=["mlp", "cnn"])


def trained(network, data, engine, optimiser=Adam(), epochs=3, seed=1, loss=nn.SoftmaxCrossEntropy()):  # noqa: B008
    """Every array of the last state, and all losses."""
    config = Config(
        network, loss, optimiser, batch_size=20, learning_rate=0.01, epochs=epochs, seed=seed,
        engine=engine,
    )  # fmt: skip
    records = list(train(config, data))
    return [*flatten(records[-1].snapshot())[0], np.concatenate([record.losses for record in records])]


def assert_same_bits(one, other):
    for a, b in zip(one, other, strict=True):
        assert a.dtype == b.dtype
        assert_array_equal(a, b)


@BOTH
@pytest.mark.parametrize("threads", [1, 2])
def test_a_training_repeats_to_the_bit(network, data, threads):
    engine = Native("f32", threads)
    first = trained(network, data, engine)
    assert_same_bits(first, trained(network, data, engine))
    assert not np.array_equal(first[-1], trained(network, data, engine, seed=2)[-1])


@BOTH
@pytest.mark.parametrize("isa", ["sse42", "avx2", "avx512"])
def test_any_number_of_threads_gives_the_same_bits(network, data, isa, limited):
    """On each instruction set that the processor has; the next lower one stands for one that it has not."""
    limited(isa)
    one = trained(network, data, Native("f32", 1))
    for threads in (2, 3):
        assert_same_bits(one, trained(network, data, Native("f32", threads)))


@pytest.mark.parametrize(
    "network, data, loss",
    [
        (MLP, ROWS, nn.SoftmaxCrossEntropy()),
        (CNN, PICTURES, nn.SoftmaxCrossEntropy()),
        (COMMITTEE, NARROW_ROWS, nn.MemberLoss()),
    ],
    ids=["mlp", "cnn", "committee"],
)
def test_avx2_and_avx512_come_to_the_same_bits(network, data, loss, limited):
    """Vectors of eight and of sixteen numbers: no sum may hang on how many there are."""
    found = []
    for isa in ("avx2", "avx512"):
        limited(isa)
        found.append(trained(network, data, Native("f32", 1), loss=loss))
    assert_same_bits(*found)


def test_large_work_is_the_same_with_one_thread_and_with_two():
    """Large enough for threads to be used: elementwise work, sums in all directions, random bits, softmax."""
    x, w = RNG.normal(size=(300, 700)).astype(np.float32), RNG.normal(size=700).astype(np.float32)

    def function(x, w):
        kept = pr.where(pr.bernoulli(pr.key(3), 0.8, x.shape), x, 0)
        normed = (kept - pr.mean(kept, 0)) / pr.sqrt(pr.variance(kept, 0) + 0.1) * w
        shares = pr.softmax(normed)
        return pr.mean(pr.sin(normed) * shares), (pr.sum(shares, 0), pr.max(normed, 1), pr.argmax(normed, 1))

    program = pr.trace(pr.value_and_grad(function, (0, 1), has_aux=True))(x, w)
    found = [Native("f32", threads).compile(program.graph)([x, w]) for threads in (1, 2)]
    assert_same_bits(*found)
    expected = Reference().compile(program.graph)([x, w])
    for ours, theirs in zip(found[0], expected, strict=True):
        assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5 * np.abs(theirs).max())


def test_two_trainings_at_once_are_each_as_if_alone():
    work = [(MLP, ROWS, Adam()), (CNN, PICTURES, Momentum())]
    alone = [trained(network, data, Native("f32", 2), optimiser) for network, data, optimiser in work]
    together = [None] * len(work)

    def run(number):
        network, data, optimiser = work[number]
        together[number] = trained(network, data, Native("f32", 2), optimiser)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, other in zip(alone, together, strict=True):
        assert_same_bits(one, other)


def endless(size):
    """(loop, state, batches, hyper) of a product for each step."""
    w = np.eye(size, dtype=np.float32)
    step = lambda state, batch, hyper: ({"w": state["w"] @ state["w"]}, {"n": batch["n"][0]})
    program = pr.trace(step)({"w": w}, {"n": np.zeros(1, np.float32)}, {})
    loop = Native("f32", 1).loop(program, None, 1000)
    return loop, loop.put({"w": w}), {"n": np.arange(1000, dtype=np.float32).reshape(1000, 1)}


def test_other_python_threads_run_while_a_loop_does():
    loop, state, batches = endless(160)
    worker = threading.Thread(target=lambda: loop(state, batches, {}))
    turns, began = 0, time.perf_counter()
    worker.start()
    while worker.is_alive():
        time.sleep(0.001)
        turns += 1
    took = time.perf_counter() - began
    assert turns > 5 * took / max(sys.getswitchinterval(), 0.05), f"{turns} turns in {took:.2f} s"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@needs_native
@pytest.mark.parametrize("count", [150, pytest.param(1000, marks=pytest.mark.slow)])
def test_many_plans_leave_no_memory_behind(count):
    """Each has half a MiB of its own at least."""
    x = np.ones((128, 2048), np.float32)

    def plan(number):
        function = lambda x: pr.sum(pr.tanh(pr.flip(pr.sin(x) * (1.0 + number), 0)), 0)
        pr.jit(function, engine="native")(x[:, : 1024 + number % 8])

    for number in range(20):  # pools of threads, caches
        plan(number)
    gc.collect()
    before = resident()
    for number in range(count):
        plan(number)
    gc.collect()
    assert resident() - before < 16 << 20


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


def test_absurd_sizes_are_refused_before_they_are_taken():
    column, row = np.ones((1 << 20, 1), np.float32), np.ones((1, 1 << 22), np.float32)
    words = (
        r"memory: the computation needs 32\.0 TiB; [\d.,]+ [GM]iB are free\. Take a smaller batch, a smaller network"
    )
    with pytest.raises(MemoryNeeded, match=words):
        pr.jit(lambda x, y: pr.sum(pr.flip(x @ y, 0)), engine="native")(column, row)


def test_a_row_that_is_not_there_is_named():
    step = lambda state, batch, hyper: ({"s": state["s"] + pr.sum(batch["x"])}, {"s": state["s"]})
    data = {"x": np.ones((10, 3), np.float32)}
    program = pr.trace(step)({"s": np.float32(0)}, {"x": data["x"][:2]}, {})
    loop = Native().loop(program, data, 4)
    state = loop.put({"s": np.float32(0)})
    with pytest.raises(IndexError, match=r"10.*10"):
        loop(state, np.array([[0, 1], [3, 10]]), {})
    state, records = loop(loop.put({"s": np.float32(0)}), np.array([[0, 1], [3, -1]]), {})
    assert_array_equal(records["s"], [0, 6])
    assert loop.get(state)["s"] == 12


def test_an_error_in_numpy_leaves_the_loop_usable(monkeypatch):
    """What has no kernel runs with the interpreter: here a product in float64."""
    step = lambda state, batch, hyper: ({"w": state["w"] @ batch["m"]}, {"t": pr.sum(state["w"])})
    program = pr.trace(step)({"w": np.eye(2)}, {"m": np.eye(2)}, {})
    loop = Native("f64").loop(program, None, 3)
    matmul = next(node.primitive for node in program.graph.nodes if node.primitive.name == "matmul")
    run = matmul.run

    def broken(*args, **params):
        raise ArithmeticError("out of numbers")

    object.__setattr__(matmul, "run", broken)
    try:
        with pytest.raises(ArithmeticError, match="out of numbers"):
            loop(loop.put({"w": np.eye(2)}), {"m": np.stack([2 * np.eye(2)] * 3)}, {})
    finally:
        object.__setattr__(matmul, "run", run)
    state, records = loop(loop.put({"w": np.eye(2)}), {"m": np.stack([2 * np.eye(2)] * 3)}, {})
    assert_array_equal(loop.get(state)["w"], 8 * np.eye(2))
    assert_array_equal(records["t"], [2, 4, 8])


def test_a_state_that_changes_its_kind_is_refused():
    """One program serves all steps, so that what a step gives has the shape and the dtype of what it was given."""
    batch = {"x": np.ones(2, np.float32)}
    for step in (
        lambda state, batch, hyper: ({"w": pr.cast(state["w"], np.float64)}, {"l": pr.sum(batch["x"])}),
        lambda state, batch, hyper: ({"w": pr.concatenate([state["w"], batch["x"]])}, {"l": pr.sum(batch["x"])}),
    ):
        program = pr.trace(step)({"w": np.ones(3, np.float32)}, batch, {})
        with pytest.raises((ShapeError, DtypeError), match="state"):
            Native().loop(program, None, 2)


def test_arrays_of_another_kind_than_the_program_s_are_converted_or_refused():
    step = lambda state, batch, hyper: ({"w": state["w"] + hyper["h"] * pr.sum(batch["x"])}, {"l": state["w"]})
    w, data = np.ones(3, np.float32), {"x": np.arange(6.0)}
    program = pr.trace(step)({"w": w}, {"x": np.ones(2, np.float32)}, {"h": np.float32(1)})
    order, hyper = np.array([[0, 5], [1, 2]]), {"h": np.ones(2)}
    for given, batches in ((data, order), (None, {"x": data["x"][order]})):
        loop = Native().loop(program, given, 2)
        state, records = loop(loop.put({"w": w}), batches, hyper)
        assert_array_equal(loop.get(state)["w"], [9, 9, 9])
        assert_array_equal(records["l"], [[1, 1, 1], [6, 6, 6]])
    for wrong in (np.ones(3), np.ones(4, np.float32), np.ones((3, 3), np.float32)):
        with pytest.raises((ShapeError, DtypeError), match="state"):
            loop(loop.put({"w": wrong}), batches, hyper)


@BOTH
def test_bf16_training_is_near_that_of_the_reference(network, data):
    """Both round factors to 8 bits; a number at the middle of two goes to either where a sum before it was rounded
    otherwise, which moves a product by 2^-8 of one of its terms. Winograd's are rounded once more where the processor
    multiplies bfloat16, which moves a product by some 1 % of its size."""
    least = 2e-4 if network is CNN and native().has_halves() else 1e-5
    found = [trained(network, data, engine, SGD(), epochs=1) for engine in (Native("bf16"), Reference("bf16"))]
    for ours, theirs in zip(*found, strict=True):
        assert ours.dtype == theirs.dtype
        assert_allclose(ours, theirs, rtol=2e-3, atol=max(least, 2e-3 * np.abs(theirs).max(initial=0)))
    exact = trained(network, data, Reference("f32"), SGD(), epochs=1)
    assert np.abs(found[0][-1] - exact[-1]).max() > 1e-5


def test_one_function_may_be_called_by_several_threads_at_once():
    x = RNG.normal(size=(200, 300)).astype(np.float32)
    function = pr.jit(lambda x, n: pr.sum(pr.sin(pr.flip(pr.exp(pr.sin(x)) * n, 0)), 1), engine="native")
    expected = [function(x, np.float32(n)) for n in range(4)]
    wrong = []

    def run(n):
        for _ in range(15):
            try:
                if not np.array_equal(function(x, np.float32(n)), expected[n]):
                    wrong.append(n)
            except Exception as error:
                wrong.append(error)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
