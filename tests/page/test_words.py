"""What stands beside figures and rows: digits, percent and places as a person reads them."""

import pytest

from preceptor.evidence import Evidence
from preceptor.evidence.record import Baseline, Column, Example, Judgement, LayerShape, Response
from preceptor.page import curves, inside, matters
from preceptor.page.columns import _distribution
from preceptor.page.curves import _together
from preceptor.page.examples import examples_of
from preceptor.page.numbers import charts_of_numbers
from preceptor.page.story import Story
from preceptor.page.verdict import alike, headline


def example(**others):
    first = {"kind": "worst", "target": "y", "row": 7, "true": "a", "predicted": "b", "loss": 0.00002}
    return Example(**first | others)


@pytest.mark.parametrize(
    "value, cell, words",
    [
        (-0.000344, "0.825 (0.817 to 0.836)", "0.000"),
        (0.01346, "48,310 (46,770 to 49,320)", "0.01346"),
        (0, "0.84 (0.78 to 0.88)", "0"),
        (0.00004, "0.00006 (0 to 1)", "4e-05"),
        (91_119, "32,210 (31,240 to 32,700)", "91,120"),
        (0.5, "none", "0.5"),
    ],
)
def test_what_is_as_good_as_nothing_beside_a_figure_has_its_decimals(value, cell, words):
    assert alike(value, cell) == words


def told(evidence_examples):
    return str(examples_of(Story("", "", "", (), "good", evidence=Evidence(examples=evidence_examples)), "y", "h3"))


@pytest.mark.parametrize(
    "probability, words", [(1.0, "100%"), (0.99999, "over 99.9%"), (0.9987, "99.9%"), (0.9943, "99.4%"), (0.7, "70%")]
)
def test_nobody_is_entirely_sure_but_at_1(probability, words):
    assert f">{words}<" in told([example(probability=probability)])


def test_errors_of_numbers_are_no_losses_and_losses_near_0_are_alike():
    assert ">under 0.001<" in told([example(probability=0.9)])
    numbers = told([example()])
    assert ">error<" in numbers
    assert ">loss<" not in numbers
    assert "0.00002" in numbers or "2e-05" in numbers


@pytest.mark.parametrize("classes, words", [(3, "of the 2 most frequent classes; grey"), (2, "Mean probability; grey")])
def test_of_which_classes_a_response_is_drawn_is_said(classes, words):
    drawn = Response(column="x", target="y", x=[0.0, 1.0], names=["a", "b"], y=[[0.1, 0.2], [0.3, 0.4]])
    judged = Judgement(target="y", rows=9, classes=list("abc")[:classes])
    seen = Evidence(responses=[drawn], judgements=[judged])
    assert words in str(matters.section(Story("", "", "", (), "good", evidence=seen)))


def test_that_nobody_looked_into_the_layers_is_said():
    seen = Evidence(layers=[LayerShape(path="output", kind="Dense", shape=[2], parameters=6)])
    assert inside.UNSEEN in str(inside.section(Story("", "", "", (), "good", evidence=seen)))
    assert inside.UNSEEN not in str(inside.section(Story("", "", "", (), "good", evidence=Evidence())))


def test_the_figure_of_train_rows_stands_beside_that_of_dev_rows():
    history = [{"step": n, "epoch": n, "train_accuracy": n / 9, "dev_accuracy": n / 8, "dev_auc": 0.5} for n in (1, 2)]
    story = Story("", "", "", (), "good", history=history)
    drawn = curves.charts(story, history, curves.StepsToEpochs(history))
    assert [(each.title, [label for label, *_ in each.series]) for each in drawn] == [
        ("Accuracy", ["train accuracy", "dev accuracy"]),
        ("Auc", ["dev auc"]),
    ]


def test_whole_numbers_are_written_with_all_their_digits():
    def ends(low, high):
        column = Column("x", "number", "", counts=[1, 2], edges=[low, 1, high], lowest=low, highest=high)
        return str(_distribution(column))

    assert "0 to 99,999<" in ends(0.0, 99_999.0)
    assert "0.417 to 80<" in ends(0.4167, 80.0)
    assert "1,230,000,000<" in ends(0.0, 1_234_567_891.0)


def test_marks_at_one_place_are_one():
    assert _together([(1, 2.0, "a"), (2, 2.0, "b"), (3, 4.5, "c")]) == [(2.0, "1, 2"), (4.5, "3")]


def test_headline_figures_are_those_that_a_guess_has_too():
    cells = [["", "test, 9 rows"], ["accuracy", "0.9 (0.8 to 1.0)"], ["top-5 error", "0.1 (0 to 1)"]]
    guess = Judgement(target="y", rows=9, baselines=[Baseline(name="a guess", figures={"accuracy": 0.5})])
    story = Story("", "", "", (), "good", figures=[("", cells)], evidence=Evidence(judgements=[guess]))
    assert "top-5" not in str(headline(story))
    assert "a guess 0.5" in str(headline(story))
    guess.baselines[0].figures["top5_error"] = 0.44
    assert "a guess 0.44" in str(headline(story))


def test_where_all_errors_are_the_same_the_page_is_made_without_their_histogram():
    one = Judgement(target="y", rows=3, true=[1.0, 2.0], predicted=[3e11, 3e11], edges=[3e11, 3e11], counts=[3.0])
    words = str(charts_of_numbers(one, "h3"))
    assert "Predicted against true" in words
    assert "Residuals" not in words
