"""Programs of the tile kernels: a fused group of nodes as slots, operations and reductions, and their words."""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from preceptor.engines.native.opcodes import type_code

TILE = 512  # numbers that an operation works on before the next one does: they stay in the first cache
STREAMED_TILE = 256  # the same for arrays that come from memory: fewer streams wait at a time
WIDEST = 1536  # numbers of a row of which a tile has several, where they are summed over
STREAMED = 1 << 18  # numbers of an array that does not stay in a cache
SCRATCH, MEMORY = 0, 1
LEVELS = ("full", "row", "pool", "one")
PLAIN, COLUMN_VECTOR, ROW_VECTOR = 0, 1, 2


@dataclass(frozen=True)
class Place:
    """Where an array lies: a buffer, and bytes from its start."""

    buffer: "Buffer"
    offset: int = 0


@dataclass(eq=False)
class Buffer:
    """Memory for one array. A segment from 1 on is given with each run; 0 is the plan's own, where `start` is laid out
    from `first` and `last`, the steps between which it is in use."""

    nbytes: int
    segment: int = 0
    start: int = 0
    first: int = -1
    last: int = -1
    same: "Buffer | None" = None  # the buffer whose memory this one takes

    def root(self) -> "Buffer":
        return self if self.same is None else self.same.root()


def word(place: Place | None) -> int:
    """A place as the executor reads it: the segment in the upper 16 bits, then bytes."""
    if place is None:
        return -1
    buffer = place.buffer.root()
    return (buffer.segment << 48) | (buffer.start + place.offset)


def bits(value: float) -> int:
    """The bits of a number as float32."""
    return int(struct.unpack("<I", struct.pack("<f", value))[0])


@dataclass(frozen=True)
class Reach:
    """A memory operand: (where, row address, level, access), everything that makes it a slot of its own."""

    place: Place
    dtype: Any
    level: str
    access: int
    div: int = 1
    mod: int = 1
    stride: int = 0


@dataclass
class Op:
    """One operation: opcode, level, result and operands, which are values (of the group) or reaches (of memory)."""

    name: str
    level: str
    result: Any
    operands: list[Any]
    imm: int = 0


@dataclass
class Geometry:
    """How the numbers of a group lie: rows of columns, cut into tiles; `pool` is (height, width, row length)."""

    rows: int
    columns: int
    pool: tuple[int, int, int] | None = None

    def tile(self, whole_rows: bool, summed: bool) -> tuple[int, int]:
        """(rows, columns) of a tile."""
        rows, columns = max(self.rows, 1), max(self.columns, 1)
        if self.pool is not None:
            height, _, length = self.pool
            unit = height * length
            return unit * max(1, min(TILE // (unit * columns), rows // unit)), columns
        tile = STREAMED_TILE if rows * columns >= STREAMED else TILE
        if summed and tile == STREAMED_TILE and tile <= columns <= WIDEST and columns % 16 == 0:
            return max(2, 2 * TILE // columns), columns  # sums over rows stay in registers from row to row
        if columns >= tile:
            return 1, columns if whole_rows else tile
        return max(1, min(tile // columns, rows)), columns


@dataclass
class Tiles:
    """A fused group ready to be written down, once its memory is laid out."""

    geometry: Geometry
    ops: list[Op]
    stores: list[tuple[Any, Reach]]  # value -> memory
    reductions: list[tuple[Any, int, int, Place]]  # value, combine, kind, result
    levels: dict[Any, str] = field(default_factory=dict)
    whole_rows: bool = False

    def words(self, codes: dict[str, int]) -> tuple[list[int], list[int]]:
        """(the program, the instance): groups with equal programs run as instances of one instruction."""
        writer = _Writer(codes, self)
        return writer.program(), writer.instance()


@dataclass
class Step:
    """One instruction: its kind, the buffers that it reads and writes, and how its words are made once they lie."""

    kind: str
    reads: list[Buffer]
    writes: list[Buffer]
    words: Callable[[], list[int]] | None = None
    tiles: Tiles | None = None
    host: Callable[[Any], Callable[[], None]] | None = None  # given a view maker, makes what runs with the interpreter
    label: str = ""
    in_place: list[tuple[Buffer, Buffer]] = field(default_factory=list)  # (result, operand whose memory it may take)


class _Writer:
    """Gives every value a slot. Results go straight to memory where nothing is read from there afterwards."""

    def __init__(self, codes: dict[str, int], tiles: Tiles) -> None:
        self.codes, self.tiles = codes, tiles
        self.slots: list[tuple[int, int, int, int]] = []
        self.memory: list[Reach] = []
        self.slot_of: dict[Any, int] = {}
        self.free: dict[str, list[int]] = {level: [] for level in LEVELS}
        self.ops: list[tuple[int, ...]] = []
        self._write()

    def _write(self) -> None:
        tiles = self.tiles
        last: dict[Any, int] = {}
        for number, op in enumerate(tiles.ops):
            for each in op.operands:
                last[each] = number
        for value, *_ in tiles.reductions:
            last[value] = len(tiles.ops)
        read_until: dict[Any, int] = {}
        for number, op in enumerate(tiles.ops):
            for each in op.operands:
                if isinstance(each, Reach):
                    read_until[word(each.place)] = number
        for value, *_ in tiles.reductions:
            if isinstance(value, Reach):
                read_until[word(value.place)] = len(tiles.ops)
        made = {op.result: number for number, op in enumerate(tiles.ops)}
        direct: dict[Any, Reach] = {}
        copies: list[tuple[Any, Reach]] = []
        for value, target in tiles.stores:
            safe = value in made and read_until.get(word(target.place), -1) <= made[value]
            if safe and value not in direct and tiles.levels.get(value) == target.level:
                direct[value] = target
            else:
                copies.append((value, target))
                last[value] = len(tiles.ops)
        for number, op in enumerate(tiles.ops):
            sources = [self._slot(each) for each in op.operands]
            for each in op.operands:  # a slot read for the last time may take the result: lane by lane that is safe
                if last[each] == number and op.name not in ACROSS:
                    self._release(each, direct)
            name = op.result
            if name in direct:
                self.slot_of[name] = self._memory(direct[name])
            else:
                self.slot_of[name] = self._scratch(tiles.levels[name])
            for each in op.operands:
                if last[each] == number and op.name in ACROSS:
                    self._release(each, direct)
            padded = [*sources, -1, -1, -1][:3]
            level = LEVELS.index(op.level)
            self.ops.append((self.codes[op.name], level, self.slot_of[name], *padded, op.imm))
        for value, target in copies:
            level = LEVELS.index(target.level)
            self.ops.append((self.codes["copy"], level, self._memory(target), self._slot(value), -1, -1, 0))
        self.reduced = [(self._slot(value), combine, kind) for value, combine, kind, _ in tiles.reductions]

    def _slot(self, each: Any) -> int:
        if isinstance(each, Reach):
            return self._memory(each)
        return self.slot_of[each]

    def _memory(self, reach: Reach) -> int:
        key = (word(reach.place), str(reach.dtype), reach.level, reach.access, reach.div, reach.mod, reach.stride)
        if key not in self.slot_of:
            self.slot_of[key] = len(self.slots)
            self.slots.append((MEMORY, LEVELS.index(reach.level), type_code(reach.dtype), reach.access))
            self.memory.append(reach)
        return self.slot_of[key]

    def _scratch(self, level: str) -> int:
        if self.free[level]:
            return self.free[level].pop()
        self.slots.append((SCRATCH, LEVELS.index(level), 0, 0))
        return len(self.slots) - 1

    def _release(self, each: Any, direct: dict[Any, Reach]) -> None:
        if isinstance(each, Reach) or each in direct or each not in self.slot_of:
            return
        slot = self.slot_of[each]
        level = LEVELS[self.slots[slot][1]]
        if slot not in self.free[level]:
            self.free[level].append(slot)

    def program(self) -> list[int]:
        words = [len(self.slots)]
        for slot in self.slots:
            words += slot
        words.append(len(self.ops))
        for op in self.ops:
            words += op
        words.append(len(self.reduced))
        for each in self.reduced:
            words += each
        return words

    def instance(self) -> list[int]:
        geometry = self.tiles.geometry
        height, width, length = geometry.pool or (0, 0, 0)
        summed = any(kind == 0 for _, _, kind, _ in self.tiles.reductions)
        rows, columns = geometry.tile(self.tiles.whole_rows, summed)
        words = [geometry.rows, geometry.columns, rows, columns, height, width, length]
        for reach in self.memory:
            words += (word(reach.place), reach.div, reach.mod, reach.stride)
        for *_, place in self.tiles.reductions:
            words.append(word(place))
        return words


ACROSS = frozenset(  # what reads more than the lane that it writes
    {"row_sum", "row_max", "row_argmax_i", "pool_max", "pool_sum", "pool_max_mean", "pool_spread", "pool_max_spread"}
)
