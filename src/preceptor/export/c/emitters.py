"""What each primitive becomes in C.

An emitter takes the program, the node, and where its inputs lie; it adds statements and tells where the result lies.
What only moves numbers adds nothing: the result is another view of the same memory.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from preceptor.export.c.program import Program, View, looped, steps
from preceptor.graph import Node

__all__ = ["EMITTERS"]

Emitter = Callable[..., View]
LARGEST_INT = 2_147_483_647


# Elementwise


def _elementwise(expression: Callable[..., str]) -> Emitter:
    """`expression(program, kind, *entries)`: the result for each entry; kind is the C type of the first input."""

    def emit(program: Program, node: Node, *inputs: View) -> View:
        kind = inputs[0].kind
        return program.each(
            program.new(node.spec), inputs, lambda out, *each: f"{out} = {expression(program, kind, *each)};"
        )

    return emit


def _infix(sign: str) -> Emitter:
    return _elementwise(lambda program, kind, x, y: f"{x} {sign} {y}")


def _called(name: str) -> Emitter:
    """A function of math.h."""
    return _elementwise(lambda program, kind, *each: f"{_math(name, kind)}({', '.join(each)})")


def _math(name: str, kind: str) -> str:
    return f"{name}f" if kind == "float" else name


def _helped(name: str, arguments: str, body: str) -> Emitter:
    """A function of the file's own: T is the type, F ends the names of functions of math.h."""

    def expression(program: Program, kind: str, *each: str) -> str:
        return f"{_own(program, name, kind, arguments, body)}({', '.join(each)})"

    return _elementwise(expression)


def _own(program: Program, name: str, kind: str, arguments: str, body: str) -> str:
    text = f"static T NAME({arguments}) {{ {body} }}".replace("FN", "f" if kind == "float" else "")
    text = re.sub(r"\bT\b", kind, text)
    return program.helper(name if kind == "float" else f"{name}_{kind.replace(' ', '_')}", text)


def _maximum(program: Program, kind: str, x: str, y: str) -> str:
    is_float = kind in ("float", "double")
    body = "return isnan(x) || x > y ? x : y;" if is_float else "return x > y ? x : y;"
    return f"{_own(program, 'larger', kind, 'T x, T y', body)}({x}, {y})"


def _absolute(program: Program, kind: str, x: str) -> str:
    return f"{_math('fabs', kind)}({x})" if kind in ("float", "double") else f"({x} < 0 ? -{x} : {x})"


def _integer_power(program: Program, node: Node, x: View) -> View:
    """By repeated squaring, the same products as everywhere."""
    body = (
        "T out = 1; for (int left = n < 0 ? -n : n; left; left /= 2) { if (left % 2) out *= x; x *= x; } "
        "return n < 0 ? 1 / out : out;"
    )
    power = _own(program, "whole_power", x.kind, "T x, int n", body)
    exponent = node.params["exponent"]
    return program.each(program.new(node.spec), [x], lambda out, each: f"{out} = {power}({each}, {exponent});")


def _cast(program: Program, node: Node, x: View) -> View:
    out = program.new(node.spec)
    if node.spec.dtype == bool:
        return program.each(out, [x], lambda o, each: f"{o} = {each} != 0;")
    if x.kind in ("float", "double") and out.kind not in ("float", "double"):  # beyond its range C promises nothing
        body = (
            f"return isnan(x) ? 0 : x >= {LARGEST_INT}.0 ? {LARGEST_INT} : x <= -{LARGEST_INT}.0 ? -{LARGEST_INT} : "
            "(int)x;"
        )
        whole = program.helper("whole", f"static int NAME(double x) {{ {body} }}")
        return program.each(out, [x], lambda o, each: f"{o} = ({out.kind}){whole}({each});")
    return program.each(out, [x], lambda o, each: f"{o} = ({out.kind}){each};")


# What moves numbers


def _reshape(program: Program, node: Node, x: View) -> View:
    return replace(program.copied(x), shape=node.spec.shape, strides=_strides(x, node.spec.shape))


def _strides(x: View, shape: Sequence[int]) -> tuple[int, ...]:
    return (0,) * len(shape) if x.is_literal else steps(shape)


def _transpose(program: Program, node: Node, x: View) -> View:
    axes = node.params["axes"]
    return replace(x, shape=node.spec.shape, strides=tuple(x.strides[axis] for axis in axes))


def _broadcast(program: Program, node: Node, x: View) -> View:
    shape = node.spec.shape
    added = len(shape) - len(x.shape)
    strides = (
        0 if own == 1 and n != 1 else step for own, n, step in zip(x.shape, shape[added:], x.strides, strict=True)
    )
    return replace(x, shape=shape, strides=(*(0,) * added, *strides))


def _slice(program: Program, node: Node, x: View) -> View:
    slices = node.params["slices"]
    offset = x.offset + sum(start * step for (start, _, _), step in zip(slices, x.strides, strict=True))
    strides = tuple(by * step for (_, _, by), step in zip(slices, x.strides, strict=True))
    return replace(x, shape=node.spec.shape, strides=strides, offset=offset)


def _part(out: View, slices: Sequence[tuple[int, int | None, int]], shape: Sequence[int]) -> View:
    """A slice of what is written."""
    offset = out.offset + sum(start * step for (start, _, _), step in zip(slices, out.strides, strict=True))
    strides = tuple(by * step for (_, _, by), step in zip(slices, out.strides, strict=True))
    return replace(out, shape=tuple(shape), strides=strides, offset=offset)


def _unslice(program: Program, node: Node, x: View) -> View:
    out = program.new(node.spec)
    program.each(out, [], lambda o: f"{o} = 0;")
    program.each(_part(out, node.params["slices"], x.shape), [x], lambda o, each: f"{o} = {each};")
    return out


def _concatenate(program: Program, node: Node, *inputs: View) -> View:
    out, axis, start = program.new(node.spec), node.params["axis"], 0
    for x in inputs:
        slices = [(start, None, 1) if place == axis else (0, None, 1) for place in range(len(out.shape))]
        program.each(_part(out, slices, x.shape), [x], lambda o, each: f"{o} = {each};")
        start += x.shape[axis]
    return out


# Reductions


def _reduced(node: Node, x: View) -> tuple[list[int], list[int]]:
    axes = node.params["axes"]
    return [axis for axis in range(len(x.shape)) if axis not in axes], list(axes)


def _sum(program: Program, node: Node, x: View) -> View:
    return _reduce(program, node, x, "0", lambda each: f"sum += {each};", "sum")


def _max(program: Program, node: Node, x: View) -> View:
    larger = lambda each: f"most = {_maximum(program, x.kind, 'most', each)};"
    return _reduce(program, node, x, "", larger, "most")


def _reduce(program: Program, node: Node, x: View, begin: str, step: Callable[[str], str], name: str) -> View:
    """Loops over the axes that stay, and within them over those that go; it begins with the first entry where no
    number is given."""
    kept, gone = _reduced(node, x)
    out = program.new(node.spec)

    def outer(places: list[str]) -> list[str]:
        def entry(inside: Sequence[str]) -> str:
            own = dict(zip(kept, places, strict=True)) | dict(zip(gone, inside, strict=True))
            return x.at([own[axis] for axis in range(len(x.shape))])

        first = begin or entry(["0"] * len(gone))
        inner = looped([x.shape[axis] for axis in gone], lambda inside: [step(entry(inside))], "j")
        return [f"{out.kind} {name} = {first};", *inner, f"{out.at(places)} = {name};"]

    program.add(_block(looped(out.shape, outer)))
    return out


def _block(lines: list[str]) -> list[str]:
    """Lines whose variables are seen by none outside."""
    return lines if lines[0].startswith("for") else ["{", *(f"    {line}" for line in lines), "}"]


def _argmax(program: Program, node: Node, x: View) -> View:
    axis, out = node.params["axis"], program.new(node.spec)

    def outer(places: list[str]) -> list[str]:
        entry, most = (x.at([*places[:axis], at, *places[axis:]]) for at in ("j", "most"))
        better = f"if ({entry} > {most}) most = j;"
        return [
            "int most = 0;",
            f"for (int j = 1; j < {x.shape[axis]}; ++j) {better}",
            f"{out.at(places)} = most;",
        ]

    program.add(_block(looped(out.shape, outer)))
    return out


# Products


def _matmul(program: Program, node: Node, x: View, y: View) -> View:
    out = program.new(node.spec)
    *lead, _, width = out.shape

    def row(places: list[str]) -> list[str]:
        clear = looped([width], lambda j: [f"{out.at([*places, *j])} = 0;"], "j")

        def term(k: list[str]) -> list[str]:
            add = looped([width], lambda j: [f"{out.at([*places, *j])} += v * {y.at([*places[:-1], *k, *j])};"], "j")
            return [f"const {out.kind} v = {x.at([*places, *k])};", *add]

        return [*clear, *looped([x.shape[-1]], term, "k")]

    program.add(_block(looped([*lead, out.shape[-2]], row)))
    return out


def _convolution(program: Program, node: Node, x: View, kernel: View) -> View:
    out = program.new(node.spec)
    return _slid(program, node, kernel, out, out.shape[1:-1], lambda o, i: (o, i), x, x.shape[1:-1])


def _convolution_input(program: Program, node: Node, g: View, kernel: View) -> View:
    out = program.new(node.spec)
    return _slid(program, node, kernel, out, g.shape[1:-1], lambda o, i: (i, o), g, node.params["lengths"])


def _slid(
    program: Program,
    node: Node,
    kernel: View,
    out: View,
    counts: Sequence[int],
    places_of: Callable[[list[str], list[str]], tuple[list[str], list[str]]],
    x: View,
    lengths: Sequence[int],
) -> View:
    """A convolution, or its adjoint in the input: each window, each of its positions that lies inside, each pair of
    channels.

    Args:
        counts: windows along each axis; `lengths`: places along each axis of what windows slide over.
        places_of: (places of windows, places within) -> (places of the result, places of `x`).
    """
    windows, groups = node.params["windows"], node.params["groups"]
    is_adjoint = node.primitive.name == "convolution_input"
    inward, outward = kernel.shape[-2], kernel.shape[-1] // groups  # channels of a group
    program.each(out, [], lambda o: f"{o} = 0;")

    def position(window: list[str]) -> Callable[[list[str]], list[str]]:
        def body(offset: list[str]) -> list[str]:
            inside = [f"p{axis}" for axis in range(len(lengths))]
            lines = []
            for axis, name in enumerate(inside):
                before = windows.padding[axis][0]
                place = f"{_times(window[axis], windows.stride[axis])} + {_times(offset[axis], windows.dilation[axis])}"
                lines.append(f"const int {name} = {place}{f' - {before}' if before else ''};")
                if any(windows.padding[axis]):
                    lines.append(f"if ({name} < 0 || {name} >= {lengths[axis]}) continue;")
            return [*lines, *channels(window, inside, offset)]

        return body

    def channels(window: list[str], inside: list[str], offset: list[str]) -> list[str]:
        ours, theirs = places_of(window, inside)
        read, written = (outward, inward) if is_adjoint else (inward, outward)

        def entry(place: list[str]) -> list[str]:
            group, given = place
            value = x.at(["0", *theirs, _of_group(group, given, read)])

            def add(made: list[str]) -> list[str]:
                to, (first, second) = made[0], (made[0], given) if is_adjoint else (given, made[0])
                weight = kernel.at([*offset, first, _of_group(group, second, outward)])
                return [f"{out.at(['0', *ours, _of_group(group, to, written)])} += v * {weight};"]

            return [f"const {out.kind} v = {value};", *looped([written], add, "w")]

        return looped([groups, read], entry, "c")

    def window(places: list[str]) -> list[str]:
        body = position(places)
        # `continue` needs a loop around each position, also where the kernel has one place
        names = [f"k{axis}" for axis in range(len(windows.size))]
        lines = body(names)
        for name, n in reversed(list(zip(names, windows.size, strict=True))):
            lines = [f"for (int {name} = 0; {name} < {n}; ++{name}) {{", *(f"    {line}" for line in lines), "}"]
        return lines

    program.add(_block(looped(counts, window, "o")))
    return out


def _times(place: str, factor: int) -> str:
    return place if factor == 1 or place == "0" else f"{factor} * {place}"


def _of_group(group: str, channel: str, channels: int) -> str:
    if group == "0":
        return channel
    return group if channels == 1 else f"({channels} * {group} + {channel})"


# Windows


def _window_sum(program: Program, node: Node, x: View) -> View:
    return _window(program, node, x, "0", lambda each: f"sum += {each};", "sum")


def _window_max(program: Program, node: Node, x: View) -> View:
    lowest = "-INFINITY" if x.kind in ("float", "double") else f"-{LARGEST_INT} - 1"
    return _window(program, node, x, lowest, lambda each: f"most = {_maximum(program, x.kind, 'most', each)};", "most")


def _window(program: Program, node: Node, x: View, begin: str, step: Callable[[str], str], name: str) -> View:
    windows, out = node.params["windows"], program.new(node.spec)
    slides = [axis for axis, n in enumerate(windows.size) if n > 1]

    def outer(places: list[str]) -> list[str]:
        inside = [_times(place, stride) for place, stride in zip(places, windows.stride, strict=True)]
        lines = []
        for axis in slides:
            before = windows.padding[axis][0]
            place = f"{inside[axis]} + {_times(f'k{axis}', windows.dilation[axis])}"
            lines.append(f"const int p{axis} = {place}{f' - {before}' if before else ''};")
            if any(windows.padding[axis]):
                lines.append(f"if (p{axis} < 0 || p{axis} >= {x.shape[axis]}) continue;")
            inside[axis] = f"p{axis}"
        lines.append(step(x.at(inside)))
        for axis in reversed(slides):
            head = f"for (int k{axis} = 0; k{axis} < {windows.size[axis]}; ++k{axis}) {{"
            lines = [head, *(f"    {line}" for line in lines), "}"]
        return [f"{out.kind} {name} = {begin};", *lines, f"{out.at(places)} = {name};"]

    program.add(_block(looped(out.shape, outer, "o")))
    return out


# Positions


def _place(program: Program) -> str:
    """A position of an axis, counted from its end below 0; beyond either end the last there, so that nothing outside
    is ever read."""
    body = "if (i < 0) i += n; return (int)(i < 0 ? 0 : i >= n ? n - 1 : i);"
    return program.helper("place", f"static int NAME(long long i, int n) {{ {body} }}")


def _take(program: Program, node: Node, x: View, indices: View) -> View:
    axis, out, place = node.params["axis"], program.new(node.spec), _place(program)
    ranks = len(indices.shape)

    def body(places: list[str]) -> list[str]:
        at = f"const int at = {place}({indices.at(places[axis : axis + ranks])}, {x.shape[axis]});"
        return [at, f"{out.at(places)} = {x.at([*places[:axis], 'at', *places[axis + ranks :]])};"]

    program.add(_block(looped(out.shape, body)))
    return out


def _scatter_add(program: Program, node: Node, x: View, indices: View) -> View:
    axis, out, place = node.params["axis"], program.new(node.spec), _place(program)
    ranks, length = len(indices.shape), node.params["length"]
    program.each(out, [], lambda o: f"{o} = 0;")

    def body(places: list[str]) -> list[str]:
        at = f"const int at = {place}({indices.at(places[axis : axis + ranks])}, {length});"
        return [at, f"{out.at([*places[:axis], 'at', *places[axis + ranks :]])} += {x.at(places)};"]

    program.add(_block(looped(x.shape, body)))
    return out


def _gather_sum(program: Program, node: Node, x: View, indices: View, weights: View) -> View:
    out, place = program.new(node.spec), _place(program)
    program.each(out, [], lambda o: f"{o} = 0;")

    def body(places: list[str]) -> list[str]:
        at = f"const int at = {place}({indices.at(places)}, {x.shape[0]});"
        add = looped(
            [x.shape[1]],
            lambda unit: [f"{out.at([places[0], *unit])} += {weights.at(places)} * {x.at(['at', *unit])};"],
            "j",
        )
        return [at, *add]

    program.add(_block(looped(indices.shape, body)))
    return out


SIGMOID = "const T e = expFN(-fabsFN(x)); return x >= 0 ? 1 / (1 + e) : e / (1 + e);"
SOFTPLUS = "return (x > 0 ? x : 0) + log1pFN(expFN(-fabsFN(x)));"

EMITTERS: dict[str, Emitter] = {
    "abs": _elementwise(_absolute),
    "add": _infix("+"),
    "and": _infix("&"),
    "argmax": _argmax,
    "broadcast": _broadcast,
    "cast": _cast,
    "concatenate": _concatenate,
    "convolution": _convolution,
    "convolution_input": _convolution_input,
    "cos": _called("cos"),
    "divide": _infix("/"),
    "equal": _infix("=="),
    "erf": _called("erf"),
    "exp": _called("exp"),
    "expm1": _called("expm1"),
    "gather_sum": _gather_sum,
    "integer_power": _integer_power,
    "less": _infix("<"),
    "less_equal": _infix("<="),
    "log": _called("log"),
    "log1p": _called("log1p"),
    "matmul": _matmul,
    "max": _max,
    "maximum": _elementwise(_maximum),
    "multiply": _infix("*"),
    "negative": _elementwise(lambda program, kind, x: f"-{x}" if not x.startswith("-") else f"-({x})"),
    "not": _elementwise(lambda program, kind, x: f"!{x}"),
    "or": _infix("|"),
    "power": _called("pow"),
    "reshape": _reshape,
    "relu": _elementwise(lambda program, kind, x: f"{x} <= 0 ? 0 : {x}"),
    "scatter_add": _scatter_add,
    "sigmoid": _helped("sigmoid", "T x", SIGMOID),
    "sign": _elementwise(lambda program, kind, x: f"{x} > 0 ? 1 : {x} < 0 ? -1 : {x}"),
    "sin": _called("sin"),
    "slice": _slice,
    "softplus": _helped("softplus", "T x", SOFTPLUS),
    "sqrt": _called("sqrt"),
    "stop_gradient": lambda program, node, x: x,
    "subtract": _infix("-"),
    "sum": _sum,
    "take": _take,
    "tanh": _called("tanh"),
    "threshold": _elementwise(lambda program, kind, x: f"{x} == {x} ? {x} >= 0 : {x}"),
    "transpose": _transpose,
    "unslice": _unslice,
    "where": _elementwise(lambda program, kind, condition, x, y: f"{condition} ? {x} : {y}"),
    "window_max": _window_max,
    "window_sum": _window_sum,
}
