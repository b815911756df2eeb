"""Weights in files of others: what is in them, and what others read there."""

import hashlib
import json
import os

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from safetensors import safe_open
from safetensors.numpy import load_file

import preceptor as pr
from preceptor import nn
from preceptor.errors import ConfigError, DataError
from preceptor.export.weights_file import metadata, write_numpy, write_safetensors
from preceptor.foreign.reading import read_weights
from preceptor.job import fit

GIVEN = {"engine": "reference", "epochs": 1, "hidden": (4,), "members": 1, "batch_norm": True}
PRICES = {"size": np.sin(np.arange(60)), "price": np.cos(np.arange(60)) * 100 + 500}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return fit("iris", **GIVEN, out=tmp_path_factory.mktemp("run") / "r")


def noted(path):
    with safe_open(path, "np") as file:
        return file.metadata()


def test_safetensors_reads_all_arrays_and_what_is_told_of_them(run, tmp_path):
    said = write_safetensors(run, tmp_path / "w.safetensors")
    found = load_file(tmp_path / "w.safetensors")
    assert {"hidden1/weight", "norm1/scale", "norm1/mean", "output/bias"} <= set(found)
    for name, value in (run.params | run.state).items():
        assert_array_equal(found[name], value)
    told = noted(tmp_path / "w.safetensors")
    assert told == metadata(run)
    assert nn.from_config(json.loads(told["network"])) == run.network
    assert told["network_sha256"] == hashlib.sha256(told["network"].encode()).hexdigest()
    assert json.loads(told["classes"]) == ["setosa", "versicolor", "virginica"]
    assert (told["licence"], told["data"], told["rows"]) == ("not stated", "iris", "150")
    assert told["data_fingerprint"] == run.evidence.fingerprint != ""
    assert json.loads(told["settings"])["epochs"] == 1
    assert said[0].endswith(f"numbers, {(tmp_path / 'w.safetensors').stat().st_size:,} bytes.")


def test_numpy_reads_the_same_without_pickle_and_the_bytes_are_the_same_again(run, tmp_path):
    for name in ("a.npz", "b.npz"):
        write_numpy(run, tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with np.load(tmp_path / "a.npz", allow_pickle=False) as found:
        assert json.loads(str(found["metadata"])) == metadata(run)
        for name, value in (run.params | run.state).items():
            assert found[name].dtype == value.dtype
            assert_array_equal(found[name], value)


def test_they_come_back_as_weights_of_others_do(run, tmp_path):
    for name, write in (("w.safetensors", write_safetensors), ("w.npz", write_numpy)):
        write(run, tmp_path / name)
        found = read_weights(tmp_path / name)
        assert (found.layout, found.notes) == ("channels-last", metadata(run))
        for path, value in (run.params | run.state).items():
            assert_array_equal(found.values[path], value)


def test_a_run_is_rebuilt_from_the_file_alone(tmp_path):
    run = fit(PRICES, "price", **GIVEN)
    write_safetensors(run, tmp_path / "w.safetensors")
    told, arrays = noted(tmp_path / "w.safetensors"), load_file(tmp_path / "w.safetensors")
    from preceptor.data import Preprocessor

    own = {
        name.removeprefix("preprocessor/"): each for name, each in arrays.items() if name.startswith("preprocessor/")
    }
    preprocessor = Preprocessor.from_dict(json.loads(told["preprocessor"]), own)
    target = json.loads(told["targets"])[0]
    assert target["mean"] == pytest.approx(run.targets[0].mean)
    assert (told["classes"], target["unit"]) == ("[]", "that of price, which is output * deviation + mean")
    network, loss = (nn.from_config(json.loads(told[part])) for part in ("network", "loss"))
    x = preprocessor.transform(preprocessor.open(PRICES)).astype(np.float64)
    outputs = network.apply(arrays, arrays, x, train=False, key=None)[0]
    found = np.asarray(loss.predict(outputs)) * target["deviation"] + target["mean"]
    np.testing.assert_allclose(found, run.predict(PRICES), rtol=1e-6)


def test_arrays_of_the_preprocessing_go_with_the_weights(tmp_path):
    image = pytest.importorskip("PIL.Image")
    for name in ("a", "b"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for each in range(6):
            pixels = np.random.default_rng(each).integers(0, 256, (6, 6, 3), np.uint8)
            image.fromarray(pixels).save(tmp_path / "set" / name / f"{each}.png")
    run = fit(tmp_path / "set", engine="reference", epochs=1, model="mlp", hidden=(3,))
    write_safetensors(run, tmp_path / "w.safetensors")
    found = load_file(tmp_path / "w.safetensors")
    assert_array_equal(found["preprocessor/shift"], run.preprocessor.normalise.shift)
    assert noted(tmp_path / "w.safetensors")["input_shape"] == "[6,6,3]"


def test_what_is_said_of_the_licence_is_told(run):
    from dataclasses import replace

    assert metadata(replace(run, facts=run.facts | {"licence": "CC-BY-4.0"}))["licence"] == "CC-BY-4.0"
    assert metadata(replace(run, evidence=None))["data_fingerprint"] == "not stated"


def test_mistakes_are_a_line_and_leave_nothing(run, tmp_path, monkeypatch):
    for write in (write_safetensors, write_numpy):
        with pytest.raises(DataError, match=r"^export: .*cannot be written \(No such file"):
            write(run, tmp_path / "nowhere" / "w")
        with pytest.raises(ConfigError, match="which is read; it would be replaced"):
            write(run, run.path / "model.safetensors")
        (tmp_path / "kept").write_text("before")
        monkeypatch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(DataError, match="No space left on device"):
            write(run, tmp_path / "kept")
        monkeypatch.undo()
        assert (tmp_path / "kept").read_text() == "before"
    assert [each.name for each in tmp_path.iterdir()] == ["kept"]
    assert pr.load(run.path).predict("iris").shape == (150,)
