"""The days between two dates are a feature of their own, beside the dates."""

import json

import numpy as np
import pandas
import pytest

import preceptor as pr
from preceptor.data import Preprocessor, Table, fit_preprocessor
from preceptor.data.encoding.spans import MOST_DATES
from preceptor.errors import DataError

ROWS = 400
RNG = np.random.default_rng(0)
START = np.datetime64("2015-01-01", "s") + RNG.integers(0, 3_000, ROWS) * np.timedelta64(86_400, "s")
TOOK = RNG.integers(3_600, 30 * 86_400, ROWS)
END = START + TOOK * np.timedelta64(1, "s")


def everything(columns, **asked):
    table = Table("t", columns)
    return fit_preprocessor(table, None, np.arange(table.rows), **asked)


def test_it_is_the_days_between_standardised():
    made = everything({"start": START, "end": END})
    assert made.feature_names[-1] == "days from start to end"
    days = (pandas.Series(END) - pandas.Series(START)).dt.total_seconds() / 86_400
    x = made.transform(Table("t", {"start": START, "end": END}))
    np.testing.assert_allclose(x[:, -1], (days - days.mean()) / days.std(ddof=0), atol=1e-5)
    assert "Differences between dates (1): days from start to end." in made.lines()


def test_gaps_are_the_mean_and_flagged():
    end = END.copy()
    end[::10] = np.datetime64("NaT")
    made = everything({"start": START, "end": end})
    assert made.feature_names[-2:] == ("days from start to end", "days from start to end is missing")
    x = made.transform(Table("t", {"start": START, "end": end}))
    assert (x[::10, -2] == 0).all()
    np.testing.assert_array_equal(x[:, -1], np.isnat(end))
    unseen = made.unseen()
    new = Table("new", {"start": np.append(START[:1], np.datetime64("NaT", "s")), "end": END[:2]})
    unseen.look(new, made.transform(new))
    assert unseen.notes() == [
        "Column 'start' is missing in 1 of 2 rows, and never was in training; the usual value stands there."
    ]


def test_what_does_not_vary_or_is_taken_is_no_feature():
    later = START + np.timedelta64(86_400, "s")
    assert not any("days from" in name for name in everything({"a": START, "b": later}).feature_names)
    named = everything({"a": START, "b": END, "days from a to b": TOOK.astype(float)})
    assert named.feature_names.count("days from a to b") == 1
    zoned = Table("t", {"a": START, "b": END}, senses={"a": "times with a zone"})
    assert not any("days from" in name for name in fit_preprocessor(zoned, None, np.arange(ROWS)).feature_names)


def test_they_are_few():
    dates = {f"d{place}": np.roll(END, place) for place in range(8)}
    spans = [name for name in everything(dates).feature_names if name.startswith("days from")]
    assert len(spans) == MOST_DATES * (MOST_DATES - 1) // 2
    assert spans[-1] == "days from d2 to d3"


def test_saved_and_back():
    made = everything({"start": START, "end": END})
    saved = json.loads(json.dumps(made.to_dict()))
    again = Preprocessor.from_dict(saved)
    table = Table("t", {"start": START, "end": END})
    assert again == made
    assert again.transform(table).tobytes() == made.transform(table).tobytes()
    for change, message in (
        ({"first": "end"}, "its two dates are one"),
        ({"first": "x"}, "a difference is not of two columns of dates"),
        ({"sd": -1.0}, "sd or bend is below 0"),
    ):
        changed = json.loads(json.dumps(saved))
        changed["columns"][2].update(change)
        with pytest.raises(DataError, match=message):
            Preprocessor.from_dict(changed)


def test_only_the_training_rows_count():
    far = END.copy()
    far[300:] += np.timedelta64(900 * 86_400, "s")
    one = fit_preprocessor(Table("t", {"a": START, "b": far}), None, np.arange(300))
    other = everything({"a": START[:300], "b": END[:300]})
    assert one.columns == other.columns


def test_a_training_learns_from_it(tmp_path):
    frame = pandas.DataFrame({"start": START, "end": END, "cost": TOOK / 86_400 + RNG.normal(size=ROWS)})
    frame.to_csv(tmp_path / "t.csv", index=False)
    run = pr.fit(tmp_path / "t.csv", "cost", hidden=(16,), epochs=40, learning_rate=0.02)
    assert run.test["r2"].value > 0.95
    again = pr.load(run.save(tmp_path / "run").path)
    assert again.predict(tmp_path / "t.csv").tobytes() == again.predict(frame).tobytes()
    with pytest.raises(DataError, match="'end' is missing; the columns start, end are needed"):
        again.predict(frame.drop(columns="end"))
