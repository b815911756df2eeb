"""Watching: weights stay the same bits, what is sick is named and proved by a fork, what is healthy is left alone."""

from dataclasses import replace

import numpy as np
import pytest
from trainings import case, network

from preceptor import nn
from preceptor.diagnose.case import Verdict
from preceptor.diagnose.doctor import Doctor, examine
from preceptor.diagnose.finding import Proof
from preceptor.diagnose.fork import Moment, advance, compared, helps
from preceptor.graph import flatten
from preceptor.train import SGD, train

SICK = {
    "zero weights": ({"network": network(initialiser=nn.Constant(0.0))}, "zero_or_symmetric_weights"),
    "rate x100": ({"learning_rate": 0.1}, "lr_too_large"),
    "rate / 100 of SGD": ({"learning_rate": 1e-3, "optimiser": SGD()}, "lr_too_small"),
}


@pytest.mark.parametrize("engine", ["reference", "native", "xla"])
def test_weights_are_the_same_bits_watched_or_not(engine):
    made = case(rows=300, epochs=2, engine=engine, learning_rate=0.1)
    doctor, watched, alone = Doctor(made, budget=3), None, None
    for record in train(made.config, made.data):
        doctor.look(record)
        watched = record.snapshot()
    for record in train(made.config, made.data):
        alone = record.snapshot()
    assert doctor.spent
    for one, other in zip(flatten(watched)[0], flatten(alone)[0], strict=True):
        assert np.asarray(one).tobytes() == np.asarray(other).tobytes()


def test_what_goes_well_is_left_alone():
    doctor = examine(case())
    assert doctor.findings == []
    assert doctor.spent == 0


@pytest.mark.parametrize("engine", ["reference", "native"])
def test_a_training_that_goes_on_is_watched_as_one_from_its_beginning(engine):
    healthy, steps = case(rows=300, engine=engine, optimiser=SGD()), 17
    losses, carried = [], None
    for record in train(healthy.config, healthy.data):
        losses += record.losses.tolist()
        carried = record.snapshot()
        if record.step >= steps:
            break
    wild = case(rows=300, engine=engine, optimiser=SGD(), learning_rate=1e8)
    doctor = Doctor(wild, start=Moment(len(losses), carried), losses=losses)
    for record in train(wild.config, wild.data, (len(losses), carried)):
        doctor.look(record)
        if not record.is_finite:
            break
    found = next(each for each in doctor.findings if each.rule == "nan_inf")
    assert len(losses) < found.step <= record.step
    assert found.evidence["loss_before"] == pytest.approx(doctor.history.losses[found.step - 2])
    assert doctor.history.losses[: len(losses)] == losses
    told = doctor.history.losses  # up to the first that is no number, however many steps the engine made at once
    assert len(told) == len(doctor.history.rates) <= record.step
    assert np.isfinite(told[:-1]).all()
    assert not np.isfinite(told[-1])


@pytest.mark.parametrize("sick", SICK)
def test_what_is_sick_is_named_and_proved(sick):
    changed, rule = SICK[sick]
    doctor = examine(case(**changed), budget=0.5)
    first = next(each for each in doctor.findings if each.level == "warn")
    assert first.rule == rule
    assert helps(first.proof)
    mended = first.remedies[0].mend(case(**changed))
    after = examine(mended, budget=0)
    assert after.verdict.error < 0.5 * doctor.verdict.error


def test_where_steps_are_heavy_forks_keep_to_the_budget(monkeypatch):
    made = case(rows=640, epochs=5, learning_rate=0.1)
    assert examine(made).spent > 0.1 * 100
    monkeypatch.setattr("preceptor.diagnose.doctor.HEAVY", 0)
    assert examine(made).spent <= 0.1 * 100


@pytest.mark.parametrize("engine", ["reference", "native", "xla"])
def test_a_copy_that_makes_the_same_steps_comes_to_the_same_bits(engine):
    made = case(rows=300, epochs=2, engine=engine)
    records = {record.step: record.snapshot() for record in train(made.config, made.data)}
    steps = sorted(records)
    for start, end in ((None, steps[-1]), (steps[1], steps[-1])):
        moment = None if start is None else Moment(start, records[start])
        copied = advance(made, moment, end - (start or 0))
        assert copied.step == end
        for one, other in zip(flatten(copied.carried)[0], flatten(records[end])[0], strict=True):
            assert np.asarray(one).tobytes() == np.asarray(other).tobytes()


def test_the_paired_test_is_scipys():
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    before = 3 + rng.random(4000)
    after = before - 0.02 + 0.5 * rng.normal(size=4000)
    first, last = (Verdict(each, each, each, each) for each in (before, after))
    proof = compared(first, first, last, 0, 10, True)
    assert proof.p == pytest.approx(stats.ttest_rel(before, after).pvalue, rel=0.02)
    assert proof.loss_p == proof.p
    assert proof.progress == pytest.approx((before.mean() - after.mean()) / (1e-3 * before.mean()))


def test_a_proof_tells_the_figure_that_proved_it():
    both = Proof(0, 59, 270, 0.9, 0.874, 0.4, (2.3, 2.3, 1.9), 1e-9)
    assert both.text.endswith("270 rows: the loss is 1.9 in place of 2.3 (p = 1e-09).")
    by_errors = replace(both, p=1e-6)
    assert by_errors.text.endswith("270 rows: the error is 0.874 in place of 0.9 (p = 1e-06).")
