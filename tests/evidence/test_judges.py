"""The rows that judge: whatever is trained on, and however many there are."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from trained import table, trained

from preceptor.data import LongTable
from preceptor.data.tables import long_table
from preceptor.evidence.judges import Some, taken
from preceptor.job import judging
from preceptor.train.metric import class_figures

QUICK = {"hidden": (8,), "epochs": 2}


@pytest.mark.parametrize(
    "settings, part",
    [
        ({}, "out of fold"),
        ({"folds": 0, "test_share": 0}, "dev"),
        ({"test_share": 0.2}, "test"),
        (QUICK | {"test_share": 0}, "dev"),
    ],
)
def test_rows_and_what_is_predicted_for_them(settings, part):
    made = trained(table(), target="y", **settings)
    judges, own = made.judges, made.judges.targets[0]
    assert judges.part == part
    classes = own.target.classes
    figures = made.run.test or made.run.dev
    told = class_figures(own.predicted, own.y, classes)
    assert told["log_loss"].value == pytest.approx(figures["log_loss"].value, rel=1e-6)
    seen = made.fitting.seen
    numbers = judges.numbers(seen.parts)
    truth = seen.table.select(numbers).column("y")
    assert [classes[each] for each in own.y] == truth.tolist()
    assert_allclose(judges.predict(np.asarray(judges.x), np.arange(len(judges)))[0], own.predicted, atol=1e-5)
    evidence = made.run.evidence
    assert (evidence.part, evidence.rows) == (part, len(judges))
    counts = np.array(evidence.judgements[0].confusion)
    assert counts.trace() / counts.sum() == pytest.approx(figures["accuracy"].value)
    assert [each.name for each in evidence.judgements[0].baselines][1] == "a linear model"


def test_of_very_many_rows_some_judge(monkeypatch):
    monkeypatch.setattr(judging, "MOST_JUDGES", 50)
    for settings in ({}, {"test_share": 0.4}):
        made = trained(table(), target="y", **settings)
        judges = made.judges
        assert len(judges) == len(judges.x) == len(judges.targets[0].y) == 50
        assert (np.diff(judges.rows) > 0).all()
        x = taken(judges.x, np.arange(50))
        assert_allclose(judges.predict(x, np.arange(50))[0], judges.targets[0].predicted, atol=1e-5)
        assert made.run.evidence.judgements[0].rows == 50


def test_a_long_table_judges_from_the_disk(tmp_path, monkeypatch):
    pandas = pytest.importorskip("pandas")
    path = tmp_path / "long.csv"
    data = table(2_000)
    pandas.DataFrame(data).to_csv(path, index=False)
    monkeypatch.setattr(long_table, "MOST_CELLS", 100)
    monkeypatch.setattr(long_table, "PIECE_CELLS", 1)
    monkeypatch.setattr(judging, "MOST_JUDGES", 150)
    made = trained(path, target="y", **QUICK)
    assert isinstance(made.fitting.seen.table, LongTable)
    judges = made.judges
    assert isinstance(judges.x, Some)
    assert (judges.part, len(judges)) == ("test", 150)
    x = taken(judges.x, np.arange(150))
    assert_allclose(judges.predict(x, np.arange(150))[0], judges.targets[0].predicted, atol=1e-5)
    evidence = made.run.evidence
    assert {each.column for each in evidence.importance} == set(data) - {"y"}
    assert len(evidence.responses) == 6
    naive, linear = evidence.judgements[0].baselines
    assert linear.figures["accuracy"] > naive.figures["accuracy"]


def test_pictures_have_guesses_and_no_columns(tmp_path):
    image = pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(0)
    for number, name in enumerate(("red", "green", "blue")):
        (tmp_path / name).mkdir()
        for each in range(20):
            pixels = np.clip(np.eye(3)[number] * 150 + rng.normal(60, 25, (24, 20, 3)), 0, 255).astype(np.uint8)
            image.fromarray(pixels).save(tmp_path / name / f"{each:02}.png")
    made = trained(tmp_path, model="mlp", batch_size=8, **QUICK)
    evidence = made.run.evidence
    naive, linear = evidence.judgements[0].baselines
    assert naive.figures["accuracy"] == pytest.approx(1 / 3)
    assert linear.figures["accuracy"] > 0.8
    assert (evidence.importance, evidence.responses) == ([], [])


@pytest.mark.parametrize("settings", [{"engine": "reference"}, {"precision": "bf16"}, {"precision": "f64"}])
def test_other_engines_and_precisions(settings):
    made = trained(table(120), target="y", **QUICK, **settings)
    assert made.run.evidence.importance[0].value > 0
    assert len(made.run.evidence.responses) == 6


def test_ordered_classes_and_one_row_that_judges():
    data = table(60)
    data["y"] = np.array(["low", "middle", "high"], object)[np.digitize(data["a"], [45, 55])]
    made = trained(data, target="y", ordered=("low", "middle", "high"))
    found = made.run.evidence.judgements[0]
    assert found.classes == ["low", "middle", "high"]
    assert "class_distance" in found.baselines[1].figures
    few = trained({name: values[:15] for name, values in table(15).items()}, target="y", **QUICK)
    assert few.run.evidence is not None


def test_nobody_judges_a_training_without_other_rows():
    made = trained(table(60), target="y", dev_share=0, test_share=0, **QUICK)
    assert made.judges is None
    assert (made.run.evidence.part, made.run.evidence.judgements) == ("", [])
