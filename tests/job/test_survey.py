"""Tables that are not held: what training sees of them, and that a training on them is one like any other."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from preceptor.data import LongTable, read
from preceptor.data.encoding import row_file
from preceptor.data.tables import long_table
from preceptor.errors import ConfigError, DataError
from preceptor.job import fit, load, make_settings, prepare, preparing, resume, survey
from preceptor.job.stages import Stage, completed
from preceptor.job.survey import encode
from preceptor.train import stepper
from preceptor.train.training import Streamed

ROWS = 6_000
QUICK = {"engine": "reference", "epochs": 2, "hidden": (8,), "members": 1, "batch_size": 50}


@pytest.fixture
def short(monkeypatch, tmp_path):
    """Whatever has more than 100 cells is long; pieces, blocks and pools are small."""
    monkeypatch.setattr(long_table, "MOST_CELLS", 100)
    monkeypatch.setattr(long_table, "PIECE_CELLS", 1)
    monkeypatch.setattr(row_file, "BLOCK_BYTES", 1 << 10)
    monkeypatch.setattr(row_file, "POOL_BYTES", 1 << 15)
    monkeypatch.setattr(survey, "MOST_JUDGES", 500)
    monkeypatch.setattr(stepper, "FETCH_BYTES", 1 << 13)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "copies"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "copies").mkdir()
    return tmp_path


def write(path, columns):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *zip(*(values.tolist() for values in columns.values()), strict=True)])
    return path


def columns():
    rng = np.random.default_rng(1)
    a, b = rng.normal(3, 2, ROWS), rng.normal(size=ROWS)
    colour = rng.choice(np.array(["red", "green", "blue"], object), ROWS)
    number = 2 * (a - 3) - b + 3 * (colour == "red") + 0.1 * rng.normal(size=ROWS)
    kind = np.where(number > 0, "yes", "no").astype(object)
    kind[[17, 4_000]] = "rare"
    kind[1_000:1_010] = ""
    return {"id": np.arange(ROWS), "a": a, "b": b, "colour": colour, "number": number, "kind": kind}


def taken(path, settings):
    return completed(survey.survey(path, settings))


def test_progress_is_told(short):
    path = write(short / "table.csv", columns())
    stages = list(preparing(path, make_settings({"target": "number"} | QUICK)))
    assert stages[0] == Stage("reading")
    assert Stage("reading the target", 1024, ROWS) in stages
    assert [each.done for each in stages if each.text == "encoding"] == [0, 1024, 2048, 3072, 4096, 5120]


def test_the_parts_are_those_asked_for_and_the_sample_is_of_them(short):
    path = write(short / "table.csv", columns())
    seen = taken(path, make_settings({"target": "kind"}))
    assert isinstance(seen.table, LongTable)
    parts = seen.parts
    every = np.sort(np.concatenate([parts.train, parts.dev, parts.test]))
    np.testing.assert_array_equal(every, np.delete(np.arange(ROWS), range(1_000, 1_010)))
    assert (len(parts.dev), len(parts.test)) == (500, 500)  # the usual share, but no more than are needed to judge
    kinds = columns()["kind"]
    for part in (parts.train, parts.dev, parts.test):  # stratified: the exact share, rounded
        assert abs((kinds[part] == "yes").mean() - (kinds[every] == "yes").mean()) < 0.003
    assert {"yes", "no", "rare"} == set(seen.seen.columns["kind"])
    for name, values in columns().items():
        np.testing.assert_array_equal(seen.seen.columns[name], values[seen.numbers])
    np.testing.assert_array_equal(
        np.isin(seen.numbers, parts.dev), np.isin(np.arange(seen.seen.rows), seen.seen_parts.dev)
    )
    asked = taken(path, make_settings({"target": "kind", "test_share": 0.3}))
    assert len(asked.parts.test) == pytest.approx(0.3 * 5_990, abs=2)


def test_every_class_is_known_however_small_the_sample(short, monkeypatch):
    monkeypatch.setattr(survey, "SAMPLE", 100)
    table = columns()
    table["kind"] = (np.arange(ROWS) // 300).astype(str).astype(object)
    seen = taken(write(short / "table.csv", table), make_settings({"target": "kind"}))
    assert seen.seen.rows < 200
    assert set(
        replace(seen, settings=make_settings({"target": "kind", "kind": "classes"})).preprocessor.targets[0].classes
    ) == set(range(20))


def test_features_are_those_of_the_rows_in_memory(short):
    path = write(short / "table.csv", columns())
    seen = taken(path, make_settings({"target": "number"}))
    learned = seen.preprocessor
    train = seen.seen_parts.train
    a = seen.seen.columns["a"][train]
    mean, sd = next((each.mean[0], each.sd[0]) for each in learned.columns if each.name == "a")
    assert (mean, sd) == pytest.approx((a.mean(), a.std()), rel=1e-12)
    found = completed(encode(seen, learned, make_settings({})))
    assert isinstance(found.data, Streamed)
    place = learned.feature_names.index("a")
    wanted = ((columns()["a"] - mean) / sd).astype(np.float32)
    for x, rows in (
        (found.data.stream.x, seen.parts.train),
        (found.data.dev_x, seen.parts.dev),
        (found.test_x, seen.parts.test),
    ):
        np.testing.assert_array_equal(x[:][:, place], wanted[rows])
    spread = columns()["number"][seen.parts.test]
    np.testing.assert_allclose(learned.targets[0].decode(found.test_y), spread, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("target, score", [("number", "r2"), ("kind", "accuracy")])
def test_a_network_learns_from_the_disk_and_predicts_from_there(short, target, score):
    table = columns() | {"kind": np.where(columns()["number"] > 0, "yes", "no").astype(object)}
    del table[{"number": "kind", "kind": "number"}[target]]
    path = write(short / "table.csv", table)
    run = fit(path, target, out=short / "run", **QUICK | {"epochs": 10, "learning_rate": 0.01})
    assert run.test[score] > 0.95
    assert run.facts["identifiers"] == ["id"]
    out = short / "predictions.csv"
    assert load(short / "run").write_predictions(path, out) == ROWS
    with out.open() as file:
        lines = list(csv.DictReader(file))
    assert [int(line["id"]) for line in lines] == list(range(ROWS))
    in_memory = run.predict(table)
    found = [line["prediction"] for line in lines]
    if target == "number":  # in pieces of another size: the last digits of float64 may differ
        np.testing.assert_allclose(np.array(found, np.float64), in_memory, rtol=1e-12)
    else:
        assert found == in_memory.tolist()
    assert run.evaluate(path)[score] == pytest.approx(run.evaluate(table)[score], abs=1e-9)


def test_evaluate_names_a_wrong_target_by_its_row_in_the_file(short):
    table = columns()
    table["kind"] = np.where(table["number"] > 0, "yes", "no").astype(object)
    run = fit({name: values[:200] for name, values in table.items() if name != "number"}, "kind", **QUICK)
    table["kind"][[3, 3_000]] = ["", "maybe"]  # of the third piece, behind a row that is left out
    with pytest.raises(DataError, match="the target 'kind' is 'maybe' in data row 3,001"):
        run.evaluate(write(short / "table.csv", table))


def test_what_training_never_saw_is_summed_up_over_the_pieces(short):
    table = columns()
    table["kind"] = np.array(["yes", "no"], object)[np.arange(ROWS) % 2]
    run = fit({name: values[:200] for name, values in table.items()}, "number", **QUICK)
    table["kind"][[3, 3_000, 5_000]] = ["YES", "YES", None]
    path = write(short / "table.csv", table)
    notes = []
    assert run.write_predictions(path, short / "out.csv", notes=notes) == ROWS
    assert [each for each in notes if "'kind'" in each] == [
        "Column 'kind' holds what training never saw in 2 of 6,000 rows, which count as none of its levels: 'YES' (2 "
        "rows; did you mean 'yes'?).",
        "Column 'kind' is missing in 1 of 6,000 rows, and never was in training; the usual value stands there.",
    ]
    assert run.notes(path) == notes
    judged = []
    run.evaluate(path, notes=judged)
    assert set(notes) <= set(judged)


def test_what_is_done_to_numbers_together_is_done_on_the_disk_too(short):
    path = write(short / "table.csv", columns())
    seen = taken(path, make_settings({"target": "number", "preprocess": "zca", "polynomial": 2}))
    found = completed(encode(seen, seen.preprocessor, make_settings({})))
    assert isinstance(found.data, Streamed)
    rows = seen.parts.test
    in_memory = read({name: values[rows] for name, values in columns().items()})
    np.testing.assert_array_equal(found.test_x[:], seen.preprocessor.transform(in_memory))


def test_what_does_not_fit_is_named_by_its_row_in_the_file(short, monkeypatch):
    monkeypatch.setattr(survey, "SAMPLE", 500)
    table = columns()
    table["a"] = table["a"].astype(object)
    table["a"][5_432] = "oops"
    fitting = prepare(write(short / "table.csv", table), make_settings({"target": "number"}))
    said = (
        "Column 'a' holds numbers up to data row 5,433, which holds 'oops', and so is taken as text; mend it, or leave "
        "it empty."
    )
    assert said in fitting.seen.table.notes
    table = columns()
    table["number"][:] = np.nan
    with pytest.raises(DataError, match=r"the target 'number' is missing in all of 6,000 rows"):
        prepare(write(short / "table.csv", table), make_settings({"target": "number"}))


def test_rows_in_two_parts_are_told(short):
    table = {name: np.tile(values[: ROWS // 2], 2) for name, values in columns().items() if name != "id"}
    fitting = prepare(write(short / "table.csv", table), make_settings({"target": "number"} | QUICK))
    assert any("of the 1,000 dev and test rows" in each.text.lower() and each.level == "warn" for each in fitting.found)
    fitting = prepare(write(short / "other.csv", columns()), make_settings({"target": "number"} | QUICK))
    assert not any(each.rule == "duplicates" for each in fitting.found)


def test_broken_off_and_resumed_it_ends_in_the_same_bits(short):
    path = write(short / "table.csv", columns())
    whole = fit(path, "number", out=short / "whole", **QUICK)
    fitting = prepare(path, make_settings({"target": "number"} | QUICK))
    fitting.open_folder(short / "run")
    for number, _ in enumerate(fitting.records()):
        if number == 7:  # in the midst of an epoch and of a pool
            fitting.save_checkpoint()
            break
    again, _ = resume(short / "run")
    assert 0 < again.start[0] < 100
    for _ in again.records():
        pass
    again.finish()
    same = [(short / each / "model.safetensors").read_bytes() for each in ("whole", "run")]
    assert same[0] == same[1]
    assert whole.params


def test_nothing_is_left_behind(short):
    path = write(short / "table.csv", columns())
    fit(path, "number", **QUICK)
    assert list((short / "copies").iterdir()) == []


def test_the_split_is_the_user_s(tmp_path):
    rng = np.random.default_rng(4)
    table = {
        "a": rng.normal(size=300),
        "when": np.arange(300)[::-1].copy(),
        "who": np.repeat(np.arange(60), 5),
        "part": np.where(np.arange(300) % 3 == 0, "test", "train").astype(object),
        "y": rng.choice(np.array(["no", "yes"], object), 300),
    }
    path = write(tmp_path / "table.csv", table)

    def parts_of(**asked):
        seen = taken(path, make_settings({"target": "y"} | asked))
        return seen, (seen.parts.train, seen.parts.dev, seen.parts.test)

    seen, (train, dev, test) = parts_of(split_column="part")
    np.testing.assert_array_equal(test, np.arange(0, 300, 3))
    assert (len(train), len(dev), seen.folds) == (200, 0, 8)
    assert seen.how == "as the column part says, folds stratified by class"
    seen, (train, dev, test) = parts_of(split_column="part", dev_share=0.15)
    assert (len(train), len(dev), seen.folds) == (170, 30, 0)
    assert seen.how == "as the column part says, dev stratified by class"
    assert ("part", "names the part of each row") in seen.preprocessor.set_aside

    seen, parts = parts_of(group="who", folds=0)
    assert sum(len(set(table["who"][each])) for each in parts) == 60  # no group in two parts
    assert seen.how == "stratified by class by whole groups of who"
    assert "who" not in [each.name for each in seen.preprocessor.columns]

    seen, (train, dev, test) = parts_of(time="when")
    assert table["when"][train].max() < table["when"][dev].min() < table["when"][test].min()
    assert (len(dev), len(test)) == (45, 45)
    assert seen.how == "the latest by when"
    assert "when" in [each.name for each in seen.preprocessor.columns]

    other = write(tmp_path / "held.csv", {name: values[:20] for name, values in table.items()})
    seen, (train, dev, test) = parts_of(test=str(other))
    np.testing.assert_array_equal(test, np.arange(300, 320))
    assert (len(train), len(dev), seen.folds) == (300, 0, 8)
    assert seen.how == "test as held.csv says, folds stratified by class"


@pytest.mark.parametrize(
    "asked, message",
    [
        ({"split_column": "prat"}, r"there is no column 'prat'.* Did you mean 'part'"),
        ({"group": "y"}, r"'y' is the target; another column must divide the rows"),
        ({"split_column": "y2"}, r"holds 'no' in data row 1; each row needs one of train"),
        ({"time": "y2"}, r"column of times holds neither numbers nor dates"),
        ({"test": "nowhere.csv"}, r"there is no such file"),
    ],
)
def test_impossible_splits_are_refused(tmp_path, asked, message):
    text = np.tile(np.array(["no", "yes"], object), 50)
    path = write(tmp_path / "table.csv", {"a": np.arange(100) / 7, "part": text, "y2": text, "y": text})
    with pytest.raises((DataError, ConfigError), match=message):
        taken(path, make_settings({"target": "y"} | asked))


def test_two_ways_to_split_are_refused():
    with pytest.raises(ConfigError, match=r"split_column and time divide the rows in different ways"):
        make_settings({"split_column": "a", "time": "b"})
    with pytest.raises(ConfigError, match=r"time and group divide"):
        make_settings({"group": "a", "time": "b"})


def test_long_tables_are_split_as_the_user_says(short):
    table = columns() | {"who": np.arange(ROWS) // 40, "part": np.where(np.arange(ROWS) % 5 == 0, "test", "train")}
    path = write(short / "table.csv", table)
    seen = taken(path, make_settings({"target": "number", "split_column": "part"}))
    np.testing.assert_array_equal(seen.parts.test, np.arange(0, ROWS, 5))
    assert len(seen.parts.dev) == 400  # of the 4,800 rows, the share that makes 500 of all
    seen = taken(path, make_settings({"target": "number", "group": "who"}))
    groups = [set(table["who"][each].tolist()) for each in (seen.parts.train, seen.parts.dev, seen.parts.test)]
    assert sum(map(len, groups)) == ROWS // 40
    with pytest.raises(ConfigError, match=r"too large to have the rows of more.csv added"):
        taken(path, make_settings({"target": "number", "test": "more.csv"}))
