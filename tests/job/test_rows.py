"""Tables that a run gives: lists for Python, tables for people, data frames for pandas."""

import copy
import json
import pickle
import sys
from html.parser import HTMLParser

import numpy as np
import pandas
import pytest

from preceptor import fit, load
from preceptor.errors import ConfigError
from preceptor.job.rows import SHOWN, Rows

FEW = [{"epoch": 1.0, "dev_loss": 0.51234, "word": "a"}, {"epoch": 12.0, "dev_loss": None, "word": "bcd", "n": 12345}]


class Cells(HTMLParser):
    """The cells of a table by row; every tag that belongs to none."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.rows, self.foreign, self.open = [], set(), []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)
        if tag not in {"div", "style", "p", "bdi", "table", "thead", "tbody", "tr", "th", "td"}:
            self.foreign.add(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in {"th", "td"}:
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if {"th", "td"} & set(self.open):
            self.rows[-1][-1] += data


@pytest.fixture(scope="module")
def run():
    return fit("iris", epochs=3, hidden=(4,), engine="reference")


def test_it_is_the_list_that_it_was():
    rows = Rows(FEW)
    assert rows == FEW
    assert isinstance(rows, list)
    assert json.loads(json.dumps(rows)) == FEW
    assert rows[0] is FEW[0]
    assert type(rows[-1:]) is Rows
    assert rows[-1:] == FEW[-1:]
    for other in (copy.deepcopy(rows), pickle.loads(pickle.dumps(rows))):
        assert type(other) is Rows
        assert other == FEW


def test_on_a_terminal_columns_are_aligned():
    assert repr(Rows(FEW)) == (
        "epoch  dev_loss  word       n\n"  # numbers on the right, words on the left
        "    1    0.5123  a\n"
        "   12            bcd   12,345"
    )
    assert repr(Rows()) == "no rows"


def test_of_many_rows_the_first_and_the_last_are_shown():
    rows = Rows({"n": n} for n in range(1, 1001))
    lines = repr(rows).splitlines()
    assert [each.strip() for each in lines] == [
        "n",
        *map(str, range(1, 11)),
        "... 980 more",
        *map(str, range(991, 1000)),
        "1,000",
    ]
    assert len(repr(rows[:SHOWN]).splitlines()) == SHOWN + 1


def test_a_notebook_shows_the_cells(run):
    shown = Cells(run.history._repr_html_())
    assert shown.foreign == set()
    assert shown.rows[0] == run.history.columns
    assert len(shown.rows) == 1 + len(run.history)
    steps = [row[0].replace(",", "") for row in shown.rows[1:]]
    assert steps == [str(each["step"]) for each in run.history]
    assert len(Rows({"n": n} for n in range(100_000))._repr_html_()) < 20_000


def test_names_and_words_are_text_in_a_notebook_and_on_a_terminal():
    bad = "<script>alert(1)</script>&amp;\x1b[31m\n"
    rows = Rows([{bad: 1.5, "word": bad}])
    shown = Cells(rows._repr_html_())
    assert shown.foreign == set()
    assert shown.rows == [
        [r"<script>alert(1)</script>&amp;\x1b[31m ", "word"],
        ["1.5", r"<script>alert(1)</script>&amp;\x1b[31m "],
    ]
    assert "\x1b" not in repr(rows)
    assert len(repr(rows).splitlines()) == 2
    assert max(map(len, repr(Rows([{"x": "y" * 1000}])).splitlines())) < 80


def test_pandas_makes_the_same_frame_of_it(run):
    for rows in (Rows(FEW), run.history):
        pandas.testing.assert_frame_equal(rows.to_pandas(), pandas.DataFrame(rows))
        pandas.testing.assert_frame_equal(rows.to_pandas(), pandas.DataFrame.from_records(list(rows)))
    assert list(run.history.to_pandas()["dev_loss"]) == [each["dev_loss"] for each in run.history]
    assert Rows().to_pandas().empty


def test_numbers_of_numpy_are_numbers():
    rows = Rows([{"n": np.int64(1234), "x": np.float32(0.5), "is": np.True_}])
    assert repr(rows) == "    n    x  is\n1,234  0.5  True"


def test_a_missing_pandas_is_said_in_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ConfigError, match=r"pandas is not installed; .*python -m pip install pandas") as told:
        Rows(FEW).to_pandas()
    assert "\n" not in str(told.value)


def test_the_history_of_a_run_is_one_saved_or_not(run, tmp_path):
    assert type(run.history) is Rows
    assert len(run.history) == 3
    assert {"step", "epoch", "objective", "train_loss", "dev_loss"} <= set(run.history.columns)
    again = load(run.save(tmp_path / "run").path)
    assert type(again.history) is Rows
    assert again.history == run.history
    assert repr(again.history) == repr(run.history)
