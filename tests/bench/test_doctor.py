"""bench/doctor.py: specifications honoured or refused, labels by the outcome, figures counted by hand."""

import importlib
import json
import math
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from preceptor import nn
from preceptor.diagnose.case import right_classes
from preceptor.train import Nesterov

BENCH = Path(__file__).parents[2] / "bench"
SPECS = BENCH.parents[1] / "shared" / "zoo" / "specs.jsonl"
PARTS = ("doctor", "doctor_figures", "zoo_cases", "zoo_data", "zoo_mutations", "zoo_reference")

SPEC = {
    "id": "two_moons",
    "healthy_control": False,
    "dataset": {
        "name": "moons",
        "task": "classification",
        "shape": [2],
        "classes": 2,
        "n_train": 300,
        "scaling": "standardise",
    },
    "model": [
        {"op": "dense", "units": 8, "act": "sigmoid", "init": "normal(0,0.5)", "bias_init": 0.1},
        {"op": "dropout", "rate": 0.25},
        {"op": "dense", "units": 1, "act": "sigmoid", "init": "glorot_uniform"},
    ],
    "training": {
        "optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.8, "nesterov": True, "decay": 1e-3},
        "loss": "binary_crossentropy",
        "batch_size": 30,
        "epochs": 2,
        "regularisation": {"l2": 0.01},
    },
    "faults": [{"kind": "wrong_hidden_activation", "where": "dense[0].act", "from": "relu", "to": "sigmoid"}],
    "known_fix": [
        {"where": "dense[0].act", "from": "sigmoid", "to": "relu"},
        {"where": "optimizer.lr", "from": 0.1, "to": 0.02},
        {"where": "preprocessing", "from": "none", "to": "min-max"},
    ],
    "base_program": "two_moons",
}


@pytest.fixture
def parts(monkeypatch):
    """The scripts by name."""
    monkeypatch.syspath_prepend(str(BENCH))
    return {name: importlib.import_module(name) for name in PARTS}


def test_every_field_of_a_specification_is_honoured(parts):
    made = parts["zoo_cases"].ready(SPEC, 5)
    config, data = made.case.config, made.case.data
    hidden, activation, dropout, last, _ = config.network.layers
    assert hidden == nn.Dense(8, initialiser=nn.Gaussian(0.5), bias_initialiser=nn.Constant(0.1))
    assert (activation, dropout) == (nn.Sigmoid(), nn.Dropout(0.25))
    assert last == nn.Dense(1, initialiser=nn.GlorotUniform())
    assert config.loss == nn.ProbabilityBinaryCrossEntropy()
    assert config.optimiser == Nesterov(0.8)
    assert config.schedule.decay_rate == pytest.approx(1e-3 * 10)  # ten steps an epoch
    assert [(type(each).__name__, each.weight) for each in config.penalties] == [("L2", 0.01)]
    assert (config.learning_rate, config.batch_size, config.epochs, config.seed) == (0.1, 30, 2, 5)
    assert (made.case.classes, len(data.x), len(data.dev_x), len(made.test[0])) == (2, 300, 500, 1000)
    np.testing.assert_allclose(data.x.mean(0), 0, atol=1e-6)
    assert made.layers["dense[0]"] == ("dense0", "dense0_sigmoid")
    assert parts["doctor"].places_of(SPEC) == ("dense[0]",)


@pytest.mark.parametrize(
    "path, value, reason",
    [
        (("training", "loss"), "huber", "the loss 'huber' is not known"),
        (("training", "optimizer", "name"), "shampoo", "has no|'shampoo' is not known"),
        (("training", "patience"), 3, "the field training.patience is not known"),
        (("dataset", "name"), "imagenet", "'imagenet' is none of those known"),
        (("dataset", "scaling"), "log", "the scaling 'log'"),
        (("model", 0, "act"), "mish", "the activation 'mish'"),
        (("model", 0, "init"), "sparse", "the initialiser 'sparse'"),
        (("model", 0, "op"), "lstm", "the layer 'lstm'"),
    ],
)
def test_what_cannot_be_honoured_is_refused_with_the_reason(parts, path, value, reason):
    spec = deepcopy(SPEC)
    part = spec
    for each in path[:-1]:
        part = part[each]
    part[path[-1]] = value
    with pytest.raises(parts["zoo_data"].Refused, match=reason):
        parts["zoo_cases"].ready(spec, 0)


def test_the_known_fix_is_applied_and_the_twin_is_cut_alike(parts):
    (fixed,) = parts["zoo_cases"].repaired(SPEC)
    assert fixed["model"][0]["act"] == "relu"
    assert fixed["training"]["optimizer"]["lr"] == 0.02
    assert (fixed["dataset"]["scaling"], fixed["faults"]) == ("min-max", [])
    found, refused = parts["doctor"].subjects([SPEC], with_own=False)
    assert not refused
    twin, sick = sorted(found, key=lambda each: len(each.spec["faults"]))
    assert sick.twins == (twin.key,)
    assert sick.spec["cut"] == twin.spec["cut"]
    assert "saturated_units" in sick.right


def test_a_long_training_is_cut_and_says_so(parts):
    long = deepcopy(SPEC)
    long["training"] |= {"epochs": 100_000, "batch_size": 1}
    made = parts["zoo_cases"].ready(long, 0)
    assert made.case.config.epochs * 300 <= parts["zoo_cases"].STEPS * 1.1
    assert any("in the place of 100000" in each for each in made.notes)


def test_changed_rows_are_as_many_and_as_spoilt_as_asked_for(parts):
    data = parts["zoo_data"]
    clean = data.load(SPEC["dataset"], 300, True)
    spoilt = data.spoil(clean, {"changes": [{"op": "permute_labels", "share": 0.5}]})
    assert 40 < np.count_nonzero(spoilt.y != clean.y) < 110  # of 150 half keep their label by chance
    np.testing.assert_array_equal(spoilt.test[1], clean.test[1])
    few = data.spoil(clean, {"changes": [{"op": "keep", "share": 0.1}]})
    assert len(few.x) == 30
    with pytest.raises(data.Refused, match="corruption 'moths'"):
        data.spoil(clean, {"corruption": "moths"})


def test_labels_are_by_the_outcome(parts):
    label = parts["doctor_figures"].label
    twins = [0.10, 0.11, 0.12]
    assert label(0.60, [0.60, 0.58, 0.61], twins, 0.01) == "faulty"
    assert label(0.11, [0.60, 0.58, 0.11], twins, 0.01) == "healthy"  # this one came out well
    assert label(0.60, [0.60, 0.11, 0.10], twins, 0.01) == "faulty"  # this one did not
    assert label(0.115, [0.115, 0.11, 0.12], twins, 0.01) == "healthy"
    assert label(0.16, [0.16, 0.10, 0.11], twins, 0.01) == "unclear"
    assert label(0.13, [0.13, 0.13, 0.13], [0.1, 0.1, 0.1], 0.001) == "faulty"


def test_welch_is_scipys(parts):
    own, twins = np.array([0.30, 0.35, 0.41]), np.array([0.10, 0.20, 0.12])
    p, effect = parts["doctor_figures"]._welch(own, twins, 0.0)
    assert p == pytest.approx(stats.ttest_ind(own, twins, equal_var=False).pvalue)
    assert effect == pytest.approx((own.mean() - twins.mean()) / np.sqrt((own.var(ddof=1) + twins.var(ddof=1)) / 2))


def test_wilson_is_scipys(parts):
    found = parts["doctor_figures"].wilson(3, 40)
    theirs = stats.binomtest(3, 40).proportion_ci(method="wilson")
    assert (found["low"], found["high"]) == pytest.approx((theirs.low, theirs.high))
    assert parts["doctor_figures"].wilson(0, 0)["value"] is None


def test_figures_counted_by_hand(parts):
    figures = parts["doctor_figures"]

    def run(label, *alarms, right=("a",), **more):
        given = {"cost": 0.5, "twin": 0.1, "spread": 0.01, "right": frozenset(right)} | more
        return figures.Outcome("id", "kind", "program", label, False, alarms=alarms, **given)

    runs = [
        run("faulty", ("a", "dense0"), places=frozenset({"dense0"}), repair=0.14),  # 0.86 >= 0.95 * 0.9
        run("faulty", ("b", "dense1"), ("a", ""), places=frozenset({"dense0"}), repair=0.15),  # 0.85 < 0.855
        run("faulty", ("b", ""), ("c", ""), ("d", ""), ("a", ""), repair=0.6),  # worse than 0.5
        run("faulty", noted=frozenset({"a", "e"})),
        run("healthy", ("a", ""), cost=0.1),
        *[run("healthy", cost=0.1) for _ in range(4)],
        run("unclear", ("a", "")),
    ]
    found = figures.figures(runs)
    counted = {name: (found[name]["count"], found[name]["of"]) for name in figures.NAMES}
    assert counted == {
        "recall": (3, 4),
        "false_alarms": (1, 5),
        "precision": (3, 4),
        "top1": (1, 4),
        "top3": (2, 4),
        "suspected": (1, 4),
        "localised": (1, 2),
        "repaired": (1, 4),
        "worse": (1, 3),
    }
    assert figures.confusion(runs) == {"kind": {"a": 1, "b": 2, "-": 1}}


def test_programs_are_in_one_half_each_and_kinds_have_rules(parts):
    doctor = parts["doctor"]
    written = doctor.halves()
    assert not written["develop"] & written["report"]
    own = {each["base_program"] for each in parts["zoo_mutations"].PROGRAMS}
    assert own <= written["develop"] | written["report"]
    kinds = json.loads((BENCH / "doctor_kinds.json").read_text())
    assert {kind for _, _, kind, _, _ in parts["zoo_mutations"].MUTATIONS} <= set(kinds)
    if SPECS.is_file():
        specs = [json.loads(line) for line in SPECS.read_text().splitlines()]
        assert {each["base_program"] for each in specs} <= written["develop"] | written["report"]
        assert {fault["kind"] for each in specs for fault in each["faults"]} <= set(kinds)


def test_a_run_is_measured_kept_and_not_measured_again(parts, tmp_path, capsys):
    path = tmp_path / "specs.jsonl"
    path.write_text(json.dumps(SPEC))
    given = ["--specs", str(path), "--seeds", "1", "--results", str(tmp_path / "runs"), "--json"]
    assert parts["doctor"].main(given) == 0
    first = capsys.readouterr()
    found = json.loads(first.out)
    assert found["faulty_runs"] + found["healthy_runs"] + found["unclear_runs"] == 2
    assert set(parts["doctor_figures"].NAMES) < set(found)
    assert "0 runs kept, 2 to do" in first.err
    (kept,) = (tmp_path / "runs").iterdir()
    lines = [json.loads(line) for line in kept.read_text().splitlines()]
    assert {line["seed"] for line in lines} == {0}
    assert all(0 <= line["cost"] <= 1 for line in lines)
    assert parts["doctor"].main(given) == 0
    assert "2 runs kept, 0 to do" in capsys.readouterr().err


def test_what_is_not_there_is_told_in_a_line(parts, tmp_path, capsys):
    assert parts["doctor"].main(["--specs", str(tmp_path / "none.jsonl")]) == 2
    assert "is no file" in capsys.readouterr().err


def test_a_run_is_poor_beside_a_constant_or_a_cheap_model(parts):
    is_weak = parts["doctor_figures"].is_weak
    assert is_weak(0.49, 0.5, math.inf, 0.01)
    assert is_weak(0.3, 0.9, 0.2, 0.02)
    assert not is_weak(0.3, 0.9, 0.2, 0.06)  # chance
    assert not is_weak(0.3, 0.9, 0.25, 0.01)  # not by a quarter


def test_cheap_models_are_scikit_learns(parts):
    made = parts["zoo_cases"].ready(SPEC, 0)
    found = parts["zoo_reference"].reference(made)
    peers = (KNeighborsClassifier(10), LogisticRegression(), HistGradientBoostingClassifier(max_iter=50))
    x, y = (np.asarray(each).reshape(len(each), -1) for each in (made.case.data.x, made.test[0]))
    own = right_classes(made.case.data.y)
    costs = [1 - make_pipeline(StandardScaler(), p).fit(x, own).score(y, right_classes(made.test[1])) for p in peers]
    assert min(abs(found - cost) for cost in costs) < 1e-9
