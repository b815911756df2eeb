"""Places of marks, and round numbers at axes."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preceptor.page.chart import Scale, frame, round_numbers, short, tick_words, within
from preceptor.page.curves import MOST_DRAWN, MOST_POINTS, Chart, coarser, thinned


@pytest.mark.parametrize(
    "low, high, is_log, expected",
    [
        (0, 1, False, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (-3, 7, False, [-2, 0, 2, 4, 6]),
        (0.981, 0.999, False, [0.985, 0.99, 0.995]),
        (1, 1000, True, [1, 10, 100, 1000]),
        (0.5, 3, True, [0.5, 1, 2]),
    ],
)
def test_axes_have_round_numbers(low, high, is_log, expected):
    assert round_numbers(low, high, is_log) == pytest.approx(expected)


@given(st.floats(-1e12, 1e12), st.floats(1e-6, 1e12))
def test_axes_have_some_numbers_and_all_lie_within(low, span):
    low, high, is_log = within([[low, low + span]])
    found = round_numbers(low, high, is_log)
    assert 2 <= len(found) <= 8
    assert min(found) >= low - 1e-6 * (high - low)  # a pixel is a thousand times as much
    assert max(found) <= high + 1e-6 * (high - low)


@given(st.lists(st.none() | st.floats(-1e30, 1e30), max_size=9), st.booleans())
def test_an_axis_holds_whatever_comes(values, can_be_log):
    low, high, is_log = within([values], can_be_log=can_be_log)
    assert low < high
    assert not is_log or low > 0
    assert all(low <= each <= high for each in values if each is not None)
    assert short(low)


def test_scales_are_straight_and_logarithmic():
    assert Scale(10, 20, 100, 300)(12.5) == 150
    assert Scale(1, 100, 0, 10, True)(10) == pytest.approx(5)


def test_a_line_goes_through_its_points_and_breaks_where_there_is_no_number():
    drawn = frame((0, 4, False), (0, 10, False))
    words = drawn.line([0, 1, 2, 3, 4], [0, 10, None, 5, 5], 1)
    places = re.search(r' d="([^"]+)"', words)[1]
    assert [place[0] for place in re.findall(r"[ML][^ML]+", places)] == ["M", "L", "M", "L"]
    numbers = [float(each) for each in re.findall(r"[\d.]+", places)]
    assert numbers[0] == pytest.approx(drawn.x.start, abs=0.06)
    assert numbers[1] == pytest.approx(drawn.y.start, abs=0.06)
    assert numbers[3] == pytest.approx(drawn.y.end, abs=0.06)
    assert drawn.line([0, 1], [None, None], 1) is None


def test_bars_are_as_high_as_their_counts():
    drawn = frame((0, 2, False), (0, 4, False))
    tops = [float(each) for each in re.findall(r"V([\d.]+)H", drawn.bars([0, 1, 2], [4, 2], 1))]
    floor = drawn.y.start
    assert floor - tops[0] == pytest.approx(2 * (floor - tops[1]), abs=0.2)


@pytest.mark.parametrize(
    "value, text",
    [(0, "0"), (12_000, "12k"), (3.4e6, "3.4M"), (0.05, "0.05"), (-2e9, "-2G"), (7e20, "7e+20")],
)
def test_numbers_at_axes_are_short(value, text):
    assert short(value) == text


def test_of_many_epochs_peaks_stay():
    history = [{"step": at, "dev_loss": 1.0 + (at == 7777)} for at in range(10_000)]
    kept = thinned(history)
    assert len(kept) <= MOST_POINTS
    assert max(each["dev_loss"] for each in kept) == 2
    assert kept[-1] is history[-1]
    assert [each["step"] for each in kept] == sorted(each["step"] for each in kept)


def test_a_picture_of_many_steps_keeps_its_ends_and_its_reach():
    x = [float(at) for at in range(1, 1001)]
    low, high = [0.0] * 1000, [1.0] * 1000
    low[500], high[501] = -7.0, 9.0
    fewer = coarser(Chart("", "", x, [("", [0.5] * 1000, 1)], (low, high)))
    assert len(fewer.x) == MOST_DRAWN
    assert min(fewer.band[0]) == -7
    assert max(fewer.band[1]) == 9
    assert fewer.x[0] < 4
    assert fewer.x[-1] > 997
    assert set(fewer.series[0][1]) == {0.5}
    gaps = coarser(Chart("", "", x, [("", [None] * 1000, 1)], (low, high)))
    assert set(gaps.series[0][1]) == {None}


@pytest.mark.parametrize(
    "ticks, words",
    [
        ([0.855, 0.8575, 0.86], ["0.855", "0.8575", "0.86"]),
        ([0, 20_000, 40_000], ["0", "20k", "40k"]),
        ([123_400, 123_450], ["123.4k", "123.45k"]),
        ([0.2], ["0.2"]),
        ([], []),
    ],
)
def test_neighbours_at_an_axis_are_told_apart(ticks, words):
    assert tick_words(ticks) == words


@pytest.mark.parametrize("at", [0.0, -2.0, 3e11])
def test_a_frame_of_one_number_has_room_about_it(at):
    drawn = frame((at, at, False), (at, at, False))
    assert drawn.x.start < drawn.x(at) < drawn.x.end
    assert drawn.draw("", "")
