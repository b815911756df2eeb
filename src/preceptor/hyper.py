"""One declaration of a setting: it drives validation, `--help`, search ranges and labels in the report."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from difflib import get_close_matches
from numbers import Integral, Real
from typing import Any, TypeVar, dataclass_transform, get_args, get_type_hints

from preceptor.errors import ConfigError

T = TypeVar("T")


@dataclass(frozen=True)
class Hyper:
    """What is known of a setting beside its type and default.

    Args:
        low, high: smallest and largest value allowed, both included; None where there is no bound.
        scale: "linear" or "log": how a search should walk from low to high.
        unit: what one of it means ("per step", "rows"); empty for a pure choice.
        choices: the words allowed, for a setting that is a word.
        doc: one sentence for `--help` and the report.
    """

    low: float | None = None
    high: float | None = None
    scale: str = "linear"
    unit: str = ""
    choices: tuple[str, ...] = ()
    doc: str = ""

    def range_text(self) -> str:
        """The allowed values in words, empty where anything goes."""
        if self.choices:
            return ", ".join(self.choices)
        if self.low is None and self.high is None:
            return ""
        if self.high is None:
            return f"at least {self.low:g}"
        if self.low is None:
            return f"at most {self.high:g}"
        return f"{self.low:g} to {self.high:g}"

    def check(self, where: str, name: str, value: Any, kind: Any) -> None:
        """Raises ConfigError where `value` (or one of the values, for a tuple) lies outside what is allowed.

        Args:
            kind: the field's type; where it has `int` and not `float`, a fraction is refused.
        """
        whole = "int" in str(kind) and "float" not in str(kind)
        for item in value if isinstance(value, tuple) else (value,):
            if self.choices and item is not None and item not in self.choices:
                raise ConfigError(f"{where}: {name} is {item!r}; it must be one of {self.range_text()}.")
            if isinstance(item, Real) and not isinstance(item, bool):
                if whole and not isinstance(item, Integral):
                    raise ConfigError(f"{where}: {name} is {float(item):g}; it must be a whole number.")
                number = float(item)
                too_low = self.low is not None and number < self.low
                too_high = self.high is not None and number > self.high
                if too_low or too_high or not math.isfinite(number):
                    raise ConfigError(f"{where}: {name} is {number:g}; it must be {self.range_text() or 'a number'}.")


def hyper(
    *,
    default: Any = MISSING,
    low: float | None = None,
    high: float | None = None,
    scale: str = "linear",
    unit: str = "",
    choices: tuple[str, ...] = (),
    doc: str = "",
) -> Any:
    """Declares a field of a `@settings` class together with its range, unit and meaning (see Hyper)."""
    known = Hyper(low, high, scale, unit, choices, doc)
    if default is MISSING:
        return field(metadata={"hyper": known})
    return field(default=default, metadata={"hyper": known})


def hyper_fields(cls: Any) -> Iterator[tuple[Field, Hyper]]:
    """The fields of a `@settings` class (or instance) that were declared with `hyper`, in order."""
    for each in fields(cls):
        if "hyper" in each.metadata:
            yield each, each.metadata["hyper"]


@dataclass_transform(frozen_default=True, field_specifiers=(hyper, field))
def settings(cls: type[T]) -> type[T]:
    """Makes a frozen data class whose `hyper` fields are checked when it is built.

    Raises: ConfigError, from the constructor, naming the class, the field, the value and the allowed range.
    """
    own_check = cls.__dict__.get("__post_init__")

    def check(self: Any) -> None:
        for each, known in hyper_fields(self):
            known.check(type(self).__name__, each.name, getattr(self, each.name), each.type)
        if own_check is not None:
            own_check(self)

    cls.__post_init__ = check  # type: ignore[attr-defined]
    return dataclass(frozen=True)(cls)


def built(where: str, text: str, classes: Mapping[str, type]) -> Any:
    """What a word with its numbers stands for: "rotate", "rotate:30", "blur:0.1:2", "blur:high=2:chance=1".

    Behind the word stand, each after a colon, values of its settings: in their order, or as NAME=VALUE.

    Args:
        where: what messages call the place, such as "Settings: augment".
        classes: the `@settings` class of each word.
    Raises: ConfigError for a word, a name or a value that is none.
    """
    word, *given = (each.strip() for each in text.split(":"))
    if word not in classes:
        raise ConfigError(f"{where} has {word!r}; its words are {', '.join(classes)}.{_near(word, classes)}")
    known = {each.name: declared for each, declared in hyper_fields(classes[word])}
    hints, values = get_type_hints(classes[word]), dict[str, Any]()
    for name, each in zip([*known, *[""] * len(given)], given, strict=False):
        asked, equals, value = each.rpartition("=")
        asked = asked.strip().replace("-", "_") if equals else name
        if asked not in known or asked in values:
            takes = ", ".join(f"{name} ({range_text})" for name, range_text in _ranges(known)) or "no numbers"
            raise ConfigError(f"{where} has {text!r}; {word} takes {takes}, each at most once, as {word}:NAME=VALUE.")
        values[asked] = _value(f"{where} has {text!r}", asked, value.strip(), hints[asked])
    return classes[word](**values)


def _near(word: str, classes: Mapping[str, type]) -> str:
    near = get_close_matches(word, classes, 1)
    return f" Did you mean {near[0]}?" if near else ""


def _ranges(known: dict[str, Hyper]) -> Iterator[tuple[str, str]]:
    return ((name, each.range_text() or "any number") for name, each in known.items())


def _value(where: str, name: str, text: str, hint: Any) -> Any:
    """A value of a setting from its text."""
    kinds = get_args(hint) or (hint,)
    if str in kinds:
        return text
    is_whole = int in kinds and float not in kinds
    try:
        return int(text) if is_whole else float(text)
    except ValueError:
        raise ConfigError(f"{where}; {name} must be a {'whole ' if is_whole else ''}number.") from None
