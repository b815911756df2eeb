"""Batch normalisation by numbers that do not hang on the batch becomes part of the convolution before it."""

from collections import Counter

import numpy as np

from preceptor.engines.native.rewriting import Rewriting, is_a
from preceptor.graph import Graph, Node
from preceptor.ops import elementwise


def fold_norms(graph: Graph) -> Graph:
    """(convolution(x, w) - mean) slope + shift = convolution(x, w slope) + (shift - mean slope), where the convolution
    is needed for nothing else: what is then left to do to its numbers is done before they are written.

    Statistics of the batch are made from the convolution, which is then needed elsewhere as well. A graph without norms
    of this kind is given back as it is.
    """
    uses = Counter(each.index for node in graph.nodes for each in node.inputs)
    uses.update(node.index for node in graph.outputs)
    found = {node.index: parts for node in graph.needed() if (parts := _norm(node, uses)) is not None}
    if not found:
        return graph
    passed = {each.index for parts in found.values() for each in parts[1]}
    new = Rewriting({}, None)
    for node in graph.needed():
        if node.index in passed:
            continue
        if node.index in found:
            new.new[node.index] = _folded(new, node, found[node.index][0])
        else:
            new.take(node)
    return new.finish(graph)


# The convolution, mean, slope and shift; and the nodes that go.
Parts = tuple[tuple[Node, Node, Node, Node], tuple[Node, Node, Node]]


def _norm(node: Node, uses: Counter[int]) -> Parts | None:
    if not is_a(node, "add"):
        return None
    for scaled, shift in (node.inputs, node.inputs[::-1]):
        if not is_a(scaled, "multiply") or not _repeats(shift):
            continue
        for distance, slope in (scaled.inputs, scaled.inputs[::-1]):
            if not is_a(distance, "subtract") or not _repeats(slope) or not _repeats(distance.inputs[1]):
                continue
            product, mean = distance.inputs
            gone = (product, distance, scaled)
            if _is_convolution(product) and all(uses[each.index] == 1 for each in gone):
                numbers = (mean.inputs[0], slope.inputs[0], shift.inputs[0])
                return (product, *numbers), gone
    return None


def _is_convolution(node: Node) -> bool:
    if not is_a(node, "convolution") or any(x.spec.dtype != np.float32 for x in node.inputs):
        return False
    return node.params["precision"] == "f32" and node.inputs[1].size <= node.size


def _repeats(node: Node) -> bool:
    """Whether a node is a number for each channel, the same at all places."""
    return is_a(node, "broadcast") and node.inputs[0].shape == node.shape[-1:]


def _folded(p: Rewriting, node: Node, parts: tuple[Node, Node, Node, Node]) -> Node:
    product = parts[0]
    x, weight, mean, slope, shift = (p.new[each.index] for each in (*product.inputs, *parts[1:]))
    scaled = p.make(elementwise.multiply, [weight, p.broadcast(slope, weight.shape)])
    rest = p.make(elementwise.subtract, [shift, p.make(elementwise.multiply, [mean, slope])])
    made = p.make(product.primitive, [x, scaled], product.params)
    return p.make(elementwise.add, [made, p.broadcast(rest, node.shape)])
