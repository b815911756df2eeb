"""Rules of simplification: sums that need not read what they sum, rectifiers and pools that need not keep it."""

import math

import numpy as np

from preceptor.engines.native.ending import clip_of
from preceptor.engines.native.rewriting import PRODUCTS, Rewriting, Rule, constant_of, is_a, lie_apart
from preceptor.graph import Node
from preceptor.ops import Primitive, elementwise, movement, pooling

ONE_PASS_FROM = 4096  # arrays from this size on are read once, not twice, for their mean and variance
TERMS = (elementwise.add, elementwise.subtract)
SAMPLED = 32  # rows whose mean is subtracted before squares are summed


def _where(p: Rewriting, inputs: tuple, params: dict) -> Node | None:
    """Where a rectified value is in memory anyway, whether nothing passed is asked of it, so that its input need not be
    kept: x <= 0 where relu(x) <= 0."""
    test, zero, y = inputs
    if (value := constant_of(test)) is not None:
        return zero if value else y
    if not is_a(test, "less_equal") or constant_of(test.inputs[1]) != 0 or constant_of(zero) != 0:
        return None
    x = test.inputs[0]
    if (limited := _limited(p, x, y)) is not None:
        return limited
    relu = p.rectified.get(x.index)
    if relu is None:
        return None
    if is_a(y, "window_max_spread") and y.inputs[1] is relu and _is_rectified_pool(y.inputs[2], x):
        few, largest = y.inputs[0], y.inputs[2]
        return p.make(y.primitive, [_masked(p, largest, few), x, largest], y.params)
    return _masked(p, relu, y) if relu.index in p.factors else None


def _limited(p: Rewriting, x: Node, y: Node) -> Node | None:
    """The same of a rectifier with a limit, whose gradient is where(x <= 0, 0, where(c <= x, 0, g)); but only where its
    input is made by nothing more than a product: a norm's gradient reads what is normalised anyway."""
    out = p.limited.get(x.index)
    if out is None or out.index not in p.factors or not _is_made_by_product(x):
        return None
    limit = clip_of(out)
    if not limit or not is_a(y, "where") or not is_a(y.inputs[0], "less_equal") or constant_of(y.inputs[1]) != 0:
        return None
    top, other = y.inputs[0].inputs
    if other is not x or constant_of(top) != limit:
        return None
    below = p.make(elementwise.where, [p.make(elementwise.less_equal, [top, out]), y.inputs[1], y.inputs[2]])
    return _masked(p, out, below)


def _is_made_by_product(x: Node) -> bool:
    """Whether a node is a product or convolution, perhaps with a number added to each column."""
    while is_a(x, "reshape") or (is_a(x, "add") and any(is_a(each, "broadcast") for each in x.inputs)):
        x = next(each for each in x.inputs if not is_a(each, "broadcast")) if is_a(x, "add") else x.inputs[0]
    return x.primitive.name in PRODUCTS


def _masked(p: Rewriting, x: Node, y: Node) -> Node:
    """0 where x <= 0, else y."""
    zeros = [p.broadcast(p.number(0, like.spec.dtype), like.shape) for like in (x, y)]
    return p.make(elementwise.where, [p.make(elementwise.less_equal, [x, zeros[0]]), zeros[1], y])


def _is_rectified_pool(node: Node, x: Node) -> bool:
    """Whether a node is max(largest entries of windows of x, 0)."""
    return is_a(node, "relu") and is_a(node.inputs[0], "window_max") and node.inputs[0].inputs[0] is x


def _window_max(p: Rewriting, inputs: tuple, params: dict) -> Node | None:
    """Of rectified numbers: the largest is found first, then rectified, for it is one number and not many. Backward
    (`_where`) nothing flows where the largest is not above 0; elsewhere the same entries equal it."""
    (x,) = inputs
    if not is_a(x, "relu") or x.spec.dtype != np.float32:
        return None
    count = 0
    while is_a(x, "relu"):
        count, x = count + 1, x.inputs[0]
    x = p.make(pooling._window_max, [x], params)
    for _ in range(count):
        x = p.make(elementwise.relu, [x])
    return x


def along(p: Rewriting, x: Node, axes: tuple[int, ...]) -> Node | None:
    """What a node repeats along all of the axes, in the shape without them; None where it varies there."""
    if not is_a(x, "broadcast"):
        return None
    source = x.inputs[0]
    padded = (1,) * (x.ndim - source.ndim) + source.shape
    if any(padded[a] != 1 for a in axes):
        return None
    rest = [n for a, n in enumerate(x.shape) if a not in axes]
    return p.broadcast(p.reshape(source, [n for a, n in enumerate(padded) if a not in axes]), rest)


def _sum(p: Rewriting, inputs: tuple, params: dict) -> Node | None:
    """A sum is linear: factors and terms that do not vary along its axes are taken out of it."""
    (x,), axes = inputs, params["axes"]
    if x.spec.dtype.kind != "f" or not x.size:
        return None
    count = math.prod(x.shape[a] for a in axes)
    rest = [n for a, n in enumerate(x.shape) if a not in axes]
    if count == 1:
        return p.reshape(x, rest)
    same = along(p, x, axes)
    if same is not None:
        return p.apply(elementwise.multiply, same, p.number(count, x.spec.dtype))
    # What is done with the inner sum, the last first: a list, for a graph may be deeper than Python can call.
    outside: list[tuple[Node, Primitive, list[Node], list[Node]]] = []
    inner = x
    while (inner.index, axes) not in p.summed and along(p, inner, axes) is None:
        taken = _taken_out(p, inner, axes)
        if taken is None:
            break
        outside.append((inner, *taken[1:]))
        inner = taken[0]
    known = p.summed.get((inner.index, axes))
    if known is None and not outside:
        shares = _sum_of_shares(p, x, axes)
        return shares if shares is not None else _sum_of_squares(p, x, axes)
    total = p.sum(inner, axes) if known is None else known
    for whole, primitive, before, behind in reversed(outside):
        others = [p.sum(each, axes) for each in behind] if primitive in TERMS else behind
        total = p.summed[whole.index, axes] = p.make(primitive, [*before, total, *others])
    return total


def _taken_out(p: Rewriting, x: Node, axes: tuple[int, ...]) -> tuple[Node, Primitive, list[Node], list[Node]] | None:
    """What is left to be summed of x, and what is then done with the sum: the primitive, and the other nodes that it is
    given before and behind the sum. Those behind are themselves to be summed where the primitive is of `TERMS`."""
    if is_a(x, "negative"):
        return x.inputs[0], x.primitive, [], []
    if is_a(x, "multiply"):
        for one, other in (x.inputs, x.inputs[::-1]):
            factor = along(p, one, axes)
            if factor is not None:
                return other, x.primitive, [], [factor]
    if is_a(x, "divide"):
        factor = along(p, x.inputs[1], axes)
        if factor is not None:
            return x.inputs[0], x.primitive, [], [factor]
    if x.primitive in TERMS:
        one, other = x.inputs
        if along(p, one, axes) is not None:
            return other, x.primitive, [p.sum(one, axes)], []
        if along(p, other, axes) is not None:
            return one, x.primitive, [], [other]
    return None


def _sum_of_shares(p: Rewriting, x: Node, axes: tuple[int, ...]) -> Node | None:
    """Over all windows: what they share out among their largest entries comes to what they have, and times h to what
    they have times the mean of h over these. So the sums of a batch norm's gradient read windows, not pictures."""
    factors = x.inputs if is_a(x, "multiply") else (x,)
    spread = next((each for each in factors if is_a(each, "window_max_spread")), None)
    if spread is None:
        return None
    (few, values, largest), windows = spread.inputs, spread.params["windows"]
    if is_a(largest, "relu"):
        largest = largest.inputs[0]
    inside = [a for a, n in enumerate(windows.size) if n > 1]
    if not is_a(largest, "window_max") or largest.inputs[0] is not values or not set(inside) <= set(axes):
        return None
    if not lie_apart(windows):
        return None
    if spread is x:
        return p.sum(few, axes)
    h = factors[1] if factors[0] is spread else factors[0]
    centre = None
    if is_a(h, "subtract") and along(p, h.inputs[1], tuple(inside)) is not None:
        h, centre = h.inputs
    mean = p.make(pooling._window_max_mean, [h, values, largest], {"windows": windows})
    if centre is not None:  # it is the same in all of a window
        mean = p.make(elementwise.subtract, [mean, p.broadcast(centre.inputs[0], mean.shape)])
    return p.sum(p.make(elementwise.multiply, [few, mean]), axes)


def _sum_of_squares(p: Rewriting, x: Node, axes: tuple[int, ...]) -> Node | None:
    """Of distances from the mean over the leading axes: sum of (x - k)² less n (mean - k)², for which x need not be
    read after its mean is known. k is the mean of a few rows: no digits are lost where the mean is far from 0."""
    if not is_a(x, "multiply") or x.inputs[0] is not x.inputs[1] or not is_a(x.inputs[0], "subtract"):
        return None
    values, mean = x.inputs[0].inputs
    count = math.prod(x.shape[a] for a in axes)
    if axes != tuple(range(len(axes))) or len(axes) == x.ndim or x.size < ONE_PASS_FROM:
        return None
    centre = along(p, mean, axes)
    total = p.sum(values, axes)
    if centre is None or not is_a(total, "sum"):
        return None
    number = p.number(count, x.spec.dtype)
    if centre is not p.apply(elementwise.divide, total, number):
        return None
    rows = SAMPLED if len(axes) == 1 else 1
    if values.shape[0] <= rows:
        return None
    few = p.make(
        movement._slice, [values], {"slices": tuple((0, rows if a == 0 else n, 1) for a, n in enumerate(x.shape))}
    )
    sampled = p.number(count // values.shape[0] * rows, x.spec.dtype)
    near = p.apply(elementwise.divide, p.sum(few, axes), sampled)
    distance = p.make(elementwise.subtract, [values, p.broadcast(near, x.shape)])
    squares = p.sum(p.make(elementwise.multiply, [distance, distance]), axes)
    shift = p.make(elementwise.subtract, [centre, near])
    return p.make(
        elementwise.subtract,
        [squares, p.apply(elementwise.multiply, p.make(elementwise.multiply, [shift, shift]), number)],
    )


SUMS: dict[str, Rule] = {"sum": _sum, "where": _where, "window_max": _window_max}
