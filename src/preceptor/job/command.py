"""The command that makes a training, with some of its settings changed."""

from collections.abc import Mapping, Sequence
from typing import Any

from preceptor.errors import ConfigError
from preceptor.hyper import value_text
from preceptor.job.settings import Settings
from preceptor.words import shell_word

__all__ = ["altered_command", "of_training"]


def of_training(words: Sequence[str]) -> list[str]:
    """The words of a command that say what is trained: without the folder, the form of the answer, and mending."""
    return _without(words, {"--out"}, {"--mend", "--json"})


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
    kept = _without(words, {_option(name) for name in (*changes, *gone)})
    added = [text for name, value in changes.items() for text in (_option(name), value_text(value))]
    return " ".join(shell_word(word) for word in ("preceptor", *kept, *added))


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


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
