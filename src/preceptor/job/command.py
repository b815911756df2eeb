"""The command that makes a training, as it was and with some of its settings changed."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from preceptor.errors import ConfigError
from preceptor.hyper import hyper_fields, value_text
from preceptor.job.settings import Settings
from preceptor.words import shell_word

__all__ = ["altered_command", "command_of", "of_training", "words_of"]


def of_training(words: Sequence[str]) -> list[str]:
    """The words of a command that say what is trained: without the folder, the answer's form, the log, and mending."""
    return _without(words, {"--out", "--log"}, {"--mend", "--json"})


def command_of(source: str, asked: Settings, header: bool = True) -> str:
    """The command that makes a training from the start; "" where the data were given in Python. Args: as `words_of`."""
    return " ".join(map(shell_word, ("preceptor", *words_of(source, asked, header)))) if source else ""


def words_of(source: str, asked: Settings, header: bool = True) -> list[str]:
    """The words of the command that makes a training, behind its own name.

    Args:
        asked: the settings as they were asked for, before data and recipe completed them.
    """
    words, usual = ["fit", source], Settings()
    for each, _ in hyper_fields(Settings):
        if (value := getattr(asked, each.name)) != getattr(usual, each.name):
            words += _said(each.name, value)
    words += [word for name, value in asked.own.items() for word in _said(name, value)]
    return words if header else [*words, "--no-header"]


def _said(name: str, value: Any) -> list[str]:
    """A setting as words of a command; names as a list with commas between."""
    option = _option(name)
    if isinstance(value, bool):
        return [option if value else f"--no-{option[2:]}"]
    text = "" if (name, value) == ("ordered", ()) else _written(value)
    if isinstance(value, tuple) and value and all(isinstance(each, str) for each in value):
        line = io.StringIO()
        is_option = value[0].startswith("-")  # for which the command would take it
        writer = csv.writer(line, lineterminator="", quoting=csv.QUOTE_ALL if is_option else csv.QUOTE_MINIMAL)
        writer.writerow(value)
        text = line.getvalue()
    return [f"{option}={text}"] if not text or text.startswith("-") else [option, text]


def altered_command(words: Sequence[str], asked: Settings, changes: Mapping[str, Any]) -> str:
    """The command with other values of some settings; nothing where they do not go with the rest.

    Args:
        words: of the command, behind its own name.
        asked: the settings that it asks for.
    """
    try:
        gone = set(asked.own) - set(asked.altered(changes).own)
    except ConfigError:
        return ""
    stand_aside = ("minutes",) if "epochs" in changes else ()  # both say how long to train
    kept = _without(words, {_option(name) for name in (*changes, *gone, *stand_aside)})
    added = [text for name, value in changes.items() for text in _said(name, value)]
    return " ".join(shell_word(word) for word in ("preceptor", *kept, *added))


def _written(value: Any) -> str:
    """A value as one types it: 1, where Python has 1.0."""
    if isinstance(value, tuple) and value:
        return ",".join(map(_written, value))
    return value_text(value).removesuffix(".0") if isinstance(value, float) else value_text(value)


def _option(name: str) -> str:
    return f"--{name.rstrip('_').replace('_', '-')}"


def _without(words: Sequence[str], options: set[str], flags: Sequence[str] | set[str] = ()) -> list[str]:
    """The words less some options with their values, and some that have none."""
    kept, rest = [], iter(words)
    for word in rest:
        name, is_whole, _ = word.partition("=")
        if name in options:
            if not is_whole:
                next(rest, None)
        elif word not in flags:
            kept.append(word)
    return kept
