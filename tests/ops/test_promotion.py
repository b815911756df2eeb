"""Element types, shapes, and what happens when they do not fit."""

import re

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import preceptor as pr
from preceptor.errors import DtypeError, NotSupported, ShapeError
from preceptor.ops.primitive import promote

F32, F64, I32, I64 = (np.ones(2, dtype) for dtype in (np.float32, np.float64, np.int32, np.int64))


@pytest.mark.parametrize(
    "dtypes, expected",
    [
        ("float32 float32", "float32"),
        ("float32 float64", "float64"),
        ("float32 int32", "float32"),
        ("float32 int64", "float32"),  # NumPy: float64
        ("float16 int64", "float16"),
        ("bool int8", "int8"),
        ("bool float32", "float32"),
        ("int32 int64", "int64"),
        ("uint8 int8", "int16"),
    ],
)
def test_promotion_of_arrays(dtypes, expected):
    assert promote(*map(np.dtype, dtypes.split())) == expected


@pytest.mark.parametrize("function", [pr.add, pr.multiply, pr.maximum, pr.minimum, pr.power, pr.divide])
def test_python_numbers_are_weak(function):
    for number in (2, 2.5):
        assert function(F32, number).dtype == function(number, F32).dtype == np.float32
        assert pr.trace(lambda x, n=number: function(n, x))(F32).graph.outputs[0].dtype == np.float32
    assert function(F32, np.float64(2.5)).dtype == np.float64


def test_python_numbers_beside_integers_and_booleans():
    assert pr.add(I32, 1).dtype == np.int32
    assert pr.add(I32, 1.5).dtype == np.float32
    assert pr.add(I64, 1.5).dtype == np.float64
    assert pr.less(I32, 1.5).tolist() == [True, True]
    assert pr.where(np.array([True, False]), F32, 0).dtype == np.float32
    assert pr.clip(F32, -1, 0.5).dtype == np.float32


def test_integers_divide_and_average_as_float64():
    assert pr.divide(I32, I32).dtype == np.float64
    small = np.full(1000, 200, np.uint8)
    assert pr.mean(small) == 200.0
    assert pr.mean(small).dtype == np.float64
    assert pr.variance(small) == 0.0


def test_functions_take_python_numbers_and_lists():
    assert pr.sin(0) == 0.0
    assert pr.sum([1.0, 2.0]) == 3.0
    assert_array_equal(pr.index([1.0, 2.0], 0), 1.0)
    assert_array_equal(pr.flip([1.0, 2.0], 0), [2.0, 1.0])


@pytest.mark.parametrize(
    "x, y, shape",
    [
        ((2, 3), (3,), (2, 3)),
        ((2, 1), (1, 3), (2, 3)),
        ((), (2, 2), (2, 2)),
        ((0, 3), (1, 3), (0, 3)),
        ((0, 3), (3,), (0, 3)),
        ((2, 0), (2, 1), (2, 0)),
        ((1,), (0,), (0,)),
        ((4, 1, 3), (2, 1), (4, 2, 3)),
    ],
)
def test_broadcasting_and_its_adjoint(x, y, shape):
    one, other = np.full(x, 2.0), np.full(y, 3.0)
    assert pr.add(one, other).shape == shape
    grads = pr.grad(lambda a, b: pr.sum(a * b), (0, 1))(one, other)
    assert [g.shape for g in grads] == [x, y]
    size = int(np.prod(shape))
    assert_array_equal(grads[0], np.full(x, 3.0 * size / max(one.size, 1)))
    assert_array_equal(grads[1], np.full(y, 2.0 * size / max(other.size, 1)))


def test_a_number_stays_one_number_in_the_program():
    graph = pr.trace(lambda x: x * 2 + 1)(np.zeros((1000, 1000), np.float32)).graph
    constants = [node for node in graph.nodes if node.primitive.name == "constant"]
    assert [node.spec.shape for node in constants] == [(), ()]
    assert [node.primitive.name for node in graph.nodes].count("broadcast") == 2


TWO_THREE, VECTOR = np.ones((2, 3)), np.ones(4)
MISTAKES = [
    (lambda x: x + VECTOR, ShapeError, "broadcast", "shapes (2, 3) and (4,); counted from the last, each axis"),
    (lambda x: pr.where(np.ones(4) > 0, x, 0.0), ShapeError, "broadcast", "shapes (4,) and (2, 3)"),
    (lambda x: pr.where(x, x, 0.0), DtypeError, "where", "the condition is float64; booleans are required"),
    (lambda x: x @ np.ones((2, 2)), ShapeError, "matmul", "inputs have shapes (2, 3) and (2, 2); the last axis"),
    (lambda x: np.ones((5, 2, 4)) @ x, ShapeError, "matmul", "inputs have shapes (5, 2, 4) and (2, 3)"),
    (lambda x: x @ VECTOR, ShapeError, "matmul", "inputs have shapes (2, 3) and (4,)"),
    (lambda x: VECTOR @ x, ShapeError, "matmul", "inputs have shapes (4,) and (2, 3)"),
    (lambda x: np.ones((2, 1, 2)) @ pr.stack([x] * 3), ShapeError, "matmul", "leading axes must be equal or 1"),
    (lambda x: x @ 2.0, ShapeError, "matmul", "received shapes (2, 3) and (); each needs an axis"),
    (lambda x: pr.matmul(x > 0, x > 0), DtypeError, "matmul", "received booleans; numbers are required"),
    (lambda x: pr.reshape(x, (4, 2)), ShapeError, "reshape", "shape (2, 3), 6 elements; shape (4, 2) holds 8"),
    (lambda x: pr.reshape(x, (4, -1)), ShapeError, "reshape", "input has shape (2, 3)"),
    (lambda x: pr.transpose(x, (0, 0)), ShapeError, "transpose", "axes (0, 0) must name each of its 2 axes once"),
    (lambda x: pr.broadcast_to(x, (3, 3)), ShapeError, "broadcast", "input has shape (2, 3)"),
    (lambda x: pr.sum(x, 2), ShapeError, "reduction", "input has shape (2, 3); it has no axes 2"),
    (lambda x: pr.sum(x, (0, 0)), ShapeError, "reduction", "it has no axes (0, 0)"),
    (lambda x: pr.max(x[:0], 0), ShapeError, "max", "the largest of no elements does not exist"),
    (lambda x: pr.sum(x > 0), DtypeError, "sum", "received booleans; numbers are required"),
    (lambda x: pr.add(x > 0, x > 0), DtypeError, "arithmetic", "received booleans; numbers are required. Use pr.cast"),
    (lambda x: (x > 0) == 2, DtypeError, "broadcast", "booleans meet an integer"),
    (lambda x: x & (x > 0), DtypeError, "logic", "received float64; booleans are required. Compare first"),
    (lambda x: pr.sin(pr.cast(x, np.int32)), DtypeError, "elementwise function", "received int32; floats are required"),
    (lambda x: -pr.cast(x, np.uint8), DtypeError, "arithmetic", "received uint8, which has no negative numbers"),
    (lambda x: pr.min(pr.cast(x, np.uint8)), DtypeError, "arithmetic", "received uint8"),
    (lambda x: pr.cast(x, np.uint8) > -1, DtypeError, "broadcast", "a Python number does not fit into uint8"),
    (lambda x: x[2], ShapeError, "index", "2 is out of range for axis 0 of shape (2, 3)"),
    (lambda x: x[0, 0, 0], ShapeError, "index", "input has shape (2, 3); 3 indices are too many"),
    (lambda x: x["a"], DtypeError, "index", "str is no index"),
    (lambda x: x[True], DtypeError, "index", "bool is no index"),
    (lambda x: x[x > 0], DtypeError, "take", "indices are bool; integers are required"),
    (lambda x: x[[0], [1]], ShapeError, "index", "one array of integers at a time"),
    (lambda x: x[0, None, [1]], ShapeError, "index", "stand apart"),
    (lambda x: pr.flip(x, 2), ShapeError, "flip", "input has shape (2, 3); it has no axis 2"),
    (lambda x: pr.take(x, [0], axis=2), ShapeError, "take", "it has no axis 2"),
    (lambda x: pr.take(x, [0.5]), DtypeError, "take", "indices are float64; integers are required"),
    (lambda x: pr.scatter_add(x, np.array([0, 1, 2]), 3), ShapeError, "scatter_add", "they must agree from axis 0 on"),
    (lambda x: pr.scatter_add(x, np.array([0, 1]), 3, axis=3), ShapeError, "scatter_add", "the result has no axis 3"),
    (lambda x: pr.take_along_last_axis(x, np.array([[0], [1]])), ShapeError, "take_along_last_axis", "indices (2, 1)"),
    (lambda x: pr.pad(x, [(0, 1)]), ShapeError, "pad", "one (before, after) for each axis"),
    (lambda x: pr.pad(x, [(0, 1), (-1, 0)]), ShapeError, "pad", "none negative"),
    (lambda x: pr.stack([x, VECTOR]), ShapeError, "stack", "received shapes [(2, 3), (4,)]"),
    (lambda x: pr.stack([]), ShapeError, "stack", "one shape is required"),
    (lambda x: pr.concatenate([x, np.ones((2, 2))]), ShapeError, "concatenate", "all axes but 0 must be equal"),
    (lambda x: pr.concatenate([x, VECTOR], 1), ShapeError, "concatenate", "shapes [(2, 3), (4,)]; each needs axis 1"),
    (lambda x: pr.random_bits(np.array([1, 2]), (3,)) + x, ShapeError, "random_bits", "the key is int64[2]; uint32[2]"),
    (lambda x: pr.fold_in(pr.key(0), 0.5), DtypeError, "fold_in", "one integer is required"),
    (lambda x: pr.add(x, "a"), DtypeError, "array", "received a str; numbers or arrays of numbers are required"),
    (lambda x: pr.add(x, np.array(["a"], object)), DtypeError, "array", "received an array of object"),
    (lambda x: pr.add(x, None), DtypeError, "array", "received a NoneType"),
    (lambda x: len(x[0, 0]), ShapeError, "len", "the value is a scalar"),
    (lambda x: list(x[0, 0]), ShapeError, "iteration", "the value is a scalar"),
    (lambda x: x if x else -x, NotSupported, "bool", "float64[2, 3] is not known while a function is traced"),
    (lambda x: float(x), NotSupported, "float", "the value of float64[2, 3] is not known"),
    (lambda x: range(x), NotSupported, "float", "the value of float64[2, 3] is not known"),
    (lambda x: np.sin(x), NotSupported, "np.sin", "Use the function of the same name in preceptor (pr.sin for np.sin)"),
    (lambda x: np.sum(x), NotSupported, "np.sum", "a NumPy function was given a traced value of float64[2, 3]"),
    (lambda x: np.concatenate([x, x]), NotSupported, "np.concatenate", "a NumPy function was given a traced value"),
    (lambda x: np.asarray(x), NotSupported, "array", "a NumPy function was given a traced value"),
    (lambda x: np.add.reduce(x), NotSupported, "np.add", "a NumPy function was given a traced value"),
]  # fmt: skip


@pytest.mark.parametrize("function, kind, where, text", MISTAKES)
def test_mistakes_are_named_with_the_line_of_the_user(function, kind, where, text):
    line = function.__code__.co_firstlineno
    with pytest.raises(kind, match=re.escape(text)) as caught:
        pr.trace(function)(TWO_THREE)
    assert str(caught.value).startswith(f"{where} at test_promotion.py:{line}: ")
