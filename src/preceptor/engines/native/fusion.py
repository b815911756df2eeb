"""What is computed together: elementwise work, and reductions at its end, in one pass over memory.

A group is a set of nodes of one size, computed tile by tile. Its values are full (one number for each element), row
(one for each row of elements) or pool (one for each window of a picture). It may end in reductions over rows or all.
"""

import math
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from preceptor.engines.native.opcodes import TRANSCENDENTAL, opcode
from preceptor.engines.native.operand import Operand, operand, runs, strip
from preceptor.engines.native.rewriting import ELEMENTWISE, constant_of, lie_apart
from preceptor.graph import CONSTANT, INPUT, Graph, Node

LONGEST_ROW = 16384  # numbers of a row that a tile holds whole
LARGEST_POOL = 16384  # numbers of a tile that holds whole windows
SMALL = 256  # numbers; that many are written and read at no cost to speak of
READ_AGAIN = 1.75  # a value is kept where making it again reads more than so many arrays of its size
NEAR = 32  # nodes that are looked at for what is read beside a value
COST = {"spread": 10}
KEPT_FROM = (
    24  # operations (one of a transcendental function counts 8): a value that costs more is kept, not made twice
)


@dataclass(frozen=True)
class Pooling:
    """Windows of a picture that neither overlap nor leave anything out: (height, width, row length, channels)."""

    height: int
    width: int
    length: int
    channels: int

    @property
    def area(self) -> int:
        return self.height * self.width


# At which level the operands of a node lie that reads or makes windows.
WINDOW_LEVELS = {
    "window_max": ("full",),
    "window_sum": ("full",),
    "window_max_mean": ("full", "full", "pool"),
    "window_spread": ("pool",),
    "window_max_spread": ("pool", "full", "pool"),
}


def pooling(node: Node) -> Pooling | None:
    """The windows of a pooling node, where they are of the simple kind and small enough for a tile."""
    levels, windows = WINDOW_LEVELS[node.primitive.name], node.params["windows"]
    shape = node.inputs[levels.index("full")].shape if "full" in levels else node.shape
    if len(shape) != 4 or not lie_apart(windows) or windows.size[0] != 1 or windows.size[3] != 1 or not node.size:
        return None
    _, rows, columns, channels = shape
    _, height, width, _ = windows.size
    if rows % height or columns % width or height * columns * channels > LARGEST_POOL or node.spec.dtype != np.float32:
        return None
    return Pooling(height, width, columns, channels)


def reduction_kind(node: Node) -> str | None:
    """ "row" (over the last axes), "column" (over the first ones), "all", or None for other axes and types."""
    if node.primitive.name == "argmax":
        x, axes = node.inputs[0], (node.params["axis"],)
    elif node.primitive.name in ("sum", "max"):
        x, axes = node.inputs[0], node.params["axes"]
    else:
        return None
    if x.spec.dtype != np.float32 or not x.size:
        return None
    lengths = [(n, a in axes) for a, n in enumerate(x.shape) if n != 1]
    flags = [reduced for _, reduced in lengths]
    if not any(flags):
        return None
    columns = math.prod(n for n, reduced in lengths if reduced)
    if all(flags):
        return "all" if node.primitive.name != "argmax" else "row" if columns <= LONGEST_ROW else None
    if flags == sorted(flags):
        return "row" if columns <= LONGEST_ROW else None
    if flags == sorted(flags, reverse=True) and node.primitive.name != "argmax":
        return "column"
    return None


def kind_of(node: Node) -> str:
    """How a node is planned: "given", "view", "repeat", "tile", "row", "column", "all", "pool", "spread" or "other"."""
    name = node.primitive.name
    if node.primitive is INPUT or node.primitive is CONSTANT:
        return "given"
    if strip(node)[0] is not node:
        return "view"
    if name == "broadcast":
        return "repeat"
    if name in ELEMENTWISE and node.size:
        return "tile" if opcode(node) is not None else "other"
    if name in ("sum", "max", "argmax"):
        return reduction_kind(node) or "other"
    if name in WINDOW_LEVELS and pooling(node):
        return "spread" if name.endswith("spread") else "pool"
    return "other"


FUSED = ("tile", "row", "column", "all", "pool", "spread")
REDUCING = ("row", "column", "all", "pool")  # what reads more numbers than it gives
MADE_AT = {"full": ("tile", "spread"), "row": ("tile", "row"), "pool": ("tile", "pool")}  # level -> kinds of its values


class Facts:
    """What is known of a graph before anything is planned."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.kind = [kind_of(node) for node in graph.nodes]
        self.operands: dict[int, list[Operand]] = {}
        self.users: list[list[Node]] = [[] for _ in graph.nodes]  # of what is in memory, through views and repetitions
        self.is_output = [False] * len(graph.nodes)
        self.kept = [False] * len(graph.nodes)  # nodes whose numbers must be in memory
        for node in graph.nodes:
            self._look_at(node)
        for node in graph.outputs:
            base = strip(node)[0]
            self.is_output[base.index] = self.kept[base.index] = True
        self._keep_what_costs()

    def _look_at(self, node: Node) -> None:
        kind = self.kind[node.index]
        if kind in FUSED:
            found = self.operands[node.index] = reachable([operand(x) for x in node.inputs], node)
            for each in found:
                base = strip(each.source)[0]
                self.users[base.index].append(node)
                if each.varies is not None:
                    self.kept[base.index] = True
            if kind in REDUCING:
                self.kept[node.index] = True
            for position, level in enumerate(WINDOW_LEVELS.get(node.primitive.name, ())):
                if level == "pool":  # numbers of windows must lie as they are
                    x = node.inputs[position]
                    found[position] = Operand(x, tuple(n for n in x.shape if n != 1), None)
                    base = strip(x)[0]
                    self.users[base.index].append(node)
                    if self.kind[base.index] != "tile":
                        self.kept[base.index] = True
        elif kind not in ("view", "given"):
            self.kept[node.index] = True
            for x in node.inputs:
                base = strip(x)[0]
                self.users[base.index].append(node)
                self.kept[base.index] = True

    def _keep_what_costs(self) -> None:
        """A value that is needed before and after other work is kept where making it again costs more than a read."""
        depth = [0] * len(self.graph.nodes)
        cost: dict[int, int] = {}
        reads: dict[int, set[int]] = {}
        for node in self.graph.nodes:
            below = max((depth[x.index] for x in node.inputs), default=0)
            kind = self.kind[node.index]
            depth[node.index] = below + (kind in ("other", "column", "all", "pool"))
        last_depth = list(depth)
        for node in reversed(self.graph.nodes):
            if self.kind[node.index] in ("tile", "spread") and not self.kept[node.index]:
                found = [depth[u.index] if self.kept[u.index] else last_depth[u.index] for u in self.users[node.index]]
                ends = [
                    d - (self.kind[u.index] in ("column", "all"))
                    for d, u in zip(found, self.users[node.index], strict=True)
                ]
                last_depth[node.index] = max(ends, default=depth[node.index])
        for node in self.graph.nodes:
            if self.kind[node.index] not in ("tile", "spread"):
                continue
            total, leaves = COST.get(self.kind[node.index], 8 if node.primitive.name in TRANSCENDENTAL else 1), set()
            for each in self.operands[node.index]:
                base = strip(each.source)[0]
                if each.varies is not None:
                    continue
                if self.kept[base.index] or base.index not in cost:
                    leaves.add(base.index)
                else:
                    total += cost[base.index]
                    leaves |= reads[base.index]
            cost[node.index], reads[node.index] = total, leaves
            again = last_depth[node.index] > depth[node.index]
            read = sum(self.graph.nodes[i].size for i in leaves)
            if again and not self.kept[node.index] and node.size >= SMALL:
                read -= sum(node.size for i in self._read_later(node, depth, last_depth) if i in leaves)
            dear = total > 2 if node.size < SMALL else read > READ_AGAIN * node.size or total > KEPT_FROM
            if again and not self.kept[node.index] and dear:
                self.kept[node.index] = True

    def _read_later(self, node: Node, depth: list[int], last_depth: list[int]) -> set[int]:
        """The arrays of its size that whoever needs a node later reads beside it: they cost nothing where it is made
        again. Looked for among the nodes that are made from it without other work between."""
        found: set[int] | None = None
        for user in self.users[node.index]:
            until = (depth if self.kept[user.index] else last_depth)[user.index]
            if until <= depth[node.index] or self.kind[user.index] != "tile":
                continue
            seen: dict[int, Node] = {user.index: user}
            pending, beside = [user], set()
            while pending and len(seen) <= NEAR:
                each = pending.pop()
                bases = [strip(x.source)[0] for x in self.operands[each.index] if x.varies is None]
                beside |= {base.index for base in bases if self.kept[base.index] and base.size == node.size}
                inner = [base for base in bases if not self.kept[base.index] and self.kind[base.index] == "tile"]
                outer = [] if self.kept[each.index] else self.users[each.index]
                for other in (*inner, *outer):
                    near = self.kind[other.index] == "tile" and other.size == node.size and other is not node
                    if near and depth[other.index] <= until and other.index not in seen:
                        seen[other.index] = other
                        pending.append(other)
            found = beside if found is None else found & beside
        return found or set()


# A question to a group, whether a node can be a member at a level, and the way to an answer, which may ask others.
Question: TypeAlias = tuple[Node, str]
Answering: TypeAlias = Generator[Question, bool | None, bool]


@dataclass
class Group:
    """Nodes that are computed in one pass; `members` in an order in which each comes after what it needs."""

    facts: Facts
    available: set[int]
    size: int
    columns: frozenset[int] | None = None  # lengths of a row that fit all members; None for any
    pool: Pooling | None = None
    members: dict[int, str] = field(default_factory=dict)
    reductions: list[Node] = field(default_factory=list)
    missing: list[Node] = field(default_factory=list)  # what must be in memory before
    has_rows: bool = False

    def mark(self) -> tuple[Any, ...]:
        """How the group is now, for `back_to`."""
        counts = len(self.members), len(self.reductions), len(self.missing)
        return (*counts, self.columns, self.pool, self.has_rows)

    def back_to(self, mark: tuple[Any, ...]) -> None:
        """Undoes everything since a mark."""
        members, reductions, missing, self.columns, self.pool, self.has_rows = mark
        while len(self.members) > members:
            self.members.popitem()  # the last that was added
        del self.reductions[reductions:], self.missing[missing:]

    @property
    def row_length(self) -> int:
        if self.pool is not None:
            return self.pool.channels
        return self.size if self.columns is None else max(self.columns)

    def add(self, node: Node) -> bool:
        """Adds a node and what it needs; False where it does not fit, and then the group is spoilt."""
        kind = self.facts.kind[node.index]
        if kind in ("column", "all"):
            (each,) = self.facts.operands[node.index]
            level = "full"
            source = strip(each.source)[0]
            if kind == "all" and each.varies is None and self.members.get(source.index) in ("row", "pool"):
                level = self.members[source.index]
            elif node.inputs[0].size != self.size:
                return False
            if kind == "column" and not self._narrow({math.prod(node.shape)}):
                return False
            if not self._answer(self._operand(each, level)):
                return False
            self.reductions.append(node)
            return True
        level = kind if kind in ("row", "pool") else self._level(node)
        return self._answer(self._visit(node, level))

    def _answer(self, first: Answering) -> bool:
        """Finds an answer, and those that it needs first: on a list, for a graph may be deeper than Python can call."""
        waiting = [first]
        answer: bool | None = None
        while waiting:
            try:
                asked = waiting[-1].send(answer)
            except StopIteration as end:
                waiting.pop()
                answer = end.value
            else:
                waiting.append(self._visit(*asked))
                answer = None
        return bool(answer)

    def _level(self, node: Node) -> str:
        """Full, or that of the member of which an elementwise node of another size is made."""
        if node.size != self.size and self.facts.kind[node.index] == "tile":
            for each in self.facts.operands[node.index]:
                level = self.members.get(strip(each.source)[0].index, "full")
                if each.varies is None and level != "full":
                    return level
        return "full"

    def _narrow(self, fitting: frozenset[int] | set[int]) -> bool:
        self.columns = frozenset(fitting) if self.columns is None else self.columns & frozenset(fitting)
        return bool(self.columns) and (self.pool is None or self.pool.channels in self.columns)

    def _visit(self, node: Node, level: str) -> Answering:
        """Makes a node a member, with what it needs; False where it cannot be one, and then the group is spoilt."""
        if node.index in self.members:
            return self.members[node.index] == level
        kind = self.facts.kind[node.index]
        found = self.facts.operands[node.index]
        levels: tuple[str, ...] = (level,) * len(found)
        if kind == "row":
            if level != "row" or node.inputs[0].size != self.size:
                return False
            columns = self.size // max(node.size, 1)
            if not self._narrow({columns}) or self.pool is not None:
                return False
            levels = ("full",)
        elif kind in ("pool", "spread"):
            full = node if kind == "spread" else node.inputs[0]
            if kind not in MADE_AT[level] or full.size != self.size or not self._pooled(pooling(node)):
                return False
            levels = WINDOW_LEVELS[node.primitive.name]
        elif kind != "tile" or (level == "full" and node.size != self.size):
            return False
        for x, each in zip(found, levels, strict=True):
            if not (yield from self._operand(x, each)):
                return False
        self.has_rows = self.has_rows or kind == "row"
        self.members[node.index] = level
        return True

    def _pooled(self, pool: Pooling | None) -> bool:
        if pool is None or self.has_rows or self.pool not in (None, pool):
            return False
        self.pool = pool
        return self._narrow({pool.channels})

    def _operand(self, x: Operand, level: str) -> Answering:
        """Whether an operand can be had at a level: from memory, or as a member."""
        if x.varies is not None and constant_of(x.source) is not None:
            return True
        base, _ = strip(x.source)
        ready = base.index in self.available
        if x.is_one:
            if not ready:
                self.missing.append(base)
            return True
        if x.varies is None:
            inside = base.size == x.source.size and self.facts.kind[base.index] in MADE_AT[level]
            if not ready and not (inside and (yield from self._take_in(base, level))):
                self.missing.append(base)
            return True
        if level == "pool":
            return False
        fitting = x.columns()
        if fitting is not None and not fitting:
            return False
        if level == "row":
            if not ready:
                self.missing.append(base)
            return runs(x.varies) <= 1
        if not ready and (yield from self._as_row(x, base)):
            return True
        if not ready:
            self.missing.append(base)
        return fitting is None or self._narrow(fitting)

    def _take_in(self, base: Node, level: str) -> Answering:
        """Makes a node a member, or leaves the group as it was."""
        before = self.mark()
        if (yield base, level):
            return True
        self.back_to(before)
        return False

    def _as_row(self, x: Operand, base: Node) -> Answering:
        """Takes in a value of one number a row, where it comes from a reduction over this group's own rows."""
        assert x.varies is not None
        count = sum(x.varies)
        if self.pool is not None or not all(x.varies[:count]) or base.size != x.source.size:
            return False
        if self.members.get(base.index) == "row":
            return self._narrow({math.prod(x.lengths[count:])})
        if self.facts.kind[base.index] not in ("tile", "row"):
            return False
        before, missing = self.mark(), len(self.missing)
        fits = self._narrow({math.prod(x.lengths[count:])}) and (yield base, "row")
        if fits and len(self.missing) == missing and self.has_rows:
            return True
        self.back_to(before)
        return False


def neighbours(facts: Facts, group: Group) -> list[Node]:
    """Nodes that must be kept, and could be computed in the same pass: they read what the group reads or makes."""
    seen: set[int] = set()
    found: dict[int, Node] = {}
    pending = [facts.graph.nodes[i] for i in group.members]
    for index in (*group.members, *(r.index for r in group.reductions)):
        for each in facts.operands[index]:
            if each.varies is None:
                pending.append(strip(each.source)[0])
    while pending:
        node = pending.pop()
        if node.index in seen:
            continue
        seen.add(node.index)
        for user in facts.users[node.index]:
            if facts.kind[user.index] not in FUSED or user.index in group.members or user.index in group.available:
                continue
            if facts.kept[user.index]:
                found[user.index] = user
            elif user.index not in seen:
                pending.append(user)
    return [found[i] for i in sorted(found)]


def reachable(operands: list[Operand], node: Node) -> list[Operand]:
    """The operands of a node, of which those are written out in full that no row length lets all be reached at once."""
    fitting: frozenset[int] | None = None
    if reduction_kind(node) == "row":
        fitting = frozenset({node.inputs[0].size // node.size})
    elif reduction_kind(node) == "column":
        fitting = frozenset({node.size})
    result = []
    for each, x in zip(operands, node.inputs, strict=True):
        columns = each.columns() if constant_of(each.source) is None else None
        both = columns if fitting is None else fitting if columns is None else fitting & columns
        if both is not None and not both:
            each = Operand(x, each.lengths, None)
        else:
            fitting = both
        result.append(each)
    return result
