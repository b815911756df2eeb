"""What a CSV or TSV file holds, found out without the library that reads it: delimiter, header, number of rows."""

import codecs
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np

from preceptor.errors import DataError

DELIMITERS = ",;\t|"
DELIMITER_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
SNIFFED_RECORDS = 20  # conventional; the count of every row comes later and is exact
CHUNK_BYTES = 1 << 22
QUOTE, NEWLINE, RETURN = b'"'[0], b"\n"[0], b"\r"[0]


@dataclass(frozen=True)
class Layout:
    """How a delimited file is laid out.

    Args:
        delimiter: what stands between two fields.
        first: the fields of the first record, the header where there is one.
        skip: blank lines before it.
    """

    delimiter: str
    first: list[str]
    skip: int


def find_layout(path: Path) -> Layout:
    """The delimiter and first record of a file.

    The delimiter is the one that cuts the first records into equally many fields, and into the most of them;
    a .tsv file has tabs.

    Raises: DataError where the file is empty or not text.
    """
    with path.open("rb") as file:
        head = file.read(1 << 16)
    if not head.strip(b"\xef\xbb\xbf \t\r\n"):
        raise DataError(
            f"{path.name}: the file has no content; a header and at least one row are needed. Save it again."
        )
    if b"\0" in head or head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise DataError(
            f"{path.name}: the file holds binary data or UTF-16; text in UTF-8 is needed. "
            "Save the table again as CSV (UTF-8), or as Parquet."
        )
    best: tuple[tuple[bool, int], str] | None = None
    for delimiter in "\t" if path.suffix.lower() == ".tsv" else DELIMITERS:
        widths = [len(fields) for _, fields in islice(_records(path, delimiter, strict=False), SNIFFED_RECORDS)]
        score = (len(set(widths)) == 1 and widths[0] > 1, widths[0])
        if best is None or score > best[0]:
            best = (score, delimiter)
    assert best is not None
    line, first = next(_records(path, best[1], strict=False))
    return Layout(best[1], first, skip=line - 1)


def count_records(path: Path, delimiter: str, columns: int) -> int:
    """Counts the records of a file, the header included, and checks that each has the same number of fields.

    Works on the bytes in one pass: delimiters and line ends inside quotes are told by the number of quotes before them.
    That holds as long as quotes open at the start of a field; where one does not, Python's csv module counts instead.
    Blank lines are no records, except in a file of one column, where they are missing values.

    Raises: DataError, naming the line, for a record that is too long or too short, or bytes that are not UTF-8 text.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    records = lines = fields_before = 0
    inside = np.uint8(0)
    before = NEWLINE
    blank_so_far = True
    with path.open("rb") as file:
        for chunk in _chunks(file):
            _check_text(path, decoder, chunk, lines)
            data = np.frombuffer(chunk, np.uint8)
            lines += chunk.count(b"\n")
            open_quote = np.zeros(len(data), bool)
            if inside or QUOTE in chunk:
                parity = (np.cumsum(data == QUOTE, dtype=np.uint8) + inside) & 1
                inside, open_quote = parity[-1], parity.astype(bool)
                opening = np.flatnonzero((data == QUOTE) & open_quote)
                preceding = np.where(opening > 0, data[opening - 1], before)
                if not np.isin(preceding, (ord(delimiter), NEWLINE, RETURN, QUOTE)).all():
                    return _count_slowly(path, delimiter, columns)
            before = data[-1]
            ends = np.flatnonzero((data == NEWLINE) & ~open_quote)
            marks = np.flatnonzero((data == ord(delimiter)) & ~open_quote)
            marks_before = np.searchsorted(marks, ends)
            if not len(ends):
                fields_before += len(marks)
                blank_so_far = blank_so_far and not chunk.strip(b"\r")
                continue
            found = np.diff(marks_before, prepend=0) + 1
            found[0] += fields_before
            starts = np.concatenate([[0], ends[:-1] + 1])
            length = ends - starts
            blank = (length == 0) | ((length == 1) & (data[starts] == RETURN))
            blank[0] = blank_so_far and not chunk[: ends[0]].strip(b"\r")
            if columns == 1:
                blank[:] = False
            if (found[~blank] != columns).any():
                return _count_slowly(path, delimiter, columns)
            records += int(np.count_nonzero(~blank))
            fields_before = len(marks) - int(marks_before[-1])
            blank_so_far = not chunk[ends[-1] + 1 :].strip(b"\r")
    if inside:
        return _count_slowly(path, delimiter, columns)
    return records


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    """The bytes of a file piece by piece, with a line end after the last line even where the file has none."""
    last = b"\n"
    while chunk := file.read(CHUNK_BYTES):
        yield chunk
        last = chunk[-1:]
    if last != b"\n":
        yield b"\n"


def _check_text(path: Path, decoder: codecs.IncrementalDecoder, chunk: bytes, lines: int) -> None:
    try:
        decoder.decode(chunk)
    except UnicodeDecodeError as error:
        line = lines + error.object[: error.start].count(b"\n") + 1
        raise DataError(
            f"{path.name}: line {line:,} has the byte 0x{error.object[error.start]:02x}, which is not UTF-8; text in "
            "UTF-8 is needed. Save the table again with the encoding UTF-8."
        ) from None
    if b"\0" in chunk:
        line = lines + chunk[: chunk.index(b"\0")].count(b"\n") + 1
        raise DataError(
            f"{path.name}: line {line:,} holds a zero byte; text in UTF-8 is needed. Check that the file is a table."
        )


def _count_slowly(path: Path, delimiter: str, columns: int) -> int:
    """As count_records, by Python's csv module: knows quotes in odd places, and the line of what is wrong."""
    records = 0
    for line, fields in _records(path, delimiter, strict=True):
        records += 1
        if len(fields) != columns:
            raise DataError(
                f"{path.name}: line {line:,} has {len(fields)} field{'s' * (len(fields) != 1)} and the first line "
                f"{columns}; every line needs as many. Check line {line:,} for a missing or an extra "
                f"{DELIMITER_NAMES[delimiter]}, or for text that needs quotes."
            )
    return records


def _records(path: Path, delimiter: str, *, strict: bool) -> Iterator[tuple[int, list[str]]]:
    """Line number of its start and fields of every record that is not blank."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=strict)
        line = 1
        try:
            for fields in reader:
                if fields:
                    yield line, fields
                line = reader.line_num + 1
        except csv.Error as error:
            raise DataError(
                f"{path.name}: the record from line {line:,} on cannot be read ({error}); quotes must come in pairs. "
                f"Check line {line:,} for a quote that is never closed, or closed too early."
            ) from None
