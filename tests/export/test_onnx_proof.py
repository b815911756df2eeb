import numpy as np
import pytest

from preceptor.errors import DataError
from preceptor.export.onnx.builder import Builder
from preceptor.export.onnx.proof import largest_difference, run_model

pytest.importorskip("onnx", reason="what is tested is written with it: pip install 'preceptor[onnx]'")
pytest.importorskip("onnxruntime", reason="it runs what was written: pip install 'preceptor[onnx]'")


@pytest.fixture(scope="module")
def doubling():
    """A model of two outputs: twice the numbers, and the words as they are."""
    builder = Builder()
    x, word = builder.input("x", np.float32, (2,)), builder.input("word", str)
    builder.output(builder.node("Mul", x, builder.constant(np.float32(2))), "double", np.float32, (2,))
    builder.output(word, "same", str)
    return builder.finish({}).SerializeToString()


def inputs(x, words=("a",)):
    return {"x": np.asarray(x, np.float32), "word": np.array(words, object)}


def test_outputs_come_by_name(doubling):
    found = run_model(doubling, inputs([[1, 2]]))
    assert found["double"].tolist() == [[2, 4]]
    assert found["same"].tolist() == ["a"]


@pytest.mark.parametrize(
    "x, double, difference",
    [
        ([[1, 2]], [[2, 4]], 0),
        ([[1, 2]], [[2, 4.5]], 0.5 / 4.5),
        ([[0.1, 0.2]], [[0.2, 0.3]], 0.1),  # relative to 1 where all are below it
        ([[np.nan, np.inf]], [[np.nan, np.inf]], 0),
        ([[np.nan, 1]], [[0, 2]], np.inf),
        ([[np.inf, 1]], [[-np.inf, 2]], np.inf),
    ],
)
def test_the_difference_is_the_largest_relative_to_scale(doubling, x, double, difference):
    found = largest_difference(doubling, inputs(x), {"double": np.array(double)})
    assert found == pytest.approx(difference, rel=1e-6)


def test_texts_are_the_same_or_not(doubling):
    assert largest_difference(doubling, inputs([[1, 2]]), {"same": np.array(["a"])}) == 0
    assert largest_difference(doubling, inputs([[1, 2]]), {"same": np.array(["b"])}) == np.inf


def test_what_is_missing_or_has_another_shape_is_told(doubling):
    with pytest.raises(DataError, match=r"^onnx: the output half is not there; shape \(1, 2\) is required\.$"):
        largest_difference(doubling, inputs([[1, 2]]), {"half": np.zeros((1, 2))})
    with pytest.raises(DataError, match=r"^onnx: the output double has shape \(1, 2\); shape \(1, 3\) is required\.$"):
        largest_difference(doubling, inputs([[1, 2]]), {"double": np.zeros((1, 3))})


def test_onnxruntime_says_nothing(doubling, capfd):
    run_model(doubling, inputs([[1, 2]]))
    assert capfd.readouterr() == ("", "")
