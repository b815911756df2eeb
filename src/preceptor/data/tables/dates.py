"""Dates written as text."""

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CLOCK = r"(?:[T ]+(\d{1,2}):(\d\d)(?::(\d\d)(?:\.\d+)?)?)?"
ISO = re.compile(r"\d{4}-(0[1-9]|1[0-2])(-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?)?)?")
ZONED_ISO = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d(:?\d\d)?)")
YEAR_FIRST = re.compile(r"(?P<y>\d{4})([/.])(?P<m>\d{1,2})\2(?P<d>\d{1,2})" + CLOCK)
YEAR_LAST = re.compile(r"(?P<a>\d{1,2})([/.-])(?P<b>\d{1,2})\2(?P<y>\d{4})" + CLOCK)
DAY_NAMED = re.compile(r"(?P<d>\d{1,2})[ -](?P<n>[A-Za-z]{3,9})[ -](?P<y>\d{4})" + CLOCK)
NAMED_DAY = re.compile(r"(?P<n>[A-Za-z]{3,9}) (?P<d>\d{1,2}),? (?P<y>\d{4})" + CLOCK)
MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
UNCLEAR = "Dates that read day first as well as month first stay text (write them as 2020-01-31)"


@dataclass(frozen=True)
class DateForm:
    """One way of writing dates.

    Args:
        name: a date written so.
        pattern: what each of them matches; a group y, and m and d, n and d, or a and b: two numbers of which one is
            the day.
        separator: between a and b, the same in all.
        is_day_first: whether a is the day.
        has_zone: whether a zone stands behind each.
    """

    name: str
    pattern: re.Pattern[str]
    separator: str = ""
    is_day_first: bool = True
    has_zone: bool = False

    def read(self, words: Sequence[str]) -> dict[str, np.datetime64] | None:
        """The date of each word, to the second and in UTC where it has a zone; None where one is none of this form.

        So that a column of other text is told at once, the first word alone is tried first.
        """
        try:
            return self._read(words) if self._read(words[:1]) else None
        except ValueError:  # a 31st of February, a month of no name
            return None

    def _read(self, words: Sequence[str]) -> dict[str, np.datetime64] | None:
        if self.pattern is ISO:
            if not all(map(ISO.fullmatch, words)):
                return None
            return dict(zip(words, np.array(words, "M8[us]").astype("M8[s]"), strict=True))
        found = {}
        for word in words:
            match = self.pattern.fullmatch(word)
            if not match or (self.separator and match[2] != self.separator):
                return None
            found[word] = in_utc(word) if self.has_zone else self._date(match)
        return found

    def _date(self, match: re.Match[str]) -> np.datetime64:
        groups = match.groupdict()
        if "n" in groups:
            day, month = int(groups["d"]), _month(groups["n"])
        elif "a" in groups:
            day, month = int(groups["a"]), int(groups["b"])
            day, month = (day, month) if self.is_day_first else (month, day)
        else:
            day, month = int(groups["d"]), int(groups["m"])
        hour, minute, second = (int(each or 0) for each in match.groups()[-3:])
        return np.datetime64(datetime.datetime(int(groups["y"]), month, day, hour, minute, second), "s")


PLAIN = DateForm("2024-01-31", ISO)  # or 2024-01, or with a time
PLAIN_ZONED = DateForm("2024-01-31T10:00+02:00", ZONED_ISO, has_zone=True)
CLEAR = (
    *(PLAIN, PLAIN_ZONED, DateForm("2024/01/31", YEAR_FIRST), DateForm("31.01.2024", YEAR_LAST, ".")),
    *(DateForm("31 Jan 2024", DAY_NAMED), DateForm("January 31, 2024", NAMED_DAY)),
)
ORDERED = (  # what one of them stands for is told by a column in which some day is beyond 12
    DateForm("01.31.2024", YEAR_LAST, ".", is_day_first=False),
    DateForm("31/01/2024", YEAR_LAST, "/"),
    DateForm("01/31/2024", YEAR_LAST, "/", is_day_first=False),
    DateForm("31-01-2024", YEAR_LAST, "-"),
    DateForm("01-31-2024", YEAR_LAST, "-", is_day_first=False),
)
FORMS = (*CLEAR, *ORDERED)
DATE_FORMS = {form.name: form for form in FORMS}


def read_known(known: DateForm, words: Sequence[str]) -> dict[str, np.datetime64]:
    """Those of the words that are dates in a known form, or in one that can be taken for no other beside it."""
    if words and (found := known.read(words)) is not None:
        return found
    alike = [form for form in ORDERED if known.pattern is YEAR_LAST and form.is_day_first == known.is_day_first]
    forms = [form for form in (known, *CLEAR, *alike) if form.has_zone == known.has_zone]
    found = {}
    for word in words:
        date = next((date for form in forms if (date := form.read([word])) is not None), None)
        found |= date or {}
    return found


def in_utc(word: str) -> np.datetime64:
    """A time with a zone, in UTC. Raises: ValueError where it is none."""
    when = datetime.datetime.fromisoformat(word)
    return np.datetime64(when.astimezone(datetime.UTC).replace(tzinfo=None), "s")


def date_forms(words: Sequence[str], forms: Sequence[DateForm] = FORMS) -> list[DateForm]:
    """The forms in which all words are dates."""
    if not any(character.isdigit() for character in words[0]):
        return []
    return [form for form in forms if form.read(words) is not None]


def is_unclear(forms: Sequence[DateForm]) -> bool:
    """Whether these forms, in all of which a column can be read, leave open which number is the day.

    With points between them the day comes first: nobody writes 01.31.2020.
    """
    return len(forms) > 1 and forms[0].separator in ("/", "-")


def _month(name: str) -> int:
    """The number of a month. Raises: ValueError for any other word."""
    found = [number for number, month in enumerate(MONTHS, 1) if month == name.lower() or month[:3] == name.lower()]
    if not found:
        raise ValueError(name)
    return found[0]
