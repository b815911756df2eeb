"""What a primitive is: a record that says what is computed, for which shapes, and what its derivative is."""

import math
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from types import FrameType
from typing import Any

import numpy as np

from preceptor.errors import DtypeError, NotSupported, ShapeError

EXACT = "exact"  # precision of a product that no engine's precision changes
OURS = ("preceptor", "click", "contextlib")  # the last stands between ours


@dataclass(frozen=True)
class Spec:
    """Shape and element type of an array that need not exist."""

    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def __str__(self) -> str:
        return f"{self.dtype.name}{list(self.shape)}"


class Symbol:
    """A value that is not known yet: a node of a graph that is being built.

    It takes the operators of an array (`ops/operators.py` attaches them), each of which adds a node to its graph.
    """

    __slots__ = ("graph", "spec")
    graph: Any
    spec: Spec

    @property
    def shape(self) -> tuple[int, ...]:
        return self.spec.shape

    @property
    def dtype(self) -> np.dtype:
        return self.spec.dtype

    @property
    def ndim(self) -> int:
        return len(self.spec.shape)

    @property
    def size(self) -> int:
        return self.spec.size

    def __bool__(self) -> bool:
        raise NotSupported(
            f"bool at {user_line()}: the value of {self.spec} is not known while a function is traced; "
            "a Python `if`, `while` or `and` needs it now. Use pr.where, or decide before tracing."
        )

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise self._no_numpy("array")

    def __array_function__(self, function: Any, *_: Any) -> Any:
        raise self._no_numpy(f"np.{function.__name__}")

    def _no_numpy(self, name: str) -> NotSupported:
        return NotSupported(
            f"{name} at {user_line()}: a NumPy function was given a traced value of {self.spec}; "
            "NumPy needs numbers. Use the function of the same name in preceptor (pr.sin for np.sin)."
        )

    def __float__(self) -> float:
        raise NotSupported(
            f"float at {user_line()}: the value of {self.spec} is not known while a function is traced. "
            "Keep it as it is, or return it and convert outside."
        )

    __int__ = __float__
    __index__ = __float__


@dataclass(frozen=True, eq=False)
class Primitive:
    """One thing that can be computed.

    Args:
        name: the word in programs, messages and pictures.
        spec: input specs (and parameters) -> output spec, or ShapeError / DtypeError with a text that says what was
            received and what is required.
        run: computes with the array module it is given: `run(xp, *arrays, **params)`, xp being numpy or jax.numpy.
        vjp: `vjp(g, out, *inputs, **params)` -> one adjoint for each input, None where none flows. Written in
            primitives, so that derivatives have derivatives. The field itself is None where no derivative exists.
        doc: formula, domain, and the convention at every point where the function is not smooth.
        align: brings arguments into the form that `spec` and `run` expect (arrays, one dtype, one shape).
        lower: `lower(jax, *arrays, **params)`, for the few where jax needs other words than NumPy.
        reason: why there is no derivative, where `vjp` is None.
    """

    name: str
    spec: Callable[..., Spec]
    run: Callable[..., Any]
    vjp: Callable[..., tuple] | None
    doc: str
    align: Callable[..., tuple] | None = None
    lower: Callable[..., Any] | None = None
    reason: str = ""

    def __call__(self, *args: Any, **params: Any) -> Any:
        """Computes at once where all arguments are numbers; adds a node where one of them is a Symbol."""
        args = self.align(*args) if self.align else tuple(as_array(a) for a in args)
        try:
            spec = self.spec(*(spec_of(a) for a in args), **params)
        except (ShapeError, DtypeError) as error:
            raise type(error)(f"{self.name} at {user_line()}: {error}") from None
        graph = newest_graph(args)
        if graph is None:
            with np.errstate(all="ignore"):  # infinities and NaN are values here, as on every engine
                return np.asarray(self.run(np, *args, **params))
        return graph.add(self, args, params, spec)

    def __repr__(self) -> str:
        return self.name


def newest_graph(args: tuple) -> Any:
    """The innermost graph that one of the arguments belongs to; None where all are numbers."""
    graphs = [a.graph for a in args if isinstance(a, Symbol)]
    return max(graphs, key=lambda graph: graph.number) if graphs else None


def spec_of(value: Any) -> Spec:
    """The spec of an array, a Symbol, a Spec or a Python number."""
    if isinstance(value, Spec):
        return value
    if isinstance(value, Symbol):
        return value.spec
    array = as_array(value)
    return Spec(tuple(array.shape), array.dtype)


def as_array(value: Any) -> Any:
    """Lists and Python numbers as arrays (integers and floats of 64 bits, as in NumPy); arrays as they are."""
    if isinstance(value, Symbol):
        return value
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        received = f"an array of {array.dtype}" if isinstance(value, np.ndarray) else f"a {type(value).__name__}"
        raise DtypeError(f"array at {user_line()}: received {received}; numbers or arrays of numbers are required.")
    return array


def user_line() -> str:
    """`file:line` of the innermost caller outside this package."""
    file, line = user_frame()
    return f"{os.path.basename(file)}:{line}"


def is_ours(frame: FrameType) -> bool:
    """Whether a frame runs code of this package, or of what calls it: click our commands, contextlib our blocks."""
    return _is_our_module(frame.f_globals.get("__name__", ""))


@cache
def _is_our_module(name: str) -> bool:  # remembered: every node that is traced asks it of some thirty frames
    return name.partition(".")[0] in OURS


def user_frame() -> tuple[str, int]:
    """File and line of the innermost caller outside this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and is_ours(frame):
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


def promote(*dtypes: np.dtype) -> np.dtype:
    """The common dtype: floats before integers before booleans, the wider of one kind.

    Differs: NumPy makes float64 of int32 and float32; here the float keeps its width.
    """
    floats = [d for d in dtypes if d.kind == "f"]
    return np.result_type(*(floats or dtypes))


def same(x: Spec, *_: Spec, **__: Any) -> Spec:
    """Spec rule of an elementwise function: as the first input."""
    return x
