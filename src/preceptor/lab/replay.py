"""Programs as data that a browser runs again: `assets/interpreter.js` computes them, in float64.

To add a primitive: its row in `PARAMETERS`, its function in the interpreter, and a row in tests/lab/test_replay.py.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from preceptor import ops
from preceptor.autodiff import value_and_grad
from preceptor.diagnose.rules.dead_units import DeadUnits
from preceptor.diagnose.rules.diverging import Diverging
from preceptor.diagnose.rules.drawn_scale import EQUAL, DrawnScale
from preceptor.diagnose.rules.equal_weights import EqualWeights
from preceptor.diagnose.rules.gradient_flow import GradientFlow
from preceptor.diagnose.rules.input_scale import InputScale
from preceptor.errors import ConfigError, NotSupported
from preceptor.graph import CONSTANT, INPUT, LEAF, Node, Program, Structure, trace
from preceptor.nn import Dense, Layer, Loss, Sequential
from preceptor.nn.layer import layer_outputs
from preceptor.ops import Spec
from preceptor.train import Penalty
from preceptor.train.optim import Optimiser
from preceptor.train.step import batch_loss, first_state, make_step

MOST_CONSTANTS = 20_000  # numbers that the constants of a program hold together: more would make a page heavy
MOST_NODES = 4_000
FLOAT = np.dtype(np.float64)
FLAT = 0.05  # of an activation's largest slope: below a twentieth it is flat, as the doctor's probe has it
WINDOW = 20  # steps in a window of the rule `Diverging`, the least it takes
MAP_SIDE = 41  # places of the page's map along each axis, of two features
CURVE_PLACES = 161  # of its curve, of one feature
DRAWS = 64  # of first values, to know how far they spread
KINDS = {"f": "number", "i": "whole", "u": "whole", "b": "truth"}

Parameters = Callable[[Node], dict[str, Any]]


def _nothing(node: Node) -> dict[str, Any]:
    return {}


def _of(name: str) -> Parameters:
    return lambda node: {name: node.params[name]}


def _parts(node: Node, lengths: tuple[int, ...]) -> dict[str, Any]:
    """Start and step of a slice on each axis."""
    ranges = [range(n)[slice(*each)] for n, each in zip(lengths, node.params["slices"], strict=True)]
    return {"start": [each.start for each in ranges], "step": [each.step for each in ranges]}


# By name of a primitive what the interpreter must know beside the shapes. What is missing here it cannot compute.
PARAMETERS: dict[str, Parameters] = {
    **dict.fromkeys(
        (
            "add", "subtract", "multiply", "divide", "negative", "power", "maximum", "exp", "log", "log1p", "expm1",
            "sqrt", "sin", "cos", "tanh", "sigmoid", "softplus", "relu", "erf", "abs", "sign", "threshold", "equal",
            "less", "less_equal", "not", "and", "or", "where", "reshape", "broadcast", "stop_gradient", "matmul",
        ),
        _nothing,
    ),
    "integer_power": _of("exponent"),
    "transpose": _of("axes"),
    "sum": _of("axes"),
    "max": _of("axes"),
    "argmax": _of("axis"),
    "concatenate": _of("axis"),
    "take": _of("axis"),
    "scatter_add": _of("axis"),
    "cast": lambda node: {"kind": KINDS[node.spec.dtype.kind]},
    "slice": lambda node: _parts(node, node.inputs[0].spec.shape),
    "unslice": lambda node: _parts(node, node.spec.shape),
}  # fmt: skip


def as_data(program: Program, arguments: Sequence[str], results: Sequence[str] | str) -> dict[str, Any]:
    """A program as JSON types.

    Args:
        arguments: a name for each argument of the traced function. What a dictionary holds is named by its path, such
            as "state/params/hidden1/weight".
        results: the same for what it returns: of a tuple one each, else one. With "" a path has no such beginning.

    Returns: "nodes", in order, each {"op", "in": numbers of the nodes that it reads, "shape", its parameters}, and
        "inputs" and "outputs", each {"name", "node"}. Numbers that are not finite are words: "NaN", "Infinity"; a
        constant whose numbers are all the same has one.
    Raises: NotSupported for a primitive that the interpreter lacks, and for numbers of another type than float64;
        ConfigError for a program that is too large for a page.
    """
    graph = program.graph
    if graph.captured:
        raise NotSupported(
            "replay: the program takes values of an enclosing trace; only what is whole can be replayed."
        )
    numbers = sum(node.spec.size for node in graph.nodes if node.primitive is CONSTANT)
    for count, most, what in ((numbers, MOST_CONSTANTS, "constant numbers"), (len(graph.nodes), MOST_NODES, "nodes")):
        if count > most:
            raise ConfigError(
                f"replay: the program holds {count:,} {what}; at most {most:,} are supported in a page. Take a smaller "
                "network, or fewer rows."
            )
    place = {node.index: number for number, node in enumerate(graph.nodes)}
    ins, outs = _names(program.arguments, arguments), _names(program.results, results)
    return {
        "nodes": [_node(node, place) for node in graph.nodes],
        "inputs": [{"name": name, "node": place[n.index]} for name, n in zip(ins, graph.inputs, strict=True)],
        "outputs": [{"name": name, "node": place[n.index]} for name, n in zip(outs, graph.outputs, strict=True)],
    }


def packed(program: Mapping[str, Any]) -> dict[str, Any]:
    """What `as_data` gives in a third of the letters: shapes and names of primitives stand once, and a node is a list
    of the places of its primitive and of its shape, the nodes that it reads, and its parameters where it has any."""
    ops = list(dict.fromkeys(node["op"] for node in program["nodes"]))
    shapes: list[list[int]] = []
    nodes = []
    for node in program["nodes"]:
        if node["shape"] not in shapes:
            shapes.append(node["shape"])
        own = {key: value for key, value in node.items() if key not in ("op", "in", "shape")}
        nodes.append([ops.index(node["op"]), shapes.index(node["shape"]), node["in"], *([own] if own else [])])
    return {
        "ops": ops,
        "shapes": shapes,
        "nodes": nodes,
        **{way: [[each["name"], each["node"]] for each in program[way]] for way in ("inputs", "outputs")},
    }


def _node(node: Node, place: Mapping[int, int]) -> dict[str, Any]:
    name = node.primitive.name
    if node.spec.dtype.kind == "f" and node.spec.dtype != FLOAT:
        raise NotSupported(
            f"replay: {name} at {node.line} computes in {node.spec.dtype}; float64 is required. Trace the program with "
            "float64 arrays, as Reference('f64') does."
        )
    own: dict[str, Any] = {}
    if node.primitive is CONSTANT:
        values = numbers_of(node.params["value"])
        own = {"value": values[:1] if len({str(each) for each in values}) == 1 else values}
    elif node.primitive is not INPUT:
        if name not in PARAMETERS:
            raise NotSupported(
                f"replay: {name} at {node.line}: the interpreter in the page lacks this primitive. Use a network of "
                f"others; it has {', '.join(sorted(PARAMETERS))}."
            )
        own = PARAMETERS[name](node)
    return {"op": name, "in": [place[each.index] for each in node.inputs], "shape": list(node.spec.shape)} | {
        key: list(value) if isinstance(value, tuple) else value for key, value in own.items()
    }


def numbers_of(array: Any) -> list[float | str]:
    """An array's numbers in row-major order, JSON types: what is not finite as the word that JavaScript reads."""
    flat = np.asarray(array).astype(np.float64).ravel().tolist()
    words = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
    return [words.get(str(each), each) for each in flat]


def _names(structure: Structure, heads: Sequence[str] | str) -> list[str]:
    parts = [structure] if isinstance(heads, str) else list(structure.children)
    heads = [heads] if isinstance(heads, str) else list(heads)
    found = [name for head, part in zip(heads, parts, strict=True) for name in _paths(part, head)]
    if len(set(found)) != len(found):
        double = next(name for name in found if found.count(name) > 1)
        raise ConfigError(f"replay: two values are named {double!r}; each needs a name of its own.")
    return found


def _paths(structure: Structure, head: str) -> Iterator[str]:
    if structure == LEAF:
        yield head
    keys = structure.keys or range(len(structure.children))
    for key, child in zip(keys, structure.children, strict=False):
        yield from _paths(child, f"{head}/{key}" if head else str(key))


def watched() -> dict[str, float]:
    """Thresholds of the doctor's rules that the page watches, from the rules themselves."""
    units, loss, inputs, drawn, flow = DeadUnits(), Diverging(), InputScale(), DrawnScale(), GradientFlow()
    return {
        "equal_apart": EqualWeights().apart,
        "dead_units": units.dead,
        "flat_rows": units.rows,
        "flat_units": units.share,
        "flat": FLAT,
        "window": WINDOW,
        "windows": loss.windows,
        "times": loss.times,
        "input_large": inputs.large,
        "input_small": inputs.small,
        "input_apart": inputs.apart,
        "input_shifted": inputs.shifted,
        "input_share": inputs.share,
        "drawn_equal": EQUAL,
        "drawn_factor": drawn.factor,
        "drawn_flat": drawn.flat,
        "fades": flow.fades,
        "grows": flow.grows,
        "flow_dead": flow.dead,
    }


@dataclass(frozen=True, eq=False)
class Network:
    """A network that a page trains: its programs and the values it begins with.

    Args:
        name: as the reader chooses it.
        step: `state`, `batch` and `hyper` -> the next `state` and `loss`, as of `train.step.make_step`.
        gradient: `params` and `batch` -> the mean `loss` of the batch, its `gradient` by each parameter, and the `flow`
            through each layer of weights: root mean square of the slope of a row's loss by what comes out of it.
        forward: `params` and `x` (other rows) -> what the loss predicts, `predicted`, and `layers/NAME`: each output.
        first: the first parameters; they come from the seed of the run.
        state: what the step carries beside them, as before the first step.
        layers: name and kind of each layer, in order: [("hidden1", "Dense"), ("activation1", "Tanh"), ...].
        source: the network in Python.
        drawn: mean and deviation of what its initialisers draw for each parameter, for other seeds.
    """

    name: str
    step: dict[str, Any]
    gradient: dict[str, Any]
    forward: dict[str, Any]
    first: dict[str, np.ndarray]
    state: dict[str, np.ndarray]
    layers: tuple[tuple[str, str], ...]
    source: str
    drawn: dict[str, tuple[float, float]]


@dataclass(frozen=True, eq=False)
class _Moved(Layer):
    """A layer with something added to its output: the slope by it is that by the output."""

    layer: Layer
    move: Any

    def init(self, rng: np.random.Generator, spec: Spec) -> tuple[dict[str, Any], dict[str, Any]]:
        return self.layer.init(rng, spec)

    def apply(
        self, params: dict[str, Any], state: dict[str, Any], x: Any, *, train: bool, key: Any
    ) -> tuple[Any, dict[str, Any]]:
        y, after = self.layer.apply(params, state, x, train=train, key=key)
        return y + self.move, after


def replayed(
    name: str,
    network: Sequential,
    loss: Loss,
    optimiser: Optimiser,
    first: Mapping[str, np.ndarray],
    x: Spec,
    y: Spec,
    seen: int,
    source: str,
    penalties: Sequence[Penalty] = (),
) -> Network:
    """Traces what a page needs of a network.

    Args:
        first: parameters by path, such as `follow(config, data).params[0]`.
        x, y: of a batch: what the step takes, `loss.prepared` its targets.
        seen: rows that the forward pass takes at once, as of `Replay`.
        source: the network as an expression of Python, for the export: "nn.mlp((4,), 1, activation=nn.Tanh())".
    Raises: NotSupported for a network with running numbers (batch normalisation) or random masks (dropout), and as
        `as_data`.
    """
    if running := network.init(np.random.default_rng(0), x)[1]:
        raise NotSupported(
            f"replay: {name}: the network keeps running numbers ({', '.join(sorted(running))}), which a page does not. "
            "Leave batch normalisation out."
        )
    params = {path: np.asarray(value, np.float64) for path, value in first.items()}
    state = first_state(params, {}, optimiser, 0)
    batch = {"x": x, "y": y}
    step = make_step(network, loss, optimiser, penalties, state, batch)

    def mean_loss(params: Any, moves: Any, batch: Any) -> Any:
        layers = tuple(_Moved(layer, moves[each]) if each in moves else layer for each, layer in network.parts())
        cost, _ = batch_loss(Sequential(layers, network.names), loss, params, {}, batch, None, None)
        for each in penalties:
            cost = cost + each.cost(params, each.weight) if each.is_smooth else cost
        return cost

    def gradient(params: Any, batch: Any) -> Any:
        rows = batch["x"].shape[0]
        moves = {
            each: ops.broadcast_to(np.zeros(()), (rows, layer.units))
            for each, layer in network.parts()
            if isinstance(layer, Dense)
        }

        def cost_of(both: Any) -> Any:
            return mean_loss(both["params"], both["moves"], batch)

        cost, slopes = value_and_grad(cost_of)({"params": params, "moves": moves})
        sizes = {each: rows * ops.sqrt(ops.mean(flow * flow)) for each, flow in slopes["moves"].items()}
        return {"loss": cost, "gradient": slopes["params"], "flow": sizes}

    def forward(params: Any, x: Any) -> Any:
        outputs = {each: value for each, _, value in layer_outputs(network, params, {}, x)}
        return {"predicted": loss.predict(outputs[network.names[-1]]), "layers": outputs}

    specs = {path: Spec(value.shape, value.dtype) for path, value in params.items()}
    slots = _leaves({key: value for key, value in state.items() if key != "params"}, "state")
    return Network(
        name,
        as_data(step, ("state", "batch", "hyper"), ("state", "")),
        as_data(trace(gradient)(specs, batch), ("params", "batch"), ""),
        as_data(trace(forward)(specs, Spec((seen, *x.shape[1:]), x.dtype)), ("params", "x"), ""),
        params,
        slots,
        tuple((each, type(layer).__name__) for each, layer in network.parts()),
        source,
        _drawn(network, x),
    )


def _drawn(network: Sequential, x: Spec) -> dict[str, tuple[float, float]]:
    """Mean and deviation of each parameter's first values, to three digits; the page draws normal numbers of these."""
    many = [network.init(np.random.default_rng(seed), x)[0] for seed in range(DRAWS)]
    found = {}
    for path in many[0]:
        values = np.array([each[path] for each in many], np.float64)
        found[path] = float(f"{values.mean() if not values.std() else 0:.3g}"), float(f"{values.std():.3g}")
    return found


def _leaves(value: Any, head: str) -> dict[str, np.ndarray]:
    if not isinstance(value, dict):
        return {head: np.asarray(value)}
    return {name: leaf for key, each in value.items() for name, leaf in _leaves(each, f"{head}/{key}").items()}
