"""What a search comes to in Python: it shows itself, and holds no folder that is gone."""

import re

import numpy as np
import pytest

import preceptor as pr
from preceptor.errors import DataError

pd = pytest.importorskip("pandas")


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 3))
    return pd.DataFrame(x, columns=list("abc")).assign(y=x @ [1.0, -2.0, 0.5] + 0.1 * rng.normal(size=120))


@pytest.fixture(scope="module")
def answer(frame):
    return pr.search(frame, target="y", trials=3, epochs=2, workers=1, pack=True)


def test_it_shows_what_is_kept_and_why(answer):
    first, *rest = repr(answer).splitlines()
    assert first == f"Answer({answer.best!r})"
    assert any("kept" in each for each in rest)
    assert any(each.startswith("It took 3 trials") for each in rest)
    assert len(repr(answer)) < 4000
    shown = answer._repr_html_()
    assert "is kept" in shown
    assert answer.best._repr_html_() in shown
    assert not re.search(r"https?://|src=", shown)


def test_runs_of_a_search_without_a_folder_have_none_and_work(answer, frame, tmp_path):
    assert answer.path is None
    assert answer.best.path is None
    assert answer.pack.path is None
    for place, run in enumerate((answer.best, answer.pack)):
        predicted = run.predict(frame)
        assert run.report()
        assert run.save(tmp_path / f"run{place}")
        np.testing.assert_array_equal(pr.load(tmp_path / f"run{place}").predict(frame), predicted)


def test_those_with_a_folder_are_there(frame, tmp_path):
    found = pr.search(frame, target="y", trials=2, epochs=1, workers=1, out=tmp_path / "s")
    assert found.path == tmp_path / "s"
    assert found.best.path == tmp_path / "s" / "best"
    with pytest.raises(DataError, match=r"this is a search, not a run; what it keeps is one. Take .*best"):
        pr.load(tmp_path / "s")
