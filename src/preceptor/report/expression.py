"""A formula that somebody typed, explained: read as a tree of a few known forms, never run as Python."""

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from preceptor import ops
from preceptor.errors import ConfigError
from preceptor.report.explanation import Explanation, explain

LONGEST = 1000  # characters; longer ones are no formulas that anybody typed

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": ops.abs,
    "cos": ops.cos,
    "erf": ops.erf,
    "exp": ops.exp,
    "expm1": ops.expm1,
    "log": ops.log,
    "log1p": ops.log1p,
    "log_sigmoid": ops.log_sigmoid,
    "maximum": ops.maximum,
    "minimum": ops.minimum,
    "power": ops.power,
    "relu": ops.relu,
    "sigmoid": ops.sigmoid,
    "sin": ops.sin,
    "softplus": ops.softplus,
    "sqrt": ops.sqrt,
    "square": ops.square,
    "tanh": ops.tanh,
}
PAIRS = {"maximum", "minimum", "power"}
OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}


def expression(text: str, values: Mapping[str, float]) -> Explanation:
    """Explains a formula such as "cos(sin(x**2) + 3*x**2)" at given values of its variables.

    Args:
        text: numbers, variables, + - * / **, brackets, and the functions of preceptor that take and return one number
            for each element.
        values: a number for each variable.

    Raises: ConfigError, with the column counted from the first character that is no space, for everything else.
    """
    if len(text) > LONGEST:
        raise ConfigError(f"formula: it has {len(text)} characters; at most {LONGEST} are read.")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise ConfigError(
            f"formula, column {error.offset or 1}: {error.msg}; a formula like 3*x**2 is required."
        ) from None
    except (ValueError, MemoryError, RecursionError):
        raise ConfigError("formula: it cannot be read; a formula like 3*x**2 is required.") from None
    numbers = {name: float(value) for name, value in values.items()}
    try:
        with np.errstate(all="ignore"):
            return explain(lambda known: _value(tree, known), numbers)
    except RecursionError:
        raise ConfigError("formula: brackets are nested too deeply. Split it.") from None


def _value(node: ast.expr, known: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
        return _constant(node, node.value)
    if isinstance(node, ast.Name):
        if node.id not in known:
            hint = f"write {node.id}(...)" if node.id in FUNCTIONS else f"give it one, as in {node.id}=2"
            raise _refusal(node, f"{node.id} has no value; {hint}")
        return known[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand, known)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.UAdd):
        return _value(node.operand, known)
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        left = _value(node.left, known)
        if isinstance(node.op, ast.Pow) and (exponent := _whole(node.right)) is not None:
            return left**exponent
        return OPERATORS[type(node.op)](left, _value(node.right, known))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitXor):
        raise _refusal(node.right, "^ is not known; powers are written with **, as in x**2")
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return _call(node, node.func.id, known)
    raise _refusal(node, "this form is not known; use numbers, variables, + - * / ** and functions")


def _call(node: ast.Call, name: str, known: Mapping[str, Any]) -> Any:
    if name not in FUNCTIONS:
        raise _refusal(node, f"the function {name} is not known; known are {', '.join(FUNCTIONS)}")
    count = 2 if name in PAIRS else 1
    if node.keywords or len(node.args) != count:
        raise _refusal(node, f"{name} received {len(node.args) + len(node.keywords)} arguments; it takes {count}")
    return FUNCTIONS[name](*(_value(each, known) for each in node.args))


def _constant(node: ast.expr, value: float) -> np.float64:
    try:
        return np.float64(value)
    except OverflowError:
        raise _refusal(node, "the number is too large") from None


def _whole(node: ast.expr) -> int | None:
    """A whole exponent as a Python integer, which is raised by repeated multiplication and so allows negative bases."""
    sign = 1
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node, sign = node.operand, -1
    if isinstance(node, ast.Constant) and type(node.value) is int and node.value <= 1000:
        return sign * node.value
    return None


def _refusal(node: ast.expr, message: str) -> ConfigError:
    return ConfigError(f"formula, column {node.col_offset + 1}: {message}.")
