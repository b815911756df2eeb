"""`preceptor lab`: the list, one experiment, the book, and what is refused."""

import json

import pytest

from preceptor.cli import lab
from preceptor.lab.experiments import EXPERIMENTS


def test_the_list_names_all_in_the_order_of_the_book(preceptor):
    code, out, _ = preceptor("lab")
    assert code == 0
    places = [out.index(f"  {each.name} ") for each in EXPERIMENTS]
    assert places == sorted(places)
    assert out.splitlines()[-1].startswith(
        "On a table of your own: preceptor lab NAME --data FILE. Those that take some"
    )
    assert [each["name"] for each in json.loads(preceptor("lab", "--json").out)] == [each.name for each in EXPERIMENTS]


def test_one_experiment_with_settings_and_its_page(preceptor, here):
    code, out, _ = preceptor("lab", "ravine", "steps=20", "surface=saddle", "-o", "s.html")
    assert code == 0
    assert "Ways down the saddle" in out
    page = (here / "s.html").read_text()
    assert "preceptor lab ravine steps=20 surface=saddle -o ravine.html" in page
    found = json.loads(preceptor("lab", "ravine", "steps=20", "--json").out)
    assert found["settings"] == {"surface": "ravine", "steps": 20}
    assert len(found["points"]["Adam"]) == 21


def test_own_data_take_the_place_of_what_is_bundled(preceptor, here):
    lines = [f"{place / 7:.3f},{place % 5},{'ab'[place % 2]}" for place in range(80)]
    (here / "own.csv").write_text("\n".join(["one,two,kind", *lines]) + "\n")
    code, out, _ = preceptor("lab", "whitening", "--data", "own.csv", "--target", "kind", "-o", "own.html")
    assert code == 0
    assert "own.csv stands in the place of the lecture's table: 80 rows of 2 columns of numbers." in out
    page = (here / "own.html").read_text()
    assert "preceptor lab whitening --data own.csv --target kind -o whitening.html" in page
    found = json.loads(preceptor("lab", "whitening", "--data", "own.csv", "--json").out)
    assert found["settings"]["data"] == "own.csv"
    assert found["names"] == ["one", "two"]


def test_the_book_holds_a_page_of_each_and_an_index(preceptor, here, monkeypatch):
    monkeypatch.setattr(lab, "EXPERIMENTS", [each for each in EXPERIMENTS if each.name in ("ravine", "symmetry")])
    code, out, _ = preceptor("lab", "all", "--seed", "1", "-o", "book")
    assert code == 0
    assert "2 experiments in" in out
    assert sorted(each.name for each in (here / "book").iterdir()) == ["index.html", "ravine.html", "symmetry.html"]
    assert 'href="symmetry.html"' in (here / "book/index.html").read_text()
    assert 'href="index.html"' in (here / "book/ravine.html").read_text()
    assert set(json.loads(preceptor("lab", "all", "--json").out)) == {"ravine", "symmetry"}


@pytest.mark.parametrize(
    "words, message",
    [
        (("ravin",), "there is no experiment 'ravin'. Did you mean 'ravine'?"),
        (("ravine", "steps"), "NAME=VALUE is required, and its settings are surface, steps."),
        (("ravine", "step=3"), "received 'step=3'"),
        (("ravine", "steps=many"), "received steps='many'; a whole number is required, such as 150."),
        (("ravine", "surface=hill"), "received surface 'hill'; ravine or saddle is required."),
        (("ravine", "--seed", "1"), "received --seed; nothing is drawn here."),
        (("symmetry", "rate=nan"), "received rate='nan'; a number is required"),
        (("ravine", "-o", "page.txt"), "the name must end in .html"),
        (("ravine", "-o", "none/page.html"), "cannot be written"),
        (("all", "steps=3"), "settings are of one experiment"),
        (("all", "-o", "there"), "it is a file; a folder is required"),
        (("ravine", "--data", "iris"), "received --data; it takes no own data. Those that take some are "),
        (("all", "--data", "iris"), "received --data; own data are of one experiment."),
        (("whitening", "--target", "species"), "received --target without --data, of which it is a column."),
        (("whitening", "--data", "none.csv"), "none.csv"),
        (("ensemble", "--data", "there"), "there"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(preceptor, here, words, message):
    (here / "there").write_text("")
    code, out, err = preceptor("lab", *words)
    assert code == 2
    assert message in err
    assert out == ""
    assert err.count("\n") == 1
    assert [each.name for each in here.iterdir()] == ["there"]
