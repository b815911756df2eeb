"""What an explanation is made of: steps with their values, and edges with the derivatives that flow back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Edge:
    """What one step reads from another, and what flows back through it.

    Args:
        source, target: names of the step that is read and of the one that reads.
        formula: the local derivative d target / d source, or where it would be a whole Jacobian, what is made of
            g = dJ/d target on the way back (`g @ W.T`); empty where no derivative flows.
        derivative: the memoised value of the local derivative, shaped as the source; None for a formula in g.
        share: the formula with which the adjoint of the target enters (`dJ/du · du/dt`).
        contribution: what this edge adds to the adjoint of the source; None where no derivative flows.
    """

    source: str
    target: str
    formula: str
    derivative: np.ndarray | None
    share: str
    contribution: np.ndarray | None

    @property
    def is_number(self) -> bool:
        """Whether the formula itself is the value of the local derivative."""
        values = self.derivative
        return values is not None and values.size > 0 and all(shown(each) == self.formula for each in np.unique(values))


@dataclass(frozen=True, eq=False)
class Step:
    """One box of the picture: a name, how it is computed, its value, and the derivative of the result by it.

    Args:
        formula: in terms of the names of its inputs; empty for an input of the function.
        adjoint: the derivative of the result by this value; None where there is none (integers, booleans, values that
            no derivative reached).
    """

    name: str
    formula: str
    value: np.ndarray
    edges: tuple[Edge, ...]
    adjoint: np.ndarray | None


def contributions(steps: Sequence[Step], name: str) -> list[Edge]:
    """The edges through which derivatives reached a step, in the order of the walk back."""
    return [e for step in reversed(steps) for e in step.edges if e.source == name and e.contribution is not None]


def shown(value: np.ndarray, precision: int = 6) -> str:
    """A value as text: a number, a small array in full, of a large one its shape, range and mean."""
    value = np.asarray(value)
    if value.ndim == 0:
        return _number(value[()], precision)
    if value.size == 0:
        return f"{value.shape} empty"
    if value.size <= 6:
        return _nested(value.tolist(), precision)
    if value.dtype.kind == "b":
        return f"{value.shape} {np.count_nonzero(value)} true"
    low, high, mean = (_number(each, precision) for each in (value.min(), value.max(), value.mean()))
    return f"{value.shape} all {low}" if low == high else f"{value.shape} {low}..{high}, mean {mean}"


def _nested(value: Any, precision: int) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_nested(each, precision) for each in value)}]"
    return _number(value, precision)


def _number(value: Any, precision: int) -> str:
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    return f"{value + 0:.{precision}g}".replace("-0", "0") if value == 0 else f"{value:.{precision}g}"
