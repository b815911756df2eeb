"""Tables in JSON: one object a line, a list of objects, or an object of lists."""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import repeat
from pathlib import Path
from typing import Any

from preceptor.data.tables.columns import as_column, objects
from preceptor.data.tables.fields import Said, as_words, known_comma, settle
from preceptor.data.tables.names import told_apart
from preceptor.data.tables.scratch import check_memory
from preceptor.data.tables.table import NONE_KNOWN, Table
from preceptor.errors import DataError
from preceptor.words import listing

SCALARS = (str, int, float, bool, type(None))
HEAD_BYTES = 1 << 16
MEMORY_OF_A_BYTE = 10  # measured: Python objects of numbers of a few digits
SOME_CELLS = 1 << 24  # 128 MiB of pointers: below it nobody is asked how full a table is
CELLS_OF_A_BYTE = 8  # `"a":1,` fills one cell with six bytes; beyond it all but one of 50 cells are empty


def read_json(
    name: str,
    path: Path,
    *,
    is_one: bool,
    texts: Collection[str | None] = (),
    known: Mapping[str, str] = NONE_KNOWN,
) -> Table:
    """Reads the UTF-8 text of a .json, .jsonl or .ndjson file. Text stands for what it does in CSV; a key that a row
    lacks is missing.

    Args:
        name: what messages call the file, and the name of the table.
        path: where it is.
        is_one: whether it should be one value, as a .json file is, and not one in each line.
        texts: columns whose fields are kept as they stand.
        known: how columns were written elsewhere, as of `read`.

    Raises: DataError, naming line or row and key, where it is not a table of numbers, truth values and text, or would
    be far larger than the file because each row has keys of its own.
    """
    with path.open("rb") as file:
        start = file.read(HEAD_BYTES).lstrip(b"\xef\xbb\xbf \t\r\n")
    if not start:
        raise DataError(f"{name}: the file has no content; at least one row is needed. Save it again.")
    size = path.stat().st_size
    check_memory(MEMORY_OF_A_BYTE * size, f"{name}: {size:,} bytes of JSON")
    decode = json.JSONDecoder(object_pairs_hook=_pairs, parse_float=_Written if texts else None).decode
    whole = _whole(name, path, decode) if is_one or start[:1] == b"[" else None
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
            listed = _lines(name, path, decode)
        columns, gaps = _columns(name, listed, max(SOME_CELLS, CELLS_OF_A_BYTE * size))
    rows = len(next(iter(columns.values()), ()))
    if not rows:
        raise DataError(f"{name}: the file has no rows; at least one row is needed. Check how it was written.")
    bad = next((key for key in columns if not _is_whole(key)), None)
    if bad is not None:
        raise DataError(f"{name}: the key {bad!r} holds half a character; whole ones are needed. Write the file again.")
    names, changes = told_apart(columns)
    notes = list(changes)
    if gaps:
        many = "values are missing because their rows lack" if gaps > 1 else "value is missing because its row lacks"
        notes.append(f"{gaps:,} {many} the key.")
    said, is_comma = Said(), bool(known_comma(known))
    found, kept = {}, {}
    for key, (old, values) in zip(names, columns.items(), strict=True):
        column = as_column(name, key, objects(values, rows), said=said)
        text = column.values
        if text.dtype == object and not _is_whole("".join(each for each in text.tolist() if each)):
            raise DataError(
                f"{name}: the text under {old!r} holds half a character (\\ud800 to \\udfff alone); whole ones are "
                "needed. Write the file again."
            )
        if text.dtype == object:
            column = as_words(key, text, said) if key in known else settle(key, text, said, decimal_comma=is_comma)
        found[key] = column
        if key in texts:
            kept[key] = objects(map(_as_stood, values), rows)
    return Table.of(name, found, (*notes, *said.sentences()), kept)


class _Written(float):
    """A number that knows how it was written."""

    def __new__(cls, text: str) -> "_Written":
        number = super().__new__(cls, text)
        number.text = text
        return number

    text: str


def _as_stood(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "" if value is None else str(value).lower()
    return value.text if isinstance(value, _Written) else str(value)


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} comes twice in one object")
    return found


def _whole(name: str, path: Path, decode: Callable[[str], Any]) -> Any:
    """The one value in a file, None where it holds several, one a line."""
    text = path.read_text(encoding="utf-8-sig")
    try:
        return decode(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and text.lstrip()[:1] == "{":
            return None
        raise DataError(
            f"{name}: line {error.lineno:,}, character {error.colno:,}: this is no JSON ({error.msg}); a list of "
            "objects, or one object a line, is needed. Mend the line, or write the file again."
        ) from None
    except (ValueError, RecursionError) as error:
        raise _unread(name, "", error) from None


def _lines(name: str, path: Path, decode: Callable[[str], Any]) -> Iterator[tuple[str, Any]]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    yield f"line {number:,}", decode(line)
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


def _columns(name: str, records: Iterable[tuple[str, Any]], most: int) -> tuple[dict[str, list[Any]], int]:
    """The values under each key, and how many are missing because a record lacks the key.

    Raises: DataError for a record that is none, and where the table would have more cells than `most`.
    """
    columns: dict[str, list[Any]] = {}
    rows = known = 0
    for rows, (place, record) in enumerate(records, 1):
        if not isinstance(record, dict):
            raise DataError(
                f"{name}: {place} holds {_kind(record)}; an object of names and values is needed, as in "
                '{"a": 1, "b": "x"}. Write each row as one.'
            )
        for key, value in record.items():
            if not isinstance(value, SCALARS):
                raise _nested(name, place, key, value)
            values = columns.setdefault(key, [])
            if len(values) < rows - 1:
                values.extend(repeat(None, rows - 1 - len(values)))
            values.append(value)
        known += len(record)
        if rows * len(columns) > most:
            raise DataError(
                f"{name}: {len(columns):,} different keys in {rows:,} rows, nearly all without a value in each; rows "
                "that share their keys are needed. Write what each key tells as a value."
            )
    for values in columns.values():
        values.extend(repeat(None, rows - len(values)))
    return columns, rows * len(columns) - known


def _nested(name: str, place: str, key: str, value: Any) -> DataError:
    return DataError(
        f"{name}: {place} holds {_kind(value)} under {key!r}; a number, a truth value or text is needed. Leave the key "
        "out, or write each part under a key of its own."
    )


def _kind(value: Any) -> str:
    return {list: "a list", dict: "an object", str: "text", bool: "a truth value", type(None): "null"}.get(
        type(value), "a number"
    )
