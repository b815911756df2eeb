"""Files that are damaged, or made to harm: refused in one line, in bounded time and memory."""

import resource
import sys
import tracemalloc
from inspect import stack
from itertools import pairwise

import numpy as np
import pytest
from onnx_files import FLOAT, helper, node, normal, onnx, saved, whole

from preceptor.errors import ConfigError, DataError
from preceptor.foreign.onnx_network import read_network

WIDE = {"w": normal(4, 3)}


@pytest.fixture
def made(tmp_path):
    """Returns `make(nodes, dims, constants, change)`: a file, its model changed by a function."""

    def make(nodes, dims=(4,), constants=None, change=lambda model: None, **more):
        path = saved(tmp_path / "n.onnx", nodes, dims, constants, **more)
        model = onnx.load(path, load_external_data=False)
        change(model)
        path.write_bytes(model.SerializeToString())
        return path

    return make


def refused(path):
    """The one line by which a file is refused."""
    with pytest.raises(DataError) as found:
        read_network(path)
    text = str(found.value)
    assert text.startswith(path.name if path.is_file() else str(path))
    assert len(text) < 400
    assert text.isprintable()
    return text


def branch():
    graph = helper.make_graph([], "b", [], [helper.make_tensor_value_info("x", FLOAT, None)])
    return node("If", "c", then_branch=graph, else_branch=graph)


def external(model):
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")


def function(model):
    made = helper.make_function("own", "F", ["a"], ["b"], [helper.make_node("Relu", ["a"], ["b"])], [])
    model.functions.append(made)


def second_input(model):
    model.graph.input.append(helper.make_tensor_value_info("z", FLOAT, ["n", 4]))


def shape_of_input(*lengths):
    def change(model):
        shape = model.graph.input[0].type.tensor_type.shape
        del shape.dim[:]
        for each in lengths:
            shape.dim.add(**({"dim_value": each} if isinstance(each, int) else {"dim_param": each}))

    return change


def dims_of_weight(*lengths):
    def change(model):
        del model.graph.initializer[0].dims[:]
        model.graph.initializer[0].dims.extend(lengths)

    return change


def type_of_weight(number):
    return lambda model: setattr(model.graph.initializer[0], "data_type", number)


def twice(model):
    model.graph.initializer.append(model.graph.initializer[0])


def opset(number):
    return lambda model: setattr(model.opset_import[0], "version", number)


def attribute(name, **value):
    def change(model):
        made = model.graph.node[0].attribute.add(name=name)
        for key, each in value.items():
            getattr(made, key).extend(each) if isinstance(each, list) else setattr(made, key, each)

    return change


CONV = ([node("Conv", "x w")], (3, 6, 5), {"w": normal(4, 3, 3, 3)})
INTS, INT, STRING = onnx.AttributeProto.INTS, onnx.AttributeProto.INT, onnx.AttributeProto.STRING
HOSTILE = {
    "a branch": (([branch()], (4,), {"c": np.bool_(True)}), None, "If.*holds a graph of its own"),
    "weights elsewhere": (([node("MatMul", "x w")], (4,), WIDE), external, "'w' lies in another file"),
    "functions": (([node("Relu")],), function, "functions of its own.*inline_local_functions"),
    "two inputs": (([node("Relu")],), second_input, r"it has 2 inputs \('x', 'z'\)"),
    "a circle": (
        ([node("Add", "x b", "a"), node("Relu", "a", "b"), node("Relu", "b")],),
        None,
        "'b' before it is made",
    ),
    "out of order": (([node("Relu", "a"), node("Tanh", "x", "a")],), None, "takes 'a' before it is made"),
    "nothing there": (([node("Add", "x nothing")],), None, "nothing makes the value 'nothing'"),
    "one name twice": (
        ([node("Relu", "x", "a"), node("Tanh", "x", "a"), node("Relu", "a")],),
        None,
        "'a' stands for two",
    ),
    "the input made": (([node("Relu", "x", "x"), node("Relu")],), None, "'x' stands for two"),
    "one constant twice": (([node("MatMul", "x w")], (4,), WIDE), twice, "two constants have the name 'w'"),
    "itself": (([node("Relu", "y")],), None, "'y' before it is made"),
    "unknown": (([node("Cos")],), None, "Cos 'y' is an operation that no layer here is made of"),
    "another's": (
        ([helper.make_node("FusedConv", ["x"], ["y"], domain="com.microsoft")],),
        None,
        "com.microsoft.FusedConv",
    ),
    "only a constant": (([node("Identity", "w")], (4,), WIDE), None, "'y' does not depend on its input"),
    "nothing done": (([node("Identity")],), None, "gives its input back"),
    "a huge input": (([node("Relu")],), shape_of_input("n", 1 << 40, 1 << 20), "which no network's has"),
    "a huge weight": (
        ([node("MatMul", "x w")], (4,), WIDE),
        dims_of_weight(1 << 40, 1 << 40),
        "which its bytes do not fill",
    ),
    "a negative weight": (([node("MatMul", "x w")], (4,), WIDE), dims_of_weight(-4, -3), "which its bytes do not fill"),
    "lengths left open": (
        ([node("Relu")],),
        shape_of_input("n", 3, "h", "w"),
        r"shape \(\?, 3, \?, \?\); all lengths but",
    ),
    "no features": (([node("Relu")],), shape_of_input("n"), "has 1 axes; a batch and 1 to 4"),
    "texts": (([node("MatMul", "x w")], (4,), WIDE), type_of_weight(8), "is of ONNX's type 8"),
    "complex": (([node("MatMul", "x w")], (4,), WIDE), type_of_weight(14), "complex64, which its bytes do not fill"),
    "doubles that are none": (
        ([node("MatMul", "x w")], (4,), WIDE),
        type_of_weight(11),
        "of float64, which its bytes do not fill",
    ),
    "an old opset": (([node("Relu")],), opset(6), "of opset 6; 7 to"),
    "a coming opset": (([node("Relu")],), opset(1 << 40), "are of opset 1099511627776"),
    "an unknown setting": (([node("Relu")],), attribute("power", type=INT, i=2), "setting 'power', which is not read"),
    "a setting of another type": (CONV, attribute("strides", type=STRING, s=b"2"), "its strides is of the wrong type"),
    "negative padding": (CONV, attribute("pads", type=INTS, ints=[-1, 0, 0, 0]), "below what it can be"),
    "huge padding": (CONV, attribute("pads", type=INTS, ints=[1 << 40] * 4), "which no network's has"),
    "no stride": (CONV, attribute("strides", type=INTS, ints=[0, 0]), "below what it can be"),
    "no groups": (CONV, attribute("group", type=INT, i=0), "in 0 groups; they do not fit"),
    "a huge group": (CONV, attribute("group", type=INT, i=1 << 62), "they do not fit"),
    "another window": (CONV, attribute("kernel_shape", type=INTS, ints=[5, 5]), "its weight has the shape"),
    "a huge window": (([node("AveragePool", kernel_shape=[200, 200])], (1, 300, 300)), None, "40,000 places"),
    "a window too large": (([node("MaxPool", kernel_shape=[3, 3])], (1, 2, 2)), None, "windows reach over"),
    "huge zeros": (([node("Pad", "x p")], (4,), {"p": whole(0, 1 << 40, 0, 0)}), None, "which no network's has"),
    "cut off": (([node("Pad", "x p")], (4,), {"p": whole(0, -1, 0, 0)}), None, "cuts off"),
    "a huge constant": (
        ([node("ConstantOfShape", "s", "c"), node("Add", "x c")], (4,), {"s": whole(1 << 30, 1 << 30, 4)}),
        None,
        "more than 8 times its size",
    ),
    "examples mixed": (([node("Reshape", "x s")], (4,), {"s": whole(-1, 2)}), None, "Each example is read by itself"),
    "examples turned": (
        ([node("Transpose", "x", "a", perm=[1, 0]), node("Relu", "a")],),
        None,
        "axis of the examples is not the first",
    ),
    "examples last": (([node("Transpose", perm=[1, 0])],), None, "axis of the examples is not the first"),
    "an axis too many": (([node("Softmax", axis=5)],), None, "it names axis 5 of 2"),
    "a weight that is no number": (([node("Add", "x w")], (4,), {"w": np.array([True] * 4)}), None, "is no number"),
    "a weight that does not fit": (([node("MatMul", "x w")], (5,), WIDE), None, "has 5 features, its weight the shape"),
    "attention": (([node("MatMul", "x x")], (4, 4)), None, "is computed from the network's, where a constant is read"),
    "written for training": (
        (
            [node("BatchNormalization", "x s s s s", training_mode=1)],
            (3, 2, 2),
            {"s": np.ones(3, np.float32)},
        ),
        None,
        "written for training",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_not_read_is_refused_in_one_line(name, made):
    case, change, message = HOSTILE[name]
    path = made(*case, **({"change": change} if change else {}))
    with pytest.raises(DataError, match=message):
        read_network(path)
    refused(path)


def test_a_name_that_would_write_to_the_terminal_is_made_harmless(made):
    def change(model):
        model.graph.node[0].op_type = "Cos\n\x1b[2J" * 50
        model.graph.node[0].name = "a\nb" * 500

    assert "Cos" in refused(made([node("Relu")], change=change))


def test_a_name_that_is_no_text_is_refused(made):
    path = made([node("Softsign", "x", "soft"), node("Relu", "soft")])
    for name in (b"Softsign", b"soft"):
        changed = path.parent / "n.onnx"
        changed.write_bytes(path.read_bytes().replace(name, b"\xff" * len(name)))
        assert "a name that is no text" in refused(changed)


def chain(op, length, **attributes):
    """An operation again and again."""
    names = ["x", *(f"v{each}" for each in range(length - 1)), "y"]
    return [helper.make_node(op, [a], [b], **attributes) for a, b in pairwise(names)]


def test_a_file_of_ten_thousand_operations_is_refused(made):
    assert "its network has 10,000 operations" in refused(made(chain("Relu", 10_000)))


def test_a_deep_network_needs_no_deep_stack(made):
    nodes = chain("Relu", 200)
    nodes[-1].output[0] = "v199"
    total = "v199"
    for each in range(199):  # sums within sums
        nodes.append(helper.make_node("Add", [total, f"v{198 - each}"], [f"s{each}"]))
        total = f"s{each}"
    nodes.append(node("Relu", total))
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(150 + len(stack()))
    try:
        assert len(read_network(made(nodes)).network.layers) == 3
    finally:
        sys.setrecursionlimit(limit)


@pytest.mark.parametrize(
    "nodes, dims, constants",
    [
        (chain("AveragePool", 300, kernel_shape=[3, 3], pads=[1] * 4), (1, 2000, 2000), {}),
        ([node("Mul", "x k")], (1 << 26,), {"k": np.ones((1, 1), np.float32)}),
        ([node("PRelu", "x k")], (1 << 26,), {"k": np.ones(1, np.float32)}),
        ([node("Flatten", "x", "a"), node("Add", "a k")], (64, 1024, 1024), {"k": np.ones(1, np.float32)}),
        ([node("Expand", "k s", "e"), node("Add", "x e")], (4,), {"k": normal(1, 4), "s": whole(1 << 26, 4)}),
        ([node("Tile", "k s", "e"), node("Add", "x e")], (4,), {"k": normal(1, 4), "s": whole(1 << 26, 1)}),
        (
            [helper.make_node("Concat", ["w"] * 1000, ["v"], axis=0), node("MatMul", "x v")],
            (300_000,),
            {"w": normal(300, 300)},
        ),
    ],
)
def test_a_small_file_takes_little_memory(made, nodes, dims, constants):
    path = made(nodes, dims, constants)
    tracemalloc.start()
    try:
        read_network(path)
    except DataError:
        refused(path)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 40 * 2**20 + 10 * path.stat().st_size


def test_what_is_no_file_is_refused(tmp_path):
    assert "No such file" in refused(tmp_path / "missing.onnx")
    assert "it is no file" in refused(tmp_path)
    for content in (b"", b"PK\x03\x04" * 20, b"\x80\x02cos\nsystem\n", b"\x0a\xff\xff\xff\xff\x0f", b"\x00" * 100):
        path = tmp_path / "n.onnx"
        path.write_bytes(content)
        assert "ONNX file" in refused(path)


def test_a_missing_package_is_named(made, monkeypatch):
    path = made([node("Relu")])
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ConfigError, match=r"^n\.onnx: .* read by the package onnx\. Install it: python -m pip install"):
        read_network(path)


@pytest.fixture(scope="session")
def sound(tmp_path_factory):
    """The bytes of a sound file with something of everything."""
    nodes = [
        node("Conv", "x w b", "a", pads=[1, 1, 1, 1]),
        node("Relu", "a", "c"),
        node("MaxPool", "c", "d", kernel_shape=[2, 2], strides=[2, 2]),
        node("GlobalAveragePool", "d", "e"),
        node("Mul", "d e", "f"),
        node("Add", "f d", "g"),
        node("Reshape", "g s", "h"),
        node("Gemm", "h v u"),
    ]
    constants = {"w": normal(4, 3, 3, 3), "b": normal(4), "s": whole(0, -1), "v": normal(16, 2), "u": normal(2)}
    path = saved(tmp_path_factory.mktemp("sound") / "n.onnx", nodes, (3, 4, 4), constants)
    read_network(path)
    return path.read_bytes()


def tried(path, content):
    """Reads a damaged file; it may still be sound."""
    path.write_bytes(content)
    try:
        read_network(path)
    except DataError:
        return refused(path)
    return ""


def fuzzed(content, number):
    """The bytes with some of them changed, taken out or doubled."""
    rng = np.random.default_rng(number)
    changed = bytearray(content)
    for _ in range(rng.integers(1, 6)):
        at = int(rng.integers(len(changed)))
        kind = rng.integers(4)
        if kind == 0:
            changed[at] = int(rng.integers(256))
        elif kind == 1:
            changed[at] ^= 1 << int(rng.integers(8))
        elif kind == 2:
            del changed[at : at + int(rng.integers(1, 20))]
        else:
            changed[at:at] = changed[at : at + int(rng.integers(1, 20))]
    return bytes(changed)


def test_truncated_files_are_refused(tmp_path, sound):
    found = [tried(tmp_path / "n.onnx", sound[:length]) for length in range(0, len(sound), max(len(sound) // 40, 1))]
    assert all(found)


def test_fuzzed_files_are_read_or_refused(tmp_path, sound):
    found = [tried(tmp_path / "n.onnx", fuzzed(sound, number)) for number in range(40)]
    assert sum(map(bool, found)) > 10


@pytest.mark.slow
def test_a_thousand_fuzzed_files_are_read_or_refused_in_little_memory(tmp_path, sound):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = [tried(tmp_path / "n.onnx", fuzzed(sound, number)) for number in range(1_000, 2_000)]
    assert sum(map(bool, found)) > 300
    assert all(tried(tmp_path / "n.onnx", sound[:length]) for length in range(len(sound)))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024  # KiB
