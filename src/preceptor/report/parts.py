"""Which values of a graph are shown: those with names, the steps between, and nothing that only moves numbers."""

from collections.abc import Container, Sequence
from dataclasses import dataclass

from preceptor.graph import CONSTANT, INPUT, Graph, Node

RESHAPED = frozenset(("reshape", "cast"))
SHIFT = frozenset(("max", "abs", "where"))  # of a softmax, where no derivative passes: exponentials do not overflow
FOLDED = frozenset(
    ("broadcast", "reshape", "cast", "slice", "transpose", "stop_gradient")
)  # these move numbers, they compute nothing


@dataclass(frozen=True)
class Part:
    """A shown node with all that is folded into it, as a graph of its own."""

    node: Node
    sources: list[Node]
    graph: Graph


def shown_parts(graph: Graph, names: Container[int], with_steps: bool) -> list[Part]:
    """Decides which computed nodes are shown, in order, and folds the others into those that read them.

    Args:
        names: the indexes of the nodes that have a name of their own.
        with_steps: also those that have none.
    """
    output = graph.outputs[0]
    readers: list[list[Node]] = [[] for _ in graph.nodes]
    needed = {output.index}
    for node in reversed(graph.nodes):
        if node.index in needed:
            for each in node.inputs:
                needed.add(each.index)
                readers[each.index].append(node)
    moving = _reached(graph)
    carrying = _reached(graph, but="stop_gradient")
    useful = {output.index}  # on a way by which a derivative comes back to an input
    for node in reversed(graph.nodes):
        if any(each.index in useful & carrying for each in readers[node.index]):
            useful.add(node.index)
    inner = _inside_composites(graph, readers, moving)

    def is_asked_for(node: Node) -> bool:
        return node is output or node.primitive is INPUT or node.index in names

    def is_shown(node: Node) -> bool:
        if node is output or node.primitive is INPUT:
            return True
        if node.index not in moving:
            return False
        if node.index in names:
            return True
        is_shift = node.primitive.name in SHIFT and node.index not in useful & carrying
        if is_shift or node.index in inner or node.spec.dtype.kind != "f":
            return False
        root = node
        while _is_reshaping(root) and len(readers[root.inputs[0].index]) == 1:
            root = root.inputs[0]
        if root.primitive.name in FOLDED or _is_reshaping(root) or is_asked_for(root):
            return False
        shapes = [root]  # one value in the shapes in which it passes on
        while len(readers[shapes[-1].index]) == 1 and _is_reshaping(readers[shapes[-1].index][0]):
            shapes += readers[shapes[-1].index]
        if any(is_asked_for(each) for each in shapes):
            return False
        return node is _in_its_own_shape(shapes) and (with_steps or len(readers[shapes[-1].index]) > 1)

    shown_nodes = [node for node in graph.nodes if node.index in needed and is_shown(node)]
    marked = {node.index for node in shown_nodes}
    return [_part(node, marked) for node in shown_nodes if node.primitive is not INPUT]


def _reached(graph: Graph, but: str = "") -> set[int]:
    """The nodes that depend on an input; not through primitives of one name."""
    found: set[int] = set()
    for node in graph.nodes:
        depends = node.primitive.name != but and any(each.index in found for each in node.inputs)
        if node.primitive is INPUT or depends:
            found.add(node.index)
    return found


def _inside_composites(graph: Graph, readers: list[list[Node]], moving: set[int]) -> set[int]:
    """Nodes inside what is one function in a lecture: min(x, y), computed as -max(-x, -y), and a leaky ReLU."""

    def alone(node: Node, name: str) -> bool:
        return node.primitive.name == name and len(readers[node.index]) == 1

    found: set[int] = set()
    for node in graph.nodes:
        if node.primitive.name == "negative" and alone(node.inputs[0], "maximum"):
            sides = [each for each in node.inputs[0].inputs if each.index in moving]
            if all(alone(each, "negative") for each in sides):
                found |= {each.index for each in (node.inputs[0], *sides)}
        elif node.primitive.name == "where" and alone(node.inputs[2], "multiply"):
            factors = node.inputs[2].inputs
            if any(each is node.inputs[1] for each in factors) and any(each.index not in moving for each in factors):
                found.add(node.inputs[2].index)
    return found


def _is_reshaping(node: Node) -> bool:
    """Whether a node gives its input in another shape or dtype and computes nothing."""
    return node.primitive.name in RESHAPED or (node.primitive.name == "sum" and node.size == node.inputs[0].size)


def _in_its_own_shape(shapes: Sequence[Node]) -> Node:
    """Of the shapes in which one value passes on the last of those without needless axes: (3,) rather than (3, 1)."""
    return min(reversed(shapes), key=lambda node: node.shape.count(1))


def _part(node: Node, shown_nodes: set[int]) -> Part:
    interior: dict[int, Node] = {}
    sources: dict[int, Node] = {}
    waiting = [node]
    while waiting:  # depth first, left to right: sources come in the order in which the formula names them
        each = waiting.pop()
        if each.index in shown_nodes and each is not node:
            sources[each.index] = each
        elif each.index not in interior:
            interior[each.index] = each
            waiting.extend(reversed(each.inputs))
    graph = Graph()
    copies = {index: graph.input(source.spec) for index, source in sources.items()}
    for index in sorted(interior):
        each = interior[index]
        if each.primitive is CONSTANT:
            copies[index] = graph.node_of(each.params["value"])
        else:
            copies[index] = graph.add(
                each.primitive, tuple(copies[i.index] for i in each.inputs), each.params, each.spec
            )
            copies[index].source = each.source
    return Part(node, list(sources.values()), graph.finish([copies[node.index]]))
