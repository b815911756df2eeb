"""`preceptor lr-find`: what it prints, the picture, and that it leaves nothing else behind."""

import json
import xml.etree.ElementTree as ElementTree

import pytest

QUICK = ("lr-find", "iris", "--engine", "reference", "--model", "logistic", "--optimiser", "sgd", "--batch-size", "16")


def test_curve_rates_and_picture(preceptor, here):
    code, out, err = preceptor(*QUICK, "-o", "curve.svg", "--json")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    found = json.loads(lines[-1])
    assert set(found) == {"suggestion", "steepest", "blow_up", "steps"}
    assert f"suggested --learning-rate {found['suggestion']:.2g}; fit takes 0.1 by itself" in lines
    assert any(each.startswith("steepest  at the rate") for each in lines)
    assert sum("█" in each for each in lines) == 8
    assert any(each.startswith("rate      1e-07") for each in lines)
    assert [each.name for each in here.iterdir()] == ["curve.svg"]
    picture = ElementTree.parse(here / "curve.svg").getroot()
    words = [each.text for each in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert f"steepest: {found['steepest']:.2g}" in words
    assert {"learning rate", "loss", "0.01"} <= set(words)
    curves = list(picture.iter("{http://www.w3.org/2000/svg}polyline"))
    assert [len(each.get("points").split()) for each in curves] == [found["steps"]] * 2


def test_the_suggested_rate_trains(preceptor, here):
    out = preceptor(*QUICK, "--json").out
    rate = json.loads(out.splitlines()[-1])["suggestion"]
    code, out, _ = preceptor("fit", *QUICK[1:], "--learning-rate", rate, "--epochs", 30, "--json")
    assert code == 0
    assert json.loads(out.splitlines()[-1])["test"]["accuracy"] > 0.8


@pytest.mark.parametrize(
    "words, message",
    [
        (("-o", "curve.png"), "lr-find: curve.png: the picture is an SVG; the name must end in .svg."),
        (("-o", "no/such/curve.svg"), "lr-find: no/such/curve.svg: cannot be written (No such file or directory)."),
        (("--steps", "3"), "lr-find: received 3 steps; 20 to 1,000,000 are required for a curve."),
        (("--lowest", "0"), "lr-find: received rates from 0 to 10; the lowest must be above 0 and below the highest"),
        (("--epochs", "3"), "No such option '--epochs'"),
        (("--rise-share", "0.3"), "No such option '--rise-share'"),
    ],
)
def test_mistakes(preceptor, here, words, message):
    code, out, err = preceptor(*QUICK, *words)
    assert (code, out) == (2, "")
    assert message in err
    assert not list(here.iterdir())
