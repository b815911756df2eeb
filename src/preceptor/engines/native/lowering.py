"""One node, one instruction: products, convolutions, movement, random bits; and NumPy for what has no kernel."""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np

from preceptor.engines.native.ending import Ending, ending, numbers_of_columns, whole_ending
from preceptor.engines.native.fusion import Facts
from preceptor.engines.native.program import Buffer, Place, Step, bits, word
from preceptor.engines.native.rewriting import BF16
from preceptor.graph import Node
from preceptor.ops.window import Windows

Words = Callable[[], list[int]]
F32, BFLOAT = 0, 4  # instruction.h, Type
INDEX_TYPES = {
    np.dtype(t): n for n, t in enumerate((np.uint8, np.int8, np.int16, np.int32, np.int64, np.uint16, np.uint32))
}

# What is written out only where something asks for it; often a product reads through it.
ON_DEMAND = frozenset({"broadcast", "transpose", "slice", "unslice", "concatenate"})


class Planner(Protocol):
    """What lowering needs of the plan that it is a part of.

    Attributes:
        facts: of the graph.
        places: where the numbers of a node lie, by its index.
        available: the nodes whose numbers are in memory after the steps so far.
    """

    facts: Facts
    places: dict[int, Place]
    available: set[int]

    def place(self, node: Node) -> Place:
        """Where a node's numbers lie; they are computed now where they are not yet."""

    def number(self, value: float) -> Place:
        """The place of a constant number."""

    def make(self, node: Node) -> Place:
        """New memory for the result of a node."""

    def emit(self, step: Step) -> None:
        """Adds a step."""


def reads(planner: Planner, node: Node) -> Iterator[Node]:
    """The nodes whose numbers `lower` reads; each is told when those before it are in memory."""
    if node.size == 0:
        return
    for x in node.inputs:
        yield _looked_through(planner, x)[1] if _is_product(node) else x
    if node.primitive.name == "convolution" and (numbers := numbers_of_columns(planner.facts, node)) is not None:
        yield numbers


def lower(planner: Planner, node: Node) -> None:
    """Emits the step that computes a node, of what is in memory."""
    name = node.primitive.name
    rule = RULES.get(name)
    if node.size == 0:
        planner.make(node)
        return
    if rule is None or not rule(planner, node):
        _host(planner, node)


def _step(kind: str, reads: list[Place], writes: list[Place], words: Callable[[], list[int]], label: str = "") -> Step:
    return Step(kind, [p.buffer for p in reads], [p.buffer for p in writes], words=words, label=label or kind)


def copy_bytes(source: Place, target: Place, nbytes: int) -> Step:
    """A plain copy of one piece of memory."""
    words = lambda: [1, 1, nbytes, word(source), 1, word(target), 1]
    return _step("copy", [source], [target], words)


def take(outer: int, length: int, item: int, source: Place, where: Place, count: int, dtype: np.dtype, target: Place,
         label: str = "take") -> Step:  # fmt: skip
    """Items of so many bytes, by number: (outer, length) of them -> (outer, count)."""
    words = lambda: [outer, length, item, count, word(source), word(where), INDEX_TYPES[dtype], word(target)]
    return _step("take", [source, where], [target], words, label)


def _strides(shape: tuple[int, ...], item: int) -> list[int]:
    """Bytes from one entry to the next along each axis, in row-major order."""
    return [item * math.prod(shape[a + 1 :]) for a in range(len(shape))]


def _copy(planner: Planner, shape: tuple[int, ...], item: int, source: Place | None, source_strides: list[int],
          target: Place, target_strides: list[int]) -> None:  # fmt: skip
    axes = [a for a, n in enumerate(shape) if n != 1] or [0][: len(shape)]
    lengths = [shape[a] for a in axes]
    ours, theirs = [source_strides[a] for a in axes], [target_strides[a] for a in axes]
    words = lambda: [item, len(axes), *lengths, word(source), *ours, word(target), *theirs]
    planner.emit(_step("copy", [source] if source else [], [target], words))


def _broadcast(planner: Planner, node: Node) -> bool:
    (x,) = node.inputs
    source, item = planner.place(x), node.spec.dtype.itemsize
    padded = (1,) * (node.ndim - x.ndim) + x.shape
    strides = [0 if n == 1 else s for n, s in zip(padded, _strides(padded, item), strict=True)]
    _copy(planner, node.shape, item, source, strides, planner.make(node), _strides(node.shape, item))
    return True


def _transpose(planner: Planner, node: Node) -> bool:
    (x,) = node.inputs
    source, item = planner.place(x), node.spec.dtype.itemsize
    strides = _strides(x.shape, item)
    moved = [strides[a] for a in node.params["axes"]]
    _copy(planner, node.shape, item, source, moved, planner.make(node), _strides(node.shape, item))
    return True


def _cut(slices: tuple, shape: tuple[int, ...], item: int) -> tuple[int, list[int]]:
    """(bytes to the first entry, strides) of a slice of an array."""
    ranges = [range(n)[slice(*each)] for n, each in zip(shape, slices, strict=True)]
    strides = _strides(shape, item)
    first = sum(r.start * s for r, s in zip(ranges, strides, strict=True))
    return first, [r.step * s for r, s in zip(ranges, strides, strict=True)]


def _slice(planner: Planner, node: Node) -> bool:
    (x,) = node.inputs
    source, item = planner.place(x), node.spec.dtype.itemsize
    first, strides = _cut(node.params["slices"], x.shape, item)
    moved = Place(source.buffer, source.offset + first)
    _copy(planner, node.shape, item, moved, strides, planner.make(node), _strides(node.shape, item))
    return True


def _unslice(planner: Planner, node: Node) -> bool:
    (x,) = node.inputs
    source, item = planner.place(x), node.spec.dtype.itemsize
    target, whole = planner.make(node), _strides(node.shape, item)
    _copy(planner, node.shape, item, None, [0] * node.ndim, target, whole)
    first, strides = _cut(node.params["slices"], node.shape, item)
    if x.size:
        _copy(
            planner,
            x.shape,
            item,
            source,
            _strides(x.shape, item),
            Place(target.buffer, target.offset + first),
            strides,
        )
    return True


def _concatenate(planner: Planner, node: Node) -> bool:
    axis, item = node.params["axis"], node.spec.dtype.itemsize
    sources = [planner.place(x) for x in node.inputs]
    target, strides, start = planner.make(node), _strides(node.shape, item), 0
    for x, source in zip(node.inputs, sources, strict=True):
        if x.size:
            into = Place(target.buffer, target.offset + start * strides[axis])
            _copy(planner, x.shape, item, source, _strides(x.shape, item), into, strides)
        start += x.shape[axis]
    return True


# Products


def _matrix(planner: Planner, node: Node) -> tuple[Place, int, int, int]:
    """Place, batch stride, row stride and column stride of a factor, read through transposition and repetition."""
    place, strides = _strided(planner, node)
    *lead, row, column = zip(node.shape, strides, strict=True)
    moving = [(n, stride) for n, stride in lead if n != 1]
    even = all(a[1] == b[0] * b[1] for a, b in itertools.pairwise(moving))  # the leading axes are one
    unit = any(n == 1 or stride == 1 for n, stride in (row, column))
    if not even or not unit:
        place, strides = planner.place(node), _strides(node.shape, 1)
        *lead, row, column = zip(node.shape, strides, strict=True)
        moving = [(n, stride) for n, stride in lead if n != 1]
    return place, moving[-1][1] if moving else 0, row[1], column[1]


def _strided(planner: Planner, node: Node) -> tuple[Place, list[int]]:
    """Where a node's numbers lie, and how far apart along each axis, without writing transpositions and repetitions."""
    moved, source = _looked_through(planner, node)
    place, strides = planner.place(source), _strides(source.shape, 1)
    for each in reversed(moved):
        (x,) = each.inputs
        if each.primitive.name == "transpose":
            strides = [strides[a] for a in each.params["axes"]]
        elif each.primitive.name == "broadcast":
            pairs = zip((1,) * (each.ndim - x.ndim) + x.shape, [0] * (each.ndim - x.ndim) + strides, strict=True)
            strides = [0 if n == 1 else stride for n, stride in pairs]
        else:
            rest = iter([stride for n, stride in zip(x.shape, strides, strict=True) if n != 1])
            strides = [0 if n == 1 else next(rest) for n in each.shape]
    return place, strides


def _looked_through(planner: Planner, node: Node) -> tuple[list[Node], Node]:
    """The movements of numbers that a product need not have written, the last first, and what they move."""
    moved = []
    while node.index not in planner.available and _only_moves(node):
        moved.append(node)
        (node,) = node.inputs
    return moved, node


def _only_moves(node: Node) -> bool:
    """Whether a node transposes or repeats, or puts in or leaves out axes of length 1."""
    if node.primitive.name == "reshape":
        return [n for n in node.shape if n != 1] == [n for n in node.inputs[0].shape if n != 1]
    return node.primitive.name in ("transpose", "broadcast")


def _is_product(node: Node) -> bool:
    """Whether a node is a matrix product for which there is a kernel."""
    if node.primitive.name != "matmul" or node.params["precision"] != "f32":
        return False
    x, y = node.inputs
    return x.spec.dtype in (np.float32, BF16) and x.spec.dtype == y.spec.dtype


def _matmul(planner: Planner, node: Node) -> bool:
    if not _is_product(node):
        return False
    x, y = node.inputs
    *lead, m, k = x.shape
    n, batch = y.shape[-1], math.prod(lead)
    a, b = _matrix(planner, x), _matrix(planner, y)
    turned = _turned(planner, node)
    row, step = (n, m * n) if turned is node else (batch * n, n)
    end = ending(planner.facts, planner.available, turned, n if turned is node else batch * n)
    bias, bias_step = None if end.bias is None else planner.place(end.bias), 0 if row == n else n
    out = planner.make(end.node)
    kind = F32 if x.spec.dtype == np.float32 else BFLOAT
    words = lambda: [
        batch, m, n, k, kind, word(a[0]), *a[1:], word(b[0]), *b[1:], word(out), step, row,
        word(bias), bias_step, int(end.relu),
    ]  # fmt: skip
    reads = [a[0], b[0], *([bias] if bias else [])]
    planner.emit(_step("matmul", reads, [out], words, f"matmul {batch}x{m}x{k}x{n}"))
    planner.available.add(node.index)
    planner.places.setdefault(node.index, out)
    return True


def _turned(planner: Planner, node: Node) -> Node:
    """The transposition of many products, (batch, row, column) to (row, batch, column), where nothing else reads them:
    they are then written in that order."""
    users = planner.facts.users[node.index]
    if node.ndim == 3 and len(users) == 1 and not planner.facts.is_output[node.index]:
        (user,) = users
        if user.primitive.name == "transpose" and user.params["axes"] == (1, 0, 2) and user.inputs[0] is node:
            planner.available.add(user.index)
            return user
    return node


def _convolution(planner: Planner, node: Node) -> bool:
    x, y = node.inputs
    if x.spec.dtype not in (np.float32, BF16) or x.spec.dtype != y.spec.dtype or node.params["precision"] != "f32":
        return False
    role = ("convolution", "convolution_input", "convolution_kernel").index(node.primitive.name)
    windows, groups = node.params["windows"], node.params["groups"]
    if role == 0:
        batch, lengths, outs = x.shape[0], x.shape[1:-1], node.shape[1:-1]
        inward, outward = x.shape[-1], y.shape[-1]
    elif role == 1:
        batch, lengths, outs = x.shape[0], node.shape[1:-1], x.shape[1:-1]
        inward, outward = node.shape[-1], x.shape[-1]
    else:
        batch, lengths, outs = x.shape[0], x.shape[1:-1], y.shape[1:-1]
        inward, outward = x.shape[-1], y.shape[-1]
    if min(x.size, y.size) == 0:
        return False
    first, second = planner.place(x), planner.place(y)
    end = whole_ending(planner.facts, planner.available, node) if role == 0 else Ending(node)
    bias, beside = (None if each is None else planner.place(each) for each in (end.bias, end.beside))
    out = planner.make(end.node)
    kind = F32 if x.spec.dtype == np.float32 else BFLOAT
    before = [pads[0] for pads in windows.padding]
    words = lambda: [
        role, len(lengths), batch, groups, inward, outward, *lengths, *outs, *windows.size, *windows.stride, *before,
        *windows.dilation, kind, word(first), word(second), word(out), word(bias), int(end.relu),
        word(beside), bits(end.limit),
    ]  # fmt: skip
    label = f"{node.primitive.name} {lengths} {inward}>{outward} {windows.size}"
    reads = [first, second, *(each for each in (bias, beside) if each)]
    planner.emit(_step("convolution", reads, [out], words, label))
    planner.available.add(node.index)
    planner.places.setdefault(node.index, out)
    return True


# Windows


def _window(planner: Planner, node: Node) -> bool:
    roles = {"window_sum": 0, "window_spread": 1, "window_max": 2, "window_max_spread": 3, "window_max_mean": 4}
    role, windows = roles[node.primitive.name], node.params["windows"]
    if any(x.spec.dtype != np.float32 for x in node.inputs):
        return False
    lengths = node.shape if role == 1 else node.inputs[0 if role in (0, 2) else 1].shape
    return _emit_window(planner, node, role, lengths, windows, list(node.inputs))


def _emit_window(
    planner: Planner, node: Node, role: int, lengths: tuple[int, ...], windows: Windows, inputs: list[Node]
) -> bool:
    places = [planner.place(x) for x in inputs]
    out = planner.make(node)
    before = [pads[0] for pads in windows.padding]
    counts = windows.counts(lengths)
    words = lambda: [
        role, len(lengths), *lengths, *counts, *windows.size, *windows.stride, *before, *windows.dilation,
        *(word(place) for place in places), word(out),
    ]  # fmt: skip
    planner.emit(_step("window", places, [out], words, node.primitive.name))
    return True


def _reduce(planner: Planner, node: Node) -> bool:
    """Sums and largest entries over axes in the middle: one window as long as each of these axes."""
    (x,) = node.inputs
    if x.spec.dtype != np.float32 or not x.size:
        return False
    axes = node.params["axes"]
    size = tuple(n if a in axes else 1 for a, n in enumerate(x.shape))
    windows = Windows(size, size, ((0, 0),) * x.ndim, (1,) * x.ndim)
    return _emit_window(planner, node, 0 if node.primitive.name == "sum" else 2, x.shape, windows, [x])


# Positions and random bits


def _take(planner: Planner, node: Node) -> bool:
    x, indices = node.inputs
    if indices.spec.dtype not in INDEX_TYPES or not x.size:
        return False
    axis = node.params["axis"]
    outer, length, inner = math.prod(x.shape[:axis]), x.shape[axis], math.prod(x.shape[axis + 1 :])
    source, where = planner.place(x), planner.place(indices)
    out = planner.make(node)
    item = inner * x.spec.dtype.itemsize
    planner.emit(take(outer, length, item, source, where, indices.size, indices.spec.dtype, out))
    return True


def _scatter_add(planner: Planner, node: Node) -> bool:
    x, indices = node.inputs
    if indices.spec.dtype not in INDEX_TYPES or x.spec.dtype != np.float32 or not x.size:
        return False
    axis, length = node.params["axis"], node.params["length"]
    outer, inner = math.prod(x.shape[:axis]), math.prod(x.shape[axis + indices.ndim :])
    source, where = planner.place(x), planner.place(indices)
    out = planner.make(node)
    words = lambda: [
        outer, length, inner, indices.size, word(source), word(where), INDEX_TYPES[indices.spec.dtype], word(out)
    ]  # fmt: skip
    planner.emit(_step("scatter_add", [source, where], [out], words))
    return True


def _gather_sum(planner: Planner, node: Node) -> bool:
    x, indices, _ = node.inputs
    if indices.spec.dtype not in INDEX_TYPES or x.spec.dtype != np.float32 or not x.size:
        return False
    places = [planner.place(each) for each in node.inputs]
    out = planner.make(node)
    words = lambda: [
        *indices.shape, *x.shape, word(places[0]), word(places[1]), INDEX_TYPES[indices.spec.dtype], word(places[2]),
        word(out),
    ]  # fmt: skip
    planner.emit(_step("gather_sum", places, [out], words))
    return True


def _random_bits(planner: Planner, node: Node) -> bool:
    key = planner.place(node.inputs[0])
    out, bits = planner.make(node), node.params["bits"]
    planner.emit(_step("random_bits", [key], [out], lambda: [word(key), node.size, bits, word(out)]))
    return True


def _fold_in(planner: Planner, node: Node) -> bool:
    key, number = node.inputs
    if number.spec.dtype not in INDEX_TYPES:
        return False
    place, given = planner.place(key), planner.place(number)
    out = planner.make(node)
    words = lambda: [word(place), word(given), INDEX_TYPES[number.spec.dtype], word(out)]
    planner.emit(_step("fold_in", [place, given], [out], words))
    return True


# NumPy, on the plan's own memory


def _host(planner: Planner, node: Node) -> None:
    """What no kernel computes: 64-bit numbers, and the rarer primitives. It runs in its place with the interpreter."""
    places = [_own(planner, x) for x in node.inputs]
    out = planner.make(node)

    def build(view: Callable[[Place, tuple[int, ...], np.dtype], np.ndarray]) -> Callable[[], None]:
        values = [view(place, x.shape, x.spec.dtype) for place, x in zip(places, node.inputs, strict=True)]
        result = view(out, node.shape, node.spec.dtype)
        params = node.params

        def run() -> None:
            with np.errstate(all="ignore"):
                result[...] = node.primitive.run(np, *values, **params)

        return run

    reads = [place.buffer for place in places]
    planner.emit(Step("host", reads, [out.buffer], host=build, label=f"numpy {node.primitive.name}"))


def _own(planner: Planner, node: Node) -> Place:
    """A place in the plan's own memory, which NumPy sees: what lies elsewhere is copied."""
    place = planner.place(node)
    if place.buffer.segment == 0 and place.buffer.same is None:
        return place
    nbytes = node.size * node.spec.dtype.itemsize
    copy = Place(Buffer(nbytes))
    if nbytes:
        planner.emit(copy_bytes(place, copy, nbytes))
    return copy


RULES: dict[str, Callable[[Any, Node], bool]] = {
    "broadcast": _broadcast,
    "concatenate": _concatenate,
    "convolution": _convolution,
    "convolution_input": _convolution,
    "convolution_kernel": _convolution,
    "fold_in": _fold_in,
    "gather_sum": _gather_sum,
    "matmul": _matmul,
    "max": _reduce,
    "random_bits": _random_bits,
    "scatter_add": _scatter_add,
    "slice": _slice,
    "sum": _reduce,
    "take": _take,
    "transpose": _transpose,
    "unslice": _unslice,
    "window_max": _window,
    "window_max_mean": _window,
    "window_max_spread": _window,
    "window_spread": _window,
    "window_sum": _window,
}
