"""What columns were written as: truth values with gaps, times with a zone, labels."""

import numpy as np
import pytest

from preceptor.data import Preprocessor, Table, fit_preprocessor
from preceptor.data.encoding.dates import Dates
from preceptor.data.encoding.truth import Truth
from preceptor.data.tables.table import TRUTH, ZONED
from preceptor.errors import DataError

ROWS = np.arange(8)


def texts(values):
    found = np.empty(len(values), object)
    found[:] = values
    return found


def test_truth_values_with_gaps_stay_truth_values():
    open_ = np.array([1, 0, np.nan, 1, 1, 0, np.nan, 1])
    table = Table("t", {"open": open_, "y": np.arange(8.0)}, senses={"open": TRUTH})
    made = fit_preprocessor(table, "y", ROWS, kind="number")
    assert made.columns == (Truth("open", 4 / 6, True),)
    assert made.feature_names == ("open", "open is missing")
    expected = [[1, 0], [0, 0], [4 / 6, 1], [1, 0], [1, 0], [0, 0], [4 / 6, 1], [1, 0]]
    np.testing.assert_allclose(made.transform(table), expected, rtol=1e-6)
    assert Preprocessor.from_dict(made.to_dict()) == made
    whole = Table("t", {"open": np.array([True, False]), "y": np.zeros(2)})
    np.testing.assert_array_equal(made.transform(whole), [[1, 0], [0, 0]])


@pytest.mark.parametrize(
    "column, senses",
    [
        (np.array([1, 0, np.nan]), {"y": TRUTH}),
        (np.array([True, False]), {}),
        (texts(["true", "FALSE", None]), {}),
        (texts(["1", "0"]), {}),
    ],
)
def test_a_target_of_truth_values_is_the_same_with_an_empty_label(column, senses):
    full = Table("t", {"x": np.arange(8.0), "y": np.array([True, False] * 4)})
    made = fit_preprocessor(full, "y", ROWS)
    assert made.targets[0].classes == (False, True)
    table = Table("new", {"x": np.arange(float(len(column))), "y": column}, senses=senses)
    known = table.select(np.arange(2))
    np.testing.assert_array_equal(made.encode_target(known), [1, 0])


@pytest.mark.parametrize(
    "values, senses, written, classes, labels",
    [
        ([0.0, 1.0], {}, ["0.0", "1.0"], (0.0, 1.0), ("0.0", "1.0")),
        ([0.0, 1.0], {}, ["0", "1"], (0, 1), ("0", "1")),
        ([0.0, 1.0], {"y": TRUTH}, ["false", "true"], (False, True), ("false", "true")),
        ([10.0, 20.0], {}, ["10.50 €", "20.00 €"], (10.0, 20.0), ("10.50 €", "20.00 €")),
    ],
)
def test_labels_come_back_as_they_were_written(values, senses, written, classes, labels):
    table = Table("t", {"x": np.arange(8.0), "y": np.array(values * 4)}, senses=senses, texts={"y": texts(written * 4)})
    made = fit_preprocessor(table, "y", ROWS)
    assert (made.targets[0].classes, made.targets[0].written) == (classes, labels)
    assert list(map(type, made.targets[0].classes)) == list(map(type, classes))
    assert made.lines()[-1].endswith(", ".join(labels) + ".")
    again = Preprocessor.from_dict(made.to_dict())
    assert again.targets[0].written == labels
    np.testing.assert_array_equal(again.encode_target(Table("n", {"y": texts(labels)})), [0, 1])


def test_the_usual_way_of_writing_a_label_is_the_label():
    column = texts(["true", "False", "true", "True", "true", "FALSE", "true", "False"])
    values = np.array([1, 0, 1, 1, 1, 0, 1, 0]).astype(bool)
    table = Table("t", {"x": np.arange(8.0), "y": values}, texts={"y": column})
    assert fit_preprocessor(table, "y", ROWS).targets[0].written == ("False", "true")


def test_times_with_a_zone_and_without_are_not_taken_for_each_other():
    times = np.datetime64("2024-01-01", "s") + np.arange(8) * 5_000
    plain = Table("plain", {"when": times, "y": np.arange(8.0)})
    zoned = Table("zoned", {"when": times, "y": np.arange(8.0)}, senses={"when": ZONED})
    for table, other, words in (
        (plain, zoned, "zoned: column 'when' holds times with a zone; in the training rows they were written without"),
        (zoned, plain, "plain: column 'when' holds times without a zone; in the training rows they were written with"),
    ):
        made = fit_preprocessor(table, "y", ROWS, kind="number")
        (feature,) = made.columns
        assert isinstance(feature, Dates)
        assert feature.zoned == (table is zoned)
        assert np.isfinite(made.transform(table)).all()
        with pytest.raises(DataError, match=words):
            made.transform(other)
        gone = Table("gone", {"when": np.full(2, np.datetime64("NaT", "s"))})
        assert np.isfinite(made.transform(gone)).all()


@pytest.mark.parametrize(
    "zoned, values, text",
    [
        (
            True,
            ["2024-01-01T10:00+02:00", "2024-01-02T10:00"],
            "holds '2024-01-02T10:00' in data row 2; a date such as 2024-01-31T10:00\\+02:00 is needed",
        ),
        (
            False,
            ["2024-01-02T10:00", "2024-01-01T10:00+02:00"],
            r"holds '2024-01-01T10:00\+02:00' in data row 2; a date "
            "such as 2024-01-31 is needed",
        ),
    ],
)
def test_nor_in_one_column_that_has_both(zoned, values, text):
    times = np.datetime64("2024-01-01", "s") + np.arange(8) * 5_000
    table = Table("t", {"when": times, "y": np.arange(8.0)}, senses={"when": ZONED} if zoned else {})
    made = fit_preprocessor(table, "y", ROWS, kind="number")
    with pytest.raises(DataError, match=text):
        made.transform(Table("new", {"when": texts(values)}))
    assert np.isfinite(made.transform(Table("new", {"when": texts([values[0], None])}))).all()
