"""Every layer, and every ready network, goes out; onnxruntime's numbers are the outside value."""

import runpy
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pytest

import preceptor as pr
from preceptor import nn
from preceptor.errors import ConfigError, NotSupported
from preceptor.export.onnx.builder import Builder, newest_opset
from preceptor.export.onnx.layers import FORMS
from preceptor.export.onnx.network import write_network
from preceptor.export.onnx.proof import largest_difference
from preceptor.nn.config import KNOWN
from preceptor.nn.layer import Layer, output_spec

pytest.importorskip("onnx", reason="what is tested is written with it: pip install 'preceptor[onnx]'")
pytest.importorskip("onnxruntime", reason="it runs what was written: pip install 'preceptor[onnx]'")

FILES = sorted((Path(__file__).parents[1] / "nn").glob("test_*.py"))  # each has a row for each layer of its module
ROWS = [row for file in FILES for row in runpy.run_path(str(file)).get("ROWS", [])]
LAYERS = [(layer, tuple(shape)) for layer, shape, *_ in ROWS]
IDS = [f"{type(layer).__name__}-{number}" for number, (layer, _) in enumerate(LAYERS)]
MOST = 1e-5


def inside(layer):
    yield layer
    for field in fields(layer):
        value = getattr(layer, field.name)
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, Layer):
                yield from inside(each)


def learned(layer, shape, dtype, rng):
    """Parameters and state as training leaves them: none is where it began."""
    params, state = layer.init(rng, pr.Spec((2, *shape), np.dtype(dtype)))
    moved = {name: value + 0.1 * rng.normal(size=np.shape(value)).astype(np.float32) for name, value in params.items()}
    return moved, {
        name: value + np.abs(rng.normal(size=np.shape(value))).astype(np.float32) for name, value in state.items()
    }


def written(layer, params, state, shape, dtype=np.float32, opset=20, **more):
    """The model of a network alone."""
    builder = Builder(opset)
    name = write_network(builder, layer, params, state, builder.input("x", dtype, shape), shape, dtype, **more)
    out = output_spec(layer, params, state, pr.Spec((2, *shape), np.dtype(dtype)))
    builder.output(name, "y", np.float32, out.shape[1:])
    return builder.finish({})


def ours(layer, params, state, x):
    return np.asarray(layer.apply(params, state, x, train=False, key=None)[0])


def check(layer, shape, opset=20, counts=(1, 3, 8)):
    """The model, after its outputs were compared at several numbers of rows."""
    rng = np.random.default_rng(5)
    is_whole = any(isinstance(each, nn.Embedding) for each in inside(layer))
    dtype = np.int32 if is_whole else np.float32
    params, state = learned(layer, shape, dtype, rng)
    model = written(layer, params, state, shape, dtype, opset)
    for count in counts:
        x = (
            rng.integers(0, 3, (count, *shape)).astype(dtype)
            if is_whole
            else rng.normal(size=(count, *shape)).astype(dtype)
        )
        wanted = ours(layer, params, state, x)
        assert largest_difference(model.SerializeToString(), {"x": x}, {"y": wanted}) <= MOST
    return model


def operators(model):
    return [node.op_type for node in model.graph.node]


def test_every_layer_of_the_closed_list_is_tried():
    layers = {kind for kind in KNOWN.values() if issubclass(kind, Layer)}
    assert layers - {type(each) for layer, _ in LAYERS for each in inside(layer)} == set()
    assert set(FORMS) <= layers


@pytest.mark.parametrize("opset", [20, 21, None])
@pytest.mark.parametrize("layer, shape", LAYERS, ids=IDS)
def test_a_layer_goes_out(layer, shape, opset):
    check(layer, shape[1:], opset or newest_opset())
