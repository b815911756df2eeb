"""One step as a program: what goes in, what comes out, and its numbers by hand."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import preceptor as pr
from preceptor import nn
from preceptor.engines import Native, Reference, Xla
from preceptor.errors import ConfigError, ShapeError
from preceptor.graph import call_graph, execute, flatten
from preceptor.train import L1, L2, SGD, Adam, AdamW, Momentum, Muon
from preceptor.train.average import EMA, SWA
from preceptor.train.step import Update, first_state, hyper_values, make_step, predicting

X = np.array([[1.0, 2.0], [3.0, -1.0]])
Y = np.array([1.0, 2.0])


def program_of(network, loss=nn.Quadratic(), optimiser=SGD(), penalties=(), x=X, y=Y, update=Update()):  # noqa: B008
    params, state = network.init(np.random.default_rng(0), pr.Spec((1, *x.shape[1:]), x.dtype))
    params, state = ({path: p.astype(x.dtype) for path, p in part.items()} for part in (params, state))
    everything = first_state(params, state, optimiser, 3, update)
    batch = {"x": pr.Spec(x.shape, x.dtype), "y": pr.Spec(y.shape, y.dtype)}
    return make_step(network, loss, optimiser, penalties, everything, batch, update), everything


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


# Clipping -----------------------------------------------------------------------------------------------------------


def data_for(rows, classes=3, dtype=np.float64):
    rng = np.random.default_rng(1)
    return rng.normal(size=(rows, 4)).astype(dtype), rng.integers(0, classes, rows).astype(np.int32)


def moves(update, x, y, network=None, hyper=None, engine=None, state=None, optimiser=SGD(), penalties=()):  # noqa: B008
    """(parameters and the rest before, after one step of rate 1, records) under an update."""
    network = network or nn.mlp((5,), 3, activation=nn.Tanh())
    program, before = program_of(network, nn.SoftmaxCrossEntropy(), optimiser, penalties, x, y, update)
    values = {"learning_rate": 1.0} | hyper_values(optimiser, penalties, update, 10) | (hyper or {})
    loop = (engine or Reference("f64")).loop(program, {"x": x, "y": y}, 1)
    numbers = {name: np.full(1, value, x.dtype) for name, value in values.items()} | {"step": np.ones(1, np.int32)}
    after, kept = loop(loop.put(state or before), np.arange(len(x))[None], numbers)
    return before, loop.get(after), kept["loss"][0]


@pytest.mark.parametrize("engine", [Reference("f64"), Native("f64"), Xla("f64")], ids=["reference", "native", "xla"])
@pytest.mark.parametrize(
    "given, clip",
    [
        ({"clip_value": 0.05}, lambda nn, leaves: nn.clip_grad_value_(leaves, 0.05)),
        ({"clip_norm": 0.1}, lambda nn, leaves: nn.clip_grad_norm_(leaves, 0.1)),
        ({"clip_norm": 1e3}, lambda nn, leaves: nn.clip_grad_norm_(leaves, 1e3)),
    ],
    ids=["value", "norm", "norm that is never reached"],
)
def test_clipped_as_by_pytorch(torch, engine, given, clip):
    x, y = data_for(8)
    before, after, _ = moves(Update(**given), x, y, engine=engine)
    _, free, _ = moves(Update(), x, y)
    leaves = {path: torch.tensor(p, requires_grad=True) for path, p in before["params"].items()}
    hidden = torch.tanh(torch.tensor(x) @ leaves["hidden1/weight"] + leaves["hidden1/bias"])
    outputs = hidden @ leaves["output/weight"] + leaves["output/bias"]
    torch.nn.functional.cross_entropy(outputs, torch.tensor(y).long()).backward()
    clip(torch.nn.utils, leaves.values())
    changed = False
    for path, p in leaves.items():
        expected = before["params"][path] - p.grad.numpy()
        assert_allclose(after["params"][path], expected, rtol=1e-12, atol=1e-14)
        changed |= bool(np.abs(expected - free["params"][path]).max() > 1e-3)
    assert changed == (1e3 not in given.values())


def test_a_clip_is_an_input_of_the_step():
    x, y = data_for(8)
    _, one, _ = moves(Update(clip_norm=0.1), x, y)
    _, other, _ = moves(Update(clip_norm=5.0), x, y, hyper={"clip_norm": 0.1})
    assert_array_equal(one["params"]["hidden1/weight"], other["params"]["hidden1/weight"])


def test_both_kinds_of_clipping_together_are_refused():
    with pytest.raises(ConfigError, match="received clip_value and clip_norm; one of them is required"):
        Update(clip_value=1.0, clip_norm=1.0)
    for name in ("clip_value", "clip_norm", "accumulate"):
        with pytest.raises(ConfigError, match=f"Update: {name} is 0; it must be at least"):
            Update(**{name: 0})


# Pieces of a batch --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", [Reference("f64"), Native("f64"), Xla("f64")], ids=["reference", "native", "xla"])
@pytest.mark.parametrize("pieces", [2, 4, 8])
def test_a_step_on_pieces_is_the_step_on_the_whole_batch(engine, pieces):
    x, y = data_for(8)
    given = {"optimiser": Adam(), "penalties": (L2(0.1), L1(0.01))}
    _, whole, loss = moves(Update(clip_norm=0.3), x, y, **given)
    _, cut, mean = moves(Update(clip_norm=0.3, accumulate=pieces), x, y, engine=engine, **given)
    for path, p in whole["params"].items():
        assert_allclose(cut["params"][path], p, rtol=1e-12, atol=1e-14)
    for path, own in whole["optimiser"].items():
        for name, value in own.items():
            assert_allclose(cut["optimiser"][path][name], value, rtol=1e-11, atol=1e-15)
    assert mean == pytest.approx(loss, rel=1e-13)


def test_pieces_have_their_own_statistics_and_masks():
    """Batch normalisation: the running mean moves with each piece in turn."""
    x, y = data_for(8)
    network = nn.Sequential((nn.BatchNorm(), nn.Dense(3)))
    _, after, _ = moves(Update(accumulate=2), x, y, network)
    mean = 0.9 * (0.1 * x[:4].mean(0)) + 0.1 * x[4:].mean(0)
    assert_allclose(after["state"]["batchnorm1/mean"], mean, rtol=1e-12)
    twice = np.concatenate([x[:4], x[:4]])  # the same rows in both pieces; other masks, or the gradients would be equal
    network = nn.Sequential((nn.Dropout(0.5), nn.Dense(3, initialiser=nn.Constant(0.0))))
    _, both, _ = moves(Update(accumulate=2), twice, np.concatenate([y[:4], y[:4]]), network)
    _, one, _ = moves(Update(accumulate=1), twice[:4], y[:4], network)
    assert np.abs(both["params"]["dense1/weight"] - one["params"]["dense1/weight"]).max() > 1e-3


def test_pieces_take_less_memory():
    """XLA's own account of a step on 4096 rows: the pieces' activations never lie in memory together."""
    jax = pytest.importorskip("jax")
    x, y = pr.Spec((4096, 8), np.dtype(np.float32)), pr.Spec((4096,), np.dtype(np.int32))
    network, numbers = nn.mlp((64,) * 8, 3), {"learning_rate": np.float32(0.1), "step": np.int32(1)}
    params, state = network.init(np.random.default_rng(0), pr.Spec((1, 8), x.dtype))
    everything = first_state(params, state, SGD(), 0)
    taken = []
    for pieces in (1, 8):
        program = make_step(
            network, nn.SoftmaxCrossEntropy(), SGD(), (), everything, {"x": x, "y": y}, Update(accumulate=pieces)
        )
        leaves = flatten((everything, {"x": np.zeros(x.shape, x.dtype), "y": np.zeros(y.shape, y.dtype)}, numbers))[0]
        run = jax.jit(lambda leaves, graph=program.graph: execute(graph, jax.numpy, leaves, jax))
        taken.append(run.lower(leaves).compile().memory_analysis().temp_size_in_bytes)
    assert taken[1] < taken[0] / 3


def test_a_batch_that_cannot_be_cut_is_refused():
    x, y = data_for(8)
    with pytest.raises(ConfigError, match="accumulate is 3: a batch of 8 rows cannot be cut into so many pieces"):
        moves(Update(accumulate=3), x, y)


# Averages -----------------------------------------------------------------------------------------------------------


def walk(average, steps, engine):
    """Parameters before and after each of `steps` steps, and the averages after each."""
    x, y = data_for(8)
    update = Update(average=average)
    network = nn.mlp((5,), 3, activation=nn.Tanh())
    program, state = program_of(network, nn.SoftmaxCrossEntropy(), SGD(), (), x, y, update)
    fixed = {"learning_rate": 0.5} | hyper_values(SGD(), (), update, steps)
    loop = engine.loop(program, {"x": x, "y": y}, 1)
    carried, seen, averages = loop.put(state), [state["params"]], []
    for step in range(1, steps + 1):
        numbers = {name: np.full(1, value) for name, value in fixed.items()} | {"step": np.array([step], np.int32)}
        carried, _ = loop(carried, np.arange(8)[None], numbers)
        seen.append(loop.get(carried)["params"])
        averages.append(predicting(loop.get(carried))["params"])
    return seen, averages


@pytest.mark.parametrize("engine", [Reference("f64"), Native("f64"), Xla("f64")], ids=["reference", "native", "xla"])
def test_swa_is_the_mean_of_the_last_part_as_pytorchs(torch, engine):
    seen, averages = walk(SWA(0.6), 10, engine)
    theirs = torch.optim.swa_utils.AveragedModel(model := torch.nn.Linear(5, 3).double())
    for step, (p, found) in enumerate(zip(seen[1:], averages, strict=True), 1):
        if step <= 6:
            assert_array_equal(found["output/weight"], p["output/weight"])
            continue
        with torch.no_grad():
            model.weight.copy_(torch.tensor(p["output/weight"].T))
        theirs.update_parameters(model)
        assert_allclose(found["output/weight"].T, theirs.module.weight.detach().numpy(), rtol=1e-13)
        assert_allclose(found["hidden1/bias"], np.mean([p["hidden1/bias"] for p in seen[7 : step + 1]], 0), rtol=1e-12)


@pytest.mark.parametrize("engine", [Reference("f64"), Native("f64"), Xla("f64")], ids=["reference", "native", "xla"])
@pytest.mark.parametrize("decay", [0.08, 0.3, 0.999])
def test_ema_is_the_weighted_mean_that_the_formula_says(engine, decay):
    seen, averages = walk(EMA(decay), 8, engine)
    kept = [min(decay, t / (t + 9)) for t in range(1, 9)]
    for step in range(1, 9):
        weights = [np.prod(kept[:step])] + [(1 - kept[i]) * np.prod(kept[i + 1 : step]) for i in range(step)]
        assert sum(weights) == pytest.approx(1, abs=1e-14)
        expected = sum(w * p["hidden1/weight"] for w, p in zip(weights, seen, strict=False))
        assert_allclose(averages[step - 1]["hidden1/weight"], expected, rtol=1e-12, atol=1e-15)


def test_ema_at_its_full_decay_is_pytorchs(torch):
    """0.08 is below 1 / 10, where the start has no say; their average begins with a copy of what it is given."""
    seen, averages = walk(EMA(0.08), 8, Reference("f64"))
    model = torch.nn.Linear(5, 3).double()
    theirs = None
    for p in seen:
        with torch.no_grad():
            model.weight.copy_(torch.tensor(p["output/weight"].T))
        if theirs is None:
            make = torch.optim.swa_utils.get_ema_multi_avg_fn(0.08)
            theirs = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=make)
        theirs.update_parameters(model)
    assert_allclose(averages[-1]["output/weight"].T, theirs.module.weight.detach().numpy(), rtol=1e-12)


def test_the_average_is_carried_beside_the_parameters_and_only_where_asked_for():
    x, y = data_for(8)
    _, with_average, _ = moves(Update(average=EMA()), x, y)
    _, without, _ = moves(Update(), x, y)
    assert set(with_average) - set(without) == {"average"}
    assert set(predicting(without)) == set(predicting(with_average)) == {"params", "state"}
    assert_array_equal(without["params"]["hidden1/weight"], with_average["params"]["hidden1/weight"])
    assert predicting(without)["params"] is without["params"]
    assert hyper_values(SGD(), (), Update(average=SWA(0.75)), 10) == {"average_start": 7.0}
    assert hyper_values(SGD(), (), Update(average=EMA(0.9), clip_value=2.0), 10) == {
        "average_decay": 0.9,
        "clip_value": 2.0,
    }


def test_a_penalty_that_reaches_nothing_is_refused():
    with pytest.raises(
        ConfigError, match=r"L1: the pattern 'hiden\*' fits none of the parameters; .* output/bias, output"
    ):
        program_of(nn.linear_model(1), penalties=(L2(0.1), L1(0.1, "hiden*")))


def test_all_of_it_stays_float32():
    x, y = data_for(8, dtype=np.float32)
    update = Update(clip_norm=0.1, accumulate=2, average=EMA())
    program, _ = program_of(
        nn.mlp((4,), 3, batch_norm=True), nn.SoftmaxCrossEntropy(), Muon(), (L2(0.1),), x=x, y=y, update=update
    )
    graphs = [program.graph, *(v for node in program.graph.nodes for v in node.params.values() if hasattr(v, "nodes"))]
    assert len(graphs) == 2
    assert not [node for graph in graphs for node in graph.nodes if node.spec.dtype == np.float64]
