"""What goes from layer to layer of a network in an ONNX graph, and how it is held there."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from preceptor.export.onnx.builder import Builder
from preceptor.export.onnx.windowed import first, last
from preceptor.nn.layer import Arrays


@dataclass(frozen=True, eq=False)
class Value:
    """What goes from layer to layer.

    Args:
        shape: of one row, channels last, as layers know it.
        is_first: whether it is held with channels first.
        order: of features laid out in a row, which of them stands where; None where they stand as layers know them.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    is_first: bool = False
    order: np.ndarray | None = None

    def then(self, name: str, *shape: int) -> "Value":
        """Another value held in the same way, of one row's shape."""
        return replace(self, name=name, shape=shape or self.shape)


@dataclass(eq=False)
class Writer:
    """Writes layers into a graph; `_turned` keeps what was turned, so that layers side by side turn it once."""

    builder: Builder
    _turned: dict[tuple[str, bool], str] = field(default_factory=dict)

    def node(self, op: str, *inputs: str, **attributes: Any) -> str:
        """An operator with one output."""
        return self.builder.node(op, *inputs, **attributes)

    def first(self, x: Value) -> Value:
        """The value with channels first."""
        return x if x.is_first else replace(x, name=self._held(x, first(len(x.shape) + 1)), is_first=True)

    def plain(self, x: Value) -> Value:
        """The value as layers know it."""
        if x.order is not None:
            places = self.builder.constant(np.argsort(x.order))
            x = replace(x, name=self.node("Gather", x.name, places, axis=1), order=None)
        return replace(x, name=self._held(x, last(len(x.shape) + 1)), is_first=False) if x.is_first else x

    def _held(self, x: Value, axes: list[int]) -> str:
        key = (x.name, x.is_first)
        if key not in self._turned:
            is_same = axes == sorted(axes)
            self._turned[key] = x.name if is_same else self.node("Transpose", x.name, perm=axes)
        return self._turned[key]


Part = tuple[Arrays, Arrays]  # parameters and state
Form = Callable[[Writer, Any, Part, Value], Value | None]  # None: there is none for this one, it is to be traced
