"""Schedules against their formulas and PyTorch's schedulers."""

import inspect
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from preceptor import nn
from preceptor.errors import ConfigError
from preceptor.hyper import hyper_fields
from preceptor.train import (
    Config,
    Constant,
    Cosine,
    Exponential,
    InverseTime,
    Linear,
    Milestones,
    OneCycle,
    Plateau,
    StepDecay,
    schedule,
)
from preceptor.train.schedule import warm_up
from preceptor.train.stepper import learning_rates

ROWS, BATCH, EPOCHS = 40, 4, 10  # 10 steps an epoch, 100 in all
STEPS = ROWS * EPOCHS // BATCH

# Instance, and its factor worked out by hand: (epoch, progress) -> factor.
HAND = [
    (Constant(), {(0, 0): 1, (7, 0.7): 1}),
    (StepDecay(0.5, 10), {(0, 0): 1, (9.99, 0.1): 1, (10, 0.1): 0.5, (29.9, 0.3): 0.25, (30, 0.3): 0.125}),
    (Milestones(0.1, (30, 60, 90)), {(0, 0): 1, (29.9, 0.3): 1, (30, 0.3): 0.1, (60, 0.6): 0.01, (95, 0.9): 0.001}),
    (Exponential(0.05), {(0, 0): 1, (20, 0.2): math.exp(-1), (100, 0.99): math.exp(-5)}),
    (InverseTime(0.05), {(0, 0): 1, (20, 0.2): 1 / 2, (60, 0.6): 1 / 4}),
    (Linear(), {(0, 0): 1, (1, 0.25): 0.75, (1, 1): 0}),
    (Linear(0.2), {(0, 0): 1, (1, 0.5): 0.6, (1, 1): 0.2}),
    (Cosine(), {(0, 0): 1, (1, 1 / 3): 0.75, (1, 0.5): 0.5, (1, 2 / 3): 0.25, (1, 1): 0}),
    (Cosine(0.1), {(0, 0): 1, (1, 0.5): 0.55, (1, 1): 0.1}),
    (OneCycle(), {(0, 0): 0.04, (1, 0.15): 0.52, (1, 0.3): 1, (1, 0.65): 0.5, (1, 1): 0}),
    (Plateau(), {(0, 0): 1, (7, 0.7): 1}),
    (OneCycle(0.5, 0.2, 0.1), {(0, 0): 0.2, (1, 0.25): 0.6, (1, 0.5): 1, (1, 0.75): 0.55, (1, 1): 0.1}),
]


def config(given, **more):
    return Config(nn.linear_model(1), nn.Quadratic(), schedule=given, learning_rate=0.3, **more)


def all_rates(given, **more):
    return learning_rates(config(given, **more), 0, STEPS, ROWS, BATCH, STEPS)


def test_every_schedule_has_a_row():
    classes = {each for name in schedule.__all__ if inspect.isclass(each := getattr(schedule, name))}
    assert {type(each) for each, _ in HAND} == {each for each in classes if not inspect.isabstract(each)}


@pytest.mark.parametrize("given, points", HAND, ids=[str(each) for each, _ in HAND])
def test_formula(given, points):
    epoch, progress = np.array(list(points), float).T
    assert_allclose(given.factor(epoch, progress), list(points.values()), rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("given", [each for each, _ in HAND], ids=str)
def test_rates_are_of_each_step_and_do_not_depend_on_where_a_call_begins(given):
    whole = all_rates(given, warmup=0.1)
    assert whole.shape == (STEPS,)
    pieces = [learning_rates(config(given, warmup=0.1), at, 25, ROWS, BATCH, STEPS) for at in range(0, STEPS, 25)]
    assert_allclose(np.concatenate(pieces), whole, rtol=0, atol=0)
    assert (whole >= 0).all()
    assert whole.max() <= 0.3
    assert whole[0] > 0


def torch_rates(torch, make, per_epoch=False):
    """The rate of each step under one of PyTorch's schedulers, from a base rate of 0.3."""
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    scheduler, rates = make(torch.optim.lr_scheduler, optimiser), []
    for step in range(1, STEPS + 1):
        rates.append(scheduler.get_last_lr()[0])
        optimiser.step()
        if not per_epoch or step % (ROWS // BATCH) == 0:
            scheduler.step()
    return np.array(rates)


def test_cosine_is_pytorchs(torch):
    theirs = torch_rates(torch, lambda s, o: s.CosineAnnealingLR(o, T_max=STEPS, eta_min=0.03))
    assert_allclose(all_rates(Cosine(0.1)), theirs, rtol=1e-12)


def test_linear_is_pytorchs(torch):
    theirs = torch_rates(torch, lambda s, o: s.LinearLR(o, start_factor=1, end_factor=0.2, total_iters=STEPS))
    assert_allclose(all_rates(Linear(0.2)), theirs, rtol=1e-12)


def test_step_decay_is_pytorchs(torch):
    theirs = torch_rates(torch, lambda s, o: s.StepLR(o, step_size=3, gamma=0.4), per_epoch=True)
    assert_allclose(all_rates(StepDecay(0.4, 3)), theirs, rtol=1e-12)


def test_milestones_are_pytorchs(torch):
    theirs = torch_rates(torch, lambda s, o: s.MultiStepLR(o, milestones=[2, 3, 7], gamma=0.4), per_epoch=True)
    assert_allclose(all_rates(Milestones(0.4, (2, 3, 7))), theirs, rtol=1e-12)


def test_exponential_is_pytorchs_at_the_start_of_each_epoch_and_smooth_between(torch):
    theirs = torch_rates(torch, lambda s, o: s.ExponentialLR(o, gamma=math.exp(-0.2)), per_epoch=True)
    ours = all_rates(Exponential(0.2))
    assert_allclose(ours[:: ROWS // BATCH], theirs[:: ROWS // BATCH], rtol=1e-12)
    assert_allclose(ours[1:] / ours[:-1], math.exp(-0.2 * BATCH / ROWS), rtol=1e-12)


def test_inverse_time_is_pytorchs_lambda(torch):
    theirs = torch_rates(torch, lambda s, o: s.LambdaLR(o, lambda step: 1 / (1 + 0.7 * step * BATCH / ROWS)))
    assert_allclose(all_rates(InverseTime(0.7)), theirs, rtol=1e-12)


def test_one_cycle_has_pytorchs_shape(torch):
    """PyTorch turns at step 0.3 * steps - 1 and reaches its end with the last step; ours turns at 0.3 * steps and would
    reach the end one step after the last. Seen from turn to turn the curves are the same."""
    total = STEPS + 1
    theirs = torch_rates(torch, lambda s, o: s.OneCycleLR(o, 0.3, total_steps=total, final_div_factor=1e30))
    turn = 0.3 * total - 1
    step = np.arange(STEPS)
    progress = np.where(step < turn, 0.3 * step / turn, 0.3 + 0.7 * (step - turn) / (STEPS - turn))
    assert_allclose(0.3 * OneCycle().factor(progress, progress), theirs, rtol=1e-9)


def test_warm_up_is_pytorchs_linear_rise(torch):
    theirs = torch_rates(torch, lambda s, o: s.LinearLR(o, start_factor=1 / 20, total_iters=19))
    assert_allclose(all_rates(Constant(), warmup=0.2), theirs, rtol=1e-12)


def test_warm_up_by_hand():
    progress = np.arange(10) / 10
    assert_allclose(warm_up(progress, 0.4, 10), [0.25, 0.5, 0.75, *[1] * 7], rtol=1e-12)
    assert_allclose(warm_up(progress, 0.01, 10), np.ones(10))  # shorter than a step: none
    assert_allclose(warm_up(progress, 1.0, 10), np.arange(1, 11) / 10, rtol=1e-12)


def test_no_warm_up_leaves_the_schedule_as_it_is():
    assert_allclose(all_rates(Cosine(), warmup=0.0), 0.3 * Cosine().factor(None, np.arange(STEPS) / STEPS))


@pytest.mark.parametrize("cls", list(dict.fromkeys(type(each) for each, _ in HAND)), ids=lambda cls: cls.__name__)
def test_numbers_out_of_range_are_refused_and_the_formula_is_documented(cls):
    assert "Formula:" in cls.__doc__
    for field, known in hyper_fields(cls):
        assert known.doc.endswith(".")
        with pytest.raises(ConfigError, match=f"{cls.__name__}: {field.name} is -1; it must be"):
            cls(**{field.name: -1})


def test_plateau_by_hand():
    """Lowest 3 at the second epoch; after two without a lower one it drops, and after two more again; 2 is lower."""
    losses = [4, 3, 3, 3.5, 3.2, 3.1, 2, 2.5, 2.5]
    factors = [Plateau(0.5, 2).factor_after(losses[:count]) for count in range(10)]
    assert factors == [1, 1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125]
    assert Plateau(0.5, 2).factor_after([math.nan, math.inf]) == 0.5  # neither is lower than anything
    assert all(each.factor_after(losses) == 1 for each, _ in HAND if not isinstance(each, Plateau))


@pytest.mark.parametrize("drop_after", [2, 3, 6])
def test_plateau_is_pytorchs_one_epoch_earlier(torch, drop_after):
    losses = np.random.default_rng(0).uniform(size=60) + 5 * np.exp(-np.arange(60) / 10)
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimiser, factor=0.3, patience=drop_after - 1, threshold=0, min_lr=0, eps=0
    )
    for count, loss in enumerate(losses, 1):
        theirs.step(loss)
        found = Plateau(0.3, drop_after).factor_after(losses[:count])
        assert found == pytest.approx(optimiser.param_groups[0]["lr"], rel=1e-12)
    assert found < 0.1
