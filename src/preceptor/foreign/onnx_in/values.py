"""Values between operations: where what ONNX calls an axis lies in arrays of ours, which have channels last."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

INPUT = -1  # as the number of a part


@dataclass(frozen=True)
class Rows:
    """The order of features that were laid out from several axes.

    Args:
        shape: lengths in ONNX's order.
        order: which of these axes is the first, second, ... in ours.
    """

    shape: tuple[int, ...]
    order: tuple[int, ...]

    def positions(self) -> np.ndarray:
        """For each feature in our order, its position in ONNX's."""
        return np.arange(math.prod(self.shape)).reshape(self.shape).transpose(self.order).ravel()


@dataclass(frozen=True)
class Value:
    """What a part gives, as ONNX sees it and as it lies. The batch, first in both, is left out.

    Args:
        part: the number of what makes it; INPUT for the input.
        stored: lengths of our array.
        axes: for each axis of ONNX's, where it lies in ours; None where it is of length 1 and nowhere. An axis of ours
            that is not named is of length 1.
        rows: the order of the features of our last axis, where it is not that of ONNX.
        batch: before which of ONNX's other axes the batch stands: 0 nearly always.
    """

    part: int
    stored: tuple[int, ...]
    axes: tuple[int | None, ...]
    rows: Rows | None = None
    batch: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths as ONNX sees them, without the batch."""
        return tuple(1 if axis is None else self.stored[axis] for axis in self.axes)

    @property
    def order(self) -> tuple[int, ...]:
        """ONNX's axes of more than one entry, as they lie in ours."""
        held = [(axis, at) for at, axis in enumerate(self.axes) if axis is not None and self.stored[axis] != 1]
        return tuple(at for _, at in sorted(held))

    def is_last(self, axis: int) -> bool:
        """Whether an axis of ONNX's is our last."""
        return bool(self.stored) and self.axes[axis] == len(self.stored) - 1

    def relabelled(self, shape: Sequence[int]) -> "Value":
        """The same array under another shape that differs in axes of length 1 alone."""
        held = iter([axis for axis in self.axes if axis is not None and self.stored[axis] != 1])
        return Value(self.part, self.stored, tuple(None if n == 1 else next(held) for n in shape), self.rows)


def bare(shape: Sequence[int]) -> tuple[int, ...]:
    """The lengths that are not 1."""
    return tuple(length for length in shape if length != 1)


def flattened_rows(value: Value) -> Rows | None:
    """The order in which features lie that our array is laid out in, beside that of ONNX; None where it is the same."""
    ordered = sorted(value.order)
    rows = Rows(tuple(value.shape[at] for at in ordered), tuple(ordered.index(at) for at in value.order))
    return None if rows.order == tuple(range(len(rows.order))) else rows
