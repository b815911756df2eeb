"""Functions on functions: gradient, Jacobian, Hessian times vector, one gradient for each example."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from preceptor import ops
from preceptor.autodiff.reverse import forward_and_back, zeros_where_none
from preceptor.autodiff.rows import map_rows, pack_outputs, unpack
from preceptor.errors import DtypeError, ShapeError
from preceptor.graph import Graph, Program, Structure, call, flatten, map_leaves, trace
from preceptor.ops import Spec
from preceptor.ops.primitive import as_array, user_line

Wrt = int | Sequence[int]


def value_and_grad(function: Callable[..., Any], wrt: Wrt = 0, has_aux: bool = False) -> Callable[..., Any]:
    """Makes a function that returns the value of a scalar function and its gradient.

    Args:
        function: returns one float of shape (), or with `has_aux` a pair of it and anything else.
        wrt: position of the argument to differentiate by, or several positions.
        has_aux: the function returns (value, extra); the result is then ((value, extra), gradient).

    Returns: a function of the same arguments -> (value, gradient); the gradient is nested as the argument is, a tuple
        of them for several positions. Python numbers are taken as float64.
    Raises: ShapeError where the value is not a scalar; DtypeError where an argument to differentiate by is not float;
        NotDifferentiable where a path leads through something without a derivative.
    """
    positions = (wrt,) if isinstance(wrt, int) else tuple(wrt)

    def transformed(*args: Any) -> Any:
        args = _floats_at(positions, args)
        inner = trace(function)(*args)
        _check_scalar(inner, has_aux)

        def both(*symbols: Any) -> Any:
            leaves, _ = flatten(symbols)
            wanted = _leaf_positions(inner.arguments, positions)
            seeds: list[Any] = [None] * len(inner.graph.outputs)
            seeds[0] = np.ones((), inner.graph.outputs[0].dtype)
            outputs, adjoints = forward_and_back(inner.graph, leaves + inner.graph.captured, seeds, wanted)
            full = [zeros_where_none(a, leaves[i]) for a, i in zip(adjoints, wanted, strict=True)]
            gradients = _like(inner.arguments, positions, full)
            return inner.results.build(iter(outputs)), gradients[0] if isinstance(wrt, int) else gradients

        return call(trace(both)(*args), args)

    return transformed


def grad(function: Callable[..., Any], wrt: Wrt = 0) -> Callable[..., Any]:
    """Makes a function that returns the gradient of a scalar function (see value_and_grad)."""
    both = value_and_grad(function, wrt)
    return lambda *args: both(*args)[1]


def jacobian(function: Callable[..., Any], wrt: int = 0) -> Callable[..., Any]:
    """Makes a function that returns all partial derivatives of a function of arrays.

    Formula: J[o, i] = d f(x)[o] / d x[i], one reverse pass for each element of the output.
    Shapes: output (o...) by argument (i...) -> (o..., i...), for each pair of leaves.

    Returns: nested as the results of the function, each leaf holding what is nested as the argument.
    Raises: DtypeError where the argument or a result is not float.
    """

    def transformed(*args: Any) -> Any:
        args = _floats_at((wrt,), args)
        inner = trace(function)(*args)
        wanted = _leaf_positions(inner.arguments, (wrt,))
        for output in inner.graph.outputs:
            if output.dtype.kind != "f":
                raise DtypeError(f"jacobian at {user_line()}: a result is {output.spec}; floats are required.")

        def full(*symbols: Any) -> Any:
            leaves, _ = flatten(symbols)
            values = leaves + inner.graph.captured
            blocks = []
            for position, output in enumerate(inner.graph.outputs):
                body = _one_row(inner.graph, position, wanted)
                basis = np.eye(output.size, dtype=output.dtype).reshape(output.size, *output.shape)
                rows = map_rows(body, [*values, basis], (False,) * len(values) + (True,))
                specs = [inner.graph.inputs[i].spec for i in wanted]
                parts = [
                    ops.reshape(part, (*output.shape, *spec.shape))
                    for part, spec in zip(unpack(rows, specs), specs, strict=True)
                ]
                blocks.append(_like(inner.arguments, (wrt,), parts)[0])
            return inner.results.build(iter(blocks))

        return call(trace(full)(*args), args)

    return transformed


def hessian_vector_product(function: Callable[..., Any]) -> Callable[..., Any]:
    """Makes `product(x, v, *rest)`: the second derivatives of a scalar function f(x, *rest), times a vector.

    Formula: H v = d/dx (grad f(x) . v), two passes whatever the size; the Hessian is never formed.
    Shapes: v is nested and shaped as x, and so is the result.
    """

    def product(x: Any, v: Any, *rest: Any) -> Any:
        if _shapes(x) != _shapes(v):
            raise ShapeError(
                f"hessian_vector_product at {user_line()}: x and v are {_shapes(x)} and {_shapes(v)}; "
                "both must be nested alike and have the same shapes."
            )

        def slope(x: Any, v: Any, *rest: Any) -> Any:
            parts, _ = flatten(map_leaves(ops.dot, grad(function)(x, *rest), v))
            return sum(parts[1:], parts[0])

        return grad(slope)(x, v, *rest)

    return product


def per_example_grad(function: Callable[..., Any], wrt: int = 0) -> Callable[..., Any]:
    """Makes a function that returns one gradient for each example of a batch.

    Args:
        function: scalar loss of ONE example, `f(params, x, y, ...)`, without a batch axis.
        wrt: position of the argument to differentiate by; every other argument has examples along axis 0.

    Shapes: params as they are, the others (batch, ...) -> gradient leaves (batch, *leaf).
    Raises: ShapeError where the batch axes differ.
    """

    def transformed(*args: Any) -> Any:
        args = _floats_at((wrt,), args)
        flags = [position != wrt % len(args) for position, arg in enumerate(args) for _ in flatten(arg)[0]]
        leaves, arguments = flatten(args)
        specs = [_row(leaf) if each else _whole(leaf) for leaf, each in zip(leaves, flags, strict=True)]
        inner = trace(function)(*arguments.build(iter(specs)))
        _check_scalar(inner, has_aux=False)
        wanted = _leaf_positions(arguments, (wrt,))

        def rows(*symbols: Any) -> Any:
            values = flatten(symbols)[0]
            body = _one_row(inner.graph, 0, wanted)
            seeds = np.ones(_batch(values, flags), inner.graph.outputs[0].dtype)
            mapped = (*flags, *(False for _ in inner.graph.captured), True)
            packed = map_rows(body, [*values, *inner.graph.captured, seeds], mapped)
            return _like(arguments, (wrt,), unpack(packed, [specs[i] for i in wanted]))[0]

        return call(trace(rows)(*args), args)

    return transformed


def _one_row(graph: Graph, position: int, wanted: Sequence[int]) -> Graph:
    """(inputs of the graph, cotangent of one output) -> the wanted adjoints, packed in one vector."""
    body = Graph()
    symbols = [body.input(node.spec) for node in graph.inputs]
    cotangents: list[Any] = [None] * len(graph.outputs)
    cotangents[position] = body.input(graph.outputs[position].spec)
    _, adjoints = forward_and_back(graph, symbols, cotangents, wanted)
    return pack_outputs(body, [zeros_where_none(a, symbols[i]) for a, i in zip(adjoints, wanted, strict=True)])


def _batch(values: Sequence[Any], flags: Sequence[bool]) -> int:
    counts = {value.shape[0] for value, each in zip(values, flags, strict=True) if each}
    if len(counts) != 1:
        raise ShapeError(
            f"per_example_grad at {user_line()}: arguments have {sorted(counts)} examples; "
            "all but the one to differentiate by need the same number along axis 0."
        )
    return counts.pop()


def _shapes(value: Any) -> Any:
    return map_leaves(lambda leaf: tuple(as_array(leaf).shape), value)


def _whole(leaf: Any) -> Spec:
    array = as_array(leaf)
    return Spec(tuple(array.shape), array.dtype)


def _row(leaf: Any) -> Spec:
    array = as_array(leaf)
    if not array.shape:
        raise ShapeError(f"per_example_grad at {user_line()}: received a scalar; examples along axis 0 are required.")
    return Spec(tuple(array.shape[1:]), array.dtype)


def _floats_at(positions: Sequence[int], args: tuple) -> tuple:
    """Python numbers at the given positions as float64 arrays; other non-floats there are refused."""

    def as_float(leaf: Any) -> Any:
        if isinstance(leaf, (int, float)) and not isinstance(leaf, np.generic):
            return np.asarray(leaf, np.float64)
        array = as_array(leaf)
        if array.dtype.kind != "f":
            raise DtypeError(
                f"gradient at {user_line()}: the argument to differentiate by is {array.dtype}; "
                "floats are required. Use pr.cast or .astype(float)."
            )
        return array

    if any(not -len(args) <= p < len(args) for p in positions):
        raise ShapeError(
            f"gradient at {user_line()}: {len(args)} arguments were given; wrt={positions} is out of range."
        )
    chosen = {p % len(args) for p in positions}
    return tuple(map_leaves(as_float, arg) if i in chosen else arg for i, arg in enumerate(args))


def _check_scalar(program: Program, has_aux: bool) -> None:
    first = program.results.children[0] if has_aux and program.results.children else program.results
    if first.size != 1 or (program.results.size != 1 and not has_aux):
        raise ShapeError(
            f"gradient at {user_line()}: the function returns {program.results.size} arrays; one scalar is required. "
            "Use has_aux=True for extra results, pr.jacobian for several."
        )
    spec = program.graph.outputs[0].spec
    if spec.shape != () or spec.dtype.kind != "f":
        raise ShapeError(
            f"gradient at {user_line()}: the function returns {spec}; a float of shape () is required. "
            "Take the sum or mean, or use pr.jacobian."
        )


def _leaf_positions(arguments: Structure, positions: Sequence[int]) -> list[int]:
    """Positions, in the flat list of leaves, of the leaves of the given arguments."""
    starts = [0]
    for child in arguments.children:
        starts.append(starts[-1] + child.size)
    chosen = [p % len(arguments.children) for p in positions]
    return [leaf for p in chosen for leaf in range(starts[p], starts[p + 1])]


def _like(arguments: Structure, positions: Sequence[int], leaves: Sequence[Any]) -> tuple:
    """Nests leaves as the given arguments are nested."""
    rest = iter(leaves)
    return tuple(arguments.children[p % len(arguments.children)].build(rest) for p in positions)
