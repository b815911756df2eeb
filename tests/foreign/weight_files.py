"""Files of weights for tests, whole and forged; and a process that reads many of them under guard."""

import io
import json
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np

GUARDED = Path(__file__).with_name("guarded.py")
ORDERED = b"ccollections\nOrderedDict\n"
REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n"


def text(value: str) -> bytes:
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def whole(value: int) -> bytes:
    raw = value.to_bytes(16, "little", signed=True)
    return b"\x8a\x10" + raw


def sizes(values) -> bytes:
    return b"(" + b"".join(map(whole, values)) + b"t"


def tensor(key="0", shape=(2,), strides=(1,), offset=0, count=2, storage="FloatStorage") -> bytes:
    """The opcodes of one tensor."""
    memory = (
        b"(" + text("storage") + b"ctorch\n" + storage.encode() + b"\n" + text(key) + text("cpu") + whole(count) + b"tQ"
    )
    return REBUILD + b"(" + memory + whole(offset) + sizes(shape) + sizes(strides) + b"\x89" + ORDERED + b")RtR"


def state(**tensors: bytes) -> bytes:
    """The pickle of a state dict."""
    return pickled(b"}(" + b"".join(text(name) + code for name, code in tensors.items()) + b"u")


def pickled(code: bytes) -> bytes:
    return b"\x80\x02" + code + b"."


def zipped(entries: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return made.getvalue()


def torch_zip(pickle: bytes, method: int = zipfile.ZIP_STORED, **storages: bytes) -> bytes:
    """A file of torch.save around a pickle; storages by key with an underscore before it."""
    entries = {"m/data.pkl": pickle, "m/byteorder": b"little"}
    entries |= {f"m/data/{key.removeprefix('_')}": content for key, content in storages.items()}
    return zipped(entries | {"m/version": b"3\n"}, method)


def torch_legacy(pickle: bytes, keys=("0",), storages: bytes = struct.pack("<q2f", 2, 1.0, 2.0)) -> bytes:
    """The same in the form before the zip files, where a storage is told to be no view of another, if it is none."""
    if b"ttQ" not in pickle:
        pickle = pickle.replace(b"tQ", b"NtQ")
    magic = pickled(b"\x8a\x0a" + (0x1950A86A20F9469CFC6C).to_bytes(10, "little"))
    system = pickled(b"}" + text("little_endian") + b"\x88s")
    names = pickled(b"](" + b"".join(map(text, keys)) + b"e")
    return magic + pickled(b"M\xe9\x03") + system + pickle + names + storages


TWO = np.array([1.0, 2.0], np.float32)


def guarded(folder: Path, seeds: list[Path], *args: object) -> dict:
    """What `guarded.py` tells of reading these files, changed as it is told to, in a process of its own."""
    command = [sys.executable, "-W", "error", str(GUARDED), str(folder), *map(str, args), *map(str, seeds)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1000)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])
