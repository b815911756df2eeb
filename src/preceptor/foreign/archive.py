"""Zip archives, read out of memory: PyTorch, NumPy and Keras keep their files in them.

Python's own zipfile copies what is stored as it is, and believes sizes before it has seen the bytes. Here an entry that
is not packed is a view of the file, and what a packed one may take is known before anything is unpacked.
Source: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3 to 4.5.
"""

import struct
import zlib
from dataclasses import dataclass
from itertools import pairwise

from preceptor.errors import DataError
from preceptor.foreign.weights import shown

MOST_UNPACKED = 16  # times the file's size, and a MiB: weights hardly pack, those with nine zeros in ten by 5 to 8
SPARE = 1 << 20  # bytes
DIRECTORY_END = struct.Struct("<4s4H2LH")
DIRECTORY_END_64 = struct.Struct("<4sQ2H2L4Q")
LOCATOR_64 = struct.Struct("<4sLQL")
ENTRY = struct.Struct("<4s6H3L5H2L")
LOCAL = struct.Struct("<4s5H3L2H")
STORED, DEFLATED = 0, 8
ENCRYPTED = 0x2041  # flags: by a password, strongly, the directory as well
ALL_16, ALL_32 = 0xFFFF, 0xFFFFFFFF  # what stands where the number has a place of 64 bits


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a file lies in an archive.

    Args:
        start: of its bytes in the archive.
        packed: bytes there.
        size: bytes when unpacked.
        checksum: CRC-32; 0 also where it was not computed, as PyTorch may be told.
        method: STORED or DEFLATED.
    """

    start: int
    packed: int
    size: int
    checksum: int
    method: int


class Archive:
    """The files of a zip archive, by name, in the order of its directory.

    Raises: DataError where the archive is damaged or a forgery: truncated, with entries that overlap, that have one
        name, that are encrypted, whose names lead out of it, or that unpack to far more than its size.
    """

    def __init__(self, data: memoryview, where: str) -> None:
        self.data, self.where = data, where
        try:
            self.entries = self._directory()
        except struct.error:
            raise self._damaged("its directory is cut off") from None
        total = sum(entry.size for entry in self.entries.values() if entry.method == DEFLATED)
        if total > MOST_UNPACKED * len(data) + SPARE:
            raise DataError(
                f"{where}: its {len(data):,} bytes unpack to {total:,}; at most {MOST_UNPACKED} times as many are "
                "read. If it is no forgery, save it unpacked."
            )

    def __contains__(self, name: str) -> bool:
        return name in self.entries

    def read(self, name: str) -> memoryview:
        """The bytes of a file.

        Raises: DataError where they are not what was written there.
        """
        entry = self.entries[name]
        found = self.data[entry.start : entry.start + entry.packed]
        if entry.method == DEFLATED:
            unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
            try:
                found = memoryview(unpacker.decompress(found, entry.size + 1))
            except zlib.error:
                raise self._damaged(f"{shown(name)} cannot be unpacked") from None
            if len(found) != entry.size or not unpacker.eof:
                raise self._damaged(f"{shown(name)} unpacks to another size than {entry.size:,} bytes")
        if entry.checksum and zlib.crc32(found) != entry.checksum:
            raise self._damaged(f"{shown(name)} does not fit its checksum")
        return found

    def _damaged(self, what: str) -> DataError:
        return DataError(f"{self.where}: {what}; a whole zip archive is needed. Copy or download the file again.")

    def _directory(self) -> dict[str, Entry]:
        at, count, end = self._directory_place()
        found: dict[str, Entry] = {}
        spans = []
        for _ in range(count):
            fields = ENTRY.unpack_from(self.data, at)
            sign, _, _, flags, method, _, _, checksum, packed, size, of_name, of_extra, of_comment, *_, start = fields
            if sign != b"PK\1\2":
                raise self._damaged("its directory is damaged")
            name_at = at + ENTRY.size
            at = name_at + of_name + of_extra + of_comment
            if at > end:
                raise self._damaged("its directory is damaged")
            raw = bytes(self.data[name_at : name_at + of_name])
            name = self._name(raw)
            extra = self.data[name_at + of_name : name_at + of_name + of_extra]
            size, packed, start = self._wide(extra, size, packed, start)
            if flags & ENCRYPTED:
                raise DataError(f"{self.where}: {shown(name)} is encrypted; a plain archive is needed. Decrypt it.")
            if method not in (STORED, DEFLATED):
                raise DataError(
                    f"{self.where}: {shown(name)} is packed by method {method}; stored and deflated files are read. "
                    "Save it again."
                )
            if name in found:
                raise self._damaged(f"it holds {shown(name)} twice")
            begin = self._begin(start, raw)
            if (method == STORED and packed != size) or begin + packed > end:
                raise self._damaged(f"{shown(name)} has impossible sizes")
            spans.append((start, begin + packed))
            found[name] = Entry(begin, packed, size, checksum, method)
        spans.sort()
        if any(later < before for (_, before), (later, _) in pairwise(spans)):
            raise self._damaged("its entries overlap")
        return found

    def _directory_place(self) -> tuple[int, int, int]:
        """(where the directory begins, its entries, where it ends)."""
        data = self.data
        tail = max(0, len(data) - DIRECTORY_END.size - ALL_16)
        place = bytes(data[tail:]).rfind(b"PK\5\6")
        if place < 0:
            raise self._damaged("its end is missing")
        place += tail
        _, disk, first_disk, _, count, size, start, _ = DIRECTORY_END.unpack_from(data, place)
        if count == ALL_16 or ALL_32 in (size, start):
            sign, _, place_64, _ = LOCATOR_64.unpack_from(data, max(0, place - LOCATOR_64.size))
            if sign == b"PK\6\7":
                if place_64 > place:
                    raise self._damaged("its directory is damaged")
                place = place_64
                sign, _, _, _, disk, first_disk, _, count, size, start = DIRECTORY_END_64.unpack_from(data, place)
                if sign != b"PK\6\6":
                    raise self._damaged("its directory is damaged")
        if disk or first_disk or start + size > place or count * ENTRY.size > size:
            raise self._damaged("its directory is damaged")
        return start, count, start + size

    def _name(self, raw: bytes) -> str:
        name = raw.decode("utf-8", "surrogateescape")
        if not name or "\0" in name or "\\" in name or name.startswith("/") or ".." in name.split("/"):
            raise DataError(
                f"{self.where}: it holds a file named {shown(repr(name))}; names that lead nowhere else are needed. "
                "Do not trust this file."
            )
        return name

    def _wide(self, extra: memoryview, *narrow: int) -> list[int]:
        """Size, packed size and start, each from the extra field of 64 bits where it has no room in the entry."""
        found = list(narrow)
        at = 0
        while at + 4 <= len(extra):
            tag, length = struct.unpack_from("<HH", extra, at)
            if tag == 1:
                places = [place for place, number in enumerate(narrow) if number == ALL_32]
                for place, where in zip(places, range(at + 4, at + 4 + length - 7, 8), strict=False):
                    found[place] = struct.unpack_from("<Q", extra, where)[0]
            at += 4 + length
        return found

    def _begin(self, start: int, name: bytes) -> int:
        """Where an entry's bytes begin, behind its own header."""
        if start + LOCAL.size > len(self.data):
            raise self._damaged("an entry lies behind its end")
        fields = LOCAL.unpack_from(self.data, start)
        sign, of_name, of_extra = fields[0], fields[-2], fields[-1]
        begin = start + LOCAL.size + of_name
        if sign != b"PK\3\4" or bytes(self.data[start + LOCAL.size : begin]) != name:
            raise self._damaged(f"{shown(name.decode('utf-8', 'replace'))} does not lie where its directory says")
        return begin + of_extra
