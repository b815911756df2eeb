"""ONNX files made by hand, and onnxruntime beside what is read of them: what tests of this folder share."""

import numpy as np
import pytest

import preceptor as pr
from preceptor import nn

onnx = pytest.importorskip("onnx", reason="it makes the files: pip install 'preceptor[onnx]'")
onnxruntime = pytest.importorskip("onnxruntime", reason="it is the outside value: pip install 'preceptor[onnx]'")
helper = onnx.helper
FLOAT = onnx.TensorProto.FLOAT
RNG = np.random.default_rng(7)


def node(op, inputs="x", output="y", **attributes):
    return helper.make_node(op, inputs.split(), [output], **attributes)


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def positive(*shape):
    return RNG.uniform(0.5, 1.5, size=shape).astype(np.float32)


def whole(*values):
    return np.array(values, np.int64)


def saved(path, nodes, dims, constants=None, opset=20, batch="n"):
    """A file with these operations from x to y."""
    tensors = [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()]
    x, y = (helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in (("x", [batch, *dims]), ("y", None)))
    graph = helper.make_graph(nodes, "g", [x], [y], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def theirs(path, x):
    """What onnxruntime makes of a batch, one example after the other where the file is for one."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    step = len(x) if isinstance(given.shape[0], str) else given.shape[0]
    return np.concatenate([session.run(None, {given.name: x[at : at + step]})[0] for at in range(0, len(x), step)])


def agree(read, path, dims, engine="reference", batch=3, least=1e-3):
    """The network gives what onnxruntime makes of the file, which is no less than `least` somewhere."""
    x = np.random.default_rng(1).normal(size=(batch, *dims)).astype(np.float32)
    expected = theirs(path, x)
    turned = any(note.startswith("Its input has channels first") for note in read.notes)
    given = np.moveaxis(x, 1, -1) if turned else x
    assert read.input_shape == given.shape[1:]
    run = pr.jit(lambda p, s, x: read.network.apply(p, s, x, train=False, key=None)[0], engine=engine)
    found = np.asarray(run(read.params, read.state, given))
    if any(note.startswith("Its output has channels first") for note in read.notes):
        found = np.moveaxis(found, -1, 1)
    assert found.dtype == np.float32
    assert found.size == expected.size
    assert np.abs(expected).max() >= least
    np.testing.assert_allclose(found.reshape(expected.shape), expected, rtol=1e-5, atol=1e-5)


def kinds(network):
    """The classes of the layers, those within others too."""
    return [type(layer).__name__ for _, layer in nn.layer.leaves(network)]
