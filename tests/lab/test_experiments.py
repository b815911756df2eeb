"""What holds of every experiment: its page, its words, its seed. What it claims is tested in test_NAME.py."""

import json
from html.parser import HTMLParser

import pytest

from preceptor import lab
from preceptor.lab.experiment import CHAPTERS
from preceptor.lab.experiments import EXPERIMENTS
from preceptor.lab.page import render, render_book

NAMES = [each.name for each in EXPERIMENTS]
MOST_BYTES = 500_000


class Read(HTMLParser):
    """The ids and tags of a page."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.images = [], [], 0
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        own = dict(attrs)
        self.ids += [own["id"]] if "id" in own else []
        assert not own.get("src", "data:").startswith("http")
        if tag not in ("meta", "link", "img", "br", "hr", "col", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(params=EXPERIMENTS, ids=NAMES, scope="module")  # so that the tests of one follow each other
def experiment(request):
    return request.param


def test_its_page_is_whole_small_and_its_figures_are_json(experiment, found):
    figures = found(experiment.name)
    page = render(experiment, figures, {})
    assert len(page.encode()) <= MOST_BYTES
    read = Read(page)
    assert read.open == []
    assert len(read.ids) == len(set(read.ids))
    assert experiment.chapter in CHAPTERS
    assert experiment.source.partition(":")[0] in "ABCDE"
    assert figures.pictures()
    assert figures.tables()
    assert str(figures)
    assert figures.answer().endswith(".")
    for each in figures.claims():
        assert each.says.endswith(".")
        assert each.found.endswith(".")
        assert isinstance(each.holds, bool)
    json.dumps(figures.to_dict(), allow_nan=False)
    for each in figures.players():
        assert len(each.labels) == len(each.pictures) > 1


def test_its_page_is_quiet_and_as_wide_as_a_phone(experiment, page_of):
    page, said = page_of(experiment.name, 390)
    assert page.locator("h1").inner_text() == experiment.title
    for each in page.locator("summary").all():
        each.click()
    wide = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert wide[0] <= wide[1]
    for each in page.locator("svg:visible").all():
        assert each.bounding_box()["width"] > 0
    assert said == []


@pytest.mark.parametrize("again", [each for each in EXPERIMENTS if "seed" in each.settings], ids=lambda e: e.name)
def test_the_same_seed_finds_the_same(again, found):
    kept, new = found(again.name).to_dict(), again.run(seed=again.settings["seed"]).to_dict()
    assert json.dumps(_without_times(kept)) == json.dumps(_without_times(new))


def _without_times(figures):
    return {name: each for name, each in figures.items() if "seconds" not in name and name not in ("claims", "answer")}


def test_names_are_unique_and_functions_of_the_lab():
    assert len(set(NAMES)) == len(NAMES)
    for each in EXPERIMENTS:
        assert getattr(lab, each.run.__name__) is each.run


def test_the_book_names_every_page(found):
    some = EXPERIMENTS[:3]
    page = render_book([(each, found(each.name), f"{each.name}.html") for each in some])
    assert Read(page).open == []
    for each in some:
        assert f'href="{each.name}.html"' in page
