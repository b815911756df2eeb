"""From a graph to a plan: the steps in order, where every array lies, and the words that the executor reads."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from preceptor.engines.native import lowering
from preceptor.engines.native.fusion import FUSED, REDUCING, Facts, Group, neighbours
from preceptor.engines.native.maker import Maker, used
from preceptor.engines.native.memory import lay_out
from preceptor.engines.native.operand import strip
from preceptor.engines.native.program import (
    PLAIN,
    Buffer,
    Geometry,
    Place,
    Reach,
    Step,
    Tiles,
    bits,
)
from preceptor.engines.native.rewriting import constant_of
from preceptor.graph import CONSTANT, Graph, Node

SUM, MAX = 0, 1
OVER_ROWS, OVER_ALL = 0, 1
FEW = 8  # a group waits for what takes an eighth of its own work, or less


@dataclass(eq=False)
class Plan:
    """What the executor is made of, and what is said about it."""

    steps: list[Step]
    arena_bytes: int
    constants: np.ndarray
    late: list[Step]


class Planner:
    """Walks a graph once, and gives every node that needs it a place and a step.

    Args:
        inputs: where each input of the graph lies.
        outputs: where each output is wanted; the place of an input where it is to take that one's memory.
        constants: the segment of small constants; larger ones are given a segment each by `bind`.
    """

    def __init__(
        self,
        graph: Graph,
        inputs: Sequence[Place],
        outputs: Sequence[Place],
        bind: Callable[[np.ndarray], int],
        prelude: Sequence[Step] = (),
    ) -> None:
        self.graph, self.facts = graph, Facts(graph)
        self.steps: list[Step] = list(prelude)
        self.places: dict[int, Place] = {}
        self.available: set[int] = set()
        self.number_at: dict[int, int] = {}
        self.pool = Buffer(0, segment=1)
        self.bind = bind
        given = {id(place.buffer) for place in inputs}
        self.updates = {  # outputs that take the place of an input: they wait until nothing needs it any more
            strip(node)[0].index
            for node, place in zip(graph.outputs, outputs, strict=True)
            if id(place.buffer) in given
        }
        for node, place in zip(graph.inputs, inputs, strict=True):
            self._put(node, place)
        for node in graph.nodes:
            if node.primitive is CONSTANT:
                self._put_constant(node)
        self._walk(outputs)

    # Places

    def _put(self, node: Node, place: Place) -> None:
        self.places[node.index] = place
        self.available.add(node.index)

    def _put_constant(self, node: Node) -> None:
        if constant_of(node) is not None and node.spec.dtype == np.float32:
            self._put(node, self.number(float(constant_of(node) or 0.0)))
        elif node.size:
            value = np.ascontiguousarray(node.params["value"])
            self._put(node, Place(Buffer(value.nbytes, self.bind(value))))
        else:
            self._put(node, Place(Buffer(0)))

    def number(self, value: float) -> Place:
        """The place of a constant number."""
        key = bits(value)
        if key not in self.number_at:
            self.number_at[key] = len(self.number_at)
        return Place(self.pool, 4 * self.number_at[key])

    def make(self, node: Node) -> Place:
        """New memory for the result of a node."""
        place = Place(Buffer(node.size * node.spec.dtype.itemsize))
        self._put(node, place)
        return place

    def place(self, node: Node) -> Place:
        """Where the numbers of a node lie, in row-major order; they are computed now where they are not yet."""
        base, offset = strip(node)
        self.ensure(base)
        found = self.places[base.index]
        return Place(found.buffer, found.offset + offset * node.spec.dtype.itemsize) if offset else found

    def emit(self, step: Step) -> None:
        self.steps.append(step)

    # Order

    def _walk(self, outputs: Sequence[Place]) -> None:
        for node in self.graph.nodes:
            if self.facts.kind[node.index] == "other" and node.primitive.name not in lowering.ON_DEMAND:
                self.ensure(node)
        before = len(self.steps)
        for node in self.graph.outputs:
            self.ensure(strip(node)[0], late=True)
        self._deliver(outputs)
        self.first_late = before

    def ensure(self, node: Node, late: bool = False) -> None:
        """Has a node's numbers in memory after the steps so far.

        What is begun and needs other nodes first waits on a list: a graph may be deeper than Python can call.
        """
        waiting = [self._compute(node, late)]
        while waiting:
            needed = next(waiting[-1], None)
            if needed is None:
                waiting.pop()
            else:
                waiting.append(self._compute(needed))

    def _compute(self, node: Node, late: bool = False) -> Iterator[Node]:
        """Emits the step for a node; yields each node that must be in memory before it goes on."""
        node = strip(node)[0]
        if node.index in self.available:
            return
        if self.facts.kind[node.index] in FUSED:
            yield from self._fuse(node, late)
        else:
            yield from lowering.reads(self, node)
            lowering.lower(self, node)
            assert node.index in self.available, node

    # Groups

    def _fuse(self, node: Node, late: bool) -> Iterator[Node]:
        group = self._group(node)
        while group.missing:
            yield from group.missing
            if node.index in self.available:
                return
            group = self._group(node)
        yield from self._widen(group, late)
        self._emit(group, node)

    def _group(self, node: Node) -> Group:
        group = self._empty(node)
        if group.add(node):
            return group
        group = self._empty(node)
        group.missing = [
            base
            for each in self.facts.operands[node.index]
            if constant_of(each.source) is None and (base := strip(each.source)[0]).index not in self.available
        ]
        assert group.missing, f"{node} fits into no group"
        for each in group.missing:
            self.facts.kept[each.index] = True
        return group

    def _empty(self, node: Node) -> Group:
        kind = self.facts.kind[node.index]
        size = node.inputs[0].size if kind in REDUCING else node.size
        return Group(self.facts, self.available, size)

    def _widen(self, group: Group, late: bool) -> Iterator[Node]:
        """Takes in other nodes that must be kept and can be had from the same pass."""
        refused: set[int] = set()
        while True:
            inside = {n.index for n in group.reductions} | refused
            fresh = [n for n in neighbours(self.facts, group) if n.index not in inside]
            fresh = [n for n in fresh if late or n.index not in self.updates]
            grown = False
            for node in fresh:
                if node.index in group.members:
                    continue
                before = group.mark()
                fits = group.add(node)
                missing = list(group.missing)
                if fits and missing:
                    group.back_to(before)
                    fits = self._are_few(missing, group)
                    if fits:
                        yield from missing
                        fits = node.index not in self.available and group.add(node)
                if fits and not group.missing:
                    grown = True
                else:
                    group.back_to(before)
                    refused.add(node.index)
            if not grown:
                return

    def _are_few(self, missing: list[Node], group: Group) -> bool:
        """Whether what one more member needs is little beside the group and does not wait for it."""
        inside = {*group.members, *(node.index for node in group.reductions)}
        pending, seen, size = list(missing), set(), 0
        while pending:
            node = strip(pending.pop())[0]
            if node.index in seen or node.index in self.available:
                continue
            seen.add(node.index)
            kind = self.facts.kind[node.index]
            reduced = node.inputs[0].size if kind in REDUCING else 0
            size += max(node.size, reduced)
            if kind not in FUSED or node.index in inside or size > group.size // FEW:
                return False
            pending += [each.source for each in self.facts.operands[node.index]]
        return True

    def _emit(self, group: Group, asked: Node) -> None:
        columns = group.row_length
        geometry = Geometry(group.size // max(columns, 1), columns)
        if group.pool is not None:
            geometry.pool = (group.pool.height, group.pool.width, group.pool.length)
        kept = self._to_store(group, asked)
        maker = Maker(self, group, geometry)
        for index in group.members:
            maker.add(self.graph.nodes[index])
        stores, writes = [], []
        for node in kept:
            place = self.make(node)
            level = group.members[node.index]
            stride = columns if level == "full" else 1
            mod = max(geometry.rows, 1)
            stores.append((maker.value(node), Reach(place, node.spec.dtype, level, PLAIN, 1, mod, stride)))
            writes.append(place.buffer)
        reductions = []
        for node in group.reductions:
            each = self.facts.operands[node.index][0]
            value = maker.reduced(each)
            place = self.make(node)
            combine = SUM if node.primitive.name == "sum" else MAX
            kind = OVER_ROWS if self.facts.kind[node.index] == "column" else OVER_ALL
            reductions.append((value, combine, kind, place))
            writes.append(place.buffer)
        ops = used(maker.ops, [value for value, _ in stores] + [value for value, *_ in reductions])
        tiles = Tiles(geometry, ops, stores, reductions, maker.levels, group.has_rows)
        reads = [reach.place.buffer for reach in maker.reaches]
        step = Step("tiles", reads, writes, tiles=tiles, label="+".join(op.name for op in ops))
        summed = [value for value, *_ in reductions if isinstance(value, Reach)]  # these are read after all else
        for _, reach in stores:
            for other in maker.reaches:
                if other in summed:
                    continue
                alike = other.access == PLAIN and other.level == reach.level == "full" and other.dtype == reach.dtype
                if alike and other.mod == reach.mod and other.stride == reach.stride and not other.place.offset:
                    step.in_place.append((reach.place.buffer, other.place.buffer))
        self.emit(step)

    def _to_store(self, group: Group, asked: Node) -> list[Node]:
        """Members that something outside the group reads from memory, and the one that was asked for."""
        inside = set(group.members) | {node.index for node in group.reductions}
        kept = []
        for index in group.members:
            node = self.graph.nodes[index]
            outside = any(u.index not in inside and u.index not in self.available for u in self.facts.users[index])
            if node is asked or (self.facts.kept[index] and (outside or self.facts.is_output[index])):
                kept.append(node)
        return kept

    # Results

    def _deliver(self, outputs: Sequence[Place]) -> None:
        """Brings each output to where it is wanted: its step writes there if that harms nobody, else it is copied."""
        pairs = [
            (node, self.place(node), target)
            for node, target in zip(self.graph.outputs, outputs, strict=True)
            if self.place(node) != target
        ]
        read = {id(source.buffer) for _, source, _ in pairs}  # what must be whole until all is done
        seen_by_host = {
            id(buffer) for step in self.steps if step.host is not None for buffer in (*step.reads, *step.writes)
        }
        uses = self._uses()
        copies: list[tuple[Place, Place, int]] = []
        for node, source, target in pairs:
            buffer, nbytes = source.buffer, node.size * node.spec.dtype.itemsize
            whole = not source.offset and not target.offset and buffer.nbytes == nbytes
            own = buffer.segment == 0 and buffer.same is None and id(buffer) not in seen_by_host
            if whole and own and id(target.buffer) not in read and self._may_take(buffer, target.buffer, uses):
                buffer.same = target.buffer
            elif nbytes:
                copies.append((source, target, nbytes))
        overwritten = {id(target.buffer) for _, target, _ in copies}
        for number, (source, target, nbytes) in enumerate(copies):
            if id(source.buffer.root()) in overwritten:  # another output takes this memory: first to safety
                between = Place(Buffer(nbytes))
                self.emit(lowering.copy_bytes(source, between, nbytes))
                copies[number] = (between, target, nbytes)
        for source, target, nbytes in copies:
            self.emit(lowering.copy_bytes(source, target, nbytes))

    def _uses(self) -> dict[int, list[int]]:
        """By the identity of each buffer the numbers of the steps that read or write it."""
        uses: dict[int, list[int]] = {}
        for number, step in enumerate(self.steps):
            for key in {id(buffer) for buffer in (*step.reads, *step.writes)}:
                uses.setdefault(key, []).append(number)
        return uses

    def _may_take(self, buffer: Buffer, target: Buffer, uses: dict[int, list[int]]) -> bool:
        """Whether a result may be written over an input: nothing reads the input later, or before it in the same step
        elsewhere than at the element that is written."""
        written = [n for n in uses.get(id(buffer), ()) if buffer in self.steps[n].writes]
        if len(written) != 1:
            return False
        if any(n > written[0] for n in uses.get(id(target), ())):
            return False
        step = self.steps[written[0]]
        if target not in step.reads:
            return True
        pairs = [(out, into) for out, into in step.in_place if out is buffer and into is target]
        return len(pairs) == sum(each is target for each in step.reads) == 1

    def finish(self) -> Plan:
        """Lays out memory, and merges updates that have the same program."""
        numbers = np.zeros(max(len(self.number_at), 1), np.uint32)
        for value, at in self.number_at.items():
            numbers[at] = value
        arena = lay_out(self.steps)
        return Plan(self.steps, arena, numbers, self.steps[self.first_late :])
