"""Which trial is kept."""

import numpy as np
import pytest
from msgspec.structs import replace
from scipy.stats import ttest_rel

from preceptor.errors import DataError
from preceptor.tuning.choice import FINALISTS, REPEATS, choose, finalists, gain_of, repeats_for
from preceptor.tuning.record import Trial
from preceptor.tuning.repeats import Judgement


def trial(number: int, best: float | None, **more) -> Trial:
    settings = {} if number == 0 else {"learning_rate": number / 100}
    usual = {"state": "done", "epochs": 10, "parameters": 1000, "settings": settings, "round": 1, "point": ()}
    return Trial(number=number, best=best, score=best, **usual | more)


def judgements(number: int, costs: list[float], noise: float = 0.0, blocks: int = 16) -> list[Judgement]:
    """Costs in some divisions, from that of the search on; blocks lie around them."""
    around = noise * np.where(np.arange(blocks) % 2, 1, -1)
    return [
        Judgement(number=number, repeat=repeat, cost=cost, blocks=(cost + around).tolist(), ratio=1 / 7, rows=100)
        for repeat, cost in enumerate(costs)
    ]


TRIALS = [trial(0, 0.50), trial(1, 0.45), trial(2, 0.46), trial(3, 0.40), trial(4, None, state="failed")]
DEFAULT = judgements(0, [0.50, 0.51, 0.50])


def test_finalists_are_the_best_that_ended_and_the_default():
    more = [trial(5, 0.30, state="paused"), trial(6, 0.44), trial(7, 0.40, settings=TRIALS[3].settings), trial(8, 0.49)]
    assert [each.number for each in finalists([*TRIALS, *more])] == [0, 3, 6, 1, 2]
    assert len(finalists([*TRIALS, *more])) == 1 + FINALISTS
    assert [each.number for each in finalists([*TRIALS, *more], 2)] == [0, 3, 6]
    assert [each.number for each in finalists([trial(0, None, state="failed"), TRIALS[1]])] == [1]


def test_repeats_hang_on_what_they_cost():
    chosen = TRIALS[:3]
    assert repeats_for(TRIALS, chosen, 1000) == REPEATS  # a small table
    assert repeats_for(TRIALS, chosen, 10_000_000) == 1  # the search made 50 epochs, a repeat takes 30
    many = [*TRIALS, *(trial(number, 1.0) for number in range(5, 15))]
    assert repeats_for(many, chosen, 10_000_000) == 2
    assert repeats_for(TRIALS, chosen[:1], 1000) == 0


def test_the_luckiest_is_not_kept():
    """Trial 3 has by far the best score, in the division of the search, which has no say; in others it is no better."""
    told = DEFAULT + judgements(3, [0.10, 0.52, 0.51]) + judgements(1, [0.45, 0.46, 0.45])
    choice = choose(TRIALS, told)
    assert (choice.kept, choice.best) == (1, 3)
    assert [each.number for each in choice.candidates] == [3, 1, 0]
    assert "Trial 1 is kept" in choice.why
    assert "Trial 3 has the best score of the search" in choice.why


def test_the_default_wins_ties():
    choice = choose(TRIALS, DEFAULT + judgements(1, [0.49, 0.51, 0.49], noise=0.1))
    assert choice.kept == 0
    assert choice.candidates[-1].gain == 0.0
    assert "The default is kept" in choice.why
    assert choose(TRIALS, DEFAULT + judgements(1, [0.50, 0.51, 0.50])).kept == 0


def test_the_simplest_of_those_about_as_good_is_kept():
    small = trial(2, 0.46, parameters=100)
    record = [TRIALS[0], TRIALS[1], small]
    near = DEFAULT + judgements(1, [0.40, 0.41, 0.40]) + judgements(2, [0.402, 0.409, 0.402], noise=0.01)
    choice = choose(record, near)
    assert choice.kept == 2
    assert "simpler (100 parameters against 1,000)" in choice.why
    far = DEFAULT + judgements(1, [0.40, 0.41, 0.40]) + judgements(2, [0.45, 0.46, 0.45], noise=0.01)
    assert choose(record, far).kept == 1


def test_what_fails_in_a_division_is_out():
    failed = [*judgements(3, [0.3, 0.3]), Judgement(number=3, repeat=2, error="It diverged.")]
    choice = choose(TRIALS, DEFAULT + failed + judgements(1, [0.45, 0.46, 0.45]))
    assert choice.kept == 1
    assert "failed: trials 3" in choice.why
    without = choose(TRIALS, judgements(1, [0.45, 0.46, 0.45]) + judgements(2, [0.47, 0.47, 0.47]))
    assert without.kept == 1
    assert without.why.startswith("The default failed; trial 1")
    with pytest.raises(DataError, match=r"no trial came through .*It diverged"):
        choose(TRIALS, failed[-1:])


def test_the_order_in_which_results_come_changes_nothing():
    told = DEFAULT + judgements(3, [0.40, 0.52, 0.51]) + judgements(1, [0.45, 0.46, 0.45])
    assert choose(TRIALS[::-1], told[::-1]) == choose(TRIALS, told)


def test_the_division_of_the_search_decides_where_there_is_no_other():
    assert choose(TRIALS, judgements(0, [0.5]) + judgements(1, [0.4], noise=0.01)).kept == 1


def test_of_one_division_the_error_is_that_of_paired_rows():
    rng = np.random.default_rng(0)
    ours, theirs = rng.normal(size=(2, 40))
    made = [
        Judgement(number=n, repeat=0, cost=float(each.mean()), blocks=each.tolist(), ratio=0.2, rows=40)
        for n, each in enumerate((ours, theirs))
    ]
    gain, error = gain_of({0: made[0]}, {0: made[1]})
    expected = ttest_rel(theirs, ours)
    assert gain == pytest.approx(theirs.mean() - ours.mean())
    assert gain / error == pytest.approx(expected.statistic)


@pytest.mark.parametrize(
    "noise, ratio, expected",
    [
        (0.0, 1 / 7, lambda v, s: s / 3 + s / 7),  # blocks tell nothing: the corrected resampled variance
        (0.3, 1 / 7, lambda v, s: v + s / 7),  # other rows tell more than first values
        (0.3, 0.0, lambda v, s: v + s / 3),  # of the same rows in each division both are told apart
    ],
)
def test_of_several_divisions_rows_and_first_values_count(noise, ratio, expected):
    ours, theirs = [0.4, 0.46, 0.43], [0.5, 0.51, 0.55]
    made = [
        {each.repeat: replace(each, ratio=ratio) for each in judgements(number, costs, noise=own)}
        for number, costs, own in ((1, ours, noise), (0, theirs, 0.0))
    ]
    gain, error = gain_of(*made)
    gains = np.subtract(theirs, ours)
    assert gain == pytest.approx(gains.mean())
    rows = np.var(np.where(np.arange(16) % 2, noise, -noise), ddof=1) / 16
    assert error == pytest.approx(np.sqrt(expected(rows, gains.var(ddof=1))))


def test_blocks_without_rows_are_left_out():
    """The last block has rows in the second division alone, the second block in none."""

    def told(number: int, cost: float, *blocks: list[float | None]) -> dict[int, Judgement]:
        return {
            r: Judgement(number=number, repeat=r, cost=cost, blocks=each, ratio=0.2) for r, each in enumerate(blocks)
        }

    gain, error = gain_of(
        told(1, 1.0, [1.0, None, 3.0], [1.0, None, 3.0, 2.0]), told(0, 2.0, [3.0, None, 4.0], [3.0, None, 4.0, 6.0])
    )
    assert gain == 1.0
    assert error == pytest.approx(np.std([2.0, 1.0, 4.0], ddof=1) / 3**0.5)
