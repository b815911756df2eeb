"""How data become what a network takes that learns a task: as for any network, and then the task is made of them."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from preceptor.data import PicturePreprocessor, Preprocessor, Target
from preceptor.data.encoding.unseen import Unseen
from preceptor.data.saved import LONGEST, rebuilt, wrong
from preceptor.errors import ConfigError

__all__ = ["TaskPreprocessor"]


@dataclass(frozen=True, eq=False)
class TaskPreprocessor:
    """What was learned from the data, with what a task makes of them.

    Args:
        inner: what brings data to the numbers that the trunk takes: one takes it from the run, beside the trunk.
        task: its word.
        classes: what it tells apart; empty where it is no class.
        input_shape: of what the network takes of a picture or a row.
    """

    inner: Preprocessor | PicturePreprocessor
    task: str
    classes: tuple[str, ...]
    input_shape: tuple[int, ...]

    @property
    def rows(self) -> int:
        """Pictures or rows that it was learned from."""
        return self.inner.rows

    @property
    def example(self) -> str:
        """What each of them is called."""
        return self.inner.example

    @property
    def left_out(self) -> int:
        """Rows that were left out."""
        return self.inner.left_out

    @property
    def targets(self) -> tuple[Target, ...]:
        """What is to be told: the task."""
        return (Target(self.task, "classes", classes=self.classes) if self.classes else Target(self.task, "number"),)

    @property
    def features(self) -> int:
        """Numbers in what the network takes."""
        return math.prod(self.input_shape)

    def lines(self) -> list[str]:
        """What the data are: sentences for the terminal."""
        return self.inner.lines() if isinstance(self.inner, Preprocessor) else self.inner.lines()[:1]

    def open(self, *_: Any, **__: Any) -> NoReturn:
        """Raises: ConfigError, for the network solves a task that it makes itself."""
        raise ConfigError(
            f"this run learned the task {self.task} without labels; it tells nothing of new data by itself. Train on "
            "labels from it: preceptor fit FEW_LABELS --from RUN."
        )

    pieces = encode_target = open

    def unseen(self) -> Unseen:
        """A counter of what training never saw; here nothing is counted."""
        return Unseen((), {})

    def to_dict(self) -> dict[str, Any]:
        """Everything but `arrays` as JSON types. Inverse: from_dict."""
        kept = {"word": self.task, "classes": self.classes, "input_shape": self.input_shape}
        return {"task": kept, "inner": self.inner.to_dict()}

    def arrays(self) -> dict[str, np.ndarray]:
        """What was learned in numbers, by name."""
        return self.inner.arrays()

    @classmethod
    def from_dict(cls, saved: dict[str, Any], arrays: dict[str, np.ndarray]) -> "TaskPreprocessor":
        """The preprocessor that to_dict and arrays saved. Raises: DataError where it is not what they write."""
        where = "preprocessor"
        known = rebuilt(_Saved, saved["task"], where)
        inner = saved.get("inner")
        if set(saved) != {"task", "inner"} or not isinstance(inner, dict):
            raise wrong(where, "it has more than a task and what was learned of the data, or less")
        kind = PicturePreprocessor if "pictures" in inner else Preprocessor
        made = cls(kind.from_dict(inner, arrays), known.word, known.classes, known.input_shape)
        for fault in made.faults():
            raise wrong(where, fault)
        return made

    def faults(self) -> Iterator[str]:
        """Why the fields contradict each other, where they do."""
        if not self.input_shape or min(self.input_shape) < 1 or self.features > LONGEST:
            yield f"input_shape is {self.input_shape}; at least 1 and at most {LONGEST:,} numbers in all are required"
        if len(set(self.classes)) < len(self.classes) or len(self.classes) == 1:
            yield "it has one class, or one twice"


@dataclass(frozen=True)
class _Saved:
    """What `TaskPreprocessor.to_dict` writes of the task."""

    word: str
    classes: tuple[str, ...]
    input_shape: tuple[int, ...]
