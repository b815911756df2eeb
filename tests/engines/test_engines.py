"""The engines beside each other: choice, precision, compilation, the training loop."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import preceptor as pr
from preceptor.engines import choose_engine

ENGINES = ("reference", "native", "xla")
RNG = np.random.default_rng(0)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_function_is_traced_once_for_each_shape_and_dtype(engine):
    count = 0

    def function(x, scale):
        nonlocal count
        count += 1
        return {"out": x * scale}

    compiled = pr.jit(function, engine=engine)
    x = np.ones(3, np.float32)
    for scale in (1.0, 2.0, 3.5):
        assert_array_equal(compiled(x, np.float32(scale))["out"], x * scale)
    assert count == 1
    compiled(np.ones(4, np.float32), np.float32(1))
    compiled(x.astype(np.float64), np.float32(1))
    assert count == 3


@pytest.mark.parametrize("engine", ENGINES)
def test_float64_is_kept_where_asked_for(engine):
    out = pr.jit(lambda x: x + 1e-12, engine=engine)(np.float64(1.0))
    assert out.dtype == np.float64
    assert out - 1.0 == pytest.approx(1e-12, rel=1e-3)
    assert pr.jit(lambda x: x * 2, engine=engine)(np.arange(3)).dtype == np.int64
    assert pr.jit(lambda x: x + 1, engine=engine)(np.float32(1.0)).dtype == np.float32


def test_bfloat16_products_agree():
    x, y = RNG.normal(size=(16, 64)).astype(np.float32), RNG.normal(size=(64, 8)).astype(np.float32)
    function = lambda x, y: pr.value_and_grad(lambda x: pr.sum(pr.sin(x @ y)))(x)
    reference, *rest = (pr.jit(function, engine=engine, precision="bf16")(x, y) for engine in ENGINES)
    for results in rest:
        for one, other in zip(reference, results, strict=True):
            assert_allclose(one, other, rtol=1e-4, atol=1e-4 * np.abs(one).max())
            assert one.dtype == other.dtype == np.float32
    exact = pr.jit(lambda x, y: x @ y, engine="reference")(x, y)
    rounded = pr.jit(lambda x, y: x @ y, engine="reference", precision="bf16")(x, y)
    error = np.abs(rounded - exact).max() / np.abs(exact).max()
    assert 1e-5 < error < 2**-7
    wide = pr.jit(lambda x, y: x @ y, engine="reference", precision="bf16")(x.astype(np.float64), y.astype(np.float64))
    assert_allclose(wide, x.astype(np.float64) @ y, rtol=1e-12)


def test_rounding_to_bfloat16_is_to_nearest_with_ties_to_even():
    from preceptor.ops.linear import _round_to_bfloat16

    jax = pytest.importorskip("jax")
    x = np.concatenate(
        [RNG.normal(size=1000).astype(np.float32), np.float32([0, -0.0, np.inf, -np.inf, np.nan, 1.00390625])]
    )
    assert_array_equal(_round_to_bfloat16(x), np.asarray(jax.numpy.asarray(x).astype("bfloat16").astype("float32")))


def step(state, batch, hyper):
    """One step of gradient descent on a line, with a running count."""
    loss, grads = pr.value_and_grad(lambda w: pr.mean((batch["x"] * w["slope"] + w["shift"] - batch["y"]) ** 2))(
        state["w"]
    )
    w = {name: state["w"][name] - hyper["learning_rate"] * grads[name] for name in grads}
    return {"w": w, "count": state["count"] + 1}, {"loss": loss, "slope": w["slope"]}


@pytest.mark.parametrize("engine", ENGINES)
def test_loop_is_the_step_repeated(engine):
    x = RNG.normal(size=20).astype(np.float32)
    data = {"x": x, "y": 3 * x + 1}
    state = {"w": {"slope": np.float32(0), "shift": np.float32(0)}, "count": np.int32(0)}
    order = np.stack([RNG.permutation(20)[:5] for _ in range(12)])
    rates = {"learning_rate": np.linspace(0.3, 0.1, 12).astype(np.float32)}
    batch = {name: values[:5] for name, values in data.items()}
    program = pr.trace(step)(state, batch, {"learning_rate": np.float32(0.1)})

    expected, losses = state, []
    for rows, rate in zip(order, rates["learning_rate"], strict=True):
        now = {name: values[rows] for name, values in data.items()}
        expected, records = step(expected, now, {"learning_rate": rate})
        losses.append(records["loss"])

    loop = choose_engine(engine).loop(program, data, capacity=8)
    moved = loop.put(state)
    kept = []
    for start, stop in ((0, 8), (8, 8), (8, 12)):  # a full call, an empty one, a shorter one
        moved, records = loop(moved, order[start:stop], {name: values[start:stop] for name, values in rates.items()})
        kept.extend(records.get("loss", []))
    result = loop.get(moved)
    assert_allclose(kept, losses, rtol=1e-4)
    assert_allclose(result["w"]["slope"], expected["w"]["slope"], rtol=1e-5)
    assert result["count"] == 12
    assert result["count"].dtype == np.int32
    assert state["w"]["slope"] == 0  # the caller's state is never written to
