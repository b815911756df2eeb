"""Rows x laws: every primitive and every public function of `preceptor.ops` has a row; each row must keep every law."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import numpy as np
import pytest
import scipy.special
from numpy.testing import assert_allclose, assert_array_equal

import preceptor as pr
from preceptor import ops
from preceptor.autodiff import rows as autodiff_rows
from preceptor.graph import call
from preceptor.ops import Primitive
from preceptor.ops.primitive import spec_of


@dataclass(frozen=True)
class Row:
    """One function under test.

    Args:
        name: in `preceptor.ops.__all__`, or empty for something that is no public function.
        function: arrays in, one array out; static parameters are bound.
        samples: tuples of arguments; the float64 ones are inside the domain in which the function is smooth.
        outside: the same function from outside the project (NumPy, SciPy), or written out by hand.
        special: (arguments, expected value worked out by hand) pairs, ends of the domain among them.
        primitive: the primitive that the row is about; it must occur in the traced program.
        smooth: whether derivatives exist at the samples; if not, only values are compared.
        float32: relative tolerance between engines in float32, of the scale of the result.
    """

    name: str
    function: Callable[..., Any]
    samples: tuple[tuple, ...]
    outside: Callable[..., Any]
    special: tuple[tuple[tuple, Any], ...] = ()
    primitive: str = ""
    smooth: bool = True
    float32: float = 1e-6
    label: str = field(default="", kw_only=True)

    @property
    def id(self) -> str:
        return " ".join(part for part in (self.name or self.primitive, self.label) if part)


def draw(*shape: int, low: float = -2.0, high: float = 2.0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng((seed, *shape)).uniform(low, high, shape)


def apart(*shape: int, seed: int = 0) -> np.ndarray:
    """Numbers at least 0.1 from one another and from 0, in random order: no ties, no kink within reach."""
    numbers = 0.1 * (np.arange(math.prod(shape)) - math.prod(shape) // 2) + 0.05
    return np.random.default_rng((seed, *shape)).permutation(numbers).reshape(shape)


# Threefry-2x32 with 20 rounds in plain integers, after the paper's text: the outside source of all random functions.


def threefry(key: tuple[int, int], counter: tuple[int, int]) -> tuple[int, int]:
    mask, (k0, k1), (x0, x1) = 0xFFFFFFFF, key, counter
    schedule = (k0, k1, k0 ^ k1 ^ 0x1BD11BDA)
    x0, x1 = (x0 + k0) & mask, (x1 + k1) & mask
    for number in range(20):
        turn = (13, 15, 26, 6, 17, 29, 16, 24)[number % 8]
        x0 = (x0 + x1) & mask
        x1 = (((x1 << turn) | (x1 >> (32 - turn))) & mask) ^ x0
        if number % 4 == 3:
            group = number // 4 + 1
            x0 = (x0 + schedule[group % 3]) & mask
            x1 = (x1 + schedule[(group + 1) % 3] + group) & mask
    return x0, x1


def bits_of(key: Any, count: int, bits: int = 32) -> np.ndarray:
    words = tuple(int(word) for word in key)
    pairs = [threefry(words, (i, 0)) for i in range((count + 1) // 2)]
    return np.array([p[0] for p in pairs] + [p[1] for p in pairs], np.uint32)[:count] >> np.uint32(32 - bits)


def folded(key: Any, number: Any) -> np.ndarray:
    return np.array(threefry((int(key[0]), int(key[1])), (int(number), 0xFFFFFFFF)), np.uint32)


def uniform_of(key: Any, count: int) -> np.ndarray:
    return bits_of(key, count, 24) / 2.0**24


def normal_of(key: Any, count: int) -> np.ndarray:
    u, v = uniform_of(folded(key, 0), count), uniform_of(folded(key, 1), count)
    return np.sqrt(-2 * np.log1p(-u)) * np.cos(2 * np.pi * v)


X, Y = draw(2, 3, seed=1), draw(2, 3, seed=2)
POSITIVE, SMALL = draw(2, 3, low=0.3, high=3.0), draw(2, 3, low=-0.8, high=2.0)
CUBE = draw(2, 3, 2)
ROW3, COLUMN = draw(3, seed=3), draw(2, 1, seed=4)
BROADCAST = ((X, Y), (X, ROW3), (COLUMN, ROW3), (X, np.float64(0.7)), (draw(0, 3), ROW3))
MASK = np.array([[True, False, True], [False, False, True]])
TIED = np.array([1.0, 3.0, 2.0, 3.0]).reshape(1, 4, 1)
KEY = np.array([7, 42], np.uint32)
SEEDS = tuple((np.array(words, np.uint32),) for words in ((7, 42), (0xFFFFFFFF, 0)))


def elementwise(name: str, outside: Callable, *samples: np.ndarray, **more: Any) -> Row:
    return Row(
        name, getattr(pr, name), tuple((x,) for x in samples), outside, primitive=more.pop("primitive", name), **more
    )


def compare(name: str, outside: Callable, primitive: str, special: tuple) -> Row:
    samples = (*BROADCAST, (np.array([1, 2, 3]), np.array([3, 2, 1])), (X, X))
    return Row(name, getattr(pr, name), samples, outside, special, primitive, smooth=False)


def bound(
    name: str, primitive: str, label: str, outside: Callable, *samples: tuple, special: tuple = (), **static: Any
):
    """A row for a function with static parameters."""
    function = getattr(pr, name)
    return Row(name, lambda *args: function(*args, **static), samples, outside, special, primitive, label=label)


def scatter(x: np.ndarray, indices: np.ndarray, length: int) -> np.ndarray:
    out = np.zeros((length, *x.shape[indices.ndim :]))
    for position in np.ndindex(indices.shape):
        out[indices[position]] += x[position]
    return out


def slid(
    x: np.ndarray, kernel: np.ndarray, spread: bool, stride=(1, 1), padding=None, dilation=(1, 1), groups=1
) -> np.ndarray:
    """Convolution of two axes of space, or its transpose, entry by entry."""
    size = np.array(kernel.shape[:2])
    span = (size - 1) * dilation + 1
    padding = np.array(padding or [((n - 1) // 2, n // 2) for n in span])
    lengths = np.array(x.shape[1:3])
    if spread:
        counts, lengths = lengths, (lengths - 1) * stride + span - padding.sum(1)
        out = np.zeros((len(x), *lengths, kernel.shape[2] * groups))
    else:
        counts = (lengths + padding.sum(1) - span) // stride + 1
        out = np.zeros((len(x), *counts, kernel.shape[3]))
    many, few = kernel.shape[3] // groups, kernel.shape[2]
    for p, q, y, z, i, o in np.ndindex(*counts, *size, few, kernel.shape[3]):
        at = np.array((p, q)) * stride + np.array((y, z)) * dilation - padding[:, 0]
        if (at < 0).any() or (at >= lengths).any():
            continue
        small, large = (slice(None), p, q, o), (slice(None), *at, o // many * few + i)
        if spread:
            out[large] += x[small] * kernel[y, z, i, o]
        else:
            out[small] += x[large] * kernel[y, z, i, o]
    return out


def patches(x: np.ndarray, window: int, stride: int) -> np.ndarray:
    """(batch, height, width, channel) -> (batch, *windows, channel, *window)."""
    return np.lib.stride_tricks.sliding_window_view(x, (window, window), (1, 2))[:, ::stride, ::stride]


def each_row(*args: Any) -> Any:
    """f(x) = sin(x) * w, by rows: what `map_rows` is for."""
    from preceptor.graph import Graph

    body = Graph()
    x, w = (body.input(spec_of(each)) for each in (args[0][0], args[1]))
    return autodiff_rows.map_rows(autodiff_rows.pack_outputs(body, [pr.sin(x) * w]), args, (True, False))


ROWS = (
    # Arithmetic
    Row("add", pr.add, BROADCAST, np.add, (((2.0, 3.0), 5.0), ((np.inf, -np.inf), np.nan)), "add"),
    Row("subtract", pr.subtract, BROADCAST, np.subtract, (((2.0, 3.0), -1.0),), "subtract"),
    Row("multiply", pr.multiply, BROADCAST, np.multiply, (((2.0, 3.0), 6.0), ((0.0, np.inf), np.nan)), "multiply"),
    Row(
        "divide",
        pr.divide,
        ((X, POSITIVE), (X, -POSITIVE), (COLUMN, POSITIVE)),
        np.divide,
        (((7, 2), 3.5), ((1.0, 0.0), np.inf), ((0.0, 0.0), np.nan)),
        "divide",
    ),
    elementwise("negative", np.negative, X, special=(((2.0,), -2.0), ((3,), -3))),
    Row(
        "power",
        pr.power,
        ((POSITIVE, Y), (POSITIVE, np.float64(0.5)), (np.float64(2.0), Y)),
        np.power,
        (((2.0, 10.0), 1024.0), ((0.0, 0.0), 1.0), ((0.0, 2.5), 0.0), ((9.0, 0.5), 3.0), ((-2.0, 3.0), -8.0)),
        "power",
        float32=5e-6,
    ),
    *(
        Row(
            "",
            lambda x, n=n: ops.elementwise.raise_to(x, n),
            ((X if n >= 0 else POSITIVE,),),
            lambda x, n=n: np.power(x, float(n)),
            (((np.float64(2.0),), 2.0**n),),
            "integer_power",
            label=str(n),
        )
        for n in (-3, -1, 0, 2, 3, 7)
    ),
    Row("maximum", pr.maximum, ((apart(2, 3), apart(3, seed=5) + 0.03),), np.maximum, (((2.0, 3.0), 3.0),), "maximum"),
    Row("minimum", pr.minimum, ((apart(2, 3), apart(3, seed=5) + 0.03),), np.minimum, (((2.0, 3.0), 2.0),), "maximum"),
    Row(
        "clip",
        lambda x: pr.clip(x, -0.12, 0.2),
        ((apart(2, 3),),),
        lambda x: np.clip(x, -0.12, 0.2),
        (((np.array([-1.0, 0.1, 1.0]),), np.array([-0.12, 0.1, 0.2])),),
    ),
    elementwise("square", np.square, X, primitive="multiply", special=(((-3.0,), 9.0),)),
    elementwise("abs", np.abs, apart(2, 3), special=(((-3.0,), 3.0), ((0.0,), 0.0))),
    # Functions of one variable
    elementwise("exp", np.exp, X, special=(((0.0,), 1.0), ((-np.inf,), 0.0), ((710.0,), np.inf))),
    elementwise("log", np.log, POSITIVE, special=(((1.0,), 0.0), ((0.0,), -np.inf), ((-1.0,), np.nan))),
    elementwise("log1p", np.log1p, SMALL, special=(((0.0,), 0.0), ((1e-20,), 1e-20), ((-1.0,), -np.inf))),
    elementwise("expm1", np.expm1, X, special=(((0.0,), 0.0), ((1e-20,), 1e-20), ((-np.inf,), -1.0))),
    elementwise("sqrt", np.sqrt, POSITIVE, special=(((4.0,), 2.0), ((0.0,), 0.0))),
    elementwise("sin", np.sin, X, special=(((0.0,), 0.0), ((math.pi / 6,), 0.5))),
    elementwise("cos", np.cos, X, special=(((0.0,), 1.0), ((math.pi / 3,), 0.5))),
    elementwise("tanh", np.tanh, X, special=(((0.0,), 0.0), ((math.log(2),), 0.6), ((1e4,), 1.0), ((-1e4,), -1.0))),
    elementwise(
        "sigmoid",
        scipy.special.expit,
        X,
        special=(((0.0,), 0.5), ((math.log(3),), 0.75), ((1e4,), 1.0), ((-1e4,), 0.0), ((-700.0,), math.exp(-700))),
    ),
    elementwise(
        "softplus",
        lambda x: np.logaddexp(0, x),
        X,
        special=(((0.0,), math.log(2)), ((1e4,), 1e4), ((-1e4,), 0.0), ((-700.0,), math.exp(-700))),
    ),
    elementwise("erf", scipy.special.erf, X, special=(((0.0,), 0.0), ((0.5,), 0.5204998778130465), ((9.0,), 1.0))),
    elementwise(
        "relu",
        lambda x: np.maximum(x, 0),
        apart(2, 3),
        special=(((np.array([1.0, -2.0, 3.0, -1.0]),), np.array([1.0, 0.0, 3.0, 0.0])), ((np.nan,), np.nan)),
    ),
    elementwise(
        "log_sigmoid",
        scipy.special.log_expit,
        X,
        primitive="softplus",
        special=(((0.0,), -math.log(2)), ((-1e4,), -1e4), ((1e4,), 0.0)),
    ),
    elementwise(
        "sign", np.sign, X, smooth=False, special=(((np.array([-2.0, 0.0, 5.0]),), np.array([-1.0, 0.0, 1.0])),)
    ),
    elementwise(
        "threshold",
        lambda x: np.heaviside(x, 1.0),
        X,
        smooth=False,
        special=(((np.array([-2.0, 0.0, 5.0]),), np.array([0.0, 1.0, 1.0])), ((np.nan,), np.nan)),
    ),
    # Comparison, logic, choice
    compare("equal", np.equal, "equal", (((1.0, 1.0), True), ((np.nan, np.nan), False))),
    compare("not_equal", np.not_equal, "not", (((1.0, 1.0), False), ((np.nan, np.nan), True))),
    compare("less", np.less, "less", (((1.0, 1.0), False), ((1, 2), True))),
    compare("less_equal", np.less_equal, "less_equal", (((1.0, 1.0), True), ((2, 1), False))),
    compare("greater", np.greater, "less", (((1.0, 1.0), False), ((2, 1), True))),
    compare("greater_equal", np.greater_equal, "less_equal", (((1.0, 1.0), True), ((1, 2), False))),
    Row("logical_not", pr.logical_not, ((MASK,),), np.logical_not, (((True,), False),), "not", smooth=False),
    Row(
        "logical_and",
        pr.logical_and,
        ((MASK, MASK[0]),),
        np.logical_and,
        (((True, False), False),),
        "and",
        smooth=False,
    ),
    Row("logical_or", pr.logical_or, ((MASK, MASK[0]),), np.logical_or, (((True, False), True),), "or", smooth=False),
    Row(
        "where",
        pr.where,
        ((MASK, X, Y), (MASK[:, :1], X, np.float64(2.0)), (MASK, COLUMN, ROW3)),
        np.where,
        (((True, 1.0, np.nan), 1.0), ((False, np.nan, 2.0), 2.0)),
        "where",
    ),
    # Movement
    bound("reshape", "reshape", "", lambda x: x.reshape(3, 2), (X,), shape=(3, 2)),
    bound("reshape", "reshape", "-1", lambda x: x.reshape(3, -1), (CUBE,), shape=(3, -1)),
    bound("transpose", "transpose", "", np.transpose, (X,), (CUBE,)),
    bound("transpose", "transpose", "(2, 0, 1)", lambda x: x.transpose(2, 0, 1), (CUBE,), axes=(2, 0, 1)),
    bound("swap_last_axes", "transpose", "", lambda x: np.swapaxes(x, -1, -2), (X,), (CUBE,)),
    bound(
        "broadcast_to",
        "broadcast",
        "",
        lambda x: np.broadcast_to(x, (2, 2, 3)),
        (X,),
        (COLUMN,),
        (np.float64(3.0),),
        shape=(2, 2, 3),
    ),
    Row(
        "cast",
        lambda x: pr.cast(x, np.float64),
        ((np.arange(6),), (MASK,)),
        lambda x: x.astype(np.float64),
        primitive="cast",
        smooth=False,
        label="to float64",
    ),
    Row(
        "cast",
        lambda x: pr.cast(x, np.int32),
        ((X,), (MASK,)),
        lambda x: x.astype(np.int32),
        primitive="cast",
        smooth=False,
        label="to int32",
    ),
    Row("stop_gradient", pr.stop_gradient, ((X,),), lambda x: x, (((3.0,), 3.0),), "stop_gradient", smooth=False),
    *(
        bound("index", "slice", str(key), lambda x, key=key: x[key], (draw(4, 3, 2),), key=key)
        for key in (1, -1, (slice(1, 3), 0), (slice(None, None, -2), ..., 1), (slice(3, 0, -1), slice(-2, None)))
    ),
    bound(
        "index",
        "take",
        "array",
        lambda x: x[:, [2, 0, 2, -1]],
        (draw(4, 3, 2),),
        key=(slice(None), np.array([2, 0, 2, -1])),
    ),
    bound("index", "reshape", "None", lambda x: x[:, None, ..., None], (X,), key=(slice(None), None, ..., None)),
    bound("flip", "slice", "0", lambda x: np.flip(x, 0), (X,), axis=0),
    bound("flip", "slice", "-1", lambda x: np.flip(x, -1), (X,), axis=-1),
    bound("pad", "unslice", "", lambda x: np.pad(x, ((1, 2), (0, 1))), (X,), widths=((1, 2), (0, 1))),
    Row(
        "concatenate",
        lambda x, y: pr.concatenate([x, y], axis=-1),
        ((X, COLUMN), (draw(2, 0), X)),
        lambda x, y: np.concatenate([x, y], axis=-1),
        primitive="concatenate",
    ),
    Row(
        "stack",
        lambda x, y: pr.stack([x, y], axis=1),
        ((X, Y),),
        lambda x, y: np.stack([x, y], 1),
        primitive="concatenate",
    ),
    # Reductions
    *(
        bound(name, primitive, str(static), lambda x, f=f, static=static: f(x, **static), (values(2, 3, 2),), **static)
        for name, f, primitive, values in (
            ("sum", np.sum, "sum", draw),
            ("mean", np.mean, "sum", draw),
            ("variance", np.var, "sum", draw),
            ("max", np.max, "max", apart),
            ("min", np.min, "max", apart),
        )
        for static in ({}, {"axis": 1}, {"axis": (0, -1), "keepdims": True})
    ),
    bound("sum", "sum", "empty", lambda x: np.sum(x, 0), (draw(0, 3),), axis=0),
    *(
        Row(
            "argmax",
            lambda x, a=a: pr.argmax(x, a),
            ((CUBE,),),
            lambda x, a=a: np.argmax(x, a),
            primitive="argmax",
            smooth=False,
            label=str(a),
            special=(((np.array([1.0, 3.0, 3.0]),), 1),) if a == -1 else (),
        )
        for a in (0, -1)
    ),
    bound(
        "logsumexp",
        "exp",
        "",
        lambda x: scipy.special.logsumexp(x, axis=-1),
        (X,),
        special=(
            ((np.zeros(4),), math.log(4)),
            ((np.full(3, -np.inf),), -np.inf),
            ((np.array([np.inf, 0.0]),), np.inf),
        ),
    ),
    bound(
        "logsumexp",
        "exp",
        "axis 0 kept",
        lambda x: scipy.special.logsumexp(x, axis=0, keepdims=True),
        (X,),
        axis=0,
        keepdims=True,
    ),
    bound(
        "log_softmax",
        "exp",
        "",
        lambda x: scipy.special.log_softmax(x, axis=-1),
        (X,),
        special=(((np.array([0.0, -1e4]),), np.array([0.0, -1e4])),),
    ),
    bound(
        "softmax",
        "exp",
        "",
        lambda x: scipy.special.softmax(x, axis=-1),
        (X,),
        special=(((np.array([0.0, -np.inf]),), np.array([1.0, 0.0])),),
    ),
    bound("softmax", "exp", "axis 0", lambda x: scipy.special.softmax(x, axis=0), (X,), axis=0),
    # Products
    Row(
        "matmul",
        pr.matmul,
        (
            (X, draw(3, 2)),
            (X, ROW3),
            (draw(2), X),
            (ROW3, draw(3, seed=8)),
            (draw(2, 2, 3), draw(3, 2)),
            (draw(2, 2, 3), draw(2, 3, 2)),
            (draw(2, 1, 2, 3), draw(2, 3, 1)),
            (draw(0, 3), draw(3, 2)),
            (draw(2, 0), draw(0, 2)),
        ),
        np.matmul,
        (((np.array([[1.0, 2], [3, 4]]), np.array([[5.0, 6], [7, 8]])), np.array([[19.0, 22], [43, 50]])),),
        "matmul",
    ),
    Row(
        "dot", pr.dot, ((X, Y),), lambda x, y: np.sum(x * y), (((np.array([1.0, 2]), np.array([3.0, 4])), 11.0),), "sum"
    ),
    Row(
        "outer",
        pr.outer,
        ((ROW3, draw(2)),),
        np.outer,
        (((np.array([1.0, 2]), np.array([3.0, 4])), [[3.0, 4], [6, 8]]),),
    ),
    # Windows
    *(
        Row(
            name,
            lambda x, k, name=name, static=static: getattr(pr, name)(x, k, **static),
            ((draw(2, 4, 3, 4), draw(3, 2, 4 // static.get("groups", 1), 4)), (draw(0, 4, 3, 4), draw(3, 2, 2, 4))),
            lambda x, k, name=name, static=static: slid(x, k, name != "convolution", **static),
            primitive=primitive,
            label=str(static),
        )
        for name, primitive in (("convolution", "convolution"), ("transposed_convolution", "convolution_input"))
        for static in ({"groups": 2}, {"stride": (2, 1), "padding": ((1, 0), (2, 1)), "dilation": (1, 2), "groups": 2})
    ),
    Row(
        "",
        lambda x, g: pr.grad(lambda k: pr.dot(pr.convolution(x, k, 2, 1), g))(np.zeros((2, 2, 3, 2), x.dtype)),
        ((draw(2, 3, 4, 3), draw(2, 2, 3, 2)),),
        lambda x, g: np.einsum("bpqiyx,bpqo->yxio", patches(np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))), 2, 2), g),
        primitive="convolution_kernel",
    ),
    *(
        bound(
            name,
            primitive,
            label,
            lambda x, f=f, around=around, window=window, stride=stride, fill=fill: f(
                patches(np.pad(x, ((0, 0), *around, (0, 0)), constant_values=fill), window, stride), axis=(4, 5)
            ),
            (apart(2, 4, 5, 1),),
            window=window,
            stride=stride,
            padding=around,
        )
        for name, primitive, f, fill in (
            ("max_pool", "window_max", np.max, -np.inf),
            ("sum_pool", "window_sum", np.sum, 0),
            ("mean_pool", "window_sum", np.nanmean, np.nan),
        )
        for label, window, stride, around in (
            ("side by side", 2, 2, ((0, 0), (0, 0))),
            ("overlapping", 3, 2, ((1, 0), (2, 1))),
        )
    ),
    Row(
        "",
        lambda x, g: pr.grad(lambda x: pr.dot(pr.sum_pool(x, 2, 1), g))(x),
        ((draw(1, 3, 1), draw(1, 2, 1)),),
        lambda x, g: np.stack([g[:, 0], g[:, 0] + g[:, 1], g[:, 1]], 1),
        primitive="window_spread",
    ),
    Row(
        "",
        lambda g: pr.grad(lambda x: pr.dot(pr.max_pool(x, 3, 1), g))(TIED.astype(g.dtype)),
        ((draw(1, 2, 1),),),
        lambda g: np.array([0, g[0, 0, 0] + g[0, 1, 0] / 2, 0, g[0, 1, 0] / 2]).reshape(TIED.shape),
        primitive="window_max_spread",
    ),
    Row(
        "",
        lambda h: pr.grad(
            lambda g: pr.dot(pr.grad(lambda x: pr.dot(pr.max_pool(x, 3, 1), g))(TIED.astype(h.dtype)), h)
        )(np.zeros((1, 2, 1), h.dtype)),
        ((draw(1, 4, 1),),),
        lambda h: np.array([h[0, 1], (h[0, 1] + h[0, 3]) / 2]).reshape(1, 2, 1),
        primitive="window_max_mean",
    ),
    Row(
        "window_sum",
        lambda x: pr.window_sum(x, (1, 3), padding="same"),
        ((X,),),
        lambda x: np.stack([x[:, :2].sum(1), x.sum(1), x[:, 1:].sum(1)], 1),
        primitive="window_sum",
    ),
    # Positions
    *(
        bound(
            "take", "take", f"axis {a}", lambda x, i, a=a: np.take(x, i, a), (CUBE, np.array([[1, 0], [-1, 1]])), axis=a
        )
        for a in (0, 1, -1)
    ),
    bound(
        "scatter_add",
        "scatter_add",
        "",
        lambda x, i: scatter(x, i, 4),
        (X, np.array([2, 2])),
        (X, np.array([-1, 0])),
        (CUBE, np.array([[1, 0, 1], [3, -1, 1]])),
        length=4,
    ),
    Row(
        "scatter_add",
        lambda x, i: pr.scatter_add(x, i, 3, axis=1),
        ((X, np.array([2, 0, 2])),),
        lambda x, i: scatter(x.T, i, 3).T,
        primitive="scatter_add",
        label="axis 1",
    ),
    bound(
        "gather_sum",
        "gather_sum",
        "",
        lambda x, i, w: np.einsum("rp,rpu->ru", w, x[i]),
        (X, np.array([[0, -1, 1], [1, 1, 0]]), draw(2, 3)),
    ),
    Row(
        "take_along_last_axis",
        pr.take_along_last_axis,
        ((X, np.array([2, 0])), (CUBE, np.array([[1, 0, 1], [0, 0, 1]], np.uint8))),
        lambda x, i: np.take_along_axis(x, i[..., None], -1)[..., 0],
        primitive="take",
    ),
    Row(
        "one_hot",
        lambda i: pr.one_hot(i, 4),
        ((np.array([[0, 3], [1, 1]]),),),
        lambda i: np.eye(4)[i],
        smooth=False,
        special=(((np.array([4, -1]),), np.zeros((2, 4))),),
    ),
    # Random numbers
    Row(
        "random_bits",
        lambda k: pr.random_bits(k, (5,)),
        SEEDS,
        lambda k: bits_of(k, 5),
        primitive="random_bits",
        smooth=False,
    ),
    Row(
        "random_bits",
        lambda k: pr.random_bits(k, (2, 2), bits=8),
        SEEDS,
        lambda k: bits_of(k, 4, 8).reshape(2, 2),
        primitive="random_bits",
        smooth=False,
        label="8",
    ),
    Row(
        "fold_in",
        pr.fold_in,
        tuple((KEY, np.int32(n)) for n in (0, 1, 12345)),
        folded,
        primitive="fold_in",
        smooth=False,
    ),
    Row("uniform", lambda k: pr.uniform(k, (7,)), SEEDS, lambda k: uniform_of(k, 7), smooth=False),
    Row("normal", lambda k: pr.normal(k, (7,), np.float64), SEEDS, lambda k: normal_of(k, 7), smooth=False),
    Row("bernoulli", lambda k: pr.bernoulli(k, 0.25, (9,)), SEEDS, lambda k: uniform_of(k, 9) < 0.25, smooth=False),
    # What transformations are made of
    Row("", each_row, ((X, ROW3), (draw(1, 3), ROW3)), lambda x, w: np.sin(x) * w, primitive="map_rows"),
)

ROWS_AT_ONCE = 15  # in one XLA program: compiling each by itself would take most of the time

CASES = [pytest.param(row, args, id=f"{row.id} {n}") for row in ROWS for n, args in enumerate(row.samples)]
SMOOTH = [case for case in CASES if case.values[0].smooth]


def is_float(value: Any) -> bool:
    return spec_of(value).dtype.kind == "f"


def narrow(args: tuple) -> tuple:
    return tuple(np.asarray(arg, np.float32) if is_float(arg) else arg for arg in args)


def slopes(row: Row, *samples: tuple) -> Callable[..., Any]:
    """All samples at once: (float arguments, other arguments) -> the values of the row and its gradients.

    The gradients are of the sum of all results, weighted so that errors do not cancel.
    """
    layouts = [[is_float(arg) for arg in args] for args in samples]

    def weighted(floats: list, others: list) -> tuple:
        floats, others = iter(floats), iter(others)
        outs = [row.function(*(next(floats if each else others) for each in layout)) for layout in layouts]
        total = 0.0
        for out in outs:
            total += pr.sum(out * np.cos(np.arange(out.size) + 0.5).reshape(out.shape).astype(out.dtype))
        return total, outs

    return pr.value_and_grad(weighted, has_aux=True)


def parts(*samples: tuple) -> tuple[list, list]:
    leaves = [arg for args in samples for arg in args]
    return [arg for arg in leaves if is_float(arg)], [arg for arg in leaves if not is_float(arg)]


def everything(row: Row, samples: tuple) -> tuple[Callable[..., list], tuple]:
    """A function that gives the values of the row at all samples and its gradients, and the arguments for it."""
    if not row.smooth:
        return lambda samples: [row.function(*args) for args in samples], (samples,)

    def flat(*given: Any) -> list:
        (_, outs), gradients = slopes(row, *samples)(*given)
        return outs + gradients

    return flat, parts(*samples)


@pytest.mark.parametrize("row, args", CASES)
def test_spec_is_what_running_gives(row, args):
    for given in (args, narrow(args)):
        program = pr.trace(row.function)(*given)
        assert program.graph.outputs[0].spec == spec_of(row.function(*given)) == spec_of(call(program, given))
    if row.primitive:
        assert row.primitive in {node.primitive.name for node in program.graph.nodes}


@pytest.mark.parametrize("row, args", CASES)
def test_value_is_that_of_an_outside_source(row, args):
    assert_allclose(row.function(*args), row.outside(*args), rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("row", [row for row in ROWS if row.special], ids=lambda row: row.id)
def test_special_points(row):
    for args, expected in row.special:
        assert_allclose(row.function(*args), expected, rtol=1e-14, atol=1e-16)


@pytest.mark.parametrize("row, args", SMOOTH)
def test_first_derivative_is_that_of_central_differences(row, args):
    check = pr.check_gradients(row.function, *args)
    assert check.worst_error <= 1e-7, str(check)


@pytest.mark.parametrize("row, args", SMOOTH)
def test_second_derivative_is_that_of_central_differences(row, args):
    floats, others = parts(args)
    check = pr.check_gradients(lambda floats: slopes(row, args)(floats, others)[1], floats)
    assert check.worst_error <= 1e-7, str(check)


@pytest.mark.parametrize("first", range(0, len(ROWS), ROWS_AT_ONCE), ids=lambda first: f"from {ROWS[first].id}")
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("engine", ["native", "xla"])
def test_engines_agree(dtype, first, engine):
    rows = ROWS[first : first + ROWS_AT_ONCE]
    if dtype is np.float32:  # rows without floats would be run twice
        rows = [row for row in rows if any(is_float(arg) for args in row.samples for arg in args)]
    work = [everything(row, row.samples if dtype is np.float64 else tuple(map(narrow, row.samples))) for row in rows]
    program = lambda given: [function(*args) for (function, _), args in zip(work, given, strict=True)]
    reference, found = (pr.jit(program, engine=name)([args for _, args in work]) for name in ("reference", engine))
    for row, ones, others in zip(rows, reference, found, strict=True):
        for one, other in zip(ones, others, strict=True):
            assert one.dtype == other.dtype, row.id
            if one.dtype.kind == "f":
                tolerance = 1e-12 if one.dtype == np.float64 else row.float32
                scale = np.max(np.abs(one), initial=0)
                assert_allclose(one, other, rtol=tolerance, atol=tolerance * scale, err_msg=row.id)
            else:
                assert_array_equal(one, other, err_msg=row.id)


@pytest.mark.parametrize("row", [row for row in ROWS if row.smooth], ids=lambda row: row.id)
def test_float32_stays_float32(row):
    for given in map(narrow, row.samples):
        if any(map(is_float, given)):
            (_, outs), gradients = slopes(row, given)(*parts(given))
            assert {each.dtype for each in (*outs, *gradients)} == {np.dtype(np.float32)}


def test_every_primitive_has_a_row():
    modules = [import_module(f"preceptor.ops.{found.name}") for found in iter_modules(ops.__path__)]
    primitives = {
        value.name
        for module in (*modules, autodiff_rows)
        for value in vars(module).values()
        if isinstance(value, Primitive)
    }
    assert primitives - {row.primitive for row in ROWS} == set()


def test_every_public_function_has_a_row():
    functions = {name for name in ops.__all__ if not isinstance(getattr(ops, name), type)}
    assert (
        functions - {row.name for row in ROWS} - {"key"} == set()
    )  # key makes no array program: tests/ops/test_random
