"""A graph read as mathematics: its nodes become formulas, lightly simplified, and formulas become text.

The simplification is what a careful hand does on paper: nothing times 0, no factor 1, equal factors and terms
collected, minus signs drawn together. Brackets are never multiplied out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from preceptor.graph import CONSTANT, Graph, Node
from preceptor.ops import Primitive, elementwise

ELEMENTWISE = frozenset(each.name for each in vars(elementwise).values() if isinstance(each, Primitive))

Coefficient = Fraction | float  # whole numbers and their ratios are kept exact


@dataclass(frozen=True)
class Number:
    value: Coefficient


@dataclass(frozen=True)
class Name:
    """Something that is written as it is."""

    text: str


@dataclass(frozen=True)
class Apply:
    """function(arguments)."""

    function: str
    arguments: tuple["Formula", ...]


@dataclass(frozen=True)
class Infix:
    """left operator right: products of matrices, powers with a variable exponent, comparisons."""

    operator: str
    left: "Formula"
    right: "Formula"


@dataclass(frozen=True)
class Suffix:
    """A base with something attached: x[0], W.T."""

    base: "Formula"
    mark: str


@dataclass(frozen=True)
class Sum:
    """coefficient * term + ..., where the term of the plain number is ONE."""

    terms: tuple[tuple[Coefficient, "Formula"], ...]


@dataclass(frozen=True)
class Product:
    """coefficient * factor ** power * ..."""

    coefficient: Coefficient
    factors: tuple[tuple["Formula", Coefficient], ...]


Formula = Number | Name | Apply | Infix | Suffix | Sum | Product


def number(value: Any) -> Number:
    value = float(value)
    return Number(Fraction(int(value)) if value.is_integer() and abs(value) < 2**53 else value)


ZERO, ONE = number(0), number(1)


def add(*terms: Formula) -> Formula:
    """The sum, with equal terms collected."""
    known: dict[Formula, Coefficient] = {}
    for term in terms:
        for coefficient, body in term.terms if isinstance(term, Sum) else (_split(term),):
            known[body] = known.get(body, Fraction(0)) + coefficient
    left = [(coefficient, body) for body, coefficient in known.items() if coefficient != 0]
    if not left:
        return ZERO
    return multiply(Number(left[0][0]), left[0][1]) if len(left) == 1 else Sum(tuple(left))


def multiply(*factors: Formula) -> Formula:
    """The product, with numbers and equal factors collected."""
    coefficient: Coefficient = Fraction(1)
    powers: dict[Formula, Coefficient] = {}
    for factor in factors:
        if isinstance(factor, Number):
            coefficient *= factor.value
            continue
        parts: tuple[tuple[Formula, Coefficient], ...] = ((factor, Fraction(1)),)
        if isinstance(factor, Product):
            coefficient, parts = coefficient * factor.coefficient, factor.factors
        for base, exponent in parts:
            powers[base] = powers.get(base, Fraction(0)) + exponent
    if isinstance(coefficient, float) and coefficient.is_integer():
        coefficient = number(coefficient).value
    left = tuple((base, exponent) for base, exponent in powers.items() if exponent != 0)
    if coefficient == 0 or not left:
        return Number(coefficient)
    if len(left) == 1 and left[0][1] == 1:
        only = left[0][0]
        if coefficient == 1:
            return only
        if coefficient == -1 and isinstance(only, Sum):
            return Sum(tuple((-each, body) for each, body in only.terms))
    return Product(coefficient, left)


def raised(base: Formula, exponent: Coefficient) -> Formula:
    """base to the power of a number."""
    if isinstance(base, Number):
        with np.errstate(all="ignore"):
            return number(np.float64(float(base.value)) ** float(exponent)) if base != ONE else ONE
    whole = isinstance(exponent, Fraction) and exponent.denominator == 1
    if isinstance(base, Product) and whole:
        scale = raised(Number(base.coefficient), exponent)
        return multiply(scale, *(multiply(Product(Fraction(1), ((b, e * exponent),))) for b, e in base.factors))
    return multiply(Product(Fraction(1), ((base, exponent),)))


def divide(top: Formula, bottom: Formula) -> Formula:
    if isinstance(bottom, Number) and isinstance(bottom.value, Fraction) and bottom.value != 0:
        return multiply(top, Number(1 / bottom.value))
    return multiply(top, raised(bottom, Fraction(-1)))


def _split(term: Formula) -> tuple[Coefficient, Formula]:
    if isinstance(term, Number):
        return term.value, ONE
    if isinstance(term, Product):
        return term.coefficient, multiply(Product(Fraction(1), term.factors))
    return Fraction(1), term


# Formula -> text. Each form binds at a level; brackets stand where a looser one is read inside a tighter one.

LOOSE, SUM, PRODUCT, POWER, ATOM = range(5)
INFIX_LEVELS = {"^": (ATOM, POWER), "@": (POWER, PRODUCT)}  # of the two sides, and of the whole
SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def text(formula: Formula, level: int = LOOSE) -> str:
    """The formula as one line, in brackets where it binds looser than `level`."""
    words, own = _text(formula)
    return words if own >= level else f"({words})"


def digits(value: Coefficient) -> str:
    """A number as short as six digits allow."""
    return f"{float(value):.6g}"


def _text(formula: Formula) -> tuple[str, int]:
    if isinstance(formula, Number):
        words = _ratio("", formula.value)
        return words, SUM if formula.value < 0 else PRODUCT if "/" in words else ATOM
    if isinstance(formula, Name):
        return formula.text, ATOM
    if isinstance(formula, Apply):
        return f"{formula.function}({', '.join(text(each) for each in formula.arguments)})", ATOM
    if isinstance(formula, Suffix):
        return text(formula.base, ATOM) + formula.mark, ATOM
    if isinstance(formula, Infix):
        side, own = INFIX_LEVELS.get(formula.operator, (SUM, LOOSE))
        operator = formula.operator if formula.operator == "^" else f" {formula.operator} "
        return text(formula.left, side) + operator + text(formula.right, side), own
    if isinstance(formula, Sum):
        return _sum_text(formula), SUM
    above = "·".join(_power(base, exponent) for base, exponent in formula.factors if exponent > 0)
    below = [_power(base, -exponent) for base, exponent in formula.factors if exponent < 0]
    words = _ratio(above, formula.coefficient, *below)
    is_power = len(formula.factors) == 1 and formula.coefficient == 1 and not below
    return words, SUM if formula.coefficient < 0 else POWER if is_power else PRODUCT


def _sum_text(formula: Sum) -> str:
    terms = list(formula.terms)
    if terms[0][0] < 0:  # rather b - a than -a + b
        terms.sort(key=lambda term: term[0] < 0)
    words = ""
    for coefficient, body in terms:
        sign = " - " if coefficient < 0 else " + "
        words += (sign if words else sign.strip(" +")) + text(multiply(Number(_size(coefficient)), body), PRODUCT)
    return words


def _ratio(above: str, coefficient: Coefficient, *below: str) -> str:
    top, bottom = _size(coefficient), Fraction(1)
    if isinstance(top, Fraction):
        top, bottom = Fraction(top.numerator), Fraction(top.denominator)
    if top != 1 or not above:
        above = digits(top) + ("·" + above if above else "")
    divisors = [each for each in (digits(bottom) if bottom != 1 else "", *below) if each]
    under = f"({'·'.join(divisors)})" if len(divisors) > 1 else "".join(divisors)
    return ("-" if coefficient < 0 else "") + above + (f" / {under}" if under else "")


def _size(coefficient: Coefficient) -> Coefficient:
    return -coefficient if coefficient < 0 else coefficient


def _power(base: Formula, exponent: Coefficient) -> str:
    if exponent == 1:
        return text(base, POWER)
    if isinstance(exponent, Fraction) and exponent.denominator == 1:
        return text(base, ATOM) + str(exponent.numerator).translate(SUPERSCRIPTS)
    return f"{text(base, ATOM)}^{digits(exponent)}"


# Graph -> formulas


def read(graph: Graph, known: dict[int, Formula], constant: Callable[[Any], str]) -> list[Formula]:
    """The formula of every node, in order.

    Args:
        known: formulas that are given, by the index of the node: the names of the inputs at least.
        constant: the name of a constant array.
    """
    formulas: list[Formula] = []
    for node in graph.nodes:
        if node.index in known:
            formula = known[node.index]
        elif node.primitive is CONSTANT:
            value = node.params["value"]
            formula = number(value) if value.ndim == 0 else Name(constant(value))
        else:
            formula = _read_node(node, [formulas[each.index] for each in node.inputs])
        formulas.append(formula)
    return formulas


def _read_node(node: Node, arguments: list[Formula]) -> Formula:
    name = node.primitive.name
    if name in ELEMENTWISE and all(isinstance(each, Number) for each in arguments):
        values = [float(each.value) for each in arguments if isinstance(each, Number)]
        with np.errstate(all="ignore"):
            return number(
                node.primitive.run(np, *map(np.asarray, values), **node.params) if name != "where" else _pick(values)
            )
    if name in RULES:
        return RULES[name](node, arguments)
    settings = [Name(f"{key}={value}") for key, value in node.params.items()]
    return Apply(name, (*arguments, *settings))


def _pick(values: Sequence[float]) -> float:
    return values[1] if values[0] else values[2]


def _multiply(node: Node, arguments: list[Formula]) -> Formula:
    x, y = (each.inputs[0] if each.primitive.name == "broadcast" else each for each in node.inputs)
    is_outer = x.ndim == y.ndim == 2 and x.shape[1] == y.shape[0] == 1 and min(x.shape[0], y.shape[1]) > 1
    if is_outer and not any(isinstance(each, Number) for each in arguments):
        return Apply("outer", tuple(arguments))
    return multiply(*arguments)


def _integer_power(node: Node, arguments: list[Formula]) -> Formula:
    return raised(arguments[0], Fraction(node.params["exponent"]))


def _raise(node: Node, arguments: list[Formula]) -> Formula:
    base, exponent = arguments
    return raised(base, exponent.value) if isinstance(exponent, Number) else Infix("^", base, exponent)


def _where(node: Node, arguments: list[Formula]) -> Formula:
    condition, x, y = arguments
    if isinstance(condition, Number):
        return x if condition.value else y
    if x == y:
        return x
    if isinstance(condition, Infix) and condition.operator in ("<", "<="):
        low, high = condition.left, condition.right
        if {x, y} == {low, high} and Number in (type(x), type(y)):
            return _extreme("max" if x == high else "min", low, high)
        if low == ZERO and x == high and _slope(y, x) is not None:
            return _extreme("max", y, x)  # a leaky ReLU
        if low == Apply("abs", (x,)) and high == number(np.inf):
            return x  # what stands in for infinite numbers is no mathematics
        if x == ONE and low == ZERO and y == Apply("where", (Infix("<", high, low), number(-1), ZERO)):
            return Apply("sign", (high,))
        if condition.operator == "<=" and x == ZERO:  # what passes first, as in a lecture
            return Apply("where", (Infix("<", high, low), y, x))
    return Apply("where", (condition, x, y))


def _extreme(function: str, *arguments: Formula) -> Formula:
    """max or min, a number first."""
    return Apply(function, tuple(sorted(arguments, key=lambda each: not isinstance(each, Number))))


def _slope(y: Formula, x: Formula) -> Coefficient | None:
    """c where y is c·x with c between 0 and 1."""
    if isinstance(y, Product) and y.factors == ((x, 1),) and 0 <= y.coefficient <= 1:
        return y.coefficient
    return None


def _negative(node: Node, arguments: list[Formula]) -> Formula:
    inner = arguments[0]
    if isinstance(inner, Apply) and inner.function == "max" and all(map(_is_negative, inner.arguments)):
        return Apply("min", tuple(multiply(number(-1), each) for each in inner.arguments))
    return multiply(number(-1), inner)


def _is_negative(formula: Formula) -> bool:
    """Whether a minus sign stands before it; 0 may have one."""
    return _split(formula)[0] < 0 or formula == ZERO


def _compare(operator: str) -> Callable[[Node, list[Formula]], Formula]:
    def read_comparison(node: Node, arguments: list[Formula]) -> Formula:
        left, right = arguments
        if _is_negative(left) and _is_negative(right) and left != right:
            left, right = (multiply(number(-1), each) for each in (left, right))
            left, right = (left, right) if operator == "==" else (right, left)
        return Infix(operator, left, right)

    return read_comparison


def _stop_gradient(node: Node, arguments: list[Formula]) -> Formula:
    """The largest of all, which only keeps exponentials from overflowing, is written without what keeps it out of the
    derivative."""
    inner = arguments[0]
    return inner if isinstance(inner, Apply) and inner.function == "max" else Apply("stop_gradient", (inner,))


def _matmul(node: Node, arguments: list[Formula]) -> Formula:
    x, y = node.inputs
    left, right = arguments
    if x.shape[-1] == 1 and (x.size == 1 or y.size == 1):
        return multiply(left, right)
    if x.ndim == 2 and x.shape[-1] == 1:  # a column times a row
        return Apply("outer", (left, right))
    return Infix("@", left, right)


def _reduction(node: Node, arguments: list[Formula]) -> Formula:
    (x,), axes = node.inputs, node.params["axes"]
    if x.size == node.size:
        return arguments[0]
    if node.primitive.name == "sum" and isinstance(arguments[0], Number):
        return multiply(arguments[0], number(x.size // max(node.size, 1)))
    if len(axes) == x.ndim:
        return Apply(node.primitive.name, (arguments[0],))
    return Apply(node.primitive.name, (arguments[0], Name(f"axis={axes[0] if len(axes) == 1 else axes}")))


def _long_axes(shape: tuple[int, ...]) -> list[int]:
    return [n for n in shape if n != 1]


def _reshape(node: Node, arguments: list[Formula]) -> Formula:
    (x,) = node.inputs
    if isinstance(arguments[0], Number) or _long_axes(x.shape) == _long_axes(node.shape):
        return arguments[0]
    return Apply("reshape", (arguments[0], Name("×".join(map(str, node.shape)))))


def _transpose(node: Node, arguments: list[Formula]) -> Formula:
    (x,), axes = node.inputs, node.params["axes"]
    base = arguments[0]
    if isinstance(base, Number) or len(_long_axes(x.shape)) < 2:
        return base
    if isinstance(base, Suffix) and base.mark == ".T":
        return base.base
    swapped = axes == (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2)
    return Suffix(base, ".T") if swapped else Apply("transpose", (base, Name(str(axes))))


def _slices(slices: tuple, shape: tuple[int, ...]) -> str:
    words = []
    for (start, stop, step), n in zip(slices, shape, strict=True):
        whole = (start, stop, step) == (0, n, 1)
        single = stop == start + 1 and step == 1 if stop is not None else False
        ends = f"{start or ''}:{'' if stop in (None, n) else stop}{f':{step}' if step != 1 else ''}"
        words.append(":" if whole and n > 1 else str(start) if single else ends)
    return f"[{', '.join(words)}]"


def _slice(node: Node, arguments: list[Formula]) -> Formula:
    return Suffix(arguments[0], _slices(node.params["slices"], node.inputs[0].shape))


def _unslice(node: Node, arguments: list[Formula]) -> Formula:
    return Infix("at", arguments[0], Name(_slices(node.params["slices"], node.shape)))


def _infix(operator: str) -> Callable[[Node, list[Formula]], Formula]:
    return lambda node, arguments: Infix(operator, *arguments)


RULES: dict[str, Callable[[Node, list[Formula]], Formula]] = {
    "add": lambda node, a: add(*a),
    "subtract": lambda node, a: add(a[0], multiply(number(-1), a[1])),
    "multiply": _multiply,
    "divide": lambda node, a: divide(*a),
    "negative": _negative,
    "integer_power": _integer_power,
    "power": _raise,
    "maximum": lambda node, a: Apply("max", tuple(a)),
    "relu": lambda node, a: Apply("max", (ZERO, *a)),
    "where": _where,
    "equal": _compare("=="),
    "less": _compare("<"),
    "less_equal": _compare("<="),
    "stop_gradient": _stop_gradient,
    "and": _infix("and"),
    "or": _infix("or"),
    "matmul": _matmul,
    "sum": _reduction,
    "max": _reduction,
    "broadcast": lambda node, a: a[0],
    "cast": lambda node, a: a[0],
    "reshape": _reshape,
    "transpose": _transpose,
    "slice": _slice,
    "unslice": _unslice,
    "take": lambda node, a: Suffix(a[0], f"[{text(a[1])}]"),
}
