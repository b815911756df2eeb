"""Columns of dates as ONNX operators: text to days since 1970, and to places in the year, the week and the day."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from preceptor.data.encoding.dates import Dates
from preceptor.data.tables.dates import DATE_FORMS, YEAR_FIRST, YEAR_LAST
from preceptor.export.onnx.builder import Builder
from preceptor.export.onnx.table_words import FLOAT32, FLOAT64, INT64, either, is_missing, matches, refused, texts

CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?"
ISO = rf"[0-9]{{4}}-(0[1-9]|1[0-2])(-[0-9]{{2}}([T ]{CLOCK})?)?"
ZONED_ISO = rf"[0-9]{{4}}-(0[1-9]|1[0-2])-[0-9]{{2}}[T ]{CLOCK}(Z|[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?)"
LOOSE_CLOCK = r"((T| +)([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]+)?)?)?"
LENGTHS = np.array((31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31))
PASSED = np.append(0, np.cumsum(LENGTHS)[:-1])  # days of a year before each month
EPOCH = 719_528  # days from the first of January of the year 0 to that of 1970
BEFORE = 7 * 103_000  # days that are added before a remainder is taken: more than EPOCH, and whole weeks
DAY = 86_400  # seconds


@dataclass(frozen=True)
class Parsed:
    """A column of dates as values of a graph.

    Args:
        days: since 1970, with fractions; NaN where it is missing. Shapes: (row, 1), float64.
        cycles: sine and cosine of each cycle, 0 where it is missing; None without any. Shapes: (row, 2 * cycle),
            float32.
    """

    days: str
    cycles: str | None


@dataclass(frozen=True)
class _Form:
    """Numbers with a sign between: `order` of "ymd"."""

    sign: str
    order: str

    @property
    def pattern(self) -> str:
        """What a date of it matches."""
        return rf"\{self.sign}".join("[0-9]{4}" if letter == "y" else "[0-9]{1,2}" for letter in self.order)


def write_dates(builder: Builder, column: Dates, text: str) -> Parsed:
    """Reads a column of dates: ISO 8601, with a zone where training had one, or as they were written in training where
    that was numbers alone. Any other text is refused when the graph runs, naming the column.

    Shapes: text (row, 1).
    """
    gap = is_missing(builder, text)
    example = "2024-01-31T10:00+02:00" if column.zoned else "2024-01-31"
    forms = _own_forms(column)
    pattern = "|".join([ZONED_ISO if column.zoned else ISO, *(each.pattern + LOOSE_CLOCK for each in forms)])
    fits = matches(builder, text, rf"[ \t]*({pattern})[ \t]*")
    year, month, day, seconds = _read(builder, either(builder, fits, text, texts(builder, _any(column))), column, forms)

    january, after = _january(builder, year), _january(builder, _sum(builder, year, 1))
    leap = _sum(builder, builder.node("Sub", after, january), -365)
    is_month = builder.node(
        "And", builder.node("Greater", month, _number(builder, 0)), builder.node("Less", month, _number(builder, 13))
    )
    place = either(builder, is_month, _sum(builder, month, -1), _number(builder, 0))
    length = _with_leap(builder, LENGTHS, place, leap, builder.node("Equal", place, _number(builder, 1)))
    passed = _with_leap(builder, PASSED, place, leap, builder.node("Greater", place, _number(builder, 1)))
    is_day = builder.node(
        "And", builder.node("Greater", day, _number(builder, 0)), builder.node("LessOrEqual", day, length)
    )
    good = builder.node("And", builder.node("And", is_month, is_day), builder.node("Or", fits, gap))
    zero = refused(builder, builder.node("Not", good), f"a date such as {example} is needed")

    whole = _sum(builder, builder.node("Add", builder.node("Add", january, passed), day), -1)
    moment = builder.node("Add", builder.node("Mul", whole, _number(builder, DAY)), seconds)
    days = _share(builder, moment, DAY)
    turns: dict[str, Callable[[], str]] = {
        "year": lambda: _of_year(builder, year, moment),
        "week": lambda: _of_week(builder, moment),
        "day": lambda: _share(builder, builder.node("Mod", _late(builder, moment), _number(builder, DAY)), DAY),
    }
    circles = [_circle(builder, turns[cycle](), gap) for cycle in column.cycles]
    known = builder.node("Add", days, builder.node("Cast", zero, to=FLOAT64))
    nothing = builder.constant(np.array([[np.nan]]), "nothing")
    return Parsed(either(builder, gap, nothing, known), builder.node("Concat", *circles, axis=1) if circles else None)


def _own_forms(column: Dates) -> list[_Form]:
    """How the dates of training were written, where that is numbers with signs between, and not as in ISO 8601."""
    form = DATE_FORMS.get(column.written)
    if form is not None and form.pattern is YEAR_FIRST:
        return [_Form("/", "ymd"), _Form(".", "ymd")]
    if form is not None and form.pattern is YEAR_LAST:
        return [_Form(form.separator, "dmy" if form.is_day_first else "mdy")]
    return []


def _any(column: Dates) -> str:
    """A date that can be read, to stand where there is none."""
    return "2000-01-01T00:00Z" if column.zoned else "2000-01-01"


def _read(builder: Builder, text: str, column: Dates, forms: list[_Form]) -> tuple[str, str, str, str]:
    """Year, month, day and seconds of the day, less those of the zone, of texts that match. Shapes: (row, 1), int64."""
    words = _split(builder, text, " .", "")  # what stands behind a text lets each have as many parts as are taken
    head, behind = _part(builder, words, 0), _part(builder, words, 1)
    halves = _split(builder, head, "T", "T")
    date = _part(builder, halves, 0)
    last = _part(builder, halves, 1)
    clock = either(builder, matches(builder, last, "[0-9].*"), last, behind)
    own = [matches(builder, date, form.pattern) for form in forms]
    iso = date
    for each in own:
        iso = either(builder, each, texts(builder, "1-1"), iso)
    year, month, day = _three(builder, iso, "-", "-1")
    for form, is_own in zip(forms, own, strict=True):
        three = _three(builder, either(builder, is_own, date, texts(builder, form.sign.join("111"))), form.sign, "")
        year, month, day = (
            either(builder, is_own, three[form.order.index(letter)], known)
            for letter, known in zip("ymd", (year, month, day), strict=True)
        )
    return year, month, day, _seconds(builder, clock, column.zoned)


def _seconds(builder: Builder, clock: str, zoned: bool) -> str:
    """The seconds of a time of the day, 0 where there is none. Shapes: (row, 1), text -> int64."""
    offset = None
    if zoned:
        clock, offset = _zone(builder, clock)
    is_clock = matches(builder, clock, "[0-9].*")
    hour, minute, second = _three(builder, either(builder, is_clock, clock, texts(builder, "0:0")), ":", ":0")
    found = second
    for value, unit in ((hour, 3_600), (minute, 60)):
        found = builder.node("Add", found, builder.node("Mul", value, _number(builder, unit)))
    return found if offset is None else builder.node("Sub", found, offset)


def _zone(builder: Builder, clock: str) -> tuple[str, str]:
    """A time of the day without its zone, and the seconds by which that is ahead. Shapes: (row, 1)."""
    bare = _part(builder, _split(builder, clock, "Z", "Z"), 0)
    zone = texts(builder, "0")
    ahead = _number(builder, 1)
    for sign, factor in (("+", 1), ("-", -1)):
        has = matches(builder, clock, rf".*\{sign}.*")
        halves = _split(builder, bare, sign, sign)
        zone = either(builder, has, _part(builder, halves, 1), zone)
        bare = either(builder, has, _part(builder, halves, 0), bare)
        ahead = either(builder, has, _number(builder, factor), ahead)
    parts = _split(builder, zone, ":0", ":")
    first, second = (builder.node("Cast", _part(builder, parts, place), to=INT64) for place in range(2))
    is_packed = matches(builder, zone, "[0-9]{4}")  # +0230
    hundred = _number(builder, 100)
    hours = either(builder, is_packed, builder.node("Div", first, hundred), first)
    minutes = either(builder, is_packed, builder.node("Mod", first, hundred), second)
    total = builder.node("Add", builder.node("Mul", hours, _number(builder, 60)), minutes)
    return bare, builder.node("Mul", builder.node("Mul", total, ahead), _number(builder, 60))


def _three(builder: Builder, text: str, sign: str, end: str) -> list[str]:
    """The first three numbers of a text, whole ones, with a sign between. Shapes: (row, 1) -> three of (row, 1)."""
    parts = _split(builder, text, end, sign)
    found = []
    for place in range(3):
        part = _part(builder, parts, place)
        if sign == ":" and place == 2:
            part = _part(builder, _split(builder, part, ".", "."), 0)  # without fractions of a second
        found.append(builder.node("Cast", part, to=INT64))
    return found


def _january(builder: Builder, year: str) -> str:
    """Days from 1970 to the first of January of a year from 0 on. Shapes: int64, kept."""
    late = _sum(builder, year, 399)  # 400 years later, so that no quotient is of a number below 0
    found = builder.node("Mul", late, _number(builder, 365))
    for years, op in ((4, "Add"), (100, "Sub"), (400, "Add")):
        found = builder.node(op, found, builder.node("Div", late, _number(builder, years)))
    return _sum(builder, found, 366 - 146_097 - EPOCH)  # and the year 0 is a leap year


def _with_leap(builder: Builder, table: np.ndarray, place: str, leap: str, concerned: str) -> str:
    """Days of a month or before it, with the day that leap years have more."""
    days = builder.node("Gather", builder.constant(table.astype(np.int64), "days"), place)
    return builder.node("Add", days, builder.node("Mul", leap, builder.node("Cast", concerned, to=INT64)))


def _of_year(builder: Builder, year: str, moment: str) -> str:
    """How much of its year lies behind a moment; a zone may have moved it into another. Shapes: -> float64."""
    days = _sum(builder, builder.node("Div", _late(builder, moment), _number(builder, DAY)), -BEFORE)
    is_before = builder.node("Less", days, _january(builder, year))
    is_after = builder.node("GreaterOrEqual", days, _january(builder, _sum(builder, year, 1)))
    own = either(builder, is_before, _sum(builder, year, -1), either(builder, is_after, _sum(builder, year, 1), year))
    start, end = _january(builder, own), _january(builder, _sum(builder, own, 1))
    passed = builder.node("Sub", moment, builder.node("Mul", start, _number(builder, DAY)))
    length = builder.node("Cast", builder.node("Sub", end, start), to=FLOAT64)
    return builder.node("Div", _share(builder, passed, DAY), length)


def _of_week(builder: Builder, moment: str) -> str:
    """How much of its week lies before the day of a moment, of weeks from Monday on. Shapes: -> float64."""
    days = _sum(builder, builder.node("Div", _late(builder, moment), _number(builder, DAY)), 3)  # 1970: a Thursday
    return _share(builder, builder.node("Mod", days, _number(builder, 7)), 7)


def _late(builder: Builder, moment: str) -> str:
    return _sum(builder, moment, BEFORE * DAY)


def _circle(builder: Builder, turn: str, gap: str) -> str:
    """Sine and cosine of a share of a circle, 0 where it is missing. Shapes: (row, 1) -> (row, 2), float32."""
    angle = builder.node("Mul", turn, builder.constant(np.array([[2 * np.pi]]), "circle"))
    both = builder.node("Concat", *(builder.node(op, angle) for op in ("Sin", "Cos")), axis=1)
    nothing = builder.constant(np.zeros((1, 1), np.float32), "zero")
    return either(builder, gap, nothing, builder.node("Cast", both, to=FLOAT32))


def _share(builder: Builder, value: str, of: int) -> str:
    """A whole number by another. Shapes: int64 -> float64."""
    return builder.node(
        "Div", builder.node("Cast", value, to=FLOAT64), builder.constant(np.array([[float(of)]]), "whole")
    )


def _split(builder: Builder, text: str, end: str, sign: str) -> str:
    """Texts, with `end` behind them, parted at each sign, at spaces for "". Shapes: (row, 1) -> (row, 1, part)."""
    longer = builder.node("StringConcat", text, texts(builder, end)) if end else text
    return builder.node("StringSplit", longer, outputs=2, delimiter=sign)[0]


def _part(builder: Builder, parts: str, place: int) -> str:
    return builder.node("Gather", parts, builder.constant(np.array(place, np.int64), "place"), axis=2)


def _sum(builder: Builder, value: str, number: int) -> str:
    return builder.node("Add", value, _number(builder, number))


def _number(builder: Builder, value: int) -> str:
    return builder.constant(np.array([[value]], np.int64), "number")
