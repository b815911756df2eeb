"""Durations written as text, as numbers of seconds."""

import re
from collections.abc import Iterable

CLOCK = r"(?P<h>\d+):(?P<m>[0-5]\d):(?P<s>[0-5]\d(?:\.\d+)?)"
WRITTEN = re.compile(rf"(?:(?P<d>[+-]?\d+) days?(?:,? (?=[+-]?\d)|$))?(?:(?P<sign>[+-]?){CLOCK})?")
DURATION = "2 days 03:00:00"  # how they are called where a column is known to be written so
SECONDS = "Durations were read as numbers of seconds"


def read_durations(words: Iterable[str]) -> dict[str, float]:
    """Those of the words that are durations, in seconds: 1:23:45, 2 days 03:00:00, 1 day, -1 days +23:00:00.

    Two numbers with a colon, 1:23, are none: they may be hours, minutes, results or places in a book.
    """
    found = {}
    for word in words:
        match = WRITTEN.fullmatch(word)
        if match and word:
            days, hours, minutes, seconds = (float(match[part] or 0) for part in "dhms")
            clock = (hours * 60 + minutes) * 60 + seconds
            found[word] = days * 86_400 + (-clock if match["sign"] == "-" else clock)
    return found
