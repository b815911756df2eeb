"""One declaration of a setting: it drives validation, `--help`, search ranges and labels in the report."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from difflib import get_close_matches
from functools import cache
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, dataclass_transform, get_args, get_origin, get_type_hints

from preceptor.errors import ConfigError
from preceptor.words import amount

T = TypeVar("T")
LONGEST = 60  # characters of a value in a message
NUMERIC = (int, float)
TRUTH = {"yes": True, "no": False, "true": True, "false": False, "on": True, "off": False}
NAMES = {int: "a whole number", float: "a number", bool: "True or False", str: "text", dict: "a dictionary"}


@dataclass(frozen=True)
class Span:
    """Where a search looks for a setting where nobody says: less than what is allowed.

    Args:
        low, high: both included; None of a choice.
        choices: a few values in place of them, in an order in which neighbours are alike.
        source: why there.
    """

    low: float | None = None
    high: float | None = None
    choices: tuple[Any, ...] = ()
    source: str = "conventional"


@dataclass(frozen=True)
class Hyper:
    """What is known of a setting beside its type and default.

    Args:
        low, high: smallest and largest value allowed, both included; None where there is no bound.
        scale: "linear" or "log": how a search should walk from low to high.
        unit: what one of it means ("per step", "rows"); empty for a pure choice.
        choices: the words allowed, for a setting that is a word.
        several: whether it may be several of these words with commas between.
        takes_numbers: whether numbers may follow a word: WORD:NAME=VALUE. Who declares it reads the text himself.
        may_stand_alone: whether the option may be given without a value, which is then the empty tuple.
        also: another word for the same setting: the usual one where ours is not.
        doc: one sentence for `--help` and the report.
        search: where a search looks for it; None for from low to high, or for all choices.
        may_search: whether a search may change it: not what says which rows teach and judge, nor what computes.
    """

    low: float | None = None
    high: float | None = None
    scale: str = "linear"
    unit: str = ""
    choices: tuple[str, ...] = ()
    several: bool = False
    takes_numbers: bool = False
    may_stand_alone: bool = False
    also: str = ""
    doc: str = ""
    search: Span | None = None
    may_search: bool = True

    def range_text(self) -> str:
        """The allowed values in words, empty where anything goes."""
        if self.choices:
            return ", ".join(self.choices)
        if self.low is None and self.high is None:
            return ""
        if self.high is None:
            return f"at least {number_text(self.low)}"
        if self.low is None:
            return f"at most {number_text(self.high)}"
        return f"{number_text(self.low)} to {number_text(self.high)}"

    def check(self, where: str, name: str, value: Any) -> None:
        """Raises ConfigError where `value` (or one of the values, for a tuple) lies outside what is allowed."""
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, tuple):
                self.check(where, name, item)
            elif isinstance(item, str) and self.choices and not self.takes_numbers and item not in self.choices:
                raise ConfigError(f"{where}: {name} is {shown(item)}; it must be one of {self.range_text()}.")
            elif isinstance(item, (int, float)) and not isinstance(item, bool):
                too_low = self.low is not None and item < self.low
                too_high = self.high is not None and item > self.high
                too_long = isinstance(item, int) and abs(item) >= 2**63  # no array can hold it
                if too_low or too_high or too_long or not math.isfinite(item):
                    raise ConfigError(
                        f"{where}: {name} is {number_text(item)}; it must be {self.range_text() or 'a finite number'}"
                        f"{', below 2^63' if too_long and not self.high else ''}."
                    )


def hyper(
    *,
    default: Any = MISSING,
    low: float | None = None,
    high: float | None = None,
    scale: str = "linear",
    unit: str = "",
    choices: tuple[str, ...] = (),
    several: bool = False,
    takes_numbers: bool = False,
    may_stand_alone: bool = False,
    also: str = "",
    doc: str = "",
    search: Span | None = None,
    may_search: bool = True,
    kw_only: bool = False,
) -> Any:
    """Declares a field of a `@settings` class together with its range, unit and meaning (see Hyper); with `kw_only` it
    is given by name alone, so that a class derived from this one has its own fields first."""
    known = Hyper(
        low, high, scale, unit, choices, several, takes_numbers, may_stand_alone, also, doc, search, may_search
    )
    if default is MISSING:
        return field(metadata={"hyper": known}, kw_only=kw_only)
    return field(default=default, metadata={"hyper": known}, kw_only=kw_only)


def hyper_fields(cls: Any) -> Iterator[tuple[Field, Hyper]]:
    """The fields of a `@settings` class (or instance) that were declared with `hyper`, in order."""
    for each in fields(cls):
        if "hyper" in each.metadata:
            yield each, each.metadata["hyper"]


@dataclass_transform(frozen_default=True, field_specifiers=(hyper, field))
def settings(cls: type[T]) -> type[T]:
    """Makes a frozen data class whose fields are checked when it is built: their types, and the ranges of `hyper`.

    NumPy's scalars become Python's, lists become tuples, whole numbers become floats where floats are asked for, -0.0
    becomes 0.0. Nothing else is converted: neither texts to numbers nor floats to whole numbers.

    Raises: ConfigError, from the constructor, naming the class, the field, the value and what is allowed.
    """
    own_check = cls.__dict__.get("__post_init__")
    sound: set[tuple[type, str]] = set()  # fields whose defaults were checked, by class, for there are derived ones

    def check(self: Any) -> None:
        where, kinds = type(self).__name__, field_types(type(self))  # type: ignore[arg-type]
        for each in fields(self):
            given = getattr(self, each.name)
            is_default = given is each.default
            if is_default and (type(self), each.name) in sound:
                continue
            value = typed(where, each.name, given, kinds[each.name])
            if value is not given:
                object.__setattr__(self, each.name, value)
            if "hyper" in each.metadata:
                each.metadata["hyper"].check(where, each.name, value)
            if is_default and value is given:
                sound.add((type(self), each.name))
        if own_check is not None:
            own_check(self)

    cls.__post_init__ = check  # type: ignore[attr-defined]
    return dataclass(frozen=True)(cls)


@cache
def field_types(cls: Any) -> dict[str, Any]:
    """The types of a data class' fields; Any for those whose names are not known outside their function."""
    try:
        return get_type_hints(cls)
    except NameError:
        return {each.name: Any if isinstance(each.type, str) else each.type for each in fields(cls)}


def typed(where: str, name: str, value: Any, kind: Any) -> Any:
    """The value as one of the type `kind`.

    Raises: ConfigError where it is none.
    """
    try:
        return _as(kind, value)
    except (TypeError, OverflowError):
        raise ConfigError(f"{where}: {name} is {shown(value)}; it must be {kind_text(kind)}.") from None


def _as(kind: Any, value: Any) -> Any:
    """The value as one of the type. Raises: TypeError, OverflowError."""
    value = _plain(value)
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        for each in get_args(kind):
            try:
                return _as(each, value)
            except TypeError:
                continue
        raise TypeError
    if origin is tuple and isinstance(value, (tuple, list)):
        inner = get_args(kind)
        if inner[-1] is not Ellipsis and len(inner) != len(value):
            raise TypeError
        items = tuple(_as(inner[0 if inner[-1] is Ellipsis else at], each) for at, each in enumerate(value))
        same = isinstance(value, tuple) and all(a is b for a, b in zip(items, value, strict=True))
        return value if same else items
    if isinstance(value, bool) and kind in NUMERIC:
        raise TypeError
    if kind is int and isinstance(value, Integral):
        return int(value)
    if kind is float and isinstance(value, Real):
        return value if isinstance(value, float) and value else float(value) + 0.0  # -0.0 + 0.0 is 0.0
    if kind is str and isinstance(value, str):
        return value if type(value) is str else str(value)
    if kind in NUMERIC:
        raise TypeError
    if kind is Any or not isinstance(origin or kind, type) or isinstance(value, origin or kind):
        return value
    raise TypeError


def _plain(value: Any) -> Any:
    """A scalar of NumPy, or an array without axes, as Python's."""
    return value.item() if getattr(value, "shape", None) == () and hasattr(value, "item") else value


def kind_text(kind: Any) -> str:
    """A type in words: "a whole number or True or False"."""
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return " or ".join(kind_text(each) for each in get_args(kind) if each is not NoneType)
    if origin is tuple:
        inner = get_args(kind)[0]
        plural = {int: "whole numbers", float: "numbers", str: "texts"}.get(inner)
        return f"a tuple or list of {plural or getattr(inner, '__name__', 'values')}"
    return NAMES.get(origin or kind) or f"of the class {getattr(kind, '__name__', kind)}"


def shown(value: Any) -> str:
    """A value in a message: short, and never the contents of an array."""
    value = _plain(value)
    if value is not None and not isinstance(value, (str, bool, int, float, complex, tuple, list)):
        return f"of the class {type(value).__name__}"
    try:
        text = repr(value)
    except ValueError:  # a whole number of thousands of digits
        text = "a whole number of thousands of digits"
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 4]} ..."


def number_text(value: Any) -> str:
    """A number as people write it: 10,000 and 0.001."""
    if value == 2**63 - 1:
        return "2^63 - 1"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) < 10**20 else "a whole number of more than 20 digits"
    return amount(value, 6) if math.isfinite(value) else str(value)


def parts_of(text: str) -> list[str]:
    """The words of a text with commas between, each with what is behind its colons. What follows a comma and begins
    with no letter belongs to the value before it: `step-decay:drop_at=10,20` is one word."""
    return [each.strip() for each in re.split(r",(?!\s*[-+.\d])", text)]


def asked(where: str, text: str, classes: Mapping[str, type]) -> tuple[str, dict[str, Any]]:
    """A word and the values behind it: "rotate", "rotate:30", "blur:0.1:2", "blur:high=2:chance=1".

    Behind the word stand, each after a colon, values of its settings: in their order, or as NAME=VALUE. They are
    checked where the word's class is made of them.

    Args:
        where: what messages call the place, such as "Settings: augment".
        classes: the `@settings` class of each word.
    Raises: ConfigError for a word or a name that is none, or a value given twice.
    """
    word, *given = (each.strip() for each in text.split(":"))
    if word not in classes:
        near = [f" Did you mean {each}?" for each in get_close_matches(word[:LONGEST], classes, 1)]
        raise ConfigError(f"{where} has {shown(word)}; its words are {', '.join(classes)}.{''.join(near)}")
    known, values = numbers_of(classes[word]), dict[str, Any]()
    for name, each in zip([*known, *[""] * len(given)], given, strict=False):
        key, equals, value = each.rpartition("=")
        key = key.strip().replace("-", "_") if equals else name
        if key not in known or key in values:
            raise ConfigError(
                f"{where} has {shown(text)}; {word} takes {numbers_text(classes[word])}"
                + (f", each at most once, as {word}:NAME=VALUE." if known else ".")
            )
        values[key] = value_of(value.strip(), known[key].kind)
    return word, values


def built(where: str, text: str, classes: Mapping[str, type]) -> Any:
    """What a word with its values stands for: see `asked`. Raises: ConfigError, also for a value that is none."""
    word, values = asked(where, text, classes)
    return classes[word](**values)


def value_of(text: str, kind: Any) -> Any:
    """The value that a text means for a field of this type; the text itself where it means none, which the field's
    class then refuses."""
    kinds = (kind,) if get_origin(kind) not in (Union, UnionType) else get_args(kind)
    for each in kinds:
        if get_origin(each) is tuple:
            return tuple(value_of(item.strip(), get_args(each)[0]) for item in text.split(","))
        if each is bool and text.lower() in TRUTH:
            return TRUTH[text.lower()]
        for make in (int, float) if each in (int, float) else ():  # 5 stays whole; 5.5 for whole is refused later
            try:
                return make(text)
            except ValueError:
                continue
    return text


@dataclass(frozen=True)
class Number:
    """A field of a class that can be given as a text.

    Args:
        kind: its type.
        default: MISSING where it must be given.
    """

    known: Hyper
    kind: Any
    default: Any


def numbers_of(cls: Any) -> dict[str, Number]:
    """The fields of a `@settings` class that can be given as a text: numbers, words, yes or no, tuples of them."""
    return _numbers_of(cls)


@cache
def _numbers_of(cls: Any) -> dict[str, Number]:
    kinds = field_types(cls)
    return {
        each.name: Number(known, kinds[each.name], each.default)
        for each, known in hyper_fields(cls)
        if _is_plain(kinds[each.name])
    }


def _is_plain(kind: Any) -> bool:
    if get_origin(kind) in (tuple, Union, UnionType):
        return all(_is_plain(each) for each in get_args(kind) if each is not Ellipsis)
    return kind in (int, float, bool, str, NoneType)


def numbers_text(cls: type) -> str:
    """Which values a word of this class takes, with their ranges."""
    known = numbers_of(cls)
    texts = [f"{name} ({each.known.range_text() or kind_text(each.kind)})" for name, each in known.items()]
    return ", ".join(texts) or "no numbers"


def text_of(made: Any, classes: Mapping[str, type]) -> str:
    """A part as one would write it, with the values that are not as usual: the inverse of `built`."""
    word = next(word for word, cls in classes.items() if type(made) is cls)
    changed = [
        f":{name}={value_text(value)}"
        for name, number in numbers_of(type(made)).items()
        if (value := getattr(made, name)) != number.default
    ]
    return word + "".join(changed)


def value_text(value: Any) -> str:
    """A value as one would write it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return ",".join(map(value_text, value)) or "none" if isinstance(value, tuple) else str(value)
