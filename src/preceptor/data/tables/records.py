"""Tables in JSON: one object a line, a list of objects, or an object of lists."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from preceptor.data.tables.columns import as_column, objects
from preceptor.data.tables.fields import Said, settle
from preceptor.data.tables.table import Table
from preceptor.data.tables.text import HEAD_BYTES, said, single_byte_encoding, to_utf8, wide_encoding
from preceptor.errors import DataError
from preceptor.words import listing

SCALARS = (str, int, float, bool, type(None))


def read_json(name: str, path: Path, folder: Path) -> Table:
    """Reads a .json, .jsonl or .ndjson file. Text stands for what it does in CSV; a key that a row lacks is missing.

    Args:
        name: what messages call the file, and the name of the table.
        path: where it is.
        folder: for a copy in UTF-8.

    Raises: DataError, naming line or row and key, where it is not a table of numbers, truth values and text.
    """
    notes: list[str] = []
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    encoding = wide_encoding(name, head)
    if not encoding and not _is_utf8(path):
        encoding = single_byte_encoding(name, path)
    if encoding:
        path = to_utf8(name, path, encoding, folder)
        notes.append(said(encoding))
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if not start:
        raise DataError(f"{name}: the file has no content; at least one row is needed. Save it again.")
    whole = _whole(name, path) if start[:1] == b"[" or path.suffix.lower() == ".json" else None
    if isinstance(whole, dict) and whole and all(isinstance(values, list) for values in whole.values()):
        columns, gaps = dict(whole), 0
        lengths = {key: len(values) for key, values in columns.items()}
        if len(set(lengths.values())) > 1:
            each = listing(f"{key} {length:,}" for key, length in lengths.items())
            raise DataError(f"{name}: the lists differ in length: {each}; all need the same. Check how it was written.")
        for key, values in columns.items():
            for row, value in enumerate(values, 1):
                if not isinstance(value, SCALARS):
                    raise _nested(name, f"row {row:,}", key, value)
    else:
        listed: Iterable[tuple[str, Any]]
        if isinstance(whole, list):
            listed = ((f"row {row:,}", record) for row, record in enumerate(whole, 1))
        elif whole is not None:
            listed = [("row 1", whole)]
        else:
            listed = _lines(name, path)
        columns, gaps = _columns(name, listed)
    rows = len(next(iter(columns.values()), ()))
    if not rows:
        raise DataError(f"{name}: the file has no rows; at least one row is needed. Check how it was written.")
    if gaps:
        many = "values are missing because their rows lack" if gaps > 1 else "value is missing because its row lacks"
        notes.append(f"{gaps:,} {many} the key.")
    say = Said()
    found = {}
    for key, values in columns.items():
        column = as_column(name, key, objects(values, rows))
        if column.dtype == object and not _is_whole("".join(each for each in column.tolist() if each)):
            raise DataError(
                f"{name}: the text under {key!r} holds half a character (\\ud800 to \\udfff alone); whole ones are "
                "needed. Write the file again."
            )
        found[key] = settle(key, column, say) if column.dtype == object else column
    return Table(name, found, (*notes, *say.sentences()))


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_utf8(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8") as file:
            while file.read(1 << 20):
                pass
    except UnicodeDecodeError:
        return False
    return True


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} comes twice in one object")
    return found


def _whole(name: str, path: Path) -> Any:
    """The one value in a file, None where it holds several, one a line."""
    text = path.read_text(encoding="utf-8-sig")
    try:
        return json.loads(text, object_pairs_hook=_pairs)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and text.lstrip()[:1] == "{":
            return None
        raise DataError(
            f"{name}: line {error.lineno:,}, character {error.colno:,}: this is no JSON ({error.msg}); a list of "
            "objects, or one object a line, is needed. Mend the line, or write the file again."
        ) from None
    except (ValueError, RecursionError) as error:
        raise _unread(name, "", error) from None


def _lines(name: str, path: Path) -> Iterator[tuple[str, Any]]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    yield f"line {number:,}", json.loads(line, object_pairs_hook=_pairs)
                except json.JSONDecodeError as error:
                    raise DataError(
                        f"{name}: line {number:,}, character {error.colno:,}: this is no JSON ({error.msg}); one "
                        "object a line is needed. Mend the line, or write the file again."
                    ) from None
                except (ValueError, RecursionError) as error:
                    raise _unread(name, f"line {number:,}: ", error) from None


def _unread(name: str, where: str, error: Exception) -> DataError:
    why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
    if "digits" in why:
        why = "a number is too long"
    return DataError(
        f"{name}: {where}the JSON cannot be read: {why}; objects of numbers, truth values and text, each key once, are "
        "needed. Write the file again."
    )


def _columns(name: str, records: Iterable[tuple[str, Any]]) -> tuple[dict[str, list[Any]], int]:
    """The values under each key, and how many are missing because a record lacks the key."""
    columns: dict[str, list[Any]] = {}
    gaps = 0
    for rows, (place, record) in enumerate(records, 1):
        if not isinstance(record, dict):
            raise DataError(
                f"{name}: {place} holds {_kind(record)}; an object of names and values is needed, as in "
                '{"a": 1, "b": "x"}. Write each row as one.'
            )
        for key, value in record.items():
            if not isinstance(value, SCALARS):
                raise _nested(name, place, key, value)
            if key not in columns:
                columns[key] = [None] * (rows - 1)
                gaps += rows - 1
            columns[key].append(value)
        if len(record) < len(columns):
            for values in columns.values():
                if len(values) < rows:
                    values.append(None)
                    gaps += 1
    return columns, gaps


def _nested(name: str, place: str, key: str, value: Any) -> DataError:
    return DataError(
        f"{name}: {place} holds {_kind(value)} under {key!r}; a number, a truth value or text is needed. Leave the key "
        "out, or write each part under a key of its own."
    )


def _kind(value: Any) -> str:
    return {list: "a list", dict: "an object", str: "text", bool: "a truth value", type(None): "null"}.get(
        type(value), "a number"
    )
