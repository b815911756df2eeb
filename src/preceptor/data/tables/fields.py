"""What the text in the fields of a table stands for: missing values, truth values, numbers, dates."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from preceptor.data.tables.dates import as_dates
from preceptor.words import listing

MISSING_WORDS = (
    *("", "?", "-", "--", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null", "None"),
    *("\u2013", "\u2014"),
)
TRUTH_WORDS = {"true": True, "false": False}  # not yes and no: a class is still to be called "yes"
CURRENCIES = "$\u20ac\u00a3\u00a5\u20b9"
SPACES = " \u00a0\u202f'"
NUMBER = re.compile(r"[+-]?(?!0\d)(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|inf|infinity)", re.IGNORECASE)
POINT = re.compile(rf"[+-]?(?!0\d)(\d+|[1-9]\d{{0,2}}((,\d{{3}})+|([{SPACES}]\d{{3}})+))(\.\d+)?")
COMMA = re.compile(rf"[+-]?(?!0\d)(\d+|[1-9]\d{{0,2}}((\.\d{{3}})+|([{SPACES}]\d{{3}})+))(,\d+)?")
SIGNED = re.compile(rf"([+-]?)\s*([{CURRENCIES}]?)\s*([+-]?)([\d.,{SPACES}]*\d)\s*([{CURRENCIES}]?)")
MONEY = rf"([{CURRENCIES}]\s*)?"
LIKE_NUMBER = re.compile(rf"{MONEY}[+-]?\s*{MONEY}(\d[\d.,{SPACES}]*|\.\d+)([eE][+-]?\d+)?\s*[%{CURRENCIES}]?")


@dataclass
class Said:
    """What was done to the columns of a table, one list of names for each kind of change."""

    changes: dict[str, list[str]] = field(default_factory=dict)

    def add(self, change: str, column: str) -> None:
        """Notes that a column was changed in this way."""
        self.changes.setdefault(change, []).append(column)

    def sentences(self) -> tuple[str, ...]:
        """One sentence for each kind of change."""
        return tuple(f"{change} in {listing(map(repr, names))}." for change, names in self.changes.items())


GROUPS, DECIMALS = "Thousands separators were removed", "The comma was read as the decimal comma"
PERCENT = "Percent signs were removed"


def is_missing(text: str) -> bool:
    """Whether a field stands for a missing value. Spaces around it do not count."""
    return text.strip() in MISSING_WORDS


def is_like_number(text: str) -> bool:
    """Whether a field could be a number in some way of writing."""
    text = text.strip()
    return bool(LIKE_NUMBER.fullmatch(text) or NUMBER.fullmatch(text))


def settle(name: str, column: np.ndarray, said: Said, *, decimal_comma: bool = False) -> np.ndarray:
    """A column of text as what it stands for.

    Spaces around fields go, and MISSING_WORDS become missing. Where all other fields are numbers, truth values or
    dates of one form, the column is of those; else it stays text. Whole columns of numbers may have thousands
    separators, a decimal comma, percent or currency signs: `said` tells. Numbers with leading zeros (007) are text.

    Shapes: column (row,), objects: str or None.

    Args:
        name: of the column.
        column: the fields.
        said: gets what was done.
        decimal_comma: whether 1,234 is a little more than one rather than a thousand, where both would do.
    """
    listed = column.tolist()
    levels = set(listed)
    levels.discard(None)
    known = {level: level.strip() for level in levels}
    words = sorted({word for word in known.values() if word not in MISSING_WORDS})
    if not words:
        return np.full(len(column), np.nan)
    if numbers := _numbers(name, words, said, decimal_comma):
        by_level = {level: numbers.get(word, np.nan) for level, word in known.items()} | {None: np.nan}
        found = np.fromiter(map(by_level.__getitem__, listed), np.float64, len(column))
        whole = all(word.lstrip("+-").isdecimal() for word in words)
        return found.astype(np.int64) if whole and np.abs(found).max() < 2**53 else found
    if words[0].lower() in TRUTH_WORDS and {word.lower() for word in words} <= TRUTH_WORDS.keys():
        truth = {level: TRUTH_WORDS.get(word.lower()) for level, word in known.items()}
        values = [truth.get(each) for each in listed]
        if None not in values:
            return np.array(values, bool)
        return np.array([None if value is None else str(value) for value in values], object)
    if dates := as_dates(name, words, said.add):
        missing = np.datetime64("NaT", "s")
        dated = {level: dates.get(word, missing) for level, word in known.items()} | {None: missing}
        return np.array([dated[each] for each in listed], "M8[s]")
    if any(word != level or word in MISSING_WORDS for level, word in known.items()):
        cleaned = {level: None if word in MISSING_WORDS else word for level, word in known.items()} | {None: None}
        return np.fromiter(map(cleaned.__getitem__, listed), object, len(column))
    return column


def _numbers(name: str, words: list[str], said: Said, decimal_comma: bool) -> dict[str, float] | None:
    """The number that each word stands for, None where not all are numbers written in one way."""
    if all(map(NUMBER.fullmatch, words)) and not decimal_comma:
        return {word: float(word) for word in words}
    bare, sign = _without_signs(words)
    if bare is None:
        return None
    changes = [] if sign is None else [PERCENT if sign == "%" else f"The currency sign {sign} was removed"]
    styles: list[tuple[Callable[[str], object], str, str]] = [
        (lambda text: POINT.fullmatch(text) or NUMBER.fullmatch(text), ",", "."),
        (COMMA.fullmatch, ".", ","),
    ]
    for fits, separator, decimal in reversed(styles) if decimal_comma else styles:
        if all(map(fits, bare)):
            if any(mark in text for text in bare for mark in (separator, *SPACES)):
                changes.append(GROUPS)
            if decimal == "," and any("," in text for text in bare):
                changes.append(DECIMALS)
            for change in changes:
                said.add(change, name)
            remove = str.maketrans(dict.fromkeys((separator, *SPACES)) | {decimal: "."})
            return {word: float(text.translate(remove)) for word, text in zip(words, bare, strict=True)}
    return None


def _without_signs(words: list[str]) -> tuple[list[str] | None, str | None]:
    """The words without the percent or currency sign that all of them have, and the sign; None where they differ."""
    if not is_like_number(words[0]) and words[0][0] not in "+-":
        return None, None
    if all(word.endswith("%") for word in words):
        return [word[:-1].rstrip() for word in words], "%"
    if not any(each in words[0] for each in CURRENCIES):
        return words, None
    bare, signs = [], set()
    for word in words:
        parts = SIGNED.fullmatch(word)
        if not parts or bool(parts[2]) == bool(parts[5]) or (parts[1] and parts[3]):
            return None, None
        bare.append(parts[1] + parts[3] + parts[4])
        signs.add(parts[2] or parts[5])
    return (bare, signs.pop()) if len(signs) == 1 else (None, None)
