"""The loop: the same training as PyTorch's on the same rows, the same bits at every repeat, records that say what was
done."""

import hashlib
import itertools
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import preceptor as pr
from preceptor import nn
from preceptor.data import Stream, order
from preceptor.engines import Native, Reference, Xla
from preceptor.errors import DataError
from preceptor.train import (
    L2,
    SGD,
    Adam,
    AdamW,
    Arrays,
    Config,
    Cosine,
    Momentum,
    RMSProp,
    evaluator,
    loop,
    stepper,
    train,
)
from preceptor.train.evaluator import Evaluator
from preceptor.train.step import first_state
from preceptor.train.stepper import learning_rates
from preceptor.train.training import Streamed, initial_values

STEPS = 50


def config_of(network=None, loss=nn.SoftmaxCrossEntropy(), **given):  # noqa: B008
    """A small network and 50 steps of 8 rows (of 50), in float64 on the reference engine unless told otherwise."""
    usual = {"learning_rate": 0.02, "batch_size": 8, "epochs": 8, "engine": Reference("f64")}
    return Config(network or nn.mlp((16, 8), 3), loss, **(usual | given))


def arrays_of(blobs, dev=0):
    x, y = blobs
    if not dev:
        return Arrays(x, y)
    return Arrays(x[:-dev], y[:-dev], x[-dev:], y[-dev:])


def last(config, data):
    return list(train(config, data))[-1]


def after(config, data):
    return last(config, data).snapshot()["params"]


def digest(params):
    return hashlib.sha256(b"".join(params[path].tobytes() for path in sorted(params))).hexdigest()


def torch_training(torch, config, data, make_optimiser, l2=0.0, steps=STEPS):
    """The same network in PyTorch from our first values, trained on the same rows; parameters by our paths."""
    dtype = torch.float64 if config.engine.precision == "f64" else torch.float32
    first, _ = initial_values(config, data)
    layers, own = [], {}
    for name, layer in zip(config.network.names, config.network.layers, strict=True):
        if isinstance(layer, nn.Dense):
            weight = torch.tensor(first[f"{name}/weight"].T.copy())
            made = torch.nn.Linear(*weight.T.shape, dtype=dtype)
            made.weight.data, made.bias.data = weight, torch.tensor(first[f"{name}/bias"])
            own |= {f"{name}/weight": made.weight, f"{name}/bias": made.bias}
        elif isinstance(layer, nn.BatchNorm):
            made = torch.nn.BatchNorm1d(len(first[f"{name}/scale"]), dtype=dtype)
            own |= {f"{name}/scale": made.weight, f"{name}/shift": made.bias}
            own |= {f"{name}/mean": made.running_mean, f"{name}/variance": made.running_var}
        else:
            made = {nn.Relu: torch.nn.ReLU, nn.Tanh: torch.nn.Tanh}[type(layer)]()
        layers.append(made)
    model = torch.nn.Sequential(*layers)
    optimiser = make_optimiser(model.parameters())
    rows, size = len(data.x), min(config.batch_size, len(data.x))
    x = torch.tensor(data.x, dtype=dtype)
    y = torch.tensor(data.y) if np.asarray(data.y).dtype.kind in "iu" else torch.tensor(data.y, dtype=dtype)
    losses = []
    for step in range(steps):
        picked = torch.tensor(order(config.seed, step * size, size, rows).astype(np.int64))
        outputs = model(x[picked])
        if isinstance(config.loss, nn.Quadratic):
            loss = 0.5 * ((outputs[:, 0] - y[picked]) ** 2).mean()
        else:
            loss = torch.nn.functional.cross_entropy(outputs, y[picked])
        losses.append(loss.item())
        weights = [p for path, p in own.items() if path.endswith("weight")]
        cost = loss + l2 / 2 * sum((p**2).sum() for p in weights)
        optimiser.zero_grad()
        cost.backward()
        optimiser.step()
    return {
        path: (p.detach().numpy().T if path.endswith("weight") else p.detach().numpy()) for path, p in own.items()
    }, losses


def check_against(torch, config, data, make_optimiser, rtol, **penalties):
    theirs, losses = torch_training(torch, config, data, make_optimiser, **penalties)
    records = list(train(config, data))
    assert records[-1].step == STEPS
    ours = records[-1].snapshot()
    ours = ours["params"] | ours["state"]
    assert set(ours) == set(theirs)
    for path, expected in theirs.items():
        least = max(rtol, 1e-8) if has_no_slope(config.network, path) else rtol
        assert_allclose(ours[path], expected, rtol=rtol, atol=least, err_msg=path)
    assert_allclose(np.concatenate([record.losses for record in records]), losses, rtol=rtol, atol=rtol)


def has_no_slope(network, path):
    """A bias just before batch norm, and the mean it shifts: its gradient is rounding, which Adam divides by itself."""
    place = network.names.index(path.split("/")[0]) + path.endswith("/bias")
    return path.endswith(("/bias", "/mean")) and isinstance([*network.layers, None][place], nn.BatchNorm)


PEERS = {
    "Adam": ({"optimiser": Adam()}, lambda t: lambda p: t.optim.Adam(p, lr=0.02), {}),
    "SGD": ({"optimiser": SGD()}, lambda t: lambda p: t.optim.SGD(p, lr=0.02), {}),
    "momentum, batch norm": (
        {"optimiser": Momentum(), "network": nn.mlp((16, 8), 3, batch_norm=True)},
        lambda t: lambda p: t.optim.SGD(p, lr=0.02, momentum=0.9),
        {},
    ),
    "Adam, batch norm": (
        {"network": nn.mlp((16,), 3, batch_norm=True)},
        lambda t: lambda p: t.optim.Adam(p, lr=0.02),
        {},
    ),
    "Adam, L2": ({"penalties": (L2(0.03),)}, lambda t: lambda p: t.optim.Adam(p, lr=0.02), {"l2": 0.03}),
    "RMSProp, L2": (
        {"optimiser": RMSProp(), "penalties": (L2(0.03),), "network": nn.mlp((8,), 3, activation=nn.Tanh())},
        lambda t: lambda p: t.optim.RMSprop(p, lr=0.02, alpha=0.9),
        {"l2": 0.03},
    ),
    "AdamW": ({"optimiser": AdamW()}, lambda t: lambda p: t.optim.AdamW(p, lr=0.02), {}),
}


@pytest.mark.parametrize("given, make, penalties", PEERS.values(), ids=PEERS)
def test_fifty_steps_equal_pytorchs_in_float64(torch, blobs, given, make, penalties):
    check_against(torch, config_of(**given), arrays_of(blobs), make(torch), 1e-10, **penalties)


@pytest.mark.parametrize("engine", [Reference("f32"), Native("f32"), Xla("f32")], ids=["reference", "native", "xla"])
@pytest.mark.parametrize("name", ["Adam", "SGD", "momentum, batch norm"])
def test_fifty_steps_equal_pytorchs_in_float32(torch, blobs, name, engine):
    given, make, _ = PEERS[name]
    x, y = blobs
    data = Arrays(x.astype(np.float32), y)
    check_against(torch, config_of(engine=engine, **given), data, make(torch), 2e-4 if "norm" in name else 2e-5)


@pytest.mark.parametrize("batch_size", [1, 7, 50], ids=["single examples", "mini-batches", "the whole batch"])
def test_descent_by_batch_mini_batch_and_example_is_the_textbooks(blobs, batch_size):
    """Softmax regression in plain NumPy: w = w - rate * mean of x (softmax(x w) - y)."""
    x, y = blobs
    config = config_of(nn.linear_model(3), optimiser=SGD(), batch_size=batch_size, epochs=4, learning_rate=0.1)
    weight, bias = np.zeros((6, 3)), np.zeros(3)
    steps = math.ceil(4 * 50 / batch_size)
    for step in range(steps):
        rows = order(0, step * batch_size, batch_size, 50)
        logits = x[rows] @ weight + bias
        shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True) - np.eye(3)[y[rows]]
        weight, bias = weight - 0.1 * x[rows].T @ shares / len(rows), bias - 0.1 * shares.mean(0)
    record = last(config, arrays_of(blobs))
    assert record.step == steps
    assert_allclose(record.snapshot()["params"]["output/weight"], weight, rtol=1e-11, atol=1e-12)
    assert_allclose(record.snapshot()["params"]["output/bias"], bias, rtol=1e-11, atol=1e-12)


def test_a_regression_equals_pytorchs(torch, blobs):
    x, _ = blobs
    data = Arrays(x, np.sin(x[:, 0]) + x[:, 1] ** 2)
    config = config_of(nn.mlp((8,), 1), nn.Quadratic())
    check_against(torch, config, data, lambda p: torch.optim.Adam(p, lr=0.02), 1e-10)


# The same bits -------------------------------------------------------------------------------------------------------

EVERY = pytest.mark.parametrize(
    "engine", [Reference("f32"), Native("f32"), Xla("f32")], ids=["reference", "native", "xla"]
)
FULL = nn.mlp((16, 8), 3, batch_norm=True, drop_rate=0.3)


@EVERY
def test_the_same_seed_gives_the_same_bits(blobs, engine):
    data = arrays_of(blobs)
    config = config_of(FULL, engine=engine, seed=11)
    found = {digest(after(config, data)) for _ in range(3)}
    assert len(found) == 1
    assert digest(after(config_of(FULL, engine=engine, seed=12), data)) not in found


@pytest.mark.parametrize(
    "engine, capacity", [(Reference("f32"), 1), (Reference("f32"), 3), (Native("f32"), 3), (Xla("f32"), 3)], ids=str
)
def test_how_many_steps_the_engine_takes_at_once_changes_nothing(blobs, engine, capacity, monkeypatch):
    data = arrays_of(blobs, dev=10)
    config = config_of(FULL, engine=engine, schedule=Cosine(), warmup=0.2)
    expected = digest(after(config, data))
    monkeypatch.setattr(stepper, "CAPACITY", capacity)
    records = list(train(config, data))
    assert max(len(record.losses) for record in records) <= capacity
    assert digest(records[-1].snapshot()["params"]) == expected
    assert [record.dev_loss is not None for record in records] == [record.is_epoch_end for record in records]


def test_a_slow_engine_is_called_for_fewer_steps_at_once(blobs, monkeypatch):
    data = arrays_of(blobs)
    config = config_of(batch_size=1, epochs=3)
    expected = digest(after(config, data))
    monkeypatch.setattr(loop, "CALL_SECONDS", 0.0)
    records = list(train(config, data))
    assert [len(record.losses) for record in records] == [1] * 150
    assert digest(records[-1].snapshot()["params"]) == expected


@EVERY
def test_stopping_midway_leaves_what_a_longer_training_has_there(blobs, engine):
    data = arrays_of(blobs)
    config = config_of(FULL, engine=engine)
    stopped = next(record for record in train(config, data) if record.is_epoch_end and record.epoch > 2)
    whole = {record.step: digest(record.snapshot()["params"]) for record in train(config, data)}
    assert stopped.step in whole
    assert digest(stopped.snapshot()["params"]) == whole[stopped.step]


def test_a_snapshot_is_a_copy(blobs):
    for engine in (Reference("f32"), Native("f32"), Xla("f32")):
        records = train(config_of(engine=engine), arrays_of(blobs))
        kept = next(records).snapshot()["params"]
        before = digest(kept)
        list(records)
        assert digest(kept) == before


def test_dropout_masks_are_the_same_on_all_engines(blobs):
    """A different mask anywhere would move the weights by far more than rounding does."""
    data = arrays_of(blobs)
    one, *others = (after(config_of(FULL, engine=kind("f64")), data) for kind in (Reference, Native, Xla))
    for other in others:
        for path, p in one.items():
            assert_allclose(other[path], p, rtol=1e-9, atol=1e-9, err_msg=path)


@pytest.mark.parametrize("precision, tolerance", [("f64", 1e-11), ("f32", 1e-4), ("bf16", 0.05)])
@pytest.mark.parametrize("engine", [Native, Xla])
def test_the_engines_agree_in_every_precision(blobs, precision, tolerance, engine):
    data = arrays_of(blobs, dev=10)
    found = [last(config_of(engine=kind(precision), epochs=4), data) for kind in (Reference, engine)]
    one, other = (record.snapshot()["params"] for record in found)
    for path, p in one.items():
        assert p.dtype == other[path].dtype == (np.float64 if precision == "f64" else np.float32)
        assert_allclose(other[path], p, atol=tolerance, err_msg=path)
    assert found[0].dev_loss == pytest.approx(found[1].dev_loss, abs=tolerance)


def test_bf16_rounds_the_factors_of_products_and_still_learns(blobs):
    data = arrays_of(blobs)
    exact, rounded = (
        np.concatenate([record.losses for record in train(config_of(engine=Reference(precision)), data)])
        for precision in ("f32", "bf16")
    )
    assert 1e-6 < abs(exact[0] - rounded[0]) / exact[0] < 0.05
    assert rounded[-10:].mean() < 0.5 * rounded[:10].mean()


# Records -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rows, batch_size, epochs", [(50, 8, 5), (50, 50, 3), (50, 1, 2), (7, 5, 4), (5, 64, 3), (1, 1, 2)]
)
def test_steps_epochs_and_rates_when_rows_are_no_multiple_of_the_batch(blobs, rows, batch_size, epochs):
    x, y = blobs
    config = config_of(batch_size=batch_size, epochs=epochs, schedule=Cosine(), warmup=0.1)
    records = list(train(config, Arrays(x[:rows], y[:rows], x[:4], y[:4])))
    size = min(batch_size, rows)
    steps = math.ceil(epochs * rows / size)
    assert {(record.steps, record.epochs) for record in records} == {(steps, epochs)}
    assert records[-1].step == steps == sum(len(record.losses) for record in records)
    ends = [record for record in records if record.is_epoch_end]
    assert [record.step for record in ends] == [math.ceil(k * rows / size) for k in range(1, epochs + 1)]
    for number, record in enumerate(ends, 1):
        assert number <= record.epoch < number + size / rows
        assert record.epoch == record.step * size / rows
        assert record.dev_outputs.shape == (4, 3)
    rates = learning_rates(config, 0, steps, rows, size, steps)
    assert_allclose([record.learning_rate for record in records], rates[[record.step - 1 for record in records]])
    seconds = [record.seconds for record in records]
    assert seconds == sorted(seconds)


def test_every_row_is_seen_once_in_each_pass(blobs):
    """The endless stream of batches, also where one batch holds the end of a pass and the start of the next."""
    stream = np.concatenate([order(0, step * 8, 8, 50) for step in range(25)])
    for start in range(0, 200, 50):
        assert_array_equal(np.sort(stream[start : start + 50]), np.arange(50))


def test_a_batch_larger_than_the_data_is_the_whole_data(blobs):
    data = arrays_of(blobs)
    one, other = (after(config_of(batch_size=size, epochs=5), data) for size in (50, 1000))
    assert digest(one) == digest(other)


def test_the_losses_are_those_before_each_step(blobs):
    data = arrays_of(blobs)
    config = config_of()
    params, state = initial_values(config, data)
    rows = order(0, 0, 8, 50)
    outputs, _ = config.network.apply(params, state, data.x[rows], train=False, key=None)
    assert next(iter(train(config, data))).losses[0] == pytest.approx(
        float(np.mean(config.loss(outputs, data.y[rows])))
    )


def test_without_a_dev_part_there_is_no_dev_loss(blobs):
    x, y = blobs
    for data in (Arrays(x, y), Arrays(x, y, x[:0], y[:0])):
        assert {(record.dev_loss, record.dev_outputs) for record in train(config_of(epochs=2), data)} == {(None, None)}


@EVERY
def test_the_dev_loss_is_that_of_the_dev_part_as_used_outside_training(blobs, engine):
    data = arrays_of(blobs, dev=10)
    config = config_of(FULL, engine=engine)
    record = last(config, data)
    kept = record.snapshot()
    outputs, _ = FULL.apply(kept["params"], kept["state"], data.dev_x.astype(np.float32), train=False, key=None)
    assert_allclose(record.dev_outputs, outputs, rtol=1e-4, atol=1e-5)
    shifted = np.exp(outputs - outputs.max(1, keepdims=True))
    chosen = (shifted / shifted.sum(1, keepdims=True))[np.arange(10), data.dev_y]
    assert record.dev_loss == pytest.approx(-np.log(chosen).mean(), rel=1e-4)


def test_evaluation_in_pieces_is_evaluation_of_the_whole(blobs, monkeypatch):
    x, y = blobs
    config = config_of(FULL)
    everything = last(config, arrays_of(blobs)).snapshot()
    found = []
    for piece in (4096, 50, 49, 7, 1):
        monkeypatch.setattr(evaluator, "EVALUATION_ROWS", piece)
        evaluate = Evaluator(FULL, config.loss, config.engine, everything, x)
        found.append(evaluate(everything, x, y))
    for loss, outputs in found:
        assert loss == pytest.approx(found[0][0], rel=1e-12)
        assert_allclose(outputs, found[0][1], rtol=1e-12, atol=1e-13)


@EVERY
def test_a_training_that_flies_off_says_so_and_is_silent_otherwise(engine, blobs, capfd):
    x, _ = blobs
    config = config_of(nn.mlp((8,), 1), nn.Quadratic(), optimiser=SGD(), learning_rate=1e30, engine=engine)
    records = list(itertools.takewhile(lambda record: record.is_finite, train(config, Arrays(x, x[:, 0], x, x[:, 0]))))
    assert len(records) < 8
    assert capfd.readouterr().err == ""


def test_arrays_that_do_not_fit_together_are_refused(blobs):
    x, y = blobs
    for data, message in [
        (Arrays(x, y[:-1]), "train: received 50 rows of x and 49 of y; as many, at least 1, are needed"),
        (Arrays(x[:0], y[:0]), "received 0 rows of x and 0 of y"),
        (Arrays(x, y, x), "the dev part needs as many targets as rows"),
        (Arrays(x, y, x, y[:3]), "the dev part needs as many targets as rows"),
    ]:
        with pytest.raises(DataError, match=message):
            next(iter(train(config_of(), data)))


def test_initial_values_come_from_the_seed_alone(blobs):
    data = arrays_of(blobs)
    one, again, other = (initial_values(config_of(seed=seed), data)[0] for seed in (1, 1, 2))
    assert digest(one) == digest(again) != digest(other)
    narrow = initial_values(config_of(seed=1, engine=Reference("f32")), data)[0]
    for path, p in narrow.items():
        assert p.dtype == np.float32
        assert_array_equal(p, one[path].astype(np.float32))


def test_changing_a_number_between_trainings_keeps_the_program(blobs):
    """Rate, schedule, penalty and optimiser numbers are inputs of the loop: its program has none of them inside."""
    programs = set()
    for rate, decay, weight in itertools.product((0.1, 0.2), (0.8, 0.9), (1e-3, 1e-2)):
        config = config_of(optimiser=Momentum(decay), penalties=(L2(weight),), learning_rate=rate, epochs=1)
        record = next(iter(train(config, arrays_of(blobs))))
        programs.add("\n".join(line.split("  #")[0] for line in str(record.loop.step.graph).splitlines()))
    assert len(programs) == 1


def test_a_network_with_a_mask_needs_no_dev_part_to_be_deterministic(blobs):
    x, y = blobs
    whole = after(config_of(FULL), Arrays(x, y))
    with_dev = after(config_of(FULL), Arrays(x, y, x[:5], y[:5]))
    assert digest(whole) == digest(with_dev)


def test_keys_of_layers_differ(blobs):
    """Two dropout layers of one network must not drop the same places."""
    network = nn.Sequential((nn.Dropout(0.5), nn.Dropout(0.5)))
    x = np.ones((1, 4000))
    y, _ = network.apply({}, {}, x, train=True, key=pr.key(1))
    assert abs(float(np.mean(y != 0)) - 0.25) < 0.03


# What is looked at ---------------------------------------------------------------------------------------------------


@EVERY
@pytest.mark.parametrize(
    "target",
    [lambda y: y + 5, lambda y: y - 1, lambda y: y + 2**40, lambda y: y + 0.0],
    ids=["more", "less", "far", "fractions"],
)
def test_labels_that_are_none_are_refused_before_the_first_step(blobs, engine, target):
    x, y = blobs
    for data in (Arrays(x, target(y)), Arrays(x, y, x[:5], target(y[:5])), Streamed(Listed(x, target(y)))):
        with pytest.raises(DataError, match=r"^train: (dev )?targets: SoftmaxCrossEntropy received .* required"):
            list(train(config_of(engine=engine, epochs=1), data))


class Listed(Stream):
    """Rows held as arrays, in their order."""

    def __init__(self, x, y):
        self.x, self.y = x, y

    @property
    def rows(self):
        return len(self.x)

    def fingerprint(self):
        return b""

    def fetch(self, start, count):
        chosen = np.arange(start, start + count) % len(self.x)
        return {"x": self.x[chosen], "y": self.y[chosen]}


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e39], ids=["nan", "inf", "beyond float32"])
def test_inputs_that_are_not_finite_are_refused(blobs, bad):
    x, y = blobs
    broken = x.astype(np.float64)
    broken[3, 1] = bad
    for data in (Arrays(broken, y), Arrays(x, y, broken, y), Streamed(Listed(broken, y))):
        with pytest.raises(
            DataError, match=r"^train: (dev )?inputs: 1 of \d+ numbers are missing, infinite or too large"
        ):
            list(train(config_of(engine=Native("f32"), epochs=1), data))


@EVERY
def test_weights_that_are_no_numbers_are_seen_though_the_loss_is_one(blobs, engine):
    """A unit that passes nothing on hides from the loss what became of its weights."""
    x, y = blobs
    network = nn.mlp((4,), 3)
    config = config_of(network, engine=engine, epochs=1)
    _, state = initial_values(config, Arrays(x, y))
    for path in ("hidden1/weight", "output/bias"):
        broken = {name: p.copy() for name, p in initial_values(config, Arrays(x, y))[0].items()}
        broken[path].flat[0] = np.nan
        start = first_state(broken, state, config.optimiser, config.seed)
        record = next(iter(train(config, Arrays(x, y), (0, start))))
        assert not record.is_finite
    record = next(iter(train(config, Arrays(x, y))))
    assert record.is_finite


def test_the_size_of_weights_is_what_tells(blobs):
    for engine in (Reference("f32"), Native("f32"), Xla("f32")):
        values = {"params": {"w": np.array([[1.0, -2.0]], np.float32)}, "state": {"m": np.array([3.0], np.float32)}}
        size = loop.weight_size(engine, values)
        assert size(values) == 6
        for part, path in (("params", "w"), ("state", "m")):
            for bad in (np.nan, np.inf, -np.inf):
                broken = {each: {name: v.copy() for name, v in values[each].items()} for each in values}
                broken[part][path].flat[0] = bad
                assert not math.isfinite(size(broken))


@EVERY
def test_train_and_dev_loss_are_one_measure(blobs, engine):
    """Of the same rows they are the same number, whatever training does at random and however labels are smoothed."""
    x, y = blobs
    loss = nn.MemberLoss(nn.SoftmaxCrossEntropy(label_smoothing=0.2))
    network = nn.mlp((16,), 3, members=3, drop_rate=0.3)
    *_, record = train(config_of(network, loss, engine=engine), Arrays(x, y, x, y))
    assert record.train_loss == pytest.approx(record.dev_loss, rel=1e-6)
    kept = record.snapshot()
    outputs, _ = network.apply(kept["params"], kept["state"], x.astype(np.float32), train=False, key=None)
    shares = np.exp(outputs) / np.exp(outputs).sum(2, keepdims=True)
    assert record.train_loss == pytest.approx(-np.log(shares.mean(1)[np.arange(len(y)), y]).mean(), rel=1e-4)
    assert record.objective > 1.2 * record.train_loss


def test_judged_rows_are_drawn_once_and_no_more_than_dev_has(blobs):
    x, y = blobs
    seen = []
    for judged in (1000, 12, 0):
        *_, record = train(config_of(epochs=1), Arrays(x, y, x[:20], y[:20]), judged=judged)
        seen.append(record.train_loss)
    kept = record.snapshot()
    for loss, count in zip(seen[:2], (20, 12), strict=True):
        rows = np.sort(order(0, 0, count, 50))
        outputs, _ = config_of().network.apply(kept["params"], kept["state"], x[rows], train=False, key=None)
        assert loss == pytest.approx(np.mean(nn.SoftmaxCrossEntropy()(outputs, y[rows])), rel=1e-9)
    assert seen[2] is None
    *_, record = train(config_of(epochs=1), Streamed(Listed(x, y), x[:20], y[:20]))
    assert record.train_loss > 0


@EVERY
@pytest.mark.parametrize("initialiser", [nn.Constant(0.0), nn.Constant(0.3)], ids=["zero", "constant"])
@pytest.mark.parametrize("members", [1, 3])
def test_units_that_begin_equal_stay_equal(blobs, engine, initialiser, members):
    """Course, "Weight initialization": the same weights in, the same out, the same gradient, for ever.

    XLA sums the columns of a product in other orders on some processors: there they are equal but for rounding.
    """
    x, y = blobs
    rounding = 1e-6 if isinstance(engine, Xla) else 0
    network = nn.mlp((8, 6), 3, activation=nn.Tanh(), initialiser=initialiser, members=members, waves=4, numbers=(0, 1))
    loss = nn.MemberLoss() if members > 1 else nn.SoftmaxCrossEntropy()
    params = after(config_of(network, loss, engine=engine), Arrays(x, y))
    moved = 0.0
    for path in ("hidden1/weight", "hidden2/weight"):
        assert np.ptp(params[path], -1).max() <= rounding
        moved += np.abs(params[path] - initialiser.value).max()
    assert np.ptp(params["output/weight"], -2).max() <= rounding
    assert moved > 0.01 or initialiser.value == 0
