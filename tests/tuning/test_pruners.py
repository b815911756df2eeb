"""Who says which trials go on."""

import numpy as np
import pytest
from scipy import stats

from preceptor.errors import ConfigError
from preceptor.tuning.parts import PRUNERS, pruner_of
from preceptor.tuning.pruners.base import cost_at
from preceptor.tuning.pruners.curve import Line, saving_of, student
from preceptor.tuning.record import Trial


def trial(number: int, costs: list[float], state: str = "paused", round: int = 1) -> Trial:
    """A trial that came to these costs, an epoch each."""
    curve = [(float(epoch), cost) for epoch, cost in enumerate(costs, 1)]
    best = min(costs, default=None)
    return Trial(
        number=number, round=round, point=(), settings={}, state=state, epochs=len(costs), curve=curve, best=best
    )


def test_none_pauses_none():
    pruner = pruner_of("none")
    assert pruner.rungs(20) == [20]
    assert pruner.going_on(5, 20, [trial(1, [1.0]), trial(2, [2.0])], []) == [1, 2]


@pytest.mark.parametrize(
    "text, epochs, rungs",
    [
        ("halving", 81, [9, 27, 81]),  # by hand: 81 / 3 and / 9; 3 is less than a tenth
        ("halving:eta=3:first=0", 81, [1, 3, 9, 27, 81]),  # Li et al. 2018, table 1, s = 4
        ("halving:eta=2:first=0", 16, [1, 2, 4, 8, 16]),
        ("halving", 64, [8, 22, 64]),
        ("halving", 100, [12, 34, 100]),
        ("halving", 3, [1, 3]),
        ("halving", 1, [1]),
        ("halving:first=1", 50, [50]),
        ("curve", 81, [9, 27, 81]),
    ],
)
def test_rungs(text, epochs, rungs):
    assert pruner_of(text).rungs(epochs) == rungs


def test_the_best_third_goes_on():
    here = [trial(number, [3.0, cost]) for number, cost in enumerate([0.9, 0.3, 0.8, 0.5, 0.7, 0.4], 1)]
    assert pruner_of("halving").going_on(2, 18, here, []) == [2, 6]
    assert pruner_of("halving:eta=2").going_on(2, 18, here, []) == [2, 4, 6]
    assert pruner_of("halving").going_on(2, 18, here[:1], []) == [1]


def test_a_round_is_compared_with_those_before():
    earlier = [trial(number, [3.0, 0.1, 0.05], "done") for number in range(3)]
    here = [trial(number, [3.0, cost], round=2) for number, cost in enumerate([0.9, 0.3, 0.8], 3)]
    assert pruner_of("halving").going_on(2, 18, here, earlier) == []
    short = [trial(number, [0.01]) for number in range(3)]  # never came so far
    failed = [trial(9, [], "failed")]
    assert pruner_of("halving").going_on(2, 18, here, short + failed) == [4]


def test_costs_at_a_rung():
    one = trial(1, [3.0, 1.0, 2.0, 0.5], "done")
    assert [cost_at(one, rung) for rung in (1, 2, 3, 4, 9)] == [3.0, 1.0, 1.0, 0.5, 0.5]
    assert cost_at(trial(1, [3.0]), 2) is None
    assert cost_at(trial(1, [3.0], "failed"), 1) is None


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 7, 10, 31])
@pytest.mark.parametrize("t", [-40.0, -2.0, -0.3, 0.0, 1.5, 12.0])
def test_student_is_that_of_scipy(freedom, t):
    assert student(t, freedom) == pytest.approx(stats.t.cdf(t, freedom), rel=1e-9, abs=1e-13)


def ended(count: int, noise: float = 0.1) -> list[Trial]:
    """Trials whose final cost is about the square of half the cost at epoch 2."""
    rng = np.random.default_rng(0)
    found = []
    for number in range(count):
        x = float(np.exp(rng.uniform(-1, 1)))
        found.append(trial(number, [9.0, x, (x / 2) ** 2 * float(np.exp(noise * rng.normal()))], "done"))
    return found


@pytest.mark.parametrize("are_logarithms", [True, False])
def test_what_is_foreseen_is_that_of_an_ordinary_regression(are_logarithms):
    known = ended(12)
    if not are_logarithms:
        known = [trial(each.number, [9.0, each.curve[1][1] - 2, each.best - 3], "done") for each in known]
    line = Line.of(2, known)
    assert line.is_log is are_logarithms
    x = np.array([each.curve[1][1] for each in known])
    y = np.array([each.best for each in known])
    scale = np.log if are_logarithms else np.array
    found = stats.linregress(scale(x), scale(y))
    assert (line.slope, line.intercept) == pytest.approx((found.slope, found.intercept))
    # the error of a new value from that of the two coefficients, at two places
    at = [0.7, 1.9] if are_logarithms else [-1.2, 0.4]
    residual = scale(y) - found.intercept - found.slope * scale(x)
    error = np.sqrt((residual**2).sum() / 10)
    for cost in at:
        z = scale(cost) - scale(x).mean()
        spread = np.sqrt(error**2 * (1 + 1 / 12) + (found.stderr * z) ** 2)
        assert line.foreseen(cost) == pytest.approx((found.intercept + found.slope * scale(cost), spread))
        expected = stats.t.cdf((scale(y).min() - line.foreseen(cost)[0]) / spread, 10)
        assert line.chance(cost) == pytest.approx(expected, rel=1e-6)


def test_those_without_a_chance_are_paused():
    known = ended(12)
    best = min(each.curve[1][1] for each in known)
    here = [trial(20 + at, [9.0, best * factor]) for at, factor in enumerate([0.9, 1.0, 3.0, 0.5, 2.0])]
    assert pruner_of("curve").going_on(2, 18, here, known) == [20, 21, 23]
    assert pruner_of("curve:chance=0").going_on(2, 18, here, known) == [20, 21, 22, 23, 24]
    assert pruner_of("curve").going_on(2, 18, here, known[:3]) == pruner_of("halving").going_on(2, 18, here, known[:3])


def test_what_tells_nothing_tells_nothing():
    assert Line.of(2, ended(4)) is None
    assert Line.of(2, [trial(number, [1.0, 1.0, 1.0], "done") for number in range(9)]) is None
    assert Line.of(2, [trial(number, [1.0], "done") for number in range(9)]) is None


def test_the_saving():
    known = ended(10)
    assert saving_of(known, 18) is None
    paused = [trial(20, [9.0, 3.0]), trial(21, [9.0, 2.5])]
    found = saving_of([*known, *paused], 18)
    assert (found.epochs, found.asked) == (10 * 3 + 4, 10 * 3 + 36)
    assert saving_of([*known[:3], *paused], 18).regret is None


def test_the_regret_is_that_of_a_simulation():
    known = ended(10, noise=0.5)
    line = Line.of(2, known)
    close = min(each.curve[1][1] for each in known)
    paused = [trial(20 + at, [9.0, close * factor]) for at, factor in enumerate([1.0, 1.1, 1.4])]
    regret = saving_of([*known, *paused], 18).regret
    rng = np.random.default_rng(1)
    drawn = [rng.normal(*line.foreseen(each.best), 200_000) for each in paused]
    least = np.exp(np.min(drawn, axis=0))
    expected = np.maximum(0, np.exp(line.best) - least).mean()
    assert regret == pytest.approx(expected, rel=0.02)
    far = saving_of([*ended(10, noise=0.01), trial(20, [9.0, 900.0])], 18)
    assert far.regret == pytest.approx(0, abs=1e-12)


def test_words_and_what_is_none():
    assert set(PRUNERS) == {"none", "halving", "curve"}
    with pytest.raises(ConfigError, match="Did you mean halving"):
        pruner_of("halfing")
    with pytest.raises(ConfigError, match="Halving: eta is 1; it must be 2 to 64"):
        pruner_of("halving:eta=1")
