"""The graph as the planner wants it: the same results from fewer passes over memory.

Every rule is an identity of arithmetic that changes a result by no more than rounding.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from preceptor.engines.native.operand import VIEWS
from preceptor.graph import CONSTANT, INPUT, Graph, Node
from preceptor.ops import Primitive, elementwise, movement, pooling, reduction
from preceptor.ops.primitive import Spec
from preceptor.ops.window import Windows

# bfloat16 in memory: NumPy has no such type, so that it has a name of its own here.
BF16 = np.dtype([("bfloat16", np.uint16)])

FOLDED = 4096  # constants of up to so many elements are worked out while planning
ONE_PASS_FROM = 4096  # arrays from this size on are read once, not twice, for their mean and variance
SAMPLED = 32  # rows whose mean is subtracted before squares are summed

round_bf16 = Primitive(
    "round_bf16",
    spec=lambda x: x,
    run=lambda xp, x: x,
    vjp=None,
    doc="The nearest bfloat16 as a float32 (ties to even).",
)

to_bf16 = Primitive(
    "to_bf16",
    spec=lambda x: Spec(x.shape, BF16),
    run=lambda xp, x: x,
    vjp=None,
    doc="The nearest bfloat16 (ties to even), held in two bytes.",
)

PRODUCTS = frozenset({"matmul", "convolution", "convolution_input", "convolution_kernel"})

ELEMENTWISE = frozenset(each.name for each in vars(elementwise).values() if isinstance(each, Primitive)) | {
    "cast",
    "round_bf16",
    "to_bf16",
}


def simplify(graph: Graph, half: Primitive | None = None) -> Graph:
    """Applies all rules, from the inputs to the outputs, once.

    Args:
        half: how factors of products at precision "bf16" are rounded: `to_bf16` where the machine multiplies such
            numbers, else `round_bf16`.
    """
    pass_ = _Pass(half)
    for node in graph.needed():
        pass_.take(node)
    return pass_.finish(graph)


class _Pass:
    """The new graph while it is built; `make` is the only way in, so that equal nodes are one."""

    def __init__(self, half: Primitive | None) -> None:
        self.graph, self.half = Graph(), half
        self.known: dict[Any, Node] = {}
        self.new: dict[int, Node] = {}
        self.source: tuple[str, int] = ("", 0)
        self.rectified: dict[int, Node] = {}  # x -> relu(x)
        self.factors: set[int] = set()  # what is in memory because a product, or windows that overlap, read it

    def take(self, node: Node) -> None:
        self.source = node.source
        if node.primitive is INPUT:
            self.new[node.index] = self.graph._append(INPUT, (), {}, node.spec, node.source)
        elif node.primitive is CONSTANT:
            self.new[node.index] = self.constant(node.params["value"])
        else:
            inputs = tuple(self.new[each.index] for each in node.inputs)
            build = self.unrolled if node.primitive.name == "fold" else self.make
            self.new[node.index] = build(node.primitive, inputs, node.params)

    def finish(self, graph: Graph) -> Graph:
        self.graph.inputs = [self.new[node.index] for node in graph.inputs]
        self.graph.outputs = [self.new[node.index] for node in graph.outputs]
        self.graph.is_open = False
        return self.graph

    def constant(self, value: Any) -> Node:
        value = np.asarray(value)
        key = ("constant", value.dtype.str, value.shape, value.tobytes() if value.size <= FOLDED else id(value))
        if key not in self.known:
            spec = Spec(value.shape, value.dtype)
            self.known[key] = self.graph._append(CONSTANT, (), {"value": value}, spec, self.source)
        return self.known[key]

    def make(self, primitive: Primitive, inputs: Sequence[Node], params: dict[str, Any] | None = None) -> Node:
        """The node for a primitive applied to nodes of the new graph, or a simpler one that is the same."""
        params, inputs = params or {}, tuple(inputs)
        rule = RULES.get(primitive.name)
        simpler = rule(self, inputs, params) if rule is not None else None
        if simpler is None and primitive.name in ELEMENTWISE:
            simpler = _elementwise(self, primitive, inputs, params)
        if simpler is not None:
            return simpler
        if primitive.name in PRODUCTS and params.get("precision") == "bf16" and self.half is not None:
            inputs = tuple(self.halved(each) if each.spec.dtype == np.float32 else each for each in inputs)
            params = params | {"precision": "f32"}
        key = _key(primitive, inputs, params)
        if key is not None and key in self.known:
            return self.known[key]
        spec = primitive.spec(*(each.spec for each in inputs), **params)
        if spec.dtype == BF16 and primitive.name in PRODUCTS:
            spec = Spec(spec.shape, np.dtype(np.float32))
        node = self.graph._append(primitive, inputs, params, spec, self.source)
        if key is not None:
            self.known[key] = node
        if _reads_memory(node):
            self.factors |= {_moved_from(each).index for each in inputs}
        if primitive.name == "relu":
            self.rectified[node.inputs[0].index] = node
        return node

    def unrolled(self, primitive: Primitive, inputs: tuple[Node, ...], params: dict[str, Any]) -> Node:
        """The steps of a loop within the program, one after the other."""
        body, rows = params["body"], params["rows"]
        carried, mapped, fixed = inputs[0], inputs[1 : 1 + rows], inputs[1 + rows :]
        for number in range(mapped[0].shape[0]):
            row = [self.row(x, number) for x in mapped]
            carried = self.inlined(body, [carried, *row, *fixed])
        return carried

    def row(self, x: Node, number: int) -> Node:
        slices = ((number, number + 1, 1), *((0, n, 1) for n in x.shape[1:]))
        return self.reshape(self.make(movement._slice, [x], {"slices": slices}), x.shape[1:])

    def inlined(self, body: Graph, values: list[Node]) -> Node:
        """The one output of a graph, its nodes made anew on other inputs."""
        outer, self.new = self.new, {node.index: value for node, value in zip(body.inputs, values, strict=True)}
        for node in body.needed():
            if node.primitive is not INPUT:
                self.take(node)
        result, self.new = self.new[body.outputs[0].index], outer
        return result

    def halved(self, x: Node) -> Node:
        """A factor rounded, its movements outermost so that all views of it share one rounding."""
        assert self.half is not None
        if x.primitive.name in ("transpose", *VIEWS):
            return self.make(x.primitive, [self.halved(x.inputs[0])], x.params)
        return self.make(self.half, [x])

    # Short words for what the rules build.

    def reshape(self, x: Node, shape: Sequence[int]) -> Node:
        return self.make(movement._reshape, [x], {"shape": tuple(shape)})

    def broadcast(self, x: Node, shape: Sequence[int]) -> Node:
        return self.make(movement._broadcast_to, [x], {"shape": tuple(shape)})

    def sum(self, x: Node, axes: tuple[int, ...]) -> Node:
        return self.make(reduction._sum, [x], {"axes": axes})

    def apply(self, primitive: Primitive, *xs: Node) -> Node:
        """An elementwise primitive on nodes of which all but one shape may be scalars."""
        shape = np.broadcast_shapes(*(x.shape for x in xs))
        return self.make(primitive, [self.broadcast(x, shape) for x in xs])

    def number(self, value: float, dtype: np.dtype) -> Node:
        return self.constant(np.asarray(value, dtype))


def _key(primitive: Primitive, inputs: tuple[Node, ...], params: dict[str, Any]) -> Any:
    if any(isinstance(value, Graph) for value in params.values()):
        return None
    words = [(name, str(value) if isinstance(value, np.dtype) else value) for name, value in sorted(params.items())]
    return (primitive.name, tuple(each.index for each in inputs), tuple(words))


def constant_of(node: Node) -> float | None:
    """The number that a node repeats everywhere, where it is one."""
    while node.primitive.name in ("broadcast", *VIEWS):
        node = node.inputs[0]
    if node.primitive is not CONSTANT:
        return None
    value = node.params["value"]
    if value.size == 1 and value.dtype.names is None:
        return value.item()
    return None


def _is(node: Node, name: str) -> bool:
    return node.primitive.name == name


def _reads_memory(node: Node) -> bool:
    if node.primitive.name in PRODUCTS:
        return True
    windows = node.params.get("windows")
    return windows is not None and windows.size != windows.stride


def lie_apart(windows: Windows) -> bool:
    """Whether windows lie side by side, without gaps, paddings or overlap."""
    return windows.size == windows.stride and not any(map(any, windows.padding)) and set(windows.dilation) == {1}


def _moved_from(node: Node) -> Node:
    while node.primitive.name in ("transpose", "to_bf16", "round_bf16", *VIEWS):
        node = node.inputs[0]
    return node


def _where(p: _Pass, inputs: tuple, params: dict) -> Node | None:
    """Where a rectified value is in memory anyway, whether nothing passed is asked of it, so that its input need not be
    kept: x <= 0 where relu(x) <= 0."""
    test, zero, y = inputs
    if (value := constant_of(test)) is not None:
        return zero if value else y
    if not _is(test, "less_equal") or constant_of(test.inputs[1]) != 0 or constant_of(zero) != 0:
        return None
    x = test.inputs[0]
    relu = p.rectified.get(x.index)
    if relu is None:
        return None
    if _is(y, "window_max_spread") and y.inputs[1] is relu and _is_rectified_pool(y.inputs[2], x):
        few, largest = y.inputs[0], y.inputs[2]
        return p.make(y.primitive, [_masked(p, largest, few), x, largest], y.params)
    return _masked(p, relu, y) if relu.index in p.factors else None


def _masked(p: _Pass, x: Node, y: Node) -> Node:
    """0 where x <= 0, else y."""
    zeros = [p.broadcast(p.number(0, like.spec.dtype), like.shape) for like in (x, y)]
    return p.make(elementwise.where, [p.make(elementwise.less_equal, [x, zeros[0]]), zeros[1], y])


def _is_rectified_pool(node: Node, x: Node) -> bool:
    """Whether a node is max(largest entries of windows of x, 0)."""
    return _is(node, "relu") and _is(node.inputs[0], "window_max") and node.inputs[0].inputs[0] is x


def _window_max(p: _Pass, inputs: tuple, params: dict) -> Node | None:
    """Of rectified numbers: the largest is found first, then rectified, for it is one number and not many. Backward
    (`_where`) nothing flows where the largest is not above 0; elsewhere the same entries equal it."""
    (x,) = inputs
    if not _is(x, "relu") or x.spec.dtype != np.float32:
        return None
    return p.make(elementwise.relu, [p.make(pooling._window_max, [x.inputs[0]], params)])


def _reshape(p: _Pass, inputs: tuple, params: dict) -> Node | None:
    (x,), shape = inputs, params["shape"]
    if x.shape == shape:
        return x
    if _is(x, "reshape") or _is(x, "stop_gradient"):
        return p.reshape(x.inputs[0], shape)
    if _is(x, "broadcast") and x.inputs[0].size == 1:
        return p.broadcast(p.reshape(x.inputs[0], ()), shape)
    if x.primitive is CONSTANT and x.size <= FOLDED:
        return p.constant(x.params["value"].reshape(shape))
    return None


def _stop_gradient(p: _Pass, inputs: tuple, params: dict) -> Node:
    return inputs[0]


def _broadcast(p: _Pass, inputs: tuple, params: dict) -> Node | None:
    (x,), shape = inputs, params["shape"]
    if x.shape == shape:
        return x
    if x.size == math.prod(shape):
        return p.reshape(x, shape)
    if x.size == 1 and x.shape:
        return p.broadcast(p.reshape(x, ()), shape)
    if _is(x, "broadcast"):
        return p.broadcast(x.inputs[0], shape)
    if _is(x, "reshape") and x.inputs[0].shape == x.shape[x.ndim - x.inputs[0].ndim :]:
        return p.broadcast(x.inputs[0], shape)
    if _is(x, "reshape") and _is(x.inputs[0], "broadcast") and x.inputs[0].inputs[0].size == 1:
        return p.broadcast(x.inputs[0].inputs[0], shape)
    return None


def _transpose(p: _Pass, inputs: tuple, params: dict) -> Node | None:
    (x,), axes = inputs, params["axes"]
    if _is(x, "transpose"):
        inner = x.params["axes"]
        return p.make(movement._transpose, [x.inputs[0]], {"axes": tuple(inner[a] for a in axes)})
    moving = [a for a in axes if x.shape[a] != 1]
    if moving == sorted(moving):
        return p.reshape(x, [x.shape[a] for a in axes])
    if x.primitive is CONSTANT and x.size <= FOLDED:
        return p.constant(np.ascontiguousarray(np.transpose(x.params["value"], axes)))
    if _is(x, "broadcast") and x.inputs[0].size == 1:
        return p.broadcast(x.inputs[0], [x.shape[a] for a in axes])
    return None


def _cast(p: _Pass, inputs: tuple, params: dict) -> Node | None:
    (x,) = inputs
    return x if x.spec.dtype == params["dtype"] else None


def _slice(p: _Pass, inputs: tuple, params: dict) -> Node | None:
    (x,) = inputs
    whole = all(range(n)[slice(*each)] == range(n) for n, each in zip(x.shape, params["slices"], strict=True))
    return x if whole else None


def _add(p: _Pass, inputs: tuple, params: dict) -> Node | None:
    x, y = inputs
    if constant_of(x) == 0 and not _negative_zero(x):
        return y
    if constant_of(y) == 0:
        return x
    if x is y and x.spec.dtype.kind == "f":
        return p.apply(elementwise.multiply, x, p.number(2, x.spec.dtype))
    if _is(y, "negative"):
        return p.make(elementwise.subtract, [x, y.inputs[0]])
    if _is(x, "negative"):
        return p.make(elementwise.subtract, [y, x.inputs[0]])
    return None


def _negative_zero(x: Node) -> bool:
    return math.copysign(1, constant_of(x) or 0) < 0


def _subtract(p: _Pass, inputs: tuple, params: dict) -> Node | None:
    x, y = inputs
    if constant_of(y) == 0:
        return x
    if _is(y, "negative"):
        return p.make(elementwise.add, [x, y.inputs[0]])
    return None


def _multiply(p: _Pass, inputs: tuple, params: dict) -> Node | None:
    x, y = inputs
    for one, other in ((x, y), (y, x)):
        value = constant_of(one)
        if value == 1:
            return other
        if value == -1 and other.spec.dtype.kind in "fi":
            return p.make(elementwise.negative, [other])
        if value is not None and _is(other, "multiply") and other.spec.dtype == np.float32:
            for inner, rest in (other.inputs, other.inputs[::-1]):  # c * (repeated v * x) = repeated (c v) * x
                if _is(inner, "broadcast") and inner.inputs[0].size < x.size:
                    scaled = p.apply(elementwise.multiply, inner.inputs[0], p.number(value, x.spec.dtype))
                    return p.make(elementwise.multiply, [p.broadcast(scaled, x.shape), rest])
        if value is not None and _is(other, "multiply") and value != 0:
            for inner, rest in (other.inputs, other.inputs[::-1]):  # c * (d * x) = (c d) * x for powers of two
                again = constant_of(inner)
                if again is not None and _is_power_of_two(value):
                    return p.make(elementwise.multiply, [p.make(elementwise.multiply, [one, inner]), rest])
    return None


def _is_power_of_two(value: float) -> bool:
    return math.isfinite(value) and value != 0 and abs(math.frexp(value)[0]) == 0.5 and abs(math.log2(abs(value))) < 60


def _divide(p: _Pass, inputs: tuple, params: dict) -> Node | None:
    x, y = inputs
    value = constant_of(y)
    if value == 1:
        return x
    if value is not None and _is_power_of_two(value):
        return p.apply(elementwise.multiply, x, p.number(1 / value, x.spec.dtype))
    return None


def _power(p: _Pass, inputs: tuple, params: dict) -> Node | None:
    """x to a number that is a multiple of a quarter: roots and products, ten times as fast."""
    x, y = inputs
    exponent = constant_of(y)
    if exponent is None or x.spec.dtype != np.float32 or not 0 < abs(exponent) <= 4 or (4 * exponent) % 1:
        return None
    whole, quarters = divmod(int(4 * abs(exponent)), 4)
    root = p.make(elementwise.sqrt, [x])
    parts = [p.make(elementwise.integer_power, [x], {"exponent": whole})] if whole > 1 else [x] * whole
    parts += [root] if quarters in (2, 3) else []
    parts += [p.make(elementwise.sqrt, [root])] if quarters in (1, 3) else []
    result = parts[0]
    for each in parts[1:]:
        result = p.make(elementwise.multiply, [result, each])
    if exponent < 0:
        return p.apply(elementwise.divide, p.number(1, x.spec.dtype), result)
    return result


def _negative(p: _Pass, inputs: tuple, params: dict) -> Node | None:
    (x,) = inputs
    return x.inputs[0] if _is(x, "negative") else None


def _elementwise(p: _Pass, primitive: Primitive, inputs: tuple, params: dict) -> Node | None:
    """Constants are worked out now; what is the same along some axes is worked out before it is repeated there."""
    shape = inputs[0].shape
    if all(x.primitive is CONSTANT for x in inputs) and inputs[0].size <= FOLDED and primitive.name in FOLDING:
        with np.errstate(all="ignore"):
            return p.constant(np.asarray(primitive.run(np, *(x.params["value"] for x in inputs), **params)))
    if 1 in shape and all(_is(x, "reshape") or constant_of(x) is not None for x in inputs):
        # Axes of length 1 are put in after the work, so that equal work is met.
        rest = tuple(n for n in shape if n != 1)
        return p.reshape(p.make(primitive, [p.reshape(x, rest) for x in inputs], params), shape)
    if not all(_is(x, "broadcast") or (x.size == 1 and x.primitive is CONSTANT) for x in inputs):
        return None
    sources = [x.inputs[0] if _is(x, "broadcast") else x for x in inputs]
    padded = [(1,) * (len(shape) - x.ndim) + x.shape for x in sources]
    small = tuple(np.broadcast_shapes(*padded))
    if math.prod(small) == math.prod(shape):
        return None
    if math.prod(small) == 1:
        small = ()
    sources = [p.broadcast(x if x.size > 1 else p.reshape(x, ()), small) for x in sources]
    return p.broadcast(p.make(primitive, sources, params), shape)


FOLDING = ELEMENTWISE - {"round_bf16", "to_bf16"}


def _along(p: _Pass, x: Node, axes: tuple[int, ...]) -> Node | None:
    """What a node repeats along all of the axes, in the shape without them; None where it varies there."""
    if not _is(x, "broadcast"):
        return None
    source = x.inputs[0]
    padded = (1,) * (x.ndim - source.ndim) + source.shape
    if any(padded[a] != 1 for a in axes):
        return None
    rest = [n for a, n in enumerate(x.shape) if a not in axes]
    return p.broadcast(p.reshape(source, [n for a, n in enumerate(padded) if a not in axes]), rest)


def _sum(p: _Pass, inputs: tuple, params: dict) -> Node | None:
    """A sum is linear: factors and terms that do not vary along its axes are taken out of it."""
    (x,), axes = inputs, params["axes"]
    if x.spec.dtype.kind != "f" or not x.size:
        return None
    count = math.prod(x.shape[a] for a in axes)
    rest = [n for a, n in enumerate(x.shape) if a not in axes]
    if count == 1:
        return p.reshape(x, rest)
    same = _along(p, x, axes)
    if same is not None:
        return p.apply(elementwise.multiply, same, p.number(count, x.spec.dtype))
    if _is(x, "negative"):
        return p.make(elementwise.negative, [p.sum(x.inputs[0], axes)])
    if _is(x, "multiply"):
        for one, other in (x.inputs, x.inputs[::-1]):
            factor = _along(p, one, axes)
            if factor is not None:
                return p.make(elementwise.multiply, [p.sum(other, axes), factor])
    if _is(x, "divide"):
        factor = _along(p, x.inputs[1], axes)
        if factor is not None:
            return p.make(elementwise.divide, [p.sum(x.inputs[0], axes), factor])
    if x.primitive.name in ("add", "subtract"):
        for position in (0, 1):
            term = _along(p, x.inputs[position], axes)
            if term is not None:
                parts = [p.sum(each, axes) for each in x.inputs]
                return p.make(x.primitive, parts)
    shares = _sum_of_shares(p, x, axes)
    return shares if shares is not None else _sum_of_squares(p, x, axes)


def _sum_of_shares(p: _Pass, x: Node, axes: tuple[int, ...]) -> Node | None:
    """Over all windows: what they share out among their largest entries comes to what they have, and times h to what
    they have times the mean of h over these. So the sums of a batch norm's gradient read windows, not pictures."""
    factors = x.inputs if _is(x, "multiply") else (x,)
    spread = next((each for each in factors if _is(each, "window_max_spread")), None)
    if spread is None:
        return None
    (few, values, largest), windows = spread.inputs, spread.params["windows"]
    if _is(largest, "relu"):
        largest = largest.inputs[0]
    inside = [a for a, n in enumerate(windows.size) if n > 1]
    if not _is(largest, "window_max") or largest.inputs[0] is not values or not set(inside) <= set(axes):
        return None
    if not lie_apart(windows):
        return None
    if spread is x:
        return p.sum(few, axes)
    h = factors[1] if factors[0] is spread else factors[0]
    centre = None
    if _is(h, "subtract") and _along(p, h.inputs[1], tuple(inside)) is not None:
        h, centre = h.inputs
    mean = p.make(pooling._window_max_mean, [h, values, largest], {"windows": windows})
    if centre is not None:  # it is the same in all of a window
        mean = p.make(elementwise.subtract, [mean, p.broadcast(centre.inputs[0], mean.shape)])
    return p.sum(p.make(elementwise.multiply, [few, mean]), axes)


def _sum_of_squares(p: _Pass, x: Node, axes: tuple[int, ...]) -> Node | None:
    """Of distances from the mean over the leading axes: sum of (x - k)² less n (mean - k)², for which x need not be
    read after its mean is known. k is the mean of a few rows: no digits are lost where the mean is far from 0."""
    if not _is(x, "multiply") or x.inputs[0] is not x.inputs[1] or not _is(x.inputs[0], "subtract"):
        return None
    values, mean = x.inputs[0].inputs
    count = math.prod(x.shape[a] for a in axes)
    if axes != tuple(range(len(axes))) or len(axes) == x.ndim or x.size < ONE_PASS_FROM:
        return None
    centre = _along(p, mean, axes)
    total = p.sum(values, axes)
    if centre is None or not _is(total, "sum"):
        return None
    number = p.number(count, x.spec.dtype)
    if centre is not p.apply(elementwise.divide, total, number):
        return None
    rows = SAMPLED if len(axes) == 1 else 1
    if values.shape[0] <= rows:
        return None
    few = p.make(
        movement._slice, [values], {"slices": tuple((0, rows if a == 0 else n, 1) for a, n in enumerate(x.shape))}
    )
    sampled = p.number(count // values.shape[0] * rows, x.spec.dtype)
    near = p.apply(elementwise.divide, p.sum(few, axes), sampled)
    distance = p.make(elementwise.subtract, [values, p.broadcast(near, x.shape)])
    squares = p.sum(p.make(elementwise.multiply, [distance, distance]), axes)
    shift = p.make(elementwise.subtract, [centre, near])
    return p.make(
        elementwise.subtract,
        [squares, p.apply(elementwise.multiply, p.make(elementwise.multiply, [shift, shift]), number)],
    )


RULES: dict[str, Callable[[_Pass, tuple, dict], Node | None]] = {
    "add": _add,
    "broadcast": _broadcast,
    "cast": _cast,
    "divide": _divide,
    "multiply": _multiply,
    "negative": _negative,
    "power": _power,
    "reshape": _reshape,
    "slice": _slice,
    "stop_gradient": _stop_gradient,
    "subtract": _subtract,
    "sum": _sum,
    "transpose": _transpose,
    "where": _where,
    "window_max": _window_max,
}
