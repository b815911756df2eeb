"""Random programs on the native engine beside the reference engine, one call and whole loops.

A program is Python text, so that what fails can be read and run by hand. Numbers of which a jump depends (a comparison,
the place of the largest, which one rectification lets through) are computed from small multiples of 1/4 by operations
that float32 does without rounding; so all engines jump alike. Other numbers are kept moderate.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

import preceptor as pr
from preceptor.engines import Native, Reference
from preceptor.graph import flatten, map_leaves

EXACT_BITS = 22  # a float32 holds multiples of 2^-fraction up to 2^magnitude where the two together are no more
MODERATE = 3  # other numbers are scaled down from 2^3 on
MOST = 70_000  # numbers of an array
LENGTHS = (1, 2, 3, 4, 5, 7, 8, 12, 17, 32, 33)
LARGE = ((257, 129), (64, 1025), (5, 33, 200), (3, 32, 32, 8), (20000,), (2048, 33), (9, 16, 16, 17), (3, 7000))


@dataclass(frozen=True)
class Value:
    """A variable of a program; `fraction` is None for floats that are rounded, and no number is above 2^magnitude."""

    name: str
    shape: tuple[int, ...]
    kind: str  # f, i or b
    fraction: int | None
    magnitude: int

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def is_exact(self) -> bool:
        return self.fraction is not None and self.fraction + self.magnitude <= EXACT_BITS


class Writer:
    """Writes a random program, line by line.

    Args:
        choose: a number from 0 to below n.
        sharp: whether jumps of a derivative matter, as they do where the gradient is asked for.
    """

    def __init__(self, choose: Callable[[int], int], sharp: bool) -> None:
        self.choose, self.sharp = choose, sharp
        self.lines: list[str] = []
        self.values: list[Value] = []
        self.inputs: list[Value] = []

    # Choices

    def pick(self, things):
        things = list(things)
        return things[self.choose(len(things))]

    def chance(self, one_in: int) -> bool:
        return self.choose(one_in) == one_in - 1

    def some(self, accept=lambda value: True):
        """A value that is accepted, late ones more often; None where there is none."""
        found = [value for value in self.values if accept(value)]
        if not found:
            return None
        return self.pick(found[-3:] if not self.chance(3) else found)

    # Values

    def emit(self, text: str, shape, kind="f", fraction=None, magnitude=0) -> Value:
        if kind == "f" and fraction is not None and fraction + magnitude > EXACT_BITS:
            fraction = None
        name = f"v{len(self.lines)}"
        if kind == "f" and fraction is None and magnitude > MODERATE:
            text, magnitude = f"({text}) * {2.0 ** (MODERATE - magnitude)!r}", MODERATE
        self.lines.append(f"{name} = {text}")
        value = Value(name, tuple(shape), kind, fraction, magnitude)
        self.values.append(value)
        return value

    def input(self, shape, kind="f", magnitude=1, name="") -> Value:
        fraction = {"f": 2, "i": 0, "b": 0}[kind]
        value = Value(name or f"x{len(self.inputs)}", tuple(shape), kind, fraction, magnitude)
        self.inputs.append(value)
        self.values.append(value)
        return value

    def floats(self, accept=lambda value: True):
        return self.some(lambda value: value.kind == "f" and accept(value))

    def may_jump(self, value: Value) -> bool:
        return value.is_exact or not self.sharp

    # Shapes

    def first_shape(self) -> tuple[int, ...]:
        if self.chance(8):
            return self.pick(LARGE)
        rank = self.choose(5)
        shape = [self.pick(LENGTHS) for _ in range(rank)]
        while math.prod(shape) > MOST:
            shape[shape.index(max(shape))] = 3
        if shape and self.chance(25):
            shape[self.choose(rank)] = 0
        return tuple(shape)

    def narrower(self, shape):
        """A shape that is repeated to the given one: without leading axes, some axes of length 1."""
        shape = shape[self.choose(len(shape) + 1) if self.chance(2) else 0 :]
        return tuple(1 if self.chance(3) else n for n in shape)

    def partner(self, value: Value, kind="f"):
        """A value that goes with the given one in an elementwise operation; perhaps a new input."""
        fits = lambda other: other.kind == kind and _fits(other.shape, value.shape)
        found = self.some(fits)
        if found is None or self.chance(3):
            return self.input(self.narrower(value.shape), kind)
        return found

    def axes(self, value: Value):
        """One or several axes, or all."""
        if self.chance(4):
            return tuple(range(len(value.shape)))
        return tuple(sorted({self.choose(len(value.shape)) for _ in range(1 + self.choose(2))}))

    # Operations: each writes a line, or nothing where no value suits it.

    def smooth(self) -> None:
        x = self.floats()
        if x is None:
            return
        text, magnitude = self.pick(
            [
                ("pr.sin({0})", 0), ("pr.cos({0})", 0), ("pr.tanh({0})", 0), ("pr.sigmoid({0})", 0), ("pr.erf({0})", 0),
                ("pr.softplus({0})", x.magnitude + 1), ("pr.exp(pr.tanh({0}))", 2), ("pr.expm1(pr.sin({0}))", 1),
                ("pr.sqrt({0} * {0} + 1)", x.magnitude + 1), ("pr.log({0} * {0} + 0.5)", x.magnitude + 2),
                ("pr.log1p({0} * {0})", x.magnitude + 1), ("1 / ({0} * {0} + 1)", 0), ("({0} * {0} + 0.5) ** -1", 1),
                ("({0} * {0} + 1) ** 0.3", x.magnitude + 1), ("{0} * pr.sigmoid({0})", x.magnitude),
                ("pr.log_sigmoid({0})", x.magnitude + 1),
            ]
        )  # fmt: skip
        self.emit(text.format(x.name), x.shape, magnitude=magnitude)

    def exact(self) -> None:
        x = self.floats()
        if x is None:
            return
        f, m = x.fraction, x.magnitude
        double = None if f is None else 2 * f
        choices = [
            ("-{0}", f, m), ("{0} * 0.5", None if f is None else f + 1, m), ("{0} * {0}", double, 2 * m),
            ("{0} ** 2", double, 2 * m), ("{0} + 0.25", None if f is None else max(f, 2), m + 1),
            ("1 - {0}", f, m + 1), ("3 * {0}", f, m + 2), ("{0} / 4", None if f is None else f + 2, m),
            ("{0} ** 3", None if f is None else 3 * f, 3 * m), ("pr.stop_gradient({0})", f, m),
        ]  # fmt: skip
        if self.may_jump(x):
            choices += [
                ("pr.abs({0})", f, m), ("pr.relu({0})", f, m), ("pr.where({0} > 0, {0}, 0.5 * {0})", None, m),
                ("pr.clip({0}, -0.5, 1)", None if f is None else max(f, 1), m),
                ("pr.maximum({0}, 0.25)", None if f is None else max(f, 2), m),
            ]  # fmt: skip
        if x.is_exact:
            choices += [("pr.sign(pr.stop_gradient({0}))", 0, 0), ("pr.cast({0} > 0, FLOAT)", 0, 0)]
        text, f, m = self.pick(choices)
        self.emit(text.format(x.name), x.shape, fraction=f, magnitude=m)

    def binary(self) -> None:
        x = self.floats()
        if x is None:
            return
        y = self.partner(x)
        shape = np.broadcast_shapes(x.shape, y.shape)
        x, y = (x, y) if self.chance(2) else (y, x)
        both = x.fraction is not None and y.fraction is not None
        widest = max(x.fraction, y.fraction) if both else None
        choices = [
            ("{0} + {1}", widest, max(x.magnitude, y.magnitude) + 1),
            ("{0} - {1}", widest, max(x.magnitude, y.magnitude) + 1),
            ("{0} * {1}", x.fraction + y.fraction if both else None, x.magnitude + y.magnitude),
            ("{0} / ({1} * {1} + 1)", None, x.magnitude),
        ]
        if (both and x.is_exact and y.is_exact) or not self.sharp:
            choices += [
                ("pr.maximum({0}, {1})", widest, max(x.magnitude, y.magnitude)),
                ("pr.minimum({0}, {1})", widest, max(x.magnitude, y.magnitude)),
            ]
        text, f, m = self.pick(choices)
        self.emit(text.format(x.name, y.name), shape, fraction=f, magnitude=m)

    def compare(self) -> None:
        x = self.some(lambda value: value.kind != "b" and value.is_exact)
        if x is None:
            return
        y = self.partner(x, x.kind)
        if y.is_exact:
            sign = self.pick(["<", "<=", ">", ">=", "==", "!="])
            text = f"{x.name} {sign} {y.name}"
            if sign == "==":
                text = f"pr.equal({x.name}, {y.name})"
            if sign == "!=":
                text = f"pr.not_equal({x.name}, {y.name})"
            self.emit(text, np.broadcast_shapes(x.shape, y.shape), "b", 0, 0)

    def logic(self) -> None:
        x = self.some(lambda value: value.kind == "b")
        if x is None:
            return
        y = self.partner(x, "b")
        text = self.pick(["{0} & {1}", "{0} | {1}", "~{0} & {1}"])
        self.emit(text.format(x.name, y.name), np.broadcast_shapes(x.shape, y.shape), "b", 0, 0)

    def choice(self) -> None:
        test = self.some(lambda value: value.kind == "b")
        if test is None:
            return
        kind = self.pick("ffi")
        x = self.partner(test, kind)
        shape = np.broadcast_shapes(test.shape, x.shape)
        y = self.partner(Value("", shape, kind, 0, 0), kind)
        fraction = None if None in (x.fraction, y.fraction) else max(x.fraction, y.fraction)
        text = f"pr.where({test.name}, {x.name}, {y.name})"
        self.emit(text, np.broadcast_shapes(shape, y.shape), kind, fraction, max(x.magnitude, y.magnitude))

    def integers(self) -> None:
        x = self.some(lambda value: value.kind == "i" and value.magnitude < 20)
        if x is None:
            return
        y = self.partner(x, "i")
        if y.magnitude > 20:
            return
        top = max(x.magnitude, y.magnitude)
        text, m = self.pick(
            [("{0} + {1}", top + 1), ("{0} - {1}", top + 1), ("pr.maximum({0}, {1})", top), ("-{0} + {1}", top + 1),
             ("pr.abs({0}) + {1}", top + 1), ("{0} * 3 - {1}", top + 3), *self.narrow(x)]
        )  # fmt: skip
        self.emit(text.format(x.name, y.name), np.broadcast_shapes(x.shape, y.shape), "i", 0, m)

    def narrow(self, x: Value):
        """Integers through types that hold them as they are."""
        if x.magnitude > 6:
            return []
        kept = [
            "pr.cast({0}, np.int8)",
            "pr.cast({0}, np.int16)",
            "pr.cast(pr.abs({0}), np.uint8)",
            "pr.cast({0}, int)",
        ]
        return [(f"pr.cast({each}, np.int32) + {{1}}", max(x.magnitude, 20) + 1) for each in kept]

    def cast(self) -> None:
        x = self.some(lambda value: value.is_exact and value.magnitude < 20)
        if x is None:
            return
        kind = self.pick("fib")
        dtype = {"f": "FLOAT", "i": "np.int32", "b": "bool"}[kind]
        fraction = (x.fraction if x.kind == "f" else 0) if kind == "f" else 0
        self.emit(f"pr.cast({x.name}, {dtype})", x.shape, kind, fraction, 0 if kind == "b" else x.magnitude)

    def reduce(self) -> None:
        x = self.some(lambda value: value.kind != "b" and value.shape and value.size)
        if x is None:
            return
        axes, keep = self.axes(x), self.chance(2)
        count = math.prod(x.shape[a] for a in axes)
        grown = x.magnitude + math.ceil(math.log2(count))
        rest = tuple(1 if a in axes else n for a, n in enumerate(x.shape) if keep or a not in axes)
        f = x.fraction
        choices = [("pr.sum", f, grown)] if grown < 30 else []
        if x.kind == "f":
            choices += [("pr.mean", None, x.magnitude)] * 2 + [("pr.variance", None, 2 * x.magnitude)]
        if x.is_exact or (x.kind == "f" and not self.sharp):
            choices += [("pr.max", f, x.magnitude), ("pr.min", f, x.magnitude)]
        if x.is_exact and self.chance(4):
            axis = self.choose(len(x.shape))
            shape = (*x.shape[:axis], *x.shape[axis + 1 :])
            self.emit(f"pr.argmax({x.name}, {axis})", shape, "i", 0, math.ceil(math.log2(x.shape[axis] + 1)))
        elif choices:
            name, f, m = self.pick(choices)
            self.emit(f"{name}({x.name}, {axes}, keepdims={keep})", rest, x.kind, f, m)

    def move(self) -> None:
        x = self.some(lambda value: value.shape)
        if x is None:
            return
        kind = self.choose(6)
        name, shape, rank = x.name, x.shape, len(x.shape)
        if kind == 0:
            order = list(range(rank))
            for a in range(rank - 1, 0, -1):
                b = self.choose(a + 1)
                order[a], order[b] = order[b], order[a]
            text, shape = f"pr.transpose({name}, {tuple(order)})", tuple(shape[a] for a in order)
        elif kind == 1:
            shape = self.other_shape(shape)
            text = f"pr.reshape({name}, {shape})"
        elif kind == 2:
            text, shape = self.cut(x)
        elif kind == 3:
            text = f"pr.flip({name}, {self.choose(rank)})"
        elif kind == 4 and x.kind == "f" and x.size < 20_000:
            widths = [(self.choose(3), self.choose(3)) for _ in shape]
            text = f"pr.pad({name}, {widths})"
            shape = tuple(before + n + after for n, (before, after) in zip(shape, widths, strict=True))
        else:
            wider = tuple(self.pick((2, 3, 5)) if n == 1 and self.chance(2) else n for n in shape)
            wider = (*((self.pick((1, 2, 4)),) if self.chance(2) else ()), *wider)
            if math.prod(wider) > MOST:
                return
            text, shape = f"pr.broadcast_to({name}, {wider})", wider
        self.emit(text, shape, x.kind, x.fraction, x.magnitude)

    def other_shape(self, shape):
        """Two neighbours joined, an axis cut in two, an axis of length 1 put in, or one axis only."""
        kind, at = self.choose(4), self.choose(len(shape))
        if kind == 0 and at + 1 < len(shape):
            return (*shape[:at], shape[at] * shape[at + 1], *shape[at + 2 :])
        if kind == 1:
            parts = [d for d in range(1, shape[at] + 1) if shape[at] % d == 0] or [1]
            part = self.pick(parts)
            return (*shape[:at], part, shape[at] // part, *shape[at + 1 :])
        if kind == 2:
            return (*shape[:at], 1, *shape[at:])
        return (math.prod(shape),)

    def cut(self, x: Value):
        words, shape = [], []
        for n in x.shape:
            kind = self.choose(6)
            if kind == 0 and n:
                words.append(str(self.choose(n)))
                continue
            start, stop, step = 0, n, 1
            if kind in (1, 2) and n:
                start = self.choose(n)
                stop = start + 1 + self.choose(n - start)
            if kind == 3:
                step = 2
            if kind == 4 and n:
                words.append("::-1")
                shape.append(n)
                continue
            words.append(f"{start}:{stop}:{step}")
            shape.append(len(range(start, stop, step)))
        return f"{x.name}[{', '.join(words)}]", tuple(shape)

    def join(self) -> None:
        x = self.some(lambda value: value.shape and value.size < 30_000)
        if x is None:
            return
        y = self.some(lambda value: value.kind == x.kind and value.shape == x.shape) or x
        z = self.input(x.shape, x.kind) if self.chance(3) else x
        fraction = None if None in (x.fraction, y.fraction, z.fraction) else max(x.fraction, y.fraction, z.fraction)
        axis = self.choose(len(x.shape))
        names = ", ".join(value.name for value in (x, y, z))
        magnitude = max(value.magnitude for value in (x, y, z))
        if self.chance(3):
            shape = (*x.shape[:axis], 3, *x.shape[axis:])
            self.emit(f"pr.stack([{names}], {axis})", shape, x.kind, fraction, magnitude)
        else:
            shape = (*x.shape[:axis], 3 * x.shape[axis], *x.shape[axis + 1 :])
            self.emit(f"pr.concatenate([{names}], {axis})", shape, x.kind, fraction, magnitude)

    def product(self) -> None:
        x = self.floats(lambda value: len(value.shape) >= 2 and value.shape[-1])
        if x is None or x.size // x.shape[-1] > MOST // 33:
            return
        k = x.shape[-1]
        other = self.some(lambda value: value.kind == "f" and len(value.shape) == 2 and value.shape[0] == k)
        y = other if other is not None and self.chance(2) else None
        if y is None and self.chance(3) and x.shape[-2] < 300:
            y = Value(f"pr.swap_last_axes({x.name})", (*x.shape[:-2], k, x.shape[-2]), "f", x.fraction, x.magnitude)
        if y is None:
            y = self.input((k, self.pick((1, 2, 5, 16, 33))))
        f = None if None in (x.fraction, y.fraction) else x.fraction + y.fraction
        magnitude = x.magnitude + y.magnitude + math.ceil(math.log2(k))
        text, shape = f"{x.name} @ {y.name}", (*x.shape[:-1], y.shape[-1])
        if self.chance(2):  # the usual end of a layer, which the product may do itself
            bias = self.input(shape[-1:])
            text, magnitude = f"{text} + {bias.name}", magnitude + 1
            f = None if f is None else max(f, 2)
        value = self.emit(text, shape, "f", f, magnitude)
        if self.may_jump(value) and self.chance(2):
            self.emit(f"pr.relu({value.name})", shape, "f", value.fraction, value.magnitude)

    def convolve(self) -> None:
        x = self.floats(lambda value: len(value.shape) in (3, 4) and value.size and value.size < MOST // 9)
        if x is None or x.shape[-1] > 40:
            return
        space, channels = x.shape[1:-1], x.shape[-1]
        out, width = self.pick((1, 3, 8)), tuple(self.pick((1, 2, 3)) for _ in space)
        stride = 1 + self.choose(2)
        kernel = self.input((*width, channels, out))
        f = None if x.fraction is None else x.fraction + 2
        magnitude = x.magnitude + 1 + math.ceil(math.log2(math.prod(width) * channels))
        shape = (x.shape[0], *(-(-n // stride) for n in space), out)
        value = self.emit(f"pr.convolution({x.name}, {kernel.name}, {stride}, 'same')", shape, "f", f, magnitude)
        if self.may_jump(value) and self.chance(2):
            self.emit(f"pr.relu({value.name})", shape, "f", value.fraction, value.magnitude)

    def pool(self) -> None:
        x = self.floats(lambda value: len(value.shape) == 4 and value.size and min(value.shape[1:3]) >= 2)
        if x is None:
            return
        stride = 1 + self.choose(2)
        shape = (x.shape[0], *((n - 2) // stride + 1 for n in x.shape[1:3]), x.shape[3])
        names = ["sum_pool", "mean_pool"] + ["max_pool"] * 2 * self.may_jump(x)
        name = self.pick(names)
        f = x.fraction if name != "mean_pool" else None
        self.emit(f"pr.{name}({x.name}, 2, {stride})", shape, "f", f, x.magnitude + 2 * (name == "sum_pool"))

    def gather(self) -> None:
        x = self.floats(lambda value: value.shape and value.size)
        if x is None:
            return
        axis = self.choose(len(x.shape))
        count = self.pick((1, 2, 6))
        rows = ", ".join(str(self.choose(x.shape[axis])) for _ in range(count))
        if self.chance(3):
            labels = f"np.array([{', '.join(str(n % x.shape[axis]) for n in range(x.shape[axis]))}], np.int32)"
            text = f"pr.scatter_add({x.name}, {labels} // 2, {x.shape[axis] // 2 + 1}, axis={axis})"
            shape = (*x.shape[:axis], x.shape[axis] // 2 + 1, *x.shape[axis + 1 :])
            self.emit(text, shape, "f", x.fraction, x.magnitude + 1)
        else:
            shape = (*x.shape[:axis], count, *x.shape[axis + 1 :])
            text = f"pr.take({x.name}, np.array([{rows}], np.int32), {axis})"
            self.emit(text, shape, "f", x.fraction, x.magnitude)

    def layer(self) -> None:
        x = self.floats(lambda value: len(value.shape) >= 2 and value.size)
        if x is None:
            return
        axis = self.choose(len(x.shape))
        name, rank = x.name, len(x.shape)
        kind = self.choose(6)
        if kind == 0:
            self.emit(f"pr.softmax({name}, {axis})", x.shape, magnitude=0)
        elif kind == 1:
            magnitude = x.magnitude + 1 + math.ceil(math.log2(x.shape[axis]))
            self.emit(f"pr.log_softmax({name}, {axis})", x.shape, magnitude=magnitude)
        elif kind == 2:
            magnitude = x.magnitude + math.ceil(math.log2(x.shape[axis]))
            shape = (*x.shape[:axis], *x.shape[axis + 1 :])
            self.emit(f"pr.logsumexp({name}, {axis})", shape, magnitude=magnitude)
        elif kind in (3, 4):  # over the last axis, or over all but the last
            axes = (rank - 1,) if kind == 3 else tuple(range(rank - 1))
            scale, shift = self.input(x.shape[-1:]), self.input(x.shape[-1:])
            centred = self.emit(f"{name} - pr.mean({name}, {axes}, keepdims=True)", x.shape, magnitude=x.magnitude + 1)
            near = f"pr.sqrt(pr.mean({centred.name} * {centred.name}, {axes}, keepdims=True) + 0.25)"
            text = f"{centred.name} / {near} * {scale.name} + {shift.name}"
            self.emit(text, x.shape, magnitude=x.magnitude + 3)
        else:
            seed = 1 + self.choose(5)
            mask = self.emit(f"pr.bernoulli(pr.key({seed}), 0.75, {x.shape})", x.shape, "b", 0, 0)
            self.emit(f"pr.where({mask.name}, {name} / 0.75, 0)", x.shape, magnitude=x.magnitude + 1)

    def write(self, count: int) -> None:
        ordinary = [
            self.smooth, self.smooth, self.exact, self.exact, self.binary, self.binary, self.binary, self.reduce,
            self.reduce, self.reduce, self.move, self.move, self.move, self.compare, self.choice, self.logic,
            self.integers, self.cast, self.join, self.product, self.product, self.convolve, self.pool, self.gather,
            self.layer, self.layer,
        ]  # fmt: skip
        for _ in range(count):
            self.pick(ordinary)()

    def source(self, name: str, arguments: list[str], results: str) -> str:
        return "\n    ".join([f"def {name}({', '.join(arguments)}):", *self.lines, f"return {results}"])


def _fits(one, other) -> bool:
    for a, b in zip(one[::-1], other[::-1], strict=False):
        if a != b and 1 not in (a, b):
            return False
    return math.prod(np.broadcast_shapes(one, other)) <= MOST


def random_program(choose) -> tuple[str, list[np.ndarray], bool]:
    """(source of `program`, its arguments, whether it gives a gradient)."""
    with_gradient = choose(2) == 1
    writer = Writer(choose, with_gradient)
    shape = writer.first_shape()
    writer.input(shape)
    for _ in range(writer.choose(3)):
        writer.input(writer.narrower(shape), writer.pick("fffib"), writer.pick((1, 3)))
    writer.write(2 + writer.choose(14))
    made = [value for value in writer.values if value not in writer.inputs] or writer.values
    outputs = [made[-1], *(writer.pick(writer.values) for _ in range(writer.choose(4)))]
    names = [value.name for value in outputs]
    arguments = [value.name for value in writer.inputs]
    if not with_gradient:
        source = writer.source("program", arguments, f"[{', '.join(names)}]")
    else:
        floats = [value for value in outputs if value.kind == "f"] or [writer.inputs[0]]
        terms = [f"pr.sum(pr.sin({v.name} + 0.5)) / {max(v.size, 1)}" for v in floats]
        wanted = tuple(n for n, value in enumerate(writer.inputs) if value.kind == "f")
        source = writer.source("loss", arguments, f"{' + '.join(terms)}, [{', '.join(names)}]")
        source += f"\nprogram = pr.value_and_grad(loss, {wanted}, has_aux=True)"
    rng = np.random.default_rng(choose(1000))
    return source, [drawn(rng, value) for value in writer.inputs], with_gradient


def drawn(rng, value: Value) -> np.ndarray:
    """Multiples of 1/4, integers, or booleans."""
    top = 2**value.magnitude
    if value.kind == "f":
        return (rng.integers(-4 * top, 4 * top + 1, value.shape) / 4).astype(np.float32)
    if value.kind == "i":
        return np.asarray(rng.integers(-top, top + 1, value.shape), np.int32)
    return np.asarray(rng.integers(0, 2, value.shape) > 0)


def run_source(source: str, dtype) -> dict:
    names = {"pr": pr, "np": np, "FLOAT": dtype}
    exec(source, names)
    return names


def widened(values):
    return map_leaves(lambda x: x.astype(np.float64) if x.dtype == np.float32 else x, values)


def assert_near(found, single, double, source: str) -> None:
    """Native numbers beside those of the reference in float64, and in float32, whose own error tells what rounding does
    to this program: another order of summation may do as much, and ours of exp and its like are a few roundings off."""
    leaves = [flatten(results)[0] for results in (found, single, double)]
    for number, (ours, theirs, exact) in enumerate(zip(*leaves, strict=True)):
        assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype), f"result {number} of\n{source}"
        if ours.dtype.kind != "f":
            assert_array_equal(ours, theirs, err_msg=f"result {number} of\n{source}")
            continue
        scale = np.max(np.abs(exact), initial=1e-3)
        tolerance = 2e-5 * scale + 50 * np.max(np.abs(theirs - exact), initial=0)
        error = np.max(np.abs(ours - exact), initial=0)
        assert error <= tolerance, f"result {number}: off by {error:.2g}, {tolerance:.2g} allowed, of\n{source}"


def check_program(choose) -> None:
    source, arguments, _ = random_program(choose)
    note(source)
    note("\n".join(f"x{n}: {each.dtype} {each.shape}" for n, each in enumerate(arguments)))
    function = run_source(source, np.float32)["program"]
    given = [each.copy() for each in arguments]
    program = pr.trace(function)(*given)
    compiled = Native(threads=1 + choose(2)).compile(program.graph)
    found = program.results.build(iter(compiled(given)))
    single = pr.jit(function, engine="reference")(*arguments)
    double = pr.jit(run_source(source, np.float64)["program"], engine="reference")(*widened(arguments))
    assert_near(found, single, double, source)
    for before, after in zip(arguments, given, strict=True):
        assert_array_equal(before, after, err_msg="an input was written to")
    for one, other in zip(flatten(found)[0], compiled(given), strict=True):
        assert_array_equal(one, other, err_msg=f"the second run differs of\n{source}")


def chooser(data):
    return lambda n: data.draw(st.integers(0, n - 1)) if n > 1 else 0


calm = {"deadline": None, "suppress_health_check": list(HealthCheck)}


@settings(max_examples=150, **calm)
@given(st.data())
def test_random_programs(data):
    check_program(chooser(data))


@settings(max_examples=50, **calm)
@given(st.data())
def test_avx2_and_avx512_come_to_the_same_bits(limited, data):
    source, arguments, _ = random_program(chooser(data))
    note(source)
    program = pr.trace(run_source(source, np.float32)["program"])(*arguments)
    found = []
    for isa in ("avx2", "avx512"):
        limited(isa)
        found.append(Native(threads=1).compile(program.graph)([each.copy() for each in arguments]))
    for one, other in zip(*found, strict=True):
        assert_array_equal(one, other, err_msg=source)


# Loops: a step whose state is passed on, swapped, replaced, or updated and read besides.


def random_step(choose) -> tuple[str, dict, bool]:
    """(source of `step`, names -> arrays of state, data and hyper, and row numbers; whether rows come by number)."""
    writer = Writer(choose, sharp=True)
    shapes = [writer.narrower(writer.first_shape()) for _ in range(1 + choose(2))]
    state = [writer.input(writer.pick(shapes), "f", 0, f"s{n}") for n in range(1 + choose(4))]
    if writer.chance(3):
        state.append(writer.input(writer.pick(shapes), "i", 3, f"s{len(state)}"))
    rows = writer.pick((1, 3, 8))
    columns = writer.pick((1, 5, 33))
    batch = [writer.input((rows, columns), "f", 0, "b0"), writer.input((rows,), "i", 1, "b1")]
    pixels = Value("b2", (rows, columns, 2), "i", 0, 8)  # pictures come as bytes
    batch.append(pixels)
    writer.emit("pr.cast(b2, FLOAT) / 256", pixels.shape)
    hyper = [writer.input((), "f", 0, "h0")]
    writer.values = [replace(value, fraction=None) if value.kind == "f" else value for value in writer.values]
    for value in state:  # what a state becomes is computed from itself more often than by chance
        if writer.chance(2):
            other = writer.partner(value)
            shape = np.broadcast_shapes(value.shape, other.shape)
            writer.emit(f"0.5 * {value.name} + 0.25 * pr.sin({other.name})", shape)
    writer.write(1 + choose(9))
    state += [value for value in writer.inputs if value not in (*state, *batch, *hyper)]  # inputs made on the way
    after = [next_value(writer, value, state) for value in state]
    kept = [writer.pick(writer.values) for _ in range(1 + choose(3))]
    if writer.chance(2):
        kept.append(after[choose(len(after))])
    if writer.chance(2):
        kept.append(state[choose(len(state))])
    kept = [value for value in kept if value.size <= 300]
    lines = [f"{value.name} = state['{value.name}']" for value in state]
    lines += [f"{value.name} = batch['{value.name}']" for value in batch]
    lines += [f"{value.name} = hyper['{value.name}']" for value in hyper]
    writer.lines = lines + writer.lines
    results = ", ".join(f"'{value.name}': {new.name}" for value, new in zip(state, after, strict=True))
    records = ", ".join(f"'r{n}': {value.name}" for n, value in enumerate(kept))
    source = writer.source("step", ["state", "batch", "hyper"], f"{{{results}}}, {{{records}}}")
    rng = np.random.default_rng(choose(1000))
    count = 40
    given = {
        "state": {value.name: drawn(rng, value) for value in state},
        "data": {value.name: drawn(rng, replace(value, shape=(count, *value.shape[1:]))) for value in batch}
        | {"b2": rng.integers(0, 256, (count, *pixels.shape[1:])).astype(np.uint8)},
        "order": rng.integers(0, count, (5, rows)),
        "hyper": {value.name: drawn(rng, replace(value, shape=(5,))) for value in hyper},
    }
    return source, given, writer.chance(2)


def next_value(writer: Writer, value: Value, state: list[Value]) -> Value:
    """What an entry of the state becomes: a value of its shape."""
    known = [*state, *writer.values]
    alike = [v for v in known if (v.shape, v.kind) == (value.shape, value.kind) and v.name[0] != "b"]
    kind = writer.choose(4)
    if kind == 0:
        return writer.pick([v for v in alike if v in state])
    new = writer.pick(alike)
    grows = new.magnitude > value.magnitude or new.name == value.name  # over many steps it would without end
    if value.kind == "f" and (kind == 1 or grows):
        found = writer.pick([v for v in known if v.kind == "f" and _spreads(v.shape, value.shape)])
        return writer.emit(f"{value.name} * 0.5 + 0.125 * pr.sin({found.name})", value.shape)
    if value.kind == "i":
        return writer.emit(f"pr.where(pr.abs({new.name}) > 5, 0, {new.name} + 1)", value.shape, "i", 0, value.magnitude)
    return new


def _spreads(one, other) -> bool:
    return len(one) <= len(other) and all(a in (1, b) for a, b in zip(one[::-1], other[::-1], strict=False))


def run_loop(engine, source: str, given: dict, dtype, in_parts: bool, by_number: bool):
    """The state and the records after all steps, in one call or in two."""
    step = run_source(source, dtype)["step"]
    widen = widened if dtype is np.float64 else lambda x: x
    state, data, hyper = widen(given["state"]), widen(given["data"]), widen(given["hyper"])
    order = given["order"]
    batch = {name: values[order[0]] for name, values in data.items()}
    program = pr.trace(step)(state, batch, {name: values[0] for name, values in hyper.items()})
    loop = engine.loop(program, data if by_number else None, len(order))
    now, records = loop.put(state), []
    for part in (slice(0, 2), slice(2, 5)) if in_parts else (slice(0, 5),):
        batches = order[part] if by_number else {name: values[order[part]] for name, values in data.items()}
        now, kept = loop(now, batches, {name: values[part] for name, values in hyper.items()})
        records.append(kept)
    joined = {name: np.concatenate([kept[name] for kept in records]) for name in records[0]}
    return loop.get(now), joined


def check_loop(choose) -> None:
    source, given, by_number = random_step(choose)
    note(source)
    note("\n".join(f"{name}: {each.dtype} {each.shape}" for name, each in given["state"].items()))
    before, native = map_leaves(np.array, given["state"]), Native(threads=1 + choose(2))
    found = run_loop(native, source, given, np.float32, False, by_number)
    single = run_loop(Reference(), source, given, np.float32, False, by_number)
    double = run_loop(Reference(), source, given, np.float64, False, by_number)
    assert_near(found, single, double, source)
    for one, other in zip(flatten(before)[0], flatten(given["state"])[0], strict=True):
        assert_array_equal(one, other, err_msg="the caller's state was written to")
    again = run_loop(native, source, given, np.float32, True, not by_number)
    for one, other in zip(flatten(found)[0], flatten(again)[0], strict=True):
        assert_array_equal(one, other, err_msg=f"two calls or rows brought along give other bits of\n{source}")


@settings(max_examples=100, **calm)
@given(st.data())
def test_random_loops(data):
    check_loop(chooser(data))
