"""The new graph while it is built, and what all rules of simplification need to know of its nodes."""

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from preceptor.engines.native.operand import VIEWS
from preceptor.graph import CONSTANT, INPUT, Graph, Node
from preceptor.ops import Primitive, elementwise, movement
from preceptor.ops.primitive import Spec
from preceptor.ops.window import Windows

# bfloat16 in memory: NumPy has no such type, so that it has a name of its own here.
BF16 = np.dtype([("bfloat16", np.uint16)])

FOLDED = 4096  # constants of up to so many elements are worked out while planning

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


class Rewriting:
    """The new graph while it is built; `make` is the only way in, so that equal nodes are one."""

    def __init__(self, rules: dict[str, "Rule"], half: Primitive | None) -> None:
        self.graph, self.rules, self.half = Graph(), rules, half
        self.known: dict[Any, Node] = {}
        self.new: dict[int, Node] = {}
        self.source: tuple[str, int] = ("", 0)
        self.rectified: dict[int, Node] = {}  # x -> relu(x)
        self.limited: dict[int, Node] = {}  # x -> where(c <= x, c, relu(x))
        self.summed: dict[tuple[int, tuple[int, ...]], Node] = {}  # (x, axes) -> sums out of which something was taken
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
        rule = self.rules.get(primitive.name)
        simpler = rule(self, inputs, params) if rule is not None else None
        if simpler is None and primitive.name in ELEMENTWISE:
            simpler = repeat_last(self, primitive, inputs, params)
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
        if primitive.name == "where" and is_a(node.inputs[2], "relu"):
            self.limited[node.inputs[2].inputs[0].index] = node
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
        movements = []
        while x.primitive.name in ("transpose", *VIEWS):
            movements.append(x)
            (x,) = x.inputs
        x = self.make(self.half, [x])
        for each in reversed(movements):
            x = self.make(each.primitive, [x], each.params)
        return x

    # Short words for what the rules build.

    def reshape(self, x: Node, shape: Sequence[int]) -> Node:
        return self.make(movement._reshape, [x], {"shape": tuple(shape)})

    def broadcast(self, x: Node, shape: Sequence[int]) -> Node:
        return self.make(movement._broadcast_to, [x], {"shape": tuple(shape)})

    def sum(self, x: Node, axes: tuple[int, ...]) -> Node:
        return self.make(movement._sum, [x], {"axes": axes})

    def apply(self, primitive: Primitive, *xs: Node) -> Node:
        """An elementwise primitive on nodes of which all but one shape may be scalars."""
        shape = np.broadcast_shapes(*(x.shape for x in xs))
        return self.make(primitive, [self.broadcast(x, shape) for x in xs])

    def number(self, value: float, dtype: np.dtype) -> Node:
        return self.constant(np.asarray(value, dtype))


Rule: TypeAlias = Callable[[Rewriting, tuple, dict], Node | None]


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


def is_a(node: Node, name: str) -> bool:
    """Whether a node is of the primitive of this name."""
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


def repeat_last(p: Rewriting, primitive: Primitive, inputs: tuple, params: dict) -> Node | None:
    """Constants are worked out now; what is the same along some axes is worked out before it is repeated there."""
    shape = inputs[0].shape
    if all(x.primitive is CONSTANT for x in inputs) and inputs[0].size <= FOLDED and primitive.name in FOLDING:
        with np.errstate(all="ignore"):
            return p.constant(np.asarray(primitive.run(np, *(x.params["value"] for x in inputs), **params)))
    if 1 in shape and all(is_a(x, "reshape") or constant_of(x) is not None for x in inputs):
        # Axes of length 1 are put in after the work, so that equal work is met.
        rest = tuple(n for n in shape if n != 1)
        return p.reshape(p.make(primitive, [p.reshape(x, rest) for x in inputs], params), shape)
    if not all(is_a(x, "broadcast") or (x.size == 1 and x.primitive is CONSTANT) for x in inputs):
        return None
    sources = [x.inputs[0] if is_a(x, "broadcast") else x for x in inputs]
    padded = [(1,) * (len(shape) - x.ndim) + x.shape for x in sources]
    small = tuple(np.broadcast_shapes(*padded))
    if math.prod(small) == math.prod(shape):
        return None
    if math.prod(small) == 1:
        small = ()
    sources = [p.broadcast(x if x.size > 1 else p.reshape(x, ()), small) for x in sources]
    return p.broadcast(p.make(primitive, sources, params), shape)


FOLDING = ELEMENTWISE - {"round_bf16", "to_bf16"}
