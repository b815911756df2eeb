"""`preceptor learning-curve`: what it prints, the page, and that it leaves nothing else behind."""

import json
import xml.etree.ElementTree as ElementTree

import pytest

QUICK = (
    *("learning-curve", "digits", "--engine", "reference", "--model", "logistic", "--epochs", "1"),
    *("--points", "3", "--repeats", "2"),
)


def test_curve_table_advice_and_page(preceptor, here):
    code, out, err = preceptor(*QUICK, "-o", "curve.html", "--json")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    told = json.loads(lines[-1])
    assert [each["rows"] for each in told["table"]] == [267, 534, 1069]
    assert lines[0].endswith(" rows to learn from")
    assert lines[1] == "sizes     267, 534, 1,069 rows; 189 rows judge all of them"
    assert lines[2].startswith(
        "training  8 trainings: 3 sizes, more weight decay with 1,069 rows, 2 times each; together"
    )
    assert sum("●" in each for each in lines) >= 2
    assert any(each.startswith("table ") and each.split()[1] == "rows" for each in lines)
    assert any(each.startswith("reading   Train error ") for each in lines)
    assert next(each for each in lines if "1. " in each).strip().startswith(f"1. {told['advice'][0]['text']}")
    assert set(told) == {
        *("over", "figure", "error", "table", "rows", "judges", "repeats", "seed", "law", "reading", "advice", "notes"),
        "full_trainings",
    }
    assert [each.name for each in here.iterdir()] == ["curve.html"]
    page = (here / "curve.html").read_text()
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    picture = ElementTree.fromstring(page[page.index("<svg") : page.index("</svg>") + 6])
    assert picture.findtext("title") == "error, % over training rows"
    assert told["advice"][0]["text"] in page


def test_over_width(preceptor, here):
    words = [each if each != "logistic" else "mlp" for each in QUICK]
    code, out, err = preceptor(*words, "--hidden", "8", "--over", "width", "--json")
    assert (code, err) == (0, "")
    told = json.loads(out.splitlines()[-1])
    assert [each["width"] for each in told["table"]] == [0.5, 1, 2]
    assert out.splitlines()[1] == "sizes     0.5, 1, 2 times the usual width; 189 rows judge all of them"


@pytest.mark.parametrize(
    "words, message",
    [
        (("-o", "curve.png"), "learning-curve: curve.png: the page is HTML; the name must end in .html."),
        (("-o", "no/such/curve.html"), "learning-curve: no/such/curve.html: cannot be written"),
        (("--points", "2"), "2 is out of range; 3 to 12 is required"),
        (("--repeats", "1"), "1 is out of range; 2 to 20 is required"),
        (("--over", "depth"), "'depth' is not one of 'rows', 'width'"),
        (
            ("--over", "width"),
            "received over width with model logistic; a network whose width can be chosen is required",
        ),
    ],
)
def test_mistakes(preceptor, here, words, message):
    code, out, err = preceptor(*QUICK, *words)
    assert (code, out) == (2, "")
    assert message in err
    assert not list(here.iterdir())
