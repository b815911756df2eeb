"""Files of torch.save, in the zip form of today and in the form before it (up to PyTorch 1.5).

Source: torch/serialization.py of PyTorch 2.13, `_save`, `_legacy_save` and their readers.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from preceptor.errors import DataError
from preceptor.foreign.archive import Archive
from preceptor.foreign.pickled import Pickles, Tensor
from preceptor.foreign.weights import KINDS, Weights, settled, shown
from preceptor.words import listing

MAGIC = 0x1950A86A20F9469CFC6C  # of the form before the zip files
LEGACY_PROTOCOL = 1001
MOST_SHARED = 8  # times the file's memory that all tensors may take: one in many names is one tensor many times
SPARE = 1 << 20  # bytes
STATE_DICT = "In PyTorch, save model.state_dict() alone."
Memory = tuple[memoryview, str]  # bytes of a storage; how messages call it


def read_zip(archive: Archive, size: int, where: str) -> Weights:
    """Weights of the zip form.

    Args:
        size: of the file.

    Raises: DataError where the file is damaged, asks for anything but tensors, or holds no dictionary of them.
    """
    pickles = [name for name in archive.entries if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(pickles) != 1:
        raise DataError(f"{where}: it holds {len(pickles)} files data.pkl; one is needed. It is no file of torch.save.")
    root = pickles[0].removesuffix("data.pkl")
    if f"{root}constants.pkl" in archive:
        raise DataError(
            f"{where}: it is a program of TorchScript; a file of weights is needed. "
            "In PyTorch, save torch.jit.load(...).state_dict() with torch.save."
        )
    if f"{root}byteorder" in archive and bytes(archive.read(f"{root}byteorder")) != b"little":
        raise _big_endian(where)
    found = Pickles(archive.read(pickles[0]), 0, size, where).read()
    tensors, notes = _chosen(found, where)
    memories: dict[str, Memory] = {}
    for name, tensor in tensors.items():
        key = tensor.stored.key
        if key not in memories:
            entry = f"{root}data/{key}"
            if entry not in archive:
                raise DataError(f"{where}: {shown(name)} lies in {shown(entry)}, which is missing. Copy it again.")
            memories[key] = archive.read(entry), shown(entry)
    return Weights(where, "channels-first", _arrays(tensors, memories, where), notes)


def read_legacy(data: memoryview, where: str) -> Weights:
    """Weights of the form before the zip files: five pickles, and the memory of tensors behind them.

    Raises: as `read_zip`.
    """
    pickles = Pickles(data, 0, len(data), where)
    magic = pickles.read()
    if magic != MAGIC:
        raise DataError(f"{where}: it is a pickle, but none of torch.save, which is needed. {STATE_DICT}")
    protocol, system = pickles.read(), pickles.read()
    if protocol != LEGACY_PROTOCOL or type(system) is not dict:
        raise DataError(f"{where}: it is of an unknown form of torch.save. Load it in PyTorch and save it again.")
    if system.get("little_endian") is not True:
        raise _big_endian(where)
    found, keys = pickles.read(), pickles.read()
    tensors, notes = _chosen(found, where)
    if type(keys) is not list or any(type(key) is not str for key in keys):
        raise DataError(f"{where}: the list of its storages makes no sense. Copy or download it again.")
    kinds = {tensor.stored.key: tensor.stored.kind for place in _places(found) for tensor in _inside(place)}
    memories: dict[str, Memory] = {}
    at = pickles.at
    for key in keys:
        if key not in kinds or key in memories:
            raise DataError(f"{where}: the list of its storages does not fit its tensors. Copy or download it again.")
        kind = kinds[key]
        width = np.dtype(KINDS[kind]).itemsize if kind else 1
        count = int.from_bytes(data[at : at + 8], "little")
        at += 8
        if at + count * width > len(data):
            raise DataError(f"{where}: its numbers are cut off. Copy or download it again.")
        memories[key] = data[at : at + count * width], f"storage {shown(key)}"
        at += count * width
    for name, tensor in tensors.items():
        if tensor.stored.key not in memories:
            raise DataError(f"{where}: the numbers of {shown(name)} are missing. Copy or download it again.")
    return Weights(where, "channels-first", _arrays(tensors, memories, where), notes)


def _big_endian(where: str) -> DataError:
    return DataError(f"{where}: its numbers lie highest byte first; lowest first is read. Save it on a usual machine.")


@dataclass(frozen=True)
class _Place:
    """A dictionary, list or tuple in what a pickle describes, with the way there and that way's first key."""

    path: str
    top: Any
    value: Any


def _places(found: Any) -> Iterator[_Place]:
    """All containers that a pickle describes, once each, however often they stand there."""
    seen: set[int] = set()
    waiting = [_Place("", None, found)]
    while waiting:
        place = waiting.pop()
        if id(place.value) in seen or not isinstance(place.value, (dict, list, tuple)):
            continue
        seen.add(id(place.value))
        yield place
        if isinstance(place.value, dict):
            inner = [
                _Place(f"{place.path}.{key}"[:100] if place.path else str(key)[:100], place.top or key, each)
                for key, each in place.value.items()
                if isinstance(each, (dict, list, tuple))
            ]
        else:
            inner = [
                _Place(place.path, place.top, each) for each in place.value if isinstance(each, (dict, list, tuple))
            ]
        waiting += reversed(inner)


def _inside(place: _Place) -> Iterator[Tensor]:
    values = place.value.values() if isinstance(place.value, dict) else place.value
    return (each for each in values if isinstance(each, Tensor))


def _chosen(found: Any, where: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The dictionary with the most numbers in tensors, and notes on where it stands and what is left out."""
    best, most = None, -1
    for place in _places(found):
        if isinstance(place.value, dict):
            count = sum(prod(tensor.shape) for tensor in _inside(place))
            if count > most and any(_inside(place)):
                best, most = place, count
    if best is None:
        raise DataError(f"{where}: it holds no dictionary of tensors, which is needed. {STATE_DICT}")
    tensors = {key: each for key, each in best.value.items() if isinstance(each, Tensor) and isinstance(key, str)}
    if not tensors:
        raise DataError(f"{where}: its tensors have no names, which are needed. {STATE_DICT}")
    beside = [key for key in best.value if key not in tensors]
    if best.value is not found and isinstance(found, dict):
        beside += [key for key in found if key != best.top]
    notes = {"part": shown(best.path)} if best.path else {}
    if beside:
        notes["left out"] = listing(map(shown, beside))
    return tensors, notes


def _arrays(tensors: Mapping[str, Tensor], memories: Mapping[str, Memory], where: str) -> dict[str, np.ndarray]:
    most = MOST_SHARED * sum(len(memory) for memory, _ in memories.values()) + SPARE
    made: dict[str, np.ndarray] = {}
    for name, tensor in tensors.items():
        memory, called = memories[tensor.stored.key]
        array = _array(tensor, memory, called, f"{where}: {shown(name)}")
        most -= array.nbytes
        if most < 0:
            raise DataError(
                f"{where}: its tensors take over {MOST_SHARED} times the memory that lies in the file. "
                "If it is no forgery, save it as .safetensors."
            )
        made[name] = array
    return made


def _array(tensor: Tensor, memory: memoryview, called: str, where: str) -> np.ndarray:
    stored, dtype = tensor.stored, np.dtype(KINDS[tensor.kind])
    width = np.dtype(KINDS[stored.kind]).itemsize if stored.kind else 1
    if stored.whole * width != len(memory):
        raise DataError(
            f"{where} needs {called} of {stored.whole * width:,} bytes; it has {len(memory):,}. Copy it again."
        )
    held = stored.count * width // dtype.itemsize
    needed = prod(tensor.shape)
    axes = list(zip(tensor.shape, tensor.strides, strict=True))
    last = sum((size - 1) * stride for size, stride in axes) if needed else 0
    if needed > held or (needed and tensor.offset + last >= held):
        raise DataError(
            f"{where} has shape {shown(tensor.shape)}, strides {shown(tensor.strides)} and offset {tensor.offset:,}; "
            f"its storage holds {held:,} numbers. If the file is whole, save the tensor's contiguous() copy."
        )
    strides = tuple(stride * dtype.itemsize if size > 1 else 0 for size, stride in axes)
    start = (stored.first * width + tensor.offset * dtype.itemsize) if needed else 0
    try:
        raw = np.ndarray(tensor.shape, dtype, memory, start, strides) if needed else np.empty(tensor.shape, dtype)
    except (ValueError, OverflowError):
        raise DataError(f"{where} has shape {shown(tensor.shape)}, which no array can have. Copy it again.") from None
    return settled(raw, tensor.kind)
