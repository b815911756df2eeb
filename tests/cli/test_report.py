"""`preceptor report`: the page says what the terminal says, and what --json gives."""

import html
import json
import re

import pytest

from preceptor.job.folder import REPORT

ASKED = {
    "classes": ("fit", "iris", "--hidden", "8", "--epochs", "6", "--engine", "reference"),
    "too short": ("fit", "iris", "--model", "logistic", "--optimiser", "sgd", "--epochs", "5"),
    "out of fold": ("fit", "iris", "--epochs", "3"),
    "a number": ("fit", "cars.csv", "--target", "price", "--hidden", "8", "--epochs", "6", "--learning-rate", "30"),
    "several": ("fit", "cars.csv", "--target", "price,sold", "--hidden", "8", "--epochs", "4"),
}


@pytest.fixture
def cars(here):
    rows = [f"{n % 13},{n % 7},{100 + 3 * (n % 13) - n % 7},{'yes' if n % 7 > 3 else 'no'}" for n in range(200)]
    (here / "cars.csv").write_text("\n".join(["age,doors,price,sold", *rows]))
    return here


def words(page):
    """The text of a page, as a reader has it: without its head, scripts and tags."""
    body = page[page.index("<body") :]
    body = re.sub(r"<(script|style).*?</\1>", " ", body, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


def numbers(value):
    """All figures of --json, by path, without the ends of intervals and the rows."""
    for name, each in value.items():
        if isinstance(each, dict):
            yield from numbers(each)
        elif not name.endswith(("_low", "_high", "_rows")):
            yield name, each


@pytest.mark.parametrize("case", ASKED)
def test_what_the_terminal_says_stands_on_the_page(preceptor, cars, case):
    out = preceptor(*ASKED[case], "--out", "run", "--json").out
    *lines, last = out.splitlines()
    said, page = [line[10:] for line in lines], words((cars / "run" / REPORT).read_text())
    verdict = [each for word, each in zip(lines, said, strict=True) if word.startswith("verdict")]
    assert verdict
    assert all(" ".join(each.split()) in page for each in verdict)
    start = next(n for n, line in enumerate(lines) if line.startswith("figures"))
    end = next(n for n, line in enumerate(lines) if "In brackets" in line)
    cells = [cell for line in said[start:end] for cell in re.split(r" {2,}", line.strip()) if cell]
    assert len(cells) > 5
    assert [cell for cell in cells if cell not in page] == []
    for word in ("curve", "data"):
        (told,) = (each for line, each in zip(lines, said, strict=True) if line.startswith(f"{word} "))
        parts = [told] if word == "curve" else told.split(": ")
        assert [part for part in parts if part not in page] == []
    found = [line.removeprefix("warning").removeprefix("note").strip() for line in lines if "_" in line.split(": ")[0]]
    rules = [each.partition(": ") for each in found if re.fullmatch(r"[a-z_]+", each.partition(": ")[0])]
    assert all(" ".join(text.split()) in page for _, _, text in rules)
    shown = [re.match(r"-?[\d,]+(?:\.(\d+))?(?= \()", cell) for cell in cells]
    figures = [(float(each[0].replace(",", "")), len(each[1] or "")) for each in shown if each]
    advised, used = said[[line[:4] for line in lines].index("next")], said[len(lines) - 1]
    assert used in page
    if advised != used:
        what, _, command = advised.partition(": ")
        assert what.rpartition(". ")[2].rstrip(".").lower() in page.lower()
        assert command in page
    found = json.loads(last)
    for name, value in numbers(found["test"] or found["dev"]):
        off = [abs(each - value) for each, digits in figures if abs(each - value) <= rounding(each, digits)]
        assert off, name


def test_what_the_page_advises_stands_beside_the_use_of_the_run(preceptor, here):
    longer = "preceptor fit iris --model logistic --optimiser sgd --epochs 10"
    out = preceptor(*ASKED["too short"], "--out", "run").out
    assert out.splitlines()[-2:] == [
        f"next      It was still getting better when it ended. Train longer: {longer}",
        "          preceptor predict run NEW.csv -o predictions.csv",
    ]
    assert f"It was still getting better when it ended. Next: train longer. {longer}" in words(
        (here / "run" / REPORT).read_text()
    )


def rounding(value, digits):
    """By how much a number may be off that is shown with four digits at least, or so many behind the point."""
    return 0.5001 * 10.0**-digits if digits else max(0.5, 0.0006 * abs(value))


def test_the_simple_guesses_are_those_of_json(preceptor, cars):
    found = json.loads(preceptor(*ASKED["a number"], "--out", "run", "--json").out.splitlines()[-1])
    page = words((cars / "run" / REPORT).read_text())
    assert set(found["baselines"]) == {"the mean of the training rows", "a linear model"}
    for name, figures in found["baselines"].items():
        assert name in page
        assert f"{figures['rmse']:.4g}" in page.replace(",", "")


def test_it_is_made_again_and_where_one_wants(preceptor, cars):
    preceptor(*ASKED["classes"], "--out", "run")
    before = (cars / "run" / REPORT).read_bytes()
    (cars / "run" / REPORT).unlink()
    answer = preceptor("report", "run")
    assert answer.code == 0
    assert re.search(rf"report    run/{REPORT}: \d+ KB", answer.out)
    assert (cars / "run" / REPORT).read_bytes() == before
    assert preceptor("report", "run", "-o", "page.html").code == 0
    assert (cars / "page.html").read_bytes() == before


def test_a_link_in_the_place_of_the_report_is_replaced_not_followed(preceptor, cars):
    preceptor(*ASKED["classes"], "--out", "run")
    before = (cars / "run" / REPORT).read_bytes()
    (cars / "other").write_text("of somebody else")
    (cars / "run" / REPORT).unlink()
    (cars / "run" / REPORT).symlink_to(cars / "other")
    assert preceptor("report", "run").code == 0
    assert (cars / "run" / REPORT).read_bytes() == before
    assert not (cars / "run" / REPORT).is_symlink()
    assert (cars / "other").read_text() == "of somebody else"


def test_the_data_are_never_replaced(preceptor, cars):
    preceptor(*ASKED["several"], "--out", "run")
    before = (cars / "cars.csv").read_bytes()
    answer = preceptor("report", "run", "-o", "cars.csv")
    assert answer.code == 2
    assert "which is read; it would be replaced" in answer.err
    assert (cars / "cars.csv").read_bytes() == before


@pytest.mark.parametrize(
    "words, told",
    [
        (("report", "nowhere"), "this is no run folder"),
        (("report", "run", "-o", "no/page.html"), "cannot be written"),
        (("report", "run", "-o", "run/model.safetensors"), "run/model.safetensors: in the folder of a run a page ends"),
        (("report", "run", "-o", "run/plan.json"), "run/plan.json: in the folder of a run a page ends in .html. "),
        (("report", "run", "-o", "run/log/1/events.jsonl"), "in the folder of a run a page ends in .html. "),
    ],
)
def test_mistakes_are_told_in_one_line(preceptor, cars, words, told):
    preceptor(*ASKED["classes"], "--out", "run")
    answer = preceptor(*words)
    assert answer.code == 2
    assert told in answer.err
    assert answer.err.count("\n") == 1
