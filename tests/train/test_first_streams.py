"""Trainings that see their rows in another size at first: small pictures, then large ones."""

import numpy as np
import pytest

from preceptor import nn
from preceptor.data import Stream
from preceptor.engines import Native, Reference, Xla
from preceptor.train import SGD, Config, Linear, train
from preceptor.train.training import Streamed, initial_values

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 8, 8, 2)).astype(np.float32)
Y = RNG.integers(0, 3, 12).astype(np.int32)
NETWORK = nn.Sequential((nn.Convolution(4), nn.Relu(), nn.GlobalMeanPool(), nn.Dense(3)))
ENGINES = [Reference("f64"), Native("f32"), Xla("f32")]


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


def halves(x):
    return x[:, ::2, ::2]


def config_of(engine=ENGINES[0], **more):
    chosen = {"learning_rate": 0.5, "batch_size": 4, "epochs": 4, **more}
    return Config(NETWORK, nn.SoftmaxCrossEntropy(), SGD(), Linear(), engine=engine, **chosen)


def growing(*shares):
    """Every second pixel for these shares of the steps."""
    return Streamed(Listed(X, Y), X, Y, X, Y, first_streams=tuple((each, Listed(halves(X), Y)) for each in shares))


@pytest.mark.parametrize("engine", ENGINES, ids=str)
def test_it_is_the_same_training_in_pytorch(engine):
    torch = pytest.importorskip("torch")
    config, data = config_of(engine), growing(0.4)  # 12 steps: 5 small ones
    records = list(train(config, data))
    params = {path: value.astype(np.float64) for path, value in initial_values(config, data)[0].items()}
    leaves = {path: torch.tensor(value, requires_grad=True) for path, value in params.items()}
    optimiser = torch.optim.SGD(leaves.values(), lr=0.5)
    for step in range(12):
        rows = np.arange(4 * step, 4 * step + 4) % 12
        x = X[rows] if step >= 5 else halves(X)[rows]
        weight = leaves["convolution1/weight"].permute(3, 2, 0, 1)
        y = torch.tensor(x.astype(np.float64)).permute(0, 3, 1, 2)
        y = torch.nn.functional.conv2d(y, weight, leaves["convolution1/bias"], padding=1).relu().mean((2, 3))
        loss = torch.nn.functional.cross_entropy(
            y @ leaves["dense1/weight"] + leaves["dense1/bias"], torch.tensor(Y[rows].astype(np.int64))
        )
        optimiser.param_groups[0]["lr"] = 0.5 * (1 - step / 12)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    for path, value in records[-1].weights()["params"].items():
        np.testing.assert_allclose(value, leaves[path].detach().numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("at", range(1, 12))
def test_broken_off_anywhere_it_ends_in_the_same_bits(at):
    config, data = config_of(Native("f32")), growing(0.25, 0.25)
    whole = list(train(config, data))[-1].snapshot()
    for record in train(config, data, stops=[at]):
        if record.step == at:
            kept = record.snapshot()
            break
    again = list(train(config, data, (at, kept)))[-1].snapshot()
    for path, value in whole["params"].items():
        assert value.tobytes() == again["params"][path].tobytes()


def test_stages_end_at_their_shares_and_a_record_knows_its_own():
    sides = [record.stepper.batch["x"].shape[1] for record in train(config_of(), growing(0.25, 0.25), stops=range(12))]
    assert sides == [4] * 6 + [8] * 6
    ends = [end for end, _ in growing(0.25, 0.25).stages(12)]
    assert ends == [3, 6, 12]
    assert [each.first()[0].shape[1] for _, each in growing(0.25, 0.25).stages(12)] == [4, 4, 8]


def test_the_memory_told_is_that_of_the_largest_step():
    """From the first record on, so that nobody learns of it when the pictures have grown."""
    config, whole = config_of(Native("f32")), Streamed(Listed(X, Y), X, Y, X, Y)
    told = {record.step_bytes for record in train(config, growing(0.25, 0.25), stops=[1])}
    assert told == {next(iter(train(config, whole))).stepper.loop.step_bytes}


def test_another_training_shares_no_stream():
    data = growing(0.25, 0.25)
    again = data.another()
    assert not {id(each) for each in again.streams} & {id(each) for each in data.streams}
    assert [end for end, _ in again.stages(12)] == [end for end, _ in data.stages(12)]
