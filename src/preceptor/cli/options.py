"""Settings that were declared with `hyper` as options of a command."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

import click
from click.core import ParameterSource

from preceptor.data.tables.names import names_in
from preceptor.disk import named
from preceptor.errors import ConfigError
from preceptor.hyper import Hyper, field_types, hyper_fields, value_of, value_text
from preceptor.job.parts import OwnNumber
from preceptor.words import one_line

Wrapper = Callable[[Callable[..., Any]], Callable[..., Any]]


class Place(click.Path):
    """A path of something to write, or of a run; whether it can be read or written is said by who does so."""

    def __init__(self) -> None:
        super().__init__(readable=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path = super().convert(value, param, ctx)
        try:
            return named(path if value else "", "it")
        except ConfigError:
            self.fail("received nothing; a path is required. Is a variable of the shell empty?", param, ctx)


class FilePlace(Place):
    """A path of a file to write: what ends in a slash names a folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path = super().convert(value, param, ctx)
        if str(value).endswith(os.sep) and not path.is_dir():  # which is refused where it is written
            self.fail(f"{one_line(str(value))}: this names a folder; a file is required. Add its name.", param, ctx)
        return path


class Several(click.ParamType):
    """Numbers with commas between: 128,64. "none" for no number at all."""

    def __init__(self, kind: type) -> None:
        self.kind = kind
        self.name = f"{kind.__name__}s"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, tuple):
            return value
        try:
            return () if value == "none" else tuple(self.kind(each) for each in str(value).split(","))
        except ValueError:
            what, example = ("whole numbers", "128,64") if self.kind is int else ("numbers", "0.1,0.5")
            self.fail(f"{value!r} is not a list of {what} such as {example}.", param, ctx)


class Names(click.ParamType):
    """Names of columns with commas between; one that has a comma itself stands in quotes, as in CSV."""

    name = "names"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return names_in(value) if isinstance(value, str) else value


def together(ctx: click.Context, param: click.Parameter, given: tuple[tuple[str, ...], ...] | None) -> Any:
    """The names of an option that may be given several times; None where it was not given."""
    return tuple(name for names in given for name in names) if given else None


def one_or_several(ctx: click.Context, param: click.Parameter, given: tuple[str, ...] | None) -> Any:
    """What an option that may be given several times was given: one text, several, or None; which of them are lists
    with commas between is told by whoever knows the columns."""
    return given[0] if given and len(given) == 1 else given or None


NAMES: dict[str, Any] = {"type": Names(), "multiple": True, "callback": together, "metavar": "NAME,NAME,..."}
HOW_NAMES = "May be given several times; a name with a comma stands in quotes: '\"Price, EUR\",id'."


class Whole(click.ParamType):
    """A whole number from `low` to `high`; the help of the option tells the range in words."""

    name = "whole number"

    def __init__(self, low: int, high: int | None = None) -> None:
        self.low, self.high = low, high

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        wanted = f"{self.low:,} or more" if self.high is None else f"{self.low:,} to {self.high:,}"
        try:
            number = int(value)
        except ValueError:
            self.fail(f"{value!r} is not a whole number; {wanted} is required.", param, ctx)
        if number < self.low or (self.high is not None and number > self.high):
            self.fail(f"{number} is out of range; {wanted} is required.", param, ctx)
        return number


class Written(click.ParamType):
    """A text that stands for values of several types; which, is found out where they are checked."""

    name = "text"

    def __init__(self, kind: Any) -> None:
        self.kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value_of(value, self.kind) if isinstance(value, str) else value


def typed_beside(context: click.Context, *names: str) -> list[str]:
    """The options that stand on the command line, but for some: of what goes on with settings of its own."""
    return [
        parameter.opts[0]
        for parameter in context.command.params
        if parameter.name not in names
        and context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
    ]


def settings_options(cls: type, leave_out: Iterable[str] = ()) -> Wrapper:
    """An option for each `hyper` field of a settings class: name, unit, range and default come from the declaration."""
    kinds, options = field_types(cls), []
    for field, known in hyper_fields(cls):
        if field.name not in leave_out:
            kind = kinds[field.name]
            flags = _flags(field.name, known.also, kind)
            options.append(click.option(*flags, **_attributes(kind, field.default, known)))
    return _all(options)


def number_options(numbers: dict[str, OwnNumber]) -> Wrapper:
    """An option for each number that only some parts of a training take; left out, theirs stands."""
    options = []
    for name, own in numbers.items():
        known = replace(own.known, doc=f"{own.known.doc} Of {', '.join(own.defaults)}.")
        shape = _attributes(own.kind, None, known) | {"default": None, "help": _help(known, own.default_text)}
        options.append(click.option(*_flags(name, "", own.kind), **shape))
    return _all(options)


def _all(options: Sequence[Wrapper]) -> Wrapper:
    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return wrap


def _flags(name: str, also: str, kind: Any) -> list[str]:
    """The names of an option, and that of the argument that it becomes."""
    words = ["--" + each.rstrip("_").replace("_", "-") for each in (name, also) if each]
    if kind in (bool, bool | None):
        words = [f"{word}/--no-{word[2:]}" for word in words]
    return [*words, name]


def _attributes(kind: Any, default: Any, known: Hyper) -> dict[str, Any]:
    plain = [each for each in get_args(kind) if each is not NoneType] if isinstance(kind, UnionType) else [kind]
    if plain == [bool]:
        return {"default": default, "help": _help(known, None if default is None else value_text(default))}
    if plain == [tuple[str, ...]]:
        alone = {"is_flag": False, "flag_value": "", "metavar": "[NAME,NAME,...]"} if known.may_stand_alone else {}
        return NAMES | alone | {"help": _help(replace(known, doc=f"{known.doc} {HOW_NAMES}"), None)}
    if tuple[str, ...] in plain:
        shown = _help(replace(known, doc=f"{known.doc} {HOW_NAMES}"), None)
        return {"type": str, "multiple": True, "callback": one_or_several, "metavar": "NAME,...", "help": shown}
    shape, metavar = _type(plain, known)
    return {"type": shape, "default": default, "help": _help(known, default), "metavar": metavar}


def _type(plain: list[Any], known: Hyper) -> tuple[Any, str]:
    """The type of an option, and how its value is called in the help."""
    if known.choices:
        word = "WORD[:NAME=VALUE]" if known.takes_numbers else "WORD"
        return (str if known.takes_numbers else click.Choice(known.choices)), word + (",..." if known.several else "")
    if len(plain) > 1:
        return Written(Union[tuple(plain)]), "TEXT"  # noqa: UP007
    if get_origin(plain[0]) is tuple:
        return Several(get_args(plain[0])[0]), "N,N,..."
    return plain[0], {int: "INTEGER", float: "NUMBER"}.get(plain[0], "TEXT")


def _help(known: Hyper, default: Any) -> str:
    shown = "" if default is None else f"default {default if isinstance(default, str) else value_text(default)}"
    inside = "; ".join(note for note in (known.unit, known.range_text(), shown) if note)
    return f"{known.doc}  [{inside}]" if inside else known.doc


def check_html(path: Path, command: str) -> None:
    """Raises ConfigError where the name of a page does not say what it is."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"{command}: {path}: the page is HTML; the name must end in .html.")
