"""Trainings of PyTorch's under watch: the same bits, the figures of our own probes, the faults that its users make."""

import json
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose

import preceptor as pr
from preceptor import nn
from preceptor.diagnose.probe import Prober
from preceptor.errors import ConfigError, DataError, NotSupported
from preceptor.train import SGD, Arrays, Config
from preceptor.train.stepper import Stepper


@pytest.fixture(scope="module")
def digits(torch):
    """Pictures of digits as tensors, in an order of their own. Shapes: (row, 64), (row,)."""
    datasets = pytest.importorskip("sklearn.datasets")
    x, y = datasets.load_digits(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(x))
    return torch.tensor(x[rows] / 16, dtype=torch.float32), torch.tensor(y[rows])


@pytest.fixture
def trained(torch, digits):
    """Trains a model for some epochs, watched or not. -> the watcher, or None."""

    def train(model, optimizer, epochs=4, watched=True, planned=True, loss=None, scale=1.0):
        (x, y), rows, size = digits, 1300, 50
        x, cross_entropy = scale * x, loss or torch.nn.CrossEntropyLoss()
        steps = epochs * rows // size if planned else None
        counts = torch.bincount(y[:rows]).tolist()
        watcher = pr.watch(model, optimizer, steps=steps, class_counts=counts) if watched else None
        torch.manual_seed(5)

        def judged(part):
            model.eval()
            with torch.no_grad():
                z = model(x[part])
                found = cross_entropy(z, y[part]), (z.argmax(1) != y[part]).float().mean()
            model.train()
            return found

        for _ in range(epochs):
            for batch in torch.randperm(rows).split(size):
                value = cross_entropy(model(x[batch]), y[batch])
                optimizer.zero_grad()
                value.backward()
                optimizer.step()
                if watcher:
                    watcher.step(value)
            (train_loss, train_error), (dev_loss, dev_error) = judged(slice(rows)), judged(slice(rows, None))
            if watcher:
                watcher.epoch(train_loss, dev_loss, train_error, dev_error)
        return watcher

    return train


def plain(torch, activation="ReLU", depth=2, width=48, first=64):
    torch.manual_seed(2)
    made = []
    for number in range(depth):
        made += [torch.nn.Linear(width if number else first, width), getattr(torch.nn, activation)()]
    return torch.nn.Sequential(*made, torch.nn.Linear(width, 10))


def convolutional(torch):
    torch.manual_seed(2)
    n = torch.nn
    return n.Sequential(
        *(n.Unflatten(1, (1, 8, 8)), n.Conv2d(1, 8, 3, bias=False), n.BatchNorm2d(8), n.ReLU(inplace=True)),
        *(n.Dropout(0.2), n.Flatten(), n.Linear(288, 10)),
    )


MODELS = {"plain": plain, "convolutional": convolutional}


@pytest.mark.parametrize("planned", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_weights_are_the_same_bits_watched_or_not(torch, trained, name, planned):
    states = []
    for watched in (True, False):
        model = MODELS[name](torch)
        optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
        trained(model, optimizer, 2, watched, planned)
        states.append({**model.state_dict(), "random": torch.get_rng_state()})
    for key, value in states[0].items():
        assert torch.equal(value, states[1][key]), key


def test_figures_are_those_of_our_own_probes(torch):
    network = nn.Sequential((nn.Dense(6), nn.Relu(), nn.Dense(4), nn.Tanh(), nn.Dense(5), nn.Sigmoid(), nn.Dense(3)))
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(24, 5)).astype(np.float32), rng.integers(0, 3, 24)
    config = Config(network, nn.SoftmaxCrossEntropy(), SGD(), learning_rate=0.1, batch_size=24)
    stepper = Stepper(config, Arrays(x, y))
    probe = Prober(stepper, stepper.everything)(stepper.everything, 0, 1)
    n, own = torch.nn, stepper.everything["params"]
    model = n.Sequential(
        *(n.Linear(5, 6), n.ReLU(), n.Linear(6, 4), n.Tanh(), n.Linear(4, 5), n.Sigmoid(), n.Linear(5, 3))
    )
    theirs = [f"{place} ({type(each).__name__})" for place, each in enumerate(model)]
    names = dict(zip(probe.signals, theirs, strict=True))
    with torch.no_grad():
        for place, name in ((0, "dense1"), (2, "dense2"), (4, "dense3"), (6, "dense4")):
            model[place].weight[:] = torch.tensor(own[f"{name}/weight"].T)
            model[place].bias[:] = torch.tensor(own[f"{name}/bias"])
    batch = stepper.inputs(0)[0]
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    watcher = pr.watch(model, optimizer)
    loss = n.functional.cross_entropy(model(torch.tensor(batch["x"])), torch.tensor(batch["y"]).long())
    loss.backward()
    optimizer.step()
    watcher.step(loss)
    watcher.settle()
    [record] = watcher.records
    assert record["rows"] == 24
    assert record["learning_rate"] == 0.1
    assert list(record["signals"]) == list(names.values())
    for path, signal in probe.signals.items():
        told = record["signals"][names[path]]
        for name in ("mean", "size", "spread", "zeros", "gradient"):
            assert_allclose(told[name], getattr(signal, name), rtol=1e-4, atol=1e-7, err_msg=f"{path} {name}")
        assert_allclose(told.get("flat", []), signal.flat)
        assert_allclose(told.get("still", []), signal.still)
    for path, parameter in probe.parameters.items():
        layer, _, name = path.rpartition("/")
        told = record["parameters"][f"{names[layer]}/{name}"]
        assert told["units"] == parameter.units
        for name in ("size", "gradient", "update", "descent", "apart", "gradient_apart"):
            expected = getattr(parameter, name)
            assert (told[name] is None) == (expected is None)
            if expected is not None:
                assert_allclose(told[name], expected, rtol=2e-3, atol=1e-7, err_msg=f"{path} {name}")
    inputs = watcher.facts["inputs"]
    assert_allclose(inputs["mean"], batch["x"].mean(0), rtol=1e-5, atol=1e-7)
    assert_allclose(inputs["sd"], batch["x"].std(0), rtol=1e-5)
    assert watcher.facts["batch_size"] == 24


def test_slopes_by_what_an_in_place_activation_changes_are_autograds(torch):
    model = convolutional(torch)
    model[4].p = 0.0
    x, y = torch.randn(30, 64), torch.randint(0, 10, (30,))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with pr.watch(model, optimizer) as watcher:
        loss = torch.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        watcher.step(loss)
    other = convolutional(torch)
    z = other[:3](x).detach().requires_grad_()
    torch.nn.functional.cross_entropy(other[5:](torch.relu(z)), y).backward()
    signals = watcher.records[0]["signals"]
    assert_allclose(signals["2 (BatchNorm2d)"]["size"], z.detach().square().mean().sqrt(), rtol=1e-5)
    assert_allclose(signals["2 (BatchNorm2d)"]["gradient"], (30 * z.grad).square().mean().sqrt(), rtol=1e-5)
    assert_allclose(signals["3 (ReLU)"]["still"], (z <= 0).double().mean((0, 2, 3)), rtol=1e-6)


def test_hooks_are_there_only_while_they_read(torch, trained):
    model = plain(torch)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    watcher = trained(model, optimizer, 4)
    looked = [each["step"] for each in watcher.records if "signals" in each]
    assert looked == [1, 13, 35, 66, 97]
    watcher.close()
    assert {len(each) for each in watcher.records if "signals" not in each} == {3, 5}  # a step; the end of an epoch
    hooks = [hook for module in model.modules() for hook in (*module._forward_hooks, *module._forward_pre_hooks)]
    assert hooks == []
    assert not optimizer._optimizer_step_pre_hooks
    assert not optimizer._optimizer_step_post_hooks


def test_records_are_json_and_say_the_same_again(torch, trained):
    model = convolutional(torch)
    watcher = trained(model, torch.optim.SGD(model.parameters(), 0.05, momentum=0.9, nesterov=True), 2)
    found = watcher.diagnose()
    records, facts = (json.loads(json.dumps(each)) for each in (watcher.records, watcher.facts))
    assert str(pr.diagnose(records, **facts)) == str(found)
    assert facts["optimiser"] == {"class": "Nesterov", "momentum": 0.9}
    assert facts["layers"]["2 (BatchNorm2d)"] == {"class": "BatchNorm", "decay": 0.9, "epsilon": 1e-5, "scale": True}
    assert len(found.looked_for) + sum(bool(why) for why in found.not_looked_for.values()) == 19


@pytest.mark.parametrize("name", MODELS)
def test_what_goes_well_is_no_alarm(torch, trained, name):
    model = MODELS[name](torch)
    found = trained(model, torch.optim.Adam(model.parameters(), 2e-3), 10).diagnose()
    assert [each for each in found.findings if each.level != "note"] == []
    assert len(found.findings) <= 1
    assert found.reading.case == "looks good"


def _detached(torch):
    class Detached(torch.nn.Sequential):
        def forward(self, x):
            return self[2](self[1](self[0](x)).detach())

    torch.manual_seed(2)
    return Detached(torch.nn.Linear(64, 48), torch.nn.ReLU(), torch.nn.Linear(48, 10))


def _equal(torch):
    model = plain(torch)
    for p in model.parameters():
        torch.nn.init.constant_(p, 0.01)
    return model


def _standing(torch):
    n = torch.nn
    return n.Sequential(n.Linear(64, 48), n.BatchNorm1d(48, momentum=1e-4), n.ReLU(), n.Linear(48, 10))


def _sgd(rate, **more):
    return lambda torch, model: torch.optim.SGD(model.parameters(), rate, **more)


def _adam(torch, model):
    return torch.optim.Adam(model.parameters(), 1e-3)


def _without_first(torch, model):
    return torch.optim.Adam(list(model.parameters())[2:], 1e-3)


SICK = {
    "a rate far too large": (plain, _sgd(3.0, momentum=0.9), {}, "dead_relu", "warn"),
    "no numbers": (plain, _sgd(1e8), {}, "nan_inf", "warn"),
    "uphill": (plain, _sgd(0.01, maximize=True), {}, "optimizer_wiring", "warn"),
    "a layer that the optimiser lacks": (plain, _without_first, {}, "frozen_or_disconnected", "warn"),
    "a layer behind detach": (_detached, _adam, {}, "frozen_or_disconnected", "warn"),
    "equal weights": (_equal, _adam, {}, "zero_or_symmetric_weights", "warn"),
    "averages that stand still": (_standing, _adam, {"epochs": 6}, "train_eval_mode_mismatch", "warn"),
    "a stack of sigmoids": (lambda torch: plain(torch, "Sigmoid", 8), _sgd(0.1), {}, "vanishing_gradient", "note"),
    "inputs far too large": (plain, _sgd(1e-6), {"scale": 1000.0}, "unscaled_inputs", "note"),
    "a rate far too small": (plain, _sgd(1e-6), {}, "lr_too_small", "note"),
}


@pytest.mark.parametrize("name", SICK)
def test_what_goes_wrong_is_named(torch, trained, name):
    make, optimise, more, rule, level = SICK[name]
    model = make(torch)
    found = trained(model, optimise(torch, model), **more).diagnose()
    assert (rule, level) in {(each.rule, each.level) for each in found.findings}
    assert f"{rule}: " in str(found)


def test_softmax_before_a_loss_that_has_its_own(torch, trained):
    model = torch.nn.Sequential(*plain(torch), torch.nn.Softmax(1))
    found = trained(model, torch.optim.Adam(model.parameters(), 3e-3), 6).diagnose()
    assert "double_softmax" in {each.rule for each in found.findings}


def test_a_layer_that_is_held_on_purpose_is_none_that_learns(torch, trained):
    model = plain(torch)
    model[0].requires_grad_(False)
    watcher = trained(model, torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 1e-3))
    assert [each for each in watcher.diagnose().findings if each.rule == "frozen_or_disconnected"] == []
    assert "0 (Linear)/weight" not in watcher.records[0]["parameters"]


def test_a_module_that_is_called_twice_is_two_layers(torch):
    class Shared(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second, self.relu = torch.nn.Linear(4, 6), torch.nn.Linear(6, 3), torch.nn.ReLU()

        def forward(self, x):
            return self.relu(self.second(self.relu(self.first(x))))

    model = Shared()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with pr.watch(model, optimizer) as watcher:
        for _ in range(2):  # two passes, as where gradients are gathered
            loss = model(torch.randn(8, 4)).square().mean()
            loss.backward()
        optimizer.step()
        watcher.step(loss)
    signals = watcher.records[0]["signals"]
    assert list(signals) == ["first", "relu", "second", "relu (call 2)"]
    assert [len(each.get("flat", [])) for each in signals.values()] == [0, 6, 0, 3]
    assert watcher.records[0]["rows"] == 16


def test_units_of_a_text_are_its_features_and_of_a_recurrent_layer_only_its_output_is_seen(torch):
    class Text(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.cell = torch.nn.Embedding(20, 4), torch.nn.GRU(4, 6, batch_first=True)
            self.out, self.act = torch.nn.Linear(6, 5), torch.nn.Tanh()

        def forward(self, x):
            return self.act(self.out(self.cell(self.embed(x))[0]))

    model = Text()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with pr.watch(model, optimizer) as watcher:
        loss = model(torch.randint(0, 20, (8, 7))).square().mean()
        loss.backward()
        optimizer.step()
        watcher.step(loss)
    record = watcher.records[0]
    assert len(record["signals"]["act"]["flat"]) == 5
    assert record["parameters"]["embed/weight"]["units"] == 4
    assert "inputs" not in watcher.facts
    assert watcher.diagnose().step == 1


def test_what_is_no_model_or_optimiser_is_refused(torch):
    model = plain(torch)
    with pytest.raises(ConfigError, match=r"watch: received a model of type list; a torch.nn.Module is required."):
        pr.watch([], None)
    with pytest.raises(ConfigError, match=r"an optimizer of type int; a torch.optim.Optimizer is required."):
        pr.watch(model, 3)
    with pytest.raises(DataError, match="there are none"):
        pr.watch(model, torch.optim.SGD(model.parameters(), 0.1)).diagnose()


def test_without_pytorch_it_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(NotSupported, match="PyTorch is not installed"):
        pr.watch(None, None)


def test_losses_of_an_accelerator_are_asked_for_only_when_somebody_wants_to_know(torch):
    class Elsewhere:
        device, asked = torch.device("cuda"), 0

        def detach(self):
            return Elsewhere()

        def clone(self):
            return Elsewhere()

        def __float__(self):
            Elsewhere.asked += 1
            return 0.25

    model = plain(torch)
    watcher = pr.watch(model, torch.optim.SGD(model.parameters(), 0.1), steps=100)
    for _ in range(9):
        watcher.step(Elsewhere())
    assert Elsewhere.asked == 0
    watcher.settle()
    assert [each["loss"] for each in watcher.records] == [0.25] * 9
