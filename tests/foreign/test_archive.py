"""Zip archives of strangers."""

import io
import struct
import zipfile
from contextlib import suppress

import numpy as np
import pytest
from weight_files import TWO, state, tensor, torch_zip, zipped

from preceptor.errors import DataError
from preceptor.foreign.archive import Archive

FILES = {"a": b"first" * 40, "folder/b": b"", "größe": bytes(range(256))}


def archive(content: bytes) -> Archive:
    return Archive(memoryview(content), "w.zip")


def refusal(content: bytes) -> str:
    with pytest.raises(DataError) as caught:
        contents(content)
    assert str(caught.value).isprintable()
    return str(caught.value)


def contents(content: bytes) -> dict[str, bytes]:
    found = archive(content)
    return {name: bytes(found.read(name)) for name in found.entries}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_files_as_they_were_written(method):
    found = contents(zipped(FILES, method))
    assert found == FILES
    assert list(found) == list(FILES)


def test_stored_files_are_views_of_the_archive():
    content = bytearray(zipped(FILES))
    found = archive(content).read("a")
    content[content.index(b"first")] = ord("F")
    assert bytes(found[:5]) == b"First"


def test_sizes_of_64_bits():
    """As numpy.savez asks for, and a directory whose end is of 64 bits, as PyTorch writes it."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as writer, writer.open("a", "w", force_zip64=True) as file:
        file.write(b"first")
    content = made.getvalue()
    assert bytes(archive(content).read("a")) == b"first"
    end = content[-22:]
    _, _, _, _, count, size, start, _ = struct.unpack("<4s4H2LH", end)
    wide = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, start)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, len(content) - 22, 1)
    narrow = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    assert bytes(archive(content[:-22] + wide + locator + narrow).read("a")) == b"first"


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/passwd", "a\\b", "C:\\x"])
def test_names_that_lead_elsewhere(name):
    entry = zipfile.ZipInfo("x" * len(name))
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as writer:
        writer.writestr(entry, b"x")
    content = made.getvalue().replace(b"x" * len(name), name.encode())
    assert "it holds a file named" in refusal(content)


def directory(content: bytes) -> int:
    return struct.unpack("<L", content[-6:-2])[0]


def changed(content: bytes, at: int, form: str, value: int) -> bytes:
    made = bytearray(content)
    struct.pack_into(form, made, directory(content) + at, value)
    return bytes(made)


ONE = zipped({"a": b"first" * 40})
PACKED = zipped({"a": b"first" * 40}, zipfile.ZIP_DEFLATED)
TWICE = zipped({"a": b"first", "b": b"other"})
FORGED = {
    "encrypted": (changed(ONE, 8, "<H", 1), "a is encrypted"),
    "other method": (changed(ONE, 10, "<H", 14), "a is packed by method 14"),
    "wrong checksum": (changed(ONE, 16, "<L", 5), "a does not fit its checksum"),
    "larger than there is": (changed(changed(ONE, 20, "<L", 2**31), 24, "<L", 2**31), "a has impossible sizes"),
    "packed and not": (changed(ONE, 24, "<L", 2**31), "a has impossible sizes"),
    "larger when unpacked": (changed(PACKED, 24, "<L", 500), "a unpacks to another size than 500"),
    "smaller when unpacked": (changed(PACKED, 24, "<L", 100), "a unpacks to another size than 100"),
    "far larger": (changed(PACKED, 24, "<L", 2**31), "unpack to 2,147,483,648; at most 16 times"),
    "elsewhere": (changed(ONE, 42, "<L", 7), "does not lie where its directory says"),
    "behind the end": (changed(ONE, 42, "<L", 2**31), "an entry lies behind its end"),
    "two of one name": (TWICE.replace(b"b", b"a"), "it holds a twice"),
    "overlapping": (changed(changed(TWICE, 20, "<L", 36), 24, "<L", 36), "its entries overlap"),
    "more than there are": (ONE[:-14] + struct.pack("<2H", 900, 900) + ONE[-10:], "its directory is damaged"),
    "directory behind the end": (ONE[:-6] + struct.pack("<L", 2**31) + ONE[-2:], "its directory is damaged"),
    "on two disks": (ONE[:-18] + b"\1\0" + ONE[-16:], "its directory is damaged"),
    "bad packing": (PACKED.replace(PACKED[31:34], b"\xff\xff\xff"), "a cannot be unpacked"),
    "something before": (b"PK\3\4" + bytes(96) + ONE, "its directory is damaged"),
}


@pytest.mark.parametrize("content, told", FORGED.values(), ids=FORGED)
def test_forgeries(content, told):
    assert told in refusal(content)


def test_a_bomb_is_refused_before_it_is_unpacked():
    content = zipped({"m/data.pkl": state(w=tensor()), "m/data/0": bytes(40 << 20)}, zipfile.ZIP_DEFLATED)
    assert len(content) < 1 << 20
    assert "unpack to 41,94" in refusal(content)


def test_a_quine_of_overlapping_files_is_refused():
    """One packed file that many entries of the directory share: each alone is small."""
    packed = zipped({"a": bytes(1 << 20)}, zipfile.ZIP_DEFLATED)
    at = directory(packed)
    entry = packed[at:-22]
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 3, 3, 3 * len(entry), at, 0)
    assert "it holds a twice" in refusal(packed[:at] + entry * 3 + end)


def test_truncated_at_every_length():
    for content in (torch_zip(state(w=tensor()), _0=TWO.tobytes()), PACKED):
        for length in range(len(content)):
            refusal(content[:length])


def test_one_bit_changed_is_refused_or_makes_no_difference():
    """Flags, times and attributes nobody reads; checksums vouch for the content, two places for a name."""
    found = np.frombuffer(ONE, np.uint8)
    accepted = []
    for place in range(len(ONE)):
        content = found.copy()
        content[place] ^= 4
        with suppress(DataError):
            accepted.append(contents(content.tobytes()))
    assert accepted
    assert all(each == {"a": b"first" * 40} for each in accepted)
