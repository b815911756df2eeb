import csv
import datetime
import re
import warnings
from decimal import Decimal

import duckdb
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits, load_iris

from preceptor.data import Table, default_target, read
from preceptor.data.tables import delimited as delimited_module
from preceptor.data.tables.delimited import Count, count_records
from preceptor.errors import DataError


def as_lists(table):
    return {name: values.tolist() for name, values in table.columns.items()}


def assert_same_columns(table, other):
    assert list(table.columns) == list(other.columns)
    for name, values in table.columns.items():
        assert values.dtype == other.columns[name].dtype, name
        np.testing.assert_array_equal(values, other.columns[name], err_msg=name)


# Bundled tables


def test_digits_are_those_of_scikit_learn():
    table, theirs = read("digits"), load_digits()
    assert (table.name, default_target("digits")) == ("digits", "digit")
    assert table.column("pixels").dtype == np.uint8
    assert (table.column("pixels") == theirs.data).all()
    assert table.column("digit").tolist() == theirs.target.tolist()


def test_iris_is_that_of_scikit_learn():
    table, theirs = read("iris"), load_iris()
    assert (table.name, default_target("iris")) == ("iris", "species")
    assert (np.stack([table.column(name) for name in list(table.columns)[:4]], axis=1) == theirs.data).all()
    assert table.column("species").tolist() == theirs.target_names[theirs.target].tolist()


def test_other_tables_have_no_default_target():
    assert default_target("iris.csv") is None


# CSV


def test_kinds_of_columns(written):
    table = read(written("i,f,gap,b,bgap,t,none\n1,1.5,3,True,true,x,\n-2,2,NA,false,,,?\n"))
    assert as_lists(table) == {
        "i": [1, -2],
        "f": [1.5, 2.0],
        "gap": [3.0, pytest.approx(np.nan, nan_ok=True)],
        "b": [True, False],
        "bgap": [1.0, pytest.approx(np.nan, nan_ok=True)],
        "t": ["x", None],
        "none": pytest.approx([np.nan, np.nan], nan_ok=True),
    }
    kinds = {name: values.dtype.kind for name, values in table.columns.items()}
    assert kinds == {"i": "i", "f": "f", "gap": "f", "b": "b", "bgap": "f", "t": "O", "none": "f"}


@pytest.mark.parametrize(
    "content, expected",
    [
        ("a,b\n1,x\n\n2,y\n\n", {"a": [1, 2], "b": ["x", "y"]}),
        ("a,b\r\n1,x\r\n\r\n2,y", {"a": [1, 2], "b": ["x", "y"]}),
        ("\n\na,b\n1,x\n", {"a": [1], "b": ["x"]}),
        ("\ufeffa,b\n1,x\n", {"a": [1], "b": ["x"]}),
        ("a;b\n1;x,y\n2;z\n", {"a": [1, 2], "b": ["x,y", "z"]}),
        ("a;b\n1,5;x\n2,5;y\n", {"a": [1.5, 2.5], "b": ["x", "y"]}),
        ("a|b\n1|x\n", {"a": [1], "b": ["x"]}),
        ('a,b\n1,"x ""y"", z\nw"\n', {"a": [1], "b": ['x "y", z\nw']}),
        ('a,b\n1,5" pipe\n2,6" pipe\n', {"a": [1, 2], "b": ['5" pipe', '6" pipe']}),
        ('"a\nb",c\n1,x\n', {"a\nb": [1], "c": ["x"]}),
        ("a\n1\n2\n", {"a": [1, 2]}),
        (",b\n1,x\n", {"column1": [1], "b": ["x"]}),
        (" a , b\n1,x\n", {"a": [1], "b": ["x"]}),
        ("zip,plus\n007,+5\n010,-3\n", {"zip": ["007", "010"], "plus": [5, -3]}),
        ("a,A\n1,x\n", {"a": [1], "A": ["x"]}),
        ("day,b\n2020-01-31,x\n", {"day": [datetime.datetime(2020, 1, 31)], "b": ["x"]}),
        ("a,b\n1_000,2\n", {"a": ["1_000"], "b": [2]}),
        ("#a,b\n#1,2\n", {"#a": ["#1"], "b": [2]}),
        ("a,b\n9223372036854775807,1e5\n1,2\n", {"a": [9223372036854775807, 1], "b": [1e5, 2.0]}),
        ("ä,b\nß,é\n", {"ä": ["ß"], "b": ["é"]}),
    ],
)
def test_what_csv_files_hold(written, content, expected):
    assert as_lists(read(written(content))) == expected


def test_tsv_has_tabs_only(written):
    assert as_lists(read(written("a,b\tc\n1,2\tx\n", "t.tsv"))) == {"a,b": [1.2], "c": ["x"]}


def test_without_a_header_columns_are_numbered(written):
    table = read(written("\ufeff1.5,x\n2.5,y\n"), header=False)
    assert as_lists(table) == {"column1": [1.5, 2.5], "column2": ["x", "y"]}


def test_kinds_are_told_from_all_rows(written):
    late = "a,b,c\n" + "1,,2\n" * 30_000 + "1.5,7,x\n"
    table = read(written(late))
    assert (table.column("a")[-1], table.column("b")[-1], table.column("c")[-1]) == (1.5, 7.0, "x")
    assert table.column("c")[0] == "2"


@pytest.mark.parametrize("name", ["x[1].csv", "x*.csv", "it's.csv", "y=2/x.csv", "ü ?.csv"])
def test_odd_file_names_are_no_patterns(written, tmp_path, name):
    (tmp_path / "y=2").mkdir()
    for other in ("x1.csv", "x-1.csv", "ü a.csv"):
        written("a,b\n0,wrong\n", other)
    assert as_lists(read(str(written("a,b\n1,right\n", name)))) == {"a": [1], "b": ["right"]}


REAL_TABLES = [
    "seaborn-penguins/penguins.csv",
    "seaborn-titanic/titanic.csv",
    "seaborn-mpg/mpg.csv",
    "california-housing/housing.csv",
    "seaborn-diamonds/diamonds.csv",
    "titanic-kaggle/train.csv",
]


@pytest.mark.parametrize("name", REAL_TABLES)
def test_real_tables_read_as_pandas_and_the_csv_module_read_them(shared, name):
    table = read(shared(name))
    assert_same_columns(table, read(pd.read_csv(shared(name))))
    with shared(name).open(encoding="utf-8", newline="") as file:
        header, *records = csv.reader(file)
    assert list(table.columns) == header
    assert table.rows == len(records)
    for row in (0, table.rows // 2, table.rows - 1):
        for field, values in zip(records[row], table.columns.values(), strict=True):
            assert field == "" or field == str(values[row]) or float(field) == values[row]


ORDER = "Quotes or line ends were not as usual and were put in order."
SEMICOLONS = "Fields are separated by semicolons."


@pytest.mark.parametrize(
    "content, expected, notes",
    [
        ('a, b\n1, "x, y"\n2, "z"\n', {"a": [1, 2], "b": ["x, y", "z"]}, (ORDER,)),
        ('a,b\n"x" ,1\n"y, z" , 2\n', {"a": ["x", "y, z"], "b": [1, 2]}, (ORDER,)),
        ("a,b\n1,2\r\n3,4\n", {"a": [1, 3], "b": [2, 4]}, (ORDER,)),
        ("a,b\r1,2\r3,4\r", {"a": [1, 3], "b": [2, 4]}, (ORDER,)),
        ('a,b\r\n"x\ny",2\r\n3,4', {"a": ["x\ny", "3"], "b": [2, 4]}, ()),
        ("a,b\n1, x \n ?,NA \n", {"a": [1.0, pytest.approx(np.nan, nan_ok=True)], "b": ["x", None]}, ()),
        ("a,b\n\n1,2\n\n3,4\n", {"a": [1, 3], "b": [2, 4]}, ("2 blank lines were left out.",)),
        ("a,b\n1,2\n  \n3,4\n", {"a": [1, 3], "b": [2, 4]}, (ORDER, "1 blank line was left out.")),
        ("a\n1\n\n3\n", {"a": [1.0, pytest.approx(np.nan, nan_ok=True), 3.0]}, ()),
        ("\n\na\n1\n", {"a": [1]}, ()),
        ("1,5;2,5\n3,5;4,5\n", {"column1": [1.5, 3.5], "column2": [2.5, 4.5]}, None),
        (
            "a;b;c\n1,5;1.234;0.5\n2,5;950;.5\n",
            {"a": [1.5, 2.5], "b": [1234.0, 950.0], "c": [0.5, 0.5]},
            (
                SEMICOLONS,
                "The comma was read as the decimal comma in 'a'.",
                "Thousands separators were removed in 'b'.",
            ),
        ),
        ("a  b c\n1   2 3\n 4 5 6 \n", {"a": [1, 4], "b": [2, 5], "c": [3, 6]}, ("Fields are separated by spaces.",)),
        ("a|b\n1|x\n", {"a": [1], "b": ["x"]}, ("Fields are separated by bars.",)),
    ],
)
def test_untidy_files_read_right_and_it_is_said(written, content, expected, notes):
    table = read(written(content), header=notes is not None)
    assert as_lists(table) == expected
    assert notes is None or table.notes == notes


@pytest.mark.parametrize("suffix", [".txt", ".data", ".csv"])
def test_any_suffix_of_text_may_have_any_delimiter(written, suffix):
    assert as_lists(read(written("a;b\n1;x\n", f"t{suffix}"))) == {"a": [1], "b": ["x"]}


def test_damaged_bytes_are_read_or_refused_but_never_stop_the_program(tmp_path):
    rng = np.random.default_rng(0)
    good = 'a,b,c\n1,"x, ""y""\nz",2020-01-31\n2,ü,?\n"3",w,"1,234"\n'.encode()
    pieces = [b'"', b",", b"\n", b"\r", b"\0", b"\xff", b" ", b";", b"\xef\xbb\xbf", b'""', b"\t"]
    refused = []
    for _ in range(80):
        content = bytearray(good)
        for _ in range(int(rng.integers(1, 4))):
            place = int(rng.integers(len(content)))
            content[place : place + int(rng.integers(3))] = pieces[rng.integers(len(pieces))]
        (tmp_path / "t.csv").write_bytes(content)
        try:
            table = read(tmp_path / "t.csv")
        except DataError as error:
            refused.append(str(error))
        else:
            assert table.rows > 0
    assert refused
    for text in refused:
        assert re.match(r"t\.csv: [^;]+; .+\. .+\.$", text, re.DOTALL), text


# The independent count


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 1 << 22])
def test_records_are_counted_right_wherever_the_file_is_cut(written, monkeypatch, chunk):
    monkeypatch.setattr(delimited_module, "CHUNK_BYTES", chunk)
    content = 'ä,b\n1,"x, ""\n\n"\n\r\n\n"",é\n3,""""\n4,5'
    path = written(content)
    assert (
        count_records("t.csv", path, ",", 2).records
        == len([r for r in csv.reader(content.splitlines(keepends=True)) if r])
        == 5
    )


def test_random_tables_are_counted_as_they_were_written(tmp_path):
    rng = np.random.default_rng(0)
    fields = ["", "a", 'q"uote', "com,ma", "new\nline", "crlf\r\n", "ü", "1.5", '"', " "]
    for trial in range(50):
        columns, rows = int(rng.integers(2, 6)), int(rng.integers(1, 30))
        path = tmp_path / f"{trial}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            written = csv.writer(file, lineterminator=["\n", "\r\n"][trial % 2])
            written.writerow([f"c{number}" for number in range(columns)])
            written.writerows(rng.choice(fields, (rows, columns)).tolist())
        found = count_records("t.csv", path, ",", columns)
        assert (found.records, found.blank_lines, found.is_plain) == (rows + 1, 0, True)


# Refused files

NO_HEADER = "If the first line is data, say that there is no header (header=False, --no-header)."


@pytest.mark.parametrize(
    "content, text",
    [
        ("", "t.csv: the file has no content; a header and at least one row are needed. Save it again."),
        (" \n\n", "t.csv: the file has no content; a header and at least one row are needed. Save it again."),
        ("a,b\n", f"t.csv: the file has a header and no rows; at least one row is needed. {NO_HEADER}"),
        (
            "a,b\n1,2\n3\n",
            "t.csv: line 3 has 1 field and the first line 2; every line needs as many. "
            "Check line 3 for a missing or an extra comma, or for text that needs quotes.",
        ),
        (
            'a;b\n"1\n";2\n3;4;5\n',
            "t.csv: line 4 has 3 fields and the first line 2; every line needs as many. "
            "Check line 4 for a missing or an extra semicolon, or for text that needs quotes.",
        ),
        (
            "7.4,0.7\n7.8,0.88\n",
            f"t.csv: line 1 holds only numbers; it should hold the names of the columns. {NO_HEADER}",
        ),
        (
            b"a,b\n" + b"1,2\n" * 20_000 + b"\0,2\n",
            "t.csv: line 20,002 holds a zero byte; text is needed. Check that the file is a table.",
        ),
        (
            'a,b\n1,2\n3,"x\n4,5\n',
            "t.csv: the record from line 3 on cannot be read (unexpected end of data); quotes must come in pairs. "
            "Check line 3 for a quote that is never closed, or closed too early.",
        ),
    ],
)
def test_files_that_are_no_tables(written, content, text):
    with pytest.raises(DataError) as error:
        read(written(content))
    assert str(error.value) == text


def test_a_number_of_rows_that_does_not_add_up_is_refused(written, monkeypatch):
    monkeypatch.setattr("preceptor.data.tables.delimited.count_records", lambda *_: Count(4, 0, True))
    with pytest.raises(DataError) as error:
        read(written("a,b\n1,2\n3,4\n"))
    assert str(error.value) == (
        "t.csv: the reader found 2 rows of 2 columns, and the file has 3 rows of 2; both must be the same. "
        "Check for quotes that are not closed."
    )


# Paths


def test_missing_paths_and_strange_suffixes(tmp_path, written):
    with pytest.raises(DataError) as error:
        read(tmp_path / "no.csv")
    assert str(error.value) == (
        f"{tmp_path / 'no.csv'}: there is no such file or folder; a table is needed. "
        "Check the path; bundled are digits, iris."
    )
    with pytest.raises(DataError) as error:
        read(written("x", "t.xlsx"))
    assert str(error.value) == (
        "t.xlsx: files that end in '.xlsx' are not read; .csv, .tsv, .txt, .data, .tab, .psv, .json, .jsonl, .ndjson, "
        ".parquet, .npy, .npz, .gz, .xz, .bz2, .zip, .tar, .tgz, .txz, .tbz2 are. "
        "Save the table as one of them."
    )


def test_a_folder_stands_for_its_only_table(tmp_path, written):
    with pytest.raises(DataError) as error:
        read(tmp_path)
    assert str(error.value) == (
        f"{tmp_path}: the folder holds no table; one file that ends in .csv, .tsv, .data, .tab, .psv, "
        ".jsonl, .ndjson, .parquet, .npy, .npz, .gz, .xz, .bz2, .zip, .tar, .tgz, .txz, .tbz2 is needed. "
        "Check the path."
    )
    written("see t.csv", "README.md")
    written("a\n1\n")
    assert read(tmp_path).name == "t.csv"
    written("a\n1\n", "u.tsv")
    with pytest.raises(DataError) as error:
        read(tmp_path)
    assert str(error.value) == (
        f"{tmp_path}: the folder holds 2 tables: t.csv, u.tsv; one is needed. Give the path of the one that is meant."
    )


# Parquet


def test_parquet_reads_as_the_frame_that_was_written(tmp_path):
    pytest.importorskip("pyarrow", reason="pandas writes Parquet through pyarrow, which is not installed")
    frame = pd.DataFrame(
        {
            "i": [1, 2, 3],
            "gap": pd.array([1, None, 3], dtype="Int64"),
            "f": np.array([1.5, np.nan, 2.5], np.float32),
            "b": [True, False, True],
            "bgap": pd.array([True, None, False], dtype="boolean"),
            "t": ["x", None, 'quo"te'],
            "cat": pd.Categorical(["u", None, "v"]),
            "day": pd.to_datetime(["2020-01-31 10:20:30", None, "2020-02-01 00:00:00"]),
            "dec": [Decimal("1.5"), None, Decimal("2.5")],
            'na"me': [1, 2, 3],
        }
    )
    frame.to_parquet(tmp_path / "t.parquet")
    assert_same_columns(read(tmp_path / "t.parquet"), read(frame))


def test_parquet_written_by_another_program(tmp_path):
    rows = "(1, 1.5, true, 'x'), (2, null, false, null), (3, 2.5, true, 'y')"
    duckdb.sql(f"select * from (values {rows}) as t(i, f, b, t)").write_parquet(str(tmp_path / "t.parquet"))
    frame = pd.DataFrame({"i": [1, 2, 3], "f": [1.5, np.nan, 2.5], "b": [True, False, True], "t": ["x", None, "y"]})
    assert_same_columns(read(tmp_path / "t.parquet"), read(frame))


def test_parquet_with_lists_or_damage_is_refused(tmp_path):
    pytest.importorskip("pyarrow", reason="pandas writes Parquet through pyarrow, which is not installed")
    pd.DataFrame({"a": [[1, 2], [3]]}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(DataError) as error:
        read(tmp_path / "t.parquet")
    assert str(error.value) == (
        "t.parquet: column 'a' holds BIGINT[]; numbers, truth values, text or dates are needed. "
        "Leave the column out, or write each of its parts as a column."
    )
    (tmp_path / "t.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(DataError, match=r"^t.parquet: the file cannot be read as Parquet \(.*\); a whole Parquet"):
        read(tmp_path / "t.parquet")
    pd.DataFrame({"a": np.zeros(0)}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"^t.parquet: the file has no rows; at least one row is needed"):
        read(tmp_path / "t.parquet")


# NumPy


def test_arrays_in_files_and_in_memory(tmp_path):
    x = np.arange(6, dtype=np.float32).reshape(3, 2)
    np.save(tmp_path / "x.npy", x)
    np.savez(tmp_path / "xy.npz", x=x, y=np.array(["a", "b", "a"]))
    for table in (read(x), read(tmp_path / "x.npy")):
        assert list(table.columns) == ["x"]
        assert table.column("x").dtype == np.float32
        assert (table.column("x") == x).all()
    assert as_lists(read(tmp_path / "xy.npz")) == {"x": x.tolist(), "y": ["a", "b", "a"]}
    assert read(x.astype(np.int16)).column("x").dtype == np.float64


def test_numpy_files_that_are_refused(tmp_path):
    np.save(tmp_path / "o.npy", np.array([[{}]], object), allow_pickle=True)
    with pytest.raises(DataError) as error:
        read(tmp_path / "o.npy")
    assert str(error.value) == (
        "o.npy: the file cannot be read: it holds Python objects; arrays of numbers or text are needed. "
        "Save them again with numpy.save or numpy.savez."
    )
    np.savez(tmp_path / "o.npz", x=np.array([{}], object))
    with pytest.raises(DataError, match="it holds Python objects"):
        read(tmp_path / "o.npz")
    for name in ("d.npy", "d.npz"):
        for content in (b"", b"no numpy file", b"\x93NUMPY\x01\x00", b"PK\x03\x04 no zip"):
            (tmp_path / name).write_bytes(content)
            with pytest.raises(DataError, match=f"^{name}: the file cannot be read: it "):
                read(tmp_path / name)
    np.savez(tmp_path / "l.npz", x=np.zeros((3, 2)), y=np.zeros(2))
    with pytest.raises(DataError) as error:
        read(tmp_path / "l.npz")
    assert str(error.value) == (
        "l.npz: the arrays differ in length: x (3, 2), y (2,); one row each for every example is needed. "
        "Save each part in a file of its own."
    )
    np.save(tmp_path / "v.npy", np.zeros(3))
    with pytest.raises(DataError, match=r"^v.npy: the array has shape \(3,\); \(rows, features\) is needed"):
        read(tmp_path / "v.npy")


# Objects in memory


def test_a_table_comes_back_as_it_is():
    table = Table("t", {"a": np.zeros(1)})
    assert read(table) is table


def test_a_mapping_of_lists_and_arrays():
    table = read(
        {"a": [1, 2], "b": ["x", None], "c": np.eye(2), "d": np.array([1, 2**63], np.uint64), "e": [None, True]}
    )
    assert as_lists(table) == {
        "a": [1, 2],
        "b": ["x", None],
        "c": [[1.0, 0.0], [0.0, 1.0]],
        "d": ["1", "9223372036854775808"],
        "e": [pytest.approx(np.nan, nan_ok=True), 1.0],
    }


def test_pandas_types(recwarn):
    frame = pd.DataFrame(
        {
            "cat": pd.Categorical([3, 1, None]),
            "mixed": [1, "a", None],
            "object ints": pd.Series([1, 2, 3], dtype=object),
            "object gap": pd.Series([1, None, 2.5], dtype=object),
            "u8": np.array([1, 2, 3], np.uint8),
            "Float64": pd.array([1.5, None, 2.0], dtype="Float64"),
            "str": pd.array(["a", pd.NA, "b"], dtype="string"),
            "day": pd.to_datetime(["2020-01-31", None, "2020-02-01"]),
            "zone": pd.to_datetime(["2020-01-31", None, "2020-02-01"], utc=True),
            7: [True, False, True],
        }
    )
    table = read(frame)
    expected = {
        "cat": ["3", "1", None],
        "mixed": ["1", "a", None],
        "object ints": [1, 2, 3],
        "object gap": [1.0, pytest.approx(np.nan, nan_ok=True), 2.5],
        "u8": [1, 2, 3],
        "Float64": [1.5, pytest.approx(np.nan, nan_ok=True), 2.0],
        "str": ["a", None, "b"],
        "day": [datetime.datetime(2020, 1, 31), None, datetime.datetime(2020, 2, 1)],
        "zone": [datetime.datetime(2020, 1, 31), None, datetime.datetime(2020, 2, 1)],
        "7": [True, False, True],
    }
    assert as_lists(table) == expected


def test_arrow_tables_read_as_pandas_frames():
    arrow = pytest.importorskip("pyarrow")
    columns = {"i": [1, None, 3], "t": ["x", None, "y"], "b": [True, False, True], "f": [1.5, None, 2.5]}
    table = arrow.table(columns).append_column("cat", arrow.array(["u", None, "v"]).dictionary_encode())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frame = table.to_pandas()
    assert_same_columns(read(table), read(frame))


def test_polars_frames():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"i": [1, None], "j": [1, 2], "t": ["x", None], "b": [True, False], "f": [1.5, None]})
    frame = frame.with_columns(frame["t"].cast(polars.Categorical).alias("cat"))
    assert_same_columns(
        read(frame),
        read(
            {
                "i": [1.0, np.nan],
                "j": [1, 2],
                "t": ["x", None],
                "b": [True, False],
                "f": [1.5, np.nan],
                "cat": ["x", None],
            }
        ),
    )


@pytest.mark.parametrize(
    "source, text",
    [
        (
            3,
            "read: a builtins.int was given; a path, an array, a mapping of arrays, a data frame or an Arrow table is "
            "needed. Convert it to one of them.",
        ),
        (
            np.zeros((2, 3, 4)),
            "array: it has shape (2, 3, 4); (rows, features) of numbers is needed. "
            "Flatten each row: x.reshape(len(x), -1).",
        ),
        (
            {"a": np.zeros((2, 3, 4))},
            "dictionary: 'a' has shape (2, 3, 4); a column needs (rows,) or (rows, features). "
            "Flatten each row: x.reshape(len(x), -1).",
        ),
        (
            {"a": ["x", ["y"]]},
            "dictionary: column 'a' holds a list in data row 2; numbers, truth values, text or dates are needed. "
            "Convert the column or leave it out.",
        ),
        (
            {"a": np.array([1j])},
            "dictionary: column 'a' has the element type complex128; numbers, truth values, text or dates are needed. "
            "Convert it or leave it out.",
        ),
        ({}, "dictionary: it has no columns; at least one row is needed. Check how it was made."),
        ({"a": []}, "dictionary: it has no rows; at least one row is needed. Check how it was made."),
    ],
)
def test_objects_that_are_refused(source, text):
    with pytest.raises(DataError) as error:
        read(source)
    assert str(error.value) == text
