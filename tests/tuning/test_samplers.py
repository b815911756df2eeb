"""Who draws the trials."""

import math
import sys

import numpy as np
import pytest
from scipy.stats import qmc

from preceptor.errors import ConfigError
from preceptor.tuning.parts import SAMPLERS, sampler_of
from preceptor.tuning.record import Trial
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
    assert sorted(points) == [(x, y) for x in (1 / 6, 0.5, 5 / 6) for y in (1 / 6, 0.5, 5 / 6)]
    settings = [MIXED.at(point) for point in sampler_of("grid").points(MIXED, 0, 1, 24, [])]
    assert len({str(each) for each in settings}) == 24


def test_a_beginning_of_a_grid_is_spread():
    order = spread((4, 4))
    assert sorted(order) == [*range(16)]
    first = {divmod(int(cell), 4) for cell in order[:8]}
    assert {row for row, _ in first} == {column for _, column in first} == {0, 1, 2, 3}


@pytest.mark.parametrize(
    "text, message",
    [
        ("grit", "Did you mean grid?"),
        ("random:3", "random takes no numbers"),
        ("coarse:stages=99", "it must be 1 to 16"),
    ],
)
def test_what_is_no_sampler_is_said(text, message):
    with pytest.raises(ConfigError, match=message.replace("?", r"\?")):
        sampler_of(text)


def made(space, points, cost, first=1, round=1):
    """Trials at these points, of which one costs `cost` of its place."""
    return [
        Trial(
            number=first + at, round=round, point=tuple(point), settings=space.at(point), state="done", best=cost(point)
        )
        for at, point in enumerate(points)
    ]


def searched(sampler, space, cost, trials, seed=0):
    """All trials of a search of a cost that is known everywhere."""
    found = [Trial(number=0, round=0, point=(), settings={}, state="done", best=9.0)]
    for round, size in enumerate(sampler.rounds(trials), 1):
        points = sampler.points(space, seed, len(found), size, found)
        found += made(space, points, cost, len(found), round)
    return found


def bowl(point):
    return math.hypot(point[0] - 0.31, point[1] - 0.62)


def test_coarse_to_fine_draws_closer():
    coarse, random = sampler_of("coarse"), sampler_of("random")
    best = {
        name: [min(each.best for each in searched(sampler, SPACE, bowl, 24, seed)) for seed in range(20)]
        for name, sampler in (("coarse", coarse), ("random", random))
    }
    assert np.mean(best["coarse"]) < np.mean(best["random"]) / 3


def test_coarse_narrows_around_the_best_and_widens_at_an_edge():
    sampler = sampler_of("coarse:stages=3:narrow=0.5")
    first = made(SPACE, [(0.2, 0.9), (0.5, 0.5), (0.8, 0.1)], bowl)  # the middle one is the best
    regions = sampler.regions(SPACE, first)
    assert [(each.low, each.high) for each in regions[0]] == [(0, 1), (0, 1)]
    assert [(each.low, each.high) for each in regions[1]] == [(0.25, 0.75), (0.25, 0.75)]
    second = made(SPACE, [(0.26, 0.6)], bowl, 4, 2)  # at the lower edge of the first axis
    regions = sampler.regions(SPACE, first + second)
    assert (regions[2][0].low, regions[2][0].high) == pytest.approx((0.01, 0.51))
    assert regions[2][0].widened
    assert (regions[2][1].low, regions[2][1].high) == pytest.approx((0.475, 0.725))
    third = made(SPACE, [(0.02, 0.6)], lambda point: 0.0, 5, 3)
    notes = sampler.notes(SPACE, first + second + third)
    assert len(notes) == 2
    assert "The best learning_rate, 0.001096, lies at the lower end of its range, 0.001 to 0.1" in notes[0]
    assert "In round 3 the range of learning_rate was not narrowed" in notes[1]
    assert "0.003162 to 0.03162" in notes[1]  # 10^-2.5 to 10^-1.5


def test_coarse_never_leaves_the_space():
    for seed in range(5):
        for trial in searched(sampler_of("coarse:stages=5"), SPACE, lambda point: sum(point), 40, seed):
            assert all(0 <= each <= 1 for each in trial.point)


def test_coarse_keeps_the_words_of_the_best():
    space = space_of("only;activation=relu,gelu,tanh,elu;learning_rate=1e-3..1e-1", "a table")
    points = [((at + 0.5) / 4, 0.5) for at in range(4)]
    trials = made(space, points, lambda point: abs(point[0] - 0.6))
    region = sampler_of("coarse:narrow=0.5").regions(space, trials)[1][0]
    assert region.choices == (1, 2)
    drawn = sampler_of("coarse:narrow=0.5").points(space, 0, 5, 20, trials)
    assert {space.at(point)["activation"] for point in drawn} == {"gelu", "tanh"}


def test_coarse_does_without_trials_that_tell_anything():
    failed = [
        Trial(number=at, round=1, point=point, settings={}, state="failed")
        for at, point in enumerate([(0.1, 0.2), (0.3, 0.4)], 1)
    ]
    points = sampler_of("coarse").points(SPACE, 0, 3, 4, failed)
    assert points == sampler_of("low-discrepancy").points(SPACE, 0, 3, 4, [])


@pytest.mark.parametrize("word", SAMPLERS)
def test_points_are_a_pure_function(word):
    if word == "optuna":
        pytest.importorskip("optuna")
    found = searched(sampler_of(word), MIXED, lambda point: sum(point), 20)
    again = searched(sampler_of(word), MIXED, lambda point: sum(point), 20)
    assert [each.point for each in found] == [each.point for each in again]
    assert len(found) > 12
    assert all(MIXED.at(each.point) for each in found[1:])


def test_optuna_draws_towards_the_best():
    pytest.importorskip("optuna")
    found = searched(sampler_of("optuna"), SPACE, bowl, 64)
    assert np.mean([bowl(each.point) for each in found[-16:]]) < np.mean([bowl(each.point) for each in found[1:17]]) / 2


def test_optuna_takes_words_paused_and_failed_trials():
    pytest.importorskip("optuna")
    points = sampler_of("random").points(MIXED, 0, 1, 20, [])
    states = ("done", "paused", "failed")
    earlier = [
        Trial(
            number=at,
            round=1,
            point=point,
            settings={},
            state=states[at % 3],
            epochs=3.0,
            best=sum(point) if at % 3 < 2 else None,
        )
        for at, point in enumerate(points, 1)
    ]
    drawn = sampler_of("optuna").points(MIXED, 0, 21, 8, earlier)
    assert len(drawn) == 8
    assert all(0 <= each <= 1 for point in drawn for each in point)


def test_where_optuna_is_missing_it_says_how_to_come_by_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigError, match=r"the package optuna is not installed.*pip install 'preceptor\[optuna\]'"):
        sampler_of("optuna").points(SPACE, 0, 1, 8, [])


def test_a_best_trial_at_an_end_is_told():
    trials = made(SPACE, [(0.99, 0.5), (0.5, 0.02)], lambda point: -point[0])
    assert sampler_of("random").notes(SPACE, trials) == [
        "The best learning_rate, 0.0955, lies at the upper end of its range, 0.001 to 0.1: beyond it there may be "
        "better ones."
    ]
    assert sampler_of("random").notes(SPACE, made(SPACE, [(0.5, 0.5)], bowl)) == []
    allowed = space_of("only;drop_rate=0..0.5;l2=1e-5..1e-2", "a table")  # below 0 there is nothing
    assert sampler_of("random").notes(allowed, made(allowed, [(0.0, 0.5)], bowl)) == []


def test_coarse_begins_again_after_so_many_trials():
    sampler = sampler_of("coarse:stages=3")
    assert sampler.rounds(150) == [21, 21, 22, 21, 21, 22, 7, 7, 8]
    assert [sampler_of("coarse").rounds(trials) for trials in (3, 7, 12)] == [[3], [7], [6, 2, 2, 2]]
    earlier = [
        trial
        for round in range(1, 4)
        for trial in made(SPACE, [(0.5, 0.5), (0.4, 0.45 + round / 100)], bowl, 2 * round - 1, round)
    ]
    for rounds, expected in ((1, [1, 0.6]), (2, [1, 0.6, 0.36]), (3, [1])):
        known = [each for each in earlier if each.round <= rounds]
        widths = [round[0].high - round[0].low for round in sampler.regions(SPACE, known)]
        assert widths == pytest.approx(expected)
