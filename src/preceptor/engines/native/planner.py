"""From a graph to a plan: the steps in order, where every array lies, and the words that the executor reads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from preceptor.engines.native import lowering
from preceptor.engines.native.fusion import FUSED, REDUCING, WINDOW_LEVELS, Facts, Group, neighbours
from preceptor.engines.native.memory import lay_out
from preceptor.engines.native.opcodes import opcode
from preceptor.engines.native.operand import Operand, strip
from preceptor.engines.native.program import (
    COLUMN_VECTOR,
    PLAIN,
    ROW_VECTOR,
    Buffer,
    Geometry,
    Op,
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
        """Has a node's numbers in memory after the steps so far."""
        node = strip(node)[0]
        if node.index in self.available:
            return
        if self.facts.kind[node.index] in FUSED:
            self._fuse(node, late)
        else:
            lowering.lower(self, node)
            assert node.index in self.available, node

    # Groups

    def _fuse(self, node: Node, late: bool) -> None:
        group = self._group(node)
        while group.missing:
            for each in group.missing:
                self.ensure(each)
            if node.index in self.available:
                return
            group = self._group(node)
        self._widen(group, late)
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

    def _widen(self, group: Group, late: bool) -> None:
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
                trial = group.copy()
                fits = trial.add(node)
                if fits and trial.missing and self._have_few(trial, group) and node.index not in self.available:
                    trial = group.copy()
                    fits = trial.add(node)
                if fits and not trial.missing:
                    group.take(trial)
                    grown = True
                else:
                    refused.add(node.index)
            if not grown:
                return

    def _have_few(self, trial: Group, group: Group) -> bool:
        """Computes what one more member needs, where that is little beside the group and does not wait for it."""
        inside = {*group.members, *(node.index for node in group.reductions)}
        pending, seen, size = list(trial.missing), set(), 0
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
        for each in trial.missing:
            self.ensure(each)
        return True

    def _emit(self, group: Group, asked: Node) -> None:
        columns = group.row_length
        geometry = Geometry(group.size // max(columns, 1), columns)
        if group.pool is not None:
            geometry.pool = (group.pool.height, group.pool.width, group.pool.length)
        kept = self._to_store(group, asked)
        maker = _Maker(self, group, geometry)
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
        ops = _used(maker.ops, [value for value, _ in stores] + [value for value, *_ in reductions])
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
        copies: list[tuple[Place, Place, int]] = []
        for node, source, target in pairs:
            buffer, nbytes = source.buffer, node.size * node.spec.dtype.itemsize
            whole = not source.offset and not target.offset and buffer.nbytes == nbytes
            own = buffer.segment == 0 and buffer.same is None and id(buffer) not in seen_by_host
            if whole and own and id(target.buffer) not in read and self._may_take(buffer, target.buffer):
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

    def _may_take(self, buffer: Buffer, target: Buffer) -> bool:
        """Whether a result may be written over an input: nothing reads the input later, or before it in the same step
        elsewhere than at the element that is written."""
        written = [n for n, step in enumerate(self.steps) if buffer in step.writes]
        if len(written) != 1:
            return False
        reading = [n for n, step in enumerate(self.steps) if target in step.reads or target in step.writes]
        if any(n > written[0] for n in reading):
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


def _used(ops: list[Op], results: list[Any]) -> list[Op]:
    """The operations without those whose result is used by none: what a pair of nodes has become one operation for."""
    wanted = {value for value in results if not isinstance(value, Reach)}
    kept = []
    for op in reversed(ops):
        if op.result in wanted:
            kept.append(op)
            wanted |= {each for each in op.operands if not isinstance(each, Reach)}
    return kept[::-1]


class _Maker:
    """Writes the members of a group as operations, simple pairs as one."""

    def __init__(self, planner: Planner, group: Group, geometry: Geometry) -> None:
        self.planner, self.group, self.geometry = planner, group, geometry
        self.ops: list[Op] = []
        self.values: dict[int, Any] = {}
        self.levels: dict[Any, str] = {}
        self.reaches: list[Reach] = []
        self.known: dict[Any, Reach] = {}
        self.inner = self._counts()

    def _counts(self) -> dict[int, int]:
        """How often each member is read within the group."""
        counts: dict[int, int] = {}
        facts = self.planner.facts
        for index in (*self.group.members, *(node.index for node in self.group.reductions)):
            for each in facts.operands[index]:
                base = strip(each.source)[0]
                counts[base.index] = counts.get(base.index, 0) + 1
        return counts

    def value(self, node: Node) -> Any:
        return self.values[node.index]

    def reduced(self, each: Operand) -> Any:
        """What a reduction at the end adds up: a value, or memory that lies as the group does."""
        inner = self.group.members.get(strip(each.source)[0].index, "full")
        value = self.operand(each, inner if each.varies is None else "full")
        if not isinstance(value, Reach) and each.varies is None:
            return value
        plain = isinstance(value, Reach) and (value.access, value.div, value.level) == (PLAIN, 1, "full")
        if plain and value.mod * value.stride == self.group.size:
            return value
        name = ("copy", len(self.ops))
        self.levels[name] = "full"
        self.ops.append(Op("copy", "full", name, [value]))
        return name

    def add(self, node: Node) -> None:
        level = self.group.members[node.index]
        facts, name = self.planner.facts, node.primitive.name
        found = facts.operands[node.index]
        if facts.kind[node.index] == "row":
            opcode_name = {"sum": "row_sum", "max": "row_max", "argmax": "row_argmax_i"}[name]
            self._op(node, opcode_name, level, "full", [self.operand(found[0], "full")])
        elif facts.kind[node.index] in ("pool", "spread"):
            levels = WINDOW_LEVELS[name]
            operands = [self.operand(x, each) for x, each in zip(found, levels, strict=True)]
            self._op(node, name.replace("window", "pool"), level, "full", operands)
        else:
            self._tile(node, level, found)

    def _op(self, node: Node, name: str, level: str, width: str, operands: list[Any], imm: int = 0) -> None:
        self.values[node.index] = node.index
        self.levels[node.index] = level
        self.ops.append(Op(name, width, node.index, operands, imm))

    def _tile(self, node: Node, level: str, found: list[Operand]) -> None:
        name = opcode(node)
        assert name is not None
        if name == "integer_power":
            exponent = node.params["exponent"]
            self._op(node, name, level, level, [self.operand(found[0], level)], bits(float(exponent)))
            return
        if self._mask(node, level, found) or self._multiply_add(node, level, found):
            return
        number = [constant_of(x.source) if x.source.spec.dtype == np.float32 else None for x in found]
        if name in ("add", "multiply") and any(value is not None for value in number):
            position = 0 if number[0] is not None else 1
            value = number[position]
            assert value is not None
            other = self.operand(found[1 - position], level)
            self._op(node, "shift" if name == "add" else "scale", level, level, [other], bits(value))
            return
        if name == "subtract" and number[1] is not None:
            self._op(node, "shift", level, level, [self.operand(found[0], level)], bits(-number[1]))
            return
        if name == "copy" and node.spec.dtype == node.inputs[0].spec.dtype:
            self.values[node.index] = self.operand(found[0], level)
            return
        self._op(node, name, level, level, [self.operand(x, level) for x in found])

    def _mask(self, node: Node, level: str, found: list[Operand]) -> bool:
        """where(x <= 0, 0, y), the gradient of a rectifier."""
        if node.primitive.name != "where" or node.spec.dtype != np.float32 or constant_of(found[1].source) != 0:
            return False
        test = strip(found[0].source)[0]
        members = self.group.members
        if found[0].varies is not None or test.primitive.name != "less_equal" or members.get(test.index) != level:
            return False
        x, zero = self.planner.facts.operands[test.index]
        if constant_of(zero.source) != 0 or x.source.spec.dtype != np.float32:
            return False
        self._op(node, "relu_mask", level, level, [self.operand(x, level), self.operand(found[2], level)])
        return True

    def _multiply_add(self, node: Node, level: str, found: list[Operand]) -> bool:
        """x * y + z, where the product is needed nowhere else."""
        if node.primitive.name != "add" or node.spec.dtype != np.float32:
            return False
        for position in (1, 0):
            product = strip(found[position].source)[0]
            if (
                found[position].varies is None
                and product.primitive.name == "multiply"
                and self.group.members.get(product.index) == level
                and self.inner.get(product.index) == 1
                and not self.planner.facts.kept[product.index]
                and self.ops
                and any(op.result == product.index and op.name in ("multiply", "scale") for op in self.ops)
            ):
                number = next(n for n, op in enumerate(self.ops) if op.result == product.index)
                op = self.ops[number]
                if op.name == "scale":
                    continue
                del self.ops[number]
                factors = op.operands
                self._op(node, "multiply_add", level, level, [*factors, self.operand(found[1 - position], level)])
                return True
        return False

    def operand(self, x: Operand, level: str) -> Any:
        """A value of the group, or how it is reached in memory."""
        base, offset = strip(x.source)
        if x.varies is not None and (number := constant_of(x.source)) is not None and x.source.spec.dtype == np.float32:
            return self._reach(Reach(self.planner.number(number), x.source.spec.dtype, "one", PLAIN))
        if base.index in self.values and not offset:
            return self.values[base.index]
        place = self.planner.place(x.source)
        dtype = x.source.spec.dtype
        if x.is_one:
            return self._reach(Reach(place, dtype, "one", PLAIN))
        geometry = self.geometry
        if level == "pool":
            return self._reach(Reach(place, dtype, "pool", PLAIN, 1, 1, 1))
        if level == "row":
            div, mod, _, _ = x.rows(1, geometry.rows)
            return self._reach(Reach(place, dtype, "row", PLAIN, div, mod, 1))
        div, mod, stride, along = x.rows(geometry.columns, self.group.size)
        if not along:
            return self._reach(Reach(place, dtype, "full", ROW_VECTOR, div, mod, 1))
        if stride == 0:
            return self._reach(Reach(place, dtype, "full", COLUMN_VECTOR, 1, 1, 0))
        return self._reach(Reach(place, dtype, "full", PLAIN, div, mod, stride))

    def _reach(self, reach: Reach) -> Reach:
        key = (
            id(reach.place.buffer),
            reach.place.offset,
            reach.dtype,
            reach.level,
            reach.access,
            reach.div,
            reach.mod,
            reach.stride,
        )
        if key not in self.known:
            self.known[key] = reach
            self.reaches.append(reach)
        return self.known[key]
