"""A program as data: tracing, rewriting, running, printing."""

from preceptor.graph.graph import CONSTANT, INPUT, Graph, Node, execute, inline
from preceptor.graph.rewrite import at_precision, prune
from preceptor.graph.structure import LEAF, Structure, flatten, map_leaves
from preceptor.graph.trace import Program, call, call_graph, trace

__all__ = [
    "CONSTANT",
    "INPUT",
    "LEAF",
    "Graph",
    "Node",
    "Program",
    "Structure",
    "at_precision",
    "call",
    "call_graph",
    "execute",
    "flatten",
    "inline",
    "map_leaves",
    "prune",
    "trace",
]
