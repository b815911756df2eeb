"""Dates written as text."""

import datetime
import re
from collections.abc import Callable
from typing import Any

import numpy as np

CLOCK = r"(?:[T ]+(\d{1,2}):(\d\d)(?::(\d\d)(?:\.\d+)?)?)?"
ISO = re.compile(r"\d{4}-(0[1-9]|1[0-2])(-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?)?)?")
ZONED = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d(:?\d\d)?)")
YEAR_FIRST = re.compile(r"(?P<y>\d{4})([/.])(?P<m>\d{1,2})\2(?P<d>\d{1,2})" + CLOCK)
YEAR_LAST = re.compile(r"(?P<a>\d{1,2})([/.-])(?P<b>\d{1,2})\2(?P<y>\d{4})" + CLOCK)
NAMED = (
    re.compile(r"(?P<d>\d{1,2})[ -](?P<n>[A-Za-z]{3,9})[ -](?P<y>\d{4})" + CLOCK),
    re.compile(r"(?P<n>[A-Za-z]{3,9}) (?P<d>\d{1,2}),? (?P<y>\d{4})" + CLOCK),
)
MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
UNCLEAR = "Dates that read day first as well as month first stay text (write them as 2020-01-31)"


def as_dates(name: str, words: list[str], say: Callable[[str, str], None]) -> dict[str, Any] | None:
    """The date that each word stands for, to the second, None where not all are dates of one form.

    Forms: ISO 8601 (2020-01, 2020-01-31, with a time, with a zone: then in UTC); 2020/01/31; 31.01.2020; 31/01/2020 or
    01/31/2020 where some day is beyond 12; 31 Jan 2020; January 31, 2020.

    Args:
        name: of the column.
        words: what stands in it.
        say: called with a change and the name where dates are not clear.
    """
    if not any(character.isdigit() for character in words[0]):
        return None
    try:
        if all(map(ISO.fullmatch, words)):
            return dict(zip(words, np.array(words, "M8[us]").astype("M8[s]"), strict=True))
        if all(map(ZONED.fullmatch, words)):
            return {
                word: np.datetime64(
                    datetime.datetime.fromisoformat(word).astimezone(datetime.UTC).replace(tzinfo=None), "s"
                )
                for word in words
            }
        for form in (YEAR_FIRST, YEAR_LAST, *NAMED):
            found = [form.fullmatch(word) for word in words[:1]]
            if not found[0]:
                continue
            found = [form.fullmatch(word) for word in words]
            parts = [match for match in found if match]
            return _numbered(name, words, parts, say) if len(parts) == len(words) else None
    except ValueError:  # a 31st of February, a month of no name
        pass
    return None


def _numbered(
    name: str, words: list[str], parts: list[re.Match[str]], say: Callable[[str, str], None]
) -> dict[str, Any] | None:
    day_first = True
    if "a" in parts[0].groupdict():
        if len({part[2] for part in parts}) > 1:
            return None
        first_is_day = any(int(part["a"]) > 12 for part in parts)
        second_is_day = any(int(part["b"]) > 12 for part in parts)
        if first_is_day and second_is_day:
            return None
        if not first_is_day and not second_is_day and parts[0][2] != ".":
            say(UNCLEAR, name)
            return None
        day_first = not second_is_day
    dates = {}
    for word, part in zip(words, parts, strict=True):
        groups = part.groupdict()
        if "n" in groups:
            day, month = int(part["d"]), _month(part["n"])
        elif "a" in groups:
            day, month = (int(part["a"]), int(part["b"])) if day_first else (int(part["b"]), int(part["a"]))
        else:
            day, month = int(part["d"]), int(part["m"])
        hour, minute, second = (int(each or 0) for each in part.groups()[-3:])
        dates[word] = np.datetime64(datetime.datetime(int(part["y"]), month, day, hour, minute, second), "s")
    return dates


def _month(name: str) -> int:
    """The number of a month. Raises: ValueError for any other word."""
    found = [number for number, month in enumerate(MONTHS, 1) if month == name.lower() or month[:3] == name.lower()]
    if not found:
        raise ValueError(name)
    return found[0]
