"""What a training tells those that write it down elsewhere: plain records, for this process and for another."""

import math
from typing import Any

import msgspec

__all__ = ["Beginning", "Ending", "Files", "Message", "Noted", "Point", "Points"]


class Record(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True, tag=True):
    """A record of plain values that says what it is."""


class Point(msgspec.Struct, frozen=True, array_like=True):
    """A value of a line, such as "loss/dev", after a step. JSON has no word for infinity and NaN: there it is None."""

    line: str
    step: int
    value: float | None

    @property
    def number(self) -> float:
        """The value; NaN where it is none."""
        return math.nan if self.value is None else self.value


class Points(Record, frozen=True):
    """Values, in the order of their steps. Args: time: when they were told, in seconds since 1970."""

    time: float
    points: list[Point]


class Noted(Record, frozen=True):
    """Words that belong to a step, such as a finding: a name and what it says, as text."""

    time: float
    name: str
    step: int
    text: str


class Beginning(Record, frozen=True):
    """A training as it begins, or goes on.

    Args:
        name: of the run; `folder`, where it lies.
        training: of a mending its number, counted from 1; else 0.
        step: optimiser updates made before. `before`: what the epochs told that these were; a writer that knows it
            already leaves it out. `noted`, words so far.
        settings: by name, as they were completed: numbers, texts, truth values; `facts`, texts.
    """

    time: float
    name: str
    folder: str
    training: int
    step: int
    before: list[Point]
    noted: list[Noted]
    settings: dict[str, Any]
    facts: dict[str, str]


class Ending(Record, frozen=True):
    """How a training ended.

    Args:
        outcome: "finished", "diverged" or "interrupted"; an interrupted one may go on.
        step: the last.
        figures: of the run, such as "final/dev_accuracy"; `facts`, texts.
    """

    time: float
    outcome: str
    step: int
    figures: dict[str, float]
    facts: dict[str, str]


class Files(Record, frozen=True):
    """The run as it lies in its folder.

    Args:
        training: of a mending the one that is kept, else 0.
        run: files that make the run; `shown`, those of them, and others, that people look at. Names in the folder.
        columns: what the model needs, by name; None where it takes no table with names.
        is_of_pictures: whether it takes paths of pictures.
        targets: what it predicts, and what of: "long", "string", "double", "boolean" or "any".
        package: what must be installed to predict, as pip takes it.
    """

    folder: str
    training: int
    run: list[str]
    shown: list[str]
    columns: list[str] | None
    is_of_pictures: bool
    targets: list[tuple[str, str]]
    package: str


Message = Beginning | Points | Noted | Ending | Files
