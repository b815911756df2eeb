"""What experiments find, computed once for all tests of a process."""

import pytest

from preceptor.lab.experiment import Experiment
from preceptor.lab.experiments import EXPERIMENTS
from preceptor.lab.page import render

KEPT = {}


@pytest.fixture
def found():
    """What the experiment of a name finds by its usual settings."""

    def of(name):
        if name not in KEPT:
            KEPT[name] = next(each for each in EXPERIMENTS if each.name == name).run()
        return KEPT[name]

    return of


@pytest.fixture
def page_of(browser, found, tmp_path):
    """Opens the page of an experiment, or of the one of a name, and gives it, with what the console said."""
    opened = []

    def of(name, width=1440, scheme="light", place=""):
        experiment = name if isinstance(name, Experiment) else next(each for each in EXPERIMENTS if each.name == name)
        path = tmp_path / f"{experiment.name}.html"
        if not path.exists():
            figures = experiment.run() if experiment is name else found(name)
            path.write_text(render(experiment, figures, {}), encoding="utf-8")
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True, accept_downloads=True
        )
        opened.append(context)
        page, said = context.new_page(), []
        page.on("console", lambda each: said.append(each.text))
        page.on("pageerror", lambda each: said.append(str(each)))
        page.on("request", lambda each: said.append(each.url) if each.url.startswith("http") else None)
        page.goto(path.as_uri() + place)
        return page, said

    yield of
    for context in opened:
        context.close()
