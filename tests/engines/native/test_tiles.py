"""Tile programs beside NumPy: every operation, geometry, access, type and reduction, on every instruction set here."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

_native = pytest.importorskip("preceptor.engines.native._native", reason="installed without the native engine")

RNG = np.random.default_rng(0)
SPECIAL = np.array(
    [0, -0.0, 1, -1, np.inf, -np.inf, np.nan, 1e-45, -1e-38, 3.4e38, -3.4e38, 88.8, -104.2, 0.5, 2, 3], "f4"
)
GEOMETRIES = [
    (1, 1, 1, 1),
    (1, 37, 1, 37),
    (1, 5000, 1, 512),
    (7, 5, 3, 5),
    (33, 16, 8, 16),
    (6, 100, 1, 32),
    (9, 40, 1, 40),
    (100, 24, 40, 24),
]


FULL, ROW, POOL, ONE = range(4)
PLAIN, COLUMN_VECTOR, ROW_VECTOR = range(3)
TYPES = {"f32": 0, "i32": 1, "u32": 2, "boolean": 3, "bf16": 4, "u8": 5, "i8": 6, "i16": 7, "u16": 8}
DTYPES = {
    "f32": "float32", "i32": "int32", "u32": "uint32", "boolean": "bool", "bf16": "uint16",
    "u8": "uint8", "i8": "int8", "i16": "int16", "u16": "uint16",
}  # fmt: skip


class Tiles:
    """Writes the words of a tile program and runs it. Slots are numbers; each array is a segment of its own.

    A geometry is (N, C, R, Cc) and, with pooling, (KH, KW, W) after it.
    """

    def __init__(self, *geometries):
        self.geometries = [(*each, 0, 0, 0)[:7] for each in geometries]
        self.slots, self.operations, self.reductions = [], [], []
        self.memory, self.results = [], []  # per slot or reduction, per instance
        self.arrays = []

    def _keep(self, array):
        self.arrays.append(np.array(array, order="C"))
        return len(self.arrays) << 48

    def source(self, *arrays, level=FULL, type="f32", access=PLAIN, div=1, mod=0, stride=None):
        """A slot in memory with an array for each instance."""
        self.slots.append((1, level, TYPES[type], access))
        places = []
        for array, geometry in zip(arrays, self.geometries, strict=True):
            default = {FULL: 0 if access == COLUMN_VECTOR else geometry[1], ROW: 1}.get(level, 0)
            default = 1 if access == ROW_VECTOR else default
            places.append((self._keep(array), div, mod, default if stride is None else stride))
        self.memory.append(places)
        return len(self.slots) - 1

    def target(self, level=FULL, type="f32", **words):
        """A slot in memory to be written; shape by level."""
        blanks = [np.zeros(self._shape(level, each), DTYPES[type]) for each in self.geometries]
        return self.source(*blanks, level=level, type=type, **words)

    def over(self, slot, type="f32", level=FULL):
        """A slot at the very place of another: to write in place."""
        self.slots.append((1, level, TYPES[type], PLAIN))
        self.memory.append(self.memory[self._memory_index(slot)])
        return len(self.slots) - 1

    def _memory_index(self, slot):
        return sum(each[0] for each in self.slots[:slot])

    @staticmethod
    def _shape(level, geometry):
        n, c, _, _, kh, kw, _ = geometry
        return {FULL: (n, c), ROW: (n,), POOL: (n // max(kh * kw, 1), c), ONE: ()}[level]

    def apply(self, name, *operands, to=None, level=FULL, result=None, number=0.0):
        """Adds an operation; returns its destination: `to`, or a new slot in scratch."""
        if to is None:
            self.slots.append((0, level if result is None else result, 0, 0))
            to = len(self.slots) - 1
        immediate = np.float32(number).view(np.int32) if isinstance(number, float) else number
        a, b, c = (*operands, -1, -1, -1)[:3]
        self.operations.append((_native.OPS[name], level, to, a, b, c, int(immediate)))
        return to

    def reduce(self, slot, combine="sum", over_all=False):
        self.reductions.append((slot, ("sum", "max").index(combine), int(over_all)))
        self.results.append([self._keep(np.zeros(1 if over_all else each[1], "f4")) for each in self.geometries])
        return len(self.reductions) - 1

    def words(self):
        words = [len(self.slots), *(word for each in self.slots for word in each)]
        words += [len(self.operations), *(word for each in self.operations for word in each)]
        words += [len(self.reductions), *(word for each in self.reductions for word in each), len(self.geometries)]
        for i, geometry in enumerate(self.geometries):
            words += [*geometry, *(word for each in self.memory for word in each[i])]
            words += [each[i] for each in self.results]
        return words

    def run(self, threads=1, steps=1):
        plan = _native.Plan(0, 1 + len(self.arrays), threads)
        plan.add("tiles", self.words())
        assert plan.run([each.ctypes.data for each in self.arrays], [0] * len(self.arrays), steps) == steps
        return self

    def array(self, slot, instance=0):
        return self.arrays[(self.memory[self._memory_index(slot)][instance][0] >> 48) - 1]

    def result(self, reduction, instance=0):
        return self.arrays[(self.results[reduction][instance] >> 48) - 1]


@pytest.fixture(params=["sse42", "avx2", "avx512"], autouse=True)
def instruction_set(request):
    """The narrower ones stand for machines that have no more; the widest is whatever this machine has."""
    before = _native.isa()
    _native.limit_isa(request.param)
    yield
    _native.limit_isa(before)


def normal(*shape):
    return RNG.normal(size=shape).astype("f4")


def units_off(ours, exact):
    """Distance in units of the last place of a float32, which below the normal numbers stays 2^-149."""
    with np.errstate(invalid="ignore", over="ignore"):
        exact = np.where(np.abs(exact) >= 2.0**128 * (1 - 2.0**-25), np.copysign(np.inf, exact), exact)
        same = (ours == exact) | (np.isnan(ours) & np.isnan(exact))
        unit = np.exp2(np.maximum(np.floor(np.log2(np.maximum(np.abs(exact), 2.0**-126))), -126) - 23)
        return np.where(same, 0, np.abs(ours - exact) / unit)


erf = np.vectorize(math.erf, otypes=[float])
sigmoid = lambda x: np.where(x >= 0, 1 / (1 + np.exp(-np.abs(x))), np.exp(-np.abs(x)) / (1 + np.exp(-np.abs(x))))

# Largest error in units of the last place over all floats, as measured, and rounded up.
FUNCTIONS = {
    "exp": (np.exp, 1.5), "log": (np.log, 1.5), "log1p": (np.log1p, 2), "expm1": (np.expm1, 2), "sqrt": (np.sqrt, 0.51),
    "tanh": (np.tanh, 3), "sigmoid": (sigmoid, 3), "softplus": (lambda x: np.logaddexp(x, 0), 3), "erf": (erf, 2),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_right_to_the_last_places(name):
    function, units = FUNCTIONS[name]
    x = np.concatenate([
        RNG.integers(-(2**31), 2**31, 20000).astype("i4").view("f4"), normal(20000) * 5, normal(5000) * 60, SPECIAL
    ])  # fmt: skip
    t = Tiles((1, x.size, 1, 512))
    out = t.target()
    t.apply(name, t.source(x), to=out)
    with np.errstate(all="ignore"):
        off = units_off(t.run().array(out)[0].astype(float), function(x.astype(float)))
    worst = np.argmax(off)
    assert off[worst] <= units, (x[worst], off[worst])


@pytest.mark.parametrize("name", ["sin", "cos"])
def test_angles(name):
    x = np.concatenate(
        [normal(20000) * 10, RNG.uniform(-1e4, 1e4, 20000), [1e6, 2e7, -3e38, np.inf, np.nan, -0.0]]
    ).astype("f4")
    t = Tiles((1, x.size, 1, 512))
    out = t.target()
    t.apply(name, t.source(x), to=out)
    with np.errstate(invalid="ignore"):
        assert units_off(t.run().array(out)[0].astype(float), getattr(np, name)(x.astype(float))).max() <= 2.1


def test_power():
    with np.errstate(over="ignore"):  # of a draw beyond 4.4 deviations
        wide = np.exp(normal(20000) * 20)
    x = np.concatenate([wide, np.abs(normal(20000)) + 0.5, np.repeat(SPECIAL, SPECIAL.size)]).astype("f4")
    y = np.concatenate([normal(40000) * 5, np.tile(SPECIAL, SPECIAL.size)]).astype("f4")
    t = Tiles((1, x.size, 1, 512))
    out = t.target()
    t.apply("power", t.source(x), t.source(y), to=out)
    with np.errstate(all="ignore"):
        assert units_off(t.run().array(out)[0].astype(float), np.power(x.astype(float), y.astype(float))).max() <= 0.6


BINARY = {
    "add": np.add, "subtract": np.subtract, "multiply": np.multiply, "divide": np.divide, "maximum": np.maximum,
    "minimum": np.minimum, "equal": np.equal, "less": np.less, "less_equal": np.less_equal,
    "and": lambda a, b: (a != 0) & (b != 0), "or": lambda a, b: (a != 0) | (b != 0),
    "relu_mask": lambda a, b: np.where(a <= 0, 0, b),
}  # fmt: skip
UNARY = {
    "negative": np.negative, "abs": np.abs, "sign": np.sign, "threshold": lambda a: np.heaviside(a, np.float32(1)),
    "not": lambda a: a == 0, "relu": lambda a: np.maximum(a, 0), "square": np.square, "copy": np.copy,
    "float_to_bool": lambda a: a != 0,
}  # fmt: skip


def rounded_once(product, c):
    """Their sum as float32: in float64 it is rounded to odd first, so that the second rounding is the only one.

    Source: Boldo and Melquiond 2008; what the first rounding leaves is Knuth's two-sum.
    """
    total = product + c
    other = total - product
    left = (product - (total - other)) + (c - other)
    is_even = (total.view(np.int64) & 1) == 0
    away = np.isfinite(total) & is_even & (left != 0)
    return np.float32(np.where(away, np.nextafter(total, np.copysign(np.inf, left)), total))


@pytest.mark.parametrize("name", [*BINARY, *UNARY, "where", "multiply_add"])
def test_operations(name):
    """In all ways that operands may be single numbers, from memory and scratch, of lengths around whole vectors."""
    operands = 1 if name in UNARY else 3 if name in ("where", "multiply_add") else 2
    functions = {**BINARY, **UNARY, "where": lambda a, b, c: np.where(a != 0, b, c), "multiply_add": None}
    for count in (1, 5, 16, 37, 256):
        for singles in np.ndindex((2,) * operands):
            arrays = [RNG.choice(np.concatenate([SPECIAL, normal(40)]), 1 if each else count) for each in singles]
            t = Tiles((1, count, 1, count))
            places = [t.source(x, level=ONE if one else FULL) for x, one in zip(arrays, singles, strict=True)]
            direct, copied = t.target(), t.target()
            t.apply(name, *places, to=direct)
            scratch = [t.apply("copy", p, level=ONE if one else FULL) for p, one in zip(places, singles, strict=True)]
            t.apply("copy", t.apply(name, *scratch), to=copied)
            t.run()
            with np.errstate(all="ignore"):
                if name == "multiply_add":  # with one rounding where the processor has it
                    a, b, c = np.broadcast_arrays(*arrays, np.empty(count))[:3]
                    expected = a * b + c
                    fused = rounded_once(a.astype(float) * b.astype(float), c.astype(float))
                    found = t.array(direct)[0]
                    assert np.all((found == expected) | (found == fused) | (np.isnan(found) & np.isnan(expected)))
                else:
                    expected = np.broadcast_to(functions[name](*arrays).astype("f4"), count)
                    assert_array_equal(t.array(direct)[0], expected)
            assert_array_equal(t.array(copied), t.array(direct))


INTEGERS = np.array([0, 1, -1, 2, -7, 2**31 - 1, -(2**31), 12345, -99999], "i4")
INTEGER = {
    "add_i": np.add, "subtract_i": np.subtract, "multiply_i": np.multiply, "maximum_i": np.maximum, "equal_i": np.equal,
    "less_i": np.less, "less_equal_i": np.less_equal, "less_u": lambda a, b: a.view("u4") < b.view("u4"),
    "negative_i": np.negative, "abs_i": np.abs, "sign_i": np.sign, "int_to_bool": lambda a: a != 0,
    "int_to_float": lambda a: a.astype("f4"), "uint_to_float": lambda a: a.view("u4").astype("f4"),
}  # fmt: skip


@pytest.mark.parametrize("name", [*INTEGER, "where_i"])
def test_integers(name):
    a, b = np.repeat(INTEGERS, INTEGERS.size), np.tile(INTEGERS, INTEGERS.size)
    unary = name.startswith(("negative", "abs", "sign", "int_", "uint"))
    floats = (unary and not name.endswith("_i")) or name in ("equal_i", "less_i", "less_equal_i", "less_u")
    t = Tiles((1, a.size, 1, 32))
    out = t.target(type="f32" if floats else "i32")
    x, y = t.source(a, type="i32"), t.source(b, type="i32")
    condition = (np.arange(a.size) % 3 == 0).astype("f4")
    operands = [t.source(condition), x, y] if name == "where_i" else [x] if unary else [x, y]
    t.apply(name, *operands, to=out)
    if name == "where_i":
        expected = np.where(condition != 0, a, b)
    else:
        expected = INTEGER[name](a) if unary else INTEGER[name](a, b)
    assert_array_equal(t.run().array(out)[0], expected.astype("f4" if floats else "i4"))


def test_numbers_in_the_words():
    x = np.array([0.3, -2.5, 7.9, -1e9, 2, 0], "f4")
    t = Tiles((2, 3, 2, 3))
    a = t.source(x)
    outs = {}
    with np.errstate(divide="ignore"):
        inverse = 1 / (x * x)
    for name, number, expected in [
        ("scale", 0.1, x * np.float32(0.1)), ("shift", 3.0, x + 3), ("integer_power", 3.0, x * (x * x)),
        ("integer_power", -2.0, inverse), ("integer_power", 0.0, x * 0 + 1), ("constant", 2.5, x * 0 + np.float32(2.5)),
        ("clip", 2.0, np.clip(x, 0, 2)),
    ]:  # fmt: skip
        out = t.target()
        t.apply(name, *([] if name == "constant" else [a]), to=out, number=number)
        outs[out] = expected
    for name, operands, number, expected in [
        ("constant_i", [], 7, [7] * 6), ("column_index_i", [], 0, [0, 1, 2] * 2), ("float_to_int", [a], 0, np.trunc(x))
    ]:  # fmt: skip
        out = t.target(type="i32")
        t.apply(name, *operands, to=out, number=number)
        outs[out] = np.array(expected, "i4")
    t.run()
    for out, expected in outs.items():
        assert_array_equal(t.array(out).ravel(), expected)


@pytest.mark.parametrize("type", DTYPES)
def test_types_in_memory(type):
    """Read, computed on by one, written: contiguous, in rows that lie apart, and as a number for each row."""
    for geometry in GEOMETRIES:
        n, c = geometry[:2]
        if type == "bf16":
            values = (normal(n, c + 3).view("u4") >> 16).astype("u2")
        else:
            values = RNG.integers(0, 2 if type == "boolean" else 100, (n, c + 3)).astype(DTYPES[type])
        t = Tiles(geometry)
        outs = t.target(type=type), t.source(np.zeros_like(values), type=type, stride=c + 3)
        rows, number = t.target(type=type, level=ROW), t.target(type=type, level=ONE)
        t.apply("copy", t.source(values[:, :c], type=type), to=outs[0])
        t.apply("copy", t.source(values, type=type, stride=c + 3), to=outs[1])
        t.apply("copy", t.source(values[:, 0], type=type, level=ROW), to=rows, level=ROW)
        t.apply("copy", t.source(values[0, :1], type=type, level=ONE), to=number, level=ONE)
        t.run()
        assert_array_equal(t.array(outs[0]), values[:, :c])
        assert_array_equal(t.array(outs[1])[:, :c], values[:, :c])
        assert not t.array(outs[1])[:, c:].any()
        assert_array_equal(t.array(rows), values[:, 0])
        assert t.array(number) == values[0, 0]


def test_bf16_is_rounded_to_nearest_even():
    x = np.array([1, 1.00390625, 1.01171875, np.nan, np.inf, 3.4e38, -1.0039064, 1e-40], "f4")
    x[3:4].view("u4")[:] = 0x7F800001  # its payload would vanish
    t = Tiles((1, 8, 1, 8))
    out, rounded = t.target(type="bf16"), t.target()
    a = t.source(x)
    t.apply("copy", a, to=out)
    t.apply("round_bf16", a, to=rounded)
    got = t.run().array(out).astype("u4") << 16
    assert_array_equal(t.array(rounded)[0], got.view("f4")[0])
    assert_array_equal(got.view("f4")[0, :7], np.array([1, 1, 1.015625, np.nan, np.inf, np.inf, -1.0078125], "f4"))


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_accesses(geometry):
    """A sum of operands, each of which reaches memory in a way of its own."""
    n, c = geometry[:2]
    plain, wide, few, columns = normal(n, c), normal(n, c + 5), normal(3, c), normal(c)
    rows, number, apart = normal(n), normal(), normal(2, n)
    t = Tiles(geometry)
    out = t.target()
    total = t.source(plain)
    row, index = np.arange(n), lambda div, mod: np.arange(n) // div % mod
    for operand in [
        t.source(wide, stride=c + 5), t.source(few, div=2, mod=3), t.source(columns, access=COLUMN_VECTOR),
        t.source(rows, access=ROW_VECTOR), t.source(rows, level=ROW), t.source(number, level=ONE),
        t.source(apart, access=ROW_VECTOR, div=2, mod=3, stride=1), t.source(apart, level=ROW, div=1, mod=2, stride=n),
    ]:  # fmt: skip
        total = t.apply("add", total, operand)
    t.apply("copy", total, to=out)
    expected = plain.astype(float) + wide[:, :c] + few[index(2, 3)] + columns + 2 * rows[row, None] + number
    expected += apart.ravel()[index(2, 3), None] + apart[index(1, 2), 0][:, None]
    assert_allclose(t.run().array(out), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_what_is_the_same_for_all_rows(geometry):
    """Chains on column vectors alone, which are computed once, then used by kernels of all kinds."""
    n, c, _, width = geometry
    x, columns = normal(n, c), normal(c)
    t = Tiles(geometry)
    out, bare = t.target(), t.target()
    vector = t.source(columns, access=COLUMN_VECTOR)
    chain = t.apply("add", t.apply("exp", vector), t.apply("int_to_float", t.apply("column_index_i")))
    t.apply(
        "where",
        t.apply("less", t.source(x), vector),
        chain,
        t.apply("multiply_add", t.source(x), chain, vector),
        to=out,
    )
    t.apply("tanh", chain, to=bare)
    sums = t.reduce(chain), t.reduce(t.apply("multiply", chain, vector), over_all=True)
    rows = t.apply("row_sum", chain, to=t.target(ROW)) if width == c else None
    t.run()
    expected = np.exp(columns) + np.arange(c, dtype="f4")
    assert_allclose(t.array(out), np.where(x < columns, expected, x * expected + columns), rtol=1e-5, atol=1e-4)
    assert_allclose(t.array(bare), np.broadcast_to(np.tanh(expected), (n, c)), rtol=1e-6)
    assert_allclose(t.result(sums[0]), n * expected, rtol=1e-5)
    assert_allclose(t.result(sums[1])[0], n * np.sum(expected * columns, dtype=float), rtol=1e-4, atol=n * c * 1e-5)
    if rows is not None:
        assert_allclose(t.array(rows), np.full(n, expected.sum()), rtol=1e-5)


def test_pairs_of_steps_in_one_kernel():
    """Adam's update, with one reader of each value, and with values read twice: then nothing may be left out."""
    n = 1000
    g, m, v, w = normal(n), normal(n), np.abs(normal(n)), normal(n)
    for read_twice in (False, True):
        t = Tiles((1, n, 1, 256))
        number = lambda x, t=t: t.source(np.float32(x), level=ONE)
        slope, first, second, weight = (t.source(x) for x in (g, m, v, w))
        scaled = t.apply("multiply", slope, number(0.1))
        t.apply("multiply_add", first, number(0.9), scaled, to=t.over(first))
        squared = t.apply("multiply", t.apply("square", slope), number(0.01))
        t.apply("multiply_add", number(0.99), second, squared, to=t.over(second))
        root = t.apply("multiply_add", t.apply("sqrt", second), number(2), number(1e-3))
        ratio = t.apply("divide", t.apply("multiply", first, number(3)), root)
        t.apply("multiply_add", ratio, number(-0.5), weight, to=t.over(weight))
        others = [t.target() for _ in range(4)] if read_twice else []
        for slot, other in zip((scaled, squared, root, ratio), others, strict=False):
            t.apply("copy", slot, to=other)
        t.run()
        m1, v1 = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g * g
        update = 3 * m1 / (2 * np.sqrt(v1) + 1e-3)
        for slot, expected in ((first, m1), (second, v1), (weight, w - 0.5 * update)):
            assert_allclose(t.array(slot), expected, rtol=1e-5, atol=1e-5)
        for slot, expected in zip(others, (0.1 * g, 0.01 * g * g, 2 * np.sqrt(v1) + 1e-3, update), strict=False):
            assert_allclose(t.array(slot)[0], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_rows(geometry):
    n, c, _, width = geometry
    if width < c:
        pytest.skip("rows that are reduced are whole")
    x = normal(n, c)
    x[n // 2, c // 2] = np.nan
    x[0, [0, c - 1]] = 9
    t = Tiles(geometry)
    total, largest, place, shifted = t.target(ROW), t.target(ROW), t.target(ROW, "i32"), t.target()
    a = t.source(x)
    t.apply("row_sum", a, to=total)
    t.apply("row_argmax_i", a, to=place)
    top = t.apply("row_max", a, result=ROW)
    t.apply("copy", top, to=largest, level=ROW)
    t.apply("subtract", a, t.apply("negative", top, level=ROW), to=shifted)
    t.run()
    assert_allclose(t.array(total), x.sum(1), rtol=1e-5, atol=1e-5)
    assert_array_equal(t.array(largest), x.max(1))
    assert_array_equal(t.array(place), x.argmax(1))
    assert_array_equal(t.array(shifted), x + x.max(1, keepdims=True))


@pytest.mark.parametrize(
    "geometry", [*GEOMETRIES, (5000, 24, 20, 24), (5000, 32, 8, 32), (700, 600, 1, 256), (0, 5, 2, 5), (3, 0, 3, 0)]
)
def test_reductions(geometry):
    n, c = geometry[:2]
    x = normal(n, c)
    results = []
    for threads in (1, 2):
        t = Tiles(geometry)
        a = t.source(x)
        sums = [
            t.reduce(t.apply("square", a)),
            t.reduce(a),
            t.reduce(a, "max"),
            t.reduce(a, over_all=True),
            t.reduce(a, "max", True),
        ]
        t.run(threads)
        results.append([t.result(each).copy() for each in sums])
    double = x.astype(float)
    assert_allclose(results[0][0], (double**2).sum(0), rtol=1e-5)
    assert_allclose(results[0][1], double.sum(0), rtol=1e-5, atol=1e-5 * np.sqrt(n))
    assert_array_equal(results[0][2], x.max(0, initial=-np.inf))
    assert_allclose(results[0][3][0], double.sum(), rtol=1e-5, atol=1e-5 * np.sqrt(x.size))
    assert_array_equal(results[0][4][0], x.max(initial=-np.inf))
    for one, two in zip(*results, strict=True):
        assert_array_equal(one, two)


@pytest.mark.parametrize(
    "geometry",
    [
        (4 * 6, 3, 12, 3, 2, 2, 6),
        (8 * 8, 32, 16, 32, 2, 2, 8),
        (9 * 6, 5, 18, 5, 3, 2, 6),
        (5 * 12, 8, 24, 8, 1, 3, 12),
    ],
)
def test_pooling(geometry):
    n, c, _, _, kh, kw, w = geometry
    x = RNG.integers(-3, 4, (n, c)).astype("f4")
    x[0, 0] = np.nan
    g = normal(n // (kh * kw), c)
    t = Tiles(geometry)
    largest, total, mean = (t.target(POOL) for _ in range(3))
    spread, shares = t.target(), t.target()
    a, b = t.source(x), t.source(g, level=POOL)
    top = t.apply("pool_max", a, result=POOL)
    t.apply("copy", top, to=largest, level=POOL)
    t.apply("pool_sum", a, to=total)
    t.apply("pool_spread", b, to=spread)
    t.apply("pool_max_spread", b, a, top, to=shares)
    h = normal(n, c)
    t.apply("pool_max_mean", t.source(h), a, top, to=mean)
    whole = t.reduce(b, over_all=True)
    t.run()
    windows = x.reshape(-1, kh, w // kw, kw, c)
    each = g.reshape(-1, 1, w // kw, 1, c)
    expected = windows.max((1, 3), keepdims=True)
    assert_array_equal(t.array(largest), expected.reshape(-1, c))
    assert_allclose(t.array(total), windows.sum((1, 3)).reshape(-1, c), rtol=1e-6)
    assert_array_equal(t.array(spread), np.broadcast_to(each, windows.shape).reshape(n, c))
    wins = windows == expected
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = np.where(wins, each / wins.sum((1, 3), keepdims=True), 0).reshape(n, c)
        means = np.where(wins, h.reshape(windows.shape), 0).sum((1, 3)) / wins.sum((1, 3))
    assert_allclose(t.array(shares), expected, rtol=1e-6)
    assert_allclose(t.array(mean), means.reshape(-1, c), rtol=1e-5, atol=1e-6)
    assert_allclose(t.result(whole), g.sum(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kept", [False, True], ids=["read once", "kept"])
@pytest.mark.parametrize(
    "geometry", [(6 * 64, 16, 32, 16, 2, 2, 8), (4 * 6, 5, 12, 5, 2, 2, 6), (9 * 6, 32, 18, 32, 3, 2, 6)]
)
def test_normalisation_and_its_gradient(geometry, kept):
    """Normalise, pool, rectify; the sums and the gradient of that. Kept: what lies between is read once more, and must
    then be computed on its own."""
    n, c, _, _, kh, kw, w = geometry
    x, g = normal(n, c), normal(n // (kh * kw), c)
    mean, scale, shift, k0, k1, k2 = (normal(c) for _ in range(6))
    t = Tiles(geometry)
    a, slope = t.source(x), t.source(g, level=POOL)
    m, s, b, *factors = (t.source(v, access=COLUMN_VECTOR) for v in (mean, scale, shift, k0, k1, k2))
    pooled, mean_of, gradient = t.target(POOL), t.target(POOL), t.target()
    others = [t.target() for _ in range(3 * kept)]
    difference = t.apply("subtract", a, m)
    norm = t.apply("multiply_add", difference, s, b)
    top = t.apply("pool_max", norm, result=POOL)
    t.apply("relu", top, to=pooled, level=POOL)
    t.apply("pool_max_mean", a, norm, top, to=mean_of)
    spread = t.apply("pool_max_spread", slope, norm, top)
    of_spread = t.apply("multiply", spread, factors[0])
    t.apply("add", factors[2], t.apply("multiply_add", difference, factors[1], of_spread), to=gradient)
    for slot, other in zip((difference, norm, spread), others, strict=False):
        t.apply("copy", slot, to=other)
    sums = [spread, t.apply("multiply", difference, spread), a, t.apply("multiply", difference, difference)]
    sums = [t.reduce(each) for each in sums]
    t.run()

    d = x.astype(float) - mean
    z = d * scale + shift
    windows = z.reshape(-1, kh, w // kw, kw, c)
    largest = windows.max((1, 3), keepdims=True)
    wins = windows == largest
    expected = np.where(wins, x.reshape(windows.shape), 0).sum((1, 3)) / wins.sum((1, 3))
    assert_allclose(t.array(mean_of), expected.reshape(-1, c), rtol=1e-6)
    dz = np.where(wins, g.reshape(-1, 1, w // kw, 1, c), 0).reshape(n, c)
    assert_allclose(t.array(pooled), np.maximum(largest, 0).reshape(-1, c), rtol=1e-5, atol=1e-6)
    assert_allclose(t.array(gradient), dz * k0 + d * k1 + k2, rtol=1e-4, atol=1e-5)
    for slot, expected in zip(others, (d, z, dz), strict=False):
        assert_allclose(t.array(slot), expected, rtol=1e-5, atol=1e-5)
    for number, terms in zip(sums, (dz, dz * d, x, d * d), strict=True):
        assert_allclose(t.result(number), terms.sum(0), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "geometry", [(67, 16, 16, 16), (31, 48, 7, 48), (9, 20, 4, 20), (12, 320, 2, 320), (5, 300, 1, 256)]
)
@pytest.mark.parametrize("kept", [False, True], ids=["read once", "kept"])
@pytest.mark.parametrize("isa", ["sse42", "avx2", "avx512"])
def test_normalisation_with_a_limit_and_its_gradient(geometry, kept, isa, limited):
    """clip(norm), and of its gradient the sums and what norms make of it; kept as above."""
    limited(isa)
    n, c, _, _ = geometry
    x, g, limit = normal(n, c), normal(n, c), 1.25
    mean, scale, shift, k0, k1, k2 = (normal(c) for _ in range(6))
    t = Tiles(geometry)
    a, slope = t.source(x), t.source(g)
    m, s, b, *factors = (t.source(v, access=COLUMN_VECTOR) for v in (mean, scale, shift, k0, k1, k2))
    forward, gradient, others = t.target(), t.target(), [t.target() for _ in range(2 * kept)]
    difference = t.apply("subtract", a, m)
    norm = t.apply("multiply_add", difference, s, b)
    t.apply("clip", norm, to=forward, number=limit)
    masked = t.apply("clip_mask", norm, slope, number=limit)
    of_masked = t.apply("multiply", masked, factors[0])
    t.apply("add", factors[2], t.apply("multiply_add", difference, factors[1], of_masked), to=gradient)
    for slot, other in zip((norm, masked), others, strict=False):
        t.apply("copy", slot, to=other)
    sums = [t.reduce(each) for each in (masked, t.apply("multiply", difference, masked))]
    t.run()

    d = x.astype(float) - mean
    z = d * scale + shift
    dz = np.where((z > 0) & (z < limit), g, 0)
    assert_allclose(t.array(forward), np.clip(z, 0, limit), rtol=1e-5, atol=1e-6)
    assert_allclose(t.array(gradient), dz * k0 + d * k1 + k2, rtol=1e-4, atol=1e-5)
    for slot, expected in zip(others, (z, dz), strict=False):
        assert_allclose(t.array(slot), expected, rtol=1e-5, atol=1e-5)
    for number, terms in zip(sums, (dz, dz * d), strict=True):
        assert_allclose(t.result(number), terms.sum(0), rtol=1e-4, atol=1e-4)


def test_instances_in_place_and_numbers_for_all():
    """Momentum over tensors of several sizes in one instruction; a counter is counted once a step."""
    geometries = [(1, 3, 1, 3), (1, 100000, 1, 512), (1, 20, 1, 20), (1, 700, 1, 512)]
    weights, speeds, slopes = ([normal(each[1]) for each in geometries] for _ in range(3))
    finals = []
    for threads in (1, 2):
        t = Tiles(*geometries)
        g, v, w = t.source(*slopes), t.source(*speeds), t.source(*weights)
        step = t.source(*(np.float32(3) for _ in geometries), level=ONE)
        v_out, w_out, step_out = t.over(v), t.over(w), t.over(step, level=ONE)
        rate = t.apply("divide", t.apply("constant", level=ONE, number=1.0), step, level=ONE)
        t.apply("shift", step, to=step_out, level=ONE, number=1.0)
        t.apply("multiply_add", v, t.apply("constant", level=ONE, number=0.5), g, to=v_out)
        t.apply("subtract", w, t.apply("multiply", v_out, rate), to=w_out)
        t.run(threads, steps=2)
        assert [float(t.array(step, i)) for i in range(4)] == [5] * 4
        finals.append([t.array(s, i).copy() for s in (v, w) for i in range(4)])
    for one, two in zip(*finals, strict=True):
        assert_array_equal(one, two)
    for i in range(4):
        v = [speeds[i]]
        for _ in range(2):
            v.append(v[-1] * np.float32(0.5) + slopes[i])
        assert_allclose(finals[0][i], v[2], rtol=1e-6, atol=1e-6)
        assert_allclose(finals[0][4 + i], weights[i] - v[1] / 3 - v[2] / 4, rtol=1e-5, atol=1e-5)


def test_softmax_with_a_reduction():
    x, target = normal(70, 10), RNG.integers(0, 10, 70).astype("u1")
    t = Tiles((70, 10, 32, 10))
    grads = t.target()
    a, label = t.source(x), t.source(target, access=ROW_VECTOR, type="u8")
    shifted = t.apply("subtract", a, t.apply("row_max", a, result=ROW))
    powers = t.apply("exp", shifted)
    total = t.apply("row_sum", powers, result=ROW)
    hit = t.apply("equal_i", t.apply("column_index_i"), label)
    t.apply("subtract", t.apply("divide", powers, total), hit, to=grads)
    picked = t.apply("row_sum", t.apply("multiply", hit, shifted), result=ROW)
    loss = t.reduce(t.apply("subtract", t.apply("log", total, level=ROW), picked, level=ROW), over_all=True)
    t.run()
    shares = np.exp(x.astype(float)) / np.exp(x.astype(float)).sum(1, keepdims=True)
    assert_allclose(t.result(loss)[0], -np.log(shares[np.arange(70), target]).sum(), rtol=1e-5)
    assert_allclose(t.array(grads), shares - np.eye(10)[target], rtol=1e-4, atol=1e-6)


def test_what_is_refused():
    t = Tiles((4, 4, 2, 4))
    t.apply("add", t.source(normal(4, 4)), to=t.target())
    with pytest.raises(ValueError, match="tiles: an operation misses an operand"):
        t.run()
    t = Tiles((4, 8, 1, 4))
    t.apply("row_sum", t.source(normal(4, 8)), to=t.target(ROW))
    with pytest.raises(ValueError, match="tiles: rows that are reduced must be whole"):
        t.run()
    with pytest.raises(ValueError, match="too few words"):
        _native.Plan(0, 1, 1).add("tiles", [1, 0])
