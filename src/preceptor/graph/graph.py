"""A program as data: nodes in the order in which they were built, so that every pass is one short loop."""

import itertools
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from preceptor.errors import NotSupported
from preceptor.ops.primitive import Primitive, Spec, Symbol, as_array, newest_graph, spec_of, user_frame, user_line

INPUT = Primitive("input", spec=lambda: Spec((), np.dtype(float)), run=lambda xp: None, vjp=None, doc="A given value.")
CONSTANT = Primitive(
    "constant",
    spec=lambda *, value: spec_of(value),
    run=lambda xp, *, value: value,
    vjp=lambda g, out, *, value: (),
    doc="A value known when the graph is built.",
)

_numbers = itertools.count()


class Node(Symbol):
    """One step of a program: a primitive, the nodes it reads, its static parameters and the spec of its result."""

    __slots__ = ("index", "inputs", "params", "primitive", "source")

    def __init__(
        self,
        graph: "Graph",
        index: int,
        primitive: Primitive,
        inputs: tuple["Node", ...],
        params: dict[str, Any],
        spec: Spec,
        source: tuple[str, int],
    ) -> None:
        self.graph, self.index, self.primitive = graph, index, primitive
        self.inputs, self.params, self.spec, self.source = inputs, params, spec, source

    @property
    def line(self) -> str:
        """The user's `file:line` that built the node."""
        return f"{os.path.basename(self.source[0])}:{self.source[1]}"

    def __repr__(self) -> str:
        return f"%{self.index}: {self.spec} = {self.primitive} at {self.line}"


class Graph:
    """A program: `nodes` in execution order, of which some are `inputs` and some are `outputs`.

    `captured` holds values of enclosing graphs that a traced function used without being given them; each has an input
    of its own here, after the declared ones.
    """

    def __init__(self) -> None:
        self.number = next(_numbers)  # a later number is an inner graph
        self.nodes: list[Node] = []
        self.inputs: list[Node] = []
        self.outputs: list[Node] = []
        self.captured: list[Symbol] = []
        self.is_open = True
        self._known: dict[int, tuple[Any, Node]] = {}  # constants and captured values by identity, kept alive

    def add(self, primitive: Primitive, args: tuple, params: dict[str, Any], spec: Spec) -> Node:
        """Appends a node; numbers become constants, values of enclosing graphs become captured inputs."""
        if not self.is_open:
            raise _finished(primitive)
        return self._append(primitive, tuple(self.node_of(a) for a in args), params, spec, user_frame())

    def input(self, spec: Spec) -> Node:
        """Declares an input."""
        node = self._append(INPUT, (), {}, spec, user_frame())
        self.inputs.append(node)
        return node

    def _append(
        self, primitive: Primitive, inputs: tuple[Node, ...], params: dict, spec: Spec, source: tuple[str, int]
    ) -> Node:
        node = Node(self, len(self.nodes), primitive, inputs, params, spec, source)
        self.nodes.append(node)
        return node

    def node_of(self, value: Any) -> Node:
        """The node that stands for a value here: itself, a constant, or an input that captures an outer value."""
        if isinstance(value, Node) and value.graph is self:
            return value
        known = self._known.get(id(value))
        if known is None or (known[1].primitive is CONSTANT and not np.array_equal(known[1].params["value"], known[0])):
            known = self._known[id(value)] = (value, self._stand_in(value))
        return known[1]

    def _stand_in(self, value: Any) -> Node:
        if isinstance(value, Symbol):
            if not value.graph.is_open:
                raise _finished(value.spec)
            self.captured.append(value)
            return self.input(value.spec)
        array = as_array(value)
        if array.flags.writeable or array.base is not None:
            array = array.copy()  # the program keeps the numbers of now, whatever is done to the array later
            array.flags.writeable = False
        return self._append(CONSTANT, (), {"value": array}, spec_of(array), user_frame())

    def finish(self, outputs: Sequence[Any]) -> "Graph":
        """Names the outputs and closes the graph."""
        self.outputs = [self.node_of(output) for output in outputs]
        self.is_open = False
        return self

    def evaluate(self, args: Sequence[Any], apply: Callable[..., Any]) -> list[Any]:
        """Walks the nodes once: `apply(node, *values)` computes each from the values of its inputs.

        A value is dropped after its last use, so that peak memory is that of the live values only.
        """
        assert len(args) == len(self.inputs), f"{len(args)} values for {len(self.inputs)} inputs"
        values: list[Any] = [None] * len(self.nodes)
        for node, value in zip(self.inputs, args, strict=True):
            values[node.index] = value
        last_use = self.last_uses()
        for node in self.nodes:
            if node.primitive is not INPUT:
                values[node.index] = apply(node, *(values[each.index] for each in node.inputs))
            for each in node.inputs:
                if last_use[each.index] == node.index:
                    values[each.index] = None
        return [values[output.index] for output in self.outputs]

    def needed(self) -> list[Node]:
        """The inputs, and the nodes of which an output is made, in order."""
        needed = [False] * len(self.nodes)
        for node in (*self.inputs, *self.outputs):
            needed[node.index] = True
        for node in reversed(self.nodes):
            if needed[node.index]:
                for each in node.inputs:
                    needed[each.index] = True
        return [node for node in self.nodes if needed[node.index]]

    def last_uses(self) -> list[int]:
        """For each node the index of the last node that reads it; outputs are never given up."""
        last = [0] * len(self.nodes)
        for node in self.nodes:
            for each in node.inputs:
                last[each.index] = node.index
        for output in self.outputs:
            last[output.index] = len(self.nodes)
        return last

    def __str__(self) -> str:
        lines = []
        for node in self.nodes:
            params = [f"{name}={value}" for name, value in node.params.items() if name != "value"]
            words = [str(node.primitive), *(f"%{each.index}" for each in node.inputs), *params]
            lines.append(f"%{node.index} = {' '.join(words)}  : {node.spec}  # {node.line}")
        return "\n".join([*lines, "return " + ", ".join(f"%{output.index}" for output in self.outputs)])


def _finished(what: Any) -> NotSupported:
    return NotSupported(
        f"{what} at {user_line()}: a value from a finished trace was used; "
        "traced values live only inside the function that received them. Return it instead of storing it."
    )


def inline(graph: Graph, args: Sequence[Any]) -> list[Any]:
    """Runs a graph on the given values: at once on numbers, as new nodes of their graph on Symbols."""
    target = newest_graph(tuple(args))

    def apply(node: Node, *values: Any) -> Any:
        if node.primitive is CONSTANT:
            return node.params["value"] if target is None else target.node_of(node.params["value"])
        value = node.primitive(*values, **node.params)
        if isinstance(value, Node):
            value.source = node.source
        return value

    return graph.evaluate(args, apply)


def execute(graph: Graph, xp: Any, args: Sequence[Any], jax: Any = None) -> list[Any]:
    """Runs a graph on arrays with an array module; with `jax`, a primitive's own lowering comes first."""

    def apply(node: Node, *values: Any) -> Any:
        primitive = node.primitive
        if jax is not None and primitive.lower is not None:
            return primitive.lower(jax, *values, **node.params)
        return primitive.run(xp, *values, **node.params)

    return graph.evaluate(args, apply)
