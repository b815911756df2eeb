"""Single examples: which rows are shown, what stands in them, and pictures of pictures."""

import numpy as np
import pytest

from preceptor.data import fit_preprocessor, read
from preceptor.data.encoding.target import Target
from preceptor.evidence.examples import cells, choose

CLASSES = Target("y", "classes", classes=("a", "b", "c"))
NUMBER = Target("y", "number")


def shown(chosen, kind):
    return [each.example.row for each in chosen if each.example.kind == kind]


def test_the_worst_have_the_lowest_probability_of_their_class():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(3), 200)
    y, numbers = rng.integers(0, 3, 200), np.arange(1000, 1200)
    chosen = choose(CLASSES, numbers, y, p, p.argmax(1))
    own = p[np.arange(200), y]
    assert shown(chosen, "worst") == (1001 + np.argsort(own)[:8]).tolist()
    for each in chosen:
        place, example = each.place, each.example
        assert example.row == place + 1001
        assert example.loss == pytest.approx(-np.log(own[place]), rel=1e-5)
        assert example.true == "abc"[y[place]]
        assert example.predicted == "abc"[each.predicted] == "abc"[p[place].argmax()]
        assert example.probability == pytest.approx(p[place].max(), rel=1e-5)


def test_typical_rows_are_the_surest_of_each_class_in_turn_the_most_frequent_first():
    y = np.array([1] * 30 + [0] * 20 + [2] * 2)
    p = np.full((52, 3), 0.2)
    p[np.arange(52), y] = np.linspace(0.5, 0.9, 52)
    chosen = choose(CLASSES, np.arange(52), y, p, p.argmax(1))
    rows = [row - 1 for row in shown(chosen, "typical")]
    assert y[rows].tolist() == [1, 0, 2, 1, 0, 2, 1, 0]
    assert rows == [29, 49, 51, 28, 48, 50, 27, 47]


def test_of_numbers_the_farthest_and_those_near_the_middle_are_shown():
    rng = np.random.default_rng(0)
    y = rng.normal(50, 10, 300)
    predicted = y + rng.normal(0, 2, 300)
    chosen = choose(NUMBER, np.arange(300), y, predicted, np.zeros(0))
    assert shown(chosen, "worst") == (1 + np.argsort(-np.abs(predicted - y))[:8]).tolist()
    for row in shown(chosen, "typical"):
        assert abs(y[row - 1] - np.median(y)) < 5
        assert abs(predicted[row - 1] - y[row - 1]) < 1
    assert chosen[0].example.probability is None


@pytest.mark.parametrize("rows", [1, 2, 3, 9, 16])
def test_no_row_of_few_is_shown_twice(rows):
    y = np.arange(rows) % 3
    chosen = choose(CLASSES, np.arange(rows), y, np.full((rows, 3), 1 / 3), y)
    told = [each.example.row for each in chosen]
    assert len(set(told)) == len(told) == rows


def test_predictions_that_are_no_numbers_are_worst_and_finite():
    y = np.zeros(20, int)
    p = np.full((20, 3), 1 / 3)
    p[7] = np.nan
    worst = choose(CLASSES, np.arange(20), y, p, y)[0].example
    assert (worst.row, worst.probability) == (8, 0)
    predicted = np.zeros(20)
    predicted[9], predicted[4] = np.inf, np.nan
    worst = [each.example for each in choose(NUMBER, np.arange(20), y, predicted, y)[:2]]
    assert {each.row for each in worst} == {5, 10}
    assert all(np.isfinite(each.loss) for each in worst)


def test_many_targets_share_what_is_shown():
    y = np.arange(100) % 3
    p = np.full((100, 3), 1 / 3)
    assert len(choose(CLASSES, np.arange(100), y, p, y, targets=8)) == 8
    assert len(choose(CLASSES, np.arange(100), y, p, y, targets=500)) == 2


TABLE = {
    "number": np.array([1.5, 2.0, np.nan, 1e20, -3.0]),
    "whole": np.arange(5),
    "truth": np.array([True, False, True, True, False]),
    "word": np.array(["red", None, "<b>", "x" * 200, "é"], object),
    "day": np.array(["2024-01-31", "2024-02-01T12:30:00", "NaT", "2024-02-03", "2024-02-04"], "M8[s]"),
    "pixels": np.arange(100, dtype=np.uint8).reshape(5, 20),
    "y": np.array([0.5, 1.5, 0.25, 3.0, 4.0]),
}


def test_values_are_told_as_text_as_they_stand():
    table = read(TABLE)
    learned = fit_preprocessor(table, "y", np.arange(5))
    first, second, third, fourth = cells(table, [0, 1, 2, 3], learned)
    assert first[:5] == [
        ("number", "1.5"), ("whole", "0"), ("truth", "true"), ("word", "red"), ("day", "2024-01-31"),
    ]  # fmt: skip
    assert first[5] == ("pixels", "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, … (20 numbers)")
    assert dict(second)["number"] == "2"
    assert dict(second)["word"] == ""
    assert dict(second)["day"] == "2024-02-01 12:30:00"
    assert dict(third)["number"] == dict(third)["day"] == ""
    assert dict(third)["word"] == "<b>"
    assert len(dict(fourth)["word"]) == 80
    assert dict(fourth)["number"] == "1e+20"


def test_of_many_columns_those_that_are_used_are_told():
    rng = np.random.default_rng(0)
    columns = {f"c{n}": np.ones(50) if n < 20 else rng.normal(size=50) for n in range(60)}
    table = read({**columns, "y": rng.normal(size=50)})
    ((found),) = cells(table, [3], fit_preprocessor(table, "y", np.arange(50)))
    assert [name for name, _ in found] == [f"c{n}" for n in range(20, 50)]
