"""Gives Symbol the operators and methods of an array."""

from typing import Any

import numpy as np

from preceptor.errors import ShapeError
from preceptor.ops import elementwise, indexing, linear, movement, reduction
from preceptor.ops.primitive import Symbol, user_line


def _swap(function: Any) -> Any:
    return lambda self, other: function(other, self)


def _iterate(self: Symbol) -> Any:
    if not self.shape:
        raise ShapeError(f"iteration at {user_line()}: the value is a scalar; it needs an axis to iterate over.")
    return (indexing.index(self, i) for i in range(self.shape[0]))


def _length(self: Symbol) -> int:
    if not self.shape:
        raise ShapeError(f"len at {user_line()}: the value is a scalar; it has no length.")
    return self.shape[0]


# `array * symbol` comes here as np.multiply(array, symbol).
UFUNCS: dict[Any, Any] = {
    np.add: elementwise.add,
    np.subtract: elementwise.subtract,
    np.multiply: elementwise.multiply,
    np.divide: elementwise.divide,
    np.power: elementwise.power,
    np.matmul: linear.matmul,
    np.equal: elementwise.equal,
    np.not_equal: elementwise.not_equal,
    np.less: elementwise.less,
    np.less_equal: elementwise.less_equal,
    np.greater: elementwise.greater,
    np.greater_equal: elementwise.greater_equal,
    np.bitwise_and: elementwise.logical_and,
    np.bitwise_or: elementwise.logical_or,
}


def _ufunc(self: Symbol, ufunc: Any, method: str, *args: Any, **params: Any) -> Any:
    if ufunc in UFUNCS and method == "__call__" and not params:
        return UFUNCS[ufunc](*args)
    raise self._no_numpy(f"np.{ufunc.__name__}")


OPERATORS: dict[str, Any] = {
    "__array_ufunc__": _ufunc,
    "__add__": elementwise.add,
    "__radd__": _swap(elementwise.add),
    "__sub__": elementwise.subtract,
    "__rsub__": _swap(elementwise.subtract),
    "__mul__": elementwise.multiply,
    "__rmul__": _swap(elementwise.multiply),
    "__truediv__": elementwise.divide,
    "__rtruediv__": _swap(elementwise.divide),
    "__pow__": elementwise.raise_to,
    "__rpow__": _swap(elementwise.power),
    "__matmul__": linear.matmul,
    "__rmatmul__": _swap(linear.matmul),
    "__neg__": elementwise.negative,
    "__abs__": elementwise.abs,
    "__eq__": elementwise.equal,
    "__ne__": elementwise.not_equal,
    "__lt__": elementwise.less,
    "__le__": elementwise.less_equal,
    "__gt__": elementwise.greater,
    "__ge__": elementwise.greater_equal,
    "__invert__": elementwise.logical_not,
    "__and__": elementwise.logical_and,
    "__or__": elementwise.logical_or,
    "__hash__": object.__hash__,
    "__getitem__": indexing.index,
    "__iter__": _iterate,
    "__len__": _length,
    "T": property(movement.transpose),
    "reshape": lambda self, *shape: movement.reshape(self, shape if len(shape) != 1 else shape[0]),
    "astype": movement.cast,
    "sum": reduction.sum,
    "mean": reduction.mean,
    "max": reduction.max,
    "min": reduction.min,
}

for _name, _function in OPERATORS.items():
    # A lambda or Primitive is wrapped, for only plain functions bind `self`.
    _plain = isinstance(_function, property) or _name == "__hash__" or type(_function) is type(_swap)
    setattr(Symbol, _name, _function if _plain else (lambda f: lambda self, *a, **k: f(self, *a, **k))(_function))
