"""What the text in the fields of a table stands for: missing values, truth values, numbers, durations, dates."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from preceptor.data.tables.dates import DATE_FORMS, FORMS, UNCLEAR, DateForm, date_forms, is_unclear, read_known
from preceptor.data.tables.durations import DURATION, SECONDS, read_durations
from preceptor.data.tables.names import composed
from preceptor.data.tables.table import TEXT, TRUTH, ZONED, Column
from preceptor.data.tables.tokens import CURRENCIES, MISSING_WORDS, NUMBER, SPACES, is_like_number
from preceptor.words import listing

TRUTH_WORDS = {"true": True, "false": False}  # not yes and no: a class is still to be called "yes"
POINT = re.compile(rf"[+-]?(?!0\d)(\d+|[1-9]\d{{0,2}}((,\d{{3}})+|([{SPACES}]\d{{3}})+))(\.\d+)?")
COMMA = re.compile(rf"[+-]?(?!0\d)(\d+|[1-9]\d{{0,2}}((\.\d{{3}})+|([{SPACES}]\d{{3}})+))(,\d+)?")
SIGNED = re.compile(rf"([+-]?)\s*([{CURRENCIES}]?)\s*([+-]?)([\d.,{SPACES}]*\d)\s*([{CURRENCIES}]?)")
EXACT = 1 << 53  # float64 holds every whole number up to it, and not the next
LONGEST = np.iinfo(np.int64).max


@dataclass
class Said:
    """What was done to the columns of a table, one list of names for each kind of change."""

    changes: dict[str, list[str]] = field(default_factory=dict)

    def add(self, change: str, column: str) -> None:
        """Notes that a column was changed in this way."""
        names = self.changes.setdefault(change, [])
        if column not in names:
            names.append(column)

    def sentences(self) -> tuple[str, ...]:
        """One sentence for each kind of change."""
        return tuple(f"{change} in {listing(map(repr, names))}." for change, names in self.changes.items())


GROUPS, DECIMALS = "Thousands separators were removed", "The comma was read as the decimal comma"
PERCENT = "Percent signs were removed"
SPELLINGS = "Letters composed of one and of two code points, which look the same, were made the same"


@dataclass(frozen=True)
class NumberForm:
    """One way of writing numbers.

    Args:
        decimal: the sign before the fraction, "." or ",".
        sign: "%" or the currency sign that each of them has; None for none.
    """

    decimal: str
    sign: str | None = None

    @property
    def name(self) -> str:
        """A number written so."""
        return ("1,234.5" if self.decimal == "." else "1.234,5") + (self.sign or "")

    def read(self, words: Iterable[str]) -> dict[str, float]:
        """Those of the words that are numbers of this form; a currency sign may lack, a percent sign may not."""
        found = {}
        for word in words:
            bare, sign = _without_signs([word])
            if bare and (sign == self.sign or (sign is None and self.sign != "%")) and self.fits(bare):
                found[word] = float(self.plain(bare)[0])
        return found

    def fits(self, bare: Iterable[str]) -> bool:
        """Whether all words, without their sign, are numbers of this form."""
        if self.decimal == ",":
            return all(map(COMMA.fullmatch, bare))
        return all(NUMBER.fullmatch(word) or POINT.fullmatch(word) for word in bare)

    def plain(self, bare: Iterable[str]) -> list[str]:
        """The words, without their sign, as Python writes them."""
        remove = str.maketrans(dict.fromkeys(("," if self.decimal == "." else ".", *SPACES)) | {self.decimal: "."})
        return [word.translate(remove) for word in bare]

    def changes(self, bare: Iterable[str]) -> list[str]:
        """What reading the words in this form does to them."""
        found = [PERCENT if self.sign == "%" else f"The currency sign {self.sign} was removed"] if self.sign else []
        separators = ("," if self.decimal == "." else ".", *SPACES)
        if any(mark in word for word in bare for mark in separators):
            found.append(GROUPS)
        if self.decimal == "," and any("," in word for word in bare):
            found.append(DECIMALS)
        return found


NUMBER_FORMS = {
    form.name: form for decimal in ".," for sign in (None, "%", *CURRENCIES) for form in [NumberForm(decimal, sign)]
}
PLAIN_NUMBERS = NumberForm(".").name
WRITTEN_NUMBERS = (*NUMBER_FORMS, DURATION)  # the ways in which what becomes a number may be written


def known_comma(known: Mapping[str, str]) -> bool | None:
    """Whether the numbers of a table have decimal commas, where the forms that are known of its columns tell."""
    decimals = {NUMBER_FORMS[written].decimal for written in known.values() if written in NUMBER_FORMS}
    return "," in decimals if decimals else None


@dataclass
class Evidence:
    """What is known of a column of text from the pieces of it that were seen.

    What all of it stands for is the same whether it is seen at once or piece by piece.

    Args:
        numbers, dates: the forms in which all words can be read; None while there was none.
        truth, durations: whether all are truth values, or durations.
        largest: of the forms in which all numbers are written without a fraction, the largest of them.
        gaps: whether some field is missing.
        changes: what reading them in each form of numbers does.
    """

    numbers: list[NumberForm] | None = None
    dates: list[DateForm] | None = None
    truth: bool = True
    durations: bool = True
    largest: dict[NumberForm, int] = field(default_factory=dict)
    gaps: bool = False
    changes: dict[NumberForm, list[str]] = field(default_factory=dict)

    @property
    def is_text(self) -> bool:
        """Whether it is known to be nothing but text."""
        return not (self.numbers is None or self.numbers or self.dates or self.truth or self.durations)

    def add(self, words: list[str], gaps: bool) -> None:
        """Takes in the words of a piece, cleaned and sorted, none of them missing, and whether something is missing."""
        self.gaps |= gaps
        if not words or self.is_text:
            return
        is_first = self.numbers is None
        bare, sign = _without_signs(words)
        known = (NumberForm(".", sign), NumberForm(",", sign)) if is_first else tuple(self.numbers or ())
        self.numbers = [form for form in known if bare is not None and form.sign == sign and form.fits(bare)]
        for form in self.numbers:
            assert bare is not None
            self.changes[form] = list(dict.fromkeys([*self.changes.get(form, []), *form.changes(bare)]))
            self._measure(form, bare, is_first)
        self.truth = self.truth and words[0].lower() in TRUTH_WORDS and {w.lower() for w in words} <= TRUTH_WORDS.keys()
        self.durations = self.durations and bool(read_durations(words[:1])) and len(read_durations(words)) == len(words)
        self.dates = date_forms(words, FORMS if self.dates is None else self.dates)

    def _measure(self, form: NumberForm, bare: list[str], is_first: bool) -> None:
        if not is_first and form not in self.largest:
            return
        digits = [word.lstrip("+-") for word in form.plain(bare)]
        if all(map(str.isdecimal, digits)):
            # Beyond 400 digits nothing is a number of any type; and Python takes long to read such.
            longest = max(int(each) if len(each) < 400 else 10**400 for each in digits)
            self.largest[form] = max(self.largest.get(form, 0), longest)
        else:
            self.largest.pop(form, None)

    def _is_open(self) -> bool:
        """Whether the numbers are the same in either form, as whole ones without separators are."""
        return len(self.numbers or ()) > 1 and not any(self.changes.values())

    def settled(self, name: str, said: Said, *, decimal_comma: bool = False) -> Callable[[np.ndarray], Column]:
        """What makes of text, whole or a piece, what it stands for. `said` is told of what is changed."""
        if self.numbers is None and self.dates is None:
            return lambda column: Column(np.full(len(column), np.nan))
        if self.numbers:
            form = self.numbers[-1] if decimal_comma else self.numbers[0]
            is_whole = form in self.largest
            if is_whole and self.largest[form] > (EXACT if self.gaps else LONGEST):
                return lambda column: as_words(name, column, said)  # as numbers some would become others
            for change in self.changes[form]:
                said.add(change, name)
            written = "" if self._is_open() else form.name
            return lambda column: Column(_as_numbers(form, column, is_whole=is_whole and not self.gaps), "", written)
        if self.truth:
            return _as_truth
        if self.durations:
            said.add(SECONDS, name)
            return lambda column: Column(read_written(DURATION, column)[0], "", DURATION)
        if self.dates and is_unclear(self.dates):
            said.add(UNCLEAR, name)
        elif self.dates:
            found = self.dates[0]
            return lambda column: Column(_as_dates(found, column), ZONED if found.has_zone else "", found.name)
        return lambda column: as_words(name, column, said)


def settle(name: str, column: np.ndarray, said: Said, *, decimal_comma: bool = False) -> Column:
    """A column of text as what it stands for.

    Spaces around fields go, and MISSING_WORDS become missing. Where all other fields are numbers, truth values,
    durations (then seconds) or dates of one form, the column is of those; else it stays text. Whole columns of numbers
    may have thousands separators, a decimal comma, percent or currency signs: `said` tells. Numbers with leading zeros
    (007) are text, and so are whole numbers that no type holds exactly: beyond 2^53 where some are missing, beyond 2^63
    where none is.

    Shapes: column (row,), objects: str or None.

    Args:
        name: of the column.
        column: the fields.
        said: gets what was done.
        decimal_comma: whether 1,234 is a little more than one rather than a thousand, where both would do.
    """
    evidence = Evidence()
    evidence.add(*words_of(column))
    return evidence.settled(name, said, decimal_comma=decimal_comma)(column)


def read_written(written: str, column: np.ndarray) -> tuple[np.ndarray, int | None]:
    """What a column of text stands for where it is known how it is written, and the first row that is not so.

    Shapes: column (row,), objects: str or None -> (row,): of a date datetime64[s], else float64, 1 and 0 for TRUTH.

    Args:
        written: of WRITTEN_NUMBERS or DATE_FORMS, or TRUTH.
    """
    _, words = _words(column)
    present = sorted({word for word in words.values() if word is not None})
    known: dict[str, Any]
    if written in DATE_FORMS:
        known = dict(read_known(DATE_FORMS[written], present))
    elif written in NUMBER_FORMS:
        known = dict(NUMBER_FORMS[written].read(present))
    elif written == DURATION:
        known = dict(read_durations(present))
    else:
        known = {word: TRUTH_WORDS[word.lower()] for word in present if word.lower() in TRUTH_WORDS}
    missing = np.datetime64("NaT", "s") if written in DATE_FORMS else np.nan
    by_level: dict[str | None, Any] = {None: missing}
    by_level |= {level: missing if word is None else known.get(word) for level, word in words.items()}
    values = [by_level[each] for each in column.tolist()]
    bad = next((row for row, value in enumerate(values) if value is None), None)
    kind = "M8[s]" if written in DATE_FORMS else np.float64
    return np.array([missing if value is None else value for value in values], kind), bad


def words_of(column: np.ndarray) -> tuple[list[str], bool]:
    """The different words in a column of text, cleaned and sorted, and whether something is missing in it."""
    known, words = _words(column)
    return sorted({word for word in words.values() if word is not None}), None in known or None in words.values()


def _words(column: np.ndarray) -> tuple[set[str | None], dict[str, str | None]]:
    """The levels of a column, and of each of them the word: without spaces around it, composed, None for missing."""
    levels = set(column.tolist())
    words: dict[str, str | None] = {}
    for level in levels:
        if level is not None:
            word = composed(level.strip())
            words[level] = None if word in MISSING_WORDS else word
    return levels, words


def as_words(name: str, column: np.ndarray, said: Said) -> Column:
    """The words of a column, without spaces around them, None for missing; the column itself where these are its
    fields."""
    _, words = _words(column)
    if all(word == level for level, word in words.items()):
        return Column(column, "", TEXT)
    stripped = {level.strip() for level in words}
    if len(stripped) > len({composed(each) for each in stripped}):
        said.add(SPELLINGS, name)
    found = np.fromiter(map(({None: None} | words).__getitem__, column.tolist()), object, len(column))
    return Column(found, "", TEXT)


def _as_numbers(form: NumberForm, column: np.ndarray, *, is_whole: bool) -> np.ndarray:
    _, words = _words(column)
    levels = [level for level, word in words.items() if word is not None]
    bare = _bare([words[level] or "" for level in levels], form.sign)
    plain = form.plain(bare) if form.decimal == "," or not all(map(NUMBER.fullmatch, bare)) else bare
    read: Callable[[str], int | float] = int if is_whole else float
    by_level: dict[str | None, int | float] = dict.fromkeys(words, np.nan) | {None: np.nan}
    by_level |= zip(levels, map(read, plain), strict=True)
    return np.fromiter(map(by_level.__getitem__, column.tolist()), np.int64 if is_whole else np.float64, len(column))


def _as_truth(column: np.ndarray) -> Column:
    _, words = _words(column)
    by_level: dict[str | None, float] = {None: np.nan}
    for level, word in words.items():
        by_level[level] = np.nan if word is None else TRUTH_WORDS[word.lower()]
    return truth_column(np.fromiter(map(by_level.__getitem__, column.tolist()), np.float64, len(column)))


def truth_column(values: np.ndarray) -> Column:
    """A column of 1, 0 and NaN as truth values. Shapes: (row,), float64."""
    return Column(values, TRUTH) if np.isnan(values).any() else Column(values.astype(bool))


def _as_dates(form: DateForm, column: np.ndarray) -> np.ndarray:
    _, words = _words(column)
    present = [word for word in words.values() if word is not None]
    dates = (form.read(present) if present else {}) or {}
    missing = np.datetime64("NaT", "s")
    by_level = {level: dates.get(word or "", missing) for level, word in words.items()} | {None: missing}
    return np.array([by_level[each] for each in column.tolist()], "M8[s]")


def _without_signs(words: list[str]) -> tuple[list[str] | None, str | None]:
    """The words without the percent or currency sign that all of them have, and the sign; None where they differ."""
    if not is_like_number(words[0]) and words[0][0] not in "+-":
        return None, None
    if all(word.endswith("%") for word in words):
        return _bare(words, "%"), "%"
    if not any(each in words[0] for each in CURRENCIES):
        return words, None
    signs = set()
    for word in words:
        parts = SIGNED.fullmatch(word)
        if not parts or bool(parts[2]) == bool(parts[5]) or (parts[1] and parts[3]):
            return None, None
        signs.add(parts[2] or parts[5])
    if len(signs) != 1:
        return None, None
    sign = signs.pop()
    return _bare(words, sign), sign


def _bare(words: list[str], sign: str | None) -> list[str]:
    """The words without the sign that each of them has."""
    if sign is None:
        return words
    if sign == "%":
        return [word[:-1].rstrip() for word in words]
    return [parts[1] + parts[3] + parts[4] for parts in map(SIGNED.fullmatch, words) if parts]
