"""Reverse mode, graph to graph: adjoints are symbols like any other, so derivatives have derivatives."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from preceptor.errors import NotDifferentiable
from preceptor.graph import CONSTANT, INPUT, Graph, Node
from preceptor.ops import stop_gradient
from preceptor.ops.primitive import newest_graph


def forward_and_back(
    graph: Graph,
    args: Sequence[Any],
    cotangents: Sequence[Any],
    wrt: Sequence[int],
    between: Sequence[Node] = (),
) -> tuple:
    """Replays a graph on symbols, then walks it backwards and sums the adjoints where paths merge.

    Args:
        args: one Symbol for each input of the graph, all of one enclosing graph.
        cotangents: one for each output: the derivative of the final scalar by that output; None for zero.
        wrt: positions of the inputs whose adjoints are wanted.
        between: nodes of the graph whose adjoints are wanted too.

    Returns: (values of the outputs, adjoints of the wanted inputs, then those of the nodes between); an adjoint is None
        where no path leads there.
    Raises: NotDifferentiable where a path leads through a primitive that has no derivative.
    """
    target = newest_graph(tuple(args))
    values: dict[int, Any] = {}
    for node, value in zip(graph.inputs, args, strict=True):
        values[node.index] = value
    for node in graph.nodes:
        if node.primitive is CONSTANT:
            values[node.index] = target.node_of(node.params["value"])
        elif node.primitive is not INPUT:
            values[node.index] = node.primitive(*(values[each.index] for each in node.inputs), **node.params)
            _attribute(values[node.index], node)

    wanted = [*(graph.inputs[i] for i in wrt), *between]
    on_path = _on_path(graph, wanted)
    kept = {node.index for node in wanted}
    adjoints: dict[int, Any] = {}
    for output, cotangent in zip(graph.outputs, cotangents, strict=True):
        if cotangent is not None and on_path[output.index]:
            _accumulate(adjoints, output, target.node_of(cotangent))
    for node in reversed(graph.nodes):
        if node.index not in adjoints or node.primitive is INPUT:
            continue
        if node.primitive.vjp is None:
            raise NotDifferentiable(
                f"{node.primitive} at {node.line}: a derivative was asked for, but it has none: "
                f"{node.primitive.reason}. Wrap its input in pr.stop_gradient to take it as a constant."
            )
        inputs = [values[each.index] for each in node.inputs]
        adjoint = adjoints[node.index] if node.index in kept else adjoints.pop(node.index)
        parts = node.primitive.vjp(adjoint, values[node.index], *inputs, **node.params)
        for each, part in zip(node.inputs, parts, strict=True):
            if part is not None and on_path[each.index]:
                _attribute(part, node)
                _accumulate(adjoints, each, part)
    outputs = [values[output.index] for output in graph.outputs]
    return outputs, [adjoints.get(node.index) for node in wanted]


def _accumulate(adjoints: dict[int, Any], node: Node, part: Any) -> None:
    known = adjoints.get(node.index)
    adjoints[node.index] = part if known is None else known + part


def _attribute(value: Any, node: Node) -> None:
    """Names the user's line of the forward node as the source of what was computed for it."""
    if isinstance(value, Node):
        value.source = node.source


def _on_path(graph: Graph, wanted: Sequence[Node]) -> list[bool]:
    """For each node whether a float value that depends on a wanted one flows into it."""
    on_path = [False] * len(graph.nodes)
    for node in wanted:
        on_path[node.index] = True
    for node in graph.nodes:
        if node.primitive is stop_gradient:
            continue  # what lies behind it may have no derivative
        if node.spec.dtype.kind == "f" and any(on_path[each.index] for each in node.inputs):
            on_path[node.index] = True
    return on_path


def zeros_where_none(adjoint: Any, value: Any) -> Any:
    """The adjoint, or zeros shaped as the value where no path led to it."""
    if adjoint is not None:
        return adjoint
    return np.zeros(value.shape, value.dtype)
