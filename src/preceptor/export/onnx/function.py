"""Any function of arrays as ONNX operators: traced, and primitive by primitive written down."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from preceptor.errors import NotSupported
from preceptor.export.onnx.builder import Builder
from preceptor.export.onnx.lowering import Lowering, Term, joint
from preceptor.export.onnx.primitives import EACH, FORMS, HELD
from preceptor.export.onnx.symbolic import Length, Step, in_order, trace_rows
from preceptor.graph import CONSTANT, INPUT
from preceptor.ops import Spec
from preceptor.ops.primitive import spec_of

MORE = 4096  # numbers that a known result may have beyond those that it is made of


@dataclass(frozen=True)
class Signal:
    """A value in a graph, with an axis of rows first.

    Args:
        shape: of one row.
    """

    name: str
    shape: tuple[int, ...] = ()
    dtype: Any = np.float32


def write_function(builder: Builder, function: Callable[..., Any], *inputs: Signal) -> tuple[Signal, ...]:
    """Adds what a function of arrays computes.

    Args:
        function: takes arrays, rows first, and returns one or several with rows first, made of functions of
            `preceptor.ops`. It is traced; other arrays that it uses become constants.
        inputs: what it is given.
    Returns: its results, in order.
    Raises: NotSupported where a result depends on the number of rows in another way than by lengths of axes, or on
        random numbers; ShapeError, DtypeError, as tracing does.
    """
    return write_with(builder, lambda _, *signals: function(*signals), {}, *inputs)


def write_with(
    builder: Builder, function: Callable[..., Any], arrays: Mapping[tuple[str, str], np.ndarray], *inputs: Signal
) -> tuple[Signal, ...]:
    """As `write_function`, of a function that takes a dictionary of arrays first, by (kind, name): the constants that
    they become have these names."""
    held = {name: spec_of(value) for name, value in arrays.items()}

    def specs(count: int) -> tuple[Any, ...]:
        return (held, *(Spec((count, *each.shape), np.dtype(each.dtype)) for each in inputs))

    results = trace_rows(function, specs)
    names = sorted(arrays)  # as dictionaries are walked
    given = [Term(arrays[name].shape, array=np.asarray(arrays[name]), hint=name[1]) for name in names]
    given += [Term((Length(1), *each.shape), name=each.name) for each in inputs]
    low = Lowering(builder, inputs[0].name)
    for step in in_order(results):
        low.terms[step] = _written(low, step, given)
    return tuple(_signal(low, step) for step in results)


def _signal(low: Lowering, step: Step) -> Signal:
    if not step.shape or step.shape[0] != Length(1) or any(isinstance(n, Length) for n in step.shape[1:]):
        raise low.refused(step, f"a result has shape {_shown(step.shape)}; rows first, and there alone, are required")
    return Signal(low.whole(step), tuple(n for n in step.shape[1:] if isinstance(n, int)), step.dtype)


def _shown(shape: Sequence[Any]) -> str:
    return "(" + ", ".join("rows" if isinstance(each, Length) else str(each) for each in shape) + ")"


def _written(low: Lowering, step: Step, given: Sequence[Term]) -> Term:
    """What becomes of one step whose inputs are there."""
    if step.primitive is INPUT:
        return given[step.place]
    if step.primitive is CONSTANT:
        assert step.array is not None
        return Term(step.array.shape, array=step.array)
    terms = [low.terms[each] for each in step.inputs]
    if step.primitive in HELD:
        return terms[0]
    known = _known(step, terms)
    if known is not None:
        return known
    if step.primitive in EACH:
        names = [low.name(term) for term in terms]
        return Term(joint([term.shape for term in terms]), EACH[step.primitive](low, step, *names))
    if step.primitive not in FORMS:
        raise NotSupported(f"{step.primitive} at {step.line}: it has no form in ONNX. Compute it without.")
    return Term(step.shape, FORMS[step.primitive](low, step))


def _known(step: Step, terms: Sequence[Term]) -> Term | None:
    """What is made of constants alone, computed now, unless it is much larger than they are."""
    arrays = [term.array for term in terms if term.array is not None]
    if len(arrays) < len(terms):
        return None
    if step.primitive not in EACH:
        if any(isinstance(n, Length) for shape in (step.shape, *(each.shape for each in step.inputs)) for n in shape):
            return None
        shapes = [tuple(n for n in each.shape if isinstance(n, int)) for each in step.inputs]
        arrays = [np.broadcast_to(array, shape) for array, shape in zip(arrays, shapes, strict=True)]
        if prod(n for n in step.shape if isinstance(n, int)) > sum(array.size for array in arrays) + MORE:
            return None
    with np.errstate(all="ignore"):
        found = np.asarray(step.primitive.run(np, *arrays, **step.params), step.dtype)
    return Term(found.shape, array=found, hint=next((t.hint for t in terms if t.hint != Term.hint), Term.hint))
