"""Who draws the trials."""

import math

import numpy as np
import pytest
from scipy.stats import qmc

from preceptor.errors import ConfigError
from preceptor.tuning.parts import SAMPLERS, sampler_of
from preceptor.tuning.samplers.grid import levels_of, spread
from preceptor.tuning.samplers.low_discrepancy import halton
from preceptor.tuning.space import space_of

SPACE = space_of("only;learning_rate=1e-3..1e-1;l2=1e-5..1e-2", "a table")
MIXED = space_of("only;learning_rate=1e-3..1e-1;batch_norm;batch_size=32,64,128;drop_rate", "a table")


@pytest.mark.parametrize("word", SAMPLERS)
@pytest.mark.parametrize("trials", [0, 1, 7, 100])
def test_rounds_hold_all_trials(word, trials):
    assert sum(sampler_of(word).rounds(trials)) == trials
    assert all(each > 0 for each in sampler_of(word).rounds(trials))


@pytest.mark.parametrize("word", ["random", "low-discrepancy"])
def test_points_hang_on_seed_and_number_alone(word):
    sampler = sampler_of(word)
    whole = sampler.points(MIXED, 3, 1, 40, [])
    assert sampler.points(MIXED, 3, 11, 5, []) == whole[10:15]
    assert sampler.points(MIXED, 4, 1, 40, []) != whole
    assert len(set(whole)) == 40
    assert all(0 <= each < 1 and type(each) is float for point in whole for each in point)


def test_random_points_are_uniform():
    points = np.array(sampler_of("random").points(SPACE, 0, 1, 2000, []))
    counts = np.histogram2d(*points.T, bins=5, range=[[0, 1], [0, 1]])[0]
    assert ((counts - 80) ** 2 / 80).sum() < 51.2  # chi-squared of 24 degrees, 0.1 %


@pytest.mark.parametrize("count", [16, 64, 250])
def test_low_discrepancy_is_as_low_as_that_of_scipy(count):
    ours = [qmc.discrepancy(halton(seed, 0, count, 3)) for seed in range(20)]
    theirs = [qmc.discrepancy(qmc.Halton(3, rng=seed).random(count)) for seed in range(20)]
    random = [qmc.discrepancy(np.random.default_rng(seed).random((count, 3))) for seed in range(20)]
    assert np.mean(ours) == pytest.approx(np.mean(theirs), rel=0.25)
    assert np.mean(ours) < np.mean(random) / 2


def test_halton_points_fill_every_part_of_a_dimension_once():
    points = halton(7, 0, 27, 3)
    assert sorted((points[:16, 0] * 16).astype(int)) == [*range(16)]
    assert sorted((points[:, 1] * 27).astype(int)) == [*range(27)]
    assert sorted((points[:25, 2] * 25).astype(int)) == [*range(25)]
    assert np.array_equal(halton(7, 5, 10, 3), points[5:15])


@pytest.mark.parametrize(
    "most, trials, levels",
    [
        ((None, None), 9, (3, 3)),
        ((None, None), 12, (4, 3)),
        ((None, 2, None), 18, (3, 2, 3)),
        ((2, 2), 100, (2, 2)),
        ((None,), 7, (7,)),
        ((None, None, None), 1, (1, 1, 1)),
        ((None, None, None), 3, (3, 1, 1)),
    ],
)
def test_a_grid_has_as_many_levels_as_there_are_trials_for(most, trials, levels):
    assert levels_of(most, trials) == levels
    assert math.prod(levels) <= trials


def test_a_grid_tries_every_combination_once():
    points = sampler_of("grid").points(SPACE, 0, 1, 10, [])
    assert sorted(points[:9]) == [(x, y) for x in (1 / 6, 0.5, 5 / 6) for y in (1 / 6, 0.5, 5 / 6)]
    settings = [MIXED.at(point) for point in sampler_of("grid").points(MIXED, 0, 1, 24, [])]
    assert len({str(each) for each in settings}) == 24


def test_a_beginning_of_a_grid_is_spread():
    order = spread((4, 4))
    assert sorted(order) == [*range(16)]
    first = {divmod(int(cell), 4) for cell in order[:8]}
    assert {row for row, _ in first} == {column for _, column in first} == {0, 1, 2, 3}


@pytest.mark.parametrize("text, message", [("grit", "Did you mean grid?"), ("random:3", "random takes no numbers")])
def test_what_is_no_sampler_is_said(text, message):
    with pytest.raises(ConfigError, match=message.replace("?", r"\?")):
        sampler_of(text)
