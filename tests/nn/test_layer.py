import numpy as np
import pytest

import preceptor as pr
from preceptor import nn
from preceptor.errors import ConfigError, DtypeError, ShapeError

ROWS = [
    (
        nn.Sequential((nn.Dense(4), nn.BatchNorm(), nn.Tanh(), nn.Dropout(0.3), nn.Dense(2))),
        (6, 3),
        (6, 2),
        16 + 8 + 10,
        {
            "dense1/weight": [[1.0, 0.0]],
            "dense1/bias": [0.0, 0.0],
            "batchnorm1/scale": [1.0, 1.0],
            "batchnorm1/shift": [0.0, 0.0],
            "dense2/weight": [[1.0], [1.0]],
            "dense2/bias": [0.5],
        },
        [[0.0]],
        [[0.5]],
    ),
    (
        nn.Sequential((nn.Dense(2, bias=False), nn.Relu()), ("first", "second")),
        (5, 3),
        (5, 2),
        6,
        {"first/weight": [[1.0, -1.0], [2.0, 1.0]]},
        [[1.0, 2.0], [-1.0, -1.0]],
        [[5.0, 1.0], [0.0, 0.0]],
    ),
    (nn.Sequential(()), (5, 3), (5, 3), 0, {}, [[1.0]], [[1.0]]),
    (
        nn.Sequential((nn.Sequential((nn.Dense(4), nn.Relu())), nn.Dense(1))),
        (5, 2, 3),
        (5, 2, 1),
        21,
        {
            "sequential1/dense1/weight": [[2.0]],
            "sequential1/dense1/bias": [-1.0],
            "dense1/weight": [[3.0]],
            "dense1/bias": [0.0],
        },
        [[2.0], [0.0]],
        [[9.0], [0.0]],
    ),
]


def spec(*shape, dtype=np.float32):
    return pr.Spec(shape, np.dtype(dtype))


def test_names_are_made_from_the_classes():
    network = nn.Sequential((nn.Dense(3), nn.Relu(), nn.Dense(2), nn.ParametricRelu()))
    assert network.names == ("dense1", "relu1", "dense2", "parametricrelu1")


def test_names_missing_or_double_are_refused():
    with pytest.raises(ConfigError, match=r"^Sequential: received 2 layers and the names \('a',\); each layer needs"):
        nn.Sequential((nn.Relu(), nn.Relu()), ("a",))
    with pytest.raises(ConfigError, match=r"received 2 layers and the names \('a', 'a'\)"):
        nn.Sequential((nn.Relu(), nn.Relu()), ("a", "a"))
    with pytest.raises(ConfigError, match=r"received the names \('a', 'a/b'\); / is kept for paths\. Use _ instead"):
        nn.Sequential((nn.Relu(), nn.Relu()), ("a", "a/b"))


def test_errors_name_the_layer_its_class_and_the_line_of_the_user():
    network = nn.Sequential((nn.Dense(4), nn.Relu(), nn.Dense(2)), ("hidden1", "activation1", "output"))
    params, state = network.init(np.random.default_rng(0), spec(1, 3))
    with pytest.raises(
        ShapeError,
        match=r"^hidden1 \(Dense\) at test_layer\.py:\d+: input has shape \(5, 7\); weight \(3, 4\) needs 3 features\. "
        r"Check the layer before it\.$",
    ):
        network.apply(params, state, np.ones((5, 7)), train=False, key=None)
    wrong = params | {"output/weight": np.ones((9, 2))}
    with pytest.raises(ShapeError, match=r"^output \(Dense\) at test_layer\.py:\d+: input has shape \(5, 4\); weight"):
        network.apply(wrong, state, np.ones((5, 3)), train=False, key=None)


def test_errors_inside_a_network_within_a_network_name_the_path():
    network = nn.Sequential((nn.Relu(), nn.Sequential((nn.Dense(4),), ("inner",))), ("first", "block"))
    params, state = network.init(np.random.default_rng(0), spec(1, 3))
    with pytest.raises(ShapeError, match=r"^block/inner \(Dense\) at test_layer\.py:\d+: input has shape \(5, 7\)"):
        network.apply(params, state, np.ones((5, 7)), train=False, key=None)


def test_errors_name_the_layer_already_while_drawing_the_first_values():
    network = nn.Sequential((nn.Dense(5), nn.Maxout(2)))
    with pytest.raises(
        ShapeError,
        match=r"^maxout1 \(Maxout\) at test_layer\.py:\d+: input has shape \(1, 5\); the last axis must be a multiple",
    ):
        network.init(np.random.default_rng(0), spec(1, 3))
    with pytest.raises(DtypeError, match=r"^sigmoid1 \(Sigmoid\) .* at test_layer\.py:\d+: received int64; floats"):
        nn.Sequential((nn.Sigmoid(),)).init(np.random.default_rng(0), spec(1, 3, dtype=np.int64))


def test_output_spec_computes_nothing():
    network = nn.Sequential((nn.Dense(4), nn.BatchNorm(), nn.Relu()))
    params, state = network.init(np.random.default_rng(0), spec(1, 3))
    assert nn.output_spec(network, params, state, spec(10**9, 3)) == spec(10**9, 4)


def test_parameters_are_counted():
    params, _ = nn.mlp((7, 5), 2, batch_norm=True).init(np.random.default_rng(0), spec(1, 3))
    assert nn.count_parameters(params) == (3 * 7 + 7) + 14 + (7 * 5 + 5) + 10 + (5 * 2 + 2)


def test_a_network_is_its_layers_in_order():
    x = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    network = nn.Sequential((nn.Dense(4), nn.BatchNorm(), nn.Dense(2)))
    params, state = network.init(np.random.default_rng(0), spec(1, 3))
    y, after = network.apply(params, state, x, train=True, key=None)
    h = x @ params["dense1/weight"]
    np.testing.assert_allclose(after["batchnorm1/mean"], 0.1 * h.mean(0), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(
        y, (h - h.mean(0)) / np.sqrt(h.var(0) + 1e-5) @ params["dense2/weight"], rtol=1e-5, atol=1e-5
    )
    assert set(after) == set(state) == {"batchnorm1/mean", "batchnorm1/variance"}
