"""What rules say in one row and in many, of one column and of several."""

import numpy as np
import pytest

from preceptor.data import Split, Table
from preceptor.diagnose import inspect_table
from preceptor.diagnose.wording import percent

ROWS = 200
PARTS = Split(np.arange(140), np.arange(140, 170), np.arange(170, 200))


def said(columns, rule):
    rng = np.random.default_rng(0)
    target = np.array(["a", "b"], object)[rng.integers(0, 2, ROWS)]
    table = Table("t", {"x": rng.normal(size=ROWS), **columns, "y": columns.get("y", target)})
    found = inspect_table(table, "y", PARTS, "classes", numbers=np.arange(ROWS))
    return [each.text for each in found if each.rule == rule]


def test_columns_that_number_the_rows():
    number = np.arange(ROWS)
    rest = "whole, each once, in order; leave {} out (--leave-out) unless the order means something."
    assert said({"id": number}, "identifier") == [f"Column 'id' is a number of the row: {rest.format('it')}"]
    assert said({"id": number, "seq": number + 5}, "identifier") == [
        f"Columns 'id', 'seq' are numbers of the row: {rest.format('them')}"
    ]


@pytest.mark.parametrize(
    "copies, text",
    [
        ([(3, 4)], "1 of 200 rows repeats another row in every column (1 within train), and none of the 60 dev and "
         "test rows is in train as well"),
        ([(3, 150)], "1 of 200 rows repeats another row in every column (0 within train), and 1 of the 60 dev and test "
         "rows (1.7%) is in train as well"),
        ([(3, 150), (4, 180)], "2 of 200 rows repeat another row in every column (0 within train), and 2 of the 60 dev "
         "and test rows (3.3%) are in train as well"),
    ],
)  # fmt: skip
def test_rows_that_repeat(copies, text):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=ROWS), np.array(["a", "b"], object)[rng.integers(0, 2, ROWS)]
    for one, other in copies:
        x[other], y[other] = x[one], y[one]
    [found] = said({"x": x, "y": y}, "duplicates")
    assert found.startswith(text)


def test_rows_that_contradict():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=ROWS), np.array(["a", "b"] * (ROWS // 2), object)
    x[11] = x[10]
    assert said({"x": x, "y": y}, "contradictions") == [
        "2 rows have the same features as another row and a different 'y': at least 1 of them (0.5% of all rows) is "
        "told wrongly by any network."
    ]


def test_numbers_with_a_few_words():
    words = np.array([str(each % 20) for each in range(ROWS)], object)
    words[::20], words[1::20] = ">20", "<1"
    assert said({"years": words}, "number_as_text") == [
        "Column 'years' is a number but for '<1', '>20' in 20 rows, and so is taken as text, each value for itself; "
        "write numbers there too, or leave empty what stands for missing."
    ]


@pytest.mark.parametrize("share, text", [(0, "0.0%"), (1e-5, "under 0.1%"), (0.0006, "0.1%"), (0.25, "25.0%")])
def test_no_share_is_written_as_zero_that_is_none(share, text):
    assert percent(share) == text


def test_whole_classes_are_written_as_whole():
    y = np.where(np.arange(ROWS) < 5, 3.0, 4.0)[np.random.default_rng(0).permutation(ROWS)]
    y[0] = y[-1] = 3.0
    [found] = said({"y": y}, "class_imbalance")
    assert "smallest, 3 (" in found
