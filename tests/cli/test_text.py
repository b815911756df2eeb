"""The small pieces of what is printed."""

import pytest

from preceptor.cli.options import Several
from preceptor.cli.show import curve
from preceptor.job.folder import free_names


@pytest.mark.parametrize("text, widths", [("128,64", (128, 64)), ("8", (8,)), ("none", ()), ((3, 4), (3, 4))])
def test_widths(text, widths):
    assert Several(int).convert(text, None, None) == widths


def test_curve_is_a_row_of_bars_of_at_most_sixty():
    assert curve([1.0, 10.0, 100.0]) == "▁▅█"  # a logarithmic scale: 10 lies half-way
    assert curve([0.0, 5.0, 10.0]) == "▁▅█"
    assert curve([2.0]) == "▁"
    assert curve([3.0, 3.0]) == "▁▁"
    assert len(curve(list(range(1, 1000)))) == 60
    assert curve([1.0, float("nan"), 4.0])[::2] == "▁█"


def test_free_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert str(next(free_names("a b?.csv"))) == "runs/a-b-1"
    (tmp_path / "runs" / "iris-1").mkdir(parents=True)
    assert str(next(free_names("iris"))) == "runs/iris-2"
