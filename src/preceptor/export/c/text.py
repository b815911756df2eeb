"""Numbers, names, strings and comments as they stand in a C file."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from preceptor.words import broken, printable

__all__ = ["KINDS", "as_comment", "as_identifier", "as_literal", "as_string", "as_table"]

KINDS = {  # dtype -> the type in C that holds it
    "float32": "float",
    "float64": "double",
    "int32": "int",
    "int64": "long long",
    "uint32": "unsigned",
    "uint8": "unsigned char",
    "bool": "unsigned char",
}
WIDTH = 116  # columns of a line of text
MOST_STRING = 500  # bytes of a string; C99 promises room for 4,095


def as_identifier(text: str) -> str:
    """A name that C takes, as much like the text as there is: letters, digits, and _ for all else, beginning with a
    letter."""
    found = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")
    return found if found[:1].isalpha() else f"n{found}" if found else "network"


def as_literal(value: Any) -> str:
    """A number, exactly: the shortest decimal text that reads as the same number again."""
    if value.dtype.kind != "f":
        return str(int(value))
    if not np.isfinite(value):
        return "NAN" if np.isnan(value) else "INFINITY" if value > 0 else "-INFINITY"
    text = str(value)
    text = text if "." in text or "e" in text else f"{text}.0"
    return f"{text}f" if value.dtype == np.float32 else text


def as_table(name: str, values: np.ndarray) -> list[str]:
    """The definition of a constant array."""
    lines, line = [f"static const {KINDS[values.dtype.name]} {name}[{values.size}] = {{"], ""
    for each in _literals(values.ravel()):
        if len(line) + len(each) + 2 > WIDTH:
            lines.append(line)
            line = ""
        line += f" {each}," if line else f"    {each},"
    return [*lines, line, "};"]


def _literals(values: np.ndarray) -> list[str]:
    """As `as_literal`, of many at once."""
    if values.dtype.kind != "f" or not np.isfinite(values).all():
        return [as_literal(each) for each in values]
    end = "f" if values.dtype == np.float32 else ""
    return [f"{text}{end}" for text in values.astype(str).tolist()]


def as_string(text: str) -> str:
    """A text in quotes, its bytes in UTF-8; one that is long is cut."""
    content = text.encode("utf-8", "surrogateescape")[:MOST_STRING].decode(errors="ignore").encode()
    plain = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _-+*/=.,:;!%&()<>[]{}#$@^|~'`"
    return '"' + "".join(chr(each) if each in plain else f"\\{each:03o}" for each in content) + '"'


def as_comment(sentences: Iterable[str]) -> list[str]:
    """A block comment of these lines, each broken where it is too long; what would end it early is taken apart."""
    lines: Sequence[str] = [
        line for text in sentences for line in (broken(_harmless(text), WIDTH - 3) if text else [""])
    ]
    return ["/*", *(f" * {line}".rstrip() for line in lines), " */"]


def _harmless(text: str) -> str:
    return printable(text).replace("*/", "* /").replace("/*", "/ *").replace("??", "? ?").rstrip("\\")
