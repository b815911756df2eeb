"""`preceptor export`: what it says, and what it refuses in one line."""

import numpy as np
import pytest


@pytest.fixture
def iris(preceptor, here):
    assert preceptor("fit", "iris", "--hidden", 2, "--epochs", 1, "--engine", "reference", "--out", "run").code == 0
    return here


def test_a_run_becomes_a_file_by_its_suffix(preceptor, iris):
    pytest.importorskip("onnxruntime", reason="it tries the file: pip install 'preceptor[onnx]'")
    code, out, err = preceptor("export", "run", "-o", "iris.onnx")
    assert (code, err) == (0, "")
    assert "export    iris.onnx: Opset 20, " in out
    assert "256 rows that are made up and 150 rows of the data" in out
    assert (iris / "iris.onnx").stat().st_size > 1000
    assert preceptor("export", "run", "-o", "iris.npz").code == 0
    assert "metadata" in np.load(iris / "iris.npz")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("export", "run", "-o", "iris.pt"), "iris.pt: received the suffix '.pt'"),
        (("export", "gone", "-o", "iris.onnx"), "gone"),
        (("export", "run", "-o", "gone/iris.onnx"), "gone/iris.onnx: cannot be written"),
        (("export", "run", "-o", "iris.onnx", "--opset", "19"), "opset: received 19; 20 to"),
        (("export", "run", "-o", "iris.onnx", "--opset", "500"), "opset: received 500; 20 to"),
        (("export", "run", "-o", "iris.onnx", "--check", "gone.csv"), "gone.csv"),
        (("export", "run", "-o", "iris.npz", "--opset", "20"), "received opset for the format numpy"),
        (("export", "run", "-o", "run/config.json", "--format", "onnx"), "it would be replaced"),
        (("export", "run"), "Missing option"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(preceptor, iris, words, said):
    pytest.importorskip("onnxruntime", reason="it tries the file: pip install 'preceptor[onnx]'")
    before = sorted(iris.rglob("*"))
    code, out, err = preceptor(*words)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
    assert sorted(iris.rglob("*")) == before
