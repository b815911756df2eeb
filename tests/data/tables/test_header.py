import pytest

from preceptor.data import read
from preceptor.errors import DataError

NO_HEADER = "If the first line is data, say that there is no header (header=False, --no-header)."


@pytest.mark.parametrize(
    "content, names, note",
    [
        ("a,,b\n1,2,3\n", ["a", "column2", "b"], "Columns without a name are called column2."),
        ("0,1,2\n5,6,7\n", ["0", "1", "2"], "Line 1 gives columns the names 0, 1, 2; if these are data, say that"),
        ("c,1990,1995\nFR,1,2\n", ["c", "1990", "1995"], "Line 1 gives columns the names 1990, 1995; if these are"),
        (
            "speed,power\nkm/h,kW\n1,2\n3,4\n5,6\n",
            ["speed: km/h", "power: kW"],
            "Lines 1 and 2 both hold names; each column has both, as in 'speed: km/h'.",
        ),
        (
            "id,colour,,kind\n,red,blue,Answer\n1,1,2,x\n2,3,4,y\n3,5,6,z\n",
            ["id", "colour: red", "colour: blue", "kind: Answer"],
            "Lines 1 and 2 both hold names; each column has both, as in 'colour: red'.",
        ),
    ],
)
def test_names_and_what_is_said_of_them(written, content, names, note):
    table = read(written(content))
    assert list(table.columns) == names
    assert len(table.notes) == 1
    assert table.notes[0].startswith(note)


@pytest.mark.parametrize(
    "content",
    ["a,b\nx,2\ny,3\nz,4\nz,5\n", "a,b\nabsent,2\n1,3\n2,4\n3,5\n", "a,b\nx,y\n1,2\n", "a,b\nu,v\nw,u\nu,u\na,z\n"],
)
def test_one_header_row_is_one(written, content):
    table = read(written(content))
    assert (list(table.columns), table.rows, table.notes) == (["a", "b"], content.count("\n") - 1, ())


@pytest.mark.parametrize(
    "content, text",
    [
        ("6,148,72\n1,85,66\n", f"line 1 holds only numbers; it should hold the names of the columns. {NO_HEADER}"),
        ("5\n6\n", f"line 1 holds only numbers; it should hold the names of the columns. {NO_HEADER}"),
        (
            "M,0.455,15\nF,0.35,7\n",
            "line 1 holds numbers where the lines below it do (columns 2, 3); it should hold the names of the columns. "
            + NO_HEADER,
        ),
        (
            "bob, 5\nal, ?\neve, 7\n",
            "line 1 holds numbers where the lines below it do (column 2); it should hold the names of the columns. "
            + NO_HEADER,
        ),
        (
            "red,big\nblue,small\nred,small\nblue,big\n",
            "every field of line 1 comes again below it in the same column; it should hold the names of the columns. "
            + NO_HEADER,
        ),
    ],
)
def test_tables_without_a_header_are_refused_where_one_is_promised(written, content, text):
    with pytest.raises(DataError) as error:
        read(written(content))
    assert str(error.value) == f"t.csv: {text}"
    assert read(written(content), header=False).rows == content.count("\n")


def test_a_header_is_refused_where_none_is_promised(written):
    with pytest.raises(DataError) as error:
        read(written("name,x,y\na,1,2\nb,3,4\nc,5,6\n"), header=False)
    assert str(error.value) == (
        "t.csv: line 1 holds text where the lines below it hold only numbers (columns 2, 3); a table without a header "
        "is needed. If the first line holds names, leave out --no-header (header=True)."
    )
