"""Weights of other libraries, from whatever file they lie in."""

import os
import stat
from pathlib import Path
from typing import Any

from preceptor.disk import named
from preceptor.errors import DataError
from preceptor.foreign.archive import Archive
from preceptor.foreign.arrays import read_npy, read_npz
from preceptor.foreign.keras import WEIGHTS, read_h5, read_keras
from preceptor.foreign.onnx_weights import read_onnx
from preceptor.foreign.pytorch import read_legacy, read_zip
from preceptor.foreign.safetensor import read_safetensors
from preceptor.foreign.weights import Weights, shown

FORMATS = "PyTorch (.pt, .pth), .safetensors, ONNX, Keras (.keras, .weights.h5, .h5), NumPy (.npz, .npy)"
TAR = slice(257, 262)  # where an archive of tar says what it is


def read_weights(path: Any) -> Weights:
    """Reads the weights in a file; of which format it is, its bytes tell.

    The file is read into memory as it is. Nothing in it is run; what comes of it takes a small multiple of its size.

    Raises: ConfigError where the path names nothing, or a package is missing that the format needs; DataError where
        there is no such file, or it is damaged, of an unknown format, or asks for more than to be read.
    """
    place = named(path, "weights")
    where = shown(place.name)
    data = _content(place, where)
    if data[:1] == b"\x80":
        return read_legacy(memoryview(data), where)
    if data[:4] in (b"PK\3\4", b"PK\5\6"):
        return _from_archive(data, where)
    if data[:6] == b"\x93NUMPY":
        return read_npy(memoryview(data), where)
    if data[:8] == b"\x89HDF\r\n\x1a\n":
        return read_h5(memoryview(data), where)
    if data[8:9] == b"{":
        return read_safetensors(data, where)
    if data[:1] == b"\x08" and data[1:2] < b"\x20":  # the version of the format, which is the first field
        return read_onnx(data, where)
    if data[TAR] == b"ustar":
        raise DataError(
            f"{where}: it is a tar archive, as PyTorch wrote them until 2016; {FORMATS} are read. "
            "Load it in PyTorch and save its state_dict() again."
        )
    raise DataError(f"{where}: it begins like no file of weights that is known; {FORMATS} are read.{_cure(place)}")


def _cure(place: Path) -> str:
    known = (".pt", ".pth", ".safetensors", ".onnx", ".keras", ".h5", ".npz", ".npy")
    return " Copy or download it again." if place.suffix.lower() in known else " Save it as .safetensors."


def _content(place: Path, where: str) -> bytes:
    try:
        if not stat.S_ISREG(os.stat(place).st_mode):  # a pipe would never end
            raise DataError(f"{where}: it is no file; a file of weights is needed: {FORMATS}. Give its path.")
        return place.read_bytes()
    except OSError as error:
        raise DataError(f"{where}: {error.strerror}; a file of weights is needed: {FORMATS}. Give its path.") from None


def _from_archive(data: bytes, where: str) -> Weights:
    archive = Archive(memoryview(data), where)
    if WEIGHTS in archive:
        return read_keras(archive, where)
    if any(name.endswith("/data.pkl") for name in archive.entries):
        return read_zip(archive, len(data), where)
    if archive.entries and all(name.endswith(".npy") for name in archive.entries):
        return read_npz(archive, where)
    raise DataError(
        f"{where}: it is a zip archive, but none of weights; {FORMATS} are read. Unpack it and give the file."
    )
