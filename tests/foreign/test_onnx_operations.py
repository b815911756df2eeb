"""Each operation that is read, alone or with what exporters put around it, beside onnxruntime."""

import numpy as np
import pytest
from onnx_files import FLOAT, agree, helper, kinds, node, normal, positive, saved, whole

from preceptor.foreign.onnx_network import read_network

W3 = normal(4, 3, 3, 3)
DENSE = {"w": normal(12, 5), "b": normal(5)}
CASES = {
    "convolution": ([node("Conv", "x w b")], (3, 6, 5), {"w": W3, "b": normal(4)}),
    "pads of their own": ([node("Conv", "x w", pads=[0, 1, 2, 1])], (3, 6, 5), {"w": W3}),
    "same, odd zero behind": ([node("Conv", "x w", auto_pad="SAME_UPPER", strides=[2, 2])], (3, 6, 5), {"w": W3}),
    "same, odd zero before": ([node("Conv", "x w", auto_pad="SAME_LOWER", strides=[2, 2])], (3, 6, 5), {"w": W3}),
    "valid": ([node("Conv", "x w", auto_pad="VALID", strides=[2, 1])], (3, 6, 5), {"w": W3}),
    "dilation": ([node("Conv", "x w", dilations=[2, 1], pads=[2, 1, 2, 1])], (3, 6, 5), {"w": W3}),
    "groups": ([node("Conv", "x w", group=2)], (4, 6, 5), {"w": normal(6, 2, 3, 3)}),
    "depthwise": ([node("Conv", "x w", group=4)], (4, 6, 5), {"w": normal(8, 1, 3, 3)}),
    "signals": ([node("Conv", "x w", strides=[2])], (3, 9), {"w": normal(4, 3, 3)}),
    "volumes": ([node("Conv", "x w", pads=[1, 0, 0, 0, 0, 1])], (2, 4, 5, 3), {"w": normal(4, 2, 3, 2, 2)}),
    "zeros around, then a convolution": (
        [node("Pad", "x p", "a"), node("Conv", "a w", pads=[1, 1, 1, 1])],
        (3, 6, 5),
        {"w": W3, "p": whole(0, 0, 0, 1, 0, 0, 1, 0)},
    ),
    "zeros around, alone": (
        [node("Relu", "x", "a"), node("Pad", "a p", "b"), node("MaxPool", "b", kernel_shape=[2, 2])],
        (3, 6, 5),
        {"p": whole(0, 0, 0, 1, 0, 1, 2, 0)},
    ),
    "a product, then a sum": ([node("MatMul", "x w", "a"), node("Add", "b a")], (12,), DENSE),
    "a sum before a product": ([node("Add", "x b", "a"), node("MatMul", "a w")], (12,), DENSE | {"b": normal(1, 12)}),
    "along the last axis": ([node("MatMul", "x w", "a"), node("Add", "a b")], (4, 12), DENSE),
    "gemm": ([node("Gemm", "x w b", alpha=0.5, beta=2.0)], (12,), DENSE),
    "gemm, transposed": ([node("Gemm", "x w", transB=1)], (12,), {"w": normal(5, 12)}),
    "gemm, one number added": ([node("Gemm", "x w b", transB=1)], (12,), {"w": normal(5, 12), "b": np.float32(3)}),
    "pictures laid out": ([node("Flatten", "x", "a"), node("Gemm", "a w b")], (3, 2, 2), DENSE),
    "laid out, normalised, then dense": (
        [
            node("Flatten", "x", "a"),
            node("BatchNormalization", "a s h m v", "c"),
            node("Mul", "c k", "d"),
            node("PRelu", "d t", "e"),
            node("Gemm", "e w b"),
        ],
        (3, 2, 2),
        DENSE
        | {"s": normal(12), "h": normal(12), "m": normal(12), "v": positive(12), "k": normal(12), "t": positive(12)},
    ),
    "laid out and given out": ([node("Relu", "x", "a"), node("Flatten", "a")], (3, 2, 2), {}),
    "laid out after places were summed": (
        [node("MaxPool", "x", "a", kernel_shape=[2, 2]), node("Reshape", "a s", "c"), node("Gemm", "c w")],
        (3, 2, 2),
        {"s": whole(0, -1), "w": normal(3, 4)},
    ),
    "the shape computed": (
        [
            node("Shape", "x", "s"),
            node("Gather", "s zero", "n", axis=0),
            node("Unsqueeze", "n zeros", "u"),
            node("Concat", "u rest", "t", axis=0),
            node("Reshape", "x t", "a"),
            node("Gemm", "a w b"),
        ],
        (3, 2, 2),
        DENSE | {"zero": np.int64(0), "zeros": whole(0), "rest": whole(-1)},
    ),
    "constants computed": (
        [
            helper.make_node("Constant", [], ["k"], value_float=2.0),
            node("Transpose", "w", "t", perm=[1, 0]),
            node("Mul", "t k", "u"),
            node("Cast", "u", "c", to=FLOAT),
            node("MatMul", "x c"),
        ],
        (12,),
        {"w": normal(5, 12)},
    ),
    "channels last in the file": (
        [
            node("Transpose", "x", "a", perm=[0, 3, 1, 2]),
            node("Conv", "a w", "c", pads=[1, 1, 1, 1]),
            node("Transpose", "c", "d", perm=[0, 2, 3, 1]),
            node("Add", "d k", "e"),
            node("Relu", "e", "f"),
            node("Reshape", "f s", "g"),
            node("MatMul", "g v"),
        ],
        (2, 5, 3),
        {"w": W3, "k": normal(4), "s": whole(-1, 40), "v": normal(40, 6)},
    ),
    "channels mixed": (
        [
            node("Conv", "x w", "a"),
            node("Reshape", "a s", "c"),
            node("Transpose", "c", "d", perm=[0, 2, 1, 3, 4]),
            node("Reshape", "d t", "e"),
            node("Conv", "e v", group=2),
        ],
        (3, 4, 5),
        {"w": W3, "s": whole(0, 2, 2, 2, 3), "t": whole(0, 4, 2, 3), "v": normal(6, 2, 1, 1)},
    ),
    "features made pictures": (
        [node("Gemm", "x w b", "a"), node("Reshape", "a s", "c"), node("Conv", "c v", pads=[1, 1, 1, 1])],
        (12,),
        {"w": normal(12, 18), "b": normal(18), "s": whole(-1, 3, 2, 3), "v": W3},
    ),
    "axes that come and go": (
        [
            node("Unsqueeze", "x one", "a"),
            node("Conv", "a w", "c"),
            node("Relu", "c", "d"),
            node("Squeeze", "d two", "e"),
            node("Gemm", "e v"),
        ],
        (12,),
        {"one": whole(1), "two": whole(-1), "w": normal(4, 1, 12), "v": normal(4, 3)},
    ),
    "the mean of all places": ([node("GlobalAveragePool", "x", "a"), node("Flatten", "a")], (3, 4, 5), {}),
    "the largest of all places": ([node("GlobalMaxPool")], (3, 4, 5), {}),
    "means over named axes": ([node("ReduceMean", "x a", keepdims=0)], (3, 4, 5), {"a": whole(-1, 2)}),
    "means over one axis": (
        [node("MatMul", "x w", "a"), node("ReduceMean", "a i", keepdims=0)],
        (4, 12),
        DENSE | {"i": whole(1)},
    ),
    "squeezed and excited": (
        [
            node("Conv", "x w", "a"),
            node("GlobalAveragePool", "a", "c"),
            node("Conv", "c u", "d"),
            node("Sigmoid", "d", "e"),
            node("Mul", "a e"),
        ],
        (3, 6, 5),
        {"w": W3, "u": normal(4, 4, 1, 1)},
    ),
    "places weighted": (
        [node("Conv", "x w", "a"), node("Conv", "a u", "c"), node("Sigmoid", "c", "d"), node("Mul", "d a")],
        (3, 6, 5),
        {"w": W3, "u": normal(1, 4, 1, 1)},
    ),
    "pools that overlap": ([node("MaxPool", kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 1])], (3, 7, 5), {}),
    "pools that reach beyond": ([node("MaxPool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)], (3, 7, 5), {}),
    "means that reach beyond": (
        [node("AveragePool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1)],
        (3, 8, 5),
        {},
    ),
    "means that count zeros": (
        [node("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1)],
        (3, 7, 5),
        {},
    ),
    "means, same": ([node("AveragePool", kernel_shape=[2, 2], auto_pad="SAME_LOWER")], (3, 7, 5), {}),
    "a mean of the whole": ([node("AveragePool", kernel_shape=[4, 5])], (3, 4, 5), {}),
    "branches laid one after the other": (
        [node("Relu", "x", "a"), node("Tanh", "x", "c"), node("Concat", "a c x", "d", axis=1), node("Conv", "d w")],
        (1, 6, 5),
        {"w": W3},
    ),
    "features of different order, one after the other": (
        [
            node("Flatten", "x", "a"),
            node("GlobalMaxPool", "x", "c"),
            node("Flatten", "c", "d"),
            node("Concat", "d a", "e", axis=-1),
            node("Gemm", "e w"),
        ],
        (3, 2, 2),
        {"w": normal(15, 4)},
    ),
    "places one below the other": (
        [node("Relu", "x", "a"), node("Concat", "a x", "c", axis=2), node("Conv", "c w")],
        (3, 4, 5),
        {"w": W3},
    ),
    "features of different order, added": (
        [
            node("Flatten", "x", "a"),
            node("Gemm", "a w", "c"),
            node("Add", "c a"),
        ],
        (3, 2, 2),
        {"w": normal(12, 12)},
    ),
    "what is taken back, and what others take too": (
        [
            node("MatMul", "x w", "a"),
            node("Mul", "a two", "c"),
            node("Mul", "c half", "d"),
            node("Add", "d b", "e"),
            node("Tanh", "a", "f"),
            node("Add", "e f"),
        ],
        (12,),
        DENSE | {"two": np.float32(2), "half": np.float32(0.5)},
    ),
    "a product that others take too": (
        [node("MatMul", "x w", "a"), node("Add", "a b", "c"), node("Mul", "c a")],
        (12,),
        DENSE,
    ),
    "three added": ([node("Relu", "x", "a"), node("Tanh", "x", "c"), node("Sum", "a x c")], (3, 4, 5), {}),
    "a difference": ([node("Relu", "x", "a"), node("Sub", "x a", "c"), node("Sub", "a c")], (12,), {}),
    "a constant less the input": ([node("Sub", "k x")], (3, 4, 5), {"k": normal(3, 1, 1)}),
    "pixels scaled": (
        [node("Div", "x k", "a"), node("Sub", "a m", "c"), node("Div", "c s", "d"), node("Conv", "d w")],
        (3, 6, 5),
        {"k": np.float32(255), "m": normal(1, 3, 1, 1), "s": positive(3, 1, 1), "w": W3},
    ),
    "a number for each place": (
        [
            node("Add", "x k"),
        ],
        (3, 4, 5),
        {"k": normal(1, 3, 4, 5)},
    ),
    "a number for each row": (
        [
            node("Mul", "x k"),
        ],
        (3, 4, 5),
        {"k": normal(4, 1)},
    ),
    "layer norm": ([node("LayerNormalization", "x s b")], (4, 12), {"s": normal(12), "b": normal(12)}),
    "norm of neighbours": ([node("LRN", size=3, alpha=0.5, beta=0.6, bias=1.5)], (7, 2, 3), {}),
    "batch norm": (
        [node("BatchNormalization", "x s h m v", epsilon=1e-3)],
        (3, 4, 5),
        {"s": normal(3), "h": normal(3), "m": normal(3), "v": positive(3)},
    ),
    "softmax of channels": ([node("Softmax", axis=1)], (3, 4, 5), {}),
    "softmax of the last axis": ([node("Softmax")], (3, 4, 5), {}),
    "log softmax": ([node("LogSoftmax")], (12,), {}),
    "limits": ([node("Clip", "x l h")], (12,), {"l": np.float32(-0.5), "h": np.float32(1)}),
    "one limit": ([node("Clip", "x l")], (12,), {"l": np.float32(-0.5)}),
    "one slope": ([node("PRelu", "x s")], (3, 4, 5), {"s": normal(1)}),
    "a slope each": ([node("PRelu", "x s")], (3, 4, 5), {"s": normal(3, 1, 1)}),
    "hard sigmoid": ([node("HardSigmoid")], (12,), {}),
    "hard swish": ([node("HardSwish")], (12,), {}),
    "mish": ([node("Mish")], (12,), {}),
    "gelu": ([node("Gelu")], (12,), {}),
    "others": (
        [
            node(op, a, b)
            for op, a, b in zip(
                ["Elu", "Selu", "Softplus", "Softsign", "LeakyRelu", "Neg", "Exp"], "xabcdef", "abcdefy", strict=True
            )
        ],
        (12,),
        {},
    ),
    "what does nothing": (
        [node("Identity", "x", "a"), node("Cast", "a", "c", to=FLOAT), node("Dropout", "c r", "d"), node("Relu", "d")],
        (12,),
        {"r": np.float32(0.3)},
    ),
    "half precision": (
        [node("Cast", "w", "f", to=FLOAT), node("MatMul", "x f")],
        (12,),
        {"w": normal(12, 5).astype(np.float16)},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_an_operation_computes_what_onnxruntime_does(name, tmp_path):
    nodes, dims, constants = CASES[name]
    path = saved(tmp_path / "n.onnx", nodes, dims, constants)
    agree(read_network(path), path, dims)


OLD = {
    7: ([node("Dropout", "x", "a", ratio=0.3), node("BatchNormalization", "a s h m v")], {}),
    8: ([node("Reshape", "x t", "a"), node("Softmax", "a")], {"t": whole(1, -1)}),
    9: (
        [
            node("Unsqueeze", "x", "a", axes=[3]),
            node("Squeeze", "a", "c", axes=[3]),
            node("Clip", "c", min=0.0, max=6.0),
        ],
        {},
    ),
    10: (
        [node("Pad", "x", "a", pads=[0, 0, 1, 0, 0, 2], mode="constant"), node("Conv", "a w")],
        {"w": normal(2, 3, 2)},
    ),
    11: ([node("ReduceMean", "x", "a", axes=[2], keepdims=0), node("LogSoftmax", "a", axis=1)], {}),
    12: ([node("GlobalAveragePool", "x", "a"), node("Softmax", "a", axis=1)], {}),
    24: ([node("Relu")], {}),
}


@pytest.mark.parametrize("opset", OLD)
def test_older_and_newer_forms_of_operations_are_read(opset, tmp_path):
    nodes, constants = OLD[opset]
    constants = constants | {"s": positive(3), "h": normal(3), "m": normal(3), "v": positive(3)}
    path = saved(tmp_path / "n.onnx", nodes, (3, 5), constants, opset, batch=1)
    agree(read_network(path), path, (3, 5))


def test_a_file_for_one_batch_takes_any(tmp_path):
    constants = DENSE | {"s": whole(2, 12)}
    nodes = [node("Reshape", "x s", "a"), node("Gemm", "a w b")]
    path = saved(tmp_path / "n.onnx", nodes, (3, 2, 2), constants, batch=2)
    agree(read_network(path), path, (3, 2, 2), batch=4)


def test_what_several_operations_are_becomes_one_layer(tmp_path):
    def read(*case):
        return kinds(read_network(saved(tmp_path / "n.onnx", *case)).network)

    assert read(*CASES["a product, then a sum"]) == ["Dense"]
    assert read(*CASES["zeros around, then a convolution"]) == ["Convolution"]
    assert read(*CASES["pictures laid out"]) == ["Flatten", "Dense"]
    assert read(*CASES["pixels scaled"]) == ["Rescale", "ScaleShift", "ScaleShift", "Convolution"]
    assert read(*CASES["channels last in the file"]) == ["Convolution", "Relu", "Flatten", "Dense"]
    assert read(*CASES["a mean of the whole"]) == ["GlobalMeanPool"]
    assert read([node("Clip", min=0.0, max=6.0)], (3,), {}, 10) == ["Relu6"]
    assert read([node("Clip", "x l")], (3,), {"l": np.float32(0)}) == ["Relu"]
    assert read([node("Sigmoid", "x", "a"), node("Mul", "x a")], (3,)) == ["Swish"]
    halves = {"r": np.float32(2**0.5), "one": np.float32(1), "half": np.float32(0.5)}
    erf = [node("Div", "x r", "a"), node("Erf", "a", "e"), node("Add", "e one", "f")]
    assert read([*erf, node("Mul", "x f", "g"), node("Mul", "g half")], (3,), halves) == ["Gelu"]
    assert read([*erf, node("Mul", "x half", "g"), node("Mul", "g f")], (3,), halves) == ["Gelu"]
    assert read([*erf, node("Mul", "f half", "g"), node("Mul", "x g")], (3,), halves) == ["Gelu"]


@pytest.mark.parametrize("order", [("x f", "g half"), ("x half", "g f"), ("f half", "x g")])
def test_gelu_in_pieces_computes_what_onnxruntime_does(order, tmp_path):
    halves = {"r": np.float32(2**0.5), "one": np.float32(1), "half": np.float32(0.5)}
    erf = [node("Div", "x r", "a"), node("Erf", "a", "e"), node("Add", "e one", "f")]
    path = saved(tmp_path / "n.onnx", [*erf, node("Mul", order[0], "g"), node("Mul", order[1])], (9,), halves)
    agree(read_network(path), path, (9,))


def random_case(seed):
    """Operations on pictures and features, each on values drawn from those before it, with constants as they need."""
    rng = np.random.default_rng(seed)
    dims = (int(rng.choice([1, 3, 4])), int(rng.integers(4, 8)), int(rng.integers(4, 8)))
    nodes, constants = [], {}
    values = {"x": dims}

    def constant(*shape):
        name = f"k{len(constants)}"
        constants[name] = (rng.normal(size=shape) * 0.5).astype(np.float32)
        return name

    def add(op, inputs, shape, **attributes):
        name = f"v{len(nodes)}"
        nodes.append(helper.make_node(op, inputs, [name], **attributes))
        values[name] = tuple(map(int, shape))
        return name

    def pictures(x, shape):
        channels, *space = shape
        kind = rng.choice(
            ["conv", "depthwise", "pool", "mean", "scale", "shift", "norm", "excite", "flatten", "turn", "lay"]
        )
        if kind == "conv":
            filters = int(rng.integers(1, 5))
            bias = [constant(filters)] * int(rng.integers(2))
            add("Conv", [x, constant(filters, channels, 3, 3), *bias], (filters, *space), pads=[1] * 4)
        elif kind == "depthwise":
            add("Conv", [x, constant(channels, 1, 3, 1)], shape, pads=[1, 0, 1, 0], group=channels)
        elif kind in ("pool", "mean"):
            op = "MaxPool" if kind == "pool" else "AveragePool"
            add(op, [x], shape, kernel_shape=[3, 3], pads=[1] * 4)
        elif kind in ("scale", "shift"):
            shapes = [(channels, 1, 1), (1, *shape), (), (1, 1, space[1])]
            inputs = [x, constant(*shapes[rng.integers(4)])]
            add("Mul" if kind == "scale" else "Add", inputs[:: rng.choice([1, -1])], shape)
        elif kind == "norm":
            constants[name := f"k{len(constants)}"] = rng.uniform(0.5, 2, channels).astype(np.float32)
            add("BatchNormalization", [x, *(constant(channels) for _ in range(3)), name], shape)
        elif kind == "excite":
            pooled = add("GlobalAveragePool", [x], (channels, 1, 1))
            gate = add("Conv", [pooled, constant(channels, channels, 1, 1)], (channels, 1, 1))
            add("Mul", [x, add("Sigmoid", [gate], (channels, 1, 1))], shape)
        elif kind == "flatten":
            add("Flatten", [x], (np.prod(shape),))
        elif kind == "turn":
            order = rng.permutation(3)
            add("Transpose", [x], [shape[at] for at in order], perm=[0, *(int(at) + 1 for at in order)])
        else:
            constants[name := f"k{len(constants)}"] = whole(0, space[1], channels, -1)
            add("Reshape", [x, name], (space[1], channels, space[0]))

    def features(x, shape):
        kind = rng.choice(["dense", "product", "scale", "shift", "norm"])
        units = int(rng.integers(2, 6))
        if kind == "dense":
            add("Gemm", [x, constant(*shape, units), constant(units)], (units,))
        elif kind == "product":
            add("MatMul", [x, constant(*shape, units)], (units,))
        elif kind in ("scale", "shift"):
            add("Mul" if kind == "scale" else "Add", [x, constant(*shape)], shape)
        else:
            constants[name := f"k{len(constants)}"] = rng.uniform(0.5, 2, shape).astype(np.float32)
            add("BatchNormalization", [x, *(constant(*shape) for _ in range(3)), name], shape)

    for _ in range(int(rng.integers(4, 12))):
        x = list(values)[-1] if rng.random() < 0.7 else str(rng.choice(list(values)))
        shape = values[x]
        alike = [name for name, other in values.items() if other == shape]
        draw = rng.random()
        if draw < 0.25:
            add(str(rng.choice(["Relu", "Tanh", "Sigmoid", "Identity", "Softplus", "Neg"])), [x], shape)
        elif draw < 0.45:
            add(str(rng.choice(["Add", "Mul", "Sub"])), [x, str(rng.choice(alike))], shape)
        elif draw < 0.55:
            add("Concat", [x, str(rng.choice(alike))], (2 * shape[0], *shape[1:]), axis=1)
        elif len(shape) == 3:
            pictures(x, shape)
        else:
            features(x, shape)
    nodes.append(helper.make_node("Softsign", [nodes[-1].output[0]], ["y"]))
    return nodes, dims, constants


def check_random(path, seed):
    nodes, dims, constants = random_case(seed)
    saved(path, nodes, dims, constants)
    agree(read_network(path), path, dims, least=0)  # some give zeros alone


@pytest.mark.parametrize("seed", range(30))
def test_operations_drawn_at_random_compute_what_onnxruntime_does(seed, tmp_path):
    check_random(tmp_path / "n.onnx", seed)


@pytest.mark.slow
def test_a_thousand_networks_drawn_at_random_compute_what_onnxruntime_does(tmp_path):
    for seed in range(1_000, 2_000):
        check_random(tmp_path / "n.onnx", seed)
