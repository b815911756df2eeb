"""Preparations that say how far they have come, and what they lead to."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeVar

from preceptor.diagnose import Observation
from preceptor.train.loop import Arrays, Streamed

Result = TypeVar("Result")


@dataclass(frozen=True)
class Stage:
    """How far a long preparation has come: `done` of `total` rows; a total of 0 is not known."""

    text: str
    done: int = 0
    total: int = 0


Stages = Generator[Stage, None, Result]


def completed(stages: Stages[Result]) -> Result:
    """What a preparation leads to, where nobody watches it."""
    while True:
        try:
            next(stages)
        except StopIteration as end:
            return end.value


@dataclass(frozen=True)
class Encoded:
    """What a network takes of the three parts, and what was seen only when all of it was read.

    Shapes: test_x (row, ...), an array or what has its length and gives its slices; test_y (row,); None of no rows.
    """

    data: Arrays | Streamed
    test_x: Any
    test_y: Any
    found: list[Observation]
