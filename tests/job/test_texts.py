"""Columns of sentences, from a table to a saved network and back."""

import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pandas
import pytest

import preceptor as pr
from preceptor.data import LongTable
from preceptor.data.encoding.texts import Text
from preceptor.data.tables import long_table
from preceptor.errors import DataError
from preceptor.job import load, make_settings, prepare, resume

QUICK = {"epochs": 12, "hidden": (16,), "learning_rate": 0.01}
CALM = "we meet at home for dinner with mother and talk about the garden"
LOUD = "claim a free prize now and call this number to win cash today"


def table(rows=600, seed=0):
    """Sentences of two kinds: each has seven words of one kind and three of the other."""
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, 2, rows)

    def one(kind):
        own, other = (CALM, LOUD) if kind == 0 else (LOUD, CALM)
        return " ".join(rng.permutation([*rng.choice(own.split(), 7), *rng.choice(other.split(), 3)]).tolist())

    return {"text": [one(kind) for kind in kinds], "kind": np.array(["calm", "loud"], object)[kinds]}


def digest(run):
    return hashlib.sha256((run / "model.safetensors").read_bytes()).hexdigest()


@pytest.mark.parametrize("given", [QUICK, {"members": 3, "epochs": 12}, {"ensemble": 2, **QUICK}])
def test_a_table_of_text_alone_is_learned_saved_and_read(tmp_path, given):
    run = pr.fit(table(), "kind", **given)
    assert run.test["accuracy"].value > 0.95
    assert any("Text, by the main directions" in line for line in run.preprocessor.lines())
    again = pr.load(run.save(tmp_path / "run").path)
    assert again.preprocessor == run.preprocessor
    new = {"text": table(50, seed=1)["text"] + [None, "", "zzz qqq"]}
    assert again.predict_probabilities(new).tobytes() == run.predict_probabilities(new).tobytes()
    assert again.evaluate(table(200, seed=2))["accuracy"].value > 0.95
    assert again.notes(new) == [
        "Column 'text' holds no word, nor part of one, that training knew in 1 of 53 rows; they count as an average "
        "text.",
        "Column 'text' is missing in 1 of 53 rows, and never was in training; the usual value stands there.",
    ]


def test_a_frame_and_a_file_are_the_same(tmp_path):
    made = table()
    frame = pandas.DataFrame(made)
    frame.to_csv(tmp_path / "t.csv", index=False)
    one, other = pr.fit(frame, "kind", **QUICK), pr.fit(tmp_path / "t.csv", "kind", **QUICK)
    assert all(one.params[name].tobytes() == other.params[name].tobytes() for name in one.params)
    assert (one.predict(frame) == other.predict(tmp_path / "t.csv")).all()


@pytest.mark.parametrize("given", [{"model": "logistic"}, {"preprocess": "pca", "hidden": (8,)}, {"polynomial": 2}])
def test_other_models_and_preprocessing_take_it(given):
    made = table() | {"x": np.arange(600.0), "z": np.arange(600.0) % 13}
    run = pr.fit(made, "kind", epochs=15, learning_rate=0.02, **given)
    assert (run.test or run.dev)["accuracy"].value > 0.9
    new = {"text": ["zzz qqq", CALM], "x": [1.0, 2.0], "z": [1.0, 2.0]}
    assert len(run.notes(new)) == 1


def test_a_number_is_told_by_text():
    made = table()
    amount = np.where(made.pop("kind") == "loud", 3.0, -1.0) + np.random.default_rng(1).normal(size=600)
    for given in ({"model": "linear"}, {}):
        run = pr.fit(made | {"amount": amount}, "amount", epochs=15, learning_rate=0.02, **given)
        assert (run.test or run.dev)["r2"].value > 0.6


def test_it_can_be_left_out():
    made = table() | {"x": np.arange(600.0) * (-1.0) ** np.arange(600)}
    run = pr.fit(made, "kind", leave_out="text", **QUICK)
    assert run.preprocessor.set_aside == (("text", "left out as asked"),)
    with pytest.raises(DataError, match="no column can be learned from"):
        pr.fit(table(), "kind", leave_out="text", **QUICK)


def test_what_predicts_needs_the_column():
    run = pr.fit(table(), "kind", **QUICK)
    with pytest.raises(DataError, match="'text' is missing; the columns text are needed"):
        run.predict({"words": ["one two"]})


def test_a_long_table_is_trained_and_predicted_piece_by_piece(tmp_path, monkeypatch):
    path = tmp_path / "long.csv"
    pandas.DataFrame(table(3_000) | {"x": np.arange(3_000) % 7}).to_csv(path, index=False)
    whole = pr.fit(path, "kind", **QUICK)
    seen, before = features(whole.preprocessor, path), whole.predict_probabilities(path)
    monkeypatch.setattr(long_table, "MOST_CELLS", 100)
    monkeypatch.setattr(long_table, "PIECE_CELLS", 1)
    assert isinstance(prepare(path, make_settings({"target": "kind"} | QUICK)).seen.table, LongTable)
    run = pr.fit(path, "kind", **QUICK)
    assert isinstance(next(each for each in run.preprocessor.columns if each.name == "text"), Text)
    assert run.test["accuracy"].value > 0.95
    np.testing.assert_array_equal(features(whole.preprocessor, path), seen)
    np.testing.assert_allclose(whole.predict_probabilities(path), before, rtol=1e-5, atol=1e-7)  # BLAS adds otherwise


def features(preprocessor, source):
    return np.concatenate([x for _, x in preprocessor.pieces(preprocessor.open(source))])


def test_a_broken_off_training_ends_in_the_same_bits(tmp_path):
    pandas.DataFrame(table()).to_csv(tmp_path / "t.csv", index=False)
    settings = make_settings({"target": "kind", "engine": "reference"} | QUICK)

    broken = prepare(tmp_path / "t.csv", settings)
    broken.open_folder(tmp_path / "broken")
    records = broken.records()
    for _ in range(3):
        next(records)
    records.close()
    broken.finish()
    again, _ = resume(tmp_path / "broken")
    whole = prepare(tmp_path / "t.csv", settings)
    whole.open_folder(tmp_path / "whole")
    for fitting in (again, whole):
        for _ in fitting.records():
            pass
        fitting.finish()
    assert digest(tmp_path / "broken") == digest(tmp_path / "whole")
    assert load(tmp_path / "broken").preprocessor == load(tmp_path / "whole").preprocessor


CODE = """
import sys, preceptor as pr
run = pr.fit(sys.argv[1], "kind", epochs=2, hidden=(8,), threads=int(sys.argv[2]))
run.save(sys.argv[3])
"""


def test_the_bits_depend_neither_on_threads_nor_on_the_process(tmp_path):
    pandas.DataFrame(table()).to_csv(tmp_path / "t.csv", index=False)
    for threads in ("1", "2"):
        subprocess.run(
            [sys.executable, "-c", CODE, tmp_path / "t.csv", threads, tmp_path / threads],
            env=os.environ | {"OPENBLAS_NUM_THREADS": threads, "PYTHONHASHSEED": threads},
            check=True,
        )
    assert digest(tmp_path / "1") == digest(tmp_path / "2")


def test_a_run_of_text_that_was_changed_is_refused(tmp_path):
    run = pr.fit(table(), "kind", **QUICK).save(tmp_path / "run")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert set(config["preprocessor"]["columns"][0]) == {"form", "name", "texts", "missing", "mean", "sd"}
    content = bytearray((tmp_path / "run" / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (tmp_path / "run" / "model.safetensors").write_bytes(bytes(content))
    with pytest.raises(DataError, match="cannot be read"):
        pr.load(run.path)
