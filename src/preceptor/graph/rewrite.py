"""Graph in, graph out: the same results from fewer nodes, or at another precision."""

from collections.abc import Callable
from typing import Any

import numpy as np

from preceptor.graph.graph import CONSTANT, INPUT, Graph, Node
from preceptor.ops.primitive import EXACT


def prune(graph: Graph) -> Graph:
    """Leaves out nodes that no output needs, and computes equal things once.

    Two nodes are equal where primitive, parameters and inputs are; constants of up to 16 elements by value.
    """
    seen: dict[Any, Node] = {}

    def build(result: Graph, node: Node, inputs: tuple[Node, ...]) -> Node:
        key = _identity(node, inputs)
        if key not in seen:
            seen[key] = _copy(result, node, inputs, node.params)
        return seen[key]

    return _rebuild(graph, graph.needed(), build)


def at_precision(graph: Graph, precision: str) -> Graph:
    """Marks every float32 product for the given precision but those that are to be exact, those in graphs within
    included; all else stays as it is."""

    def build(result: Graph, node: Node, inputs: tuple[Node, ...]) -> Node:
        params = {n: at_precision(v, precision) if isinstance(v, Graph) else v for n, v in node.params.items()}
        if params.get("precision") == EXACT:
            params["precision"] = "f32"
        elif "precision" in params and node.spec.dtype == np.float32:
            params["precision"] = precision
        return _copy(result, node, inputs, params)

    return _rebuild(graph, graph.nodes, build)


def _rebuild(graph: Graph, nodes: list[Node], build: Callable[[Graph, Node, tuple[Node, ...]], Node]) -> Graph:
    """A graph made of what `build` gives for each of the nodes and its new inputs."""
    result = Graph()
    new: dict[int, Node] = {}
    for node in nodes:
        new[node.index] = build(result, node, tuple(new[each.index] for each in node.inputs))
    result.captured = list(graph.captured)
    result.inputs = [new[node.index] for node in graph.inputs]
    result.outputs = [new[node.index] for node in graph.outputs]
    result.is_open = False
    return result


def _copy(graph: Graph, node: Node, inputs: tuple[Node, ...], params: dict[str, Any]) -> Node:
    return graph._append(node.primitive, inputs, params, node.spec, node.source)


def _identity(node: Node, inputs: tuple[Node, ...]) -> Any:
    if node.primitive is INPUT:
        return node.index
    if node.primitive is CONSTANT:
        value = np.asarray(node.params["value"])
        return (value.dtype.str, value.shape, value.tobytes()) if value.size <= 16 else id(node.params["value"])
    return (node.primitive, tuple(each.index for each in inputs), tuple(sorted(node.params.items(), key=_name)))


def _name(item: tuple[str, Any]) -> str:
    return item[0]
