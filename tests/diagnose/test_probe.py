"""Probes beside PyTorch's hooks, on every engine; and that they touch nothing."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from preceptor import nn
from preceptor.diagnose import probe as probes
from preceptor.diagnose.probe import Prober, soonest
from preceptor.engines import choose_engine
from preceptor.graph import flatten
from preceptor.train import SGD, Arrays, Config
from preceptor.train.stepper import Stepper

ENGINES = ("reference", "native", "xla")


def prober_of(network, engine="reference", loss=nn.SoftmaxCrossEntropy(), rows=24, batch=8, folds=None):  # noqa: B008
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(rows, 5)).astype(np.float32), rng.integers(0, 3, rows)
    config = Config(network, loss, SGD(), learning_rate=0.1, batch_size=batch, engine=choose_engine(engine))
    stepper = Stepper(config, Arrays(x, y, folds=folds))
    return stepper, Prober(stepper, stepper.everything)


@pytest.mark.parametrize("engine", ENGINES)
def test_figures_are_those_of_pytorchs_hooks(engine, monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(probes, "soonest", lambda engine, work: engine)
    network = nn.Sequential((nn.Dense(6), nn.Relu(), nn.Dense(4), nn.Tanh(), nn.Dense(3)))
    stepper, prober = prober_of(network, engine)
    probe = prober(stepper.everything, 0, 1)

    theirs = torch.nn.Sequential(
        torch.nn.Linear(5, 6), torch.nn.ReLU(), torch.nn.Linear(6, 4), torch.nn.Tanh(), torch.nn.Linear(4, 3)
    ).double()
    own = stepper.everything["params"]
    with torch.no_grad():
        for place, name in ((0, "dense1"), (2, "dense2"), (4, "dense3")):
            theirs[place].weight[:] = torch.tensor(own[f"{name}/weight"].T)
            theirs[place].bias[:] = torch.tensor(own[f"{name}/bias"])
    seen = []
    for layer in theirs:

        def keep(module, given, output):
            output.retain_grad()
            seen.append((given[0], output))

        layer.register_forward_hook(keep)
    batch = stepper.inputs(0)[0]
    z = theirs(torch.tensor(batch["x"]).double())
    torch.nn.functional.cross_entropy(z, torch.tensor(batch["y"]).long()).backward()

    assert list(probe.signals) == ["dense1", "relu1", "dense2", "tanh1", "dense3"]
    for (path, signal), (given, output) in zip(probe.signals.items(), seen, strict=True):
        y = output.detach().numpy()
        expected = (y.mean(), np.sqrt((y**2).mean()), np.sqrt(y.var(0).mean()), (y == 0).mean())
        assert_allclose((signal.mean, signal.size, signal.spread, signal.zeros), expected, rtol=1e-5, err_msg=path)
        assert_allclose(signal.gradient, np.sqrt(((output.grad.numpy() * len(y)) ** 2).mean()), rtol=1e-5)
        slope = {"relu1": lambda g: g > 0, "tanh1": lambda g: 1 - np.tanh(g) ** 2}.get(path)
        if slope is not None:
            found = np.asarray(slope(given.detach().numpy()), float)
            assert_allclose(signal.flat, (found < 0.05).mean(0))
            assert_allclose(signal.still, (found == 0).mean(0))
    for place, name in ((0, "dense1"), (2, "dense2"), (4, "dense3")):
        weight, g = own[f"{name}/weight"], theirs[place].weight.grad.numpy().T
        told = probe.parameters[f"{name}/weight"]
        assert_allclose(told.size, np.sqrt((weight**2).mean()), rtol=1e-5)
        assert_allclose(told.gradient, np.sqrt((g**2).mean()), rtol=1e-4)
        assert_allclose(told.update, 0.1 * np.sqrt((g**2).mean()), rtol=1e-3)
        assert_allclose(told.apart, np.sqrt((weight - weight.mean(1, keepdims=True)).var(), dtype=float), rtol=1e-3)
        assert_allclose(told.gradient_apart, np.sqrt(((g - g.mean(1, keepdims=True)) ** 2).mean()), rtol=1e-4)


def test_units_of_a_convolution_are_channels_and_of_members_each_their_own():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(16, 6, 6, 2)).astype(np.float32), rng.integers(0, 3, 16)
    network = nn.Sequential((nn.Convolution(5, (3, 3)), nn.Relu(), nn.Flatten(), nn.Dense(3)))
    stepper = Stepper(Config(network, nn.SoftmaxCrossEntropy(), batch_size=8), Arrays(x, y))
    assert Prober(stepper, stepper.everything)(stepper.everything, 0, 1).signals["relu1"].flat.shape == (5,)
    several = nn.mlp((4,), 3, members=2)
    stepper, prober = prober_of(several, loss=nn.MemberLoss())
    assert prober(stepper.everything, 0, 1).signals["activation1"].flat.shape == (8,)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_probe_changes_nothing(engine, monkeypatch):
    monkeypatch.setattr(probes, "soonest", lambda engine, work: engine)
    stepper, prober = prober_of(
        nn.Sequential((nn.Dense(6), nn.BatchNorm(), nn.Relu(), nn.Dropout(0.3), nn.Dense(3))), engine
    )
    loop = stepper.prepare()
    carried = loop.put(stepper.everything)
    before = [np.array(leaf) for leaf in flatten(loop.get(carried))[0]]
    prober(carried, 0, 2)
    for one, other in zip(before, flatten(loop.get(carried))[0], strict=True):
        assert one.tobytes() == np.asarray(other).tobytes()


def test_several_batches_are_averaged():
    stepper, prober = prober_of(nn.Sequential((nn.Dense(6), nn.Relu(), nn.Dense(3))))
    whole = prober(stepper.everything, 0, 3).signals["relu1"]
    parts = [prober(stepper.everything, step, 1).signals["relu1"] for step in range(3)]
    assert_allclose(whole.mean, np.mean([each.mean for each in parts]))
    assert_allclose(whole.size, np.sqrt(np.mean([each.size**2 for each in parts])))
    assert_allclose(whole.still, np.mean([each.still for each in parts], 0))


def test_signals_of_batches_of_one_row_are_compared_with_one_another():
    network = nn.Sequential((nn.Dense(6), nn.Relu(), nn.Dense(3)))
    stepper, prober = prober_of(network, batch=1)
    alone = prober(stepper.everything, 0, 24).signals["dense1"]
    outputs = np.concatenate([stepper.inputs(step)[0]["x"] for step in range(24)])
    outputs = outputs @ stepper.everything["params"]["dense1/weight"]
    assert_allclose(alone.spread, np.sqrt(outputs.var(0).mean()), rtol=1e-5)
    whole, at_once = prober_of(network, batch=24)
    assert_allclose(alone.gradient, at_once(whole.everything, 0, 1).signals["dense1"].gradient, rtol=1e-5)


def test_where_an_engine_compiles_for_long_another_makes_probes_of_little_work(monkeypatch):
    xla, native = choose_engine("xla"), choose_engine("native")
    assert soonest(native, 1e15) == native
    assert (soonest(xla, 1e9), soonest(xla, 1e15)) == (native, xla)
    monkeypatch.setattr(probes, "unavailable", lambda: "not built")
    assert [soonest(xla, work).name for work in (1e3, 1e9)] == ["reference (NumPy)", xla.name]
