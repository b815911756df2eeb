"""The graph as the planner wants it: the same results from fewer passes over memory.

Every rule is an identity of arithmetic that changes a result by no more than rounding.
"""

from preceptor.engines.native.identities import IDENTITIES
from preceptor.engines.native.rewriting import Rewriting
from preceptor.engines.native.sums import SUMS
from preceptor.graph import Graph
from preceptor.ops import Primitive


def simplify(graph: Graph, half: Primitive | None = None) -> Graph:
    """Applies all rules, from the inputs to the outputs, once.

    Args:
        half: how factors of products at precision "bf16" are rounded: `to_bf16` where the machine multiplies such
            numbers, else `round_bf16`.
    """
    new = Rewriting(IDENTITIES | SUMS, half)
    for node in graph.needed():
        new.take(node)
    return new.finish(graph)
