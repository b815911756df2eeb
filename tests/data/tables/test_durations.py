"""Durations become numbers of seconds, as pandas reads them, and what only looks like one does not."""

import datetime

import numpy as np
import pandas
import pytest

import preceptor as pr
from preceptor.data import Preprocessor, fit_preprocessor, open_table, read
from preceptor.data.tables import long_table
from preceptor.data.tables.durations import DURATION, read_durations
from preceptor.data.tables.fields import Evidence
from preceptor.errors import DataError

WORDS = ["1:23:45", "00:00:07.25", "2 days 03:00:00", "0 days 00:00:00", "1 day", "3 days", "100:00:00", "-0:00:01.5"]


def test_they_are_what_pandas_reads():
    words = [*WORDS, "-1 days +23:00:00", "12 days 23:59:59.999"]
    expected = pandas.to_timedelta(words).total_seconds().tolist()
    assert list(read_durations(words)) == words
    assert list(read_durations(words).values()) == pytest.approx(expected)


@pytest.mark.parametrize("seconds", [0, 59.5, 3_600, 86_400, 100_000, -1, -100_000.25])
def test_pythons_own_words_come_back(seconds):
    word = str(datetime.timedelta(seconds=seconds))
    assert read_durations([word]) == {word: seconds}
    word = str(pandas.Timedelta(seconds=seconds))
    assert read_durations([word]) == {word: seconds}


@pytest.mark.parametrize(
    "word",
    ["", "1:23", "1:60:00", "1:00:60", "2 days 3", "days", "2 days ", "2024-01-01 10:00:00", "1:2:3", "a 1:00:00"],
)
def test_others_are_none(word):
    assert read_durations([word]) == {}


def test_a_column_of_them_is_numbers(tmp_path):
    (tmp_path / "t.csv").write_text(
        "d,score,mixed\n1:23:45,1:23,1:23:45\n,2:10,soon\n 2 days 03:00:00,3:1,\nNA,0:0,1 day\n"
    )
    table = read(tmp_path / "t.csv")
    np.testing.assert_array_equal(table.columns["d"], [5025, np.nan, 183_600, np.nan])
    assert table.columns["score"].tolist() == ["1:23", "2:10", "3:1", "0:0"]
    assert table.columns["mixed"].tolist() == ["1:23:45", "soon", None, "1 day"]
    assert table.written["d"] == DURATION
    assert table.notes == ("Durations were read as numbers of seconds in 'd'.",)
    (tmp_path / "t.jsonl").write_text('{"d": "1:23:45"}\n{"d": null}\n{"d": "1 day"}\n')
    np.testing.assert_array_equal(read(tmp_path / "t.jsonl").columns["d"], [5025, np.nan, 86_400])
    assert read({"d": ["1:23:45", "1 day"]}).columns["d"].dtype == object  # text given in Python stays text


def test_frames_hold_them_too():
    frame = pandas.DataFrame({"d": pandas.to_timedelta(["1 days", "2 days 03:00:00", None])})
    np.testing.assert_array_equal(read(frame).columns["d"], [86_400, 183_600, np.nan])
    listed = read({"d": [datetime.timedelta(1), None, datetime.timedelta(2, 3)]})
    np.testing.assert_array_equal(listed.columns["d"], [86_400, np.nan, 172_803])


def test_pieces_are_read_as_the_whole():
    for parts, is_one in ((["1:00:00"], ["2 days"]), True), ((["1:00:00"], ["soon"]), False), (([], ["1 day"]), True):
        evidence = Evidence()
        for words in parts:
            evidence.add(words, False)
        assert evidence.durations == is_one
        assert evidence.is_text != is_one


def written(path, rows=400, seed=0):
    rng = np.random.default_rng(seed)
    seconds = rng.integers(1, 400_000, rows)
    text = [str(datetime.timedelta(seconds=int(each))) for each in seconds]
    frame = pandas.DataFrame({"took": text, "y": seconds / 1_000 + rng.normal(size=rows)})
    frame.to_csv(path, index=False)
    return seconds


@pytest.mark.parametrize("cells", [long_table.MOST_CELLS, 10])
def test_a_training_learns_from_them(tmp_path, monkeypatch, cells):
    seconds = written(tmp_path / "t.csv")
    monkeypatch.setattr(long_table, "MOST_CELLS", cells)
    assert isinstance(open_table(tmp_path / "t.csv"), long_table.LongTable) == (cells == 10)
    run = pr.fit(tmp_path / "t.csv", "y", hidden=(16,), epochs=30, learning_rate=0.02)
    assert run.test["r2"].value > 0.95
    again = pr.load(run.save(tmp_path / "run").path)
    one = again.predict({"took": [str(datetime.timedelta(seconds=int(each))) for each in seconds[:9]]})
    other = again.predict({"took": seconds[:9].astype(float)})
    assert one.tobytes() == other.tobytes()
    with pytest.raises(DataError, match="holds the text 'soon' in data row 1; a number written as 2 days 03:00:00"):
        again.predict({"took": ["soon"]})


def test_what_was_learned_of_them_comes_back(tmp_path):
    written(tmp_path / "t.csv")
    table = read(tmp_path / "t.csv")
    made = fit_preprocessor(table, "took", np.arange(400))
    assert (made.targets[0].kind, made.targets[0].form) == ("number", DURATION)
    assert Preprocessor.from_dict(made.to_dict()) == made
    some = read({"took": ["0:00:01", "1 day"], "y": [1.0, 2.0]}, known=made.known_written())
    np.testing.assert_allclose(made.targets[0].decode(made.encode_target(some)), [1, 86_400], rtol=1e-4, atol=0.1)
