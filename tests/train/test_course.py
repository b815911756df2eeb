"""The course of a figure: its blocks against those of the whole array."""

import math

import numpy as np
import pytest

from preceptor.train.course import Course


def filled(values, cuts=(), most=8):
    course = Course(most)
    for part in np.split(np.asarray(values), list(cuts)):
        course.add(part)
    return course


@pytest.mark.parametrize("count", [1, 7, 8, 9, 16, 17, 100, 513])
def test_blocks_have_the_ends_and_the_mean_of_their_steps(count):
    values = np.random.default_rng(count).normal(size=count).astype(np.float32)
    course = filled(values)
    assert course.count <= 8
    assert course.count > 4 or count < 5
    parts = [values[start : start + course.width].astype(float) for start in range(0, count, course.width)]
    np.testing.assert_array_equal(course.ends[0], [part.min() for part in parts])
    np.testing.assert_array_equal(course.ends[1], [part.max() for part in parts])
    np.testing.assert_allclose(course.means, [math.fsum(part) / len(part) for part in parts], rtol=1e-13)
    steps = np.arange(1, count + 1)
    np.testing.assert_array_equal(
        course.places,
        [(part[0] + part[-1]) / 2 for part in (steps[s : s + course.width] for s in range(0, count, course.width))],
    )


def test_it_is_the_same_bits_however_many_steps_come_at_a_time():
    rng = np.random.default_rng(1)
    values = (rng.normal(size=1000) * 10.0 ** rng.integers(-8, 8, 1000)).astype(np.float32)
    whole = filled(values).kept
    for _ in range(20):
        assert filled(values, np.sort(rng.integers(0, 1000, 30))).kept == whole
    course = filled(values[:333])
    again = Course(8, course.kept)
    again.add(values[333:])
    assert again.kept == whole


def test_nothing_is_kept_after_what_is_no_number():
    course = filled([1.0, 2.0, np.nan, 4.0, 5.0], (4,))
    assert course.steps == 3
    assert course.is_broken
    assert math.isnan(course.means[-1])
    course = filled([1.0] * 20 + [np.inf] + [2.0] * 5, (3, 22))
    assert course.steps == 21
    assert course.means[-1] == math.inf


def test_ten_million_steps_take_the_memory_of_a_thousand():
    course = Course()
    values = np.linspace(3, 1, 10_000, dtype=np.float32)
    for _ in range(1000):
        course.add(values)
    assert course.steps == 10_000_000
    assert 500 < course.count <= 1000
    assert course._blocks.nbytes < 50_000
    low, high = course.ends
    assert low.min() == 1
    assert high.max() == 3
