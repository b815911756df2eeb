"""A traced function as a function in C."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from preceptor.errors import ConfigError
from preceptor.export.c.emitters import EMITTERS
from preceptor.export.c.program import Program, View, fresh
from preceptor.export.c.text import KINDS, as_identifier
from preceptor.graph import CONSTANT, Graph, Node
from preceptor.ops import Spec

__all__ = ["define"]

MOVES = ("reshape", "stop_gradient", "transpose")  # what comes of an array by these is called as it is


def define(program: Program, name: str, graph: Graph, known: Mapping[int, tuple[str, np.ndarray]]) -> list[str]:
    """The definition of `void NAME_name(const float *x, float *y)`, which computes a graph of one example.

    What follows from known numbers alone is computed here, so that the file holds what comes of it.

    Args:
        graph: its only input that is not known is `x`; its only output is `y`.
        known: index of an input -> what its array is called, and the array.
    Raises: ConfigError where an operation has no form in C.
    """
    values: dict[int, np.ndarray] = {}
    views: dict[int, View] = {}
    names = {index: f"{program.name}_w_{as_identifier(each)}" for index, (each, _) in known.items()}
    given = next(node for node in graph.inputs if node.index not in known)

    def view(node: Node) -> View:
        if node.index not in views:
            views[node.index] = program.constant(values[node.index], names.get(node.index, f"{program.name}_w"))
        return views[node.index]

    for node in graph.needed():
        if node is given:
            views[node.index] = _taken(program, node.spec)
        elif node.index in known:
            values[node.index] = known[node.index][1]
        elif node.primitive is CONSTANT:
            values[node.index] = np.asarray(node.params["value"])
        elif _is_known(node, values):
            inputs = [values[each.index] for each in node.inputs]
            if node.primitive.name in MOVES and node.inputs[0].index in names:
                names[node.index] = names[node.inputs[0].index]
            with np.errstate(all="ignore"):
                values[node.index] = np.asarray(node.primitive.run(np, *inputs, **node.params))
        else:
            emit = EMITTERS.get(node.primitive.name)
            if emit is None or node.spec.dtype.name not in KINDS:
                raise ConfigError(
                    f"export: the network needs {node.primitive.name!r} ({node.spec}), which has no form in C. Export "
                    "it as ONNX."
                )
            views[node.index] = emit(program, node, *map(view, node.inputs))
    out = view(graph.outputs[0])
    result = View("y", "float", out.shape, fresh("y", Spec(out.shape, np.dtype(np.float32))).strides)
    cast = "" if out.kind == "float" else "(float)"
    program.each(result, [out], lambda y, each: f"{y} = {cast}{each};")
    body = [f"    {line}" for line in program.finished()]
    return [f"void {program.name}_{name}(const float *x, float *y)", "{", *body, "}"]


def _taken(program: Program, spec: Spec) -> View:
    """The input, in the type that the graph takes."""
    x = fresh("x", Spec(spec.shape, np.dtype(np.float32)))
    if spec.dtype == np.float32:
        return x
    out = program.new(spec)
    return program.each(out, [x], lambda o, each: f"{o} = ({out.kind}){each};")


def _is_known(node: Node, values: Mapping[int, Any]) -> bool:
    """Whether all that a node needs is known, and what it makes of it is no larger: what is repeated stays short."""
    if not node.inputs or any(each.index not in values for each in node.inputs):
        return False
    if any(isinstance(each, Graph) for each in node.params.values()):
        return False
    return node.spec.size <= sum(each.spec.size for each in node.inputs)
