"""The page of a search: valid, of one file, bounded, with nothing from the data as markup, whatever was found."""

import base64
import hashlib
import re
from itertools import pairwise

import html5lib
import pytest
from founds import FOUNDS, NASTY, found_of

from preceptor.tuning import story
from preceptor.tuning.page import render
from preceptor.words import one_line

KILO = 1000
SVG = "{http://www.w3.org/2000/svg}"
MADE = {name: make() for name, make in FOUNDS.items()}
PAGES = {name: render(found) for name, found in MADE.items()}
TREES = {
    name: html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page) for name, page in PAGES.items()
}
every_page = pytest.mark.parametrize("name", PAGES)


def words(element):
    return " ".join("".join(element.itertext()).split())


def of_class(tree, name):
    return [each for each in tree.iter() if name in (each.get("class") or "").split()]


@every_page
def test_a_page_is_made_for_those_who_hear_it_too(name):
    tree = TREES[name]
    ids = [each.get("id") for each in tree.iter() if each.get("id")]
    assert len(ids) == len(set(ids))
    for link in tree.iter("a"):
        assert link.get("href")[1:] in ids
    levels = [int(each.tag[1]) for each in tree.iter() if re.fullmatch("h[1-6]", str(each.tag))]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels)), levels
    assert [len(list(tree.iter(each))) for each in ("main", "nav", "footer")] == [1, 1, 1]
    for head in tree.iter("th"):
        assert head.get("scope") in ("row", "col")
    for each in tree.iter("table"):
        assert words(each.find("caption"))
    for svg in tree.iter(f"{SVG}svg"):
        if svg.get("aria-hidden") != "true":
            assert svg.get("role") == "img"
            assert svg[0].text


@every_page
def test_a_page_asks_for_nothing_and_runs_its_own_script_alone(name):
    tree = TREES[name]
    for each in tree.iter():
        for key, value in each.attrib.items():
            assert not str(key).startswith("on"), (each.tag, key)
            if key in ("src", "href", "srcset", "action", "data", "xlink:href"):
                assert re.match(r"#|data:,$", value), (each.tag, value[:60])
    for style in tree.iter("style"):
        assert "url(" not in style.text
        assert "@import" not in style.text
    (script,) = list(tree.iter("script"))
    fingerprint = base64.b64encode(hashlib.sha256(script.text.encode()).digest()).decode()
    policy = next(each.get("content") for each in tree.iter("meta") if each.get("http-equiv"))
    assert f"script-src 'sha256-{fingerprint}'" in policy
    assert "default-src 'none'" in policy


@every_page
def test_every_page_has_every_section(name):
    headings = [words(each) for each in TREES[name].iter("h2")]
    assert headings == [
        "Verdict",
        "Choice",
        "Trials",
        "What mattered",
        "Settings together",
        "Best trials",
        "Notes",
        "Model card",
    ]


@every_page
def test_what_the_terminal_says_stands_on_the_page(name):
    shown = words(TREES[name])
    found = MADE[name]
    for sentence in story.verdict(found):
        assert " ".join(one_line(sentence).split()) in shown
    if found.choice is not None:
        assert found.choice.why in shown
        assert found.command in shown


def test_names_from_data_are_shown_and_are_never_markup():
    shown = words(TREES["hostile"])
    for each in NASTY:
        assert " ".join(one_line(each)[:30].split()) in shown
    assert "\u202e" not in PAGES["hostile"]
    assert "\x1b" not in PAGES["hostile"]
    assert "<b>" not in PAGES["hostile"].replace("</b>", "")


def test_the_table_has_the_best_first_and_the_default():
    (table, more) = of_class(TREES["digits"], "trials")
    lines = [[words(cell) for cell in line] for each in (table, more) for line in each.iter("tr")]
    found = MADE["digits"]
    assert lines[0][:4] == ["trial", "dev loss", "epochs", "state"]
    numbers = [int(line[0].split()[0]) for line in lines if line[0] != "trial"]
    assert numbers[0] == found.choice.best
    assert sorted(numbers) == list(range(len(found.trials)))
    shown = [line for line in lines if line[0].startswith(f"{found.choice.kept} ")]
    assert shown[0][1] == story.figure_of(found, story.trial_of(found, found.choice.kept))


def test_the_line_of_the_best_so_far_falls_where_it_should():
    found = found_of(20, pruned=False)
    tree = html5lib.HTMLParser(namespaceHTMLElements=False).parse(render(found))
    table = next(
        each for each in tree.iter("table") if words(each.find("caption")) == "Trials that were the best so far"
    )
    numbers = [int(words(line[0])) for line in table.find("tbody")]
    best, expected = None, []
    for each in found.trials:
        if each.state != "failed" and each.best is not None and (best is None or each.best < best):
            best = each.best
            expected.append(each.number)
    assert numbers == expected


@pytest.mark.parametrize("name", ["digits", "higher", "packed"])
def test_each_trial_is_a_line_across_its_axes(name):
    found = MADE[name]
    chart = next(each for each in of_class(TREES[name], "parallel"))
    titles = [
        words(each.find(f"{SVG}title")) for each in chart.iter(f"{SVG}path") if each.find(f"{SVG}title") is not None
    ]
    numbers = [int(each.split(":")[0]) for each in titles]
    placed = [each.number for each in found.trials if each.point]
    assert sorted(numbers) == placed


def test_failed_trials_are_told_with_their_reasons():
    shown = words(TREES["digits"])
    count = sum(each.state == "failed" for each in MADE["digits"].trials)
    assert count
    assert f"{count} trials failed, trial" in shown
    assert "3 trials failed, trial 0 the first: it broke: 0" in words(TREES["all failed"])


def test_pages_are_small_however_many_trials():
    assert len(PAGES["digits"].encode()) <= 150 * KILO
    assert len(PAGES["many"].encode()) <= 300 * KILO


def test_ten_thousand_trials_are_a_page_of_less_than_a_megabyte(record_property):
    page = render(found_of(10_000))
    record_property("bytes", len(page.encode()))
    assert len(page.encode()) <= 600 * KILO


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("pages")
    for name, page in PAGES.items():
        (made / f"{name}.html").write_text(page, encoding="utf-8")
    return made


@pytest.fixture
def visit(browser, folder):
    contexts = []

    def go(name, width=1440, **settings):
        context = browser.new_context(viewport={"width": width, "height": 900}, offline=True, **settings)
        contexts.append(context)
        page = context.new_page()
        page.said, page.asked = [], []
        page.on("console", lambda each: page.said.append(each.text))
        page.on("pageerror", lambda each: page.said.append(str(each)))
        page.on("request", lambda each: page.asked.append(each.url))
        page.goto((folder / f"{name}.html").as_uri())
        return page

    yield go
    for each in contexts:
        each.close()


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_quiet_and_fits(visit, folder, name, width):
    page = visit(name, width)
    assert page.said == []
    assert [each for each in page.asked if not each.startswith("data:")] == [(folder / f"{name}.html").as_uri()]
    wide = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert wide[0] <= wide[1]


def test_paper_has_all_pictures_within_its_width(visit):
    page = visit("digits", 794, color_scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth") <= 794
    assert page.locator("svg.parallel").is_visible()
    assert not page.locator("#brush-hint").is_visible()


def test_without_scripts_the_pictures_are_there(visit):
    page = visit("digits", java_script_enabled=False)
    assert page.locator("svg.parallel").is_visible()
    assert page.locator("button:visible").count() == 0
    assert not page.locator("#brush-hint").is_visible()


def test_a_range_of_an_axis_fades_the_trials_beyond(visit):
    page = visit("digits")
    grip = page.locator("svg.parallel .grip").first
    grip.scroll_into_view_if_needed()
    box = grip.bounding_box()
    x, middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, box["y"] + 2)
    page.mouse.down()
    page.mouse.move(x, middle, steps=3)
    page.mouse.up()
    lines, off = (page.locator(f"svg.parallel .lines path{each}").count() for each in ("", ".off"))
    assert 0 < off < lines
    assert page.locator("#brush-hint .readout").inner_text() == f"{lines - off} of {lines} lines cross there."
    page.mouse.dblclick(x, middle)
    assert page.locator("svg.parallel .lines path.off").count() == 0
    assert page.said == []
