"""Records of trainings: what is read, what is refused; rules find in them what they find in the trainings."""

import json
import math
from dataclasses import asdict

import numpy as np
import pytest
from trainings import history, layers, network

import preceptor as pr
from preceptor import nn
from preceptor.diagnose import Diagnosis
from preceptor.diagnose.records import KEYS
from preceptor.errors import DataError

EXPLAIN = "What each looks for: preceptor explain-rule."
SIGNAL = {"mean": 0.0, "size": 1.0, "spread": 1.0, "zeros": 0.5, "gradient": 0.1}
PARAMETER = {"size": 0.1, "gradient": 1.0, "update": 1e-3, "units": 4, "apart": 0.1, "gradient_apart": 1.0}


def falling(steps=300, **more):
    return [{"loss": 2.3 / (1 + step / 20), **more} for step in range(steps)]


def as_records(made):
    """A history of ours as records, as JSON gives them back; and the facts beside them."""
    found = [{"loss": loss, "learning_rate": rate} for loss, rate in zip(made.losses, made.rates, strict=True)]
    for probe in (made.first, *made.probes):
        signals = {path: asdict(each) for path, each in probe.signals.items()}
        for each in signals.values():
            each |= {name: each[name].tolist() for name in ("flat", "still")}
        parameters = {path: asdict(each) for path, each in probe.parameters.items()}
        found[max(probe.step, 1) - 1] |= {"rows": probe.rows, "signals": signals, "parameters": parameters}
    for epoch in made.epochs:
        found[epoch.step - 1] |= {"train_loss": epoch.train_loss, "dev_loss": epoch.dev_loss}
    found[-1] |= {} if made.taught is None else {"train_error": made.taught.error, "dev_error": made.judged.error}
    optimiser = made.optimiser
    inputs = {"mean": made.inputs.mean.tolist(), "sd": made.inputs.sd.tolist(), "rows": made.inputs.rows}
    facts = {
        "steps": made.steps,
        "class_counts": np.bincount(made.case.data.y, minlength=10).tolist(),
        "batch_size": made.batch_size,
        "layers": {path: nn.to_config(layer) for path, layer in made.layers.items()},
        "inputs": inputs | {"size": made.inputs.size, "is_whole": made.inputs.is_whole},
        "optimiser": {"class": type(optimiser).__name__} | asdict(optimiser),
    }
    return json.loads(json.dumps(found)), json.loads(json.dumps(facts))


CONSTANT = nn.Constant(0.0)
SICK = {
    "dead_relu": {"epochs": 2, "learning_rate": 0.3},
    "saturated_units": {"epochs": 1, "network": network(nn.Tanh, nn.Gaussian(10.0), 3)},
    "bad_init_scale": {"epochs": 1, "network": network(nn.Tanh, nn.Gaussian(0.01), 5)},
    "zero_or_symmetric_weights": {"epochs": 1, "network": network(initialiser=CONSTANT)},
    "vanishing_gradient": {"epochs": 1, "network": network(nn.Sigmoid, depth=8)},
    "lr_too_large": {"first": True, "learning_rate": 0.1},
    "lr_too_small": {"epochs": 2, "learning_rate": 1e-7},
    "unscaled_inputs": {"epochs": 1, "scaled": lambda x: 1000 * x, "learning_rate": 1e-4},
    "slow_start_init_loss": {"epochs": 1, "network": network(initialiser=nn.Gaussian(1.0)), "learning_rate": 1e-4},
    "wrong_hidden_activation": {"epochs": 1, "network": network(nn.Softmax)},
    "train_eval_mode_mismatch": {
        "epochs": 3,
        "network": layers(nn.Dense(64), nn.BatchNorm(1.0), nn.Relu(), nn.Dense(10)),
        "scaled": lambda x: 8 * x,
    },
    "double_softmax": {"epochs": 6, "network": layers(nn.Dense(64), nn.Relu(), nn.Dense(10), nn.Softmax())},
}


@pytest.mark.parametrize("name", SICK)
def test_rules_find_in_records_what_they_find_in_a_training(name):
    made = history(**SICK[name])
    records, facts = as_records(made)
    found = pr.diagnose(records, **facts)
    assert name in {each.rule for each in found.findings}
    assert {each.rule for each in found.findings if each.level == "warn"} <= {
        *("dead_relu", "zero_or_symmetric_weights", "train_eval_mode_mismatch", "not_converged_yet", "diverging")
    }
    wanted = {each for why in found.not_looked_for.values() for each in why}
    rest = set() if made.is_over else {"train_error at the end", "train_loss"}
    assert wanted <= {"dev_loss of 3 epochs or more", "flat and still of signals"} | rest


def test_a_training_that_goes_well_is_left_alone():
    records, facts = as_records(history())
    found = pr.diagnose(records, **facts)
    assert found.findings == ()
    assert "Train error" in found.reading.text
    assert "\nfound     nothing\n" in str(found)


def test_the_steps_that_records_name_are_those_told():
    losses = [*(2.3 - 0.005 * step for step in range(100)), *(1.8 + 0.2 * step for step in range(100))]
    records = [{"step": 50 * (place + 1), "loss": loss} for place, loss in enumerate(losses)]
    found = pr.diagnose(records, constant_loss=2.3)
    [grown] = [each for each in found.findings if each.rule == "diverging"]
    assert grown.step == 10_000
    assert grown.level == "warn"
    assert "about step 4,050;" in grown.text


def test_a_number_that_is_none_is_named_with_its_step_and_layer():
    broken = {"0": SIGNAL, "1": SIGNAL | {"size": math.nan}, "2": SIGNAL | {"size": math.inf}}
    records = [*falling(30), {"loss": math.nan, "signals": broken}, *({"loss": math.nan} for _ in range(30))]
    found = pr.diagnose(json.loads(json.dumps(records)))
    [first] = found.findings
    assert (first.rule, first.level, first.step, first.layer) == ("nan_inf", "warn", 31, "1")
    assert found.reading.case == "error increasing"


def test_what_the_optimiser_does_not_hold_and_what_no_gradient_reaches_are_facts():
    held, moved = PARAMETER | {"update": 0.0}, {"1/weight": PARAMETER}
    for own, said in ((held, "give them to the optimiser"), (held | {"gradient": None}, "No gradient ever comes to 0")):
        first = {name: value for name, value in SIGNAL.items() if name != "gradient"}
        each = {"signals": {"0": first, "1": SIGNAL}, "parameters": {"0/weight": own, **moved}}
        found = pr.diagnose([{"loss": 1.0, **each}, {"loss": 1.0}, {"loss": 1.0, **each}])
        [fault] = [one for one in found.findings if one.rule == "frozen_or_disconnected"]
        assert fault.level == "warn"
        assert said in fault.text


def test_what_is_only_suspected_is_a_note_and_nothing_where_the_rows_were_learned():
    each = {"signals": {"0": SIGNAL}, "parameters": {"0/weight": PARAMETER | {"update": 1e-2}}}
    records = falling(learning_rate=0.1, **each)
    [found] = pr.diagnose(records).findings
    assert (found.rule, found.level) == ("lr_too_large", "note")
    assert pr.diagnose([*records[:-1], records[-1] | {"train_error": 0.01}]).findings == ()


def test_the_history_of_a_run_is_such_records():
    run = pr.fit("iris", epochs=30)
    found = pr.diagnose(run.history)
    assert found.step == run.history[-1]["step"]
    assert found.reading is not None
    assert "seconds" in found.unread
    assert not {"train_accuracy", "dev_accuracy"} & set(found.unread)
    assert "dev losses that rise again" in found.looked_for


def test_a_file_with_an_object_in_each_line_is_read(written):
    records = falling(40)
    path = written("".join(f"{json.dumps(each)}\n" for each in records), "records.jsonl")
    assert str(pr.diagnose(path)) == str(pr.diagnose(str(path))) == str(pr.diagnose(records))
    with pytest.raises(DataError, match=r"t.jsonl: line 2 is no JSON"):
        pr.diagnose(written('{"loss": 1}\nno\n', "t.jsonl"))
    with pytest.raises(DataError, match="cannot be read"):
        pr.diagnose(path.parent / "nowhere.jsonl")


def test_a_diagnosis_is_json_and_prints_what_was_looked_for_and_what_not():
    found = pr.diagnose(falling())
    assert isinstance(found, Diagnosis)
    assert json.loads(json.dumps(found.to_dict())) == found.to_dict()
    lines = str(found).splitlines()
    assert [line[:10].strip() for line in lines] == ["steps", "found", "curve", "watched", "not"]
    assert lines[0] == "steps     300 of 300"
    assert lines[3].endswith(" rules looked on; 13 more need rows, network and steps to try. " + EXPLAIN)
    assert " rules, for want of " in lines[4]
    assert "class_counts=" in lines[4]
    assert found.not_looked_for["steps too large or too small"] == ("learning_rate", "parameters")
    assert found.not_looked_for["labels that contradict the rows like them"] == ()


def test_single_numbers_of_numpy_are_numbers():
    assert pr.diagnose([{"loss": np.float32(1.5), "step": np.int64(7)}]).step == 7


def test_training_that_goes_on_is_not_judged_as_ended():
    records = [*falling(300, learning_rate=0.1), {"train_error": 0.3, "dev_error": 0.3}]
    assert "train_error at the end" in str(pr.diagnose(records, steps=1000))
    assert pr.diagnose(records, steps=1000).reading.bias is None


BAD = {
    "no dictionary": ([{"loss": 1.0}, 3], "record 2: received of type int; a dictionary is required."),
    "not a list": (3, "records: received of type int; a list of dictionaries is required"),
    "nothing": ([], "records: there are none; one at least is required."),
    "no key": ([{"los": 1.0}], "record 1: received 'los'; one of loss, objective, .* Did you mean 'loss'?"),
    "text": ([{"loss": "low"}], "record 1: loss is 'low'; a number is required, or None where it is not known."),
    "truth": ([{"loss": True}], "record 1: loss is True; a number is required"),
    "back": (
        [{"loss": 1.0, "step": 5}, {"loss": 1.0, "step": 4}],
        "record 2: step is 4 after 5; steps must not go back. Sort the records by step.",
    ),
    "half a step": ([{"loss": 1.0, "step": 0.5}], "record 1: step is 0.5; a whole number of at least 0 is required."),
    "a signal's key": (
        [{"signals": {"a": {"sise": 1.0}}}],
        "record 1: signals: a: received the key 'sise'; it may have mean, size, .* Did you mean 'size'?",
    ),
    "a signal": ([{"signals": {"a": 1.0}}], "record 1: signals: a: received of type float; a dictionary with mean, "),
    "signals": ([{"signals": [1.0]}], "record 1: signals: received a list; a dictionary by path is required."),
    "flat alone": ([{"signals": {"a": {"flat": [0.1]}}}], "record 1: signals: a: still is missing; flat and still"),
    "shares": (
        [{"signals": {"a": {"flat": [0.1], "still": [2.0]}}}],
        "record 1: signals: a: still holds 2; shares from 0 to 1 are required.",
    ),
    "units": (
        [{"signals": {"a": {"flat": [0.1], "still": [0.2, 0.3]}}}],
        "record 1: signals: a: flat has 1 units, still 2; all have both.",
    ),
    "a parameter": (
        [{"parameters": {"a/weight": {"size": "x"}}}],
        "record 1: parameters: a/weight: size is 'x'; a number is required",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_records_are_refused_with_the_record_and_the_key(name):
    given, text = BAD[name]
    with pytest.raises(DataError, match=text):
        pr.diagnose(given)


FACTS = {
    "steps": (0, "steps: received 0; a whole number of at least 1 is required."),
    "class_counts": ([5], "class_counts: received .5.; the rows of two classes or more are required."),
    "constant_loss": (math.nan, "constant_loss: received nan; a finite number is required."),
    "layers": (["Relu"], "layers: received list; a dictionary of layers by path is required."),
    "inputs": ({"mean": [0.0]}, "inputs: received mean; mean, sd, rows, size, is_whole are required."),
    "optimiser": (3, "optimiser: received 3; the name of a class is required, or a dictionary with `class`."),
}


@pytest.mark.parametrize("name", FACTS)
def test_bad_facts_are_refused(name):
    given, text = FACTS[name]
    with pytest.raises(DataError, match=text):
        pr.diagnose(falling(3), **{name: given})


def test_layers_are_known_by_the_names_of_their_classes_and_others_are_unknown():
    silent = {"a": SIGNAL | {"flat": [1.0, 1.0], "still": [1.0, 1.0]}}
    records = [*falling(30), {"loss": 1.0, "signals": silent}]
    for name in ("Relu", "relu", "ReLU"):
        assert [each.rule for each in pr.diagnose(records, layers={"a": name}).findings] == ["dead_relu"]
    assert pr.diagnose(records, layers={"a": "Something"}).findings == ()
    with pytest.raises(DataError, match="layers: a: "):
        pr.diagnose(records, layers={"a": {"class": "LeakyRelu", "slope": 3.0}})


def test_every_key_is_documented():
    told = pr.diagnose.__doc__
    for key in KEYS:
        assert key in told, key


def test_a_diagnosis_of_broken_numbers_is_json_too():
    for records in ([{"loss": 1.0}, {"loss": math.nan}], [{"loss": math.inf}]):
        found = pr.diagnose(records).to_dict()
        assert found["findings"][0]["rule"] == "nan_inf"
        assert found["findings"][0]["evidence"]["learning_rate"] is None
        json.dumps(found, allow_nan=False)


@pytest.mark.parametrize("part", ["train", "dev"])
def test_an_accuracy_in_percent_is_refused(part):
    with pytest.raises(DataError, match=rf"record 1: {part}_accuracy is 97; a share from 0 to 1 is required"):
        pr.diagnose([{"loss": 1.0, f"{part}_accuracy": 97}])
