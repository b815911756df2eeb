"""Pickles of PyTorch's weights, read without being run.

A pickle is a program: it may name any function and have it called. This reader knows the opcodes that a dictionary of
tensors needs, and the names (NAMES), for each of which it makes a record of its own. It imports nothing and calls
nothing that a pickle names; what is not in the two lists is refused by its name.
Source: CPython's Lib/pickletools.py; torch/_weights_only_unpickler.py for what state dicts ask for.
Differs: from PyTorch's own, which calls the real functions, and lets a few bytes ask for any amount of memory.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pickletools import opcodes
from typing import Any

from preceptor.errors import DataError
from preceptor.foreign.weights import KINDS, shown

SPARE = 16 << 20  # bytes that a pickle's objects may take in any case: 5,000 tensors, generously counted
SHARE = 4  # times the file's size that they may take beyond that
EACH, WHOLE = 16, 110  # bytes in CPython: of a place on the stack or in a list; of a container, a mark or a memo
LARGEST = 16  # bytes of a whole number; the magic number of the legacy form has 10
HIGHEST = 5  # protocol
MOST_DIMENSIONS = 64  # of NumPy's arrays; PyTorch saves no more


@dataclass(frozen=True, slots=True)
class Stored:
    """A piece of memory that a pickle mentions and that lies elsewhere in the file.

    Args:
        kind: of its numbers: one of KINDS, or None for mere bytes.
        key: its name in the file.
        count: numbers (bytes, where kind is None).
        first: number at which it begins, where it is a view of a larger one.
        whole: numbers of that larger one; else as count.
    """

    kind: str | None
    key: str
    count: int
    first: int
    whole: int


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """A tensor in a pickle: which numbers of a piece of memory it is.

    Args:
        stored: the memory.
        kind: of its numbers, one of KINDS.
        offset: of its first number in the memory.
        shape: sizes.
        strides: numbers between neighbours along each axis.
    """

    stored: Stored
    kind: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Storage:
    """A class of PyTorch's memory; kind as in Stored."""

    kind: str | None


@dataclass(frozen=True, slots=True)
class Function:
    """A name that a pickle may have called, and what we do in its place.

    Args:
        name: as the pickle writes it.
        build: the arguments -> a record; ValueError where they are none for it.
    """

    name: str
    build: Callable[[tuple], Any]


def _sizes(value: Any) -> tuple[int, ...]:
    if type(value) is tuple and len(value) <= MOST_DIMENSIONS and all(type(n) is int and n >= 0 for n in value):
        return value
    raise ValueError("a shape")


def _tensor(args: tuple) -> Tensor:
    match args:
        case (Stored(kind=str(kind)) as stored, int(offset), shape, strides, *rest) if len(rest) <= 3:
            sizes, steps = _sizes(shape), _sizes(strides)
            if len(sizes) == len(steps) and offset >= 0:
                return Tensor(stored, kind, offset, sizes, steps)
    raise ValueError("a tensor")


def _typed_tensor(args: tuple) -> Tensor:
    """One whose memory is mere bytes: its type is the seventh argument."""
    match args:
        case (Stored(kind=None) as stored, int(offset), shape, strides, _, _, str(dtype), *_) if dtype in KINDS:
            sizes, steps = _sizes(shape), _sizes(strides)
            if len(sizes) == len(steps) and offset >= 0:
                return Tensor(stored, dtype, offset, sizes, steps)
    raise ValueError("a tensor")


def _parameter(args: tuple) -> Tensor:
    match args:
        case (Tensor() as tensor, *_):
            return tensor
    raise ValueError("a parameter")


def _ordered(args: tuple) -> dict:
    match args:
        case ():
            return {}
        case (list(pairs),):  # how Python 2 writes it
            found: dict = {}
            for pair in pairs:
                match pair:
                    case [str() | int() as key, value]:
                        found[key] = value
                    case _:
                        raise ValueError("a dictionary")
            return found
    raise ValueError("a dictionary")


def _counts(args: tuple) -> dict:
    match args:
        case (dict(counts),):
            return counts
    raise ValueError("a dictionary")


def _size(args: tuple) -> tuple[int, ...]:
    match args:
        case (shape,):
            return _sizes(shape)
    raise ValueError("a shape")


def _device(args: tuple) -> str:
    match args:
        case (str(kind),) | (str(kind), int()):
            return kind
    raise ValueError("a device")


STORAGES = {
    "BoolStorage": "bool",
    "ByteStorage": "uint8",
    "CharStorage": "int8",
    "ShortStorage": "int16",
    "IntStorage": "int32",
    "LongStorage": "int64",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "FloatStorage": "float32",
    "DoubleStorage": "float64",
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
    "UntypedStorage": None,
}
FUNCTIONS = {
    "collections.OrderedDict": _ordered,
    "collections.Counter": _counts,  # in the states of schedules
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _typed_tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "torch.Size": _size,
    "torch.device": _device,
}
NAMES: dict[str, Any] = (  # all that a pickle may name -> what stands for it
    {f"torch.{name}": Storage(kind) for name, kind in STORAGES.items()}
    | {f"torch.cuda.{name}": Storage(kind) for name, kind in STORAGES.items()}  # how PyTorch wrote it before 0.4
    | {"torch.storage.UntypedStorage": Storage(None)}
    | {f"torch.{kind}": kind for kind in KINDS}
    | {name: Function(name, build) for name, build in FUNCTIONS.items()}
)


class Pickles:
    """Pickles that stand one behind the other in a file.

    Args:
        data: the file, or a part of it.
        at: where the first begins; after each reading, where the next does.
        size: of the whole file, by which the memory for what pickles describe is bounded.
        where: how messages call the file.
    """

    def __init__(self, data: memoryview, at: int, size: int, where: str) -> None:
        self.data, self.at, self.where = data, at, where
        self.left = SPARE + SHARE * size
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def read(self) -> Any:
        """What a pickle describes: dictionaries, lists, tuples, text, numbers, and the records above.

        Raises: DataError where it asks for anything else, is cut off, or makes no sense.
        """
        self.stack, self.marks, self.memo = [], [], {}
        if self._take(1) != b"\x80" or self._number(1) > HIGHEST:
            raise self._refused("no pickle begins where one should, or one of an unknown protocol")
        try:
            while (code := self._number(1)) != STOP:
                act = ACTS.get(code)
                if act is None:
                    raise self._unknown(code)
                self._spend(EACH)
                act(self)
            (found,) = self.stack
        except (IndexError, KeyError, TypeError, ValueError) as error:  # nothing is where something should be
            if isinstance(error, DataError):
                raise
            raise self._refused(f"its pickle makes no sense at byte {self.at:,}") from None
        if self.marks:
            raise self._refused(f"its pickle makes no sense at byte {self.at:,}")
        return found

    def _refused(self, what: str) -> DataError:
        return DataError(f"{self.where}: {what}; a whole file of torch.save is needed. Copy or download it again.")

    def _asks(self, what: str) -> DataError:
        return DataError(
            f"{self.where}: its pickle asks for {shown(what)}, which weights do not need; nothing of it was run. "
            "If you trust the file, load it in PyTorch and save its state_dict() alone, or as .safetensors."
        )

    def _unknown(self, code: int) -> DataError:
        if code == INST:
            return self._asks(f"{self._line()}.{self._line()} (opcode INST)")
        names = [known.name for known in opcodes if ord(known.code) == code]
        return self._asks(f"opcode {names[0]}" if names else f"opcode {code:#04x}, which there is not")

    def _spend(self, amount: int) -> None:
        self.left -= amount
        if self.left < 0:
            raise DataError(
                f"{self.where}: its pickle describes far more than such a file can hold; at most {SHARE} times the "
                "file's size of memory are given to it. If it is no forgery, save its state_dict() alone."
            )

    def _take(self, count: int) -> bytes:
        found = bytes(self.data[self.at : self.at + count])
        if len(found) != count:
            raise self._refused("its pickle is cut off")
        self.at += count
        return found

    def _number(self, width: int) -> int:
        return int.from_bytes(self._take(width), "little")

    def _long(self, width: int) -> bytes:
        """Bytes whose number stands before them."""
        count = self._number(width)
        if count > len(self.data) - self.at:
            raise self._refused("its pickle is cut off")
        self._spend(4 * count)
        return self._take(count)

    def _line(self) -> str:
        end = self.at
        while end < len(self.data) and self.data[end] != 10 and end - self.at < 1000:
            end += 1
        found = self._take(end - self.at)
        self._take(1)
        return found.decode("utf-8", "replace")

    def _marked(self) -> list[Any]:
        """What lies above the last mark, which goes."""
        mark = self.marks.pop()
        found = self.stack[mark:]
        del self.stack[mark:]
        return found

    def _push(self, value: Any) -> None:
        self.stack.append(value)

    def _whole(self, value: Any) -> None:
        self._spend(WHOLE)
        self.stack.append(value)

    def _pop(self) -> Any:
        if self.marks and len(self.stack) <= self.marks[-1]:
            raise IndexError
        return self.stack.pop()

    def _named(self, module: Any, name: Any) -> None:
        full = f"{module}.{name}"
        if type(module) is not str or type(name) is not str or full not in NAMES:
            raise self._asks(full if type(module) is str and type(name) is str else "a name that is no text")
        self._push(NAMES[full])

    def _mark(self) -> None:
        self._spend(WHOLE)
        self.marks.append(len(self.stack))

    def _stack_global(self) -> None:
        name, module = self._pop(), self._pop()
        self._named(module, name)

    def _tuple(self, count: int) -> None:
        found = [self._pop() for _ in range(count)]
        self._whole(tuple(reversed(found)))

    def _memoize(self, key: int) -> None:
        self._spend(WHOLE)
        self.memo[key] = self.stack[-1]

    def _set(self, pairs: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not dict or len(pairs) % 2:
            raise TypeError
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            if type(key) not in (str, int, bool):  # a tuple's hash may take for ever
                raise TypeError
            self._spend(WHOLE)
            target[key] = value

    def _append(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not list:
            raise TypeError
        target += values

    def _setitem(self) -> None:
        value, key = self._pop(), self._pop()
        self._set([key, value])

    def _reduce(self) -> None:
        args, function = self._pop(), self._pop()
        if type(function) is not Function or type(args) is not tuple:
            raise self._asks("a call of what is no function")
        try:
            made = function.build(args)
        except ValueError as error:
            raise self._refused(f"its pickle asks {function.name} for {error} that makes no sense") from None
        self._spend(WHOLE)
        self._whole(made)

    def _build(self) -> None:
        """The attributes of a state dict are versions of its layers, which nothing here needs."""
        state, target = self._pop(), self.stack[-1]
        if type(target) is not dict or type(state) is not dict:
            raise self._asks("opcode BUILD on what is no dictionary")

    def _persistent(self) -> None:
        match self._pop():
            case ("storage", Storage(kind), str(key), str(), int(count)) if count >= 0:
                self._whole(Stored(kind, key, count, 0, count))
            case ("storage", Storage(kind), str(key), str(), int(count), None) if count >= 0:
                self._whole(Stored(kind, key, count, 0, count))
            case ("storage", Storage(kind), str(key), str(), int(whole), (_, int(first), int(count))) if (
                min(first, count) >= 0 and first + count <= whole
            ):
                self._whole(Stored(kind, key, count, first, whole))
            case ("module", *_):
                raise self._asks("a whole network with its code")
            case _:
                raise TypeError

    def _frame(self) -> None:
        self._take(8)  # a length that helps who reads from a disk

    def _integer(self, width: int) -> None:
        if width > LARGEST:
            raise ValueError
        self._push(int.from_bytes(self._take(width), "little", signed=True))


STOP, INST = ord("."), ord("i")
ACTS: dict[int, Callable[[Pickles], None]] = {  # opcode -> what is done; all others are refused
    ord("("): Pickles._mark,
    ord("}"): lambda p: p._whole({}),
    ord("]"): lambda p: p._whole([]),
    ord(")"): lambda p: p._push(()),
    ord("N"): lambda p: p._push(None),
    0x88: lambda p: p._push(True),
    0x89: lambda p: p._push(False),
    ord("K"): lambda p: p._push(p._number(1)),
    ord("M"): lambda p: p._push(p._number(2)),
    ord("J"): lambda p: p._integer(4),
    0x8A: lambda p: p._integer(p._number(1)),  # LONG1
    ord("G"): lambda p: p._push(struct.unpack(">d", p._take(8))[0]),
    ord("X"): lambda p: p._whole(p._long(4).decode("utf-8", "surrogatepass")),
    0x8C: lambda p: p._whole(p._long(1).decode("utf-8", "surrogatepass")),  # SHORT_BINUNICODE
    0x8D: lambda p: p._whole(p._long(8).decode("utf-8", "surrogatepass")),  # BINUNICODE8
    ord("U"): lambda p: p._whole(p._long(1).decode()),  # SHORT_BINSTRING: text of Python 2
    ord("T"): lambda p: p._whole(p._long(4).decode()),  # BINSTRING
    ord("C"): lambda p: p._whole(p._long(1)),  # SHORT_BINBYTES
    ord("B"): lambda p: p._whole(p._long(4)),  # BINBYTES
    0x8E: lambda p: p._whole(p._long(8)),  # BINBYTES8
    ord("t"): lambda p: p._whole(tuple(p._marked())),
    0x85: lambda p: p._tuple(1),
    0x86: lambda p: p._tuple(2),
    0x87: lambda p: p._tuple(3),
    ord("a"): lambda p: p._append([p._pop()]),
    ord("e"): lambda p: p._append(p._marked()),
    ord("s"): Pickles._setitem,
    ord("u"): lambda p: p._set(p._marked()),
    ord("q"): lambda p: p._memoize(p._number(1)),
    ord("r"): lambda p: p._memoize(p._number(4)),
    0x94: lambda p: p._memoize(len(p.memo)),  # MEMOIZE
    ord("h"): lambda p: p._push(p.memo[p._number(1)]),
    ord("j"): lambda p: p._push(p.memo[p._number(4)]),
    0x95: Pickles._frame,
    ord("c"): lambda p: p._named(p._line(), p._line()),
    0x93: Pickles._stack_global,
    ord("R"): Pickles._reduce,
    ord("b"): Pickles._build,
    ord("Q"): Pickles._persistent,
}
