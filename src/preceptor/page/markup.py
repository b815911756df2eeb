"""Markup that is safe by construction: text is text, whatever stands in it.

`tag("td", name)` escapes the name; only what `tag` made goes in as markup. Attributes are quoted and escaped, data for
a script can neither end the script nor begin a comment. Characters that a page must not hold, or that would turn the
direction of writing, become visible escapes, as in the terminal.
"""

import json
from base64 import b64encode
from collections.abc import Iterable
from functools import cache
from html import escape
from typing import Any

from preceptor.words import cut, one_line

VOID = frozenset({"meta", "link", "img", "br", "hr", "col", "input"})
_IN_SCRIPT = str.maketrans({each: f"\\u{ord(each):04x}" for each in "<>&\u2028\u2029"})


class Markup(str):
    """A piece of HTML or SVG that is well-formed as it stands."""

    __slots__ = ()


Content = str | int | float | None | Iterable["Content"]


def text(words: object) -> Markup:
    """Any text as markup that shows it: one line, every character visible."""
    if isinstance(words, Markup):
        return words
    plain = str(words)
    return Markup(escape(plain if plain.isascii() and plain.isprintable() else one_line(plain)))


def clipped(words: str, width: int) -> str:
    """As much of a text from the data as fits so many columns, every character visible: what hides takes room too."""
    shown = one_line(words)
    return cut(shown if len(shown) <= 8 * width else f"{shown[: 8 * width]}…", width)  # accents take no columns


def joined(*content: Content) -> Markup:
    """Pieces one after the other; text is escaped, None is nothing, lists are opened."""
    return Markup("".join(_pieces(content)))


def tag(element: str, /, *content: Content, **attributes: object) -> Markup:
    """An element.

    Args:
        element: its name, a word of ours.
        content: markup as it is, text escaped, None as nothing, lists opened.
        attributes: `_` stands for `-`, one at the end for none (`class_`); None and False leave it out, True gives it
            without a value.
    """
    opened = element
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        opened += f" {_attribute(key)}" if value is True else f' {_attribute(key)}="{text(value)}"'
    if element in VOID:
        return Markup(f"<{opened}>")
    return Markup(f"<{opened}>{''.join(_pieces(content))}</{element}>")


def script_data(value: Any) -> Markup:
    """A value as JSON that can stand inside a script element. Raises: ValueError for numbers that are not finite."""
    return Markup(json.dumps(value, allow_nan=False, separators=(",", ":"), ensure_ascii=True).translate(_IN_SCRIPT))


def png_source(content: bytes) -> str:
    """A PNG file as the source of a picture that stands in the page itself."""
    return f"data:image/png;base64,{b64encode(content).decode()}"


def _pieces(content: Iterable[Content]) -> Iterable[str]:
    for each in content:
        if isinstance(each, str):
            yield text(each)
        elif isinstance(each, int | float):
            yield str(each)
        elif each is not None:
            yield from _pieces(each)


@cache
def _attribute(key: str) -> str:
    return key.rstrip("_").replace("_", "-")
