"""What delimited text holds, found out without the library that reads it: delimiter, records, their number."""

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np

from preceptor.data.tables.header import NO_HEADER, SAMPLED_RECORDS, find_header
from preceptor.data.tables.tokens import is_like_number
from preceptor.errors import DataError

DELIMITERS = ",;\t|"
DELIMITER_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", " ": "space"}
SNIFFED_RECORDS = 20  # conventional; the count of every row comes later and is exact
SAMPLED_FIELDS = 200_000  # beyond it fewer records are looked at for a header: about 0.2 s
CHUNK_BYTES = 1 << 22
MOST_COLUMNS = 1 << 20  # chips tell a million places in a genome; a table of more is a file without line ends
MOST_LINE_BYTES = 1 << 26
QUOTE, NEWLINE, RETURN = b'"'[0], b"\n"[0], b"\r"[0]
DECIMAL_COMMA = re.compile(r"\s*[+-]?\d[\d.]*,\d+\s*")
SPACE_AFTER_QUOTE = {each: re.compile(f'"[ \\xa0]+(?={re.escape(each)}|\r|\n|$)') for each in DELIMITER_NAMES}


@dataclass(frozen=True)
class Source:
    """A file of records, as duckdb is asked to read it.

    Args:
        path: the file; `delimiter`: what stands between two of its fields; `skip`: lines before the first record.
        has_header: whether the first record is no row.
        names, rows: of the columns; how many rows there are, by our own count.
        notes: how it was taken, where it is not as usual: sentences.
        longest: bytes of its longest line.
        written: what was found in the file that the user gave.
    """

    path: Path
    delimiter: str
    skip: int
    has_header: bool
    names: list[str]
    rows: int
    notes: tuple[str, ...]
    longest: int
    written: str

    @cached_property
    def places(self) -> dict[str, str]:
        """What duckdb is told to call each column."""
        return {name: f"c{number}" for number, name in enumerate(self.names)}


def sources(name: str, path: Path, suffix: str, folder: Path, header: bool) -> Iterator[Source]:
    """A file of UTF-8 text as it stands, if it is plain, and then written again in one plain form.

    Args:
        name: what messages call the file.
        path: where it is.
        suffix: how the name ends of the file that was given: a .tsv file has tabs.
        folder: for the copy.
        header: whether the first record holds names.

    Raises: DataError where it is no table; of the second, naming the line, where records differ in length.
    """
    layout = find_layout(name, path, suffix)
    columns = len(layout.sample[0][1])
    count = count_records(name, path, layout.delimiter, columns)
    found = find_header(name, layout.sample, header)
    if len(layout.sample) == found.records:
        raise DataError(f"{name}: the file has a header and no rows; at least one row is needed. {NO_HEADER}")
    usual = {".tsv": "\t", ".tab": "\t", ".psv": "|"}.get(suffix, ",")
    notes = []
    if layout.delimiter != usual:
        notes.append(f"Fields are separated by {DELIMITER_NAMES[layout.delimiter]}s.")
    if not count.is_plain and layout.delimiter != " ":
        notes.append("Quotes or line ends were not as usual and were put in order.")
    if count.is_plain and layout.delimiter != " " and found.records < 2 and not (layout.skip and columns == 1):
        rows, said = count.records - found.records, (*notes, *_blank(count), *found.notes)
        yield Source(
            path,
            layout.delimiter,
            layout.skip,
            found.records > 0,
            found.names,
            rows,
            said,
            count.longest,
            layout.delimiter,
        )
    plain = folder / "plain.csv"
    written = write_plain(name, path, layout.delimiter, columns, found.records, plain)
    said = (*notes, *_blank(written), *found.notes)
    yield Source(plain, ",", 0, False, found.names, written.records, said, written.longest, layout.delimiter)


def _blank(count: "Count") -> list[str]:
    lines = count.blank_lines
    return [f"{lines:,} blank line{'s were' if lines > 1 else ' was'} left out."] if lines else []


@dataclass(frozen=True)
class Layout:
    """How a delimited file is laid out.

    Args:
        delimiter: what stands between two fields.
        sample: line number and fields of the first records.
        skip: blank lines before the first.
    """

    delimiter: str
    sample: list[tuple[int, list[str]]]
    skip: int


@dataclass(frozen=True)
class Count:
    """What one pass over a file found.

    Args:
        records: the number of records, the header included.
        blank_lines: lines without anything on them that were left out.
        is_plain: whether the file is written as a strict reader expects it: every record of equal length, quotes at
            both ends of a field, line ends of one kind. Where it is not, records may be wrong.
        longest: bytes of the longest record.
    """

    records: int
    blank_lines: int
    is_plain: bool
    longest: int = 0


def find_layout(name: str, path: Path, suffix: str) -> Layout:
    """The delimiter and first records of a file of UTF-8 text.

    The delimiter is the one that cuts the first records into equally many fields, and into the most of them, where
    commas are not the decimal commas of a table with semicolons; a .tsv file with tabs has tabs. Where there is none,
    runs of spaces are, if there are as many in every record and some column holds numbers.

    Args:
        name: what messages call the file.
        path: where it is.
        suffix: how the name of the file ends.

    Raises: DataError where the file is empty.
    """
    with path.open("rb") as file:
        head = file.read(1 << 16)
        while head and not head.strip(b"\xef\xbb\xbf \t\r\n"):
            head = file.read(1 << 16)
    if not head:
        raise DataError(f"{name}: the file has no content; a header and at least one row are needed. Save it again.")
    _check_width(name, path)
    best: tuple[tuple[bool, int], str] | None = None
    is_tabbed = suffix == ".tsv" and b"\t" in head
    for delimiter in "\t" if is_tabbed else DELIMITERS:
        records = [fields for _, fields in islice(_records(name, path, delimiter, strict=False), SNIFFED_RECORDS)]
        if not records:
            raise _changed(name)
        widths = {len(fields) for fields in records}
        score = (len(widths) == 1 and widths != {1}, len(records[0]))
        if score[0] and best and best[0][0] and best[1] == ",":
            with_commas = [field for fields in records for field in fields if "," in field]
            if with_commas and all(map(DECIMAL_COMMA.fullmatch, with_commas)):
                best = None
        if best is None or score > best[0]:
            best = (score, delimiter)
    assert best is not None
    if best[0][1] == 1 and _has_columns_of_spaces(name, path):
        best = best[0], " "
    width = max(1, best[0][1])
    sampled = min(SAMPLED_RECORDS, max(SNIFFED_RECORDS, SAMPLED_FIELDS // width))
    sample = list(islice(_records(name, path, best[1], strict=False), sampled))
    if not sample:
        raise _changed(name)
    return Layout(best[1], sample, skip=sample[0][0] - 1)


def _changed(name: str) -> DataError:
    return DataError(
        f"{name}: the file was emptied while it was read; one that stays as it is, is needed. Read it again once it is "
        "written."
    )


def _check_width(name: str, path: Path) -> None:
    """Raises: DataError where the first line cannot be that of a table, before it is cut into a list of its fields."""
    with path.open("rb") as file:
        line = file.readline(MOST_LINE_BYTES + 1)
    widest = max(map(line.count, (each.encode() for each in DELIMITERS)))
    if len(line) > MOST_LINE_BYTES or widest >= MOST_COLUMNS:
        what = f"{widest + 1:,} fields" if widest >= MOST_COLUMNS else f"more than {MOST_LINE_BYTES:,} bytes"
        raise DataError(
            f"{name}: the first line has {what}; at most {MOST_COLUMNS:,} columns in {MOST_LINE_BYTES >> 20} MiB are "
            "read. Check its line ends and delimiter, or write it as .npy."
        )


def _has_columns_of_spaces(name: str, path: Path) -> bool:
    records = [fields for _, fields in islice(_records(name, path, " ", strict=False), SNIFFED_RECORDS)]
    widths = {len(fields) for fields in records}
    if len(records) < 2 or len(widths) > 1 or widths == {1}:
        return False
    return any(all(map(is_like_number, fields)) for fields in zip(*records[1:], strict=True))


def count_records(name: str, path: Path, delimiter: str, columns: int) -> Count:
    """Counts the records of a file, the header included, and checks that each has the same number of fields.

    Works on the bytes in one pass: delimiters and line ends inside quotes are told by the number of quotes before them.
    That holds as long as quotes open at the start of a field; where one does not, the file is not plain.
    Blank lines are no records, except in a file of one column, where they are missing values.

    Raises: DataError, naming the line, for a zero byte.
    """
    longest = before_chunk = 0
    records = lines = fields_before = blank_lines = 0
    inside = np.uint8(0)
    before = NEWLINE
    blank_so_far = is_plain = True
    kinds: set[bool] = set()
    with path.open("rb") as file:
        for chunk, is_written in _chunks(file):
            if b"\0" in chunk:
                line = lines + chunk[: chunk.index(b"\0")].count(b"\n") + 1
                raise DataError(
                    f"{name}: line {line:,} holds a zero byte; text is needed. Check that the file is a table."
                )
            if not is_plain:
                continue
            data = np.frombuffer(chunk, np.uint8)
            lines += chunk.count(b"\n")
            open_quote = np.zeros(len(data), bool)
            if inside or QUOTE in chunk:
                is_quote = data == QUOTE
                parity = (np.cumsum(is_quote, dtype=np.uint8) + inside) & 1
                inside, open_quote = parity[-1], parity.astype(bool)
                places = np.flatnonzero(is_quote)
                opens = open_quote[places]
                opening, closing = places[opens], places[~opens]
                preceding = np.where(opening > 0, data[opening - 1], before)
                following = data[np.minimum(closing + 1, len(data) - 1)]
                if not (
                    np.isin(preceding, (ord(delimiter), NEWLINE, RETURN, QUOTE)).all()
                    and np.isin(following, (ord(delimiter), NEWLINE, RETURN, QUOTE)).all()
                ):
                    is_plain = False
            ends = np.flatnonzero((data == NEWLINE) & ~open_quote)
            if is_written:
                after_return = np.where(ends > 0, data[ends - 1], before) == RETURN
                if len(ends):
                    kinds |= {bool(after_return.any()), bool(after_return.all())}
                if b"\r" in chunk and np.count_nonzero((data == RETURN) & ~open_quote) > np.count_nonzero(after_return):
                    is_plain = False
            before = data[-1]
            marks = np.flatnonzero((data == ord(delimiter)) & ~open_quote)
            marks_before = np.searchsorted(marks, ends)
            if not len(ends):
                fields_before += len(marks)
                before_chunk += len(data)
                longest = max(longest, before_chunk)
                blank_so_far = blank_so_far and not chunk.strip(b"\r")
                continue
            found = np.diff(marks_before, prepend=0) + 1
            found[0] += fields_before
            starts = np.concatenate([[0], ends[:-1] + 1])
            length = ends - starts
            longest = max(longest, before_chunk + int(length[0]), int(length.max()))
            before_chunk = len(data) - int(ends[-1]) - 1
            blank = (length == 0) | ((length == 1) & (data[starts] == RETURN))
            blank[0] = blank_so_far and not chunk[: ends[0]].strip(b"\r")
            if columns == 1:
                blank[:] = False
            if (found[~blank] != columns).any():
                is_plain = False
            records += int(np.count_nonzero(~blank))
            blank_lines += int(np.count_nonzero(blank))
            fields_before = len(marks) - int(marks_before[-1])
            blank_so_far = not chunk[ends[-1] + 1 :].strip(b"\r")
    return Count(records, blank_lines, is_plain and not inside and len(kinds) < 2, longest)


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, bool]]:
    """The bytes of a file piece by piece, with a line end after the last line even where the file has none.

    The second part of each is whether it stands in the file. No piece ends between the two bytes of a line end.
    """
    last = b"\n"
    while chunk := file.read(CHUNK_BYTES):
        if chunk.endswith((b"\r", b'"')):
            chunk += file.read(1)
        yield chunk, True
        last = chunk[-1:]
    if last != b"\n":
        yield b"\n", False


def write_plain(name: str, path: Path, delimiter: str, columns: int, skip: int, target: Path) -> Count:
    """Writes the records of a file again, all in one plain form: commas, line feeds, quotes only where needed.

    Counts the records written. Quotes may follow spaces, or be followed by them; a field that has a quote
    inside is taken as it is.

    Args:
        name: what messages call the file.
        path: where it is.
        delimiter: what stands between its fields.
        columns: how many fields each record has.
        skip: records at the beginning to leave out.
        target: the file to write.

    Raises: DataError, naming the line, for a record that is too long or too short, or quotes that do not pair.
    """
    try:
        return _rewrite(name, path, delimiter, columns, skip, target, None)
    except _BadQuotes as error:
        pattern = SPACE_AFTER_QUOTE[delimiter]
        try:
            return _rewrite(name, path, delimiter, columns, skip, target, lambda line: pattern.sub('"', line))
        except _BadQuotes:
            raise DataError(str(error)) from None


class _BadQuotes(DataError):
    """Quotes do not pair, or text stands beside them."""


def _rewrite(
    name: str, path: Path, delimiter: str, columns: int, skip: int, target: Path, mend: Callable[[str], str] | None
) -> Count:
    count = blank_lines = longest = 0
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        for line, fields in _records(name, path, delimiter, strict=True, mend=mend, with_blank=True):
            if columns > 1 and len(fields) == 1 and not fields[0].strip():
                blank_lines += 1
                continue
            if len(fields) != columns:
                raise DataError(
                    f"{name}: line {line:,} has {len(fields)} field{'s' * (len(fields) != 1)} and the first line "
                    f"{columns}; every line needs as many. Check line {line:,} for a missing or an extra "
                    f"{DELIMITER_NAMES[delimiter]}, or for text that needs quotes."
                )
            count += 1
            if count > skip:
                stripped = [field.strip() for field in fields]
                longest = max(longest, 4 * sum(map(len, stripped)) + 3 * columns)  # bytes, at the most
                writer.writerow(stripped)
    return Count(count - skip, blank_lines, True, longest)


def _records(
    name: str,
    path: Path,
    delimiter: str,
    *,
    strict: bool,
    mend: Callable[[str], str] | None = None,
    with_blank: bool = False,
) -> Iterator[tuple[int, list[str]]]:
    """Line number of its start and fields of every record that is not blank.

    Args:
        name: what messages call the file.
        path: where it is.
        delimiter: what stands between two fields.
        strict: whether quotes that do not pair are refused.
        mend: what is done to each line before.
        with_blank: whether a blank line after the first record is a record of one empty field.

    Runs of spaces count as one delimiter.

    Raises: DataError for quotes that do not pair, where strict.
    """
    csv.field_size_limit(max(csv.field_size_limit(), MOST_LINE_BYTES))  # 131,072 by itself, of the whole process
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        lines: Iterable[str] = map(mend, file) if mend else file
        if delimiter == " ":
            lines = (line.expandtabs(1).strip() for line in lines)
        reader = csv.reader(lines, delimiter=delimiter, strict=strict, skipinitialspace=True)
        line = 1
        seen = False
        try:
            for fields in reader:
                if fields or (with_blank and seen):
                    seen = True
                    yield line, fields or [""]
                line = reader.line_num + 1
        except csv.Error as error:
            raise _BadQuotes(
                f"{name}: the record from line {line:,} on cannot be read ({error}); quotes must come in pairs. "
                f"Check line {line:,} for a quote that is never closed, or closed too early."
            ) from None
