"""Tables of few rows, which leave open how they are written, are read as training's was."""

import csv
import datetime
import functools
import gzip
import io
import json
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from preceptor.data import LongTable, Preprocessor, fit_preprocessor, read
from preceptor.data.tables import long_table
from preceptor.errors import DataError
from preceptor.job import Settings, fit
from preceptor.job.survey import survey

DAYS = [datetime.date(2024, 1, 1) + datetime.timedelta(days=each) for each in range(60)]
PRICES = [1234.0 + 311.25 * each for each in range(60)]


def german(number):
    return f"{number:,.2f}".translate(str.maketrans(",.", ".,"))


def rows(day="%d/%m/%Y", price=german, share="{:.0f}%"):
    """Rows of a date, a number, a share, a truth value, a text that looks like numbers, a target."""
    for place, (date, number) in enumerate(zip(DAYS, PRICES, strict=True)):
        code = ("1.50", "007", "true", "2024-01-31", "x")[place % 5]
        yield [
            date.strftime(day),
            price(number),
            share.format(place),
            "true" if place % 2 else "false",
            code,
            place % 2,
        ]


NAMES = ["day", "price", "share", "old", "code", "y"]


def written(path, listed, delimiter=","):
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows([NAMES, *listed])
    path.write_text(text.getvalue())
    return path


def as_csv(tmp_path, row):
    return written(tmp_path / "new.csv", [row])


def as_packed(tmp_path, row):
    text = as_csv(tmp_path, row).read_bytes()
    (tmp_path / "new.csv.gz").write_bytes(gzip.compress(text))
    return tmp_path / "new.csv.gz"


def as_tsv(tmp_path, row):
    return written(tmp_path / "new.tsv", [row], "\t")


def as_json(tmp_path, row):
    (tmp_path / "new.jsonl").write_text(json.dumps(dict(zip(NAMES, map(str, row), strict=True))) + "\n")
    return tmp_path / "new.jsonl"


def as_frame(tmp_path, row):
    return pd.DataFrame([list(map(str, row))], columns=NAMES)


def as_parquet(tmp_path, row):
    pytest.importorskip("pyarrow")
    as_frame(tmp_path, row).to_parquet(tmp_path / "new.parquet")
    return tmp_path / "new.parquet"


def as_long(tmp_path, row):
    return as_csv(tmp_path, row)


WAYS = (as_csv, as_packed, as_tsv, as_json, as_frame, as_parquet, as_long)


@pytest.fixture(autouse=True)
def every_long_table(request, monkeypatch):
    if "as_long" in request.node.name:
        monkeypatch.setattr(long_table, "MOST_CELLS", 1)


def learned(path):
    return learned_of(path.read_text())


@functools.cache
def learned_of(text):
    """What is learned of a table, whatever way new rows come."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.csv"
        path.write_text(text)
        table = read(path, texts=["y"])
        return fit_preprocessor(table, "y", np.arange(table.rows))


def features(made, source):
    return np.concatenate([x for _, x in made.pieces(made.open(source))])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "how",
    [
        {},
        {"day": "%m/%d/%Y"},
        {"day": "%d-%m-%Y", "price": "{:,.2f}".format},
        {"day": "%Y-%m-%d", "price": "{:.2f}".format},
        {"day": "%d.%m.%Y", "price": lambda each: f"{german(each)} €", "share": "{:.1f}"},
    ],
)
def test_each_row_alone_is_read_as_among_all(tmp_path, way, how):
    listed = list(rows(**how))
    made = learned(written(tmp_path / "train.csv", listed))
    wanted = features(made, tmp_path / "train.csv")
    days = np.array([(day - datetime.date(1970, 1, 1)).days for day in DAYS])
    np.testing.assert_allclose(wanted[:, 0], (days - days.mean()) / days.std(), rtol=1e-5)
    place = made.feature_names.index("price")
    np.testing.assert_allclose(wanted[:, place], (PRICES - np.mean(PRICES)) / np.std(PRICES), rtol=1e-5, atol=1e-6)
    for row in (0, 1, 2, 3, 4, 11, 31, 32):  # 1 to 12 of January and February among them
        assert features(made, way(tmp_path, listed[row])).tolist() == [wanted[row].tolist()]
    if way is as_long:
        assert isinstance(made.open(way(tmp_path, listed[0])), LongTable)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "place, word, needed",
    [
        (0, "01/31/2024", "a date such as 31/01/2024 is needed, as in the training rows"),
        (0, "2024-31-01", "a date such as 31/01/2024 is needed"),
        (1, "1234.5", "a number written as 1.234,5, as in the training rows, is needed"),
        (2, "0.5", "a number written as 1,234.5%, as in the training rows, is needed"),
        (2, "7", "a number written as 1,234.5%, as in the training rows, is needed"),
        (3, "yes", "true or false is needed"),
    ],
)
def test_what_is_written_otherwise_is_refused_with_its_row(tmp_path, way, place, word, needed):
    listed = list(rows())
    made = learned(written(tmp_path / "train.csv", listed))
    row = list(listed[3])
    row[place] = word
    with pytest.raises(DataError) as caught:
        features(made, way(tmp_path, row))
    assert f"column {NAMES[place]!r} holds" in str(caught.value)
    assert f"{word!r} in data row 1; " in str(caught.value)
    assert needed in str(caught.value)


def test_the_row_is_told_among_many(tmp_path):
    listed = list(rows())
    made = learned(written(tmp_path / "train.csv", listed))
    listed[41][0] = "02/28/2024"
    with pytest.raises(DataError, match="holds '02/28/2024' in data row 42; a date such as 31/01/2024"):
        features(made, written(tmp_path / "new.csv", listed))


@pytest.mark.parametrize(
    "word", ["2024-02-03", "3 Feb 2024", "February 3, 2024", "2024/02/03", "03.02.2024", "3-2-2024"]
)
@pytest.mark.parametrize("day", ["%d/%m/%Y", "%d-%m-%Y"])
def test_dates_that_can_be_taken_for_no_other_may_be_written_so(tmp_path, day, word):
    listed = list(rows(day))
    made = learned(written(tmp_path / "train.csv", listed))
    place = DAYS.index(datetime.date(2024, 2, 3))
    wanted = features(made, written(tmp_path / "new.csv", [listed[place]]))
    again = features(made, written(tmp_path / "new.csv", [[word, *listed[place][1:]]]))
    assert again.tolist() == wanted.tolist()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("word", ["", "?", "NA", "n/a", "null"])
def test_words_for_missing_are_those_of_training(tmp_path, way, word):
    listed = list(rows())
    for place in range(5):
        listed[place][place] = "?"
    made = learned(written(tmp_path / "train.csv", listed))
    wanted = features(made, tmp_path / "train.csv")
    for place in range(5):
        row = [word if each == "?" else each for each in listed[place]]
        assert features(made, way(tmp_path, row)).tolist() == [wanted[place].tolist()]


def test_a_form_that_training_leaves_open_is_told_by_the_table(tmp_path):
    plain = [
        [each, german(1.5 * each), f"{each}%", "true" if each % 2 else "false", "abc"[each % 3], each % 2]
        for each in range(60)
    ]
    made = learned(written(tmp_path / "train.csv", plain))
    assert {c.name: getattr(c, "written", None) for c in made.columns}["day"] == ""
    found = features(made, written(tmp_path / "new.csv", [["1.015", "7,5", "3%", "true", "a", 0]]))
    days = np.arange(60)
    np.testing.assert_allclose(found[0, 0], (1015 - days.mean()) / days.std(), rtol=1e-5)


def test_of_a_number_to_predict_too(tmp_path):
    prices = [[f"{each}", german(1000 + 7 * each)] for each in range(40)]

    def table(name, listed):
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([["x", "price"], *listed])
        (tmp_path / name).write_text(text.getvalue())
        return tmp_path / name

    run = fit(table("train.csv", prices), "price", hidden=(4,), epochs=2, engine="reference")
    one = table("one.csv", [["3", "1.021"]])
    off = abs(float(run.predict(one)[0]) - 1021)
    assert run.evaluate(one)["rmse"].value == pytest.approx(off, rel=1e-5)


def test_test_rows_of_a_file_of_their_own_are_read_so(tmp_path):
    listed = list(rows())
    train, test = written(tmp_path / "train.csv", listed), written(tmp_path / "test.csv", listed[4:6])
    stages = survey(train, Settings(target="y", test=str(test)))
    while True:
        try:
            next(stages)
        except StopIteration as done:
            seen = done.value
            break
    for name, values in seen.table.columns.items():
        assert values[60:62].tolist() == values[4:6].tolist(), name
    listed[5][0] = "01/31/2024"
    written(test, listed[4:6])
    with pytest.raises(
        DataError, match=r"test\.csv: column 'day' holds '01/31/2024' in data row 2; it must be written as"
    ):
        list(survey(train, Settings(target="y", test=str(test))))


@pytest.mark.parametrize(
    "name, value",
    [
        ("day", "31/31/2024"),
        ("day", "2024-01-31T10:00+02:00"),
        ("day", 3),
        ("price", "31/01/2024"),
        ("price", "1"),
        ("", "x"),
    ],
)
def test_a_saved_form_is_one_that_is_known(tmp_path, name, value):
    made = learned(written(tmp_path / "train.csv", rows()))
    saved = json.loads(json.dumps(made.to_dict()))
    assert Preprocessor.from_dict(saved) == made
    part = next(each for each in saved["columns"] if each["name"] == name) if name else saved
    part["written" if name else "target_written"] = value
    with pytest.raises(DataError, match="written"):
        Preprocessor.from_dict(saved)
