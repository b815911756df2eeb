"""How a space is asked for: a setting and its range, in words or in Python."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from numbers import Integral, Real
from types import NoneType
from typing import Any, get_args

from preceptor.errors import ConfigError
from preceptor.hyper import (
    Hyper,
    Span,
    field_types,
    hyper_fields,
    number_text,
    parts_of,
    shown,
    typed,
    value_of,
    value_text,
)
from preceptor.job import Settings
from preceptor.job.parts import own_numbers, takers
from preceptor.words import nearest

SCALES = ("log", "linear")
ONLY = "only"  # in place of a setting: nothing but what is named
DEPTH, WIDTH = "depth", "width"
SHAPE = {  # what `hidden` is made of
    DEPTH: Hyper(low=0, high=64, unit="hidden layers", search=Span(1, 4), doc="How many hidden layers there are."),
    WIDTH: Hyper(
        low=1,
        scale="log",
        unit="units",
        search=Span(16, 512, source="Gorishniy et al. 2021: 1 to 512"),
        doc="Of each hidden layer; width_1, width_2, ... of one of them.",
    ),
}
HOW = "NAME=LOW..HIGH, NAME=A,B,C, NAME or -NAME"
WHY_NOT = "it says which rows teach and judge, or what computes"


@dataclass(frozen=True)
class Range:
    """Where a search looks for a setting: a number from low to high, or one of some choices."""

    low: float | None = None
    high: float | None = None
    is_log: bool = False
    choices: tuple[Any, ...] = ()
    source: str = "asked for"


@dataclass(frozen=True)
class Declared:
    """What is known of a setting that a search may change: its declaration, its type, what it is if left out."""

    known: Hyper
    kind: Any
    usual: Any = None
    is_own: bool = False

    @property
    def is_whole(self) -> bool:
        return self.kind is int or (int in get_args(self.kind) and float not in get_args(self.kind))

    @property
    def is_number(self) -> bool:
        return bool({int, float} & {self.kind, *get_args(self.kind)})

    @property
    def may_be_none(self) -> bool:
        return NoneType in get_args(self.kind)


def declared(name: str) -> Declared:
    """A setting by its name. Raises: ConfigError for one that is none, or that no search may change."""
    known = _known()
    found = known.get(WIDTH if is_shape(name) and name != DEPTH else name)
    if found is None:
        if of := takers(name).get("augment"):
            raise ConfigError(
                f"space: {name} is a number of {', '.join(of)}; it is searched with its word. Write "
                f"augment={of[0]}:{name}=...|{of[0]}:{name}=..."
            )
        near = nearest(name, [each for each in known if known[each].known.may_search])
        hint = f"Did you mean {near}?" if near else f"Write {HOW}."
        raise ConfigError(f"space: received {shown(name)}; there is no such setting. {hint}")
    if not found.known.may_search:
        raise ConfigError(f"space: {name} cannot be searched; {WHY_NOT}. Give it as an option.")
    return found


def is_shape(name: str) -> bool:
    """Whether it is a part of what `hidden` is made of."""
    return name in SHAPE or re.fullmatch(rf"{WIDTH}_[1-9]\d?", name) is not None


@cache
def _known() -> dict[str, Declared]:
    kinds = field_types(Settings)
    plain = {each.name: Declared(known, kinds[each.name], each.default) for each, known in hyper_fields(Settings)}
    own = {
        name: Declared(number.known, number.kind, next(iter(number.defaults.values())), is_own=True)
        for name, number in own_numbers().items()
    }
    return plain | own | {name: Declared(known, int) for name, known in SHAPE.items()}


def asked_for(asked: Any) -> tuple[dict[str, Range | None], bool]:
    """The ranges that are asked for, None of what is not to be searched; and whether nothing else is.

    Args:
        asked: as `space_of` takes it.
    Raises: ConfigError.
    """
    pieces = _pieces(asked)
    ranges: dict[str, Range | None] = {}
    for name, given in pieces:
        if name == ONLY:
            continue
        if name in ranges:
            raise ConfigError(f"space: received {name} twice; one range is required. Leave one out.")
        ranges[name] = None if given is None else _range(name, given)
    return ranges, any(name == ONLY and given for name, given in pieces)


def _pieces(asked: Any) -> list[tuple[str, Any]]:
    """Names, as we write them, with what is given for each: a text, a value of Python's, True for a name alone."""
    if isinstance(asked, Mapping):
        return [(_name(name), True if given is Ellipsis else given) for name, given in asked.items()]
    if isinstance(asked, str):
        asked = [asked]
    asked = [*asked] if isinstance(asked, Iterable) else [asked]
    if not all(isinstance(each, str) for each in asked):
        raise ConfigError(
            f"space: received {shown(asked)}; ranges by name are required, or texts such as 'depth=1..4'. See "
            "preceptor search --help."
        )
    found = list[tuple[str, Any]]()
    for piece in (each.strip() for text in asked for each in re.split(r";|,(?=\s*[A-Za-z][\w-]*\s*=)", text)):
        name, equals, given = piece.partition("=")
        if equals:
            found.append((_name(name), given.strip()))
            continue
        for each in (one.strip() for one in piece.split(",")) if piece else ():
            is_out = each.startswith("-")
            found.append((_name(each.removeprefix("-")), None if is_out else True))
    return found


def _name(given: Any) -> str:
    """A name with underscores, by the name that we have for it."""
    name = str(given).strip().replace("-", "_")
    also = {known.also: each.name for each, known in hyper_fields(Settings) if known.also}
    return also.get(name, name)


def _range(name: str, given: Any) -> Range:
    found = declared(name)
    if given is True:
        return usual_range(name)
    if isinstance(given, str):
        given, scale = _read(name, found, given)
    else:
        scale = ""
        if isinstance(given, tuple) and len(given) == 3 and given[2] in SCALES:
            given, scale = given[:2], given[2]
    if isinstance(given, tuple) and len(given) == 2 and all(_is_number(each) for each in given) and found.is_number:
        return _numbers(name, found, given[0], given[1], scale)
    if isinstance(given, list):
        return _choices(name, found, given)
    raise ConfigError(
        f"space: {name} is {shown(given)}; a range (low, high), (low, high, 'log'), or a list to choose from is "
        "required."
    )


def usual_range(name: str) -> Range:
    """Where a search looks for a setting where nobody says. Raises: ConfigError where nothing does."""
    found = declared(name)
    known, span = found.known, found.known.search
    if span is not None and span.choices:
        return Range(choices=span.choices, source=span.source)
    if bool in (found.kind, *get_args(found.kind)):
        return Range(choices=(False, True), source="all there are")
    low, high = (span.low, span.high) if span is not None else (known.low, known.high)
    if found.is_number and low is not None and high is not None:
        is_log = known.scale == "log" and low > 0
        return Range(low, high, is_log, source=span.source if span is not None else "what is allowed")
    if known.choices and not known.several:
        return Range(choices=known.choices, source="all there are")
    raise ConfigError(f"space: {name} has no usual range; a range is required. Write {_example(name, found)}.")


def _example(name: str, found: Declared) -> str:
    if found.is_number and not str(found.kind).startswith("tuple"):
        return f"{name}=LOW..HIGH"
    words = found.known.choices[:2] or ("A", "B")
    return f"{name}={','.join(map(str, words))}"


def _read(name: str, found: Declared, text: str) -> tuple[Any, str]:
    """What a text means: a pair or a list, and the scale."""
    ends = re.fullmatch(r"(.+?)\.\.([^:]+)(?::(\w+))?", text)
    if ends is not None and found.is_number:
        low, high, scale = ends.groups()
        if scale is not None and scale not in SCALES:
            raise ConfigError(
                f"space: {name} has {shown(text)}; the scale must be log or linear. Write {name}={low}..{high}:log."
            )
        return (_number(name, text, low), _number(name, text, high)), scale or ""
    if "|" in text:
        words = [each.strip() for each in text.split("|")]
    elif found.known.takes_numbers:
        words = parts_of(text)
    else:
        words = [each.strip() for each in text.split(",")]
    return [_value(found, each) for each in words], ""


def _number(name: str, text: str, given: str) -> float:
    value = value_of(given.strip(), float)
    if isinstance(value, str):
        raise ConfigError(f"space: {name} is {shown(text)}; numbers are required. Write {name}=LOW..HIGH.")
    return float(value) if not isinstance(value, int) else value


def _value(found: Declared, text: str) -> Any:
    if text == "none" and "none" not in found.known.choices and found.known.choices != ():
        return None if found.may_be_none and not found.known.several else text
    if text == "none":
        return () if tuple[int, ...] in get_args(found.kind) else None if found.may_be_none else text
    return value_of(text, found.kind)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _numbers(name: str, found: Declared, low: Any, high: Any, scale: str) -> Range:
    text = f"{number_text(low)}..{number_text(high)}"
    for each in (low, high):
        found.known.check("space", name, each)
        if found.is_whole and not (isinstance(each, Integral) or float(each).is_integer()):
            raise ConfigError(f"space: {name} is {text}; whole numbers are required.")
    if low > high:
        raise ConfigError(
            f"space: {name} is {text}; the lower end is required first. Write "
            f"{name}={number_text(high)}..{number_text(low)}."
        )
    if low == high:
        raise ConfigError(f"space: {name} is {text}; two values or more are required. {_fix(name, low)}")
    is_log = (scale or found.known.scale) == "log"
    if is_log and low <= 0:
        raise ConfigError(
            f"space: {name} is {text} on a log scale; a lower end above 0 is required. Raise it, or write "
            f"{name}={text}:linear."
        )
    whole = int if found.is_whole else float
    return Range(whole(low), whole(high), is_log)


def _choices(name: str, found: Declared, given: Sequence[Any]) -> Range:
    values = list[Any]()
    for each in given:
        value = tuple(each) if isinstance(each, list) else each.item() if hasattr(each, "item") else each
        if found.is_whole and isinstance(value, float) and value.is_integer():
            value = int(value)
        if value is None and not found.may_be_none:
            raise ConfigError(f"space: {name} has None among its choices; it always has a value. Leave None out.")
        if value is not None:
            value = typed("space", name, value, found.kind)
            found.known.check("space", name, value)
        if value in values:
            raise ConfigError(f"space: {name} has {shown(value)} twice among its choices; once is enough.")
        values.append(value)
    if len(values) < 2:
        what = value_text(values[0]) if values else "nothing"
        fix = _fix(name, values[0]) if values else ""
        raise ConfigError(f"space: {name} is {what}; two values or more are required. {fix}".rstrip())
    return Range(choices=tuple(values))


def _fix(name: str, value: Any) -> str:
    if is_shape(name):
        return "To fix the layers, leave it out and give --hidden."
    return f"To fix it, leave it out and give --{name.replace('_', '-')} {value_text(value)}."
