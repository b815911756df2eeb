"""The members of a group as operations of the tile kernels, and how each reaches what it reads in memory."""

from typing import Any

import numpy as np

from preceptor.engines.native.ending import clip_of
from preceptor.engines.native.fusion import WINDOW_LEVELS, Group
from preceptor.engines.native.lowering import Planner
from preceptor.engines.native.opcodes import opcode
from preceptor.engines.native.operand import Operand, strip
from preceptor.engines.native.program import COLUMN_VECTOR, PLAIN, ROW_VECTOR, Geometry, Op, Reach, bits
from preceptor.engines.native.rewriting import constant_of
from preceptor.graph import Node


def used(ops: list[Op], results: list[Any]) -> list[Op]:
    """The operations without those whose result is used by none: what a pair of nodes has become one operation for."""
    wanted = {value for value in results if not isinstance(value, Reach)}
    kept = []
    for op in reversed(ops):
        if op.result in wanted:
            kept.append(op)
            wanted |= {each for each in op.operands if not isinstance(each, Reach)}
    return kept[::-1]


class Maker:
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
        if self._clip(node, level, found) or self._mask(node, level, found) or self._multiply_add(node, level, found):
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

    def _clip(self, node: Node, level: str, found: list[Operand]) -> bool:
        """where(c <= x, c, relu(x)), a rectifier with a limit."""
        if node.primitive.name != "where" or not (limit := clip_of(node)) or found[2].varies is not None:
            return False
        relu = strip(found[2].source)[0]
        if self.group.members.get(relu.index) != level:
            return False
        x = self.planner.facts.operands[relu.index][0]
        self._op(node, "clip", level, level, [self.operand(x, level)], bits(limit))
        return True

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
        inner = self._below_limit(x, found[2], level)
        if inner is not None:
            limit, y = inner
            self._op(node, "clip_mask", level, level, [self.operand(x, level), self.operand(y, level)], bits(limit))
            return True
        self._op(node, "relu_mask", level, level, [self.operand(x, level), self.operand(found[2], level)])
        return True

    def _below_limit(self, x: Operand, y: Operand, level: str) -> tuple[float, Operand] | None:
        """c and z where y is where(c <= x, 0, z), c above 0: behind a rectifier its limit."""
        node, members, facts = strip(y.source)[0], self.group.members, self.planner.facts
        if y.varies is not None or node.primitive.name != "where" or members.get(node.index) != level:
            return None
        found = facts.operands[node.index]
        test = strip(found[0].source)[0]
        if found[0].varies is not None or test.primitive.name != "less_equal" or members.get(test.index) != level:
            return None
        top, other = facts.operands[test.index]
        limit = constant_of(top.source)
        same = other.varies == x.varies and strip(other.source) == strip(x.source)
        if not same or limit is None or limit <= 0 or constant_of(found[1].source) != 0:
            return None
        return float(limit), found[2]

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
