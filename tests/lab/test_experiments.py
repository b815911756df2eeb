"""Every experiment: its claims against values from outside, its page, its words. One row of CLAIMS for a new one."""

import json
import math
from html.parser import HTMLParser

import numpy as np
import pytest

from preceptor import lab
from preceptor.cli.lab import command
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


@pytest.fixture(scope="module")
def found():
    """What each experiment finds by its usual settings, computed when it is first asked for."""
    kept = {}

    def of(experiment):
        if experiment.name not in kept:
            kept[experiment.name] = experiment.run()
        return kept[experiment.name]

    return of


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=NAMES)
def test_its_page_is_whole_small_and_its_figures_are_json(experiment, found):
    figures = found(experiment)
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


@pytest.mark.parametrize("experiment", [each for each in EXPERIMENTS if "seed" in each.settings], ids=lambda e: e.name)
def test_the_same_seed_finds_the_same(experiment, found):
    again = experiment.run(seed=experiment.settings["seed"])
    kept, new = found(experiment).to_dict(), again.to_dict()
    assert json.dumps(_without_times(kept)) == json.dumps(_without_times(new))


def _without_times(figures):
    return {name: each for name, each in figures.items() if "seconds" not in name and name not in ("claims", "answer")}


def test_names_are_unique_and_functions_of_the_lab():
    assert len(set(NAMES)) == len(NAMES)
    for each in EXPERIMENTS:
        assert getattr(lab, each.run.__name__) is each.run


def test_the_book_names_every_page(found):
    some = EXPERIMENTS[:3]
    page = render_book([(each, found(each), f"{each.name}.html") for each in some])
    assert Read(page).open == []
    for each in some:
        assert f'href="{each.name}.html"' in page


def test_symmetry_is_broken_by_random_weights_alone(found):
    figures = found(next(each for each in EXPERIMENTS if each.name == "symmetry"))
    assert figures.spread("zero").max() == 0
    assert figures.spread("equal").max() <= 1e-13
    assert figures.losses["zero"][-1] == pytest.approx(math.log(2), abs=1e-12)  # nothing is learned: p = 1/2
    assert figures.losses["random"][-1] < 0.2


def test_the_ravine_is_descended_as_the_formulas_say(found):
    figures = found(next(each for each in EXPERIMENTS if each.name == "ravine"))
    p, v = np.array((-9.0, 1.2)), np.zeros(2)
    for point in figures.points["momentum"]:
        np.testing.assert_allclose(point, p, rtol=1e-9, atol=1e-12)
        v = 0.9 * v + np.array((1.0, 100.0)) * p
        p = p - 0.02 * v
    assert all(each.holds for each in figures.claims())
    saddle = lab.ravine(surface="saddle")
    assert saddle.values["Adam"].min() == pytest.approx(-1.25, abs=1e-3)  # -5/2 + 25/20
    assert command.name == "command"
