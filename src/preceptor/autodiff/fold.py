"""A function applied to one row after another, each time to what it gave before: a loop within a program."""

from collections.abc import Callable
from typing import Any

import numpy as np

from preceptor import ops
from preceptor.graph import Graph, Structure, execute, flatten, map_leaves, trace
from preceptor.ops import Primitive, Spec
from preceptor.ops.primitive import spec_of


def _spec(carried: Spec, *_: Spec, body: Graph, rows: int) -> Spec:
    assert body.outputs[0].spec == carried
    return carried


def _run(xp: Any, carried: Any, *arrays: Any, body: Graph, rows: int) -> Any:
    mapped, fixed = arrays[:rows], arrays[rows:]
    for row in zip(*mapped, strict=True):
        carried = execute(body, np, [carried, *row, *fixed])[0]
    return carried


def _lower(jax: Any, carried: Any, *arrays: Any, body: Graph, rows: int) -> Any:
    mapped, fixed = arrays[:rows], arrays[rows:]
    # XLA runs convolutions 5 to 50 times slower in its loops on a CPU than outside: there the rows are written out.
    is_slow = jax.default_backend() == "cpu" and any("convolution" in node.primitive.name for node in body.nodes)

    def one(carried: Any, row: tuple) -> tuple:
        return execute(body, jax.numpy, [carried, *row, *fixed], jax)[0], None

    return jax.lax.scan(one, carried, mapped, unroll=len(mapped[0]) if is_slow else 1)[0]


_fold = Primitive(
    "fold",
    spec=_spec,
    run=_run,
    lower=_lower,
    vjp=None,
    reason="the steps between are not kept",
    doc="A graph applied to one row (axis 0) after another, with what it gave for the row before as its first input.",
)


def fold(function: Callable[..., Any], start: Any, *rows: Any) -> Any:
    """Computes `carried = function(carried, *row)` for one row after another, beginning with `start`.

    Memory is taken for one row at a time. It has no derivative: differentiate within the function.

    Shapes: leaves of `rows` (count, ...); the function is given (...) of each.
    Args:
        function: returns what is nested, shaped and typed as `start`. It may use values of an enclosing trace.
        start, rows: arrays in any nesting; those of `start` floats of one dtype.
    Differs: jax.lax.scan also keeps a result of each row.
    """
    leaves, structure = flatten(start)
    specs = [spec_of(leaf) for leaf in leaves]

    def step(packed: Any, *row: Any) -> Any:
        return _pack(flatten(function(_unpack(packed, specs, structure), *row))[0])

    first, mapped = _pack(leaves), flatten(rows)[0]
    one = map_leaves(lambda each: Spec(tuple(each.shape[1:]), each.dtype), rows)
    body = trace(step)(spec_of(first), *one).graph
    return _unpack(_fold(first, *mapped, *body.captured, body=body, rows=len(mapped)), specs, structure)


def _pack(leaves: list) -> Any:
    return ops.concatenate([ops.reshape(leaf, -1) for leaf in leaves])


def _unpack(packed: Any, specs: list[Spec], structure: Structure) -> Any:
    parts, start = [], 0
    for spec in specs:
        parts.append(ops.reshape(packed[start : start + spec.size], spec.shape))
        start += spec.size
    return structure.build(iter(parts))
