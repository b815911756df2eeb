import numpy as np
import pytest

from preceptor.data import Table
from preceptor.errors import DataError


@pytest.fixture
def table():
    block = np.arange(6, dtype=np.uint8).reshape(3, 2)
    return Table(
        "small.csv", {"width": np.array([1.0, 2.0, 3.0]), "name": np.array(["a", None, "b"], object), "x": block}
    )


def test_rows_and_selection_keep_every_column_and_their_order(table):
    chosen = table.select(np.array([2, 0]))
    assert table.rows == 3
    assert list(chosen.columns) == ["width", "name", "x"]
    assert chosen.column("width").tolist() == [3.0, 1.0]
    assert chosen.column("name").tolist() == ["b", "a"]
    assert chosen.column("x").tolist() == [[4, 5], [0, 1]]


def test_without_leaves_columns_out(table):
    assert list(table.without("name", "x").columns) == ["width"]


def test_a_table_without_columns_has_no_rows():
    assert Table("empty", {}).rows == 0


def test_unknown_column_is_refused_with_the_closest_name(table):
    with pytest.raises(DataError) as error:
        table.column("widht")
    assert str(error.value) == (
        "small.csv: there is no column 'widht'; the columns are width, name, x. Did you mean 'width'?"
    )
    with pytest.raises(DataError, match="Did you mean 'name'"):
        table.without("NAME")


def test_of_many_columns_only_the_first_are_listed():
    many = Table("wide", {f"c{number}": np.zeros(1) for number in range(2000)})
    with pytest.raises(DataError, match=r"c0, c1, .*, c11 and 1,988 more\.$"):
        many.column("something else")


def test_columns_of_different_length_are_refused():
    with pytest.raises(DataError) as error:
        Table("t", {"a": np.zeros(2), "b": np.zeros(3)})
    assert str(error.value) == (
        "t: column 'a' has 2 rows and column 'b' has 3; all columns need the same length. "
        "Check how they were put together."
    )


def test_parts_of_a_table_keep_its_notes():
    table = Table("t", {"a": np.arange(3), "b": np.arange(3)}, ("The text is UTF-16.",))
    assert table.select(np.array([1])).notes == table.without("a").notes == ("The text is UTF-16.",)
