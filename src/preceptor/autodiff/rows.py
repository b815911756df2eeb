"""A graph applied to every row of its inputs, as one primitive: what Jacobians and per-example gradients stand on."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from preceptor import ops
from preceptor.autodiff.reverse import forward_and_back
from preceptor.errors import ShapeError
from preceptor.graph import Graph, execute, prune
from preceptor.ops import Primitive, Spec


def _spec(*specs: Spec, body: Graph, mapped: tuple[bool, ...]) -> Spec:
    counts = {spec.shape[0] for spec, each in zip(specs, mapped, strict=True) if each}
    if len(counts) != 1:
        raise ShapeError(f"mapped inputs have {sorted(counts)} rows; all must have the same number.")
    output = body.outputs[0].spec
    return Spec((counts.pop(), *output.shape), output.dtype)


def _run(xp: Any, *arrays: Any, body: Graph, mapped: tuple[bool, ...]) -> Any:
    count = next(a.shape[0] for a, each in zip(arrays, mapped, strict=True) if each)
    output = body.outputs[0].spec
    out = np.empty((count, *output.shape), output.dtype)
    for i in range(count):
        out[i] = execute(body, np, [a[i] if each else a for a, each in zip(arrays, mapped, strict=True)])[0]
    return out


def _lower(jax: Any, *arrays: Any, body: Graph, mapped: tuple[bool, ...]) -> Any:
    axes = tuple(0 if each else None for each in mapped)
    return jax.vmap(lambda *row: execute(body, jax.numpy, row, jax)[0], axes)(*arrays)


def _vjp(g: Any, out: Any, *inputs: Any, body: Graph, mapped: tuple[bool, ...]) -> tuple:
    wanted = [i for i, x in enumerate(inputs) if x.dtype.kind == "f"]
    back = Graph()
    symbols = [back.input(node.spec) for node in body.inputs]
    cotangent = back.input(body.outputs[0].spec)
    _, adjoints = forward_and_back(body, symbols, [cotangent], wanted)
    reached = [(i, adjoint) for i, adjoint in zip(wanted, adjoints, strict=True) if adjoint is not None]
    result: list[Any] = [None] * len(inputs)
    if reached:
        back = prune(back.finish([_pack([adjoint for _, adjoint in reached])]))
        packed = map_rows(back, [*inputs, g], (*mapped, True))
        shapes = [body.inputs[i].spec for i, _ in reached]
        for (i, _), part in zip(reached, unpack(packed, shapes), strict=True):
            result[i] = part if mapped[i] else ops.sum(part, 0)
    return tuple(result)


_map_rows = Primitive(
    "map_rows",
    spec=_spec,
    run=_run,
    lower=_lower,
    vjp=_vjp,
    doc="A graph with one output applied to each row (axis 0) of the mapped inputs; the other inputs are the same for "
    "all rows. NumPy takes the rows one by one, XLA all at once.",
)


def map_rows(body: Graph, inputs: Sequence[Any], mapped: tuple[bool, ...]) -> Any:
    """Applies `body` to every row; values that it captured are passed along, the same for all rows."""
    mapped = mapped + (False,) * len(body.captured)
    return _map_rows(*inputs, *body.captured, body=body, mapped=mapped)


def _pack(values: list) -> Any:
    """Lays arrays one after the other in one vector, of the widest dtype among them."""
    return ops.concatenate([ops.reshape(value, -1) for value in values])


def pack_outputs(graph: Graph, values: list) -> Graph:
    """Closes a graph with all values packed in one output vector, as `map_rows` needs it."""
    return prune(graph.finish([_pack(values)]))


def unpack(packed: Any, specs: Sequence[Spec]) -> list:
    """Takes rows that were packed apart: (row, length) -> one (row, *shape) for each spec."""
    parts, start = [], 0
    for spec in specs:
        part = packed[:, start : start + spec.size]
        parts.append(ops.cast(ops.reshape(part, (packed.shape[0], *spec.shape)), spec.dtype))
        start += spec.size
    return parts
