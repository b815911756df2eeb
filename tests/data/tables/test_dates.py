import datetime

import numpy as np
import pandas as pd
import pytest

from preceptor.data import read


def read_days(written, *words):
    return read(written("day,b\n" + "".join(f'"{word}",1\n' for word in words)))


@pytest.mark.parametrize(
    "words, expected",
    [
        (["2020-01-31", "2019-02-01", ""], ["2020-01-31", "2019-02-01", "NaT"]),
        (["1749-01", "1749-02"], ["1749-01-01", "1749-02-01"]),
        (["2020-01-31 10:20", "2020-01-31T10:20:30.5"], ["2020-01-31T10:20:00", "2020-01-31T10:20:30"]),
        (["2020-01-31T23:00:00-02:00", "2020-01-31T10:20Z"], ["2020-02-01T01:00:00", "2020-01-31T10:20:00"]),
        (["2020/1/31", "2020/02/01"], ["2020-01-31", "2020-02-01"]),
        (["31/01/2020", "01/02/2020"], ["2020-01-31", "2020-02-01"]),
        (["01/31/2020", "02/01/2020 10:20"], ["2020-01-31", "2020-02-01T10:20:00"]),
        (["1.2.2020", "3.4.2020"], ["2020-02-01", "2020-04-03"]),
        (["31 Jan 2020", "1-February-2020"], ["2020-01-31", "2020-02-01"]),
        (["January 31, 2020", "Feb 1 2020"], ["2020-01-31", "2020-02-01"]),
    ],
)
def test_columns_of_dates(written, words, expected):
    table = read_days(written, *words)
    assert table.column("day").dtype == "M8[s]"
    np.testing.assert_array_equal(table.column("day"), np.array(expected, "M8[s]"))
    assert table.notes == ()


@pytest.mark.parametrize(
    "words",
    [
        ["2020-01-31", "soon"],
        ["2020-02-31"],
        ["2020-01-31", "31.01.2020"],
        ["13/13/2020", "01/02/2020"],
        ["31/01/2020", "01/31/2020"],
        ["31 Foo 2020"],
        ["10:20"],
        ["2020-01-31T10:20Z", "2020-01-31T10:20"],
    ],
)
def test_other_columns_stay_text(written, words):
    assert read_days(written, *words).column("day").tolist() == words


def test_dates_that_read_both_ways_stay_text_and_are_said(written):
    table = read_days(written, "01/02/2020", "03/04/2020")
    assert table.column("day").tolist() == ["01/02/2020", "03/04/2020"]
    assert table.notes == (
        "Dates that read day first as well as month first stay text (write them as 2020-01-31) in 'day'.",
    )


def test_dates_from_parquet_and_frames(tmp_path):
    pytest.importorskip("pyarrow", reason="pandas writes Parquet through pyarrow, which is not installed")
    frame = pd.DataFrame(
        {
            "day": pd.to_datetime(["2020-01-31 10:20:30", None]),
            "zone": pd.to_datetime(["2020-01-31T23:00-02:00", None], utc=True),
            "date": [datetime.date(2020, 1, 31), None],
        }
    )
    frame.to_parquet(tmp_path / "t.parquet")
    for table in (read(frame), read(tmp_path / "t.parquet")):
        assert {name: values.dtype.str for name, values in table.columns.items()} == dict.fromkeys(frame, "<M8[s]")
        for name, first in (("day", "2020-01-31T10:20:30"), ("zone", "2020-02-01T01:00:00"), ("date", "2020-01-31")):
            np.testing.assert_array_equal(table.column(name), np.array([first, "NaT"], "M8[s]"))
