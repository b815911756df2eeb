"""What the doctor saw, and the forks that proved a remedy: against the doctor's own probes and plain trainings."""

from dataclasses import replace

import numpy as np
import pytest
from trainings import case

from preceptor.diagnose.doctor import examine
from preceptor.diagnose.remedy import Rate
from preceptor.evidence.look import look_of
from preceptor.evidence.losses import curve_of, forks_of
from preceptor.train import train
from preceptor.train.course import Course


@pytest.fixture(scope="module")
def watched():
    return examine(case(rows=300, epochs=4), budget=0)


def test_each_layer_and_parameter_is_told_at_each_probe(watched):
    history = watched.history
    look = look_of(history)
    probes = [history.first, *history.probes]
    assert look.steps == [each.step for each in probes] == sorted(set(look.steps))
    assert [each.path for each in look.signals] == ["dense1", "relu1", "dense2", "relu2", "dense3"]
    for place, probe in enumerate(probes):
        for own in look.signals:
            seen = probe.signals[own.path]
            assert own.spread[place] == pytest.approx(seen.spread, rel=1e-5)
            assert own.gradient[place] == pytest.approx(seen.gradient, rel=1e-5)
            assert own.zeros[place] == pytest.approx(seen.zeros, rel=1e-5)
            is_unit = own.path.startswith("relu")
            assert own.dead[place] == (pytest.approx(np.mean(seen.still >= 1), rel=1e-5) if is_unit else None)
            assert own.saturated[place] == (
                pytest.approx((seen.flat - seen.still).mean(), rel=1e-5) if is_unit else None
            )
        for parameter in look.parameters:
            seen = probe.parameters[parameter.path]
            ratio = seen.update / seen.size if seen.size else None
            assert parameter.ratio[place] == (None if ratio is None else pytest.approx(ratio, rel=1e-5))


def test_of_a_step_that_was_looked_at_again_the_later_look_stands(watched):
    history = watched.history
    *others, last = history.probes
    again = replace(last, parameters={})
    look = look_of(replace(history, probes=[*others, last, again]))
    assert look.steps == look_of(history).steps
    assert look.parameters == []


def test_of_more_probes_than_are_shown_the_ends_are_kept(watched):
    history = watched.history
    before = history.probes
    history.probes = [replace(each, step=100 * time + each.step) for time in range(5) for each in before]
    look = look_of(history)
    history.probes = before
    assert len(look.steps) == 12
    assert look.steps[0] == history.first.step
    assert look.steps[-1] == 400 + before[-1].step


def losses_of(made, steps):
    found = []
    for record in train(made.config, made.data, stops=[steps]):
        found += record.losses.tolist()
        if record.step >= steps:
            return found[:steps]
    raise AssertionError


def mean_curve(losses, start=0):
    course = Course(100)
    course.add(np.array(losses))
    return curve_of(course, start)


def test_the_curves_of_a_fork_are_those_of_both_trainings():
    sick = case(learning_rate=0.1)
    doctor = examine(sick)
    (found,) = [each for each in doctor.findings if each.proof is not None]
    (fork,) = forks_of(doctor)
    assert fork.rule == found.rule == "lr_too_large"
    proof = found.proof
    assert proof.start == 0
    mended = found.remedies[0].mend(sick)
    assert fork.with_it == mean_curve(losses_of(mended, proof.steps))
    assert fork.without == mean_curve(losses_of(sick, proof.steps))
    assert len(fork.with_it.x) <= 100
    assert fork.with_it.y[-1] < fork.without.y[-1]


def test_a_finding_in_the_run_is_no_larger_for_its_curves():
    doctor = examine(case(learning_rate=0.1))
    assert "arms" not in str(doctor.findings[0].to_dict())


def test_of_a_training_in_which_nothing_was_proved_there_are_no_forks(watched):
    assert forks_of(watched) == []


def test_a_curve_tells_the_ends_of_its_blocks():
    losses = np.random.default_rng(0).gamma(2.0, size=5000).astype(np.float32)
    course = Course(1000)
    course.add(losses)
    curve = curve_of(course, 10)
    assert len(curve.x) == len(curve.y) == len(curve.low) == len(curve.high) == 625
    assert curve.x[0] == 10 + np.mean(np.arange(1, 9))
    assert curve.low[0] == pytest.approx(losses[:8].min(), rel=1e-5)
    assert max(curve.high) == pytest.approx(losses.max(), rel=1e-5)


def test_a_loss_that_is_no_number_is_none():
    course = Course()
    course.add(np.array([1.0, np.nan]))
    assert curve_of(course).y == [1.0, None]


@pytest.mark.parametrize("kind", ["onward", "further", "outdo"])
def test_the_arms_of_every_kind_of_fork_are_kept(kind):
    made = case(rows=320, epochs=4)
    doctor = examine(made, budget=0)
    doctor.budget, remedy = 3.0, Rate(5e-4)
    fork = doctor._trial(kind, made, remedy.mend(made), remedy, keeps_state=True)
    now, steps = doctor.latest.step, fork.proof.steps
    one, other = fork.arms
    if kind == "outdo":  # from the first weights on, against the whole training
        assert (one.start, one.losses.steps) == (0, now)
        assert (other.start, other.losses.steps) == (0, steps)
    else:
        before = min(now, steps)  # of the training that goes no further
        assert (one.start, one.losses.steps) == ((now, steps) if kind == "onward" else (now - before, before))
        assert (other.start, other.losses.steps) == (now, steps)
    if kind != "onward":
        made_losses = np.array(doctor.history.losses)[one.start :]
        assert curve_of(one.losses, one.start) == mean_curve(made_losses, one.start)
