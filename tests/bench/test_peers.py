"""The contestants of bench/run.py train the same network from the same values."""

import importlib
from dataclasses import replace
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"
MODULES = {"project": "project", "jax": "peers.jax_peer", "torch": "peers.torch_peer"}


@pytest.fixture
def losses(monkeypatch):
    """Losses before training and after some steps, by contestant. One batch is all rows: their order cannot matter."""
    pytest.importorskip("torch")
    monkeypatch.syspath_prepend(str(BENCH))
    workloads = importlib.import_module("workloads")

    def measured(name, steps, **smaller):
        workload = replace(workloads.WORKLOADS[name], steps=1, **smaller)
        found = {}
        for contestant, module in MODULES.items():
            train, loss = importlib.import_module(module).build(workloads.Task(workload, "f32", "xla"), contestant)
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
