"""Python function in, graph out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from preceptor.graph.graph import Graph, execute, inline
from preceptor.graph.rewrite import prune
from preceptor.graph.structure import Structure, flatten
from preceptor.ops.primitive import Spec, Symbol, as_array, spec_of


@dataclass(frozen=True)
class Program:
    """A traced function: its graph, and the containers in which it takes its arguments and gives its results."""

    graph: Graph
    arguments: Structure
    results: Structure

    def __str__(self) -> str:
        return str(self.graph)


def trace(function: Callable[..., Any]) -> Callable[..., Program]:
    """Records what a function computes: `trace(f)(*args)` gives its program.

    Args:
        function: takes and returns arrays in any nesting of dictionaries, tuples and lists. It runs once, on symbols:
            Python's `if` and `for` are decided while tracing.

    Returns: a function of arrays or specs (only shapes and dtypes matter) that returns the Program.
    Raises: ShapeError, DtypeError, NotSupported, each naming the line that was at fault.
    """

    def traced(*args: Any) -> Program:
        leaves, arguments = flatten(args)
        graph = Graph()
        symbols = [graph.input(leaf if isinstance(leaf, Spec) else spec_of(leaf)) for leaf in leaves]
        outputs, results = flatten(function(*arguments.build(iter(symbols))))
        return Program(prune(graph.finish(outputs)), arguments, results)

    return traced


def call(program: Program, args: tuple) -> Any:
    """Runs a program on arguments: at once on numbers, as part of the enclosing graph where a Symbol is among them."""
    leaves, arguments = flatten(args)
    assert arguments == program.arguments, "arguments are nested differently than those traced"
    return program.results.build(iter(call_graph(program.graph, leaves)))


def call_graph(graph: Graph, leaves: list) -> list:
    """As `call`, for a bare graph and a flat list of arguments."""
    values = [as_array(leaf) for leaf in leaves] + graph.captured
    if any(isinstance(value, Symbol) for value in values):
        return inline(graph, values)
    with np.errstate(all="ignore"):
        return [np.array(value) for value in execute(graph, np, values)]  # copies: outputs may share memory
