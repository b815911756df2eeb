"""Text in any common encoding, brought to UTF-8."""

import codecs
import re
from collections import Counter
from pathlib import Path

from preceptor.data.tables.unpack import packed_as
from preceptor.errors import DataError

CHUNK_BYTES = 1 << 20
HEAD_BYTES = 1 << 16
BOMS = (  # UTF-32 first: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
SPOKEN = {
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "utf-32": "UTF-32",
    "cp1252": "Windows-1252",
    "latin-1": "Latin-1",
    "mac-roman": "Mac Roman",
}
# Bytes that are letters or an apostrophe in Mac Roman, and letters in no French, German or Spanish Windows text.
MAC_LETTERS = frozenset([*range(0x81, 0x85), *range(0x86, 0x91), *range(0x98, 0xA0), 0xD5])
AFTER_LETTER = re.compile(rb"[A-Za-z]([\x80-\xff])(?=[A-Za-z])")
CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\f\v\x1a\x1b"))


def as_utf8(name: str, path: Path, folder: Path) -> tuple[Path, tuple[str, ...]]:
    """A file of text as UTF-8: itself, or a copy in the folder, and what is to be said of its encoding.

    Raises: DataError where these are no bytes of a text.
    """
    with path.open("rb") as file:
        encoding = _wide_encoding(name, file.read(HEAD_BYTES))
    if encoding is None and not _is_utf8(path):
        encoding = _single_byte_encoding(name, path)
    return (path, ()) if encoding is None else (_to_utf8(name, path, encoding, folder), (_said(encoding),))


def _is_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _wide_encoding(name: str, head: bytes) -> str | None:
    """The encoding of a file of two or four bytes per character, told from its beginning; None for one of bytes.

    Raises: DataError where these are no bytes of a text.
    """
    for mark, encoding in BOMS:
        if head.startswith(mark):
            return encoding
    archive = packed_as(head)
    if b"\0" in head and not archive:
        low, high = head[0::2], head[1::2]
        for encoding, letters, zeros in (("utf-16-le", low, high), ("utf-16-be", high, low)):
            if zeros.count(0) > 0.7 * len(zeros) and letters.count(0) == 0:
                return encoding
    if archive or b"\0" in head:
        raise DataError(
            f"{name}: the file holds {f'a {archive} archive' if archive else 'binary data'}; text is needed. "
            + ("Let its name end in .gz or .zip, or unpack it." if archive else "Save the table as CSV or Parquet.")
        )
    return None


def _single_byte_encoding(name: str, path: Path) -> str:
    """The most likely encoding of one byte per character, for a file that is not UTF-8.

    Windows-1252, unless it has bytes that it leaves undefined (then Latin-1), or the bytes between letters are those
    which Mac Roman has for letters.

    Raises: DataError where the file holds bytes that no text has.
    """
    within: Counter[int] = Counter()
    total = controls = 0
    undefined = False
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            total += len(chunk)
            controls += len(chunk) - len(chunk.translate(None, CONTROLS))
            undefined = undefined or any(byte in chunk for byte in b"\x81\x8d\x8f\x90\x9d")
            within.update(found[0] for found in AFTER_LETTER.findall(chunk))
    if controls > total / 1000:
        raise DataError(f"{name}: the file holds binary data; text is needed. Save the table as CSV or Parquet.")
    mac = sum(count for byte, count in within.items() if byte in MAC_LETTERS)
    if mac > sum(within.values()) - mac:
        return "mac-roman"
    return "latin-1" if undefined else "cp1252"


def _to_utf8(name: str, path: Path, encoding: str, folder: Path) -> Path:
    """Writes the text of a file as UTF-8 into the folder, line for line; returns the path of the copy.

    Raises: DataError, naming the line, where the bytes are not of this encoding.
    """
    target = folder / "utf8.txt"
    decoder = codecs.getincrementaldecoder(encoding)()
    lines = 1
    with path.open("rb") as source, target.open("w", encoding="utf-8", newline="") as file:
        try:
            while True:
                chunk = source.read(CHUNK_BYTES)
                text = decoder.decode(chunk, final=not chunk)
                lines += text.count("\n")
                file.write(text.removeprefix("\ufeff"))
                if not chunk:
                    return target
        except UnicodeError:
            raise DataError(
                f"{name}: the text is not whole after line {lines:,}; {SPOKEN[encoding]} is needed, as it begins. "
                "Save the table again with the encoding UTF-8."
            ) from None


def _said(encoding: str) -> str:
    """The sentence about an encoding that was found, or guessed."""
    if encoding.startswith("utf"):
        return f"The text is {SPOKEN[encoding]}."
    return f"The text is not UTF-8 and was read as {SPOKEN[encoding]}, a guess: check its letters beyond A to Z."
