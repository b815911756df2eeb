"""The contestants of bench/run.py train the same network from the same values."""

import importlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

BENCH = Path(__file__).parents[2] / "bench"
MODULES = {"project": "project", "native": "project", "jax": "peers.jax_peer", "torch": "peers.torch_peer"}


@pytest.fixture
def losses(monkeypatch):
    """Losses before training and after some steps, by contestant. One batch is all rows: their order cannot matter.
    "native" is the project on its other engine."""
    pytest.importorskip("torch")
    monkeypatch.syspath_prepend(str(BENCH))
    workloads, networks = importlib.import_module("workloads"), importlib.import_module("worker").NETWORKS

    def measured(name, steps, contestants=tuple(MODULES), **smaller):
        workload = replace(networks[name], steps=1, **smaller)
        found = {}
        for contestant in contestants:
            module = importlib.import_module(MODULES[contestant])
            engine = "native" if contestant == "native" else "xla"
            train, loss = module.build(workloads.Task(workload, "f32", engine), contestant)
            found[contestant] = [loss()]
            if steps:
                train(steps)
                found[contestant].append(loss())
        return found

    return measured


@pytest.mark.slow
@pytest.mark.parametrize("name, smaller", [("xor-mlp", {}), ("cifar-cnn", {"input_shape": (9, 8, 3), "batch": 8})])
def test_contestants_agree_after_some_steps(losses, name, smaller):
    found = losses(name, 4, **smaller)
    assert found["torch"][1] != pytest.approx(found["torch"][0], rel=1e-2)
    for contestant in found:
        assert found[contestant] == pytest.approx(found["torch"], rel=1e-3), contestant


@pytest.mark.slow
def test_alexnets_agree_where_nothing_is_dropped(losses):
    found = losses("alexnet", 0, input_shape=(64, 64, 3), batch=2)
    for contestant in found:
        assert found[contestant] == pytest.approx(found["torch"], rel=1e-5), contestant


@pytest.mark.slow
def test_networks_of_depthwise_convolutions_agree(losses, monkeypatch):
    workloads = importlib.import_module("workloads")
    layers = workloads.depthwise(10, 15)
    found = losses("depthwise", 3, ("native", "torch"), input_shape=(15, 15, 3), batch=8, layers=layers)
    assert found["torch"][1] != pytest.approx(found["torch"][0], rel=1e-2)
    assert found["native"] == pytest.approx(found["torch"], rel=1e-3)
    layers = tuple(each for each in workloads.efficientnet_lite0(10, 40) if each["kind"] != "dropout")
    found = losses("efficientnet-lite0", 0, ("native", "torch"), input_shape=(40, 40, 3), batch=2, layers=layers)
    assert found["native"] == pytest.approx(found["torch"], rel=1e-4)


@pytest.mark.slow
def test_predictions_agree(losses, monkeypatch):
    workloads = importlib.import_module("workloads")
    workload = replace(
        workloads.WORKLOADS["depthwise"], steps=2, batch=3, input_shape=(15, 15, 3), layers=workloads.depthwise(10, 15)
    )
    task = workloads.Task(workload, "f32", "native")
    ours, theirs = (
        importlib.import_module(each).build_prediction(task, "torch") for each in ("project", MODULES["torch"])
    )
    np.testing.assert_allclose(ours(6), theirs(6), rtol=1e-4, atol=1e-5)


VARIANTS = {
    "resnet20": {"input_shape": (12, 9, 3), "batch": 8},
    "strided": {"input_shape": (32, 16, 3), "batch": 8},
    "vgg": {},
    "mobile": {},
    "wide-inputs": {"input_shape": (50,), "batch": 8},
    "signal": {"input_shape": (19, 6), "batch": 8},
    "grouped": {},
    "patches": {"input_shape": (12, 8, 3), "batch": 8},
    "bottlenecks": {"input_shape": (10, 8, 3), "batch": 8},
    "odd": {"batch": 5},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIANTS)
def test_variants_agree_after_a_step(losses, monkeypatch, name):
    """After one, with a large epsilon: Adam's first steps are otherwise as long for a gradient that is all rounding as
    for any other, and PyTorch itself then ends elsewhere for each number of threads."""
    for module in ("project", MODULES["torch"]):
        monkeypatch.setattr(importlib.import_module(module), "EPSILON", 0.01)
    smaller = {"batch": 8} | VARIANTS[name]
    if name == "mobile":  # what is dropped is drawn by each for itself
        layers = importlib.import_module("workloads").efficientnet_lite0(100, 96, drop_rate=0.0)
        smaller |= {"layers": layers, "network": "layers"}
    found = losses(name, 1, ("native", "torch"), **smaller)
    assert found["torch"][1] != pytest.approx(found["torch"][0], rel=1e-3)
    assert found["native"] == pytest.approx(found["torch"], rel=3e-4)


def test_there_are_ten_variants(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    found = importlib.import_module("variants").VARIANTS
    assert set(found) == set(VARIANTS)
    assert not set(found) & set(importlib.import_module("workloads").WORKLOADS)
