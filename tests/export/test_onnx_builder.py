import sys

import numpy as np
import pytest

from preceptor.errors import ConfigError
from preceptor.export.onnx.builder import ML, Builder, load_onnx, newest_opset

onnx = pytest.importorskip("onnx", reason="the builder writes with it: pip install 'preceptor[onnx]'")
runtime = pytest.importorskip("onnxruntime", reason="it runs what was written: pip install 'preceptor[onnx]'")


def run(model, **inputs):
    session = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, inputs)


@pytest.mark.parametrize("opset", [20, 21, None])
def test_a_graph_of_numbers_and_texts_runs_on_any_number_of_rows(opset):
    builder = Builder(opset or newest_opset())
    x, words = builder.input("x", np.float32, (2,)), builder.input("word", str)
    with builder.at("inner"):
        doubled = builder.node("Mul", x, builder.constant(np.float32(2)))
        code = builder.node(
            "LabelEncoder", words, domain=ML, keys_strings=["a", "b"], values_int64s=[10, 20], default_int64=-1
        )
    builder.output(doubled, "double", np.float32, (2,))
    builder.output(code, "code", np.int64)
    builder.output(doubled, "again", np.float32, (2,))
    builder.output(x, "same", np.float32, (2,))
    model = builder.finish({"licence": "none"})
    for rows in (1, 3):
        numbers = np.arange(2 * rows, dtype=np.float32).reshape(rows, 2)
        found = run(model, x=numbers, word=np.array(["a", "c", "b"][:rows], object))
        np.testing.assert_array_equal(found[0], 2 * numbers)
        np.testing.assert_array_equal(found[1], [10, -1, 20][:rows])
        np.testing.assert_array_equal(found[2], 2 * numbers)
        np.testing.assert_array_equal(found[3], numbers)
    assert [each.name for each in model.graph.node][:2] == ["inner/mul", "inner/labelencoder"]
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "rows"
    assert {each.key: each.value for each in model.metadata_props} == {"licence": "none"}
    assert model.producer_name == "preceptor"
    versions = {each.domain: each.version for each in model.opset_import}
    assert versions[""] == (opset or newest_opset())
    assert versions[ML] == {20: 4}.get(opset, 5)


def test_equal_constants_are_held_once_and_only_where_they_are_read():
    builder = Builder()
    first = builder.constant(np.arange(5000.0), "weight")
    assert builder.constant(np.arange(5000.0), "other") == first
    assert builder.constant(np.arange(5000), "other") != first
    assert builder.constant(["a", "b"]) == builder.constant(np.array(["a", "b"]))
    assert builder.constant(np.float32(1)) != builder.constant(np.ones(1, np.float32))
    x = builder.input("x", np.float64, (5000,))
    builder.output(builder.node("Add", x, first), "y", np.float64, (5000,))
    assert [each.name for each in builder.finish({}).graph.initializer] == ["weight"]


def test_names_are_told_apart():
    builder = Builder()
    with builder.at("hidden"):
        assert [builder.fresh("w"), builder.fresh("w"), builder.fresh("w_2"), builder.fresh("w")] == [
            "hidden/w",
            "hidden/w_2",
            "hidden/w_2_2",
            "hidden/w_3",
        ]
    assert builder.fresh("w") == "w"


def test_what_an_opset_lacks_is_told():
    builder = Builder(20)
    assert builder.has("Gelu")
    assert not builder.has("RMSNormalization")
    with pytest.raises(ConfigError, match=r"received 20; RMSNormalization needs version 23 of ai.onnx"):
        builder.node("RMSNormalization", "x", "y")
    for wrong in (19, newest_opset() + 1):
        with pytest.raises(ConfigError, match=rf"opset: received {wrong}; 20 to {newest_opset()} is required"):
            Builder(wrong)


def test_several_outputs_come_as_a_tuple():
    builder = Builder()
    x = builder.input("x", np.float32, (4,))
    left, right = builder.node("Split", x, outputs=2, axis=1, num_outputs=2)
    builder.output(left, "left", np.float32, (2,))
    builder.output(right, "right", np.float32, (2,))
    found = run(builder.finish({}), x=np.arange(4, dtype=np.float32)[None])
    np.testing.assert_array_equal(found, [[[0, 1]], [[2, 3]]])


def test_more_than_a_file_holds_is_refused():
    builder = Builder()
    wide = np.lib.stride_tricks.as_strided(np.zeros(1), (2**28 + 1,), (0,))  # takes no memory itself
    name = builder.fresh("weight")
    builder._constants[name] = wide
    x = builder.input("x", np.float64, (2**28 + 1,))
    builder.output(builder.node("Add", x, name), "y", np.float64, (2**28 + 1,))
    with pytest.raises(ConfigError, match=r"has 2\.0 GiB of weights; an ONNX file holds less than 2\. Export it with"):
        builder.finish({})


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_without_the_extra_the_way_to_it_is_told(monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ConfigError, match=r"Install them: python -m pip install -e '\.\[onnx\]'"):
        load_onnx()
