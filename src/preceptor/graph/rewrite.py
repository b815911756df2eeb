"""Graph in, graph out: the same results from fewer nodes, or at another precision."""

from typing import Any

import numpy as np

from preceptor.graph.graph import CONSTANT, INPUT, Graph, Node


def prune(graph: Graph) -> Graph:
    """Leaves out nodes that no output needs, and computes equal things once.

    Two nodes are equal where primitive, parameters and inputs are; constants of up to 16 elements by value.
    """
    needed = [False] * len(graph.nodes)
    for node in (*graph.inputs, *graph.outputs):
        needed[node.index] = True
    for node in reversed(graph.nodes):
        if needed[node.index]:
            for each in node.inputs:
                needed[each.index] = True
    result = Graph()
    new: dict[int, Node] = {}
    seen: dict[Any, Node] = {}
    for node in graph.nodes:
        if not needed[node.index]:
            continue
        inputs = tuple(new[each.index] for each in node.inputs)
        key = _identity(node, inputs)
        if key not in seen:
            seen[key] = _copy(result, node, inputs)
        new[node.index] = seen[key]
    result.captured = list(graph.captured)
    result.inputs = [new[node.index] for node in graph.inputs]
    result.outputs = [new[node.index] for node in graph.outputs]
    result.is_open = False
    return result


def at_precision(graph: Graph, precision: str) -> Graph:
    """Marks every float32 product for the given precision; everything else stays as it is."""
    result = Graph()
    new: list[Node] = []
    for node in graph.nodes:
        copy = _copy(result, node, tuple(new[each.index] for each in node.inputs))
        if "precision" in copy.params and copy.spec.dtype == np.float32:
            copy.params = copy.params | {"precision": precision}
        new.append(copy)
    result.captured = list(graph.captured)
    result.inputs = [new[node.index] for node in graph.inputs]
    result.outputs = [new[node.index] for node in graph.outputs]
    result.is_open = False
    return result


def _copy(graph: Graph, node: Node, inputs: tuple[Node, ...]) -> Node:
    return graph._append(node.primitive, inputs, node.params, node.spec, node.source)


def _identity(node: Node, inputs: tuple[Node, ...]) -> Any:
    if node.primitive is INPUT:
        return node.index
    if node.primitive is CONSTANT:
        value = np.asarray(node.params["value"])
        return (value.dtype.str, value.shape, value.tobytes()) if value.size <= 16 else id(node.params["value"])
    return (node.primitive, tuple(each.index for each in inputs), tuple(sorted(node.params.items(), key=_name)))


def _name(item: tuple[str, Any]) -> str:
    return item[0]
