from importlib import import_module
from pkgutil import iter_modules

import numpy as np
import pytest

import preceptor as pr
from preceptor import ops
from preceptor.errors import NotSupported
from preceptor.export.onnx.builder import Builder, newest_opset
from preceptor.export.onnx.function import Signal, write_function
from preceptor.export.onnx.primitives import EACH, FORMS, HELD
from preceptor.export.onnx.symbolic import minimum
from preceptor.ops import Primitive

pytest.importorskip("onnx", reason="what is tested is written with it: pip install 'preceptor[onnx]'")
runtime = pytest.importorskip("onnxruntime", reason="it runs what was written: pip install 'preceptor[onnx]'")

FOUND = {
    value
    for found in iter_modules(ops.__path__)
    for value in vars(import_module(f"preceptor.ops.{found.name}")).values()
    if isinstance(value, Primitive)
}
DRAWN = {pr.ops.random._random_bits, pr.ops.random.fold_in}


def of_sum(function, *others):
    """The gradient of the sum of squares of a function: what its adjoint primitives are in."""
    return lambda x: pr.grad(lambda v: pr.sum(function(v, *others) ** 2) / 2)(x)


def kernel_slope(x, g, **more):
    """The gradient by the kernel of a convolution, repeated for each row."""
    shape = (3, 2, x.shape[-1] // more.get("groups", 1), g.shape[-1])
    slope = pr.grad(lambda k: pr.sum(ops.convolution(x, k, padding="valid", **more) * g))(np.zeros(shape, np.float32))
    return pr.broadcast_to(pr.reshape(slope, (1, *shape)), (x.shape[0], *shape))


RNG = np.random.default_rng(3)
KERNEL = RNG.normal(size=(3, 2, 4, 6)).astype(np.float32)
GROUPED = RNG.normal(size=(3, 2, 2, 6)).astype(np.float32)
TABLE = RNG.normal(size=(5, 3)).astype(np.float32)
PICTURE, ODD = (6, 7, 4), (5, 5, 4)
two = lambda x: (x[:, :2], x[:, 2:])

# Name of the primitive, a function of rows that has it, the shape of one row.
ROWS = [
    ("add", lambda x: x + x[:, :1], (4,)),
    ("add", lambda x: x + np.arange(4, dtype=np.float32), (4,)),
    ("subtract", lambda x: x - pr.exp(x), (4,)),
    ("multiply", lambda x: 3 * x * x, (4,)),
    ("divide", lambda x: 1 / (3 + x), (4,)),
    ("negative", lambda x: -x, (4,)),
    ("power", lambda x: pr.abs(x) ** 1.5, (4,)),
    ("integer_power", lambda x: x**5 + (x + 9) ** -3 + x**0, (4,)),
    ("maximum", lambda x: pr.maximum(*two(x)), (4,)),
    ("minimum", lambda x: pr.minimum(*two(x)), (4,)),
    ("minimum", lambda x: pr.clip(x, -0.5, 0.25), (4,)),
    ("exp", lambda x: pr.exp(x), (4,)),
    ("log", lambda x: pr.log(pr.abs(x) + 0.1), (4,)),
    ("log1p", lambda x: pr.log1p(pr.abs(x)), (4,)),
    ("expm1", lambda x: pr.expm1(x), (4,)),
    ("sqrt", lambda x: pr.sqrt(pr.abs(x)), (4,)),
    ("sin", lambda x: pr.sin(x), (4,)),
    ("cos", lambda x: pr.cos(x), (4,)),
    ("tanh", lambda x: pr.tanh(x), (4,)),
    ("sigmoid", lambda x: pr.sigmoid(x), (4,)),
    ("softplus", lambda x: pr.softplus(x), (4,)),
    ("relu", lambda x: pr.relu(x), (4,)),
    ("erf", lambda x: pr.erf(x), (4,)),
    ("abs", lambda x: pr.abs(x), (4,)),
    ("sign", lambda x: ops.sign(pr.relu(x)), (4,)),
    ("threshold", lambda x: ops.threshold(x), (4,)),
    ("equal", lambda x: pr.where(ops.equal(pr.relu(x), 0), 1, x), (4,)),
    ("less", lambda x: pr.where(x < 0.3, 1, x), (4,)),
    ("less_equal", lambda x: pr.where(x <= 0.3, x, 7.0), (4,)),
    ("not", lambda x: ops.cast(ops.logical_not(x < 0), np.float32), (4,)),
    ("and", lambda x: ops.cast(ops.logical_and(x < 0.5, x > -0.5), np.int32), (4,)),
    ("or", lambda x: ops.cast(ops.logical_or(x > 0.5, x < -0.5), np.float64), (4,)),
    ("where", lambda x: pr.where(np.array([True, False, True, False]), x, 0), (4,)),
    ("where", lambda x: pr.where(x[:, :1] < 0, x, np.ones((2, 1, 4), np.float32)[0]), (4,)),
    ("stop_gradient", lambda x: ops.stop_gradient(x) * 2, (4,)),
    ("cast", lambda x: ops.cast(x * 9, np.int32), (4,)),
    ("reshape", lambda x: pr.reshape(x, (-1, 2, 3)), (6,)),
    ("reshape", lambda x: pr.reshape(pr.reshape(x, (x.shape[0] * 2, 3)) * 2, (x.shape[0], 6)), (6,)),
    ("reshape", lambda x: pr.transpose(pr.reshape(pr.transpose(x), (3, 2 * x.shape[0])))[: x.shape[0]] * 1.0, (6,)),
    ("transpose", lambda x: pr.transpose(x, (0, 3, 1, 2)), PICTURE),
    ("broadcast", lambda x: pr.broadcast_to(x[:, :, None], (x.shape[0], 4, 3)), (4,)),
    ("concatenate", lambda x: pr.concatenate([x, np.ones((x.shape[0], 1), np.float32)], 1), (4,)),
    ("broadcast", lambda x: pr.reshape(pr.broadcast_to(x, (3, *x.shape)), (3 * x.shape[0], 4))[: x.shape[0]], (4,)),
    ("sum", lambda x: pr.sum(x, (1, 2)), PICTURE),
    ("sum", lambda x: x - pr.sum(x, -1, keepdims=True), PICTURE),
    ("max", lambda x: pr.max(x, (1, 3)), PICTURE),
    ("argmax", lambda x: pr.argmax(x, 1), PICTURE),
    ("slice", lambda x: x[:, 1:6:2, ::-1, -2:], PICTURE),
    ("slice", lambda x: x[::-1], (4,)),
    ("slice", lambda x: pr.concatenate([x, -x])[: x.shape[0]], (4,)),
    ("unslice", lambda x: ops.pad(x, ((0, 0), (1, 2), (0, 3), (0, 0))), PICTURE),
    ("unslice", lambda x: ops.pad(x[1:], ((1, 0), (0, 1))), (4,)),
    ("unslice", of_sum(lambda x: x[:, 1:6:2, ::-2]), PICTURE),
    ("unslice", of_sum(lambda x: x[:, 5:1:-3, ::3]), PICTURE),
    ("concatenate", lambda x: pr.concatenate([x[:, :0], x[:, 4:]], 1), (4,)),
    ("concatenate", lambda x: pr.concatenate([x, x[:, :0], x[:, 1:3]], 1), (4,)),
    ("take", lambda x: ops.take(x, np.array([[2, -1], [0, 0]]), 1), PICTURE),
    ("take", lambda x: ops.take(TABLE, ops.cast(pr.abs(x), np.int16)), (4,)),
    ("scatter_add", lambda x: ops.scatter_add(x, np.array([2, 0, 2, 1, 4, 0]), 5, 1), PICTURE),
    ("scatter_add", lambda x: ops.scatter_add(x, np.array([1, 0, 2, 0]), 3, -1), PICTURE),
    (
        "gather_sum",
        lambda x: ops.gather_sum(TABLE, ops.cast(pr.clip(pr.abs(x), 0, 4), np.int32), x),
        (4,),
    ),
    ("matmul", lambda x: pr.reshape(x, (x.shape[0], 2, 2)) @ np.ones((2, 3), np.float32), (4,)),
    ("matmul", lambda x: pr.reshape(x, (x.shape[0], 2, 2)) @ KERNEL[:1, 0, :2, :2], (4,)),
    ("matmul", lambda x: pr.transpose(x, (0, 1, 3, 2)) @ x, PICTURE),
    ("convolution", lambda x: ops.convolution(x, KERNEL), PICTURE),
    ("convolution", lambda x: ops.convolution(x, GROUPED, (2, 1), ((1, 2), (0, 1)), (1, 2), 2), PICTURE),
    ("convolution_input", lambda x: ops.transposed_convolution(x, RNG_KERNEL, 2), PICTURE),
    ("convolution_input", of_sum(lambda x: ops.convolution(x, KERNEL, 2, "valid")), PICTURE),
    ("convolution_input", of_sum(lambda x: ops.convolution(x, GROUPED, 3, 1, (2, 1), 2)), PICTURE),
    ("convolution_kernel", lambda x: kernel_slope(x, x[:, :4, :6]), PICTURE),
    ("convolution_kernel", lambda x: kernel_slope(x, x[:, :2, :3], stride=2, groups=2), PICTURE),
    ("window_sum", lambda x: ops.sum_pool(x, (3, 2), 2, ((1, 0), (1, 1))), PICTURE),
    ("window_sum", lambda x: ops.window_sum(x, (1, 1, 1, 3), padding="same"), PICTURE),
    ("window_sum", lambda x: ops.sum_pool(ops.cast(x * 9, np.int32), 2), PICTURE),
    ("window_spread", of_sum(lambda x: ops.sum_pool(x, (3, 2), 2, ((1, 0), (1, 1)))), PICTURE),
    ("window_spread", of_sum(lambda x: ops.sum_pool(ops.cast(x, np.float64), (3, 2), 2)), PICTURE),
    ("window_max", lambda x: ops.max_pool(x, (3, 2), 2, "same"), PICTURE),
    ("window_max", lambda x: ops.max_pool(ops.cast(x * 9, np.int32), 3, 1, "same"), PICTURE),
    ("window_max_spread", of_sum(lambda x: ops.max_pool(x, 3, 2, "same")), ODD),
    ("window_max_spread", of_sum(lambda x: ops.max_pool(pr.relu(x), (2, 3), 2)), PICTURE),
    ("window_max_mean", of_sum(of_sum(lambda x: ops.max_pool(x, 2, 1, "same"))), ODD),
]
RNG_KERNEL = RNG.normal(size=(3, 2, 5, 4)).astype(np.float32)


def test_every_primitive_has_a_form_and_a_row():
    assert {minimum, *EACH, *FORMS, *HELD} == FOUND | {minimum}
    assert {name for name, *_ in ROWS} == {each.name for each in FOUND - DRAWN} | {"minimum"}


def primitives_in(function, *shape):
    return {node.primitive.name for node in pr.trace(function)(pr.Spec(shape, np.dtype(np.float32))).graph.nodes}


@pytest.mark.parametrize("opset", [20, 21, None])
@pytest.mark.parametrize("row", range(len(ROWS)), ids=[f"{name}{i}" for i, (name, *_) in enumerate(ROWS)])
def test_onnxruntime_computes_what_the_primitive_does(row, opset):
    name, function, shape = ROWS[row]
    assert name == "minimum" or name in primitives_in(function, 4, *shape)
    builder = Builder(opset or newest_opset())
    (out,) = write_function(builder, function, Signal(builder.input("x", np.float32, shape), shape))
    builder.output(out.name, "y", out.dtype, out.shape)
    session = runtime.InferenceSession(builder.finish({}).SerializeToString(), providers=["CPUExecutionProvider"])
    for rows in (1, 3, 8):
        x = np.random.default_rng(rows).normal(size=(rows, *shape)).astype(np.float32)
        (found,), wanted = session.run(None, {"x": x}), np.asarray(function(x))
        assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype)
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5 * max(1, np.abs(wanted).max(initial=0)))


@pytest.mark.parametrize(
    "function, values",
    [(pr.log1p, [1e-9, -1e-7, 3e-4, 1.0, 1e20, np.inf, 0.0, -0.5]), (pr.expm1, [1e-9, -1e-7, 0.4999, 0.5, -30, 50, 0])],
)
def test_small_and_large_numbers_keep_their_digits(function, values):
    builder = Builder()
    (out,) = write_function(builder, function, Signal(builder.input("x", np.float32)))
    builder.output(out.name, "y", np.float32)
    session = runtime.InferenceSession(builder.finish({}).SerializeToString(), providers=["CPUExecutionProvider"])
    x = np.array(values, np.float32)
    exact = getattr(np, function.name)(x.astype(np.float64)).astype(np.float32)
    np.testing.assert_allclose(session.run(None, {"x": x})[0], exact, rtol=3e-6)


@pytest.mark.parametrize(
    "function, words",
    [
        (lambda x: x / x.shape[0], "constant at .*it depends on the number of rows in a way that no ONNX graph can"),
        (lambda x: pr.sum(x, 0), r"sum at .*: a result has shape \(4\); rows first, and there alone"),
        (lambda x: x if x.shape[0] < 220 else x + 1, "other operations are made of other numbers of rows"),
        (
            lambda x: x + pr.ops.random.uniform(pr.ops.fold_in(pr.key(1), ops.argmax(x[0])), (4,)),
            "fold_in at .*it draws",
        ),
        (lambda x: x[x.shape[0] // 2 :], "depends on the number of rows"),
        (lambda x: ops.pad(x, ((x.shape[0], 0), (0, 0)))[: x.shape[0]], "how many zeros stand around depends"),
        (lambda x: x @ pr.jacobian(lambda v: v * v)(x[0]), "map_rows at .*it has no form in ONNX"),
    ],
)
def test_what_depends_on_the_number_of_rows_is_refused(function, words):
    builder = Builder()
    with pytest.raises(NotSupported, match=words):
        write_function(builder, function, Signal(builder.input("x", np.float32, (4,)), (4,)))


def test_fixed_random_numbers_are_constants():
    function = lambda x: x + pr.ops.random.uniform(pr.key(1), (4,))
    builder = Builder()
    (out,) = write_function(builder, function, Signal(builder.input("x", np.float32, (4,)), (4,)))
    builder.output(out.name, "y", np.float32, (4,))
    assert [node.op_type for node in builder.finish({}).graph.node] == ["Add"]


def test_constants_are_folded_and_nothing_is_repeated_without_need():
    weight = np.ones((4, 3), np.float32)
    function = lambda x: pr.clip(x @ (2 * weight - 1) + pr.sqrt(np.float32(4)), 0, 1)
    builder = Builder()
    (out,) = write_function(builder, function, Signal(builder.input("x", np.float32, (4,)), (4,)))
    builder.output(out.name, "y", np.float32, (3,))
    assert [node.op_type for node in builder.finish({}).graph.node] == ["MatMul", "Add", "Max", "Min"]
