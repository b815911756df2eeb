"""A training that is mended: never worse than doing nothing, the same bits after every kill, and told in full."""

import json
import shutil
import sys

import numpy as np
import pytest

from preceptor import fit, load
from preceptor.errors import ConfigError, DataError
from preceptor.job import following, make_settings, prepare, resume
from preceptor.job.folder import KEPT, read_plan
from preceptor.job.mending import MOST_TRAININGS, cost, deciding, proposed
from preceptor.job.run import Run
from preceptor.train.choice import METRICS

attempts = sys.modules["preceptor.job.attempts"]
fit_module = sys.modules["preceptor.job.fit"]  # the function of the same name hides the module

SICK = {"learning_rate": 1.0, "schedule": "constant", "hidden": (64, 64), "epochs": 10, "engine": "native"}
SMALL = {"hidden": (16,), "epochs": 10, "learning_rate": 0.01, "engine": "reference"}


@pytest.fixture(scope="module")
def digest():
    return lambda run: (run / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def mended(tmp_path_factory):
    """A training that takes three: its rate is a hundred times too large."""
    out = tmp_path_factory.mktemp("mended") / "run"
    return fit("digits", out=out, mend=True, **SICK)


def test_the_best_training_is_kept_and_each_is_told(mended):
    told = mended.facts["mended"]
    assert [each["changes"] for each in told["attempts"]] == [{}, {"learning_rate": 0.1}, {"learning_rate": 0.01}]
    assert [each["why"][0]["rule"] for each in told["attempts"][1:]] == ["lr_too_large", "lr_too_large"]
    assert told["kept"] == 3
    assert told["changes"] == {"learning_rate": 0.01}
    accuracies = [each["judged"]["accuracy"] for each in told["attempts"]]
    assert accuracies == sorted(accuracies)
    assert accuracies[-1] == mended.dev["accuracy"].value > 0.9
    assert sorted(each.name for each in mended.path.iterdir()) == sorted(KEPT)
    assert load(mended.path).facts["mended"] == json.loads(json.dumps(told))


def test_the_kept_run_has_the_bits_of_a_training_with_its_settings_from_the_start(mended, tmp_path, digest):
    plain = fit("digits", out=tmp_path / "plain", **SICK | mended.facts["mended"]["changes"])
    assert digest(plain.path) == digest(mended.path)
    assert plain.facts["settings"] == mended.facts["settings"]


@pytest.mark.parametrize("stop", ["record", "put aside", "planned", "judged", "committed"])
def test_a_mending_that_ends_anywhere_goes_on_to_the_same_bits(mended, tmp_path, monkeypatch, digest, stop):
    out, stopped = tmp_path / "run", 0
    where = {
        "put aside": (attempts, "write_plan"),
        "planned": (attempts, "remove"),
        "judged": (attempts, "building"),
        "committed": (attempts, "clear"),
    }

    class Killed(Exception):
        pass

    def killed(*args, **named):
        raise Killed

    fitting = prepare("digits", make_settings(SICK), mend=True)
    fitting.open_folder(out)
    for _ in range(20):
        with monkeypatch.context() as patch:
            if stop in where and stopped < 3:
                patch.setattr(*where[stop], killed)
            try:
                after = ended(fitting, stop == "record" and stopped < 6)
            except Killed:
                after = None
        if isinstance(after, Run):
            break
        stopped += after is None
        if after is not None:
            fitting = after
            continue
        fitting.release()
        if stop == "committed":  # all is done; only what lies about is to be cleared
            with pytest.raises(DataError, match="this run is finished"):
                resume(out)
            break
        fitting, notes = resume(out)
        assert f"training {fitting.mending.number} of at most {MOST_TRAININGS} of a mending" in notes[-1]
    assert stopped
    assert digest(out) == digest(mended.path)
    assert sorted(each.name for each in out.iterdir()) == sorted(KEPT)
    told, whole = (json.loads(json.dumps(load(each).facts["mended"])) for each in (out, mended.path))
    for each in (*told["attempts"], *whole["attempts"]):
        del each["seconds"]
    assert told == whole


def ended(fitting, breaks):
    """What follows a training; None where it is broken off after its fifth record."""
    for number, _ in enumerate(fitting.records()):
        if breaks and number == 4:
            fitting.finish()
            return None
    run = fitting.finish()
    return attempts.completed(following(fitting, run))


def test_interrupted_in_a_later_training_the_best_so_far_predicts(tmp_path):
    fitting = prepare("digits", make_settings(SICK), mend=True)
    fitting.open_folder(tmp_path / "run")
    fitting = ended(fitting, False)
    assert read_plan(tmp_path / "run").mending.best == 1
    assert ended(fitting, True) is None
    run = load(tmp_path / "run")
    assert run.facts["outcome"].startswith("Interrupted; training 2 of at most 3 was under way, and training 1 is kept")
    assert len(run.predict("digits")) == 1797
    fitting.release()
    fitting, _ = resume(tmp_path / "run")
    assert fitting.mending.number == 2


def test_nothing_to_mend(tmp_path):
    run = fit("iris", out=tmp_path / "run", mend=True, **SMALL)
    told = run.facts["mended"]
    assert (told["kept"], len(told["attempts"])) == (1, 1)
    assert told["ended"].startswith("Nothing to mend: ")
    assert np.array_equal(
        load(tmp_path / "run").predict("iris"),
        fit("iris", **SMALL).predict("iris"),
    )


def test_a_remedy_that_does_not_hold_what_it_promised_is_not_kept(monkeypatch):
    worse = {"rule": "made_up", "level": "warn", "proof": {}, "remedies": [{"text": "", "settings": {}}]}
    worse["remedies"][0]["settings"] = {"learning_rate": 1e-9}
    monkeypatch.setattr(attempts, "proposed", lambda *found: ({"learning_rate": 1e-9}, [worse], []))
    run = fit("iris", mend=True, **SMALL)
    told = run.facts["mended"]
    assert told["kept"] == 1
    assert len(told["attempts"]) == 2
    assert told["ended"] == "What was found was tried already."
    assert told["attempts"][1]["judged"]["accuracy"] < told["attempts"][0]["judged"]["accuracy"]


@pytest.mark.parametrize(
    "changes",
    [
        {"learning_rate": 1e-6, "epochs": 20},  # a thousandth
        {"initialiser": "gaussian:sigma=5", "hidden": (32, 32, 32)},
        {"initialiser": "constant"},
        {"optimiser": "sgd", "learning_rate": 30.0, "hidden": (32, 32), "activation": "leaky-relu"},  # numbers run out
    ],
)
def test_what_is_mended_is_better_than_what_was_asked_for(changes):
    sick = SICK | {"hidden": (32,)} | {"learning_rate": 0.001} | changes
    run = fit("digits", mend=True, **sick)
    told = run.facts["mended"]
    assert told["kept"] > 1, told
    assert run.dev["accuracy"].value > told["attempts"][0]["judged"]["accuracy"] + 0.2


def test_inputs_out_of_scale_are_mended_to_the_bits_of_a_training_that_scales_them(tmp_path, digest):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 5))
    y = (x @ [1, -1, 0.5, 2, -0.5] + 0.3 * rng.normal(size=600) > 0).astype(int)
    x[:, 0] *= 1000
    sick = {"hidden": (16,), "epochs": 10, "optimiser": "sgd", "learning_rate": 0.03, "engine": "native"}
    sick |= {"metric": "auc", "preprocess": "zero-centre"}
    run = fit(x, y, out=tmp_path / "run", mend=True, **sick)
    first, second, *_ = run.facts["mended"]["attempts"]
    assert (first["outcome"], second["changes"]) == ("DIVERGED", {"preprocess": "standardise"})
    assert list(second["judged"]) == ["auc", "accuracy", "log_loss"]
    changes = run.facts["mended"]["changes"]
    assert changes["preprocess"] == "standardise"
    plain = fit(x, y, out=tmp_path / "plain", **sick | changes)
    assert digest(plain.path) == digest(run.path)
    assert fit(x, y, **sick | changes).findings == run.findings


def test_a_mending_without_rows_that_judge_is_refused():
    with pytest.raises(ConfigError, match=r"received mend without rows that judge: .* Give a dev part"):
        fit("iris", mend=True, dev_share=0, hidden=(8,))


def test_processes_that_train_together_are_not_mended(monkeypatch):
    monkeypatch.setattr(fit_module, "trains_with_others", lambda: True)
    with pytest.raises(ConfigError, match="received mend where several processes train together"):
        fit("iris", mend=True, hidden=(8,))


def test_what_decides():
    classes = {"accuracy": 0.5, "accuracy_low": 0.4, "log_loss": 0.7, "f1": 0.3}
    assert deciding(classes, None) == {"accuracy": 0.5, "log_loss": 0.7}
    assert list(deciding(classes, METRICS["f1"])) == ["f1", "accuracy", "log_loss"]
    assert deciding({"rmse": 2.0, "mae": 1.0, "r2": 0.75}, None) == {"rmse": 2.0, "mae": 1.0}
    several = {"a": classes, "b": {"rmse": 2.0, "mae": 1.0, "r2": 0.75}}
    assert deciding(several, None) == {"mean_error": (0.5 + 0.25) / 2}
    assert cost({"accuracy": 0.6, "log_loss": 9.0}) < cost({"accuracy": 0.5, "log_loss": 0.1})
    assert cost({"accuracy": 0.5, "log_loss": 0.1}) < cost({"accuracy": 0.5, "log_loss": 0.2})
    assert cost({"rmse": 1.0}) < cost({"rmse": None})


def test_what_is_proved_and_can_be_set_is_changed_else_what_was_found_first():
    def finding(rule, level="warn", proof=True, **settings):
        found = {"rule": rule, "level": level, "remedies": [{"text": "", "settings": settings}]}
        return found | ({"proof": {}} if proof else {})

    changes, why, unsaid = proposed(
        [
            finding("a", learning_rate=0.1),
            finding("b", level="note", epochs=9),
            finding("c", proof=False, epochs=8),
            finding("d"),
            finding("e", learning_rate=0.01, optimiser="adam"),  # contradicts the first, which is nearer to the cause
            finding("f", learning_rate=0.1, clip_norm=1.0),
        ]
    )
    assert changes == {"learning_rate": 0.1, "clip_norm": 1.0}
    assert [each["rule"] for each in why] == ["a", "f"]
    assert unsaid == ["d"]
    alone = [finding("nan_inf", proof=False, learning_rate=0.1)]
    assert proposed(alone)[0] == {"learning_rate": 0.1}
    assert [each["rule"] for each in proposed([*alone, finding("later", proof=False, epochs=8)])[1]] == ["nan_inf"]


def test_a_changed_part_loses_the_numbers_of_the_old_one():
    asked = make_settings({"optimiser": "momentum:momentum=0.8", "activation": "leaky-relu", "slope": 0.3})
    assert asked.altered({"optimiser": "adam"}).own == {"slope": 0.3}
    assert asked.altered({"activation": "relu"}).own == {"momentum": 0.8}
    assert asked.altered({"optimiser": "adam:beta1=0.5"}).own == {"slope": 0.3, "beta1": 0.5}
    assert asked.altered({"learning_rate": 0.5}).own == asked.own


def test_a_plan_of_before_mending_is_read(tmp_path):
    fitting = prepare("iris", make_settings({"hidden": (8,), "epochs": 2}))
    fitting.open_folder(tmp_path / "run")
    assert b"mending" not in (tmp_path / "run" / "plan.json").read_bytes()
    assert read_plan(tmp_path / "run").mending is None
    shutil.rmtree(tmp_path / "run")
