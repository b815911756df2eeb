import numpy as np
import pytest

from preceptor.data import read
from preceptor.data.tables.join import append_rows
from preceptor.data.tables.table import Table
from preceptor.errors import DataError


def table(name="a.csv", **columns):
    return Table(name, dict(read({key: np.asarray(value) for key, value in columns.items()}).columns))


def test_rows_of_the_second_table_follow():
    found = append_rows(table(x=[1, 2], y=["a", None]), table("b.csv", y=["c"], x=[3.5], more=[9]))
    assert found.columns["x"].tolist() == [1, 2, 3.5]
    assert found.columns["y"].tolist() == ["a", None, "c"]
    assert found.name == "a.csv"
    assert found.notes == ("b.csv has columns that a.csv lacks, which are left out: more.",)


@pytest.mark.parametrize(
    "here, there, expected",
    [
        (["a", "b"], [1, 2], ["a", "b", "1", "2"]),
        (["a", "b"], [1.0, np.nan], ["a", "b", "1", None]),
        (["a", "b"], [np.nan, np.nan], ["a", "b", None, None]),
        ([1, 2], [np.nan, np.nan], [1, 2, np.nan, np.nan]),
        ([np.nan, np.nan], ["a", "b"], [None, None, "a", "b"]),
        ([np.nan, np.nan], [1, 2], [np.nan, np.nan, 1, 2]),
        ([True, False], [np.nan, np.nan], [1, 0, np.nan, np.nan]),
        ([True, False], ["True", None], [1, 0, 1, np.nan]),
        ([True, False], [False, False], [True, False, False, False]),
    ],
)
def test_a_column_of_another_kind_is_brought_to_the_first(here, there, expected):
    found = append_rows(table(x=here), table("b.csv", x=there)).columns["x"].tolist()
    assert repr(found) == repr(expected) or np.array_equal(found, expected, equal_nan=True)


def test_dates_without_a_value_in_one_table():
    days = np.array(["2024-01-31", "2024-02-01"], "M8[s]")
    gaps = np.array(["NaT", "NaT"], "M8[s]")
    for there in (gaps, [np.nan, np.nan]):
        found = append_rows(Table("a", {"x": days}), table("b", x=there)).columns["x"]
        assert found[:2].tolist() == days.tolist()
        assert np.isnat(found[2:]).all()


def test_blocks_are_joined():
    first, second = np.ones((2, 3)), np.zeros((1, 3))
    assert append_rows(Table("a", {"x": first}), Table("b", {"x": second})).columns["x"].shape == (3, 3)


@pytest.mark.parametrize(
    "here, there, text",
    [
        ([1, 2], ["a", "b"], "b.csv: column 'x' holds text, and in a.csv it holds numbers; both must be the same. "),
        ([1, 2], [True, False], "holds true or false, and in a.csv it holds numbers"),
        ([True, False], ["yes", "no"], "holds text, and in a.csv it holds true or false"),
        ([1, 2], np.ones((2, 3)), "holds blocks of 3 numbers, and in a.csv it holds numbers"),
    ],
)
def test_columns_that_do_not_fit_are_refused(here, there, text):
    with pytest.raises(DataError) as error:
        append_rows(table(x=here), table("b.csv", x=there))
    assert text in str(error.value)


def test_a_missing_column_is_refused():
    with pytest.raises(DataError) as error:
        append_rows(table(age=[1], y=[2]), table("b.csv", Age=[1], y=[2]))
    assert str(error.value) == (
        "b.csv: 'age' is missing; every column of a.csv is needed. Add what is missing. Did you mean 'Age'?"
    )
