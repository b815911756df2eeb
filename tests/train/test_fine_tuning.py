"""What is frozen stays, rates by pattern, first values: against PyTorch, and by what is in the program."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from preceptor import nn
from preceptor.engines import Native, Reference, Xla
from preceptor.errors import ConfigError
from preceptor.ops import Spec
from preceptor.train import AdamW, Arrays, Config, train
from preceptor.train.average import EMA
from preceptor.train.fine_tuning import FineTuning, First, fits, frozen_start, stilled
from preceptor.train.step import Update, first_state, make_step
from preceptor.train.training import initial_values

RNG = np.random.default_rng(0)
X = RNG.normal(size=(16, 6, 6, 2)).astype(np.float32)
Y = (np.arange(16) % 3).astype(np.int32)
NETWORK = nn.Sequential(
    (
        nn.Convolution(4, 3, bias=False),
        nn.BatchNorm(),
        nn.Relu(),
        nn.Residual(nn.Sequential((nn.Convolution(4, 3, bias=False), nn.BatchNorm()))),
        nn.GlobalMeanPool(),
        nn.Dense(3),
    ),
    ("convolution1", "norm1", "relu", "block2", "pool", "output"),
)
START = ("convolution1", "norm1")


def config(engine, **more):
    settings = {"optimiser": AdamW(weight_decay=0.1), "learning_rate": 0.01, "batch_size": 16, "epochs": 5}
    return Config(NETWORK, nn.SoftmaxCrossEntropy(), engine=engine, **settings | more)


def torch_trained(first, frozen, factors, steps=5):
    """PyTorch's weights after as many full-batch steps; layers by name, in our layout."""
    torch = pytest.importorskip("torch")

    params, _ = first

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.convolution1, self.norm1 = torch.nn.Conv2d(2, 4, 3, padding=1, bias=False), torch.nn.BatchNorm2d(4)
            self.convolution2, self.norm2 = torch.nn.Conv2d(4, 4, 3, padding=1, bias=False), torch.nn.BatchNorm2d(4)
            self.output = torch.nn.Linear(4, 3)

        def forward(self, x):
            x = torch.relu(self.norm1(self.convolution1(x)))
            x = x + self.norm2(self.convolution2(x))
            return self.output(x.mean((2, 3)))

    net = Net()
    ours = {
        "convolution1": "convolution1",
        "norm1": "norm1",
        "convolution2": "block2/block/convolution1",
        "norm2": "block2/block/batchnorm1",
        "output": "output",
    }
    with torch.no_grad():
        for theirs, path in ours.items():
            layer = getattr(net, theirs)
            weight = params.get(f"{path}/weight", params.get(f"{path}/scale"))
            bias = params.get(f"{path}/bias", params.get(f"{path}/shift"))
            order = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}[weight.ndim]
            layer.weight.copy_(torch.from_numpy(weight.transpose(order).copy()))
            if bias is not None:
                layer.bias.copy_(torch.from_numpy(bias.copy()))
    net.train()
    for theirs in ours:
        if theirs in frozen:
            getattr(net, theirs).eval().requires_grad_(False)
    groups = [
        {"params": getattr(net, theirs).parameters(), "lr": 0.01 * factors.get(theirs, 1)}
        for theirs in ours
        if theirs not in frozen
    ]
    optimiser = torch.optim.AdamW(groups, weight_decay=0.1)
    x, y = torch.from_numpy(X.transpose(0, 3, 1, 2).copy()), torch.from_numpy(Y.astype(np.int64))
    for _ in range(steps):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(net(x), y).backward()
        optimiser.step()
    found = {}
    for theirs, path in ours.items():
        layer = getattr(net, theirs)
        is_norm = theirs.startswith("norm")
        weight = layer.weight.detach().numpy()
        order = {4: (2, 3, 1, 0), 2: (1, 0), 1: (0,)}[weight.ndim]
        found[f"{path}/{'scale' if is_norm else 'weight'}"] = weight.transpose(order)
        if layer.bias is not None:
            found[f"{path}/{'shift' if is_norm else 'bias'}"] = layer.bias.detach().numpy()
        if is_norm:
            found[f"{path}/mean"] = layer.running_mean.numpy()
    return found


@pytest.mark.parametrize("engine", [Reference(), Native(), Xla()], ids=str)
def test_frozen_layers_and_rates_by_pattern_against_torch(engine):
    tuned = FineTuning(frozen=START, rates=(("block2", 0.5), ("block2/block/batch*", 0.2)))
    made = config(engine, fine_tuning=tuned)
    data = Arrays(X, Y)
    first = initial_values(made, data)
    *_, record = train(made, data)
    weights = record.weights()
    factors = {"convolution2": 0.5, "norm2": 0.1}
    want = torch_trained(first, START, factors)
    for path, value in want.items():
        own = weights["params"].get(path, weights["state"].get(path))
        assert_allclose(own, value, rtol=2e-4, atol=2e-5, err_msg=path)
    for path, value in (first[0] | first[1]).items():
        if path.startswith(START):
            assert_array_equal(weights["params"].get(path, weights["state"].get(path)), value)


def test_decay_of_rates_is_by_layers_from_the_end():
    tuned = FineTuning(decay=0.5, rates=(("output/bias", 3.0),))
    params, _ = NETWORK.init(np.random.default_rng(0), nn_spec())
    found = tuned.factors(NETWORK, params)
    assert found["output/weight"] == 1
    assert found["output/bias"] == 3
    assert found["block2/block/convolution1/weight"] == 0.5
    assert found["norm1/scale"] == 0.25
    assert found["convolution1/weight"] == 0.125


def nn_spec():
    return Spec((1, *X.shape[1:]), np.dtype(np.float32))


def test_decay_counts_within_each_network_of_an_ensemble():
    network = nn.Ensemble(nn.Sequential((nn.Dense(3), nn.Dense(2))), 2)
    params, _ = network.init(np.random.default_rng(0), Spec((1, 4), np.dtype(np.float32)))
    found = FineTuning(decay=0.5).factors(network, params)
    assert sorted(found.values()) == [0.5] * 4 + [1.0] * 4
    assert all(factor == (0.5 if "dense1" in path else 1) for path, factor in found.items())


def convolutions(tuned):
    """How many convolutions a step makes, those of its gradients included; and its first state."""
    made = config(Reference(), fine_tuning=tuned)
    first = initial_values(made, Arrays(X, Y))
    state = first_state(*first, made.optimiser, 0, made.update, tuned)
    batch = {"x": Spec(X.shape, X.dtype), "y": Spec(Y.shape, Y.dtype)}
    program = make_step(NETWORK, made.loss, made.optimiser, (), state, batch, tuned=tuned)
    return sum(node.primitive.name.startswith("convolution") for node in program.graph.nodes), state


def test_a_frozen_layer_costs_no_backward_pass():
    """Two layers: 2 forward, of each one for its weight's gradient, and one for the input's of the second."""
    assert convolutions(FineTuning())[0] == 5
    count, state = convolutions(FineTuning(frozen=START))
    assert count == 3
    assert convolutions(FineTuning(frozen=("convolution1", "norm1", "block*")))[0] == 2
    assert convolutions(FineTuning(frozen=("block*",)))[0] == 4
    assert not any(path.startswith(START) for path in state["optimiser"])


def test_first_values_take_the_place_of_drawn_ones():
    kernel = np.full((4, 3), 7, np.float32)
    made = config(Reference(), first=First({"output/weight": kernel}, {"norm1/mean": np.arange(4, dtype=np.float32)}))
    params, state = initial_values(made, Arrays(X, Y))
    drawn, _ = initial_values(config(Reference()), Arrays(X, Y))
    assert_array_equal(params["output/weight"], kernel)
    assert_array_equal(state["norm1/mean"], np.arange(4))
    assert_array_equal(params["convolution1/weight"], drawn["convolution1/weight"])


@pytest.mark.parametrize("path, shape", [("output/weight", (3, 3)), ("nothing/weight", (4, 3))])
def test_first_values_of_another_network_are_refused(path, shape):
    made = config(Reference(), first=First({path: np.zeros(shape, np.float32)}, {}))
    with pytest.raises(ConfigError, match="values of the same network"):
        initial_values(made, Arrays(X, Y))


def test_patterns():
    assert fits("block11/block/convolution1/weight", "block1*")
    assert fits("block11/block/convolution1/weight", "block11")
    assert fits("block11/block/convolution1/weight", "*/weight")
    assert not fits("block11/block/convolution1/weight", "block1")
    assert not fits("block11/block/convolution1/weight", "convolution1")


def test_a_pattern_that_fits_nothing_and_nothing_that_moves_are_refused():
    for tuned, words in (
        (FineTuning(frozen=("stem*",)), "stem"),
        (FineTuning(rates=(("stem*", 0.1),)), "convolution1, norm1"),
        (FineTuning(frozen=("*",)), "at least one must move"),
    ):
        with pytest.raises(ConfigError, match=words):
            next(train(config(Reference(), fine_tuning=tuned), Arrays(X, Y)))


def test_where_the_frozen_beginning_ends():
    params, _ = NETWORK.init(np.random.default_rng(0), nn_spec())
    assert frozen_start(NETWORK, FineTuning(), params) == 0
    assert frozen_start(NETWORK, FineTuning(frozen=START), params) == 3  # the rectifier as well
    assert frozen_start(NETWORK, FineTuning(frozen=("norm1", "block2")), params) == 0
    random = nn.Sequential((nn.Dense(2), nn.Dropout(0.5), nn.Dense(2)))
    assert frozen_start(random, FineTuning(frozen=("dense1",)), ["dense1/weight", "dense2/weight"]) == 1


def test_a_frozen_norm_uses_what_it_has():
    network = stilled(NETWORK, FineTuning(frozen=("norm1",)))
    params, state = NETWORK.init(np.random.default_rng(0), nn_spec())
    _, after = network.apply(params, state, X, train=True, key=None)
    assert_array_equal(after["norm1/mean"], state["norm1/mean"])
    assert np.abs(np.asarray(after["block2/block/batchnorm1/mean"])).max() > 0


def test_an_average_of_the_weights_leaves_frozen_ones_as_they_are():
    made = config(Reference(), fine_tuning=FineTuning(frozen=START), update=Update(average=EMA()))
    first, _ = initial_values(made, Arrays(X, Y))
    *_, record = train(made, Arrays(X, Y))
    assert_array_equal(record.weights()["params"]["convolution1/weight"], first["convolution1/weight"])
    assert not np.array_equal(record.weights()["params"]["output/weight"], first["output/weight"])
