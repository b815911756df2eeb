"""How an elementwise kernel reaches its operands: as they lie, repeated along rows or columns, or as one number."""

import math
from dataclasses import dataclass

from preceptor.graph import Node

VIEWS = ("reshape", "stop_gradient")


def strip(node: Node) -> tuple[Node, int]:
    """The node whose memory a view shows, and how many elements after its start the view begins.

    Views are reshapes and slices that are one piece of memory.
    """
    offset = 0
    while True:
        name = node.primitive.name
        if name in VIEWS:
            node = node.inputs[0]
        elif name == "slice" and (start := contiguous_from(node)) is not None:
            offset += start
            node = node.inputs[0]
        else:
            return node, offset


def contiguous_from(node: Node) -> int | None:
    """Where a slice begins in the memory of its input, counted in elements; None where it is not one piece."""
    shape, slices = node.inputs[0].shape, node.params["slices"]
    whole = [range(n)[slice(*each)] for n, each in zip(shape, slices, strict=True)]
    axis = 0
    while axis < len(shape) and len(whole[axis]) == 1:
        axis += 1
    if any(r != range(n) for r, n in zip(whole[axis + 1 :], shape[axis + 1 :], strict=True)) or not node.size:
        return None
    if axis < len(shape) and whole[axis].step != 1:
        return None
    return sum(r.start * math.prod(shape[a + 1 :]) for a, r in enumerate(whole))


@dataclass(frozen=True)
class Operand:
    """An operand of an elementwise node, seen through views and one repetition.

    Args:
        source: the node whose numbers are read (itself perhaps a view).
        lengths: the axes longer than 1 of the result, from the first.
        varies: for each of them whether the operand varies along it; None where it lies in memory as the result does.
    """

    source: Node
    lengths: tuple[int, ...]
    varies: tuple[bool, ...] | None

    @property
    def is_one(self) -> bool:
        return self.varies is not None and not any(self.varies)

    def columns(self) -> frozenset[int] | None:
        """The lengths of a row with which the operand can be reached; None for any, empty for none.

        The axes are cut in two, rows before and columns after the cut. All columns or none of them may vary, and of
        the rows one run of neighbouring axes.
        """
        if self.varies is None or not any(self.varies):
            return None
        count = len(self.lengths)
        fitting = set()
        for cut in range(count + 1):
            rows, columns = self.varies[:cut], self.varies[cut:]
            if len(set(columns)) <= 1 and runs(rows) <= 1:
                fitting.add(math.prod(self.lengths[cut:]))
        return frozenset(fitting)

    def rows(self, columns: int, full: int) -> tuple[int, int, int, bool]:
        """(div, mod, stride, whether columns vary): row r begins at element ((r / div) % mod) * stride."""
        if self.varies is None:
            return 1, max(full // max(columns, 1), 1), columns, True
        cut = next(
            k
            for k in range(len(self.lengths), -1, -1)
            if math.prod(self.lengths[k:]) == columns and len(set(self.varies[k:])) <= 1 and runs(self.varies[:k]) <= 1
        )
        along = any(self.varies[cut:])
        moving = [a for a in range(cut) if self.varies[a]]
        if not moving:
            return 1, 1, 0, along
        first, last = moving[0], moving[-1] + 1
        div, mod = math.prod(self.lengths[last:cut]), math.prod(self.lengths[first:last])
        return div, mod, columns if along else 1, along


def runs(flags: tuple[bool, ...]) -> int:
    """How many runs of neighbouring true ones there are."""
    return sum(flag and not before for flag, before in zip(flags, (False, *flags), strict=False))


def operand(x: Node) -> Operand:
    """Looks through views and one repetition at what an elementwise node is given."""
    shape = x.shape
    varies: tuple[bool, ...] | None = None
    while True:
        name = x.primitive.name
        if name in VIEWS:
            if varies is None:
                shape = x.inputs[0].shape
            x = x.inputs[0]
        elif name == "broadcast" and varies is None:
            shape, source = x.shape, x.inputs[0]
            padded = (1,) * (len(shape) - source.ndim) + source.shape
            varies = tuple(a != 1 for a, n in zip(padded, shape, strict=True) if n != 1)
            x = source
        else:
            if varies is not None and all(varies):
                varies = None
            return Operand(x, tuple(n for n in shape if n != 1), varies)
