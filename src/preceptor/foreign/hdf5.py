"""The part of HDF5 that Keras writes: groups, attributes and arrays of numbers that lie in one piece.

The C library of HDF5 is not made for files of strangers: what is damaged on purpose may end the process. Here every
address is looked at before it is followed, no place is gone to twice, and arrays are views of the file.
Source: HDF5 File Format Specification Version 3.0: superblock 0, object headers 1, symbol tables, layouts 3.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from preceptor.errors import DataError
from preceptor.foreign.weights import settled, shown

DATASPACE, LINK_INFO, DATATYPE, LINK, ELSEWHERE, LAYOUT, FILTERS, ATTRIBUTE, CONTINUED, TABLE = (
    1,
    2,
    3,
    6,
    7,
    8,
    11,
    12,
    16,
    17,
)  # kinds
INTEGER, FLOAT, TEXT, ENUMERATED, VARIABLE = 0, 1, 3, 8, 9  # classes of types
FLOATS = {2: (10, 5), 4: (23, 8), 8: (52, 11)}  # bytes -> bits of fraction and exponent in IEEE 754
DEEPEST = 50  # groups in one another
CONTIGUOUS = 1  # class of a layout
SHARED = 2  # flag of a message that lies elsewhere
NEWER = "it is written in a newer form of HDF5 than Keras writes"
CURE = "Save the weights with model.save_weights(NAME.weights.h5) again, or as .npz by numpy.savez."


class Unknown(ValueError):
    """What the file holds is nothing for this reader; the sentence names no file."""


@dataclass(frozen=True)
class Kind:
    """A type of elements: `name` is a dtype of NumPy, "text" of fixed or "texts" of variable length."""

    name: str
    size: int


@dataclass(frozen=True, eq=False)
class Item:
    """A group or a dataset.

    Args:
        path: its name with those of the groups above it.
        attributes: text and lists of text alone.
        array: None for a group.
    """

    path: str
    attributes: dict[str, list[str]]
    array: np.ndarray | None


def read_items(data: memoryview, where: str) -> list[Item]:
    """All groups and datasets of a file, groups before what is in them, names in the order of the alphabet.

    Raises: DataError where the file is damaged, or of a form that Keras does not write.
    """
    try:
        return list(_File(data).items())
    except (struct.error, IndexError, UnicodeDecodeError, OverflowError):
        raise DataError(f"{where}: it is cut off or damaged; a whole HDF5 file is needed. Copy it again.") from None
    except Unknown as error:
        raise DataError(f"{where}: {error}; what Keras writes is read. {CURE}") from None


class _File:
    def __init__(self, data: memoryview) -> None:
        self.data = data
        self.visited: set[int] = set()
        self.left = len(data)  # bytes that arrays and attributes may still take
        self.heaps: dict[int, dict[int, memoryview]] = {}

    def items(self) -> Iterator[Item]:
        version, offsets, lengths = self.data[8], self.data[13], self.data[14]
        if version != 0 or (offsets, lengths) != (8, 8) or self._number(24, 8):
            raise Unknown(NEWER)
        waiting = [("", self._number(64, 8))]
        while waiting:
            path, address = waiting.pop()
            if path.count("/") > DEEPEST:
                raise Unknown("its groups lie too deep in one another")
            messages = list(self._messages(address))
            attributes = dict(self._attribute(*span) for kind, *span in messages if kind == ATTRIBUTE)
            by_kind = {kind: span for kind, *span in messages}
            if TABLE in by_kind:
                yield Item(path, _texts(attributes), None)
                inner = sorted(self._links(*by_kind[TABLE]))
                waiting += [(f"{path}/{name}" if path else name, place) for name, place in reversed(inner)]
            elif LAYOUT in by_kind:
                yield Item(path, _texts(attributes), self._array(path, by_kind))
            else:
                raise Unknown(NEWER if LINK in by_kind or LINK_INFO in by_kind else f"{shown(path)} is no array")

    def _visit(self, address: int) -> None:
        if address in self.visited or not 0 < address < len(self.data):
            raise Unknown("its parts point at one another in circles, or nowhere")
        self.visited.add(address)

    def _number(self, at: int, width: int) -> int:
        if at < 0 or at + width > len(self.data):
            raise IndexError
        return int.from_bytes(self.data[at : at + width], "little")

    def _slice(self, at: int, size: int) -> memoryview:
        if at < 0 or at + size > len(self.data):
            raise IndexError
        return self.data[at : at + size]

    def _spend(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise Unknown("it describes more numbers than it has room for")

    def _messages(self, address: int) -> Iterator[tuple[int, int, int]]:
        """(kind, where it begins, bytes) of each message of an object's header."""
        self._visit(address)
        if self.data[address] != 1:
            raise Unknown(NEWER)
        count, size = self._number(address + 2, 2), self._number(address + 8, 4)
        blocks = [(address + 16, size)]
        while blocks and count:
            at, size = blocks.pop(0)
            end = at + len(self._slice(at, size))
            while count and at + 8 <= end:
                kind, length, flags = struct.unpack_from("<HHB", self.data, at)
                if at + 8 + length > end:
                    raise IndexError
                if kind == CONTINUED:
                    block = self._number(at + 8, 8)
                    self._visit(block)
                    blocks.append((block, self._number(at + 16, 8)))
                elif flags & SHARED:
                    raise Unknown(NEWER)
                yield kind, at + 8, length
                at += 8 + length
                count -= 1

    def _links(self, at: int, length: int) -> Iterator[tuple[str, int]]:
        """(name, address) of all that is in a group."""
        tree, heap = self._number(at, 8), self._number(at + 8, 8)
        if bytes(self._slice(heap, 4)) != b"HEAP":
            raise IndexError
        names = self._slice(self._number(heap + 24, 8), self._number(heap + 8, 8))
        waiting = [tree]
        while waiting:
            node = waiting.pop()
            self._visit(node)
            sign = bytes(self._slice(node, 4))
            if sign == b"TREE" and self.data[node + 4] == 0:
                waiting += [self._number(node + 32 + 16 * each, 8) for each in range(self._number(node + 6, 2))]
            elif sign == b"SNOD":
                for entry in range(node + 8, node + 8 + 40 * self._number(node + 6, 2), 40):
                    start, address, cached = struct.unpack_from("<QQL", self.data, entry)
                    if cached > 1:
                        raise Unknown("it holds links to other places, which are not followed")
                    end = start
                    while names[end]:
                        end += 1
                    self._spend(end - start)
                    yield bytes(names[start:end]).decode(), address
            else:
                raise IndexError

    def _kind(self, at: int) -> Kind:
        """The type of elements that a message describes."""
        kind, bits, size = self.data[at] & 15, self.data[at + 1], self._number(at + 4, 4)
        if kind == INTEGER and size in (1, 2, 4, 8) and self._number(at + 8, 4) == 8 * size << 16 and not bits & 1:
            return Kind(f"{'' if bits & 8 else 'u'}int{8 * size}", size)
        if kind == FLOAT and size in FLOATS and not bits & 1:
            fraction, exponent = FLOATS[size]
            if tuple(self.data[at + 12 : at + 16]) == (fraction, exponent, 0, fraction):
                return Kind(f"float{8 * size}", size)
        if kind == ENUMERATED and size == 1:  # how h5py writes bool
            return Kind("bool", 1)
        if kind == TEXT:
            return Kind("text", size)
        if kind == VARIABLE and bits & 15 == 1 and size == 16:
            return Kind("texts", size)
        return Kind("", size)

    def _shape(self, at: int, length: int) -> tuple[int, ...]:
        version, rank = self.data[at], self.data[at + 1]
        start = {1: 8, 2: 4}.get(version)
        if start is None or start + 8 * rank > length or (version == 2 and self.data[at + 3] == 2):
            raise Unknown("it holds an array without a shape")
        return tuple(self._number(at + start + 8 * axis, 8) for axis in range(rank))

    def _array(self, path: str, messages: dict[int, list[int]]) -> np.ndarray:
        if ELSEWHERE in messages:
            raise Unknown(f"{shown(path)} lies in another file; names of files in a file are not followed")
        if FILTERS in messages:
            raise Unknown(f"{shown(path)} is packed")
        if DATATYPE not in messages or DATASPACE not in messages:
            raise IndexError
        kind, shape = self._kind(messages[DATATYPE][0]), self._shape(*messages[DATASPACE])
        if not kind.name or kind.name.startswith("text"):
            raise Unknown(f"{shown(path)} holds no numbers of a common type")
        at = messages[LAYOUT][0]
        if self.data[at] != 3 or self.data[at + 1] != CONTIGUOUS:
            raise Unknown(f"{shown(path)} does not lie in one piece")
        needed = kind.size
        for size in shape:
            needed *= size
        if max(shape, default=0) > len(self.data):  # beside a 0, which makes nothing of any size
            raise Unknown(f"{shown(path)} has a shape that no array can have")
        if self._number(at + 10, 8) != needed:
            raise Unknown(f"{shown(path)} has a shape that its {self._number(at + 10, 8):,} bytes do not fill")
        self._spend(needed)
        bytes_ = self._slice(self._number(at + 2, 8), needed) if needed else memoryview(b"")
        raw = np.frombuffer(bytes_, "u1" if kind.name == "bool" else np.dtype(kind.name).newbyteorder("<"))
        try:
            return settled(raw.reshape(shape), kind.name)
        except (ValueError, OverflowError):
            raise Unknown(f"{shown(path)} has a shape that no array can have") from None

    def _attribute(self, at: int, length: int) -> tuple[str, list[str] | None]:
        """Name and texts of an attribute; None where it holds anything else."""
        version = self.data[at]
        if version not in (1, 3):
            raise Unknown(NEWER)
        of_name, of_kind, of_shape = struct.unpack_from("<3H", self.data, at + 2)
        name_at = at + (8 if version == 1 else 9)
        unit = 8 if version == 1 else 1  # which lengths are rounded up to
        kind_at = name_at + -(-of_name // unit) * unit
        shape_at = kind_at + -(-of_kind // unit) * unit
        start = shape_at + -(-of_shape // unit) * unit
        name = bytes(self._slice(name_at, of_name)).rstrip(b"\0").decode()
        kind = self._kind(kind_at)
        if not kind.name.startswith("text"):
            return name, None
        count = 1
        for size in self._shape(shape_at, of_shape):
            count *= size
        if start + count * kind.size > at + length:
            raise IndexError
        self._spend(count * kind.size)
        spans = [self._slice(start + each * kind.size, kind.size) for each in range(count if kind.size else 0)]
        parts = spans if kind.name == "text" else [self._of_heap(span) for span in spans]
        return name, [bytes(part).rstrip(b"\0").decode() for part in parts]

    def _of_heap(self, reference: memoryview) -> memoryview:
        """Text of variable length, which lies in a heap of the whole file."""
        size, address, index = struct.unpack("<LQL", reference)
        if not size:
            return memoryview(b"")
        self._spend(size)
        if address not in self.heaps:
            self.heaps[address] = dict(self._heap(address))
        if index not in self.heaps[address]:
            raise IndexError
        return self.heaps[address][index][:size]

    def _heap(self, address: int) -> Iterator[tuple[int, memoryview]]:
        self._visit(address)
        if bytes(self._slice(address, 4)) != b"GCOL":
            raise IndexError
        end = address + len(self._slice(address, self._number(address + 8, 8)))
        at = address + 16
        while at + 16 <= end:
            index, size = self._number(at, 2), self._number(at + 8, 8)
            if not index:
                break
            yield index, self._slice(at + 16, size)
            at += 16 + -(-size // 8) * 8


def _texts(attributes: dict[str, list[str] | None]) -> dict[str, list[str]]:
    return {name: texts for name, texts in attributes.items() if texts is not None}
