"""A function traced for any number of rows: what depends on their number is told from what does not."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, NoReturn

import numpy as np

from preceptor.errors import NotSupported
from preceptor.graph import CONSTANT, Graph, Node, trace
from preceptor.ops import Primitive, elementwise
from preceptor.ops.primitive import same

COUNTS = (211, 223, 307)  # of rows that it is traced for: primes, which are hardly the length of something else

minimum = Primitive(
    "minimum",
    spec=same,
    run=lambda xp, x, y: xp.minimum(x, y),
    vjp=None,
    reason="it stands in no program of ours: it is what negative, maximum and negative together are",
    doc="The smaller of x and y.",
)


@dataclass(frozen=True)
class Length:
    """A number that depends on the rows: times * rows + plus."""

    times: int
    plus: int = 0


Dim = int | Length
Shape = tuple[Dim, ...]


@dataclass(frozen=True, eq=False)
class Step:
    """A node of a program for any number of rows.

    Args:
        place: of an input, which it is; else -1.
        array: of a constant, its value. Where its rows are all alike, of one of them.
    """

    primitive: Primitive
    inputs: tuple["Step", ...]
    params: dict[str, Any]
    shape: Shape
    dtype: np.dtype
    line: str
    place: int = -1
    array: np.ndarray | None = None


class _Varies(Exception):
    """What differs from trace to trace in a way that is not told."""


def trace_rows(function: Callable[..., Any], specs: Callable[[int], Sequence[Any]]) -> list[Step]:
    """The steps that make the results of a function, which come last, in order, out of the inputs.

    Args:
        specs: the arguments of the function for so many rows: specs, in any nesting.
    Raises: NotSupported where what is computed depends on the number of rows in another way than by lengths of axes;
        ShapeError, DtypeError, as tracing does.
    """
    graphs = [trace(function)(*specs(count)).graph for count in COUNTS]
    needed = [graph.needed() for graph in graphs]
    steps: dict[int, Step] = {}
    first = graphs[0]
    places = {node.index: place for place, node in enumerate(first.inputs)}
    if len({len(nodes) for nodes in needed}) > 1:
        _refuse(first.nodes[-1], "other operations are made of other numbers of rows")
    numbers = [{node.index: number for number, node in enumerate(nodes)} for nodes in needed]
    for row in zip(*needed, strict=True):
        node = row[0]
        inputs = [tuple(number[each.index] for each in one.inputs) for number, one in zip(numbers, row, strict=True)]
        if any(one.primitive is not node.primitive for one in row) or len(set(inputs)) > 1:
            _refuse(node, "other operations are made of other numbers of rows")
        steps[node.index] = _step(row, tuple(steps[each.index] for each in node.inputs), places.get(node.index, -1))
    return [steps[output.index] for output in first.outputs]


def _step(row: Sequence[Node], inputs: tuple[Step, ...], place: int) -> Step:
    node = row[0]
    try:
        if node.primitive is CONSTANT:
            array = _constant([np.asarray(each.params["value"]) for each in row])
            shape, params = _joined([each.spec.shape for each in row]), {}
        else:
            array, shape = None, _joined([each.spec.shape for each in row])
            params = {name: _joined([each.params[name] for each in row]) for name in node.params}
    except _Varies:
        _refuse(node, "it depends on the number of rows in a way that no ONNX graph can")
    made = Step(node.primitive, inputs, params, shape, node.spec.dtype, node.line, place, array)
    return _shorter(made)


def _refuse(node: Node, why: str) -> NoReturn:
    raise NotSupported(f"{node.primitive} at {node.line}: {why}. Write it so that each row is computed alike.")


def _joined(values: Sequence[Any]) -> Any:
    """One value for all traces, with a `Length` in place of every number that depends on the rows."""
    first = values[0]
    if isinstance(first, tuple):
        if len({len(each) for each in values}) > 1:
            raise _Varies
        return tuple(_joined(each) for each in zip(*values, strict=True))
    if is_dataclass(first) and not isinstance(first, type):
        return type(first)(**{f.name: _joined([getattr(each, f.name) for each in values]) for f in fields(first)})
    if isinstance(first, Graph):
        return first  # no primitive with a graph within has a form in ONNX, which is told later
    if all(each == first for each in values):
        return first
    if not all(isinstance(each, int) for each in values):
        raise _Varies
    times, rest = divmod(values[1] - first, COUNTS[1] - COUNTS[0])
    plus = first - times * COUNTS[0]
    if rest or values[2] != times * COUNTS[2] + plus:
        raise _Varies
    return Length(times, plus)


def _constant(values: Sequence[np.ndarray]) -> np.ndarray:
    """The constant that stands in all traces; one row of it where all rows are alike."""
    if len({each.shape for each in values}) > 1:
        if any(not each.ndim or (each != each[:1]).any() for each in values):
            raise _Varies
        values = [each[:1] for each in values]
    if any(not np.array_equal(each, values[0], equal_nan=each.dtype.kind == "f") for each in values):
        raise _Varies
    return values[0]


def _shorter(step: Step) -> Step:
    """Three steps in one: the smaller of two, which `ops.minimum` makes of the larger of their negatives."""
    negative = elementwise.negative
    if step.primitive is negative and step.inputs[0].primitive is elementwise.maximum:
        both = step.inputs[0].inputs
        if all(each.primitive is negative for each in both):
            inputs = tuple(each.inputs[0] for each in both)
            return Step(minimum, inputs, {}, step.shape, step.dtype, step.line)
    return step


def in_order(results: Sequence[Step]) -> list[Step]:
    """The steps that results need, each behind its inputs."""
    found: list[Step] = []
    seen: set[int] = set()
    waiting = [(each, False) for each in reversed(results)]
    while waiting:
        step, is_ready = waiting.pop()
        if is_ready:
            found.append(step)
        elif id(step) not in seen:
            seen.add(id(step))
            waiting.append((step, True))
            waiting += [(each, False) for each in reversed(step.inputs)]
    return found
