"""From JSON back to frozen data classes: every key, type and number is looked at, for a file may have been changed."""

import math
import types
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import MISSING, fields
from itertools import pairwise
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from preceptor.errors import DataError

T = TypeVar("T")
LONGEST = 10_000_000  # entries of a list; no table has as many columns, and no column as many levels


def rebuilt(cls: type[T], saved: Any, where: str) -> T:
    """The data class whose fields a dictionary holds; those with a default may be missing, as in older files.

    Raises: DataError where a key is missing or unknown, or a value is of another type, not finite or too long.
    """
    if not isinstance(saved, Mapping):
        raise wrong(where, f"it is {_kind(saved)}; a record is required")
    known = {each.name: each for each in fields(cls)}  # type: ignore[arg-type]
    needed = {name for name, each in known.items() if each.default is MISSING and each.default_factory is MISSING}
    if unknown := sorted(map(repr, set(saved) - set(known))):
        raise wrong(where, f"it has {unknown[0]}, which is not known")
    if absent := sorted(needed - set(saved)):
        raise wrong(where, f"it has no {absent[0]}, which is required")
    hints = get_type_hints(cls)
    return cls(**{name: _checked(value, hints[name], f"{where}: {name}") for name, value in saved.items()})


def is_rising(values: Sequence[Any]) -> bool:
    """Whether each value is larger than the one before it: in order, and none twice."""
    return all(one < other for one, other in pairwise(values))


def wrong(where: str, what: str) -> DataError:
    """The error that a saved record cannot be used; whoever knows the file adds its name and the cure."""
    return DataError(f"{where}: {what}")


def _checked(value: Any, hint: Any, where: str) -> Any:
    """The value as the type that is wanted."""
    if get_origin(hint) in (Union, types.UnionType):
        return _one_of(value, get_args(hint), where)
    if get_origin(hint) is tuple:
        return _tuple(value, get_args(hint), where)
    if hint is float and type(value) in (int, float):
        with suppress(OverflowError):  # a whole number of more digits than a number can have
            if math.isfinite(value):
                return float(value)
        raise wrong(where, "it is not a finite number, which is required")
    if type(value) is not hint:
        raise wrong(where, f"it is {_kind(value)}; {_words(hint)} is required")
    return value


def _one_of(value: Any, hints: tuple[Any, ...], where: str) -> Any:
    for hint in hints:  # the type itself first: 1 is a whole number before it is a number
        if type(value) is hint or (value is None and hint is types.NoneType):
            return _checked(value, hint, where) if value is not None else None
    lists = [hint for hint in hints if get_origin(hint) is tuple]
    if isinstance(value, list | tuple) and lists:
        return _checked(value, lists[0], where)
    if type(value) in (int, float) and float in hints:
        return _checked(value, float, where)
    raise wrong(where, f"it is {_kind(value)}; {' or '.join(map(_words, hints))} is required")


def _tuple(value: Any, hints: tuple[Any, ...], where: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise wrong(where, f"it is {_kind(value)}; a list is required")
    if len(value) > LONGEST:
        raise wrong(where, f"it has {len(value):,} entries; at most {LONGEST:,} are required")
    if hints[-1] is Ellipsis:
        return tuple(_checked(each, hints[0], where) for each in value)
    if len(value) != len(hints):
        raise wrong(where, f"it has {len(value):,} entries; {len(hints)} are required")
    return tuple(_checked(each, hint, where) for each, hint in zip(value, hints, strict=True))


def _kind(value: Any) -> str:
    return "nothing" if value is None else _words(type(value))


def _words(kind: Any) -> str:
    known = {
        str: "text", bool: "true or false", int: "a whole number", float: "a number", list: "a list", tuple: "a list",
        dict: "a record", types.NoneType: "nothing",
    }  # fmt: skip
    return known.get(get_origin(kind) or kind, "a record")
