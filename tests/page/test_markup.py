"""Whatever stands in a text, it stays text."""

import json

import html5lib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preceptor.page.grid import name
from preceptor.page.markup import Markup, clipped, joined, script_data, tag, text
from preceptor.words import columns, one_line

ATTACKS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onload='x",
    "</title></style></script><!--",
    "&lt;b&gt;",
    "]]>",
    "\u2028\u2029\x00\x1b[31m\u202eabc",
    "\ud800",
    "\ufdd0\ufffe\uffff\U0001fffe\U0010ffff",
)


def parsed(markup):
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    return parser.parse(f"<!DOCTYPE html><html><head><title>t</title></head><body>{markup}</body></html>")


@pytest.mark.parametrize("attack", ATTACKS)
def test_text_and_attributes_are_never_markup(attack):
    tree = parsed(tag("p", attack, title=attack))
    paragraph = tree.find("body/p")
    assert paragraph.text == one_line(attack)
    assert paragraph.attrib == {"title": one_line(attack)}
    assert list(paragraph) == []


@given(st.text(st.characters(codec=None)))
def test_any_text_comes_back_as_the_terminal_would_show_it(words):
    paragraph = parsed(tag("p", words, title=words)).find("body/p")
    assert (paragraph.text or "") == one_line(words)
    assert paragraph.attrib["title"] == one_line(words)
    assert len(paragraph) == 0


@given(st.text(st.characters(codec=None)))
def test_data_for_a_script_come_back_and_cannot_end_it(words):
    written = script_data({words: [1.5, None, words]})
    assert not set(written) & set("<>&\u2028\u2029")
    assert written.isascii()
    assert json.loads(written) == {words: [1.5, None, words]}


def test_numbers_that_json_does_not_know_are_refused():
    with pytest.raises(ValueError, match="not JSON compliant"):
        script_data([float("nan")])


def test_how_elements_are_written():
    assert tag("br") == "<br>"
    assert tag("td", "a & b", class_="n", data_row=3, hidden=True, title=None) == (
        '<td class="n" data-row="3" hidden>a &amp; b</td>'
    )
    assert tag("ul", (tag("li", word) for word in ("x", "<y>")), None, 2) == "<ul><li>x</li><li>&lt;y&gt;</li>2</ul>"
    assert joined("<", Markup("<b></b>")) == "&lt;<b></b>"
    assert text(Markup("<i></i>")) == "<i></i>"


@pytest.mark.parametrize("sign", ["x", "é", "漢", "\u200b", "\u0301", "<", "\ud800"])
def test_a_long_name_takes_little_room_whatever_it_is_made_of(sign):
    shown = clipped(sign * 100_000, 24)
    assert 0 < columns(shown) <= 24
    assert len(shown) <= 8 * 24 + 1
    assert shown.endswith("…")
    assert len(name(sign * 100_000, 24)) < 50_000
