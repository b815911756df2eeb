"""Single examples: which rows are shown, what stands in them, and pictures of pictures."""

import csv
import io

import numpy as np
import pytest
from PIL import Image

import preceptor as pr
from preceptor.data import LongTable, fit_preprocessor, open_table, read
from preceptor.data.encoding.target import Target
from preceptor.data.pictures import pictures as picture_sets
from preceptor.data.tables import long_table
from preceptor.evidence.examples import cells, choose

CLASSES = Target("y", "classes", classes=("a", "b", "c"))
NUMBER = Target("y", "number")


def shown(chosen, kind):
    return [each.example.row for each in chosen if each.example.kind == kind]


def test_the_worst_have_the_lowest_probability_of_their_class():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(3), 200)
    y, numbers = rng.integers(0, 3, 200), np.arange(1000, 1200)
    chosen = choose(CLASSES, numbers, y, p, p.argmax(1))
    own = p[np.arange(200), y]
    assert shown(chosen, "worst") == (1001 + np.argsort(own)[:8]).tolist()
    for each in chosen:
        place, example = each.place, each.example
        assert example.row == place + 1001
        assert example.loss == pytest.approx(-np.log(own[place]), rel=1e-5)
        assert example.true == "abc"[y[place]]
        assert example.predicted == "abc"[each.predicted] == "abc"[p[place].argmax()]
        assert example.probability == pytest.approx(p[place].max(), rel=1e-5)


def test_typical_rows_are_the_surest_of_each_class_in_turn_the_most_frequent_first():
    y = np.array([1] * 30 + [0] * 20 + [2] * 2)
    p = np.full((52, 3), 0.2)
    p[np.arange(52), y] = np.linspace(0.5, 0.9, 52)
    chosen = choose(CLASSES, np.arange(52), y, p, p.argmax(1))
    rows = [row - 1 for row in shown(chosen, "typical")]
    assert y[rows].tolist() == [1, 0, 2, 1, 0, 2, 1, 0]
    assert rows == [29, 49, 51, 28, 48, 50, 27, 47]


def test_of_numbers_the_farthest_and_those_near_the_middle_are_shown():
    rng = np.random.default_rng(0)
    y = rng.normal(50, 10, 300)
    predicted = y + rng.normal(0, 2, 300)
    chosen = choose(NUMBER, np.arange(300), y, predicted, np.zeros(0))
    assert shown(chosen, "worst") == (1 + np.argsort(-np.abs(predicted - y))[:8]).tolist()
    for row in shown(chosen, "typical"):
        assert abs(y[row - 1] - np.median(y)) < 5
        assert abs(predicted[row - 1] - y[row - 1]) < 1
    assert chosen[0].example.probability is None


@pytest.mark.parametrize("rows", [1, 2, 3, 9, 16])
def test_no_row_of_few_is_shown_twice(rows):
    y = np.arange(rows) % 3
    chosen = choose(CLASSES, np.arange(rows), y, np.full((rows, 3), 1 / 3), y)
    told = [each.example.row for each in chosen]
    assert len(set(told)) == len(told) == rows


def test_predictions_that_are_no_numbers_are_worst_and_finite():
    y = np.zeros(20, int)
    p = np.full((20, 3), 1 / 3)
    p[7] = np.nan
    worst = choose(CLASSES, np.arange(20), y, p, y)[0].example
    assert (worst.row, worst.probability) == (8, 0)
    predicted = np.zeros(20)
    predicted[9], predicted[4] = np.inf, np.nan
    worst = [each.example for each in choose(NUMBER, np.arange(20), y, predicted, y)[:2]]
    assert {each.row for each in worst} == {5, 10}
    assert all(np.isfinite(each.loss) for each in worst)


def test_many_targets_share_what_is_shown():
    y = np.arange(100) % 3
    p = np.full((100, 3), 1 / 3)
    assert len(choose(CLASSES, np.arange(100), y, p, y, targets=8)) == 8
    assert len(choose(CLASSES, np.arange(100), y, p, y, targets=500)) == 2


TABLE = {
    "number": np.array([1.5, 2.0, np.nan, 1e20, -3.0]),
    "whole": np.arange(5),
    "truth": np.array([True, False, True, True, False]),
    "word": np.array(["red", None, "<b>", "x" * 200, "é"], object),
    "day": np.array(["2024-01-31", "2024-02-01T12:30:00", "NaT", "2024-02-03", "2024-02-04"], "M8[s]"),
    "pixels": np.arange(100, dtype=np.uint8).reshape(5, 20),
    "y": np.array([0.5, 1.5, 0.25, 3.0, 4.0]),
}


def test_values_are_told_as_text_as_they_stand():
    table = read(TABLE)
    learned = fit_preprocessor(table, "y", np.arange(5))
    first, second, third, fourth = cells(table, [0, 1, 2, 3], learned)
    assert first[:5] == [
        ("number", "1.5"), ("whole", "0"), ("truth", "true"), ("word", "red"), ("day", "2024-01-31"),
    ]  # fmt: skip
    assert first[5] == ("pixels", "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, … (20 numbers)")
    assert dict(second)["number"] == "2"
    assert dict(second)["word"] == ""
    assert dict(second)["day"] == "2024-02-01 12:30:00"
    assert dict(third)["number"] == dict(third)["day"] == ""
    assert dict(third)["word"] == "<b>"
    assert len(dict(fourth)["word"]) == 80
    assert dict(fourth)["number"] == "1e+20"


def test_of_many_columns_those_that_are_used_are_told():
    rng = np.random.default_rng(0)
    columns = {f"c{n}": np.ones(50) if n < 20 else rng.normal(size=50) for n in range(60)}
    table = read({**columns, "y": rng.normal(size=50)})
    ((found),) = cells(table, [3], fit_preprocessor(table, "y", np.arange(50)))
    assert [name for name, _ in found] == [f"c{n}" for n in range(20, 50)]


def written(path, rows=300):
    rng = np.random.default_rng(1)
    with path.open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["mark", "x", "word", "y"])
        for n in range(rows):
            x = rng.normal()
            lines.writerow(
                [f"m{n + 1}", round(x, 3), "up" if x > 0 else "down", "yes" if x + rng.normal() > 0 else "no"]
            )
    return path


QUICK = {"epochs": 2, "engine": "reference"}


@pytest.mark.parametrize("cells_held", [10**9, 100])
def test_a_row_is_the_one_of_the_file_that_has_its_number(tmp_path, monkeypatch, cells_held):
    path = written(tmp_path / "data.csv")
    monkeypatch.setattr(long_table, "MOST_CELLS", cells_held)
    assert isinstance(open_table(path), LongTable) == (cells_held == 100)
    run = pr.fit(path, target="y", **QUICK)
    with path.open() as file:
        lines = list(csv.DictReader(file))
    assert len(run.evidence.examples) == 16
    for each in run.evidence.examples:
        line = lines[each.row - 1]
        assert each.true == line["y"]
        told = dict(each.values)
        assert (told["mark"], told["word"], float(told["x"])) == (line["mark"], line["word"], float(line["x"]))
        if not run.facts["folds"]:
            given = {"mark": [line["mark"]], "x": [float(line["x"])], "word": [line["word"]]}
            assert run.predict_probabilities(given).max() == pytest.approx(each.probability, rel=1e-3)


def test_digits_are_shown_as_pictures_with_maps():
    run = pr.fit("digits", epochs=2, engine="native")
    pixels = read("digits").columns["pixels"].astype(float)
    evidence = run.evidence
    assert len(evidence.filters) == 64
    assert "mean of training pictures" in evidence.saliency
    for each in evidence.examples:
        found = np.asarray(Image.open(io.BytesIO(each.picture.png)))
        np.testing.assert_allclose(found, pixels[each.row - 1].reshape(8, 8) * 255 / 16, atol=0.51)
        assert (each.saliency.height, each.saliency.width) == (8, 8)
        assert each.values == []


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for number, name in enumerate(("red", "green")):
        (tmp_path / "data" / name).mkdir(parents=True)
        for each in range(30):
            pixels = rng.integers(0, 120, (10, 12, 3))
            pixels[..., number] += 60
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "data" / name / f"{each}.png")
    return tmp_path / "data"


@pytest.mark.parametrize("is_held", [True, False])
@pytest.mark.parametrize("more", [{"model": "mlp", "hidden": (4,)}, {"model": "convnet"}])
def test_pictures_are_shown_with_their_files_and_maps(folder, monkeypatch, is_held, more):
    monkeypatch.setattr(picture_sets, "KEPT_BYTES", 1 << 30 if is_held else 0)
    run = pr.fit(folder, epochs=1, engine="native", batch_size=8, **more)
    examples = run.evidence.examples
    assert {each.kind for each in examples} == {"worst", "typical"}
    for each in examples:
        ((what, name),) = each.values
        assert what == "file"
        assert name.split("/")[0] == each.true
        theirs = np.asarray(Image.open(folder / name))
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(each.picture.png))), theirs)
        assert (each.saliency.height, each.saliency.width) == (10, 12)
    assert [each.name for each in run.evidence.columns] == ["class", "red", "green", "blue"]
    assert sum(run.evidence.columns[0].counts) == run.facts["split"]["train"]


def test_where_pictures_are_turned_into_numbers_there_are_no_maps(folder):
    run = pr.fit(folder, epochs=1, engine="native", batch_size=8, model="mlp", hidden=(4,), preprocess="pca")
    assert run.evidence.saliency == ""
    assert all(each.picture and each.saliency is None for each in run.evidence.examples)
    assert run.evidence.filters == []


def test_maps_keep_to_their_share_of_the_training(folder, monkeypatch):
    monkeypatch.setattr("preceptor.evidence.shown.LITTLE", 0)
    monkeypatch.setattr("preceptor.evidence.shown.SHARE", 0.02)
    run = pr.fit(folder, epochs=100, engine="native", batch_size=8, model="mlp", hidden=(4,), patience=1000)
    rows = run.history[-1]["step"] * 8
    assert sum(each.saliency is not None for each in run.evidence.examples) == int(0.02 * rows / 24) == 3


def test_evidence_is_the_same_twice_and_survives_its_file(tmp_path):
    first = pr.fit("iris", epochs=3, engine="reference", out=tmp_path / "run")
    second = pr.fit("iris", epochs=3, engine="reference")
    assert first.evidence == second.evidence
    assert pr.load(tmp_path / "run").evidence == first.evidence
