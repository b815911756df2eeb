"""Probabilities calibrated on rows that were not learned from: out of fold, or dev."""

import json

import numpy as np
import pytest
from scipy import special

import preceptor as pr
from preceptor import nn
from preceptor.job import fit, load
from preceptor.nn.calibration import temperature_of

QUICK = {"engine": "reference", "epochs": 4, "batch_size": 32, "learning_rate": 0.01}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 3))
    shift = 2 * x[:, 0] + x[:, 1] + rng.logistic(size=300)
    return {"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "y": np.array(["no", "yes"], object)[(shift > 0).astype(int)]}


@pytest.fixture(scope="module")
def run(table):
    """Eight members of a fold each."""
    return fit(table, "y", members=8, hidden=(8,), **QUICK)


def raw(run, table):
    """What the network itself says: (row, [member,] unit)."""
    return np.concatenate([outputs for _, outputs in run._outputs(run.preprocessor.open(table, True))])


def test_members_logits_are_divided_before_the_softmax(run, table, tmp_path):
    t = temperature_of(run.loss)
    assert 0.125 < t < 0.95  # labels were smoothed: its probabilities are too timid
    each = special.softmax(raw(run, table) / np.float32(t), -1)
    found = run.predict_probabilities(table)
    np.testing.assert_allclose(found, each.mean(1), rtol=1e-5)
    np.testing.assert_allclose(run.predict_samples(table), each.transpose(1, 0, 2), rtol=1e-5)
    again = load(run.save(tmp_path / "run").path)
    assert temperature_of(again.loss) == t
    np.testing.assert_array_equal(again.predict_probabilities(table), found)
    truth = (table["y"] == "yes").astype(int)
    expected = -np.log(found[np.arange(300), truth]).mean()
    assert run.evaluate(table)["log_loss"] == pytest.approx(expected, rel=1e-5)
    assert run.dev["calibration_error"].rows == 300


def test_the_dev_part_has_no_lower_log_loss_at_another_temperature(table):
    run = fit(table, "y", hidden=(8,), **QUICK)
    plain = run.loss.loss
    assert isinstance(run.loss, nn.Tempered)
    assert plain == nn.SoftmaxCrossEntropy()
    rows = {name: values[:100] for name, values in table.items()}  # what the dev rows are, nobody tells
    z, truth = raw(run, rows), (rows["y"] == "yes").astype(int)
    p = special.softmax(z / temperature_of(run.loss), -1)
    assert run.evaluate(rows)["log_loss"] == pytest.approx(-np.log(p[np.arange(100), truth]).mean(), rel=1e-4)


@pytest.mark.parametrize(
    "settings",
    [
        {"loss": "hinge"},
        {"loss": "one-vs-all", "hidden": (8,)},
        {"dev_share": 0, "hidden": (8,)},
    ],
    ids=lambda each: next(iter(each)),
)
def test_what_is_no_softmax_or_has_no_rows_to_fit_keeps_its_logits(table, settings):
    if settings.get("loss") == "hinge":
        settings = settings | {"model": "logistic"}
    run = fit(table, "y", **QUICK | settings)
    assert not isinstance(run.loss, nn.Tempered)
    assert temperature_of(run.loss) == 1


def test_numbers_have_no_temperature(table):
    numbers = {"a": table["a"], "y": table["b"] * 1.5}
    assert temperature_of(fit(numbers, "y", hidden=(4,), **QUICK).loss) == 1


def test_a_run_of_before_there_were_temperatures_loads(run, table, tmp_path):
    """Its loss is saved bare."""
    old = pr.Run(**{name: getattr(run, name) for name in run.__dataclass_fields__} | {
        "loss": nn.MemberLoss(run.loss.loss.loss), "path": None})  # fmt: skip
    saved = json.loads((old.save(tmp_path / "old").path / "config.json").read_text())
    assert saved["loss"]["loss"]["class"] == "SoftmaxCrossEntropy"
    found = load(tmp_path / "old").predict_probabilities(table)
    np.testing.assert_allclose(found, special.softmax(raw(run, table), -1).mean(1), rtol=1e-5)


def test_the_same_seed_has_the_same_temperature(run, table):
    assert fit(table, "y", members=8, hidden=(8,), **QUICK).loss == run.loss
