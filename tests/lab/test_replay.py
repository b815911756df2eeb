"""The interpreter of the pages against the engine, primitive by primitive and training by training.

The engine itself is compared with NumPy, PyTorch and JAX elsewhere; here node computes again what it computed.
"""

import json
import shutil
import subprocess
from functools import partial

import numpy as np
import pytest

import preceptor as pr
from preceptor import nn, ops
from preceptor.engines import Reference
from preceptor.errors import ConfigError, NotSupported
from preceptor.graph import call, flatten, trace
from preceptor.lab.page import ASSETS
from preceptor.lab.replay import PARAMETERS, as_data, numbers_of, replayed
from preceptor.ops import Spec
from preceptor.ops.indexing import gather_sum
from preceptor.train import SGD, Adam, Arrays, Config, Momentum
from preceptor.train.step import first_state, hyper_values, make_step
from preceptor.train.training import initial_values

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="the interpreter is run by node: install Node.js")

MANY = """
const { compile } = require(PATH);
const cases = JSON.parse(require("fs").readFileSync(0, "utf8"));
const words = values => Array.from(values, each => Number.isFinite(each) ? each : String(each));
console.log(JSON.stringify(cases.map(([program, given]) => {
  const found = compile(program)(given);
  return Object.fromEntries(Object.entries(found).map(([name, values]) => [name, words(values)]));
})));
"""
STEPS = """
const { compile } = require(PATH);
const { program, state, batches, hyper, steps } = JSON.parse(require("fs").readFileSync(0, "utf8"));
const run = compile(program), losses = [];
let now = state;
for (let step = 0; step < steps; step++) {
  const found = run({ ...now, ...batches[step % batches.length], ...hyper, "hyper/step": step + 1 });
  losses.push(found.loss[0]);
  now = Object.fromEntries(Object.entries(found).filter(([name]) => name.startsWith("state/")));
}
const plain = Object.fromEntries(Object.entries(now).map(([name, values]) => [name, Array.from(values)]));
console.log(JSON.stringify({ losses, state: plain }));
"""


def node(script, given, path=ASSETS / "interpreter.js"):
    """What a script says of JSON, in JSON."""
    words = script.replace("PATH", json.dumps(str(path)))
    done = subprocess.run(
        [NODE, "-e", words], input=json.dumps(given, allow_nan=False), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def close(found, wanted, rtol=1e-12, atol=1e-14):
    values = np.array([float(each) for each in found])
    np.testing.assert_allclose(values, np.asarray(wanted, np.float64).ravel(), rtol=rtol, atol=atol)


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape) * 2


ODD = np.array([0.0, -0.0, 1.0, -1.0, 1e-9, -1e-9, 30.0, -30.0, 800.0, -800.0, np.inf, -np.inf, np.nan])
ABOVE = np.array([0.0, 1e-300, 1e-9, 0.5, 1.0, 7.0, 1e9, np.inf, np.nan, -1.0])
WHOLE = np.array([[0, 2, -1], [1, 1, 0]], np.int32)
PAIR = (drawn(3, 4), np.round(drawn(3, 4, seed=1)))
CASES = {
    "add": [(ops.add, *PAIR)],
    "subtract": [(ops.subtract, *PAIR)],
    "multiply": [(ops.multiply, *PAIR), (ops.multiply, WHOLE, WHOLE)],
    "divide": [(ops.divide, *PAIR), (ops.divide, WHOLE, WHOLE)],
    "negative": [(ops.negative, ODD)],
    "power": [
        (
            ops.power,
            np.array([0.0, 0.0, 1.0, 2.5, 1.0, -1.0, 0.3]),
            np.array([0.0, 2.0, np.nan, -3.1, np.inf, np.inf, 9.0]),
        )
    ],
    "integer_power": [(lambda x, e=e: x**e, drawn(7)) for e in (0, 2, 3, 7, -2)],
    "maximum": [(ops.maximum, ODD, ODD[::-1].copy())],
    "exp": [(ops.exp, ODD)],
    "log": [(ops.log, ABOVE)],
    "log1p": [(ops.log1p, ABOVE)],
    "expm1": [(ops.expm1, ODD)],
    "sqrt": [(ops.sqrt, ABOVE)],
    "sin": [(ops.sin, drawn(40))],
    "cos": [(ops.cos, drawn(40))],
    "tanh": [(ops.tanh, ODD), (ops.tanh, drawn(40))],
    "sigmoid": [(ops.sigmoid, ODD), (ops.sigmoid, drawn(40))],
    "softplus": [(ops.softplus, ODD), (ops.softplus, drawn(40))],
    "relu": [(ops.relu, ODD)],
    "erf": [(ops.erf, np.concatenate([ODD, np.linspace(-7, 7, 301)]))],
    "abs": [(ops.abs, ODD)],
    "sign": [(ops.sign, ODD)],
    "threshold": [(ops.threshold, ODD)],
    "equal": [(ops.equal, ODD, np.round(ODD))],
    "less": [(ops.less, ODD, ODD[::-1].copy())],
    "less_equal": [(ops.less_equal, ODD, ODD[::-1].copy())],
    "not": [(lambda x: ops.logical_not(x < 0), ODD)],
    "and": [(lambda x, y: ops.logical_and(x < 0, y < 0), *PAIR)],
    "or": [(lambda x, y: ops.logical_or(x < 0, y < 0), *PAIR)],
    "where": [(lambda x, y: ops.where(x < y, x, y * 2), *PAIR)],
    "reshape": [(lambda x: ops.reshape(x, (2, 6)), PAIR[0])],
    "transpose": [(lambda x: ops.transpose(x, (2, 0, 1)), drawn(2, 3, 4)), (ops.transpose, PAIR[0])],
    "broadcast": [
        (lambda x: ops.broadcast_to(x, (2, 3, 4)), drawn(3, 1)),
        (lambda x: ops.broadcast_to(x, (2, 2)), np.array(1.5)),
    ],
    "sum": [(partial(ops.sum, axis=axis), drawn(2, 3, 4)) for axis in (None, 0, 1, (0, 2), (1, 2))],
    "max": [(partial(ops.max, axis=axis), drawn(2, 3, 4)) for axis in (None, 0, 1, (0, 2))] + [(ops.max, ODD)],
    "argmax": [(partial(ops.argmax, axis=axis), np.round(drawn(4, 3, 2))) for axis in (0, 1, 2)] + [(ops.argmax, ODD)],
    "cast": [
        (lambda x: ops.cast(x, np.int32), drawn(9)),
        (lambda x: ops.cast(x, bool), np.array([0.0, -0.5, 2.0])),
        (lambda x: ops.cast(x, np.float64), WHOLE),
    ],
    "stop_gradient": [(ops.stop_gradient, PAIR[0])],
    "slice": [
        (lambda x: x[1:, ::2], drawn(4, 5)),
        (lambda x: ops.flip(x, 1), drawn(2, 3)),
        (lambda x: x[:, 1], PAIR[0]),
    ],
    "unslice": [(lambda x: ops.pad(x, ((1, 0), (0, 2))), drawn(2, 3))],
    "concatenate": [(lambda x, y, a=a: ops.concatenate([x, y, x], a), *PAIR) for a in (0, 1)],
    "matmul": [
        (ops.matmul, drawn(3, 4), drawn(4, 2)),
        (ops.matmul, drawn(2, 3, 4), drawn(2, 4, 5)),
        (ops.matmul, drawn(3), drawn(3)),
    ],
    "take": [
        (lambda x, i: ops.take(x, i, axis=0), drawn(3, 4), WHOLE),
        (lambda x, i: ops.take(x, i, axis=1), drawn(2, 3, 4), WHOLE),
        (ops.take_along_last_axis, drawn(2, 3, 4), WHOLE),
    ],
    "scatter_add": [
        (lambda x, i: ops.scatter_add(x, i, 4), drawn(2, 3, 5), WHOLE),
        (lambda x, i: ops.scatter_add(x, i, 4, axis=1), drawn(2, 2, 3), WHOLE),
    ],
}


@pytest.fixture(scope="module")
def computed():
    """What the interpreter makes of all cases at once, by primitive, beside what the engine makes."""
    cases, wanted = [], []
    for name, rows in CASES.items():
        for function, *args in rows:
            program = trace(function)(*args)
            assert name in {each.primitive.name for each in program.graph.nodes}
            names = [str(number) for number in range(len(args))]
            cases.append(
                [
                    as_data(program, names, "out"),
                    {key: numbers_of(each) for key, each in zip(names, args, strict=True)},
                ]
            )
            wanted.append((name, call(program, tuple(args))))
    found = {name: [] for name in CASES}
    for (name, value), each in zip(wanted, node(MANY, cases), strict=True):
        found[name].append((each["out"], value))
    return found


@needs_node
@pytest.mark.parametrize("name", PARAMETERS)
def test_every_primitive_is_that_of_the_engine(name, computed):
    assert computed[name]
    for found, value in computed[name]:
        close(found, value)


@needs_node
def test_the_interpreter_has_the_primitives_that_are_let_through_and_no_others():
    own = node("console.log(JSON.stringify(require(PATH).primitives))", None)
    assert sorted(own) == sorted(PARAMETERS)


SMOOTH = (nn.Tanh(), nn.Sigmoid(), nn.Softplus(), nn.Gelu(), nn.Swish(), nn.Softsign(), nn.Softmax(), nn.Exponential())
KINKED = (nn.Relu(), nn.LeakyRelu(), nn.Elu(), nn.Selu(), nn.Relu6(), nn.HardSigmoid(), nn.Linear(), nn.Threshold())
TARGETS = {
    nn.BinaryCrossEntropy(): (1, np.arange(12) % 2),
    nn.SoftmaxCrossEntropy(): (3, np.arange(12) % 3),
    nn.Quadratic(): (2, drawn(12, 2, seed=5)),
    nn.Hinge(): (1, np.arange(12) % 2),
}


def problem(activation, loss, seed=1, initialiser=None):
    """A small network with its data, in float64."""
    units, target = TARGETS[loss]
    network = nn.mlp((5, 4), units, activation=activation, initialiser=initialiser)
    x = drawn(12, 3, seed=3)
    config = Config(network, loss, SGD(), seed=seed, batch_size=12, engine=Reference("f64"))
    return network, initial_values(config, Arrays(x, target))[0], x, loss.prepared(target, units, np.float64)


@needs_node
def test_forward_passes_and_gradients_are_those_of_the_engine_with_each_activation():
    cases, wanted = [], []
    for activation in (*SMOOTH, *KINKED):
        network, params, x, y = problem(activation, nn.SoftmaxCrossEntropy())

        def forward(params, x, network=network):
            return nn.SoftmaxCrossEntropy().predict(network.apply(params, {}, x, train=False, key=None)[0])

        def slopes(params, x, y, network=network):
            loss = lambda p: pr.mean(nn.SoftmaxCrossEntropy()(network.apply(p, {}, x, train=True, key=None)[0], y))
            return pr.value_and_grad(loss)(params)

        given = {f"params/{path}": numbers_of(value) for path, value in params.items()}
        given |= {"x": numbers_of(x), "y": numbers_of(y)}
        for function, args, names in (
            (forward, (params, x), ("params", "x")),
            *([(slopes, (params, x, y), ("params", "x", "y"))] if not isinstance(activation, nn.Threshold) else []),
        ):
            program = trace(function)(*args)
            results = ("loss", "gradient") if function is slopes else "out"
            cases.append([as_data(program, names, results), given])
            wanted.append(flatten(call(program, args))[0])
    for found, values in zip(node(MANY, cases), wanted, strict=True):
        for each, value in zip(found.values(), values, strict=True):
            close(each, value)


@needs_node
@pytest.mark.parametrize("initialiser", [None, nn.Constant(0.0)], ids=["drawn", "zero"])
@pytest.mark.parametrize("loss", TARGETS, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("optimiser", [SGD(), Momentum(), Adam()], ids=lambda each: type(each).__name__)
def test_fifty_steps_of_training_are_those_of_the_engine(optimiser, loss, initialiser):
    network, params, x, y = problem(nn.Tanh() if initialiser else nn.Relu(), loss, initialiser=initialiser)
    state = first_state(params, {}, optimiser, 0)
    rows = np.array([[0, 4, 8, 2], [1, 5, 9, 3], [11, 10, 6, 7]])
    specs = {"x": Spec((4, 3), np.dtype(float)), "y": Spec((4, *y.shape[1:]), y.dtype)}
    program = make_step(network, loss, optimiser, (), state, specs)
    own = hyper_values(optimiser, ()) | {"learning_rate": 0.05}
    given = {
        "program": as_data(program, ("state", "batch", "hyper"), ("state", "")),
        "state": {name: numbers_of(leaf) for name, leaf in named(state, "state")},
        "batches": [{"batch/x": numbers_of(x[each]), "batch/y": numbers_of(y[each])} for each in rows],
        "hyper": {f"hyper/{name}": value for name, value in own.items()},
        "steps": 50,
    }
    found = node(STEPS, given)
    losses, now = [], state
    for step in range(50):
        batch = rows[step % 3]
        hyper = {name: np.asarray(value, np.float64) for name, value in own.items()}
        now, figures = call(
            program, (now, {"x": x[batch], "y": y[batch]}, hyper | {"step": np.asarray(step + 1, np.int32)})
        )
        losses.append(float(figures["loss"]))
    close(found["losses"], losses, rtol=1e-9)
    for name, leaf in named(now, "state"):
        close(found["state"][name], leaf, rtol=1e-8, atol=1e-11)


def named(value, head):
    """Leaves of dictionaries with their paths."""
    if not isinstance(value, dict):
        return [(head, value)]
    return [leaf for key in sorted(value) for leaf in named(value[key], f"{head}/{key}")]


def test_what_cannot_be_replayed_is_refused_by_name():
    with pytest.raises(
        NotSupported, match=r"replay: random_bits at test_replay.py:\d+: the interpreter in the page lacks"
    ):
        as_data(trace(lambda key: ops.uniform(key, (3,), np.float64))(ops.key(0)), ("key",), "out")
    with pytest.raises(NotSupported, match=r"lacks this primitive\. Use a network of others; it has abs, add"):
        as_data(trace(gather_sum)(drawn(3, 2), WHOLE, drawn(2, 3)), ("x", "i", "w"), "out")
    with pytest.raises(NotSupported, match=r"replay: input at .* computes in float32; float64 is required"):
        as_data(trace(ops.tanh)(Spec((3,), np.dtype(np.float32))), ("x",), "out")
    large = np.zeros((200, 101))
    with pytest.raises(ConfigError, match=r"holds 20,200 constant numbers; at most 20,000 are supported"):
        as_data(trace(lambda x: x + large)(large), ("x",), "out")
    with pytest.raises(ConfigError, match=r"two values are named 'a/b'"):
        as_data(trace(lambda p: p["a"]["b"] + p["a/b"])({"a": {"b": drawn(2)}, "a/b": drawn(2)}), ("",), "out")


def test_a_network_with_masks_or_running_numbers_is_refused():
    x, y = Spec((4, 2), np.dtype(float)), Spec((4, 1), np.dtype(float))
    for given in ({"drop_rate": 0.5}, {"batch_norm": True}):
        network = nn.mlp((3,), 1, **given)
        params, _ = network.init(np.random.default_rng(0), x)
        with pytest.raises(NotSupported, match="replay: "):
            replayed("a", network, nn.BinaryCrossEntropy(), SGD(), params, x, y, 9, "")
