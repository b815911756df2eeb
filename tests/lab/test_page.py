"""Pages with trainings in a browser that has no network: they run as the engine does, quietly, within the window."""

import json
from itertools import pairwise

import numpy as np
import pytest
from sklearn.datasets import load_iris

from preceptor import nn
from preceptor.lab.experiment import CHAPTERS, Claim, Experiment, Figures, Table
from preceptor.lab.live import Kind, Problem, live
from preceptor.page.chart import figure
from preceptor.page.markup import tag
from preceptor.train import Adam

NAMES = ("playground", "symmetry")


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


def test_the_last_update_is_drawn_weight_by_weight_and_steps_go_back(page_of):
    page, said = page_of("symmetry")
    page.locator(".replay select").nth(1).select_option("random weights")
    texts = lambda: page.locator("svg.cards text.e.t").all_text_contents()
    seen = []
    for _ in range(3):
        page.locator("button.one").click()
        seen.append(texts())
    assert len(seen[0]) == 3 * (2 * 4 + 4 + 4 + 1)
    numbers = [[float(each.replace("−", "-")) for each in own] for own in seen]
    for early, late in pairwise(numbers):
        np.testing.assert_array_equal(np.reshape(early, (-1, 3))[:, 2], np.reshape(late, (-1, 3))[:, 0])
    before, slopes, after = np.reshape(numbers[2], (-1, 3)).T
    np.testing.assert_allclose(before - slopes, after, atol=0.006)  # rate 1, three digits
    for wanted in seen[1::-1]:
        page.get_by_role("button", name="Back").last.click()
        assert texts() == wanted
    page.get_by_label("Step of the training").fill("3")
    assert texts() == seen[2]
    assert said == []


class Flowers(Figures):
    """A page of four inputs and three classes."""

    def tables(self):
        return [Table("Rows", ("flower", "rows"), [("all", "150")])]

    def claims(self):
        return [Claim("Flowers are told apart.", "closed form", "They are.", True)]

    def answer(self):
        return "Three."

    def pictures(self):
        return [figure("Nothing", tag("p", "nothing"))]

    def replays(self):
        flowers = load_iris()
        x = (flowers.data - flowers.data.mean(0)) / flowers.data.std(0)
        data = {"iris": (x[::3], flowers.target[::3])}
        loss, classes = nn.SoftmaxCrossEntropy(), tuple(map(str, flowers.target_names))
        problem = Problem(data, tuple(flowers.feature_names), classes, loss, Adam(), 0.05)
        return [live("flowers", "Flowers", [Kind("5", nn.mlp((5,), 3), "nn.mlp((5,), 3)")], problem, 0, steps=50)]


def flowers(*, seed: int = 0) -> Flowers:
    return Flowers()


FLOWERS = Experiment(flowers, "Flowers", CHAPTERS[0], "A:1", "Said.", "Done.", "Look.", "How many?")


@pytest.mark.parametrize("width", [390, 1440])
def test_four_inputs_and_three_classes_of_own_rows(page_of, width, tmp_path):
    page, said = page_of(FLOWERS, width)
    page.locator("button.ten").click()
    page.locator("button.ten").click()
    page.locator("button.ten").click()
    assert "the same to" in page.locator(".replay").inner_text()  # as the run in Python
    x = np.random.default_rng(0).normal(size=(40, 4)).round(3)
    kinds = np.array(["red", "green", "blue"])[np.argmax(x[:, :3], 1)]
    lines = ["a,b,c,d,kind", *(f"{','.join(map(str, row))},{kind}" for row, kind in zip(x, kinds, strict=True))]
    file = tmp_path / "own.csv"
    file.write_text("\n".join(lines))
    page.get_by_text("Own data", exact=True).click()
    page.get_by_label("A file of rows").set_input_files(file)
    wait(page, "document.querySelector('.replay select').value === '1'")
    for _ in range(15):
        page.locator("button.ten").click()
    words = page.locator(".said-now").inner_text()
    assert int(words.split("·")[2].split("%")[0]) >= 90
    page.get_by_label("Rows of own data").fill("1,2,3,x")
    page.get_by_role("button", name="Use these rows").click()
    assert "4 numbers and a class" in page.locator(".replay .warn[role=status]").inner_text()
    page.get_by_label("Rows of own data").fill("\n".join(["1,2,3,4,x", "1,2,3,5,y", "2,2,3,5,z", "3,2,3,5,u"]))
    page.get_by_role("button", name="Use these rows").click()
    assert "There are 4 classes; this network tells 3 apart." in page.locator(".replay .warn[role=status]").inner_text()
    wide = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert wide[0] <= wide[1]
    assert said == []


@pytest.mark.parametrize("name, commands", [("perceptron", 1), ("universal", 1), ("two-losses", 2), ("rates", 1)])
def test_a_link_is_the_same_state_again(page_of, name, commands):
    page, said = page_of(name)
    for number in range(commands):
        part = page.locator(".replay").nth(number)
        part.get_by_label("Seed").fill(str(number + 7))
        part.get_by_label("Seed").press("Enter")
        part.locator("button.ten").click()
        part.get_by_label("Learning rate").fill("-0.5")
        part.locator("button.ten").click()
    wait(page, f"location.hash.split('&').length === {commands} && location.hash.includes('steps%3A20')")
    if commands > 1:
        wait(page, "(location.hash.match(/steps%3A20/g) || []).length === 2")
    other, more = page_of(name, place=page.evaluate("location.hash"))
    for number in range(commands):
        here, there = (each.locator(".replay").nth(number) for each in (page, other))
        assert here.locator(".said-now").inner_text() == there.locator(".said-now").inner_text()
        assert here.get_by_label("Seed").input_value() == there.get_by_label("Seed").input_value() == str(number + 7)
        assert here.get_by_label("Learning rate").input_value() == there.get_by_label("Learning rate").input_value()
        if here.locator("svg.cards").is_visible():
            assert here.locator("svg.cards").inner_html() == there.locator("svg.cards").inner_html()
    assert said == more == []


@pytest.mark.parametrize(
    "name, rows", [("universal", "0,0\n1,1\n2,4\n3,9"), ("two-losses", "x,sign\n-1,no\n-2,no\n3,yes")]
)
def test_own_rows_of_one_number_are_drawn_as_a_curve(page_of, name, rows):
    page, said = page_of(name, 390)
    part = page.locator(".replay").first
    before = part.locator("svg").first.inner_html()
    part.get_by_text("Own data", exact=True).click()
    part.get_by_label("Rows of own data").fill(rows)
    part.get_by_role("button", name="Use these rows").click()
    part.locator("button.ten").click()
    assert part.locator(".said-now").get_attribute("data-steps") == "10"
    assert part.locator("svg").first.inner_html() != before
    assert said == []
