"""Pages: valid, complete, of one file, with nothing from the data as markup, whatever a run lacks."""

import base64
import hashlib
import io
import json
import re
from dataclasses import replace
from itertools import pairwise

import html5lib
import msgspec
import pytest
from PIL import Image
from stories import NASTY, STORIES, digits

from preceptor.page import render, small, table
from preceptor.words import one_line

KILO = 1000
PAGES = {name: render(make()) for name, make in STORIES.items()}


def tree_of(page):
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)


TREES = {name: tree_of(page) for name, page in PAGES.items()}
every_page = pytest.mark.parametrize("name", PAGES)


def words(element):
    return " ".join("".join(element.itertext()).split())


@every_page
def test_ids_are_unique_and_links_lead_somewhere(name):
    ids = [each.get("id") for each in TREES[name].iter() if each.get("id")]
    assert len(ids) == len(set(ids))
    for link in TREES[name].iter("a"):
        assert link.get("href", "")[1:] in ids, link.get("href")
        assert link.get("href").startswith("#")


@every_page
def test_headings_landmarks_and_names_for_those_who_hear_the_page(name):
    tree = TREES[name]
    levels = [int(each.tag[1]) for each in tree.iter() if re.fullmatch("h[1-6]", str(each.tag))]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels)), levels
    assert [len(list(tree.iter(each))) for each in ("main", "nav", "footer")] == [1, 1, 1]
    assert tree.get("lang") == "en"
    for image in tree.iter("img"):
        assert image.get("alt")
    for head in tree.iter("th"):
        assert head.get("scope") in ("row", "col")
    for each in tree.iter("table"):
        assert words(each.find("caption"))
    for button in tree.iter("button"):
        assert words(button)
        assert button.get("type") == "button"


@every_page
def test_pictures_have_a_name_or_are_hidden_from_those_who_hear(name):
    for svg in TREES[name].iter("{http://www.w3.org/2000/svg}svg"):
        if svg.get("aria-hidden") == "true":
            continue
        assert svg.get("role") == "img"
        assert svg[0].tag.endswith("title"), svg[0].tag
        assert svg[0].text


@every_page
def test_a_page_asks_for_nothing(name):
    page = PAGES[name]
    tree = TREES[name]
    for each in tree.iter():
        for key, value in each.attrib.items():
            assert not str(key).startswith("on"), (each.tag, key)
            if key in ("src", "href", "srcset", "action", "data", "poster", "xlink:href"):
                assert re.match(r"#|data:image/png;base64,|data:,$", value), (each.tag, value[:60])
    assert {str(each.tag) for each in tree.iter()}.isdisjoint(
        {"iframe", "object", "embed", "base", "form", "foreignObject"}
    )
    for style in tree.iter("style"):
        assert "url(" not in style.text
        assert "@import" not in style.text
    policy = next(each.get("content") for each in tree.iter("meta") if each.get("http-equiv"))
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy.split("script-src")[1]
    assert page.isascii() or page.encode()  # no lone surrogates


@every_page
def test_only_our_script_may_run(name):
    scripts = [each for each in TREES[name].iter("script") if each.get("type") is None]
    assert len(scripts) == 1
    fingerprint = base64.b64encode(hashlib.sha256(scripts[0].text.encode()).digest()).decode()
    policy = next(each.get("content") for each in TREES[name].iter("meta") if each.get("http-equiv"))
    assert f"script-src 'sha256-{fingerprint}'" in policy
    for each in TREES[name].iter("script"):
        if each.get("type") is not None:
            json.loads(each.text, parse_constant=pytest.fail)


def test_names_from_data_are_shown_and_are_never_markup():
    tree = TREES["hostile"]
    shown = words(tree)
    for each in NASTY:
        expected = " ".join(one_line(each)[:40].split())
        assert expected in shown
    assert not any(words(each).startswith("alert") for each in tree.iter("script"))
    assert not any(each.get("src") == "x" for each in tree.iter("img"))
    assert "\u202e" not in PAGES["hostile"]
    assert "\x1b" not in PAGES["hostile"]


def test_a_run_that_kept_nothing_still_has_every_section():
    headings = [words(each) for each in TREES["old"].iter("h2")]
    assert headings == ["Verdict", "Findings", "Curves", "Judgement", "What matters", "Data", "Inside", "Model card"]
    assert headings == [words(each) for each in TREES["digits"].iter("h2")]


def test_figures_and_sentences_are_those_that_the_story_tells():
    story = digits()
    shown = words(TREES["digits"])
    for sentence in (*story.verdict, story.curve, *story.checked, *story.data_lines, story.split, *story.network):
        assert sentence in shown
    lines = [[words(cell) for cell in line] for line in TREES["digits"].iter("tr")]
    for line in story.figures[0][1][1:]:
        assert line in [each[: len(line)] for each in lines]
    for line in story.card:
        assert list(line) in lines
    for _, command in story.commands:
        assert command in shown


def test_confusion_counts_are_in_their_cells():
    drawn = next(each for each in TREES["digits"].iter() if each.get("class") == "matrix")
    texts = [each.text for each in drawn.iter("{http://www.w3.org/2000/svg}text")]
    kept = digits().evidence.judgements[0].confusion
    for line in kept:
        for value in line:
            if value:
                assert f"{value:,.0f}" in texts


def test_what_the_reader_has_to_fill_in_is_marked_so():
    filled = [each for each in TREES["digits"].iter("div") if each.get("class") == "fill"]
    assert [words(each.find("h3")) for each in filled] == ["Intended use", "Limits"]
    assert all("To be filled in." in words(each) for each in filled)


def test_findings_are_marked_on_the_curves_and_have_their_forks():
    page = TREES["adult"]
    data = json.loads(next(each.text for each in page.iter("script") if each.get("id") == "curves-data"))
    assert data[0]["marks"] == [[pytest.approx(159 / 56, abs=1e-4), "1"], [pytest.approx(900 / 56, abs=1e-4), "2"]]
    finding = next(each for each in page.iter("li") if each.get("id") == "finding-1")
    assert "Loss 0.9" in words(finding) or "without the remedy" in words(finding)
    assert "preceptor fit adult.csv --target income --learning-rate 0.1" in words(finding)


def test_a_loss_that_is_no_number_leaves_a_gap():
    data = json.loads(next(each.text for each in TREES["broken"].iter("script") if each.get("id") == "curves-data"))
    losses = {label: values for chart in data for label, _, values in chart["series"]}
    assert losses["train loss"] == [3.1, None]
    assert losses["dev loss"] == [3.3e8, None]
    assert losses["objective"] == [1.0, None, None]


def test_each_of_several_targets_is_judged_by_itself():
    titles = [words(each) for each in TREES["several"].iter("h3")]
    assert "Target price" in titles
    assert "Target sold" in titles


@pytest.mark.parametrize("name, most", [("digits", 300), ("adult", 300), ("pictures", 1000), ("huge", 1500)])
def test_pages_are_small(name, most):
    assert len(PAGES[name].encode()) <= most * KILO


def test_ten_million_points_take_no_more_than_a_thousand():
    assert len(PAGES["huge"].encode()) <= 3000 * KILO
    few = len(render(replace(STORIES["huge"](), history=STORIES["huge"]().history[:1000])).encode())
    assert len(PAGES["huge"].encode()) < 1.1 * few


@pytest.mark.parametrize("name", STORIES)
def test_the_small_form_is_a_valid_piece_without_scripts(name):
    piece = small(STORIES[name]())
    tree = tree_of(f"<!DOCTYPE html><html><head><title>t</title></head><body>{piece}</body></html>")
    assert not list(tree.iter("script"))
    assert len(list(tree.find("body"))) == 1
    for sentence in STORIES[name]().verdict[:1]:
        assert " ".join(one_line(sentence).split()) in words(tree)


def test_rows_become_a_table_of_text():
    piece = table([{"a": 1, "<b>": "<i>"}, {"a": 2.5, "c": None}])
    tree = tree_of(f"<!DOCTYPE html><html><head><title>t</title></head><body>{piece}</body></html>")
    cells = [[words(cell) for cell in line] for line in tree.iter("tr")]
    assert cells == [["a", "<b>", "c"], ["1", "<i>", ""], ["2.5", "", ""]]
    assert "1 more row" not in piece
    assert "5 more rows" in table([{"x": i} for i in range(205)])
    assert tree_of(f"<!DOCTYPE html><html><head><title>t</title></head><body>{table([])}</body></html>") is not None


def test_pictures_in_a_page_are_the_ones_that_were_kept():
    kept = STORIES["pictures"]().evidence.examples[0].picture
    shown = next(TREES["pictures"].iter("img"))
    content = base64.b64decode(shown.get("src").split(",")[1])
    assert content == kept.png
    assert Image.open(io.BytesIO(content)).size == (32, 32)


def test_networks_of_a_committee_stand_beside_each_other():
    story = digits()
    layers = [
        msgspec.structs.replace(each, path=f"network{i}/{each.path}") for i in (1, 2) for each in story.evidence.layers
    ]
    page = tree_of(render(replace(story, evidence=msgspec.structs.replace(story.evidence, layers=layers))))
    titles = [words(each) for each in page.iter("figcaption")]
    assert "network1: 144,544 parameters" in titles
    assert "network2: 144,544 parameters" in titles
    assert "The network: 144,544 parameters" in [words(each) for each in TREES["digits"].iter("figcaption")]
