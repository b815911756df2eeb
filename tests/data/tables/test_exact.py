"""Whole numbers, letters, names and fields stay what they were, whichever way a table is read."""

import csv
import decimal
import json

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest

from preceptor.data import LongTable, Table, open_table, read
from preceptor.data.tables import long_table
from preceptor.data.tables.join import append_rows
from preceptor.data.tables.names import find_column, names_in, told_apart
from preceptor.data.tables.table import TRUTH, ZONED
from preceptor.errors import DataError

CODES = [9007199254740993, None, 9007199254740992, 9007199254740994]  # 2^53 + 1 has no float64
TEXTS = [None if code is None else str(code) for code in CODES]


@pytest.fixture
def short(monkeypatch):
    """Whatever has a cell is long."""
    monkeypatch.setattr(long_table, "MOST_CELLS", 0)


def in_csv(folder, delimiter=",", other="x"):
    path = folder / "t.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, delimiter=delimiter)
        rows.writerow(["code", "b"])
        rows.writerows([["" if code is None else code, other] for code in CODES])
    return path


def in_json(folder, name="t.jsonl"):
    path = folder / name
    path.write_text("\n".join(json.dumps({"code": code}) for code in CODES))
    return path


def in_parquet(folder, kind=None):
    path = folder / "t.parquet"
    values = [code if code is None or kind is None else decimal.Decimal(code) for code in CODES]
    pa.parquet.write_table(pa.table({"code": pa.array(values, kind)}), path)
    return path


SOURCES = {
    "csv": in_csv,
    "csv with decimal commas": lambda folder: in_csv(folder, ";", "1,5"),
    "json lines": in_json,
    "parquet": in_parquet,
    "parquet decimals": lambda folder: in_parquet(folder, pa.decimal128(38, 0)),
    "pandas nullable": lambda _: pd.DataFrame({"code": pd.array(CODES, "Int64")}),
    "pandas arrow": lambda _: pd.DataFrame({"code": pd.array(CODES, "int64[pyarrow]")}),
    "pandas objects": lambda _: pd.DataFrame({"code": pd.Series(CODES, dtype=object)}),
    "polars": lambda _: pl.DataFrame({"code": CODES}),
    "arrow": lambda _: pa.table({"code": CODES}),
    "lists": lambda _: {"code": CODES},
    "masked": lambda _: {"code": np.ma.array([c or 0 for c in CODES], mask=[c is None for c in CODES])},
    "decimals": lambda _: {"code": [None if c is None else decimal.Decimal(c) for c in CODES]},
}


@pytest.mark.parametrize("form", SOURCES)
def test_whole_numbers_beside_a_gap_are_not_rounded(tmp_path, form):
    source = SOURCES[form](tmp_path)
    assert read(source).column("code").tolist() == TEXTS
    full = [code for code in CODES if code is not None]
    if isinstance(source, dict) and isinstance(source["code"], list):
        assert read({"code": full}).column("code").tolist() == full


@pytest.mark.parametrize("form", ["csv", "csv with decimal commas", "parquet", "parquet decimals"])
def test_nor_in_a_table_that_stays_on_the_disk(tmp_path, form, short):
    table = open_table(SOURCES[form](tmp_path))
    assert isinstance(table, LongTable)
    assert table.column("code").tolist() == TEXTS


@pytest.mark.parametrize("number", ["18446744073709551615", "99999999999999999999", "123456789012345678901234567890"])
def test_whole_numbers_beyond_every_type_are_text(tmp_path, number, short):
    path = tmp_path / "t.csv"
    path.write_text(f"a,b\n{number},1\n{number[:-1]}0,2\n")
    wanted = [number, f"{number[:-1]}0"]
    assert read(path).column("a").tolist() == wanted
    assert open_table(path).column("a").tolist() == wanted
    assert read({"a": list(map(int, wanted))}).column("a").tolist() == wanted


@pytest.mark.parametrize("is_long", [False, True])
@pytest.mark.parametrize("first", ["1", "2.5"])
@pytest.mark.parametrize("last", ["1.5", ".5", "1e-1", "1e3", "1_000", "0x10", "0b1", "9007199254740993", "-7", "x"])
def test_a_field_far_down_stands_for_what_it_does_elsewhere(tmp_path, monkeypatch, first, last, is_long):
    """duckdb tells types from the first 20,480 rows, and makes 2 of a later 1.5."""
    if is_long:
        monkeypatch.setattr(long_table, "MOST_CELLS", 0)
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + f"{first},x\n" * 21_000 + f"{last},x\n")
    table = open_table(path)
    column = table.piece(0, table.rows, ["a"]).column("a") if isinstance(table, LongTable) else table.column("a")
    expected = pd.read_csv(path, low_memory=False)["a"]
    if pd.api.types.is_numeric_dtype(expected):
        assert column.dtype == expected.dtype
    else:
        assert column.dtype == object
    assert column[[0, -1]].tolist() == expected.iloc[[0, -1]].tolist()


@pytest.mark.parametrize("field", ["007", "0x10", "0b1", "-0x10"])
@pytest.mark.parametrize("other", ["1", "2.5", "x"])
@pytest.mark.parametrize("rows", [1, 21_000])
def test_fields_that_some_take_for_numbers_are_text_in_any_row(tmp_path, field, other, rows):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + f"{other},x\n" * rows + f"{field},x\n")
    assert read(path).column("a").tolist() == [other] * rows + [field]


def test_whole_numbers_that_a_float_holds_are_numbers_beside_a_gap(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b,c\n9007199254740992,1e300,1.5\n,2e20,12345678901234567890\n")
    table = read(path)
    assert table.column("a").tolist()[0] == 2**53
    assert {name: values.dtype.kind for name, values in table.columns.items()} == {"a": "f", "b": "f", "c": "f"}
    assert table.column("b").tolist() == [1e300, 2e20]


def test_rows_of_two_files_are_not_rounded():
    mine, theirs = read({"a": [2**53 + 1, 5]}), read({"a": [7, None]})
    assert append_rows(mine, theirs).column("a").tolist() == [str(2**53 + 1), "5", "7", None]
    assert append_rows(mine, read({"a": CODES})).column("a").tolist() == [str(2**53 + 1), "5", *TEXTS]


# What text stands for is told from all rows


def test_a_long_table_reads_as_the_same_table_in_memory(tmp_path, monkeypatch):
    rows = 3_000
    rng = np.random.default_rng(0)
    whole = [str(each) for each in rng.integers(0, 99, rows)]
    columns = {
        "late text": [*map(str, range(rows - 1)), "x"],
        "codes": [*(["7"] * (rows - 1)), "007"],
        "late comma": ["1", *["2"] * (rows - 2), "1,5"],
        "clear at last": [*["01/02/2024"] * (rows - 1), "31/02/2024".replace("31/02", "31/01")],
        "unclear": ["01/02/2024"] * rows,
        "zoned": ["2024-01-01T10:00+02:00"] * rows,
        "truth": [*["true"] * (rows - 1), ""],
        "gap at last": [*whole[:-1], "NA"],
        "large at last": [*whole[:-2], "9007199254740993", ""],
        "money": [*["$5"] * (rows - 1), "$1,000"],
        "signs": [*["$5"] * (rows - 1), "5"],
        "letters": [*["e\u0301"] * (rows - 1), "\u00e9"],
    }
    path = tmp_path / "t.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=";").writerows([list(columns), *zip(*columns.values(), strict=True)])
    wanted = read(path)
    monkeypatch.setattr(long_table, "MOST_CELLS", 0)
    monkeypatch.setattr(long_table, "PIECE_CELLS", 1)
    table = open_table(path)
    assert isinstance(table, LongTable)
    pieces = [piece for _, piece in table.pieces()]
    assert len(pieces) == 3
    for name, values in wanted.columns.items():
        found = np.concatenate([piece.column(name).astype(values.dtype) for piece in pieces])
        assert repr(found.tolist()) == repr(values.tolist()), name
    assert wanted.column("clear at last")[0] == np.datetime64("2024-02-01")
    assert wanted.senses == {"zoned": ZONED, "truth": TRUTH}
    assert all(piece.senses["zoned"] == ZONED for piece in pieces)


# Letters, names


def test_one_letter_in_one_or_two_code_points_is_one_level():
    one, two = "\u00e9t\u00e9", "e\u0301te\u0301"
    for source in ({"a": [one, two, None]}, pd.DataFrame({"a": [one, two, None]})):
        table = read(source)
        assert table.column("a").tolist() == [one, one, None]
        assert table.notes == (
            "Letters composed of one and of two code points, which look the same, were made the same in 'a'.",
        )
    assert read({"a": [two, "x"]}).notes == ()
    assert read({"a": [two, "x"]}).column("a").tolist() == [one, "x"]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_and_one_column_in_every_file(tmp_path, suffix, short):
    one, two = "gr\u00f6\u00dfe", "gro\u0308\u00dfe"
    path = tmp_path / f"t{suffix}"
    if suffix == ".csv":
        path.write_text(f"{two},b\n{one},1\n{two},2\n", encoding="utf-8")
    elif suffix == ".jsonl":
        path.write_text(f'{{"{two}": "{one}"}}\n{{"{two}": "{two}"}}\n', encoding="utf-8")
    else:
        pa.parquet.write_table(pa.table({two: [one, two]}), path)
    for table in (read(path), open_table(path)):
        assert one in table.columns
        for name in (one, two, f" {two} "):
            assert table.column(name).tolist() == [one, one]


def test_a_name_is_found_as_the_file_has_it_and_stripped(shared):
    table = read(shared("life-expectancy/Life Expectancy Data.csv"))
    for name in ("Life expectancy ", "Life expectancy"):
        assert find_column(table.name, name, table.columns) == "Life expectancy"
    with pytest.raises(DataError, match=r"there is no column 'Life expectanc'.*Did you mean 'Life expectancy'"):
        table.column("Life expectanc")


@pytest.mark.parametrize(
    "names, found, notes",
    [
        (["a", "b"], ["a", "b"], ()),
        (
            ["a", "a", "b", "a"],
            ["a", "a (2)", "b", "a (3)"],
            ("Columns that share a name are numbered: 'a' to 'a (3)'.",),
        ),
        (["a", "a (2)", "a"], ["a", "a (2)", "a (3)"], ("Columns that share a name are numbered: 'a' to 'a (3)'.",)),
        (["", "x"], ["column1", "x"], ("Columns without a name are called column1.",)),
        ([" a", "a "], ["a", "a (2)"], ("Columns that share a name are numbered: 'a' to 'a (2)'.",)),
    ],
)
def test_names_are_told_apart(names, found, notes):
    assert told_apart(names) == (found, notes)


def test_names_that_stand_twice_can_be_used(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("other,id,other,other\n1,2,3,4\n5,6,7,8\n")
    table = read(path)
    assert {name: values.tolist() for name, values in table.columns.items()} == {
        "other": [1, 5],
        "id": [2, 6],
        "other (2)": [3, 7],
        "other (3)": [4, 8],
    }
    assert table.notes == ("Columns that share a name are numbered: 'other' to 'other (3)'.",)
    path = tmp_path / "t.parquet"
    pa.parquet.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"]), path)
    assert {name: values.tolist() for name, values in read(path).columns.items()} == {"a": [1], "a (2)": [2]}
    frame = pd.DataFrame([[1, 2]], columns=["a", "a"])
    assert list(read(frame).columns) == ["a", "a (2)"]


def test_names_with_commas_stand_in_quotes():
    assert names_in('a,"Price, EUR", b c ') == ("a", "Price, EUR", "b c ")
    assert names_in("") == ()
    assert names_in('"two\nlines",b') == ("two\nlines", "b")
    assert names_in("two\nlines") == ("two\nlines",)
    assert names_in("long" * 50_000) == ("long" * 50_000,)


# Fields as they stand

FIELDS = {
    "id": ["9007199254740993", "", "1"],
    "when": ["02.02.2024", "13.02.2024", ""],
    "at": ["2024-01-01 10:00+02:00", "", "2024-01-02 10:00+02:00"],
    "number": ["1.50", "NA", " 2"],
    "word": ["true", "TRUE", ""],
}


@pytest.mark.parametrize("is_long", [False, True])
def test_fields_are_kept_as_they_stand(tmp_path, monkeypatch, is_long):
    path = tmp_path / "t.csv"
    path.write_text("\n".join([",".join(FIELDS), *map(",".join, zip(*FIELDS.values(), strict=True))]))
    if is_long:
        monkeypatch.setattr(long_table, "MOST_CELLS", 0)
    table = open_table(path, texts=list(FIELDS))
    found = next(table.pieces())[1] if isinstance(table, LongTable) else table
    for name, fields in FIELDS.items():
        kept = [each.replace("NA", "") if is_long else each for each in fields]  # a gap is a gap
        assert found.texts[name].tolist() == kept
    assert found.columns["number"].tolist()[0] == 1.5
    assert open_table(path).texts == {}


def test_fields_of_other_sources(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text('{"a": 1.50, "b": true, "c": 9007199254740993}\n{"a": 2, "b": null, "c": "x"}\n')
    texts = read(path, texts=["a", "b", "c"]).texts
    assert {name: fields.tolist() for name, fields in texts.items()} == {
        "a": ["1.50", "2"],
        "b": ["true", ""],
        "c": ["9007199254740993", "x"],
    }
    frame = pd.DataFrame({"a": pd.array([2**53 + 1, None], "Int64"), "b": [True, False], "c": [0.5, np.nan]})
    texts = read(frame, texts=["a", "b", "c"]).texts
    assert {name: fields.tolist() for name, fields in texts.items()} == {
        "a": [str(2**53 + 1), ""],
        "b": ["True", "False"],
        "c": ["0.5", ""],
    }
    days = pd.to_datetime(["2024-02-29 10:00", None])
    for unit in ("s", "us", "ns"):
        frame = pd.DataFrame({"at": days.as_unit(unit), "tenth": np.array([0.1, np.nan], np.float32)})
        texts = read(frame, texts=["at", "tenth"]).texts
        assert texts["at"].tolist() == [str(days[0]), ""]
        assert texts["tenth"].tolist() == ["0.1", ""]
        assert read(frame).columns["tenth"].dtype == np.float64
    assert read({"day": days.to_numpy("M8[D]")}, texts=["day"]).texts["day"].tolist() == ["2024-02-29", ""]
    path = tmp_path / "t.parquet"
    pa.parquet.write_table(pa.table({"a": [2**53 + 1, None], "b": [True, None]}), path)
    assert read(path, texts=["a"]).texts["a"].tolist() == [str(2**53 + 1), ""]


# Truth values, zones


@pytest.mark.parametrize(
    "source",
    [
        {"a": [True, None, False]},
        pd.DataFrame({"a": pd.array([True, None, False], "boolean")}),
        pl.DataFrame({"a": [True, None, False]}),
        pa.table({"a": [True, None, False]}),
    ],
)
def test_nullable_truth_values(source, tmp_path):
    table = read(source)
    assert table.senses == {"a": TRUTH}
    np.testing.assert_array_equal(table.column("a"), [1, np.nan, 0])
    assert read(table) is table


def test_truth_values_and_zones_in_parquet(tmp_path, short):
    path = tmp_path / "t.parquet"
    times = pd.to_datetime(["2024-01-01T10:00+02:00", None])
    pa.parquet.write_table(pa.table({"a": [True, None], "b": pa.array(times)}), path)
    for table in (read(path), next(open_table(path).pieces())[1]):
        assert table.senses == {"a": TRUTH, "b": ZONED}
        assert table.column("b")[0] == np.datetime64("2024-01-01T08:00:00")


def test_times_with_a_zone_and_without_in_one_column_are_text():
    times = [pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-01T10:00+02:00")]
    table = read({"a": times})
    assert table.column("a").dtype == object
    assert read({"a": times[1:]}).senses == {"a": ZONED}
    assert read({"a": times[:1]}).senses == {}


def test_a_table_keeps_what_its_columns_stand_for():
    table = Table("t", {"a": np.array([1.0, np.nan])}, (), {"a": TRUTH}, {"a": np.array(["yes", ""], object)})
    part = table.select(np.array([1]))
    assert (part.senses, part.texts["a"].tolist()) == ({"a": TRUTH}, [""])
