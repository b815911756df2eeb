"""Preparations that say how far they have come, and what they lead to."""

import hashlib
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from preceptor.data import PicturePreprocessor, Preprocessor
from preceptor.diagnose import Finding
from preceptor.pretext import TaskPreprocessor
from preceptor.train.training import Arrays, Streamed

Result = TypeVar("Result")


@dataclass(frozen=True)
class Stage:
    """How far a long preparation has come: `done` of `total` units; a total of 0 is not known."""

    text: str
    done: int = 0
    total: int = 0
    unit: str = "rows"


Stages = Generator[Stage, None, Result]


def completed(stages: Stages[Result]) -> Result:
    """What a preparation leads to, where nobody watches it."""
    while True:
        try:
            next(stages)
        except StopIteration as end:
            return end.value


def given(known: Result) -> Stages[Result]:
    """What leads to what is known already."""
    yield from ()
    return known


@dataclass(frozen=True, eq=False)
class Encoded:
    """What a network takes of the three parts, and what was seen only when all of it was read.

    Shapes: test_x (row, ...), an array or what has its length and gives its slices; test_y (row,); None of no rows.
        test_weight (row,); None where each counts 1. train_y (row,): the targets of the training rows, in any order.
        begins: the fingerprint of what the network begins from.
    """

    data: Arrays | Streamed
    test_x: Any
    test_y: Any
    found: list[Finding]
    train_y: np.ndarray
    test_weight: np.ndarray | None = None
    begins: str = ""

    def fingerprint(self, preprocessor: Preprocessor | PicturePreprocessor | TaskPreprocessor) -> str:
        """A checksum of all that training and judging see, and of what features and classes are called: the same data,
        split and preparation give the same."""
        inner = preprocessor.inner if isinstance(preprocessor, TaskPreprocessor) else preprocessor
        features = inner.feature_names if isinstance(inner, Preprocessor) else ()
        targets = preprocessor.targets
        called: Any = tuple((target.name, target.written) for target in targets)
        digest = hashlib.sha256(repr((features, *(called[0] if len(called) == 1 else called))).encode())
        train = [self.data.stream] if isinstance(self.data, Streamed) else [self.data.x, self.data.y]
        for part in (*train, self.data.dev_x, self.data.dev_y, self.test_x, self.test_y):
            if isinstance(part, np.ndarray):
                digest.update(f"{part.dtype}{part.shape}".encode())
                digest.update(np.ascontiguousarray(part).data)
            else:
                digest.update(b"none" if part is None else part.fingerprint())
        if self.data.folds is not None:
            digest.update(self.data.folds.fold.tobytes())
        for weight in (getattr(self.data, "weight", None), self.data.dev_weight, self.test_weight):
            digest.update(b"" if weight is None else weight.tobytes())
        digest.update(self.begins.encode())
        return digest.hexdigest()
