"""Settings that were declared with `hyper` as options of a command."""

from collections.abc import Callable, Iterable, Sequence
from types import UnionType
from typing import Any, get_args, get_type_hints

import click

from preceptor.hyper import Hyper, hyper_fields

Wrapper = Callable[[Callable[..., Any]], Callable[..., Any]]


class Widths(click.ParamType):
    """Whole numbers with commas between: 128,64. "none" for no hidden layer."""

    name = "widths"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, tuple):
            return value
        try:
            return () if value == "none" else tuple(int(each) for each in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not a list of whole numbers such as 128,64.", param, ctx)


def settings_options(cls: type, leave_out: Iterable[str] = ()) -> Wrapper:
    """An option for each `hyper` field of a settings class: name, unit, range and default come from the declaration."""
    hints = get_type_hints(cls)
    options = [
        click.option(_flag(field.name, hints[field.name]), **_attributes(hints[field.name], field.default, known))
        for field, known in hyper_fields(cls)
        if field.name not in leave_out
    ]
    return _all(options)


def number_options(numbers: dict[str, tuple[Hyper, float, list[str]]]) -> Wrapper:
    """An option for each number that only some optimisers or schedules take; left out, theirs stands."""
    options = []
    for name, (known, default, takers) in numbers.items():
        text = f"{known.doc} Of {', '.join(dict.fromkeys(takers))}."
        options.append(
            click.option(
                _flag(name, float), type=float, default=None, metavar="NUMBER", help=_help(text, default, known)
            )
        )
    return _all(options)


def _all(options: Sequence[Wrapper]) -> Wrapper:
    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return wrap


def _flag(name: str, hint: Any) -> str:
    word = "--" + name.replace("_", "-")
    return f"{word}/--no-{word[2:]}" if _plain(hint) is bool else word


def _attributes(hint: Any, default: Any, known: Hyper) -> dict[str, Any]:
    plain = _plain(hint)
    if plain is bool:
        return {"default": default, "help": _help(known.doc, {True: "on", False: "off"}.get(default), known)}
    kind: Any = click.Choice(known.choices) if known.choices else Widths() if plain == tuple[int, ...] else plain
    return {
        "type": kind,
        "default": default,
        "help": _help(known.doc, default, known),
        "metavar": _metavar(known, plain),
    }


def _plain(hint: Any) -> Any:
    """The type of a setting where it is not None."""
    return next(each for each in get_args(hint) if each is not type(None)) if isinstance(hint, UnionType) else hint


def _metavar(known: Hyper, plain: Any) -> str:
    if known.choices:
        return "WORD"
    return {int: "INTEGER", float: "NUMBER", str: "TEXT"}.get(plain, "N,N,...")


def _help(text: str, default: Any, known: Hyper) -> str:
    shown = ",".join(map(str, default)) if isinstance(default, tuple) else default
    notes = [known.unit, known.range_text(), f"default {shown}" if default is not None else ""]
    inside = "; ".join(note for note in notes if note)
    return f"{text}  [{inside}]" if inside else text
