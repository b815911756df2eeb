import sys
from pathlib import Path

import pytest

import preceptor as pr
from preceptor.errors import ConfigError, DataError
from preceptor.export.writing import FORMATS, SUFFIXES, export, format_of


@pytest.mark.parametrize(
    ("name", "format"), [("a.onnx", "onnx"), ("a.b.NPZ", "numpy"), ("a.safetensors", "safetensors"), ("a.c", "c")]
)
def test_the_suffix_tells_the_format(name, format):
    assert format_of(Path(name)) == format
    assert set(SUFFIXES.values()) == set(FORMATS)


def test_a_format_that_is_given_counts_whatever_the_suffix():
    assert format_of(Path("weights.bin"), "safetensors") == "safetensors"


@pytest.mark.parametrize(("name", "what"), [("a.pt", "the suffix '.pt'"), ("model", "no suffix")])
def test_an_unknown_suffix_is_refused_with_those_that_are_known(name, what):
    with pytest.raises(ConfigError, match=rf"received {what}; \.onnx, \.safetensors, \.npz, \.c tell the format"):
        format_of(Path(name))


def test_an_unknown_format_is_refused():
    with pytest.raises(
        ConfigError, match="received the format 'torch'; one of onnx, safetensors, numpy, c is required"
    ):
        format_of(Path("a.onnx"), "torch")


@pytest.mark.parametrize("what", ["opset", "check"])
def test_what_only_onnx_takes_is_refused_of_others(tmp_path, what):
    with pytest.raises(ConfigError, match=f"received {what} for the format numpy"):
        export(tmp_path, tmp_path / "a.npz", **{what: 20})


def test_a_run_that_is_not_there_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(DataError, match="gone"):
        export(tmp_path / "gone", tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


def test_the_package_is_the_function_too():
    with pytest.raises(ConfigError, match="received no suffix"):
        pr.export("run", "model")


def test_a_missing_package_is_one_line_with_the_cure(tmp_path, monkeypatch):
    run = pr.fit("iris", hidden=(2,), epochs=1, engine="reference")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ConfigError, match=r"onnx and onnxruntime are required\. Install them: "):
        export(run, tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())
