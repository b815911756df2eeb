"""bench/doctor_against*.py: the same training in PyTorch, step for step; other packages judged by the same labels."""

import importlib
import json
import runpy
import sys
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from preceptor.train import schedule, train

torch = pytest.importorskip("torch")

BENCH = Path(__file__).parents[2] / "bench"
PARTS = ("doctor", "doctor_figures", "doctor_against", "doctor_against_torch", "doctor_against_tools", "zoo_cases")

ROWS = {"name": "moons", "task": "classification", "shape": [2], "classes": 2, "n_train": 300, "scaling": "none"}
DIGITS = {"name": "digits", "task": "classification", "shape": [8, 8, 1], "classes": 10, "scaling": "none"}
HOUSES = {"name": "diamonds", "task": "regression", "shape": [9], "scaling": "standardise"}


def spec_of(dataset: dict, model: list[dict], loss: str, optimizer: dict, **training) -> dict:
    common = {"batch_size": 30, "epochs": 2}
    return {
        "id": "made",
        "healthy_control": True,
        "dataset": dataset,
        "model": model,
        "training": {"loss": loss, "optimizer": optimizer, **common, **training},
        "faults": [],
        "known_fix": [],
        "base_program": "made",
    }


def dense(units: int, act: str = "linear", **more) -> dict:
    return {"op": "dense", "units": units, "act": act, **more}


def small(act: str) -> list[dict]:
    return [dense(8, act), dense(1, "sigmoid")]


CNN = [
    {"op": "conv2d", "filters": 4, "kernel": 2, "stride": 2, "pad": "same", "act": "relu"},
    {"op": "batchnorm"},
    {"op": "conv2d", "filters": 5, "kernel": 2, "stride": 1, "pad": "same", "act": "tanh", "frozen": True},
    {"op": "maxpool2d", "size": 2, "stride": 1},
    {"op": "flatten"},
    dense(12, "elu", bias=False),
    dense(10),
]
CHANNELS = [
    {"op": "conv2d", "filters": 4, "kernel": 3, "stride": 2, "pad": "valid", "act": "softmax"},
    {"op": "flatten"},
    dense(10),
]
LOGITS = "softmax_cross_entropy(logits)"
SGD = {"name": "sgd", "lr": 0.05}
CASES = {
    "cnn": spec_of(DIGITS, CNN, LOGITS, {"name": "adam", "lr": 0.01}, clip_norm=0.5),
    "softmax of channels": spec_of(DIGITS, CHANNELS, LOGITS, {"name": "adam", "lr": 0.01}),
    "nesterov": spec_of(
        ROWS,
        small("hard_sigmoid"),
        "binary_crossentropy",
        {"name": "sgd", "lr": 0.1, "momentum": 0.8, "nesterov": True, "decay": 1e-2},
        regularisation={"l2": 0.01},
    ),
    "numbers": spec_of(HOUSES, [dense(8, "softplus"), dense(1)], "mean_squared_error", {"name": "rmsprop", "lr": 0.01}),
    "uphill": spec_of(ROWS, small("selu"), "mean_squared_error", {"name": "adam", "lr": 0.01, "gradient_sign": -1}),
    "nadam": spec_of(ROWS, small("softsign"), "mean_absolute_error", {"name": "nadam", "lr": 0.01}, warmup=0.5),
    "adamax": spec_of(ROWS, small("exponential"), "binary_crossentropy", {"name": "adamax", "lr": 0.01}),
    "adadelta": spec_of(ROWS, small("leaky_relu"), "binary_crossentropy", {"name": "adadelta", "lr": 1.0}),
    "adagrad": spec_of(DIGITS, [dense(10, "softmax")], "categorical_crossentropy", {"name": "adagrad", "lr": 0.1}),
    "weights": spec_of(ROWS, [dense(4, "relu"), dense(2)], LOGITS, SGD, class_weights=(1.0, 3.0)),
    "axis": spec_of(DIGITS, [dense(10)], "cross entropy with softmax over the BATCH axis", SGD),
    "broadcast": spec_of(HOUSES, [dense(1)], "mean_squared_error with [N] vs [N,1] broadcasting", SGD),
    "unclipped": spec_of(DIGITS, [dense(10, "softmax")], "-sum(y*log p) over batch, unclipped", {**SGD, "lr": 1e-4}),
    "raw": spec_of(DIGITS, [dense(10)], "cross_entropy_on_probabilities applied to raw logits, clip 1e-32", SGD),
    "hinge": spec_of(DIGITS, [dense(10)], "hinge(logits)", SGD),
    "brier": spec_of(DIGITS, [dense(10)], "mean_squared_error(softmax)", SGD),
}


@pytest.fixture
def parts(monkeypatch):
    """The scripts by name."""
    monkeypatch.syspath_prepend(str(BENCH))
    return {name: importlib.import_module(name) for name in PARTS}


@pytest.mark.parametrize("name", CASES)
def test_a_case_is_the_same_training_in_pytorch(parts, name):
    case = parts["zoo_cases"].ready(CASES[name], 3).case
    ours = next(train(case.config, case.data, judged=0))
    training = parts["doctor_against_torch"].translated(case)
    assert training.steps == ours.steps
    found = []
    for step in range(min(8, len(ours.losses))):
        loss = training.backward(step)
        found.append(loss - sum(0.5 * 0.01 * float((p**2).sum()) for p in weights(training)) * (name == "nesterov"))
        training.update()
    np.testing.assert_allclose(found, ours.losses[: len(found)], rtol=2e-4)


def weights(training) -> list:
    return [p.detach() for name, p in training.model.named_parameters() if name.endswith("weight")]


def test_outputs_of_pictures_are_the_same(parts):
    case = parts["zoo_cases"].ready(CASES["cnn"], 3).case
    training = parts["doctor_against_torch"].translated(case)
    params, state = importlib.import_module("preceptor.train.training").initial_values(case.config, case.data)
    ours = case.config.network.apply(params, state, case.data.x[:5], train=False, key=None)[0]
    with torch.no_grad():
        theirs = training.model.eval()(training.x[:5]).numpy()
    np.testing.assert_allclose(theirs, ours, atol=1e-5)
    assert not training.model.conv2d1.weight.requires_grad


def test_what_is_not_written_for_pytorch_is_refused(parts):
    case = parts["zoo_cases"].ready(CASES["cnn"], 3).case
    with pytest.raises(parts["doctor_against_torch"].Refused, match="drops on plateaus"):
        parts["doctor_against_torch"].translated(
            replace(case, config=replace(case.config, schedule=schedule.Plateau()))
        )


@pytest.mark.parametrize("name", ["cnn", "weights", "nesterov"])
def test_the_script_that_is_traced_makes_the_same_steps(parts, name, tmp_path, monkeypatch):
    tracer = importlib.import_module("doctor_against_traincheck")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", list(sys.path))
    made = parts["zoo_cases"].ready(CASES[name], 3)
    tracer._script(made, "target")
    model = runpy.run_path("target.py")["model"]
    training = parts["doctor_against_torch"].translated(made.case)
    for step in range(tracer.STEPS):
        training.backward(step)
        training.update()
    for theirs, ours in zip(model.parameters(), training.model.parameters(), strict=True):
        torch.testing.assert_close(theirs, ours)


def test_names_of_others_are_told_by_rules_of_ours(parts):
    same = json.loads((BENCH / "doctor_against_kinds.json").read_text())
    kinds = json.loads((BENCH / "doctor_kinds.json").read_text())
    known = {rule for kind, told in kinds.items() if kind != "purpose" for rule in told["rules"]}
    assert set(same) == {"purpose", *parts["doctor"].OTHERS}
    for tool in parts["doctor"].OTHERS:
        for name, rules in same[tool].items():
            assert set(rules) <= known, name
    assert "lr_too_large" in parts["doctor_against"].rightly("torchmortem")["Update ratio too high"]


def test_others_are_judged_by_the_labels_of_our_runs(parts):
    Outcome, Subject = parts["doctor_figures"].Outcome, parts["doctor"].Subject
    faulty = {"faults": [{"kind": "lr_too_large"}], "id": "a"}
    chosen = [Subject(faulty, "a", "p", "lr_too_large", False, ("b",), frozenset(), ())]
    chosen += [
        Subject({"faults": [], "id": key}, key, "p", "healthy", False, (key,), frozenset(), ()) for key in ("b", "c")
    ]
    place = frozenset({"dense1"})
    runs = [Outcome("a", "lr_too_large", "p", "faulty", False, 1.0, 0.1, 0.1, key="a", seed=s) for s in (0, 1)]
    runs = [replace(run, places=place) for run in runs]
    runs += [Outcome(key, "healthy", "p", "healthy", False, 0.1, 0.1, 0.1, key=key) for key in ("b", "c")]
    found = [
        {"rule": "Dead units", "level": "alarm", "layers": ["dense0"]},
        {"rule": "Update ratio too high", "level": "strict", "layers": ["dense0", "dense1"]},
        {"rule": "Catapult phase detected", "level": "note", "layers": []},
    ]
    lines = {"a": {"findings": found, "wall": 1.0, "overhead": 2.0}, "b": {"findings": found[:1], "wall": 3.0}}
    lines["c"] = {"refused": "a reason", "wall": 0.0}
    others = {"torchmortem": {"version": "0", "lines": lines}}
    told = parts["doctor_against"].concluded(chosen, runs, others)["torchmortem"]
    counted = {name: (each["count"], each["of"]) for name, each in told["all"].items()}
    assert told["runs"] == {"faulty": 1, "healthy": 1, "unclear": 0}
    assert (told["refused"], told["broke"]) == (1, 0)
    assert (counted["recall"], counted["false_alarms"], counted["precision"]) == ((1, 1), (1, 1), (1, 2))
    assert (counted["top1"], counted["top3"], counted["localised"]) == ((1, 1), (1, 1), (1, 1))
    assert told["strict"]["false_alarms"]["count"] == 0
    assert told["strict"]["top1"]["count"] == 1
    assert told["ours"]["recall"] | {"low": 0, "high": 1} == {"value": 0, "low": 0, "high": 1, "count": 0, "of": 1}
    assert told["alarms"]["Dead units"] == {"faulty": 1, "healthy": 1, "unclear": 0}


@pytest.mark.parametrize("tool", ["torchmortem", "neuraldbg", "skore"])
def test_a_package_that_is_installed_tells_of_a_rate_far_too_large(parts, tool):
    pytest.importorskip(tool)
    spec = deepcopy(CASES["weights"])
    spec["training"]["optimizer"]["lr"] = 1e6
    line = parts["doctor_against_tools"].watched(tool, parts["zoo_cases"].ready(spec, 0))
    assert [each for each in line["findings"] if each["level"] in ("alarm", "strict")]
