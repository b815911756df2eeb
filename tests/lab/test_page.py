"""Pages with trainings in a browser that has no network: they run as the engine does, quietly, within the window."""

import json

import numpy as np
import pytest

from preceptor.lab.experiments import EXPERIMENTS
from preceptor.lab.page import render

NAMES = ("playground", "symmetry")


@pytest.fixture
def page_of(browser, found, tmp_path):
    """Opens the page of an experiment and gives it, with what the console said."""
    opened = []

    def of(name, width=1440, scheme="light", place=""):
        path = tmp_path / f"{name}.html"
        if not path.exists():
            experiment = next(each for each in EXPERIMENTS if each.name == name)
            path.write_text(render(experiment, found(name), {}), encoding="utf-8")
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


def wait(page, words):
    """Until an expression is true; not by Playwright's own function, whose `eval` the page's policy forbids."""
    for _ in range(200):
        if page.evaluate(words):
            return
        page.wait_for_timeout(50)
    raise AssertionError(words)


def loss(page):
    return float(page.locator(".said-now").first.get_attribute("data-loss"))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [390, 1440])
def test_steps_change_the_loss_as_the_engine_says(page_of, found, name, width):
    page, said = page_of(name, width)
    figures = found(name)
    losses = figures.losses["circle: 8 tanh units" if name == "playground" else "zero"]
    page.locator("button.one").first.click()
    assert loss(page) == pytest.approx(losses[0], rel=1e-6)
    page.locator("button.ten").first.click()
    assert loss(page) == pytest.approx(losses[10], rel=1e-6)
    page.get_by_role("button", name="Back").last.click()
    assert loss(page) == pytest.approx(losses[9], rel=1e-6)
    wide = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert wide[0] <= wide[1]
    assert said == []


def test_the_page_runs_until_it_is_paused_and_can_be_linked_to(page_of):
    page, said = page_of("playground")
    page.get_by_role("button", name="Run", exact=True).click()
    wait(page, "document.querySelector('.said-now').dataset.steps > 30")
    page.get_by_role("button", name="Pause").click()
    steps, now = page.locator(".said-now").get_attribute("data-steps"), loss(page)
    wait(page, "location.hash.includes('playground')")
    other, more = page_of("playground", place=page.evaluate("location.hash"))
    assert other.locator(".said-now").get_attribute("data-steps") == steps
    assert loss(other) == now
    assert said == more == []


def test_broken_trainings_are_named_and_mended(page_of):
    page, said = page_of("playground")
    watch = page.locator(".watch")
    assert "find nothing" in watch.inner_text()
    page.get_by_role("button", name="Zero weights").click()
    page.locator("button.ten").click()
    assert "zero_or_symmetric_weights" in watch.inner_text()
    page.get_by_role("button", name="Inputs × 100").click()
    assert "unscaled_inputs" in watch.inner_text()
    page.get_by_role("button", name="Rate × 100").click()
    page.locator("button.ten").click()
    assert float(page.get_by_label("Learning rate").input_value()) == pytest.approx(np.log10(50), abs=0.05)
    page.get_by_role("button", name="Mend").click()
    assert "find nothing" in watch.inner_text()
    assert said == []


def test_units_are_switched_weights_are_shown_and_own_rows_learned(page_of):
    page, said = page_of("playground")
    page.locator("button.ten").click()
    before = page.locator("canvas.plane").evaluate("each => each.toDataURL()")
    page.get_by_role("button", name="Switch off unit 3 of hidden1").click()
    assert page.locator("canvas.plane").evaluate("each => each.toDataURL()") != before
    assert page.locator(".units button").nth(2).get_attribute("aria-pressed") == "true"
    page.get_by_text("Every weight before and after").click()
    page.wait_for_selector(".replay tbody tr")
    rows = page.locator(".replay tbody tr")
    assert rows.count() == 2 * 8 + 8 + 8 + 1
    assert rows.first.locator("td").count() == 3
    page.get_by_text("Own data", exact=True).click()
    page.get_by_label("Rows of own data").fill("0,0,no\n0,1,yes\n1,0,yes\n1,1,no")
    page.get_by_role("button", name="Use these rows").click()
    page.locator("button.ten").click()
    assert "yes" in page.locator(".replay figure").first.inner_text()
    assert said == []


def test_python_and_weights_can_be_saved(page_of):
    page, said = page_of("playground")
    page.locator("button.ten").click()
    with page.expect_download() as script:
        page.get_by_role("button", name="Save as Python").click()
    assert script.value.suggested_filename == "playground.py"
    compile(script.value.path().read_text(), "playground.py", "exec")
    with page.expect_download() as weights:
        page.get_by_role("button", name="Save the weights").click()
    saved = json.loads(weights.value.path().read_text())
    assert np.shape(saved["params"]["hidden1/weight"]["data"]) == (16,)
    assert said == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_link_that_is_none_does_no_harm(page_of, scheme):
    place = "#playground=data:9;network:-3;seed:x;steps:4;events:a!b!c+2!u!hidden1.99+1!r!-5&%E0=%E0"
    page, said = page_of("playground", 390, scheme, place)
    assert page.locator(".said-now").get_attribute("data-steps") == "4"
    assert said == []
