"""One step as a program: what goes in, what comes out, and its numbers by hand."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import preceptor as pr
from preceptor import nn
from preceptor.engines import Reference
from preceptor.errors import ShapeError
from preceptor.graph import call_graph, flatten
from preceptor.train import L1, L2, SGD, Adam, AdamW, Momentum
from preceptor.train.step import first_state, hyper_values, make_step

X = np.array([[1.0, 2.0], [3.0, -1.0]])
Y = np.array([1.0, 2.0])


def program_of(network, loss=nn.Quadratic(), optimiser=SGD(), penalties=(), x=X, y=Y):  # noqa: B008
    params, state = network.init(np.random.default_rng(0), pr.Spec((1, *x.shape[1:]), x.dtype))
    params, state = ({path: p.astype(x.dtype) for path, p in part.items()} for part in (params, state))
    everything = first_state(params, state, optimiser, seed=3)
    batch = {"x": pr.Spec(x.shape, x.dtype), "y": pr.Spec(y.shape, y.dtype)}
    return make_step(network, loss, optimiser, penalties, everything, batch), everything


def run(program, *args):
    return program.results.build(iter(call_graph(program.graph, flatten(args)[0])))


def numbers(learning_rate=0.1, step=1, **more):
    return {"learning_rate": np.float64(learning_rate), "step": np.int32(step)} | more


def test_linear_regression_by_hand():
    """w = 0, b = 0: errors -1 and -2, loss (1 + 4) / 4; the mean gradient of w is (-1 x1 - 2 x2) / 2, of b -1.5."""
    program, state = program_of(nn.linear_model(1))
    after, records = run(program, state, {"x": X, "y": Y}, numbers(0.1))
    assert records["loss"] == 1.25
    assert_allclose(after["params"]["output/weight"], [[0.1 * 3.5], [0.1 * 0.0]], rtol=1e-15, atol=1e-17)
    assert_allclose(after["params"]["output/bias"], [0.15], rtol=1e-15)


def test_penalties_pull_but_are_left_out_of_the_loss():
    network = nn.Sequential((nn.Dense(1, initialiser=nn.Constant(2.0)),))
    program, state = program_of(network, penalties=(L2(0.5), L1(0.25)))
    plain, _ = program_of(network)
    own = {"penalty0": np.float64(0.5), "penalty1": np.float64(0.25)}
    after, records = run(program, state, {"x": X, "y": Y}, numbers(0.1, **own))
    bare, bare_records = run(plain, state, {"x": X, "y": Y}, numbers(0.1))
    assert records["loss"] == bare_records["loss"]
    pull = bare["params"]["dense1/weight"] - after["params"]["dense1/weight"]
    assert_allclose(pull, np.full((2, 1), 0.1 * (0.5 * 2 + 0.25)), rtol=1e-14)
    assert_array_equal(bare["params"]["dense1/bias"], after["params"]["dense1/bias"])


def test_every_number_of_optimiser_and_penalties_is_an_input():
    assert hyper_values(AdamW(), [L2(0.5), L1(0.25)]) == {
        "beta1": 0.9,
        "beta2": 0.999,
        "epsilon": 1e-8,
        "weight_decay": 0.01,
        "penalty0": 0.5,
        "penalty1": 0.25,
    }
    assert hyper_values(SGD(), []) == {}
    program, _ = program_of(nn.linear_model(1), optimiser=Momentum(0.5))
    other, _ = program_of(nn.linear_model(1), optimiser=Momentum(0.7))
    strip = lambda program: [line.split("  #")[0] for line in str(program.graph).splitlines()]
    assert strip(program) == strip(other)


def test_the_state_that_comes_out_is_laid_out_as_the_one_that_went_in():
    network = nn.mlp((4,), 3, batch_norm=True, drop_rate=0.5)
    program, state = program_of(network, nn.SoftmaxCrossEntropy(), Adam(), y=np.array([0, 2], np.int32))
    values = {name: np.float64(value) for name, value in hyper_values(Adam(), ()).items()}
    after, records = run(program, state, {"x": X, "y": np.array([0, 2], np.int32)}, numbers(**values))
    assert set(after) == {"params", "state", "optimiser", "key"}
    assert flatten(after)[1] == flatten(state)[1]
    for before, now in zip(flatten(state)[0], flatten(after)[0], strict=True):
        assert (before.shape, before.dtype) == (now.shape, now.dtype)
    assert set(records) == {"loss"}
    assert records["loss"].shape == ()
    assert_array_equal(after["key"], state["key"])


def test_masks_come_from_seed_and_step_alone():
    network = nn.mlp((64,), 1, drop_rate=0.5)
    program, state = program_of(network)
    batch = {"x": X, "y": Y}
    losses = [run(program, state, batch, numbers(0.0, step))[1]["loss"] for step in (1, 2, 1)]
    assert losses[0] == losses[2] != losses[1]
    other = state | {"key": pr.key(4)}
    assert run(program, other, batch, numbers(0.0, 1))[1]["loss"] != losses[0]


def test_running_averages_move_with_the_batch():
    network = nn.Sequential((nn.BatchNorm(), nn.Dense(1)))
    program, state = program_of(network)
    after, _ = run(program, state, {"x": X, "y": Y}, numbers(0.0))
    assert_allclose(after["state"]["batchnorm1/mean"], 0.1 * X.mean(0), rtol=1e-14)
    assert_allclose(after["state"]["batchnorm1/variance"], 0.9 + 0.1 * X.var(0, ddof=1), rtol=1e-14)


def test_float32_stays_float32_throughout():
    x, y = X.astype(np.float32), Y.astype(np.float32)
    program, _ = program_of(nn.mlp((4,), 1, batch_norm=True), optimiser=AdamW(), penalties=(L2(0.1),), x=x, y=y)
    assert not [node for node in program.graph.nodes if node.spec.dtype == np.float64]


def test_a_network_that_does_not_suit_the_target_is_refused_when_the_program_is_built():
    with pytest.raises(ShapeError, match=r"outputs have shape \(2, 3\), the target \(2,"):
        program_of(nn.linear_model(3))


def test_the_program_runs_without_an_engine_and_with_one():
    program, state = program_of(nn.mlp((4,), 1))
    batch = {"x": X, "y": Y}
    by_hand, records = run(program, state, batch, numbers(0.1))
    loop = Reference().loop(program, {"x": X, "y": Y}, 1)
    hyper = {"learning_rate": np.full(1, 0.1), "step": np.ones(1, np.int32)}
    after, kept = loop(loop.put(state), np.array([[0, 1]]), hyper)
    for path, p in by_hand["params"].items():
        assert_array_equal(after["params"][path], p)
    assert_array_equal(kept["loss"], [records["loss"]])
