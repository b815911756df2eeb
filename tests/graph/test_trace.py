"""Tracing: from a Python function to an ordered list of nodes."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import preceptor as pr
from preceptor.errors import NotSupported
from preceptor.graph import LEAF, Graph, call, flatten, map_leaves, prune
from preceptor.ops import Spec

F64 = np.dtype(np.float64)


def words(graph):
    return [node.primitive.name for node in graph.nodes]


def test_nodes_stand_in_the_order_of_the_program():
    graph = pr.trace(lambda x: pr.cos(pr.sin(x * x) + 3 * (x * x)))(0.5).graph
    assert words(graph) == ["input", "multiply", "sin", "constant", "multiply", "add", "cos"]
    for node in graph.nodes:
        assert all(each.index < node.index for each in node.inputs)
    assert [node.index for node in graph.nodes] == list(range(len(graph.nodes)))


def test_printing_shows_each_node_with_its_line():
    def function(x):
        return pr.sum(x, 0) * 2.0

    line = function.__code__.co_firstlineno + 1
    lines = str(pr.trace(function)(np.ones((2, 3), np.float32))).splitlines()
    assert lines[0].startswith("%0 = input  : float32[2, 3]  # test_trace.py:")
    assert lines[1:] == [
        f"%1 = sum %0 axes=(0,)  : float32[3]  # test_trace.py:{line}",
        f"%2 = constant  : float32[]  # test_trace.py:{line}",
        f"%3 = broadcast %2 shape=(3,)  : float32[3]  # test_trace.py:{line}",
        f"%4 = multiply %1 %3  : float32[3]  # test_trace.py:{line}",
        "return %4",
    ]
    assert repr(pr.trace(function)(np.ones((2, 3))).graph.nodes[1]) == f"%1: float64[3] = sum at test_trace.py:{line}"


def test_specs_are_enough_to_trace():
    program = pr.trace(lambda x, y: x @ y)(Spec((2, 3), F64), Spec((3, 4), F64))
    assert program.graph.outputs[0].spec == Spec((2, 4), F64)
    assert str(Spec((2, 4), F64)) == "float64[2, 4]"


def test_dead_nodes_are_left_out_and_equal_ones_computed_once():
    def function(x):
        pr.exp(x)  # never used
        return pr.sin(x) * pr.sin(x) + pr.sum(x, 0) * 2.0 + pr.sum(x, 0) * 2.0 + pr.sum(x, 1) * 2.0

    found = words(pr.trace(function)(np.ones((2, 2))).graph)
    counts = {word: found.count(word) for word in found}
    # broadcast: of the constant, and of each of the two different products
    assert counts == {"input": 1, "sin": 1, "sum": 2, "constant": 1, "broadcast": 3, "multiply": 3, "add": 3}


def test_large_constants_are_shared_by_identity_and_small_ones_by_value():
    large, same = np.arange(100.0), np.arange(100.0)
    graph = pr.trace(lambda x: x * large + x / large + x * same)(large).graph
    assert words(graph).count("constant") == 2
    graph = pr.trace(lambda x: x * np.arange(3.0) + x / np.arange(3.0))(np.ones(3)).graph
    assert words(graph).count("constant") == 1


def test_inputs_stay_even_where_nothing_needs_them():
    program = pr.trace(lambda x, y: y)(1.0, 2.0)
    assert len(program.graph.inputs) == 2
    assert call(program, (1.0, 2.0)) == 2.0


def test_a_program_keeps_the_numbers_of_the_moment():
    mask = np.zeros(3)

    def function(x):
        total = 0.0
        for i in range(3):
            mask[:] = 0
            mask[i] = i + 1
            total = total + pr.sum(x * mask)
        return total

    compiled = pr.jit(function, engine="reference")
    assert compiled(np.ones(3)) == 6.0
    mask[:] = 100
    assert compiled(np.ones(3)) == 6.0
    assert_array_equal(pr.grad(function)(np.ones(3)), [1.0, 2.0, 3.0])


def test_results_share_no_memory():
    x = np.ones(3)
    one, other, same = pr.jit(lambda x: (x * 2, x * 2, x), engine="reference")(x)
    one += 1
    same += 1
    assert_array_equal(other, [2.0, 2.0, 2.0])
    assert_array_equal(x, [1.0, 1.0, 1.0])
    left, right = pr.grad(lambda a, b: pr.sum((a + b) ** 2), (0, 1))(x, x)
    left *= 0
    assert_array_equal(right, [4.0, 4.0, 4.0])


def test_outer_values_are_captured():
    def outer(x):
        y = x * 3
        inner = pr.trace(lambda z: pr.sum(z * y))(x)
        assert [symbol is y for symbol in inner.graph.captured] == [True]
        return call(inner, (x,)) + pr.grad(lambda z: pr.sum(z * z * y))(x)[0]

    assert_array_equal(pr.jit(outer, engine="reference")(np.array([2.0])), 12 + 2 * 2 * 6)


def test_closures_through_several_levels():
    # d/dx of x * (d/dy of x y^2 at y = x) = d/dx 2 x^3
    function = lambda x: x * pr.grad(lambda y: x * y * y)(x)
    assert pr.grad(function)(3.0) == 6 * 9
    # three levels: d/dz (x y z) = x y; d/dy (y * x y) = 2 x y; d/dx of x * 2 x x = 6 x^2
    function = lambda x: x * pr.grad(lambda y: y * pr.grad(lambda z: x * y * z)(y))(x)
    assert pr.grad(function)(3.0) == 6 * 9
    assert pr.jit(pr.grad(function), engine="reference")(3.0) == 6 * 9
    compiled_inside = lambda x: pr.jit(lambda y: x * y, engine="reference")(x)
    assert pr.grad(compiled_inside)(3.0) == 6


def test_one_compiled_function_may_be_used_in_many_traces():
    square = pr.jit(lambda x: x * x, engine="reference")
    assert square(3.0) == 9.0
    assert pr.grad(square)(3.0) == 6.0
    assert pr.grad(lambda x: square(x) * square(x))(3.0) == 4 * 27.0
    assert square(4.0) == 16.0


def test_values_do_not_outlive_their_trace():
    kept = []

    def leaking(x):
        kept.append(x * 2)
        return x

    pr.trace(leaking)(1.0)
    text = "a value from a finished trace was used; .* Return it instead of storing it"
    for use in (lambda: kept[0] + 1, lambda: pr.sin(kept[0]), lambda: pr.grad(lambda x: x * kept[0])(1.0)):
        with pytest.raises(NotSupported, match=rf"at test_trace.py:\d+: {text}"):
            use()
    with pytest.raises(NotSupported, match=text):
        pr.jit(lambda x: kept[0], engine="reference")(1.0)


def test_a_traced_value_decides_nothing_in_python():
    def function(x):
        return x if x > 0 else -x

    line = function.__code__.co_firstlineno + 1
    with pytest.raises(NotSupported) as caught:
        pr.jit(function)(1.0)
    assert str(caught.value) == (
        f"bool at test_trace.py:{line}: the value of bool[] is not known while a function is traced; a Python `if`, "
        "`while` or `and` needs it now. Use pr.where, or decide before tracing."
    )


def test_arrays_meet_symbols_from_both_sides():
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    y = np.array([[5.0, 1.0], [2.0, 2.0]])
    for function in (
        lambda x: (y + x, y - x, y * x, y / x, y**x, y @ x, y > x, y >= x, y < x, y <= x, y == x, y != x),
        lambda x: (2 + x, 2 - x, 2 * x, 2 / x, 2**x, x**2, x**2.5, -x, abs(x), x < 2, x >= 2, x != 2),
        lambda x: ((x > 1) & (y > 1), (y > 1) | (x > 1), np.float64(3) * x, x / np.float32(3), np.multiply(y, x)),
        lambda x: (x.T, x.reshape(4), x.reshape(-1, 1), x.reshape((4, 1)), x.sum(), x.mean(axis=0), x.max(), x.min(1)),
        lambda x: (x.astype(np.float32), x[0], x.sum(axis=1, keepdims=True)),
    ):
        for ours, numpys in zip(pr.jit(function, engine="reference")(x), function(x), strict=True):
            np.testing.assert_allclose(ours, numpys, rtol=1e-7 if ours.dtype == np.float32 else 1e-14)
            assert ours.dtype == numpys.dtype
    assert_array_equal(pr.jit(lambda x: ~(x > 1), engine="reference")(x), ~(x > 1))


CONTAINERS = [
    3.0,
    (1.0, 2.0),
    [1.0, [2.0, (3.0,)]],
    {"b": 1.0, "a": {"c": 2.0, "d": (3.0, [4.0])}},
    {},
    (),
    ({"x": 1.0}, []),
]


@pytest.mark.parametrize("container", CONTAINERS, ids=str)
def test_containers_come_apart_and_together(container):
    leaves, structure = flatten(container)
    assert structure.build(iter(leaves)) == container
    assert structure.size == len(leaves)
    assert map_leaves(lambda x, y: x + y, container, container) == map_leaves(lambda x: 2 * x, container)
    doubled = pr.jit(lambda c: map_leaves(lambda x: x * 2, c), engine="reference")(container)
    assert doubled == map_leaves(lambda x: 2 * x, container)
    hash(structure)


def test_dictionaries_are_the_same_in_any_order():
    assert flatten({"b": 1, "a": 2}) == flatten({"a": 2, "b": 1})
    assert flatten(5) == ([5], LEAF)


def test_evaluate_keeps_no_value_longer_than_needed():
    graph = pr.trace(lambda x: pr.sin(pr.cos(pr.exp(x))))(1.0).graph
    assert graph.last_uses() == [1, 2, 3, 4]


def test_pruning_twice_changes_nothing():
    graph = pr.trace(pr.grad(lambda x: pr.sum(pr.tanh(x) ** 3)))(np.ones(3)).graph
    assert str(prune(graph)) == str(graph)


def test_an_empty_graph_can_be_built_by_hand():
    graph = Graph()
    x = graph.input(Spec((2,), F64))
    graph.finish([x])
    assert words(graph) == ["input"]
    with pytest.raises(NotSupported, match="finished trace"):
        x + 1
