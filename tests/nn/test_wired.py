import json

import numpy as np
import pytest

import preceptor as pr
from preceptor import nn
from preceptor.errors import ConfigError, ShapeError


def wired(*rows):
    """Of rows (name, layer, inputs, join)."""
    names, layers, inputs, joins = zip(*rows, strict=True)
    return nn.Wired(layers, names, inputs, joins)


EXCITED = wired(  # squeeze and excitation
    ("squeeze", nn.GlobalMeanPool(), ("input",), "sum"),
    ("gate", nn.Dense(2), ("squeeze",), "sum"),
    ("sigmoid", nn.Sigmoid(), ("gate",), "sum"),
    ("scaled", nn.Linear(), ("input", "sigmoid"), "product"),
)
BRANCHED = wired(
    ("norm", nn.BatchNorm(epsilon=0.0), ("input",), "sum"),
    ("drop", nn.Dropout(0.3), ("norm",), "sum"),
    ("both", nn.Linear(), ("drop", "input"), "concatenate"),
    ("out", nn.Dense(2), ("both",), "sum"),
)
ROWS = [
    (
        wired(("a", nn.Tanh(), ("input",), "sum"), ("b", nn.Linear(), ("a", "input", "input"), "sum")),
        (4, 3),
        (4, 3),
        0,
        {},
        [[0.0, 1.0]],
        [[0.0, 2 + np.tanh(1.0)]],
    ),
    (
        EXCITED,
        (4, 3, 3, 2),
        (4, 3, 3, 2),
        6,
        {"gate/weight": np.zeros((2, 2)), "gate/bias": [0.0, np.log(3.0)]},
        [[[[1.0, 2.0], [3.0, 4.0]]]],
        [[[[0.5, 1.5], [1.5, 3.0]]]],
    ),
    (
        BRANCHED,
        (4, 3),
        (4, 2),
        3 + 3 + 12 + 2,
        {
            "norm/scale": [2.0],
            "norm/shift": [1.0],
            "out/weight": [[1.0, 0.0], [0.0, 1.0]],
            "out/bias": [0.0, 0.5],
        },
        [[3.0]],
        [[7.0, 3.5]],
    ),
]


@pytest.mark.parametrize("engine", ["reference", "native", "xla"])
def test_value_and_gradients_agree_with_pytorch(engine, agrees_with_torch, torch):
    rng = np.random.default_rng(0)
    params, _ = EXCITED.init(rng, pr.Spec((1, 4, 4, 2), np.dtype(np.float32)))
    agrees_with_torch(
        EXCITED,
        params,
        rng.normal(size=(5, 4, 3, 2)),
        lambda x, p: x * torch.sigmoid(x.mean((1, 2)) @ p["gate/weight"] + p["gate/bias"])[:, None, None],
        engine,
    )


def test_parts_are_named_by_path_and_drop_by_keys_of_their_own():
    params, state = BRANCHED.init(np.random.default_rng(0), pr.Spec((1, 3), np.dtype(np.float32)))
    assert set(params) == {"norm/scale", "norm/shift", "out/weight", "out/bias"}
    assert set(state) == {"norm/mean", "norm/variance"}
    assert nn.from_config(json.loads(json.dumps(nn.to_config(BRANCHED)))) == BRANCHED
    twice = wired(("a", nn.Dropout(0.5), ("input",), "sum"), ("b", nn.Dropout(0.5), ("input",), "sum"), SUM)
    y, _ = twice.apply({}, {}, np.ones((100, 100)), train=True, key=pr.key(0))
    assert [np.mean(y == value) for value in (0, 2, 4)] == pytest.approx([0.25, 0.5, 0.25], abs=0.03)


SUM = ("c", nn.Linear(), ("a", "b"), "sum")


@pytest.mark.parametrize(
    "rows, message",
    [
        ([("a", nn.Relu(), ("b",), "sum")], r"a takes 'b'; a layer takes the input or layers that stand before it\.$"),
        ([("a", nn.Relu(), ("a",), "sum")], r"a takes 'a'; "),
        ([("a", nn.Relu(), (), "sum")], r"a takes nothing; "),
        ([("a", nn.Relu(), ("input",), "sum")] * 2, r"received the name 'a'; each layer needs a name of its own"),
        ([("input", nn.Relu(), ("input",), "sum")], r"received the name 'input'"),
        ([("a/b", nn.Relu(), ("input",), "sum")], r"received the name 'a/b'"),
        ([("a", nn.Relu(), ("input",), "mean")], r"a joins by 'mean'; it must be one of sum, product, concatenate\.$"),
    ],
)
def test_wires_that_lead_nowhere_are_refused(rows, message):
    with pytest.raises(ConfigError, match=f"^Wired: {message}"):
        wired(*rows)


def test_counts_that_differ_are_refused():
    with pytest.raises(ConfigError, match="each layer needs one of each"):
        nn.Wired((nn.Relu(),), ("a",), (("input",),), ())
    with pytest.raises(ConfigError, match="each layer needs one of each"):
        nn.Wired((), (), (), ())


def test_a_walk_tells_what_each_layer_takes():
    params, state = EXCITED.init(np.random.default_rng(0), pr.Spec((1, 4, 3, 2), np.dtype(np.float32)))
    walk = EXCITED.walk(params, state, pr.Spec((1, 4, 3, 2), np.dtype(np.float32)))
    assert [(name, spec.shape) for name, _, spec in walk] == [
        *(("squeeze", (1, 4, 3, 2)), ("gate", (1, 2)), ("sigmoid", (1, 2)), ("scaled", (1, 4, 3, 2))),
    ]


def test_shapes_that_differ_are_named_with_their_path():
    layer = wired(("a", nn.Dense(4), ("input",), "sum"), ("c", nn.Linear(), ("a", "input"), "sum"))
    network = nn.Sequential((layer,), ("first",))
    with pytest.raises(ShapeError, match=r"^first/c \(sum\) broadcast at test_wired\.py:\d+: received shapes"):
        network.init(np.random.default_rng(0), pr.Spec((1, 3), np.dtype(np.float32)))
