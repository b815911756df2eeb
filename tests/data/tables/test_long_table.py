"""Tables that stay on the disk: the pieces are the table, whatever the format, and nothing is left behind."""

import numpy as np
import pytest

from preceptor.data import LongTable, Table, open_table, read
from preceptor.data.tables import long_table
from preceptor.errors import DataError

ROWS = 5_000


@pytest.fixture
def short(monkeypatch, tmp_path):
    """Whatever has more than 100 cells is long, and pieces have 1,024 rows."""
    monkeypatch.setattr(long_table, "MOST_CELLS", 100)
    monkeypatch.setattr(long_table, "PIECE_CELLS", 1)
    monkeypatch.setattr(long_table, "GROUP_ROWS", 2_048)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "copies"))
    monkeypatch.setattr("tempfile.tempdir", None)  # it would remember the one before
    (tmp_path / "copies").mkdir()
    return tmp_path


def columns():
    rng = np.random.default_rng(0)
    text = rng.choice(np.array(["red", "green", "it's", 'a "b", c', "ä"], object), ROWS)
    text[::7] = None
    return {
        "number": rng.normal(size=ROWS).round(6),
        "whole": rng.integers(-5, 10_000, ROWS),
        "gaps": np.where(np.arange(ROWS) % 11 == 0, np.nan, np.arange(ROWS) / 4),
        "text": text,
    }


def write_csv(path, table, delimiter=",", decimal="."):
    import csv

    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(table)
        for row in zip(*(values.tolist() for values in table.values()), strict=True):
            writer.writerow(["" if v is None or v != v else str(v).replace(".", decimal) for v in row])
    return path


def write_parquet(path, table, group=100_000):
    import duckdb

    write_csv(path.with_suffix(".csv"), table)
    source = f"SELECT * FROM read_csv('{path.with_suffix('.csv')}')"
    duckdb.connect().execute(f"COPY ({source}) TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE {group})")
    return path


def joined(table, names=None):
    pieces = [piece for _, piece in table.pieces(names)]
    return {name: np.concatenate([piece.columns[name] for piece in pieces]) for name in pieces[0].columns}


@pytest.mark.parametrize("form", ["csv", "semicolons", "latin-1", "gz", "parquet", "parquet, small groups"])
def test_the_pieces_are_the_table(short, form):
    wanted = columns()
    path = short / "table.csv"
    if form == "csv":
        write_csv(path, wanted)
    elif form == "semicolons":
        write_csv(path, wanted, ";", ",")
    elif form == "latin-1":
        write_csv(path, wanted)
        path.write_bytes(path.read_text("utf-8").encode("latin-1"))
    elif form == "gz":
        import gzip

        path = short / "table.csv.gz"
        path.write_bytes(gzip.compress(write_csv(short / "table.csv", wanted).read_bytes()))
    else:
        path = write_parquet(short / "table.parquet", wanted, 2_048 if "small" in form else 100_000)
    table = open_table(path)
    assert isinstance(table, LongTable)
    assert (table.name, table.rows, table.columns) == (path.name, ROWS, tuple(wanted))
    sizes = [piece.rows for _, piece in table.pieces()]
    assert sizes == [1024] * 4 + [ROWS - 4096]
    for name, values in joined(table).items():
        np.testing.assert_array_equal(values, wanted[name])
    np.testing.assert_array_equal(joined(table, ["text"])["text"], wanted["text"])
    whole = read(path)
    assert isinstance(whole, Table)
    np.testing.assert_array_equal(whole.columns["gaps"], wanted["gaps"])


def test_wide_row_groups_are_cut_up_once(short, monkeypatch):
    monkeypatch.setattr(long_table, "WIDE_GROUP_CELLS", 1_000)
    table = open_table(write_parquet(short / "table.parquet", columns()))
    assert table.path != short / "table.parquet"
    np.testing.assert_array_equal(joined(table)["whole"], columns()["whole"])


def test_copies_go_with_the_table(short):
    table = open_table(write_csv(short / "table.csv", columns()))
    assert table.path.exists()
    folder = table.path.parent
    assert folder.parent == short / "copies"
    del table
    assert not folder.exists()


@pytest.mark.parametrize("count", [10, 400, ROWS])
def test_a_sample_is_spread_evenly_and_has_what_was_asked_for(short, count):
    table = open_table(write_csv(short / "table.csv", columns()))
    some, numbers = table.sample(count, [17, 4_999])
    assert {17, 4_999} <= set(numbers.tolist())
    assert (np.diff(numbers) > 0).all()
    assert count * 0.8 <= len(numbers) <= count * 1.2 + 2
    for name, values in columns().items():
        np.testing.assert_array_equal(some.columns[name], values[numbers])
    if count == 400:  # each tenth of the table has its share
        assert np.histogram(numbers, bins=10, range=(0, ROWS))[0].min() > 30
    again = table.sample(count, [17, 4_999], names=["whole"])
    np.testing.assert_array_equal(again[1], numbers)
    assert list(again[0].columns) == ["whole"]


def test_what_is_wrong_is_said(short):
    table = open_table(write_csv(short / "table.csv", columns()))
    with pytest.raises(DataError, match=r"there is no column 'nubmer'.* Did you mean 'number'"):
        next(table.pieces(["nubmer"]))
    table.path.write_bytes(table.path.read_bytes()[:-1000])
    with pytest.raises(DataError, match=r"table.csv: the file cannot be read \("):
        list(table.pieces())
    ragged = write_csv(short / "ragged.csv", columns())
    ragged.write_text(ragged.read_text().replace("\n", "\n1,2\n", 1))
    with pytest.raises(DataError, match="line 2 has 2 fields and the first line 4"):
        open_table(ragged)


def test_no_room_for_a_copy(short, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 10})())
    with pytest.raises(DataError, match=r"table.csv: .* GiB are needed on the disk .* set TMPDIR"):
        open_table(write_csv(short / "table.csv", columns()))


def test_small_tables_are_held(tmp_path):
    assert isinstance(open_table(write_csv(tmp_path / "table.csv", columns())), Table)
    assert isinstance(open_table("iris"), Table)
    assert isinstance(open_table({"a": [1, 2]}), Table)
